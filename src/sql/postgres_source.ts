/**
 * The rows of a step as a common table expression, `ledge_r`: what inserts, updates, deletes and guards of the PostgreSQL
 * dialect share.
 *
 * Rows travel as one JSON parameter and take their types from the table itself (json_populate_record), so that a
 * statement's text depends neither on their number nor, but for JSON's null, on their values, and native enumerations, domains and the like
 * need no declaration. Each row is `[mask, record, before, key, …]`: a character a column of which the rows differ in
 * more than the value, the values by column name, what the row must still hold, and the places of keys made in this
 * batch. A column of a domain that is NOT NULL must be in every row, since PostgreSQL checks what a record leaves out;
 * the server refuses the statement otherwise.
 *
 * Rows that need none of that but the values travel as an array of records ({@linkcode addPlainRows}).
 *
 * Names of common table expressions begin with `ledge_`, since they would hide a table of the same name.
 *
 * @module
 */
import { isOpenKey, known, type OpenKey } from "./cell.ts";
import { columnName, isBytes } from "./codecs.ts";
import type { KeyLedger, Run } from "./postgres_keys.ts";
import { nullRow, quote } from "./postgres_types.ts";
import type { SqlValue, Statement } from "./statement.ts";
import type { Cell } from "./step.ts";
import type { ColumnInfo, TableInfo } from "./table.ts";

/** The rows of one statement: what bounds the memory that it takes. */
export const MAX_ROWS = 10_000;

/** A statement in the making: its common table expressions and its values. */
export class Draft {
  readonly params: SqlValue[] = [];
  readonly #tables: string[] = [];

  /** The placeholder of a value. */
  bind(value: SqlValue): string {
    this.params.push(value);
    return `$${this.params.length}`;
  }

  /** Adds a common table expression; `how` is "" for one that the planner may inline or that writes. */
  with(name: string, query: string, how: "" | "MATERIALIZED " = ""): void {
    this.#tables.push(`${name} AS ${how}(${query})`);
  }

  /** The statement with this at its end. */
  statement(main: string): Statement {
    const { params } = this;
    return { sql: this.#tables.length === 0 ? main : `WITH ${this.#tables.join(", ")} ${main}`, params };
  }
}

/** Keys that the statement itself draws for its rows. */
export interface Drawn {
  readonly columns: readonly ColumnInfo[];
  /** The SQL that makes each of them. */
  readonly expressions: readonly string[];
  /** Where the keys are noted, when rows of the batch refer to them. */
  readonly run: Run | null;
}

/** What the rows are. */
export interface RowsSpec {
  readonly table: TableInfo;
  readonly columns: readonly ColumnInfo[];
  /** One cell a column; undefined leaves the column as it is. Never an SQL expression. */
  readonly rows: readonly (readonly Cell[])[];
  /** The columns of `before`. */
  readonly compare?: readonly ColumnInfo[];
  /** What each row must still hold. */
  readonly before?: readonly (readonly SqlValue[] | undefined)[];
  /** What is true of some rows only. */
  readonly flags?: readonly ((row: number) => boolean)[];
  /** The position in the step of the first row. */
  readonly first: number;
  readonly drawn?: Drawn;
}

/** The columns of `ledge_r AS r`. */
export interface Rows {
  /** The value of each column; NULL where the row does not set it. */
  readonly values: readonly string[];
  /** A condition that a row sets the column; null when every row does. */
  readonly isSet: readonly (string | null)[];
  readonly before: readonly string[];
  /** A condition for each flag; null when it is true of every row. */
  readonly flags: readonly (string | null)[];
  readonly drawn: readonly string[];
}

/** Adds the rows to a draft as `ledge_r`, with their position in the step as `ord`. Costs one pass over the rows. */
export function addRows(draft: Draft, spec: RowsSpec, keys: KeyLedger): Rows {
  const { table, columns, rows, compare = [], drawn } = spec;
  const mask = new Mask(rows.length);
  const isSet = columns.map((_, i) => mask.add((row) => rows[row]![i] !== undefined));
  // JSON null inside a record is SQL NULL: a column's own JSON null is said apart.
  const isJsonNull = columns.map((column, i) =>
    column.type.name === "json" ? mask.add((row) => rows[row]![i] === "null", true) : null
  );
  const flags = (spec.flags ?? []).map((flag) => mask.add(flag));
  const slots = keySlots(columns, rows);
  const names = namesOf(columns);
  const compareNames = namesOf(compare);
  const json = rows.map((row, at) =>
    `["${mask.text(at)}",${record(columns, names, row)},${
      compare.length === 0 ? "null" : record(compare, compareNames, spec.before?.[at] ?? [])
    }${slots.map((slot) => `,${slotIndex(slot, row, keys)}`).join("")}]`
  );
  let elements = `json_array_elements(${draft.bind(`[${json.join(",")}]`)}::json) WITH ORDINALITY AS e(j, ord)`;
  if (drawn !== undefined && drawn.columns.length > 0) {
    const made = drawn.expressions.map((expression, i) => `${expression} AS k${i}`);
    draft.with("ledge_d", `SELECT e.ord, e.j, ${made.join(", ")} FROM ${elements}`, "MATERIALIZED ");
    elements = "ledge_d AS e";
  }
  const tables = [...new Set(slots.map((slot) => slot.table))];
  for (const [i, referred] of tables.entries()) {
    const own = "(SELECT array_agg(d.k0 ORDER BY d.ord) FROM ledge_d AS d)";
    draft.with(`ledge_k${i}`, `SELECT ${keys.array(referred, drawn?.run ?? null, own)} AS a`, "MATERIALIZED ");
  }
  const row = nullRow(table);
  let values = `json_populate_record(${row}, e.j->1)`;
  if (slots.length > 0) {
    const made = slots.map(({ column, table }, i) =>
      `${draft.bind(column.name)}::text, ledge_k${tables.indexOf(table)}.a[(e.j->>${i + 3})::int]`
    );
    values = `json_populate_record(${values}, json_strip_nulls(json_build_object(${made.join(", ")})))`;
  }
  const from = [...tables.map((_, i) => `ledge_k${i}`), elements, `${values} AS p`];
  if (compare.length > 0) from.push(`json_populate_record(${row}, e.j->2) AS b`);
  const selected = [
    `e.ord ${spec.first === 0 ? "- 1" : `+ ${spec.first - 1}`} AS ord`,
    "e.j->>0 AS m",
    ...columns.map((column, i) => {
      const value = `p.${quote(column.name)}`;
      const nulls = isJsonNull[i] ?? null;
      return `${nulls === null ? value : `CASE WHEN ${nulls("e.j->>0")} THEN 'null' ELSE ${value} END`} AS c${i}`;
    }),
    ...compare.map((column, i) => `b.${quote(column.name)} AS b${i}`),
    ...(drawn?.columns ?? []).map((_, i) => `e.k${i}`),
  ];
  draft.with("ledge_r", `SELECT ${selected.join(", ")} FROM ${from.join(", ")}`, "MATERIALIZED ");
  return {
    values: columns.map((_, i) => `r.c${i}`),
    isSet: isSet.map((condition) => condition?.("r.m") ?? null),
    before: compare.map((_, i) => `r.b${i}`),
    flags: flags.map((condition) => condition?.("r.m") ?? null),
    drawn: (drawn?.columns ?? []).map((_, i) => `r.k${i}`),
  };
}

/**
 * The rows as a function to select from, where each has a value known by now in every column: null otherwise. The database
 * is through with them in four fifths of the time, as nothing has to be taken apart or kept.
 */
export function addPlainRows(
  draft: Draft,
  { table, columns, rows }: Pick<RowsSpec, "table" | "columns" | "rows">,
): (Pick<Rows, "values" | "drawn"> & { readonly from: string }) | null {
  const names = namesOf(columns);
  const isPlain = ({ type }: ColumnInfo, cell: Cell): boolean =>
    cell !== undefined && !isOpenKey(cell) && (cell !== "null" || type.name !== "json");
  if (!rows.every((row) => columns.every((column, i) => isPlain(column, row[i])))) return null;
  const json = rows.map((row) => record(columns, names, row));
  const from = `json_populate_recordset(${nullRow(table)}, ${draft.bind(`[${json.join(",")}]`)}::json) AS p`;
  return { values: columns.map(({ name }) => `p.${quote(name)}`), drawn: [], from };
}

/** A text a row, of 0 and 1, for what is true of some rows only. */
class Mask {
  readonly #rows: string[];
  #length = 0;

  constructor(rows: number) {
    this.#rows = new Array(rows).fill("");
  }

  /** The SQL condition, given where the mask is; null when it is true of every row, unless it is `always` wanted. */
  add(isTrue: (row: number) => boolean, always = false): ((mask: string) => string) | null {
    if (!always && this.#rows.every((_, row) => isTrue(row))) return null;
    this.#rows.forEach((bits, row) => this.#rows[row] = bits + (isTrue(row) ? "1" : "0"));
    const position = ++this.#length;
    return (mask) => `substr(${mask}, ${position}, 1) = '1'`;
  }

  text(row: number): string {
    return this.#rows[row]!;
  }
}

/** A column in which some rows have keys of a table that are made in this batch. */
interface Slot {
  readonly column: ColumnInfo;
  readonly index: number;
  readonly table: TableInfo;
}

function keySlots(columns: readonly ColumnInfo[], rows: readonly (readonly Cell[])[]): Slot[] {
  return columns.flatMap((column, index) => {
    const tables = new Set<TableInfo>();
    for (const row of rows) if (isOpenKey(row[index])) tables.add((row[index] as OpenKey).table);
    return [...tables].map((table) => ({ column, index, table }));
  });
}

function slotIndex({ index, table }: Slot, row: readonly Cell[], keys: KeyLedger): string {
  const cell = row[index];
  return isOpenKey(cell) && cell.table === table ? String(keys.index(cell)) : "null";
}

/** The names of columns as JSON has them. */
function namesOf(columns: readonly ColumnInfo[]): string[] {
  return columns.map(({ name }) => `${JSON.stringify(name)}:`);
}

/** A row as a JSON object, by column name; what it leaves alone is not in it. */
function record(columns: readonly ColumnInfo[], names: readonly string[], row: readonly Cell[]): string {
  let text = "";
  for (let i = 0; i < columns.length; i++) {
    const cell = row[i];
    if (cell === undefined || isOpenKey(cell)) continue;
    text += (text === "" ? "" : ",") + names[i]! + jsonValue(columns[i]!, cell);
  }
  return `{${text}}`;
}

function jsonValue(column: ColumnInfo, cell: Cell): string {
  const value = known(cell) as SqlValue;
  if (value === null) return "null";
  // A json value is JSON text already: the column takes it as it is.
  if (column.type.name === "json" && typeof value === "string") return value;
  if (typeof value === "bigint") return String(value);
  if (isBytes(value)) throw new Error(`${columnName(column)} was not encoded`);
  return JSON.stringify(value);
}
