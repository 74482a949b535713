import { addForeignKeys, dropTable } from "../../src/sql/postgres_ddl.ts";
import { nullRow } from "../../src/sql/postgres_types.ts";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ValidationError } from "../../src/errors.ts";
import { postgres } from "../../src/sql/postgres.ts";
import type { SqlValue } from "../../src/sql/statement.ts";
import type { Step, UpdateStep } from "../../src/sql/step.ts";
import { sql } from "../../src/sql/tag.ts";
import { columns, table } from "./fixtures.ts";
import { type PostgresClient, PostgresEngine } from "./postgres_engine.ts";

Deno.test("quote() makes any name an identifier, and refuses those that PostgreSQL would change", async () => {
  await using engine = await PostgresEngine.open();
  const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 })
    .filter((text) => !text.includes("\0") && new TextEncoder().encode(text).length <= 63);
  await fc.assert(fc.asyncProperty(name, async (text) => {
    const quoted = postgres.quote(text);
    assertEquals(await engine.query(`SELECT ${quoted} FROM (SELECT 7 AS ${quoted}) AS one`), [["7"]]);
  }));
  assertEquals(postgres.quote('a"; DROP TABLE b; --'), '"a""; DROP TABLE b; --"');
  assertEquals(postgres.quote("é".repeat(31)).length, 33);
  assertThrows(() => postgres.quote(""), ValidationError, "must not be empty");
  assertThrows(() => postgres.quote("a\0"), ValidationError, "NUL");
  assertThrows(() => postgres.quote("é".repeat(32)), ValidationError, "has 64 bytes");
});

Deno.test("nullRow() knows every type that PostgreSQL has, and takes hardly another name for one", async () => {
  await using engine = await PostgresEngine.open();
  const types = await engine.query(
    "SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typrelid = 0",
  );
  const isHidden = (name: string) => nullRow(table(name, { id: { type: "identity" } })).includes("SELECT");
  assertEquals(types.map(([name]) => name!).filter((name) => !isHidden(name)), []);
  const others = ["points", "any_thing", "region", "integer", "dates", "names", "texts", "chars", "timer", "Point"];
  assertEquals(others.filter(isHidden), []);
});

Deno.test("like() takes a backslash as the escape character", async () => {
  await using engine = await PostgresEngine.open();
  const like = async (text: string, pattern: string) =>
    (await engine.query(`SELECT ${postgres.like("$1", "$2")}`, text, pattern))[0]![0];
  assertEquals(await like("50%", "50\\%"), "t");
  assertEquals(await like("505", "50\\%"), "f");
  assertEquals(await like("505", "50%"), "t");
});

Deno.test("match() finds exactly the text given, whatever is in it", async () => {
  await using engine = await PostgresEngine.open();
  const char = fc.constantFrom("a", "A", "*", "?", "[", "]", "^", "-", "%", "_", "\\", "'", "é", "💥");
  const text = fc.string({ unit: char, maxLength: 6 });
  const how = fc.constantFrom("startsWith" as const, "endsWith" as const, "contains" as const);
  await fc.assert(
    fc.asyncProperty(text, fc.string({ unit: char, maxLength: 2 }), how, async (whole, part, how) => {
      const params: SqlValue[] = [whole];
      const condition = postgres.match("$1", how, part, params);
      const wanted = how === "contains" ? whole.includes(part) : whole[how](part);
      assertEquals(await engine.query(`SELECT ${condition}`, ...params), [[wanted ? "t" : "f"]]);
    }),
    { numRuns: 500 },
  );
});

Deno.test("limit() numbers its placeholders after those before it", async () => {
  await using engine = await PostgresEngine.open();
  const cases: [number | null, number | null, string, string[]][] = [
    [null, null, "", ["1", "2", "3"]],
    [2, null, " LIMIT $2", ["1", "2"]],
    [null, 1, " OFFSET $2", ["2", "3"]],
    [1, 1, " LIMIT $2 OFFSET $3", ["2"]],
  ];
  for (const [limit, offset, text, wanted] of cases) {
    const params: SqlValue[] = [3];
    assertEquals(postgres.limit(limit, offset, params), text);
    const rows = await engine.query(`SELECT n FROM generate_series(1, $1::int) n ORDER BY n${text}`, ...params);
    assertEquals(rows.map(([n]) => n), wanted);
  }
});

Deno.test("inList() of no values is a list that nothing is in, and of many keeps its text", async () => {
  const mood = { name: "enumeration" as const, values: ["a", "b"] };
  const odd = table("odd", {
    id: { type: "uuid", primaryKey: true },
    mood: { type: mood },
    tags: { type: { name: "array", of: { name: "text" } } },
    at: { type: "timestamp" },
  });
  await using engine = await PostgresEngine.open(odd);
  const id = crypto.randomUUID() as string;
  await engine.query("INSERT INTO odd VALUES ($1, 'a', '{x}', '2024-01-02')", id);
  for (const names of [["id"], ["mood"], ["tags"], ["id", "mood"], ["tags", "at"]]) {
    const of = columns(odd, ...names);
    const left = names.length === 1 ? names[0] : `(${names.join(", ")})`;
    const list = postgres.inList(of, [], []);
    assertEquals(await engine.query(`SELECT count(*) FROM odd WHERE ${left} IN ${list}`), [["0"]]);
  }
  const texts = [2, 50].map((count) =>
    postgres.inList(columns(odd, "id", "at"), Array(count).fill([id, "2024-01-02T00:00:00.000Z"]), [])
  );
  assertEquals(texts[0], texts[1]);
  const params: SqlValue[] = ["first"];
  const list = postgres.inList(
    columns(odd, "tags", "at"),
    [['{"x"}', "2024-01-02T00:00:00.000Z"], ["{}", null]],
    params,
  );
  assertEquals(
    await engine.query(`SELECT $1::text FROM odd WHERE (tags, at) IN ${list}`, ...params),
    [["first"]],
  );
});

Deno.test("carriesKeys() says which keys later rows can use", () => {
  const expression = sql`gen_random_uuid()`;
  const by = (options: Parameters<typeof table>[1]) => postgres.carriesKeys(table("x", options));
  assertEquals(by({ id: { type: "identity" } }), true);
  assertEquals(by({ id: { type: "uuid", primaryKey: true, serverDefault: expression } }), true);
  assertEquals(by({ id: { type: "uuid", primaryKey: true } }), false);
  assertEquals(
    by({ a: { type: "uuid", primaryKey: true, serverDefault: expression }, b: { type: "text", primaryKey: true } }),
    false,
  );
});

const seats = table("seats", {
  id: { type: "integer", primaryKey: true },
  taken: { type: "boolean" },
  version: { type: "integer", version: true },
});

async function theatre(): Promise<PostgresEngine> {
  const engine = await PostgresEngine.open(seats);
  await engine.query("INSERT INTO seats VALUES (1, false, 1), (2, false, 1)");
  return engine;
}

function take(id: number, version = 1): UpdateStep {
  return {
    kind: "update",
    table: seats,
    columns: columns(seats, "taken"),
    rows: [{ key: [id], version, cells: [true] }],
    bump: true,
    compare: [],
    returning: [],
  };
}

const verify = (id: number): Step => ({ kind: "verify", table: seats, rows: [{ key: [id], version: 1 }], compare: [] });

async function run(client: PostgresClient, ...steps: readonly Step[]): Promise<void> {
  for (const { statement } of postgres.compile(steps)) await client.send(statement);
}

/** Resolves when a connection waits for a lock. */
async function waiting(engine: PostgresEngine, pid: string): Promise<void> {
  const query = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = $1";
  while ((await engine.query(query, pid))[0]![0] === "0") await new Promise((resolve) => setTimeout(resolve, 5));
}

Deno.test("compile() finds a row stale that another transaction changes while the write waits for it", async () => {
  await using engine = await theatre();
  await using one = await engine.connect();
  await using two = await engine.connect();
  const [[pid]] = await two.query("SELECT pg_backend_pid()") as [[string]];
  await one.query("BEGIN");
  await run(one, take(2));
  const late = assertRejects(() => two.commit(take(1), take(2)), Error);
  await waiting(engine, pid);
  await one.query("COMMIT");
  assertEquals(postgres.guardFailure((await late).message), { kind: "stale", step: 1, row: 0, count: 1 });
  assertEquals(await engine.query("SELECT id, taken, version FROM seats ORDER BY id"), [["1", "f", "1"], [
    "2",
    "t",
    "2",
  ]]);
});

Deno.test("compile() locks what is verified: of two crossing commits at most one is applied", async () => {
  await using engine = await theatre();
  await using one = await engine.connect();
  await using two = await engine.connect();
  await one.query("BEGIN");
  await two.query("BEGIN");
  await run(one, verify(1));
  await run(two, verify(2));
  const first = run(one, take(2)).then(() => one.query("COMMIT"));
  const second = run(two, take(1)).then(() => two.query("COMMIT"));
  const results = await Promise.allSettled([first, second]);
  assertEquals(results.map(({ status }) => status).toSorted(), ["fulfilled", "rejected"]);
  await Promise.all([one.query("ROLLBACK"), two.query("ROLLBACK")]);
  assertEquals(await engine.query("SELECT count(*) FROM seats WHERE taken"), [["1"]]);
});

Deno.test("lock() keeps rows from others, waits, skips or fails", async () => {
  await using engine = await theatre();
  await using one = await engine.connect();
  await using two = await engine.connect();
  const lock = postgres.lock!;
  const select = (id: number | null, clause: string) =>
    `SELECT id FROM seats WHERE ${id === null ? "true" : `id = ${id}`} ORDER BY id${clause}`;
  await one.query("BEGIN");
  await one.query(select(1, lock({ mode: "share" })));
  await one.query(select(2, lock({ mode: "update" })));
  assertEquals(await two.query(select(null, lock({ mode: "share", skipLocked: true }))), [["1"]]);
  assertEquals(await two.query(select(null, lock({ mode: "update", skipLocked: true }))), []);
  await assertRejects(
    () => two.query(select(1, lock({ mode: "update", noWait: true }))),
    Error,
    "could not obtain lock",
  );
  assertEquals(await two.query(select(1, lock({ mode: "share", noWait: true }))), [["1"]]);
  await one.query("COMMIT");
  assertEquals(lock({ mode: "update" }), " FOR UPDATE");
  assertThrows(() => lock({ mode: "update", skipLocked: true, noWait: true }), ValidationError, "skipLocked or noWait");
});

Deno.test("settings() hold for the transaction, policies see them, and nothing is left behind", async () => {
  await using engine = await PostgresEngine.open();
  const role = `reader_${crypto.randomUUID().slice(0, 8)}`;
  await engine.query("CREATE TABLE notes (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, owner text, body text)");
  await engine.query("INSERT INTO notes (owner, body) VALUES ('ann', 'a'), ('bob', 'b')");
  await engine.query("ALTER TABLE notes ENABLE ROW LEVEL SECURITY");
  await engine.query(
    "CREATE POLICY own ON notes USING (owner = current_setting('request.jwt.claims', true)::json->>'sub')",
  );
  await engine.query(`CREATE ROLE "${role}"`);
  try {
    await engine.query(`GRANT SELECT, INSERT, UPDATE ON notes TO "${role}"`);
    const as = (sub: string) =>
      // The role comes first here: it must be set last all the same.
      postgres.settings!({ role, "request.jwt.claims": JSON.stringify({ sub }), "statement_timeout": "60000" });
    const statement = as("ann'; --\\");
    assertEquals(statement.sql.includes("ann"), false);
    assertEquals(statement.params[4], "role");
    const read = async (sub: string) => {
      await engine.query("BEGIN");
      const { rows } = await engine.client.send(as(sub));
      assertEquals(JSON.stringify(rows).includes(sub), false);
      const notes = await engine.query("SELECT body FROM notes");
      await engine.query("COMMIT");
      return notes;
    };
    assertEquals([await read("ann"), await read("bob"), await read("ann'; --\\")], [[["a"]], [["b"]], []]);
    assertEquals(
      await engine.query("SELECT current_user = session_user, current_setting('request.jwt.claims', true)"),
      [[
        "t",
        "",
      ]],
    );
    // A row of somebody else's is not there: the commit finds it stale. Nor can one be written in their name.
    const notes = table("notes", { id: { type: "identity" }, owner: { type: "text" }, body: { type: "text" } });
    const write = (...steps: readonly Step[]) => engine.commit({ kind: "staged", statement: as("ann") }, ...steps);
    const change = (id: number): Step => ({
      kind: "update",
      table: notes,
      columns: columns(notes, "body"),
      rows: [{ key: [id], cells: ["new"] }],
      bump: false,
      compare: [],
      returning: [],
    });
    const add = (owner: string): Step => ({
      kind: "insert",
      table: notes,
      columns: columns(notes, "id", "owner", "body"),
      rows: [[9, owner, "c"]],
      firstOrdinal: null,
      returning: [],
    });
    await write(change(1), add("ann"));
    const error = await assertRejects(() => write(change(2)), Error);
    assertEquals(postgres.guardFailure(error.message), { kind: "stale", step: 1, row: 0, count: 1 });
    await assertRejects(() => write(add("bob")), Error, "row-level security");
    assertEquals(await engine.query("SELECT owner, body FROM notes ORDER BY id"), [["ann", "new"], ["bob", "b"], [
      "ann",
      "c",
    ]]);
  } finally {
    await engine.query(`DROP OWNED BY "${role}"`);
    await engine.query(`DROP ROLE "${role}"`);
  }
});

Deno.test("settings() refuse what is no text and say nothing of the value", () => {
  const settings = postgres.settings as (settings: Record<string, unknown>) => unknown;
  const error = assertThrows(() => settings({ "request.jwt": { secret: 1 } }), ValidationError);
  assertEquals(
    error.message,
    'The setting "request.jwt" must be text, got an object; pass JSON.stringify(value) for an object',
  );
  assertThrows(() => settings({ "a.b": "x\0" }), ValidationError, "NUL");
  assertThrows(() => settings({ "": "x" }), ValidationError, "must not be empty");
});

Deno.test("createTable() makes every type, default, constraint and foreign key, in a schema", async () => {
  const shelves = { ...table("Shelf", { id: { type: "identity" } }), schema: "my lib" };
  const all = {
    ...table("All", {
      id: { type: "uuid", primaryKey: true, serverDefault: sql`gen_random_uuid()` },
      part: { type: "integer", primaryKey: true },
      name: { type: { name: "varchar", length: 5 }, unique: true },
      price: { type: { name: "decimal", precision: 6, scale: 2 }, nullable: true },
      loud: { type: "text", nullable: true, generated: sql`upper(name)` },
      kind: { type: { name: "enumeration", values: ["it's", "a\\b"] } },
      kinds: { type: { name: "array", of: { name: "enumeration", values: ["it's", "a\\b"] } }, nullable: true },
      grid: { type: { name: "array", of: { name: "array", of: { name: "real" } } }, nullable: true },
      shelf: { type: "integer", nullable: true },
      at: { type: "timestamp", serverDefault: sql`now()` },
    }, { shelf: shelves }),
    schema: "my lib",
  };
  await using engine = await PostgresEngine.open(shelves, all);
  const types = await engine.query(
    "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute " +
      `WHERE attrelid = '"my lib"."All"'::regclass AND attnum > 0 ORDER BY attnum`,
  );
  assertEquals(types, [
    ["id", "uuid", "t"],
    ["part", "bigint", "t"],
    ["name", "character varying(5)", "t"],
    ["price", "numeric(6,2)", "f"],
    ["loud", "text", "f"],
    ["kind", "text", "t"],
    ["kinds", "text[]", "f"],
    ["grid", "real[]", "f"],
    ["shelf", "bigint", "f"],
    ["at", "timestamp(3) with time zone", "t"],
  ]);
  const insert = (kind: string, kinds: string, shelf: number | null) =>
    engine.query(
      'INSERT INTO "my lib"."All" (part, name, kind, kinds, shelf) VALUES (1, $1, $2, $3, $4) RETURNING loud',
      crypto.randomUUID().slice(0, 5),
      kind,
      kinds,
      shelf,
    );
  await insert("a\\b", "{it's}", null);
  await assertRejects(() => insert("c", "{}", null), Error, "violates check");
  await assertRejects(() => insert("it's", "{c}", null), Error, "violates check");
  await assertRejects(() => insert("it's", "{}", 5), Error, "foreign key");
  for (const one of [all, shelves]) {
    for (const statement of dropTable(one)) await engine.client.send(statement);
  }
  for (const statement of dropTable(all)) await engine.client.send(statement);
});

Deno.test("addForeignKeys() adds those of a cycle, and dropTable() takes them away", async () => {
  const a = table("a", {
    id: { type: "identity" },
    b: { type: "integer", nullable: true },
    self: { type: "integer", nullable: true },
  }, { self: "self" });
  const b = table("b", { id: { type: "identity" }, a: { type: "integer", nullable: true } }, { a });
  const c = table("c", { id: { type: "identity" }, a: { type: "integer", nullable: true } }, { a });
  (a.foreignKeys as unknown[]).push({ columns: columns(a, "b"), target: b, onDelete: "cascade" });
  await using engine = await PostgresEngine.open(a, b, c);
  assertEquals(
    await engine.query(
      "SELECT conrelid::regclass, confrelid::regclass, confdeltype FROM pg_constraint WHERE contype = 'f' ORDER BY 1, 2",
    ),
    [["a", "a", "a"], ["a", "b", "c"], ["b", "a", "a"], ["c", "a", "a"]],
  );
  assertEquals(addForeignKeys(c, postgres), []);
  for (const one of [c, a, b]) for (const { sql } of dropTable(one)) await engine.query(sql);
  assertEquals(await engine.query("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"), [[
    "0",
  ]]);
});

Deno.test("guardFailure() reads the server's message and nothing else", () => {
  assertEquals(postgres.guardFailure('invalid input syntax for type integer: "ledge:stale:3:14:2"'), {
    kind: "stale",
    step: 3,
    row: 14,
    count: 2,
  });
  assertEquals(postgres.guardFailure('invalid input syntax for type integer: "ledge:require:7:1"'), {
    kind: "require",
    step: 7,
  });
  assertEquals(postgres.guardFailure('invalid input syntax for type integer: "ledge"'), null);
});
