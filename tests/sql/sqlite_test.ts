import { createTable, dropTable } from "../../src/sql/sqlite_ddl.ts";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { UnsupportedError, ValidationError } from "../../src/errors.ts";
import { sqlite } from "../../src/sql/sqlite.ts";
import type { SqlValue } from "../../src/sql/statement.ts";
import { sql, toStatement } from "../../src/sql/tag.ts";
import { columns, Engine, table } from "./fixtures.ts";

Deno.test("quote() makes any name an identifier", async () => {
  using engine = new Engine();
  const name = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !text.includes("\0"));
  await fc.assert(fc.asyncProperty(name, async (text) => {
    const quoted = sqlite.quote(text);
    const [row] = await engine.query(`SELECT ${quoted} FROM (SELECT 7 AS ${quoted})`);
    assertEquals(row, [7]);
  }));
  assertEquals(sqlite.quote('a"; DROP TABLE b; --'), '"a""; DROP TABLE b; --"');
});

Deno.test("quote() refuses an empty name and one with NUL", () => {
  assertThrows(() => sqlite.quote(""), ValidationError, "must not be empty");
  assertThrows(() => sqlite.quote("a\0"), ValidationError, "NUL");
});

Deno.test("like() takes a backslash as the escape character", async () => {
  using engine = new Engine();
  const like = async (text: string, pattern: string) =>
    (await engine.query(`SELECT ${sqlite.like("?", "?")}`, text, pattern))[0]![0];
  assertEquals(await like("50%", "50\\%"), 1);
  assertEquals(await like("505", "50\\%"), 0);
  assertEquals(await like("505", "50%"), 1);
});

Deno.test("match() finds exactly the text given, whatever is in it", async () => {
  using engine = new Engine();
  const char = fc.constantFrom("a", "A", "*", "?", "[", "]", "^", "-", "%", "_", "\\", "'", "é", "💥");
  const text = fc.string({ unit: char, maxLength: 6 });
  const how = fc.constantFrom("startsWith" as const, "endsWith" as const, "contains" as const);
  await fc.assert(
    fc.asyncProperty(text, fc.string({ unit: char, maxLength: 2 }), how, async (whole, part, how) => {
      const params: SqlValue[] = [whole];
      const condition = sqlite.match("?", how, part, params);
      const wanted = how === "contains" ? whole.includes(part) : whole[how](part);
      assertEquals(await engine.query(`SELECT ${condition}`, ...params), [[wanted ? 1 : 0]]);
    }),
    { numRuns: 500 },
  );
});

Deno.test("limit() needs a limit for an offset alone", async () => {
  using engine = new Engine();
  const cases: [number | null, number | null, string, number[]][] = [
    [null, null, "", [1, 2, 3]],
    [2, null, " LIMIT ?", [1, 2]],
    [null, 1, " LIMIT -1 OFFSET ?", [2, 3]],
    [1, 1, " LIMIT ? OFFSET ?", [2]],
  ];
  for (const [limit, offset, text, wanted] of cases) {
    const params: SqlValue[] = [];
    assertEquals(sqlite.limit(limit, offset, params), text);
    const rows = await engine.query(`SELECT column1 FROM (VALUES (1), (2), (3))${text}`, ...params);
    assertEquals(rows.map(([value]) => value), wanted);
  }
});

Deno.test("inList() is the same text for any number of values and takes tuples", async () => {
  using engine = new Engine();
  const item = table("item", {
    a: { type: "bigint", primaryKey: true },
    b: { type: "text", primaryKey: true },
    c: { type: "bytes" },
  });
  await engine.create(item);
  const [a, b, c] = columns(item, "a", "b", "c");
  const big = 2n ** 62n + 1n;
  await engine.query("INSERT INTO item VALUES (?, ?, ?)", big, "1", new Uint8Array([1]));
  await engine.query("INSERT INTO item VALUES (?, ?, ?)", 2n, "x'y", new Uint8Array([2]));
  await engine.query("INSERT INTO item VALUES (?, ?, ?)", 3n, "z", new Uint8Array([3]));
  const count = async (left: string, of: typeof item.columns, values: SqlValue[][]) => {
    const params: SqlValue[] = [];
    const text = sqlite.inList(of, values, params);
    const rows = await engine.query(`SELECT count(*) FROM item WHERE ${left} IN ${text}`, ...params);
    return [text, rows[0]![0]];
  };
  const many = "(SELECT CAST(value AS INTEGER) FROM json_each(?))";
  assertEquals(await count('"a"', [a!], []), [many, 0]);
  assertEquals(await count('"a"', [a!], [[big]]), ["(?)", 1]);
  assertEquals(await count('"a"', [a!], [[big], [2n]]), [many, 2]);
  assertEquals(await count('"a"', [a!], [[big - 1n], [2n], [3n], [4n]]), [many, 2]);
  assertEquals(await count('"b"', [b!], [["1"], ["x'y"], ["no"]]), ["(SELECT value FROM json_each(?))", 2]);
  assertEquals(await count('"c"', [c!], [[new Uint8Array([1])], [new Uint8Array([3])]]), ["(?, ?)", 2]);
  assertEquals((await count('("a", "b")', [a!, b!], [[big, "1"]]))[1], 1);
  assertEquals((await count('("a", "b")', [a!, b!], [[big, "1"], [2n, "z"]]))[1], 1);
  const bytes = [[2n, new Uint8Array([2])], [3n, new Uint8Array([3])], [3n, new Uint8Array([4])]];
  assertEquals(await count('("a", "c")', [a!, c!], bytes), ["(VALUES (?, ?), (?, ?), (?, ?))", 2]);
});

Deno.test("isOrdered() is false for what SQLite keeps as text but does not compare as text", () => {
  assertEquals(sqlite.isOrdered({ name: "decimal" }), false);
  assertEquals(sqlite.isOrdered({ name: "json" }), false);
  assertEquals(sqlite.isOrdered({ name: "timestamp" }), true);
});

Deno.test("guardFailure() reads a guard's token out of any message, and nothing else", () => {
  assertEquals(sqlite.guardFailure("SQLITE_ERROR: bad JSON path: 'ledge:stale:2:17:3'"), {
    kind: "stale",
    step: 2,
    row: 17,
    count: 3,
  });
  assertEquals(sqlite.guardFailure("JSON path error near 'ledge:require:12'"), { kind: "require", step: 12 });
  assertEquals(sqlite.guardFailure("bad JSON path: 'ledge:stale:x'"), null);
  assertEquals(sqlite.guardFailure("UNIQUE constraint failed: a.b"), null);
});

Deno.test("createTable() makes the columns, keys and constraints that were declared", async () => {
  using engine = new Engine();
  const author = table("author", {
    id: { type: "identity" },
    email: { type: "text", unique: true },
    since: { type: "timestamp", serverDefault: sql`CURRENT_TIMESTAMP` },
    loud: { type: "text", nullable: true, generated: sql`upper(${sql.id("email")})` },
    kind: { type: { name: "enumeration", values: ["it's", "b"] }, serverDefault: sql`'b'` },
  });
  const book = table("book", {
    shelf: { type: "integer", primaryKey: true },
    slot: { type: { name: "varchar", length: 4 }, primaryKey: true },
    price: { type: { name: "decimal" } },
    author: { type: "integer", nullable: true },
  }, { author });
  const cascading = { ...book, foreignKeys: book.foreignKeys.map((one) => ({ ...one, onDelete: "cascade" as const })) };
  await engine.create(author, cascading);
  assertEquals(await engine.query("INSERT INTO author (email) VALUES ('a@b') RETURNING id, loud, kind"), [[
    1,
    "A@B",
    "b",
  ]]);
  await engine.query("INSERT INTO book VALUES (1, 'a', '1.50', 1)");
  assertEquals(await engine.query("SELECT price, typeof(price) FROM book"), [["1.50", "text"]]);
  await assertRejects(() => engine.query("INSERT INTO author (email) VALUES ('a@b')"), Error, "UNIQUE");
  await assertRejects(() => engine.query("INSERT INTO author (email, kind) VALUES ('c', 'z')"), Error, "CHECK");
  await assertRejects(() => engine.query("INSERT INTO author (email) VALUES (NULL)"), Error, "NOT NULL");
  await assertRejects(() => engine.query("INSERT INTO book VALUES (1, 'a', '2', NULL)"), Error, "UNIQUE");
  await assertRejects(() => engine.query("INSERT INTO book VALUES (2, 'a', '2', 9)"), Error, "FOREIGN KEY");
  await engine.query("DELETE FROM author");
  assertEquals(await engine.query("SELECT count(*) FROM book"), [[0]]);
  await engine.query("INSERT INTO author (email) VALUES ('c@d')");
  assertEquals(await engine.query("SELECT id FROM author"), [[2]], "the key of a deleted row is not given again");
});

Deno.test("createTable() refuses what SQLite cannot have", () => {
  const bound = table("t", { id: { type: "identity" }, n: { type: "integer", serverDefault: sql`${5} + 1` } });
  assertThrows(() => createTable(bound, sqlite), ValidationError, "T.n: the serverDefault sql`? + 1` has bound values");
  const elsewhere = { ...table("t", { id: { type: "identity" } }), schema: "s" };
  assertThrows(() => createTable(elsewhere, sqlite), UnsupportedError, "SQLite has no schemas");
  const list = table("t", { id: { type: "identity" }, n: { type: { name: "array", of: { name: "text" } } } });
  assertThrows(() => createTable(list, sqlite), UnsupportedError, "T.n: SQLite has no arrays");
  const two = table("t", { id: { type: "identity" }, other: { type: "integer", primaryKey: true } });
  assertThrows(() => createTable(two, sqlite), UnsupportedError, "must be the only key");
});

Deno.test("dropTable() drops the table whether it is there or not", async () => {
  using engine = new Engine();
  const gone = table('odd "name"', { id: { type: "identity" } });
  await engine.create(gone);
  await engine.run(...dropTable(gone, sqlite), ...dropTable(gone, sqlite));
  assertEquals(await engine.query("SELECT name FROM sqlite_master WHERE name LIKE 'odd%'"), []);
});

Deno.test("compile() makes a require that fails only when its condition does not hold", async () => {
  using engine = new Engine();
  await engine.query("CREATE TABLE stock (id INTEGER PRIMARY KEY, value INTEGER, n INTEGER)");
  await engine.query("INSERT INTO stock VALUES (1, 5, 0)");
  const holds = async (condition: ReturnType<typeof sql>) => {
    try {
      await engine.commit(
        { kind: "staged", statement: toStatement(sql`UPDATE stock SET n = n + 1`, sqlite) },
        { kind: "require", condition },
      );
      return true;
    } catch (error) {
      assertEquals(sqlite.guardFailure((error as Error).message), { kind: "require", step: 1 });
      return false;
    }
  };
  assertEquals(await holds(sql`1`), true);
  assertEquals(await holds(sql`(SELECT value FROM stock WHERE id = ${1}) >= ${5}`), true);
  assertEquals(await holds(sql`EXISTS (SELECT 1 FROM stock WHERE value = ${5} AND id = ${1})`), true);
  assertEquals(await engine.query("SELECT n FROM stock"), [[3]]);
  assertEquals(await holds(sql`0`), false);
  assertEquals(await holds(sql`NULL`), false);
  assertEquals(await holds(sql`${1} > ${2}`), false);
  assertEquals(await holds(sql`(SELECT value FROM stock WHERE id = ${2}) >= 5`), false);
  assertEquals(await engine.query("SELECT n FROM stock"), [[3]], "nothing of a failed batch stays");
  await assertRejects(() => engine.commit({ kind: "require", condition: sql`value > 3` }), Error, "no such column");
});
