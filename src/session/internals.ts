/**
 * How functions that take a session (bulk, two-phase commit) reach the rooms behind its face. Nothing else may: a session
 * is used by its public methods.
 *
 * @module
 */
import type { Reading } from "./reading.ts";
import type { Transactions } from "./transaction.ts";

/**
 * The name of the method, which a session that stands for another one forwards like any other. Text and no symbol: bundlers
 * keep every class with a method whose name they would have to compute.
 */
export const internals = "ledge.internals";

/** The rooms behind a session. */
export interface Internals {
  readonly transactions: Transactions;
  readonly reading: Reading;
}
