/**
 * From results back to instances: keys, versions and what the database made. Runs only after everything succeeded, and
 * is the one place where a flush changes states.
 *
 * @module
 */
import { DatabaseError } from "../errors.ts";
import type { MappedColumn, MappedRelation } from "../model/mapper.ts";
import type { Codec, Dialect } from "../sql/dialect.ts";
import type { ResultSet, SqlValue } from "../sql/statement.ts";
import type { Cell, CompiledStatement } from "../sql/step.ts";
import { type InstanceState, knownState, type RelationSnapshot, sameMembers, show } from "../state/instance_state.ts";
import { instanceKey, keyToken } from "../state/key.ts";
import { type Token, tokenOf } from "../state/snapshot.ts";
import type { Tracker } from "../state/tracker.ts";
import { childRelations } from "./changes.ts";
import type { Plan, PlannedStep } from "./plan.ts";
import { isKeyRef, type RowChange } from "./row_change.ts";

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
  if (result.rows.length !== rows.length) {
    throw new DatabaseError(
      `The database returned ${result.rows.length} rows for ${rows.length} written rows of ${rows[0]?.table.table}`,
      { notApplied: false },
    );
  }
  const keys = rows[0]!.table.key.length;
  if (match === "key") {
    const byKey = new Map(rows.map((row) => [writtenKey(row), row]));
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

function writtenKey(row: RowChange): string {
  const cells = row.kind === "insert" ? row.table.key.map((column) => row.cells[column.index]) : row.key;
  return cellsToken(cells.map((cell) => isKeyRef(cell) ? cell.value! : cell as SqlValue));
}

function cellsToken(cells: readonly SqlValue[]): string {
  return JSON.stringify(cells.map((cell) => cell instanceof Uint8Array ? keyToken([cell]) : String(cell)));
}

/** Brings the instances of a plan that was carried out up to date. O(rows × columns). */
export function applyResults(tracker: Tracker, dialect: Dialect, plan: Plan, made: MadeValues): void {
  const gone: InstanceState[] = [...plan.replaced.keys()];
  const inserted = new Set<InstanceState>();
  for (const { step, rows } of plan.steps) {
    const returning = step.kind === "insert" || step.kind === "update" ? step.returning as readonly MappedColumn[] : [];
    for (const row of rows) {
      if (row.state === null) continue;
      if (row.state.snapshot === null) inserted.add(row.state);
      if (row.kind === "delete") gone.push(row.state);
      else applyWritten(tracker, dialect, row, returning, made.get(row));
    }
  }
  for (const state of gone) applyDeleted(tracker, state);
  // After every key is known: what relations hold is what is now in the database.
  for (const state of tracker.identity) {
    for (const relation of state.mapper.relations) {
      if (relation.kind === "belongsTo") settleParent(tracker, state, relation);
      else settleMembers(tracker, state, relation, inserted.has(state));
    }
  }
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
  const codecs = mapper.codecs(dialect);
  tracker.touch(state);
  const snapshot: Token[] = [...row.after!];
  const set = (column: MappedColumn, cell: Cell): void => {
    const raw = isKeyRef(cell) ? cell.value! : cell as SqlValue;
    const value = decode(codecs[column.index]!, raw);
    show(state, column.property, value);
    snapshot[column.index] = column.kind === "json" && value !== null ? raw as string : tokenOf(column.kind, value);
  };
  for (const { column, cell } of row.sets) set(column, cell);
  if (row.made !== null) set(mapper.key[0]!, row.made);
  returning.forEach((column, i) => {
    if (row.returning.includes(column)) set(column, values![i]!);
  });
  state.expressions = null;
  state.forced = false;
  state.snapshot = snapshot;
  if (state.status !== "persistent") {
    state.status = "persistent";
    state.key = instanceKey(mapper, state.instance);
    tracker.added.delete(state);
    tracker.identity.set(state);
  }
}

function decode(codec: Codec, value: SqlValue): unknown {
  return value === null ? null : codec.decode(value);
}

function applyDeleted(tracker: Tracker, state: InstanceState): void {
  tracker.touch(state);
  tracker.removed.delete(state);
  leaveCollections(tracker, state);
  tracker.identity.delete(state);
  state.status = "deleted";
}

/** Takes a deleted instance out of the loaded collections that hold it. */
function leaveCollections(tracker: Tracker, state: InstanceState): void {
  for (const { local, target, kind } of state.mapper.relations) {
    if (kind !== "belongsTo") continue;
    const key = keyToken(local.map((column) => state.snapshot![column.index]));
    const parent = key === null ? undefined : tracker.identity.get(target, key);
    if (parent === undefined) continue;
    for (const relation of childRelations(target)) {
      const loaded = parent.relations?.get(relation.name);
      if (relation.target !== state.mapper || loaded === undefined || !loaded.members.includes(state.instance)) {
        continue;
      }
      const value = parent.instance[relation.name];
      if (Array.isArray(value)) {
        const at = value.indexOf(state.instance);
        if (at >= 0) value.splice(at, 1);
      } else if (value === state.instance) parent.instance[relation.name] = null;
      remember(tracker, parent, relation);
    }
  }
}

/** Makes what a belongsTo property holds agree with the foreign key that is now in the database. */
function settleParent(tracker: Tracker, state: InstanceState, relation: MappedRelation): void {
  const { name, local, target } = relation;
  const value = state.instance[name];
  if (value === undefined) return;
  const key = keyToken(local.map((column) => state.snapshot![column.index]));
  const held = value === null ? null : knownState(value)?.key ?? null;
  if (held === key) {
    if (state.relations?.get(name)?.value !== value) remember(tracker, state, relation);
    return;
  }
  // The foreign key was changed by itself: the instance it refers to, if it is loaded, else nothing is known of it.
  const parent = key === null ? undefined : tracker.identity.get(target, key);
  if (parent === undefined && key !== null) {
    forget(tracker, state, relation);
    return;
  }
  state.instance[name] = parent?.instance ?? null;
  remember(tracker, state, relation);
}

/** Takes what a collection holds as what is in the database, where that is known to be all of it. */
function settleMembers(tracker: Tracker, state: InstanceState, relation: MappedRelation, isNew: boolean): void {
  const value = state.instance[relation.name];
  const loaded = state.relations?.get(relation.name);
  // A collection that was never loaded only adds: whether it is complete stays unknown.
  if (value === undefined || loaded === undefined && !isNew) return;
  const stays = (member: object): boolean => {
    const child = knownState(member);
    if (child === undefined || child.status !== "persistent") return false;
    return relation.link !== null ||
      keyToken(relation.remote.map((column) => child.snapshot![column.index])) === state.key;
  };
  if (Array.isArray(value)) {
    const moved = value.filter((member) => !stays(member));
    for (const member of moved) value.splice(value.indexOf(member), 1);
    if (loaded === undefined || loaded.value !== value || !sameMembers(value, loaded.members)) {
      remember(tracker, state, relation);
    }
  } else {
    if (value !== null && !stays(value)) state.instance[relation.name] = null;
    if (loaded?.value !== state.instance[relation.name]) remember(tracker, state, relation);
  }
}

/** Takes a relation as loaded with what its property holds. */
export function remember(tracker: Tracker, state: InstanceState, { name }: MappedRelation): void {
  tracker.touch(state);
  const value = state.instance[name];
  const members: object[] = Array.isArray(value) ? [...value] : value === null ? [] : [value as object];
  const snapshot: RelationSnapshot = { value, members };
  state.relations = new Map(state.relations ?? []).set(name, snapshot);
}

function forget(tracker: Tracker, state: InstanceState, { name }: MappedRelation): void {
  tracker.touch(state);
  delete state.instance[name];
  const relations = new Map(state.relations ?? []);
  relations.delete(name);
  state.relations = relations;
}
