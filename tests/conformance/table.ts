/**
 * What each adapter can do and what common work costs on it, as a table for the README: written from the capabilities of
 * the databases and from the request counts that the conformance suite asserts.
 *
 * `deno run -A tests/conformance/table.ts` writes it into the README.
 *
 * @module
 */
import type { Capabilities, Database } from "../../mod.ts";
import { d1Target } from "./d1.ts";
import { file, http as libsqlHttp } from "./libsql.ts";
import { http as neonHttp, httpOnly, pool } from "./neon.ts";
import { planetscale } from "./planetscale.ts";
import type { RequestCounts, Target } from "./setup.ts";

const COLUMNS: readonly (readonly [heading: string, target: Target])[] = [
  ["libSQL HTTP", libsqlHttp],
  ["libSQL file", file],
  ["D1", d1Target],
  ["Neon", neonHttp],
  ["Neon, HTTP only", httpOnly],
  ["Neon `Pool`", pool],
  ["PlanetScale", planetscale],
];

const yes = (value: boolean): string => value ? "yes" : "no";

const CAPABILITIES: readonly (readonly [heading: string, cell: (can: Capabilities, db: Database) => string])[] = [
  ["a commit goes", ({ batch }) => batch === "atomic" ? "as one batch" : "in a transaction"],
  ["reads of one turn go", (_, db) => db.batch === undefined ? "side by side" : "together"],
  ["conversations (`flush`, locks, DML by `execute`)", ({ interactive }) => yes(interactive)],
  ["isolation levels", ({ isolation }) => isolation.map((level) => LEVELS[level]).join(", ")],
  ["read-only transactions", ({ readOnly }) => yes(readOnly)],
  ["`settings`", (_, { dialect }) => yes(dialect.settings !== undefined)],
  ["two-phase commit", (_, { twoPhase }) => yes(twoPhase !== undefined)],
];

const LEVELS: Readonly<Record<Capabilities["isolation"][number], string>> = {
  "read uncommitted": "RU",
  "read committed": "RC",
  "repeatable read": "RR",
  serializable: "S",
};

const COSTS: readonly (readonly [heading: string, count: keyof RequestCounts])[] = [
  ["commit one new row", "newRow"],
  ["the same, with values that the database makes", "newRowWithServerValues"],
  ["commit 100 authors and 1,000 books", "graph"],
  ["the same, with keys that the database makes", "graphWithServerKeys"],
  ["commit one changed row, with its version checked", "changedRow"],
  ["load 1,000 rows, change 100, commit, versions checked", "loadChangeSave"],
  ["commit with a staged statement, a condition, a verified row", "guarded"],
  ["50 gets in one turn", "gets"],
  ["an author with books and their reviews", "include"],
];

/** The table. */
export async function capabilityTable(): Promise<string> {
  const databases = COLUMNS.map(([, target]) => target.sample());
  const lines = [
    ["", ...COLUMNS.map(([heading]) => heading)],
    ["---", ...COLUMNS.map(() => "---")],
    ...CAPABILITIES.map(([heading, cell]) => [heading, ...databases.map((db) => cell(db.capabilities, db))]),
    ...COSTS.map(([heading, count]) => [heading, ...COLUMNS.map(([, { expects }]) => String(expects.requests[count]))]),
  ];
  await Promise.all(databases.map((db) => db.close()));
  const widths = lines[0]!.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  const pad = (cell: string, i: number): string => cell === "---" ? "-".repeat(widths[i]!) : cell.padEnd(widths[i]!);
  return lines.map((line) => `| ${line.map(pad).join(" | ")} |`).join("\n");
}

const BEGIN = "<!-- capabilities: written by tests/conformance/table.ts -->";
const END = "<!-- end of capabilities -->";
const README = new URL("../../README.md", import.meta.url);

/** The README with the table of now in it. */
export async function withTable(readme: string): Promise<string> {
  const [start, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (start < 0 || end < start) throw new Error("README.md has no place for the table of capabilities");
  return `${readme.slice(0, start + BEGIN.length)}\n\n${await capabilityTable()}\n\n${readme.slice(end)}`;
}

if (import.meta.main) await Deno.writeTextFile(README, await withTable(await Deno.readTextFile(README)));
