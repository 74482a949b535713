/**
 * A time limit and a signal around a call of a driver, which has neither, or cannot be relied on for them.
 *
 * @module
 */
import type { CallOptions } from "../../src/database.ts";
import { TimeoutError } from "../../src/errors.ts";
import { checkCallOptions } from "../../src/execution/call_options.ts";

/** Thrown by {@linkcode withLimits} when a call was given up; never seen by users. */
export class GivenUp {
  constructor(
    /** Why: the time ran out, or the signal aborted. */
    readonly why: "timeout" | "abort",
    /** The signal's reason. */
    readonly reason: unknown,
    /** Whether the call had begun, so that something may have been sent. */
    readonly begun: boolean,
  ) {}

  /** What the user is told of `call` ("A batch on d1"): the signal's reason as it is, or a TimeoutError. */
  toUser(
    call: string,
    notApplied: boolean,
    outcome: string = notApplied ? "nothing was applied" : "a write may or may not be applied",
  ): unknown {
    if (this.why === "abort") return this.reason;
    return new TimeoutError(`${call} took longer than its timeout; ${outcome}`, { notApplied });
  }
}

/**
 * Runs `work` until it settles, the time is out or the signal aborts, whichever comes first; the last two throw a
 * {@linkcode GivenUp} at once, after `giveUp` has cancelled what can be cancelled. A late result is ignored. Nothing is
 * begun when the signal has aborted already. Neither the timer nor the listener outlives the call.
 */
export async function withLimits<T>(options: CallOptions, work: () => Promise<T>, giveUp: () => void): Promise<T> {
  checkCallOptions(options);
  const { signal, timeout = Infinity } = options;
  if (signal?.aborted) throw new GivenUp("abort", signal.reason, false);
  if (signal === undefined && timeout === Infinity) return await work();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let onAbort: (() => void) | undefined;
  const given = new Promise<never>((_, reject) => {
    const stop = (why: "timeout" | "abort") => {
      reject(new GivenUp(why, signal?.reason, true));
      giveUp();
    };
    if (timeout !== Infinity) timer = setTimeout(() => stop("timeout"), timeout);
    onAbort = () => stop("abort");
    signal?.addEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([work(), given]);
  } finally {
    clearTimeout(timer);
    if (onAbort) signal?.removeEventListener("abort", onAbort);
  }
}
