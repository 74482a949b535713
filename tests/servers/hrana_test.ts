import { createClient, LibsqlBatchError, LibsqlError } from "@libsql/client/web";
import { assert, assertEquals, assertGreaterOrEqual, assertRejects, assertStringIncludes } from "@std/assert";
import { cut, startHrana } from "./hrana.ts";
import { scan } from "./hrana_value.ts";

const TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, c TEXT UNIQUE, n INTEGER, r REAL, b BLOB)";

/** As the library does it: a body that is a Blob is sent once. */
async function once(request: Request): Promise<Response> {
  return await fetch(request.url, {
    method: request.method,
    headers: request.headers,
    body: new Blob([await request.arrayBuffer()]),
  });
}

for (const transport of ["http", "ws"] as const) {
  const open = async (options: Parameters<typeof startHrana>[0] = {}, authToken?: string) => {
    const server = await startHrana(options);
    const url = transport === "http" ? server.url : server.wsUrl;
    const client = createClient({ url, authToken, intMode: "bigint", fetch: once });
    server.db.query(TABLE);
    return {
      server,
      client,
      async [Symbol.asyncDispose]() {
        client.close();
        await server.stop();
      },
    };
  };

  Deno.test(`hrana over ${transport} keeps every type of value exact`, async () => {
    await using it = await open();
    const blob = Uint8Array.from({ length: 256 }, (_, i) => i);
    const row = [9223372036854775807n, "é'\u{1F600}", -9223372036854775808n, 0.1, blob];
    const { lastInsertRowid, rowsAffected } = await it.client.execute({
      sql: "INSERT INTO t VALUES (?, ?, ?, ?, ?)",
      args: row as never,
    });
    assertEquals([lastInsertRowid, rowsAffected], [9223372036854775807n, 1]);
    const { rows, columns } = await it.client.execute({
      sql: "SELECT *, NULL z FROM t WHERE id = :id",
      args: { id: row[0]! as bigint },
    });
    assertEquals(columns, ["id", "c", "n", "r", "b", "z"]);
    assertEquals<unknown>([...Array(6).keys()].map((i) => rows[0]![i]), [...row.slice(0, 4), blob.buffer, null]);
    assertEquals(it.server.db.query("SELECT c, b FROM t"), [{ c: "é'\u{1F600}", b: blob }]);
  });

  Deno.test(`hrana over ${transport} counts affected rows, RETURNING included`, async () => {
    await using it = await open();
    const inserted = await it.client.execute("INSERT INTO t (c) VALUES ('a'), ('b'), ('c') RETURNING id");
    assertEquals([inserted.rowsAffected, inserted.rows.length], [3, 3]);
    assertEquals((await it.client.execute("UPDATE t SET n = 1 WHERE id > 1")).rowsAffected, 2);
    assertEquals((await it.client.execute("SELECT * FROM t")).rowsAffected, 0);
    assertEquals((await it.client.execute("DELETE FROM t")).rowsAffected, 3);
  });

  Deno.test(`hrana over ${transport} rolls a failed batch back and names the statement`, async () => {
    await using it = await open();
    const insert = (c: string) => ({ sql: "INSERT INTO t (c) VALUES (?)", args: [c] });
    const error = await assertRejects(
      () => it.client.batch([insert("a"), insert("b"), insert("a")], "write"),
      LibsqlBatchError,
    );
    assertStringIncludes(error.message, "SQLite error: UNIQUE constraint failed: t.c");
    assertEquals(error.code, "SQLITE_CONSTRAINT");
    assertEquals(error.statementIndex, 2);
    assertEquals(it.server.db.query("SELECT * FROM t"), []);
    assertEquals([it.server.requests, it.server.statements, it.server.control], [1, 3, 2]);
  });

  Deno.test(`hrana over ${transport} rolls back when a deferred foreign key fails at COMMIT`, async () => {
    await using it = await open();
    it.server.db.query("CREATE TABLE k (p INTEGER REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)");
    const error = await assertRejects(() => it.client.batch(["INSERT INTO k VALUES (7)"], "write"), LibsqlError);
    assertStringIncludes(error.message, "FOREIGN KEY constraint failed");
    assertEquals(it.server.db.query("SELECT * FROM k"), []);
  });

  Deno.test(`hrana over ${transport} counts what drivers.md counts`, async () => {
    await using it = await open();
    const { client, server } = it;
    const cost = async (work: () => Promise<unknown>) => {
      server.reset();
      await work();
      return server.requests;
    };
    const sql = "INSERT INTO t (n) VALUES (1)";
    assertEquals(await cost(() => client.execute(sql)), 1);
    assertEquals(await cost(() => client.batch(Array(50).fill(sql), "write")), 1);
    assertEquals([server.statements, server.control], [50, 2]);
    assertEquals(await cost(() => client.migrate([sql, sql])), 1);
    assertEquals(await cost(() => client.executeMultiple(`${sql}; -- one; two\n ${sql};`)), 1);
    assertEquals(server.statements, 2);
    const tx = await client.transaction("write");
    assertEquals(await cost(() => tx.batch([sql, sql])), 1);
    assertEquals(await cost(() => tx.execute(sql)), 1);
    assertEquals(await cost(() => tx.commit()), 1);
    assertEquals(await cost(async () => (await client.transaction("read")).close()), 0);
    assertEquals(server.db.query("SELECT count(*) n FROM t"), [{ n: 58 }]);
  });

  Deno.test(`hrana over ${transport} leaves a transaction usable after an error, and rolls it back`, async () => {
    await using it = await open();
    const tx = await it.client.transaction("write");
    await tx.execute("INSERT INTO t (c) VALUES ('a')");
    await tx.execute("SAVEPOINT s");
    await assertRejects(() => tx.execute("INSERT INTO t (c) VALUES ('a')"));
    await tx.execute("ROLLBACK TO s");
    assertEquals((await tx.execute("SELECT count(*) FROM t")).rows[0]![0], 1n);
    await tx.rollback();
    assertEquals(it.server.db.query("SELECT * FROM t"), []);
  });

  Deno.test(`hrana over ${transport} accepts a READONLY transaction`, async () => {
    await using it = await open();
    const [result] = await it.client.batch(["SELECT 1"], "read");
    assertEquals(result!.rows[0]![0], 1n);
    assertEquals(it.server.log[0]!.sql, ["BEGIN TRANSACTION READONLY", "SELECT 1", "COMMIT"]);
  });

  Deno.test(`hrana over ${transport} lets a second writer wait for the first, not fail`, async () => {
    await using it = await open();
    const first = await it.client.transaction("write");
    await first.execute("INSERT INTO t (n) VALUES (1)");
    const second = it.client.execute("INSERT INTO t (n) SELECT count(*) + 1 FROM t RETURNING n");
    const third = it.client.batch(["INSERT INTO t (n) SELECT count(*) + 1 FROM t"], "write");
    assertEquals((await it.client.execute("SELECT count(*) FROM t")).rows[0]![0], 0n);
    await new Promise((done) => setTimeout(done, 50));
    await first.commit();
    await Promise.all([second, third]);
    assertEquals(it.server.db.query("SELECT n FROM t ORDER BY n"), [{ n: 1 }, { n: 2 }, { n: 3 }]);
  });

  Deno.test(`hrana over ${transport} answers SQLITE_BUSY when the wait is over, and sees new rows afterwards`, async () => {
    await using it = await open({ busyTimeout: 30 });
    const first = await it.client.transaction("write");
    await first.execute("INSERT INTO t (n) VALUES (1)");
    const error = await assertRejects(() => it.client.execute("INSERT INTO t (n) VALUES (2)"), LibsqlError);
    assertEquals(error.code, "SQLITE_BUSY");
    await first.commit();
    for (let i = 0; i < 5; i++) {
      const counts = await Promise.all([1, 2, 3].map(() => it.client.execute("SELECT count(*) FROM t")));
      assertEquals(counts.map((c) => c.rows[0]![0]), Array(3).fill(BigInt(i + 1)));
      await it.client.execute("INSERT INTO t (n) VALUES (3)");
    }
  });

  Deno.test(`hrana over ${transport} takes the lock from a transaction that sits on it`, async () => {
    await using it = await open({ transactionTimeout: 40 });
    const sitting = await it.client.transaction("write");
    await sitting.execute("INSERT INTO t (n) VALUES (1)");
    await it.client.execute("INSERT INTO t (n) VALUES (2)");
    const error = await assertRejects(() => sitting.execute("INSERT INTO t (n) VALUES (3)"), LibsqlError);
    assertEquals(error.code, "TRANSACTION_TIMEOUT");
    sitting.close();
    assertEquals(it.server.db.query("SELECT n FROM t"), [{ n: 2 }]);
  });

  Deno.test(`hrana over ${transport} refuses a missing and a wrong token`, async () => {
    for (const token of [undefined, "wrong"]) {
      await using it = await open({ token: "right" }, token);
      await assertRejects(() => it.client.execute("SELECT 1"), Error, transport === "http" ? "401" : "Unauthorized");
      assertEquals(it.server.statements, 0);
    }
    await using it = await open({ token: "right" }, "right");
    await it.client.execute("SELECT 1");
  });

  Deno.test(`hrana over ${transport} adds latency to a request, not to each statement`, async () => {
    await using it = await open({ latency: 60 });
    if (transport === "ws") await it.client.execute("SELECT 1");
    const start = performance.now();
    await it.client.batch(Array(20).fill("INSERT INTO t (n) VALUES (1)"), "write");
    const took = performance.now() - start;
    assertGreaterOrEqual(took, 55);
    assert(took < 500, `took ${took} ms`);
  });

  Deno.test(`hrana over ${transport} answers misuse as sqld does`, async () => {
    await using it = await open();
    const code = async (work: () => Promise<unknown>) => (await assertRejects(work, LibsqlError)).code;
    assertEquals(await code(() => it.client.execute("SELECT 1; SELECT 2")), "SQL_MANY_STATEMENTS");
    assertEquals(await code(() => it.client.execute(" -- nothing\n")), "SQL_NO_STATEMENT");
    assertEquals(await code(() => it.client.execute({ sql: "SELECT ?, ?", args: [1] })), "ARGS_INVALID");
    assertEquals(await code(() => it.client.execute("SELECT * FROM nowhere")), "SQL_INPUT_ERROR");
    assertEquals(
      await code(() => it.client.execute("SELECT json_extract('{}', 'ledge:stale:0:1:2')")),
      "SQLITE_UNKNOWN",
    );
  });
}

Deno.test("hrana over http expires an idle stream and rolls its transaction back", async () => {
  await using server = await startHrana({ streamTimeout: 40 });
  server.db.query(TABLE);
  const client = createClient({ url: server.url });
  const tx = await client.transaction("write");
  await tx.execute("INSERT INTO t (n) VALUES (1)");
  assertEquals(server.openStreams, 1);
  await new Promise((done) => setTimeout(done, 120));
  assertEquals(server.openStreams, 0);
  const error = await assertRejects(() => tx.execute("INSERT INTO t (n) VALUES (2)"), LibsqlError);
  assertStringIncludes(error.message, "The stream has expired due to inactivity");
  assertEquals(error.code, "STREAM_EXPIRED");
  assertEquals(server.db.query("SELECT * FROM t"), []);
  client.close();
});

Deno.test("hrana over http can fail before the work, or after it", async () => {
  await using server = await startHrana();
  server.db.query(TABLE);
  const client = createClient({ url: server.url, fetch: once });
  server.failNext("before", () => new Response("down", { status: 503 }));
  await assertRejects(() => client.execute("INSERT INTO t (n) VALUES (1)"), Error, "503");
  assertEquals(server.db.query("SELECT * FROM t"), []);
  server.failNext("after");
  await assertRejects(() => client.execute("INSERT INTO t (n) VALUES (1)"));
  assertEquals(server.db.query("SELECT count(*) n FROM t"), [{ n: 1 }]);
  let seen = "";
  server.before = async (request) => {
    seen = await request.text();
    return cut();
  };
  await assertRejects(() => client.execute("SELECT 'in the body'"));
  assertStringIncludes(seen, "in the body");
  server.before = () => new Promise(() => {}); // hangs until the client gives up, or the server stops
  await assertRejects(() =>
    fetch(`${server.url}/v2/pipeline`, { method: "POST", body: "{}", signal: AbortSignal.timeout(30) })
  );
  client.close();
});

Deno.test("hrana over ws can close the socket before the work, or after it", async () => {
  await using server = await startHrana();
  server.db.query(TABLE);
  const client = createClient({ url: server.wsUrl });
  server.beforeMessage = ({ type }) => type === "execute" ? "cut" : undefined;
  await assertRejects(() => client.execute("INSERT INTO t (n) VALUES (1)"));
  assertEquals(server.db.query("SELECT * FROM t"), []);
  server.beforeMessage = undefined;
  server.afterMessage = ({ type }) => type === "execute" ? "cut" : undefined;
  await assertRejects(() => client.execute("INSERT INTO t (n) VALUES (1)"));
  assertEquals(server.db.query("SELECT count(*) n FROM t"), [{ n: 1 }]);
  client.close();
});

Deno.test("hrana over ws rolls back what a lost socket leaves open", async () => {
  await using server = await startHrana();
  server.db.query(TABLE);
  const client = createClient({ url: server.wsUrl });
  const tx = await client.transaction("write");
  await tx.execute("INSERT INTO t (n) VALUES (1)");
  assertEquals([server.sockets, server.openStreams], [1, 1]);
  client.close();
  while (server.sockets > 0) await new Promise((done) => setTimeout(done, 5));
  assertEquals([server.openStreams, server.db.query("SELECT * FROM t")], [0, []]);
});

Deno.test("hrana answers GET /v2 and knows no Hrana 3", async () => {
  await using server = await startHrana();
  const status = async (path: string) => {
    const response = await fetch(server.url + path);
    await response.body?.cancel();
    return response.status;
  };
  assertEquals([await status("/v2"), await status("/v3"), await status("/v3-protobuf")], [200, 404, 404]);
  assertEquals([server.probes, server.requests], [3, 0]);
});

Deno.test("hrana leaves no stream open after a thousand requests", async () => {
  await using server = await startHrana();
  const client = createClient({ url: server.url });
  for (let i = 0; i < 10; i++) await Promise.all(Array.from({ length: 100 }, () => client.execute("SELECT 1")));
  assertEquals([server.requests, server.openStreams], [1000, 0]);
  client.close();
});

Deno.test("hrana gives the engine's own codes when asked", async () => {
  await using server = await startHrana({ codes: "engine" });
  server.db.query(TABLE);
  const client = createClient({ url: server.url });
  await client.execute("INSERT INTO t (c) VALUES ('a')");
  const error = await assertRejects(() => client.execute("INSERT INTO t (c) VALUES ('a')"), LibsqlError);
  assertEquals(error.code, "SQLITE_CONSTRAINT_UNIQUE");
  client.close();
});

Deno.test("scan() cuts a text into statements, triggers whole", () => {
  const trigger = "CREATE TRIGGER x AFTER INSERT ON t BEGIN UPDATE t SET n = CASE WHEN 1 THEN 2 END; SELECT ';'; END";
  assertEquals(scan(`SELECT ';', "a;b" /* ; */ ; ${trigger};; COMMIT -- ;`).map((s) => s.verb), [
    "SELECT",
    "CREATE",
    "COMMIT",
  ]);
  assertEquals(scan(`${trigger}; SELECT 1`)[0]!.sql, trigger);
  assertEquals(scan("SELECT ?, :a, ?5, @b, :a")[0]!.params, [null, ":a", null, null, "?5", "@b"]);
});
