/**
 * What MySQL reads by: lists of keys, and what the database made for rows that were written, since it returns nothing.
 *
 * @module
 */
import { columnNames } from "./ddl.ts";
import type { Dialect } from "./dialect.ts";
import { columnOf, tableName } from "./mysql_names.ts";
import { chunks, compared, MAX_VALUES_ROWS, ORDINAL, source } from "./mysql_source.ts";
import type { SqlValue } from "./statement.ts";
import type { CompiledStatement, InsertStep, UpdateStep } from "./step.ts";
import type { ColumnInfo } from "./table.ts";

/** A list of values: the driver writes them into the text, so that nothing bounds their number. */
export function inList(
  columns: readonly ColumnInfo[],
  values: readonly (readonly SqlValue[])[],
  params: SqlValue[],
): string {
  if (values.length === 0) return `(SELECT ${columns.map(() => "NULL").join(", ")} FROM DUAL WHERE 1 = 0)`;
  const placeholders = columns.map(compared).join(", ");
  const row = columns.length === 1 ? placeholders : `(${placeholders})`;
  for (const value of values) params.push(...value);
  return `(${values.map(() => row).join(", ")})`;
}

/** Types whose values come back as other text than was sent. */
const REWRITTEN: ReadonlySet<string> = new Set(["decimal", "timestamp", "double", "real"]);

/**
 * Reads the columns of written rows that the database made values for.
 *
 * Updated rows are read with a lock, which they have already: where an UPDATE finds in a row what it sets, InnoDB does not
 * take the row for the transaction's own, and a plain SELECT would show it as it was when the transaction first read.
 * Several are joined with their keys, from the keys on: by a list of keys a small table is read whole (seen, 10 rows of
 * 50), and rows of others would be locked. Rows that were inserted are always the transaction's own.
 */
export function readBack(
  { kind, table, returning }: InsertStep | UpdateStep,
  keys: readonly (readonly SqlValue[])[],
  dialect: Dialect,
): CompiledStatement[] {
  const out: CompiledStatement[] = [];
  if (returning.length === 0) return out;
  const names = [...table.key, ...returning].map((column) => columnOf(table, column)).join(", ");
  const isUpdate = kind === "update";
  const lock = isUpdate ? " FOR UPDATE" : "";
  const byPosition = isUpdate && keys.length > 1 || table.key.some((column) => REWRITTEN.has(column.type.name));
  for (const [from, to] of chunks(keys, byPosition ? undefined : MAX_VALUES_ROWS)) {
    const part = keys.slice(from, to);
    if (byPosition) {
      const fields = table.key.map((column) => ({ column, compared: true }));
      const rows = source(table, fields, part, from, dialect);
      const on = table.key.map((column, i) => `${columnOf(table, column)} = ${rows.values[i]}`).join(" AND ");
      const sql = `SELECT ${ORDINAL}, ${names} FROM ${rows.from} STRAIGHT_JOIN ${tableName(table)} ON ${on}${lock}`;
      const statement = { sql, params: rows.params };
      out.push({ statement, step: 0, from, to, guard: false, match: "position" });
      continue;
    }
    const params: SqlValue[] = [];
    const key = columnNames(table.key, dialect);
    const left = table.key.length === 1 ? key : `(${key})`;
    const list = inList(table.key, part, params);
    const sql = `SELECT ${names} FROM ${tableName(table)} WHERE ${left} IN ${list}${lock}`;
    out.push({ statement: { sql, params }, step: 0, from, to, guard: false, match: "key" });
  }
  return out;
}
