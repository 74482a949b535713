/**
 * What an error says of the transaction: whether it is lost, and whether a commit may have been applied all the same.
 *
 * @module
 */
import { DatabaseError, LedgeError } from "../errors.ts";

/** Whether nothing tells that a commit was not applied. */
export function isAmbiguous(error: unknown): boolean {
  if (error instanceof DatabaseError) return !error.notApplied;
  return !(error instanceof LedgeError);
}

/** The errors that have ended the transaction on the server. */
const LOSSES: readonly string[] = ["LEDGE_TRANSACTION_LOST", "LEDGE_DEADLOCK", "LEDGE_CONNECTION", "LEDGE_TIMEOUT"];

/** Whether an error has ended the transaction on the server. */
export function isLoss(error: unknown): boolean {
  return error instanceof DatabaseError && LOSSES.includes(error.code);
}
