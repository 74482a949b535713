/**
 * The matrix of runtimes and targets: its rows, its cells, and the table that the README has of it.
 *
 * @module
 */
import type { Kind } from "../conformance/front.ts";
import type { Failure } from "./agent.ts";
import type { Runtime } from "./runtimes.ts";

/** A row: what is run, and on what. */
export interface Row {
  /** The name of the target. */
  readonly target: string;
  /** The name in the README. */
  readonly heading: string;
  /** The kind of server that it needs. */
  readonly server: Kind | null;
  /** Whether it is the conformance suite; a few tests of the runtimes alone otherwise. */
  readonly conforms: boolean;
}

const row = (target: string, heading: string, server: Kind | null, conforms = true): Row => {
  return { target, heading, server, conforms };
};

/** All of them, those that take longest first: so two lanes end together. */
export const rows: readonly Row[] = [
  row("libsql http", "libSQL HTTP", "libsql"),
  row("libsql ws", "libSQL WebSocket", "libsql"),
  row("libsql file", "libSQL file", null),
  row("libsql memory", "libSQL in memory", null),
  row("neon http", "Neon", "neon"),
  row("neon http only", "Neon, HTTP only", "neon"),
  row("neon pool", "Neon `Pool`", "neon"),
  row("neon with ws", "Neon, npm's `ws` handed in", "neon", false),
  row("planetscale", "PlanetScale", "planetscale"),
  row("d1", "D1", null),
  row("async context", "the session of the async context", "libsql", false),
];

/** A row in one runtime. */
export interface Cell {
  readonly row: Row;
  readonly runtime: Runtime;
  passed: number;
  skipped: number;
  readonly failed: Failure[];
  seconds: number;
  /** Why nothing was run here, which is no fault of the runtime. */
  absent?: string;
}

/** A cell's text in the README, and what is to be said of it. */
function state({ row, runtime, failed, passed, absent }: Cell): { readonly text: string; readonly note?: string } {
  const without = runtime.without[row.target];
  if (without !== undefined) return { text: "no", note: without };
  if (absent !== undefined) return { text: "?", note: absent };
  if (failed.length > 0 || passed === 0) return { text: "FAILS" };
  return { text: "yes", note: runtime.by[row.target] };
}

/** The cells as a table, with the notes below it. `counts` gives how many tests passed in place of "yes". */
export function matrix(cells: readonly Cell[], counts: boolean): string {
  const notes: string[] = [];
  const text = (cell: Cell): string => {
    const { text, note } = state(cell);
    const shown = counts && text === "yes"
      ? String(cell.passed)
      : counts && text === "FAILS"
      ? `${cell.failed.length} of ${cell.failed.length + cell.passed} FAIL`
      : text;
    if (note === undefined) return shown;
    if (!notes.includes(note)) notes.push(note);
    return `${shown} (${notes.indexOf(note) + 1})`;
  };
  const columns = [...new Set(cells.map(({ runtime }) => runtime))];
  const lines = [
    ["", ...columns.map(({ name }) => name)],
    ["---", ...columns.map(() => "---")],
    ...[...new Set(cells.map(({ row }) => row))].map((row) => [
      row.heading,
      ...columns.map((runtime) => text(cells.find((cell) => cell.row === row && cell.runtime === runtime)!)),
    ]),
  ];
  const widths = lines[0]!.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  const pad = (cell: string, i: number): string => cell === "---" ? "-".repeat(widths[i]!) : cell.padEnd(widths[i]!);
  const table = lines.map((line) => `| ${line.map(pad).join(" | ")} |`).join("\n");
  return `${table}\n\n${notes.map((note, i) => `${i + 1}. ${note}.`).join("\n")}`;
}

const BEGIN = "<!-- runtimes: written by deno task test:runtimes --write -->";
const END = "<!-- end of runtimes -->";

/** The README with this matrix in it. */
export function withMatrix(readme: string, cells: readonly Cell[]): string {
  const [start, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (start < 0 || end < start) throw new Error("README.md has no place for the matrix of runtimes");
  return `${readme.slice(0, start + BEGIN.length)}\n\n${matrix(cells, false)}\n\n${readme.slice(end)}`;
}
