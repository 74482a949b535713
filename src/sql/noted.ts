/**
 * What a batch notes of what it made (keys, versions, server defaults) in the record of its commit, for a client that never
 * hears its answer: for each statement that returns rows an array of them, in the order of the statements.
 *
 * @module
 */
import { DatabaseError } from "../errors.ts";
import type { ResultSet, SqlValue } from "./statement.ts";
import type { CompiledStatement } from "./step.ts";

/** The table of records, quoted as SQLite and PostgreSQL do. */
export const RECORD = '"ledge_commit"';

/**
 * The results of a batch from what it noted. What statements of the user's gave cannot be known, and how many rows
 * unchecked deletes found: they count as having found all.
 */
export function noted(
  text: SqlValue,
  compiled: readonly CompiledStatement[],
  read: (text: string) => SqlValue,
): ResultSet[] {
  let lists: (string | null)[][][];
  try {
    lists = JSON.parse(`[${text ?? ""}]`);
  } catch (cause) {
    throw new DatabaseError("The record of a commit does not hold what it made", { cause, notApplied: false });
  }
  let at = 0;
  return compiled.map(({ match, from, to }) => {
    const rows = match === null
      ? []
      : lists[at++]?.map((row) => row.map((value) => value === null ? null : read(value))) ?? [];
    return { columns: [], rows, rowsAffected: to - from };
  });
}
