/**
 * Semantics: the identity map. SQLAlchemy: "a Session maintains only one instance of each primary key".
 *
 * @module
 */
import { assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { identityKey, NoResultError, ValidationError } from "../../mod.ts";
import { Author, author, Book, Booking, Line, Order, Seat, Tag } from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

/** Registers the tests of the identity map. */
export function identitySemantics(target: Target): void {
  test(target, "two queries give the same instance for the same row", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    assertStrictEquals(await session.query(Tag).one(), await session.query(Tag).where({ name: "t" }).one());
  });

  test(target, "get() of a loaded row sends nothing", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    await sendsNothing(place, async () => assertStrictEquals(await session.get(Tag, tag.id), tag));
  });

  test(target, "get() of a pending instance's key does not find it: it has no row yet", async (place) => {
    await using session = place.session();
    const tag = session.add(new Tag({ name: "t" }));
    assertEquals(await session.get(Tag, tag.id), null);
    await session.commit();
    assertStrictEquals(await session.get(Tag, tag.id), tag);
  });

  test(target, "get() of an instance that is marked deleted still gives it", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    await session.delete(tag);
    assertStrictEquals(await session.get(Tag, tag.id), tag);
  });

  test(target, "get() of a flushed deletion gives null", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    await session.delete(tag);
    await session.flush();
    assertEquals(await session.get(Tag, tag.id), null);
    await session.rollback();
    assertStrictEquals(await session.get(Tag, tag.id), tag);
  }, "interactive");

  test(target, "a query does not overwrite a change that is pending", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session({ autoflush: false });
    const tag = await session.query(Tag).one();
    tag.name = "mine";
    assertStrictEquals((await session.query(Tag).where({ name: "t" }).all())[0], tag);
    assertEquals(tag.name, "mine");
  });

  test(target, "a condition is about the rows, not about what instances hold", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session({ autoflush: false });
    const tag = await session.query(Tag).one();
    tag.name = "mine";
    assertEquals([await session.query(Tag).where({ name: "mine" }).count(), await session.query(Tag).count()], [0, 1]);
  });

  test(target, "after expunge() the same row is another instance", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    session.expunge(tag);
    const again = await session.query(Tag).one();
    assertNotStrictEquals(again, tag);
    assertEquals([session.identityMap.size, again.name], [1, "t"]);
  });

  test(target, "add() of a detached instance whose row is loaded is refused, naming merge", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    session.expunge(tag);
    await session.query(Tag).one();
    await refused(() => session.add(tag), ValidationError, "same key", "merge()");
  });

  test(target, "add() of a new instance whose row is loaded is refused, naming merge", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const { id } = await session.query(Tag).one();
    await refused(() => session.add(new Tag({ id, name: "u" })), ValidationError, "merge()");
    assertEquals(session.new.size, 0);
  });

  test(target, "a row reached by a foreign key and by a query is one instance", async (place) => {
    await place.save(author("Ann", { a: [], b: [] }));
    await using session = place.session();
    const books = await session.query(Book).include(["author"]).all();
    assertStrictEquals(books[0]!.author, books[1]!.author);
    assertStrictEquals(await session.query(Author).one(), books[0]!.author);
  });

  test(target, "a key of several columns is one key, as a tuple or as an object", async (place) => {
    await place.save(new Seat({ row: 1, letter: "A" }), new Seat({ row: 1, letter: "B" }));
    await using session = place.session();
    const seat = await session.getOne(Seat, [1, "B"]);
    await sendsNothing(place, async () => assertStrictEquals(await session.get(Seat, { letter: "B", row: 1 }), seat));
    assertEquals([await session.get(Seat, [2, "B"]), session.identityMap.has(Seat, [1, "B"])], [null, true]);
  });

  test(target, "a part of a key is refused", async (place) => {
    await using session = place.session();
    await refused(() => session.get(Seat, [1] as never), ValidationError, "row, letter");
    await refused(() => session.get(Seat, { row: 1 } as never), ValidationError, "row, letter");
    await refused(() => session.get(Tag, null as never), ValidationError, "id");
    await refused(() => session.get(Tag, undefined as never), ValidationError, "id");
  });

  test(target, "getOne() of a row that is not there throws, naming model and key", async (place) => {
    await using session = place.session();
    await refused(() => session.getOne(Seat, [7, "Z"]), NoResultError, "Seat", '(7, "…")');
  });

  test(target, "getAll() gives the instances in the order of the keys, null where there is no row", async (place) => {
    const [a, b] = [new Tag({ name: "a" }), new Tag({ name: "b" })];
    const missing = crypto.randomUUID();
    await place.save(a, b);
    await using session = place.session();
    const found = await session.getAll(Tag, [b.id, missing, a.id, b.id]);
    assertEquals(found.map((tag) => tag?.name), ["b", undefined, "a", "b"]);
    assertStrictEquals(found[0], found[3]);
  });

  test(target, "a foreign key that holds a part of a key finds its instance", async (place) => {
    await place.save(Booking.create({ guest: "g", seat: new Seat({ row: 1, letter: "A" }) }));
    await using session = place.session();
    const seat = await session.getOne(Seat, [1, "A"]);
    const [booking] = await session.query(Booking).include(["seat"]).all();
    assertStrictEquals(booking!.seat, seat);
  });

  test(target, "an identity map key is the same before and after a commit", async (place) => {
    await using session = place.session();
    const order = session.add(Order.create({ name: "o", lines: [new Line({ number: 1, what: "w" })] }));
    await session.commit();
    assertEquals(identityKey(order.lines![0]!), identityKey(Line, [order.id, 1]));
    await sendsNothing(place, async () => {
      assertStrictEquals(await session.get(Line, { orderId: order.id, number: 1 }), order.lines![0]);
    });
  });

  test(target, "populateExisting overwrites pending changes with the row", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session({ autoflush: false });
    const tag = await session.query(Tag).one();
    tag.name = "mine";
    assertStrictEquals(await session.get(Tag, tag.id, { populateExisting: true }), tag);
    assertEquals([tag.name, session.dirty.size], ["t", 0]);
  });

  test(target, "populateExisting of a row that is gone gives null", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    await place.run("DELETE FROM tags");
    assertEquals(await session.get(Tag, tag.id, { populateExisting: true }), null);
  });

  test(target, "the identity map lives through a commit, and rows are not read again", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    tag.name = "u";
    await session.commit();
    await sendsNothing(place, async () => assertStrictEquals(await session.get(Tag, tag.id), tag));
    assertEquals(tag.name, "u"); // SQLAlchemy would expire it here; Ledge does with expireOnCommit
  });

  test(target, "expungeAll() empties the identity map", async (place) => {
    await place.save(new Tag({ name: "t" }), new Tag({ name: "u" }));
    await using session = place.session();
    const tags = await session.query(Tag).all();
    session.expungeAll();
    assertEquals([session.identityMap.size, [...session].length, tags.map((tag) => session.has(tag))], [0, 0, [
      false,
      false,
    ]]);
  });
}
