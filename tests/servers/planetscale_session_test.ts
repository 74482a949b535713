import { Client, connect } from "@planetscale/database";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { startMariadb } from "./mariadb.ts";
import { cut, startFront } from "./planetscale.ts";
import { failure, open, test } from "./planetscale_kit.ts";

test("a transaction is one connection, and two sessions do not see each other", async () => {
  await using it = await open();
  const [one, two] = [connect({ url: it.front.url }), connect({ url: it.front.url })];
  for (const connection of [one, two]) await connection.execute("BEGIN");
  assertEquals(it.front.transactions, 0); // As with vtgate, it begins with the first statement.
  await one.execute("INSERT INTO t (v) VALUES ('one')");
  await two.execute("INSERT INTO t (v) VALUES ('two')");
  assertEquals([it.front.transactions, await it.front.db.transactions()], [2, 2]);
  assertEquals((await one.execute("SELECT v FROM t")).rows, [{ v: "one" }]);
  await one.execute("SAVEPOINT s");
  await one.execute("DELETE FROM t WHERE v = 'one'");
  await one.execute("ROLLBACK TO SAVEPOINT s");
  await one.execute("COMMIT");
  await two.execute("ROLLBACK");
  assertEquals(await it.front.run("SELECT v FROM t"), [{ v: "one" }]);
  assertEquals([it.front.transactions, it.front.sessions], [0, 0]);
  assertEquals([it.front.requests, it.front.statements, it.front.control], [10, 4, 6]);
  assertEquals(it.front.sql.slice(0, 3), ["BEGIN", "BEGIN", "INSERT INTO t (v) VALUES ('one')"]);
  assertEquals(it.front.log[0]!.session, null);
  assert(it.front.log[2]!.session !== it.front.log[3]!.session);
});

test("what a session sets is its own, and holds a connection", async () => {
  await using it = await open();
  const connection = it.client.connection();
  await connection.execute("SET @a = 5");
  await connection.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE");
  await connection.execute("BEGIN");
  const asked = "SELECT @a a, @@tx_isolation i";
  assertEquals((await connection.execute(asked)).rows, [{ a: "5", i: "SERIALIZABLE" }]);
  await connection.execute("COMMIT");
  assertEquals((await connection.execute(asked)).rows, [{ a: "5", i: "SERIALIZABLE" }]);
  assertEquals((await it.client.execute(asked)).rows, [{ a: null, i: "REPEATABLE-READ" }]);
  assertEquals([it.front.sessions, it.front.transactions], [1, 0]);
});

test("createSession gives a session that works", async () => {
  await using it = await open();
  const connection = it.client.connection();
  await connection.refresh();
  await connection.execute("BEGIN");
  await connection.execute("INSERT INTO t (v) VALUES ('a')");
  await connection.execute("ROLLBACK");
  assertEquals(await it.front.run("SELECT * FROM t"), []);
  assertEquals(it.front.log.map(({ kind }) => kind), ["CreateSession", "Execute", "Execute", "Execute"]);
});

test("XA goes through where that is asked for", async () => {
  await using it = await open({ xa: true });
  const connection = it.client.connection();
  for (const text of ["XA START 'x'", "INSERT INTO t (v) VALUES ('a')", "XA END 'x'", "XA PREPARE 'x'"]) {
    await connection.execute(text);
  }
  assertEquals(await it.front.run("SELECT * FROM t"), []);
  await connection.execute("XA COMMIT 'x'");
  assertEquals(await it.front.run("SELECT v FROM t"), [{ v: "a" }]);
});

test("a transaction that is open for too long is killed, and its locks are free", async () => {
  await using it = await open({ transactionTimeout: 100 });
  const connection = it.client.connection();
  await connection.execute("BEGIN");
  await connection.execute("INSERT INTO t (v) VALUES ('a')");
  while (it.front.transactions > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await it.front.settled();
  assertEquals(await it.front.db.transactions(), 0);
  for (const text of ["SELECT 1", "ROLLBACK"]) {
    const error = await failure(connection.execute(text));
    assert(
      /rpc error: code = Aborted desc = transaction \d+: ended at .* UTC \(exceeded timeout: 100ms\) \(CallerID: /
        .test(error.message),
      error.message,
    );
  }
  assertEquals((await connection.execute("SELECT count(*) n FROM t")).rows, [{ n: "0" }]);
});

test("a session from before a commit, and one that nobody knows, have no transaction", async () => {
  await using it = await open();
  const connection = it.client.connection();
  await connection.execute("BEGIN");
  await connection.execute("SELECT 1");
  const session = structuredClone(Reflect.get(connection, "session"));
  await connection.execute("COMMIT");
  Reflect.set(connection, "session", session);
  assertStringIncludes((await failure(connection.execute("SELECT 1"))).message, "(transaction committed)");
  session.vitessSession.shardSessions[0].transactionId = "7";
  Reflect.set(connection, "session", session);
  assertStringIncludes((await failure(connection.execute("SELECT 1"))).message, "transaction 7: not found");
});

test("calls at once in one transaction are refused, and without one they are not", async () => {
  await using it = await open();
  const connection = it.client.connection();
  await Promise.all([1, 2, 3].map(() => connection.execute("SELECT SLEEP(0.05)")));
  await connection.execute("BEGIN");
  await connection.execute("SELECT 1");
  const calls = [1, 2].map(() => connection.execute("SELECT SLEEP(0.1)"));
  const settled = await Promise.allSettled(calls);
  const refused = settled.filter((result) => result.status === "rejected");
  assertEquals(refused.length, 1);
  assertStringIncludes(refused[0]!.reason.message, "in use: for query");
  await connection.execute("ROLLBACK");
});

test("a deadlock is told to one of two, whose transaction is gone", async () => {
  await using it = await open();
  await it.front.run("INSERT INTO t (v) VALUES ('a'), ('b')");
  const [one, two] = [it.client.connection(), it.client.connection()];
  for (const connection of [one, two]) await connection.execute("BEGIN");
  await one.execute("SELECT * FROM t WHERE id = 1 FOR UPDATE");
  await two.execute("SELECT * FROM t WHERE id = 2 FOR UPDATE");
  const results = await Promise.allSettled([
    one.execute("SELECT * FROM t WHERE id = 2 FOR UPDATE"),
    two.execute("SELECT * FROM t WHERE id = 1 FOR UPDATE"),
  ]);
  const failed = results.filter((result) => result.status === "rejected");
  assertEquals(failed.length, 1);
  assertStringIncludes(failed[0]!.reason.message, "code = Aborted");
  assertStringIncludes(failed[0]!.reason.message, "(errno 1213) (sqlstate 40001)");
  for (const connection of [one, two]) await connection.execute("ROLLBACK");
});

for (const [when, kept] of [["before", 0], ["after", 1]] as const) {
  test(`a request that fails ${when} its work has run ${kept} times`, async () => {
    await using it = await open();
    // A Blob is sent once where a string may be sent twice.
    const once: typeof fetch = (input, init) => fetch(input, { ...init, body: new Blob([init!.body as string]) });
    const client = new Client({ url: it.front.url, fetch: once as never });
    for (const answer of [cut, () => new Response("no", { status: 503 })]) {
      it.front.failNext(when, answer);
      await assertRejects(() => client.execute("INSERT INTO t () VALUES ()"));
    }
    assertEquals((await it.front.run("SELECT * FROM t")).length, 2 * kept);
    assertEquals((await client.execute("SELECT count(*) n FROM t")).rows, [{ n: String(2 * kept) }]);
  });
}

test("a client that goes away ends its statement, and the transaction it was in", async () => {
  await using it = await open();
  const controller = new AbortController();
  const aborting: typeof fetch = (input, init) => fetch(input, { ...init, signal: controller.signal });
  const connection = connect({ url: it.front.url, fetch: aborting as never });
  await connection.execute("BEGIN");
  await connection.execute("INSERT INTO t (v) VALUES ('a')");
  const sleeping = connection.execute("SELECT SLEEP(60)").catch((error) => error);
  const running = "SELECT 1 FROM information_schema.processlist WHERE db = database() AND info LIKE 'SELECT SLEEP%'";
  while ((await it.front.run(running)).length === 0);
  controller.abort();
  assertEquals((await sleeping).name, "AbortError");
  while (it.front.transactions > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await it.front.settled();
  assertEquals([await it.front.run(running), await it.front.db.transactions()], [[], 0]);
  assertEquals(await it.front.run("SELECT * FROM t"), []);
});

test("stop() ends what hangs and leaves no connection", async () => {
  await using database = await (await startMariadb()).createDatabase();
  const front = await startFront({ database });
  const client = new Client({ url: front.url });
  const held = client.connection();
  await held.execute("BEGIN");
  await held.execute("SELECT 1");
  front.before = () => new Promise(() => {});
  const hanging = client.execute("SELECT 1").catch(() => {});
  while (front.requests < 3) await new Promise((resolve) => setTimeout(resolve));
  await front.stop();
  await hanging;
  while (await database.connections() > 0);
});

test("a server of one's own is killed, comes back with what was committed, and leaves no folder", async () => {
  const server = await startMariadb({ own: true, settings: { sql_mode: "ANSI_QUOTES" } });
  const database = await server.createDatabase();
  const [row] = await database.query(
    "CREATE TABLE t (id int); INSERT INTO t VALUES (1); SELECT @@datadir d, @@sql_mode m",
  );
  assertEquals(row!.m, "ANSI_QUOTES");
  await using front = await startFront({ database });
  const client = new Client({ url: front.url });
  await client.execute("SELECT 1");
  await server.kill();
  for (let i = 0; i < 2; i++) {
    assert(/\(errno (2003|2013)\)/.test((await failure(client.execute("SELECT 1"))).message));
  }
  await server.restart({ sql_mode: "" });
  assertEquals(await database.query("SELECT id, @@sql_mode m FROM t"), [{ id: 1, m: "" }]);
  assertEquals((await client.execute("SELECT id FROM t")).rows, [{ id: 1 }]);
  await front.stop();
  await server.stop();
  await assertRejects(() => Deno.stat(row!.d as string), Deno.errors.NotFound);
});

test("a request is held, before or after its work, until it is let go", async () => {
  await using it = await open();
  for (const [when, kept] of [["before", 0], ["after", 2]] as const) {
    const hold = it.front.holdNext(when, (body) => body.includes("INSERT"));
    await it.client.execute("SELECT 1");
    const inserting = it.client.execute("INSERT INTO t () VALUES ()");
    await hold.reached;
    assertEquals((await it.front.run("SELECT * FROM t")).length, kept);
    hold.release();
    await inserting;
  }
});
