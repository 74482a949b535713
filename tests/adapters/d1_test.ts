/** Values, results and batches of the D1 adapter, on a real D1. */
import { assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { d1, type D1Binding } from "../../adapters/d1.ts";
import { DatabaseError, StatementError, UnsupportedError, ValidationError } from "../../src/errors.ts";
import type { SqlValue } from "../../src/sql/statement.ts";
import { answering, onD1, rejection, stmt } from "./d1_kit.ts";

const test = onD1();

const kept: readonly (readonly [SqlValue, string, SqlValue?])[] = [
  [0, "integer"],
  [-0, "integer", 0],
  [-1, "integer"],
  [Number.MAX_SAFE_INTEGER, "integer"],
  [Number.MIN_SAFE_INTEGER, "integer"],
  [7n, "integer", 7],
  [BigInt(Number.MAX_SAFE_INTEGER), "integer", Number.MAX_SAFE_INTEGER],
  [true, "integer", 1],
  [false, "integer", 0],
  [0.1, "real"],
  [-1.5e300, "real"],
  [5e-324, "real"],
  ["", "text"],
  ["Zoë 漢字 🌒 \"'`?:a", "text"],
  ["x".repeat(100_000), "text"],
  [new Uint8Array(), "blob"],
  [Uint8Array.from({ length: 256 }, (_, i) => i), "blob"],
  [new Uint8Array([9, 1, 2, 9]).subarray(1, 3), "blob", new Uint8Array([1, 2])],
  [null, "null"],
];

test("execute() keeps every value, and its type in a column that says INTEGER", async ({ db }) => {
  await db.execute(stmt("CREATE TABLE kept (id INTEGER PRIMARY KEY, value INTEGER)"));
  for (const [index, [value, type, back = value]] of kept.entries()) {
    await db.execute(stmt("INSERT INTO kept VALUES (?, ?)", index, value));
    const read = stmt("SELECT value, typeof(value) FROM kept WHERE id = ?", index);
    assertEquals((await db.execute(read)).rows, [[back, type]]);
    assertEquals((await db.batch([read, read])).map(({ rows }) => rows), [[[back, type]], [[back, type]]]);
  }
});

test("execute() sends numbers that arrive as REAL, as the documentation says", async ({ db }) => {
  assertEquals((await db.execute(stmt("SELECT typeof(?), 'x' || ?, typeof(CAST(? AS INTEGER))", 1, 1, 1))).rows, [
    ["real", "x1.0", "integer"],
  ]);
});

test("execute() and batch() refuse a value that D1 would change, and send nothing", async ({ db, server }) => {
  const values: unknown[] = [NaN, Infinity, 2n ** 53n, -(2n ** 53n), 2n ** 63n, "a\0b", "\ud800", "\udc00a", undefined];
  for (const value of [...values, {}, new ArrayBuffer(1), new Date(), [1]]) {
    const statement = stmt("SELECT ?", value as SqlValue);
    await assertRejects(() => db.execute(statement), ValidationError, "as value 1; nothing was sent");
    await assertRejects(() => db.batch([stmt("SELECT 1"), statement]), ValidationError, "Statement 1 of the batch");
  }
  assertEquals(server.requests, 0);
});

test("execute() and batch() tell rows, columns and how many were written", async ({ db, server }) => {
  await db.execute(stmt("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)"));
  server.reset();
  const insert = await db.execute(stmt("INSERT INTO t (name) VALUES (?), (?)", "a", "b"));
  assertEquals(insert, { columns: [], rows: [], rowsAffected: 2, lastInsertId: 2 });
  assertEquals(await db.execute(stmt("UPDATE t SET name = name || '!'")), { columns: [], rows: [], rowsAffected: 2 });
  const returned = { columns: ["id", "name"], rows: [[3, "c"]], rowsAffected: 1 };
  assertEquals(await db.execute(stmt("INSERT INTO t (name) VALUES (?) RETURNING id, name", "c")), returned);
  assertEquals(await db.execute(stmt("SELECT id, name FROM t WHERE id = ?", 3)), returned);
  assertEquals(await db.execute(stmt("SELECT id, name FROM t WHERE 0")), {
    columns: ["id", "name"],
    rows: [],
    rowsAffected: 0,
  });
  assertEquals(await db.execute(stmt("DELETE FROM t WHERE id > 1")), { columns: [], rows: [], rowsAffected: 2 });
  assertEquals(server.requests, 6);
  assertEquals(
    await db.batch([
      stmt("INSERT INTO t (name) VALUES ('d') RETURNING *"),
      stmt("UPDATE t SET name = 'e' WHERE id = 99"),
      stmt("DELETE FROM t"),
      stmt("SELECT id, name FROM t"),
    ]),
    [
      { columns: ["id", "name"], rows: [[2, "d"]], rowsAffected: 1 },
      { columns: [], rows: [], rowsAffected: 0 },
      { columns: [], rows: [], rowsAffected: 2 },
      { columns: [], rows: [], rowsAffected: 0 },
    ],
  );
  assertEquals(server.requests, 7);
});

test("a DELETE tells how many rows it deleted, without those that a cascade did", async ({ db, server }) => {
  await server.run(
    "CREATE TABLE a (id INTEGER PRIMARY KEY)",
    "CREATE TABLE b (id INTEGER PRIMARY KEY, a REFERENCES a ON DELETE CASCADE)",
    "INSERT INTO a VALUES (1), (2), (3)",
    "INSERT INTO b VALUES (1, 1), (2, 1), (3, 2), (4, 2)",
  );
  server.reset();
  assertEquals((await db.execute(stmt("DELETE FROM a WHERE id = 1"))).rowsAffected, 1);
  assertEquals(server.requests, 1);
  const results = await db.batch([stmt("DELETE FROM a WHERE id = 1"), stmt("DELETE FROM a"), stmt("SELECT 1 AS x")]);
  assertEquals(results.map(({ rowsAffected }) => rowsAffected), [0, 2, 1]);
  assertEquals(server.requests, 2);
});

test("columns of the same name are kept, alone and in a batch, in their order", async ({ db, server }) => {
  await server.run("CREATE TABLE t (id INTEGER PRIMARY KEY, b TEXT)", "INSERT INTO t VALUES (1, 'x')");
  server.reset();
  const cases: [sql: string, columns: string[], row: SqlValue[]][] = [
    ["SELECT 1 AS a, 2 AS a, 3 AS b", ["a", "a", "b"], [1, 2, 3]],
    ["SELECT l.id, l.b, r.id FROM t l JOIN t r USING (b); -- and", ["id", "b", "id"], [1, "x", 1]],
    ["SELECT * FROM t l JOIN t r", ["id", "b", "id", "b"], [1, "x", 1, "x"]],
    ["WITH w AS (SELECT 1, 2) SELECT *, 3 AS a, 4 AS a FROM w", ["1", "2", "a", "a"], [1, 2, 3, 4]],
    ['SELECT id AS "a;b, c", b x, id X FROM t', ["a;b, c", "x", "X"], [1, "x", 1]],
    ["VALUES (1, 2)", ["column1", "column2"], [1, 2]],
    ["EXPLAIN QUERY PLAN SELECT 1", ["id", "parent", "notused", "detail"], [1, 0, 0, "SCAN CONSTANT ROW"]],
  ];
  for (const [sql, columns, row] of cases) {
    assertEquals(await db.execute(stmt(sql)), { columns, rows: [row], rowsAffected: 1 }, sql);
    if (columns[0] === "1") continue; // Its order is lost in a batch: see below.
    const [result] = await db.batch([stmt(sql), stmt("SELECT 5 AS z")]);
    assertEquals(result!.rows, [row], sql);
    assertEquals(result!.columns.map((name) => name.toLowerCase()), columns.map((name) => name.toLowerCase()), sql);
  }
});

test("a batch keeps the order of a read that it has to put inside another", async ({ db, server }) => {
  await server.run("CREATE TABLE t (id INTEGER PRIMARY KEY, b INTEGER)");
  await db.execute(
    stmt("INSERT INTO t SELECT key, (key * 37) % 101 FROM json_each(?)", JSON.stringify(Array(100).fill(0))),
  );
  const sorted = stmt("SELECT *, b AS B FROM t ORDER BY b DESC, id LIMIT 90");
  const [batched] = await db.batch([sorted, stmt("SELECT 1")]);
  assertEquals(batched!.rows, (await db.execute(sorted)).rows);
});

test("a batch refuses returned columns that it would lose, and nothing is written", async ({ db, server }) => {
  await server.run("CREATE TABLE t (id INTEGER PRIMARY KEY, b TEXT)");
  server.reset();
  const twice = db.batch([stmt("INSERT INTO t VALUES (1, 'x') RETURNING id, b, id")]);
  await assertRejects(() => twice, UnsupportedError, "Statement 0 of the batch");
  const moved = db.batch([stmt("INSERT INTO t VALUES (1, 'x') RETURNING id, 2")]);
  await assertRejects(() => moved, StatementError, "give each column a name with AS");
  assertEquals(server.requests, 0);
  const hidden = await rejection(db.batch([stmt("INSERT INTO t VALUES (1, 'x') RETURNING id, rowid")]));
  assertInstanceOf(hidden, StatementError);
  assertEquals(hidden.notApplied, false);
  const read = await rejection(db.batch([stmt("SELECT id, rowid FROM t"), stmt("SELECT 1 AS x")]));
  assertEquals((read as StatementError).notApplied, true);
});

test("batch() applies all or nothing", async ({ db, server }) => {
  await db.execute(stmt("CREATE TABLE t (id INTEGER PRIMARY KEY)"));
  server.reset();
  await assertRejects(() => db.batch([stmt("INSERT INTO t VALUES (1)"), stmt("INSERT INTO t VALUES (1)")]));
  assertEquals((await db.execute(stmt("SELECT count(*) FROM t"))).rows, [[0]]);
  assertEquals(server.requests, 2);
  assertEquals(await db.batch([]), []);
  assertEquals(server.requests, 2);
});

test("what D1 would run other than it reads is refused, and nothing is sent", async ({ db, server }) => {
  const refusals: [string, SqlValue[], string][] = [
    ["SELECT 1; SELECT 2", [], "several statements"],
    ["BEGIN", [], "BEGIN"],
    ["/* x */ COMMIT", [], "COMMIT"],
    ["ROLLBACK TO a", [], "ROLLBACK"],
    ["SAVEPOINT a", [], "SAVEPOINT"],
    ["RELEASE a", [], "RELEASE"],
    ["", [], "empty"],
    ["-- nothing", [], "empty"],
    ["SELECT ?", [], "1 placeholders and was given 0 values"],
    ["SELECT ?", [1, 2], "given 2 values"],
    [`SELECT 1 IN (${Array(101).fill("?").join()})`, Array(101).fill(1), "101 values, and D1 takes 100"],
    [`SELECT '${"x".repeat(100_000)}'`, [], "100000 bytes"],
  ];
  for (const [sql, params, words] of refusals) {
    await assertRejects(() => db.execute(stmt(sql, ...params)), StatementError, words);
    const error = await rejection(db.batch([stmt("SELECT 1"), stmt(sql, ...params)]));
    assertInstanceOf(error, StatementError);
    assertEquals(error.statementIndex, 1);
  }
  assertEquals(server.requests, 0);
  const many = Array.from({ length: 100 }, (_, i) => i);
  assertEquals((await db.execute(stmt(`SELECT 99 IN (${many.map(() => "?").join()})`, ...many))).rows, [[1]]);
});

test("a read-only batch refuses what may write", async ({ db, server }) => {
  for (const sql of ["DELETE FROM t", "PRAGMA foreign_keys = 0", "CREATE TABLE t (id)"]) {
    await assertRejects(() => db.batch([stmt(sql)], { readOnly: true }), ValidationError, "read-only");
  }
  await assertRejects(() => db.batch([stmt("SELECT 1")], { deferrable: true }), UnsupportedError, "deferrable");
  const unknown = { isolation: "snapshot" as "serializable" };
  await assertRejects(() => db.batch([stmt("SELECT 1")], unknown), ValidationError, "snapshot");
  assertEquals(server.requests, 0);
  assertEquals((await db.batch([stmt("SELECT 1")], { readOnly: true, isolation: "read committed" }))[0]?.rows, [[1]]);
});

test("connect() is refused, and says what to do instead", async ({ db, server }) => {
  await assertRejects(() => db.connect(), UnsupportedError, "Write the work as one batch");
  assertEquals([db.capabilities.interactive, db.capabilities.savepoints, db.capabilities.batch], [
    false,
    false,
    "atomic",
  ]);
  assertEquals(server.requests, 0);
});

test("a session of the binding is as good as the binding", async ({ server }) => {
  await using db = d1(server.session("first-primary"));
  await db.batch([stmt("CREATE TABLE t (id INTEGER PRIMARY KEY)"), stmt("INSERT INTO t VALUES (5)")]);
  assertEquals((await db.execute(stmt("SELECT id FROM t"))).rows, [[5]]);
  assertEquals(server.requests, 2);
});

test("d1() refuses what is no binding, and a closed database every call", async ({ db, server }) => {
  for (const value of [undefined, null, {}, "DB", { prepare() {} }]) {
    assertThrows(() => d1(value as unknown as D1Binding), ValidationError, "env.DB");
  }
  assertEquals(JSON.stringify(db), '{"description":"d1"}');
  await db.close();
  await assertRejects(() => db.execute(stmt("SELECT 1")), Error, "closed");
  await assertRejects(() => db.batch([stmt("SELECT 1")]), Error, "closed");
  await db.close();
  assertEquals(server.requests, 0);
});

test("a binding that gives other than it was asked for is an error", async () => {
  const short = d1(answering([]));
  await assertRejects(() => short.batch([stmt("SELECT 1")]), DatabaseError, "0 results for 1 statements");
  const odd = d1(answering([["a"], [{}]]));
  await assertRejects(() => odd.execute(stmt("SELECT 1 AS a")), DatabaseError, "unknown type: object");
});
