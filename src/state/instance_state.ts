/**
 * What is known of one instance: its state, its session, its key, the snapshot of its columns and of its relations.
 * Kept beside the instance, never on it.
 *
 * @module
 */
import { ExpiredPropertyError } from "../errors.ts";
import { Bearer } from "../model/bearer.ts";
import { type MappedColumn, type MappedRelation, type Mapper, mapperOfInstance } from "../model/mapper.ts";
import type { Sql } from "../sql/tag.ts";
import { isSame, type Token, UNKNOWN } from "./snapshot.ts";
import type { KeyToken } from "./key.ts";

/** Where an instance is in its life, in SQLAlchemy's words. */
export type ObjectState = "transient" | "pending" | "persistent" | "deleted" | "detached";

/** The instances on the other end of a loaded relation when it was loaded or last flushed. */
export interface RelationSnapshot {
  /** The array, or the one instance, that the property held. */
  readonly value: unknown;
  /** The members at that time. */
  readonly members: readonly object[];
}

/** An instance's properties, reached by name. */
export type Properties = Record<string, unknown>;

/** What is known of one instance. */
export class InstanceState {
  readonly instance: Properties;
  readonly mapper: Mapper;
  status: ObjectState = "transient";
  /** What identifies the session it belongs to; null when it belongs to none. */
  owner: object | null = null;
  /** Its key in the identity map; null before it has one. */
  key: KeyToken | null = null;
  /** The tokens by column index; never changed in place, so that an older one can be put back. Null while it has no row. */
  snapshot: readonly Token[] | null = null;
  /** The relations that were loaded; never changed in place. */
  relations: ReadonlyMap<string, RelationSnapshot> | null = null;
  /** SQL expressions given as values, by property; never changed in place. */
  expressions: ReadonlyMap<string, Sql> | null = null;
  /** Whether an update is forced. */
  forced = false;
  /** Whether a property was ever hidden: until then the columns are plain properties, which takes no descriptors to tell. */
  wasHidden = false;
  /** The relation through which it was added, where it was not added by itself. */
  addedBy: MappedRelation | null = null;

  constructor(instance: object, mapper: Mapper) {
    this.instance = instance as Properties;
    this.mapper = mapper;
  }
}

/** The states, each in a private field of its instance. */
class States extends Bearer {
  #state: InstanceState;

  constructor(instance: object, state: InstanceState) {
    super(instance);
    this.#state = state;
  }

  static get(instance: object): InstanceState | undefined {
    return #state in instance ? instance.#state : undefined;
  }

  static set(instance: object, state: InstanceState): void {
    new States(instance, state);
  }
}

/** The state of an instance; made as transient when there is none yet. Throws a ValidationError for any other value. */
export function stateOf(instance: unknown, doing: string): InstanceState {
  const known = knownState(instance);
  if (known !== undefined) return known;
  const mapper = mapperOfInstance(instance, doing);
  return newState(instance as object, mapper);
}

/** The state of an instance if it has one. */
export function knownState(instance: unknown): InstanceState | undefined {
  return typeof instance === "object" && instance !== null ? States.get(instance) : undefined;
}

/** Makes the state of a new instance. */
export function newState(instance: object, mapper: Mapper): InstanceState {
  const state = new InstanceState(instance, mapper);
  States.set(instance, state);
  return state;
}

/** Whether a column of an instance differs from its snapshot. One comparison for scalars. */
export function isChanged(state: InstanceState, column: MappedColumn): boolean {
  if (state.expressions?.has(column.property)) return true;
  const token = state.snapshot![column.index];
  if (token === UNKNOWN) return !isHidden(state, column.property) && column.generated === null;
  return !isSame(column.kind, token, state.instance[column.property]);
}

/** The columns of a persistent instance that differ from its snapshot; empty when none does. */
export function changedColumns(state: InstanceState): readonly MappedColumn[] {
  let changed: MappedColumn[] | null = null;
  const { instance, snapshot, expressions } = state;
  for (const column of state.mapper.columns) {
    const token = snapshot![column.index];
    // The common case first: a scalar that did not change.
    if (token !== UNKNOWN && expressions === null && instance[column.property] === token) continue;
    if (isChanged(state, column)) (changed ??= []).push(column);
  }
  return changed ?? NONE;
}

/** For what an instance or a row has none of: there is one of each for all of them, so none makes lists in vain. */
export const NONE: readonly never[] = [];

/**
 * Hides a property whose value is not known: reading it throws until it is refreshed, assigning to it gives it a value
 * again. The property stays an own, enumerable one.
 */
export function hide(state: InstanceState, property: string, why: string): void {
  const label = `${state.mapper.model}.${property}`;
  state.wasHidden = true;
  Object.defineProperty(state.instance, property, {
    configurable: true,
    enumerable: true,
    get(): never {
      throw new ExpiredPropertyError(`${label} ${why}`);
    },
    set(value: unknown): void {
      show(state, property, value);
    },
  });
}

/** Gives a property a value, hidden or not. */
export function show(state: InstanceState, property: string, value: unknown): void {
  if (!state.wasHidden) {
    state.instance[property] = value;
    return;
  }
  dropExpression(state, property);
  Object.defineProperty(state.instance, property, { configurable: true, enumerable: true, writable: true, value });
}

function dropExpression(state: InstanceState, property: string): void {
  if (!state.expressions?.has(property)) return;
  const rest = new Map(state.expressions);
  rest.delete(property);
  state.expressions = rest.size === 0 ? null : rest;
}

/** What a property holds, undefined when it is hidden or not there. */
export function peek(state: InstanceState, property: string): unknown {
  const { instance } = state;
  if (state.wasHidden) return Object.getOwnPropertyDescriptor(instance, property)?.value;
  return Object.hasOwn(instance, property) ? instance[property] : undefined;
}

/** Whether a property is hidden. */
export function isHidden(state: InstanceState, property: string): boolean {
  return state.wasHidden && Object.getOwnPropertyDescriptor(state.instance, property)?.get !== undefined;
}

/** Expires columns (all but the key, unless given): their values are unknown until the next refresh. */
export function expireColumns(
  state: InstanceState,
  columns: readonly MappedColumn[] = state.mapper.columns.filter((column) => !column.primaryKey),
): void {
  if (state.snapshot === null) return;
  const snapshot = [...state.snapshot];
  for (const column of columns) {
    snapshot[column.index] = UNKNOWN;
    dropExpression(state, column.property);
    hide(state, column.property, "is expired; await session.refresh(instance) before reading it");
  }
  state.snapshot = snapshot;
}

/** Whether some column of a persistent instance is expired. */
export function isExpired(state: InstanceState): boolean {
  return state.snapshot !== null && state.snapshot.includes(UNKNOWN);
}

/** Whether a relation property differs from what was loaded. */
export function isRelationTouched(state: InstanceState, { name }: MappedRelation): boolean {
  const value = state.instance[name];
  const loaded = state.relations?.get(name);
  if (loaded === undefined) return value !== undefined;
  if (value === undefined) return false;
  return Array.isArray(value) ? !sameMembers(value, loaded.members) : value !== loaded.value;
}

/** Whether an instance differs from its snapshot in a column or in a relation. */
export function isTouched(state: InstanceState): boolean {
  return state.forced || state.expressions !== null || changedColumns(state).length > 0 ||
    state.mapper.relations.some((relation) => isRelationTouched(state, relation));
}

/** Whether two collections have the same members in the same order. */
export function sameMembers(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((member, i) => member === b[i]);
}

/** Gives an array other members; of any number, which the arguments of `splice` are not. */
export function refill(array: unknown[], members: readonly unknown[]): void {
  array.length = 0;
  for (const member of members) array.push(member);
}

/** Whether an instance's row was deleted, in this transaction or for good. */
export function isGone(state: InstanceState): boolean {
  return state.status === "deleted" || state.status === "detached" && state.snapshot === null;
}
