/**
 * Semantics: expunging, from SQLAlchemy's "Expunging". As with its default cascades, nothing but the instance goes.
 *
 * @module
 */
import { assertEquals, assertNotStrictEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { DetachedInstanceError, inspect, objectSession } from "../../mod.ts";
import { Author, author, Book, Crate, Maker, Review, Stock, Tag } from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

/** Registers the tests of expunge. */
export function expungeSemantics(target: Target): void {
  test(target, "expunge() of a pending instance makes it transient, and nothing is inserted", async (place) => {
    await using session = place.session();
    const tag = session.add(new Tag({ name: "t" }));
    session.expunge(tag);
    assertEquals([inspect(tag).state, session.new.size, objectSession(tag)], ["transient", 0, null]);
    await sendsNothing(place, () => session.commit());
  });

  test(target, "expunge() of a changed instance leaves the change on it, and nothing is written", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    tag.name = "u";
    session.expunge(tag);
    await sendsNothing(place, () => session.commit());
    assertEquals([tag.name, await place.column("tags", "name")], ["u", ["t"]]);
  });

  test(target, "expunge() of an instance that is marked deleted takes the deletion with it", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    await session.delete(tag);
    session.expunge(tag);
    await session.commit();
    assertEquals([inspect(tag).state, await place.rows("tags")], ["detached", 1]);
  });

  test(target, "expunge() does not cascade: what the instance reaches stays", async (place) => {
    await place.save(author("Ann", { a: [1] }));
    await using session = place.session();
    const [ann] = await session.query(Author).include({ books: { reviews: true } }).all();
    session.expunge(ann!);
    assertEquals([session.identityMap.size, session.has(ann!.books[0]!)], [2, true]);
    ann!.books[0]!.title = "b";
    await session.commit();
    assertEquals(await place.column("books", "title"), ["b"]);
  });

  test(target, "expunge() of a pending parent leaves its pending children, which bring it back", async (place) => {
    await using session = place.session();
    const ann = author("Ann", { a: [] });
    const book = ann.books![0]!;
    book.author = ann;
    session.add(ann);
    session.expunge(ann);
    assertEquals([inspect(ann).state, inspect(book).state], ["transient", "pending"]);
    await session.commit(); // the book's author is reached through cascade "save"
    assertEquals([inspect(ann).state, await place.rows("authors"), await place.rows("books")], ["persistent", 1, 1]);
  });

  test(
    target,
    "expunge() of a member that its loaded owner still holds leaves it out of the session",
    async (place) => {
      await place.save(Stock.create({ left: 1, crates: [new Crate({ name: "a" })] }));
      await using session = place.session();
      const [stock] = await session.query(Stock).include(["crates"]).all();
      const crate = stock!.crates[0]!;
      session.expunge(crate);
      assertEquals([session.has(crate), stock!.crates], [false, [crate]]);
      stock!.left = 2;
      await session.commit();
      assertEquals(await place.column("crates", "stock_id"), [stock!.id]);
    },
  );

  test(target, "expunge() of an instance of no session, or of another, is refused with words", async (place) => {
    await using session = place.session();
    await using other = place.session();
    const tag = new Tag({ name: "t" });
    await refused(() => session.expunge(tag), DetachedInstanceError, "in no session");
    other.add(tag);
    await refused(() => session.expunge(tag), DetachedInstanceError, "another session");
    assertStrictEquals(objectSession(tag), other);
  });

  test(target, "an expunged instance can be added again, with its changes", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    session.expunge(tag);
    tag.name = "u";
    session.add(tag);
    await session.commit();
    assertEquals([await place.column("tags", "name"), inspect(tag).state], [["u"], "persistent"]);
  });

  test(target, "an expunged instance can be merged, onto the row's new instance", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    session.expunge(tag);
    tag.name = "u";
    const merged = await session.merge(tag);
    assertNotStrictEquals(merged, tag);
    await session.commit();
    assertEquals([await place.column("tags", "name"), inspect(tag).state], [["u"], "detached"]);
  });

  test(target, "rollback() does not bring an expunged instance back", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    const added = session.add(new Tag({ name: "u" }));
    session.expunge(tag);
    session.expunge(added);
    tag.name = "x";
    await session.rollback();
    assertEquals([inspect(tag).state, inspect(added).state, tag.name], ["detached", "transient", "x"]);
  });

  test(
    target,
    "an instance that was inserted, expunged and rolled back is transient: its row is not there",
    async (place) => {
      await using session = place.session();
      const maker = session.add(new Maker({ name: "m" }));
      await session.flush();
      session.expunge(maker);
      assertEquals(inspect(maker).state, "detached");
      await session.rollback();
      assertEquals([inspect(maker).state, "id" in maker], ["transient", false]);
    },
    "interactive",
  );

  test(
    target,
    "expungeAll() takes pending, changed and deleted instances out, and nothing is written",
    async (place) => {
      await place.save(new Tag({ name: "a" }), new Tag({ name: "b" }));
      await using session = place.session();
      const [a, b] = await session.query(Tag).orderBy({ name: "asc" }).all();
      const added = session.add(new Tag({ name: "c" }));
      a!.name = "x";
      await session.delete(b!);
      session.expungeAll();
      await sendsNothing(place, () => session.commit());
      assertEquals([a, b, added].map((one) => inspect(one!).state), ["detached", "detached", "transient"]);
    },
  );

  test(target, "expunge() inside a savepoint is for good, whatever becomes of the savepoint", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    await assertRejects(() =>
      session.savepoint(() => {
        session.expunge(tag);
        throw new Error("no");
      })
    );
    assertEquals([inspect(tag).state, session.identityMap.size], ["detached", 0]);
  });

  test(target, "load() loads relations of an expunged instance, by its keys", async (place) => {
    await place.save(author("Ann", { a: [1] }));
    await using session = place.session();
    const book = await session.query(Book).one();
    session.expunge(book);
    await session.load(book, ["author", "reviews"]);
    assertEquals([book.author!.name, book.reviews!.length, session.has(book)], ["Ann", 1, false]);
    assertEquals(session.has(book.author!), true);
  });

  test(target, "an expunged child given to a parent comes back with it", async (place) => {
    await place.save(author("Ann", { a: [1] }));
    await using session = place.session();
    const [book] = await session.query(Book).include(["reviews"]).all();
    const review = book!.reviews[0]!;
    session.expunge(review);
    review.stars = 5;
    book!.reviews.push(new Review({ stars: 2 }));
    await session.commit(); // cascade "save" takes the detached member in
    assertEquals([inspect(review).state, (await place.column("reviews", "stars")).map(Number)], ["persistent", [2, 5]]);
  });

  test(
    target,
    "an instance that was loaded from a row which a rollback takes away is let go as it is",
    async (place) => {
      await using session = place.session();
      const tag = session.add(new Tag({ name: "t" }));
      await session.flush();
      session.expunge(tag);
      const twin = await session.getOne(Tag, tag.id);
      await session.rollback();
      assertEquals([inspect(twin).state, twin.name, session.identityMap.size], ["detached", "t", 0]);
      session.add(tag);
      await session.commit();
      assertEquals([await place.rows("tags"), inspect(tag).state], [1, "persistent"]);
    },
    "interactive",
  );
}
