/**
 * ON CONFLICT, as SQLite and PostgreSQL have it.
 *
 * @module
 */

/** The clause, with a leading space; without assignments the row that is there stays as it is. */
export function onConflict(target: readonly string[], sets: readonly string[] | null): string {
  return ` ON CONFLICT (${target.join(", ")}) DO ${sets === null ? "NOTHING" : `UPDATE SET ${sets.join(", ")}`}`;
}
