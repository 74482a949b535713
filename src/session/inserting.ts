/**
 * Running an `insert(Model)`: with RETURNING where the database has it. Where it has not, the rows are read back by their
 * keys in the same transaction: one request more, and one before it where rows that are there already are left alone.
 *
 * @module
 */
import type { CallOptions, Connection } from "../database.ts";
import { StatementError, ValidationError } from "../errors.ts";
import { runOnConnection } from "../execution/writes.ts";
import type { MappedColumn, Mapper } from "../model/mapper.ts";
import { conflictTarget, type InsertNode, type InsertRows, insertRows, toInsert } from "../query/insert.ts";
import { columnNames } from "../sql/ddl.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { ResultSet, SqlValue } from "../sql/statement.ts";
import type { InsertStep, KeyRef } from "../sql/step.ts";
import { keyToken } from "../state/key.ts";
import { tableName } from "../query/where.ts";
import { RowChange } from "../unit_of_work/row_change.ts";
import { writtenKey } from "../unit_of_work/results.ts";

/** Inserts on a connection; every column of each written row comes back. */
export type Inserting = (connection: Connection, options: CallOptions) => Promise<ResultSet>;

/** One statement. */
export function insertReturning(node: InsertNode, dialect: Dialect): Inserting {
  const { sql, params } = toInsert(node, insertRows(node, dialect), dialect);
  const statement = { sql: `${sql} RETURNING ${columnNames(node.mapper.readColumns, dialect)}`, params };
  return (connection, options) => connection.execute(statement, options);
}

/** An INSERT and a SELECT. */
export function insertAndRead(node: InsertNode, dialect: Dialect): Inserting {
  const { mapper, conflict } = node;
  const given = insertRows(node, dialect);
  return conflict === null
    ? (connection, options) => insertNew(mapper, given, dialect, connection, options)
    : upsert(node, given, conflictTarget(mapper, conflict), dialect);
}

/** Rows that are all new: planned as a commit would, so that the keys that the database makes are known. */
async function insertNew(
  mapper: Mapper,
  { columns, rows }: InsertRows,
  dialect: Dialect,
  connection: Connection,
  options: CallOptions,
): Promise<ResultSet> {
  const returning = mapper.columns.filter((column) => !column.primaryKey);
  const makesKey = mapper.key.some((column) => !columns.includes(column));
  const changes = rows.map((row, ordinal) =>
    newRow(mapper, columns, row, makesKey ? { table: mapper, ordinal } : null)
  );
  const step: InsertStep = {
    kind: "insert",
    table: mapper,
    columns,
    rows,
    firstOrdinal: makesKey ? 0 : null,
    returning,
  };
  const plan = {
    steps: [{ step, rows: changes, states: changes.map(() => null) }],
    replaced: new Map(),
    corrected: new Map(),
    relations: [],
    needsConversation: true,
  };
  const { made } = await runOnConnection(connection, dialect, { plan, compiled: [] }, options, null);
  const written = changes.map((change) => {
    const key = writtenKey(change);
    const values = made.get(change)!;
    return mapper.columns.map((column) =>
      column.primaryKey ? key[mapper.key.indexOf(column)]! : values[returning.indexOf(column)]!
    );
  });
  return { columns: mapper.columns.map(({ name }) => name), rows: written, rowsAffected: written.length };
}

function newRow(
  mapper: Mapper,
  columns: readonly MappedColumn[],
  row: readonly SqlValue[],
  made: KeyRef | null,
): RowChange {
  const cells: SqlValue[] = [];
  columns.forEach((column, i) => cells[column.index] = row[i]!);
  const change = new RowChange("insert", mapper, null, cells);
  change.made = made;
  return change;
}

/** Rows whose key may be taken: they are found again by that key. */
function upsert(node: InsertNode, given: InsertRows, target: readonly MappedColumn[], dialect: Dialect): Inserting {
  const { mapper, conflict } = node;
  const keys = given.rows.map((row) => target.map((column) => row[given.columns.indexOf(column)] ?? null));
  const open = target.find((_, i) => keys.some((key) => key[i] === null));
  if (open !== undefined) {
    throw new ValidationError(
      `insert(${mapper.model}) must give ${mapper.model}.${open.property} in each row: by it the written rows are read back`,
    );
  }
  const statement = toInsert(node, given, dialect);
  const names = columnNames(target, dialect);
  const select = (columns: string, some: readonly (readonly SqlValue[])[], lock: string) => {
    const params: SqlValue[] = [];
    const list = dialect.inList(target, some, params);
    const left = target.length === 1 ? names : `(${names})`;
    return { sql: `SELECT ${columns} FROM ${tableName(dialect, mapper)} WHERE ${left} IN ${list}${lock}`, params };
  };
  // With a lock the latest is read, and not what an older snapshot of the transaction shows.
  const lock = dialect.lock?.({ mode: "update" }) ?? "";
  const distinct = new Set(keys.map((key) => token(key, target, mapper, dialect))).size;
  return async (connection, options) => {
    let written = keys;
    if (conflict!.update === undefined) {
      // What is not there now is what the insert will write, but for what another writes meanwhile under READ COMMITTED.
      const there = await connection.execute(select(names, keys, lock), options);
      const taken = new Set(there.rows.map((key) => token(key, target, mapper, dialect)));
      written = keys.filter((key) => !taken.has(token(key, target, mapper, dialect)));
    }
    const { rowsAffected } = await connection.execute(statement, options);
    if (written.length === 0) return { columns: [], rows: [], rowsAffected };
    const rows = await connection.execute(select(columnNames(mapper.readColumns, dialect), written, lock), options);
    if (rows.rows.length <= distinct) return rows;
    throw new StatementError(
      `The target of onConflict() is no unique key of ${mapper.model}: ${
        target.map(({ property }) => property).join(", ")
      } finds several rows; roll back`,
    );
  };
}

function token(key: readonly SqlValue[], target: readonly MappedColumn[], mapper: Mapper, dialect: Dialect): unknown {
  const codecs = mapper.codecs(dialect);
  return keyToken(key.map((value, i) => codecs[target[i]!.index]!.decode(value)));
}
