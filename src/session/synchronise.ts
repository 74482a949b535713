/**
 * What a statement that writes many rows does to the instances that are loaded: those of rows that it updated are brought
 * up to date, those of rows that it deleted become deleted. What the caller changed and did not flush stays a change. Sends
 * nothing.
 *
 * @module
 */
import type { MappedColumn, Mapper } from "../model/mapper.ts";
import { places } from "../query/returning.ts";
import { decode } from "../sql/codecs.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { SqlValue } from "../sql/statement.ts";
import { overwrite } from "../state/hydrate.ts";
import { type InstanceState, isChanged } from "../state/instance_state.ts";
import { type KeyToken, keyToken, tokenIn } from "../state/key.ts";
import { type Token, tokenOfSent } from "../state/snapshot.ts";
import type { Tracker } from "../state/tracker.ts";
import type { RowChange } from "../unit_of_work/row_change.ts";
import { type Departure, followForeignKeys, leaveCollections, leaveUnknown } from "../unit_of_work/settle.ts";

/** Whether an instance of a model is loaded. */
export function isLoaded(tracker: Tracker, mapper: Mapper): boolean {
  return tracker.identity.states().some((state) => state.mapper.is(mapper));
}

/** Whether a deletion of a model's rows can concern what is loaded: an instance of it, or one that goes or changes with it. */
export function isConcerned(tracker: Tracker, mapper: Mapper): boolean {
  if (isLoaded(tracker, mapper)) return true;
  for (const state of tracker.identity) if (followers(state, mapper).length > 0) return true;
  return false;
}

/** Brings loaded instances up to date: by rows that hold at least the key and the columns that were written. */
export function synchroniseUpdated(
  tracker: Tracker,
  dialect: Dialect,
  mapper: Mapper,
  written: readonly MappedColumn[],
  within: readonly MappedColumn[],
  rows: readonly (readonly SqlValue[])[],
): void {
  const codecs = mapper.codecs(dialect);
  const keyAt = places(mapper.key, within);
  const at = places(written, within);
  const moved: { state: InstanceState; snapshot: readonly Token[] }[] = [];
  for (const row of rows) {
    const token = keyToken(mapper.key.map(({ index }, i) => codecs[index]!.decode(row[keyAt[i]!]!)));
    const state = token === null ? undefined : tracker.identity.get(mapper, token);
    if (state === undefined) continue;
    moved.push({ state, snapshot: state.snapshot! });
    const raw = new Map(written.map((column, i) => [column, row[at[i]!] ?? null]));
    update(tracker, dialect, state, raw);
  }
  const keys = new Set(mapper.foreignKeys.flatMap(({ columns }) => columns));
  if (!written.some((column) => keys.has(column))) return;
  leaveCollections(tracker, moved);
  leaveUnknown(tracker, moved);
  for (const { state } of moved) followForeignKeys(tracker, writtenRow(state, written), []);
}

/** Sets columns of an instance to what its row holds now; of those that have a pending change, only what it is a change to. */
function update(
  tracker: Tracker,
  dialect: Dialect,
  state: InstanceState,
  raw: ReadonlyMap<MappedColumn, SqlValue>,
): void {
  tracker.touch(state);
  const codecs = state.mapper.codecs(dialect);
  const changed = [...raw.keys()].filter((column) => isChanged(state, column));
  const same = [...raw.keys()].filter((column) => !changed.includes(column));
  overwrite(state, same, (column) => raw.get(column)!, codecs);
  const snapshot = [...state.snapshot!];
  for (const column of changed) {
    const sent = raw.get(column)!;
    const value = decode(codecs[column.index]!, sent);
    snapshot[column.index] = tokenOfSent(column, sent, value);
  }
  state.snapshot = snapshot;
}

/** The written columns of a row, as the unit of work has them: any value stands for one that was written. */
function writtenRow(state: InstanceState, columns: readonly MappedColumn[]): Pick<RowChange, "state" | "cells"> {
  const cells: SqlValue[] = [];
  for (const { index } of columns) cells[index] = null;
  return { state, cells };
}

/**
 * Makes the loaded instances of deleted rows deleted, and what the database does in turn: instances that refer to them by
 * a foreign key with `onDelete` "cascade" are deleted too, those with "set null" lose it. Followed as far as instances are
 * loaded; one pass over them for each level.
 */
export function synchroniseDeleted(tracker: Tracker, mapper: Mapper, isGone: (key: KeyToken) => boolean): void {
  const gone: Departure[] = [];
  const lost: { state: InstanceState; columns: readonly MappedColumn[] }[] = [];
  let level: InstanceState[] = tracker.identity.of(mapper).filter(({ key }) => isGone(key!));
  let refersToGone = (target: Mapper, key: KeyToken): boolean => target.root === mapper.root && isGone(key);
  while (true) {
    for (const state of level) {
      gone.push({ state, snapshot: state.snapshot! });
      markDeleted(tracker, state);
    }
    const next = new Set<InstanceState>();
    for (const state of tracker.identity) {
      for (const { columns, target, onDelete } of state.mapper.foreignKeys) {
        if (onDelete !== "cascade" && onDelete !== "set null") continue;
        const key = tokenIn(state.snapshot!, columns);
        if (key === null || !refersToGone(target as Mapper, key)) continue;
        if (onDelete === "cascade") next.add(state);
        else lost.push({ state, columns: columns as readonly MappedColumn[] });
      }
    }
    if (next.size === 0) break;
    level = [...next];
    const deeper = new Set(level.map(({ mapper, key }) => `${mapper.root.table} ${typeof key} ${key}`));
    refersToGone = (target, key) => deeper.has(`${target.root.table} ${typeof key} ${key}`);
  }
  leaveCollections(tracker, gone);
  leaveUnknown(tracker, gone);
  for (const { state, columns } of lost) {
    if (state.status !== "persistent") continue;
    tracker.touch(state);
    const kept = columns.filter((column) => isChanged(state, column));
    overwrite(state, columns.filter((column) => !kept.includes(column)), () => null, []);
    const snapshot = [...state.snapshot!];
    for (const { index } of kept) snapshot[index] = null;
    state.snapshot = snapshot;
    followForeignKeys(tracker, writtenRow(state, columns), []);
  }
}

/** The foreign keys of an instance that the database follows when rows of a model are deleted. */
function followers({ mapper: { foreignKeys } }: InstanceState, mapper: Mapper): unknown[] {
  return foreignKeys.filter(({ target, onDelete }) =>
    (target as Mapper).root === mapper.root && (onDelete === "cascade" || onDelete === "set null")
  );
}

function markDeleted(tracker: Tracker, state: InstanceState): void {
  tracker.touch(state);
  tracker.removed.delete(state);
  tracker.identity.delete(state);
  state.status = "deleted";
}

/** Expires the loaded instances of a model, of whose rows nothing is known any more. */
export function expireLoaded(tracker: Tracker, mapper: Mapper): void {
  for (const state of tracker.identity.of(mapper)) tracker.expire(state);
}
