/**
 * What rows must be like to be written, in MySQL: there, at their version, still holding what was read.
 *
 * @module
 */
import type { Dialect } from "./dialect.ts";
import { failing } from "./mysql_guard.ts";
import { columnOf, tableName } from "./mysql_names.ts";
import { compared, type Field, ORDINAL, source, valueOf } from "./mysql_source.ts";
import { staleToken } from "./guard.ts";
import type { SqlValue, Statement } from "./statement.ts";
import type { Cell, CheckedRow } from "./step.ts";
import type { ColumnInfo, TableInfo } from "./table.ts";

/** A row to check: keys of rows to update may have been made in this transaction. */
export type Checkable = Pick<CheckedRow, "version" | "before"> & { readonly key: readonly Cell[] };

/** The check of the rows of one statement, over the rows as a table. */
export interface Check {
  /** The key, the version, and what must still be held, as far as some row says. */
  readonly fields: readonly Field[];
  cells(row: Checkable): readonly Cell[];
  /** What joins the table with the rows, given the SQL of the fields. */
  on(values: readonly string[]): string;
  /** What is true of a row that is as it must be, and false or NULL otherwise. */
  holds(values: readonly string[]): string;
}

/** Whether a row says what it must be like, beyond being there. */
export function isGuarded(row: Checkable): boolean {
  return row.version !== undefined || row.before !== undefined;
}

/** The check of rows; with `optional`, of those only that say what they must be like. */
export function checkOf(
  table: TableInfo,
  rows: readonly Checkable[],
  compare: readonly ColumnInfo[],
  optional = false,
): Check {
  const all = rows.length;
  const versions = table.version === null ? 0 : rows.filter((row) => row.version !== undefined).length;
  const befores = compare.length === 0 ? 0 : rows.filter((row) => row.before !== undefined).length;
  const flagged = optional && !rows.every(isGuarded);
  const fields: Field[] = table.key.map((column) => ({ column, compared: true }));
  if (versions > 0) fields.push({ column: table.version!, compared: true });
  if (befores > 0) fields.push(null, ...compare.map((column) => ({ column, compared: true })));
  if (flagged) fields.push(null);
  return {
    fields,
    cells(row) {
      const cells: Cell[] = [...row.key];
      if (versions > 0) cells.push(row.version ?? null);
      if (befores > 0) cells.push(row.before ? 1 : 0, ...compare.map((_, i) => row.before?.[i] ?? null));
      if (flagged) cells.push(isGuarded(row) ? 1 : 0);
      return cells;
    },
    on: (values) => table.key.map((column, i) => `${columnOf(table, column)} = ${values[i]}`).join(" AND "),
    holds(values) {
      const conditions = [`${columnOf(table, table.key[0]!)} IS NOT NULL`];
      let at = table.key.length;
      if (versions > 0) {
        const value = values[at++]!;
        const same = `${columnOf(table, table.version!)} = ${value}`;
        conditions.push(versions === all ? same : `(${value} IS NULL OR ${same})`);
      }
      if (befores > 0) {
        const flag = values[at++]!;
        const same = compare.map((column) => sameValue(table, column, values[at++]!)).join(" AND ");
        conditions.push(befores === all ? same : `(NOT ${flag} OR (${same}))`);
      }
      const holds = conditions.join(" AND ");
      return flagged ? `(NOT ${values[at]} OR (${holds}))` : holds;
    },
  };
}

/** Whether a column still holds what was read: every bit of text counts, of a timestamp what a Date holds. */
function sameValue(table: TableInfo, column: ColumnInfo, value: string): string {
  const name = columnOf(table, column);
  switch (column.type.name) {
    case "timestamp":
      return `${name} - INTERVAL MICROSECOND(${name}) % 1000 MICROSECOND <=> ${value}`;
    // A collation takes capital and small letters for the same, or leaves trailing spaces out of account.
    case "text":
    case "varchar":
    case "enumeration":
    case "uuid":
      return `CAST(${name} AS BINARY) <=> CAST(${value} AS BINARY)`;
    default:
      return `${name} <=> ${value}`;
  }
}

/** What finds one row by its key if it is as it must be; its values are appended to `params`. */
export function whereRow(
  table: TableInfo,
  row: Checkable,
  compare: readonly ColumnInfo[],
  params: SqlValue[],
): string {
  const bind = (column: ColumnInfo, cell: Cell): string => {
    params.push(valueOf(cell) as SqlValue);
    return compared(column);
  };
  const where = table.key.map((column, i) => `${columnOf(table, column)} = ${bind(column, row.key[i])}`);
  if (row.version !== undefined && table.version !== null) {
    where.push(`${columnOf(table, table.version)} = ${bind(table.version, row.version)}`);
  }
  if (row.before !== undefined) {
    compare.forEach((column, i) => where.push(sameValue(table, column, bind(column, row.before![i]))));
  }
  return where.join(" AND ");
}

/** A condition of a WHERE that makes the statement fail, and write nothing, for a row of which `holds` is not true. */
export function orFail(holds: string, step: number, ordinal = ORDINAL): string {
  return `IF(${holds}, 1, ${failing(`CONCAT('${staleToken(step)}', ${ordinal}, ':1')`)})`;
}

/**
 * The statement that locks rows and returns the ordinal of each that is not as it must be. A locking read sees what is
 * committed, whatever the transaction saw before. In READ COMMITTED it lets go of rows that its WHERE leaves out, which
 * would be those that are as they must be: hence a condition on groups, of one row each.
 */
export function staleRows(
  table: TableInfo,
  rows: readonly Checkable[],
  compare: readonly ColumnInfo[],
  first: number,
  lock: "FOR UPDATE" | "LOCK IN SHARE MODE",
  dialect: Dialect,
  optional = false,
): Statement {
  const check = checkOf(table, rows, compare, optional);
  const { from, values, params } = source(table, check.fields, rows.map((row) => check.cells(row)), first, dialect);
  const sql = `SELECT ${ORDINAL} FROM ${from} LEFT JOIN ${tableName(table)} ON ${check.on(values)} ` +
    `GROUP BY ${ORDINAL} HAVING MAX((${check.holds(values)}) IS NOT TRUE) ORDER BY ${ORDINAL} ${lock}`;
  return { sql, params };
}
