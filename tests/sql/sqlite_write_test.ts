import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { UnsupportedError } from "../../src/errors.ts";
import { sqlite } from "../../src/sql/sqlite.ts";
import { UNLIMITED } from "../../src/sql/sqlite_limits.ts";
import { MAX_JSON_ROWS } from "../../src/sql/sqlite_source.ts";
import type { SqlValue } from "../../src/sql/statement.ts";
import type { Cell, DeleteStep, InsertStep, KeyRef, Step, UpdateStep, VerifyStep } from "../../src/sql/step.ts";
import type { TableInfo } from "../../src/sql/table.ts";
import { sql } from "../../src/sql/tag.ts";
import { columns, Engine, table } from "./fixtures.ts";

const authors = table("authors", {
  id: { type: "identity" },
  name: { type: "text", serverDefault: sql`'nobody'` },
  rank: { type: "integer", nullable: true, serverDefault: sql`7` },
  version: { type: "integer", version: true, serverDefault: sql`1` },
});
const books = table("books", {
  id: { type: "identity" },
  title: { type: "text" },
  author: { type: "integer", nullable: true },
}, { author: authors });
const nodes = table("nodes", { id: { type: "identity" }, parent: { type: "integer", nullable: true } }, {
  parent: "self",
});

function insert(
  into: TableInfo,
  names: readonly string[],
  rows: readonly (readonly Cell[])[],
  firstOrdinal: number | null = null,
  returning: readonly string[] = [],
): InsertStep {
  return {
    kind: "insert",
    table: into,
    columns: columns(into, ...names),
    rows,
    firstOrdinal,
    returning: columns(into, ...returning),
  };
}

function update(rows: UpdateStep["rows"], names: readonly string[], more: Partial<UpdateStep> = {}): UpdateStep {
  const base: UpdateStep = {
    kind: "update",
    table: authors,
    columns: columns(authors, ...names),
    rows,
    bump: true,
    compare: [],
    returning: [],
  };
  return { ...base, ...more };
}

function remove(rows: DeleteStep["rows"], checked: boolean): DeleteStep {
  return { kind: "delete", table: authors, rows, compare: [], checked };
}

const ref = (of: TableInfo, ordinal: number, value?: SqlValue): KeyRef => ({ table: of, ordinal, value });

/** An engine with three authors at version 1. */
async function library(): Promise<Engine> {
  const engine = new Engine();
  await engine.create(authors, books, nodes);
  await engine.commit(insert(authors, ["name"], [["Ann"], ["Bob"], ["Cy"]], 0));
  return engine;
}

async function stale(engine: Engine, ...steps: readonly Step[]): Promise<unknown> {
  const error = await assertRejects(() => engine.commit(...steps), Error);
  return sqlite.guardFailure(error.message);
}

Deno.test("compile() returns server-made keys in the order of the rows, with what was asked for", async () => {
  using engine = await library();
  const { compiled, rows } = await engine.commit(insert(authors, ["name"], [["Dee"], ["Eve"]], 0, ["rank"]));
  assertEquals(compiled.map(({ step, from, to, guard, match }) => ({ step, from, to, guard, match })), [
    { step: 0, from: 0, to: 2, guard: false, match: "ascending" },
  ]);
  assertEquals(rows, [[[4, 7], [5, 7]]]);
});

Deno.test("compile() asks for nothing back when the rows bring their keys, unless there are defaults", async () => {
  using engine = await library();
  const plain = await engine.commit(insert(authors, ["id", "name"], [[90, "Dee"], [80, "Eve"]]));
  assertEquals([plain.compiled[0]!.match, plain.rows], [null, [[]]]);
  const back = await engine.commit(insert(authors, ["id", "name"], [[91, "Dee"], [81, "Eve"]], null, ["rank"]));
  assertEquals([back.compiled[0]!.match, back.rows[0]!.sort()], ["key", [[81, 7], [91, 7]]]);
});

Deno.test("compile() inserts rows without any column", async () => {
  using engine = await library();
  const keyed = await engine.commit(insert(authors, [], [[], [], []], 0, ["name"]));
  assertEquals(keyed.rows, [[[4, "nobody"], [5, "nobody"], [6, "nobody"]]]);
  const drawn = table("drawn", { id: { type: "text", primaryKey: true, serverDefault: sql`hex(randomblob(4))` } });
  await engine.create(drawn);
  const { compiled, rows } = await engine.commit(insert(drawn, [], [[], []], 0));
  assertEquals(compiled.map(({ from, to, match }) => [from, to, match]), [[0, 1, "ascending"], [1, 2, "ascending"]]);
  assertEquals(rows.map((one) => one.length), [1, 1]);
});

Deno.test("compile() carries server-made keys to later rows, mixed with given ones and NULL", async () => {
  using engine = await library();
  await engine.query("DELETE FROM authors WHERE id = 3");
  await engine.commit(
    insert(authors, ["name"], [["Dee"], ["Eve"]], 0),
    insert(authors, ["name", "rank"], [["Flo", 1]], 2),
    insert(books, ["title", "author"], [["of Eve", ref(authors, 1)], ["of Ann", 1], ["of none", null], [
      "of Flo",
      ref(authors, 2),
    ]], 0),
    insert(books, ["title", "author"], [["of Dee", ref(authors, 0)], ["of Bob", ref(authors, 9, 2)]], 4),
    insert(books, ["title", "author"], [[sql`'of ' || ${"Dee"}`, ref(authors, 0)]], 6),
  );
  const read = "SELECT title, name FROM books LEFT JOIN authors ON authors.id = author ORDER BY books.id";
  assertEquals(await engine.query(read), [
    ["of Eve", "Eve"],
    ["of Ann", "Ann"],
    ["of none", null],
    ["of Flo", "Flo"],
    ["of Dee", "Dee"],
    ["of Bob", "Bob"],
    ["of Dee", "Dee"],
  ]);
});

Deno.test("compile() starts a new statement when a row refers to one before it in the same table", async () => {
  using engine = await library();
  await engine.query("INSERT INTO nodes (id) VALUES (5)");
  const rows = [[null], [5], [ref(nodes, 0)], [ref(nodes, 1)], [ref(nodes, 2)]];
  const { compiled } = await engine.commit(insert(nodes, ["parent"], rows, 0));
  assertEquals(compiled.map(({ from, to }) => [from, to]), [[0, 2], [2, 4], [4, 5]]);
  assertEquals(await engine.query("SELECT id, parent FROM nodes WHERE id > 5"), [[6, null], [7, 5], [8, 6], [9, 7], [
    10,
    8,
  ]]);
  assertThrows(() => sqlite.compile([insert(nodes, ["parent"], [[ref(nodes, 0)]], 0)]), Error, "before it is inserted");
});

Deno.test("compile() refuses to follow server-made keys past rows that bring their own", () => {
  const steps = [
    insert(authors, ["name"], [["Dee"]], 0),
    insert(authors, ["id", "name"], [[900, "Eve"]]),
    insert(books, ["title", "author"], [["of Dee", ref(authors, 0)]], 0),
  ];
  assertThrows(() => sqlite.compile(steps), UnsupportedError, "commit in between");
  sqlite.compile([steps[1]!, steps[0]!, steps[2]!]);
});

Deno.test("compile() updates each row's own columns in one statement and counts its version", async () => {
  using engine = await library();
  const { compiled, rows } = await engine.commit(update(
    [
      { key: [1], version: 1, cells: ["Anna", undefined] },
      { key: [2], version: 1, cells: [undefined, null] },
      { key: [3], version: 1, cells: ["", 3] },
    ],
    ["name", "rank"],
    { returning: columns(authors, "version") },
  ));
  assertEquals(compiled.map(({ guard, match }) => [guard, match]), [[true, null], [false, "key"]]);
  assertEquals(rows[1]!.sort(), [[1, 2], [2, 2], [3, 2]]);
  assertEquals(await engine.query("SELECT * FROM authors"), [[1, "Anna", 7, 2], [2, "Bob", null, 2], [3, "", 3, 2]]);
});

Deno.test("compile() writes SQL expressions row by row, where they see their row", async () => {
  using engine = await library();
  const { compiled } = await engine.commit(update([
    { key: [1], version: 1, cells: ["Anna", undefined] },
    { key: [2], version: 1, cells: [sql`name || ${"!"}`, sql`authors.rank + ${1}`] },
    { key: [3], version: 1, cells: [undefined, 3] },
  ], ["name", "rank"]));
  assertEquals(compiled.map(({ from, to, guard }) => [from, to, guard]), [[0, 3, true], [0, 1, false], [1, 2, false], [
    2,
    3,
    false,
  ]]);
  assertEquals(await engine.query("SELECT * FROM authors"), [[1, "Anna", 7, 2], [2, "Bob!", 8, 2], [3, "Cy", 3, 2]]);
});

Deno.test("compile() only counts the version when no column changes, and updates rows made in the same batch", async () => {
  using engine = await library();
  await engine.commit(
    insert(authors, ["name"], [["Dee"], ["Eve"]], 0),
    update([{ key: [ref(authors, 1)], cells: ["Eva"] }], ["name"], { bump: false }),
    update([{ key: [ref(authors, 0)], cells: [sql`name || '!'`] }], ["name"], { bump: false }),
    update([{ key: [1], cells: [] }], []),
  );
  assertEquals(await engine.query("SELECT name, version FROM authors WHERE id IN (1, 4, 5)"), [
    ["Ann", 2],
    ["Dee!", 1],
    ["Eva", 1],
  ]);
});

Deno.test("compile() names the first stale row of a step and how many there are, and writes nothing", async () => {
  using engine = await library();
  const rows = [1, 2, 3].map((id) => ({ key: [id], version: id === 1 ? 1 : 9, cells: ["new"] }));
  const verify: VerifyStep = {
    kind: "verify",
    table: authors,
    rows: [{ key: [1], version: 1 }, { key: [4] }],
    compare: [],
  };
  assertEquals(await stale(engine, update(rows, ["name"])), { kind: "stale", step: 0, row: 1, count: 2 });
  const insertFirst = insert(authors, ["name"], [["Dee"]], 0);
  assertEquals(await stale(engine, insertFirst, remove([{ key: [1] }, { key: [7] }], true)), {
    kind: "stale",
    step: 1,
    row: 1,
    count: 1,
  });
  assertEquals(await stale(engine, verify), { kind: "stale", step: 0, row: 1, count: 1 });
  const mixed = [{ key: [1], cells: ["new"] }, { key: [2], version: 2, cells: ["new"] }];
  assertEquals(await stale(engine, update(mixed, ["name"])), { kind: "stale", step: 0, row: 1, count: 1 });
  assertEquals(await engine.query("SELECT name, version FROM authors"), [["Ann", 1], ["Bob", 1], ["Cy", 1]]);
});

Deno.test("compile() compares columns with what was read, NULL and SQLite's own timestamps too", async () => {
  using engine = new Engine();
  const events = table("events", {
    id: { type: "integer", primaryKey: true },
    at: { type: "timestamp", nullable: true },
    size: { type: "double", nullable: true },
  });
  await engine.create(events);
  await engine.query("INSERT INTO events VALUES (1, '2024-01-02 03:04:05', 0.1), (2, NULL, NULL)");
  const [at, size] = columns(events, "at", "size");
  const check = (rows: VerifyStep["rows"]): VerifyStep => ({
    kind: "verify",
    table: events,
    rows,
    compare: [at!, size!],
  });
  const first = "2024-01-02T03:04:05.000Z";
  await engine.commit(check([{ key: [1], before: [first, 0.1] }, { key: [2], before: [null, null] }, { key: [2] }]));
  const late = check([{ key: [1] }, { key: [2], before: [null, 0.1] }, {
    key: [1],
    before: ["2024-01-02T03:04:05.001Z", 0.1],
  }]);
  assertEquals(await stale(engine, late), { kind: "stale", step: 0, row: 1, count: 2 });
});

Deno.test("compile() deletes rows, and checks unchecked ones only where they say what they must be like", async () => {
  using engine = await library();
  await engine.commit(remove([{ key: [1] }, { key: [77] }], false));
  assertEquals(await engine.query("SELECT id FROM authors"), [[2], [3]]);
  const rows = [{ key: [77] }, { key: [2], version: 1 }, { key: [3], version: 4 }];
  assertEquals(await stale(engine, remove(rows, false)), { kind: "stale", step: 0, row: 2, count: 1 });
  await engine.commit(remove([{ key: [2], version: 1 }, { key: [3], version: 1 }], true));
  assertEquals(await engine.query("SELECT id FROM authors"), []);
});

Deno.test("compile() gives the same text for any number of rows, under the limits", async () => {
  using engine = await library();
  const text = (count: number) =>
    sqlite.compile([
      insert(authors, ["name"], Array.from({ length: count }, () => ["x"]), 0),
      update(Array.from({ length: count }, (_, i) => ({ key: [i + 1], version: 1, cells: ["y"] })), ["name"]),
      remove(Array.from({ length: count }, (_, i) => ({ key: [i + 1] })), true),
    ]).map((one) => one.statement.sql);
  assertEquals(text(1), text(100));
  const many = Array.from({ length: MAX_JSON_ROWS + 1 }, (_, i) => [`a${i}`]);
  const { compiled } = await engine.commit(
    insert(authors, ["name"], many, 0),
    insert(books, ["title", "author"], many.map(([title], i) => [title!, ref(authors, i)]), 0),
  );
  assertEquals(compiled.map(({ from, to }) => [from, to]), [[0, 5000], [5000, 5001], [0, 5000], [5000, 5001]]);
  const wrong = "SELECT count(*) FROM books LEFT JOIN authors ON authors.id = author WHERE title IS NOT name";
  assertEquals(await engine.query(wrong), [[0]]);
  const late = Array.from({ length: MAX_JSON_ROWS + 2 }, (_, i) => ({ key: [i + 4], version: 1, cells: ["z"] }));
  assertEquals(await stale(engine, update(late, ["name"])), { kind: "stale", step: 0, row: 5001, count: 1 });
});

Deno.test("compile() keeps VALUES under the number of placeholders", async () => {
  using engine = new Engine();
  const names = Array.from({ length: 90 }, (_, i) => `c${i}`);
  const wide = table("wide", {
    id: { type: "integer", primaryKey: true },
    ...Object.fromEntries(names.map((name) => [name, { type: "double" as const, nullable: true }])),
  });
  await engine.create(wide);
  const rows = Array.from({ length: 1200 }, (_, i) => [i, ...names.map((_, at) => i + at / 128)]);
  const { compiled } = await engine.commit(insert(wide, ["id", ...names], rows));
  assertEquals(compiled.every(({ statement }) => statement.params.length <= UNLIMITED.maxParameters), true);
  assertEquals(compiled.length, 4);
  assertEquals(await engine.query("SELECT * FROM wide ORDER BY id"), rows);
});

Deno.test("compile() keeps integers integers when the column was made without a type", async () => {
  using engine = new Engine();
  const loose = table("loose", { id: { type: "integer", primaryKey: true }, n: { type: "bigint" } });
  await engine.query("CREATE TABLE loose (id PRIMARY KEY, n)");
  await engine.commit(
    insert(loose, ["id", "n"], [[1, 2n ** 62n + 1n], [2, 5n]]),
    { kind: "verify", table: loose, rows: [{ key: [1], before: [2n ** 62n + 1n] }], compare: columns(loose, "n") },
  );
  assertEquals(await engine.query("SELECT id, n, typeof(n) FROM loose"), [[1, 2n ** 62n + 1n, "integer"], [
    2,
    5,
    "integer",
  ]]);
});
