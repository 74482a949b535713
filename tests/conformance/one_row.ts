/**
 * insertNow(), updateNow() and deleteNow(): one instance, at once.
 *
 * @module
 */
import { assertEquals, assertStrictEquals } from "@std/assert";
import { ValidationError } from "../../mod.ts";
import { Article, Author, author, Book, Crate, Maker, Product, Stock, Tag } from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

/** Registers the tests of writing one instance. */
export function oneRowSuite(target: Target): void {
  test(target, "session.insertNow() writes one instance, which comes back with what the server made", async (place) => {
    await using session = place.session();
    const other = session.add(new Tag({ name: "other" }));
    const article = new Article({ price: 4 });
    assertStrictEquals(await session.insertNow(article), article);
    assertEquals([article.twice, article.version, session.inspect(article).state], [8, 1, "persistent"]);
    const maker = await session.insertNow(new Maker({ name: "m" }));
    assertEquals([typeof maker.id, session.inspect(other).state], ["number", "pending"]);
    if (target.expects.concurrent) assertEquals(await place.rows("makers"), 0);
    await session.commit();
    assertEquals([await place.column("makers", "name"), await place.column("tags", "name")], [["m"], ["other"]]);
  }, "interactive");

  test(
    target,
    "session.insertNow() writes the new parents that an instance refers to, and no children",
    async (place) => {
      await using session = place.session();
      const maker = Maker.create({ name: "m", products: [] });
      const product = Product.create({ name: "p", maker });
      const tag = session.add(new Tag({ name: "t" }));
      await session.insertNow(product);
      assertEquals([product.makerId, session.inspect(tag).state], [maker.id, "pending"]);
      await session.rollback();
      assertEquals([session.inspect(product).state, await place.rows("makers")], ["transient", 0]);
    },
    "interactive",
  );

  test(target, "session.updateNow() writes one instance, and sends nothing when nothing changed", async (place) => {
    await place.save(new Author({ name: "Ann" }), new Author({ name: "Bob" }));
    await using session = place.session();
    const [ann, bob] = await session.query(Author).orderBy({ name: "asc" }).all();
    ann!.bio = "x";
    bob!.bio = "y";
    assertStrictEquals(await session.updateNow(ann!), ann!);
    assertEquals([ann!.version, bob!.version, session.dirty.size], [2, 1, 1]);
    await sendsNothing(place, () => session.updateNow(ann!));
    await session.rollback();
    assertEquals([ann!.bio, ann!.version, bob!.bio], [null, 1, null]);
  }, "interactive");

  test(target, "session.deleteNow() deletes one instance, with what its cascades reach", async (place) => {
    await place.save(author("Ann", { a: [1, 2], b: [3] }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    const [a, b] = await session.query(Book).orderBy({ title: "asc" }).all();
    ann.bio = "pending";
    await session.delete(b!);
    await session.deleteNow(a!);
    assertEquals([session.inspect(a!).state, session.inspect(b!).state, ann.version], ["deleted", "persistent", 1]);
    assertEquals(session.deleted.has(b!), true);
    await session.commit();
    assertEquals([await place.rows("books"), await place.rows("reviews")], [0, 0]);
    assertEquals(await place.column("authors", "bio"), ["pending"]);
  }, "interactive");

  test(
    target,
    "session.deleteNow() lets go of what refers to the instance, and of what it is linked with",
    async (place) => {
      await place.save(Stock.create({ left: 1, crates: [new Crate({ name: "c" })] }));
      const book = Book.create({ title: "b", tags: [new Tag({ name: "t" })], author: new Author({ name: "A" }) });
      await place.save(book);
      await using session = place.session();
      const stock = await session.query(Stock).one();
      await session.deleteNow(stock);
      const found = await session.query(Book).include({ tags: true }).one();
      await session.deleteNow(found);
      await session.commit();
      assertEquals([await place.column("crates", "stock_id"), await place.rows("book_tags")], [[null], 0]);
      assertEquals(await place.rows("tags"), 1);
    },
    "interactive",
  );

  test(
    target,
    "insertNow(), updateNow() and deleteNow() refuse what has no such row, and send nothing",
    async (place) => {
      await place.save(new Author({ name: "Ann" }));
      await using session = place.session();
      const ann = await session.query(Author).one();
      await sendsNothing(place, async () => {
        await refused(() => session.insertNow(ann), ValidationError, "Author", "updateNow()");
        await refused(() => session.updateNow(new Author({ name: "x" })), ValidationError, "transient");
        await refused(() => session.deleteNow(new Author({ name: "x" })), ValidationError, "Author");
        await refused(() => session.insertNow({}), ValidationError, "plain object");
        session.expunge(ann);
        await refused(() => session.insertNow(ann), ValidationError, "Author");
        await refused(() => session.updateNow(ann), ValidationError, "Author");
      });
      const pending = session.add(new Author({ name: "p" }));
      await session.deleteNow(pending);
      assertEquals([session.inspect(pending).state, session.new.size], ["transient", 0]);
    },
  );
}
