/**
 * Semantics: merging what an instance reaches, and merging without loading.
 *
 * @module
 */
import { assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { DetachedInstanceError, inspect, StaleDataError, ValidationError } from "../../mod.ts";
import {
  Author,
  author,
  Book,
  Booking,
  Employee,
  Maker,
  Profile,
  type Review,
  Seat,
  Stock,
  Tag,
  User,
} from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

/** Registers the tests of merging what an instance reaches. */
export function mergeGraphSemantics(target: Target): void {
  test(target, "merge() follows a relation to one, and merges what it leads to", async (place) => {
    await place.save(author("Ann", { a: [] }));
    await using session = place.session();
    const book = await session.query(Book).one();
    const given = Book.create({ id: book.id, title: "b", author: new Author({ id: book.authorId, name: "Anna" }) });
    await session.merge(given);
    await session.commit();
    assertEquals([await place.column("authors", "name"), await place.column("books", "title")], [["Anna"], ["b"]]);
    assertEquals(await place.rows("authors"), 1);
  });

  test(target, "merge() does not touch a relation that the given instance does not hold", async (place) => {
    await place.save(author("Ann", { a: [1] }));
    await using session = place.session();
    const [ann] = await session.query(Author).include({ books: { reviews: true } }).all();
    await session.merge(new Author({ id: ann!.id, name: "Anna" }));
    assertEquals([ann!.books.length, ann!.books[0]!.reviews.length], [1, 1]);
    await session.commit();
    assertEquals([await place.rows("books"), await place.rows("reviews")], [1, 1]);
  });

  test(target, "merge() of a collection that shrank takes members away, deleteOrphan deletes them", async (place) => {
    const ann = author("Ann", { a: [], b: [], c: [] });
    const keep = ann.books![1]!;
    await place.save(ann);
    await using session = place.session();
    await session.merge(Author.create({ id: ann.id, name: "Ann", books: [new Book({ id: keep.id, title: "b" })] }));
    await session.commit();
    assertEquals(await place.column("books", "title"), ["b"]);
  });

  test(target, "merge() of an empty collection empties the session's", async (place) => {
    const ann = author("Ann", { a: [], b: [] });
    await place.save(ann);
    await using session = place.session();
    const merged = await session.merge(Author.create({ id: ann.id, name: "Ann", books: [] }));
    assertEquals(merged.books, []);
    await session.commit();
    assertEquals(await place.rows("books"), 0);
  });

  test(target, "merge() of a collection that grew adds members, and keeps the very array", async (place) => {
    await place.save(author("Ann", { a: [] }));
    await using session = place.session();
    const [ann] = await session.query(Author).include(["books"]).all();
    const { books } = ann!;
    await session.merge(Author.create({
      id: ann!.id,
      name: "Ann",
      books: [new Book({ id: books[0]!.id, title: "a" }), new Book({ title: "b" })],
    }));
    assertStrictEquals(ann!.books, books);
    await session.commit();
    assertEquals(await place.column("books", "title"), ["a", "b"]);
  });

  test(target, "merge() of a graph with a cycle ends, and keeps its shape", async (place) => {
    const boss = new Employee({ name: "boss" });
    const worker = Employee.create({ name: "worker", manager: boss });
    boss.reports = [worker];
    await using session = place.session();
    const merged = await session.merge(boss);
    assertStrictEquals(merged.reports![0]!.manager, merged);
    await session.commit();
    assertEquals([await place.rows("employees"), inspect(boss).state, inspect(worker).state], [
      2,
      "transient",
      "transient",
    ]);
  });

  test(target, "merge() of a cycle whose rows are there changes them", async (place) => {
    const boss = new Employee({ name: "boss" });
    const worker = Employee.create({ name: "worker", manager: boss });
    await place.save(worker);
    const given = new Employee({ id: boss.id, name: "b" });
    given.reports = [new Employee({ id: worker.id, name: "w" })];
    given.reports[0]!.manager = given;
    await using session = place.session();
    await session.merge(given);
    await session.commit();
    assertEquals(await place.column("employees", "name"), ["b", "w"]);
  });

  test(target, "merge() of a hasOne replaces the child, and deletes the orphan", async (place) => {
    const user = User.create({ name: "u", profile: new Profile({ motto: "old" }) });
    await place.save(user);
    await using session = place.session();
    await session.merge(User.create({ id: user.id, name: "u", profile: new Profile({ motto: "new" }) }));
    await session.commit();
    assertEquals(await place.column("profiles", "motto"), ["new"]);
  });

  test(target, "merge() of a many-to-many takes links away and adds some", async (place) => {
    const [a, b, c] = ["a", "b", "c"].map((name) => new Tag({ name })) as [Tag, Tag, Tag];
    const book = Book.create({ title: "t", author: new Author({ name: "Ann" }), tags: [a, b] });
    await place.save(book, c);
    await using session = place.session();
    const tags = [new Tag({ id: b.id, name: "b" }), new Tag({ id: c.id, name: "c" })];
    await session.merge(Book.create({ id: book.id, title: "t", tags }));
    await session.commit();
    assertEquals((await place.column("book_tags", "tag_id")).sort(), [b.id, c.id].sort());
    assertEquals(await place.rows("tags"), 3);
  });

  test(target, "merge() finds a row by a key of several columns", async (place) => {
    await place.save(Booking.create({ guest: "g", seat: new Seat({ row: 1, letter: "A" }) }));
    await using session = place.session();
    const merged = await session.merge(new Seat({ row: 1, letter: "A", taken: true }));
    assertEquals([inspect(merged).state, merged.taken], ["persistent", true]);
    await session.commit();
    assertEquals([await place.rows("seats"), merged.version], [1, 2]);
  });

  test(target, "merge() into a version that has moved on is refused, and copies nothing", async (place) => {
    await place.save(author("Ann", { a: [] }));
    await using other = place.other();
    const [given] = await other.query(Author).include(["books"]).all();
    await place.run("UPDATE authors SET version = 5");
    given!.name = "mine";
    given!.books[0]!.title = "mine";
    await using session = place.session();
    await refused(() => session.merge(given!), StaleDataError, "version 1", "version 5");
    assertEquals([session.dirty.size, session.new.size], [0, 0]);
  });

  test(target, "merge() with load: false reads nothing, and the copy is clean", async (place) => {
    await place.save(author("Ann", { a: [1] }));
    await using other = place.other();
    const [given] = await other.query(Author).include({ books: { reviews: true } }).all();
    await using session = place.session();
    const merged = await sendsNothing(place, () => session.merge(given!, { load: false }));
    assertEquals([session.identityMap.size, session.dirty.size, merged.books![0]!.reviews!.length], [3, 0, 1]);
    assertNotStrictEquals(merged, given);
    await sendsNothing(place, () => session.commit());
  });

  test(target, "merge() with load: false of a changed instance is refused", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using other = place.other();
    const given = await other.query(Tag).one();
    given.name = "u";
    await using session = place.session();
    await refused(() => session.merge(given, { load: false }), ValidationError, "changed");
    assertEquals(session.identityMap.size, 0);
  });

  test(target, "merge() with load: false of an instance without a key is refused", async (place) => {
    await using session = place.session();
    await refused(() => session.merge(new Maker({ name: "m" }), { load: false }), ValidationError, "no key");
  });

  test(target, "merge() with load: false of an expired instance gives one that is expired likewise", async (place) => {
    await place.save(new Author({ name: "Ann", bio: "b" }));
    await using other = place.other();
    const given = await other.query(Author).one();
    other.expire(given, ["bio"]);
    await using session = place.session();
    const merged = await sendsNothing(place, () => session.merge(given, { load: false }));
    assertEquals([merged.name, session.inspect(merged).expired], ["Ann", ["bio"]]);
    await session.refresh(merged);
    assertEquals(merged.bio, "b");
  });

  test(target, "merge() with include loads relations that the given instance does not hold", async (place) => {
    const ann = author("Ann", { a: [1] });
    await place.save(ann);
    await using session = place.session();
    const merged = await session.merge(new Author({ id: ann.id, name: "Anna" }), { include: { books: true } });
    assertEquals(merged.books!.map(({ title }) => title), ["a"]);
  });

  test(target, "merge() is undone by a rollback, as any change", async (place) => {
    const tag = new Tag({ name: "t" });
    await place.save(tag);
    await using session = place.session();
    const merged = await session.merge(new Tag({ id: tag.id, name: "u" }));
    const added = await session.merge(new Tag({ name: "v" }));
    await session.rollback();
    assertEquals([merged.name, inspect(added).state, session.new.size], ["t", "transient", 0]);
  });

  test(target, "merge() of what another session still has copies it, and takes nothing from there", async (place) => {
    await place.save(new Stock({ left: 1 }));
    await using other = place.other();
    const theirs = await other.query(Stock).one();
    theirs.left = 2;
    await using session = place.session();
    const merged = await session.merge(theirs);
    assertEquals([merged.left, other.has(theirs), other.dirty.has(theirs)], [2, true, true]);
    await refused(() => session.add(theirs), DetachedInstanceError, "another session");
  });

  test(target, "merge() refuses a relation that holds what it cannot", async (place) => {
    await using session = place.session();
    const book = new Book({ title: "b" });
    book.reviews = [new Tag({ name: "t" }) as unknown as Review];
    await refused(() => session.merge(book), ValidationError, "Book.reviews", "Review");
  });

  test(
    target,
    "a new member that came by merge goes again when it leaves its collection before the flush",
    async (place) => {
      const ann = author("Ann");
      await place.save(ann);
      await using session = place.session();
      const merged = await session.merge(Author.create({ id: ann.id, name: "Ann", books: [new Book({ title: "b" })] }));
      merged.books!.pop();
      await session.commit();
      assertEquals([await place.rows("books"), session.new.size], [0, 0]);
    },
  );
}
