/**
 * Deleting: marks an instance and what goes with it. Children are loaded only where the session has to delete them or
 * to empty their foreign key itself.
 *
 * @module
 */
import { DetachedInstanceError, ValidationError } from "../errors.ts";
import type { MappedRelation, Mapper } from "../model/mapper.ts";
import type { Loader } from "../query/loader.ts";
import { groupBy } from "../state/group_by.ts";
import { type InstanceState, isChanged, isRelationTouched, knownState } from "../state/instance_state.ts";
import { keyToken, valuesIn } from "../state/key.ts";
import { label, type Tracker } from "../state/tracker.ts";
import { childRelations } from "../unit_of_work/changes.ts";
import { cascadeSave, relationChanges, settleOrphans } from "../unit_of_work/relations.ts";

/** Marks an instance as deleted, in memory. A pending one is only taken out of the session. Returns whether it has a row. */
export function markDeleted(tracker: Tracker, state: InstanceState): boolean {
  if (state.status === "deleted" && tracker.has(state)) return false;
  if (!tracker.has(state)) {
    if (state.owner !== null) {
      throw new DetachedInstanceError(`Cannot delete ${label(state)}: it belongs to another session; delete it there`);
    }
    if (state.snapshot === null) {
      throw new ValidationError(`Cannot delete ${label(state)}: it is not in the session and has no row; get it first`);
    }
    tracker.add(state);
  }
  for (const relation of childRelations(state.mapper)) {
    if (!relation.delete) continue;
    const value = state.instance[relation.name];
    for (const member of Array.isArray(value) ? value : [value]) {
      const child = knownState(member);
      if (child?.status === "pending" && tracker.has(child)) markDeleted(tracker, child);
    }
  }
  if (state.status === "pending") {
    tracker.unadd(state);
    return false;
  }
  tracker.removed.add(state);
  return true;
}

/**
 * The persistent instances that the next flush deletes because they left a collection with cascade "deleteOrphan" and
 * have no other parent.
 */
export function leavingOrphans(tracker: Tracker): InstanceState[] {
  if (!hasDepartures(tracker)) return [];
  cascadeSave(tracker);
  return settleOrphans(relationChanges(tracker)).filter((state) => state.status === "persistent");
}

/** Whether anything left a loaded collection with cascade "deleteOrphan"; a look at what is loaded, and no more. */
function hasDepartures(tracker: Tracker): boolean {
  for (const state of tracker.identity) {
    if (state.relations === null) continue;
    for (const [name, { members }] of state.relations) {
      const value = state.instance[name];
      if (!state.mapper.relation(name)!.deleteOrphan || value === undefined) continue;
      const kept = new Set(Array.isArray(value) ? value : [value]);
      if (members.some((member) => !kept.has(member))) return true;
    }
  }
  return false;
}

/** Whether deleting a parent needs its children in memory. */
function needsChildren(relation: MappedRelation): boolean {
  if (relation.delete) return relation.onDelete !== "cascade";
  return relation.onDelete === null && relation.remote.every((column) => column.nullable);
}

/**
 * Loads what the deletion of instances needs, and marks what goes with them. One request for each level of the graph,
 * none where the database cascades by itself or the children are loaded.
 */
export async function cascadeDeletion(
  tracker: Tracker,
  loader: Loader,
  deleted: readonly InstanceState[],
): Promise<void> {
  let level = deleted;
  while (level.length > 0) {
    const byMapper = groupBy(level, (state) => state.mapper);
    await Promise.all([...byMapper].map(([mapper, states]) => loadChildren(loader, mapper, states)));
    const next: InstanceState[] = [];
    for (const state of level) {
      for (const relation of childRelations(state.mapper)) {
        if (!relation.delete) continue;
        for (const child of markChildren(tracker, state, relation)) next.push(child);
      }
    }
    level = next;
  }
}

async function loadChildren(loader: Loader, mapper: Mapper, states: readonly InstanceState[]): Promise<void> {
  await Promise.all(
    childRelations(mapper).filter(needsChildren).map(async (relation) => {
      const unloaded = states.filter((state) => !state.relations?.has(relation.name));
      if (unloaded.length > 0) await loader.load(unloaded, new Map([[relation.name, new Map()]]));
    }),
  );
}

/** Whether a child says by itself that its parent is another one now. */
function hasMoved(child: InstanceState, { remote }: MappedRelation, parent: InstanceState): boolean {
  const own = child.mapper.relations.find(({ kind, local }) =>
    kind === "belongsTo" && local.every((column, i) => column === remote[i])
  );
  if (own !== undefined && isRelationTouched(child, own)) return child.instance[own.name] !== parent.instance;
  return remote.some((column) => isChanged(child, column)) && keyToken(valuesIn(child.instance, remote)) !== parent.key;
}

function markChildren(tracker: Tracker, state: InstanceState, relation: MappedRelation): InstanceState[] {
  const { name } = relation;
  const marked: InstanceState[] = [];
  for (const member of state.relations?.get(name)?.members ?? []) {
    const child = knownState(member);
    if (child?.status !== "persistent" || !tracker.has(child) || tracker.removed.has(child)) continue;
    const current = state.instance[name];
    // One that was taken out of the collection, or was given another parent, goes its own way.
    if (Array.isArray(current) && !current.includes(member) || hasMoved(child, relation, state)) continue;
    if (markDeleted(tracker, child)) marked.push(child);
  }
  return marked;
}
