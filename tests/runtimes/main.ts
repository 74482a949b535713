/**
 * Runs the conformance suite in every runtime, on every adapter and transport that it can reach, and prints the matrix.
 *
 *   deno task test:runtimes [--only NAME[,NAME]] [--target NAME[,NAME]] [--share N] [--json FILE]
 *
 * `--only` and `--target` narrow the runtimes and the targets, by a part of their names; `--share N` runs every Nth test of
 * each cell, other ones in each.
 *
 * @module
 */
import type { Kind } from "../conformance/front.ts";
import { startServer } from "../conformance/front.ts";
import type { Server } from "../conformance/server.ts";
import { mariadbMissing } from "../servers/mariadb.ts";
import type { Failure } from "./agent.ts";
import { makeBundles, type Runtime, runtimes } from "./runtimes.ts";

/** The targets, and the kind of server that each needs. */
export const TARGETS: Readonly<Record<string, Kind | null>> = {
  "libsql memory": null,
  "libsql file": null,
  "libsql http": "libsql",
  "libsql ws": "libsql",
  "neon http": "neon",
  "neon http only": "neon",
  "neon pool": "neon",
  planetscale: "planetscale",
  d1: null,
};

interface Cell {
  readonly runtime: Runtime;
  readonly target: string;
  passed: number;
  skipped: number;
  failed: Failure[];
  seconds: number;
}

const option = (name: string): string | undefined => {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? undefined : Deno.args[at + 1];
};
const chosen = (name: string, wanted: string | undefined): boolean =>
  wanted === undefined || wanted.split(",").some((part) => name.toLowerCase().includes(part.trim().toLowerCase()));

const share = Number(option("share") ?? 1);
const cells: Cell[] = Object.keys(TARGETS).flatMap((target) =>
  chosen(target, option("target"))
    ? runtimes.filter(({ name }) => chosen(name, option("only"))).map((runtime): Cell => ({
      runtime,
      target,
      passed: 0,
      skipped: 0,
      failed: [],
      seconds: 0,
    }))
    : []
);

await using bundles = await makeBundles();
const missing = mariadbMissing();

for (const [target, kind] of Object.entries(TARGETS)) {
  const due = cells.filter((cell) => cell.target === target && !(target in cell.runtime.without));
  if (due.length === 0) continue;
  const server = kind === null ? null : await startServer(kind);
  for (const cell of due) {
    const started = performance.now();
    await fill(cell, server);
    cell.seconds = (performance.now() - started) / 1000;
    console.log(
      `${cell.target} in ${cell.runtime.name}: ${cell.passed} passed, ${cell.failed.length} failed, ${cell.skipped} skipped (${
        cell.seconds.toFixed(1)
      } s)`,
    );
    for (const { name, message } of cell.failed.slice(0, 8)) {
      console.log(`  ${name}\n    ${message.replaceAll("\n", "\n    ")}`);
    }
  }
  await server?.stop();
}

async function fill(cell: Cell, server: (Server & { addresses: unknown }) | null): Promise<void> {
  const first = cells.indexOf(cell) % share;
  let total = Infinity;
  const addresses = (server?.addresses ?? null) as never;
  try {
    await using agent = await cell.runtime.start(bundles, cell.target);
    const width = cell.runtime.chunk * share;
    for (let from = first; from < total; from += width) {
      const to = Math.min(from + width, 1e9);
      const outcome = await agent.run({ target: cell.target, addresses, from, to, step: share });
      cell.passed += outcome.passed;
      cell.skipped += outcome.skipped;
      cell.failed.push(...outcome.failed);
      total = outcome.total;
    }
  } catch (error) {
    cell.failed.push({
      name: `[${cell.target}] the agent`,
      message: String(error instanceof Error ? error.stack : error),
    });
  }
}
console.log(missing);
Deno.exit(cells.some(({ failed }) => failed.length > 0) ? 1 : 0);
