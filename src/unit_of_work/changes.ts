/**
 * From a session's instances to what has to be written: which are inserted, which updated and in what, which deleted.
 * Reads the instances and changes nothing but the set of what is added (cascade "save" adds what it reaches).
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import { isInstance, type MappedColumn, type MappedRelation, type Mapper } from "../model/mapper.ts";
import { changedColumns, type InstanceState, isRelationTouched, knownState, stateOf } from "../state/instance_state.ts";
import { type KeyToken, keyToken, tokenIn, valuesIn } from "../state/key.ts";
import { label, type Tracker } from "../state/tracker.ts";
import {
  assignmentOf,
  type Assignments,
  cascadeSave,
  type LinkChange,
  type RelationChanges,
  relationChanges,
  settleOrphans,
  type WrittenRelation,
} from "./relations.ts";

/** A persistent instance and its columns that changed. */
export interface ChangedInstance {
  readonly state: InstanceState;
  readonly columns: readonly MappedColumn[];
}

/** What a flush has to write. */
export interface Changes {
  readonly inserts: readonly InstanceState[];
  readonly updates: readonly ChangedInstance[];
  readonly deletes: ReadonlySet<InstanceState>;
  /** Foreign keys that relations give, by child. */
  readonly assignments: Assignments;
  readonly links: readonly LinkChange[];
  /** The relations that are written with it. */
  readonly relations: readonly WrittenRelation[];
  /** Takes a key for a new instance. Returns the other that has it: another new one, or one that is loaded. */
  claim(state: InstanceState, key: KeyToken): InstanceState | undefined;
}

/** Collects what a session has to write. O(instances × columns), as it must look at each. */
export function collectChanges(tracker: Tracker): Changes {
  cascadeSave(tracker);
  const relations = relationChanges(tracker);
  const deletes = new Set(tracker.removed);
  for (const state of [...tracker.added]) if (isPendingOrphan(state, relations)) tracker.unadd(state);
  const orphans = new Set(settleOrphans(relations));
  for (const orphan of orphans) if (!tracker.added.has(orphan)) deletes.add(orphan);
  cascadeDelete(tracker, deletes, relations.assignments, (child, relation) => {
    const source = `the deletion of its ${relation.owner.model}`;
    relations.assign(child, [{ columns: relation.remote, parent: null, source }]);
  });
  const updates: ChangedInstance[] = [];
  for (const state of tracker.identity) {
    const columns = changedColumns(state);
    if (columns.length === 0 && !state.forced && !relations.assignments.has(state) || deletes.has(state)) continue;
    refuseManaged(state, columns);
    updates.push({ state, columns });
  }
  return {
    inserts: [...tracker.added].filter((state) => !orphans.has(state)),
    updates,
    deletes,
    assignments: relations.assignments,
    links: relations.links,
    relations: relations.written,
    claim: (state, key) => tracker.claim(state, key),
  };
}

/** Whether a pending instance came in through a collection with cascade "deleteOrphan" and has left it again. */
function isPendingOrphan(state: InstanceState, relations: RelationChanges): boolean {
  const relation = state.addedBy;
  if (
    relation === null || !relation.deleteOrphan ||
    assignmentOf(relations.assignments, state, relation.remote) !== undefined
  ) return false;
  return keyToken(valuesIn(state.instance, relation.remote)) === null;
}

/**
 * The tables that pending changes touch, for autoflush. Looks without checking anything: what is wrong with a change is
 * said when it is flushed. O(instances × columns).
 */
export function pendingTables(tracker: Tracker): Set<string> {
  const tables = new Set<string>();
  const doomed = new Set([...tracker.removed].map(({ mapper }) => mapper));
  for (const mapper of doomed) { // grows while it is walked: a deletion may go on from table to table
    tables.add(mapper.table);
    for (const { kind, target, link } of mapper.relations) {
      if (link !== null) tables.add(link.table);
      else if (kind !== "belongsTo") { for (const one of target.family) doomed.add(one); }
    }
  }
  const reached = new Set(tracker.all());
  for (const state of reached) { // grows while it is walked
    const { mapper } = state;
    if (state.snapshot === null || state.forced || changedColumns(state).length > 0) tables.add(mapper.table);
    for (const relation of mapper.relations) {
      if (!isRelationTouched(state, relation)) continue;
      tables.add(relation.kind === "belongsTo" ? mapper.table : relation.target.table);
      if (relation.link !== null) tables.add(relation.link.table);
      const value = state.instance[relation.name];
      for (const member of Array.isArray(value) ? value : [value]) {
        if (isInstance(member)) reached.add(stateOf(member, "look at"));
      }
    }
  }
  return tables;
}

function refuseManaged(state: InstanceState, columns: readonly MappedColumn[]): void {
  for (const column of columns) {
    const name = `${state.mapper.model}.${column.property}`;
    if (column.primaryKey) {
      throw new ValidationError(
        `${name} of ${label(state)} was changed; primary keys do not change: add a new instance`,
      );
    }
    if (column.version) {
      throw new ValidationError(
        `${name} was changed by hand; the session counts it: use verify(instance, version) to check against a version`,
      );
    }
    if (column.property === state.mapper.discriminator?.property) {
      throw new ValidationError(`${name} of ${label(state)} was changed; it tells its class, which does not change`);
    }
    if (column.generated !== null) throw new ValidationError(`${name} was changed; the database computes it`);
  }
}

/** The relations whose foreign key stands on the other side. */
export function childRelations(mapper: Mapper): readonly MappedRelation[] {
  return mapper.relations.filter((relation) => relation.kind === "hasMany" || relation.kind === "hasOne");
}

/**
 * Adds to `deletes` the loaded children that go with their parents, and reports those that only lose their foreign
 * key. Children follow their foreign key in the snapshot, so one that was given another parent stays.
 */
function cascadeDelete(
  tracker: Tracker,
  deletes: Set<InstanceState>,
  assignments: Assignments,
  orphan: (child: InstanceState, relation: MappedRelation) => void,
): void {
  const indexes = new Map<string, Map<KeyToken, InstanceState[]>>();
  for (const parent of deletes) { // grows while it is walked
    for (const relation of childRelations(parent.mapper)) {
      const goes = relation.delete || relation.onDelete === "cascade";
      if (!goes && !relation.remote.every((column) => column.nullable)) continue;
      for (const child of childrenIndex(tracker, relation, indexes).get(parent.key!) ?? []) {
        if (deletes.has(child)) continue;
        const given = assignmentOf(assignments, child, relation.remote);
        if (given !== undefined && given.parent !== parent) continue;
        if (given === undefined && keyToken(valuesIn(child.instance, relation.remote)) !== parent.key) continue;
        if (goes) deletes.add(child);
        else if (given === undefined) orphan(child, relation);
      }
    }
  }
}

function childrenIndex(
  tracker: Tracker,
  relation: MappedRelation,
  indexes: Map<string, Map<KeyToken, InstanceState[]>>,
): Map<KeyToken, InstanceState[]> {
  const id = `${relation.target.model} ${relation.remote.map(({ index }) => index).join()}`;
  let index = indexes.get(id);
  if (index !== undefined) return index;
  index = new Map();
  for (const child of tracker.identity.of(relation.target)) {
    const token = tokenIn(child.snapshot!, relation.remote);
    if (token === null) continue;
    const siblings = index.get(token);
    if (siblings === undefined) index.set(token, [child]);
    else siblings.push(child);
  }
  indexes.set(id, index);
  return index;
}

/** The part of the changes that is about some instances, and the new parents that those refer to. */
export function changesOf(changes: Changes, objects: Iterable<object>): Changes {
  const wanted = new Set<InstanceState | undefined>([...objects].map(knownState));
  for (const state of wanted) { // grows while it is walked
    for (const { parent } of (state && changes.assignments.get(state)) ?? []) {
      if (parent !== null) wanted.add(parent);
    }
  }
  return {
    inserts: changes.inserts.filter((state) => wanted.has(state)),
    updates: changes.updates.filter(({ state }) => wanted.has(state)),
    deletes: new Set([...changes.deletes].filter((state) => wanted.has(state))),
    assignments: changes.assignments,
    claim: changes.claim,
    links: changes.links.filter(({ owner, target }) => wanted.has(owner) && wanted.has(target)),
    // A collection counts as written only with all of its members.
    relations: changes.relations.filter(({ state, members }) =>
      wanted.has(state) && members.every((member) => wanted.has(knownState(member)) || knownState(member)?.snapshot)
    ),
  };
}
