/**
 * withSession() and the Hono middleware in workerd, bundled: what `env` binds, what `waitUntil` finishes, and clients that go
 * away. workerd by itself does not notice a client that leaves before the answer; one that calls it through a service
 * binding, as the front worker here, it does, as Cloudflare's network.
 */
import { assertEquals } from "@std/assert";
import { Miniflare } from "miniflare";
import { startHrana } from "../servers/hrana.ts";
import { bundle } from "../runtimes/bundle.ts";
import { gate } from "./kit.ts";

// esbuild and Miniflare have processes of their own, and timers.
const withOthers = { sanitizeOps: false, sanitizeResources: false };

/** Hands requests on; from those with the header `leave` it goes away when that URL has answered. */
const FRONT = `
export default {
  async fetch(request, { MAIN }) {
    const leave = request.headers.get("leave");
    if (leave === null) return await MAIN.fetch(request);
    const left = new AbortController();
    fetch(leave).then(() => left.abort());
    try {
      await MAIN.fetch(request.url, { method: request.method, signal: left.signal });
      return new Response("it stayed");
    } catch {
      return new Response("gone");
    }
  },
};`;

/** Waits until something is so, and gives up on what does not come. */
async function until(isSo: () => boolean): Promise<void> {
  for (let i = 0; !isSo(); i++) {
    if (i === 2000) throw new Error(`It never came: ${isSo}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The worker in workerd with these flags, its database, and the gate at which its handlers wait. */
async function start(...flags: string[]) {
  const server = await startHrana({ streamTimeout: 600_000 }); // a stream that nobody closes stays open
  server.db.query("CREATE TABLE books (id TEXT PRIMARY KEY, title TEXT NOT NULL UNIQUE, version INTEGER NOT NULL)");
  let [waiting, open] = [gate(), gate()];
  let torn = 0;
  const gates = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async ({ url, signal }) => {
    if (url.endsWith("/waiting")) await waiting.reached;
    else {
      signal.addEventListener("abort", () => torn++);
      waiting.pass();
      await open.reached;
    }
    return new Response();
  });
  const address = `http://127.0.0.1:${gates.addr.port}`;
  const modules = (contents: string) => [{ type: "ESModule", path: "worker.js", contents }] as const;
  const common = { compatibilityDate: "2026-07-01", compatibilityFlags: flags };
  const flare = new Miniflare({
    workers: [
      { name: "front", modules: [...modules(FRONT)], serviceBindings: { MAIN: "main" }, ...common },
      {
        name: "main",
        modules: [...modules(await bundle(`export { default } from "../web/worker.ts"`))],
        bindings: { DATABASE_URL: server.url, GATE: address },
        ...common,
      },
    ],
  });
  const base = await flare.ready;
  return {
    server,
    leave: { leave: `${address}/waiting` },
    titles: () => server.db.query("SELECT title FROM books ORDER BY title").map(({ title }) => title),
    send: (path: string, init: RequestInit = {}) => fetch(new URL(path, base), { method: "POST", ...init }),
    /** Lets what waits go on, once it does. */
    async open() {
      await waiting.reached;
      open.pass();
      [waiting, open] = [gate(), gate()];
    },
    torn: () => torn,
    async [Symbol.asyncDispose]() {
      await flare.dispose();
      await gates.shutdown();
      await server.stop();
    },
  };
}

Deno.test("in workerd each request has a session of its own, by env, with or without Hono", withOthers, async (t) => {
  await using worker = await start();
  const { server, send, titles } = worker;
  for (const form of ["handler", "hono"]) {
    await t.step(`${form}: commits before the response leaves, and rolls back after it`, async () => {
      server.db.query("DELETE FROM books");
      server.reset();
      assertEquals((await send(`/${form}/kept`)).status, 200);
      assertEquals([titles(), server.requests], [["kept"], 1]);
      assertEquals((await send(`/${form}/kept`)).status, 409);
      assertEquals((await send(`/${form}/lost?status=400&flush`)).status, 400);
      await until(() => server.openStreams === 0); // waitUntil
      assertEquals(titles(), ["kept"]);
    });

    await t.step(`${form}: gives GET a read-only session`, async () => {
      const response = await send(`/${form}/books`, { method: "GET" });
      assertEquals(await response.json(), 1);
      const timing = response.headers.get("server-timing")?.replace(/dur=\d+\.\d/, "dur=0.0") ?? null;
      assertEquals(timing, form === "hono" ? 'db;dur=0.0;desc="1 request, 1 statement"' : null);
    });

    await t.step(`${form}: commits before the first byte of a stream`, async () => {
      const headers = { "accept-encoding": "identity" }; // Miniflare would wait for more to compress
      const response = await send(`/${form}/streamed?stream`, { headers });
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      assertEquals((await reader.read()).value, "first ");
      assertEquals(titles(), ["kept", "streamed"]);
      await worker.open();
      assertEquals((await reader.read()).value, "second");
      assertEquals((await reader.read()).done, true);
    });

    await t.step(`${form}: has nothing in common between twenty requests at once`, async () => {
      server.db.query("DELETE FROM books");
      server.reset();
      const names = Array.from({ length: 20 }, (_, i) => `book ${String(i).padStart(2, "0")}`);
      const responses = await Promise.all(
        names.map((name, i) => send(`/${form}/${name.replace(" ", "-")}?status=${i % 2 === 0 ? 200 : 422}`)),
      );
      assertEquals(responses.map(({ status }) => status), names.map((_, i) => i % 2 === 0 ? 200 : 422));
      assertEquals(titles(), names.filter((_, i) => i % 2 === 0).map((name) => name.replace(" ", "-")));
      assertEquals([server.requests, server.openStreams], [10, 0]);
    });
  }
});

for (const flags of [["enable_request_signal"], []]) {
  Deno.test(
    `in workerd with ${flags[0] ?? "no flag"}, what a client left is rolled back`,
    withOthers,
    async (t) => {
      await using worker = await start(...flags);
      const { server, send, titles } = worker;
      for (const form of ["handler", "hono"]) {
        await t.step(`${form}: nothing is saved`, async () => {
          assertEquals(await (await send(`/${form}/left?wait`, { headers: worker.leave })).text(), "gone");
          if (flags.length === 0) await until(() => worker.torn() > 0); // the worker was ended where it stood
          await worker.open();
          // What comes after it is answered after what the first would still send.
          assertEquals((await send(`/${form}/other-${form}`)).status, 200);
          assertEquals(titles().includes("left"), false);
        });

        if (flags.length === 0) continue;
        await t.step(`${form}: its transaction is rolled back, although nobody waits`, async () => {
          assertEquals(await (await send(`/${form}/left?flush&wait`, { headers: worker.leave })).text(), "gone");
          assertEquals(server.openStreams, 1);
          await worker.open();
          await until(() => server.openStreams === 0);
          assertEquals(titles().includes("left"), false);
        });
      }
    },
  );
}
