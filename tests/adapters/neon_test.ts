/** What the Neon adapter runs and gives back, and what it costs. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { neon as createSql, Pool } from "@neondatabase/serverless";
import { neon } from "../../adapters/neon.ts";
import { StatementError, UniqueViolationError, UnsupportedError, ValidationError } from "../../src/errors.ts";
import type { DatabaseError } from "../../src/errors.ts";
import type { SqlValue } from "../../src/sql/statement.ts";
import { startNeon } from "../servers/neon.ts";
import { startPostgres } from "../servers/postgres.ts";
import { rejection, setups, stmt, testEverywhere, withHttp, withoutHttp, withSockets } from "./neon_setups.ts";

await startPostgres();

const table = stmt("CREATE TABLE t (id int PRIMARY KEY, v text)");
const insert = (id: number, v = "") => stmt("INSERT INTO t VALUES ($1, $2)", id, v);

const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
const values: readonly (readonly [string, SqlValue, SqlValue?])[] = [
  ["int2", -32768],
  ["int4", 2147483647],
  ["int8", Number.MAX_SAFE_INTEGER],
  ["int8", 2n ** 53n],
  ["int8", -(2n ** 63n)],
  ["int8", 5n, 5],
  ["oid", 4294967295],
  ["float8", 0.1],
  ["float8", -0],
  ["float8", 5e-324],
  ["float8", 1.7976931348623157e308],
  ["float8", Infinity],
  ["float8", NaN],
  ["float4", 0.5],
  ["numeric", "123456789012345678901234567890.123456789"],
  ["numeric", 1.5, "1.5"],
  ["bool", true],
  ["bool", false],
  ["text", "é'\"\\\u{1F600}\n%_$1 ?"],
  ["text", ""],
  ["text", "null"],
  ["bytea", bytes],
  ["bytea", new Uint8Array()],
  ["uuid", "0190163d-8694-739b-aea5-966c26f8ad91"],
  ["jsonb", '{"a": [1, null]}'],
  ["json", "null"],
  ["date", "2024-02-29"],
  ["timestamptz", "2024-01-02T03:04:05.678Z", "2024-01-02 03:04:05.678+00"],
  ["int[]", "{1,NULL,3}"],
  ["text", null],
  ["int8", null],
];

testEverywhere("every type of value comes back as it went", async ({ db, server }) => {
  await server.db.query(`ALTER DATABASE ${server.db.name} SET timezone = 'UTC'`);
  const sql = `SELECT ${values.map(([type], i) => `$${i + 1}::${type} AS c${i}`).join(", ")}`;
  const { columns, rows, rowsAffected } = await db.execute({ sql, params: values.map(([, value]) => value) });
  assertEquals(columns, values.map((_, i) => `c${i}`));
  for (const [i, one] of values.entries()) {
    const type = one[0];
    const back = one.length === 3 ? one[2] : one[1];
    assert(back instanceof Uint8Array || Object.is(rows[0]![i], back), `${type} ${i}: ${String(rows[0]![i])}`);
    assertEquals<unknown>(rows[0]![i], back);
  }
  assertEquals(rowsAffected, 1);
});

testEverywhere("a value that cannot be kept is refused, and nothing is sent", async ({ db, server }) => {
  server.reset();
  for (const value of ["a\0b", "\ud800", undefined, {}, new ArrayBuffer(1), []]) {
    const one = stmt("SELECT $1", value as SqlValue);
    await assertRejects(() => db.execute(one), ValidationError, "value 1");
    if (db.batch) await assertRejects(() => db.batch!([one]), ValidationError);
  }
  await assertRejects(() => db.execute(stmt("SELECT '\0'")), ValidationError);
  assertEquals(server.requests, 0);
});

testEverywhere("execute() counts rows and names columns, doubled ones too", async ({ db }) => {
  assertEquals(await db.execute(table), { columns: [], rows: [], rowsAffected: 0 });
  assertEquals((await db.execute(stmt("INSERT INTO t SELECT n, 'x' FROM generate_series(1, 3) n"))).rowsAffected, 3);
  assertEquals((await db.execute(stmt("UPDATE t SET v = 'y' WHERE id > 1"))).rowsAffected, 2);
  assertEquals(await db.execute(stmt("DELETE FROM t WHERE id = 1 RETURNING id, v, id")), {
    columns: ["id", "v", "id"],
    rows: [[1, "x", 1]],
    rowsAffected: 1,
  });
  assertEquals((await db.execute(stmt("SELECT id FROM t ORDER BY id"))).rows, [[2], [3]]);
  assertEquals(await db.execute(stmt("SELECT id FROM t WHERE false")), { columns: ["id"], rows: [], rowsAffected: 0 });
});

testEverywhere("a statement takes one request", async ({ db, server }, setup) => {
  server.reset();
  await db.execute(table);
  await Promise.all([insert(1), insert(2), insert(3)].map((one) => db.execute(one)));
  assertEquals([server.requests, server.statements, server.control], [4, 4, 0]);
  if (withHttp.includes(setup)) assertEquals(server.connections, 0);
  if (setup === "url, WebSocket only") assertEquals(server.connections, 4);
});

testEverywhere("batch() takes one request, and is one transaction", async ({ db, server }) => {
  await db.batch!([table, insert(1)]);
  server.reset();
  const results = await db.batch!([insert(2), stmt("SELECT id, v FROM t ORDER BY id"), stmt("DELETE FROM t")]);
  assertEquals(results.map(({ rows }) => rows), [[], [[1, ""], [2, ""]], []]);
  assertEquals(results.map(({ rowsAffected }) => rowsAffected), [1, 2, 2]);
  const error = await rejection(db.batch!([insert(3), insert(4), insert(3), insert(5)]));
  assertInstanceOf(error, UniqueViolationError);
  assertEquals(error.statementIndex, undefined); // The proxy does not tell.
  assertEquals(await server.db.query("SELECT * FROM t"), []);
  assertEquals([server.requests, server.connections], [2, 0]);
  assertEquals(await db.batch!([]), []);
  assertEquals(server.requests, 2);
}, withHttp);

testEverywhere("batch() honours isolation, readOnly and deferrable", async ({ db, server }) => {
  const show = ["isolation", "read_only", "deferrable"].map((name) => stmt(`SHOW transaction_${name}`));
  const seen = async (options: Parameters<NonNullable<typeof db.batch>>[1]) =>
    (await db.batch!(show, options)).map(({ rows }) => rows[0]![0]);
  for (const isolation of db.capabilities.isolation) assertEquals(await seen({ isolation }), [isolation, "off", "off"]);
  const options = { isolation: "serializable", readOnly: true } as const;
  assertEquals(await seen(options), ["serializable", "on", "off"]);
  assertEquals(await seen({ ...options, deferrable: true }), ["serializable", "on", "on"]);
  await server.db.query(`ALTER DATABASE ${server.db.name} SET default_transaction_read_only = on`);
  await server.db.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()" +
      " AND datname = current_database()",
  );
  assertEquals(await rejection(seen({})) instanceof Error, true); // The front's connection was ended.
  assertEquals(await seen({}), ["read committed", "on", "off"]);
  assertEquals(await seen({ readOnly: false }), ["read committed", "off", "off"]);
}, withHttp);

testEverywhere("connect() honours isolation, readOnly and deferrable", async ({ db }) => {
  const show = ["isolation", "read_only", "deferrable"].map((name) => stmt(`SHOW transaction_${name}`));
  const seen = async (options: Parameters<typeof db.connect>[0]) => {
    const connection = await db.connect(options);
    return (await connection.commit(show)).map(({ rows }) => rows[0]![0]);
  };
  for (const isolation of db.capabilities.isolation) assertEquals(await seen({ isolation }), [isolation, "off", "off"]);
  assertEquals(
    await seen({ isolation: "serializable", readOnly: true, deferrable: true }),
    ["serializable", "on", "on"],
  );
}, withSockets);

testEverywhere("options of a transaction that cannot be honoured are refused", async ({ db, server }) => {
  server.reset();
  const calls = [
    ...(db.batch ? [(options: object) => db.batch!([stmt("SELECT 1")], options)] : []),
    ...(db.capabilities.interactive ? [(options: object) => db.connect(options)] : []),
  ];
  for (const call of calls) {
    await assertRejects(() => call({ isolation: "chaos" }), ValidationError, "chaos");
    await assertRejects(() => call({ deferrable: true }), UnsupportedError, "serializable");
  }
  if (db.batch) await assertRejects(() => db.batch!([insert(1)], { readOnly: true }), ValidationError, "read-only");
  assertEquals(server.requests, 0);
});

const endings = [
  ...["BEGIN", "START TRANSACTION", "COMMIT", "COMMIT AND CHAIN", "END", "ABORT", "ROLLBACK"],
  ...["/* a */ commit", "-- a\nRollback work", "/* /* */ */ COMMIT", "PREPARE TRANSACTION 'x'", ";;COMMIT"],
];

testEverywhere("what begins or ends a transaction is refused", async ({ db, server }) => {
  await db.execute(table);
  server.reset();
  for (const sql of endings) {
    await assertRejects(() => db.execute(stmt(sql)), StatementError, "would begin or end a transaction");
    if (!db.batch) continue;
    const error = await rejection(db.batch([insert(1), stmt(sql)]));
    assertInstanceOf(error, StatementError, sql);
    assertEquals(error.statementIndex, 1);
  }
  assertEquals(server.requests, 0);
});

testEverywhere("savepoints work in a batch", async ({ db }) => {
  await db.batch!([table, stmt("SAVEPOINT a"), insert(1), stmt("ROLLBACK TO SAVEPOINT a"), insert(2)]);
  assertEquals((await db.execute(stmt("SELECT id FROM t"))).rows, [[2]]);
}, withHttp);

testEverywhere("two statements in a text are refused by the server", async ({ db }) => {
  const error = await rejection(db.execute(stmt("SELECT 1; SELECT 2"))) as DatabaseError;
  assertInstanceOf(error, StatementError);
  assertEquals(error.driverCode, "42601");
});

testEverywhere("capabilities tell what the set-up has", ({ db }, setup) => {
  const atomic = withHttp.includes(setup);
  const interactive = withSockets.includes(setup);
  assertEquals(db.dialect.name, "postgres");
  assertEquals(db.batch !== undefined, atomic);
  assertEquals([db.capabilities.batch, db.capabilities.interactive, db.capabilities.savepoints], [
    atomic ? "atomic" : "stepwise",
    interactive,
    interactive,
  ]);
  return Promise.resolve();
});

testEverywhere("connect() without WebSockets names the two ways out", async ({ db, server }) => {
  server.reset();
  const error = await rejection(db.connect());
  assertInstanceOf(error, UnsupportedError);
  for (const words of ["connect()", "Pool", "webSocket: false", "batch()"]) {
    assert(error.message.includes(words), words);
  }
  assertEquals(server.requests, 0);
}, setups.filter((setup) => !withSockets.includes(setup)));

Deno.test("a handed-in function keeps the options it was made with, and gives what Ledge needs", async () => {
  await using server = await startNeon();
  const sql = createSql(server.url, { isolationLevel: "RepeatableRead", readOnly: true, arrayMode: false });
  await using db = neon(sql);
  const show = [stmt("SHOW transaction_isolation"), stmt("SHOW transaction_read_only")];
  assertEquals((await db.batch!(show)).map(({ rows }) => rows), [[["repeatable read"]], [["on"]]]);
  const other = await db.batch!(show, { isolation: "serializable", readOnly: false });
  assertEquals(other.map(({ rows }) => rows), [[["serializable"]], [["off"]]]);
  assertEquals((await db.execute(stmt("SELECT 2::int8 ^ 1, 9007199254740993"))).rows, [[2, 9007199254740993n]]);
});

Deno.test("what is handed in is left open", async () => {
  await using server = await startNeon();
  const pool = new Pool({ connectionString: server.url });
  const db = neon(pool);
  await db.execute(stmt("SELECT 1"));
  await db.close();
  assertEquals((await pool.query("SELECT 1 AS one")).rows, [{ one: 1 }]);
  await pool.end();
  await server.settled();
});

testEverywhere("rows of a size are read whole", async ({ db }) => {
  const long = "x".repeat(200_000);
  const { rows } = await db.execute(stmt("SELECT n, $1::text || n FROM generate_series(1, 20) n", long));
  assertEquals(rows.length, 20);
  assertEquals(rows[19], [20, `${long}20`]);
}, ["url", ...withoutHttp]);
