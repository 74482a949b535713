/**
 * Inserts, and the keys that PostgreSQL makes for them: drawn before the rows are written, so that each row's key is known
 * by its position, and later rows of the batch can use it.
 *
 * @module
 */
import { columnNames } from "./ddl.ts";
import { type Batch, giving, push, singly, writeValue } from "./postgres_batch.ts";
import { carriedType, type Run } from "./postgres_keys.ts";
import { addPlainRows, addRows, Draft } from "./postgres_source.ts";
import { quote, tableName } from "./postgres_types.ts";
import type { InsertStep } from "./step.ts";
import type { ColumnInfo, TableInfo } from "./table.ts";
import { Sql, writeSql } from "./tag.ts";

/** Compiles an insert step. */
export function compileInsert(insert: InsertStep, step: number, batch: Batch): void {
  const { table, rows } = insert;
  const missing = table.key.filter((column) => !insert.columns.includes(column));
  // A key that some trigger makes, say, cannot be drawn: such rows go one by one, and so do rows with expressions.
  const drawable = missing.every((column) => column.serverDefault !== null || column.type.name === "identity");
  const alone = (row: number): boolean => !drawable || rows[row]!.some((cell) => cell instanceof Sql);
  for (const [from, to, single] of singly(rows.length, alone)) {
    if (single) insertRow(insert, from, missing, step, batch);
    else insertRows(insert, from, to, missing, step, batch);
  }
}

/** The SQL that makes a key: the column's default, or the next value of its sequence, which needs USAGE on it. */
function drawKey(column: ColumnInfo, table: TableInfo, draft: Draft, batch: Batch): string {
  if (column.serverDefault !== null) return `(${writeSql(column.serverDefault, batch.dialect, draft.params)})`;
  // In a subquery of its own the sequence is looked up once, not once a row.
  const sequence = `pg_get_serial_sequence(${draft.bind(tableName(table))}, ${draft.bind(column.name)})`;
  return `nextval((SELECT ${sequence}::regclass))`;
}

function insertRows(
  insert: InsertStep,
  from: number,
  to: number,
  missing: readonly ColumnInfo[],
  step: number,
  batch: Batch,
): void {
  const { table, columns, returning, firstOrdinal } = insert;
  const part = insert.rows.slice(from, to);
  const draft = new Draft();
  const givesNothing = missing.length === 0 && returning.length === 0;
  const plain = givesNothing ? addPlainRows(draft, { table, columns, rows: part }) : null;
  const expressions = missing.map((column) => drawKey(column, table, draft, batch));
  const run = firstOrdinal === null ? null : batch.keys.add(table, firstOrdinal + from, to - from);
  const rows = plain ?? addRows(draft, {
    table,
    columns,
    rows: part,
    first: from,
    drawn: { columns: missing, expressions, run },
  }, batch.keys);
  const key = table.key.map((column) => {
    const at = missing.indexOf(column);
    return at < 0 ? rows.values[columns.indexOf(column)]! : rows.drawn[at]!;
  });
  // An identity that is GENERATED ALWAYS takes the key that was drawn for it.
  const overriding = missing.some((column) => column.type.name === "identity") ? " OVERRIDING SYSTEM VALUE" : "";
  const write =
    `INSERT INTO ${tableName(table)} (${columnNames([...missing, ...columns], batch.dialect)})${overriding} ` +
    `SELECT ${[...rows.drawn, ...rows.values].join(", ")} FROM ${plain?.from ?? "ledge_r AS r ORDER BY r.ord"}`;
  if (givesNothing) return push(batch, step, draft.statement(write), [from, to]);
  let source = "ledge_r AS r";
  // Only what the database alone knows is asked for: RETURNING needs a policy that lets the rows be read.
  if (returning.length === 0) draft.with("ledge_i", write);
  else {
    const values = [
      ...table.key.map((column, i) => `${quote(column.name)} AS k${i}`),
      ...returning.map((column, i) => `${quote(column.name)} AS v${i}`),
    ];
    draft.with("ledge_i", `${write} RETURNING ${values.join(", ")}`);
    source += ` JOIN ledge_i AS i ON ${key.map((value, i) => `i.k${i} = ${value}`).join(" AND ")}`;
  }
  if (run !== null) {
    const array = "(SELECT array_agg(d.k0 ORDER BY d.ord) FROM ledge_d AS d)";
    draft.with("ledge_s", `SELECT ${keep(run, array, table)} AS kept`, "MATERIALIZED ");
    source += " CROSS JOIN ledge_s AS s WHERE s.kept IS NOT NULL";
  }
  const selected = ["r.ord", ...key, ...returning.map((_, i) => `i.v${i}`)];
  const statement = giving(draft, `SELECT ${selected.join(", ")} FROM ${source}`, selected.length, batch);
  push(batch, step, statement, [from, to], "position");
}

/** Leaves keys in the transaction's setting of a run. */
function keep(run: Run, array: string, table: TableInfo): string {
  return `set_config('${run.setting}', ${array}::${carriedType(table.key[0]!)}[]::text, true)`;
}

/** One row, whose key, where it is not given, the database makes as it inserts. */
function insertRow(
  insert: InsertStep,
  index: number,
  missing: readonly ColumnInfo[],
  step: number,
  batch: Batch,
): void {
  const { table, columns, returning, firstOrdinal } = insert;
  const draft = new Draft();
  const cells = insert.rows[index]!.map((cell) => writeValue(cell, draft, batch));
  const write = `INSERT INTO ${tableName(table)} ` +
    (columns.length === 0 ? "DEFAULT VALUES" : `(${columnNames(columns, batch.dialect)}) VALUES (${cells.join(", ")})`);
  const run = firstOrdinal === null ? null : batch.keys.add(table, firstOrdinal + index, 1);
  if (missing.length === 0 && returning.length === 0) {
    push(batch, step, draft.statement(write), [index, index + 1]);
    return;
  }
  const made = [...table.key, ...returning];
  draft.with("ledge_i", `${write} RETURNING ${made.map((column, i) => `${quote(column.name)} AS v${i}`).join(", ")}`);
  const selected = [`${index} AS ord`, ...made.map((_, i) => `i.v${i}`)];
  if (run !== null) selected.push(keep(run, "ARRAY[i.v0]", table));
  const statement = giving(draft, `SELECT ${selected.join(", ")} FROM ledge_i AS i`, selected.length, batch);
  push(batch, step, statement, [index, index + 1], "position");
}
