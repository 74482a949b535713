import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DataError, ValidationError } from "../../src/errors.ts";
import { parseArray, writeArray } from "../../src/sql/postgres_array.ts";
import { postgres } from "../../src/sql/postgres.ts";
import type { SqlValue } from "../../src/sql/statement.ts";
import type { ColumnType, TableInfo } from "../../src/sql/table.ts";
import { columns, table } from "./fixtures.ts";
import { PostgresEngine } from "./postgres_engine.ts";

type Simple = Exclude<ColumnType["name"], "varchar" | "decimal" | "enumeration" | "array">;

function typeOf(type: ColumnType | Simple): ColumnType {
  return typeof type === "string" ? { name: type } : type;
}

function encode(type: ColumnType | Simple, value: unknown): SqlValue {
  const [column] = table("book", { value: { type } }).columns;
  return postgres.codec(column!.type).encode(value, column!);
}

function decode(type: ColumnType | Simple, value: SqlValue): unknown {
  return postgres.codec(typeOf(type)).decode(value);
}

function refused(type: ColumnType | Simple, value: unknown, message: string): void {
  assertEquals(assertThrows(() => encode(type, value), ValidationError).message, message);
}

const hostile = [
  ..."'\"\\{},$%_:",
  "",
  " ",
  "NULL",
  "null",
  "Infinity",
  "\\x00",
  "\\u0000",
  "\u2028",
  "\ufeff",
  "1.0",
  "💥",
  "'; DROP TABLE x; --",
  "$1",
  "{1,2}",
  "\x1f\x7f",
  "\r\n\t",
  "\ud7ff\ue000\u{10ffff}",
];
const text = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom(...hostile), fc.string({ unit: "grapheme" }))
  .map((one) => one.replaceAll("\0", "").toWellFormed());
const day = fc.oneof(
  fc.date({ min: new Date("0001-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59.999Z"), noInvalidDate: true }),
  fc.constantFrom(
    "0001-01-01T00:00:00.000Z",
    "0001-12-31T23:59:59.999Z",
    "1883-11-18T17:00:00.001Z",
    "1899-12-31T23:59:59.999Z",
    "1969-12-31T23:59:59.999Z",
    "1970-01-01T00:00:00.000Z",
    "2000-01-01T00:00:00.000Z",
    "2000-02-29T12:00:00.010Z",
    "9999-12-31T23:59:59.999Z",
  ).map((one) => new Date(one)),
);
const double = fc.oneof(
  fc.double(),
  fc.constantFrom(-0, 0, NaN, Infinity, -Infinity, 5e-324, -5e-324, Number.MAX_VALUE, 0.1, 1e21, 1e-7, 2 ** 53 + 2),
);
const real = fc.oneof(
  fc.float(),
  fc.constantFrom(-0, NaN, Infinity, -Infinity, 2 ** -149, 3.4028234663852886e38, Math.fround(0.1)),
);
const json = fc.oneof(
  fc.jsonValue({ noUnicodeString: false, stringUnit: "binary" }).map((value) =>
    JSON.parse(JSON.stringify(value).replace(/\\u0000|\\ud[89a-f][0-9a-f]{2}/g, "?"))
  ),
  fc.constantFrom<unknown>({}, [], "", null, [[]], { "": null }, [null, {}], "\\u0000", 5e-324, 1.7e308, "null"),
);
const bigint = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, 0n, -1n),
);
const integer = fc.oneof(fc.maxSafeInteger(), fc.constantFrom(Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0));
/** Text that PostgreSQL keeps as it is: no zeros in front, no minus before zero. */
const decimal = fc.tuple(fc.bigInt(), fc.stringMatching(/^\d{1,40}$/)).map(([whole, part]) => `${whole}.${part}`);
const mood = { name: "enumeration" as const, values: ["it's", 'a "b"', "", "null", "back\\slash", "{}"] };
const arrayOf = (of: ColumnType | Simple): ColumnType => ({ name: "array", of: typeOf(of) });
const list = (of: fc.Arbitrary<unknown>) => fc.array(fc.option(of), { maxLength: 5 });
/** Boxes: rows and columns of any number but none. */
const box = (of: fc.Arbitrary<unknown>) =>
  fc.tuple(fc.nat(2), fc.nat(2)).chain(([rows, width]) =>
    fc.array(fc.array(fc.option(of), { minLength: width + 1, maxLength: width + 1 }), {
      minLength: rows,
      maxLength: rows,
    })
  );

const cases: [string, ColumnType, fc.Arbitrary<unknown>][] = [
  ["text", { name: "text" }, text],
  ["varchar", { name: "varchar", length: 8 }, text.map((one) => [...one].slice(0, 8).join(""))],
  ["integer", { name: "integer" }, integer],
  ["bigint", { name: "bigint" }, bigint],
  ["real", { name: "real" }, real],
  ["double", { name: "double" }, double],
  ["decimal", { name: "decimal" }, decimal],
  [
    "decimal(12, 3)",
    { name: "decimal", precision: 12, scale: 3 },
    fc.tuple(fc.integer({ min: 1, max: 999_999_999 }), fc.boolean(), fc.stringMatching(/^\d{3}$/)).map(
      ([whole, negative, part]) => `${negative ? "-" : ""}${whole}.${part}`,
    ),
  ],
  ["boolean", { name: "boolean" }, fc.boolean()],
  ["uuid", { name: "uuid" }, fc.uuid()],
  ["timestamp", { name: "timestamp" }, day],
  ["date", { name: "date" }, day.map((date) => date.toISOString().slice(0, 10))],
  ["json", { name: "json" }, json],
  ["bytes", { name: "bytes" }, fc.uint8Array({ maxLength: 300 })],
  ["enumeration", mood, fc.constantFrom(...mood.values)],
  ["text[]", arrayOf("text"), list(text)],
  ["bigint[]", arrayOf("bigint"), list(bigint)],
  ["integer[]", arrayOf("integer"), list(integer)],
  ["double[]", arrayOf("double"), list(double)],
  ["real[]", arrayOf("real"), list(real)],
  ["decimal[]", arrayOf({ name: "decimal" }), list(decimal)],
  ["boolean[]", arrayOf("boolean"), list(fc.boolean())],
  ["uuid[]", arrayOf("uuid"), list(fc.uuid())],
  ["timestamp[]", arrayOf("timestamp"), list(day)],
  ["date[]", arrayOf("date"), list(day.map((date) => date.toISOString().slice(0, 10)))],
  ["json[]", arrayOf("json"), list(json)],
  ["bytes[]", arrayOf("bytes"), list(fc.uint8Array({ maxLength: 9 }))],
  ["enumeration[]", arrayOf(mood), list(fc.constantFrom(...mood.values))],
  ["text[][]", arrayOf(arrayOf("text")), box(text)],
  ["enumeration[][]", arrayOf(arrayOf(mood)), box(fc.constantFrom(...mood.values))],
  ["bigint[][]", arrayOf(arrayOf("bigint")), box(bigint)],
];

function keptTable(type: ColumnType, nullable: boolean): TableInfo {
  return table("kept", { id: { type: "integer", primaryKey: true }, value: { type, nullable } });
}

for (const [name, type, arbitrary] of cases) {
  Deno.test(`codec() of ${name} gives back what was inserted, updated, compared and bound on a real server`, async () => {
    const kept = keptTable(type, true);
    await using engine = await PostgresEngine.open(kept);
    const [id, column] = columns(kept, "id", "value");
    const codec = postgres.codec(type);
    const back = (value: string | null) => value === null ? null : codec.decode(value);
    const read = async () =>
      (await engine.query('SELECT "value" FROM "kept" ORDER BY "id"')).map(([one]) => back(one!));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(arbitrary, { freq: 9 }), { minLength: 1, maxLength: 20 }), async (given) => {
        // In a column that takes NULL it stands for JSON null too.
        const cells = given.map((value) => value === null ? null : codec.encode(value, column!));
        // What was encoded can be read as well: a key is, before it was ever sent.
        assertEquals(cells.map((cell) => cell === null ? null : codec.decode(cell)), given);
        await engine.query("DELETE FROM kept");
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
        const compared = type.name === "json" ? [] : [column!];
        const { rows } = await engine.commit({
          kind: "update",
          table: kept,
          columns: [column!],
          rows: turned.map((cell, i) => ({ key: [i], cells: [cell], before: [cells[i]!] })),
          bump: false,
          compare: compared,
          returning: [column!],
        });
        assertEquals(await read(), [...given].reverse());
        const returned = new Map(rows[0]!.map(([at, , value]) => [Number(at), back(value!)]));
        assertEquals(given.map((_, i) => returned.get(i)), [...given].reverse());
        // Bound on its own, it takes its type from the column.
        for (const [i, cell] of cells.entries()) {
          await engine.query('UPDATE kept SET "value" = $1 WHERE id = $2', cell, i);
        }
        assertEquals(await read(), given);
        const params: SqlValue[] = [];
        const some = cells.filter((cell) => cell !== null).map((cell) => [cell]);
        const within = postgres.inList([column!], some, params);
        assertEquals(await engine.query(`SELECT count(*) FROM kept WHERE "value" IN ${within}`, ...params), [[
          String(some.length),
        ]]);
        const pairs: SqlValue[] = [];
        const both = postgres.inList(
          [id!, column!],
          cells.flatMap((cell, i) => cell === null ? [] : [[i, cell]]),
          pairs,
        );
        assertEquals(await engine.query(`SELECT count(*) FROM kept WHERE (id, "value") IN ${both}`, ...pairs), [[
          String(some.length),
        ]]);
      }),
      { numRuns: 25 },
    );
  });
}

Deno.test("codec() of json tells JSON null from NULL, in inserts and updates", async () => {
  const kept = keptTable({ name: "json" }, true);
  await using engine = await PostgresEngine.open(kept);
  const [id, value] = columns(kept, "id", "value");
  await engine.commit(
    {
      kind: "insert",
      table: kept,
      columns: [id!, value!],
      rows: [[1, "null"], [2, null], [3, '"null"'], [4, "{}"], [5, "null"]],
      firstOrdinal: null,
      returning: [],
    },
    {
      kind: "update",
      table: kept,
      columns: [value!],
      rows: [{ key: [4], cells: ["null"] }, { key: [5], cells: [null] }],
      bump: false,
      compare: [],
      returning: [],
    },
  );
  assertEquals(await engine.query('SELECT "value" FROM kept ORDER BY id'), [["null"], [null], ['"null"'], ["null"], [
    null,
  ]]);
});

Deno.test("encode() refuses what PostgreSQL would give back otherwise, or not take", () => {
  refused(
    "uuid",
    "01890A5D-ac96-774b-bcce-b302099a8057",
    "Book.value must be a UUID in lower case, as PostgreSQL gives it back, got text of 36 characters; " +
      "pass it through toLowerCase()",
  );
  refused(
    "real",
    0.1,
    "Book.value must be a number of single precision, got number 0.1; pass it through Math.fround(), or declare it " +
      "t.double()",
  );
  refused("double", "1", "Book.value must be a number, got text of 1 characters");
  refused("text", "a\0", "Book.value must be text without NUL, got one at position 1; use bytes for it");
  refused(
    "json",
    { a: ["x\0"] },
    "Book.value.a[0] must be text without NUL, got one at position 1; use bytes for it",
  );
  refused("json", { "\0": 1 }, "A key in Book.value must be text without NUL, got one at position 0; use bytes for it");
  refused(
    "json",
    ["\ud800"],
    "Book.value[0] must be well-formed text, got a lone surrogate (half a character); use toWellFormed()",
  );
  assertEquals(encode("json", "\\u0000"), '"\\\\u0000"');
  refused({ name: "decimal" }, "NaN", 'Book.value must be a decimal such as "12.50", got text of 3 characters');
  refused(
    { name: "decimal" },
    `0.${"1".repeat(16_384)}`,
    "Book.value must have at most 131072 digits before the point and 16383 after it, got 0 and 16384",
  );
  refused(
    "timestamp",
    new Date(253402300800000),
    "Book.value must be a Date of the years 1 to 9999, got the year 10000",
  );
  refused(arrayOf("text"), "a", "Book.value must be an array, got text of 1 characters");
  refused(arrayOf("text"), ["a", 1], "Book.value[] must be text, got number 1");
  refused(arrayOf({ name: "varchar", length: 1 }), ["ab"], "Book.value[] must be text of at most 1 characters, got 2");
  // deno-lint-ignore no-sparse-arrays
  refused(arrayOf("text"), ["a", , "b"], "Book.value must be an array without holes and named properties");
  const ragged = "Book.value must hold arrays of one length, none of them empty or null, as PostgreSQL's arrays do; " +
    "declare it t.json() for others";
  const boxes = arrayOf(arrayOf("integer"));
  for (const value of [[[]], [[1], [1, 2]], [null], [[1], null], [[1], []]]) refused(boxes, value, ragged);
  refused(arrayOf(boxes), [[[1], [2]], [[3]]], ragged);
  assertEquals(encode(arrayOf(boxes), [[[1], [2]], [[3], [4]]]), '{{{"1"},{"2"}},{{"3"},{"4"}}}');
});

Deno.test("decode() takes numbers and booleans that a driver has made, and text of all kinds", () => {
  assertEquals([decode("integer", 5), decode("integer", "-5"), decode("integer", 5n)], [5, -5, 5]);
  assertEquals([decode("bigint", 5), decode("bigint", "5"), decode("bigint", 5n)], [5n, 5n, 5n]);
  assertEquals([decode("double", 0.5), decode("double", "1e+21"), decode("double", "-0")], [0.5, 1e21, -0]);
  assertEquals([decode("real", "0.1"), decode("real", 0.1)], [Math.fround(0.1), Math.fround(0.1)]);
  assertEquals([true, "t", "true", false, "f", "false"].map((one) => decode("boolean", one)), [
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
  assertEquals(decode("bytes", "\\x00fF"), new Uint8Array([0, 255]));
  assertEquals(decode("bytes", new Uint8Array([1])), new Uint8Array([1]));
  assertEquals(decode(arrayOf("integer"), "[0:1]={1,NULL}"), [1, null]);
  assertEquals(decode(arrayOf(arrayOf("integer")), "[2:2][-1:0]={{1,2}}"), [[1, 2]]);
});

Deno.test("decode() reads moments in whatever zone they were written, to the millisecond", () => {
  const cases: [string, string][] = [
    ["2024-01-02 03:04:05.678+00", "2024-01-02T03:04:05.678Z"],
    ["2024-01-02 03:04:05+00", "2024-01-02T03:04:05.000Z"],
    ["2024-01-02 03:04:05.678999+05:30", "2024-01-01T21:34:05.678Z"],
    ["2024-01-02 03:04:05.6-03", "2024-01-02T06:04:05.600Z"],
    ["1800-01-01 00:53:28+00:53:28", "1800-01-01T00:00:00.000Z"],
    ["1969-12-31 23:59:59.999999+00", "1969-12-31T23:59:59.999Z"],
    ["2024-01-02 03:04:05.678", "2024-01-02T03:04:05.678Z"],
    ["2024-01-02T03:04:05.678Z", "2024-01-02T03:04:05.678Z"],
    ["10000-01-01 00:59:59+01", "9999-12-31T23:59:59.000Z"],
    ["0001-12-31 23:00:00-01 BC", "0001-01-01T00:00:00.000Z"],
  ];
  for (const [given, wanted] of cases) assertEquals(decode("timestamp", given), new Date(wanted), given);
});

Deno.test("decode() throws a DataError for what the declared type cannot hold", () => {
  const cases: [ColumnType | Simple, SqlValue][] = [
    ["integer", "9007199254740993"],
    ["integer", 1.5],
    ["integer", "1.5"],
    ["bigint", "1.0"],
    ["double", "0x10"],
    ["double", ""],
    [{ name: "decimal" }, "NaN"],
    [{ name: "decimal" }, "Infinity"],
    ["boolean", 1],
    ["boolean", "yes"],
    ["timestamp", "infinity"],
    ["timestamp", "-infinity"],
    ["timestamp", "0001-12-31 22:59:59-01 BC"],
    ["timestamp", "10000-01-01 00:00:00+00"],
    ["timestamp", "294276-12-31 00:00:00+00"],
    ["timestamp", "2024-02-30 00:00:00+00"],
    ["timestamp", "Tue Jan 02 03:04:05 2024 UTC"],
    ["timestamp", 5],
    ["date", "infinity"],
    ["date", "10000-01-01"],
    ["date", "0044-03-15 BC"],
    ["json", "{"],
    ["bytes", "abc"],
    ["bytes", "\\x0"],
    [arrayOf("integer"), "1"],
    [arrayOf("integer"), "{{1}}"],
    [arrayOf(arrayOf("integer")), "{1}"],
    ...["{", "{1", '{"1}', "{1}}", "{1,}", '{"a\\', "", "{1}x", "{,}"].map((
      one,
    ): [ColumnType, SqlValue] => [arrayOf("text"), one]),
  ];
  for (const [type, value] of cases) assertThrows(() => decode(type, value), DataError, "declared", `${value}`);
});

Deno.test("decode() reads what a server in another zone and with other data writes", async () => {
  await using engine = await PostgresEngine.open();
  await engine.query("SET TimeZone = 'America/St_Johns'");
  const [row] = await engine.query(
    "SELECT '1900-01-02 03:04:05.678Z'::timestamptz, '0001-01-01 00:00Z'::timestamptz, 'infinity'::timestamptz, " +
      "'0001-06-01 BC'::date, '{}'::int[], '{{},{}}'::text",
  );
  assertEquals(decode("timestamp", row![0]!), new Date("1900-01-02T03:04:05.678Z"));
  assertEquals(decode("timestamp", row![1]!), new Date("0001-01-01T00:00:00Z"));
  assertThrows(() => decode("timestamp", row![2]!), DataError);
  assertThrows(() => decode("date", row![3]!), DataError);
  assertEquals(decode(arrayOf(arrayOf("integer")), row![4]!), []);
});

Deno.test("parseArray() reads what writeArray() writes", () => {
  const { items } = fc.letrec((tie) => ({
    item: fc.oneof(
      { maxDepth: 3 },
      fc.string({ unit: "binary" }),
      fc.constantFrom(null, "NULL", "", '"', "\\"),
      tie("items"),
    ),
    items: fc.array(tie("item"), { maxLength: 4 }),
  }));
  fc.assert(fc.property(items, (value) => {
    assertEquals(parseArray(writeArray(value as string[])) as unknown, value);
  }));
});

Deno.test("encodeParam() sends what a placeholder takes, and refuses the rest naming the value", async () => {
  await using engine = await PostgresEngine.open();
  const param = (value: unknown) => postgres.encodeParam(value, "parameter 1");
  const cases: [unknown, string, string | null][] = [
    ["it's", "text", "it's"],
    [null, "text", null],
    [true, "boolean", "t"],
    [-0, "float8", "-0"],
    [NaN, "float8", "NaN"],
    [-Infinity, "float8", "-Infinity"],
    [1e21, "numeric", "1000000000000000000000"],
    [42, "int4", "42"],
    [2n ** 80n, "numeric", "1208925819614629174706176"],
    [new Date(0), "timestamptz", "1970-01-01 00:00:00+00"],
    [new Uint8Array([0, 92]), "bytea", "\\x005c"],
    [[1, null, 3], "int[]", "{1,NULL,3}"],
    [[["a,b"], ['"']], "text[]", '{{"a,b"},{"\\""}}'],
    [[new Uint8Array([1])], "bytea[]", '{"\\\\x01"}'],
  ];
  for (const [value, type, wanted] of cases) {
    assertEquals(await engine.query(`SELECT $1::${type}`, param(value)), [[wanted]]);
  }
  for (const value of [undefined, {}, new ArrayBuffer(1), "\0", "\ud800", new Date(NaN), () => 1, Symbol("x")]) {
    const error = assertThrows(() => param(value), ValidationError);
    assertEquals(error.message.startsWith("Parameter 1 must be "), true, error.message);
  }
  assertThrows(() => param([1, {}]), ValidationError, "An element of parameter 1 must be");
});
