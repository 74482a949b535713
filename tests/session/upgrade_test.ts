/**
 * A session that upgrades to a connection while more is asked of it.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { libsql } from "../../adapters/libsql_local.ts";
import { createAll, type Database, model, Session, t } from "../../mod.ts";

/** The database, with a connection that tells what it runs, and takes its time to open and over savepoints. */
function slow(inner: Database, sent: string[]): Database {
  return {
    dialect: inner.dialect,
    capabilities: inner.capabilities,
    description: inner.description,
    execute: (statement, options) => inner.execute(statement, options),
    batch: (statements, options) => inner.batch!(statements, options),
    async connect(options) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const connection = await inner.connect(options);
      return {
        database: inner,
        native: null,
        execute: (statement, limits) => (sent.push(statement.sql), connection.execute(statement, limits)),
        batch: (statements, limits) => connection.batch(statements, limits),
        async savepoint(name, limits) {
          sent.push("SAVEPOINT");
          await new Promise((resolve) => setTimeout(resolve, 5));
          await connection.savepoint(name, limits);
        },
        release: (name, limits) => connection.release(name, limits),
        rollbackTo: (name, limits) => connection.rollbackTo(name, limits),
        commit: (last, limits) => connection.commit(last, limits),
        rollback: (limits) => connection.rollback(limits),
      };
    },
    close: () => inner.close(),
  };
}

Deno.test("a statement that comes while a session upgrades is inside every savepoint that was open", async () => {
  await using inner = libsql({ url: ":memory:" });
  await inner.execute({ sql: "CREATE TABLE t (id INTEGER, v INTEGER)", params: [] });
  await inner.execute({ sql: "INSERT INTO t VALUES (1, 0), (2, 0)", params: [] });
  const sent: string[] = [];
  await using session = new Session({ bind: slow(inner, sent) });
  await session.begin();
  await session.beginNested();
  const nested = await session.beginNested();
  const first = session.execute("UPDATE t SET v = 1 WHERE id = 1");
  while (!sent.includes("SAVEPOINT")) await new Promise((resolve) => setTimeout(resolve, 1));
  await Promise.all([first, session.execute("UPDATE t SET v = 1 WHERE id = 2")]);
  assertEquals(sent.slice(0, 2), ["SAVEPOINT", "SAVEPOINT"]);
  await nested.rollback();
  await session.commit();
  const { rows } = await inner.execute({ sql: "SELECT v FROM t", params: [] });
  assertEquals(rows.map(([v]) => Number(v)), [0, 0]);
});

class Note extends model("notes", { id: t.integer().primaryKey(), text: t.text() }) {}

Deno.test("a query sees what was added before it, also when the flush of another query was under way by then", async () => {
  await using inner = libsql({ url: ":memory:" });
  await createAll(inner, [Note]);
  const sent: string[] = [];
  await using session = new Session({ bind: slow(inner, sent) });
  session.add(new Note({ id: 1, text: "a" }));
  const first = session.query(Note).all();
  await new Promise((resolve) => setTimeout(resolve, 1)); // the first flush has collected, and connects
  session.add(new Note({ id: 2, text: "b" }));
  const second = session.query(Note).all();
  const write = session.execute("UPDATE notes SET text = 'c'");
  assertEquals([(await first).length >= 1, (await second).length, (await write).rowsAffected], [true, 2, 2]);
});
