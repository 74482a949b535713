/**
 * A queue of calls, of which one runs at a time, in the order in which they were made.
 *
 * @module
 */
import { deferred } from "../shared/deferred.ts";

/** A place in the queue. */
export interface Turn {
  /** Resolves when all that came before are done. */
  readonly before: Promise<unknown>;
  /** Tells that this one is done, or was given up. */
  leave(): void;
}

/** A queue of calls. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Takes a place at the end. Whoever leaves before their turn keeps nobody from waiting for those before. */
  take(): Turn {
    const before = this.#last;
    const { promise, resolve } = deferred<void>();
    this.#last = before.then(() => promise);
    return { before, leave: resolve };
  }
}
