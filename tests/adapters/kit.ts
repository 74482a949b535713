/**
 * What the tests of every adapter use, whichever database is behind it.
 *
 * @module
 */
import type { SqlValue, Statement } from "../../src/sql/statement.ts";

/** A statement with its values. */
export function stmt(sql: string, ...params: SqlValue[]): Statement {
  return { sql, params };
}

/** What a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("Expected a rejection");
}
