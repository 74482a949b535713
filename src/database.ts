/**
 * The port: what an adapter offers to the core, and all that the core knows of a driver. Types only.
 *
 * @module
 */
import type { Dialect } from "./sql/dialect.ts";
import type { ResultSet, Statement } from "./sql/statement.ts";

/** An isolation level of the SQL standard. */
export type IsolationLevel = "read uncommitted" | "read committed" | "repeatable read" | "serializable";

/** Options of every call that reaches the database. */
export interface CallOptions {
  /** Gives up when it aborts: the call rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Milliseconds after which the call gives up with a TimeoutError. */
  readonly timeout?: number;
}

/** Options of a transaction. */
export interface TransactionOptions {
  /** The isolation level, or a stronger one; the database's own unless given. */
  readonly isolation?: IsolationLevel;
  /** Whether it only reads: a write is refused; false unless given. */
  readonly readOnly?: boolean;
  /** PostgreSQL: wait for a snapshot that cannot fail, for a serializable, read-only transaction. */
  readonly deferrable?: boolean;
}

/** What a database can do; execution chooses by it, never by a driver's name. */
export interface Capabilities {
  /** "atomic": `batch` is one transaction in one request. "stepwise": a commit runs statement by statement on a connection. */
  readonly batch: "atomic" | "stepwise";
  /** Whether `connect` works. */
  readonly interactive: boolean;
  /** Whether a connection has savepoints. */
  readonly savepoints: boolean;
  /** The isolation levels a transaction can have, weakest first. A stronger one satisfies a weaker request. */
  readonly isolation: readonly IsolationLevel[];
  /** Whether a transaction can be read-only. */
  readonly readOnly: boolean;
  /** Whether a transaction can be deferrable. */
  readonly deferrable: boolean;
  /** Whether a request reaches the database once at the most; over HTTP, where the network may double it, not. */
  readonly deliversOnce?: boolean;
}

/** One database, reached through one driver client. */
export interface Database {
  /** How its SQL is written. */
  readonly dialect: Dialect;
  /** What it can do. */
  readonly capabilities: Capabilities;
  /** What to call this database in messages and in JSON: never with credentials. */
  readonly description: string;
  /** Runs one statement on its own, committed at once. One request. */
  execute(statement: Statement, options?: CallOptions): Promise<ResultSet>;
  /**
   * Runs all statements in one transaction, in one request; none is applied when one fails. The error's
   * `statementIndex` tells which one failed, where the driver knows. Absent where the driver has none.
   */
  batch?(statements: readonly Statement[], options?: CallOptions & TransactionOptions): Promise<ResultSet[]>;
  /** Opens an interactive transaction. How many requests that takes is the adapter's to document. */
  connect(options?: CallOptions & TransactionOptions): Promise<Connection>;
  /** Two-phase commit. Absent where the server has none, or nothing that the driver could drive it by. */
  readonly twoPhase?: TwoPhase;
  /** Gives back what the database holds open. Closes the driver's client only if the adapter made it. */
  close(): Promise<void>;
}

/** An interactive transaction. Calls must not overlap. */
export interface Connection {
  /** Runs one statement in the transaction. */
  execute(statement: Statement, options?: CallOptions): Promise<ResultSet>;
  /** Runs statements in order and stops at the first that fails; what ran before it stays until a rollback. */
  batch(statements: readonly Statement[], options?: CallOptions): Promise<ResultSet[]>;
  /** Sets a savepoint. The name is an identifier, not yet quoted. */
  savepoint(name: string, options?: CallOptions): Promise<void>;
  /** Releases a savepoint. */
  release(name: string, options?: CallOptions): Promise<void>;
  /** Rolls back to a savepoint, which stays set. */
  rollbackTo(name: string, options?: CallOptions): Promise<void>;
  /** Commits; `last` run right before, in the same request where the driver can. */
  commit(last?: readonly Statement[], options?: CallOptions): Promise<ResultSet[]>;
  /**
   * Rolls back and ends the transaction. Does nothing after a commit, a rollback or a loss. With a signal that has aborted
   * the connection is given up at once, and the server left to find out.
   */
  rollback(options?: CallOptions): Promise<void>;
  /** The database that it is a transaction of. */
  readonly database: Database;
  /**
   * Whether COMMIT may have gone out, so that what was written may be there; once `commit` was called, where the adapter
   * does not say.
   */
  readonly mayBeCommitted?: boolean;
  /** The driver's own handle of the transaction. */
  readonly native: unknown;
}

/**
 * Two-phase commit: a transaction that is prepared survives its connection, and a crash of the server, until it is
 * committed or rolled back by its name. Names are 1 to 64 characters out of `A-Za-z0-9_:.-`.
 */
export interface TwoPhase {
  /** Opens a transaction that can be prepared under a name. */
  connect(id: string, options?: CallOptions & TransactionOptions): Promise<PreparableConnection>;
  /** Commits a prepared transaction. Throws a DatabaseError with `notApplied: true` where there is none of this name. */
  commit(id: string, options?: CallOptions): Promise<void>;
  /** Rolls a prepared transaction back; does nothing where there is none of this name. */
  rollback(id: string, options?: CallOptions): Promise<void>;
  /** The names of the prepared transactions that this user can end. */
  list(options?: CallOptions): Promise<readonly string[]>;
}

/** A transaction that can be prepared: after that it is ended by its name, and this connection is over. */
export interface PreparableConnection extends Connection {
  /** Prepares: checks everything that a commit would check, and makes the transaction outlive this connection. */
  prepare(options?: CallOptions): Promise<void>;
}
