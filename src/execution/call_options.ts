/**
 * The options of a call that reaches the database, checked.
 *
 * @module
 */
import type { CallOptions } from "../database.ts";
import { ValidationError } from "../errors.ts";
import { quoted } from "../model/quoted.ts";
import { isObject } from "../sql/object.ts";

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

/** Throws a ValidationError for an option that is not there, whose message `instead` ends, and for what are no options. */
export function refuseUnknown(options: object, known: readonly string[], what: string, instead = ""): void {
  if (!isObject(options)) {
    throw new ValidationError(`${what} takes its options as an object; there are ${known.join(", ")}`);
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name) && (options as Record<string, unknown>)[name] !== undefined) {
      throw new ValidationError(`${what} has no option ${quoted(name)}; there are ${known.join(", ")}${instead}`);
    }
  }
}
