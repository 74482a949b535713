/**
 * The steps of a commit as SQLite statements: a guard that names the first stale row by its ordinal, then the write.
 * Between the two nothing can change, since the batch holds SQLite's only write lock.
 *
 * A guard makes `json_extract` fail on a path that is no path: its message then holds the token. The path is made of a
 * row or an aggregate, since SQLite evaluates constants even when there is no row.
 *
 * @module
 */
import { isOpenKey } from "./cell.ts";
import { columnNames } from "./ddl.ts";
import type { Dialect } from "./dialect.ts";
import { staleToken } from "./guard.ts";
import { tableName } from "./sqlite_ddl.ts";
import { KeyLedger } from "./sqlite_keys.ts";
import { type MadeRows, noteRows } from "./sqlite_notes.ts";
import type { SqliteLimits } from "./sqlite_limits.ts";
import { chunks, type Field, source, writeCell } from "./sqlite_source.ts";
import type { SqlValue, Statement } from "./statement.ts";
import type { Cell, CompiledStatement, DeleteStep, InsertStep, RowMatch, Step, UpdateRow, UpdateStep } from "./step.ts";
import type { ColumnInfo, TableInfo } from "./table.ts";
import { Sql, writeSql } from "./tag.ts";

/** What the compiling of one batch shares: where statements go, and which keys they make. */
interface Batch {
  readonly dialect: Dialect;
  readonly limits: SqliteLimits;
  readonly keys: KeyLedger;
  readonly out: CompiledStatement[];
  /** The record in which to note what is made. */
  readonly record: string | undefined;
}

/** Turns steps into statements. Costs one pass over the rows. */
export function compileSteps(
  steps: readonly Step[],
  dialect: Dialect,
  limits: SqliteLimits,
  record?: string,
): CompiledStatement[] {
  const batch: Batch = { dialect, limits, keys: new KeyLedger(dialect), out: [], record };
  for (const [i, step] of steps.entries()) {
    if (step.kind === "insert") compileInsert(step, i, batch);
    else if (step.kind === "update") compileUpdate(step, i, batch);
    else if (step.kind === "delete") compileDelete(step, i, batch);
    else if (step.kind === "verify") compileGuard(step.table, step.rows, step.compare, i, batch);
    else if (step.kind === "staged") push(batch, i, step.statement, [0, 0], null);
    else push(batch, i, requireStatement(step.condition, i, dialect), [0, 0], null, true);
  }
  return batch.out;
}

function push(
  batch: Batch,
  step: number,
  statement: Statement,
  [from, to]: readonly [number, number],
  match: RowMatch | null,
  guard = false,
): void {
  batch.out.push({ statement, step, from, to, guard, match });
}

/** Notes what the statement before made, where that is wanted. */
function note(
  batch: Batch,
  step: number,
  table: TableInfo,
  returning: readonly ColumnInfo[],
  made: () => MadeRows,
): void {
  const { record, dialect, out } = batch;
  if (record === undefined || out.at(-1)!.match === null) return;
  push(batch, step, noteRows(record, table, returning, made(), dialect), [0, 0], null);
}

/** ` RETURNING …`: the key, then what was asked for. */
function returningClause(table: TableInfo, returning: readonly ColumnInfo[], dialect: Dialect): string {
  return ` RETURNING ${columnNames([...table.key, ...returning], dialect)}`;
}

function compileInsert(insert: InsertStep, step: number, batch: Batch): void {
  const { table, returning, firstOrdinal: first } = insert;
  const { dialect, keys } = batch;
  const into = `INSERT INTO ${tableName(table, dialect)}`;
  const ownKey = table.key.every((column) => insert.columns.includes(column));
  const made = !ownKey && table.identity !== null;
  // Keys that an expression makes have no order: such rows go one by one, and so do rows without any column.
  const single = !ownKey && !made;
  const match = !ownKey ? "ascending" : returning.length > 0 ? "key" : null;
  const tail = match === null ? "" : returningClause(table, returning, dialect);
  const bare = insert.columns.length === 0;
  // A row that refers to one of its own statement waits for the next: a key is known once its statement has run.
  const divide = (row: number, start: number): boolean =>
    single || (bare && !made) ||
    made && first !== null && insert.rows[row]!.some((cell) =>
        isOpenKey(cell) && cell.table === table && cell.ordinal >= first + start && cell.ordinal < first + row
      );
  for (const [from, to] of chunks(insert.columns, insert.rows, batch.limits, divide)) {
    let statement: Statement;
    if (bare && !made) {
      statement = { sql: `${into} DEFAULT VALUES${tail}`, params: [] };
    } else {
      const rows = source(insert.columns, insert.rows.slice(from, to), keys, dialect);
      const columns = bare ? [table.identity!] : insert.columns;
      const values = bare ? "NULL" : rows.values.join(", ");
      // Sorted only where the rows are told apart by the order of their keys: it takes SQLite a sixth of the whole.
      const order = made ? ` ORDER BY ${rows.order}` : "";
      statement = {
        sql: `${into} (${columnNames(columns, dialect)}) SELECT ${values} FROM ${rows.from}${order}${tail}`,
        params: rows.params,
      };
    }
    push(batch, step, statement, [from, to], match);
    if (made && first !== null) keys.insertedRows(table, first + from, to - from);
    else if (table.identity !== null) keys.insertedKeys(table);
    note(batch, step, table, returning, () => {
      if (!ownKey) return made && to - from > 1 ? to - from : "last";
      const at = table.key.map((column) => insert.columns.indexOf(column));
      return { keys: insert.rows.slice(from, to).map((row) => at.map((i) => row[i])), ledger: keys };
    });
  }
}

function compileUpdate(update: UpdateStep, step: number, batch: Batch): void {
  compileGuard(update.table, update.rows, update.compare, step, batch);
  if (update.columns.length === 0 && !update.bump && update.returning.length === 0) return;
  // Rows with expressions go one by one, where an expression sees the columns of its row under their plain names.
  let start = 0;
  for (const [i, row] of update.rows.entries()) {
    if (!row.cells.some((cell) => cell instanceof Sql)) continue;
    updateRows(update, start, i, step, batch);
    updateRow(update, i, step, batch);
    start = i + 1;
  }
  updateRows(update, start, update.rows.length, step, batch);
}

function updateRows(update: UpdateStep, start: number, end: number, step: number, batch: Batch): void {
  const { table } = update;
  const { dialect, keys } = batch;
  const part = update.rows.slice(start, end);
  const columns = update.columns.map((column, i) => ({ column, i }))
    .filter(({ i }) => part.some((row) => row.cells[i] !== undefined));
  const partial = columns.filter(({ i }) => part.some((row) => row.cells[i] === undefined));
  const fields: Field[] = [...table.key, ...columns.map(({ column }) => column), ...partial.map(() => null)];
  const cells = part.map((row): Cell[] => [
    ...row.key,
    ...columns.map(({ i }) => row.cells[i] ?? null),
    ...partial.map(({ i }) => row.cells[i] === undefined ? 0 : 1),
  ]);
  for (const [from, to] of chunks(fields, cells, batch.limits)) {
    const rows = source(fields, cells.slice(from, to), keys, dialect);
    const sets = columns.map(({ column, i }, at) => {
      const name = dialect.quote(column.name);
      const value = rows.values[table.key.length + at]!;
      const flag = partial.findIndex((one) => one.i === i);
      if (flag < 0) return `${name} = ${value}`;
      return `${name} = CASE WHEN ${
        rows.values[table.key.length + columns.length + flag]
      } THEN ${value} ELSE t.${name} END`;
    });
    const bump = bumpClause(update, "t.", dialect);
    if (bump !== null) sets.push(bump);
    // Nothing to set but values to return: the key is set to itself.
    if (sets.length === 0) sets.push(`${dialect.quote(table.key[0]!.name)} = t.${dialect.quote(table.key[0]!.name)}`);
    const on = table.key.map((column, i) => `t.${dialect.quote(column.name)} = ${rows.values[i]}`).join(" AND ");
    const tail = update.returning.length > 0 ? returningClause(table, update.returning, dialect) : "";
    const sql = `UPDATE ${tableName(table, dialect)} AS t SET ${sets.join(", ")} FROM ${rows.from} WHERE ${on}${tail}`;
    push(batch, step, { sql, params: rows.params }, [start + from, start + to], tail === "" ? null : "key");
    const written = () => ({ keys: part.slice(from, to).map(({ key }) => key), ledger: keys });
    note(batch, step, table, update.returning, written);
  }
}

function updateRow(update: UpdateStep, index: number, step: number, batch: Batch): void {
  const { table } = update;
  const { dialect, keys } = batch;
  const row = update.rows[index]!;
  const params: SqlValue[] = [];
  const write = (cell: Cell): string => writeCell(cell, keys, dialect, params);
  const sets: string[] = [];
  for (const [i, column] of update.columns.entries()) {
    const cell = row.cells[i];
    if (cell !== undefined) sets.push(`${dialect.quote(column.name)} = ${write(cell)}`);
  }
  const bump = bumpClause(update, "", dialect);
  if (bump !== null) sets.push(bump);
  const where = table.key.map((column, i) => `${dialect.quote(column.name)} = ${write(row.key[i])}`).join(" AND ");
  const tail = update.returning.length > 0 ? returningClause(table, update.returning, dialect) : "";
  const sql = `UPDATE ${tableName(table, dialect)} SET ${sets.join(", ")} WHERE ${where}${tail}`;
  push(batch, step, { sql, params }, [index, index + 1], tail === "" ? null : "key");
  note(batch, step, table, update.returning, () => ({ keys: [row.key], ledger: keys }));
}

function bumpClause(update: UpdateStep, alias: string, dialect: Dialect): string | null {
  if (!update.bump || update.table.version === null) return null;
  const version = dialect.quote(update.table.version.name);
  return `${version} = ${alias}${version} + 1`;
}

function compileDelete(remove: DeleteStep, step: number, batch: Batch): void {
  const { table, rows } = remove;
  compileGuard(table, rows, remove.compare, step, batch, !remove.checked);
  const cells = rows.map((row) => row.key);
  for (const [from, to] of chunks(table.key, cells, batch.limits)) {
    const some = source(table.key, cells.slice(from, to), batch.keys, batch.dialect);
    const key = columnNames(table.key, batch.dialect);
    const left = table.key.length === 1 ? key : `(${key})`;
    const sql = `DELETE FROM ${tableName(table, batch.dialect)} WHERE ${left} IN ` +
      `(SELECT ${some.values.join(", ")} FROM ${some.from})`;
    push(batch, step, { sql, params: some.params }, [from, to], null);
  }
}

/**
 * The statement that fails when a row is not there or not as it was read. With `optional`, rows are checked only if
 * they say what they must be like.
 */
function compileGuard(
  table: TableInfo,
  all: readonly Pick<UpdateRow, "key" | "version" | "before">[],
  compare: readonly ColumnInfo[],
  step: number,
  batch: Batch,
  optional = false,
): void {
  const { dialect } = batch;
  const rows = all.map((row, ordinal) => ({ ...row, ordinal }))
    .filter((row) => !optional || row.version !== undefined || row.before !== undefined);
  const versions = table.version === null ? 0 : rows.filter((row) => row.version !== undefined).length;
  const befores = compare.length === 0 ? 0 : rows.filter((row) => row.before !== undefined).length;
  const fields: Field[] = [null, ...table.key];
  if (versions > 0) fields.push(table.version);
  if (befores > 0) fields.push(null, ...compare);
  const cells = rows.map((row): Cell[] => {
    const cell: Cell[] = [row.ordinal, ...row.key];
    if (versions > 0) cell.push(row.version ?? null);
    if (befores > 0) cell.push(row.before ? 1 : 0, ...compare.map((_, i) => row.before?.[i] ?? null));
    return cell;
  });
  for (const [from, to] of chunks(fields, cells, batch.limits)) {
    const some = source(fields, cells.slice(from, to), batch.keys, dialect);
    const on = table.key.map((column, i) => `t.${dialect.quote(column.name)} = ${some.values[i + 1]}`);
    let at = table.key.length + 1;
    if (versions > 0 && table.version !== null) {
      const value = some.values[at++]!;
      const same = `t.${dialect.quote(table.version.name)} = ${value}`;
      on.push(versions === rows.length ? same : `(${value} IS NULL OR ${same})`);
    }
    if (befores > 0) {
      const flag = some.values[at++]!;
      const same = compare.map((column, i) => `${comparable(column, dialect)} IS ${some.values[at + i]}`).join(" AND ");
      on.push(befores === rows.length ? same : `(NOT ${flag} OR (${same}))`);
    }
    const sql = `SELECT json_extract('{}', ? || min(${some.values[0]}) || ':' || count(*)) FROM ${some.from} ` +
      `LEFT JOIN ${tableName(table, dialect)} AS t ON ${on.join(" AND ")} ` +
      `WHERE t.${dialect.quote(table.key[0]!.name)} IS NULL HAVING count(*) > 0`;
    const range = [rows[from]!.ordinal, rows[to - 1]!.ordinal + 1] as const;
    push(batch, step, { sql, params: [staleToken(step), ...some.params] }, range, null, true);
  }
}

/** A column as it compares with an encoded value: SQLite's own timestamps are brought to the form that Ledge writes. */
function comparable(column: ColumnInfo, dialect: Dialect): string {
  const name = `t.${dialect.quote(column.name)}`;
  return column.type.name === "timestamp" ? `strftime('%Y-%m-%dT%H:%M:%fZ', ${name})` : name;
}

function requireStatement(condition: Sql, step: number, dialect: Dialect): Statement {
  const params: SqlValue[] = [`[${step}]`];
  // A column of the condition must not be taken for one of json_each, hence the subquery and the odd name.
  const sql = "SELECT json_extract('{}', 'ledge:require:' || v.ledge_step) " +
    "FROM (SELECT value AS ledge_step FROM json_each(?)) v " +
    `WHERE NOT coalesce((${writeSql(condition, dialect, params)}), 0)`;
  return { sql, params };
}
