/**
 * Starts the small application of worker.ts, bundled, in other runtimes than Deno, beside a database that counts and a gate
 * at which its handlers wait when asked to.
 *
 * @module
 */
import { EdgeRuntime } from "edge-runtime";
import { Miniflare } from "miniflare";
import { build } from "../examples/build.ts";
import { bundle } from "../runtimes/bundle.ts";
import { type HranaServer, startHrana } from "../servers/hrana.ts";
import { gate } from "./kit.ts";
import type { Env } from "./worker.ts";

/** An application that runs. */
export interface Running extends AsyncDisposable {
  readonly server: HranaServer;
  /** What is in the table. */
  titles(): unknown[];
  /** Sends a POST, unless another method is given. */
  send(path: string, init?: RequestInit): Promise<Response>;
  /** Sends a POST as a client that goes away once its handler waits; resolves when the runtime has heard of it. */
  leave(path: string): Promise<void>;
  /** Lets the handler that waits go on, once it does. */
  open(): Promise<void>;
  /** How many requests at the gate were given up. */
  readonly givenUp: number;
}

/** One runtime with the application in it. */
interface Runtime {
  fetch(path: string, init: RequestInit): Promise<Response>;
  leave(path: string): Promise<void>;
  stop(): Promise<void>;
}

/** Hands requests on; from those with the header `leave` it goes away when that URL has answered. */
const FRONT = `
export default {
  async fetch(request, { MAIN }) {
    const leave = request.headers.get("leave");
    if (leave === null) return await MAIN.fetch(request);
    const left = new AbortController();
    fetch(leave).then(() => left.abort());
    const stayed = await MAIN.fetch(request.url, { method: request.method, signal: left.signal }).catch(() => null);
    return new Response(stayed === null ? "gone" : "it stayed");
  },
};`;

/**
 * In workerd. By itself it does not notice a client that leaves before the answer; one that calls through a service binding,
 * as the front worker here, it does, as it does in Cloudflare's network.
 */
export function inWorkerd(...flags: string[]): Promise<Running> {
  return start(async (env, waiting) => {
    const worker = (contents: string) => ({
      modules: [{ type: "ESModule" as const, path: "worker.js", contents }],
      compatibilityDate: "2026-07-01",
      compatibilityFlags: flags,
    });
    const main = await bundle(`export { default } from "../web/worker.ts"`);
    const flare = new Miniflare({
      workers: [
        { name: "front", serviceBindings: { MAIN: "main" }, ...worker(FRONT) },
        { name: "main", bindings: { ...env }, ...worker(main) },
      ],
    });
    const url = String(await flare.ready);
    const send: Runtime["fetch"] = (path, init) => fetch(new URL(path, url), init);
    return {
      fetch: send,
      async leave(path) {
        const response = await send(path, { method: "POST", headers: { leave: waiting } });
        if (await response.text() !== "gone") throw new Error("The client did not go away");
      },
      stop: () => flare.dispose(),
    };
  });
}

/** In Node, behind its own HTTP server. */
export function inNode(): Promise<Running> {
  return start(async (env, waiting) => {
    const file = await Deno.makeTempFile({ suffix: ".mjs" });
    await Deno.writeTextFile(file, await bundle(`export { default } from "../web/worker.ts"`));
    const program = new URL("node_server.mjs", import.meta.url).pathname;
    const node = new Deno.Command("node", {
      args: [program, file, JSON.stringify(env)],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const said = node.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const port = parseInt((await said.read()).value ?? "");
    return {
      fetch: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init),
      leave: (path) => leaveSocket(port, path, waiting),
      async stop() {
        node.kill();
        await node.status;
        await said.cancel();
        await Deno.remove(file);
      },
    };
  });
}

/** In Vercel's edge-runtime, where `waitUntil` is a method of the event. It knows of no client that goes away. */
export function inEdgeRuntime(): Promise<Running> {
  return start(async (env) => {
    const initialCode = await build(
      "vercel",
      `import app from "../web/worker.ts";
       const env = ${JSON.stringify(env)};
       addEventListener("fetch", (event) => event.respondWith(app.fetch(event.request, env, event)));`,
    );
    const runtime = new EdgeRuntime({ initialCode });
    return {
      fetch: async (path, init) => await runtime.dispatchFetch(`http://edge${path}`, init) as unknown as Response,
      leave: () => Promise.reject(new Error("Nobody goes away here")),
      stop: () => Promise.resolve(),
    };
  });
}

/** A client that closes its connection. */
async function leaveSocket(port: number, path: string, waiting: string): Promise<void> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n`));
  await (await fetch(waiting)).text();
  connection.close();
  // The runtime has heard of it by the time that it has answered others.
  for (let i = 0; i < 20; i++) await (await fetch(`http://127.0.0.1:${port}/handler/books`)).text();
}

async function start(run: (env: Env, waiting: string) => Promise<Runtime>): Promise<Running> {
  const server = await startHrana({ streamTimeout: 600_000 }); // a stream that nobody closes stays open
  server.db.query("CREATE TABLE books (id TEXT PRIMARY KEY, title TEXT NOT NULL UNIQUE, version INTEGER NOT NULL)");
  let [waiting, open] = [gate(), gate()];
  let givenUp = 0;
  const gates = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async ({ url, signal }) => {
    if (url.endsWith("/waiting")) {
      await waiting.reached;
      return new Response();
    }
    let isOpen = false;
    signal.addEventListener("abort", () => isOpen || givenUp++);
    waiting.pass();
    await open.reached;
    isOpen = true;
    return new Response();
  });
  const address = `http://127.0.0.1:${gates.addr.port}`;
  const runtime = await run({ DATABASE_URL: server.url, GATE: address }, `${address}/waiting`);
  return {
    server,
    titles: () => server.db.query("SELECT title FROM books ORDER BY title").map(({ title }) => title),
    // Miniflare would wait for more to compress.
    send: (path, init = {}) =>
      runtime.fetch(path, { method: "POST", headers: { "accept-encoding": "identity" }, ...init }),
    leave: (path) => runtime.leave(path),
    async open() {
      await waiting.reached;
      open.pass();
      [waiting, open] = [gate(), gate()];
    },
    get givenUp() {
      return givenUp;
    },
    async [Symbol.asyncDispose]() {
      await runtime.stop();
      await gates.shutdown();
      await server.stop();
    },
  };
}
