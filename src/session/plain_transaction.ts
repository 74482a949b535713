/**
 * A transaction without a session: statements only. Every database has it: as a function for any `Database`, as a method
 * on those of Ledge's own adapters, which call the function and decide nothing themselves.
 *
 * @module
 */
import type { CallOptions, Connection, Database, TransactionOptions } from "../database.ts";
import { CommitOutcomeUnknownError, DatabaseError, InvalidStateError, ValidationError } from "../errors.ts";
import { checkCallOptions, refuseUnknown } from "../execution/call_options.ts";
import { type Result, resultOf } from "../query/result.ts";
import { isAmbiguous } from "../execution/exactly_once.ts";
import { checkBeginOptions } from "./options.ts";
import { type Params, type RawStatement, userStatements } from "./statement.ts";

/** Options of a transaction without a session. */
export interface StatementTransactionOptions extends TransactionOptions, CallOptions {
  /** PostgreSQL: settings of this transaction, as a session's. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** An open transaction. Calls that overlap are sent one after the other. */
export interface StatementTransaction {
  /**
   * Runs a statement, as `session.execute` does with one that is not a builder's: text with values, `` sql`…` ``, a query
   * of Kysely's or Drizzle's; an array of sets of values runs it once for each. One request.
   */
  execute(statement: RawStatement, params?: Params, options?: CallOptions): Promise<Result>;
  /**
   * Runs a function inside a savepoint: keeps what it did when it returns, undoes it in the database when it throws. Two
   * requests. What the function does not await must not overlap with it.
   */
  savepoint<R>(fn: (transaction: StatementTransaction) => Promise<R> | R): Promise<R>;
}

/** What a database of Ledge's own has besides the port. */
export interface Transacting {
  /** Runs a function in a transaction of statements: see {@linkcode transaction}. */
  transaction<R>(
    fn: (transaction: StatementTransaction) => Promise<R> | R,
    options?: StatementTransactionOptions,
  ): Promise<R>;
}

/**
 * Runs a function in a transaction of a database: commits when it returns, rolls back when it throws. Statements only:
 * where objects are wanted, or one request for all of it, use a session.
 *
 * Requests: what the adapter's `connect`, each statement and `commit` take. A statement that fails makes the transaction
 * fail on PostgreSQL, whatever the function makes of its error: it throws that error and nothing is written, unless the
 * statement ran in a savepoint. Throws an `UnsupportedError` where the database has no interactive transactions or cannot
 * honour an option, a `CommitOutcomeUnknownError` when the answer to the commit was lost, and what the function throws.
 *
 * @example
 * ```ts
 * import { sql, transaction } from "@ledge/session";
 * import { libsql } from "@ledge/session/libsql/local";
 * import { assertEquals } from "@std/assert";
 *
 * const db = libsql({ url: ":memory:" });
 * await transaction(db, async (tx) => {
 *   await tx.execute("CREATE TABLE books (title TEXT)");
 *   await tx.execute("INSERT INTO books VALUES (?)", [["Edges"], ["Shores"]]);
 *   await tx.savepoint(async (inner) => {
 *     await inner.execute(sql`DELETE FROM books WHERE title = ${"Edges"}`);
 *   });
 * });
 * const count = await db.transaction(async (tx) => (await tx.execute("SELECT count(*) FROM books")).scalar());
 * assertEquals(count, 1);
 * ```
 */
export async function transaction<R>(
  db: Database,
  fn: (transaction: StatementTransaction) => Promise<R> | R,
  options: StatementTransactionOptions = {},
): Promise<R> {
  if (typeof fn !== "function") throw new ValidationError("transaction() needs a function to run in it");
  const known = ["isolation", "readOnly", "deferrable", "settings", "signal", "timeout"];
  refuseUnknown(options, known, "transaction()");
  const { settings, signal, timeout, ...begin } = options;
  checkBeginOptions({ ...begin, settings }, db);
  checkCallOptions({ signal, timeout });
  const limits = { signal, timeout };
  const connection = await db.connect({ ...begin, ...limits });
  const open = new OpenTransaction(connection, db, limits);
  try {
    if (settings !== undefined) await connection.execute(db.dialect.settings!(settings), limits);
    const value = await fn(open);
    await open.commit();
    return value;
  } catch (error) {
    await open.rollback();
    throw error;
  }
}

class OpenTransaction implements StatementTransaction {
  readonly #connection: Connection;
  readonly #database: Database;
  readonly #limits: CallOptions;
  /** The last thing sent: calls on a connection must not overlap. */
  #turn: Promise<unknown> = Promise.resolve();
  #savepoints = 0;
  /** What made the database give the transaction up; null while it has not. */
  #failure: { readonly error: unknown } | null = null;
  #isOver = false;

  constructor(connection: Connection, database: Database, limits: CallOptions) {
    this.#connection = connection;
    this.#database = database;
    this.#limits = limits;
  }

  async execute(statement: RawStatement, params?: Params, options: CallOptions = {}): Promise<Result> {
    this.#require("execute");
    refuseUnknown(options, ["signal", "timeout"], "execute()");
    checkCallOptions(options);
    const { statements } = userStatements(statement, params, this.#database.dialect);
    const call = { ...this.#limits, ...options };
    return await this.#send(async () =>
      resultOf(
        statements.length === 1
          ? [await this.#connection.execute(statements[0]!, call)]
          : await this.#connection.batch(statements, call),
      )
    );
  }

  async savepoint<R>(fn: (transaction: StatementTransaction) => Promise<R> | R): Promise<R> {
    this.#require("set a savepoint");
    if (typeof fn !== "function") throw new ValidationError("savepoint() needs a function to run inside it");
    const name = `ledge_${++this.#savepoints}`;
    await this.#send(() => this.#connection.savepoint(name, this.#limits));
    try {
      const value = await fn(this);
      await this.#send(() => this.#connection.release(name, this.#limits));
      return value;
    } catch (error) {
      await this.#undo(name);
      throw error;
    }
  }

  /** Rolls back to a savepoint. Where that fails the transaction is lost, and the first error is still the one to tell. */
  async #undo(name: string): Promise<void> {
    const before = this.#failure;
    this.#failure = null;
    try {
      await this.#send(() => this.#connection.rollbackTo(name, this.#limits));
      await this.#send(() => this.#connection.release(name, this.#limits));
    } catch (error) {
      this.#failure = before ?? { error };
    }
  }

  /** Commits, unless a statement that failed has cost the transaction: a commit of that would write nothing and say so to nobody. */
  async commit(): Promise<void> {
    await this.#turn;
    this.#isOver = true;
    if (this.#failure !== null) throw this.#failure.error;
    this.#limits.signal?.throwIfAborted();
    try {
      await this.#connection.commit([], this.#limits);
    } catch (error) {
      if (!isAmbiguous(error, this.#limits.signal)) throw error;
      throw new CommitOutcomeUnknownError(
        "The commit was sent and its answer was lost: it may or may not have been applied. " +
          "Read what is there before doing it again",
        { cause: error },
      );
    }
  }

  /** Rolls back; what led to it is what the caller is told. */
  async rollback(): Promise<void> {
    await this.#turn;
    this.#isOver = true;
    await this.#connection.rollback().catch(() => {});
  }

  /** Sends something after what is under way. */
  async #send<T>(run: () => Promise<T>): Promise<T> {
    const sent = this.#turn.then(() => {
      this.#require("go on");
      if (this.#failure !== null) throw this.#failure.error;
      return run();
    });
    this.#turn = sent.catch(() => {});
    try {
      return await sent;
    } catch (error) {
      const isFatal = this.#database.dialect.failureAborts && error instanceof DatabaseError;
      if (isFatal) this.#failure ??= { error };
      throw error;
    }
  }

  #require(doing: string): void {
    if (!this.#isOver) return;
    throw new InvalidStateError(`Cannot ${doing}: the transaction has ended; what it runs must be awaited inside it`);
  }
}
