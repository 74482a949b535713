/** Values, results and batches of the libSQL adapter, on every transport. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { createClient } from "@libsql/client/web";
import { libsql, safeFetch } from "../../adapters/libsql.ts";
import {
  DataError,
  StatementError,
  UniqueViolationError,
  UnsupportedError,
  ValidationError,
} from "../../src/errors.ts";
import type { SqlValue } from "../../src/sql/statement.ts";
import { startHrana } from "../servers/hrana.ts";
import { rejection, stmt, testEverywhere } from "./libsql_transports.ts";

const kept: readonly (readonly [SqlValue, string, SqlValue?])[] = [
  [0, "integer"],
  [-0, "integer", 0],
  [1, "integer"],
  [-1, "integer"],
  [Number.MAX_SAFE_INTEGER, "integer"],
  [2n ** 53n + 1n, "integer"],
  [2n ** 63n - 1n, "integer"],
  [-(2n ** 63n), "integer"],
  [7n, "integer", 7],
  [true, "integer", 1],
  [false, "integer", 0],
  [0.1, "real"],
  [-1.5e300, "real"],
  [5e-324, "real"],
  [2 ** 53, "real"],
  ["", "text"],
  ["Zoë 漢字 🌒 \"'`?:a", "text"],
  ["x".repeat(100_000), "text"],
  [new Uint8Array(), "blob"],
  [Uint8Array.from({ length: 256 }, (_, i) => i), "blob"],
  [new Uint8Array([9, 1, 2, 9]).subarray(1, 3), "blob", new Uint8Array([1, 2])],
  [null, "null"],
];

testEverywhere("execute() keeps every value and its type", async ({ db }) => {
  await db.execute(stmt("CREATE TABLE kept (id INTEGER PRIMARY KEY, value)"));
  for (const [index, [value, type, back = value]] of kept.entries()) {
    await db.execute(stmt("INSERT INTO kept VALUES (?, ?)", index, value));
    const { rows } = await db.execute(stmt("SELECT value, typeof(value) FROM kept WHERE id = ?", index));
    assertEquals(rows, [[back, type]]);
    assert(Array.isArray(rows[0]));
  }
});

testEverywhere("execute() refuses a value that SQLite would change", async ({ db, server }) => {
  server?.reset();
  const values: unknown[] = [NaN, Infinity, 2n ** 63n, "a\0b", "\ud800", undefined, {}, new ArrayBuffer(1), new Date()];
  for (const value of values) {
    await assertRejects(() => db.execute(stmt("SELECT ?", value as SqlValue)), ValidationError);
  }
  assertEquals(server?.requests ?? 0, 0);
});

testEverywhere("execute() counts rows, and tells the key of the last inserted one", async ({ db, server }) => {
  await db.execute(stmt("CREATE TABLE t (id INTEGER PRIMARY KEY, v)"));
  const inserted = await db.execute(stmt("INSERT INTO t (v) VALUES (1), (2), (3)"));
  assertEquals(inserted, { columns: [], rows: [], rowsAffected: 3, lastInsertId: 3 });
  const returned = await db.execute(stmt("UPDATE t SET v = v + 1 WHERE id > 1 RETURNING id, v"));
  assertEquals(returned, { columns: ["id", "v"], rows: [[2, 3], [3, 4]], rowsAffected: 2 });
  assertEquals((await db.execute(stmt("DELETE FROM t WHERE id = 9"))).rowsAffected, 0);
  assertEquals((await db.execute(stmt("SELECT * FROM t WHERE id = 9"))).columns, ["id", "v"]);
  await db.execute(stmt("INSERT INTO t (id) VALUES (?)", 2n ** 60n + 1n));
  const { lastInsertId } = await db.execute(stmt("INSERT INTO t (v) VALUES (0)"));
  assertEquals(lastInsertId, server ? 2n ** 60n + 2n : undefined); // The local addon would round it.
});

testEverywhere("execute() gives columns of the same name both", async ({ db }) => {
  assertEquals((await db.execute(stmt("SELECT 1 AS a, 2 AS a"))).rows, [[1, 2]]);
});

testEverywhere("execute() refuses text that would not run as it stands", async ({ db, server }) => {
  server?.reset();
  const refused = ["SELECT 1; SELECT 2", "BEGIN", " /* x */ commit", "-- x\nROLLBACK", "END TRANSACTION"];
  for (const sql of refused) {
    await assertRejects(() => db.execute(stmt(sql)), StatementError);
    await assertRejects(() => db.batch([stmt("SELECT 1"), stmt(sql)]), StatementError);
  }
  await assertRejects(() => db.execute(stmt("SELECT ?, ?", 1)), StatementError, "2 placeholders and was given 1");
  await assertRejects(() => db.execute(stmt("SELECT ?", 1, 2)), StatementError, "1 placeholders and was given 2");
  await assertRejects(() => db.execute(stmt("SELECT '?'", 1, 2)), StatementError, "0 placeholders");
  assertEquals(server?.requests ?? 0, 0);
  assertEquals((await db.execute(stmt("SELECT ';?', ?2, ?1;", 1, 2))).rows, [[";?", 2, 1]]);
});

testEverywhere("batch() applies all statements or none, in one request", async ({ db, server }) => {
  await db.execute(stmt("CREATE TABLE t (id INTEGER PRIMARY KEY, v)"));
  server?.reset();
  const results = await db.batch([
    stmt("INSERT INTO t VALUES (1, 'a')"),
    stmt("UPDATE t SET v = 'b' RETURNING v"),
    stmt("SELECT count(*) FROM t"),
  ]);
  assertEquals(results.map((result) => result.rows), [[], [["b"]], [[1]]]);
  if (server) assertEquals(server.requests, 1);
  const statements = [stmt("INSERT INTO t VALUES (2, 'c')"), stmt("INSERT INTO t VALUES (1, 'd')"), stmt("SELECT 1")];
  const error = await rejection(db.batch(statements));
  assertInstanceOf(error, UniqueViolationError);
  assertEquals(error.statementIndex, 1);
  if (server) assertEquals(server.requests, 2);
  assertEquals((await db.execute(stmt("SELECT id FROM t"))).rows, [[1]]);
});

testEverywhere("batch() sends nothing for no statements", async ({ db, server }) => {
  server?.reset();
  assertEquals(await db.batch([]), []);
  assertEquals(server?.requests ?? 0, 0);
});

testEverywhere("batch() with readOnly reads in one transaction and refuses a write", async ({ db, server }) => {
  await db.execute(stmt("CREATE TABLE t (id INTEGER PRIMARY KEY)"));
  server?.reset();
  const [one] = await db.batch([stmt("SELECT count(*) FROM t"), stmt("WITH a AS (SELECT 1) SELECT * FROM a")], {
    readOnly: true,
    isolation: "repeatable read",
  });
  assertEquals(one?.rows, [[0]]);
  if (server) assertEquals(server.log.map((entry) => entry.sql[0]), ["BEGIN DEFERRED"]);
  for (
    const sql of ["INSERT INTO t VALUES (1)", "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", "PRAGMA x = 1"]
  ) {
    await assertRejects(
      () => db.batch([stmt("SELECT 1"), stmt(sql)], { readOnly: true }),
      ValidationError,
      "Statement 1",
    );
  }
  if (server) assertEquals(server.requests, 1);
  assertEquals((await db.execute(stmt("SELECT count(*) FROM t"))).rows, [[0]]);
});

testEverywhere("batch() and connect() refuse what SQLite cannot promise", async ({ db }) => {
  const never = "never" as "serializable";
  await assertRejects(() => db.batch([stmt("SELECT 1")], { deferrable: true }), UnsupportedError);
  await assertRejects(() => db.connect({ deferrable: true }), UnsupportedError);
  await assertRejects(() => db.batch([stmt("SELECT 1")], { isolation: never }), ValidationError);
  await assertRejects(() => db.connect({ isolation: never }), ValidationError);
});

Deno.test("libsql() takes a client that the user made and leaves it open", async () => {
  await using server = await startHrana();
  const client = createClient({ url: server.url, intMode: "bigint", fetch: safeFetch() });
  {
    await using db = libsql(client);
    assertEquals((await db.execute(stmt("SELECT ?", 2n ** 60n))).rows, [[2n ** 60n]]);
    assertEquals(db.description, "libsql client (http)");
  }
  assertEquals(client.closed, false);
  assertEquals((await client.execute("SELECT 1")).rows.length, 1);
  client.close();
});

Deno.test("execute() says to use bigint when a client's intMode cannot read an integer", async () => {
  await using server = await startHrana();
  const client = createClient({ url: server.url, fetch: safeFetch() });
  await using db = libsql(client);
  for (const call of [() => db.execute(stmt("SELECT ?", 2n ** 60n)), () => db.batch([stmt("SELECT ?", 2n ** 60n)])]) {
    const error = await rejection(call());
    assertInstanceOf(error, DataError);
    assertStringIncludes(error.message, 'intMode: "bigint"');
    assertEquals(error.notApplied, false); // A write has been applied by the time its answer is read.
  }
  assertEquals((await db.execute(stmt("SELECT ?", 5))).rows, [[5]]);
  client.close();
});
