/**
 * Updates. Several rows go in one statement, each with its own columns: an UPDATE of the table joined to the rows on the
 * outside, so that a row which is not as it must be is seen, and fails the whole (16 connections with overlapping rows, in
 * REPEATABLE READ and READ COMMITTED: no partial update).
 *
 * MySQL assigns from left to right, and an expression sees what was assigned before it: expressions that could are
 * evaluated first, in a derived table.
 *
 * @module
 */
import { known } from "./cell.ts";
import { type Batch, push, pushGuard } from "./mysql_batch.ts";
import { checkOf, orFail, staleRows, whereRow } from "./mysql_check.ts";
import { columnOf, tableName } from "./mysql_names.ts";
import { chunks, type Field, source, writeCell } from "./mysql_source.ts";
import type { SqlValue, Statement } from "./statement.ts";
import type { Cell, UpdateRow, UpdateStep } from "./step.ts";
import type { ColumnInfo } from "./table.ts";
import { Sql } from "./tag.ts";

/** Compiles an update step. */
export function compileUpdate(update: UpdateStep, step: number, batch: Batch): void {
  const { table, rows, compare } = update;
  const writes = update.columns.length > 0 || isBumped(update);
  const cells = rows.map((row): Cell[] => [...row.key, row.version ?? null, ...row.before ?? [], ...row.cells]);
  let start = 0;
  const flush = (end: number): void => {
    for (const [from, to] of chunks(cells.slice(start, end))) {
      const range = [start + from, start + to] as const;
      const part = rows.slice(...range);
      // Nothing to set: what the database makes is read back, if the row is there.
      if (!writes) {
        pushGuard(batch, step, staleRows(table, part, compare, range[0], "FOR UPDATE", batch.dialect), range);
      } else if (part.length === 1 && tellsByCount(update, part[0]!)) updateRow(update, range[0], step, batch);
      else updateRows(update, range, step, batch);
    }
  };
  for (const [i, row] of rows.entries()) {
    if (!row.cells.some((cell) => cell instanceof Sql)) continue;
    flush(i);
    updateByExpressions(update, i, step, batch);
    start = i + 1;
  }
  flush(rows.length);
}

function isBumped({ bump, table }: UpdateStep): boolean {
  return bump && table.version !== null;
}

/**
 * Whether the number of changed rows tells if the row was there and as it must be: some servers count a row only if a value
 * of it became another, as a version does.
 */
function tellsByCount(update: UpdateStep, row: UpdateRow): boolean {
  return isBumped(update) && row.version !== undefined;
}

/** The assignment that counts the version up, in a list. */
function bumps(update: UpdateStep): string[] {
  if (!isBumped(update)) return [];
  const version = columnOf(update.table, update.table.version!);
  return [`${version} = ${version} + 1`];
}

/** The assignments of plain values of one row. */
function plainSets(update: UpdateStep, row: UpdateRow, batch: Batch, params: SqlValue[]): string[] {
  return update.columns.flatMap((column, i) => {
    const cell = row.cells[i];
    if (cell === undefined || cell instanceof Sql) return [];
    return [`${columnOf(update.table, column)} = ${writeCell(cell, batch.dialect, params)}`];
  });
}

/** One row by key and version: a plain statement, which every server takes. */
function updateRow(update: UpdateStep, index: number, step: number, batch: Batch): void {
  const { table, compare } = update;
  const row = update.rows[index]!;
  const params: SqlValue[] = [];
  const sets = [...plainSets(update, row, batch, params), ...bumps(update)];
  const sql = `UPDATE ${tableName(table)} SET ${sets.join(", ")} WHERE ${whereRow(table, row, compare, params)}`;
  push(batch, step, { sql, params }, [index, index + 1], { expectRows: 1 });
}

function updateRows(update: UpdateStep, range: readonly [number, number], step: number, batch: Batch): void {
  const { table, compare } = update;
  const { dialect, options } = batch;
  const [first] = range;
  const rows = update.rows.slice(...range);
  const set = update.columns.map((column, i) => ({ column, i }))
    .filter(({ i }) => rows.some((row) => row.cells[i] !== undefined));
  const partial = set.filter(({ i }) => rows.some((row) => row.cells[i] === undefined));
  const inStatement = options.guards === "statement";
  // Where a read before has checked the rows, their keys are enough.
  const checked = inStatement ? rows : rows.map(({ key }) => ({ key }));
  const check = checkOf(table, checked, inStatement ? compare : []);
  const fields: Field[] = [
    ...check.fields,
    ...set.map(({ column }) => ({ column, compared: false })),
    ...partial.map(() => null),
  ];
  const cells = rows.map((row, i): Cell[] => [
    ...check.cells(checked[i]!),
    ...set.map(({ i }) => row.cells[i] ?? null),
    ...partial.map(({ i }) => row.cells[i] === undefined ? 0 : 1),
  ]);
  const { from, values, params } = source(table, fields, cells, first, dialect);
  const at = check.fields.length;
  const sets = set.map(({ column, i }, nth) => {
    const name = columnOf(table, column);
    const flag = partial.findIndex((one) => one.i === i);
    const value = values[at + nth]!;
    return `${name} = ${flag < 0 ? value : eitherOf(values[at + set.length + flag]!, column, value, name)}`;
  });
  sets.push(...bumps(update));
  const stale = staleRows(table, rows, compare, first, "FOR UPDATE", dialect);
  const joined = `${tableName(table)} ON ${check.on(values)} SET ${sets.join(", ")}`;
  if (inStatement) {
    const sql = `UPDATE ${from} LEFT JOIN ${joined} WHERE ${orFail(check.holds(values), step)}`;
    push(batch, step, { sql, params }, range, { check: stale });
  } else {
    pushGuard(batch, step, stale, range);
    // STRAIGHT: begun with the table it would be read whole, and lock rows of others (seen, on small tables).
    push(batch, step, { sql: `UPDATE ${from} STRAIGHT_JOIN ${joined}`, params }, range);
  }
}

/**
 * The value where the flag is set, else what the column holds. A JSON document of MySQL must not become text on the way: its
 * decimals and dates would become others. MariaDB's is text; it has no such cast, and does not read the comment.
 */
function eitherOf(flag: string, column: ColumnInfo, value: string, name: string): string {
  const typed = column.type.name === "json" ? `/*!80000 CAST( */${value}/*!80000 AS JSON) */` : value;
  return `IF(${flag}, ${typed}, ${name})`;
}

/**
 * One row that is set to expressions, in which its columns stand under their plain names and hold what they held before the
 * statement. A single one is assigned first; several are evaluated in a derived table, which locks the row.
 */
function updateByExpressions(update: UpdateStep, index: number, step: number, batch: Batch): void {
  const { table, compare } = update;
  const { dialect, options } = batch;
  const range = [index, index + 1] as const;
  const counted = tellsByCount(update, update.rows[index]!);
  const reads = !counted && options.guards === "read";
  const stale = (): Statement => staleRows(table, [update.rows[index]!], compare, index, "FOR UPDATE", dialect);
  if (reads) pushGuard(batch, step, stale(), range);
  const row = reads ? { ...update.rows[index]!, version: undefined, before: undefined } : update.rows[index]!;
  const set = update.columns.map((column, i) => ({ column, cell: row.cells[i] }))
    .filter(({ cell }) => known(cell) instanceof Sql);
  const params: SqlValue[] = [];
  const write = (cell: Cell): string => writeCell(cell, dialect, params);
  const name = tableName(table);
  if (set.length === 1 && (counted || reads)) {
    const { column, cell } = set[0]!;
    const sets = [
      `${columnOf(table, column)} = ${write(cell)}`,
      ...plainSets(update, row, batch, params),
      ...bumps(update),
    ];
    const sql = `UPDATE ${name} SET ${sets.join(", ")} WHERE ${whereRow(table, row, compare, params)}`;
    push(batch, step, { sql, params }, range, counted ? { expectRows: 1 } : {});
    return;
  }
  const picked = [
    ...table.key.map((column, i) => `${columnOf(table, column)} AS \`ledge_k${i}\``),
    ...set.map(({ cell }, i) => `${write(cell)} AS \`ledge_e${i}\``),
  ];
  // LIMIT keeps the derived table one: merged into the UPDATE, its expressions would be evaluated as it assigns.
  const row1 = `(SELECT ${picked.join(", ")} FROM ${name} WHERE ${whereRow(table, row, compare, params)} ` +
    "LIMIT 1 FOR UPDATE) AS `ledge_n`";
  const on = table.key.map((column, i) => `${columnOf(table, column)} = \`ledge_n\`.\`ledge_k${i}\``).join(" AND ");
  const sets = [
    ...set.map(({ column }, i) => `${columnOf(table, column)} = \`ledge_n\`.\`ledge_e${i}\``),
    ...plainSets(update, row, batch, params),
    ...bumps(update),
  ].join(", ");
  if (counted || reads) {
    const sql = `UPDATE ${row1} JOIN ${name} ON ${on} SET ${sets}`;
    push(batch, step, { sql, params }, range, counted ? { expectRows: 1 } : {});
    return;
  }
  const there = orFail("`ledge_n`.`ledge_k0` IS NOT NULL", step, String(index));
  const sql = `UPDATE (SELECT 1) AS \`ledge_v\` LEFT JOIN ${row1} ON TRUE LEFT JOIN ${name} ON ${on} ` +
    `SET ${sets} WHERE ${there}`;
  push(batch, step, { sql, params }, range, { check: stale() });
}
