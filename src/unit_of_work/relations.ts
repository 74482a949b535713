/**
 * What changed in the relations: which child got which parent, which became an orphan, which links came and went.
 * Compares the relation properties with what was loaded; one pass over the instances and their members.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import type { MappedColumn, MappedRelation } from "../model/mapper.ts";
import { type InstanceState, isChanged, isGone, stateOf } from "../state/instance_state.ts";
import { keyToken, valuesIn } from "../state/key.ts";
import { label, type Tracker } from "../state/tracker.ts";

/** The parent that a child's foreign key is to refer to. */
export interface Assignment {
  readonly columns: readonly MappedColumn[];
  /** Null to refer to none. */
  readonly parent: InstanceState | null;
  /** Which relation said so, for messages. */
  readonly source: string;
}

/** A child that left a collection and has no other parent there. */
export interface Orphan {
  readonly child: InstanceState;
  readonly relation: MappedRelation;
  readonly parent: InstanceState;
}

/** A row of a link table that comes or goes. */
export interface LinkChange {
  readonly relation: MappedRelation;
  readonly owner: InstanceState;
  readonly target: InstanceState;
  readonly kind: "insert" | "delete";
}

/** The foreign keys that relations give, by child: hardly ever more than one. */
export type Assignments = ReadonlyMap<InstanceState, readonly Assignment[]>;

/** The assignment of a child's foreign key, if a relation changed it. */
export function assignmentOf(
  assignments: Assignments,
  child: InstanceState,
  foreignKey: readonly MappedColumn[],
): Assignment | undefined {
  return assignments.get(child)?.find(({ columns }) => sameColumns(columns, foreignKey));
}

/** What changed in the relations of a session. */
export class RelationChanges {
  readonly assignments: Map<InstanceState, Assignment[]> = new Map();
  readonly orphans: Orphan[] = [];
  readonly links: LinkChange[] = [];

  /** Gives a child a parent. Two relations that say different things are a ValidationError naming both. */
  assign(child: InstanceState, columns: readonly MappedColumn[], parent: InstanceState | null, source: string): void {
    const other = this.of(child, columns);
    if (other !== undefined && other.parent !== parent) {
      throw new ValidationError(
        `${other.source} and ${source} give ${label(child)} different parents: ${named(other.parent)} and ${
          named(parent)
        }; ` +
          "change only one of them",
      );
    }
    if (other !== undefined) return;
    const ofChild = this.assignments.get(child);
    const assignment = { columns, parent, source };
    if (ofChild === undefined) this.assignments.set(child, [assignment]);
    else ofChild.push(assignment);
  }

  /** The assignment of a child's foreign key, if a relation changed it. */
  of(child: InstanceState, columns: readonly MappedColumn[]): Assignment | undefined {
    return assignmentOf(this.assignments, child, columns);
  }
}

function named(state: InstanceState | null): string {
  return state === null ? "none" : label(state);
}

/** Whether two foreign keys are the same. */
export function sameColumns(a: readonly MappedColumn[], b: readonly MappedColumn[]): boolean {
  return a.length === b.length && a.every((column, i) => column === b[i]);
}

/**
 * Makes every instance that the session's instances reach through relations with cascade "save" part of the session.
 * Throws a ValidationError when a relation holds something that it cannot.
 */
export function cascadeSave(tracker: Tracker, from: Iterable<InstanceState> = tracker.all()): void {
  const open: InstanceState[] = [];
  for (const state of from) if (state.mapper.relations.length > 0) open.push(state);
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    for (const relation of state.mapper.relations) {
      const value = state.instance[relation.name];
      if (value === undefined || value === null || tracker.removed.has(state)) continue;
      const loaded = state.relations?.get(relation.name);
      for (const member of membersOf(state, relation, value)) {
        if (tracker.has(member)) continue;
        if (member.owner === null && isGone(member)) continue;
        if (relation.save) {
          tracker.add(member);
          member.addedBy = relation;
          open.push(member);
        } else if (!loaded?.members.includes(member.instance)) {
          throw new ValidationError(
            `${state.mapper.model}.${relation.name} holds ${label(member)}, which is not in the session; ` +
              'add it, or give the relation cascade "save"',
          );
        }
      }
    }
  }
}

/** The states of what a relation property holds; throws a ValidationError when that is no such thing. */
export function membersOf(state: InstanceState, relation: MappedRelation, value: unknown): InstanceState[] {
  const name = `${state.mapper.model}.${relation.name}`;
  if (relation.many !== Array.isArray(value)) {
    const wanted = relation.many ? `an array of ${relation.target.model}` : `a ${relation.target.model} or null`;
    throw new ValidationError(`${name} must be ${wanted}`);
  }
  const members = relation.many ? value as unknown[] : value === null ? [] : [value];
  return members.map((member) => {
    const found = stateOf(member, `use in ${name}`);
    if (!found.mapper.is(relation.target) && !(member instanceof (relation.target.class as never))) {
      throw new ValidationError(`${name} must hold ${relation.target.model} instances, found a ${found.mapper.model}`);
    }
    return found;
  });
}

/** Compares the relations of the session's instances with what was loaded. */
export function relationChanges(tracker: Tracker): RelationChanges {
  const changes = new RelationChanges();
  for (const state of tracker.all()) {
    for (const relation of state.mapper.relations) {
      const value = state.instance[relation.name];
      if (value === undefined || tracker.removed.has(state)) continue;
      if (relation.kind === "belongsTo") compareParent(changes, state, relation, value);
      else compareMembers(changes, tracker, state, relation, value);
    }
  }
  return changes;
}

function compareParent(changes: RelationChanges, state: InstanceState, relation: MappedRelation, value: unknown): void {
  const loaded = state.relations?.get(relation.name);
  if (loaded !== undefined && loaded.value === value) return;
  const [parent] = membersOf(state, relation, value);
  changes.assign(state, relation.local, parent ?? null, `${state.mapper.model}.${relation.name}`);
}

function compareMembers(
  changes: RelationChanges,
  tracker: Tracker,
  state: InstanceState,
  relation: MappedRelation,
  value: unknown,
): void {
  const loaded = state.relations?.get(relation.name);
  const before = loaded?.members ?? [];
  const source = `${state.mapper.model}.${relation.name}`;
  if (loaded === undefined && state.status === "persistent" && relation.deleteOrphan) {
    throw new ValidationError(
      `${source} was assigned without being loaded, and its orphans are deleted: ` +
        `await session.load(instance, ["${relation.name}"]) first`,
    );
  }
  const current = membersOf(state, relation, value);
  if (current.length === before.length && current.every((member, i) => member.instance === before[i])) return;
  const known = new Set(before);
  const kept = new Set<object>();
  for (const child of current) {
    if (kept.has(child.instance)) continue;
    kept.add(child.instance);
    if (known.has(child.instance)) continue;
    if (relation.link !== null) changes.links.push({ relation, owner: state, target: child, kind: "insert" });
    else changes.assign(child, relation.remote, state, source);
  }
  for (const member of before) {
    if (kept.has(member)) continue;
    const child = stateOf(member, `use in ${source}`);
    if (relation.link !== null) changes.links.push({ relation, owner: state, target: child, kind: "delete" });
    else if (tracker.has(child) && !tracker.removed.has(child)) {
      changes.orphans.push({ child, relation, parent: state });
    }
  }
}

/**
 * The orphans that no other relation or foreign key gave a parent. Those of a relation without deleteOrphan are given
 * none; where the foreign key cannot be null that is a ValidationError.
 */
export function settleOrphans(changes: RelationChanges): InstanceState[] {
  const deleted: InstanceState[] = [];
  for (const { child, relation, parent } of changes.orphans) {
    const given = changes.of(child, relation.remote);
    if (given !== undefined && given.parent !== null) continue;
    if (given === undefined && !refersTo(child, relation.remote, parent)) continue;
    if (relation.deleteOrphan) deleted.push(child);
    else if (relation.remote.every((column) => column.nullable)) {
      changes.assign(child, relation.remote, null, `${relation.owner.model}.${relation.name}`);
    } else {
      throw new ValidationError(
        `${
          label(child)
        } was taken out of ${relation.owner.model}.${relation.name}, and its foreign key cannot be null; ` +
          'give it another parent, delete it, or give the relation cascade "deleteOrphan"',
      );
    }
  }
  return deleted;
}

/** Whether a child's foreign key, as it stands on the instance, still refers to a parent. */
function refersTo(child: InstanceState, columns: readonly MappedColumn[], parent: InstanceState): boolean {
  if (child.status !== "persistent" || !columns.some((column) => isChanged(child, column))) return true;
  return keyToken(valuesIn(child.instance, columns)) === parent.key;
}
