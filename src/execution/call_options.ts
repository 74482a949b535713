/**
 * The options of a call that reaches the database, checked.
 *
 * @module
 */
import type { CallOptions } from "../database.ts";
import { ValidationError } from "../errors.ts";

/** The longest time that timers can wait, in milliseconds: beyond it they fire at once. */
const LONGEST = 0x7fff_ffff;

/** Throws a ValidationError for a timeout that a timer cannot keep, and for a signal that is none. */
export function checkCallOptions({ signal, timeout }: CallOptions): void {
  if (
    timeout !== undefined && timeout !== Infinity && !(typeof timeout === "number" && timeout > 0 && timeout <= LONGEST)
  ) {
    throw new ValidationError(`A timeout must be a number of milliseconds above 0 and at most ${LONGEST}, or Infinity`);
  }
  if (signal !== undefined && typeof signal?.addEventListener !== "function") {
    throw new ValidationError("A signal must be an AbortSignal");
  }
}
