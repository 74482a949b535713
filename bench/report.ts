/**
 * From samples to numbers, and from numbers to tables. Measures nothing.
 *
 * @module
 */
import type { Counts } from "./server.ts";
import { type Kind, KINDS, type Work, type WorkId } from "./workloads.ts";

/** What one sample took, for each time that it ran the workload. */
export interface Sample extends Counts {
  /** Milliseconds. */
  readonly wall: number;
  /** Microseconds of the contender's process for each entity. */
  readonly cpu: number;
}

/** A number that was measured several times; half of the measurements lie between `low` and `high`. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly min: number;
  readonly max: number;
}

/** One contender in one workload on one database at one latency. */
export interface Line {
  readonly kind: Kind;
  readonly work: WorkId;
  readonly title: string;
  readonly entities: number;
  readonly contender: string;
  /** Milliseconds added to each request. */
  readonly latency: number;
  readonly samples: number;
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

/** The median, and where the quarters and the ends of the numbers are. */
export function spread(numbers: readonly number[]): Spread {
  const sorted = numbers.toSorted((a, b) => a - b);
  const at = (part: number) => {
    const place = part * (sorted.length - 1);
    const [below, above] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!];
    return below + (above - below) * (place % 1);
  };
  return { median: at(0.5), low: at(0.25), high: at(0.75), min: at(0), max: at(1) };
}

/**
 * The lines of a workload on a database at one latency. Samples stand in the order of the rounds in which they ran; a
 * contender that was too slow for all rounds has fewer.
 */
export function linesOf(
  { kind, work, latency, samples, baseline }: {
    kind: Kind;
    work: Work;
    latency: number;
    samples: ReadonlyMap<string, readonly Sample[]>;
    baseline: string;
  },
): Line[] {
  const base = samples.get(baseline);
  return [...samples].filter(([, own]) => own.length > 0).map(([contender, own]) => {
    const of = (name: keyof Sample) => spread(own.map((sample) => sample[name]));
    const pairs = own.slice(0, base?.length ?? 0);
    const to = (name: "wall" | "cpu") => spread(pairs.map((sample, i) => sample[name] / base![i]![name]));
    return {
      kind,
      work: work.id,
      title: work.title,
      entities: work.entities,
      contender,
      latency,
      samples: own.length,
      requests: of("requests"),
      statements: of("statements"),
      bytesIn: of("bytesIn"),
      bytesOut: of("bytesOut"),
      wall: of("wall"),
      cpu: of("cpu"),
      ...(pairs.length > 0 && own !== base ? { ratio: { wall: to("wall"), cpu: to("cpu") } } : {}),
    };
  });
}

/** Three digits that count, and no more. */
export function short(n: number): string {
  return n >= 1000
    ? Math.round(n).toLocaleString("en")
    : n >= 100
    ? n.toFixed(0)
    : n >= 10
    ? n.toFixed(1)
    : n.toFixed(2);
}

/** A number that must not vary: one number, or from the least to the greatest where it did. */
function exact({ min, max }: Spread): string {
  return min === max ? String(min) : `${min}–${max}`;
}

const withSpread = ({ median, low, high }: Spread) => `${short(median)} (${short(low)}–${short(high)})`;
const kib = ({ median }: Spread) => short(median / 1024);

/** Rows aligned with spaces; the first `left` columns to the left, the rest to the right. */
export function aligned(rows: readonly (readonly string[])[], left: number): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row.map((cell, column) => column < left ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)).join("  ")
      .trimEnd()
  ).join("\n");
}

/** The table of some lines of one latency. */
export function table(lines: readonly Line[], baseline: string): string {
  const head = ["", "", "requests", "statements", "KiB out", "KiB in", "wall ms", "CPU µs/entity", "wall ×", "CPU ×"];
  const ratio = (line: Line, name: "wall" | "cpu") =>
    line.ratio ? withSpread(line.ratio[name]) : line.contender === baseline ? "1" : "";
  const rows = lines.map((line, i) => [
    line.work === lines[i - 1]?.work ? "" : `${line.work} ${line.title}`,
    line.contender,
    exact(line.requests),
    exact(line.statements),
    kib(line.bytesIn),
    kib(line.bytesOut),
    withSpread(line.wall),
    withSpread(line.cpu),
    ratio(line, "wall"),
    ratio(line, "cpu"),
  ]);
  return aligned([head, ...rows], 2);
}

/**
 * The table of one kind of database as Markdown: for each contender the requests, the time at the greatest latency and the
 * CPU at the least.
 */
export function markdown(lines: readonly Line[], kind: Kind): string {
  const own = lines.filter((line) => line.kind === kind);
  const latencies = own.map(({ latency }) => latency);
  const [least, greatest] = [Math.min(...latencies), Math.max(...latencies)];
  const contenders = [...new Set(own.map(({ contender }) => contender))];
  const works = [...new Set(own.map(({ work }) => work))];
  const cell = (work: WorkId, contender: string) => {
    const at = (latency: number) =>
      own.find((line) => line.work === work && line.contender === contender && line.latency === latency);
    const [near, far] = [at(least), at(greatest)];
    if (!near || !far) return "–";
    return `${exact(far.requests)} · ${short(far.wall.median)} ms · ${short(near.cpu.median)} µs`;
  };
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const title = (work: WorkId) => own.find((line) => line.work === work)!.title;
  return [
    row([KINDS[kind], ...contenders]),
    row(["---", ...contenders.map(() => "---")]),
    ...works.map((work) => row([`${work} ${title(work)}`, ...contenders.map((name) => cell(work, name))])),
  ].join("\n");
}
