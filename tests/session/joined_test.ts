/**
 * What a session that joined an open connection asks of it: each call of the connection is one request.
 *
 * @module
 */
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { libsql } from "../../adapters/libsql_local.ts";
import { type Connection, createAll, model, NoResultError, Session, t } from "../../mod.ts";

class Book extends model("books", { id: t.uuid().primaryKey(), title: t.text() }) {}

/** A connection that notes what is called on it; savepoints by their nesting. */
async function place() {
  const db = libsql({ url: ":memory:" });
  await createAll(db, [Book]);
  const inner = await db.connect();
  const calls: string[] = [];
  const names: string[] = [];
  const place = (name: string): number => names.includes(name) ? names.indexOf(name) : names.push(name) - 1;
  const noting = <A extends unknown[], R>(name: string, call: (...args: A) => R) => (...args: A): R => {
    const of = name === "savepoint" || name.startsWith("release") || name === "rollbackTo";
    calls.push(of ? `${name} ${place(args[0] as string)}` : name);
    return call(...args);
  };
  const connection: Connection = {
    database: inner.database,
    native: inner.native,
    execute: noting("execute", (statement, options) => inner.execute(statement, options)),
    batch: noting("batch", (statements, options) => inner.batch(statements, options)),
    savepoint: noting("savepoint", (name, options) => inner.savepoint(name, options)),
    release: noting("release", (name, options) => inner.release(name, options)),
    rollbackTo: noting("rollbackTo", (name, options) => inner.rollbackTo(name, options)),
    commit: noting("commit", (last, options) => inner.commit(last, options)),
    rollback: noting("rollback", (options) => inner.rollback(options)),
  };
  const take = () => calls.splice(0);
  return { connection, take, names, [Symbol.asyncDispose]: async () => (await inner.rollback(), await db.close()) };
}

Deno.test("a joined session sets a savepoint with its first call, and releases it with its commit", async () => {
  await using one = await place();
  await using session = new Session({ bind: one.connection });
  session.add(new Book({ title: "a" }));
  assertEquals(one.take(), []);
  await session.commit();
  assertEquals(one.take(), ["savepoint 0", "batch", "release 0"]);
  await session.commit();
  assertEquals(one.take(), []); // nothing changed
  await session.query(Book).all();
  await session.commit();
  assertEquals(one.take(), ["savepoint 1", "execute", "release 1"]);
});

Deno.test("a joined session rolls back to its savepoint, and neither ends the transaction nor gives the connection up", async () => {
  await using one = await place();
  for (const end of ["rollback", "close", "reset", "invalidate"] as const) {
    const session = new Session({ bind: one.connection });
    const before = one.names.length;
    session.add(new Book({ title: end }));
    await session.flush();
    await session[end]();
    assertEquals(one.take(), [
      `savepoint ${before}`,
      "execute",
      `rollbackTo ${before}`,
      `release ${before}`,
    ]);
    await session.close();
  }
  assertEquals(one.take(), []);
  await using session = new Session({ bind: one.connection });
  assertEquals(await session.query(Book).count(), 0);
});

Deno.test("savepoints of joined sessions have names of their own", async () => {
  await using one = await place();
  await using session = new Session({ bind: one.connection });
  await session.savepoint(async () => {
    await session.start();
    await using inner = new Session({ bind: await session.connection() });
    await inner.savepoint(() => inner.start());
    await inner.commit();
  });
  await session.commit();
  // MySQL forgets a savepoint whose name comes again: four were open, one inside the other.
  assertEquals([new Set(one.names).size, one.names.length], [4, 4]);
});

Deno.test("session.bind of a joined session runs in the connection's transaction, and is not closed", async () => {
  await using one = await place();
  await using session = new Session({ bind: one.connection });
  await session.bind.execute({ sql: "DELETE FROM books", params: [] });
  await session.bind.close();
  assertEquals(one.take(), ["execute"]);
  assertStrictEquals(session.bind.dialect, one.connection.database.dialect);
  await assertRejects(() => session.getOne(Book, "00000000-0000-7000-8000-000000000000"), NoResultError);
});
