/**
 * A session that upgrades to a connection while more is asked of it.
 *
 * @module
 */
import { assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { libsql } from "../../adapters/libsql_local.ts";
import { ConnectionError, createAll, type Database, model, Session, t, TimeoutError } from "../../mod.ts";

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

Deno.test("a call that waits for a connection which another one opens does not end with that one's signal or timeout", async () => {
  await using inner = libsql({ url: ":memory:" });
  await createAll(inner, [Note]);
  let connects = 0;
  const patient: Database = {
    ...slow(inner, []),
    connect(options) {
      if (++connects > 2) return inner.connect(options);
      return new Promise((_, reject) => {
        options!.signal?.addEventListener("abort", () => reject(options!.signal!.reason));
        if (options!.timeout) setTimeout(() => reject(new TimeoutError("too long")), options!.timeout);
      });
    },
  };
  await using session = new Session({ bind: patient });
  const controller = new AbortController();
  const reason = new Error("enough");
  const insert = (id: number) => [`INSERT INTO notes VALUES (${id}, 'a')`, []] as const;
  const first = session.execute(...insert(1), { signal: controller.signal });
  const second = session.execute(...insert(2), { timeout: 5 });
  const third = session.execute(...insert(3));
  setTimeout(() => controller.abort(reason), 1);
  const [one, two, three] = await Promise.allSettled([first, second, third]);
  assertStrictEquals((one as PromiseRejectedResult).reason, reason);
  assertInstanceOf((two as PromiseRejectedResult).reason, TimeoutError);
  assertEquals([three.status, connects], ["fulfilled", 3]);
  await session.commit();
});

Deno.test("a connection that cannot be had is asked for once, for all that wait for it", async () => {
  await using inner = libsql({ url: ":memory:" });
  let connects = 0;
  const broken: Database = {
    ...slow(inner, []),
    connect: () => (connects++, Promise.reject(new ConnectionError("refused"))),
  };
  await using session = new Session({ bind: broken, resends: 0 });
  const both = await Promise.allSettled([session.execute("DELETE FROM t"), session.execute("DELETE FROM t")]);
  assertEquals([both.map(({ status }) => status), connects], [["rejected", "rejected"], 1]);
});
