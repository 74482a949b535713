/**
 * Sending again what met with trouble that passes: a connection refused or broken, a gateway without an answer, too many
 * requests, a database that is locked. Only what writes nothing, or was certainly not applied.
 *
 * @module
 */
import type { CallOptions } from "../database.ts";
import { ConnectionError, DatabaseError, LockTimeoutError } from "../errors.ts";
import { pause } from "./pause.ts";

/** How often a request is sent again, unless told. */
export const RESENDS = 2;

/** Milliseconds after which nothing is sent again, however many times are left. */
const LONGEST = 5000;

/** Whether it is certain that nothing of a request was applied. */
export function isNotApplied(error: unknown): boolean {
  return error instanceof DatabaseError && error.notApplied;
}

/** Sends a request, and again where that may help and `isHarmless` of the error; within the limits, which are for all of it. */
export async function resending<T>(
  resends: number,
  { signal, timeout }: CallOptions,
  isHarmless: (error: unknown) => boolean,
  send: (limits: CallOptions) => Promise<T>,
): Promise<T> {
  const begun = performance.now();
  for (let failures = 0;; failures++) {
    const spent = failures === 0 ? 0 : performance.now() - begun;
    try {
      return await send({ signal, timeout: timeout === undefined ? undefined : Math.max(1, timeout - spent) });
    } catch (error) {
      const passes = error instanceof ConnectionError || error instanceof LockTimeoutError;
      const isLate = performance.now() - begun >= Math.min(LONGEST, timeout ?? LONGEST);
      if (failures >= resends || !passes || isLate || signal?.aborted || !isHarmless(error)) throw error;
      // Up to 40, 80 ms and so on.
      await pause(
        failures + 2,
        signal,
        timeout === undefined ? undefined : Math.max(0, begun + timeout - performance.now()),
      );
    }
  }
}
