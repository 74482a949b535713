/**
 * The checks of what a transaction is asked for.
 *
 * @module
 */
import type { TransactionOptions } from "../../src/database.ts";
import { UnsupportedError, ValidationError } from "../../src/errors.ts";

/** The isolation levels, weakest first. */
export const levels = Object.freeze(["read uncommitted", "read committed", "repeatable read", "serializable"] as const);

/** Refuses a level that there is not, which types do not allow. */
export function checkLevel(isolation: TransactionOptions["isolation"]): void {
  if (isolation === undefined || levels.includes(isolation)) return;
  throw new ValidationError(`Unknown isolation level ${JSON.stringify(isolation)}; use one of: ${levels.join(", ")}`);
}

/** Refuses deferrable transactions for a database that has none: where nothing is deferred, reads never fail for it. */
export function refuseDeferrable(deferrable: boolean | undefined, database: string): void {
  if (!deferrable) return;
  throw new UnsupportedError(
    `${database} has no deferrable transactions; leave deferrable out, its reads never fail`,
  );
}
