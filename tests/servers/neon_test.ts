import { Client, neon, neonConfig, type NeonDbError } from "@neondatabase/serverless";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { cut, type NeonOptions, startNeon, useFronts } from "./neon.ts";
import { startPostgres } from "./postgres.ts";

useFronts(neonConfig);
await startPostgres();

async function open(options: NeonOptions = {}) {
  const server = await startNeon(options);
  await server.db.query("CREATE TABLE t (id int PRIMARY KEY, v text)");
  const sql = neon(server.url, { fullResults: true, arrayMode: true });
  return { server, sql, [Symbol.asyncDispose]: () => server.stop() };
}

Deno.test("a query gives rows, fields, command and count", async () => {
  await using it = await open();
  const inserted = await it.sql.query("INSERT INTO t VALUES (1, $1), (2, NULL) RETURNING *", ["é"]);
  assertEquals([inserted.command, inserted.rowCount, inserted.rows], ["INSERT", 2, [[1, "é"], [2, null]]]);
  assertEquals(inserted.fields.map(({ name, dataTypeID }) => [name, dataTypeID]), [["id", 23], ["v", 25]]);
  assertEquals((await it.sql.query("UPDATE t SET v = 'x'")).rowCount, 2);
  assertEquals(await neon(it.server.url)`SELECT id FROM t ORDER BY id`, [{ id: 1 }, { id: 2 }]);
  assertEquals([it.server.requests, it.server.statements, it.server.connections], [3, 3, 0]);
});

Deno.test("a batch is one transaction with the settings of its headers", async () => {
  await using it = await open();
  const show = ["isolation", "read_only", "deferrable"].map((name) => it.sql.query(`SHOW transaction_${name}`));
  const seen = async (options: Parameters<typeof it.sql.transaction>[1]) => {
    const results = await it.sql.transaction(show, options) as { rows: unknown[][] }[];
    return results.map(({ rows }) => rows[0]![0]);
  };
  assertEquals(await seen({}), ["read committed", "off", "off"]);
  assertEquals(
    await seen({ isolationLevel: "Serializable", readOnly: true, deferrable: true }),
    ["serializable", "on", "on"],
  );
  const error = await assertRejects(() =>
    it.sql.transaction([
      it.sql.query("INSERT INTO t VALUES (1)"),
      it.sql.query("INSERT INTO t VALUES (1)"),
    ])
  ) as NeonDbError;
  assertEquals([error.code, error.constraint, error.table], ["23505", "t_pkey", "t"]);
  assertEquals(error.detail, "Key (id)=(1) already exists.");
  assertEquals(await it.server.db.query("SELECT * FROM t"), []);
  assertEquals(it.server.requests, 3);
});

Deno.test("nothing of a request's session is left for the next one", async () => {
  await using it = await open();
  await it.sql.query("SELECT set_config('search_path', 'nowhere', false)");
  await assertRejects(() => it.sql.transaction([it.sql.query("SET ROLE pg_monitor"), it.sql.query("SELECT 1 / 0")]));
  const { rows } = await it.sql.query("SELECT current_setting('search_path'), current_user");
  assertEquals(rows, [['"$user", public', "postgres"]]);
  assertEquals(await it.server.db.connections(), 1);
});

Deno.test("a wrong password, two statements in a text and what is too large are refused", async () => {
  await using it = await open({ maxRequest: 2000, maxResponse: 1000 });
  const wrong = new URL(it.server.url);
  wrong.password = "wrong";
  const refused = await assertRejects(() => neon(wrong.href)`SELECT 1`) as NeonDbError;
  assertEquals(refused.code, "28P01");
  assertEquals(await code(it.sql.query("SELECT 1; SELECT 2")), "42601");
  const large = await assertRejects(() => it.sql.query("SELECT $1", ["x".repeat(3000)])) as Error;
  assertStringIncludes(large.message, "413");
  const answer = await assertRejects(() => it.sql.query("SELECT repeat('x', 2000)")) as Error;
  assertStringIncludes(answer.message, "507");
});

async function code(promise: Promise<unknown>): Promise<string | undefined> {
  return (await assertRejects(() => promise) as NeonDbError).code;
}

Deno.test("a client that goes away cancels its query and rolls its batch back", async () => {
  await using it = await open();
  const controller = new AbortController();
  const running = it.sql.transaction(
    [it.sql.query("INSERT INTO t VALUES (1)"), it.sql.query("SELECT pg_sleep(60)")],
    { fetchOptions: { signal: controller.signal } },
  );
  const sleeping = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
  while ((await it.server.db.query(sleeping)).length === 0);
  controller.abort();
  await assertRejects(() => running);
  await it.server.settled();
  assertEquals(await it.server.db.query(sleeping), []);
  assertEquals(await it.server.db.query("SELECT * FROM t"), []);
});

Deno.test("hooks fail a request before or after its work", async () => {
  await using it = await open();
  for (const when of ["before", "after"] as const) {
    it.server.failNext(when, cut);
    await assertRejects(() => it.sql.query("INSERT INTO t SELECT coalesce(max(id), 0) + 1 FROM t"));
    assertEquals(await it.server.db.query("SELECT id FROM t"), when === "before" ? [] : [{ id: 1 }]);
  }
});

async function connect(url: string): Promise<Client> {
  const client = new Client(url);
  client.on("error", () => {});
  await client.connect();
  return client;
}

async function end(client: Client): Promise<void> {
  await client.end();
}

Deno.test("the relay counts trips and statements, and leaves no socket", async () => {
  await using it = await open();
  const client = await connect(it.server.url);
  assertEquals([it.server.sockets, it.server.requests], [1, 0]);
  await client.query("BEGIN");
  await client.query("INSERT INTO t VALUES ($1, $2)", [1, "a"]);
  await client.query("COMMIT");
  assertEquals([it.server.requests, it.server.statements, it.server.control], [3, 1, 2]);
  assertEquals(it.server.log.map(({ sql }) => sql), [["BEGIN"], ["INSERT INTO t VALUES ($1, $2)"], ["COMMIT"]]);
  assert(it.server.frames > 3);
  await end(client);
  await it.server.settled();
  assertEquals(it.server.sockets, 0);
  assertEquals(await it.server.db.query("SELECT * FROM t"), [{ id: 1, v: "a" }]);
});

for (const [hook, kept] of [["beforeTrip", 0], ["afterTrip", 1]] as const) {
  Deno.test(`${hook} cuts a connection at a statement`, async () => {
    await using it = await open();
    const client = await connect(it.server.url);
    it.server[hook] = (sql) => sql[0] === "COMMIT" ? "cut" : undefined;
    await client.query("BEGIN");
    await client.query("INSERT INTO t VALUES (1)");
    await assertRejects(() => client.query("COMMIT"));
    await it.server.settled();
    while (await it.server.db.connections() > 0);
    assertEquals((await it.server.db.query("SELECT * FROM t")).length, kept);
  });
}

Deno.test("stop() closes what is open", async () => {
  await using it = await open();
  await connect(it.server.url);
  it.server.before = () => new Promise(() => {});
  const hanging = it.sql.query("SELECT 1").catch(() => {});
  while (it.server.requests === 0) await new Promise((resolve) => setTimeout(resolve));
  await it.server.stop();
  await hanging;
  assertEquals(it.server.sockets, 0);
});

Deno.test("a server of one's own ends with stop(), and leaves no folder", async () => {
  const server = await startPostgres({ own: true });
  const database = await server.createDatabase();
  const [row] = await database.query("SHOW data_directory");
  await database.drop();
  await server.stop();
  await assertRejects(() => Deno.stat(row!.data_directory as string), Deno.errors.NotFound);
});
