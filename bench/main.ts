/**
 * `deno task bench`: the workloads on Ledge, on the drivers written by hand and on its peers, on one machine in one go, and
 * what each costs in requests, statements, bytes, time and CPU; then how Ledge's costs grow with the number of entities.
 * Asserts that the work was done, never how long it took.
 *
 * Options: `--runs N` samples of each, `--only W2,W5,growth` some of the work, `--on libsql,postgres,planetscale` some of
 * the databases, `--with raw,Ledge,Drizzle` some of the contenders, `--and DIR` Ledge
 * of another checkout beside them, `--json FILE` and `--svg FILE` where the numbers and the
 * picture go. A run of everything writes bench/results.json and bench/results.svg unless told otherwise.
 *
 * @module
 */
import { availableParallelism, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { createAll, Session } from "@ledge/session";
import { picture } from "./chart.ts";
import { BASELINE, CONTENDERS, ledgeOf, preparePeers, type Start, startAll } from "./contenders.ts";
import { type Growth, growth, growthTable } from "./growth.ts";
import { connect, models, stored } from "./ledge.ts";
import { type Line, linesOf, table } from "./report.ts";
import { rounds } from "./rounds.ts";
import { Server } from "./server.ts";
import { type Kind, KINDS, type Work, WORKS } from "./workloads.ts";

/** Milliseconds added to each request. */
const LATENCIES = [0, 20];
/**
 * Samples of each contender that are thrown away first, by latency: at the first one code is being compiled. Of work that
 * takes seconds there are fewer.
 */
const WARM_UPS = [60, 10];
const FEW_WARM_UPS = [1, 0];
/** Milliseconds of one contender in one workload, after which it skips the remaining rounds. */
const ENOUGH = 2000;
/** A peer that fails is left out; Ledge and the driver must not fail. */
const mayFail = (name: string) => CONTENDERS.some((one) => one.name === name && one.config !== undefined);

interface Options {
  readonly runs: number;
  readonly works: readonly Work[];
  readonly growth: boolean;
  readonly kinds: readonly Kind[];
  readonly starts: readonly Start[];
  readonly json: string | undefined;
  readonly svg: string | undefined;
}

/** Those of all whose names were listed, or all. */
function chosen(option: string, list: string | undefined, all: readonly string[]): string[] {
  if (list === undefined) return [...all];
  return list.split(",").map((wanted) => {
    const found = all.find((name) => name.toLowerCase() === wanted.toLowerCase());
    if (found === undefined) throw new Error(`--${option} knows no ${wanted}; there are ${all.join(", ")}`);
    return found;
  });
}

function readOptions(args: string[]): Options {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args,
    options: { runs: { ...text, default: "15" }, only: text, on: text, with: text, and: text, json: text, svg: text },
  });
  const runs = Number(values.runs);
  if (!Number.isSafeInteger(runs) || runs < 1) throw new Error(`--runs must be a number from 1 on, not ${values.runs}`);
  const names = chosen("with", values.with, CONTENDERS.map(({ name }) => name));
  const ids = chosen("only", values.only, [...WORKS.map(({ id }) => id), "growth"]);
  const whole = values.only === undefined && values.on === undefined && values.with === undefined &&
    values.and === undefined;
  const written = (name: string) => whole ? new URL(name, import.meta.url).pathname : undefined;
  return {
    runs,
    works: WORKS.filter(({ id }) => ids.includes(id)),
    growth: ids.includes("growth"),
    kinds: chosen("on", values.on, Object.keys(KINDS)) as Kind[],
    starts: [
      ...CONTENDERS.filter(({ name }) => names.includes(name)),
      ...values.and === undefined ? [] : [ledgeOf(values.and)],
    ],
    json: values.json ?? written("results.json"),
    svg: values.svg ?? written("results.svg"),
  };
}

/** Makes the tables and fills those that are read. */
async function seed(kind: Kind, server: Server): Promise<void> {
  const db = connect(kind, server.url);
  await createAll(db, models);
  await using session = new Session({ bind: db });
  session.addAll(stored());
  await session.commit();
  await db.close();
  const tables = models.map(({ table }) => table);
  for (const table of tables) {
    await server.query(kind === "planetscale" ? `ANALYZE TABLE ${table}` : `ANALYZE ${table}`);
  }
}

/** All workloads on one kind of database. */
async function compare(kind: Kind, options: Options, missing: ReadonlyMap<string, string>): Promise<Line[]> {
  const lines: Line[] = [];
  await using stack = new AsyncDisposableStack();
  let server: Server;
  try {
    server = stack.use(await Server.start(kind));
  } catch (error) {
    console.log(`\n${KINDS[kind]} is left out: ${(error as Error).message}`);
    return lines;
  }
  await seed(kind, server);
  const { rivals, left } = await startAll(options.starts, missing, kind, server.url);
  for (const rival of rivals) stack.use(rival);
  console.log(`\n# ${KINDS[kind]}\n`);
  for (const line of left) console.log(line);
  for (const rival of rivals) {
    const why = new Map<string, string[]>();
    for (const { id } of options.works) {
      if (!rival.can(id)) why.set(rival.whyNot(id), [...why.get(rival.whyNot(id)) ?? [], id]);
    }
    for (const [reason, ids] of why) console.log(`${rival.name} is left out of ${ids.join(", ")}: ${reason}`);
  }
  const tables = new Map<number, Line[]>(LATENCIES.map((latency) => [latency, []]));
  for (const work of options.works) {
    // Before the first latency alone: with the last object of a kind V8 drops the code that was compiled for it.
    for (const rival of rivals) await rival.collect();
    for (const [pass, latency] of LATENCIES.entries()) { // one after the other, while its code is compiled
      await server.latency(latency);
      const samples = await rounds(server, work, rivals, {
        runs: Math.min(options.runs, work.most ?? options.runs),
        warmUp: (work.most === undefined ? WARM_UPS : FEW_WARM_UPS)[pass]!,
        enough: ENOUGH,
        mayFail,
      });
      tables.get(latency)!.push(...linesOf({ kind, work, latency, samples, baseline: BASELINE }));
    }
  }
  for (const [latency, own] of tables) {
    const load = loadavg()[0]!.toFixed(1);
    console.log(`\n${KINDS[kind]}, ${latency} ms added to each request (load ${load})\n\n${table(own, BASELINE)}`);
    lines.push(...own);
  }
  return lines;
}

const options = readOptions(Deno.args);
const began = performance.now();
const machine = `${Deno.build.os} ${Deno.build.arch}, ${availableParallelism()} cores`;
const load = loadavg()[0]!.toFixed(1);
console.log(`Deno ${Deno.version.deno}, ${machine}, load ${load}; ${options.runs} samples of each in turn`);
console.log("Medians, and between which numbers half of the samples lie. × is to raw, each sample to its neighbour.");
console.log("Requests and statements are exact, counted at the server; read the times as ranks.");
const lines: Line[] = [];
const growths: Growth[] = [];

/** Writes down what there is: after each kind of database, so that a run that is stopped was not for nothing. */
async function save(): Promise<void> {
  const about = {
    deno: Deno.version.deno,
    machine,
    load: [load, loadavg()[0]!.toFixed(1)],
    runs: options.runs,
    latencies: LATENCIES,
    baseline: BASELINE,
  };
  if (options.json !== undefined) {
    await Deno.writeTextFile(options.json, JSON.stringify({ ...about, lines, growth: growths }, null, 1) + "\n");
  }
  if (options.svg !== undefined) await Deno.writeTextFile(options.svg, picture(lines));
}

if (options.works.length > 0) {
  const missing = await preparePeers(options.starts.map(({ name }) => name));
  for (const kind of options.kinds) {
    lines.push(...await compare(kind, options, missing));
    await save();
  }
}
if (options.growth) {
  growths.push(...await growth(Math.min(options.runs, 5)));
  console.log(`\n# Growth: CPU of Ledge, µs for each entity, libSQL over HTTP\n\n${growthTable(growths)}`);
  await save();
}
console.log(`\nbench: done in ${((performance.now() - began) / 1000).toFixed(0)} s`);
