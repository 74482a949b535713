/**
 * Empties the tables of the suite, before each test: of the sixty, those few that have rows.
 *
 * @module
 */
import type { Dialect } from "../../mod.ts";
import { tables } from "./models.ts";

/** Which tables have rows: one row with a column each. */
export const FILLED = `SELECT ${tables.map((table) => `EXISTS (SELECT 1 FROM ${table}) AS ${table}`).join(", ")}`;

/** Rows that refer to rows of the same table, or in a cycle, where foreign keys are checked row by row. */
const LET_GO: Readonly<Record<string, string>> = {
  teams: "lead_id = NULL",
  employees: "manager_id = NULL",
  folders: "parent_id = NULL",
  cells: "above_x = NULL, above_y = NULL",
};

/** What empties these tables. Foreign keys wait for the end on SQLite, within a transaction. */
export function deletes(filled: readonly string[], dialect: Dialect["name"]): string[] {
  const all = filled.map((table) => `DELETE FROM ${table}`);
  if (dialect === "sqlite") return ["PRAGMA defer_foreign_keys = ON", ...all];
  return [...filled.filter((table) => table in LET_GO).map((table) => `UPDATE ${table} SET ${LET_GO[table]}`), ...all];
}

/** The tables that a row of {@linkcode FILLED} names, in their order. */
export function filledIn(row: Readonly<Record<string, unknown>> | undefined): string[] {
  return tables.filter((table) => Boolean(Number(row?.[table])));
}

/** Empties them, by a connection of its own. */
export async function emptying(
  query: (sql: string) => Promise<readonly Record<string, unknown>[]>,
  dialect: Dialect["name"],
): Promise<void> {
  const [row] = await query(FILLED);
  const filled = filledIn(row);
  if (filled.length === 0) return;
  const all = [dialect === "sqlite" ? "BEGIN IMMEDIATE" : "BEGIN", ...deletes(filled, dialect), "COMMIT"];
  // SQLite's handle takes one statement at a time; the others take a text of several, in one trip.
  for (const sql of dialect === "sqlite" ? all : [all.join("; ")]) await query(sql);
}
