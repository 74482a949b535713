/**
 * What the conformance suite runs on. A target is one way to reach one database; the suites are written once and told
 * which target to run on. An adapter that wants to pass the suite writes a `Target` and calls `conformance(target)`.
 *
 * The suite needs no Deno: `deno.ts` runs it there, `tests/runtimes` everywhere else.
 *
 * @module
 */
import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { type Database, Session, type SessionOptions, type Sql, sql, UnsupportedError } from "../../mod.ts";

/** How many requests common work takes on a target. */
export interface RequestCounts {
  /** A commit of one new row. */
  readonly newRow: number;
  /** The same, with values that the server makes. */
  readonly newRowWithServerValues: number;
  /** A commit of one changed row with a version. */
  readonly changedRow: number;
  /** A commit of 100 authors and 1,000 books with keys made by the client. */
  readonly graph: number;
  /** The same with keys made by the server. */
  readonly graphWithServerKeys: number;
  /** Load 1,000 versioned rows, change 100, commit. */
  readonly loadChangeSave: number;
  /** 50 gets in one turn. */
  readonly gets: number;
  /** An author with books and their reviews. */
  readonly include: number;
  /** A commit that travels with a staged statement, a condition and a verified row. */
  readonly guarded: number;
  /** Three reads of one turn, of which the second fails. */
  readonly failedRead: number;
}

/** What a target is expected to be able to do; the suite fails where the adapter says otherwise. */
export interface Expectations {
  /** Whether a commit is one request. */
  readonly batches: boolean;
  /** Whether the reads of one turn are one request; each is one of its own otherwise. */
  readonly coalesces: boolean;
  /** Whether a session can open an interactive transaction. */
  readonly interactive: boolean;
  /** Whether another client can read and write while an interactive transaction is open. */
  readonly concurrent: boolean;
  /** Whether the database gives back integers of 64 bits; those beyond 2^53 are refused otherwise. True unless given. */
  readonly wideIntegers?: boolean;
  readonly requests: RequestCounts;
}

/** Requests and statements since the last reset: counted at the server where there is one, else at the port. */
export interface Counts {
  read(): Promise<{ readonly requests: number; readonly statements: number }>;
  reset(): Promise<void>;
}

/** A running target. */
export interface Running extends AsyncDisposable {
  readonly db: Database;
  /** Another client of the same data, where the database allows two; opened once, closed with the target. */
  second(): Database;
  readonly counts: Counts;
  /** Empties every table, before each test. */
  reset(): Promise<void>;
  /** Closes what a test must not leave open, after each test. */
  release?(): Promise<void>;
}

/** A way to reach a database. */
export interface Target {
  /** The name in the tests, such as "libsql http". */
  readonly name: string;
  readonly expects: Expectations;
  /** A database of the kind, which is never connected to. */
  sample(): Database;
  /** Why the target cannot be started on this machine, if it cannot: its tests are skipped, and say so. */
  readonly missing?: string | null;
  /** Starts it and makes the tables of the suite's models. */
  start(): Promise<Running>;
}

/** What a test is given: the running target, with its tables empty. */
export class Place {
  readonly target: Target;
  readonly #running: Running;

  constructor(target: Target, running: Running) {
    this.target = target;
    this.#running = running;
  }

  get db(): Database {
    return this.#running.db;
  }
  /** A session of the database under test. */
  session(options: Partial<SessionOptions> = {}): Session {
    return new Session({ bind: this.#running.db, ...options });
  }
  /** A session of another client. */
  other(options: Partial<SessionOptions> = {}): Session {
    return new Session({ bind: this.#running.second(), ...options });
  }
  /** Saves instances, and what they reach, with a session of their own. */
  async save(...instances: readonly object[]): Promise<void> {
    await using session = this.other();
    session.addAll(instances);
    await session.commit();
    session.expungeAll();
  }
  /** What the database holds: the values of a column of a table, in order. */
  async column(table: string, column: string): Promise<unknown[]> {
    const { dialect } = this.db;
    const name = dialect.quote(column);
    const sql = `SELECT ${name} FROM ${dialect.quote(table)} ORDER BY ${name}`;
    return (await this.#running.second().execute({ sql, params: [] })).rows.map((row) => row[0]);
  }
  /** How many rows a table has. */
  async rows(table: string): Promise<number> {
    const sql = `SELECT count(*) FROM ${this.db.dialect.quote(table)}`;
    return Number((await this.#running.second().execute({ sql, params: [] })).rows[0]![0]);
  }
  /** Runs a statement with another client. */
  async run(sql: string, ...params: (string | number | null)[]): Promise<void> {
    await this.#running.second().execute({ sql: this.text(sql), params });
  }
  /** Whether the database has NaN and infinity. */
  get hasNaN(): boolean {
    return this.db.dialect.name === "postgres";
  }
  /** Whether text may hold NUL. */
  get hasNul(): boolean {
    return this.db.dialect.name === "mysql";
  }
  /** A bigint of 64 bits, or one of 53 in its place where the database has no more. */
  big(value: bigint): bigint {
    return this.target.expects.wideIntegers === false ? value % 2n ** 53n : value;
  }
  /** Values of a row, the bigint as the database can hold it. */
  fit<T extends { readonly bigint?: bigint | null }>(row: T): T {
    return typeof row.bigint === "bigint" ? { ...row, bigint: this.big(row.bigint) } : row;
  }
  /** A random order. */
  get random(): Sql {
    return this.db.dialect.name === "mysql" ? sql`rand()` : sql`random()`;
  }
  /** Text put together. */
  concat(left: Sql, right: string): Sql {
    return this.db.dialect.name === "mysql" ? sql`CONCAT(${left}, ${right})` : sql`${left} || ${right}`;
  }
  /** Text with a `?` for each value, with the placeholders of this database. */
  text(sql: string): string {
    let position = 0;
    return sql.replaceAll("?", () => this.db.dialect.placeholder(++position));
  }
  /** How many requests so many statements take that read in one turn. */
  reads(statements: number): number {
    return this.target.expects.coalesces ? 1 : statements;
  }
  /**
   * How many requests a commit of so many statements takes: one, or where commits go statement by statement, one each, with
   * BEGIN and COMMIT around several; and one more for each read of what the server made, where statements return nothing.
   */
  commits(statements: number, readBacks = 0): number {
    if (this.target.expects.batches) return 1;
    const all = statements + readBacks;
    return all === 1 ? 1 : all + 2;
  }
  /** How many requests something takes. */
  async requests(work: () => unknown): Promise<number> {
    return (await this.#counted(work)).requests;
  }
  /** How many statements something takes. */
  async statements(work: () => unknown): Promise<number> {
    return (await this.#counted(work)).statements;
  }
  async #counted(work: () => unknown): ReturnType<Counts["read"]> {
    await this.#running.counts.reset();
    await work();
    return await this.#running.counts.read();
  }
}

/** What a test needs of a target. */
export type Need = "interactive" | "concurrent" | "batches" | "coalesces";

/** A test of the suite, for one target. */
export interface Case {
  /** Its name, with the target's in front; what is missing stands at the end. */
  readonly name: string;
  /** Whether it is skipped. */
  readonly ignore: boolean;
  /** Runs it on the target, once its tables are empty. */
  run(running: Running): Promise<void>;
}

const cases = new WeakMap<Target, Case[]>();

/** The tests that were registered for a target. */
export function casesOf(target: Target): Case[] {
  if (!cases.has(target)) cases.set(target, []);
  return cases.get(target)!;
}

/**
 * Registers a test; where the target lacks what it needs, the reason stands in its name. Where it lacks conversations, the
 * test is that what needs one is refused.
 */
export function test(target: Target, name: string, body: (place: Place) => Promise<void>, ...needs: Need[]): void {
  const missing = needs.filter((need) => !target.expects[need]);
  const isRefused = missing.length > 0 && missing[0] === "interactive" && missing.length === 1;
  let reason = "";
  if (typeof target.missing === "string") reason = ` (skipped: ${target.missing})`;
  else if (isRefused) reason = " (refused: it needs a conversation)";
  else if (missing.length > 0) reason = ` (skipped: the target is not ${missing.join(", ")})`;
  casesOf(target).push({
    name: `[${target.name}] ${name}${reason}`,
    ignore: reason.startsWith(" (skipped"),
    async run(running) {
      await running.reset();
      try {
        if (isRefused) await refusesConversation(() => body(new Place(target, running)));
        else await body(new Place(target, running));
      } finally {
        await running.release?.();
      }
    },
  });
}

/** Asserts that a test ends where it needs a conversation, with an error that names the call and both ways out. */
async function refusesConversation(body: () => Promise<void>): Promise<void> {
  const error = await refused(body, UnsupportedError, "needs an interactive transaction", "configure one", "stage(");
  assertEquals(error.code, "LEDGE_UNSUPPORTED");
  assert(
    /^(execute|flush|start|begin|connection|native|query|get|refresh|bulk\w+)\b.*\(/.test(error.message),
    error.message,
  );
}

// deno-lint-ignore no-explicit-any
type ErrorClass<E> = abstract new (...args: any[]) => E;

/** Asserts that a call is refused with this class and a message that holds these words, and reads as a message should. */
export async function refused<E extends Error>(
  work: () => unknown,
  errorClass: ErrorClass<E>,
  ...words: string[]
): Promise<E> {
  let error: unknown;
  try {
    await work();
  } catch (thrown) {
    error = thrown;
  }
  assert(error !== undefined, `Expected a ${errorClass.name}, and nothing was thrown`);
  // What a target lacks is for the test to say, not for an expectation inside it.
  if (error instanceof UnsupportedError && !(error instanceof errorClass)) throw error;
  assertInstanceOf(error, errorClass);
  for (const word of words) assertStringIncludes(error.message, word);
  assert(!/\[object |\.$|^[a-z ]*undefined/.test(error.message), `Not a message to show: ${error.message}`);
  return error;
}

/** Asserts that nothing is sent while something runs. */
export async function sendsNothing<T>(place: Place, work: () => T | Promise<T>): Promise<T> {
  let value: T;
  assertEquals(await place.requests(async () => value = await work()), 0, "Nothing was to be sent");
  return value!;
}
