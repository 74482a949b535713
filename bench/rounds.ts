/**
 * Taking samples: all contenders in turn, so that what slows the machine down slows all of them, and a ratio is taken of
 * samples that ran one beside the other. Resets and checks are outside of what is measured.
 *
 * @module
 */
import type { Rival } from "./contender.ts";
import type { Sample } from "./report.ts";
import type { Server } from "./server.ts";
import type { Work } from "./workloads.ts";

/** How many samples are taken. */
export interface Pace {
  readonly runs: number;
  /** Rounds before them, whose samples are thrown away, while code is being compiled. */
  readonly warmUp: number;
  /** Milliseconds of one contender in one workload, after which it skips the remaining rounds. */
  readonly enough: number;
  readonly mayFail: (name: string) => boolean;
}

let turn = 1000;

/** Runs a workload as often as a sample wants it and says what one time took. Fails unless the work was done. */
async function take(server: Server, work: Work, rival: Rival): Promise<Sample> {
  for (const statement of work.reset(server.kind)) await server.query(statement);
  await server.count();
  const turns = Array.from({ length: work.repeat }, () => ++turn);
  const { handled, wall, cpu } = await rival.take(work.id, turns);
  const counts = await server.count();
  const wanted = work.entities * work.repeat;
  if (handled !== wanted) throw new Error(`${rival.name} handled ${handled} entities in ${work.id}, wanted ${wanted}`);
  if (work.check) {
    const n = (await server.query(work.check.sql(turn)))[0]!.n;
    if (n !== work.check.want) {
      throw new Error(`${rival.name} left ${n} good rows after ${work.id}, wanted ${work.check.want}`);
    }
  }
  return {
    requests: counts.requests / work.repeat,
    statements: counts.statements / work.repeat,
    bytesIn: counts.bytesIn / work.repeat,
    bytesOut: counts.bytesOut / work.repeat,
    wall: wall / work.repeat,
    cpu: cpu / wanted,
  };
}

/**
 * All that can do the workload in turn, `runs` times; the first to run changes with each round. One that `mayFail` and
 * does is left out from then on, with the reason printed.
 */
export async function rounds(
  server: Server,
  work: Work,
  rivals: readonly Rival[],
  { runs, warmUp, enough, mayFail }: Pace,
): Promise<Map<string, Sample[]>> {
  const able = rivals.filter((rival) => rival.can(work.id));
  const samples = new Map<string, Sample[]>(able.map(({ name }) => [name, []]));
  const spent = new Map<string, number>();
  for (let round = -warmUp; round < runs; round++) {
    if (round === 0) spent.clear();
    const first = (round + warmUp) % able.length;
    for (const rival of [...able.slice(first), ...able.slice(0, first)]) {
      if (!rival.can(work.id) || (spent.get(rival.name) ?? 0) > enough) continue;
      try {
        const sample = await take(server, work, rival);
        if (round >= 0) samples.get(rival.name)!.push(sample);
        spent.set(rival.name, (spent.get(rival.name) ?? 0) + sample.wall * work.repeat);
      } catch (error) {
        if (!mayFail(rival.name)) throw error;
        rival.drop(work.id);
        samples.delete(rival.name);
        const lines = (error as Error).message.split("\n").filter((line) => line.trim() !== "");
        console.log(`${rival.name} is left out of ${work.id}: it failed: ${lines.at(-1) ?? "no message"}`);
      }
    }
  }
  return samples;
}
