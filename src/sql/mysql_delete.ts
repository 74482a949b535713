/**
 * Deletes. MySQL checks foreign keys row by row, as it deletes, so that rows which refer to each other go in the order
 * given, which only a DELETE of one table can say; a row that refers to itself does not go at all while it does.
 *
 * @module
 */
import type { Dialect } from "./dialect.ts";
import { type Batch, push, pushGuard } from "./mysql_batch.ts";
import { type Checkable, checkOf, isGuarded, orFail, staleRows, whereRow } from "./mysql_check.ts";
import { columnOf, tableName } from "./mysql_names.ts";
import { chunks, compared, MAX_VALUES_ROWS, source } from "./mysql_source.ts";
import type { SqlValue, Statement } from "./statement.ts";
import type { CheckedRow, DeleteStep } from "./step.ts";
import type { ColumnInfo, ForeignKeyInfo, TableInfo } from "./table.ts";

/** The rows of one DELETE that says their order: each is looked for in a list of all. */
const MAX_ORDERED_ROWS = 200;

/** Compiles a delete step. */
export function compileDelete(remove: DeleteStep, step: number, batch: Batch): void {
  const { table, compare, checked } = remove;
  const { dialect, options } = batch;
  const own = remove.refersWithin === false ? [] : ownReferences(table);
  // Whether a row refers to itself is not said: where one may, all let go first, if they can.
  if (remove.refersWithin && own.length > 0 && own.every((column) => column.nullable && !column.primaryKey)) {
    return deleteLoosened(remove, own, step, batch);
  }
  // A row that a cascade took before its turn is not counted: children first, each is.
  const cascades = remove.refersWithin !== false && refersToItself(table, "cascade").length > 0;
  const ordered = own.length > 0 || cascades && !checked;
  const most = ordered ? MAX_ORDERED_ROWS : checked || remove.rows.some(isGuarded) ? undefined : MAX_VALUES_ROWS;
  for (const [from, to] of chunksOf(remove, most)) {
    const rows = remove.rows.slice(from, to);
    const range = [from, to] as const;
    if (!checked && !rows.some(isGuarded)) {
      push(batch, step, deleteKeys(table, rows, ordered, dialect), range);
      continue;
    }
    if (rows.length === 1) {
      const params: SqlValue[] = [];
      const sql = `DELETE FROM ${tableName(table)} WHERE ${whereRow(table, rows[0]!, compare, params)}`;
      push(batch, step, { sql, params }, range, { expectRows: 1 });
      continue;
    }
    const check = staleRows(table, rows, compare, from, "FOR UPDATE", dialect, !checked);
    if (!ordered && options.guards === "statement") {
      // With a cascade a guard to execution: all rows are there, and how many of them it reached says nothing.
      push(batch, step, deleteGuarded(remove, rows, from, step, dialect), range, { check, guard: cascades });
      continue;
    }
    pushGuard(batch, step, check, range);
    push(batch, step, deleteKeys(table, rows, ordered, dialect), range);
  }
}

/** Rows that refer to each other or to themselves: checked, then let go of each other, then deleted. */
function deleteLoosened(remove: DeleteStep, own: readonly ColumnInfo[], step: number, batch: Batch): void {
  const { table, compare, checked } = remove;
  const { dialect } = batch;
  const parts = [...chunksOf(remove)].map((range) => ({ range, rows: remove.rows.slice(...range) }));
  for (const { range, rows } of parts) {
    if (!checked && !rows.some(isGuarded)) continue;
    pushGuard(batch, step, staleRows(table, rows, compare, range[0], "FOR UPDATE", dialect, !checked), range);
  }
  for (const { range, rows } of parts) {
    // A guard to execution: how many rows it changed says nothing of how many were there.
    push(batch, step, loosen(table, own, rows, dialect), range, { guard: true });
  }
  for (const { range, rows } of parts) push(batch, step, deleteKeys(table, rows, false, dialect), range);
}

function chunksOf({ rows }: DeleteStep, most?: number): ReturnType<typeof chunks> {
  return chunks(rows.map((row) => [...row.key, row.version ?? null, ...row.before ?? []]), most);
}

/** The columns by which rows of a table refer to others of it, and keep them from being deleted. */
function ownReferences(table: TableInfo): readonly ColumnInfo[] {
  return refersToItself(table, null, "restrict", "no action");
}

/** The columns of a table's foreign keys to itself with one of these actions. */
function refersToItself(table: TableInfo, ...actions: readonly ForeignKeyInfo["onDelete"][]): readonly ColumnInfo[] {
  return table.foreignKeys
    .filter(({ target, onDelete }) =>
      target.table === table.table && target.schema === table.schema && actions.includes(onDelete)
    )
    .flatMap(({ columns }) => columns);
}

/** Sets the references of rows to NULL. */
function loosen(
  table: TableInfo,
  columns: readonly ColumnInfo[],
  rows: readonly CheckedRow[],
  dialect: Dialect,
): Statement {
  const params: SqlValue[] = [];
  const sets = columns.map((column) => `${columnOf(table, column)} = NULL`).join(", ");
  const sql = `UPDATE ${tableName(table)} SET ${sets} WHERE ${isOneOf(table, rows, params, dialect)}`;
  return { sql, params };
}

/** `key IN (…)`. */
function isOneOf(table: TableInfo, rows: readonly CheckedRow[], params: SqlValue[], dialect: Dialect): string {
  const names = table.key.map((column) => columnOf(table, column));
  const left = names.length === 1 ? names[0]! : `(${names.join(", ")})`;
  return `${left} IN ${dialect.inList(table.key, rows.map(({ key }) => key), params)}`;
}

function deleteGuarded(
  { table, compare, checked }: DeleteStep,
  rows: readonly Checkable[],
  first: number,
  step: number,
  dialect: Dialect,
): Statement {
  const check = checkOf(table, rows, compare, !checked);
  const { from, values, params } = source(table, check.fields, rows.map((row) => check.cells(row)), first, dialect);
  const name = tableName(table);
  const sql = `DELETE ${name} FROM ${from} LEFT JOIN ${name} ON ${check.on(values)} ` +
    `WHERE ${orFail(check.holds(values), step)}`;
  return { sql, params };
}

/** `DELETE FROM … WHERE key IN (…)`; with `ordered` in the order given. */
function deleteKeys(table: TableInfo, rows: readonly CheckedRow[], ordered: boolean, dialect: Dialect): Statement {
  const params: SqlValue[] = [];
  let sql = `DELETE FROM ${tableName(table)} WHERE ${isOneOf(table, rows, params, dialect)}`;
  if (ordered && rows.length > 1) sql += ` ORDER BY ${positionOf(table, rows, params)}`;
  return { sql, params };
}

/** The position of a row among the rows given. */
function positionOf(
  table: TableInfo,
  rows: readonly CheckedRow[],
  params: SqlValue[],
): string {
  const cases = rows.map((row, position) => {
    const same = table.key.map((column, i) => {
      params.push(row.key[i]!);
      return `${columnOf(table, column)} = ${compared(column)}`;
    });
    return `WHEN ${same.join(" AND ")} THEN ${position}`;
  });
  return `CASE ${cases.join(" ")} END`;
}
