/**
 * Who takes part, and getting the peers ready: they have dependencies of their own (bench/peers), which neither the
 * library nor its tests ever install.
 *
 * @module
 */
import { Rival } from "./contender.ts";
import type { Kind } from "./workloads.ts";

/** What all ratios are to. */
export const BASELINE = "raw";

const own = (name: string) => ({ name, module: `./${name.toLowerCase()}.ts` });
const PEERS = new URL("peers/", import.meta.url);
const peer = (name: string, file: string) => ({
  name,
  module: `./peers/${file}.ts`,
  config: new URL("deno.json", PEERS).pathname,
});

/** How to start one. */
export interface Start {
  readonly name: string;
  readonly module: string;
  readonly config?: string;
  readonly file?: string;
}

/** All, in the order in which they stand in tables. */
export const CONTENDERS: readonly Start[] = [
  own(BASELINE),
  own("Ledge"),
  peer("Drizzle", "drizzle"),
  peer("Kysely", "kysely"),
  peer("MikroORM", "mikro_orm"),
  peer("Prisma", "prisma"),
];

/** Ledge as it is in another checkout of this repository: what a change gains, or loses, is seen in one run. */
export function ledgeOf(folder: string): Start {
  return { ...own("Ledge"), name: `Ledge of ${folder}`, file: `${Deno.realPathSync(folder)}/bench/contender.ts` };
}

async function deno(args: readonly string[], env: Record<string, string> = {}): Promise<string | null> {
  const { success, stderr, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: PEERS,
    env: { NO_COLOR: "1", ...env },
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (success) return null;
  const text = new TextDecoder().decode(stderr) + new TextDecoder().decode(stdout);
  return text.split("\n").find((line) => /error/i.test(line)) ?? `deno ${args[0]} failed`;
}

/** Installs the peers and generates Prisma's clients. Returns why each that cannot be had cannot, by name. */
export async function preparePeers(names: readonly string[]): Promise<Map<string, string>> {
  const missing = new Map<string, string>();
  const peers = CONTENDERS.filter(({ name, config }) => config !== undefined && names.includes(name));
  if (peers.length === 0) return missing;
  const why = await deno(["install", "--frozen"]);
  if (why !== null) { for (const { name } of peers) missing.set(name, `not installed: ${why}`); }
  else if (names.includes("Prisma")) {
    for (const schema of ["libsql", "postgres", "planetscale"]) {
      // Generating needs no schema engine, but would download one: a program that does nothing stands in for it.
      const why = await deno(["task", "generate", `--schema=prisma/${schema}.prisma`], {
        PRISMA_SCHEMA_ENGINE_BINARY: Deno.execPath(),
        PRISMA_HIDE_UPDATE_MESSAGE: "1",
        CHECKPOINT_DISABLE: "1",
      });
      if (why !== null) missing.set("Prisma", `its client was not generated: ${why}`);
    }
  }
  return missing;
}

/** Starts contenders on a server, and says which it leaves out and why. */
export async function startAll(
  starts: readonly Start[],
  missing: ReadonlyMap<string, string>,
  kind: Kind,
  url: string,
): Promise<{ rivals: Rival[]; left: string[] }> {
  const rivals: Rival[] = [];
  const left: string[] = [];
  for (const contender of starts) {
    const why = missing.get(contender.name);
    if (why !== undefined) left.push(`${contender.name} is left out: ${why}`);
    else {
      try {
        rivals.push(await Rival.start(contender, kind, url));
      } catch (error) {
        left.push(`${contender.name} is left out: ${(error as Error).message}`);
      }
    }
  }
  return { rivals, left };
}
