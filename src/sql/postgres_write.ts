/**
 * The steps of a commit as PostgreSQL statements: each write carries its own guard, which names the first stale row by
 * its ordinal. Under READ COMMITTED the write waits for a concurrent one and looks at the row again, so that between the
 * check and the write nothing can change; what is only verified is locked FOR SHARE, since an unlocked check lets write
 * skew through.
 *
 * A guard fails by casting its token to an integer. The cast depends on an aggregate: constants, bound ones too, are
 * folded before there is any row. Returned rows always say which row of the step they are, since text that comes back
 * (of a key too) need not be the text that was sent.
 *
 * @module
 */
import { isOpenKey } from "./cell.ts";
import { divide } from "./chunks.ts";
import type { Dialect } from "./dialect.ts";
import { requireToken, staleToken } from "./guard.ts";
import { compileInsert } from "./postgres_insert.ts";
import { KeyLedger } from "./postgres_keys.ts";
import { addRows, Draft, MAX_ROWS, type Rows, type RowsSpec } from "./postgres_source.ts";
import { quote, tableName } from "./postgres_types.ts";
import { type Batch, giving, push, selectMade, singly, writeValue } from "./postgres_batch.ts";
import type { Cell, CheckedRow, DeleteStep, Step, UpdateStep, VerifyStep } from "./step.ts";
import type { ColumnInfo, TableInfo } from "./table.ts";
import { Sql, writeSql } from "./tag.ts";

/** Turns steps into statements. Costs one pass over the rows. */
export function compileSteps(steps: readonly Step[], dialect: Dialect, record?: string): Batch["out"] {
  const batch: Batch = { dialect, keys: new KeyLedger(referredTables(steps)), out: [], record };
  for (const [i, step] of steps.entries()) {
    if (step.kind === "insert") compileInsert(step, i, batch);
    else if (step.kind === "update") compileUpdate(step, i, batch);
    else if (step.kind === "delete") compileDelete(step, i, batch);
    else if (step.kind === "verify") verifyRows(step, i, batch);
    else if (step.kind === "staged") push(batch, i, step.statement, [0, 0]);
    else compileRequire(step.condition, i, batch);
  }
  return batch.out;
}

/** The tables whose keys, made in this batch, some row refers to. */
function referredTables(steps: readonly Step[]): Set<TableInfo> {
  const tables = new Set<TableInfo>();
  const look = (cells: readonly Cell[]): void => {
    for (const cell of cells) if (isOpenKey(cell)) tables.add(cell.table);
  };
  for (const step of steps) {
    if (step.kind === "insert") step.rows.forEach(look);
    else if (step.kind === "update") {
      for (const row of step.rows) {
        look(row.key);
        look(row.cells);
      }
    }
  }
  return tables;
}

/** Rows of a step that are looked for in its table. */
interface Sought {
  readonly table: TableInfo;
  readonly rows: readonly (Pick<CheckedRow, "version" | "before"> & {
    readonly key: readonly Cell[];
    readonly cells?: readonly Cell[];
  })[];
  readonly compare: readonly ColumnInfo[];
  /** The position in the step of the first row. */
  readonly first: number;
  /** The columns of the cells that records bring, with their positions among the cells. */
  readonly set?: readonly { readonly column: ColumnInfo; readonly i: number }[];
  /** What else is true of some rows only. */
  readonly flags?: RowsSpec["flags"];
}

/**
 * Adds rows to a draft as `ledge_r`: their keys, what they set and the version, if some row has one. `on` is what a row `r`
 * of it must be like to be the row `t` of the table.
 */
function addSought(
  draft: Draft,
  { table, rows, compare, first, set = [], flags = [] }: Sought,
  batch: Batch,
): Rows & { readonly on: string } {
  const version = rows.some((row) => row.version !== undefined) ? table.version : null;
  const columns = [...table.key, ...set.map(({ column }) => column)];
  if (version !== null) columns.push(version);
  const added = addRows(draft, {
    table,
    columns,
    rows: rows.map((row) => {
      const cells = [...row.key, ...set.map(({ i }) => row.cells![i])];
      if (version !== null) cells.push(row.version ?? null);
      return cells;
    }),
    compare,
    before: rows.map((row) => row.before),
    flags: [(row) => rows[row]!.version !== undefined, (row) => rows[row]!.before !== undefined, ...flags],
    first,
  }, batch.keys);
  const { values, before, flags: [hasVersion, hasBefore] } = added;
  const conditions = table.key.map((column, i) => `t.${quote(column.name)} = ${values[i]}`);
  const add = (same: string, flag: string | null): void => {
    conditions.push(flag === null ? same : `(NOT ${flag} OR (${same}))`);
  };
  if (version !== null) add(`t.${quote(version.name)} = ${values.at(-1)}`, hasVersion!);
  if (compare.length > 0) {
    add(
      compare.map((column, i) => `${comparable("t.", column)} IS NOT DISTINCT FROM ${before[i]}`).join(" AND "),
      hasBefore!,
    );
  }
  return { ...added, on: conditions.join(" AND ") };
}

/** A column as it compares with what was read: a Date has milliseconds, a timestamp may have microseconds. */
function comparable(alias: string, column: ColumnInfo): string {
  const name = `${alias}${quote(column.name)}`;
  return column.type.name === "timestamp" ? `date_trunc('milliseconds', ${name})` : name;
}

/** Adds the guard of the rows of `ledge_r` that are not in `done`, as `ledge_g`. */
function addGuard(draft: Draft, step: number, done: string, only: string | null = null): void {
  draft.with(
    "ledge_g",
    `SELECT CAST(${draft.bind(staleToken(step))}::text || min(r.ord) || ':' || count(*) AS integer) AS b ` +
      `FROM ledge_r AS r LEFT JOIN ${done} AS d ON d.ord = r.ord WHERE d.ord IS NULL` +
      `${only === null ? "" : ` AND ${only}`} HAVING count(*) > 0`,
  );
}

function compileUpdate(update: UpdateStep, step: number, batch: Batch): void {
  const { rows } = update;
  if (update.columns.length === 0 && !update.bump && update.returning.length === 0) {
    return verifyRows(update, step, batch);
  }
  // Rows with expressions go one by one, where an expression sees the columns of its row under their plain names.
  for (const [from, to, single] of singly(rows.length, (row) => rows[row]!.cells.some((cell) => cell instanceof Sql))) {
    if (single) updateRow(update, from, step, batch);
    else updateRows(update, from, to, step, batch);
  }
}

function updateRows(update: UpdateStep, from: number, to: number, step: number, batch: Batch): void {
  const { table, compare, returning } = update;
  const part = update.rows.slice(from, to);
  const set = update.columns.map((column, i) => ({ column, i }))
    .filter(({ i }) => part.some((row) => row.cells[i] !== undefined));
  const draft = new Draft();
  const rows = addSought(draft, { table, rows: part, compare, first: from, set }, batch);
  const sets = set.map(({ column }, at) => {
    const name = quote(column.name);
    const value = rows.values[table.key.length + at]!;
    const isSet = rows.isSet[table.key.length + at];
    return isSet === null ? `${name} = ${value}` : `${name} = CASE WHEN ${isSet} THEN ${value} ELSE t.${name} END`;
  });
  const bump = bumpClause(update, "t.");
  if (bump !== null) sets.push(bump);
  // Nothing to set but values to return: the key is set to itself.
  if (sets.length === 0) sets.push(`${quote(table.key[0]!.name)} = t.${quote(table.key[0]!.name)}`);
  const made = returning.length === 0 ? [] : [...table.key, ...returning];
  draft.with(
    "ledge_u",
    `UPDATE ${tableName(table)} AS t SET ${sets.join(", ")} FROM ledge_r AS r WHERE ${rows.on} ` +
      `RETURNING ${["r.ord", ...made.map((column, i) => `t.${quote(column.name)} AS v${i}`)].join(", ")}`,
  );
  addGuard(draft, step, "ledge_u");
  pushMade(draft, made, step, [from, to], batch);
}

function updateRow(update: UpdateStep, index: number, step: number, batch: Batch): void {
  const { table, compare, returning } = update;
  const row = update.rows[index]!;
  const draft = new Draft();
  const write = (cell: Cell): string => writeValue(cell, draft, batch);
  const sets: string[] = [];
  for (const [i, column] of update.columns.entries()) {
    const cell = row.cells[i];
    if (cell !== undefined) sets.push(`${quote(column.name)} = ${write(cell)}`);
  }
  const bump = bumpClause(update, "");
  if (bump !== null) sets.push(bump);
  const where = table.key.map((column, i) => `${quote(column.name)} = ${write(row.key[i])}`);
  if (row.version !== undefined && table.version !== null) {
    where.push(`${quote(table.version.name)} = ${write(row.version)}`);
  }
  if (row.before !== undefined) {
    compare.forEach((column, i) =>
      where.push(`${comparable("", column)} IS NOT DISTINCT FROM ${write(row.before![i])}`)
    );
  }
  const made = returning.length === 0 ? [] : [...table.key, ...returning];
  const values = made.map((column, i) => `${quote(column.name)} AS v${i}`);
  draft.with(
    "ledge_u",
    `UPDATE ${tableName(table)} SET ${sets.join(", ")} WHERE ${where.join(" AND ")} ` +
      `RETURNING ${[`${index} AS ord`, ...values].join(", ")}`,
  );
  draft.with(
    "ledge_g",
    `SELECT CAST(${draft.bind(`${staleToken(step)}${index}:`)}::text || (1 - count(*)) AS integer) AS b ` +
      "FROM ledge_u HAVING count(*) = 0",
  );
  pushMade(draft, made, step, [index, index + 1], batch);
}

/** Adds the statement of a guarded update: gives the rows that were made, if any. */
function pushMade(
  draft: Draft,
  made: readonly ColumnInfo[],
  step: number,
  rows: readonly [number, number],
  batch: Batch,
): void {
  const main = selectMade(made);
  if (made.length === 0) push(batch, step, draft.statement(main), rows);
  else push(batch, step, giving(draft, main, made.length + 1, batch), rows, "position");
}

function bumpClause(update: UpdateStep, alias: string): string | null {
  if (!update.bump || update.table.version === null) return null;
  const version = quote(update.table.version.name);
  return `${version} = ${alias}${version} + 1`;
}

function compileDelete(remove: DeleteStep, step: number, batch: Batch): void {
  const { table, compare, checked } = remove;
  for (const [from, to] of divide(remove.rows.length, { rows: MAX_ROWS })) {
    const part = remove.rows.slice(from, to);
    const guarded = (row: number): boolean =>
      checked || part[row]!.version !== undefined || part[row]!.before !== undefined;
    const draft = new Draft();
    const rows = addSought(draft, { table, rows: part, compare, first: from, flags: [guarded] }, batch);
    const write = `DELETE FROM ${tableName(table)} AS t USING ledge_r AS r WHERE ${rows.on}`;
    if (!part.some((_, row) => guarded(row))) {
      push(batch, step, draft.statement(write), [from, to]);
      continue;
    }
    draft.with("ledge_u", `${write} RETURNING r.ord`);
    addGuard(draft, step, "ledge_u", rows.flags[2]);
    // One row a deleted row: their number is how many were deleted.
    const main = "SELECT u.ord FROM ledge_u AS u UNION ALL SELECT g.b FROM ledge_g AS g";
    push(batch, step, draft.statement(main), [from, to]);
  }
}

/** The statements that lock rows and fail when one is not there or not as it was read. */
function verifyRows({ table, rows, compare }: VerifyStep | UpdateStep, step: number, batch: Batch): void {
  for (const [from, to] of divide(rows.length, { rows: MAX_ROWS })) {
    const draft = new Draft();
    const { on } = addSought(draft, { table, rows: rows.slice(from, to), compare, first: from }, batch);
    draft.with(
      "ledge_u",
      `SELECT r.ord FROM ledge_r AS r JOIN ${tableName(table)} AS t ON ${on} ORDER BY r.ord FOR SHARE OF t`,
    );
    addGuard(draft, step, "ledge_u");
    push(batch, step, draft.statement("SELECT g.b FROM ledge_g AS g"), [from, to], null, true);
  }
}

/** NULL does not hold; the count keeps the cast from being folded. */
function compileRequire(condition: Sql, step: number, batch: Batch): void {
  const draft = new Draft();
  const holds = `(${writeSql(condition, batch.dialect, draft.params)}) IS TRUE`;
  const main = `SELECT CAST(${draft.bind(`${requireToken(step)}:`)}::text || count(*) AS integer) ` +
    `FROM (SELECT 1 WHERE NOT (${holds})) AS ledge_g HAVING count(*) > 0`;
  push(batch, step, draft.statement(main), [0, 0], null, true);
}
