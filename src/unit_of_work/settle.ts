/**
 * After a flush: what relations hold is what is in the database. Deleted and moved instances leave the loaded collections
 * that held them; what the caller changed meanwhile stays a change.
 *
 * @module
 */
import type { MappedColumn, MappedRelation } from "../model/mapper.ts";
import { type InstanceState, knownState, refill, type RelationSnapshot } from "../state/instance_state.ts";
import { tokenIn } from "../state/key.ts";
import { type Token, UNKNOWN } from "../state/snapshot.ts";
import type { Tracker } from "../state/tracker.ts";
import { childRelations } from "./changes.ts";
import { sameColumns, type WrittenRelation } from "./relations.ts";
import type { RowChange } from "./row_change.ts";

/** An instance whose foreign keys no longer refer to what they did. */
export interface Departure {
  readonly state: InstanceState;
  /** What its row held before. */
  readonly snapshot: readonly Token[];
}

/** Takes instances out of the loaded collections of their former parents. One pass over each such collection. */
export function leaveCollections(tracker: Tracker, departures: readonly Departure[]): void {
  const leaving = new Map<InstanceState, Map<MappedRelation, Set<object>>>();
  for (const { state, snapshot } of departures) {
    for (const { local, target, kind } of state.mapper.relations) {
      if (kind !== "belongsTo") continue;
      const key = tokenIn(snapshot, local);
      const parent = key === null ? undefined : tracker.identity.get(target, key);
      if (parent === undefined || parent.relations === null) continue;
      for (const relation of childRelations(parent.mapper)) {
        if (
          !state.mapper.is(relation.target) || !parent.relations.has(relation.name) ||
          !sameColumns(relation.remote, local)
        ) continue;
        if (state.status === "persistent" && tokenIn(state.snapshot!, local) === key) continue;
        let relations = leaving.get(parent);
        if (relations === undefined) leaving.set(parent, relations = new Map());
        if (!relations.has(relation)) relations.set(relation, new Set());
        relations.get(relation)!.add(state.instance);
      }
    }
  }
  for (const [parent, relations] of leaving) {
    for (const [relation, members] of relations) without(tracker, parent, relation, members);
  }
}

/**
 * Takes instances out of the loaded collections that their former foreign keys do not tell of: deleted ones out of
 * many-to-many collections, and out of all where a foreign key was expired; moved ones whose foreign key was expired. One
 * pass over the instances with loaded relations, and none where there are no such departures.
 */
export function leaveUnknown(tracker: Tracker, departures: readonly Departure[]): void {
  const deleted = new Set<object>();
  const moved = new Set<object>();
  let expired = false;
  for (const { state, snapshot } of departures) {
    const unknown = state.mapper.foreignKeys.some(({ columns }) =>
      columns.some((column) => snapshot[(column as MappedColumn).index] === UNKNOWN)
    );
    if (state.status !== "persistent") deleted.add(state.instance);
    else if (unknown) moved.add(state.instance);
    expired ||= unknown;
  }
  if (deleted.size + moved.size === 0) return;
  for (const state of tracker.identity) {
    for (const relation of state.relations === null ? [] : state.mapper.relations) {
      if (relation.kind === "belongsTo" || relation.link === null && !expired) continue;
      const members = state.relations!.get(relation.name)?.members ?? [];
      const gone = members.filter((member) =>
        deleted.has(member) || relation.link === null && moved.has(member) && !refersTo(member, relation, state)
      );
      if (gone.length > 0) without(tracker, state, relation, new Set(gone));
    }
  }
}

/** Whether a child's row refers to a parent, or may. */
function refersTo(child: object, { remote }: MappedRelation, parent: InstanceState): boolean {
  const snapshot = knownState(child)!.snapshot!;
  return tokenIn(snapshot, remote) === parent.key || remote.some(({ index }) => snapshot[index] === UNKNOWN);
}

/** Takes members out of a loaded relation: out of its property and out of what counts as loaded. */
function without(tracker: Tracker, state: InstanceState, { name }: MappedRelation, gone: ReadonlySet<object>): void {
  const loaded = state.relations!.get(name)!;
  const value = state.instance[name];
  if (Array.isArray(value)) {
    const rest = value.filter((member) => !gone.has(member));
    if (rest.length < value.length) refill(value, rest);
  } else if (gone.has(value as object)) state.instance[name] = null;
  const members = loaded.members.filter((member) => !gone.has(member));
  const kept = Array.isArray(loaded.value) || !gone.has(loaded.value as object) ? loaded.value : null;
  if (members.length < loaded.members.length) remember(tracker, state, name, { value: kept, members });
}

/** Takes what a relation held when the flush was planned as what is in the database, where that is known to be all of it. */
export function settleRelation(
  tracker: Tracker,
  { state, relation, value, members }: WrittenRelation,
  inserted: ReadonlySet<InstanceState>,
): void {
  const { name } = relation;
  // A collection that was never loaded only adds: whether it is complete stays unknown.
  const complete = relation.kind === "belongsTo" || state.relations?.has(name) === true || inserted.has(state);
  if (state.status !== "persistent" || !complete) return;
  const child = relation.kind === "hasMany" || relation.kind === "hasOne";
  const there = members.filter((member) =>
    knownState(member)?.status === "persistent" && (!child || refersTo(member, relation, state))
  );
  remember(tracker, state, name, { value: Array.isArray(value) ? value : there[0] ?? null, members: there });
  if (there.length < members.length) {
    without(
      tracker,
      state,
      relation,
      new Set(members.filter((member) => !there.includes(member))),
    );
  }
}

/** Lets belongsTo properties follow foreign keys that were changed by themselves. */
export function followForeignKeys(
  tracker: Tracker,
  { state: given, cells }: Pick<RowChange, "state" | "cells">,
  written: readonly WrittenRelation[],
): void {
  const state = given!;
  for (const relation of state.mapper.relations) {
    const { name, local, target, kind } = relation;
    const loaded = state.relations?.get(name);
    if (kind !== "belongsTo" || loaded === undefined || !local.some((column) => cells[column.index] !== undefined)) {
      continue;
    }
    if (
      state.instance[name] !== loaded.value || written.some((one) => one.state === state && one.relation === relation)
    ) continue;
    const key = tokenIn(state.snapshot!, local);
    const parent = key === null ? undefined : tracker.identity.get(target, key);
    tracker.touch(state);
    if (parent === undefined && key !== null) {
      // Which instance it refers to now is not known until it is loaded.
      delete state.instance[name];
      const relations = new Map(state.relations);
      relations.delete(name);
      state.relations = relations;
      continue;
    }
    const value = parent?.instance ?? null;
    state.instance[name] = value;
    remember(tracker, state, name, { value, members: value === null ? [] : [value] });
  }
}

function remember(tracker: Tracker, state: InstanceState, name: string, snapshot: RelationSnapshot): void {
  tracker.touch(state);
  state.relations = new Map(state.relations ?? []).set(name, snapshot);
}
