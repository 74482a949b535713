/**
 * Looking at what is known of an instance.
 *
 * @module
 */
import { type Mapper, mapperOf } from "../model/mapper.ts";
import type { AnyModel } from "../model/types.ts";
import type { Session } from "./session.ts";
import { changedColumns, type InstanceState, isHidden, type ObjectState, stateOf } from "../state/instance_state.ts";
import { instanceKey, type KeyToken, keyToken, parseKey, valuesIn } from "../state/key.ts";
import { UNKNOWN, valueOf } from "../state/snapshot.ts";

/** What a property was and is. */
export interface PropertyHistory {
  /** What the row held when it was last read or written; undefined when that is not known. */
  readonly before: unknown;
  /** What the instance holds; an SQL expression when it was given one. */
  readonly after: unknown;
}

/** What is known of an instance. */
export interface Inspection {
  /** Where it is in its life. */
  readonly state: ObjectState;
  /** Whether the next flush deletes it. */
  readonly markedDeleted: boolean;
  /** Its model. */
  readonly model: string;
  /** Its table. */
  readonly table: string;
  /** The values of its primary key; null while it has none. */
  readonly key: readonly unknown[] | null;
  /** Whether it differs from its row. */
  readonly modified: boolean;
  /** The properties that differ from its row. */
  readonly history: Readonly<Record<string, PropertyHistory>>;
  /** The session that it belongs to; null when it belongs to none. */
  readonly session: Session | null;
  /** The properties whose values are not known until it is refreshed. */
  readonly expired: readonly string[];
  /** The relations that were loaded. */
  readonly loaded: readonly string[];
}

/** What identifies a row: its model's table and its key. */
export interface IdentityKey {
  /** The model's name; of a subclass, that of the model whose table it is. */
  readonly model: string;
  /** The table's name in the database. */
  readonly table: string;
  /** The values of the primary key, in order. */
  readonly key: readonly unknown[];
}

/**
 * What is known of an instance: its state, key, changes. Sends nothing. Throws a `ValidationError` when the value is not
 * an instance of a model.
 *
 * @example
 * ```ts
 * import { inspect, model, t } from "@ledge/session";
 * import { assertEquals } from "@std/assert";
 *
 * class Book extends model("books", { id: t.identity(), title: t.text() }) {}
 * assertEquals(inspect(new Book({ title: "Edges" })).state, "transient");
 * ```
 */
export function inspect(instance: object): Inspection {
  return inspectState(stateOf(instance, "inspect"), false);
}

/** What is known of a state. */
export function inspectState(state: InstanceState, markedDeleted: boolean): Inspection {
  const { mapper, instance } = state;
  const history: Record<string, PropertyHistory> = {};
  const changed = state.snapshot === null ? [] : changedColumns(state);
  for (const column of changed) {
    const token = state.snapshot![column.index];
    const before = token === UNKNOWN ? undefined : valueOf(column.kind, token);
    history[column.property] = { before, after: state.expressions?.get(column.property) ?? instance[column.property] };
  }
  const hidden = mapper.columns.filter((column) =>
    isHidden(state, column.property) && !state.expressions?.has(column.property)
  );
  return {
    state: state.status,
    markedDeleted,
    model: mapper.model,
    table: mapper.table,
    key: instanceKey(state) === null ? null : valuesIn(instance, mapper.key),
    modified: state.forced || changed.length > 0,
    history,
    session: state.owner as Session | null,
    expired: hidden.map((column) => column.property),
    loaded: [...state.relations?.keys() ?? []],
  };
}

/**
 * What identifies an instance's row, or the row of a model and key; null for an instance without a key. Throws a
 * `ValidationError` when the key does not fit the model.
 */
export function identityKey(modelOrInstance: AnyModel | object, key?: unknown): IdentityKey | null {
  if (typeof modelOrInstance === "function") {
    return made(mapperOf(modelOrInstance), parseKey(mapperOf(modelOrInstance), key));
  }
  const state = stateOf(modelOrInstance, "identify");
  const { mapper, instance } = state;
  return instanceKey(state) === null ? null : made(mapper, valuesIn(instance, mapper.key));
}

function made({ root: { model, table } }: Mapper, key: readonly unknown[]): IdentityKey {
  return { model, table, key };
}

/** The token of a model's key, for the identity map. */
export function tokenOfKey(mapper: Mapper, key: unknown): KeyToken {
  return keyToken(parseKey(mapper, key))!;
}
