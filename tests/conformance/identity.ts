/**
 * The identity map, and the states that an instance goes through.
 *
 * @module
 */
import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { DetachedInstanceError, identityKey, objectSession, update, uuidv7, ValidationError } from "../../mod.ts";
import { Author, author, Book, Maker, Review, Seat } from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

/** Registers the tests of the identity map. */
export function identitySuite(target: Target): void {
  test(target, "session.get() gives the same instance for the same row, however it is reached", async (place) => {
    const ann = author("Ann", { a: [1] });
    const { id } = ann;
    await place.save(ann);
    await using session = place.session();
    const [one, two] = await Promise.all([session.getOne(Author, id), session.getOne(Author, { id })]);
    assertStrictEquals(one, two);
    assertStrictEquals(await session.query(Author).where({ name: "Ann" }).one(), one);
    assertStrictEquals((await session.query(Book).include(["author"]).one()).author, one);
    assertStrictEquals((await session.getAll(Author, [id, id]))[1], one);
    assertStrictEquals(session.identityMap.get(Author, id), one);
    assertEquals([session.identityMap.has(Author, id), session.identityMap.size], [true, 2]);
  });

  test(target, "session.query() does not overwrite what a loaded instance holds", async (place) => {
    await place.save(new Author({ name: "Ann", bio: "old" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    ann.name = "mine";
    await place.run("UPDATE authors SET name = 'theirs', bio = 'new'");
    assertStrictEquals(await session.noAutoflush(() => session.query(Author).one()), ann);
    assertEquals([ann.name, ann.bio], ["mine", "old"]);
  });

  test(
    target,
    "session.query() overwrites what a loaded instance holds when populateExisting() is asked for",
    async (place) => {
      await place.save(new Author({ name: "Ann", bio: "old" }));
      await using session = place.session();
      const ann = await session.query(Author).one();
      ann.name = "mine";
      await place.run("UPDATE authors SET name = 'theirs', bio = 'new'");
      const again = await session.noAutoflush(() => session.query(Author).populateExisting().one());
      assertStrictEquals(again, ann);
      assertEquals([ann.name, ann.bio, session.isModified(ann)], ["theirs", "new", false]);
      await place.run("UPDATE authors SET bio = 'newer'");
      assertStrictEquals(await session.get(Author, ann.id, { populateExisting: true }), ann);
      assertEquals(ann.bio, "newer");
    },
  );

  test(target, "session.get() gives null when there is no row, and asks again the next time", async (place) => {
    const ann = new Author({ name: "Ann" });
    const { id } = ann;
    await using session = place.session();
    assertEquals(await session.get(Author, id), null);
    await place.save(ann);
    assertEquals((await session.get(Author, id))?.name, "Ann");
    assertEquals(await session.getAll(Author, []), []);
  });

  test(target, "sessions do not share instances", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using a = place.session();
    await using b = place.session();
    const [one, two] = [await a.query(Author).one(), await b.query(Author).one()];
    assertNotStrictEquals(one, two);
    one.name = "Anna";
    assertEquals(two.name, "Ann");
    await refused(() => b.add(one), DetachedInstanceError, "another session", "merge");
    await refused(() => b.refresh(one), DetachedInstanceError, "another session");
    assertStrictEquals(objectSession(one), a);
  });

  test(target, "an instance goes from transient to pending, persistent, deleted and detached", async (place) => {
    await using session = place.session();
    const ann = new Author({ name: "Ann" });
    const state = () => session.inspect(ann).state;
    assertEquals([state(), session.has(ann), objectSession(ann)], ["transient", false, null]);
    assertStrictEquals(session.add(ann), ann);
    assertEquals([state(), session.has(ann), [...session.new]], ["pending", true, [ann]]);
    await session.commit();
    assertEquals([state(), session.has(ann), session.new.size, session.dirty.size], ["persistent", true, 0, 0]);
    ann.name = "Anna";
    assertEquals([...session.dirty], [ann]);
    await session.delete(ann);
    assertEquals([[...session.deleted], session.dirty.size, session.inspect(ann).markedDeleted], [[ann], 0, true]);
    await session.flush();
    assertEquals([state(), session.has(ann), session.deleted.size], ["deleted", false, 0]);
    await session.commit();
    assertEquals([state(), session.has(ann), objectSession(ann)], ["detached", false, null]);
    assertEquals(await place.rows("authors"), 0);
  }, "interactive");

  test(target, "session.delete() takes a pending instance out again", async (place) => {
    await using session = place.session();
    const ann = session.add(new Author({ name: "Ann" }));
    await sendsNothing(place, async () => {
      await session.delete(ann);
      await session.commit();
    });
    assertEquals([session.inspect(ann).state, session.has(ann)], ["transient", false]);
    await refused(() => session.delete(ann), ValidationError, "not in the session");
  });

  test(target, "session.remove() is session.delete() by another name", async (place) => {
    await place.save(author("Ann", { a: [1] }));
    await using session = place.session();
    const [ann] = await session.query(Author).include({ books: { reviews: true } }).all();
    await session.remove(ann!);
    assertEquals([session.deleted.has(ann!), session.inspect(ann!).markedDeleted], [true, true]);
    await session.commit();
    assertEquals([await place.rows("authors"), await place.rows("books"), await place.rows("reviews")], [0, 0, 0]);
  });

  test(target, "session.add() takes a deletion back that is not flushed", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    await session.delete(ann);
    session.add(ann);
    assertEquals(session.deleted.size, 0);
    await session.commit();
    assertEquals(await place.rows("authors"), 1);
  });

  test(target, "session.add() refuses a second instance with the same key", async (place) => {
    const ann = new Author({ name: "Ann" });
    const { id } = ann;
    await place.save(ann);
    await using session = place.session();
    await session.getOne(Author, id);
    await refused(() => session.add(new Author({ id, name: "twin" })), ValidationError, "merge");
    const other = session.add(new Author({ name: "Bob" }));
    const twin = new Author({ id: other.id, name: "twin" });
    await refused(
      async () => {
        session.add(twin);
        await session.commit();
      },
      ValidationError,
      "same key",
      "merge",
    );
    await session.rollback();
    assertEquals(await place.column("authors", "name"), ["Ann"]);
  });

  test(target, "new instances that came by one key since they were added are refused at the flush", async (place) => {
    await using session = place.session();
    const [ann, bob] = session.addAll([new Author({ name: "Ann" }), new Author({ name: "Bob" })]);
    const own = bob!.id;
    for (const [one, other] of [[ann!, bob!], [bob!, ann!]] as const) {
      const before = one.id;
      one.id = other.id;
      await refused(() => sendsNothing(place, () => session.commit()), ValidationError, "same key", "merge()");
      one.id = before;
      await session.rollback();
      session.addAll([ann!, bob!]);
    }
    assertEquals(bob!.id, own);
    await session.commit();
    assertEquals(await place.rows("authors"), 2);
  });

  test(target, "an instance is found by a key that its constructor made up", async (place) => {
    await using session = place.session();
    const cat = new Author({ name: "Cat" });
    const twin = session.add(new Author({ id: cat.id, name: "twin" }));
    await refused(() => session.add(cat), ValidationError, "same key", "merge");
    session.expunge(twin);
    const [ann, bob] = session.addAll([new Author({ name: "Ann" }), new Author({ name: "Bob" }), cat]);
    await session.commit();
    const known = await sendsNothing(place, () => Promise.all([bob!, cat].map(({ id }) => session.get(Author, id))));
    assertStrictEquals(known[0], bob);
    assertStrictEquals(known[1], cat);
    assertEquals([session.identityMap.size, [...session]], [3, [cat, ann, bob]]);
    await session.delete(ann!);
    const heir = session.add(new Author({ id: ann!.id, name: "heir" }));
    await session.commit();
    assertStrictEquals(session.identityMap.get(Author, ann!.id), heir);
    session.expunge(bob!);
    const again = await session.getOne(Author, bob!.id);
    assertNotStrictEquals(again, bob);
    await refused(() => session.add(bob!), ValidationError, "same key");
    await session.delete(again);
    await refused(() => session.add(bob!), ValidationError, "same key");
    session.add(again);
    assertEquals(await place.column("authors", "name"), ["Bob", "Cat", "heir"]);
    await using another = place.session();
    const [dan, eve] = another.addAll([new Author({ name: "Dan" }), new Author({ name: "Eve" })]);
    eve!.id = dan!.id;
    await refused(() => sendsNothing(place, () => another.commit()), ValidationError, "same key", "merge()");
  });

  test(target, "what was taken out again is in nobody's way, whatever becomes of its key", async (place) => {
    await using session = place.session();
    const [ann, bob] = session.addAll([new Author({ name: "Ann" }), new Author({ name: "Bob" })]);
    session.expunge(ann!);
    ann!.id = bob!.id;
    assertStrictEquals(await session.merge(new Author({ id: bob!.id, name: "Rob" })), bob);
    ann!.id = {} as string;
    const cat = session.add(new Author({ id: uuidv7(), name: "Cat" }));
    await session.commit();
    assertEquals(await place.column("authors", "name"), ["Cat", "Rob"]);
    // One that is spoiled where it is concerns itself alone.
    const dan = session.add(new Author({ name: "Dan" }));
    dan.id = {} as string;
    await refused(() => session.add(new Author({ id: cat.id, name: "twin" })), ValidationError, "same key");
    await session.rollback();
  });

  test(target, "a detached instance has the key of its row, whatever its constructor made up", async (place) => {
    const [ann, bob] = [new Author({ name: "Ann" }), new Author({ name: "Bob" })];
    const own = ann.id;
    ann.id = bob.id;
    await place.save(ann);
    ann.id = own;
    await using session = place.session();
    session.add(bob);
    await refused(() => session.add(ann), ValidationError, "same key");
  });

  test(target, "a session goes through its instances model by model, whatever was looked up", async (place) => {
    await using session = place.session();
    const all: object[] = [];
    for (const name of ["Ann", "Bob"]) {
      const author = session.add(new Author({ name }));
      const book = session.add(new Book({ title: name, authorId: author.id }));
      await session.commit();
      all.push(author, book);
    }
    const [ann, , bob] = all;
    const inOrder = () => [...session].map((instance) => all.indexOf(instance));
    assertEquals(inOrder(), [0, 2, 1, 3]);
    assertStrictEquals(session.identityMap.get(Author, (bob as Author).id), bob);
    assertEquals(inOrder(), [0, 2, 1, 3]);
    assertStrictEquals(await session.getOne(Author, (ann as Author).id), ann);
  });

  test(target, "a flush of some instances does not mind what others are to be", async (place) => {
    await using session = place.session();
    const [ann, bob] = session.addAll([new Author({ name: "Ann" }), new Author({ name: "Bob" })]);
    bob!.id = ann!.id;
    await session.flush([bob!]);
    await refused(() => session.flush(), ValidationError, "has loaded a row with this key");
  }, "interactive");

  test(target, "instances that no key was looked up beside are found all the same", async (place) => {
    await using session = place.session();
    const ann = session.add(new Author({ name: "Ann" }));
    await session.commit();
    await session.execute(update(Author).set({ bio: "new" }));
    assert(session.inspect(ann).expired.includes("bio") || ann.bio === "new");
  }, "interactive");

  test(target, "session.add() makes a detached instance persistent again, with its changes", async (place) => {
    const ann = new Author({ name: "Ann" });
    await place.save(ann);
    assertEquals(place.session().inspect(ann).state, "detached");
    ann.name = "Anna";
    await using session = place.session();
    session.add(ann);
    assertEquals([session.inspect(ann).state, [...session.dirty]], ["persistent", [ann]]);
    await session.commit();
    assertEquals([await place.column("authors", "name"), ann.version], [["Anna"], 2]);
  });

  test(target, "session.close() lets go of every instance as it is", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    const session = place.session();
    const ann = await session.query(Author).one();
    const bob = session.add(new Author({ name: "Bob" }));
    ann.name = "Anna";
    await session.close();
    await using next = place.session();
    assertEquals([next.inspect(ann).state, next.inspect(bob).state], ["detached", "transient"]);
    assertEquals([ann.name, bob.name, objectSession(ann)], ["Anna", "Bob", null]);
    assertEquals(await place.column("authors", "name"), ["Ann"]);
  });

  test(target, "session.expunge() takes an instance out, and its changes with it", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    const bob = session.add(new Author({ name: "Bob" }));
    ann.name = "Anna";
    session.expunge(ann);
    session.expunge(bob);
    assertEquals([session.inspect(ann).state, session.inspect(bob).state], ["detached", "transient"]);
    await sendsNothing(place, () => session.commit());
    const again = await session.query(Author).one();
    assertNotStrictEquals(again, ann);
    assertEquals(again.name, "Ann");
    session.expungeAll();
    assertEquals([...session], []);
  });

  test(target, "a loaded instance has its columns and nothing else", async (place) => {
    await place.save(author("Ann", { a: [3] }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    assert(ann instanceof Author);
    assertEquals(Object.keys(ann), ["id", "name", "bio", "version"]);
    assertEquals(ann.books, undefined);
    const [full] = await session.query(Author).include({ books: { reviews: true } }).all();
    const json = JSON.parse(JSON.stringify(full)); // no cycles
    assertEquals([json.books[0].title, json.books[0].reviews[0].stars], ["a", 3]);
    assertEquals(full!.books[0]!.author, undefined);
  });

  test(target, "session iterates over pending and persistent instances", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    const bob = session.add(new Author({ name: "Bob" }));
    assertEquals(new Set(session), new Set<object>([ann, bob]));
    assertEquals([...session.identityMap], [ann]);
  });

  test(target, "session.identityMap finds persistent instances by key, and sends nothing", async (place) => {
    await place.save(new Author({ name: "Ann" }), new Author({ name: "Bob" }));
    await using session = place.session();
    const ann = await session.query(Author).where({ name: "Ann" }).one();
    const bob = await place.session().query(Author).where({ name: "Bob" }).one();
    const pending = session.add(new Author({ name: "Cy" }));
    await sendsNothing(place, () => {
      const map = session.identityMap;
      assertEquals(map.size, 1);
      assertStrictEquals(map.get(Author, ann.id), ann);
      assertEquals([map.get(Author, bob.id), map.get(Author, { id: pending.id })], [null, null]);
      assertEquals([ann, bob, pending].map(({ id }) => map.has(Author, id)), [true, false, false]);
    });
  });

  test(target, "session.inspect() tells what changed, from what to what", async (place) => {
    await place.save(author("Ann", { a: [] }));
    await using session = place.session();
    const [ann] = await session.query(Author).include(["books"]).all();
    const { id } = ann!;
    ann!.name = "Anna";
    const { state, model, table, key, modified, history, expired, loaded } = session.inspect(ann!);
    assertEquals([state, model, table, key, modified], ["persistent", "Author", "authors", [id], true]);
    assertEquals([history, expired, loaded], [{ name: { before: "Ann", after: "Anna" } }, [], ["books"]]);
    ann!.books.pop();
    ann!.name = "Ann";
    assertEquals([session.isModified(ann!), session.isModified(ann!, { collections: false })], [true, false]);
  });

  test(target, "identityKey() names a row by model and key", async (place) => {
    await using session = place.session();
    const maker = session.add(new Maker({ name: "m" }));
    assertEquals(identityKey(maker), null);
    await session.commit();
    assertEquals(identityKey(maker), { model: "Maker", table: "makers", key: [maker.id] });
    assertEquals(identityKey(Maker, maker.id), identityKey(maker));
    assertEquals(identityKey(Seat, { letter: "A", row: 3 })?.key, [3, "A"]);
  });

  test(target, "session.add() stages what it reaches, and sends nothing", async (place) => {
    await using session = place.session();
    const ann = author("Ann", { a: [1, 2] });
    await sendsNothing(place, () => session.add(ann));
    assertEquals(session.new.size, 4);
    const book = Book.create({ title: "b", author: author("Bob"), reviews: [new Review({ stars: 1 })] });
    session.addAll([book]);
    assertEquals(session.new.size, 7);
    await session.commit();
    assertEquals([await place.rows("authors"), await place.rows("books"), await place.rows("reviews")], [2, 2, 3]);
    assertEquals(book.authorId, book.author!.id);
  });
}
