/** Timeouts and signals of the PlanetScale adapter, and requests that are sent once. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { Client } from "@planetscale/database";
import { planetscale } from "../../adapters/planetscale.ts";
import {
  ConnectionError,
  InvalidStateError,
  TimeoutError,
  TransactionLostError,
  ValidationError,
} from "../../src/errors.ts";
import { type PlanetScaleFront, startFront } from "../servers/planetscale.ts";
import { rejection, stmt, test, testEverywhere } from "./planetscale_setups.ts";

const one = stmt("SELECT 1");
const sleep = stmt("SELECT SLEEP(60)");

/** Resolves when a query sleeps, or when none does. */
async function asleep(server: PlanetScaleFront, wanted = true): Promise<void> {
  const sql = "SELECT 1 FROM information_schema.processlist WHERE db = database() AND state = 'User sleep'";
  while ((await server.run(sql)).length > 0 !== wanted) await new Promise((resolve) => setTimeout(resolve, 5));
}

testEverywhere("a signal that has aborted rejects with its reason and sends nothing", async ({ db, server }) => {
  const reason = new Error("changed my mind");
  const signal = AbortSignal.abort(reason);
  assertEquals(await rejection(db.execute(one, { signal })), reason);
  assertEquals(await rejection(db.check({ signal })), reason);
  assertEquals(await rejection(db.connect({ signal })), reason);
  assertEquals(await rejection(db.twoPhase.connect("a", { signal })), reason);
  const connection = await db.connect();
  assertEquals(await rejection(connection.execute(one, { signal })), reason);
  assertEquals(await rejection(connection.commit([one], { signal })), reason);
  assertEquals(await rejection(connection.commit([], { signal })), reason);
  assertEquals(server.requests, 0);
  assertEquals((await connection.commit([one]))[0]?.rows, [[1]]); // Nothing was begun, so nothing is lost.
});

testEverywhere("a limit that is not reached changes nothing and leaves nothing", async ({ db, server }) => {
  const { signal } = new AbortController();
  assertEquals((await db.execute(one, { signal, timeout: 60_000 })).rows, [[1]]);
  assertEquals((await db.execute(one, { timeout: Infinity })).rows, [[1]]);
  assertEquals(server.requests, 2);
});

testEverywhere("a timeout that no timer can keep is refused", async ({ db, server }) => {
  for (const timeout of [0, -1, NaN, 2 ** 31, "5" as unknown as number]) {
    await assertRejects(() => db.execute(one, { timeout }), ValidationError, "timeout");
  }
  assertEquals(server.requests, 0);
});

for (const why of ["timeout", "abort"] as const) {
  testEverywhere(`a call ends on ${why}, and its query is cancelled`, async ({ db, server }) => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const rejected = rejection(db.execute(sleep, why === "timeout" ? { timeout: 300 } : { signal: controller.signal }));
    await asleep(server);
    if (why === "abort") controller.abort(reason);
    const error = await rejected;
    if (why === "abort") assertEquals(error, reason);
    else {
      assertInstanceOf(error, TimeoutError);
      assertEquals(error.notApplied, false);
      assertStringIncludes(error.message, db.description);
    }
    await asleep(server, false);
    assertEquals((await db.execute(one)).rows, [[1]]);
  });

  testEverywhere(`a call in a transaction ends on ${why}, and the transaction is lost`, async ({ db, server }) => {
    await db.execute(stmt("CREATE TABLE t (id INT)"));
    const connection = await db.connect();
    await connection.execute(stmt("INSERT INTO t VALUES (1)"));
    const controller = new AbortController();
    const options = why === "timeout" ? { timeout: 300 } : { signal: controller.signal };
    const rejected = rejection(connection.batch([sleep, stmt("INSERT INTO t VALUES (2)")], options));
    const waiting = rejection(connection.execute(one));
    await asleep(server);
    if (why === "abort") controller.abort("enough");
    const error = await rejected;
    if (why === "abort") assertEquals(error, "enough");
    else {
      assertInstanceOf(error, TimeoutError);
      assertEquals(error.notApplied, true);
    }
    assertInstanceOf(await waiting, TransactionLostError);
    await assertRejects(() => connection.execute(one), TransactionLostError);
    await assertRejects(() => connection.commit([one]), TransactionLostError);
    await connection.rollback();
    await assertRejects(() => connection.execute(one), InvalidStateError);
    assertEquals((await db.execute(one)).rows, [[1]]);
    assert(!server.sql.some((sql) => sql.includes("VALUES (2)")));
    await asleep(server, false);
    await server.settled();
    assertEquals([await server.run("SELECT * FROM t"), server.transactions], [[], 0]);
  });
}

testEverywhere("rollback() waits a second at most for a transaction that is lost", async ({ db, server }) => {
  await db.execute(stmt("CREATE TABLE t (id INT)"));
  const connection = await db.connect();
  await connection.execute(stmt("INSERT INTO t VALUES (1)"));
  const hold = server.holdNext("before");
  await assertRejects(() => connection.execute(one, { timeout: 50 }), TimeoutError);
  const again = server.holdNext("before", (body) => body.includes('"ROLLBACK"'));
  await connection.rollback();
  await again.reached;
  for (const one of [hold, again]) one.release();
  await assertRejects(() => connection.execute(one), InvalidStateError);
});

testEverywhere("a call that is given up while it waits loses nothing", async ({ db, server }) => {
  await db.execute(stmt("CREATE TABLE t (id INT)"));
  const connection = await db.connect();
  const hold = server.holdNext("before", (body) => body.includes("VALUES (1)"));
  const first = connection.execute(stmt("INSERT INTO t VALUES (1)"));
  await hold.reached;
  const second = await rejection(connection.execute(stmt("INSERT INTO t VALUES (2)"), { timeout: 30 }));
  assertInstanceOf(second, TimeoutError);
  assertEquals(second.notApplied, true);
  const third = connection.execute(stmt("INSERT INTO t VALUES (3)")); // Still waits for the first.
  hold.release();
  await Promise.all([first, third]);
  await connection.commit();
  assertEquals(await server.run("SELECT id FROM t ORDER BY id"), [{ id: 1 }, { id: 3 }]);
});

testEverywhere("a commit that is given up knows whether COMMIT was sent", async ({ db, server }) => {
  await db.execute(stmt("CREATE TABLE t (id INT)"));
  const early = await db.connect();
  const before = await rejection(early.commit([stmt("INSERT INTO t VALUES (1)"), sleep], { timeout: 300 }));
  assertInstanceOf(before, TimeoutError);
  assertEquals(before.notApplied, true);
  await early.rollback();
  const late = await db.connect();
  const hold = server.holdNext("before", (body) => body.includes('"COMMIT"'));
  const after = await rejection(late.commit([stmt("INSERT INTO t VALUES (2)")], { timeout: 300 }));
  assertInstanceOf(after, TimeoutError);
  assertEquals(after.notApplied, false);
  server.reset();
  await late.rollback();
  assertEquals(server.requests, 0);
  hold.release();
  await server.settled();
  // The request was cancelled before the front read on, or not: both are what "may or may not" means.
  assert([0, 1].includes((await server.run("SELECT * FROM t")).length));
}, { transactionTimeout: 500 });

testEverywhere("a rollback that is given up ends the transaction all the same", async ({ db, server }) => {
  await db.execute(stmt("CREATE TABLE t (id INT)"));
  const connection = await db.connect();
  await connection.execute(stmt("INSERT INTO t VALUES (1)"));
  const hold = server.holdNext("before");
  const error = await rejection(connection.rollback({ timeout: 50 }));
  assertInstanceOf(error, TimeoutError);
  assertEquals(error.notApplied, true);
  await connection.rollback();
  await assertRejects(() => connection.execute(one), InvalidStateError);
  hold.release();
}, { transactionTimeout: 300 });

test("the database's timeout holds for calls without one of their own", async () => {
  await using server = await startFront();
  const client = new Client({ url: server.url });
  for (const db of [planetscale({ url: server.url, timeout: 200 }), planetscale({ client, timeout: 200 })]) {
    await assertRejects(() => db.execute(sleep), TimeoutError);
    const connection = await db.connect();
    await assertRejects(() => connection.execute(sleep), TimeoutError);
    await connection.rollback();
    const hold = server.holdNext("before");
    await assertRejects(() => db.check(), TimeoutError);
    hold.release();
  }
});

Deno.test("after a call was given up nothing more of it is sent, also by a fetch that knows no signals", async () => {
  const sent: string[] = [];
  let answer: (response: Response) => void = () => {};
  const fetch = (_: unknown, init?: RequestInit) => {
    return (init!.body as Blob).text().then((body) => {
      sent.push(JSON.parse(body).query);
      return new Promise<Response>((resolve) => answer = resolve);
    });
  };
  await using db = planetscale({ host: "host", username: "ann", password: "secret", fetch });
  const connection = await db.connect();
  await assertRejects(() => connection.commit([one, one], { timeout: 30 }), TimeoutError);
  assertEquals(sent, ["BEGIN"]);
  answer(Response.json({ session: {}, result: {} }));
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(sent, ["BEGIN"]);
});

/** A server that keeps its connections open, and closes each one in the middle of the second request, after reading it. */
class Hasty implements AsyncDisposable {
  readonly bodies: string[] = [];
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.Conn>();
  readonly #done: Promise<unknown>;

  constructor() {
    this.#done = (async () => {
      const served: Promise<void>[] = [];
      for await (const connection of this.#listener) served.push(this.#serve(connection));
      await Promise.all(served);
    })();
  }

  get url(): string {
    return `http://ann:secret@127.0.0.1:${this.#listener.addr.port}`;
  }

  async #serve(connection: Deno.Conn): Promise<void> {
    this.#open.add(connection);
    const answer = JSON.stringify({ session: {}, result: { rowsAffected: "1" } });
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
        const headers = `content-type: application/json\r\ncontent-length: ${answer.length}`;
        await connection.write(new TextEncoder().encode(`HTTP/1.1 200 OK\r\n${headers}\r\n\r\n${answer}`));
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

for (const set of ["a url", "a handed-in Client"] as const) {
  for (const where of ["on its own", "in a transaction"] as const) {
    Deno.test(`a write whose connection closes before its answer is sent once, ${where}, ${set}`, async () => {
      await using server = new Hasty();
      await using db = planetscale(set === "a url" ? { url: server.url } : new Client({ url: server.url }));
      const connection = where === "on its own" ? db : await db.connect();
      if (where === "on its own") await connection.execute(stmt("INSERT first")); // Else BEGIN is the first.
      const error = await rejection(connection.execute(stmt("INSERT second")));
      assertInstanceOf(error, where === "on its own" ? ConnectionError : TransactionLostError);
      assertEquals((error as ConnectionError).notApplied, where === "in a transaction");
      assertEquals(server.bodies.filter((body) => body.includes("second")).length, 1);
    });
  }
}

Deno.test({
  name: "the driver alone sends such a write twice",
  ignore: Deno.version.deno !== "2.9.6", // When this changes, the Blob may go.
  async fn() {
    await using server = new Hasty();
    const client = new Client({ url: server.url });
    await client.execute("INSERT first");
    await client.execute("INSERT second").catch(() => {});
    assertEquals(server.bodies.filter((body) => body.includes("second")).length, 2);
  },
});
