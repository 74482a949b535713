/**
 * The checks of what a transaction is asked for.
 *
 * @module
 */
import type { TransactionOptions } from "../../src/database.ts";
import { UnsupportedError, ValidationError } from "../../src/errors.ts";
import { levels } from "../../src/sql/levels.ts";

/** Refuses a level that there is not, which types do not allow. */
export function checkLevel(isolation: TransactionOptions["isolation"]): void {
  if (isolation === undefined || levels.includes(isolation)) return;
  throw new ValidationError(`Unknown isolation level ${JSON.stringify(isolation)}; use one of: ${levels.join(", ")}`);
}

/**
 * Checks the options of a transaction where none is deferrable. What is serializable always, as SQLite is, honours every
 * level.
 */
export function checkWithoutDeferring({ isolation, deferrable }: TransactionOptions, database: string): void {
  if (deferrable) {
    throw new UnsupportedError(
      `${database} has no deferrable transactions; leave deferrable out, its reads never fail`,
    );
  }
  checkLevel(isolation);
}
