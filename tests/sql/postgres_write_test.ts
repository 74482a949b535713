import { dropTable } from "../../src/sql/postgres_ddl.ts";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { postgres } from "../../src/sql/postgres.ts";
import type { SqlValue } from "../../src/sql/statement.ts";
import type { Cell, DeleteStep, InsertStep, KeyRef, Step, UpdateStep, VerifyStep } from "../../src/sql/step.ts";
import type { TableInfo } from "../../src/sql/table.ts";
import { sql } from "../../src/sql/tag.ts";
import { columns, table } from "./fixtures.ts";
import { PostgresEngine } from "./postgres_engine.ts";

const authors = table("authors", {
  id: { type: "identity" },
  name: { type: "text", serverDefault: sql`'nobody'` },
  rank: { type: "integer", nullable: true, serverDefault: sql`7` },
  version: { type: "integer", version: true, serverDefault: sql`1` },
});
const books = table("books", {
  id: { type: "uuid", primaryKey: true, serverDefault: sql`gen_random_uuid()` },
  title: { type: "text" },
  author: { type: "integer", nullable: true },
}, { author: authors });
const pages = table("pages", {
  id: { type: "identity" },
  text: { type: "text" },
  book: { type: "uuid" },
}, { book: books });
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
  const of = more.table ?? authors;
  return {
    kind: "update",
    table: of,
    columns: columns(of, ...names),
    rows,
    bump: true,
    compare: [],
    returning: [],
    ...more,
  };
}

function remove(rows: DeleteStep["rows"], checked: boolean, of = authors): DeleteStep {
  return { kind: "delete", table: of, rows, compare: [], checked };
}

const ref = (of: TableInfo, ordinal: number, value?: SqlValue): KeyRef => ({ table: of, ordinal, value });

/** An engine with three authors at version 1. */
async function library(): Promise<PostgresEngine> {
  const engine = await PostgresEngine.open(authors, books, pages, nodes);
  await engine.commit(insert(authors, ["name"], [["Ann"], ["Bob"], ["Cy"]], 0));
  return engine;
}

async function failure(engine: PostgresEngine, ...steps: readonly Step[]): Promise<unknown> {
  const error = await assertRejects(() => engine.commit(...steps), Error);
  return postgres.guardFailure(error.message) ?? error.message;
}

const everyone = "SELECT id, name, rank, version FROM authors ORDER BY id";

Deno.test("compile() returns server-made keys by the position of their rows, with what was asked for", async () => {
  await using engine = await library();
  const { compiled, rows } = await engine.commit(insert(authors, ["name"], [["Dee"], ["Eve"]], 0, ["rank"]));
  assertEquals(compiled.map(({ step, from, to, guard, match }) => ({ step, from, to, guard, match })), [
    { step: 0, from: 0, to: 2, guard: false, match: "position" },
  ]);
  assertEquals(rows[0]!.toSorted(), [["0", "4", "7"], ["1", "5", "7"]]);
  assertEquals(await engine.query("SELECT id, name FROM authors WHERE id > 3 ORDER BY id"), [["4", "Dee"], [
    "5",
    "Eve",
  ]]);
});

Deno.test("compile() asks for nothing back when the rows bring their keys, unless there are defaults", async () => {
  await using engine = await library();
  const plain = await engine.commit(insert(authors, ["id", "name"], [[90, "Dee"], [80, "Eve"]]));
  assertEquals([plain.compiled[0]!.match, plain.rows, plain.affected], [null, [[]], [2]]);
  // Rows that say all of their columns are read as an array of records.
  const texts = (rows: readonly Cell[][]) =>
    postgres.compile([insert(authors, ["id", "name"], rows)])[0]!.statement.sql;
  assertEquals([[[70, "Dee"]], [[70, undefined]]].map((rows) => texts(rows).includes("ledge_r")), [false, true]);
  const back = await engine.commit(insert(authors, ["id", "name"], [[91, "Dee"], [81, "Eve"]], null, ["rank"]));
  assertEquals([back.compiled[0]!.match, back.rows[0]!.toSorted()], ["position", [["0", "91", "7"], ["1", "81", "7"]]]);
});

Deno.test("compile() inserts rows without any column", async () => {
  await using engine = await library();
  const keyed = await engine.commit(insert(authors, [], [[], [], []], 0, ["name"]));
  assertEquals(keyed.rows[0]!.toSorted(), [["0", "4", "nobody"], ["1", "5", "nobody"], ["2", "6", "nobody"]]);
  // A composite key of defaults, and one that only a trigger makes.
  const pairs = table("pairs", {
    a: { type: "uuid", primaryKey: true, serverDefault: sql`gen_random_uuid()` },
    b: { type: "integer", primaryKey: true, serverDefault: sql`5` },
  });
  const stamped = table("stamped", { id: { type: "text", primaryKey: true }, n: { type: "integer", nullable: true } });
  await engine.create(pairs, stamped);
  await engine.query(`CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.id := 'made ' || coalesce(NEW.n, 0); RETURN NEW; END $$`);
  await engine.query("CREATE TRIGGER stamp BEFORE INSERT ON stamped FOR EACH ROW EXECUTE FUNCTION stamp()");
  const { compiled, rows } = await engine.commit(
    insert(pairs, [], [[], []]),
    insert(stamped, ["n"], [[1], [2]], 0),
    insert(stamped, [], [[]], 2),
  );
  assertEquals(compiled.map(({ from, to, match }) => [from, to, match]), [
    [0, 2, "position"],
    [0, 1, "position"],
    [1, 2, "position"],
    [0, 1, "position"],
  ]);
  const kept = await engine.query("SELECT a FROM pairs");
  assertEquals(rows[0]!.map(([, a, b]) => [a, b]).toSorted(), kept.map(([a]) => [a!, "5"]).toSorted());
  assertEquals(rows.slice(1), [[["0", "made 1"]], [["1", "made 2"]], [["0", "made 0"]]]);
});

Deno.test("compile() draws the key of a GENERATED ALWAYS identity, a serial and a default", async () => {
  await using engine = await library();
  await engine.query('CREATE SCHEMA "Odd ""Place"""');
  const always = {
    ...table("Al'ways", { "I d": { type: "identity" }, n: { type: "integer" } }),
    schema: 'Odd "Place"',
  };
  const serial = table("serials", { id: { type: "identity" }, n: { type: "integer" } });
  await engine.query(
    `CREATE TABLE "Odd ""Place"""."Al'ways" ("I d" int GENERATED ALWAYS AS IDENTITY (START 10), n int)`,
  );
  await engine.query("CREATE TABLE serials (id smallserial, n int)");
  const { rows } = await engine.commit(
    insert(always, ["n"], [[1], [2]], 0),
    insert(serial, ["n"], [[ref(always, 1)], [ref(always, 0)]], 0),
    insert(serial, ["n"], [[ref(serial, 1)]], 2),
  );
  assertEquals(rows[0]!.toSorted(), [["0", "10"], ["1", "11"]]);
  assertEquals(await engine.query("SELECT id, n FROM serials ORDER BY id"), [["1", "11"], ["2", "10"], ["3", "2"]]);
});

Deno.test("compile() carries server-made keys to later rows, mixed with given ones and NULL", async () => {
  await using engine = await library();
  const uuid = "01890a5d-ac96-774b-bcce-b302099a8057";
  const { compiled, rows } = await engine.commit(
    insert(authors, ["name"], [["Dee"], ["Eve"]], 0),
    insert(authors, ["id", "name"], [[900, "Own"]]),
    insert(authors, ["name", "rank"], [["Flo", 1]], 2),
    insert(books, ["title", "author"], [["of Eve", ref(authors, 1)], ["of Ann", 1], ["of none", null], [
      "of Flo",
      ref(authors, 2),
    ]], 0),
    insert(books, ["id", "title", "author"], [[uuid, "of Dee", ref(authors, 0)]]),
    insert(books, ["title", "author"], [["of Bob", ref(authors, 9, "2")]], 4),
    insert(books, ["title", "author"], [[sql`${"of"} || ' Dee'`, ref(authors, 0)]], 5),
    insert(pages, ["text", "book"], [["in Flo's", ref(books, 3)], ["in Dee's", uuid], ["in Dee's", ref(books, 5)], [
      "in Bob's",
      ref(books, 4),
    ]], 0),
    insert(pages, ["text", "book"], [[sql`'in ' || 'Eve''s'`, ref(books, 0)]], 4),
  );
  assertEquals(compiled.every(({ guard }) => !guard), true);
  assertEquals(
    await engine.query("SELECT title, name FROM books LEFT JOIN authors ON authors.id = author ORDER BY title, name"),
    [
      ["of Ann", "Ann"],
      ["of Bob", "Bob"],
      ["of Dee", "Dee"],
      ["of Dee", "Dee"],
      ["of Eve", "Eve"],
      ["of Flo", "Flo"],
      ["of none", null],
    ],
  );
  assertEquals(
    await engine.query(
      "SELECT p.text, a.name FROM pages p JOIN books b ON b.id = p.book JOIN authors a ON a.id = b.author ORDER BY p.id",
    ),
    [["in Flo's", "Flo"], ["in Dee's", "Dee"], ["in Dee's", "Dee"], ["in Bob's", "Bob"], ["in Eve's", "Eve"]],
  );
  // What came back for the books with drawn keys is what is in the table.
  const drawn = rows[3]!.toSorted().map(([, id]) => id!);
  const titles = await engine.query("SELECT id, title FROM books");
  assertEquals(drawn.map((id) => titles.find(([one]) => one === id)?.[1]), ["of Eve", "of Ann", "of none", "of Flo"]);
  // The settings that carried them end with the transaction.
  assertEquals(await engine.query("SELECT current_setting('ledge.k0', true)"), [[""]]);
});

Deno.test("compile() inserts rows that refer to rows of the same statement", async () => {
  await using engine = await library();
  await engine.query("INSERT INTO nodes (id) OVERRIDING SYSTEM VALUE VALUES (500)");
  const rows = [[null], [500], [ref(nodes, 0)], [ref(nodes, 1)], [ref(nodes, 2)]];
  const { compiled } = await engine.commit(
    insert(nodes, ["parent"], rows, 0),
    insert(nodes, ["parent"], [[ref(nodes, 4)], [ref(nodes, 5)]], 5),
  );
  assertEquals(compiled.map(({ from, to }) => [from, to]), [[0, 5], [0, 2]]);
  assertEquals(await engine.query("SELECT id, parent FROM nodes WHERE id < 500 ORDER BY id"), [
    ["1", null],
    ["2", "500"],
    ["3", "1"],
    ["4", "2"],
    ["5", "3"],
    ["6", "5"],
    ["7", "6"],
  ]);
  assertThrows(
    () => postgres.compile([insert(nodes, ["parent"], [[ref(nodes, 3)]], 0)]),
    Error,
    "before it is inserted",
  );
});

Deno.test("compile() writes 1,000 changed rows, each with columns of its own, as one statement", async () => {
  await using engine = await PostgresEngine.open();
  const names = Array.from({ length: 10 }, (_, i) => `c${i}`);
  const wide = table("wide", {
    id: { type: "uuid", primaryKey: true },
    ...Object.fromEntries(names.map((name) => [name, { type: "integer" as const, nullable: true }])),
    version: { type: "integer", version: true },
  });
  await engine.create(wide);
  const ids = Array.from({ length: 1000 }, () => crypto.randomUUID() as string);
  await engine.commit(insert(wide, ["id", ...names, "version"], ids.map((id) => [id, ...names.map(() => 0), 1])));
  // The columns of a row are the bits of its number; a changed one holds it, or NULL where it is odd.
  const changed = (row: number, column: number) => ((row + 1) >> column) % 2 === 1;
  const { compiled } = await engine.commit(update(
    ids.map((id, row) => ({
      key: [id],
      version: 1,
      cells: names.map((_, i) => changed(row, i) ? row % 2 === 0 ? row : null : undefined),
    })),
    names,
    { table: wide },
  ));
  assertEquals(compiled.length, 1);
  const rows = new Map((await engine.query("SELECT * FROM wide")).map(([id, ...rest]) => [id, rest]));
  assertEquals(
    ids.map((id) => rows.get(id)),
    ids.map((_, row) => [...names.map((_, i) => changed(row, i) ? row % 2 === 0 ? String(row) : null : "0"), "2"]),
  );
});

Deno.test("compile() updates each row's own columns and returns what the database makes", async () => {
  await using engine = await library();
  const { compiled, rows } = await engine.commit(update(
    [
      { key: [1], version: 1, cells: ["Anna", undefined] },
      { key: [2], version: 1, cells: [undefined, null] },
      { key: [3], version: 1, cells: ["", 3] },
    ],
    ["name", "rank"],
    { returning: columns(authors, "version", "rank") },
  ));
  assertEquals(compiled.map(({ from, to, guard, match }) => [from, to, guard, match]), [[0, 3, false, "position"]]);
  assertEquals(rows[0]!.toSorted(), [["0", "1", "2", "7"], ["1", "2", "2", null], ["2", "3", "2", "3"]]);
  assertEquals(await engine.query(everyone), [["1", "Anna", "7", "2"], ["2", "Bob", null, "2"], ["3", "", "3", "2"]]);
});

Deno.test("compile() writes SQL expressions row by row, where they see their row, with a guard of their own", async () => {
  await using engine = await library();
  const step = (version: number): UpdateStep =>
    update(
      [
        { key: [1], version: 1, cells: ["Anna", undefined] },
        { key: [2], version, cells: [sql`name || ${"!"}`, sql`authors.rank + ${1}`] },
        { key: [3], version: 1, cells: [undefined, 3] },
      ],
      ["name", "rank"],
      { returning: columns(authors, "name") },
    );
  assertEquals(await failure(engine, step(2)), { kind: "stale", step: 0, row: 1, count: 1 });
  const { compiled, rows } = await engine.commit(step(1));
  assertEquals(compiled.map(({ from, to }) => [from, to]), [[0, 1], [1, 2], [2, 3]]);
  assertEquals(rows, [[["0", "1", "Anna"]], [["1", "2", "Bob!"]], [["2", "3", "Cy"]]]);
  assertEquals(await engine.query(everyone), [["1", "Anna", "7", "2"], ["2", "Bob!", "8", "2"], [
    "3",
    "Cy",
    "3",
    "2",
  ]]);
});

Deno.test("compile() only counts the version when no column changes, and updates rows made in the same batch", async () => {
  await using engine = await library();
  await engine.commit(
    insert(authors, ["name"], [["Dee"], ["Eve"]], 0),
    update([{ key: [ref(authors, 1)], cells: ["Eva"] }, { key: [3], cells: ["Cyd"] }], ["name"], { bump: false }),
    update([{ key: [ref(authors, 0)], cells: [sql`name || '!'`] }], ["name"], { bump: false }),
    update([{ key: [1], cells: [] }], []),
    update([{ key: [2], cells: [] }], [], { bump: false, returning: columns(authors, "rank") }),
    update([{ key: [2], version: 1, cells: [] }], [], { bump: false }),
  );
  assertEquals(await engine.query("SELECT name, version FROM authors ORDER BY id"), [
    ["Ann", "2"],
    ["Bob", "1"],
    ["Cyd", "1"],
    ["Dee!", "1"],
    ["Eva", "1"],
  ]);
  const gone = update([{ key: [77], cells: [] }], [], { bump: false });
  assertEquals(await failure(engine, gone), { kind: "stale", step: 0, row: 0, count: 1 });
});

Deno.test("compile() names the first stale row of a step and how many there are, and writes nothing", async () => {
  await using engine = await library();
  const rows = [1, 2, 3].map((id) => ({ key: [id], version: id === 1 ? 1 : 9, cells: ["new"] }));
  const verify: VerifyStep = {
    kind: "verify",
    table: authors,
    rows: [{ key: [1], version: 1 }, { key: [4] }],
    compare: [],
  };
  assertEquals(await failure(engine, update(rows, ["name"])), { kind: "stale", step: 0, row: 1, count: 2 });
  const insertFirst = insert(authors, ["name"], [["Dee"]], 0);
  assertEquals(await failure(engine, insertFirst, remove([{ key: [1] }, { key: [7] }], true)), {
    kind: "stale",
    step: 1,
    row: 1,
    count: 1,
  });
  assertEquals(await failure(engine, verify), { kind: "stale", step: 0, row: 1, count: 1 });
  const mixed = [{ key: [1], cells: ["new"] }, { key: [2], version: 2, cells: ["new"] }];
  assertEquals(await failure(engine, update(mixed, ["name"])), { kind: "stale", step: 0, row: 1, count: 1 });
  // A row without a version must be there as well.
  const gone = [{ key: [1], cells: ["new"] }, { key: [77], cells: ["new"] }];
  assertEquals(await failure(engine, update(gone, ["name"])), { kind: "stale", step: 0, row: 1, count: 1 });
  assertEquals(await engine.query("SELECT name, version FROM authors ORDER BY id"), [["Ann", "1"], ["Bob", "1"], [
    "Cy",
    "1",
  ]]);
});

Deno.test("compile() compares columns with what was read, NULL and microseconds too", async () => {
  await using engine = await PostgresEngine.open();
  const events = table("events", {
    id: { type: "integer", primaryKey: true },
    at: { type: "timestamp", nullable: true },
    note: { type: "text", nullable: true },
  });
  await engine.query("CREATE TABLE events (id int PRIMARY KEY, at timestamptz, note text)");
  await engine.query("INSERT INTO events VALUES (1, '2024-01-02 03:04:05.678999+00', 'a'), (2, NULL, NULL)");
  const compare = columns(events, "at", "note");
  const check = (rows: VerifyStep["rows"]): VerifyStep => ({ kind: "verify", table: events, rows, compare });
  const first = "2024-01-02T03:04:05.678Z";
  await engine.commit(check([{ key: [1], before: [first, "a"] }, { key: [2], before: [null, null] }, { key: [2] }]));
  const late = check([
    { key: [1] },
    { key: [2], before: [null, ""] },
    { key: [1], before: ["2024-01-02T03:04:05.679Z", "a"] },
    { key: [1], before: [null, "a"] },
  ]);
  assertEquals(await failure(engine, late), { kind: "stale", step: 0, row: 1, count: 3 });
  // The same for a row that an expression changes, and for one that is deleted.
  const change = (before: readonly SqlValue[], cell: Cell): UpdateStep => ({
    kind: "update",
    table: events,
    columns: columns(events, "note"),
    rows: [{ key: [1], cells: [cell], before }],
    bump: false,
    compare,
    returning: [],
  });
  const stale = { kind: "stale", step: 0, row: 0, count: 1 };
  assertEquals(await failure(engine, change([first, null], sql`'b'`)), stale);
  assertEquals(await failure(engine, change([first, null], "b")), stale);
  await engine.commit(change([first, "a"], sql`note || 'b'`));
  await engine.commit(change([first, "ab"], "c"));
  const drop = (note: string): DeleteStep => ({
    kind: "delete",
    table: events,
    rows: [{ key: [1], before: [first, note] }],
    compare,
    checked: true,
  });
  assertEquals(await failure(engine, drop("ab")), stale);
  await engine.commit(drop("c"));
  assertEquals(await engine.query("SELECT id FROM events"), [["2"]]);
});

Deno.test("compile() deletes rows, and checks unchecked ones only where they say what they must be like", async () => {
  await using engine = await library();
  const { affected } = await engine.commit(remove([{ key: [1] }, { key: [77] }], false));
  assertEquals([affected, await engine.query("SELECT id FROM authors")], [[1], [["2"], ["3"]]]);
  const rows = [{ key: [77] }, { key: [2], version: 1 }, { key: [3], version: 4 }];
  assertEquals(await failure(engine, remove(rows, false)), { kind: "stale", step: 0, row: 2, count: 1 });
  const checked = await engine.commit(remove([{ key: [2], version: 1 }, { key: [3], version: 1 }], true));
  assertEquals([checked.affected, await engine.query("SELECT id FROM authors")], [[2], []]);
});

Deno.test("compile() deletes every row of a partial key, as of a link table", async () => {
  await using engine = await PostgresEngine.open();
  const links = table("links", { a: { type: "uuid", primaryKey: true }, b: { type: "integer", primaryKey: true } });
  await engine.create(links);
  const [x, y] = [crypto.randomUUID() as string, crypto.randomUUID() as string];
  await engine.commit(insert(links, ["a", "b"], [[x, 1], [x, 2], [y, 1], [y, 2]]));
  const { affected } = await engine.commit(
    remove([{ key: [y, 2] }], false, links),
    remove([{ key: [x] }], false, { ...links, key: columns(links, "a") }),
  );
  assertEquals([affected, await engine.query("SELECT a, b FROM links")], [[1, 2], [[y, "1"]]]);
});

Deno.test("compile() requires a condition to be true; NULL and false are not, whether constant or not", async () => {
  await using engine = await library();
  const require = (condition: ReturnType<typeof sql>): Step => ({ kind: "require", condition });
  await engine.commit(
    require(sql`true`),
    require(sql`(SELECT count(*) FROM authors) = ${3}`),
    require(sql`EXISTS (SELECT FROM authors WHERE name = ${"Ann"})`),
    require(sql`${1} < ${2}::int OR false`),
  );
  const add = insert(authors, ["name"], [["Dee"]], 0);
  for (
    const condition of [
      sql`false`,
      sql`NULL`,
      sql`NULL::boolean`,
      sql`(SELECT rank > 100 FROM authors WHERE id = -1)`,
      sql`(SELECT count(*) FROM authors) = ${3}`,
      sql`(SELECT NOT true)`,
    ]
  ) {
    assertEquals(await failure(engine, add, require(condition)), { kind: "require", step: 1 });
  }
  assertEquals((await engine.query(everyone)).length, 3);
});

Deno.test("compile() passes staged statements on as they are", () => {
  const statement = { sql: "UPDATE authors SET rank = $1", params: [1] };
  assertEquals(postgres.compile([{ kind: "staged", statement }]), [
    { statement, step: 0, from: 0, to: 0, guard: false, match: null },
  ]);
});

Deno.test("compile() gives the same text for any number of rows, and divides what is too long", async () => {
  await using engine = await library();
  const text = (count: number) =>
    postgres.compile([
      insert(authors, ["name"], Array.from({ length: count }, () => ["x"]), 0),
      update(Array.from({ length: count }, (_, i) => ({ key: [i + 1], version: 1, cells: ["y"] })), ["name"]),
      remove(Array.from({ length: count }, (_, i) => ({ key: [i + 1] })), true),
    ]).map((one) => one.statement.sql);
  assertEquals(text(1), text(100));
  const many = Array.from({ length: 10_001 }, (_, i) => [`a${i}`]);
  const { compiled, rows } = await engine.commit(
    insert(authors, ["name"], many, 0),
    insert(books, ["title", "author"], many.map(([title], i) => [title!, ref(authors, i)]), 0),
  );
  assertEquals(compiled.map(({ from, to }) => [from, to]), [[0, 10_000], [10_000, 10_001], [0, 10_000], [
    10_000,
    10_001,
  ]]);
  // No row drags along what carries the keys of all.
  assertEquals(rows.every((one) => one.every((row) => row.length === 2 && row[1]!.length < 40)), true);
  const wrong = "SELECT count(*) FROM books LEFT JOIN authors ON authors.id = author WHERE title IS DISTINCT FROM name";
  assertEquals(await engine.query(wrong), [["0"]]);
  const late = Array.from({ length: 10_002 }, (_, i) => ({ key: [i + 4], version: 1, cells: ["z"] }));
  assertEquals(await failure(engine, update(late, ["name"])), { kind: "stale", step: 0, row: 10_001, count: 1 });
});

Deno.test("compile() finds its way among mixed-case, reserved and built-in names, and schemas", async () => {
  await using engine = await PostgresEngine.open();
  const names = ["path", "user", "Select", "ledge", "r", "t", "e", "p", 'a"b', "o'c", "back\\slash", "ord"];
  for (const schema of [null, "Other"]) {
    for (const name of names) {
      const odd: TableInfo = {
        ...table(name, {
          ord: { type: "identity" },
          p: { type: "text" },
          "e.j": { type: "json", nullable: true },
          "Group": { type: "integer", nullable: true, serverDefault: sql`3` },
          'q"u': { type: "text", nullable: true },
          r: { type: "integer", version: true },
          "#": { type: "integer", nullable: true },
          "o'c\\": { type: "integer", nullable: true },
        }),
        schema,
      };
      await engine.create(odd);
      await engine.commit(
        insert(odd, ["p", "e.j", "r"], [["one", "null", 1], ["two", null, 1]], 0, ["Group"]),
        insert(odd, ["p", "r", "#", "o'c\\"], [["three", 1, ref(odd, 0), ref(odd, 1)]], 2),
        insert(odd, ["ord", "p", "e.j", 'q"u', "r"], [[91, "five", '{"b":[1.50]}', "'\"\\", 1], [
          90,
          "four",
          null,
          null,
          1,
        ]]),
        update(
          [{ key: [ref(odd, 0)], version: 1, cells: [undefined, '{"a":1}', "x"] }, {
            key: [2],
            version: 1,
            cells: ["TWO", "null", undefined],
          }],
          ["p", "e.j", 'q"u'],
          { table: odd, returning: columns(odd, "Group") },
        ),
        { kind: "verify", table: odd, rows: [{ key: [1], version: 2 }], compare: [] },
        remove([{ key: [2], version: 2 }], true, odd),
      );
      const from = schema === null ? postgres.quote(name) : `"Other".${postgres.quote(name)}`;
      assertEquals(await engine.query(`SELECT * FROM ${from} ORDER BY 1`), [
        ["1", "one", '{"a": 1}', "3", "x", "2", null, null],
        ["3", "three", null, "3", null, "1", "1", "2"],
        ["90", "four", null, "3", null, "1", null, null],
        ["91", "five", '{"b": [1.50]}', "3", "'\"\\", "1", null, null],
      ]);
      for (const { sql } of dropTable(odd)) await engine.query(sql);
    }
  }
});

Deno.test("compile() keeps to types that only the table knows: native enumerations, domains, json and smallint", async () => {
  await using engine = await PostgresEngine.open();
  await engine.query("CREATE TYPE mood AS ENUM ('sad', 'it''s ok')");
  await engine.query("CREATE DOMAIN short AS varchar(3) CHECK (value <> 'bad')");
  await engine.query(
    "CREATE TABLE typed (id int2 PRIMARY KEY, mood mood, moods mood[], code short, doc json, at timestamp)",
  );
  const mood = { name: "enumeration" as const, values: ["sad", "it's ok"] };
  const typed = table("typed", {
    id: { type: "integer", primaryKey: true },
    mood: { type: mood, nullable: true },
    moods: { type: { name: "array", of: mood }, nullable: true },
    code: { type: "text", nullable: true },
    doc: { type: "json", nullable: true },
    at: { type: "timestamp", nullable: true },
  });
  const doc = '{"z":1,"a":[1.50,null]}';
  await engine.commit(
    insert(typed, ["id", "mood", "moods", "code", "doc", "at"], [
      [1, "sad", '{"sad","it\'s ok"}', "abc", doc, "2024-01-02T03:04:05.678Z"],
      [2, null, null, null, "null", null],
    ]),
    insert(typed, ["id", "mood", "moods", "code", "doc", "at"], [
      [3, "sad", '{"sad","it\'s ok"}', "abc", doc, "2024-01-02T03:04:05.678Z"],
    ]),
    update([{ key: [2], cells: ["it's ok", undefined] }, { key: [1], cells: [undefined, "null"] }], ["mood", "doc"], {
      table: typed,
      bump: false,
    }),
  );
  assertEquals(await engine.query("SELECT id, mood, moods, code, doc, at FROM typed ORDER BY id"), [
    ["1", "sad", '{sad,"it\'s ok"}', "abc", "null", "2024-01-02 03:04:05.678"],
    ["2", "it's ok", null, null, "null", null],
    ["3", "sad", '{sad,"it\'s ok"}', "abc", doc, "2024-01-02 03:04:05.678"],
  ]);
  assertEquals(
    typeof await failure(
      engine,
      update([{ key: [1], cells: ["long"] }], ["code"], { table: typed, bump: false }),
    ),
    "string",
  );
  const params: SqlValue[] = [];
  const list = postgres.inList(columns(typed, "mood"), [["sad"], ["it's ok"]], params);
  assertEquals(await engine.query(`SELECT count(*) FROM typed WHERE mood IN ${list}`, ...params), [["3"]]);
  assertEquals(
    await engine.query(`SELECT id FROM typed WHERE ${postgres.match("mood", "startsWith", "it'", [])}`, "it'%"),
    [["2"]],
  );
});
