/**
 * An interactive transaction over the driver's. Knows when it is lost, and then keeps later statements from running
 * outside of it.
 *
 * @module
 */
import type { CallOptions, Connection, Database } from "../../src/database.ts";
import { InvalidStateError, LedgeError } from "../../src/errors.ts";
import { sqlite } from "../../src/sql/sqlite.ts";
import type { ResultSet, Statement } from "../../src/sql/statement.ts";
import type { DriverResult, DriverStatement, DriverTransaction } from "./client.ts";
import { endsTransaction, type Failure, translate } from "./errors.ts";
import type { Wire } from "./fetch.ts";
import { lost } from "../shared/failure.ts";
import { GivenUp, withLimits } from "../shared/limits.ts";
import { fromDriver, toDriver } from "./values.ts";

/** How long `rollback()` waits, unless told, until a stream that was given up is closed; the server would do it too. */
const farewellTime = 1000;

/** What a connection is made of. */
export interface ConnectionParts {
  readonly database: Database;
  readonly transaction: DriverTransaction;
  /** The requests of this transaction, for a client that Ledge made over HTTP. */
  readonly wire: Wire | undefined;
  /** Called when the transaction has ended: closes a client that is for it alone. */
  readonly done: (() => void) | undefined;
  /** The client's: "http", "ws" or "file". */
  readonly protocol: string;
  readonly readOnly: boolean;
  /** Milliseconds for a call that brings no timeout. */
  readonly timeout: number | undefined;
  readonly failure: Failure;
}

/**
 * A transaction on libSQL. Requests over HTTP: none to open it, one for each call (BEGIN rides along with the first), one
 * for `commit`, `last` included. An HTTP client that was handed in takes one more for `commit` with `last`.
 *
 * Lost, and good for nothing but `rollback()`, after: TRANSACTION_TIMEOUT (the same stream would run the next statement on
 * its own), an expired or closed stream, a broken connection, a call that was given up, an error after which SQLite rolls
 * back by itself (a full disk, `OR ROLLBACK`). `RAISE(ROLLBACK)` in a trigger and `ON CONFLICT ROLLBACK` in a table cannot
 * be seen over the wire: use ABORT there. Calls must not overlap: a second one is refused, `rollback()` waits.
 */
export class LibsqlConnection implements Connection {
  readonly #parts: ConnectionParts;
  /** Open, or ended by commit or rollback, or lost and why. */
  #state: "open" | "ended" | { readonly cause: unknown } = "open";
  #gaveUp = false;
  #hasBegun = false;
  #running: Promise<unknown> | undefined;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
  }

  /** The database that it is a transaction of. */
  get database(): Database {
    return this.#parts.database;
  }

  /** The driver's transaction. Once it was asked for, the rows of this one are read as the driver reads them, slower. */
  get native(): unknown {
    this.#parts.wire?.rows.end();
    return this.#parts.transaction;
  }

  /** Runs one statement. One request. */
  async execute(statement: Statement, options: CallOptions = {}): Promise<ResultSet> {
    const [one] = this.#prepare([statement]);
    return this.#read(await this.#call(options, [one!], {}, (transaction) => transaction.execute(one!)));
  }

  /** Runs statements until one fails; what ran before it stays. One request. */
  async batch(statements: readonly Statement[], options: CallOptions = {}): Promise<ResultSet[]> {
    const prepared = this.#prepare(statements);
    if (prepared.length === 0) return [];
    const context = { batch: prepared.length };
    const results = await this.#call(options, prepared, context, (transaction) => transaction.batch(prepared));
    return results.map((result) => this.#read(result));
  }

  /** Sets a savepoint. One request. */
  async savepoint(name: string, options: CallOptions = {}): Promise<void> {
    await this.#control(`SAVEPOINT ${sqlite.quote(name)}`, options);
  }

  /** Releases a savepoint. One request. */
  async release(name: string, options: CallOptions = {}): Promise<void> {
    await this.#control(`RELEASE SAVEPOINT ${sqlite.quote(name)}`, options);
  }

  /** Rolls back to a savepoint. One request. */
  async rollbackTo(name: string, options: CallOptions = {}): Promise<void> {
    await this.#control(`ROLLBACK TO SAVEPOINT ${sqlite.quote(name)}`, options);
  }

  /**
   * Runs `last` and commits; when one of them fails nothing is committed. Ends the transaction either way. One request;
   * none when nothing was run at all.
   */
  async commit(last: readonly Statement[] = [], options: CallOptions = {}): Promise<ResultSet[]> {
    const prepared = this.#prepare(last);
    const context = { batch: prepared.length, uncommitted: false };
    try {
      const results = await this.#call(options, prepared, context, async (transaction) => {
        if (prepared.length === 0) {
          await transaction.commit();
          return [];
        }
        return await this.#commitWith(transaction, prepared);
      });
      this.#state = "ended";
      this.#parts.done?.();
      return results.map((result) => this.#read(result));
    } catch (error) {
      // A call that was refused before it ran leaves the transaction as it was.
      if (this.#state === "open" && !(error instanceof InvalidStateError) && error instanceof LedgeError) {
        const { timeout } = options;
        await this.rollback({ timeout }).catch(() => {}); // The first error is the one to tell.
      }
      throw error;
    }
  }

  /** Rolls back and ends the transaction. One request, none when nothing was run or the stream is gone. */
  async rollback(options: CallOptions = {}): Promise<void> {
    if (this.#state === "ended") return;
    const wasOpen = this.#state === "open";
    const { transaction, wire, failure } = this.#parts;
    const timeout = options.timeout ?? this.#parts.timeout ?? (this.#gaveUp ? farewellTime : undefined);
    const limits = { ...options, timeout };
    this.#state = "ended";
    try {
      await withLimits(limits, async () => {
        if (this.#gaveUp) {
          transaction.close();
        } else {
          await this.#running?.catch(() => {});
          // One that SQLite ended counts as closed, and still holds its place until it is told so.
          if (transaction.closed) transaction.close();
          else await transaction.rollback();
        }
        // The driver closes a failed stream with a request of its own.
        await wire?.settled();
      }, () => {});
    } catch (error) {
      if (error instanceof GivenUp) {
        wire?.cut(!error.begun); // One that was given up unheard may still say goodbye: nobody waits for it.
        transaction.close(); // A file's lock is free at once, a server's when the stream expires.
      }
      if (!wasOpen) return;
      if (error instanceof GivenUp) throw this.#reasonOf(error, "The rollback");
      const translated = translate(error, { ...failure, uncommitted: true });
      if (!endsTransaction(translated)) throw translated;
    } finally {
      this.#parts.done?.();
    }
  }

  /**
   * The last statements and COMMIT. The driver runs the statements of a batch each only if the one before succeeded, so
   * that a COMMIT at its end is reached only when all did.
   */
  async #commitWith(transaction: DriverTransaction, last: DriverStatement[]): Promise<DriverResult[]> {
    const { wire, protocol } = this.#parts;
    if (wire !== undefined) {
      const running = transaction.batch([...last, commitStatement]);
      // ROLLBACK and the stream's end join the batch in one request when they are called before it was flushed. It
      // is queued at once with a BEGIN of its own, else one microtask from now, when BEGIN is known to have succeeded.
      // That ROLLBACK finds nothing to do after the COMMIT, and undoes everything when the COMMIT was not reached.
      if (this.#hasBegun) await Promise.resolve();
      const ending = transaction.rollback().catch(() => {});
      try {
        return (await running).slice(0, -1);
      } finally {
        await ending;
      }
    }
    if (protocol === "ws" || protocol === "file") {
      const results = await transaction.batch([...last, commitStatement]);
      transaction.close();
      return results.slice(0, -1);
    }
    // A client that was handed in may be wrapped, and reorder what is called in one turn.
    const results = await transaction.batch(last);
    await transaction.commit();
    return results;
  }

  #read(result: DriverResult): ResultSet {
    const { protocol, wire } = this.#parts;
    return fromDriver(result, protocol, wire?.rows.of(result));
  }

  #prepare(statements: readonly Statement[]): DriverStatement[] {
    return toDriver(statements, this.#parts.readOnly);
  }

  async #control(sql: string, options: CallOptions): Promise<void> {
    await this.#call(options, [], {}, (transaction) => transaction.execute({ sql, args: [] }));
  }

  async #call<T>(
    options: CallOptions,
    statements: readonly DriverStatement[],
    context: Partial<Failure>,
    work: (transaction: DriverTransaction) => Promise<T>,
  ): Promise<T> {
    const { transaction, timeout, failure, wire } = this.#parts;
    this.#check();
    const limits = { timeout, ...options };
    const running = withLimits(limits, () => work(transaction), () => this.#abandon());
    this.#running = running;
    try {
      return await running;
    } catch (error) {
      if (error instanceof GivenUp) {
        const reason = this.#reasonOf(error, "A call in a transaction", context);
        if (error.begun) this.#lose(reason);
        throw reason;
      }
      const translated = translate(error, { uncommitted: true, ...failure, ...context, status: wire?.status });
      const mayRollBack = statements.some(({ sql }) => /\bor\s+rollback\b/i.test(sql));
      if (endsTransaction(translated) || transaction.closed || mayRollBack) this.#lose(translated);
      throw translated;
    } finally {
      this.#running = undefined;
      this.#hasBegun = true;
    }
  }

  #check(): void {
    const { where } = this.#parts.failure;
    if (this.#state === "ended") {
      throw new InvalidStateError(`The transaction on ${where} has ended; open another with connect()`);
    }
    if (this.#state !== "open") throw lost(where, this.#state.cause);
    if (this.#running !== undefined) {
      throw new InvalidStateError(`A call in the transaction on ${where} is under way; await it before the next one`);
    }
  }

  #lose(cause: unknown): void {
    if (this.#state === "open") this.#state = { cause };
  }

  /** Over HTTP the driver then closes the stream by a request of its own, so that the server need not wait to unlock. */
  #abandon(): void {
    this.#parts.wire?.cut(this.#hasBegun);
    this.#gaveUp = true;
  }

  #reasonOf(given: GivenUp, what: string, { uncommitted = true }: Partial<Failure> = {}): unknown {
    return given.toUser(`${what} on ${this.#parts.failure.where}`, uncommitted, "the transaction is lost");
  }
}

const commitStatement: DriverStatement = { sql: "COMMIT", args: [] };
