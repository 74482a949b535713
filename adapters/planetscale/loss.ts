/**
 * What is known of a transaction that is lost, and the errors that say so.
 *
 * @module
 */
import { ConnectionError, type DatabaseError } from "../../src/errors.ts";
import { lost } from "../shared/failure.ts";
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
  if (!mayBeCommitted) return lost(where, cause);
  const { driverCode } = Object(cause) as { driverCode?: string };
  // No TransactionLostError, after which the work is done again.
  return new ConnectionError(
    `The transaction on ${where} has ended, and what ran in it may or may not have been applied; ` +
      "roll back, and read what is there before doing it again",
    { cause, driverCode, notApplied: false },
  );
}

/** What to throw for a call that was given up. */
export function givenUpError(given: GivenUp, what: string, notApplied: boolean, isLost = true): unknown {
  return given.toUser(what, notApplied, isLost ? "the transaction is lost" : "it was waiting for the calls before it");
}
