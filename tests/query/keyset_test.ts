import { assertEquals, assertThrows } from "@std/assert";
import { model, t, ValidationError } from "../../mod.ts";
import { mapperOf } from "../../src/model/mapper.ts";
import { keyOf, readCursor, totalOrder, writeAfter, writeCursor } from "../../src/query/keyset.ts";
import { selectAll } from "../../src/query/select_node.ts";
import { parseOrder } from "../../src/query/where.ts";
import { postgres } from "../../src/sql/postgres.ts";
import { sqlite } from "../../src/sql/sqlite.ts";
import type { Dialect } from "../../src/sql/dialect.ts";
import type { SqlValue } from "../../src/sql/statement.ts";

class Thing extends model("things", {
  id: t.bigint().primaryKey(),
  a: t.integer(),
  b: t.double().nullable(),
  raw: t.bytes(),
  flag: t.boolean(),
  at: t.timestamp(),
  text: t.text(),
}) {}

const mapper = mapperOf(Thing);
const order = (...items: object[]) =>
  totalOrder({ ...selectAll(mapper), order: items.flatMap((item) => parseOrder(item, mapper)) }, "page()");

function written(dialect: Dialect, values: readonly SqlValue[], ...items: object[]): [string, SqlValue[]] {
  const params: SqlValue[] = [];
  const text = writeAfter(order(...items), values, { dialect, mapper, params });
  return [text.replaceAll('"things".', ""), params];
}

Deno.test("writeAfter() of one column is one comparison", () => {
  assertEquals(written(sqlite, [5]), ['(("id" > ?))', [5]]);
  assertEquals(written(postgres, [5], { id: "desc" }), ['(("id" < $1))', [5]]);
});

Deno.test("writeAfter() of several columns bounds the first, so that an index on it helps", () => {
  assertEquals(written(postgres, [1, 5], { a: "desc" }), [
    '("a" <= $1 AND ("a" < $2 OR "a" = $3 AND "id" > $4))',
    [1, 1, 1, 5],
  ]);
});

Deno.test("writeAfter() follows where the database puts NULLs", () => {
  const [asc, desc] = [{ b: "asc" }, { b: "desc" }];
  assertEquals(written(sqlite, [1, 5], asc), ['(("b" > ? OR "b" = ? AND "id" > ?))', [1, 1, 5]]);
  assertEquals(written(sqlite, [null, 5], asc), ['(("b" IS NOT NULL OR "b" IS NULL AND "id" > ?))', [5]]);
  assertEquals(written(sqlite, [1, 5], desc), ['((("b" < ? OR "b" IS NULL) OR "b" = ? AND "id" > ?))', [1, 1, 5]]);
  assertEquals(written(sqlite, [null, 5], desc), ['(("b" IS NULL AND "id" > ?))', [5]]);
  assertEquals(written(postgres, [1, 5], asc), ['((("b" > $1 OR "b" IS NULL) OR "b" = $2 AND "id" > $3))', [1, 1, 5]]);
  assertEquals(written(postgres, [null, 5], asc), ['(("b" IS NULL AND "id" > $1))', [5]]);
  assertEquals(written(postgres, [null, 5], desc), ['(("b" IS NOT NULL OR "b" IS NULL AND "id" > $1))', [5]]);
});

Deno.test("writeCursor() and readCursor() keep values of every kind", () => {
  const all = order({ a: "asc", b: "asc", raw: "desc", flag: "asc", at: "asc", text: "asc" });
  const at = "2024-01-01 00:00:00.123456+00";
  const values = [1, Number.NaN, new Uint8Array([0, 255]), true, at, "ä 🦊 '\"", 9007199254740993n];
  const text = writeCursor(all, values);
  assertEquals(/^[\w-]+$/.test(text), true);
  assertEquals(readCursor(text, all, postgres), values);
  const row: SqlValue[] = [7n, 1, null, new Uint8Array(), false, at, ""];
  assertEquals(keyOf(order({ a: "asc" }), row), [1, 7n]);
  assertEquals(text.includes("things"), false);
});

Deno.test("readCursor() refuses what it did not make, and says so without showing it", () => {
  const own = order({ a: "asc" });
  const refuse = (cursor: unknown) =>
    assertThrows(() => readCursor(cursor, own, sqlite), ValidationError, "The cursor is none of this order of Thing");
  const cursor = writeCursor(own, [1, 2]);
  for (const wrong of ["", "%%", "e30", btoa("null"), btoa('[1,"x",1,2]'), `${cursor}x`, cursor.slice(4), null, {}]) {
    refuse(wrong);
  }
  refuse(writeCursor(order({ a: "desc" }), [1, 2]));
  refuse(writeCursor(order({ text: "asc" }), ["a", 2]));
  refuse(writeCursor(own, [null, 2]));
  refuse(writeCursor(own, ["1; DROP TABLE things", 2]));
  refuse(writeCursor(own, [1, { b: [256] } as never]));
  assertEquals(readCursor(cursor, own, sqlite), [1, 2]);
});
