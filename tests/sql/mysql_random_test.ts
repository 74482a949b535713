import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { mysql } from "../../src/sql/mysql.ts";
import type { SqlValue } from "../../src/sql/statement.ts";
import type { Cell, UpdateRow, UpdateStep } from "../../src/sql/step.ts";
import type { ColumnInfo } from "../../src/sql/table.ts";
import { columns, table } from "./fixtures.ts";
import { MysqlEngine, test } from "./mysql_engine.ts";
import { insert, remove } from "./mysql_steps.ts";

const HOSTILE = [
  ..."'\"\\\0\n\r\t\b\x1a?#;%_` :@$é漢😀\u2028",
  "?",
  ":name",
  "-- ",
  "/*",
  "*/",
  "/*!99999 ",
  "//",
  "\\'",
  "''",
  "'; DROP TABLE canary; -- ",
  '"; DROP TABLE canary; -- ',
  "null",
  "x'00'",
  "ledge:stale:0:0:1",
];
const KINDS = ["plain", "it's", "?", 'a "b"', "é😀", "x;--", "A", "a"];

const kinds = table("kinds", {
  id: { type: "integer", primaryKey: true },
  note: { type: "text", nullable: true },
  word: { type: { name: "varchar", length: 300 }, nullable: true },
  size: { type: "integer", nullable: true },
  big: { type: "bigint", nullable: true },
  ratio: { type: "double", nullable: true },
  single: { type: "real", nullable: true },
  amount: { type: { name: "decimal" }, nullable: true },
  price: { type: { name: "decimal", precision: 40, scale: 4 }, nullable: true },
  done: { type: "boolean", nullable: true },
  token: { type: "uuid", nullable: true },
  at: { type: "timestamp", nullable: true },
  day: { type: "date", nullable: true },
  doc: { type: "json", nullable: true },
  data: { type: "bytes", nullable: true },
  kind: { type: { name: "enumeration", values: KINDS }, nullable: true },
  version: { type: "integer", version: true },
});
const valued = kinds.columns.slice(1, -1);
/** Those that a commit may compare with what was read. */
const comparable = valued.filter(({ type }) => !["double", "real", "json"].includes(type.name));

const text = fc.array(fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: "binary", maxLength: 3 })), {
  maxLength: 6,
})
  .map((parts) => parts.join("").toWellFormed());
const digits = (most: number) =>
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: most }).map((d) => d.join(""));
const decimal = (whole: number, places: number) =>
  fc.tuple(fc.boolean(), digits(whole), fc.option(digits(places)))
    .map(([minus, before, after]) => `${minus ? "-" : ""}${before}${after === null ? "" : `.${after}`}`);
const bits = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) =>
  new Float64Array(new BigUint64Array([value]).buffer)[0]!
);
const moment = fc.integer({ min: -62135596800000, max: 253402300799999 }).map((time) => new Date(time));
const json = fc.jsonValue({ maxDepth: 3 }).chain((value) => text.map((key) => ({ [`k${key}`]: value, text: key })));

const values: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  note: text,
  word: text,
  size: fc.maxSafeInteger(),
  big: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  ratio: fc.oneof(
    bits.filter(Number.isFinite),
    fc.constantFrom(0.1, -0, 1e21, 1e-7, 5e-324, -5e-324, 1.7976931348623157e308, 2 ** 53, 123456789012345680000),
  ),
  single: fc.float({ noNaN: true, noDefaultInfinity: true }),
  amount: decimal(35, 30),
  price: decimal(36, 4),
  done: fc.boolean(),
  token: fc.uuid(),
  at: moment,
  day: moment.map((date) => date.toISOString().slice(0, 10)),
  doc: json,
  data: fc.uint8Array({ maxLength: 12 }),
  kind: fc.constantFrom(...KINDS),
};
const row = fc.record(Object.fromEntries(valued.map(({ name }) => [name, fc.option(values[name]!, { freq: 12 })])));
type Row = Readonly<Record<string, unknown>>;

const codec = (column: ColumnInfo) => mysql().codec(column.type);
const encode = (column: ColumnInfo, value: unknown): SqlValue =>
  value === null ? null : codec(column).encode(value, column);

/** A value as it is to come back: the zeros of a decimal say nothing, 0 has no sign. */
function expected(column: ColumnInfo, value: unknown): unknown {
  if (value === null) return null;
  if (column.type.name === "decimal") return plain(value as string);
  if (column.type.name === "json") return JSON.parse(JSON.stringify(value));
  return typeof value === "number" ? value + 0 : value;
}

function plain(decimal: string): string {
  const [, minus, whole, after = ""] = /^(-?)0*(\d+?)(?:\.(\d*?)0*)?$/.exec(decimal)!;
  const digits = after === "" ? whole! : `${whole}.${after}`;
  return /[1-9]/.test(digits) ? `${minus}${digits}` : "0";
}

async function check(engine: MysqlEngine, wanted: readonly Row[]): Promise<void> {
  const found = await engine.query("SELECT * FROM kinds ORDER BY id");
  assertEquals(found.length, wanted.length);
  found.forEach((cells, i) =>
    valued.forEach((column) => {
      const cell = cells[column.index]!;
      const value = cell === null ? null : codec(column).decode(cell);
      const shown = value !== null && column.type.name === "decimal" ? plain(value as string) : value;
      assertEquals(shown, expected(column, wanted[i]![column.name]), `${column.name} of row ${i}`);
    })
  );
}

function step(rows: readonly UpdateRow[], more: Partial<UpdateStep> = {}): UpdateStep {
  return { kind: "update", table: kinds, columns: valued, rows, bump: true, compare: [], returning: [], ...more };
}

/** Queries by each value of some rows find the rows that JavaScript finds. */
async function find(engine: MysqlEngine, rows: readonly Row[], some: number): Promise<number> {
  const { dialect } = engine.client;
  let found = 0;
  for (const [id, one] of rows.slice(0, some).entries()) {
    const params: SqlValue[] = [];
    const parts = comparable.filter(({ name }) => one[name] !== null).map((column) =>
      `SELECT '${column.name}', count(*), coalesce(max(id = ${id}), 0) FROM kinds ` +
      `WHERE ${column.name} IN ${dialect.inList([column], [[encode(column, one[column.name])]], params)}`
    );
    if (typeof one.note === "string") {
      for (const how of ["startsWith", "endsWith", "contains"] as const) {
        parts.push(
          `SELECT '${how}', count(*), max(id = ${id}) FROM kinds WHERE ${dialect.match("note", how, one.note, params)}`,
        );
      }
    }
    for (const [name, count, itself] of await engine.query(parts.join(" UNION ALL "), ...params)) {
      found++;
      assertEquals(itself, 1, `${name} of row ${id}`);
      const how = { startsWith: "startsWith", endsWith: "endsWith", contains: "includes" }[name as string];
      const same = (other: Row): boolean => {
        if (how !== undefined) {
          return typeof other.note === "string" && other.note[how as "includes"](one.note as string);
        }
        const [column] = columns(kinds, name as string);
        const [a, b] = [other, one].map((it) => JSON.stringify(expected(column!, it[column!.name]), bigints));
        return a === b;
      };
      assertEquals(count, rows.filter(same).length, `rows found by ${name} of row ${id}`);
    }
  }
  return found;
}

function bigints(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value instanceof Uint8Array ? [...value] : value;
}

const MODES = {
  "in strict mode": "STRICT_TRANS_TABLES",
  "with ANSI_QUOTES": "STRICT_TRANS_TABLES,ANSI_QUOTES",
  "without strict mode": "",
};

for (const [what, mode] of Object.entries(MODES)) {
  test(`every value comes back as it was and none is executed, ${what}`, async () => {
    await using engine = await MysqlEngine.open(kinds);
    await using reading = await engine.connect(mysql({ guards: "read" }));
    for (const client of [engine.client, reading]) await client.query("SET sql_mode = ?", mode);
    await engine.query("CREATE TABLE canary (id int)");
    let sent = 0;
    const many = fc.array(row, { minLength: 50, maxLength: 50 });
    await fc.assert(
      fc.asyncProperty(fc.tuple(many, many, many), async ([first, second, third]) => {
        await engine.query("DELETE FROM kinds");
        const names = kinds.columns.map(({ name }) => name);
        const cells = (one: Row): Cell[] => valued.map((column) => encode(column, one[column.name]));
        await engine.commit(insert(kinds, names, first.map((one, id) => [id, ...cells(one), 1])));
        await check(engine, first);
        // Many rows in one statement, each with columns of its own: every other value stays.
        const mixed = first.map((one, id): Row =>
          Object.fromEntries(valued.map(({ name }, i) => [name, ((i + id) % 2 === 0 ? second[id]! : one)[name]]))
        );
        const some = (id: number): Cell[] => cells(second[id]!).map((cell, i) => (i + id) % 2 === 0 ? cell : undefined);
        await engine.commit(step(first.map((_, id) => ({ key: [id], version: 1, cells: some(id) }))));
        await check(engine, mixed);
        sent += valued.length * first.length * 2;
        sent += await find(engine, mixed, 8);
        // The rest by a plain statement a row, and by a check before the write.
        await engine.commit(
          ...second.slice(0, 8).map((one, id) => step([{ key: [id], version: 2, cells: cells(one) }])),
        );
        const rest = second.slice(8).map((one, i) => ({ key: [i + 8], version: 2, cells: cells(one) }));
        await reading.commit(step(rest));
        await check(engine, second);
        // What was read is compared in the WHERE of an update and of a delete.
        const before = second.map((one) => comparable.map((column) => encode(column, one[column.name])));
        const compared = third.map((one, id) => ({ key: [id], before: before[id]!, cells: cells(one) }));
        await engine.commit(step(compared, { bump: false, compare: comparable }));
        await check(engine, third);
        const last = third.map((one, id) => ({
          key: [id],
          before: comparable.map((column) => encode(column, one[column.name])),
        }));
        await engine.commit(
          { ...remove(last.slice(0, 40), true, kinds), compare: comparable },
          ...last.slice(40).map((one) => ({ ...remove([one], true, kinds), compare: comparable })),
        );
        assertEquals(await engine.query("SELECT count(*) FROM kinds"), [[0]]);
        sent += valued.length * second.length * 2 + comparable.length * second.length * 2;
      }),
      { numRuns: 3, endOnFailure: true },
    );
    assertEquals(await engine.query("SHOW TABLES"), [["canary"], ["kinds"]]);
    assert(sent >= 10_000, `${sent} values`);
  });
}
