/**
 * `deno task bench`: the workloads on Ledge and on the driver written by hand, on one machine in one go, and what each
 * costs in requests, time and CPU. Asserts that the work was done, never how long it took. Options: `--runs N` samples
 * of each, `--only W2,W5` some of the workloads, `--json FILE` writes the numbers down.
 *
 * Contenders run in turn and the ratio is taken of samples that ran one beside the other, so that what slows the machine
 * down slows both; who begins changes each time.
 *
 * @module
 */
import { availableParallelism } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { createAll } from "@ledge/session";
import { libsql } from "@ledge/session/libsql";
import { ledge, models } from "./ledge.ts";
import { raw } from "./raw.ts";
import { type Line, linesOf, type Sample, table } from "./report.ts";
import { type Server, startServer } from "./server.ts";
import { type Contender, type Run, seed, type Work, WORKS } from "./workloads.ts";

const BASELINE = "raw";
const CONTENDERS: readonly ((url: string) => Contender)[] = [ledge, raw];
/** Milliseconds added to each request. */
const LATENCIES = [0, 20];
/** Samples of each contender that are thrown away first, while code is being compiled. */
const WARM_UP = 20;

interface Options {
  readonly runs: number;
  readonly works: readonly Work[];
  readonly json: string | undefined;
}

function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: { runs: { type: "string", default: "15" }, only: { type: "string" }, json: { type: "string" } },
  });
  const runs = Number(values.runs);
  if (!Number.isSafeInteger(runs) || runs < 1) throw new Error(`--runs must be a number from 1 on, not ${values.runs}`);
  const ids = values.only?.toUpperCase().split(",");
  for (const id of ids ?? []) {
    if (!WORKS.some((work) => work.id === id)) {
      throw new Error(`--only knows no ${id}; there are ${WORKS.map((work) => work.id).join(", ")}`);
    }
  }
  return { runs, works: WORKS.filter(({ id }) => ids?.includes(id) ?? true), json: values.json };
}

let turn = 0;

/** Runs a workload as often as a sample wants it and says what one time took. Resets and checks are outside of it. */
async function take(server: Server, work: Work, contender: string, run: Run): Promise<Sample> {
  for (const statement of work.reset) await server.query(statement);
  await server.count();
  const turns = Array.from({ length: work.repeat }, () => ++turn);
  let handled = 0;
  const cpu = process.cpuUsage();
  const start = performance.now();
  for (const turn of turns) handled += await run(turn);
  const wall = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  const counts = await server.count();
  const wanted = work.entities * work.repeat;
  if (handled !== wanted) throw new Error(`${contender} handled ${handled} entities in ${work.id}, wanted ${wanted}`);
  if (work.check) {
    const { sql, params, want } = work.check;
    const n = (await server.query(sql, ...params(turn)))[0]!.n;
    if (n !== want) throw new Error(`${contender} left ${n} good rows after ${work.id}, wanted ${want}`);
  }
  return {
    requests: counts.requests / work.repeat,
    statements: counts.statements / work.repeat,
    bytesIn: counts.bytesIn / work.repeat,
    bytesOut: counts.bytesOut / work.repeat,
    wall: wall / work.repeat,
    cpu: (user + system) / wanted,
  };
}

/** All contenders in turn, `runs` times; the first to run changes with each round. */
async function rounds(
  server: Server,
  work: Work,
  contenders: readonly Contender[],
  runs: number,
): Promise<Map<string, Sample[]>> {
  const able = contenders.flatMap(({ name, runs }) => {
    const run = runs[work.id];
    return run ? [{ name, run }] : [];
  });
  const samples = new Map<string, Sample[]>(able.map(({ name }) => [name, []]));
  for (let round = 0; round < runs; round++) {
    const first = round % able.length;
    for (const { name, run } of [...able.slice(first), ...able.slice(0, first)]) {
      samples.get(name)!.push(await take(server, work, name, run));
    }
  }
  return samples;
}

const { runs, works, json } = readOptions(Deno.args);
const began = performance.now();
await using server = await startServer();
const db = libsql({ url: server.url });
await createAll(db, models);
await db.close();
await seed(server);
const contenders = CONTENDERS.map((open) => open(server.url));
const machine = `${Deno.build.os} ${Deno.build.arch}, ${availableParallelism()} cores`;
console.log(`Deno ${Deno.version.deno}, ${machine}; ${runs} samples of each in turn, medians; × is to ${BASELINE}`);
console.log("Requests and statements are exact, counted at the server; read the times as ranks.");
await server.latency(0);
for (const work of works) await rounds(server, work, contenders, WARM_UP);
const lines: Line[] = [];
for (const latency of LATENCIES) {
  await server.latency(latency);
  const own: Line[] = [];
  for (const work of works) {
    own.push(...linesOf(work, latency, await rounds(server, work, contenders, runs), BASELINE));
  }
  console.log(`\n${latency} ms added to each request\n\n${table(own, BASELINE)}`);
  lines.push(...own);
}
for (const contender of contenders) await contender.close();
if (json !== undefined) {
  const about = { deno: Deno.version.deno, machine, runs, latencies: LATENCIES, baseline: BASELINE };
  await Deno.writeTextFile(json, JSON.stringify({ ...about, lines }, null, 2) + "\n");
}
console.log(`\nbench: done in ${((performance.now() - began) / 1000).toFixed(0)} s`);
