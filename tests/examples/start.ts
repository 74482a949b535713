/**
 * Starts the bookstore's entry files, each in the runtime that it is for.
 *
 * @module
 */
import { EdgeRuntime } from "edge-runtime";
import { Miniflare } from "miniflare";
import { build } from "./build.ts";
import type { Store } from "./stores.ts";

/** A bookstore that is open. */
export interface Shop extends AsyncDisposable {
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

/** What an environment says: where the database is. */
export type Environment = Partial<Store["settings"]>;

const examples = new URL("../../examples/", import.meta.url);

/** The entry files, by their folder. */
export const shops = { deno: startDeno, cloudflare: startCloudflare, vercel: startVercel, node: startNode } as const;

/** How long a process may take until it listens, in milliseconds. */
const START = 60_000;

/** What the bundle of an entry file begins with: where the database is, on this machine. */
const here = `import "./fronts.ts";`;

/** `deno run` in a process of its own, run as the example tells, with no more permissions. */
function startDeno(environment: Environment): Promise<Shop> {
  return startProcess(Deno.execPath(), [
    ...["run", "-EN", "--unstable-no-legacy-abort", `--preload=${new URL("fronts.ts", import.meta.url).pathname}`],
    new URL("deno/main.ts", examples).pathname,
  ], environment);
}

/** Node, in a process of its own, with the packages that are in node_modules. */
async function startNode(environment: Environment): Promise<Shop> {
  const bundle = await build("node", `${here} import "../../examples/node/main.ts";`);
  const folder = await Deno.makeTempDir({ prefix: "bookstore-" });
  await Deno.symlink(new URL("../node_modules", examples).pathname, `${folder}/node_modules`);
  await Deno.writeTextFile(`${folder}/main.mjs`, bundle);
  return await startProcess(
    "node",
    [`${folder}/main.mjs`],
    environment,
    () => Deno.remove(folder, { recursive: true }),
  );
}

/** A program that says where it listens. */
export async function startProcess(
  program: string,
  args: string[],
  environment: Environment,
  after: () => Promise<void> = () => Promise.resolve(),
): Promise<Shop> {
  const child = new Deno.Command(program, {
    args,
    env: { ...environment, PORT: "0", NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const said = { out: "", err: "" };
  const read = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>, to: "out" | "err", heard: () => void) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      said[to] += text;
      heard();
    }
  };
  let port: string | undefined;
  let done: Promise<unknown> = Promise.resolve();
  const listening = new Promise<void>((resolve) => {
    const heard = () => {
      // Deno says it on one of the two, depending on its version.
      port = /Listening on http:\S+:(\d+)\//.exec(said.out + said.err)?.[1];
      if (port !== undefined) resolve();
    };
    done = Promise.all([read(child.stdout, "out", heard), read(child.stderr, "err", heard)]);
    done.then(() => resolve());
  });
  const late = setTimeout(() => child.kill(), START);
  await listening;
  clearTimeout(late);
  if (port === undefined) {
    await child.status;
    await after();
    throw new Error(`${program} ended before it listened: ${said.err}${said.out}`);
  }
  return {
    fetch: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init),
    async [Symbol.asyncDispose](): Promise<void> {
      child.kill();
      await child.status;
      await done;
      await after();
      const complaints = said.err.replace(/^Listening on .*\n/m, "");
      if (complaints !== "") throw new Error(`${program} complained: ${complaints}`);
    },
  };
}

/** What is read of wrangler.jsonc. */
interface Wrangler {
  readonly main: string;
  readonly compatibility_date: string;
  readonly compatibility_flags: string[];
  readonly d1_databases: readonly { readonly binding: string; readonly migrations_dir: string }[];
  readonly alias: Readonly<Record<string, string>>;
}

/** workerd, under miniflare, set up as wrangler.jsonc says. D1 has the tables of its migrations. */
export async function startCloudflare(environment: Environment): Promise<Shop & { query: Store["query"] }> {
  const folder = new URL("cloudflare/", examples);
  const settings = await Deno.readTextFile(new URL("wrangler.jsonc", folder));
  const wrangler: Wrangler = JSON.parse(settings.replace(/^\s*\/\/.*$/gm, ""));
  const [{ binding, migrations_dir }] = wrangler.d1_databases as [Wrangler["d1_databases"][number]];
  const alias = Object.entries(wrangler.alias).map(([name, path]) => [name, new URL(path, folder).pathname]);
  const main = new URL(wrangler.main, folder).pathname;
  const script = await build("cloudflare", `${here} export { default } from "${main}";`, Object.fromEntries(alias));
  const miniflare = new Miniflare({
    modules: true,
    script,
    compatibilityDate: wrangler.compatibility_date,
    compatibilityFlags: wrangler.compatibility_flags,
    bindings: { ...environment },
    d1Databases: [binding],
  });
  const url = String(await miniflare.ready).replace(/\/$/, "");
  const db = await miniflare.getD1Database(binding);
  const migrations = new URL(`${migrations_dir}/`, folder);
  for (const { name } of [...Deno.readDirSync(migrations)].sort((a, b) => a.name < b.name ? -1 : 1)) {
    const sql = (await Deno.readTextFile(new URL(name, migrations))).replace(/^--.*$/gm, "");
    await db.batch(sql.split(";").filter((text) => text.trim() !== "").map((text) => db.prepare(text)));
  }
  return {
    fetch: (path, init) => fetch(`${url}${path}`, init),
    query: async (sql) => (await db.prepare(sql).all<Record<string, unknown>>()).results,
    [Symbol.asyncDispose]: () => miniflare.dispose(),
  };
}

/** Vercel's edge-runtime, in this process: it is a context of its own, without anything of Deno's or Node's. */
async function startVercel(environment: Environment): Promise<Shop> {
  const initialCode = await build(
    "vercel",
    `${here}
     import handler, { config } from "../../examples/vercel/api/index.ts";
     if (config.runtime !== "edge") throw new Error("It is not for the edge");
     addEventListener("fetch", (event) => event.respondWith(handler(event.request)));`,
  );
  const env = { ...environment };
  const runtime = new EdgeRuntime({ extend: (context) => Object.assign(context, { process: { env } }), initialCode });
  return {
    fetch: async (path, init) => await runtime.dispatchFetch(`http://localhost${path}`, init) as unknown as Response,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
