/**
 * What runs the conformance suite inside another runtime: it is told a target and where its server is, runs tests, and
 * tells how they ended. Needs nothing but the web's globals.
 *
 * @module
 */
import { type Addresses, Server } from "../conformance/server.ts";
import { type Case, casesOf, type Target } from "../conformance/setup.ts";
import { suite } from "../conformance/suite.ts";

/** What is asked of an agent. */
export interface Task {
  /** The name of a target, such as "neon http". */
  readonly target: string;
  /** Where the server is; null for what runs in the process. */
  readonly addresses: Addresses | null;
  /** The first test, the one before which to end, and how many to go on by. */
  readonly from: number;
  readonly to: number;
  readonly step: number;
}

/** A test that failed. */
export interface Failure {
  readonly name: string;
  readonly message: string;
}

/** How the tests of a task ended. */
export interface Outcome {
  readonly passed: number;
  readonly skipped: number;
  readonly failed: readonly Failure[];
  /** How many tests the target has. */
  readonly total: number;
}

/** Finds the server of a task. */
export type Find = () => Promise<Server>;

/** Tests and what they run on. */
export interface Suite {
  readonly target: Target;
  readonly cases: readonly Case[];
}

/** Makes a suite whose server is found so. */
export type MakeSuite = (find: Find) => Suite;

/** The conformance suite on a target. */
export function conforming(target: Target): Suite {
  return { target, cases: suite(target) };
}

/** Tests of the runtimes alone, on a target. */
export function only(target: Target, register: (target: Target) => void): Suite {
  register(target);
  return { target, cases: casesOf(target) };
}

/** A server is stopped by who started it. */
export const leave = (): Promise<void> => Promise.resolve();

/** After which a test has failed, in milliseconds. */
const LIMIT = 60_000;

/** Runs the tests of a task, one after the other. */
export async function run(task: Task, suites: Readonly<Record<string, MakeSuite>>): Promise<Outcome> {
  const make = suites[task.target];
  if (make === undefined) throw new Error(`There is no target ${task.target} here`);
  const { target, cases } = make(() => {
    if (task.addresses === null) throw new Error(`The target ${task.target} needs a server`);
    return Promise.resolve(new Server(task.addresses));
  });
  const failed: Failure[] = [];
  let [passed, skipped] = [0, 0];
  await using running = await target.start();
  for (let i = task.from; i < Math.min(task.to, cases.length); i += task.step) {
    const one = cases[i]!;
    if (one.ignore) {
      skipped++;
      continue;
    }
    try {
      await within(LIMIT, one, () => one.run(running));
      passed++;
    } catch (error) {
      failed.push({ name: one.name, message: told(error) });
    }
  }
  return { passed, skipped, failed, total: cases.length };
}

async function within(limit: number, { name }: Case, work: () => Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${name} did not end within ${limit} ms`)), limit);
  });
  try {
    await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** An error with its causes, as text. */
function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by ${told(error.cause)}`;
  return `${error.stack ?? error}${cause}`;
}
