import { assertEquals, assertThrows } from "@std/assert";
import { DataError, UnsupportedError, ValidationError } from "../../src/errors.ts";
import { mysql } from "../../src/sql/mysql.ts";
import type { SqlValue } from "../../src/sql/statement.ts";
import type { ColumnInfo, ColumnType } from "../../src/sql/table.ts";
import { type ColumnOptions, columns, table } from "./fixtures.ts";

const dialect = mysql();

function column(type: ColumnOptions["type"], more: Partial<ColumnOptions> = {}): ColumnInfo {
  return columns(table("books", { it: { ...more, type } }), "it")[0]!;
}

function encode(type: ColumnOptions["type"], value: unknown, more?: Partial<ColumnOptions>): SqlValue {
  const of = column(type, more);
  return dialect.codec(of.type).encode(value, of);
}

function decode(type: ColumnOptions["type"], value: SqlValue): unknown {
  return dialect.codec(column(type).type).decode(value);
}

function refused(type: ColumnOptions["type"], value: unknown, message: string, more?: Partial<ColumnOptions>): void {
  assertThrows(() => encode(type, value, more), ValidationError, message);
}

const decimal = (precision?: number, scale?: number): ColumnType => ({ name: "decimal", precision, scale });

Deno.test("text keeps NUL; lone surrogates and keys that the server would cut are refused", () => {
  assertEquals(encode("text", "a\0'b"), "a\0'b");
  refused("text", "\ud800", "lone surrogate");
  refused("text", 3, "must be text");
  assertEquals(encode("text", "x".repeat(300)), "x".repeat(300));
  const long = "😀".repeat(255);
  assertEquals(encode("text", long, { primaryKey: true }), long);
  refused("text", `${long}a`, "at most 255 characters", { primaryKey: true });
  refused("text", `${long}a`, "at most 255 characters", { unique: true });
  assertEquals(encode({ name: "varchar", length: 2 }, "\0é"), "\0é");
  refused({ name: "varchar", length: 2 }, "\0éa", "at most 2 characters");
  assertEquals(decode("text", "a\0b"), "a\0b");
  assertThrows(() => decode("text", new Uint8Array()), DataError);
});

Deno.test("integers come back from numbers, bigints and the server's text", () => {
  for (const value of [7, 7n, "7"]) assertEquals([decode("integer", value), decode("bigint", value)], [7, 7n]);
  assertEquals(decode("bigint", "9223372036854775807"), 2n ** 63n - 1n);
  assertEquals(decode("identity", "12"), 12);
  for (const value of ["9007199254740993", 2n ** 60n, "1.5", "", null]) {
    assertThrows(() => decode("integer", value), DataError, "a safe integer");
  }
  refused("integer", 2 ** 53, "a safe integer");
  refused("bigint", 2n ** 63n, "64 bits");
});

Deno.test("floats travel as numbers; NaN, infinity and what single precision has not are refused", () => {
  assertEquals([encode("double", 0.1), encode("double", -0), encode("real", 0.5)], [0.1, 0, 0.5]);
  for (const value of [NaN, Infinity, -Infinity]) refused("double", value, "a finite number");
  refused("real", 0.1, "single precision");
  assertEquals([decode("double", "1e-7"), decode("double", 3n), decode("real", 0.10000000149011612)], [
    1e-7,
    3,
    Math.fround(0.1),
  ]);
  for (const value of ["", "abc", "NaN", null]) assertThrows(() => decode("double", value), DataError);
});

Deno.test("decimals keep to the digits of their column, and the zeros that nobody declared are left out", () => {
  assertEquals(encode(decimal(6, 2), "1234.50"), "1234.50");
  refused(decimal(6, 2), "1.234", "at most 2 digits after the point");
  refused(decimal(6, 2), "12345", "at most 4 digits before the point");
  refused(decimal(), "1".repeat(36), "at most 35 digits before the point");
  refused(decimal(), `0.${"1".repeat(31)}`, "at most 30 digits after the point");
  refused(decimal(), 1.5, "a decimal as text");
  assertEquals(decode(decimal(6, 2), "12.50"), "12.50");
  assertEquals(["12.500", "12.000", "-0.010", "100", 3, "0.0"].map((value) => decode(decimal(), value)), [
    "12.5",
    "12",
    "-0.01",
    "100",
    "3",
    "0",
  ]);
  assertThrows(() => decode(decimal(), "1e5"), DataError);
});

Deno.test("booleans are 1 and 0, as number, bigint or text", () => {
  assertEquals([encode("boolean", true), encode("boolean", false)], [1, 0]);
  for (const value of [1, 1n, "1", true]) assertEquals(decode("boolean", value), true);
  for (const value of [0, 0n, "0", false]) assertEquals(decode("boolean", value), false);
  assertThrows(() => decode("boolean", 2), DataError);
  refused("boolean", 1, "a boolean");
});

Deno.test("timestamps are UTC to the millisecond; zero dates cannot be read", () => {
  const date = new Date("2024-02-29T03:04:05.678Z");
  assertEquals(encode("timestamp", date), "2024-02-29 03:04:05.678");
  assertEquals(encode("timestamp", new Date("0001-01-01T00:00:00Z")), "0001-01-01 00:00:00.000");
  refused("timestamp", new Date("+010000-01-01T00:00:00Z"), "years 1 to 9999");
  refused("timestamp", new Date(NaN), "a valid Date");
  for (const text of ["2024-02-29 03:04:05.678", "2024-02-29 03:04:05.678999", "2024-02-29T03:04:05.678"]) {
    assertEquals(decode("timestamp", text), date);
  }
  assertEquals(decode("timestamp", "2024-02-29 03:04:05"), new Date("2024-02-29T03:04:05Z"));
  assertEquals(decode("timestamp", "2024-02-29 03:04:05.6"), new Date("2024-02-29T03:04:05.600Z"));
  for (const text of ["0000-00-00 00:00:00", "2024-00-10 00:00:00", "2023-02-29 00:00:00", "2024-02-29", 5, null]) {
    assertThrows(() => decode("timestamp", text), DataError, "a timestamp of the years 1 to 9999");
  }
  assertEquals([encode("date", "2024-02-29"), decode("date", "2024-02-29")], ["2024-02-29", "2024-02-29"]);
  for (const text of ["0000-00-00", "2024-02-00", "2024-02-29 00:00:00"]) {
    assertThrows(() => decode("date", text), DataError);
  }
});

Deno.test("json travels as text; what would not come back, or is too deep for MySQL, is refused", () => {
  assertEquals(encode("json", { a: ["é\0", null] }), '{"a":["é\\u0000",null]}');
  assertEquals([decode("json", '{"a":[1]}'), decode("json", "null"), decode("json", "1"), decode("json", 1)], [
    { a: [1] },
    null,
    1,
    1,
  ]);
  assertThrows(() => decode("json", "{"), DataError, "JSON");
  refused("json", { "\ud800": 1 }, "lone surrogate");
  const long = { text: '[{"\\'.repeat(1_000_000) };
  assertEquals(decode("json", encode("json", long)), long);
  let deep: unknown = "[[[[";
  for (let i = 0; i < 100; i++) deep = i % 2 === 0 ? [deep] : { deep };
  assertEquals(decode("json", encode("json", deep)), deep);
  refused("json", [deep], "nested at most 100 deep");
});

Deno.test("bytes are a Uint8Array of this realm; text and buffers are refused", () => {
  const bytes = new Uint8Array([0, 39, 255]);
  assertEquals([encode("bytes", bytes), decode("bytes", bytes)], [bytes, bytes]);
  refused("bytes", bytes.buffer, "pass new Uint8Array(buffer)");
  refused("bytes", "x", "a Uint8Array");
  assertThrows(() => decode("bytes", "x"), DataError);
});

Deno.test("enumerations and uuids are checked as they are in other databases; there are no arrays", () => {
  const values = ["a", "it's"];
  assertEquals(encode({ name: "enumeration", values }, "it's"), "it's");
  refused({ name: "enumeration", values }, "b", "one of");
  const uuid = "0191D2B8-0000-7000-8000-0000000000Ff";
  assertEquals([encode("uuid", uuid), decode("uuid", uuid)], [uuid, uuid]);
  refused("uuid", "0191", "a UUID");
  assertThrows(() => dialect.codec({ name: "array", of: { name: "text" } }), UnsupportedError, "t.json()");
});

Deno.test("encodeParam() takes what SQL can hold and refuses what the driver would corrupt", () => {
  const date = new Date("2024-01-02T03:04:05.678Z");
  const given = [null, "a\0'", true, 1.5, -0, 2n ** 64n - 1n, date, new Uint8Array([1])];
  assertEquals(given.map((value) => dialect.encodeParam(value, "value 1")), [
    null,
    "a\0'",
    1,
    1.5,
    0,
    2n ** 64n - 1n,
    "2024-01-02 03:04:05.678",
    new Uint8Array([1]),
  ]);
  for (const value of [undefined, NaN, 2n ** 64n, {}, [1], new ArrayBuffer(1), Symbol("x"), () => 1, "\udc00"]) {
    assertThrows(() => dialect.encodeParam(value, "value 1"), ValidationError, "Value 1");
  }
});
