/**
 * Runs the conformance suite in every runtime, on every adapter and transport that it can reach, and prints the matrix,
 * which must be the README's.
 *
 *   deno task test:runtimes [--only NAME,…] [--target NAME,…] [--share N] [--write] [--json FILE]
 *
 * `--only` and `--target` narrow the runtimes and the targets, by a part of their names. `--share N` runs every Nth test in
 * each cell, other ones from cell to cell. `--write` puts the matrix into the README. `--json` writes how many tests passed.
 *
 * @module
 */
import { startServer } from "../conformance/front.ts";
import { useMachinePrograms } from "../machine.ts";
import { mariadbMissing } from "../servers/mariadb.ts";
import type { Task } from "./agent.ts";
import { type Cell, matrix, type Row, rows, withMatrix } from "./matrix.ts";
import { type Bundles, makeBundles, type Runtime, runtimes } from "./runtimes.ts";

const option = (name: string): string | undefined => {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? undefined : Deno.args[at + 1];
};

useMachinePrograms();

const isChosen = (name: string, parts: string | undefined): boolean =>
  parts === undefined || parts.split(",").some((part) => name.toLowerCase().includes(part.trim().toLowerCase()));

/** How many cells run at once. */
const LANES = Math.max(2, navigator.hardwareConcurrency);

/** Fills the cells of a row one after the other: they share a server. */
async function fillRow(row: Row, cells: readonly Cell[], bundles: Bundles, share: number): Promise<void> {
  const due = cells.filter(({ runtime, absent }) => !(row.target in runtime.without) && absent === undefined);
  if (due.length === 0) return;
  const server = row.server === null ? undefined : await startServer(row.server);
  for (const cell of due) {
    const started = performance.now();
    try {
      await fill(cell, { target: row.target, addresses: server?.addresses ?? null }, bundles, row.conforms ? share : 1);
    } catch (error) {
      const message = error instanceof Error ? error.stack ?? String(error) : String(error);
      cell.failed.push({ name: `[${row.target}] the runtime's answer`, message });
    }
    cell.seconds = (performance.now() - started) / 1000;
    console.log(line(cell));
  }
  await server?.stop();
}

/** Runs the tests of a cell, in as many tasks as the runtime wants them. */
async function fill(
  cell: Cell,
  task: Pick<Task, "target" | "addresses">,
  bundles: Bundles,
  step: number,
): Promise<void> {
  const { runtime, row } = cell;
  await using agent = await runtime.start(bundles, row.target);
  const first = (runtimes.indexOf(runtime) * 5 + rows.indexOf(row)) % step; // Other tests in each.
  const width = Math.min(runtime.chunk * step, 1_000_000);
  let total = Infinity;
  for (let from = first; from < total; from += width) {
    const outcome = await agent.run({ ...task, from, to: from + width, step });
    total = outcome.total;
    cell.passed += outcome.passed;
    cell.skipped += outcome.skipped;
    cell.failed.push(...outcome.failed);
  }
}

function line({ row, runtime, passed, failed, skipped, seconds }: Cell): string {
  const counts = `${passed} passed, ${failed.length} failed, ${skipped} skipped (${seconds.toFixed(1)} s)`;
  const told = failed.slice(0, 10).map(({ name, message }) => `\n  ${name}\n    ${message.replaceAll("\n", "\n    ")}`);
  if (failed.length > 10) told.push(`\n  and ${failed.length - 10} more`);
  return `[${runtime.name}] [${row.target}] ${counts}${told.join("")}`;
}

/** Why a cell cannot be filled on this machine. */
async function absences(): Promise<(row: Row, runtime: Runtime) => string | undefined> {
  const mariadb = mariadbMissing();
  const versions = new Map(await Promise.all(runtimes.map(async (one) => [one, await one.missing()] as const)));
  return (row, runtime) =>
    row.server === "planetscale" && mariadb !== null ? mariadb : versions.get(runtime) ?? undefined;
}

/** Markdown as `deno fmt` leaves it. */
async function formatted(markdown: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext", "md", "-"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const [{ stdout }] = await Promise.all([child.output(), new Blob([markdown]).stream().pipeTo(child.stdin)]);
  return new TextDecoder().decode(stdout);
}

/** Runs what is chosen; true when all is well. */
async function main(): Promise<boolean> {
  const [share, only, target] = [Number(option("share") ?? 1), option("only"), option("target")];
  const absent = await absences();
  const cells = rows.filter((row) => isChosen(row.target, target)).flatMap((row) =>
    runtimes.filter(({ name }) => isChosen(name, only)).map((runtime): Cell => ({
      row,
      runtime,
      passed: 0,
      skipped: 0,
      failed: [],
      seconds: 0,
      absent: absent(row, runtime),
    }))
  );
  const started = performance.now();
  await using bundles = await makeBundles();
  const queue = rows.filter((row) => cells.some((cell) => cell.row === row));
  const lane = async (): Promise<void> => {
    for (let row = queue.shift(); row !== undefined; row = queue.shift()) {
      await fillRow(row, cells.filter((cell) => cell.row === row), bundles, share);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));

  const sum = (count: (cell: Cell) => number): number => cells.reduce((all, cell) => all + count(cell), 0);
  let failed = sum((cell) => cell.failed.length);
  console.log(`\n${matrix(cells, true)}\n`);
  if (only === undefined && target === undefined && cells.every((cell) => cell.absent === undefined)) {
    const path = new URL("../../README.md", import.meta.url);
    const readme = await Deno.readTextFile(path);
    const now = await formatted(withMatrix(readme, cells));
    if (Deno.args.includes("--write") && failed === 0) await Deno.writeTextFile(path, now);
    else if (now !== readme) {
      failed++;
      console.log("The README's matrix is another one: deno task test:runtimes --write");
    }
  }
  const passed = sum((cell) => cell.passed);
  const skipped = sum((cell) => cell.skipped + (cell.absent === undefined ? 0 : 1));
  console.log(`in ${((performance.now() - started) / 1000).toFixed(0)} s`);
  console.log(`runtimes: ${passed} passed, ${failed} failed, ${skipped} skipped`);
  const file = option("json");
  if (file !== undefined) await Deno.writeTextFile(file, JSON.stringify({ passed, failed, skipped }));
  return failed === 0 && passed > 0;
}

Deno.exit(await main() ? 0 : 1);
