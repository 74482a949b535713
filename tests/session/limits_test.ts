/** How long a call may take: signal and timeout reach the database with what the call sends. */
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { libsql } from "../../adapters/libsql_local.ts";
import { type CallOptions, createAll, type Database, model, Session, sql, t, transaction } from "../../mod.ts";

class Book extends model("books", { id: t.uuid().primaryKey(), title: t.text() }) {}

Deno.test("session.commit() gives its signal and timeout to the database, by batch and on a connection", async () => {
  const db = libsql({ url: ":memory:" });
  await createAll(db, [Book]);
  const given: (readonly [call: string, options: CallOptions | undefined])[] = [];
  const spied: Database = {
    dialect: db.dialect,
    capabilities: db.capabilities,
    description: db.description,
    execute: (statement, options) => db.execute(statement, options),
    batch: (statements, options) => {
      given.push(["batch", options]);
      return db.batch!(statements, options);
    },
    connect: async (options) => {
      const connection = await db.connect(options);
      const commit = connection.commit.bind(connection);
      connection.commit = (last, options) => {
        given.push(["connection", options]);
        return commit(last, options);
      };
      return connection;
    },
    close: () => db.close(),
  };
  const { signal } = new AbortController();
  await using session = new Session({ bind: spied });
  session.add(new Book({ title: "a" }));
  session.require(sql`(SELECT count(*) FROM books) = 1`); // one statement would go without a batch
  await session.commit({ signal, timeout: 60_000 });
  session.add(new Book({ title: "b" }));
  await session.flush();
  await session.commit({ signal, timeout: 50_000 });
  assertEquals(given.map(([call, options]) => [call, options?.timeout]), [["batch", 60_000], ["connection", 50_000]]);
  for (const [, options] of given) assertStrictEquals(options?.signal, signal);
  await session.close();
  await db.close();
});

/** What aborts the signal of a commit before anything of it is sent. */
const ABORTS: readonly [name: string, on: (session: Session, abort: () => void) => void][] = [
  ["a handler of beforeCommit", (session, abort) => session.on("beforeCommit", abort)],
  ["a handler of beforeFlush", (session, abort) => session.on("beforeFlush", abort)],
  ["a handler of beforeExecute", (session, abort) => session.on("beforeExecute", abort)],
];

for (const [name, on] of ABORTS) {
  for (const isConnected of [false, true]) {
    const where = isConnected ? "on a connection" : "by batch";
    Deno.test(`session.commit() ${where} whose signal is aborted by ${name} has failed, and nothing is unknown`, async () => {
      await using db = libsql({ url: ":memory:" });
      await createAll(db, [Book]);
      await using session = new Session({ bind: db });
      session.add(new Book({ title: "a" }));
      if (isConnected) await session.flush();
      session.add(new Book({ title: "b" }));
      const controller = new AbortController();
      const reason = new Error("enough");
      on(session, () => controller.abort(reason));
      assertStrictEquals(await assertRejects(() => session.commit({ signal: controller.signal })), reason);
      assertEquals(session.state, "failed");
      await session.rollback();
      assertEquals(await session.query(Book).count(), 0);
    });
  }
}

Deno.test("transaction() whose signal aborts before its commit has not written, and says so", async () => {
  await using db = libsql({ url: ":memory:" });
  await createAll(db, [Book]);
  const controller = new AbortController();
  const reason = new Error("enough");
  const error = await assertRejects(() =>
    transaction(db, async (tx) => {
      await tx.execute("INSERT INTO books VALUES ('1', 'a')");
      controller.abort(reason);
    }, { signal: controller.signal })
  );
  assertStrictEquals(error, reason);
  assertEquals((await db.execute({ sql: "SELECT * FROM books", params: [] })).rows, []);
});
