/**
 * The plan of a commit: its steps in order, and which row of which step is which instance, so that results and failed
 * guards find their way back.
 *
 * @module
 */
import type { MappedColumn, Mapper } from "../model/mapper.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { Statement } from "../sql/statement.ts";
import type { Cell, CheckedRow, InsertStep, RequireStep, Step, UpdateRow, UpdateStep } from "../sql/step.ts";
import type { ColumnInfo, TableInfo } from "../sql/table.ts";
import { groupBy } from "../state/group_by.ts";
import type { InstanceState } from "../state/instance_state.ts";
import { tokenIn } from "../state/key.ts";
import { UNKNOWN } from "../state/snapshot.ts";
import type { Changes } from "./changes.ts";
import { orderRows, type RowGroup } from "./order.ts";
import type { WrittenRelation } from "./relations.ts";
import { comparedColumns, type RowChange, type Setting } from "./row_change.ts";
import { RowMaker } from "./row_maker.ts";
import { weave } from "./weave.ts";

/** A row that the commit rests on without writing it. */
export interface VerifiedRow extends CheckedRow {
  readonly state: InstanceState;
}

/** What travels with a commit besides the session's changes. */
export interface Extras {
  readonly verified: readonly VerifiedRow[];
  readonly staged: readonly Statement[];
  readonly required: readonly RequireStep[];
  /** Rows of no instance, in the order in which they were given. */
  readonly bulk?: readonly RowGroup[];
}

/** A step with the rows it writes; no rows for verifying, staged statements and requires. */
export interface PlannedStep {
  readonly step: Step;
  readonly rows: readonly RowChange[];
  /** The instances of the rows, for a failed guard. */
  readonly states: readonly (InstanceState | null)[];
}

/** The plan of a flush or commit. */
export interface Plan {
  readonly steps: readonly PlannedStep[];
  /** Instances whose deletion became an update of the same key. */
  readonly replaced: ReadonlyMap<InstanceState, RowChange>;
  /** Instances whose rows stay as they are, but whose foreign key columns lost against a relation. */
  readonly corrected: ReadonlyMap<InstanceState, readonly Setting[]>;
  /** The relations that are written with it. */
  readonly relations: readonly WrittenRelation[];
  /** Whether a step can only be compiled when those before it have run. */
  readonly needsConversation: boolean;
}

/** Plans a flush. Throws a ValidationError before anything is sent when a value or an order is impossible. */
export function makePlan(dialect: Dialect, changes: Changes, extras: Extras, compareAll: boolean): Plan {
  const maker = new RowMaker(dialect, changes, compareAll);
  const rows = maker.make();
  const steps = verifySteps(unwritten(extras.verified, rows), compareAll);
  const inserted = new Map<TableInfo, number>();
  for (const group of weave(orderRows(rows), extras.bulk ?? [])) steps.push(toStep(group, inserted));
  for (const statement of extras.staged) steps.push({ step: { kind: "staged", statement }, rows: [], states: [] });
  for (const step of extras.required) steps.push({ step, rows: [], states: [] });
  return {
    steps,
    replaced: maker.replaced,
    corrected: maker.corrected,
    relations: changes.relations,
    needsConversation: needsConversation(dialect, steps),
  };
}

/** Those that no row is written of: a row that is written is checked by that. */
function unwritten(verified: readonly VerifiedRow[], rows: readonly RowChange[]): readonly VerifiedRow[] {
  if (verified.length === 0) return verified;
  const written = new Set(rows.map((row) => row.state));
  return verified.filter(({ state }) => !written.has(state));
}

function verifySteps(rows: readonly VerifiedRow[], compareAll: boolean): PlannedStep[] {
  const byMapper = groupBy(rows, ({ state }) => state.mapper);
  return [...byMapper].map(([mapper, verified]) => {
    const compare = compareAll && mapper.version === null ? comparedColumns(mapper) : [];
    return {
      step: { kind: "verify", table: mapper, rows: verified, compare },
      rows: [],
      states: verified.map((row) => row.state),
    };
  });
}

function toStep(group: RowGroup, inserted: Map<TableInfo, number>): PlannedStep {
  return { step: stepOf(group, inserted), rows: group.rows, states: group.rows.map((row) => row.state) };
}

function stepOf(group: RowGroup, inserted: Map<TableInfo, number>): Step {
  const { kind, rows, table } = group;
  const [first] = rows;
  if (kind === "delete") {
    const checked = first!.checked;
    const compare = first!.before === undefined ? [] : comparedColumns(table as Mapper);
    const refersWithin = rowsReferWithin(rows);
    return { kind, table: first!.table, rows: rows.map(checkedRow), compare, checked, refersWithin };
  }
  const returning = union(rows);
  if (kind === "update") {
    const columns = givenColumns(table, rows);
    const compare = first!.before === undefined ? [] : comparedColumns(table as Mapper);
    return {
      kind,
      table,
      columns,
      rows: rows.map((row) => updateRow(row, columns)),
      bump: first!.bump,
      compare,
      returning,
    };
  }
  const columns = givenColumns(table, rows);
  const isAll = columns.length === table.columns.length;
  const made = first!.made !== null;
  const firstOrdinal = made ? inserted.get(table) ?? 0 : null;
  if (firstOrdinal !== null) {
    rows.forEach((row, i) => row.made!.ordinal = firstOrdinal + i);
    inserted.set(table, firstOrdinal + rows.length);
  }
  return {
    kind,
    table,
    columns,
    rows: rows.map(({ cells }) => isAll ? cells : columns.map((column) => cells[column.index])),
    firstOrdinal,
    returning,
  };
}

/** Whether one of these rows refers to itself or another of them, as far as is known. */
function rowsReferWithin(rows: readonly RowChange[]): boolean {
  const { mapper } = rows[0]!.state ?? {};
  const own = mapper?.foreignKeys.filter(({ target }) => target === mapper) ?? [];
  if (own.length === 0) return false;
  const keys = new Set(rows.map(({ state }) => state!.key));
  return own.some(({ columns }) =>
    rows.some(({ old }) =>
      columns.some(({ index }) => (old?.[index] ?? UNKNOWN) === UNKNOWN) || keys.has(tokenIn(old!, columns))
    )
  );
}

function checkedRow(row: RowChange): CheckedRow {
  return { key: row.key as CheckedRow["key"], version: row.version, before: row.before };
}

function updateRow(row: RowChange, columns: readonly ColumnInfo[]): UpdateRow {
  const cells: Cell[] = columns.map((column) => row.cells[column.index]);
  return { key: row.key, version: row.version, cells, before: row.before };
}

/** The columns that some row gives, in the table's order. */
function givenColumns(table: TableInfo, rows: readonly RowChange[]): readonly ColumnInfo[] {
  const given = new Uint8Array(table.columns.length);
  for (const { cells } of rows) {
    for (let i = 0; i < given.length; i++) if (cells[i] !== undefined) given[i] = 1;
  }
  return table.columns.filter((column) => given[column.index] === 1);
}

function union(rows: readonly RowChange[]): readonly MappedColumn[] {
  let all: readonly MappedColumn[] = [];
  for (const { returning } of rows) {
    if (returning.length === 0) continue;
    const more = returning.filter((column) => !all.includes(column));
    if (more.length > 0) all = [...all, ...more];
  }
  return all;
}

/** Whether a step can only be written when those before it have run: for a key, or for what must be read back. */
function needsConversation(dialect: Dialect, steps: readonly PlannedStep[]): boolean {
  // All of them are asked: a key that could never be known is refused now.
  const reading = dialect.returning ? [] : steps.map(({ step }) => "returning" in step && needsReading(dialect, step));
  if (reading.includes(true)) return true;
  const uncarried = new Set<unknown>();
  for (const { rows } of steps) {
    for (const { made, table } of rows) if (made !== null && !dialect.carriesKeys(table)) uncarried.add(made);
  }
  if (uncarried.size === 0) return false;
  return steps.some(({ rows }) => rows.some((row) => [...row.cells, ...row.key].some((cell) => uncarried.has(cell))));
}

function needsReading(dialect: Dialect, step: InsertStep | UpdateStep): boolean {
  const draws = step.kind === "insert" && (dialect.drawKeys?.(step) ?? null) !== null;
  return draws || step.returning.length > 0;
}
