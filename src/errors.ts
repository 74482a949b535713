/**
 * Every error that Ledge throws. The same fault gives the same class on every adapter; each class has a stable `code`,
 * a message that says what was being done, to what, and what to do next, and the driver's own error as its `cause`.
 *
 * @module
 */

import type { CallOptions } from "./database.ts";

/** A short, stable name for a kind of error, safe to switch on. */
export type ErrorCode =
  | "LEDGE_VALIDATION"
  | "LEDGE_INVALID_STATE"
  | "LEDGE_UNSUPPORTED"
  | "LEDGE_STALE_DATA"
  | "LEDGE_REQUIREMENT"
  | "LEDGE_NO_RESULT"
  | "LEDGE_MULTIPLE_RESULTS"
  | "LEDGE_OBJECT_DELETED"
  | "LEDGE_DETACHED_INSTANCE"
  | "LEDGE_EXPIRED_PROPERTY"
  | "LEDGE_DATABASE"
  | "LEDGE_INTEGRITY"
  | "LEDGE_UNIQUE_VIOLATION"
  | "LEDGE_FOREIGN_KEY_VIOLATION"
  | "LEDGE_NOT_NULL_VIOLATION"
  | "LEDGE_CHECK_VIOLATION"
  | "LEDGE_DATA"
  | "LEDGE_STATEMENT"
  | "LEDGE_AUTHENTICATION"
  | "LEDGE_TIMEOUT"
  | "LEDGE_SERIALIZATION"
  | "LEDGE_DEADLOCK"
  | "LEDGE_LOCK_TIMEOUT"
  | "LEDGE_TRANSACTION_LOST"
  | "LEDGE_CONNECTION"
  | "LEDGE_COMMIT_OUTCOME_UNKNOWN"
  | "LEDGE_SESSION_MANAGER";

/** The base of every error that Ledge throws. */
export abstract class LedgeError extends Error {
  /** A short, stable name for this kind of error. */
  abstract readonly code: ErrorCode;
  /** The name of the class, as it is shown before the message; the same in a minified bundle. */
  override get name(): string {
    const words = this.code.toLowerCase().split("_").slice(1);
    return `${words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("")}Error`;
  }
}

/** A value, a model or a call that cannot be right; nothing was sent. */
export class ValidationError extends LedgeError {
  /** `"LEDGE_VALIDATION"`. */
  readonly code = "LEDGE_VALIDATION";
}

/** A call that the session's state does not allow: it is closed, has failed, or is busy with a commit. */
export class InvalidStateError extends LedgeError {
  /** `"LEDGE_INVALID_STATE"`. */
  readonly code = "LEDGE_INVALID_STATE";
}

/** Something that this database, driver or mode cannot do; the message names the ways out. */
export class UnsupportedError extends LedgeError {
  /** `"LEDGE_UNSUPPORTED"`. */
  readonly code = "LEDGE_UNSUPPORTED";
}

/** A condition given to `require()` did not hold when the commit ran; nothing was written. */
export class RequirementError extends LedgeError {
  /** `"LEDGE_REQUIREMENT"`. */
  readonly code = "LEDGE_REQUIREMENT";
}

/** Exactly one row was asked for and none was found. */
export class NoResultError extends LedgeError {
  /** `"LEDGE_NO_RESULT"`. */
  readonly code = "LEDGE_NO_RESULT";
}

/** At most one row was asked for and more were found. */
export class MultipleResultsError extends LedgeError {
  /** `"LEDGE_MULTIPLE_RESULTS"`. */
  readonly code = "LEDGE_MULTIPLE_RESULTS";
}

/** The row of an instance that was to be refreshed is no longer there. */
export class ObjectDeletedError extends LedgeError {
  /** `"LEDGE_OBJECT_DELETED"`. */
  readonly code = "LEDGE_OBJECT_DELETED";
}

/** The call needs an instance that belongs to a session, and this one belongs to none or to another. */
export class DetachedInstanceError extends LedgeError {
  /** `"LEDGE_DETACHED_INSTANCE"`. */
  readonly code = "LEDGE_DETACHED_INSTANCE";
}

/** A property was read whose value is not known until the instance is refreshed or committed. */
export class ExpiredPropertyError extends LedgeError {
  /** `"LEDGE_EXPIRED_PROPERTY"`. */
  readonly code = "LEDGE_EXPIRED_PROPERTY";
}

/** A row that the session changed, deleted or verified is no longer at the version that was read; nothing was written. */
export class StaleDataError extends LedgeError {
  /** `"LEDGE_STALE_DATA"`. */
  readonly code = "LEDGE_STALE_DATA";
  /** The first instance found stale, when it is known. Not shown with the error, in a log or as JSON: it holds a row. */
  declare readonly instance: object | null;
  /** How many rows of the same statement were stale, at least one. */
  readonly count: number;
  /** Makes an error; the instance is null unless given, the count 1. */
  constructor(message: string, options: { instance?: object | null; count?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    Object.defineProperty(this, "instance", { value: options.instance ?? null });
    this.count = options.count ?? 1;
  }
}

/** What a {@linkcode DatabaseError} knows besides its message. */
export interface DatabaseErrorOptions {
  /** The driver's own error. */
  readonly cause?: unknown;
  /** The SQLSTATE, result code or errno that the server gave, as text. */
  readonly driverCode?: string;
  /** The table that the server named. */
  readonly table?: string;
  /** The columns that the server named. */
  readonly columns?: readonly string[];
  /** The constraint that the server named. */
  readonly constraint?: string;
  /** The position, in the batch that failed, of the statement that failed. */
  readonly statementIndex?: number;
  /** Whether it is certain that nothing of the failed request was applied; true unless given. */
  readonly notApplied?: boolean;
}

/** An error that the database, its driver or the network reported. Its message holds the server's own words. */
export class DatabaseError extends LedgeError {
  /** `"LEDGE_DATABASE"`; each subclass has one of its own. */
  readonly code: ErrorCode = "LEDGE_DATABASE";
  /** The SQLSTATE, result code or errno that the server gave, as text. */
  readonly driverCode?: string;
  /** The table that the server named. */
  readonly table?: string;
  /** The columns that the server named. */
  readonly columns?: readonly string[];
  /** The constraint that the server named. */
  readonly constraint?: string;
  /** The position, in the batch that failed, of the statement that failed. */
  readonly statementIndex?: number;
  /**
   * Whether it is certain that nothing of the failed request was applied: an error that the SQL engine answered, a
   * refused connect, a refused login. False for a lost answer or a timeout.
   */
  readonly notApplied: boolean;
  /** Makes an error; `notApplied` is true unless given. */
  constructor(message: string, options: DatabaseErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.driverCode = options.driverCode;
    this.table = options.table;
    this.columns = options.columns;
    this.constraint = options.constraint;
    this.statementIndex = options.statementIndex;
    this.notApplied = options.notApplied ?? true;
  }
}

/** A constraint of the database was violated. */
export class IntegrityError extends DatabaseError {
  /** `"LEDGE_INTEGRITY"`; each subclass has one of its own. */
  override readonly code: ErrorCode = "LEDGE_INTEGRITY";
}

/** A unique or primary key holds this value already. */
export class UniqueViolationError extends IntegrityError {
  /** `"LEDGE_UNIQUE_VIOLATION"`. */
  override readonly code: ErrorCode = "LEDGE_UNIQUE_VIOLATION";
}

/** A foreign key refers to a row that is not there, or a row is still referred to. */
export class ForeignKeyViolationError extends IntegrityError {
  /** `"LEDGE_FOREIGN_KEY_VIOLATION"`. */
  override readonly code: ErrorCode = "LEDGE_FOREIGN_KEY_VIOLATION";
}

/** A column that must have a value was given none. */
export class NotNullViolationError extends IntegrityError {
  /** `"LEDGE_NOT_NULL_VIOLATION"`. */
  override readonly code: ErrorCode = "LEDGE_NOT_NULL_VIOLATION";
}

/** A CHECK constraint did not hold. */
export class CheckViolationError extends IntegrityError {
  /** `"LEDGE_CHECK_VIOLATION"`. */
  override readonly code: ErrorCode = "LEDGE_CHECK_VIOLATION";
}

/** A value that the column or the expression cannot take. */
export class DataError extends DatabaseError {
  /** `"LEDGE_DATA"`. */
  override readonly code: ErrorCode = "LEDGE_DATA";
}

/** The statement itself is wrong: its syntax, or a table or column that is not there. */
export class StatementError extends DatabaseError {
  /** `"LEDGE_STATEMENT"`. */
  override readonly code: ErrorCode = "LEDGE_STATEMENT";
}

/** The server refused the credentials, or this user may not do this. */
export class AuthenticationError extends DatabaseError {
  /** `"LEDGE_AUTHENTICATION"`. */
  override readonly code: ErrorCode = "LEDGE_AUTHENTICATION";
}

/** The time that the call was given ran out. */
export class TimeoutError extends DatabaseError {
  /** `"LEDGE_TIMEOUT"`. */
  override readonly code: ErrorCode = "LEDGE_TIMEOUT";
}

/** The transaction could not be serialized with others; running it again can succeed. */
export class SerializationError extends DatabaseError {
  /** `"LEDGE_SERIALIZATION"`. */
  override readonly code: ErrorCode = "LEDGE_SERIALIZATION";
}

/** The transaction was chosen to break a deadlock; running it again can succeed. */
export class DeadlockError extends DatabaseError {
  /** `"LEDGE_DEADLOCK"`. */
  override readonly code: ErrorCode = "LEDGE_DEADLOCK";
}

/** A lock was not had in time; running it again can succeed. */
export class LockTimeoutError extends DatabaseError {
  /** `"LEDGE_LOCK_TIMEOUT"`. */
  override readonly code: ErrorCode = "LEDGE_LOCK_TIMEOUT";
}

/** The server ended the transaction: it took too long, or its connection or stream is gone. */
export class TransactionLostError extends DatabaseError {
  /** `"LEDGE_TRANSACTION_LOST"`. */
  override readonly code: ErrorCode = "LEDGE_TRANSACTION_LOST";
}

/** The server could not be reached, or the connection broke. */
export class ConnectionError extends DatabaseError {
  /** `"LEDGE_CONNECTION"`. */
  override readonly code: ErrorCode = "LEDGE_CONNECTION";
}

/** What became of a commit. */
export type CommitDecision = "committed" | "aborted";

/** What a {@linkcode CommitOutcomeUnknownError} knows besides its message. */
export interface CommitOutcomeUnknownOptions extends DatabaseErrorOptions {
  /** Finds out what became of the commit; where it left nothing to ask for there is none. */
  readonly resolve?: (options?: CallOptions) => Promise<CommitDecision>;
}

/**
 * A commit was sent and its answer was lost, so that it may or may not have been applied. The session allows only
 * `rollback()` and `close()` afterwards, and `resolve()` of this error.
 */
export class CommitOutcomeUnknownError extends DatabaseError {
  /** `"LEDGE_COMMIT_OUTCOME_UNKNOWN"`. */
  override readonly code: ErrorCode = "LEDGE_COMMIT_OUTCOME_UNKNOWN";
  readonly #resolve: CommitOutcomeUnknownOptions["resolve"];
  /** Makes an error; `notApplied` is always false. */
  constructor(message: string, options: CommitOutcomeUnknownOptions = {}) {
    super(message, { ...options, notApplied: false });
    this.#resolve = options.resolve;
  }
  /**
   * Asks what became of a commit with `exactlyOnce`, and makes it final: one that has not arrived by now never will be
   * applied. A session that still waits for it, neither rolled back nor closed, then goes on: after "committed" its
   * instances have what the database made and it is open, after "aborted" it has failed and `rollback()` comes next.
   *
   * One request, two where the database has no batches; tries again on trouble of the network, for 30 seconds unless a
   * timeout is given, then throws it: `resolve()` may be called again. Throws an `UnsupportedError` where the commit was made
   * without `exactlyOnce` and left nothing to ask for.
   */
  async resolve(options?: CallOptions): Promise<CommitDecision> {
    if (this.#resolve !== undefined) return await this.#resolve(options);
    throw new UnsupportedError(
      "This commit left nothing to ask for; read what is there instead, and commit with exactlyOnce: true the next time",
    );
  }
}
