/**
 * The part of a session's transaction that is on one database: its reads, its savepoints, and the connection that it
 * upgrades to when work needs a conversation. (A transaction over several databases has a branch on each, as X/Open XA
 * calls it.) Knows nothing of instances.
 *
 * @module
 */
import type { CallOptions, Connection, Database, TransactionOptions } from "../database.ts";
import { TimeoutError, UnsupportedError } from "../errors.ts";
import { ReadQueue, type ReadTarget } from "../execution/reads.ts";
import { isNotApplied, resending, RESENDS } from "../execution/resending.ts";
import type { Statement } from "../sql/statement.ts";
import type { Failures } from "./failures.ts";
import { isConnection } from "./joined.ts";
import { type BeginOptions, needsSnapshot, type SessionMode, type SessionOptions } from "./options.ts";

/** A savepoint that is open. */
interface Savepoint {
  /** As the database calls it. */
  readonly name: string;
  /** Whether the connection had written something when it was set. */
  wrote: boolean;
}

/** One database's part of a session's transaction. */
export class Branch implements ReadTarget {
  readonly database: Database;
  readonly reads: ReadQueue;
  /** The options of the transaction, given when it began. */
  begin: BeginOptions = {};
  /** Opens a connection in place of the database's `connect`; for one transaction. */
  connectBy: ((options: CallOptions & TransactionOptions) => Promise<Connection>) | null = null;
  /** Told when something is written. */
  readonly #onWrite: () => void;
  #wrote = false;
  readonly #options: SessionOptions;
  readonly #failures: Failures;
  #connection: Connection | null = null;
  /** The connection that is being opened, within the limits of who asked first. */
  #opening: { readonly done: Promise<Connection>; readonly limits: CallOptions } | null = null;
  /** The savepoints that are open, outermost first: in memory alone without a connection. */
  #savepoints: Savepoint[];

  constructor(
    database: Database,
    options: SessionOptions,
    failures: Failures,
    savepoints: readonly string[],
    onWrite: () => void,
  ) {
    this.database = database;
    this.#onWrite = onWrite;
    this.#options = options;
    this.#failures = failures;
    this.#savepoints = savepoints.map((name) => ({ name, wrote: false }));
    this.reads = new ReadQueue(this);
  }

  /** Whether the connection's transaction wrote something, so that what is read may be undone. */
  get wrote(): boolean {
    return this.#wrote;
  }
  set wrote(wrote: boolean) {
    this.#wrote = wrote;
    if (wrote) this.#onWrite();
  }

  /** The connection is lent: who has it may write at any time, also after a rollback to a savepoint that is open. */
  lend(): void {
    for (const savepoint of this.#savepoints) savepoint.wrote = true;
    this.wrote = true;
  }

  /** The open transaction, if there is one. */
  get connection(): Connection | null {
    return this.#connection;
  }

  /** How often a request that met with trouble is sent again; on a connection that the session joined never. */
  get resends(): number {
    const { bind, resends = RESENDS } = this.#options;
    return isConnection(bind) ? 0 : resends;
  }

  /** When to open an interactive transaction. */
  get mode(): SessionMode {
    return this.begin.mode ?? this.#options.mode ?? "auto";
  }

  /** The statement that makes the transaction's settings; null where it has none. */
  get settings(): Statement | null {
    const settings = { ...this.#options.settings, ...this.begin.settings };
    return Object.keys(settings).length === 0 ? null : this.database.dialect.settings!(settings);
  }

  /** Whether reads need a connection that is not there yet. */
  get mustConnect(): boolean {
    if (this.#connection !== null) return false;
    return this.mode === "interactive" || needsSnapshot(this.begin) ||
      this.database.batch === undefined && this.settings !== null;
  }

  /** Opens the interactive transaction, with every savepoint that is open. Refused where it cannot be. */
  async connect(why: string, options: CallOptions = {}): Promise<Connection> {
    while (this.#connection === null) {
      if (this.#opening === null) {
        this.#opening = { done: this.#open(why, options).finally(() => this.#opening = null), limits: options };
        return await this.#opening.done;
      }
      const { done, limits } = this.#opening;
      try {
        return await done;
      } catch (error) {
        // Who asked first has given up: that is nobody else's to do.
        if (!hasGivenUp(error, limits)) throw error;
      }
    }
    return this.#connection;
  }

  async #open(why: string, options: CallOptions): Promise<Connection> {
    const { database } = this;
    if (this.mode === "batch") {
      throw new UnsupportedError(
        `${why} needs an interactive transaction, and the session's mode is "batch"; use mode "auto", or put the work in the commit with stage(), require() or assign()`,
      );
    }
    if (!database.capabilities.interactive) {
      throw new UnsupportedError(
        `${why} needs an interactive transaction, and ${database.description} has none; ` +
          "configure one, or put the work in the commit with stage(), require() or assign()",
      );
    }
    const { isolation, readOnly, deferrable } = this.begin;
    const { connectBy } = this;
    // One that is opened by a name cannot be opened twice.
    const isHarmless = connectBy === null ? () => true : isNotApplied;
    const connection = await resending(this.resends, options, isHarmless, (limits) => {
      const how = { isolation, readOnly, deferrable, ...limits };
      return connectBy === null ? database.connect(how) : connectBy(how);
    });
    this.#connection = connection;
    this.wrote = false;
    try {
      // In one turn: whoever finds the connection meanwhile comes after it.
      const { settings } = this;
      const savepoints = [...this.#savepoints];
      await this.exclusive(async () => {
        if (settings !== null) await connection.execute(settings);
        for (const { name } of savepoints) await connection.savepoint(name);
      });
    } catch (error) {
      this.#failures.fail(error); // it has begun, and not as it was to
      throw error;
    }
    return connection;
  }

  /** Runs something on the connection, after what is under way there. */
  exclusive<T>(run: (connection: Connection) => Promise<T>): Promise<T> {
    return this.reads.exclusive(() => run(this.#connection!));
  }

  /** Sets a savepoint; sends nothing until there is a connection. */
  async savepoint(name: string): Promise<void> {
    if (this.#connection !== null) await this.exclusive((connection) => connection.savepoint(name));
    this.#savepoints.push({ name, wrote: this.#wrote });
  }

  #indexOf(name: string): number {
    return this.#savepoints.findIndex((savepoint) => savepoint.name === name);
  }

  /** Releases a savepoint, and those inside it. */
  async release(name: string): Promise<void> {
    if (this.#connection !== null) await this.exclusive((connection) => connection.release(name));
    this.#savepoints.length = this.#indexOf(name);
  }

  /** Rolls back to a savepoint and ends it, and those inside it. */
  async rollbackTo(name: string): Promise<void> {
    if (this.#connection !== null) {
      await this.exclusive(async (connection) => {
        await connection.rollbackTo(name);
        await connection.release(name);
      });
    }
    const at = this.#indexOf(name);
    this.#wrote = this.#savepoints[at]!.wrote;
    this.#savepoints.length = at;
  }

  /** Rolls back what the database holds; the branch is still to be ended. */
  async rollback(options?: CallOptions): Promise<void> {
    await this.#connection?.rollback(options);
  }

  /** Forgets the transaction, which is over. */
  end(): void {
    this.#connection = null;
    this.#savepoints = [];
    this.begin = {};
    this.wrote = false;
    this.connectBy = null;
  }
}

/** Whether an error comes of a call's own signal or timeout. */
function hasGivenUp(error: unknown, { signal, timeout }: CallOptions): boolean {
  return signal?.aborted === true && error === signal.reason || timeout !== undefined && error instanceof TimeoutError;
}
