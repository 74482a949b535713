import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DataError, UnsupportedError, ValidationError } from "../../src/errors.ts";
import { sqlite } from "../../src/sql/sqlite.ts";
import type { SqlValue } from "../../src/sql/statement.ts";
import type { ColumnType } from "../../src/sql/table.ts";
import { columns, Engine, table } from "./fixtures.ts";

type Simple = Exclude<ColumnType["name"], "varchar" | "decimal" | "enumeration" | "array">;

function encode(type: ColumnType | Simple, value: unknown): SqlValue {
  const book = table("book", { value: { type } });
  return sqlite.codec(book.columns[0]!.type).encode(value, book.columns[0]!);
}

function refused(type: ColumnType | Simple, value: unknown, message: string): void {
  assertEquals(assertThrows(() => encode(type, value), ValidationError).message, message);
}

class Money {
  amount = 1;
}

Deno.test("encode() refuses a value of the wrong type and says what to do", () => {
  refused("text", 3, "Book.value must be text, got number 3");
  refused("text", new Money(), "Book.value must be text, got an instance of Money");
  refused("text", "a\0b", "Book.value must be text without NUL, got one at position 1; use bytes for it");
  refused(
    "text",
    "a\ud800",
    "Book.value must be well-formed text, got a lone surrogate (half a character); use toWellFormed()",
  );
  refused("integer", 1.5, "Book.value must be a safe integer, got number 1.5");
  refused("integer", "1", "Book.value must be a safe integer, got text of 1 characters");
  refused(
    "integer",
    2 ** 53,
    "Book.value must be a safe integer, got number 9007199254740992; declare it t.bigint() for larger ones",
  );
  refused("bigint", 1, "Book.value must be a bigint, got number 1; pass it through BigInt()");
  refused(
    "bigint",
    2n ** 63n,
    "Book.value must be a bigint of 64 bits, got bigint 9223372036854775808; declare it t.decimal()",
  );
  refused("double", NaN, "Book.value must be a finite number, got number NaN");
  refused("real", -Infinity, "Book.value must be a finite number, got number -Infinity");
  refused("boolean", 1, "Book.value must be a boolean, got number 1");
  refused("uuid", "no", "Book.value must be a UUID (8-4-4-4-12 hexadecimal digits), got text of 2 characters");
  refused(
    "timestamp",
    "2024-01-01",
    "Book.value must be a Date, got text of 10 characters; pass it through new Date()",
  );
  refused("timestamp", new Date(NaN), "Book.value must be a valid Date, got an invalid Date");
  refused(
    "timestamp",
    new Date(253402300800000),
    "Book.value must be a Date of the years 1 to 9999, got the year 10000",
  );
  refused("timestamp", new Date(-62135596800001), "Book.value must be a Date of the years 1 to 9999, got the year 0");
  refused("date", "2023-02-29", 'Book.value must be a day as text such as "2024-02-29", got text of 10 characters');
  refused("date", "0000-01-01", 'Book.value must be a day as text such as "2024-02-29", got text of 10 characters');
  refused(
    "bytes",
    new ArrayBuffer(1),
    "Book.value must be a Uint8Array, got an instance of ArrayBuffer; pass new Uint8Array(buffer)",
  );
  refused("bytes", [1], "Book.value must be a Uint8Array, got an array");
});

Deno.test("encode() keeps to the declared length, precision, scale and values", () => {
  assertEquals(encode({ name: "varchar", length: 2 }, "👩👩"), "👩👩");
  refused({ name: "varchar", length: 2 }, "abc", "Book.value must be text of at most 2 characters, got 3");
  const price: ColumnType = { name: "decimal", precision: 5, scale: 2 };
  assertEquals(encode(price, "-00123.40"), "-00123.40");
  refused(price, "1234.5", "Book.value must have at most 3 digits before the point, got 4");
  refused(price, "1.234", "Book.value must have at most 2 digits after the point, got 3; round it first");
  refused(price, 1.5, 'Book.value must be a decimal as text, got number 1.5; pass text such as "12.50"');
  refused(price, "1e3", 'Book.value must be a decimal such as "12.50", got text of 3 characters');
  refused(
    { name: "decimal", precision: 3 },
    "1.5",
    "Book.value must have at most 0 digits after the point, got 1; round it first",
  );
  refused(
    { name: "enumeration", values: ["a", "b"] },
    "c",
    'Book.value must be one of "a", "b", got text of 1 characters',
  );
});

Deno.test("encode() refuses JSON that would not come back the same, naming the path", () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = { cycle };
  const deep: unknown[] = [];
  let inner = deep;
  for (let i = 0; i < 100_000; i++) inner.push(inner = []);
  refused("json", { pages: NaN }, "Book.value.pages must be a JSON value, got number NaN; JSON has no such number");
  refused(
    "json",
    { a: [1, { b: undefined }] },
    "Book.value.a[1].b must be a JSON value, got undefined; leave the property out, or use null",
  );
  refused("json", { "a b": 1n }, 'Book.value["a b"] must be a JSON value, got bigint 1; use text');
  refused("json", { at: new Date(0) }, "Book.value.at must be a JSON value, got a Date; use date.toISOString()");
  refused("json", [new Money()], "Book.value[0] must be a JSON value, got an instance of Money; use a plain object");
  refused("json", new Map(), "Book.value must be a JSON value, got an instance of Map; use a plain object");
  refused("json", { f: () => 1 }, "Book.value.f must be a JSON value, got a function");
  refused("json", Symbol("x"), "Book.value must be a JSON value, got a symbol");
  refused("json", { [Symbol("x")]: 1 }, "Book.value must be a JSON value, got a key that is a symbol");
  // deno-lint-ignore no-sparse-arrays
  refused("json", [1, , 2], "Book.value must be a JSON value, got an array with holes or with named properties");
  refused("json", cycle, "Book.value.self.cycle must be a JSON value, got a cycle: it holds itself");
  assertThrows(() => encode("json", deep), ValidationError, "nested at most 500 deep");
  const twice = { a: 1 };
  assertEquals(encode("json", [twice, twice, Object.create(null)]), '[{"a":1},{"a":1},{}]');
});

Deno.test("encode() never shows a text in its message", () => {
  fc.assert(fc.property(fc.string({ minLength: 30 }), (secret) => {
    for (const type of ["integer", "bigint", "boolean", "uuid", "timestamp", "date", "bytes"] as const) {
      const error = assertThrows(() => encode(type, secret), ValidationError);
      assertEquals(error.message.includes(secret), false);
    }
  }));
});

Deno.test("codec() gives the same codec for a type each time, and refuses arrays", () => {
  assertEquals(sqlite.codec({ name: "text" }) === sqlite.codec({ name: "text" }), true);
  assertThrows(() => sqlite.codec({ name: "array", of: { name: "text" } }), UnsupportedError, "t.json()");
});

Deno.test("decode() reads what SQLite itself and other writers keep", () => {
  const decode = (name: Simple, value: SqlValue | ArrayBuffer) => sqlite.codec({ name }).decode(value as SqlValue);
  assertEquals(decode("integer", 5n), 5);
  assertEquals(decode("bigint", 5), 5n);
  assertEquals(decode("double", 5n), 5);
  assertEquals([1, 0n, true, false].map((value) => decode("boolean", value)), [true, false, true, false]);
  assertEquals(decode("timestamp", "2024-01-02 03:04:05"), new Date("2024-01-02T03:04:05Z"));
  assertEquals(decode("timestamp", "2024-01-02 03:04:05.678"), new Date("2024-01-02T03:04:05.678Z"));
  assertEquals(decode("timestamp", "2024-01-02T03:04:05+02:00"), new Date("2024-01-02T01:04:05Z"));
  assertEquals(decode("bytes", new Uint8Array([1]).buffer), new Uint8Array([1]));
  assertEquals(decode("json", "null"), null);
});

Deno.test("decode() throws a DataError when the row holds what was not declared", () => {
  const cases: [Simple, SqlValue][] = [
    ["integer", 2n ** 60n],
    ["integer", 1.5],
    ["bigint", "1"],
    ["boolean", 2],
    ["text", new Uint8Array()],
    ["timestamp", "yesterday"],
    ["timestamp", 5],
    ["date", "2024-02-30"],
    ["json", "{"],
    ["bytes", "x"],
  ];
  for (const [name, value] of cases) {
    assertThrows(() => sqlite.codec({ name }).decode(value), DataError, "was declared", `${name}`);
  }
});

Deno.test("encodeParam() takes what SQL can hold and refuses the rest", () => {
  const param = (value: unknown) => sqlite.encodeParam(value, "parameter 1");
  assertEquals(
    [null, "a", 1.5, -0, 5n, true, false, new Date(0)].map(param),
    [null, "a", 1.5, 0, 5n, 1, 0, "1970-01-01T00:00:00.000Z"],
  );
  assertEquals(param(new Uint8Array([1])), new Uint8Array([1]));
  for (const value of [undefined, {}, [], new ArrayBuffer(1), () => 1, NaN, 2n ** 64n, "\0", "\udc00", Symbol()]) {
    const error = assertThrows(() => param(value), ValidationError);
    assertEquals(error.message.startsWith("Parameter 1 must be "), true, error.message);
  }
  assertThrows(() => param({}), ValidationError, "JSON.stringify(value)");
});

const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom(
    "'",
    '"',
    "\\",
    "\\u0000",
    "\u2028",
    "\ufeff",
    "null",
    "1.0",
    " ",
    "💥",
    "'; DROP TABLE x; --",
    "[?]",
    "\x1f",
  ),
).map((text) => text.replaceAll("\0", "").toWellFormed());

const day = fc.date({
  min: new Date("0001-01-01T00:00:00Z"),
  max: new Date("9999-12-31T23:59:59.999Z"),
  noInvalidDate: true,
});

const values: Record<Exclude<ColumnType["name"], "array">, fc.Arbitrary<unknown>> = {
  text: anyText,
  varchar: anyText.map((text) => [...text].slice(0, 8).join("")),
  integer: fc.maxSafeInteger(),
  identity: fc.maxSafeInteger(),
  bigint: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  real: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
  double: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
  decimal: fc.tuple(fc.bigInt(), fc.stringMatching(/^\d{1,20}$/)).map(([whole, part]) => `${whole}.${part}`),
  boolean: fc.boolean(),
  uuid: fc.uuid(),
  timestamp: day,
  date: day.map((date) => date.toISOString().slice(0, 10)),
  json: fc.jsonValue({ noUnicodeString: false, stringUnit: "binary" }).map((value) =>
    JSON.parse(JSON.stringify(value))
  ),
  bytes: fc.uint8Array(),
  enumeration: fc.constantFrom("it's", 'a "b"', "", "null"),
};

const declared: Partial<Record<ColumnType["name"], ColumnType>> = {
  varchar: { name: "varchar", length: 8 },
  decimal: { name: "decimal" },
  enumeration: { name: "enumeration", values: ["it's", 'a "b"', "", "null"] },
};

for (const [name, arbitrary] of Object.entries(values)) {
  Deno.test(`codec() of ${name} gives back what was inserted, updated and compared on a real engine`, async () => {
    using engine = new Engine();
    const type = declared[name as ColumnType["name"]] ?? { name } as ColumnType;
    const plain: ColumnType = name === "identity" ? { name: "integer" } : type;
    const kept = table("kept", { id: { type: "integer", primaryKey: true }, value: { type: plain, nullable: true } });
    await engine.create(kept);
    const [id, column] = columns(kept, "id", "value");
    const codec = sqlite.codec(type);
    await fc.assert(
      fc.asyncProperty(fc.array(arbitrary, { minLength: 1, maxLength: 20 }), async (given) => {
        const cells = given.map((value) => codec.encode(value, column!));
        const read = async () =>
          (await engine.query('SELECT "value" FROM "kept" ORDER BY "id"')).map(([value]) =>
            value === null ? null : codec.decode(value as SqlValue)
          );
        await engine.run({ sql: "DELETE FROM kept", params: [] });
        await engine.commit({
          kind: "insert",
          table: kept,
          columns: [id!, column!],
          rows: cells.map((cell, i) => [i, cell]),
          firstOrdinal: null,
          returning: [],
        });
        assertEquals(await read(), given);
        const turned = [...cells].reverse();
        await engine.commit({
          kind: "update",
          table: kept,
          columns: [column!],
          rows: turned.map((cell, i) => ({ key: [i], cells: [cell], before: [cells[i]!] })),
          bump: false,
          compare: [column!],
          returning: [],
        });
        assertEquals(await read(), [...given].reverse());
        const params: SqlValue[] = [];
        const list = sqlite.inList([column!], cells.map((cell) => [cell]), params);
        assertEquals(await engine.query(`SELECT count(*) FROM kept WHERE "value" IN ${list}`, ...params), [[
          given.length,
        ]]);
      }),
      { numRuns: 60 },
    );
  });
}
