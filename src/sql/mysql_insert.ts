/**
 * Inserts, and the keys that MySQL makes for them. The rows of one INSERT … VALUES take consecutive keys, in order, from
 * the one that the server tells, in every `innodb_autoinc_lock_mode` (seen with 16 connections at once); those of
 * INSERT … SELECT need not.
 *
 * @module
 */
import { UnsupportedError, ValidationError } from "../errors.ts";
import { known } from "./cell.ts";
import { columnName } from "./codecs.ts";
import { columnNames } from "./ddl.ts";
import type { Dialect } from "./dialect.ts";
import { type Batch, push } from "./mysql_batch.ts";
import { incrementGuard } from "./mysql_guard.ts";
import { tableName } from "./mysql_names.ts";
import { chunks, MAX_VALUES_ROWS, writeCell } from "./mysql_source.ts";
import type { SqlValue, Statement } from "./statement.ts";
import type { InsertStep } from "./step.ts";
import type { ColumnInfo } from "./table.ts";
import { writeSql } from "./tag.ts";

/** Compiles an insert step. */
export function compileInsert(insert: InsertStep, step: number, batch: Batch): void {
  const { table, columns } = insert;
  const { dialect, options } = batch;
  const made = madeKeys(insert).length > 0;
  const counted = made && table.identity !== null;
  if (made && !counted) throw new Error(`The keys of new rows of ${table.model} were not drawn`);
  refuseZero(insert);
  for (const [from, to] of chunks(insert.rows, MAX_VALUES_ROWS)) {
    // The key is written, as NULL, where the statement has to fail on a server that counts otherwise.
    const guarded = counted && to - from > 1 && options.guards === "statement";
    const params: SqlValue[] = [];
    const rows = insert.rows.slice(from, to).map((row, i) => {
      const cells = row.map((cell) => writeCell(cell, dialect, params));
      if (guarded) cells.unshift(i === 0 ? incrementGuard(options.autoIncrementIncrement) : "NULL");
      return `(${cells.join(", ")})`;
    });
    const names = columnNames(guarded ? [table.identity!, ...columns] : columns, dialect);
    const sql = `INSERT INTO ${tableName(table)} (${names}) VALUES ${rows.join(", ")}`;
    const increment = options.autoIncrementIncrement;
    push(batch, step, { sql, params }, [from, to], counted ? { match: "consecutive", increment } : {});
  }
}

/** Refuses a 0 for a key that MySQL counts: it takes it for none and makes another, which nobody is told. */
function refuseZero({ table, columns, rows }: InsertStep): void {
  const at = columns.findIndex((column) => column === table.identity);
  if (at < 0) return;
  const isZero = (value: unknown): boolean => value === 0 || value === 0n;
  if (!rows.some((row) => isZero(known(row[at])))) return;
  const { model, property } = table.identity!;
  throw new ValidationError(
    `The key ${model}.${property} of a new row is 0, in place of which MySQL makes another; leave it out, or give another`,
  );
}

/**
 * The columns of the key that the rows do not give. Throws an UnsupportedError for those that cannot be known, and for a
 * part of a key: rows know one made key, which is all of it.
 */
function madeKeys({ table, columns }: InsertStep): readonly ColumnInfo[] {
  const made = table.key.filter((column) => !columns.includes(column));
  for (const column of made) {
    const isKnown = column === table.identity || column.serverDefault !== null;
    if (isKnown && table.key.length === 1) continue;
    throw new UnsupportedError(
      `The key ${columnName(column)} that the database makes cannot be known in MySQL; ` +
        (isKnown
          ? "it is a part of a key: give it a value, or a default in place of the serverDefault"
          : "give it a value, a serverDefault, or declare it t.identity() and the only key"),
    );
  }
  return made;
}

/**
 * The statement that makes the keys of new rows by their expressions, a row a key; null where the rows bring their keys or
 * the server counts them. A SELECT for each, since an expression may be evaluated once for all rows of one.
 */
export function drawKeys(insert: InsertStep, dialect: Dialect): Statement | null {
  const made = madeKeys(insert);
  if (made.length === 0 || insert.table.identity !== null || insert.rows.length === 0) return null;
  const params: SqlValue[] = [];
  const [key] = made;
  const selects = insert.rows.map(() => `SELECT (${writeSql(key!.serverDefault!, dialect, params)}) AS \`ledge_0\``);
  return { sql: selects.join(" UNION ALL "), params };
}
