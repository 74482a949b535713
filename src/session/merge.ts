/**
 * Merging: copies the state of an instance from elsewhere onto the session's own instance of the same row.
 *
 * @module
 */
import { StaleDataError, ValidationError } from "../errors.ts";
import type { MappedRelation, Mapper } from "../model/mapper.ts";
import { isDefaulted } from "../model/model.ts";
import type { Loader } from "../query/loader.ts";
import { type IncludeTree, mergeIncludes } from "../query/select_node.ts";
import { ByKey } from "../state/by_key.ts";
import { groupBy } from "../state/group_by.ts";
import {
  changedColumns,
  expireColumns,
  type InstanceState,
  isExpired,
  isHidden,
  newState,
  type Properties,
  refill,
  show,
} from "../state/instance_state.ts";
import { instanceKey, valuesIn } from "../state/key.ts";
import { snapshotOf, tokenOf, valueOf } from "../state/snapshot.ts";
import { label, type Tracker } from "../state/tracker.ts";
import { membersOf } from "../unit_of_work/relations.ts";
import type { Reading } from "./reading.ts";

/**
 * Merges an instance and what it reaches through relations with cascade "save". The session's instances are loaded
 * first, with those relations, in one request; members that are not among them are looked up together.
 */
export async function mergeInstance(
  tracker: Tracker,
  reading: Reading,
  given: InstanceState,
  include: IncludeTree,
  load: boolean,
): Promise<InstanceState> {
  if (tracker.has(given)) return given;
  const graph = reached(given, tracker);
  const key = instanceKey(given);
  if (load && key !== null && isMissing(tracker, given)) {
    const tree = mergeIncludes(include, shape(given, new Set()));
    const keys = [valuesIn(given.instance, given.mapper.key)];
    const { mapper } = given;
    // A row of another class of the same table is found by the first of the family, in the same turn.
    const asRoot = mapper.parent === null ? null : reading.loader.get(mapper.root, keys);
    await Promise.all([reading.get(mapper, keys, tree, {}), asRoot]);
  }
  const missing = load ? graph.filter((state) => isMissing(tracker, state)) : [];
  const byMapper = groupBy(missing, (state) => state.mapper.root);
  await Promise.all(
    [...byMapper].map(([mapper, states]) =>
      reading.loader.get(mapper, states.map((state) => valuesIn(state.instance, mapper.key)))
    ),
  );
  const targets = new Map<InstanceState, InstanceState>();
  const made: Made = new ByKey();
  for (const state of graph) targets.set(state, targetOf(tracker, state, load, made));
  if (load) await loadRelations(reading.loader, graph, targets);
  for (const [from, to] of targets) if (from !== to) copy(tracker, from, to, targets, load);
  return targets.get(given)!;
}

/** Whether the session must ask the database whether the row is there. */
function isMissing(tracker: Tracker, state: InstanceState): boolean {
  const key = instanceKey(state);
  if (key === null || tracker.has(state) || pendingTwin(tracker, state) !== undefined) return false;
  const known = tracker.identity.holder(state.mapper, key);
  return known === undefined || isExpired(known);
}

function pendingTwin(tracker: Tracker, state: InstanceState): InstanceState | undefined {
  const key = instanceKey(state);
  return key === null ? undefined : tracker.pendingHolder(state, key);
}

/** The relations of an instance that a merge follows: those that its properties hold. */
function followed(state: InstanceState): readonly MappedRelation[] {
  return state.mapper.relations.filter(({ name, save }) => save && state.instance[name] !== undefined);
}

function members(state: InstanceState, relation: MappedRelation): InstanceState[] {
  return membersOf(state, relation, state.instance[relation.name]);
}

/** An instance and what a merge of it reaches, each once, the instance first. */
function reached(given: InstanceState, tracker: Tracker): InstanceState[] {
  const all = new Set([given]);
  for (const state of all) { // grows while it is walked
    if (tracker.has(state)) continue;
    for (const relation of followed(state)) for (const member of members(state, relation)) all.add(member);
  }
  return [...all];
}

/** The relations that an instance holds, as something to include. */
function shape(state: InstanceState, above: ReadonlySet<InstanceState>): IncludeTree {
  const path = new Set(above).add(state);
  const tree = new Map<string, IncludeTree>();
  for (const relation of followed(state)) {
    let deeper: IncludeTree = new Map();
    for (const member of members(state, relation)) {
      if (!path.has(member)) deeper = mergeIncludes(deeper, shape(member, path));
    }
    tree.set(relation.name, deeper);
  }
  return tree;
}

/** The instances that a merge made, by the first model of their family and key: two of one key in a graph are one. */
type Made = ByKey<Mapper, InstanceState>;

/** The session's instance that a given one is copied onto; a new one where there is no row. */
function targetOf(tracker: Tracker, given: InstanceState, load: boolean, made: Made): InstanceState {
  if (tracker.has(given)) return given;
  const { mapper, instance } = given;
  const key = instanceKey(given);
  const known = key === null
    ? undefined
    : tracker.identity.holder(mapper, key) ?? pendingTwin(tracker, given) ?? made.get(mapper.root, key);
  if (known !== undefined) {
    if (known.mapper.is(mapper)) return known;
    throw new ValidationError(
      `Cannot merge ${
        label(given)
      }: the row of its key is a ${known.mapper.model}, and a row does not change its class`,
    );
  }
  const twin: Properties = Object.create(mapper.class.prototype);
  const state = newState(twin, mapper);
  if (key !== null) made.set(mapper.root, key, state);
  if (!load) {
    if (key === null || given.snapshot !== null && changedColumns(given).length > 0) {
      throw new ValidationError(`Cannot merge ${label(given)} without loading: it has no key or was changed`);
    }
    for (const column of mapper.columns) if (column.primaryKey) twin[column.property] = instance[column.property];
    tracker.become(state, "persistent", null);
    state.owner = tracker.owner;
    state.key = key;
    state.snapshot = given.snapshot ?? snapshotOf(mapper.columns, instance);
    tracker.identity.set(state);
    tracker.tell();
  }
  return state;
}

async function loadRelations(
  loader: Loader,
  graph: readonly InstanceState[],
  targets: ReadonlyMap<InstanceState, InstanceState>,
): Promise<void> {
  await Promise.all(graph.flatMap((from) => {
    const to = targets.get(from)!;
    if (to === from || to.status !== "persistent") return [];
    return followed(from).filter(({ name }) => !to.relations?.has(name))
      .map(({ name }) => loader.load([to], new Map([[name, new Map()]])));
  }));
}

function copy(
  tracker: Tracker,
  from: InstanceState,
  to: InstanceState,
  targets: ReadonlyMap<InstanceState, InstanceState>,
  load: boolean,
): void {
  const { mapper } = from;
  const { version } = mapper;
  // What the constructor made up, where nothing was given, is nothing to copy onto a row.
  const isGiven = (property: string): boolean => !load || to.snapshot === null || !isDefaulted(from.instance, property);
  if (
    load && version !== null && to.snapshot !== null && from.instance[version.property] !== undefined &&
    isGiven(version.property)
  ) {
    const merged = from.instance[version.property];
    if (merged !== to.snapshot[version.index]) {
      throw new StaleDataError(
        `Cannot merge ${label(from)}: it is at version ${merged}, and the row is at version ${
          String(to.snapshot[version.index])
        }`,
        { instance: to.instance },
      );
    }
  }
  for (const column of mapper.columns) {
    if (!load && isHidden(from, column.property)) expireColumns(to, [column]);
    if (column.generated !== null || isHidden(from, column.property) || !isGiven(column.property)) continue;
    const value = from.instance[column.property];
    if (to.snapshot !== null && column.property === to.mapper.discriminator?.property) {
      if (value === undefined || value === to.snapshot[column.index]) continue;
      throw new ValidationError(
        `Cannot merge ${label(from)}: the row of its key is of another ${column.property}, which does not change`,
      );
    }
    if (value === undefined || to.snapshot !== null && column.version && load) continue;
    show(to, column.property, valueOf(column.kind, tokenOf(column.kind, value)));
  }
  for (const relation of followed(from)) {
    const reached = members(from, relation).map((member) => targets.get(member)!);
    for (const state of reached) if (!tracker.has(state)) state.addedBy ??= relation; // it goes if it leaves its place
    const merged = [...new Set(reached.map(({ instance }) => instance))];
    const value = relation.many ? merged : merged[0] ?? null;
    if (!load) {
      to.relations = new Map(to.relations ?? []).set(relation.name, { value, members: merged });
      to.instance[relation.name] = value;
      continue;
    }
    const current = to.instance[relation.name];
    if (Array.isArray(current)) refill(current, merged);
    else to.instance[relation.name] = value;
  }
  tracker.removed.delete(to); // merged into, it is wanted again
  if (!tracker.has(to)) tracker.add(to);
}
