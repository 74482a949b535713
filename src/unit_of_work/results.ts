/**
 * From results back to instances: keys, versions and what the database made. Runs only after everything succeeded, and
 * is the one place where a flush changes states.
 *
 * @module
 */
import { DatabaseError } from "../errors.ts";
import type { MappedColumn } from "../model/mapper.ts";
import { decode } from "../sql/codecs.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { ResultSet, SqlValue } from "../sql/statement.ts";
import type { Cell, CompiledStatement } from "../sql/step.ts";
import { type InstanceState, peek, show } from "../state/instance_state.ts";
import { instanceKey, keyToken } from "../state/key.ts";
import { tokenOfSent } from "../state/snapshot.ts";
import type { Tracker } from "../state/tracker.ts";
import type { Plan, PlannedStep } from "./plan.ts";
import { isKeyRef, type RowChange } from "./row_change.ts";
import { type Departure, followForeignKeys, leaveCollections, leaveUnknown, settleRelation } from "./settle.ts";

/** What the database made for the rows of a flush. */
export type MadeValues = Map<RowChange, readonly SqlValue[]>;

/**
 * Reads what one statement of a plan returned: fills in the keys that the database made and remembers the other values
 * by row. Throws a DatabaseError when the rows are not those that the statement had to return.
 */
export function readRows(planned: PlannedStep, compiled: CompiledStatement, result: ResultSet, made: MadeValues): void {
  const { match, from, to } = compiled;
  if (match === null) return;
  const rows = planned.rows.slice(from, to);
  if (match === "consecutive") return takeKeys(rows, compiled, result, made);
  if (result.rows.length !== rows.length) {
    throw new DatabaseError(
      `The database returned ${result.rows.length} rows for ${rows.length} written rows of ${rows[0]?.table.table}`,
      { notApplied: false },
    );
  }
  const keys = rows[0]!.table.key.length;
  if (match === "key") {
    const byKey = new Map(rows.map((row) => [cellsToken(writtenKey(row)), row]));
    for (const values of result.rows) {
      const row = byKey.get(cellsToken(values.slice(0, keys)));
      if (row === undefined) {
        throw new DatabaseError(`The database returned a row of ${rows[0]!.table.table} that was not written`, {
          notApplied: false,
        });
      }
      made.set(row, values.slice(keys));
    }
    return;
  }
  const ordered = match === "position"
    ? [...result.rows].sort((a, b) => Number(a[0]) - Number(b[0])).map((row) => row.slice(1))
    : [...result.rows].sort((a, b) => a[0]! < b[0]! ? -1 : a[0]! > b[0]! ? 1 : 0);
  ordered.forEach((values, i) => {
    const row = rows[i]!;
    if (row.made !== null) row.made.value = values[0]!;
    made.set(row, values.slice(keys));
  });
}

/** Gives consecutive keys to rows, from the first one, which the driver told. */
function takeKeys(
  rows: readonly RowChange[],
  { increment }: CompiledStatement,
  result: ResultSet,
  made: MadeValues,
): void {
  const { lastInsertId: first } = result;
  if (first === undefined) {
    throw new DatabaseError(`The database did not tell the keys that it made for ${rows[0]!.table.table}`, {
      notApplied: false,
    });
  }
  rows.forEach((row, i) => {
    const key = BigInt(first) + BigInt(i * (increment ?? 1));
    row.made!.value = Number.isSafeInteger(Number(key)) ? Number(key) : key;
    made.set(row, []);
  });
}

/** The key of a row that was written, the parts that the database made included. */
export function writtenKey(row: RowChange): readonly SqlValue[] {
  const cells = row.kind === "insert"
    ? row.table.key.map((column) => row.cells[column.index] ?? row.made ?? undefined)
    : row.key;
  return cells.map((cell) => isKeyRef(cell) ? cell.value! : cell as SqlValue);
}

function cellsToken(cells: readonly SqlValue[]): string {
  return JSON.stringify(cells.map((cell) => cell instanceof Uint8Array ? keyToken([cell]) : String(cell)));
}

/**
 * Brings the instances of a plan that was carried out up to date. What the caller changed while it was under way stays a
 * change. `before` are those that the same flush inserted into other databases. O(rows × columns).
 */
export function applyResults(
  tracker: Tracker,
  dialect: Dialect,
  plan: Plan,
  made: MadeValues,
  before: Iterable<InstanceState> = [],
): void {
  const gone: InstanceState[] = [...plan.replaced.keys()];
  const inserted = new Set<InstanceState>(before);
  for (const { state } of plan.relations) if (state.snapshot === null) inserted.add(state);
  const left: Departure[] = [];
  const moved: RowChange[] = [];
  for (const { step, rows } of plan.steps) {
    const returning = step.kind === "insert" || step.kind === "update" ? step.returning as readonly MappedColumn[] : [];
    for (const row of rows) {
      const { state } = row;
      if (state === null) continue;
      if (state.snapshot !== null && row.kind === "update" && setsForeignKey(row)) {
        left.push({ state, snapshot: state.snapshot });
        moved.push(row);
      }
      if (row.kind === "delete") gone.push(state);
      else applyWritten(tracker, dialect, row, returning, made.get(row));
    }
  }
  for (const state of gone) {
    left.push({ state, snapshot: state.snapshot! });
    applyDeleted(tracker, state);
  }
  for (const [state, sets] of plan.corrected) {
    const codecs = state.mapper.codecs(dialect);
    for (const { column, cell, was } of sets) {
      if (peek(state, column.property) === was) {
        show(state, column.property, decode(codecs[column.index]!, cell as SqlValue));
      }
    }
  }
  // After every key is known: what relations held is what is now in the database.
  leaveCollections(tracker, left);
  leaveUnknown(tracker, left);
  for (const written of plan.relations) settleRelation(tracker, written, inserted);
  const written = new Set(plan.relations.map(({ state }) => state));
  for (const row of moved) followForeignKeys(tracker, row, written.has(row.state!) ? plan.relations : []);
  tracker.tell();
}

/** Applies the results of a commit that has succeeded; an error here must not look as if nothing had been written. */
export function applyCommitted(tracker: Tracker, dialect: Dialect, plan: Plan, made: MadeValues): void {
  try {
    applyResults(tracker, dialect, plan, made);
  } catch (cause) {
    throw new DatabaseError("The commit was applied, but what it returned could not be read", {
      cause,
      notApplied: false,
    });
  }
}

function setsForeignKey({ state, cells }: RowChange): boolean {
  return state!.mapper.foreignKeys.some(({ columns }) => columns.some((column) => cells[column.index] !== undefined));
}

function applyWritten(
  tracker: Tracker,
  dialect: Dialect,
  row: RowChange,
  returning: readonly MappedColumn[],
  values: readonly SqlValue[] | undefined,
): void {
  const state = row.state!;
  const { mapper } = state;
  tracker.touch(state);
  for (const { column, cell, was } of row.sets) {
    setValue(row, dialect, column, cell, peek(state, column.property) === was);
  }
  if (row.made !== null) setValue(row, dialect, mapper.key[0]!, row.made, true);
  for (let i = 0; i < returning.length; i++) {
    const column = returning[i]!;
    if (!row.returning.includes(column)) continue;
    const expression = row.cells[column.index];
    const given = state.expressions?.get(column.property);
    const untouched = given === undefined
      ? column.generated !== null || peek(state, column.property) === undefined
      : given === expression;
    setValue(row, dialect, column, values![i]!, untouched);
  }
  state.forced = false;
  state.snapshot = row.after;
  if (state.status !== "persistent") {
    tracker.become(state, "persistent");
    state.key = instanceKey(state);
    tracker.added.delete(state);
    // Its row went in, so another instance of the key is of a row that was rolled back, unless this one replaces it.
    const ghost = row.kind === "insert" ? tracker.identity.holderFor(state, state.key!) : undefined;
    if (ghost !== undefined) tracker.expunge(ghost);
    tracker.identity.set(state);
  }
}

/** What was written to a column is in its row's snapshot, and in its instance unless that was changed since. */
function setValue(row: RowChange, dialect: Dialect, column: MappedColumn, cell: Cell, untouched: boolean): void {
  const state = row.state!;
  const raw = isKeyRef(cell) ? cell.value! : cell as SqlValue;
  const value = decode(state.mapper.codecs(dialect)[column.index]!, raw);
  if (untouched) show(state, column.property, value);
  row.after![column.index] = tokenOfSent(column, raw, value);
}

function applyDeleted(tracker: Tracker, state: InstanceState): void {
  tracker.touch(state);
  tracker.removed.delete(state);
  tracker.identity.delete(state);
  tracker.become(state, "deleted");
}
