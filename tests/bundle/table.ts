/**
 * How large Ledge is in a bundle, as a table for the README: a program that needs a session and one adapter, and what other
 * parts add to it. Without the drivers, minified by esbuild.
 *
 * `deno run -A tests/bundle/table.ts` writes it into the README.
 *
 * @module
 */
import { type Bundle, bundle, type Import, programOf } from "./bundling.ts";

/** What every program with a session imports. */
export const CORE: Import = ["mod.ts", "belongsTo", "hasMany", "hasOne", "manyToMany", "model", "Session", "t"];

/** The program that what is added is measured on. */
const BASE: readonly Import[] = [CORE, ["adapters/libsql.ts", "libsql"]];

/** Programs as a whole: the heading of each and what it imports. */
export const WHOLE: readonly (readonly [heading: string, imports: readonly Import[]])[] = [
  ["declared models alone: `model`, `t`", [["mod.ts", "model", "t"]]],
  ["`Session`, models and relations", [CORE]],
  ["the same with libSQL", BASE],
  ["the same with D1", [CORE, ["adapters/d1.ts", "d1"]]],
  ["the same with Neon", [CORE, ["adapters/neon.ts", "neon"]]],
  ["the same with PlanetScale", [CORE, ["adapters/planetscale.ts", "planetscale"]]],
];

const BUILDERS = [
  "query/insert",
  "query/write.",
  "query/assignments",
  "session/builders",
  "session/writing",
  "session/inserting",
]
  .map((file) => `src/${file}`);

/** What else a program may import: the heading, the import, and files of which nothing is in a bundle without it. */
export const ADDED: readonly (readonly [heading: string, added: Import, without: readonly string[]])[] = [
  ["`select`", ["mod.ts", "select"], []],
  ["`insert`, `update`, `deleteFrom`", ["mod.ts", "deleteFrom", "insert", "update"], BUILDERS],
  ["`sql`", ["mod.ts", "sql"], []],
  ["`createAll`", ["mod.ts", "createAll"], ["src/execution/schema.ts", "src/sql/tables.ts"]],
  ["`extend`", ["mod.ts", "extend"], ["src/model/extend.ts", "src/model/subclasses.ts"]],
  ["`sessionFactory`", ["mod.ts", "sessionFactory"], ["src/session/factory.ts"]],
  ["`/bulk`", ["src/bulk/mod.ts", "bulk", "bulkInsert", "bulkSave", "bulkUpdate", "reference"], ["src/bulk/"]],
  ["`/two_phase`", ["src/two_phase/mod.ts", "prepare", "recover"], ["src/two_phase/"]],
  ["`/context`", ["src/web/context.ts", "currentSession", "sessionManager"], ["src/web/"]],
  ["`/hono`", ["src/web/hono.ts", "session"], ["src/web/"]],
  ["`/handler`", ["src/web/handler.ts", "withSession"], ["src/web/"]],
];

/** A size as the table gives it. */
export function kibibytes(bytes: number): string {
  return `${(Math.max(0, bytes) / 1024).toFixed(1)} KiB`;
}

/** The table. */
export async function sizeTable(): Promise<string> {
  const lines = [["in the bundle", "minified", "with gzip"], ["---", "---:", "---:"]];
  const add = (heading: string, { size, compressed }: Pick<Bundle, "size" | "compressed">, sign = ""): void => {
    lines.push([heading, sign + kibibytes(size), sign + kibibytes(compressed)]);
  };
  for (const [heading, imports] of WHOLE) add(heading, await bundle(programOf(imports)));
  const base = await bundle(programOf(BASE));
  for (const [heading, added] of ADDED) {
    const { size, compressed } = await bundle(programOf([...BASE, added]));
    add(heading, { size: size - base.size, compressed: compressed - base.compressed }, "+");
  }
  const widths = lines[0]!.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  const pad = (cell: string, i: number): string => {
    if (cell.startsWith("---")) return i === 0 ? "-".repeat(widths[i]!) : `${"-".repeat(widths[i]! - 1)}:`;
    return i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!);
  };
  return lines.map((line) => `| ${line.map(pad).join(" | ")} |`).join("\n");
}

const BEGIN = "<!-- sizes: written by tests/bundle/table.ts -->";
const END = "<!-- end of sizes -->";
const README = new URL("../../README.md", import.meta.url);

/** The table that the README has. */
export async function readmeTable(): Promise<string> {
  const [, table] = partsOf(await Deno.readTextFile(README));
  return table;
}

function partsOf(readme: string): [before: string, table: string, after: string] {
  const [start, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (start < 0 || end < start) throw new Error("README.md has no place for the table of sizes");
  const from = start + BEGIN.length;
  return [readme.slice(0, from), readme.slice(from, end).trim(), readme.slice(end)];
}

if (import.meta.main) {
  const [before, , after] = partsOf(await Deno.readTextFile(README));
  await Deno.writeTextFile(README, `${before}\n\n${await sizeTable()}\n\n${after}`);
}
