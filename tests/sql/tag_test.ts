import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ValidationError } from "../../src/errors.ts";
import { sqlite } from "../../src/sql/sqlite.ts";
import { preview, sql, toStatement } from "../../src/sql/tag.ts";
import { Engine } from "./fixtures.ts";

Deno.test("sql`` binds every value and inserts fragments as they are", () => {
  const cheap = sql`price < ${10}`;
  assertEquals(toStatement(sql`SELECT * FROM ${sql.id("my books")} WHERE ${cheap} AND title = ${"x"}`, sqlite), {
    sql: 'SELECT * FROM "my books" WHERE price < ? AND title = ?',
    params: [10, "x"],
  });
});

Deno.test("sql.join() joins values and fragments with a separator", () => {
  assertEquals(toStatement(sql`a IN (${sql.join([1, sql.raw("b"), "c"])})`, sqlite), {
    sql: "a IN (?, b, ?)",
    params: [1, "c"],
  });
  assertEquals(toStatement(sql.join([sql`a = ${1}`, sql`b = ${2}`], sql` OR `), sqlite).sql, "a = ? OR b = ?");
  assertEquals(toStatement(sql`(${sql.join([])})`, sqlite).sql, "()");
});

Deno.test("sql.id() quotes each name and refuses none at all", () => {
  assertEquals(toStatement(sql.id("a", 'b"c'), sqlite).sql, '"a"."b""c"');
  assertThrows(() => sql.id(), ValidationError, "at least one name");
});

Deno.test("sql.raw() inserts text as it is, and binds nothing", () => {
  assertEquals(toStatement(sql`SELECT ${sql.raw("count(*)")} FROM t WHERE a = ${1} ${sql.raw("")}`, sqlite), {
    sql: "SELECT count(*) FROM t WHERE a = ? ",
    params: [1],
  });
});

Deno.test("toStatement() names the fragment, not the value, when a value is refused", () => {
  const error = assertThrows(() => toStatement(sql`a = ${{ secret: "hunter2" }}`, sqlite));
  assertInstanceOf(error, ValidationError);
  assertEquals(
    error.message,
    "A value in sql`a = ?` must be a value that SQL can hold, got an object; for a json value: pass JSON.stringify(value)",
  );
});

Deno.test("preview() shortens long text and shows values as ?", () => {
  assertEquals(preview(sql`a = ${1} AND ${sql.id("b")} = 2`), "a = ? AND b = 2");
  assertEquals(preview(sql.raw("x".repeat(100))).length, 60);
});

Deno.test("sql`` never lets a value become SQL text", async () => {
  using engine = new Engine();
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\0")), async (text) => {
      const statement = toStatement(sql`SELECT ${text}, ${`'; DROP TABLE a; --${text}`}`, sqlite);
      assertEquals(await engine.query(statement.sql, ...statement.params), [[text, `'; DROP TABLE a; --${text}`]]);
    }),
  );
});
