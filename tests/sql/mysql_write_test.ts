import { assertEquals } from "@std/assert";
import { mysql } from "../../src/sql/mysql.ts";
import type { SqlValue } from "../../src/sql/statement.ts";
import type { Cell, DeleteStep, Step, UpdateStep, VerifyStep } from "../../src/sql/step.ts";
import { sql } from "../../src/sql/tag.ts";
import { columns, table } from "./fixtures.ts";
import { MysqlEngine, test } from "./mysql_engine.ts";
import { authors, everyone, failure, insert, library, ref, remove, update } from "./mysql_steps.ts";

test("compile() updates one row by key and version with a plain statement", async () => {
  await using engine = await library();
  const { compiled } = await engine.commit(update([{ key: [2], version: 1, cells: ["Bea"] }], ["name"]));
  assertEquals(compiled, [{
    statement: {
      sql: "UPDATE `authors` SET `authors`.`name` = ?, `authors`.`version` = `authors`.`version` + 1 " +
        "WHERE `authors`.`id` = ? AND `authors`.`version` = ?",
      params: ["Bea", 2, 1],
    },
    step: 0,
    from: 0,
    to: 1,
    guard: false,
    match: null,
    expectRows: 1,
  }]);
  assertEquals((await engine.query(everyone))[1], [2, "Bea", 7, 2]);
  assertEquals(await failure(engine, update([{ key: [2], version: 1, cells: ["Bo"] }], ["name"])), {
    step: 0,
    rows: [0],
  });
});

test("compile() updates each row's own columns in one statement, and only counts where none is set", async () => {
  await using engine = await library();
  const rows = [
    { key: [1], version: 1, cells: ["Ann2", undefined] },
    { key: [2], version: 1, cells: [undefined, 9] },
    { key: [3], version: 1, cells: ["Cy2", null] },
  ];
  const { compiled, results } = await engine.commit(update(rows, ["name", "rank"]));
  assertEquals(compiled.map((one) => [one.from, one.to, one.guard, one.expectRows]), [[0, 3, false, undefined]]);
  assertEquals(results[0]!.affected, 3);
  assertEquals(await engine.query(everyone), [[1, "Ann2", 7, 2], [2, "Bob", 9, 2], [3, "Cy2", null, 2]]);
  await engine.commit(update([{ key: [1], cells: [] }, { key: [ref(authors, 0, 2)], version: 2, cells: [] }], []));
  assertEquals((await engine.query(everyone)).map((row) => row[3]), [3, 3, 2]);
  const [locked] = engine.client.dialect.compile([update([{ key: [1], cells: [] }], [], { bump: false })]);
  assertEquals([locked!.guard, locked!.failsOnRows], [true, true]);
});

test("an update that changes nothing is not taken for stale where the server counts changed rows only", async () => {
  await using engine = await library();
  for (const guards of ["statement", "read"] as const) {
    await using client = await engine.connect(mysql({ guards }), false);
    const same = (cells: readonly Cell[], version?: number, bump = false): Step =>
      update([{ key: [1], version, cells }], ["name", "rank"], { bump });
    await client.commit(same(["Ann", 7]));
    await client.commit(same([sql`name`, undefined]));
    await client.commit(same([sql`name`, sql`rank`]));
    const [[version]] = await engine.query("SELECT version FROM authors WHERE id = 1") as [[number]];
    await client.commit(same(["Ann", 7], version));
    await client.commit(same(["Ann", 7], version, true));
    await client.commit(same([sql`name`, sql`rank`], version + 1, true));
    assertEquals(await failure(client, same(["Ann", 7], version, true)), { step: 0, rows: [0] });
  }
});

test("compile() names every stale row of a step, and writes nothing, strict or not", async () => {
  await using engine = await library();
  const before = await engine.query(everyone);
  const rows = [1, 2, 3].map((id) => ({ key: [id], version: id === 1 ? 1 : 9, cells: ["new"] }));
  const gone = [{ key: [1], cells: ["new"] }, { key: [77], cells: ["new"] }];
  const mixed = [{ key: [1], cells: ["new"] }, { key: [2], version: 2, cells: ["new"] }];
  const unversioned = [{ key: [77], cells: ["new"] }];
  for (const mode of ["STRICT_TRANS_TABLES,ANSI_QUOTES", ""]) {
    await engine.query("SET sql_mode = ?", mode);
    assertEquals(await failure(engine, update(rows, ["name"])), { step: 0, rows: [1, 2] });
    assertEquals(await failure(engine, update(gone, ["name"])), { step: 0, rows: [1] });
    assertEquals(await failure(engine, update(mixed, ["name"])), { step: 0, rows: [1] });
    assertEquals(await failure(engine, update(unversioned, ["name"], { bump: false })), { step: 0, rows: [0] });
    const insertFirst = insert(authors, ["name"], [["Dee"]], 0);
    const deleted = remove([{ key: [1] }, { key: [7] }], true);
    assertEquals(await failure(engine, insertFirst, deleted), { step: 1, rows: [1] });
  }
  assertEquals(await engine.query(everyone), before);
});

test('compile() checks by a read before the write where guards are "read"', async () => {
  await using engine = await library();
  await using reading = await engine.connect(mysql({ guards: "read" }));
  const before = await engine.query(everyone);
  const rows = [1, 2, 3].map((id) => ({ key: [id], version: id === 1 ? 1 : 9, cells: ["new"] }));
  assertEquals(await failure(reading, update(rows, ["name"])), { step: 0, rows: [1, 2] });
  const expression = [{ key: [1], version: 3, cells: [sql`concat(name, '!')`] }];
  assertEquals(await failure(reading, update(expression, ["name"])), { step: 0, rows: [0] });
  assertEquals(await failure(reading, update([{ key: [9], cells: [sql`'x'`] }], ["name"])), { step: 0, rows: [0] });
  const deleted = remove([{ key: [1], version: 1 }, { key: [2], version: 2 }], true);
  assertEquals(await failure(reading, deleted), { step: 0, rows: [1] });
  assertEquals(await engine.query(everyone), before);
  const good = [1, 2].map((id) => ({ key: [id], version: 1, cells: [`new ${id}`] }));
  const { compiled } = await reading.commit(update(good, ["name"]), insert(authors, ["name"], [["x"], ["y"]], 0));
  assertEquals(compiled.map(({ guard, failsOnRows }) => [guard, failsOnRows ?? false]), [
    [true, true],
    [false, false],
    [false, false],
  ]);
  assertEquals((await engine.query(everyone)).map((row) => row[1]), ["new 1", "new 2", "Cy", "x", "y"]);
});

test("an expression sees its row as it was before the statement, whatever else is set", async () => {
  const pairs = table("pairs", {
    id: { type: "integer", primaryKey: true },
    a: { type: "integer", nullable: true },
    b: { type: "integer", nullable: true },
    version: { type: "integer", version: true },
  });
  await using engine = await MysqlEngine.open(pairs);
  await using reading = await engine.connect(mysql({ guards: "read" }));
  const names = ["a", "b"];
  const cases: readonly (readonly [cells: readonly Cell[], a: number, b: number])[] = [
    [[sql`b`, sql`a`], 20, 10],
    [[sql`a + 1`, sql`a`], 11, 10],
    [[5, sql`a`], 5, 10],
    [[sql`pairs.b`, 7], 20, 7],
    [[sql`(SELECT max(b) + ${1} FROM (SELECT b FROM pairs) p)`, undefined], 21, 20],
  ];
  for (const client of [engine.client, reading]) {
    for (const [cells, a, b] of cases) {
      const rows: Partial<UpdateStep["rows"][number]>[] = [
        { version: 1 },
        {},
        { before: [10] },
      ];
      for (const row of rows) {
        await engine.query("REPLACE INTO pairs VALUES (1, 10, 20, 1)");
        const bump = row.version !== undefined;
        const compare = row.before === undefined ? [] : columns(pairs, "a");
        const step = update([{ key: [1], cells, ...row }], names, { table: pairs, bump, compare });
        await client.commit(step);
        assertEquals(await engine.query("SELECT a, b, version FROM pairs"), [[a, b, bump ? 2 : 1]]);
        const stale = row.version === undefined && row.before === undefined
          ? { ...step, rows: [{ ...step.rows[0]!, key: [2] }] }
          : { ...step, rows: [{ ...step.rows[0]!, ...(bump ? { version: 5 } : { before: [99] }) }] };
        assertEquals(await failure(client, stale), { step: 0, rows: [0] });
        assertEquals(await engine.query("SELECT a, b, version FROM pairs"), [[a, b, bump ? 2 : 1]]);
      }
    }
  }
});

test("compile() compares columns with what was read: NULL, microseconds, capital letters and trailing spaces", async () => {
  const events = table("events", {
    id: { type: "integer", primaryKey: true },
    at: { type: "timestamp", nullable: true },
    note: { type: "text", nullable: true },
    price: { type: { name: "decimal" }, nullable: true },
  });
  await using engine = await MysqlEngine.open();
  await engine.query(
    "CREATE TABLE events (id int PRIMARY KEY, at datetime(6), note text COLLATE utf8mb4_general_ci, price decimal(30, 2))",
  );
  await engine.query(
    "INSERT INTO events VALUES (1, '2024-01-02 03:04:05.678999', 'a', '12345678901234567.89'), (2, NULL, NULL, NULL), " +
      "(3, '9999-12-31 23:59:59.999999', 'é', 0)",
  );
  const compare = columns(events, "at", "note", "price");
  const check = (rows: VerifyStep["rows"]): VerifyStep => ({ kind: "verify", table: events, rows, compare });
  const first = "2024-01-02 03:04:05.678";
  const price = "12345678901234567.89";
  const last = { key: [3], before: ["9999-12-31 23:59:59.999", "é", "0"] };
  await engine.commit(
    check([{ key: [1], before: [first, "a", price] }, { key: [2], before: [null, null, null] }, { key: [2] }, last]),
  );
  const late = check([
    { key: [1] },
    { key: [2], before: [null, "", null] },
    { key: [1], before: ["2024-01-02 03:04:05.679", "a", price] },
    { key: [1], before: [null, "a", price] },
    { key: [1], before: [first, "A", price] },
    { key: [1], before: [first, "a ", price] },
    { key: [1], before: [first, "a", "12345678901234567.88"] },
    { key: [7] },
  ]);
  assertEquals(await failure(engine, late), { step: 0, rows: [1, 2, 3, 4, 5, 6, 7] });
  const change = (before: readonly SqlValue[], cell: Cell, more: UpdateStep["rows"] = []): UpdateStep => ({
    kind: "update",
    table: events,
    columns: columns(events, "note"),
    rows: [{ key: [1], cells: [cell], before }, ...more],
    bump: false,
    compare,
    returning: [],
  });
  const stale = { step: 0, rows: [0] };
  assertEquals(await failure(engine, change([first, null, price], sql`'b'`)), stale);
  assertEquals(await failure(engine, change([first, "A", price], "b")), stale);
  await engine.commit(change([first, "a", price], sql`concat(note, 'b')`));
  await engine.commit(change([first, "ab", price], "c", [{ ...last, cells: ["e"] }]));
  const drop = (note: string): DeleteStep => ({
    kind: "delete",
    table: events,
    rows: [{ key: [1], before: [first, note, price] }],
    compare,
    checked: true,
  });
  assertEquals(await failure(engine, drop("C")), stale);
  await engine.commit(drop("c"));
  assertEquals(await engine.query("SELECT id, note FROM events"), [[2, null], [3, "e"]]);
});

test("compile() requires a condition to be true; NULL and false are not", async () => {
  await using engine = await library();
  const require = (condition: ReturnType<typeof sql>): Step => ({ kind: "require", condition });
  const { compiled } = await engine.commit(
    require(sql`true`),
    require(sql`5`),
    require(sql`(SELECT count(*) FROM authors) = ${3} OR false`),
    require(sql`EXISTS (SELECT 1 FROM authors WHERE name = ${"Ann"} FOR UPDATE)`),
  );
  assertEquals(compiled.map(({ guard, failsOnRows, step }) => [guard, failsOnRows, step]), [
    [true, true, 0],
    [true, true, 1],
    [true, true, 2],
    [true, true, 3],
  ]);
  for (const condition of [sql`NULL`, sql`false`, sql`0`, sql`(SELECT rank FROM authors WHERE id = 99) > 1`]) {
    assertEquals(await failure(engine, require(sql`true`), require(condition)), { step: 1, rows: [1] });
  }
});

test("compile() verifies rows by a read that locks them, in READ COMMITTED too", async () => {
  await using engine = await library();
  await engine.query("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
  const verify: VerifyStep = {
    kind: "verify",
    table: authors,
    rows: [{ key: [1], version: 1 }, { key: [2] }],
    compare: [],
  };
  const [compiled, ...more] = engine.client.dialect.compile([verify]);
  assertEquals([compiled!.guard, compiled!.failsOnRows, compiled!.from, compiled!.to, more], [true, true, 0, 2, []]);
  await engine.query("BEGIN");
  assertEquals((await engine.client.send(compiled!.statement)).rows, []);
  await using other = await engine.connect();
  await other.query("SET innodb_lock_wait_timeout = 0");
  const changes = [1, 2].map((id) => update([{ key: [id], version: 1, cells: ["x"] }], ["name"]));
  for (const change of changes) assertEquals(/Lock wait timeout/.test(await failure(other, change) as string), true);
  await engine.query("COMMIT");
  await other.commit(...changes);
  const late: VerifyStep = { ...verify, rows: [{ key: [1], version: 1 }, { key: [2] }, { key: [5] }] };
  assertEquals(await failure(engine, late), { step: 0, rows: [0, 2] });
});

test("compile() passes staged statements on as they are", async () => {
  await using engine = await library();
  const statement = { sql: "UPDATE authors SET rank = ? WHERE id < ?", params: [1, 3] };
  const { compiled, results } = await engine.commit({ kind: "staged", statement });
  assertEquals([compiled[0]!.statement, results[0]!.affected], [statement, 2]);
});

Deno.test("compile() divides what is too long for one statement, by rows and by size", () => {
  const dialect = mysql();
  const sizes = (...steps: readonly Step[]): unknown => dialect.compile(steps).map(({ from, to }) => [from, to]);
  const rows = (count: number, cell: SqlValue): Cell[][] => Array.from({ length: count }, () => [cell]);
  assertEquals(sizes(insert(authors, ["name"], rows(5_001, "x"), 0)), [[0, 5_000], [5_000, 5_001]]);
  const changed = Array.from({ length: 1_001 }, (_, i) => ({ key: [i], cells: ["x"] }));
  assertEquals(sizes(update(changed, ["name"])), [[0, 1_000], [1_000, 1_001]]);
  assertEquals(sizes(remove(changed, false)), [[0, 1_001]]);
  const long = "x".repeat(600_000);
  assertEquals(sizes(insert(authors, ["name"], rows(5, long), 0)), [[0, 2], [2, 4], [4, 5]]);
  assertEquals(sizes(insert(authors, ["name"], rows(2, "x".repeat(5_000_000)), 0)), [[0, 1], [1, 2]]);
});

test("compile() finds its way among reserved names, names with backticks, and schemas", async () => {
  await using engine = await MysqlEngine.open();
  const odd = {
    ...table("select", {
      "from": { type: "integer", primaryKey: true },
      "a`b": { type: "text", nullable: true },
      "Group": { type: "integer", nullable: true },
      "v": { type: "integer", version: true },
    }),
    schema: engine.name,
  };
  await engine.create(odd);
  await engine.commit(insert(odd, ["from", "a`b", "Group", "v"], [[1, "x", 1, 1], [2, "y", 2, 1], [3, "z", 3, 1]]));
  const rows = [{ key: [1], version: 1, cells: ["X", 10] }, { key: [2], version: 1, cells: ["Y", undefined] }];
  await engine.commit(update(rows, ["a`b", "Group"], { table: odd }));
  const swap = [{ key: [1], version: 2, cells: [sql`concat(${sql.id("a`b")}, 1)`, sql`length(${sql.id("a`b")})`] }];
  await engine.commit(update(swap, ["a`b", "Group"], { table: odd }));
  await engine.commit(remove([{ key: [2], version: 2 }, { key: [3], version: 1 }], true, odd));
  assertEquals(await engine.query("SELECT * FROM `select`"), [[1, "X1", 1, 3]]);
});
