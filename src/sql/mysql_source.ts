/**
 * Many rows as one table to join with: what updates, deletes and checks of the MySQL dialect share.
 *
 * The rows are a UNION ALL of SELECTs, which every MySQL and MariaDB has (VALUES and JSON_TABLE differ). Its first SELECT
 * takes the columns of the table itself and has no row: by it the rows have the types and collations of what they are
 * compared with and set to, whatever a server makes of a column of literals, and the table is found by its key.
 *
 * 1,000 rows of 3 columns took 27 ms, and as much for each 1,000 of more (MariaDB 10.11).
 *
 * @module
 */
import { isOpenKey, known } from "./cell.ts";
import { divide } from "./chunks.ts";
import { DECIMAL_DIGITS, DECIMAL_SCALE } from "./mysql_codecs.ts";
import { columnOf, tableName } from "./mysql_names.ts";
import type { Dialect } from "./dialect.ts";
import type { SqlValue } from "./statement.ts";
import type { Cell } from "./step.ts";
import type { ColumnInfo, ColumnType, TableInfo } from "./table.ts";
import { Sql, writeSql } from "./tag.ts";

/** The rows of one UNION ALL. */
export const MAX_ROWS = 1_000;
/** The rows of one VALUES list, and of one IN list. */
export const MAX_VALUES_ROWS = 5_000;
/** The bytes of one statement's values: a server takes 16 MiB (max_allowed_packet) unless it was told otherwise. */
const MAX_TEXT = 4_194_304;

/** The table of the rows, and the column of their ordinals. */
export const ROWS = "`ledge_v`";
export const ORDINAL = "`ledge_v`.`ledge_ord`";

/** What a position of the rows holds: values to compare a column with, values to set it to, or (null) a flag. */
export type Field = { readonly column: ColumnInfo; readonly compared: boolean } | null;

/** Rows ready to be joined with. */
export interface Source {
  /** What follows FROM. */
  readonly from: string;
  /** The SQL of each field's value. */
  readonly values: readonly string[];
  readonly params: readonly SqlValue[];
}

/** Text that compares as the type that it stands for: MySQL would compare it with a decimal as a double. */
function castOf(type: ColumnType): string | null {
  if (type.name === "timestamp") return "DATETIME(3)";
  if (type.name === "date") return "DATE";
  if (type.name !== "decimal") return null;
  const { precision, scale } = type;
  return precision === undefined
    ? `DECIMAL(${DECIMAL_DIGITS}, ${DECIMAL_SCALE})`
    : `DECIMAL(${precision}, ${scale ?? 0})`;
}

/** A placeholder of a value that is compared with a column. */
export function compared(column: ColumnInfo): string {
  const type = castOf(column.type);
  return type === null ? "?" : `CAST(? AS ${type})`;
}

/** A cell as the value that it is; a key must be known by now. */
export function valueOf(cell: Cell): SqlValue | Sql {
  const value = known(cell);
  if (isOpenKey(value)) {
    throw new Error(`The plan refers to row ${value.ordinal} of ${value.table.model} before its key is known`);
  }
  return value ?? null;
}

/** A cell as SQL, its values appended to `params`. */
export function writeCell(cell: Cell, dialect: Dialect, params: SqlValue[]): string {
  const value = valueOf(cell);
  if (value instanceof Sql) return `(${writeSql(value, dialect, params)})`;
  params.push(value);
  return "?";
}

/** The most bytes that a cell takes in the text: a character has up to three a unit, or two when it is escaped. */
function costOf(cell: Cell): number {
  const value = known(cell);
  if (typeof value === "string") return value.length * 3 + 4;
  if (value instanceof Uint8Array) return value.length * 2 + 5;
  if (!(value instanceof Sql)) return 28;
  return value.parts.reduce(
    (sum, part) =>
      sum + (part.kind === "value" ? costOf(part.value as Cell) : part.kind === "text" ? part.text.length : 80),
    4,
  );
}

/** Divides rows into statements. */
export function chunks(rows: readonly (readonly Cell[])[], most = MAX_ROWS): Generator<readonly [number, number]> {
  return divide(rows.length, {
    rows: most,
    cost: MAX_TEXT,
    costOf: (row) => rows[row]!.reduce((sum: number, cell) => sum + costOf(cell), 16),
  });
}

/** `(SELECT … UNION ALL SELECT …) AS ledge_v`; ordinals start at `first`. */
export function source(
  table: TableInfo,
  fields: readonly Field[],
  rows: readonly (readonly Cell[])[],
  first: number,
  dialect: Dialect,
): Source {
  const params: SqlValue[] = [];
  const types = fields.map((field, i) => `${field === null ? "0" : columnOf(table, field.column)} AS \`ledge_${i}\``);
  const selects = rows.map((row, i) => {
    const cells = fields.map((field, at) => {
      // Flags are the plan's own: written out, they cost no placeholder.
      if (field === null) return String(Number(row[at]));
      const placeholder = writeCell(row[at], dialect, params);
      return field.compared ? compared(field.column) : placeholder;
    });
    return `SELECT ${[String(first + i), ...cells].join(", ")}`;
  });
  const none = `SELECT ${["0 AS `ledge_ord`", ...types].join(", ")} FROM ${tableName(table)} WHERE 1 = 0`;
  return {
    from: `(${[none, ...selects].join(" UNION ALL ")}) AS ${ROWS}`,
    values: fields.map((_, i) => `${ROWS}.\`ledge_${i}\``),
    params,
  };
}
