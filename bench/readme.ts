/**
 * `deno run -A bench/readme.ts`: writes the tables of bench/results.json into the README and docs/benchmark.md, each between
 * the comments that name this file. Measures nothing.
 *
 * @module
 */
import { type Growth, growthRows } from "./growth.ts";
import { type Line, markdown } from "./report.ts";
import { type Kind, KINDS } from "./workloads.ts";

/** What the benchmark wrote. */
interface Results {
  readonly deno: string;
  readonly machine: string;
  readonly load: readonly string[];
  readonly runs: number;
  readonly lines: readonly Line[];
  readonly growth: readonly Growth[];
}

const BEGIN = "<!-- benchmark: written by bench/readme.ts -->";
const END = "<!-- end of benchmark -->";
const at = (path: string) => new URL(`../${path}`, import.meta.url);

/** Puts text between the comments of a file. */
async function write(path: string, text: string): Promise<void> {
  const old = await Deno.readTextFile(at(path));
  const [begin, end] = [old.indexOf(BEGIN), old.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${path} has no place for the benchmark: ${BEGIN} … ${END}`);
  await Deno.writeTextFile(at(path), `${old.slice(0, begin)}${BEGIN}\n\n${text}\n\n${old.slice(end)}`);
}

const { deno, machine, load, runs, lines, growth }: Results = JSON.parse(
  await Deno.readTextFile(new URL("results.json", import.meta.url)),
);
const about = `Deno ${deno}, ${machine}, load ${load.join(" to ")}, medians of up to ${runs} samples.`;
const kinds = (Object.keys(KINDS) as Kind[]).filter((kind) => lines.some((line) => line.kind === kind));
await write("README.md", `${markdown(lines, "libsql")}\n\n${about}`);
const [head, ...rows] = growthRows(growth);
const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
await write(
  "docs/benchmark.md",
  [
    about,
    ...kinds.map((kind) => markdown(lines, kind)),
    "CPU of Ledge, µs for each entity, by the number of entities, on libSQL over HTTP:",
    [row(head!), row(head!.map(() => "---")), ...rows.map(row)].join("\n"),
  ].join("\n\n"),
);
const paths = ["README.md", "docs/benchmark.md", "bench/results.json", "bench/results.svg"].map((path) =>
  at(path).pathname
);
await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", ...paths] }).output();
