import { Client } from "@planetscale/database";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { failure, open, test } from "./planetscale_kit.ts";

const columns: readonly [declared: string, type: string, literal: string, value: unknown][] = [
  ["tinyint", "INT8", "-128", -128],
  ["tinyint unsigned", "UINT8", "255", 255],
  ["smallint", "INT16", "-32768", -32768],
  ["smallint unsigned", "UINT16", "65535", 65535],
  ["mediumint", "INT24", "-8388608", -8388608],
  ["mediumint unsigned", "UINT24", "16777215", 16777215],
  ["int", "INT32", "-2147483648", -2147483648],
  ["int unsigned", "UINT32", "4294967295", 4294967295],
  ["bigint", "INT64", "-9223372036854775808", "-9223372036854775808"],
  ["bigint unsigned", "UINT64", "18446744073709551615", "18446744073709551615"],
  [
    "decimal(40,20)",
    "DECIMAL",
    "12345678901234567890.12345678901234567890",
    "12345678901234567890.12345678901234567890",
  ],
  ["float", "FLOAT32", "1.5", 1.5],
  ["double", "FLOAT64", "2.2250738585072014e-308", 2.2250738585072014e-308],
  ["bit(9)", "BIT", "b'100000001'", new Uint8Array([1, 1])],
  ["date", "DATE", "'2024-02-29'", "2024-02-29"],
  ["datetime(6)", "DATETIME", "'9999-12-31 23:59:59.999999'", "9999-12-31 23:59:59.999999"],
  ["timestamp(3)", "TIMESTAMP", "'2024-01-02 03:04:05.678'", "2024-01-02 03:04:05.678"],
  ["time(3)", "TIME", "'-838:59:58.999'", "-838:59:58.999"],
  ["year", "YEAR", "2024", 2024],
  ["char(10)", "CHAR", "'é😀'", "é😀"],
  ["varchar(10)", "VARCHAR", "'a\\0b''\"\\\\'", "a\0b'\"\\"],
  ["text", "TEXT", "''", ""],
  ["varchar(10) COLLATE utf8mb4_bin", "VARBINARY", "'é'", "é"],
  ["binary(3)", "BINARY", "x'00ff'", new Uint8Array([0, 255, 0])],
  ["varbinary(9)", "VARBINARY", "x'00ff27c3'", new Uint8Array([0, 255, 39, 195])],
  ["blob", "BLOB", "x'80'", new Uint8Array([128])],
  ["enum('a','é')", "ENUM", "'é'", "é"],
  ["set('a','b')", "SET", "'a,b'", "a,b"],
  ["json", "TEXT", `'{"a": [1, "é"]}'`, '{"a": [1, "é"]}'],
];

test("every type has Vitess's name, and its value comes back as it is", async () => {
  await using it = await open();
  await it.front.run(`CREATE TABLE c (${columns.map(([declared], i) => `c${i} ${declared} NULL`)})`);
  await it.client.execute(`INSERT INTO c VALUES (${columns.map(([, , literal]) => literal)})`);
  await it.client.execute("INSERT INTO c VALUES ()");
  const { fields, rows } = await it.client.execute("SELECT * FROM c", null, { as: "array" });
  assertEquals(
    fields.map(({ type }, i) => [columns[i]![0], type]),
    columns.map(([declared, type]) => [declared, type]),
  );
  assertEquals(rows[0], columns.map(([, , , value]) => value));
  assertEquals(rows[1], columns.map(() => null));
  assertEquals([fields[0]!.table, fields[0]!.orgName, fields[0]!.charset], ["c", "c0", 63]);
  const { types } = await it.client.execute("SELECT NULL n, 1 + 1 i, 'x' s");
  assertEquals(types, { n: "NULL", i: "INT32", s: "VARCHAR" });
});

test("a JSON column is called JSON where that is asked for", async () => {
  await using it = await open({ json: "JSON" });
  await it.front.run("CREATE TABLE j (v json)");
  await it.client.execute("INSERT INTO j VALUES (?)", [JSON.stringify({ a: [1, "é"] })]);
  const { rows, types } = await it.client.execute("SELECT v FROM j");
  assertEquals([rows, types], [[{ v: { a: [1, "é"] } }], { v: "JSON" }]);
});

test("parameters that the driver formats come back unchanged, text and bytes", async () => {
  await using it = await open();
  const texts = ["", "'", '"', "\\", "\0", "\n\r\t\b\x1a", "%_", "é😀", "?", "--", "'; DROP TABLE t; --", "\\'"];
  for (const text of texts) {
    const { rows } = await it.client.execute("SELECT ? v", [text]);
    assertEquals(rows, [{ v: text }]);
  }
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  assertEquals((await it.client.execute("SELECT ? v", [bytes])).rows, [{ v: bytes }]);
  assertEquals([it.front.requests, it.front.statements, it.front.control], [13, 13, 0]);
});

test("a write tells the rows it found and the first of its ids", async () => {
  await using it = await open();
  const inserted = await it.client.execute("INSERT INTO t (v) VALUES ('a'), ('b')");
  assertEquals([inserted.rowsAffected, inserted.insertId, inserted.rows], [2, "1", []]);
  assertEquals((await it.client.execute("UPDATE t SET v = v")).rowsAffected, 2);
  assertEquals((await it.client.execute("SELECT 1 FROM t WHERE id = 9")).insertId, "0");
  await using changed = await open({ foundRows: false });
  await changed.client.execute("INSERT INTO t (v) VALUES ('a')");
  assertEquals((await changed.client.execute("UPDATE t SET v = v")).rowsAffected, 0);
});

test("LAST_INSERT_ID() is the session's, whichever connection it runs on", async () => {
  await using it = await open();
  const [one, two] = [it.client.connection(), it.client.connection()];
  await one.execute("INSERT INTO t (v) VALUES ('a')");
  await two.execute("INSERT INTO t (v) VALUES ('b')");
  assertEquals((await one.execute("SELECT LAST_INSERT_ID() id")).rows, [{ id: "1" }]);
});

test("settings hold in every session", async () => {
  await using it = await open({ settings: { sql_mode: "ANSI_QUOTES", auto_increment_increment: 3 } });
  await it.client.execute(`INSERT INTO "t" (v) VALUES ('a'), ('b')`);
  assertEquals(await it.front.run("SELECT id FROM t ORDER BY id"), [{ id: 1 }, { id: 4 }]);
});

test("a wrong password is refused with 401, and nothing runs", async () => {
  await using it = await open();
  const url = new URL(it.front.url);
  url.password = "wrong";
  const error = await failure(new Client({ url: url.href }).execute("DELETE FROM t"));
  assertEquals([error.status, error.body.code], [401, "unauthenticated"]);
  assertEquals([it.front.requests, it.front.statements, it.front.sql], [1, 0, []]);
});

test("errors of the database are told as vtgate tells them, with no value in the text", async () => {
  await using it = await open();
  await it.client.execute("INSERT INTO t (v) VALUES ('a')");
  const duplicate = await failure(it.client.execute("INSERT INTO t (v) VALUES (?)", ["a"]));
  assertEquals([duplicate.status, duplicate.body.code], [400, "UNKNOWN"]);
  assertEquals(
    duplicate.message,
    `target: ${it.front.db.name}.-.primary: vttablet: rpc error: code = AlreadyExists desc = Duplicate entry 'a' ` +
      "for key 'v' (errno 1062) (sqlstate 23000) (CallerID: ledge): " +
      'Sql: "INSERT INTO t (v) VALUES (:vtg1)", BindVars: {REDACTED}',
  );
  assertStringIncludes((await failure(it.client.execute("SELECT * FROM nowhere"))).message, "(errno 1146)");
  await using named = await open({ codes: "grpc" });
  assertEquals((await failure(named.client.execute("SELECT * FROM nowhere"))).body.code, "NOT_FOUND");
});

test("one text holds one statement, and what vtgate does not read is a syntax error", async () => {
  await using it = await open();
  const two = await failure(it.client.execute("SELECT 1; DELETE FROM t"));
  assertEquals([two.message, two.body.code], ["syntax error at position 17 near 'DELETE'", "INVALID_ARGUMENT"]);
  for (const text of ["SELEC 1", "COMMIT AND CHAIN", "COMMIT; SELECT 1", "XA START 'x'"]) {
    assertStringIncludes((await failure(it.client.execute(text))).message, "syntax error at position");
  }
  assertEquals((await it.client.execute("SELECT 1 one;")).rows, [{ one: 1 }]);
});

test("latency is added to every request", async () => {
  await using it = await open({ latency: 60 });
  const started = performance.now();
  await it.client.execute("SELECT 1");
  await it.client.execute("SELECT 1");
  assert(performance.now() - started >= 120);
  it.front.reset();
  assertEquals([it.front.requests, it.front.log.length, it.front.bytesIn], [0, 0, 0]);
});

test("a result of too many rows is refused", async () => {
  await using it = await open({ maxRows: 2 });
  await it.client.execute("INSERT INTO t () VALUES (), (), ()");
  assertStringIncludes(
    (await failure(it.client.execute("SELECT * FROM t"))).message,
    "Row count exceeded 2 (errno 10001)",
  );
});
