/**
 * What an instance held at some time, and how it is put back: the values on a rollback, the very arrays of its collections.
 *
 * @module
 */
import type { MappedColumn } from "../model/mapper.ts";
import type { Sql } from "../sql/tag.ts";
import {
  hide,
  type InstanceState,
  isHidden,
  peek,
  refill,
  type RelationSnapshot,
  sameMembers,
  show,
} from "./instance_state.ts";
import { isSame, type Token, tokenOf, UNKNOWN, valueOf } from "./snapshot.ts";

/** What an instance without a row held where a flush gives it other values: the user's, to be put back. */
export interface Given {
  /** The columns that had no value; null where all had one. */
  readonly absent: readonly MappedColumn[] | null;
  /** Foreign keys and the version; every column once it was expired. Null while there are none. */
  tokens: Map<MappedColumn, Token> | null;
  readonly expressions: ReadonlyMap<string, Sql> | null;
}

/** The values that an instance held at some time, where they differ from its snapshot. */
export interface Held {
  readonly tokens: readonly Token[];
  readonly relations: ReadonlyMap<string, readonly object[] | object | null>;
  /** What counted as loaded. */
  readonly loaded: ReadonlyMap<string, RelationSnapshot> | null;
  readonly arrays: ReadonlyMap<string, object[]>;
  readonly expressions: ReadonlyMap<string, Sql> | null;
  readonly forced: boolean;
}

/** What an instance without a row holds now, where a flush may give it other values. */
export function givenBy(state: InstanceState): Given {
  const { mapper, instance, expressions } = state;
  let absent: readonly MappedColumn[] | null = null;
  for (const column of mapper.columns) {
    if (!Object.hasOwn(instance, column.property)) absent = absent === null ? [column] : [...absent, column];
  }
  let tokens: Map<MappedColumn, Token> | null = null;
  for (const column of mapper.flushed) {
    const value = peek(state, column.property);
    if (value !== undefined) (tokens ??= new Map()).set(column, tokenOf(column.kind, value));
  }
  return { absent, tokens, expressions };
}

/** Puts back what an instance without a row held. */
export function restoreGiven(state: InstanceState, { absent, tokens, expressions }: Given): void {
  for (const column of absent ?? []) delete state.instance[column.property];
  for (const [column, token] of tokens ?? []) show(state, column.property, valueOf(column.kind, token));
  state.expressions = expressions;
  for (const property of expressions?.keys() ?? []) hide(state, property, WHY_EXPRESSION);
}

/** What an instance holds now. */
export function holding(state: InstanceState): Held {
  const { instance, mapper, expressions, forced } = state;
  const relations = new Map<string, readonly object[] | object | null>();
  const arrays = new Map<string, object[]>();
  for (const { name } of mapper.relations) {
    const value = instance[name];
    if (Array.isArray(value)) arrays.set(name, value);
    if (value !== undefined) relations.set(name, Array.isArray(value) ? [...value] : value as object | null);
  }
  const tokens = mapper.columns.map(({ kind, property }) =>
    isHidden(state, property) ? UNKNOWN : tokenOf(kind, instance[property])
  );
  return { tokens, relations, loaded: state.relations, arrays, expressions, forced };
}

/** Puts back what an instance held. */
export function restoreHeld(state: InstanceState, held: Held): void {
  state.expressions = held.expressions;
  state.forced = held.forced;
  restoreColumns(state, held.tokens);
  const kept = new Map(state.relations ?? []);
  for (const name of held.relations.keys()) {
    const loaded = held.loaded?.get(name);
    if (loaded === undefined) kept.delete(name);
    else kept.set(name, loaded);
  }
  state.relations = kept;
  for (const { name } of state.mapper.relations) {
    const value = held.relations.get(name);
    const loaded = state.relations?.get(name);
    if (value === undefined && loaded !== undefined) restoreLoaded(state, name, loaded);
    else if (value === undefined) delete state.instance[name];
    else restoreRelation(state, name, held.arrays.get(name) ?? value, Array.isArray(value) ? value : null);
  }
}

/** Puts back what an instance's row holds. */
export function restoreRow(state: InstanceState): void {
  state.expressions = null;
  state.forced = false;
  restoreColumns(state, state.snapshot!);
  for (const { name } of state.mapper.relations) {
    const loaded = state.relations?.get(name);
    if (loaded !== undefined) restoreLoaded(state, name, loaded);
    else if (Object.hasOwn(state.instance, name)) delete state.instance[name];
  }
}

function restoreLoaded(state: InstanceState, name: string, { value, members }: RelationSnapshot): void {
  restoreRelation(state, name, value, Array.isArray(value) ? members : null);
}

function restoreColumns(state: InstanceState, tokens: readonly Token[]): void {
  const { instance } = state;
  for (const { index, property, kind } of state.mapper.columns) {
    const token = tokens[index];
    if (token === UNKNOWN) {
      if (isHidden(state, property)) continue;
      const given = state.expressions?.has(property) === true;
      hide(state, property, given ? WHY_EXPRESSION : "is expired; await session.refresh(instance) before reading it");
    } else if (isHidden(state, property)) {
      show(state, property, valueOf(kind, token));
    } else if (token === undefined) {
      if (instance[property] !== undefined) delete instance[property];
    } else if (!isSame(kind, token, instance[property])) instance[property] = valueOf(kind, token);
  }
}

/** Why a property that was given an SQL expression cannot be read. */
export const WHY_EXPRESSION = "was given an SQL expression; its value is known after the next flush or commit";

/** Puts a relation back: the very array that was there, with its members of that time. */
function restoreRelation(state: InstanceState, name: string, value: unknown, members: readonly object[] | null): void {
  if (members !== null && Array.isArray(value) && !sameMembers(value, members)) {
    refill(value, members);
  }
  if (state.instance[name] !== value) state.instance[name] = value;
}
