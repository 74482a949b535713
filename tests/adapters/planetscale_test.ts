/** What the PlanetScale adapter runs and gives back, and what it costs. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Client } from "@planetscale/database";
import { planetscale } from "../../adapters/planetscale.ts";
import { castValue } from "../../adapters/planetscale/values.ts";
import { DataError, StatementError, UnsupportedError, ValidationError } from "../../src/errors.ts";
import type { SqlValue } from "../../src/sql/statement.ts";
import { startMariadb } from "../servers/mariadb.ts";
import { startFront } from "../servers/planetscale.ts";
import { stmt, test, testEverywhere } from "./planetscale_setups.ts";

const table = stmt("CREATE TABLE t (id INT PRIMARY KEY, v TEXT)");
const insert = (id: number, v = "") => stmt("INSERT INTO t VALUES (?, ?)", id, v);

const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
const values: readonly (readonly [type: string, SqlValue, SqlValue?])[] = [
  ["TINYINT", -128],
  ["SMALLINT UNSIGNED", 65_535],
  ["MEDIUMINT", -8_388_608],
  ["INT UNSIGNED", 4_294_967_295],
  ["BIGINT", Number.MAX_SAFE_INTEGER],
  ["BIGINT", 2n ** 53n],
  ["BIGINT", -(2n ** 63n)],
  ["BIGINT UNSIGNED", 2n ** 64n - 1n],
  ["BIGINT", 5n, 5],
  ["DOUBLE", 0.1],
  ["DOUBLE", -0, 0],
  ["DOUBLE", 5e-324],
  ["DOUBLE", 1.7976931348623157e308],
  ["DOUBLE", 1e21],
  ["FLOAT", 0.5],
  ["DECIMAL(39,9)", "123456789012345678901234567890.123456789"],
  ["DECIMAL(3,1)", 1.5, "1.5"],
  ["BOOLEAN", true, 1],
  ["BOOLEAN", false, 0],
  ["YEAR", 2024],
  ["BIT(64)", 2n ** 64n - 2n],
  ["BIT(9)", 257],
  ["TEXT", "é'\"\\`\u{1F600}\n\r\t\b\0\x1a%_:a @b ? -- # /*"],
  ["VARCHAR(20) COLLATE utf8mb4_bin", "a\\'é"],
  ["TEXT COLLATE utf8mb4_bin", "\ufeffmark"],
  ["CHAR(4) COLLATE utf8mb4_bin", "ab"],
  ["TEXT", ""],
  ["TEXT", "null"],
  ["BLOB", bytes],
  ["BLOB", new Uint8Array()],
  ["VARBINARY(256)", bytes],
  ["BINARY(4)", new Uint8Array([0, 255, 39, 92])],
  ["JSON", '{"a": [1, null, 12345678901234567890]}'],
  ["ENUM('a','b')", "b"],
  ["SET('a','b')", "a,b"],
  ["DATE", "2024-02-29"],
  ["TIME(3)", "-12:34:56.789"],
  ["DATETIME(6)", "2024-01-02 03:04:05.678901"],
  ["TEXT", null],
  ["BIGINT", null],
];

testEverywhere("every type of value comes back as it went", async ({ db }) => {
  const columns = values.map((_, i) => `c${i}`);
  await db.execute(stmt(`CREATE TABLE v (${values.map(([type], i) => `c${i} ${type}`).join(", ")})`));
  const marks = values.map(() => "?").join(", ");
  await db.execute({ sql: `INSERT INTO v VALUES (${marks})`, params: values.map(([, value]) => value) });
  const result = await db.execute(stmt("SELECT * FROM v"));
  assertEquals(result.columns, columns);
  for (const [i, one] of values.entries()) {
    const back = one.length === 3 ? one[2] : one[1];
    const found = result.rows[0]![i];
    assert(back instanceof Uint8Array || Object.is(found, back), `${one[0]} ${i}: ${String(found)}`);
    assertEquals<unknown>(found, back);
  }
  assertEquals(result.rowsAffected, 1);
});

testEverywhere("JSON stays the text that it is, also where the server has a type of its own", async ({ db }) => {
  const text = '{"a": 12345678901234567890, "b": "é"}';
  await db.execute(stmt("CREATE TABLE j (v JSON)"));
  await db.execute(stmt("INSERT INTO j VALUES (?)", text));
  assertEquals((await db.execute(stmt("SELECT v FROM j"))).rows, [[text]]);
}, { json: "JSON" });

testEverywhere("a value goes out once, and only for a placeholder", async ({ db, server }) => {
  const sql = "SELECT '?', \"?\", `?`.n, ? /* ? */, ? AS `:a?` -- ?\n FROM (SELECT 1 AS n) AS `?` # ?";
  const { columns, rows } = await db.execute(stmt(sql, "?", ":a ? '?' \\'"));
  assertEquals(rows, [["?", "?", 1, "?", ":a ? '?' \\'"]]);
  assertEquals(columns.at(-1), ":a?");
  assertEquals((await db.execute(stmt("SELECT?AND?OR?", 1, 0, 1))).rows, [[1]]);
  assertEquals(server.statements, 2);
});

testEverywhere("a value that cannot be kept is refused, and nothing is sent", async ({ db, server }) => {
  const connection = await db.connect();
  const refused = [
    "\ud800",
    undefined,
    {},
    new ArrayBuffer(1),
    [],
    ["x"],
    new Date(),
    NaN,
    Infinity,
    2n ** 64n,
    Symbol(),
  ];
  for (const value of refused) {
    const one = stmt("SELECT ?, ?", 1, value as SqlValue);
    const error = await assertRejects(() => db.execute(one), ValidationError, "value 2");
    assert(!error.message.includes("18446744073709551616"));
    await assertRejects(() => connection.execute(one), ValidationError);
  }
  await assertRejects(() => db.execute(stmt("SELECT '\ud800'")), ValidationError);
  assertEquals(server.requests, 0);
});

testEverywhere("too few and too many values are refused, and what would be read otherwise", async ({ db, server }) => {
  const refused: readonly (readonly [string, SqlValue[], string])[] = [
    ["SELECT ?", [], "1 placeholders and was given 0 values"],
    ["SELECT ?, ?", [1], "2 placeholders"],
    ["SELECT '?'", [1], "0 placeholders and was given 1 values"],
    ["SELECT ? 'alias'", ["a"], "a quoted text beside value 1"],
    ["SELECT 'a' ?", ["b"], "a quoted text beside value 1"],
    ["SELECT 'a' /* it's */ ?", ["b"], "a quoted text beside value 1"],
    ["SELECT ? -- c\n'alias'", ["b"], "a quoted text beside value 1"],
    ["SELECT 'a' # c\n ?", ["b"], "a quoted text beside value 1"],
    ["SELECT ?/**/?", ["a", "b"], "a quoted text beside value 2"],
    ["SELECT 'a' /*!40000 */ ?", ["b"], "a quoted text beside value 1"],
    ["SELECT ? ?", ["a", "b"], "a quoted text beside value 2"],
  ];
  for (const [sql, params, words] of refused) {
    await assertRejects(() => db.execute({ sql, params }), StatementError, words);
  }
  await assertRejects(() => db.execute(stmt("SELECT 1 /*!50000 , ? */", "*/")), ValidationError);
  assertEquals(server.requests, 0);
  // A quote in a comment is none, nor is a comment in a text.
  const { rows } = await db.execute(stmt("SELECT ? /* 'a' */ AS x, '-- a', ? -- 'b'\n AS y", "c", "d"));
  assertEquals(rows, [["c", "-- a", "d"]]);
});

testEverywhere("execute() counts rows, names columns, and tells the first key that was made", async ({ db }) => {
  assertEquals(await db.execute(table), { columns: [], rows: [], rowsAffected: 0 });
  assertEquals((await db.execute(stmt("INSERT INTO t VALUES (1, 'x'), (2, 'x'), (3, 'x')"))).rowsAffected, 3);
  assertEquals((await db.execute(stmt("UPDATE t SET v = 'y' WHERE id > 1"))).rowsAffected, 2);
  assertEquals((await db.execute(stmt("UPDATE t SET v = 'y' WHERE id > 1"))).rowsAffected, 2); // Found, though equal.
  assertEquals((await db.execute(stmt("DELETE FROM t WHERE id = 1"))).rowsAffected, 1);
  assertEquals(await db.execute(stmt("SELECT id, v, id FROM t ORDER BY id")), {
    columns: ["id", "v", "id"],
    rows: [[2, "y", 2], [3, "y", 3]],
    rowsAffected: 2,
  });
  assertEquals(await db.execute(stmt("SELECT id FROM t WHERE false")), { columns: ["id"], rows: [], rowsAffected: 0 });
  await db.execute(stmt("CREATE TABLE k (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, v INT)"));
  assertEquals((await db.execute(stmt("INSERT INTO k (v) VALUES (1), (2)"))).lastInsertId, 1);
  assertEquals((await db.execute(stmt("INSERT INTO k (v) VALUES (3)"))).lastInsertId, 3);
  await db.execute(stmt("ALTER TABLE k AUTO_INCREMENT = 9007199254740993"));
  assertEquals((await db.execute(stmt("INSERT INTO k (v) VALUES (4)"))).lastInsertId, 9007199254740993n);
});

testEverywhere("a statement takes one request, and no session is left", async ({ db, server }) => {
  await db.execute(table);
  await Promise.all([insert(1), insert(2), insert(3)].map((one) => db.execute(one)));
  assertEquals([server.requests, server.statements, server.control, server.sessions], [4, 4, 0, 0]);
  assertEquals(server.log.map(({ session }) => session), [null, null, null, null]);
});

testEverywhere("connect() honours isolation and readOnly", async ({ db }) => {
  const show = [stmt("SELECT @@transaction_isolation AS i"), stmt("SELECT @@transaction_read_only AS r")];
  const old = [stmt("SELECT @@tx_isolation AS i"), stmt("SELECT @@tx_read_only AS r")];
  const known = await db.execute(show[0]!).then(() => show, () => old); // MariaDB's names before version 11.
  for (const isolation of db.capabilities.isolation) {
    const connection = await db.connect({ isolation });
    const [level] = await connection.commit(known);
    assertEquals(level!.rows, [[isolation.toUpperCase().replaceAll(" ", "-")]]);
  }
  await db.execute(table);
  const connection = await db.connect({ readOnly: true, isolation: "serializable" });
  assertEquals((await connection.execute(stmt("SELECT count(*) FROM t"))).rows, [[0]]);
  await assertRejects(() => connection.execute(insert(1)), ValidationError, "read-only");
  await assertRejects(() => connection.commit([insert(1)]), ValidationError);
  // What is not seen in the text the server refuses.
  await db.execute(stmt("CREATE FUNCTION f() RETURNS INT BEGIN INSERT INTO t VALUES (1, 'f'); RETURN 1; END"));
  await assertRejects(() => connection.execute(stmt("SELECT f()")), StatementError, "READ ONLY");
  await connection.rollback();
  const writing = await db.connect({ readOnly: false });
  await writing.commit([insert(1)]);
  assertEquals((await db.execute(stmt("SELECT id FROM t"))).rows, [[1]]);
});

testEverywhere("options of a transaction that cannot be honoured are refused", async ({ db, server }) => {
  await assertRejects(() => db.connect({ isolation: "chaos" as "serializable" }), ValidationError, "chaos");
  await assertRejects(() => db.connect({ deferrable: true }), UnsupportedError, "deferrable");
  assertEquals(server.requests, 0);
});

const endings = [
  ...["BEGIN", "START TRANSACTION", "COMMIT", "COMMIT AND CHAIN", "ROLLBACK", "XA START 'x'", ";;COMMIT"],
  ...["/* a */ commit", "-- a\nRollback work", "# a\nCOMMIT", "/*! COMMIT */"],
];

testEverywhere("what begins or ends a transaction is refused", async ({ db, server }) => {
  for (const sql of endings) {
    await assertRejects(() => db.execute(stmt(sql)), StatementError, "would begin or end a transaction", sql);
  }
  assertEquals(server.requests, 0);
});

testEverywhere("two statements in a text are refused, a semicolon in one is not", async ({ db, server }) => {
  for (const sql of ["SELECT 1; SELECT 2", "SELECT '\\'; DELETE FROM t' ; DELETE FROM t"]) {
    await assertRejects(() => db.execute(stmt(sql)), StatementError, "several statements");
  }
  assertEquals(server.requests, 0);
  assertEquals((await db.execute(stmt("SELECT ';\\';', \";\";"))).rows, [[";';", ";"]]);
});

testEverywhere("capabilities tell what there is", ({ db }) => {
  assertEquals(db.dialect.name, "mysql");
  assertEquals(db.batch, undefined);
  const { batch, interactive, savepoints, readOnly, deferrable } = db.capabilities;
  assertEquals([batch, interactive, savepoints, readOnly, deferrable], ["stepwise", true, true, true, false]);
  return Promise.resolve();
});

test("a Client keeps what it was made with, and gives what Ledge needs", async () => {
  await using server = await startFront();
  const seen: string[] = [];
  const client = new Client({
    url: server.url,
    cast: () => "cast",
    format: () => "SELECT 'formatted'",
    fetch: (url, init) => {
      seen.push(url);
      return fetch(url, init as RequestInit);
    },
  });
  await using db = planetscale({ client, timeout: 60_000 });
  assertEquals((await db.execute(stmt("SELECT ?, 9007199254740993", "a"))).rows, [["a", 9007199254740993n]]);
  assertEquals(seen.length, 1);
  assertEquals((await client.execute("SELECT 1 AS one", [])).rows, [{ formatted: "cast" }]);
  const connection = await db.connect();
  await connection.execute(stmt("SELECT 1"));
  await connection.rollback();
  assertEquals(seen.length, 5);
});

testEverywhere("rows of a size are read whole", async ({ db }) => {
  const long = "é".repeat(100_000);
  const { rows } = await db.execute(stmt("SELECT seq, CONCAT(?, seq) FROM seq_1_to_20", long));
  assertEquals(rows.length, 20);
  assertEquals(rows[19], [20, `${long}20`]);
});

test("check() finds what would corrupt or miscount, and asks with one request", async () => {
  const strict = "STRICT_TRANS_TABLES";
  const found: readonly (readonly [Record<string, string | number>, number, string?])[] = [
    [{ sql_mode: strict }, 1],
    [{ sql_mode: `ANSI_QUOTES,STRICT_ALL_TABLES`, auto_increment_increment: 3 }, 3],
    [{ sql_mode: `${strict},NO_BACKSLASH_ESCAPES` }, 1, "NO_BACKSLASH_ESCAPES"],
    [{ sql_mode: "" }, 1, "no strict mode"],
    [{ sql_mode: strict, auto_increment_increment: 3 }, 1, "autoIncrementIncrement: 3"],
    [{ sql_mode: strict, character_set_connection: "latin1" }, 1, "character_set_connection is latin1"],
  ];
  for (const [settings, autoIncrementIncrement, words] of found) {
    await using server = await startFront({ settings });
    await using db = planetscale({ url: server.url, autoIncrementIncrement });
    if (words === undefined) await db.check();
    else await assertRejects(() => db.check(), UnsupportedError, words);
    assertEquals(server.requests, 1);
  }
});

test("check() finds a server that rolls back on a lock timeout", async () => {
  await using mariadb = await startMariadb({ own: true, settings: { innodb_rollback_on_timeout: "ON" } });
  await using server = await startFront({ database: await mariadb.createDatabase() });
  await using db = planetscale({ url: server.url });
  await assertRejects(() => db.check(), UnsupportedError, "innodb_rollback_on_timeout");
});

Deno.test("castValue() reads what no test server sends", () => {
  const field = (type: string, charset?: number | null) => ({ name: "c", type, charset });
  assertEquals(castValue(field("VARBINARY"), "\xff"), new Uint8Array([255]));
  assertEquals(castValue(field("VARBINARY", null), "\xff"), new Uint8Array([255]));
  assertEquals(castValue(field("VARCHAR"), "\xc3\xa9"), "é");
  assertEquals(castValue(field("VARBINARY", 46), "\xc3\xa9"), "é");
  assertEquals(castValue(field("NEW_TYPE", 63), "a"), new Uint8Array([97]));
  assertEquals(castValue(field("NULL"), null), null);
});

Deno.test("text that is not UTF-8 is a DataError that names its column", () => {
  const error = assertThrows(() => castValue({ name: "c", type: "TEXT", charset: 45 }, "\xff"), DataError);
  assert(error.message.includes('"c"'));
});
