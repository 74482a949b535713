import { createTable, dropTable } from "../../src/sql/mysql_ddl.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { UnsupportedError, ValidationError } from "../../src/errors.ts";
import { mysql } from "../../src/sql/mysql.ts";
import type { SqlValue } from "../../src/sql/statement.ts";
import type { ColumnInfo, TableInfo } from "../../src/sql/table.ts";
import { sql } from "../../src/sql/tag.ts";
import { columns, table } from "./fixtures.ts";
import { MysqlEngine, test } from "./mysql_engine.ts";
import { insert } from "./mysql_steps.ts";

const dialect = mysql();

const books = table("books", {
  id: { type: "identity" },
  title: { type: "text", unique: true },
  isbn: { type: { name: "varchar", length: 13 }, nullable: true },
  price: { type: { name: "decimal", precision: 8, scale: 2 }, nullable: true },
  rank: { type: "integer", nullable: true, serverDefault: sql`3 + 4` },
  kind: { type: { name: "enumeration", values: ["novel", "it's", "A", "a"] }, serverDefault: sql`'novel'` },
  made: { type: "timestamp", serverDefault: sql`CURRENT_TIMESTAMP(3)` },
  length: { type: "integer", generated: sql`char_length(title)` },
  cover: { type: "bytes", nullable: true },
});

Deno.test("mysql() refuses options that no server has", () => {
  for (const autoIncrementIncrement of [0, 1.5, 65_536, "2" as never]) {
    assertThrows(() => mysql({ autoIncrementIncrement }), ValidationError, "autoIncrementIncrement");
  }
  assertThrows(() => mysql({ guards: "none" as never }), ValidationError, "guards");
});

Deno.test("quote() doubles backticks and refuses what no identifier has", () => {
  assertEquals(dialect.quote('a`b"c'), '`a``b"c`');
  for (const name of ["", "a\0b"]) assertThrows(() => dialect.quote(name), ValidationError);
});

Deno.test("limit(), lock() and inList() write their clauses and bind their values", () => {
  const clause = (limit: number | null, offset: number | null): unknown => {
    const params: SqlValue[] = [];
    return [dialect.limit(limit, offset, params), ...params];
  };
  assertEquals([clause(null, null), clause(5, null), clause(5, 10), clause(null, 10)], [
    [""],
    [" LIMIT ?", 5],
    [" LIMIT ? OFFSET ?", 5, 10],
    [" LIMIT 18446744073709551615 OFFSET ?", 10],
  ]);
  assertEquals(
    [
      dialect.lock!({ mode: "update" }),
      dialect.lock!({ mode: "update", skipLocked: true }),
      dialect.lock!({ mode: "update", noWait: true }),
      dialect.lock!({ mode: "share" }),
    ],
    [" FOR UPDATE", " FOR UPDATE SKIP LOCKED", " FOR UPDATE NOWAIT", " LOCK IN SHARE MODE"],
  );
  assertThrows(() => dialect.lock!({ mode: "update", skipLocked: true, noWait: true }), ValidationError);
  assertThrows(() => dialect.lock!({ mode: "share", noWait: true }), UnsupportedError);
  assertThrows(() => dialect.lock!({ mode: "share", skipLocked: true }), UnsupportedError);
});

Deno.test("isOrdered() is true of what sorts as in JavaScript: not an ENUM, which sorts by its place", () => {
  const ordered = ["text", "integer", "bigint", "double", "decimal", "timestamp", "date", "uuid", "boolean"] as const;
  for (const name of ordered) assert(dialect.isOrdered({ name }), name);
  assert(!dialect.isOrdered({ name: "enumeration", values: ["b", "a"] }));
  assert(!dialect.isOrdered({ name: "json" }));
});

Deno.test("guardFailure() reads tokens, and knows a failed guard without one", () => {
  const failure = (message: string) => dialect.guardFailure(message);
  const wrapped =
    "rpc error: code = Unknown desc = Truncated incorrect INTEGER value: 'ledge:stale:2:7:1' (errno 1292)";
  assertEquals(failure(wrapped), { kind: "stale", step: 2, row: 7, count: 1 });
  assertEquals(failure("Subquery returns more than 1 row (errno 1242) (sqlstate 21000)"), { kind: "unnamed" });
  assertEquals(failure("Subquery returns more than 1 row"), { kind: "unnamed" });
  // A server may show the statement in its message.
  assertEquals(failure("Lost connection: UPDATE … CONCAT('ledge:stale:0:', v.ord, ':1')"), null);
  assertEquals(failure("Duplicate entry '1242' for key 'a'"), null);
});

test("createTable() makes every type, defaults, generated columns and checks; twice is once", async () => {
  await using engine = await MysqlEngine.open(books);
  await engine.create(books);
  await engine.commit(insert(books, ["title", "cover"], [["Édges", new Uint8Array([0])], ["édges", null]], 0));
  const [[rank, kind, length, price, recent]] = await engine.query(
    "SELECT rank, kind, length, price, abs(timestampdiff(SECOND, made, now(3))) < 100 FROM books",
  ) as [SqlValue[]];
  assertEquals([rank, kind, length, price, recent], [7, "novel", 5, null, 1]);
  await assertRejects(() => engine.query("INSERT INTO books (title, kind) VALUES ('x', 'poem')"), Error);
  await assertRejects(() => engine.query("INSERT INTO books (title) VALUES (NULL)"), Error);
  await assertRejects(() => engine.query("INSERT INTO books (title) VALUES ('édges')"), Error, "Duplicate");
  for (const { sql } of dropTable(books)) {
    await engine.query(sql);
    await engine.query(sql);
  }
});

test("text compares as in JavaScript: capital letters, accents and trailing spaces count", async () => {
  const words = table("words", { word: { type: "text", primaryKey: true }, more: { type: "text", nullable: true } });
  await using engine = await MysqlEngine.open(words);
  const all = ["a", "A", "á", "a ", "a\0", "z", "Z", "ß", "ss", "é", "😀", "", " "];
  await engine.commit(insert(words, ["word", "more"], all.map((word) => [word, word])));
  for (const column of ["word", "more"]) {
    for (const word of all) {
      assertEquals(await engine.query(`SELECT word FROM words WHERE ${column} = ?`, word), [[word]]);
    }
    assertEquals((await engine.query(`SELECT word FROM words ORDER BY ${column}`)).flat(), all.toSorted());
  }
});

test("match() and like() find text by its parts, whatever the column's collation", async () => {
  await using engine = await MysqlEngine.open();
  await engine.query(
    "CREATE TABLE words (a text COLLATE utf8mb4_general_ci, b varchar(30) CHARSET latin1, c char(30) CHARSET ascii)",
  );
  const all = ["100%", "100", "a_b", "aXb", "A_B", "back\\slash", "it's"];
  for (const word of all) await engine.query("INSERT INTO words VALUES (?, ?, ?)", word, word, word);
  const find = async (
    column: string,
    how: "startsWith" | "endsWith" | "contains",
    text: string,
  ): Promise<unknown[]> => {
    const params: SqlValue[] = [];
    const condition = dialect.match(column, how, text, params);
    return (await engine.query(`SELECT a FROM words WHERE ${condition} ORDER BY a`, ...params)).flat();
  };
  for (const column of ["a", "b", "c"]) {
    assertEquals(await find(column, "endsWith", "0%"), ["100%"]);
    assertEquals(await find(column, "contains", "a_b"), ["a_b"]);
    assertEquals(await find(column, "startsWith", "A"), ["A_B"]);
    assertEquals(await find(column, "contains", "\\"), ["back\\slash"]);
    assertEquals(await find(column, "contains", "é"), []);
  }
  const like = `SELECT count(*) FROM words WHERE ${dialect.like("a", "?")}`;
  assertEquals([await engine.query(like, "a\\_b"), await engine.query(like, "a_b")], [[[2]], [[3]]]);
});

test("inList() finds keys of one and of several columns, none and thousands", async () => {
  const pairs = table("pairs", {
    a: { type: "uuid", primaryKey: true },
    b: { type: { name: "decimal" }, primaryKey: true },
  });
  await using engine = await MysqlEngine.open(pairs);
  const uuid = crypto.randomUUID() as string;
  await engine.commit(insert(pairs, ["a", "b"], [[uuid, "12345678901234567.89"], [uuid, "2"]]));
  const count = async (
    of: readonly ColumnInfo[],
    values: readonly (readonly SqlValue[])[],
    not = "",
  ): Promise<unknown> => {
    const params: SqlValue[] = [];
    const list = dialect.inList(of, values, params);
    const left = of.length === 1 ? of[0]!.name : `(${of.map((column) => column.name).join(", ")})`;
    return (await engine.query(`SELECT count(*) FROM pairs WHERE ${left} ${not} IN ${list}`, ...params))[0]![0];
  };
  const [a, b] = pairs.columns;
  assertEquals(await count([a!], [[uuid], ["x"]]), 2);
  assertEquals(await count([b!], [["12345678901234567.88"], ["2.0"]]), 1);
  assertEquals(await count([a!, b!], [[uuid, "2"], [uuid, "3"]]), 1);
  assertEquals(await count([a!, b!], []), 0);
  assertEquals([await count([a!], []), await count([a!], [], "NOT")], [0, 2]);
  assertEquals(await count([a!], Array.from({ length: 20_000 }, () => [crypto.randomUUID()])), 0);
});

test("onConflict() updates or leaves the row with the same key, and fails on a conflict with another", async () => {
  const pages = table("pages", {
    id: { type: "identity" },
    site: { type: "text" },
    path: { type: "text" },
    short: { type: "text", nullable: true, unique: true },
    visits: { type: "integer" },
  });
  await using engine = await MysqlEngine.open(pages);
  await engine.query("ALTER TABLE pages ADD UNIQUE (site, path)");
  const put = (row: readonly SqlValue[], clause: string): Promise<unknown> =>
    engine.query(`INSERT INTO pages (site, path, short, visits) VALUES (?, ?, ?, ?)${clause}`, ...row);
  const target = ["`site`", "`path`"];
  const more = dialect.onConflict(target, [`visits = pages.visits + ${dialect.excluded("`visits`")}`]);
  const leave = dialect.onConflict(target, null);
  await put(["a", "x", "s", 1], more);
  await put(["a", "x", null, 5], more);
  await put(["a", "x", "s", 100], leave);
  await put(["b", "x", "t", 7], leave);
  const shown = "SELECT site, path, short, visits FROM pages ORDER BY id";
  const kept = [["a", "x", "s", 6], ["b", "x", "t", 7]];
  assertEquals(await engine.query(shown), kept);
  for (const mode of ["STRICT_TRANS_TABLES", ""]) {
    await engine.query("SET sql_mode = ?", mode);
    for (const clause of [more, leave]) {
      // The path is new; the short name is another row's.
      const error = await assertRejects(() => put(["c", "y", "t", 1], clause), Error);
      assert(/ledge:conflict|more than 1 row/.test(error.message), error.message);
      // Both conflict, with different rows: the one of the target is the one that the server finds, or it fails.
      await put(["a", "x", "t", 0], clause).catch(() => {});
    }
  }
  assertEquals(await engine.query(shown), kept);
});

test("the guard of onConflict() leaves the key as it is, whatever its type", async () => {
  const of = (type: ColumnInfo["type"]): TableInfo =>
    table("keyed", { key: { type, primaryKey: true }, n: { type: "integer" } });
  await using engine = await MysqlEngine.open();
  const cases: readonly (readonly [ColumnInfo["type"], SqlValue, SqlValue])[] = [
    [{ name: "double" }, 0.1, 0.1],
    [{ name: "bigint" }, 2n ** 63n - 1n, 2n ** 63n - 1n],
    [{ name: "decimal" }, "12345678901234567890.5", `12345678901234567890.5${"0".repeat(29)}`],
    [{ name: "bytes" }, new Uint8Array([0, 255, 39]), new Uint8Array([0, 255, 39])],
    [{ name: "text" }, "é' \0", "é' \0"],
    [{ name: "timestamp" }, "2024-01-02 03:04:05.678", "2024-01-02 03:04:05.678"],
  ];
  for (const [type, key, back] of cases) {
    const keyed = of(type);
    await engine.create(keyed);
    const clause = dialect.onConflict(["`key`"], ["n = keyed.n + 1"]);
    for (let i = 0; i < 2; i++) await engine.query(`INSERT INTO keyed (\`key\`, n) VALUES (?, 1)${clause}`, key);
    assertEquals(await engine.query("SELECT * FROM keyed"), [[back, 2]], type.name);
    for (const { sql } of dropTable(keyed)) await engine.query(sql);
  }
});

test("tables that refer to each other in a cycle are made, made again and dropped", async () => {
  const a: TableInfo = table("a", { id: { type: "identity" }, b: { type: "integer", nullable: true } });
  const b = table("b", { id: { type: "identity" }, a: { type: "integer", nullable: true } }, { a });
  (a.foreignKeys as unknown[]).push({ columns: columns(a, "b"), target: b, onDelete: "set null" });
  await using engine = await MysqlEngine.open(a, b);
  await engine.create(a, b);
  await assertRejects(() => engine.query("INSERT INTO a (b) VALUES (7)"), Error, "foreign key");
  await engine.query("INSERT INTO b () VALUES ()");
  await engine.query("INSERT INTO a (b) VALUES (1)");
  await engine.query("DELETE FROM b");
  assertEquals(await engine.query("SELECT b FROM a"), [[null]]);
  for (const { sql } of [b, a, b].flatMap((one) => dropTable(one))) await engine.query(sql);
  assertEquals([await engine.query("SHOW TABLES"), await engine.query("SELECT @@foreign_key_checks")], [[], [[1]]]);
});

Deno.test("createTable() refuses what MySQL cannot keep", () => {
  const make = (type: ColumnInfo["type"], more: Partial<ColumnInfo> = {}) => () =>
    createTable(table("odd", { id: { type: "integer", primaryKey: true }, it: { ...more, type } }), dialect);
  assertThrows(make({ name: "array", of: { name: "text" } }), UnsupportedError, "t.json()");
  assertThrows(make({ name: "decimal", precision: 66 }), UnsupportedError, "65 digits");
  assertThrows(make({ name: "decimal", precision: 40, scale: 31 }), UnsupportedError, "65 digits");
  assertThrows(make({ name: "identity" }, { primaryKey: true }), UnsupportedError, "the only key");
  for (const value of ["", "a ", "a\\b"]) {
    assertThrows(make({ name: "enumeration", values: ["x", value] }), ValidationError, "enumeration in MySQL");
  }
  assertThrows(make({ name: "text" }, { serverDefault: sql`${"x"}` }), ValidationError, "bound values");
});
