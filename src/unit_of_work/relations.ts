/**
 * What changed in the relations: which child got which parent, which became an orphan, which links came and went.
 * Compares the relation properties with what was loaded; one pass over the instances and their members.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import type { MappedColumn, MappedRelation } from "../model/mapper.ts";
import {
  type InstanceState,
  isChanged,
  isGone,
  isRelationTouched,
  knownState,
  stateOf,
} from "../state/instance_state.ts";
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

/** What a relation held when the changes were collected, where that is not what was loaded. */
export interface WrittenRelation {
  readonly state: InstanceState;
  readonly relation: MappedRelation;
  readonly value: unknown;
  /** Each once. */
  readonly members: readonly object[];
}

/** The foreign keys that relations give, by child: hardly ever more than one, and the same list for its siblings. */
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
  readonly assignments: Map<InstanceState, readonly Assignment[]> = new Map();
  readonly orphans: Orphan[] = [];
  readonly links: LinkChange[] = [];
  readonly written: WrittenRelation[] = [];

  /** Gives a child a parent. Two relations that say different things are a ValidationError naming both. */
  assign(child: InstanceState, given: readonly [Assignment]): void {
    const { columns, parent, source } = given[0];
    const other = assignmentOf(this.assignments, child, columns);
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
    this.assignments.set(child, ofChild === undefined ? given : [...ofChild, ...given]);
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
  const open = [...from];
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
  const name = () => `${state.mapper.model}.${relation.name}`;
  if (relation.many !== Array.isArray(value)) {
    const wanted = relation.many ? `an array of ${relation.target.model}` : `a ${relation.target.model} or null`;
    throw new ValidationError(`${name()} must be ${wanted}`);
  }
  const members = relation.many ? value as unknown[] : value === null ? [] : [value];
  return members.map((member) => {
    const found = knownState(member) ?? stateOf(member, `use in ${name()}`);
    if (!found.mapper.is(relation.target) && !(member instanceof (relation.target.class as never))) {
      throw new ValidationError(
        `${name()} must hold ${relation.target.model} instances, found a ${found.mapper.model}`,
      );
    }
    return found;
  });
}

/** Compares the relations of the session's instances with what was loaded. */
export function relationChanges(tracker: Tracker): RelationChanges {
  const changes = new RelationChanges();
  for (const state of tracker.all()) {
    for (const relation of state.mapper.relations) {
      if (tracker.removed.has(state) || !isRelationTouched(state, relation)) continue;
      compare(changes, tracker, state, relation);
    }
  }
  return changes;
}

function compare(
  changes: RelationChanges,
  tracker: Tracker,
  state: InstanceState,
  relation: MappedRelation,
): void {
  const { name, link, remote } = relation;
  const value = state.instance[name];
  const source = `${state.mapper.model}.${name}`;
  const loaded = state.relations?.get(name);
  if (loaded === undefined && state.status === "persistent" && relation.deleteOrphan) {
    throw new ValidationError(
      `${source} was assigned without being loaded, and its orphans are deleted: ` +
        `await session.load(instance, ["${name}"]) first`,
    );
  }
  const current = membersOf(state, relation, value);
  if (relation.kind === "belongsTo") {
    const parent = current[0] ?? null;
    changes.written.push({ state, relation, value, members: current.map(({ instance }) => instance) });
    return changes.assign(state, [{ columns: relation.local, parent, source }]);
  }
  const kept = new Set<object>(current.map(({ instance }) => instance));
  changes.written.push({ state, relation, value, members: [...kept] });
  const before = loaded?.members ?? [];
  const known = new Set(before);
  const given = [{ columns: remote, parent: state, source }] as const;
  for (const child of current) {
    if (known.has(child.instance)) continue;
    if (link !== null) changes.links.push({ relation, owner: state, target: child, kind: "insert" });
    else changes.assign(child, given);
  }
  for (const member of before) {
    if (kept.has(member)) continue;
    const child = stateOf(member, `use in ${source}`);
    if (link !== null) changes.links.push({ relation, owner: state, target: child, kind: "delete" });
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
    const given = assignmentOf(changes.assignments, child, relation.remote);
    if (given !== undefined && given.parent !== null) continue;
    if (given === undefined && !refersTo(child, relation.remote, parent)) continue;
    if (relation.deleteOrphan) deleted.push(child);
    else if (relation.remote.every((column) => column.nullable)) {
      const source = `${relation.owner.model}.${relation.name}`;
      changes.assign(child, [{ columns: relation.remote, parent: null, source }]);
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
