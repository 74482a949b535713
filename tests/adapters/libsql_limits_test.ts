/** Timeouts and signals of the libSQL adapter. */
import { assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { createClient } from "@libsql/client/web";
import { libsql, safeFetch } from "../../adapters/libsql.ts";
import { LockTimeoutError, TimeoutError, ValidationError } from "../../src/errors.ts";
import { startHrana } from "../servers/hrana.ts";
import { rejection, stmt, testEverywhere } from "./libsql_transports.ts";

const one = stmt("SELECT 1");

testEverywhere("a signal that has aborted rejects with its reason and sends nothing", async ({ db, server }) => {
  server?.reset();
  const reason = new Error("changed my mind");
  const signal = AbortSignal.abort(reason);
  assertEquals(await rejection(db.execute(one, { signal })), reason);
  assertEquals(await rejection(db.batch([one, one], { signal })), reason);
  assertEquals(await rejection(db.connect({ signal })), reason);
  const connection = await db.connect();
  assertEquals(await rejection(connection.execute(one, { signal })), reason);
  assertEquals(await rejection(connection.commit([one], { signal })), reason);
  assertEquals(server?.requests ?? 0, 0);
  assertEquals((await connection.commit([one]))[0]?.rows, [[1]]); // Nothing was begun, so nothing is lost.
});

testEverywhere("a limit that is not reached changes nothing and leaves nothing", async ({ db, server }) => {
  const { signal } = new AbortController();
  server?.reset();
  assertEquals((await db.execute(one, { signal, timeout: 60_000 })).rows, [[1]]);
  assertEquals((await db.execute(one, { timeout: Infinity })).rows, [[1]]);
  if (server) assertEquals(server.requests, 2);
});

testEverywhere("a timeout that no timer can keep is refused", async ({ db }) => {
  for (const timeout of [0, -1, NaN, 2 ** 31, "5" as unknown as number]) {
    await assertRejects(() => db.execute(one, { timeout }), ValidationError, "timeout");
  }
});

for (const scheme of ["http", "ws"] as const) {
  for (const why of ["timeout", "abort"] as const) {
    Deno.test(`a call ends at once on ${why}, ${scheme}`, async () => {
      await using server = await startHrana();
      await using db = libsql({ url: scheme === "http" ? server.url : server.wsUrl });
      await db.execute(stmt("CREATE TABLE t (id)"));
      const insert = stmt("INSERT INTO t VALUES (1)");
      for (const call of ["execute", "batch"] as const) {
        const hang = Promise.withResolvers<undefined>();
        const reached = Promise.withResolvers<void>();
        const hook = () => {
          reached.resolve();
          return hang.promise;
        };
        scheme === "http" ? server.before = hook : server.beforeMessage = hook;
        const controller = new AbortController();
        const reason = new Error("enough");
        const options = why === "timeout" ? { timeout: 30 } : { signal: controller.signal };
        server.reset();
        const running = call === "execute" ? db.execute(insert, options) : db.batch([insert, insert], options);
        const rejected = rejection(running);
        await reached.promise;
        controller.abort(reason);
        const error = await rejected;
        if (why === "abort") {
          assertEquals(error, reason);
        } else {
          assertInstanceOf(error, TimeoutError);
          assertEquals(error.notApplied, false);
          assertStringIncludes(error.message, db.description);
        }
        server.before = server.beforeMessage = undefined;
        hang.resolve(undefined);
        assertEquals((await db.execute(one)).rows, [[1]]); // Other calls go on.
      }
    });
  }
}

Deno.test("giving up cancels the request itself, and no other one", async () => {
  const cancelled = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  let requests = 0;
  await using server = await startHrana();
  await using front = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const body = await request.text();
    requests++;
    if (body.includes("slow")) {
      request.signal.addEventListener("abort", () => cancelled.resolve());
      arrived.resolve();
      await cancelled.promise; // Only the client's going away ends this request.
      return new Response(null, { status: 503 });
    }
    await release.promise;
    return await fetch(server.url + "/v2/pipeline", { method: "POST", body });
  });
  await using db = libsql({ url: `http://127.0.0.1:${front.addr.port}` });
  const other = db.execute(one);
  const controller = new AbortController();
  const slow = rejection(db.execute(stmt("SELECT 'slow'"), { signal: controller.signal }));
  await arrived.promise;
  controller.abort("stop");
  assertEquals(await slow, "stop");
  await cancelled.promise;
  release.resolve();
  assertEquals((await other).rows, [[1]]);
  assertEquals(requests, 2);
});

Deno.test("a timeout reaches an answer whose body never ends", async () => {
  await using front = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    const body = new ReadableStream({ start: (stream) => stream.enqueue(new TextEncoder().encode("{")) });
    return new Response(body, { headers: { "content-type": "application/json" } });
  });
  await using db = libsql({ url: `http://127.0.0.1:${front.addr.port}`, timeout: 30 });
  await assertRejects(() => db.execute(one), TimeoutError);
});

Deno.test("the database's timeout holds for calls without one of their own", async () => {
  await using server = await startHrana();
  await using db = libsql({ url: server.url, timeout: 30 });
  const hang = Promise.withResolvers<undefined>();
  server.before = () => hang.promise;
  await assertRejects(() => db.execute(one), TimeoutError);
  await assertRejects(() => db.batch([one, one]), TimeoutError);
  const connection = await db.connect();
  await assertRejects(() => connection.execute(one), TimeoutError);
  await connection.rollback();
  hang.resolve(undefined);
});

Deno.test("a client that was handed in is given up on too, and its late answer ignored", async () => {
  await using server = await startHrana();
  const client = createClient({ url: server.url, intMode: "bigint", fetch: safeFetch() });
  await using db = libsql(client);
  const hang = Promise.withResolvers<undefined>();
  const answered = Promise.withResolvers<void>();
  server.before = () => hang.promise;
  server.after = () => {
    answered.resolve();
    return undefined;
  };
  await assertRejects(() => db.execute(one, { timeout: 30 }), TimeoutError);
  hang.resolve(undefined);
  await answered.promise;
  server.after = undefined;
  assertEquals((await db.execute(one)).rows, [[1]]);
  client.close();
});

Deno.test("a connect() that is given up leaves no transaction behind", async () => {
  await using server = await startHrana();
  const client = createClient({ url: server.url, intMode: "bigint", fetch: safeFetch() });
  const held = Promise.withResolvers<void>();
  let closed = 0;
  const slow = new Proxy(client, {
    get(target, name) {
      if (name === "protocol") return target.protocol;
      if (name !== "transaction") return Reflect.get(target, name).bind(target);
      return async () => {
        await held.promise;
        const transaction = await target.transaction("write");
        const close = transaction.close.bind(transaction);
        transaction.close = () => (closed++, close());
        return transaction;
      };
    },
  });
  await using db = libsql(slow);
  const error = await rejection(db.connect({ timeout: 10 }));
  assertInstanceOf(error, TimeoutError);
  assertEquals(error.notApplied, true);
  held.resolve();
  while (closed === 0) await Promise.resolve();
  client.close();
});

Deno.test("a lock that is not had in time is a LockTimeoutError, as long as the server answers", async () => {
  await using server = await startHrana({ busyTimeout: 0 });
  await using db = libsql({ url: server.url });
  await db.execute(stmt("CREATE TABLE t (id)"));
  const holder = await db.connect();
  await holder.execute(stmt("INSERT INTO t VALUES (1)"));
  const waiting = await db.connect();
  await assertRejects(() => waiting.execute(stmt("INSERT INTO t VALUES (2)")), LockTimeoutError);
  await waiting.rollback();
  await holder.commit();
});
