/**
 * What opens a transaction and ends it.
 *
 * @module
 */
import type { TransactionOptions } from "../../src/database.ts";
import { checkWithoutDeferring } from "../shared/isolation.ts";

/** The texts that open a transaction and end it, in order, a request each. */
export interface Bounds {
  readonly open: readonly string[];
  readonly commit: readonly string[];
  readonly rollback: readonly string[];
  /** Absent where the transaction cannot be prepared. */
  readonly prepare?: readonly string[];
  /** Set where the server's sessions do not tell that they are in the transaction. */
  readonly isUntold?: true;
}

/** Checks the options of a transaction and gives what opens and ends it. */
export function boundsOf(options: TransactionOptions): Bounds {
  const { readOnly } = options;
  const begin = readOnly === undefined ? "BEGIN" : `START TRANSACTION READ ${readOnly ? "ONLY" : "WRITE"}`;
  return { open: [...isolationOf(options), begin], commit: ["COMMIT"], rollback: ["ROLLBACK"] };
}

/** Checks the options of a transaction and gives what sets the isolation level for the next one of its session. */
export function isolationOf(options: TransactionOptions): string[] {
  checkWithoutDeferring(options, "MySQL");
  const { isolation } = options;
  return isolation === undefined ? [] : [`SET TRANSACTION ISOLATION LEVEL ${isolation.toUpperCase()}`];
}
