/**
 * Runs the torture in one place: many sessions at once, each unit of work a session of its own, and what became of each.
 *
 * @module
 */
import {
  CommitOutcomeUnknownError,
  createAll,
  type Database,
  DatabaseError,
  LedgeError,
  Session,
  UniqueViolationError,
} from "../../mod.ts";
import { randomOf } from "../servers/fault_plan.ts";
import { type Attempt, check, type Findings } from "./check.ts";
import { Account, ACCOUNTS, BALANCE, Counter, models, Note, Ticket } from "./models.ts";
import type { Kind as PlaceKind, Place } from "./places.ts";
import { type Kind, pick, type Promised, work } from "./work.ts";

/** How to torture. */
export interface TortureOptions {
  readonly seed: number;
  /** How many commits to make at least. */
  readonly commits: number;
  /** Milliseconds after which no more are begun. */
  readonly time?: number;
  /** How likely it is that a commit meets with a fault. */
  readonly rate: number;
  /** How many sessions there are at once. */
  readonly workers: number;
  /** Whether requests may arrive twice. */
  readonly duplicates: boolean;
  /** Whether commits find out what became of them. */
  readonly exactlyOnce: boolean;
  /** The driver's own fetch, which Deno sends twice with. */
  readonly plainFetch?: boolean;
  /** How often the database is killed meanwhile, where the place can do that. */
  readonly crashes?: number;
  /** Nothing keeps two records of a commit apart. */
  readonly withoutIds?: boolean;
  /** The caller does a commit again whose outcome is not known. */
  readonly retries?: boolean;
}

/** What came of it. */
export interface Report extends Findings {
  readonly name: string;
  readonly seed: number;
  readonly attempts: readonly Attempt[];
  /** Units of work that ended before they came to their commit. */
  readonly unread: number;
  /** Commits whose answer was lost, and which found out by themselves what became of them. */
  readonly foundOut: number;
  /** Commits that did not in their time, and of which `resolve()` told. */
  readonly resolved: number;
  /** Errors that nobody should get, and promises that were not kept. */
  readonly surprises: readonly string[];
  readonly faults: ReadonlyMap<string, number>;
  readonly requests: number;
  readonly seconds: number;
}

/** The errors that faults and contention may bring. */
const expected: readonly string[] = [
  ...["LEDGE_CONNECTION", "LEDGE_TIMEOUT", "LEDGE_TRANSACTION_LOST", "LEDGE_COMMIT_OUTCOME_UNKNOWN"],
  ...["LEDGE_STALE_DATA", "LEDGE_DEADLOCK", "LEDGE_LOCK_TIMEOUT", "LEDGE_SERIALIZATION", "LEDGE_REQUIREMENT"],
];

/** The rows that are there at the beginning. */
async function seed(db: Database, workers: number): Promise<void> {
  await createAll(db, models, { exactlyOnce: true });
  await using session = new Session({ bind: db });
  for (let id = 0; id < ACCOUNTS; id++) session.add(new Account({ id, balance: BALANCE }));
  for (let id = 0; id < workers; id++) {
    session.add(new Note({ id, tag: "" }));
    session.add(new Counter({ id, n: 0 }));
  }
  session.add(new Ticket({ code: "taken" }));
  await session.commit();
}

/** The same database, which tells when the answer to something that writes was lost, or was that it had come before. */
function watched(db: Database, lost: () => void): Database {
  const tell = (error: unknown): never => {
    const isAnswer = error instanceof DatabaseError && error.notApplied;
    if (!isAnswer || (error instanceof UniqueViolationError && error.table === "ledge_commit")) lost();
    throw error;
  };
  const { batch, connect } = db;
  return Object.assign(db, {
    ...batch && { batch: (...given: Parameters<typeof batch>) => batch.apply(db, given).catch(tell) },
    connect: async (...given: Parameters<typeof connect>) => {
      const connection = await connect.apply(db, given);
      const { commit } = connection;
      return Object.assign(connection, {
        commit: (...given: Parameters<typeof commit>) => commit.apply(connection, given).catch(tell),
      });
    },
  });
}

/** One worker's part. */
class Worker {
  readonly attempts: Attempt[] = [];
  readonly surprises: string[] = [];
  unread = 0;
  foundOut = 0;
  resolved = 0;
  /** What it is doing. */
  now = "nothing yet";
  readonly #number: number;
  readonly #db: Database;
  readonly #options: TortureOptions;
  readonly #interactive: boolean;
  readonly #random: () => number;
  readonly #tickets: string[] = [];
  /** Whether an answer to the commit that is under way was lost. */
  #isLost = false;

  constructor(number: number, db: Database, interactive: boolean, options: TortureOptions) {
    this.#number = number;
    this.#db = watched(db, () => this.#isLost = true);
    this.#interactive = interactive;
    this.#options = options;
    this.#random = randomOf(options.seed * 7919 + number);
  }

  /** Does one unit of work; false where it did not come to its commit. */
  async step(): Promise<boolean> {
    const { unread } = this;
    const kind = pick(this.#random);
    const tag = `${this.#number}.${this.attempts.length}`;
    const first = await this.#attempt(kind, tag);
    this.attempts.push(first);
    if (first.outcome === "ambiguous" && this.#options.retries) {
      const second = await this.#attempt(kind, tag);
      this.attempts[this.attempts.length - 1] = {
        ...second,
        outcome: second.outcome === "done" ? "done" : "ambiguous",
      };
    }
    const { outcome } = this.attempts.at(-1)!;
    if (kind === "ticket" && outcome === "done") this.#tickets.push(tag);
    return this.unread === unread;
  }

  async #attempt(kind: Kind, tag: string): Promise<Attempt> {
    const attempt = { tag, kind, worker: this.#number, key: null };
    let promised: Promised | undefined;
    let told: "done" | "failed" | undefined;
    try {
      const { exactlyOnce } = this.#options;
      await using session = new Session({ bind: this.#db, exactlyOnce });
      try {
        this.now = `${kind} ${tag}`;
        promised = await work(kind, {
          session,
          tag,
          worker: this.#number,
          random: this.#random,
          tickets: this.#tickets,
          interactive: this.#interactive,
        });
        this.now = `the commit of ${kind} ${tag}`;
        this.#isLost = false;
        // Some have no time to find out, and are asked later.
        const { withoutIds } = this.#options;
        await session.commit(
          exactlyOnce && (withoutIds || this.#random() < 0.2) ? { timeout: withoutIds ? 300 : 30 } : {},
        );
        if (this.#isLost && exactlyOnce) this.foundOut++;
      } catch (error) {
        this.now = `the end of ${kind} ${tag}`;
        if (promised === undefined) this.unread++;
        this.#judge(error, `${kind} ${tag}${promised === undefined ? ", before its commit" : ""}`, kind);
        const isAmbiguous = error instanceof CommitOutcomeUnknownError;
        if (isAmbiguous && promised === undefined) this.#surprise(tag, "was in doubt before its commit", error);
        if (isAmbiguous && exactlyOnce && !this.#options.withoutIds) {
          const goesOn = this.#random() < 0.5;
          told = await this.#resolved(error, session, goesOn, tag);
          if (!goesOn) promised = { removed: promised?.removed }; // What was rolled back is told nothing.
        }
        if (!isAmbiguous && this.#isLost && exactlyOnce && promised !== undefined) this.foundOut++;
        if (told !== "done") {
          const outcome = isAmbiguous && told === undefined ? "ambiguous" : "failed";
          if (outcome === "ambiguous" && promised?.removed !== undefined) this.#forget(promised.removed);
          const { message, cause } = error as Error;
          const detail = cause instanceof Error ? `${message}: ${cause.message}` : message;
          return { ...attempt, outcome, error: nameOf(error), detail };
        }
      }
    } catch (error) {
      this.#surprise(tag, "could not be disposed of", error);
      return { ...attempt, outcome: "ambiguous", error: nameOf(error) };
    }
    if (promised!.removed !== undefined) this.#forget(promised!.removed);
    return { ...attempt, outcome: "done", error: null, key: this.#kept(tag, promised!) };
  }

  /** What became of a commit that had no time to find out; asked for after a rollback or, to go on with it, before. */
  async #resolved(
    error: CommitOutcomeUnknownError,
    session: Session,
    goesOn: boolean,
    tag: string,
  ): Promise<"done" | "failed"> {
    if (!goesOn) await session.rollback();
    const decision = await error.resolve();
    const again = await error.resolve();
    if (again !== decision) this.surprises.push(`${tag} was ${decision} first and ${again} then`);
    const state = goesOn && decision === "aborted" ? "failed" : "open";
    if (session.state !== state) this.surprises.push(`${tag} was ${decision}, and its session is ${session.state}`);
    this.resolved++;
    return decision === "committed" ? "done" : "failed";
  }

  #forget(code: string): void {
    this.#tickets.splice(this.#tickets.indexOf(code), 1);
  }

  /** The key that the server made; notes what the instances were not told. */
  #kept(tag: string, { entry, order, accounts = [] }: Promised): number | null {
    if (entry !== undefined && entry.mark !== 7) this.surprises.push(`${tag} was not told what the server made`);
    for (const { account, version } of accounts) {
      if (account.version !== version + 1 && account.version !== version) {
        this.surprises.push(`${tag} was told version ${account.version} after ${version}`);
      }
    }
    return entry?.id ?? order?.id ?? null;
  }

  #judge(error: unknown, what: string, kind: Kind): void {
    if (error instanceof LedgeError && expected.includes(error.code)) return;
    if (error instanceof UniqueViolationError && kind === "clash") return;
    if (error instanceof UniqueViolationError && this.#options.retries) return;
    this.#surprise(what, "ended with", error);
  }

  #surprise(what: string, how: string, error: unknown): void {
    this.surprises.push(`${what} ${how} ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`);
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : String(error);
}

/** Rejects, with what is waited for, when nothing has happened for a minute. */
class Watchdog {
  readonly bark: Promise<never>;
  readonly #timer: ReturnType<typeof setInterval>;
  #where: () => string = () => "nothing";
  #last = "";
  #since = performance.now();

  constructor() {
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {});
    this.bark = promise;
    this.#timer = setInterval(() => {
      const where = this.#where();
      if (where !== this.#last) this.#since = performance.now();
      this.#last = where;
      if (performance.now() - this.#since > 60_000) reject(new Error(`Nothing happens any more; waiting for ${where}`));
    }, 1000);
  }

  /** Waits for this, as long as what is said of it changes. */
  watch<T>(where: string | (() => string), work: Promise<T>): Promise<T> {
    this.#where = typeof where === "string" ? () => where : where;
    return Promise.race([work, this.bark]);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** Tortures one place, and compares what was reported with what is there. */
export async function torture(kind: PlaceKind, options: TortureOptions): Promise<Report> {
  const { seed: number, rate, duplicates, plainFetch } = options;
  using dog = new Watchdog();
  await using place: Place = await dog.watch("the servers", kind.start({ seed: number, rate, duplicates, plainFetch }));
  place.proxy.pause();
  const db = place.open(60_000);
  await dog.watch("the first rows", seed(db, options.workers));
  await db.close();
  if (options.withoutIds) {
    await place.truth("ALTER TABLE ledge_commit RENAME TO ledge_commit_before");
    await place.truth("CREATE TABLE ledge_commit AS SELECT * FROM ledge_commit_before"); // Without its key.
  }
  place.proxy.pause(false);

  const started = performance.now();
  const deadline = started + (options.time ?? Infinity);
  const databases = Array.from({ length: options.workers }, () => place.open());
  const workers = databases.map((db, number) => new Worker(number, db, kind.interactive, options));
  let committed = 0;
  const { crashes = 0 } = options;
  let isCrashing = crashes > 0;
  const crashed = (async () => {
    for (let crash = 1; crash <= crashes; crash++) {
      while (committed < crash * options.commits / (crashes + 1)) {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await place.crash!();
    }
    isCrashing = false;
  })();
  const working = workers.map(async (worker, i) => {
    while ((committed < options.commits && performance.now() < deadline) || isCrashing) {
      if (await worker.step()) committed++;
      else await new Promise((resolve) => setTimeout(resolve, 1)); // Nobody answers; let others do something.
    }
    await databases[i]!.close();
    worker.now = "nothing more";
  });
  await dog.watch(() => workers.map(({ now }) => now).join(", "), Promise.all([...working, crashed]));
  const seconds = (performance.now() - started) / 1000;
  place.proxy.pause();
  const { requests } = place.proxy;
  const faults = new Map(place.proxy.counts);
  await dog.watch("the servers to settle", place.settled());
  const attempts = workers.flatMap(({ attempts }) => attempts);
  return {
    name: kind.name,
    seed: number,
    attempts,
    unread: workers.reduce((sum, { unread }) => sum + unread, 0),
    foundOut: workers.reduce((sum, { foundOut }) => sum + foundOut, 0),
    resolved: workers.reduce((sum, { resolved }) => sum + resolved, 0),
    surprises: workers.flatMap(({ surprises }) => surprises),
    faults,
    requests,
    seconds,
    ...await dog.watch("the truth", check(attempts, place.truth)),
  };
}

/** Whether nothing was lost, doubled, wrongly reported or otherwise not as it should be. */
export function isSound(report: Report): boolean {
  const { lost, doubled, wrong, complaints, surprises } = report;
  return lost + doubled + wrong + complaints.length + surprises.length === 0;
}

/** The report, in words. */
export function describe(report: Report): string {
  const { name, seed, attempts, unread, seconds, faults, requests, applied, lost, doubled, wrong } = report;
  const { foundOut, resolved } = report;
  const count = (outcome: Attempt["outcome"]) => attempts.filter((attempt) => attempt.outcome === outcome).length;
  const list = (counts: ReadonlyMap<string, number>) =>
    [...counts].sort(([, a], [, b]) => b - a).map(([what, n]) => `${what} ${n}`).join(", ");
  const errors = new Map<string, number>();
  for (const { error } of attempts) if (error !== null) errors.set(error, (errors.get(error) ?? 0) + 1);
  const failed = count("failed") - unread;
  const total = [...faults.values()].reduce((sum, n) => sum + n, 0);
  return [
    `${name}, seed ${seed}: ${attempts.length - unread} commits in ${seconds.toFixed(1)} s: ${count("done")} done, ` +
    `${failed} failed, ${
      count("ambiguous")
    } ambiguous (of these ${applied} there); ${unread} ended before their commit`,
    `  faults: ${total} in ${requests} requests: ${list(faults)}`,
    `  errors: ${list(errors)}`,
    ...foundOut + resolved === 0 ? [] : [`  ${foundOut} found out what became of them, ${resolved} by resolve()`],
    `  ${lost} lost, ${doubled} doubled, ${wrong} wrongly reported`,
    ...report.complaints.map((complaint) => `  ! ${complaint}`),
    ...report.surprises.slice(0, 20).map((surprise) => `  ? ${surprise}`),
  ].join("\n");
}
