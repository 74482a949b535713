/**
 * Frames inside frames: what nested savepoints, releases and rollbacks leave in memory and in the database.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { InvalidStateError, sql, StaleDataError, UnsupportedError, ValidationError } from "../../mod.ts";
import { Author, author, Book, Desk, Maker, Page, Room, Site, Tag } from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

/** Registers the tests of nested frames. */
export function nestedSuite(target: Target): void {
  test(target, "session.rollback() after a released savepoint undoes what was done inside too", async (place) => {
    await place.save(author("Ann", { a: [] }));
    await using session = place.session();
    const [ann] = await session.query(Author).include(["books"]).all();
    const { books } = ann!;
    ann!.bio = "outside";
    await session.savepoint(() => {
      ann!.name = "inside";
      books.push(new Book({ title: "new" }));
    });
    ann!.name = "after";
    await session.rollback();
    assertEquals([ann!.name, ann!.bio, books.map(({ title }) => title)], ["Ann", null, ["a"]]);
    assertStrictEquals(ann!.books, books);
  });

  for (const flushes of target.expects.interactive ? ["", "1", "2", "3", "12", "13", "23", "123"] : [""]) {
    test(target, `savepoints restore each its own values, with flushes at "${flushes}"`, async (place) => {
      await place.save(new Page({ meta: { at: 0 }, body: new Uint8Array([0]), at: new Date(0) }));
      await using session = place.session();
      const page = await session.query(Page).one();
      const set = async (n: number) => {
        page.meta!.at = n;
        page.body[0] = n;
        page.at.setTime(n);
        session.assign(page, { visits: n });
        if (flushes.includes(`${n}`)) await session.flush();
      };
      const values = () => [page.meta, page.body[0], page.at.getTime(), page.visits];
      const expected = (n: number) => [{ at: n }, n, n, n];
      await set(1);
      const outer = await session.beginNested();
      await set(2);
      const inner = await session.beginNested();
      await set(3);
      assertEquals(values(), expected(3));
      await inner.rollback();
      assertEquals(values(), expected(2));
      await outer.rollback();
      assertEquals(values(), expected(1));
      await session.commit();
      await using reader = place.other();
      const read = await reader.query(Page).one();
      assertEquals([read.meta, read.body[0], read.at.getTime(), read.visits], expected(1));
      assertEquals([read.version, page.version], [2, 2]);
      await set(4);
      await session.rollback();
      assertEquals(values(), expected(1));
    });
  }

  test(target, "a savepoint restores an SQL expression that was assigned before it", async (place) => {
    await place.save(new Page({ meta: {}, body: new Uint8Array(1), at: new Date(0) }));
    await using session = place.session();
    const page = await session.query(Page).one();
    session.assign(page, { visits: sql`visits + 5` });
    await assertRejects(() =>
      session.savepoint(() => {
        page.visits = 100;
        throw new Error("no");
      })
    );
    await session.commit();
    assertEquals(page.visits, 5);
  });

  test(
    target,
    "a savepoint puts back what was added, merged and refreshed inside it, and not what was expunged",
    async (place) => {
      const [ann, bob, carl] = ["Ann", "Bob", "Carl"].map((name) => new Author({ name }));
      const carlId = carl!.id;
      await place.save(ann!, bob!, carl!);
      await using session = place.session();
      const [one, two] = await session.query(Author).where({ name: { ne: "Carl" } }).orderBy({ name: "asc" }).all();
      const pending = session.add(new Tag({ name: "t" }));
      one!.bio = "before";
      await assertRejects(() =>
        session.savepoint(async () => {
          session.expunge(two!); // for good, as in SQLAlchemy: the session has let go of it
          session.add(carl!);
          carl!.name = "inside";
          await session.refresh(one!);
          assertEquals(one!.bio, null);
          await session.merge(new Author({ id: one!.id, name: "merged" }));
          throw new Error("no");
        })
      );
      assertEquals([one!.name, one!.bio, session.inspect(two!).state], ["Ann", "before", "detached"]);
      assertEquals([session.inspect(pending).state, [...session.new]], ["pending", [pending]]);
      assertEquals([session.inspect(carl!).state, session.identityMap.has(Author, carlId)], ["detached", false]);
      await session.commit();
      assertEquals([await place.column("authors", "name"), await place.rows("tags")], [["Ann", "Bob", "Carl"], 1]);
    },
  );

  test(target, "a savepoint puts back what was flushed and changed by relations", async (place) => {
    await place.save(author("Ann", { a: [1], b: [] }), author("Bob"));
    await using session = place.session();
    const [ann, bob] = await session.query(Author).orderBy({ name: "asc" }).include(["books"]).all();
    const [first, second] = ann!.books;
    const snapshot = () => [
      ann!.books.map(({ title }) => title),
      bob!.books.map(({ title }) => title),
      first!.authorId,
    ];
    const before = snapshot();
    const savepoint = await session.beginNested();
    bob!.books.push(ann!.books.shift()!);
    await session.flush();
    assertEquals(first!.authorId, bob!.id);
    await session.delete(second!);
    session.add(Book.create({ title: "c", author: bob! }));
    await session.flush();
    assertEquals(ann!.books, []);
    await savepoint.rollback();
    assertEquals(snapshot(), before);
    assertEquals([ann!.books[0] === first, ann!.books[1] === second, session.isModified(ann!)], [true, true, false]);
    await session.commit();
    assertEquals(await place.column("books", "author_id"), [ann!.id, ann!.id]);
  }, "interactive");

  test(target, "a stale row that a flush finds inside a savepoint fails only the savepoint", async (place) => {
    await place.save(new Author({ name: "Ann" }), new Author({ name: "Bob" }));
    await using session = place.session();
    const [ann, bob] = await session.query(Author).orderBy({ name: "asc" }).all();
    await place.run("UPDATE authors SET version = 2 WHERE name = 'Bob'");
    ann!.bio = "kept";
    await session.flush();
    const error = await refused(
      () =>
        session.savepoint(async () => {
          bob!.bio = "lost";
          await session.flush();
        }),
      StaleDataError,
      bob!.id,
    );
    assertStrictEquals(error.instance, bob);
    assertEquals([session.state, session.inspect(bob!).expired.length > 0], ["open", true]);
    await session.commit();
    assertEquals((await place.column("authors", "bio")).filter(Boolean), ["kept"]);
  }, "interactive");

  test(target, "session.rollback() to an outer savepoint ends the inner ones, by handle or by name", async (place) => {
    await using session = place.session();
    const outer = await session.beginNested("outer");
    session.add(new Tag({ name: "1" }));
    const inner = await session.beginNested("inner");
    session.add(new Tag({ name: "2" }));
    await session.rollback(outer);
    assertEquals([outer.isActive, inner.isActive, session.new.size], [false, false, 0]);
    const root = session.getTransaction()!;
    session.add(new Tag({ name: "3" }));
    await session.rollback(root);
    assertEquals([session.inTransaction(), session.new.size, root.isActive], [false, 0, false]);
    await refused(() => session.rollback(outer), ValidationError, "savepoint");
    await refused(() => session.rollback(5 as never), ValidationError, "savepoint");
  });

  test(target, "a failed commit inside savepoints ends all of them with rollback()", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    const savepoint = await session.beginNested();
    ann.bio = "x";
    await place.run("UPDATE authors SET version = 2");
    await refused(() => session.commit(), StaleDataError);
    await refused(() => savepoint.commit(), InvalidStateError, "rollback()");
    await session.rollback();
    assertEquals([savepoint.isActive, session.inTransaction(), session.state], [false, false, "open"]);
  });

  test(target, "session.query() sees a deletion that the database carries through two levels", async (place) => {
    await place.save(Site.create({ name: "s", rooms: [Room.create({ desks: [new Desk({ name: "d" })] })] }));
    await using session = place.session();
    const site = await session.query(Site).one();
    await sendsNothing(place, () => session.delete(site));
    assertEquals(await session.query(Desk).count(), 0);
    await session.commit();
    assertEquals([await place.rows("sites"), await place.rows("rooms"), await place.rows("desks")], [0, 0, 0]);
  }, "interactive");

  test(target, "session.commit() lets loaded rows go that the database deletes with their parent", async (place) => {
    await place.save(Site.create({ name: "s", rooms: [Room.create({ desks: [new Desk({ name: "d" })] })] }));
    await using session = place.session();
    const desk = await session.query(Desk).one();
    const room = await session.query(Room).one();
    desk.name = "changed";
    await session.delete(await session.query(Site).one());
    await session.commit();
    assertEquals([session.inspect(room).state, session.inspect(desk).state], ["detached", "detached"]);
    assertEquals([session.identityMap.size, await place.rows("desks")], [0, 0]);
  });

  test(target, "session.begin() above READ COMMITTED reads from one snapshot, on a connection", async (place) => {
    const level = place.db.capabilities.isolation.find((one) => one === "repeatable read" || one === "serializable");
    if (level === undefined) return;
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session();
    await session.begin({ isolation: level });
    assertEquals(await session.query(Author).count(), 1);
    (await session.query(Author).one()).bio = "x";
    await session.commit();
    assertEquals(await place.column("authors", "bio"), ["x"]);
    await using batch = place.session({ mode: "batch" });
    await batch.begin({ isolation: level });
    await refused(() => batch.query(Author).all(), UnsupportedError, "query(Author).all");
    await refused(() => batch.get(Author, crypto.randomUUID()), UnsupportedError, "get()");
    await batch.rollback();
  }, "interactive");

  test(target, "an aborted read leaves the reads that travel with it alone", async (place) => {
    await place.save(new Author({ name: "Ann" }), new Maker({ name: "m" }));
    await using session = place.session();
    const controller = new AbortController();
    const reason = new Error("enough");
    const [aborted, other, early] = [
      session.query(Author).all({ signal: controller.signal }),
      session.query(Maker).all(),
      session.query(Tag).all({ signal: AbortSignal.abort(reason) }),
    ];
    const refusals = [assertRejects(() => aborted), assertRejects(() => early)];
    controller.abort(reason);
    assertEquals((await other).length, 1);
    for (const thrown of await Promise.all(refusals)) assert(thrown === reason);
    assertEquals(session.state, "open");
  });
}
