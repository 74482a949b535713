/**
 * One part of a two-phase commit: a prepared transaction on one database. Ending it may be tried by several at once.
 *
 * @module
 */
import type { CallOptions, Database } from "../database.ts";

/** A prepared transaction. */
export interface Part {
  readonly database: Database;
  readonly name: string;
}

/** How often something that another one is doing at this moment is tried again, and after how many milliseconds. */
const TRIES = 20;
const PAUSE = 50;

/** Whether it is prepared still. One request. */
export async function isPrepared({ database, name }: Part, options: CallOptions): Promise<boolean> {
  return (await database.twoPhase!.list(options)).includes(name);
}

/**
 * Ends a part; one that has ended already is as good. One request, more where the answer was lost or another one is at it.
 * Throws when it is prepared still, or nobody knows.
 */
export async function end(part: Part, how: "commit" | "rollback", options: CallOptions): Promise<void> {
  const { database, name } = part;
  for (let left = TRIES;; left--) {
    try {
      return await database.twoPhase![how](name, options);
    } catch (error) {
      if (options.signal?.aborted) throw error;
      if (!await isPrepared(part, {})) return;
      if (left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}
