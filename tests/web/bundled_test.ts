/**
 * withSession() and the Hono middleware bundled, in other runtimes than Deno: what `env` binds, what `waitUntil` finishes,
 * streams, and clients that go away.
 */
import { assertEquals } from "@std/assert";
import { inEdgeRuntime, inNode, inWorkerd, type Running } from "./bundled.ts";

// esbuild, Miniflare and Node are processes of their own, with pipes and timers.
const withOthers = { sanitizeOps: false, sanitizeResources: false };

async function canRun(program: string): Promise<boolean> {
  try {
    return (await new Deno.Command(program, { args: ["--version"] }).output()).success;
  } catch {
    return false;
  }
}

const hasNode = await canRun("node");
if (!hasNode) console.log("Skipped: what runs in Node, as there is no node here");

const where = (name: string) => ({
  ...withOthers,
  ignore: name === "Node" && !hasNode,
});

/** Waits until something is so, and gives up on what does not come. */
async function until(isSo: () => boolean): Promise<void> {
  for (let i = 0; !isSo(); i++) {
    if (i === 2000) throw new Error(`It never came: ${isSo}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const runtimes: Readonly<Record<string, () => Promise<Running>>> = {
  workerd: inWorkerd,
  "Vercel's edge-runtime": inEdgeRuntime,
  Node: inNode,
};

for (const [name, start] of Object.entries(runtimes)) {
  Deno.test(
    `in ${name} each request has a session of its own, by env, with or without Hono`,
    where(name),
    async (t) => {
      await using running = await start();
      const { server, send, titles } = running;
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
          const response = await send(`/${form}/streamed?stream`);
          const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
          assertEquals((await reader.read()).value, "first ");
          assertEquals(titles(), ["kept", "streamed"]);
          await running.open();
          assertEquals((await reader.read()).value, "second");
          assertEquals((await reader.read()).done, true);
        });

        await t.step(`${form}: has nothing in common between twenty requests at once`, async () => {
          server.db.query("DELETE FROM books");
          server.reset();
          const names = Array.from({ length: 20 }, (_, i) => `book-${String(i).padStart(2, "0")}`);
          const status = (i: number): number => i % 2 === 0 ? 200 : 422;
          const responses = await Promise.all(names.map((name, i) => send(`/${form}/${name}?status=${status(i)}`)));
          assertEquals(responses.map(({ status }) => status), names.map((_, i) => status(i)));
          assertEquals(titles(), names.filter((_, i) => status(i) === 200));
          assertEquals([server.requests, server.openStreams], [10, 0]);
        });
      }
    },
  );
}

const telling: Readonly<Record<string, () => Promise<Running>>> = {
  "workerd with enable_request_signal": () => inWorkerd("enable_request_signal"),
  Node: inNode,
};

for (const [name, start] of Object.entries(telling)) {
  Deno.test(`in ${name} what a client left is rolled back, and its transaction closed`, where(name), async () => {
    await using running = await start();
    for (const path of ["/handler/left?flush&wait", "/hono/left?flush&wait"]) {
      await running.leave(path);
      assertEquals(running.server.openStreams, 1);
      await running.open();
      await until(() => running.server.openStreams === 0);
      assertEquals(running.titles(), []);
    }
  });
}

Deno.test(
  "in workerd without a flag what a client left is ended where it stands, uncommitted",
  withOthers,
  async () => {
    await using running = await inWorkerd();
    for (const [i, path] of ["/handler/left?wait", "/hono/left?wait"].entries()) {
      await running.leave(path);
      await until(() => running.givenUp > i);
      await running.open();
      assertEquals((await running.send(`/handler/other-${i}`)).status, 200);
      assertEquals(running.titles().includes("left"), false);
    }
  },
);
