/**
 * Bringing instances up to date: merge, refresh, expire.
 *
 * @module
 */
import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import {
  DetachedInstanceError,
  ExpiredPropertyError,
  ObjectDeletedError,
  StaleDataError,
  ValidationError,
} from "../../mod.ts";
import { Author, author, Book, Maker, Page, Review, Stock, User } from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

/** Registers the tests of merge, refresh and expire. */
export function objectSuite(target: Target): void {
  test(target, "session.merge() copies a transient instance with a key onto the row's instance", async (place) => {
    const ann = new Author({ name: "Ann", bio: "old" });
    const { id } = ann;
    await place.save(ann);
    await using session = place.session();
    const given = new Author({ id, name: "Anna" });
    const merged = await session.merge(given);
    assertNotStrictEquals(merged, given);
    // What the constructor made up, since it was given nothing, is not copied.
    assertEquals([merged.name, merged.bio, session.has(given), session.inspect(given).state], [
      "Anna",
      "old",
      false,
      "transient",
    ]);
    assertStrictEquals(await session.get(Author, id), merged);
    await session.commit();
    assertEquals([await place.column("authors", "name"), merged.version], [["Anna"], 2]);
  });

  test(target, "session.merge() copies an instance that another session let go, or still has", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    const other = place.other();
    const detached = await other.query(Author).one();
    detached.bio = "changed";
    await using session = place.session();
    const own = await session.query(Author).one();
    assertStrictEquals(await session.merge(detached), own);
    assertEquals(own.bio, "changed");
    await other.close();
    detached.name = "again";
    await session.merge(detached);
    await session.commit();
    assertEquals([own.name, own.version, await place.column("authors", "bio")], ["again", 2, ["changed"]]);
  });

  test(target, "session.merge() refuses a version that is not the row's", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    const other = place.other();
    const detached = await other.query(Author).one();
    await other.close();
    await place.run("UPDATE authors SET version = 2, name = 'theirs'");
    await using session = place.session();
    detached.name = "mine";
    const error = await refused(() => session.merge(detached), StaleDataError, "Author", "version 1", "version 2");
    const own = await session.query(Author).one();
    assertStrictEquals(error.instance, own);
    assertEquals([own.name, session.dirty.size, session.state], ["theirs", 0, "open"]);
  });

  test(target, "session.merge() adds an instance that has no row", async (place) => {
    await using session = place.session();
    const given = new Author({ name: "Ann" });
    const merged = await session.merge(given);
    assertEquals([merged.id, session.inspect(merged).state, session.has(given)], [given.id, "pending", false]);
    const maker = await sendsNothing(place, () => session.merge(new Maker({ name: "m" })));
    await session.commit();
    assertEquals([await place.column("authors", "id"), await place.column("makers", "id")], [[given.id], [maker.id]]);
    assertStrictEquals(await session.merge(merged), merged);
  });

  test(target, "session.merge() copies what an instance reaches, in one request", async (place) => {
    const ann = author("Ann", { a: [1], b: [2] });
    const [a, b] = ann.books!;
    await place.save(ann);
    await using session = place.session();
    const given = Author.create({
      id: ann.id,
      name: "Anna",
      books: [
        Book.create({ id: a!.id, title: "a2", reviews: [new Review({ id: a!.reviews![0]!.id, stars: 5 })] }),
        Book.create({ title: "c", reviews: [new Review({ stars: 3 })] }),
      ],
    });
    let merged!: Author;
    const requests = await place.requests(async () => merged = await session.merge(given));
    assertEquals(requests, target.expects.coalesces ? 2 : 5);
    assertEquals(merged.books!.map(({ title }) => title), ["a2", "c"]);
    await session.commit();
    assertEquals(await place.column("books", "title"), ["a2", "c"]); // b left the collection: deleteOrphan
    assertEquals((await place.column("reviews", "stars")).map(Number), [3, 5]);
    assertEquals(session.inspect(given.books![0]!).state, "transient");
    assert(b !== undefined);
  });

  test(target, "session.merge() without loading takes the given state as the row's", async (place) => {
    const ann = new Author({ name: "Ann" });
    await place.save(ann);
    await using session = place.session();
    const merged = await sendsNothing(place, () => session.merge(ann, { load: false }));
    assertEquals([merged.name, session.isModified(merged), session.inspect(merged).state], [
      "Ann",
      false,
      "persistent",
    ]);
    merged.name = "Anna";
    await session.commit();
    assertEquals(await place.column("authors", "name"), ["Anna"]);
    await refused(() => session.merge(new Maker({ name: "m" }), { load: false }), ValidationError, "key");
    await refused(() => session.merge({ name: "plain" } as never), ValidationError, "plain object");
    await refused(() => session.merge(ann, { nope: 1 } as never), ValidationError, '"nope"');
  });

  test(target, "session.refresh() reads a row again and drops changes", async (place) => {
    await place.save(author("Ann", { a: [] }));
    await using session = place.session();
    const [ann] = await session.query(Author).include(["books"]).all();
    const bio = ann!.bio;
    ann!.name = "mine";
    await place.run("UPDATE authors SET name = 'theirs', bio = 'new', version = 2");
    assertEquals(await place.requests(() => session.refresh(ann!)), 1);
    assertEquals([ann!.name, ann!.bio, ann!.version, bio, session.dirty.size], ["theirs", "new", 2, null, 0]);
    ann!.name = "again";
    await place.run("UPDATE authors SET bio = 'newer'");
    await place.run(
      "INSERT INTO books (id, title, author_id, version) VALUES (?, 'n', ?, 1)",
      crypto.randomUUID(),
      ann!.id,
    );
    await session.refresh(ann!, { properties: ["bio", "books"] });
    assertEquals([ann!.name, ann!.bio, ann!.books.length], ["again", "newer", 2]);
    await refused(() => session.refresh(ann!, { properties: ["nope"] as never }), ValidationError, '"nope"');
  });

  test(target, "session.refresh() throws when the row is gone, or the instance is not the session's", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    await place.run("DELETE FROM authors");
    await refused(() => session.refresh(ann), ObjectDeletedError, "Author", ann.id);
    assertEquals(session.state, "open");
    await refused(() => session.refresh(new Author({ name: "x" })), DetachedInstanceError, "no session");
    await refused(() => session.refresh(session.add(new Author({ name: "x" }))), ValidationError, "pending");
  });

  test(target, "session.refresh() of several instances in one turn is one request", async (place) => {
    await place.save(new Author({ name: "Ann" }), new Author({ name: "Bob" }), new Stock({ left: 1 }));
    await using session = place.session();
    const all = [...await session.query(Author).all(), ...await session.query(Stock).all()];
    assertEquals(await place.requests(() => Promise.all(all.map((one) => session.refresh(one)))), place.reads(3));
  });

  test(target, "session.expire() makes reading throw until the instance is read again", async (place) => {
    await place.save(author("Ann", { a: [] }));
    await using session = place.session();
    const [ann] = await session.query(Author).include(["books"]).all();
    await place.run("UPDATE authors SET name = 'Anna', version = 5");
    ann!.bio = "lost";
    await sendsNothing(place, () => session.expire(ann!));
    const error = await refused(() => ann!.name, ExpiredPropertyError, "Author.name", "refresh");
    assertEquals(error.code, "LEDGE_EXPIRED_PROPERTY");
    assertEquals([typeof ann!.id, (ann as Author).books], ["string", undefined]);
    assertEquals([session.inspect(ann!).expired, session.dirty.size], [["name", "bio", "version"], 0]);
    assertStrictEquals<Author | null>(await session.get(Author, ann!.id), ann!);
    assertEquals([ann!.name, ann!.bio, ann!.version], ["Anna", null, 5]);
    ann!.name = "Ann";
    await session.commit();
    assertEquals(ann!.version, 6);
  });

  test(target, "session.expire() of some properties leaves the rest", async (place) => {
    await place.save(author("Ann", { a: [] }));
    await using session = place.session();
    const [ann] = await session.query(Author).include(["books"]).all();
    session.expire(ann!, ["bio"]);
    assertEquals([ann!.name, ann!.books.length], ["Ann", 1]);
    await refused(() => ann!.bio, ExpiredPropertyError, "Author.bio");
    ann!.name = "Anna"; // can be changed: its version is known
    await session.commit();
    assertEquals(ann!.version, 2);
    await session.query(Author).all(); // a query that reads the row fills it
    assertEquals(ann!.bio, null);
    await refused(() => session.expire(ann!, ["nope"] as never), ValidationError, '"nope"');
  });

  test(target, "session.expireAll() expires every instance, and a change of one needs a refresh", async (place) => {
    await place.save(new Author({ name: "Ann" }), new Author({ name: "Bob" }));
    await using session = place.session();
    const [ann, bob] = await session.query(Author).orderBy({ name: "asc" }).all();
    session.expireAll();
    for (const one of [ann!, bob!]) await refused(() => one.name, ExpiredPropertyError);
    ann!.name = "Anna";
    await refused(() => session.commit(), ValidationError, "expired", "refresh");
    await session.refresh(ann!);
    ann!.name = "Anna";
    await session.commit();
    assertEquals(await place.column("authors", "name"), ["Anna", "Bob"]);
  });

  test(target, "an expired instance can be deleted by its key when it has no version", async (place) => {
    await place.save(new Stock({ left: 1 }));
    await using session = place.session();
    const stock = await session.query(Stock).one();
    session.expire(stock);
    stock.left = 2; // an assignment gives a value again
    await session.commit();
    assertEquals((await place.column("stocks", "pieces_left")).map(Number), [2]);
    session.expire(stock);
    await session.delete(stock);
    await session.commit();
    assertEquals(await place.rows("stocks"), 0);
  });

  test(target, "session.merge() copies JSON, bytes and dates, not the objects themselves", async (place) => {
    await using session = place.session();
    const given = new Page({ meta: { n: 1 }, body: new Uint8Array([1]), at: new Date(0) });
    const merged = await session.merge(given);
    await session.commit();
    given.meta!.n = 2;
    given.body[0] = 2;
    given.at.setTime(5);
    assertEquals([merged.meta, merged.body[0], merged.at.getTime(), session.isModified(merged)], [
      { n: 1 },
      1,
      0,
      false,
    ]);
  });

  test(target, "session.merge() of an instance with a relation to none takes the relation away", async (place) => {
    await place.save(User.create({ name: "u" }));
    await using session = place.session();
    const { id } = await session.query(User).one();
    const merged = await session.merge(User.create({ id, name: "v", profile: null }));
    await session.commit();
    assertEquals([merged.profile, await place.column("users", "name")], [null, ["v"]]);
  });
}
