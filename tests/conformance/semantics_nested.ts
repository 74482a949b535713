/**
 * Semantics: transactions and savepoints, from SQLAlchemy's "Managing Transactions" and "Using SAVEPOINT".
 *
 * @module
 */
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { inspect, InvalidStateError, UniqueViolationError } from "../../mod.ts";
import { Author, author, Book, Employee, Maker, Tag } from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

/** Registers the tests of transactions and savepoints. */
export function nestedSemantics(target: Target): void {
  test(target, "a session begins by itself at its first use, and a commit ends it", async (place) => {
    await using session = place.session();
    assertEquals(session.inTransaction(), false);
    await session.query(Tag).all();
    assertEquals([session.inTransaction(), session.getTransaction() !== null], [true, true]);
    await session.commit();
    assertEquals([session.inTransaction(), session.getTransaction()], [false, null]);
  });

  test(target, "a session can be used again after each commit and rollback", async (place) => {
    await using session = place.session();
    for (const name of ["a", "b"]) {
      session.add(new Tag({ name }));
      await session.commit();
      session.add(new Tag({ name: `${name}${name}` }));
      await session.rollback();
    }
    assertEquals(await place.column("tags", "name"), ["a", "b"]);
  });

  test(target, "begin() inside a begun transaction is refused, naming the savepoint", async (place) => {
    await using session = place.session();
    await session.begin();
    await refused(() => session.begin(), InvalidStateError, "beginNested()");
    await session.rollback();
  });

  test(target, "transaction() commits at its end, and gives what its function gave", async (place) => {
    await using session = place.session();
    const value = await session.transaction(() => {
      session.add(new Tag({ name: "t" }));
      return 7;
    });
    assertEquals([value, session.inTransaction(), await place.rows("tags")], [7, false, 1]);
  });

  test(target, "transaction() rolls back when its function throws, and throws that on", async (place) => {
    await using session = place.session();
    const error = new Error("mine");
    const thrown = await assertRejects(() =>
      session.transaction(() => {
        session.add(new Tag({ name: "t" }));
        throw error;
      })
    );
    assertStrictEquals(thrown, error);
    assertEquals([session.inTransaction(), session.new.size, await place.rows("tags")], [false, 0, 0]);
  });

  test(target, "beginNested() gives a savepoint that commit() releases", async (place) => {
    await using session = place.session();
    const savepoint = await session.beginNested();
    session.add(new Tag({ name: "t" }));
    assertEquals([session.inNestedTransaction(), session.getNestedTransaction() === savepoint], [true, true]);
    await savepoint.commit();
    assertEquals([session.inNestedTransaction(), session.new.size, savepoint.isActive], [false, 1, false]);
    await session.commit();
    assertEquals(await place.rows("tags"), 1);
  });

  test(target, "a savepoint that is rolled back makes what was added inside transient again", async (place) => {
    await using session = place.session();
    const outside = session.add(new Tag({ name: "outside" }));
    const savepoint = await session.beginNested();
    const inside = session.add(new Tag({ name: "inside" }));
    await savepoint.rollback();
    assertEquals([inspect(outside).state, inspect(inside).state], ["pending", "transient"]);
    await session.commit();
    assertEquals(await place.column("tags", "name"), ["outside"]);
  });

  test(
    target,
    "a savepoint that is rolled back puts changes back to what they were at its beginning",
    async (place) => {
      await place.save(new Author({ name: "Ann", bio: "a" }));
      await using session = place.session();
      const ann = await session.query(Author).one();
      ann.name = "before";
      const savepoint = await session.beginNested();
      ann.name = "inside";
      ann.bio = "inside";
      await savepoint.rollback();
      assertEquals([ann.name, ann.bio, session.dirty.has(ann)], ["before", "a", true]);
    },
  );

  test(
    target,
    "a savepoint that is rolled back takes deletions inside it back, and leaves those before it",
    async (place) => {
      await place.save(new Tag({ name: "a" }), new Tag({ name: "b" }));
      await using session = place.session();
      const [a, b] = await session.query(Tag).orderBy({ name: "asc" }).all();
      await session.delete(a!);
      const savepoint = await session.beginNested();
      await session.delete(b!);
      session.add(a!); // takes the deletion back, inside
      await savepoint.rollback();
      assertEquals([...session.deleted], [a]);
      await session.commit();
      assertEquals(await place.column("tags", "name"), ["b"]);
    },
  );

  test(target, "a savepoint puts collections back, the very arrays", async (place) => {
    await place.save(author("Ann", { a: [], b: [] }));
    await using session = place.session();
    const [ann] = await session.query(Author).include(["books"]).all();
    const { books } = ann!;
    const held = [...books];
    const savepoint = await session.beginNested();
    books.push(new Book({ title: "c" }));
    books.shift();
    ann!.books = [];
    await savepoint.rollback();
    assertStrictEquals(ann!.books, books);
    assertEquals(books, held);
  });

  test(target, "a savepoint in memory costs no request, released or rolled back", async (place) => {
    await using session = place.session();
    await sendsNothing(place, async () => {
      await (await session.beginNested()).commit();
      await (await session.beginNested()).rollback();
      await session.savepoint(() => session.add(new Tag({ name: "t" })));
    });
    assertEquals(session.new.size, 1);
  });

  test(target, "a flush inside a savepoint is undone in the database with it", async (place) => {
    await using session = place.session();
    session.add(new Tag({ name: "outside" }));
    const savepoint = await session.beginNested();
    session.add(new Tag({ name: "inside" }));
    await session.flush();
    assertEquals(await session.query(Tag).count(), 2);
    await savepoint.rollback();
    // The flush wrote what was pending outside too; it is pending again.
    assertEquals([session.new.size, await session.noAutoflush(() => session.query(Tag).count())], [1, 0]);
    await session.commit();
    assertEquals(await place.column("tags", "name"), ["outside"]);
  }, "interactive");

  test(target, "a failed flush inside a savepoint leaves the work outside usable", async (place) => {
    await place.save(new Tag({ name: "taken" }));
    await using session = place.session();
    session.add(new Maker({ name: "m" }));
    await session.flush();
    await refused(() =>
      session.savepoint(async () => {
        session.add(new Tag({ name: "taken" }));
        await session.flush();
      }), UniqueViolationError);
    assertEquals([session.state, session.new.size], ["open", 0]);
    await session.commit();
    assertEquals([await place.rows("makers"), await place.rows("tags")], [1, 1]);
  }, "interactive");

  test(target, "rows that may be there are inserted one by one, each in its savepoint", async (place) => {
    await place.save(new Tag({ name: "b" }));
    await using session = place.session();
    const skipped: string[] = [];
    for (const name of ["a", "b", "c"]) {
      try {
        await session.savepoint(async () => {
          session.add(new Tag({ name }));
          await session.flush();
        });
      } catch (error) {
        if (!(error instanceof UniqueViolationError)) throw error;
        skipped.push(name);
      }
    }
    await session.commit();
    assertEquals([skipped, await place.column("tags", "name")], [["b"], ["a", "b", "c"]]);
  }, "interactive");

  test(target, "savepoints inside savepoints undo each their own", async (place) => {
    await place.save(new Tag({ name: "0" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    const outer = await session.beginNested();
    tag.name = "1";
    const inner = await session.beginNested();
    tag.name = "2";
    await inner.rollback();
    assertEquals(tag.name, "1");
    await outer.rollback();
    assertEquals([tag.name, session.inNestedTransaction()], ["0", false]);
  });

  test(target, "releasing an outer savepoint releases the inner ones", async (place) => {
    await using session = place.session();
    const outer = await session.beginNested("outer");
    const inner = await session.beginNested("inner");
    session.add(new Tag({ name: "t" }));
    await outer.commit();
    assertEquals([inner.isActive, session.inNestedTransaction(), session.new.size], [false, false, 1]);
  });

  test(target, "commit() of the session ends every open savepoint, and keeps what was done in them", async (place) => {
    await using session = place.session();
    const savepoint = await session.beginNested();
    session.add(new Tag({ name: "t" }));
    await session.commit();
    assertEquals([savepoint.isActive, session.inTransaction(), await place.rows("tags")], [false, false, 1]);
  });

  test(target, "rollback() of the session undoes released savepoints too", async (place) => {
    await place.save(new Tag({ name: "0" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    await session.savepoint(() => tag.name = "1");
    const added = await session.savepoint(() => session.add(new Tag({ name: "x" })));
    await session.rollback();
    assertEquals([tag.name, inspect(added).state], ["0", "transient"]);
  });

  test(target, "a savepoint that is over refuses to be ended again", async (place) => {
    await using session = place.session();
    const savepoint = await session.beginNested();
    await savepoint.commit();
    await refused(() => savepoint.commit(), Error, "savepoint");
    await refused(() => savepoint.rollback(), Error, "savepoint");
    assertEquals(session.state, "open");
  });

  test(target, "a merge, an expiry and a refresh inside a savepoint are undone with it", async (place) => {
    const ann = new Author({ name: "Ann", bio: "a" });
    await place.save(ann);
    await using session = place.session();
    const own = await session.query(Author).one();
    own.bio = "mine";
    const savepoint = await session.beginNested();
    await session.merge(new Author({ id: ann.id, name: "merged" }));
    session.expire(own);
    await session.refresh(own);
    assertEquals([own.name, own.bio], ["Ann", "a"]);
    await savepoint.rollback();
    assertEquals([own.name, own.bio, session.dirty.has(own)], ["Ann", "mine", true]);
  });

  test(target, "an instance loaded inside a savepoint that wrote nothing stays loaded", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const savepoint = await session.beginNested();
    const tag = await session.query(Tag).one();
    await savepoint.rollback();
    assertEquals([session.has(tag), tag.name], [true, "t"]);
  });

  test(target, "a tree moved inside a savepoint is back where it was", async (place) => {
    const top = new Employee({ name: "top" });
    top.reports = [new Employee({ name: "a" }), new Employee({ name: "b" })];
    await place.save(top);
    await using session = place.session();
    const all = await session.query(Employee).orderBy({ name: "asc" }).include(["manager", "reports"]).all();
    const [a, b, boss] = all as [Employee, Employee, Employee];
    const savepoint = await session.beginNested();
    b.manager = a;
    boss.reports = boss.reports!.filter((one) => one !== b);
    await savepoint.rollback();
    assertStrictEquals(b.manager, boss);
    assertEquals(new Set(boss.reports), new Set([a, b]));
    await sendsNothing(place, () => session.commit());
  });

  test(target, "close() undoes what was not committed", async (place) => {
    const session = place.session();
    session.add(new Tag({ name: "t" }));
    await session.flush();
    await session.close();
    assertEquals([session.state, await place.rows("tags")], ["closed", 0]);
    await refused(() => session.query(Tag).all(), InvalidStateError, "closed");
  }, "interactive");
}
