/**
 * From samples to numbers, and from numbers to a table and JSON. Measures nothing.
 *
 * @module
 */
import type { Counts } from "./server.ts";
import type { Work } from "./workloads.ts";

/** What one sample took, for each time that it ran the workload. */
export interface Sample extends Counts {
  /** Milliseconds. */
  readonly wall: number;
  /** Microseconds of this process for each entity. */
  readonly cpu: number;
}

/** A number that was measured several times. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** One contender in one workload at one latency. */
export interface Line {
  readonly work: string;
  readonly title: string;
  readonly entities: number;
  readonly contender: string;
  /** Milliseconds added to each request. */
  readonly latency: number;
  readonly requests: Spread;
  readonly statements: Spread;
  readonly bytesIn: Spread;
  readonly bytesOut: Spread;
  /** Milliseconds. */
  readonly wall: Spread;
  /** Microseconds of the client for each entity. */
  readonly cpu: Spread;
  /** To the baseline, each sample to the one that ran beside it; not on the baseline itself. */
  readonly ratio?: { readonly wall: Spread; readonly cpu: Spread };
}

/** The median, the least and the greatest. */
export function spread(numbers: readonly number[]): Spread {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

/** The lines of a workload at one latency; the samples of all contenders stand in the order in which they ran. */
export function linesOf(
  work: Work,
  latency: number,
  samples: ReadonlyMap<string, readonly Sample[]>,
  baseline: string,
): Line[] {
  const base = samples.get(baseline);
  return [...samples].map(([contender, own]) => {
    const of = (name: keyof Sample) => spread(own.map((sample) => sample[name]));
    const to = (name: "wall" | "cpu") => spread(own.map((sample, i) => sample[name] / base![i]![name]));
    return {
      work: work.id,
      title: work.title,
      entities: work.entities,
      contender,
      latency,
      requests: of("requests"),
      statements: of("statements"),
      bytesIn: of("bytesIn"),
      bytesOut: of("bytesOut"),
      wall: of("wall"),
      cpu: of("cpu"),
      ...(base && own !== base ? { ratio: { wall: to("wall"), cpu: to("cpu") } } : {}),
    };
  });
}

/** Three digits that count, and no more. */
function short(n: number): string {
  return n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2);
}

/** A number that must not vary: one number, or from the least to the greatest where it did. */
function exact({ min, max }: Spread): string {
  return min === max ? String(min) : `${min}–${max}`;
}

/** The table of one latency, aligned with spaces and a heading a workload. */
export function table(lines: readonly Line[], baseline: string): string {
  const head = ["", "", "requests", "statements", "wall ms", "(min–max)", "CPU µs/entity", "wall ×", "CPU ×"];
  const rows = lines.map((line, i) => [
    line.work === lines[i - 1]?.work ? "" : `${line.work} ${line.title}`,
    line.contender,
    exact(line.requests),
    exact(line.statements),
    short(line.wall.median),
    `(${short(line.wall.min)}–${short(line.wall.max)})`,
    short(line.cpu.median),
    line.ratio ? line.ratio.wall.median.toFixed(2) : line.contender === baseline ? "1" : "",
    line.ratio ? line.ratio.cpu.median.toFixed(2) : line.contender === baseline ? "1" : "",
  ]);
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all.map((row) =>
    row.map((cell, column) => column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)).join("  ")
  ).join("\n");
}
