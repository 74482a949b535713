/**
 * A Neon database over HTTP, over WebSockets, or both.
 *
 * @module
 */
import type {
  CallOptions,
  Capabilities,
  Connection,
  Database,
  TransactionOptions,
  TwoPhase,
} from "../../src/database.ts";
import { DatabaseError, InvalidStateError, UnsupportedError } from "../../src/errors.ts";
import type { Dialect } from "../../src/sql/dialect.ts";
import {
  type StatementTransaction,
  type StatementTransactionOptions,
  type Transacting,
  transaction as inTransaction,
} from "../../src/session/plain_transaction.ts";
import { postgres } from "../../src/sql/postgres.ts";
import type { ResultSet, Statement } from "../../src/sql/statement.ts";
import { levels } from "../../src/sql/levels.ts";
import { GivenUp, withLimits } from "../shared/limits.ts";
import type { NeonSql } from "./client.ts";
import { type ConnectionParts, NeonConnection } from "./connection.ts";
import { type Failure, translate } from "./errors.ts";
import { query, transaction } from "./http.ts";
import { PipelineError } from "./pipeline.ts";
import type { Seat, Sockets } from "./sockets.ts";
import { makeTwoPhase } from "./two_phase.ts";
import { fromRaw, toBegin, toHttp, toText } from "./values.ts";

/** A database of Neon, PostgreSQL over HTTP and WebSockets. */
export interface NeonDatabase extends Database, Transacting, AsyncDisposable {
  /** The database's name, without anything secret. */
  toJSON(): { readonly description: string };
}

/** What a database is made of; one of `sql` and `sockets` is there. */
export interface DatabaseParts {
  readonly description: string;
  readonly redact: (text: string) => string;
  /** Milliseconds for a call that brings no timeout. */
  readonly timeout: number | undefined;
  readonly sql: NeonSql | undefined;
  readonly sockets: Sockets | undefined;
}

/** How long `close()` waits for WebSockets that the other side does not close. */
const farewellTime = 1000;

/** Makes a database of its parts. Sends nothing. */
export function makeDatabase(parts: DatabaseParts): NeonDatabase {
  return new DriverDatabase(parts);
}

class DriverDatabase implements NeonDatabase {
  readonly #parts: DatabaseParts;
  readonly #closing = new Set<Promise<void>>();
  #isClosed = false;
  readonly dialect: Dialect = postgres;
  readonly capabilities: Capabilities;
  readonly description: string;
  /** Absent where there is no HTTP. */
  readonly batch?: (
    statements: readonly Statement[],
    options?: CallOptions & TransactionOptions,
  ) => Promise<ResultSet[]>;
  /** Absent where there are no WebSockets. */
  readonly twoPhase?: TwoPhase;

  constructor(parts: DatabaseParts) {
    this.#parts = parts;
    this.description = parts.description;
    const { sql, sockets } = parts;
    this.capabilities = Object.freeze({
      batch: sql === undefined ? "stepwise" : "atomic",
      interactive: sockets !== undefined,
      savepoints: sockets !== undefined,
      isolation: Object.freeze(levels),
      readOnly: true,
      deferrable: true,
    });
    if (sockets !== undefined) {
      this.twoPhase = makeTwoPhase({
        where: parts.description,
        run: (text, options) => this.execute({ sql: text, params: [] }, options),
        connect: (make, options) => this.#open(make, options),
      });
    }
    if (sql !== undefined) this.batch = (statements, options = {}) => this.#batch(sql, statements, options);
  }

  async execute(statement: Statement, options: CallOptions = {}): Promise<ResultSet> {
    const [one] = toText([statement], false);
    const { sql, sockets } = this.#parts;
    if (sql !== undefined) {
      return fromRaw(await this.#call("A statement", options, false, (signal) => query(sql, one!, signal)));
    }
    return await this.#call("A statement", options, false, async (_, giveUp) => {
      const seat = await this.#take(sockets!, giveUp, "statement");
      giveUp(() => this.#track(seat.leave(true)));
      let isBroken = true;
      try {
        const [result] = await seat.run([one!]);
        isBroken = false;
        return fromRaw(result!);
      } catch (error) {
        const translated = translate(error instanceof PipelineError ? error.error : error, this.#failure);
        isBroken = !(translated instanceof DatabaseError && translated.driverCode !== undefined);
        throw translated;
      } finally {
        this.#track(seat.leave(isBroken));
      }
    });
  }

  async connect(options: CallOptions & TransactionOptions = {}): Promise<Connection> {
    return await this.#open((parts) => new NeonConnection(parts), options);
  }

  async #open<C extends NeonConnection>(
    make: (parts: ConnectionParts) => C,
    options: CallOptions & TransactionOptions,
  ): Promise<C> {
    const begin = toBegin(options);
    const { sockets, timeout } = this.#parts;
    if (sockets === undefined) {
      throw new UnsupportedError(
        `connect() on ${this.description} needs a WebSocket, and this database has HTTP only; give neon() ` +
          "a Pool beside the query function, or a connection string without webSocket: false; " +
          "batch() and a session's commit() need none",
      );
    }
    return await this.#call("A connect", options, true, async (_, giveUp) => {
      const seat = await this.#take(sockets, giveUp, "transaction");
      return make({
        database: this,
        seat,
        begin,
        readOnly: options.readOnly ?? false,
        timeout,
        failure: this.#failure,
        closing: (closed) => this.#track(closed),
      });
    });
  }

  transaction<R>(
    fn: (transaction: StatementTransaction) => Promise<R> | R,
    options?: StatementTransactionOptions,
  ): Promise<R> {
    return inTransaction(this, fn, options);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#closing.size === 0) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, farewellTime));
    await Promise.race([Promise.allSettled(this.#closing), late]);
    clearTimeout(timer);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  toJSON(): { readonly description: string } {
    return { description: this.description };
  }

  async #batch(
    sql: NeonSql,
    statements: readonly Statement[],
    options: CallOptions & TransactionOptions,
  ): Promise<ResultSet[]> {
    const settings = toHttp(options);
    const prepared = toText(statements, options.readOnly ?? false);
    if (prepared.length === 0) return [];
    const work = (signal: AbortSignal | undefined) => transaction(sql, prepared, settings, signal);
    return (await this.#call("A batch", options, false, work)).map(fromRaw);
  }

  /** A connection; that it could not be had is proof that nothing was applied. */
  async #take(
    sockets: Sockets,
    giveUp: (cancel: () => void) => void,
    purpose: "statement" | "transaction",
  ): Promise<Seat> {
    try {
      return await sockets.take(giveUp, purpose);
    } catch (error) {
      throw translate(error, { ...this.#failure, uncommitted: true });
    }
  }

  #track(closed: Promise<void>): void {
    const settled = closed.catch(() => {}).finally(() => this.#closing.delete(settled));
    this.#closing.add(settled);
  }

  get #failure(): Failure {
    return { where: this.description, redact: this.#parts.redact };
  }

  /**
   * Runs a call within its limits. `work` is given a signal where there are limits, and a function that takes what else
   * is to be done when it is given up.
   */
  async #call<T>(
    what: string,
    options: CallOptions,
    uncommitted: boolean,
    work: (signal: AbortSignal | undefined, giveUp: (cancel: () => void) => void) => Promise<T>,
  ): Promise<T> {
    if (this.#isClosed) {
      throw new InvalidStateError(`${what} on ${this.description} was refused: the database is closed`);
    }
    const { timeout } = this.#parts;
    const limits = { timeout, ...options };
    const isLimited = limits.signal !== undefined || limits.timeout !== undefined;
    const controller = isLimited ? new AbortController() : undefined;
    let cancel: (() => void) | undefined;
    let late: Promise<T> | undefined;
    try {
      return await withLimits(limits, () => late = work(controller?.signal, (next) => cancel = next), () => {
        controller?.abort();
        cancel?.();
        // A connection that comes too late is nobody's.
        late?.then((result) => result instanceof NeonConnection ? result.rollback() : undefined).catch(() => {});
      });
    } catch (error) {
      if (!(error instanceof GivenUp)) throw translate(error, { ...this.#failure, uncommitted });
      throw error.toUser(`${what} on ${this.description}`, uncommitted);
    }
  }
}
