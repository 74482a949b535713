/**
 * An interactive transaction over one WebSocket connection. Knows when it is lost, and then refuses what comes later.
 *
 * @module
 */
import type { CallOptions, Connection, Database } from "../../src/database.ts";
import { ConnectionError, InvalidStateError, type LedgeError, TransactionLostError } from "../../src/errors.ts";
import { postgres } from "../../src/sql/postgres.ts";
import type { ResultSet, Statement } from "../../src/sql/statement.ts";
import { lost } from "../shared/failure.ts";
import { GivenUp, withLimits } from "../shared/limits.ts";
import type { RawResult } from "./client.ts";
import { type Failure, translate } from "./errors.ts";
import { PipelineError } from "./pipeline.ts";
import type { Seat } from "./sockets.ts";
import { fromRaw, type TextStatement, toText } from "./values.ts";

/** What a connection is made of. */
export interface ConnectionParts {
  readonly database: Database;
  readonly seat: Seat;
  /** The BEGIN with the transaction's options. */
  readonly begin: string;
  readonly readOnly: boolean;
  /** Milliseconds for a call that brings no timeout. */
  readonly timeout: number | undefined;
  readonly failure: Failure;
  /** Told of what goes on after the transaction ended: the closing of its WebSocket. */
  readonly closing: (closed: Promise<void>) => void;
}

/** What is sent in one trip. */
interface Trip {
  readonly statements: readonly TextStatement[];
  /** What ends the transaction after them, if anything does. */
  readonly end?: { readonly sql: string; readonly tag: string };
}

/**
 * A transaction on Neon, over a WebSocket. Trips: none to open it once there is a connection, one for each call (BEGIN
 * rides along with the first; a batch is one trip, whatever its length), one for `commit`, `last` included.
 *
 * PostgreSQL refuses all that follows a failed statement, until a rollback or a `rollbackTo`. Lost, and good for nothing
 * but `rollback()`, after: a broken connection, a call that was given up, what makes the server end the connection. Calls
 * must not overlap: a second one is refused, `rollback()` waits.
 */
export class NeonConnection implements Connection {
  readonly #parts: ConnectionParts;
  /** Open, or ended by commit or rollback, or lost and why. */
  #state: "open" | "ended" | { readonly cause: unknown } = "open";
  #hasBegun = false;
  #running: Promise<unknown> | undefined;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
  }

  /** The database that it is a transaction of. */
  get database(): Database {
    return this.#parts.database;
  }

  /** The driver's Client, which is in the transaction once something was run in it. */
  get native(): unknown {
    return this.#parts.seat.client;
  }

  /** Runs one statement. One trip. */
  async execute(statement: Statement, options: CallOptions = {}): Promise<ResultSet> {
    const [result] = await this.#call(options, { statements: this.#prepare([statement]) });
    return fromRaw(result!);
  }

  /** Runs statements until one fails. One trip. */
  async batch(statements: readonly Statement[], options: CallOptions = {}): Promise<ResultSet[]> {
    const prepared = this.#prepare(statements);
    if (prepared.length === 0) return [];
    return (await this.#call(options, { statements: prepared }, prepared.length)).map(fromRaw);
  }

  /** Sets a savepoint. One trip. */
  async savepoint(name: string, options: CallOptions = {}): Promise<void> {
    await this.#control(`SAVEPOINT ${postgres.quote(name)}`, options);
  }

  /** Releases a savepoint. One trip. */
  async release(name: string, options: CallOptions = {}): Promise<void> {
    await this.#control(`RELEASE SAVEPOINT ${postgres.quote(name)}`, options);
  }

  /** Rolls back to a savepoint. One trip. */
  async rollbackTo(name: string, options: CallOptions = {}): Promise<void> {
    await this.#control(`ROLLBACK TO SAVEPOINT ${postgres.quote(name)}`, options);
  }

  /**
   * Runs `last` and commits; when one of them fails nothing is committed. Ends the transaction either way. One trip; none
   * when nothing was run at all.
   */
  async commit(last: readonly Statement[] = [], options: CallOptions = {}): Promise<ResultSet[]> {
    return await this.#end(last, { sql: "COMMIT", tag: "COMMIT" }, options);
  }

  /**
   * Prepares the transaction under this id, which was checked before, to be ended from any connection with COMMIT PREPARED
   * or ROLLBACK PREPARED. The server must allow it (`max_prepared_transactions`). Ends the connection. One trip.
   */
  async prepareAs(id: string, options: CallOptions = {}): Promise<void> {
    const sql = `PREPARE TRANSACTION '${id.replaceAll("'", "''")}'`;
    await this.#end([], { sql, tag: "PREPARE TRANSACTION" }, options);
  }

  /** Rolls back and ends the transaction. One trip, none when nothing was run or the connection is gone. */
  async rollback(options: CallOptions = {}): Promise<void> {
    if (this.#state === "ended") return;
    const wasOpen = this.#state === "open";
    const { seat, timeout, failure } = this.#parts;
    const isLive = () => this.#state === "open" && this.#hasBegun && seat.broken === undefined;
    const limits = { timeout, ...options };
    let isBroken = !wasOpen;
    try {
      await withLimits(limits, async () => {
        await this.#running?.catch(() => {});
        if (isLive()) await seat.run([{ sql: "ROLLBACK", params: [] }]);
      }, () => {});
      isBroken ||= this.#state !== "open" || seat.broken !== undefined;
    } catch (error) {
      isBroken = true; // The server rolls back when the connection is gone.
      if (!(error instanceof GivenUp)) {
        const thrown = error instanceof PipelineError ? error.error : error;
        const translated = translate(thrown, { ...failure, uncommitted: true });
        if (!ends(translated)) throw translated;
      } else if (wasOpen) {
        throw this.#reasonOf(error, "The rollback", true);
      }
    } finally {
      this.#leave(isBroken);
    }
  }

  async #end(last: readonly Statement[], end: Trip["end"], options: CallOptions): Promise<ResultSet[]> {
    const prepared = this.#prepare(last);
    if (prepared.length === 0 && !this.#hasBegun && end?.tag === "COMMIT") {
      this.#check();
      // Its limits hold even so.
      await this.#limited(options, () => Promise.resolve());
      this.#leave(false);
      return [];
    }
    try {
      const results = await this.#call(options, { statements: prepared, end: end! }, prepared.length);
      this.#leave(false);
      return results.slice(0, prepared.length).map(fromRaw);
    } catch (error) {
      // A call that was refused before it ran leaves the transaction as it was.
      if (error instanceof InvalidStateError || !this.#hasBegun) throw error;
      if (this.#state === "open" && (error as LedgeError).code !== undefined) {
        const { timeout } = options;
        await this.rollback({ timeout }).catch(() => {}); // The first error is the one to tell.
      }
      throw error;
    }
  }

  #prepare(statements: readonly Statement[]): TextStatement[] {
    return toText(statements, this.#parts.readOnly);
  }

  async #control(sql: string, options: CallOptions): Promise<void> {
    await this.#call(options, { statements: [{ sql, params: [] }] });
  }

  /** One trip. `batch` is how many of its statements have a position to be named by. */
  async #call(options: CallOptions, trip: Trip, batch = 0): Promise<RawResult[]> {
    const { seat, begin, failure } = this.#parts;
    this.#check();
    const { statements, end } = trip;
    const opening = this.#hasBegun ? [] : [{ sql: begin, params: [] }];
    const closing = end === undefined ? [] : [{ sql: end.sql, params: [] }];
    const uncommitted = end === undefined;
    try {
      const results = await this.#limited(options, () => {
        this.#hasBegun = true;
        return seat.run([...opening, ...statements, ...closing]);
      }, uncommitted);
      const tag = results.at(-1)?.command;
      if (end !== undefined && tag !== end.tag) {
        this.#leave(false);
        throw new TransactionLostError(
          `The transaction on ${failure.where} was rolled back: a statement had failed before its commit; ` +
            "roll back to a savepoint after a failure, or run it all again",
        );
      }
      return results.slice(opening.length);
    } catch (error) {
      if (!(error instanceof PipelineError)) throw error;
      const position = error.index - opening.length;
      const statementIndex = position >= 0 && position < batch ? position : undefined;
      const translated = translate(error.error, { ...failure, uncommitted, statementIndex });
      if (!ends(translated)) throw translated;
      this.#lose(translated);
      throw uncommitted && translated instanceof ConnectionError ? lost(failure.where, translated) : translated;
    }
  }

  async #limited<T>(options: CallOptions, work: () => Promise<T>, uncommitted = true): Promise<T> {
    const { timeout } = this.#parts;
    const limits = { timeout, ...options };
    const running = withLimits(limits, work, () => {});
    this.#running = running;
    try {
      return await running;
    } catch (error) {
      if (!(error instanceof GivenUp)) throw error;
      const reason = this.#reasonOf(error, "A call in a transaction", uncommitted);
      if (error.begun) {
        this.#lose(reason);
        this.#parts.closing(this.#parts.seat.leave(true)); // Ends what is under way: the driver cancels nothing.
      }
      throw reason;
    } finally {
      this.#running = undefined;
    }
  }

  #check(): void {
    const { failure, seat } = this.#parts;
    if (this.#state === "ended") {
      throw new InvalidStateError(`The transaction on ${failure.where} has ended; open another with connect()`);
    }
    if (this.#running !== undefined) {
      throw new InvalidStateError(
        `A call in the transaction on ${failure.where} is under way; await it before the next one`,
      );
    }
    if (this.#state === "open" && seat.broken !== undefined) {
      this.#lose(translate(seat.broken, { ...failure, uncommitted: true }));
    }
    if (this.#state !== "open") throw lost(failure.where, this.#state.cause);
  }

  #lose(cause: unknown): void {
    if (this.#state === "open") this.#state = { cause };
  }

  #leave(isBroken: boolean): void {
    this.#state = "ended";
    this.#parts.closing(this.#parts.seat.leave(isBroken));
  }

  #reasonOf(given: GivenUp, what: string, notApplied: boolean): unknown {
    return given.toUser(`${what} on ${this.#parts.failure.where}`, notApplied, "the transaction is lost");
  }
}

/** Whether this error ends the connection. */
function ends(error: LedgeError): boolean {
  return error instanceof ConnectionError || error instanceof TransactionLostError ||
    error instanceof InvalidStateError;
}
