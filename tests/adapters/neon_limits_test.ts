/** Timeouts and signals of the Neon adapter, and requests that are sent once. */
import { assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { neon as createSql } from "@neondatabase/serverless";
import { neon } from "../../adapters/neon.ts";
import {
  ConnectionError,
  InvalidStateError,
  TimeoutError,
  TransactionLostError,
  ValidationError,
} from "../../src/errors.ts";
import { type NeonServer, startNeon } from "../servers/neon.ts";
import { startPostgres } from "../servers/postgres.ts";
import { rejection, stmt, testEverywhere, withHttp, withManyConnections, withSockets } from "./neon_setups.ts";

await startPostgres();

const one = stmt("SELECT 1");
const sleep = stmt("SELECT pg_sleep(60)");

/** Resolves when a query sleeps. */
async function asleep(server: NeonServer, wanted = true): Promise<void> {
  const sql = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
  while ((await server.db.query(sql)).length > 0 !== wanted);
}

testEverywhere("a signal that has aborted rejects with its reason and sends nothing", async ({ db, server }) => {
  server.reset();
  const reason = new Error("changed my mind");
  const signal = AbortSignal.abort(reason);
  assertEquals(await rejection(db.execute(one, { signal })), reason);
  if (db.batch) assertEquals(await rejection(db.batch([one, one], { signal })), reason);
  if (db.capabilities.interactive) {
    assertEquals(await rejection(db.connect({ signal })), reason);
    const connection = await db.connect();
    assertEquals(await rejection(connection.execute(one, { signal })), reason);
    assertEquals(await rejection(connection.commit([one], { signal })), reason);
    assertEquals(await rejection(connection.commit([], { signal })), reason);
    assertEquals(server.requests, 0);
    assertEquals((await connection.commit([one]))[0]?.rows, [[1]]); // Nothing was begun, so nothing is lost.
  } else assertEquals(server.requests, 0);
});

testEverywhere("a limit that is not reached changes nothing and leaves nothing", async ({ db, server }) => {
  const { signal } = new AbortController();
  server.reset();
  assertEquals((await db.execute(one, { signal, timeout: 60_000 })).rows, [[1]]);
  assertEquals((await db.execute(one, { timeout: Infinity })).rows, [[1]]);
  assertEquals(server.requests, 2);
});

testEverywhere("a timeout that no timer can keep is refused", async ({ db }) => {
  for (const timeout of [0, -1, NaN, 2 ** 31, "5" as unknown as number]) {
    await assertRejects(() => db.execute(one, { timeout }), ValidationError, "timeout");
  }
});

for (const why of ["timeout", "abort"] as const) {
  testEverywhere(`a call over HTTP ends on ${why}, and its query is cancelled`, async ({ db, server }) => {
    for (const call of ["execute", "batch"] as const) {
      const controller = new AbortController();
      const reason = new Error("enough");
      const options = why === "timeout" ? { timeout: 300 } : { signal: controller.signal };
      const rejected = rejection(call === "execute" ? db.execute(sleep, options) : db.batch!([one, sleep], options));
      if (why === "abort") await asleep(server);
      controller.abort(reason);
      const error = await rejected;
      if (why === "abort") assertEquals(error, reason);
      else {
        assertInstanceOf(error, TimeoutError);
        assertEquals(error.notApplied, false);
        assertStringIncludes(error.message, db.description);
      }
      await server.settled(); // Only a cancelled query ends before its minute.
      assertEquals((await db.execute(one)).rows, [[1]]);
    }
  }, withHttp);

  testEverywhere(`a call in a transaction ends on ${why}, and the transaction is lost`, async ({ db, server }) => {
    await server.db.query("CREATE TABLE t (id int)");
    const connection = await db.connect();
    await connection.execute(stmt("INSERT INTO t VALUES (1)"));
    const controller = new AbortController();
    const options = why === "timeout" ? { timeout: 300 } : { signal: controller.signal };
    const rejected = rejection(connection.execute(sleep, options));
    if (why === "abort") await asleep(server);
    controller.abort("enough");
    const error = await rejected;
    if (why === "abort") assertEquals(error, "enough");
    else {
      assertInstanceOf(error, TimeoutError);
      assertEquals(error.notApplied, true);
    }
    await assertRejects(() => connection.execute(one), TransactionLostError);
    await assertRejects(() => connection.commit([one]), TransactionLostError);
    await connection.rollback();
    await assertRejects(() => connection.execute(one), InvalidStateError);
    assertEquals((await db.execute(one)).rows, [[1]]); // Other connections go on.
    assertEquals(await server.db.query("SELECT * FROM t"), []);
  }, withManyConnections);

  testEverywhere(`a statement on its own over a WebSocket ends on ${why}`, async ({ db, server }) => {
    const controller = new AbortController();
    const options = why === "timeout" ? { timeout: 300 } : { signal: controller.signal };
    const rejected = rejection(db.execute(sleep, options));
    if (why === "abort") await asleep(server);
    controller.abort("enough");
    const error = await rejected;
    why === "abort" ? assertEquals(error, "enough") : assertInstanceOf(error, TimeoutError);
    await db.close();
    await server.settled();
    assertEquals(server.sockets, 0);
  }, ["url, WebSocket only"]);
}

testEverywhere("a commit that is given up leaves the outcome open", async ({ db, server }) => {
  const connection = await db.connect();
  const error = await rejection(connection.commit([sleep], { timeout: 300 }));
  assertInstanceOf(error, TimeoutError);
  assertEquals(error.notApplied, false);
  await connection.rollback();
  server.latency = 0;
}, withManyConnections);

Deno.test("connect() gives up while it opens, and leaves no socket", async () => {
  await using server = await startNeon({ latency: 200 });
  const db = neon(server.url);
  const error = await rejection(db.connect({ timeout: 50 }));
  assertInstanceOf(error, TimeoutError);
  assertEquals(error.notApplied, true);
  server.latency = 0;
  await db.close();
  await server.settled();
  assertEquals(server.sockets, 0);
  while (await server.db.connections() > 0);
});

testEverywhere("the database's timeout holds for calls without one of their own", async ({ server }) => {
  for (const http of [true, false]) {
    const db = neon({ connectionString: server.url, http, timeout: 300 });
    await assertRejects(() => db.execute(sleep), TimeoutError);
    if (db.batch) await assertRejects(() => db.batch!([one, sleep]), TimeoutError);
    const connection = await db.connect();
    await assertRejects(() => connection.execute(sleep), TimeoutError);
    await connection.rollback();
    await db.close();
  }
}, withSockets.slice(0, 1));

/** A server that keeps its connections open, and closes each one in the middle of the second request, after reading it. */
class Hasty implements AsyncDisposable {
  readonly bodies: string[] = [];
  readonly #answer: string;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.Conn>();
  readonly #done: Promise<unknown>;

  constructor(answer: unknown) {
    this.#answer = JSON.stringify(answer);
    this.#done = (async () => {
      const served: Promise<void>[] = [];
      for await (const connection of this.#listener) served.push(this.#serve(connection));
      await Promise.all(served);
    })();
  }

  get url(): string {
    return `postgresql://ann:secret@127.0.0.1:${this.#listener.addr.port}/books`;
  }

  async #serve(connection: Deno.Conn): Promise<void> {
    this.#open.add(connection);
    const buffer = new Uint8Array(65_536);
    let text = "";
    let requests = 0;
    try {
      for (let read = await connection.read(buffer); read !== null; read = await connection.read(buffer)) {
        text += new TextDecoder().decode(buffer.subarray(0, read));
        const head = text.indexOf("\r\n\r\n") + 4;
        const length = Number(/content-length: (\d+)/i.exec(text)?.[1]);
        if (head < 4 || text.length < head + length) continue;
        this.bodies.push(text.slice(head));
        text = "";
        if (++requests === 2) break;
        const headers = `content-type: application/json\r\ncontent-length: ${this.#answer.length}`;
        await connection.write(new TextEncoder().encode(`HTTP/1.1 200 OK\r\n${headers}\r\n\r\n${this.#answer}`));
      }
    } catch {
      // The client went away.
    }
    this.#open.delete(connection);
    connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) connection.close();
    await this.#done.catch(() => {});
  }
}

const result = { fields: [], rows: [], command: "INSERT", rowCount: 1, rowAsArray: true };

for (const call of ["execute", "batch"] as const) {
  for (const set of ["a connection string", "a handed-in function"] as const) {
    Deno.test(`a write whose connection closes before its answer is sent once, ${call}, ${set}`, async () => {
      await using server = new Hasty(call === "execute" ? result : { results: [result] });
      await using db = neon(set === "a connection string" ? server.url : createSql(server.url));
      const run = (sql: string) => call === "execute" ? db.execute(stmt(sql)) : db.batch!([stmt(sql)]);
      await run("INSERT first");
      const error = await rejection(run("INSERT second"));
      assertInstanceOf(error, ConnectionError);
      assertEquals(error.notApplied, false);
      assertEquals(server.bodies.filter((body) => body.includes("second")).length, 1);
    });
  }
}

Deno.test({
  name: "the driver alone sends such a write twice",
  ignore: Deno.version.deno !== "2.9.6", // When this changes, the Blob may go.
  async fn() {
    await using server = new Hasty(result);
    const sql = createSql(server.url);
    await sql.query("INSERT first");
    await sql.query("INSERT second").catch(() => {});
    assertEquals(server.bodies.filter((body) => body.includes("second")).length, 2);
  },
});
