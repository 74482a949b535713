/**
 * The runtimes that the conformance suite runs in, and how each is started.
 *
 * @module
 */
import { startMiniflare } from "../servers/d1.ts";
import type { Outcome, Task } from "./agent.ts";
import { bundle, CONDITIONS } from "./bundle.ts";
import { startWorkerd } from "./workerd.ts";

/** A runtime with an agent in it. */
export interface Agent extends AsyncDisposable {
  run(task: Task): Promise<Outcome>;
}

/** A kind of runtime. */
export interface Runtime {
  /** The name in the matrix. */
  readonly name: string;
  /** The targets it cannot reach, each with the reason. */
  readonly without: Readonly<Record<string, string>>;
  /** How many tests go into one task; a task is one request where the runtime serves requests. */
  readonly chunk: number;
  start(bundles: Bundles, target: string): Promise<Agent>;
}

/** The agent, bundled for each. */
export interface Bundles extends AsyncDisposable {
  /** A module whose default export is a worker. */
  readonly workerd: string;
  /** A script that listens for "fetch". */
  readonly edge: string;
  /** A file that exports `run`, beside a `node_modules`. */
  readonly node: string;
  /** The same with the drivers for the web, which needs no `node_modules`. */
  readonly bare: string;
}

const PACKAGES = ["@libsql/client", "@neondatabase/serverless", "@planetscale/database", "ws"];

/** Bundles the agent. Takes a second. */
export async function makeBundles(): Promise<Bundles> {
  const folder = await Deno.makeTempDir({ prefix: "runtimes-" });
  await Deno.symlink(new URL("../../node_modules", import.meta.url), `${folder}/node_modules`);
  const write = async (name: string, text: Promise<string>): Promise<string> => {
    await Deno.writeTextFile(`${folder}/${name}`, await text);
    return `${folder}/${name}`;
  };
  const minify = false; // So that failures can be read.
  const entry = "./edge_entry.ts";
  return {
    workerd: await bundle(`import { answer } from "${entry}"; export default { fetch: answer };`, { minify }),
    edge: await write(
      "edge.js",
      bundle(
        `import { answer } from "${entry}"; addEventListener("fetch", (e) => e.respondWith(answer(e.request)));`,
        { minify, format: "iife", conditions: CONDITIONS.edge },
      ),
    ),
    node: await write(
      "node.mjs",
      bundle(`export { run } from "./node_entry.ts";`, { minify, conditions: CONDITIONS.node, external: PACKAGES }),
    ),
    bare: await write("bare.mjs", bundle(`export { run } from "${entry}";`, { minify })),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

/** An agent that is asked over HTTP. */
function asked(url: string, stop: () => Promise<void>): Agent {
  return {
    async run(task): Promise<Outcome> {
      const response = await fetch(url, { method: "POST", body: JSON.stringify(task) });
      const text = await response.text();
      if (!response.ok) throw new Error(text);
      return JSON.parse(text);
    },
    [Symbol.asyncDispose]: stop,
  };
}

const NO_PROCESS = "a database in the process is a native addon, and the edge has none";

const atTheEdge = { "libsql memory": NO_PROCESS, "libsql file": NO_PROCESS } as const;

const NO_BINDING = "D1 is a binding of Cloudflare's Workers";

function workerd(...flags: readonly string[]): Runtime {
  return {
    name: ["workerd", ...flags].join(" "),
    without: atTheEdge,
    chunk: 100,
    async start({ workerd }, target): Promise<Agent> {
      if (target === "d1") {
        const miniflare = startMiniflare(workerd, [...flags]);
        return asked(String(await miniflare.ready), () => miniflare.dispose());
      }
      const worker = await startWorkerd(workerd, flags);
      return asked(worker.url, async () => await worker[Symbol.asyncDispose]());
    },
  };
}

const edgeRuntime: Runtime = {
  name: "edge-runtime",
  without: { ...atTheEdge, d1: NO_BINDING },
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
function program(name: string, binary: string, options: Partial<Runtime> & { readonly args?: string[] } = {}): Runtime {
  const { args = [], ...rest } = options;
  return {
    name,
    without: { d1: NO_BINDING },
    chunk: Infinity,
    start: (bundles) =>
      Promise.resolve({
        async run(task): Promise<Outcome> {
          const { success, stdout } = await new Deno.Command(binary, {
            args: [
              ...args,
              local("runner.mjs"),
              name.includes("bare") ? bundles.bare : bundles.node,
              JSON.stringify(task),
            ],
            stdin: "null",
            stdout: "piped",
            stderr: "inherit",
          }).output();
          const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
          if (!success) throw new Error(`${name} ended with an error: ${lines.join("\n")}`);
          return JSON.parse(lines.at(-1)!);
        },
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
    ...rest,
  };
}

function local(file: string): string {
  return new URL(file, import.meta.url).pathname;
}

/** All of them, in the order of the matrix. */
export const runtimes: readonly Runtime[] = [
  workerd(),
  workerd("nodejs_als"),
  workerd("nodejs_compat"),
  edgeRuntime,
  program("Node 20", "node"),
];
