/**
 * What the statements of one PostgreSQL batch share: where they go, the keys they make, how single cells are written.
 *
 * @module
 */
import { isOpenKey, known } from "./cell.ts";
import { divide } from "./chunks.ts";
import type { Dialect } from "./dialect.ts";
import { RECORD } from "./noted.ts";
import type { KeyLedger } from "./postgres_keys.ts";
import { type Draft, MAX_ROWS } from "./postgres_source.ts";
import type { Statement } from "./statement.ts";
import type { Cell, CompiledStatement, RowMatch } from "./step.ts";
import type { ColumnInfo } from "./table.ts";
import { Sql, writeSql } from "./tag.ts";

/** What the compiling of one batch shares. */
export interface Batch {
  readonly dialect: Dialect;
  readonly keys: KeyLedger;
  readonly out: CompiledStatement[];
  /** The record in which to note what is made. */
  readonly record: string | undefined;
}

/** Adds a statement to a batch. */
export function push(
  batch: Batch,
  step: number,
  statement: Statement,
  [from, to]: readonly [number, number],
  match: RowMatch | null = null,
  guard = false,
): void {
  batch.out.push({ statement, step, from, to, guard, match });
}

/**
 * The statement that gives the rows of `main`, of so many columns; where it is wanted they are noted in the commit's record,
 * as text, by the same statement.
 */
export function giving(draft: Draft, main: string, columns: number, { record }: Batch): Statement {
  if (record === undefined) return draft.statement(main);
  const names = Array.from({ length: columns }, (_, i) => `c${i}`);
  const row = `json_build_array(${names.map((name) => `o.${name}::text`).join(", ")})`;
  draft.with(`ledge_o (${names.join(", ")})`, main, "MATERIALIZED ");
  draft.with(
    "ledge_n",
    `UPDATE ${RECORD} SET "result" = concat("result" || ',', (SELECT json_agg(${row}) FROM ledge_o AS o)) ` +
      `WHERE "id" = ${draft.bind(record)}`,
  );
  return draft.statement("SELECT * FROM ledge_o");
}

/** A cell of a statement for one row, which takes its type from where it stands. */
export function writeValue(cell: Cell, draft: Draft, { dialect, keys }: Batch): string {
  const value = known(cell);
  if (value instanceof Sql) return `(${writeSql(value, dialect, draft.params)})`;
  if (isOpenKey(value)) return `(${keys.array(value.table, null, "")})[${keys.index(value)}]`;
  return draft.bind(value ?? null);
}

/** Divides rows into statements; a row that is `alone` gets one of its own, and `single` is true of it. */
export function* singly(
  count: number,
  alone: (row: number) => boolean,
): Generator<readonly [from: number, to: number, single: boolean]> {
  const before = (row: number, start: number): boolean => alone(row) || alone(start);
  for (const [from, to] of divide(count, { rows: MAX_ROWS, before })) yield [from, to, alone(from)];
}

/**
 * The end of a guarded write: the position and the made values of each row of `ledge_u`, and the guard `ledge_g`, which
 * must be asked for a row or it would not be evaluated.
 */
export function selectMade(made: readonly ColumnInfo[]): string {
  if (made.length === 0) return "SELECT g.b FROM ledge_g AS g";
  const values = made.map((_, i) => `u.v${i}`).join(", ");
  return `SELECT u.ord, ${values} FROM ledge_u AS u ` +
    `UNION ALL SELECT g.b, ${made.map(() => "NULL").join(", ")} FROM ledge_g AS g`;
}
