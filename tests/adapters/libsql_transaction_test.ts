/** Interactive transactions of the libSQL adapter: what they cost, what they keep, and when they are lost. */
import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { createClient } from "@libsql/client/web";
import { libsql, safeFetch } from "../../adapters/libsql.ts";
import type { Database } from "../../src/database.ts";
import {
  ConnectionError,
  ForeignKeyViolationError,
  InvalidStateError,
  StatementError,
  TimeoutError,
  TransactionLostError,
  UniqueViolationError,
  ValidationError,
} from "../../src/errors.ts";
import { cut, type HranaServer, startHrana } from "../servers/hrana.ts";
import { rejection, stmt, testEverywhere } from "./libsql_transports.ts";

const table = stmt("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)");
const insert = (id: number, v = "") => stmt("INSERT INTO t VALUES (?, ?)", id, v);

async function ids(db: Database): Promise<unknown[]> {
  return (await db.execute(stmt("SELECT id FROM t ORDER BY id"))).rows.map(([id]) => id);
}

/** What each request of the log ran. */
function sent(server: HranaServer): string[] {
  return server.log.map(({ sql }) => sql.map((text) => text.split(" ")[0]).join(" "));
}

testEverywhere("connect() keeps what is committed", async ({ db }) => {
  await db.execute(table);
  const connection = await db.connect();
  assertEquals((await connection.execute(insert(1))).rowsAffected, 1);
  const results = await connection.batch([insert(2), stmt("SELECT count(*) FROM t")]);
  assertEquals(results.map((result) => result.rows), [[], [[2]]]);
  assertEquals((await connection.commit([stmt("DELETE FROM t WHERE id = 1 RETURNING id")]))[0]?.rows, [[1]]);
  assertEquals(await ids(db), [2]);
});

testEverywhere("connect() undoes what is rolled back, and once ended stays so", async ({ db }) => {
  await db.execute(table);
  const connection = await db.connect();
  await connection.execute(insert(1));
  await connection.rollback();
  await connection.rollback();
  await assertRejects(() => connection.execute(insert(2)), InvalidStateError, "has ended");
  await assertRejects(() => connection.commit(), InvalidStateError);
  const other = await db.connect();
  await other.execute(insert(3));
  await other.commit();
  await other.rollback();
  await assertRejects(() => other.execute(insert(4)), InvalidStateError);
  assertEquals(await ids(db), [3]);
});

testEverywhere("savepoints nest, and quote their names", async ({ db }) => {
  await db.execute(table);
  const connection = await db.connect();
  await connection.execute(insert(1));
  await connection.savepoint('a "b"; DROP TABLE t --');
  await connection.execute(insert(2));
  await connection.savepoint("inner");
  await connection.execute(insert(3));
  await connection.release("inner");
  await connection.rollbackTo('a "b"; DROP TABLE t --');
  await connection.execute(insert(4));
  await connection.release('a "b"; DROP TABLE t --');
  await assertRejects(() => connection.savepoint(""), ValidationError);
  await assertRejects(() => connection.savepoint("a\0"), ValidationError);
  await assertRejects(() => connection.release("inner"), StatementError, "no such savepoint");
  await connection.commit();
  assertEquals(await ids(db), [1, 4]);
});

testEverywhere("batch() of a connection stops at a failure, which leaves the transaction usable", async ({ db }) => {
  await db.execute(table);
  const connection = await db.connect();
  const error = await rejection(connection.batch([insert(1), insert(1), insert(2)]));
  assertInstanceOf(error, UniqueViolationError);
  assertEquals(error.statementIndex, 1);
  await connection.execute(insert(3));
  await connection.commit();
  assertEquals(await ids(db), [1, 3]);
});

testEverywhere("commit() applies nothing when one of its last statements fails", async ({ db }) => {
  await db.execute(table);
  for (const before of [[insert(1)], []]) {
    const connection = await db.connect();
    await connection.batch(before);
    const error = await rejection(connection.commit([insert(2), insert(2), insert(3)]));
    assertInstanceOf(error, UniqueViolationError);
    assertEquals(error.statementIndex, 1);
    await connection.rollback();
    await assertRejects(() => connection.execute(insert(4)), InvalidStateError);
    assertEquals(await ids(db), []);
    await db.batch([insert(9), stmt("DELETE FROM t")]); // No lock is left behind.
  }
});

testEverywhere("commit() fails on a deferred constraint and applies nothing", async ({ db }) => {
  await db.batch([table, stmt("CREATE TABLE c (t INT REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)")]);
  const orphan = stmt("INSERT INTO c VALUES (7)");
  for (const last of [[], [insert(2)]]) {
    const connection = await db.connect();
    await connection.execute(orphan);
    const error = await rejection(connection.commit(last));
    assertInstanceOf(error, ForeignKeyViolationError);
    assertEquals(error.statementIndex, undefined);
    assertEquals(await ids(db), []);
    await db.batch([insert(9), stmt("DELETE FROM t")]);
  }
  assertEquals((await db.execute(stmt("SELECT count(*) FROM c"))).rows, [[0]]);
});

testEverywhere("connect() with readOnly refuses a write", async ({ db }) => {
  await db.execute(table);
  const connection = await db.connect({ readOnly: true, isolation: "serializable" });
  assertEquals((await connection.execute(stmt("SELECT count(*) FROM t"))).rows, [[0]]);
  await assertRejects(() => connection.execute(insert(1)), ValidationError, "read-only");
  await assertRejects(() => connection.commit([insert(1)]), ValidationError);
  await connection.commit();
});

testEverywhere("a connection refuses statements that would end its transaction", async ({ db }) => {
  await db.execute(table);
  const connection = await db.connect();
  await connection.execute(insert(1));
  for (const sql of ["COMMIT", "END", "ROLLBACK", "BEGIN"]) {
    await assertRejects(() => connection.execute(stmt(sql)), StatementError);
    await assertRejects(() => connection.commit([stmt(sql)]), StatementError);
  }
  await connection.rollback();
  assertEquals(await ids(db), []);
});

testEverywhere("a connection refuses a second call while one is under way", async ({ db }) => {
  await db.execute(table);
  const connection = await db.connect();
  const first = connection.execute(insert(1));
  await assertRejects(() => connection.execute(insert(2)), InvalidStateError, "under way");
  await assertRejects(() => connection.commit(), InvalidStateError);
  await first;
  const second = connection.execute(insert(3));
  await connection.rollback(); // Waits for it.
  await second;
  assertEquals(await ids(db), []);
}, ["http", "ws"]);

testEverywhere("an error that rolls back by itself loses the transaction", async ({ db }) => {
  await db.batch([table, insert(1)]);
  const connection = await db.connect();
  await connection.execute(insert(2));
  await assertRejects(() => connection.execute(stmt("INSERT OR ROLLBACK INTO t VALUES (1, '')")), UniqueViolationError);
  await assertRejects(() => connection.execute(insert(3)), TransactionLostError);
  await assertRejects(() => connection.commit([insert(4)]), TransactionLostError);
  await connection.rollback();
  assertEquals(await ids(db), [1]);
});

testEverywhere("a connection costs a request a call, BEGIN and COMMIT none", async ({ db, server }) => {
  await db.execute(table);
  server!.reset();
  const connection = await db.connect();
  await connection.execute(insert(1));
  await connection.savepoint("s");
  await connection.batch([insert(2), insert(3)]);
  await connection.rollbackTo("s");
  await connection.release("s");
  await connection.commit([insert(4), insert(5)]);
  assertEquals(server!.requests, 6);
  assertEquals(await ids(db), [1, 4, 5]);
}, ["http", "ws"]);

Deno.test("commit() sends its last statements, COMMIT and the stream's end in one request", async () => {
  await using server = await startHrana();
  await using db = libsql({ url: server.url });
  await db.execute(table);
  server.reset();
  const used = await db.connect();
  await used.execute(insert(1));
  await used.commit([insert(2), insert(3)]);
  assertEquals(sent(server), ["BEGIN INSERT", "INSERT INSERT COMMIT ROLLBACK"]);
  assertEquals(server.openStreams, 0);

  server.reset();
  const fresh = await db.connect();
  await fresh.commit([insert(4)]);
  assertEquals(sent(server), ["BEGIN INSERT COMMIT ROLLBACK"]);

  server.reset();
  const plain = await db.connect();
  await plain.execute(insert(5));
  await plain.commit();
  assertEquals(sent(server), ["BEGIN INSERT", "COMMIT"]);

  server.reset();
  const failed = await db.connect();
  await failed.execute(insert(6));
  await assertRejects(() => failed.commit([insert(7), insert(7), insert(8)]), UniqueViolationError);
  await failed.rollback();
  assertEquals(sent(server), ["BEGIN INSERT", "INSERT INSERT ROLLBACK"]);

  server.reset();
  const unused = await db.connect();
  await unused.commit();
  const dropped = await db.connect();
  await dropped.rollback();
  assertEquals(server.requests, 0);
  assertEquals(server.openStreams, 0);
  assertEquals(await ids(db), [1, 2, 3, 4, 5]);
});

Deno.test("commit() of a client that was handed in takes two requests over HTTP", async () => {
  await using server = await startHrana();
  const client = createClient({ url: server.url, intMode: "bigint", fetch: safeFetch() });
  await using db = libsql(client);
  await db.execute(table);
  server.reset();
  const connection = await db.connect();
  await connection.execute(insert(1));
  await connection.commit([insert(2)]);
  assertEquals(sent(server), ["BEGIN INSERT", "INSERT", "COMMIT"]);

  server.reset();
  const failed = await db.connect();
  await failed.execute(insert(3));
  await assertRejects(() => failed.commit([insert(4), insert(4)]), UniqueViolationError);
  assertEquals(sent(server), ["BEGIN INSERT", "INSERT INSERT", "ROLLBACK"]);
  assertEquals(await ids(db), [1, 2]);
  client.close();
});

for (const scheme of ["http", "ws"] as const) {
  Deno.test(`a transaction that timed out on the server is lost, and nothing runs outside of it, ${scheme}`, async () => {
    await using server = await startHrana({ transactionTimeout: 0 });
    await using db = libsql({ url: scheme === "http" ? server.url : server.wsUrl });
    await db.execute(table);
    const connection = await db.connect();
    await connection.execute(insert(1));
    await db.execute(insert(2)); // Waits for the lock, and is given it.
    const error = await rejection(connection.execute(insert(3)));
    assertInstanceOf(error, TransactionLostError);
    assertEquals(error.driverCode, "TRANSACTION_TIMEOUT");
    server.reset();
    const lost = await rejection(connection.execute(insert(4)));
    assertInstanceOf(lost, TransactionLostError);
    assertEquals(lost.cause, error);
    await assertRejects(() => connection.batch([insert(5)]), TransactionLostError);
    await assertRejects(() => connection.savepoint("s"), TransactionLostError);
    await assertRejects(() => connection.commit([insert(6)]), TransactionLostError);
    assertEquals(server.requests, 0);
    await connection.rollback();
    await connection.rollback();
    assertEquals(await ids(db), [2]);
  });

  Deno.test(`commit() of a transaction that timed out on the server applies nothing, ${scheme}`, async () => {
    await using server = await startHrana({ transactionTimeout: 0 });
    await using db = libsql({ url: scheme === "http" ? server.url : server.wsUrl });
    await db.execute(table);
    for (const last of [[], [insert(103), insert(104)]]) {
      const connection = await db.connect();
      await connection.execute(insert(101));
      await db.execute(stmt("INSERT INTO t (v) VALUES ('other')"));
      const error = await rejection(connection.commit(last));
      assertInstanceOf(error, TransactionLostError);
      assertEquals(error.notApplied, true);
      await connection.rollback();
    }
    assertEquals((await db.execute(stmt("SELECT v FROM t"))).rows, [["other"], ["other"]]);
  });

  Deno.test(`a call that is given up loses the transaction, ${scheme}`, async () => {
    await using server = await startHrana();
    await using db = libsql({ url: scheme === "http" ? server.url : server.wsUrl });
    await db.execute(table);
    for (const why of ["timeout", "abort"] as const) {
      const connection = await db.connect();
      await connection.execute(insert(1));
      const hang = Promise.withResolvers<undefined>();
      const reached = Promise.withResolvers<void>();
      const hook = () => {
        reached.resolve();
        return hang.promise;
      };
      scheme === "http" ? server.before = hook : server.beforeMessage = hook;
      const controller = new AbortController();
      const options = why === "timeout" ? { timeout: 30 } : { signal: controller.signal };
      const rejected = rejection(connection.execute(insert(2), options));
      await reached.promise;
      controller.abort("enough");
      const error = await rejected;
      if (why === "abort") assertEquals(error, "enough");
      else assertInstanceOf(error, TimeoutError);
      server.before = server.beforeMessage = undefined;
      server.reset();
      await assertRejects(() => connection.execute(insert(3)), TransactionLostError);
      await assertRejects(() => connection.commit([insert(4)]), TransactionLostError);
      assertEquals(server.statements, 0);
      await connection.rollback();
      if (scheme === "http") assertEquals(server.openStreams, 0); // Closed with what the client still had of it.
      hang.resolve(undefined);
    }
    assertEquals(await ids(db), []);
  });
}

Deno.test("a stream that expired loses the transaction", async () => {
  await using server = await startHrana({ streamTimeout: 1 });
  await using db = libsql({ url: server.url });
  await db.execute(table);
  const connection = await db.connect();
  await connection.execute(insert(1));
  while (server.openStreams > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const error = await rejection(connection.execute(insert(2)));
  assertInstanceOf(error, TransactionLostError);
  assertEquals(error.driverCode, "STREAM_EXPIRED");
  await connection.rollback();
  server.reset();
  await assertRejects(() => connection.execute(insert(3)), InvalidStateError);
  assertEquals(server.requests, 0);
  assertEquals(await ids(db), []);
});

Deno.test("a connection that breaks loses the transaction, and rollback() waits until nothing is open", async () => {
  await using server = await startHrana();
  await using db = libsql({ url: server.url });
  await db.execute(table);
  for (const answer of [cut, () => new Response("down", { status: 502 })]) {
    const connection = await db.connect();
    await connection.execute(insert(1));
    server.failNext("before", answer);
    const error = await rejection(connection.execute(insert(2)));
    assertInstanceOf(error, ConnectionError);
    assertEquals(error.notApplied, true); // COMMIT was never sent.
    await assertRejects(() => connection.execute(insert(3)), TransactionLostError);
    await connection.rollback();
    assertEquals(server.openStreams, 0); // The driver closed it: its baton was still good.
  }
  assertEquals(await ids(db), []);
});

Deno.test("commit() whose answer is lost says that it may have been applied", async () => {
  await using server = await startHrana();
  await using db = libsql({ url: server.url });
  await db.execute(table);
  const connection = await db.connect();
  await connection.execute(insert(1));
  server.failNext("after");
  const error = await rejection(connection.commit([insert(2)]));
  assertInstanceOf(error, ConnectionError);
  assertEquals(error.notApplied, false);
  await connection.rollback();
  assertEquals(await ids(db), [1, 2]);
});
