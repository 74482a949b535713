/**
 * A session that joins an open connection, and what a session lends of its own: its connection and the driver's handle.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  type Connection,
  DatabaseError,
  InvalidStateError,
  Session,
  sessionFactory,
  UniqueViolationError,
  UnsupportedError,
  ValidationError,
} from "../../mod.ts";
import { Account, Author, author, Book, Maker, Product } from "./models.ts";
import { type Place, refused, sendsNothing, type Target, test } from "./setup.ts";

/** Opens a connection for a test, and rolls back what the test did on it. */
async function opened(place: Place, work: (connection: Connection) => Promise<void>): Promise<void> {
  // Where there are no conversations this is refused as a session's call would be.
  if (!place.target.expects.interactive) return await place.session().start();
  const connection = await place.db.connect();
  try {
    await work(connection);
  } finally {
    await connection.rollback();
  }
}

/** Registers the tests of joined sessions. */
export function joinedSuite(target: Target): void {
  test(
    target,
    "a session that joins a connection commits into it, and its rollback undoes everything",
    async (place) => {
      await place.save(new Author({ name: "Zoe" }));
      await opened(place, async (connection) => {
        {
          await using session = new Session({ bind: connection });
          const ann = session.add(author("Ann", { a: [1], b: [] }));
          await session.commit();
          ann.name = "Anna";
          await session.delete(ann.books![1]!);
          await session.commit();
          await session.delete(await session.query(Author).where({ name: "Zoe" }).one());
          await session.commit();
        }
        await using session = new Session({ bind: connection });
        const [anna] = await session.query(Author).include(["books"]).all();
        assertEquals([anna!.name, anna!.version, anna!.books.map(({ title }) => title)], ["Anna", 2, ["a"]]);
      });
      assertEquals([await place.column("authors", "name"), await place.rows("books")], [["Zoe"], 0]);
    },
    "interactive",
  );

  test(target, "what a joined session committed is durable when the connection commits", async (place) => {
    await opened(place, async (connection) => {
      await using session = new Session({ bind: connection });
      const maker = session.add(new Maker({ name: "m" }));
      session.add(Product.create({ name: "p", maker }));
      await session.commit();
      await session.close();
      await connection.commit();
    });
    assertEquals([await place.column("makers", "name"), await place.column("products", "name")], [["m"], ["p"]]);
  }, "interactive");

  test(
    target,
    "a joined session's rollback and close undo its own work, and leave the connection open",
    async (place) => {
      await opened(place, async (connection) => {
        const session = new Session({ bind: connection });
        session.add(new Author({ name: "Ann" }));
        await session.commit();
        const bob = session.add(new Author({ name: "Bob" }));
        await session.flush();
        await session.rollback();
        assertEquals([session.inspect(bob).state, await session.query(Author).count()], ["transient", 1]);
        session.add(new Author({ name: "Carl" }));
        await session.flush();
        await session.close();
        const { rows } = await connection.execute({ sql: "SELECT name FROM authors", params: [] });
        assertEquals(rows, [["Ann"]]);
        await connection.commit();
      });
      assertEquals(await place.column("authors", "name"), ["Ann"]);
    },
    "interactive",
  );

  test(target, "a joined session survives a failed commit, and so does the connection", async (place) => {
    await place.save(new Account({ email: "a" }));
    await opened(place, async (connection) => {
      await using session = new Session({ bind: connection });
      session.add(new Author({ name: "Ann" }));
      await session.commit();
      session.add(new Account({ email: "a" }));
      await refused(() => session.commit(), UniqueViolationError);
      assertEquals(session.state, "failed");
      await session.rollback();
      await refused(() => session.execute("SELECT nope FROM nowhere"), DatabaseError);
      await session.rollback();
      session.add(new Account({ email: "b" }));
      await session.commit();
      await connection.commit();
    });
    assertEquals([await place.column("accounts", "email"), await place.rows("authors")], [["a", "b"], 1]);
  }, "interactive");

  test(target, "a joined session has savepoints of its own", async (place) => {
    await opened(place, async (connection) => {
      await connection.savepoint("ledge_1");
      await using session = new Session({ bind: connection });
      await session.savepoint(async () => {
        session.add(new Author({ name: "Ann" }));
        await session.flush();
      });
      await assertRejects(() =>
        session.savepoint(async () => {
          session.add(new Author({ name: "Bob" }));
          await session.flush();
          throw new Error("no");
        })
      );
      await session.commit();
      assertEquals((await session.query(Author).all()).map(({ name }) => name), ["Ann"]);
      await session.rollback();
      await connection.rollbackTo("ledge_1");
      assertEquals(await session.query(Author).count(), 0);
    });
  }, "interactive");

  test(target, "a joined session refuses what is for whole transactions", async (place) => {
    await opened(place, async (connection) => {
      await refused(() => new Session({ bind: connection, mode: "batch" }), ValidationError, '"batch"');
      await using session = new Session({ bind: connection });
      const options = [{ isolation: "serializable" }, { readOnly: true }, { deferrable: true }] as const;
      for (const one of options) await refused(() => session.begin(one), UnsupportedError, "joined connection");
      assertStrictEquals(session.bind.dialect, place.db.dialect);
      await session.begin();
      await session.rollback();
    });
  }, "interactive");

  test(target, "session.connection() takes part in the session's transaction", async (place) => {
    await using session = place.session();
    const connection = await session.connection();
    session.add(new Author({ name: "Ann" }));
    const count = { sql: "SELECT count(*) FROM authors", params: [] };
    assertEquals(Number((await connection.execute(count)).rows[0]![0]), 0); // it flushes nothing
    await session.flush();
    // At once: the calls of a connection must not overlap, and take turns.
    const [[one], authors] = await Promise.all([connection.batch([count]), session.query(Author).all()]);
    assertEquals([Number(one!.rows[0]![0]), authors.length], [1, 1]);
    assertStrictEquals(connection.native, (await session.connection()).native);
    await refused(() => connection.commit(), InvalidStateError, "session.commit()");
    await refused(() => connection.rollback(), InvalidStateError, "session.rollback()");
    await connection.savepoint("mine");
    await connection.execute({ sql: "DELETE FROM authors", params: [] });
    await connection.rollbackTo("mine");
    await connection.release("mine");
    await session.commit();
    assertEquals(await place.rows("authors"), 1);
    await sendsNothing(place, () => refused(() => connection.execute(count), InvalidStateError, "ended"));
  }, "interactive");

  test(target, "a session joins the connection of another one", async (place) => {
    await using outer = place.session();
    outer.add(new Author({ name: "Ann" }));
    await outer.savepoint(async () => {
      await outer.flush();
      await using inner = new Session({ bind: await outer.connection() });
      inner.add(new Author({ name: "Bob" }));
      await inner.commit();
      inner.add(new Author({ name: "Carl" }));
      await inner.flush();
    });
    assertEquals((await outer.query(Author).orderBy({ name: "asc" }).all()).map(({ name }) => name), ["Ann", "Bob"]);
    if (target.expects.concurrent) assertEquals(await place.rows("authors"), 0);
    await outer.commit();
    assertEquals(await place.column("authors", "name"), ["Ann", "Bob"]);
  }, "interactive");

  test(target, "session.native() runs a function on the driver's handle, in the transaction", async (place) => {
    await using session = place.session();
    session.add(new Author({ name: "Ann" }));
    const handle = await session.native((handle) => {
      assert(typeof handle === "object" && handle !== null);
      return Promise.resolve(handle);
    });
    assertStrictEquals(await session.runSync((same) => same), handle);
    assertEquals(session.new.size, 0); // it was flushed, as the function may look at everything
    const failure = new Error("no");
    const error = await assertRejects(() =>
      session.native(() => {
        throw failure;
      })
    );
    assertStrictEquals(error, failure);
    await session.rollback();
    assertEquals(await place.rows("authors"), 0);
    await refused(() => session.native("SELECT 1" as never), ValidationError, "function");
  }, "interactive");

  test(target, "session.reset() makes a session as new", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    ann.name = "Anna";
    const bob = session.add(new Author({ name: "Bob" }));
    session.info.user = 1;
    await session.reset();
    assertEquals([session.inspect(ann).state, session.inspect(bob).state, ann.name], ["detached", "transient", "Anna"]);
    assertEquals([session.state, session.inTransaction(), session.identityMap.size], ["open", false, 0]);
    if (target.expects.interactive) {
      session.add(bob);
      await session.flush();
      await session.reset();
    }
    assertEquals([session.info, (await session.query(Author).one()).name], [{ user: 1 }, "Ann"]);
    session.add(new Book({ title: "b", authorId: ann.id }));
    await session.commit();
    assertEquals([await place.rows("books"), await place.column("authors", "name")], [1, ["Ann"]]);
  });

  test(target, "session.invalidate() gives the connection up, and the server undoes its work", async (place) => {
    const session = place.session();
    const ann = session.add(new Author({ name: "Ann" }));
    await session.flush();
    await session.invalidate();
    await session.invalidate();
    assertEquals([session.state, session.inspect(ann).state], ["closed", "detached"]);
    await refused(() => session.query(Author).all(), InvalidStateError, "closed");
    while (await place.rows("authors").catch(() => 1) > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await sessionFactory({ bind: place.db }).run((next) => next.add(new Author({ name: "Bob" })), { retries: 20 });
    assertEquals(await place.column("authors", "name"), ["Bob"]);
  }, "interactive");
}
