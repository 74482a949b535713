/**
 * What is known of a transaction that is lost, and the errors that say so.
 *
 * @module
 */
import { ConnectionError, type DatabaseError, TimeoutError, TransactionLostError } from "../../src/errors.ts";
import type { GivenUp } from "../shared/limits.ts";

/** Why a transaction is lost, and what has become of it. */
export interface Loss {
  readonly cause: unknown;
  /** Whether the server may still hold it open, with its locks. */
  readonly leftOpen: boolean;
  /** Whether it may have been committed: COMMIT was on its way, or the server ended it without a word. */
  readonly mayBeCommitted?: boolean;
}

/** What to throw for a call in a lost transaction. */
export function lossError(where: string, { cause, mayBeCommitted = false }: Loss): DatabaseError {
  const { driverCode } = Object(cause) as { driverCode?: string };
  const options = { cause, notApplied: !mayBeCommitted, ...(driverCode === undefined ? {} : { driverCode }) };
  // No TransactionLostError, after which the work is done again.
  return mayBeCommitted
    ? new ConnectionError(
      `The transaction on ${where} has ended, and what ran in it may or may not have been applied; ` +
        "roll back, and read what is there before doing it again",
      options,
    )
    : new TransactionLostError(
      `The transaction on ${where} is lost and nothing of it was applied; roll back and run it again`,
      options,
    );
}

/** What to throw for a call that was given up. */
export function givenUpError(given: GivenUp, what: string, notApplied: boolean, isLost = true): unknown {
  if (given.why === "abort") return given.reason;
  const outcome = isLost ? "the transaction is lost" : "it was waiting for the calls before it";
  return new TimeoutError(`${what} took longer than its timeout; ${outcome}`, { notApplied });
}
