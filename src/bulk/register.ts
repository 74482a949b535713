/**
 * What a `bulk()` was given: its values, and the references that they reach, each row of the references once.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import { isInstance, type MappedColumn, type Mapper } from "../model/mapper.ts";
import { isDefaulted } from "../model/model.ts";
import { type InstanceState, peek, refill, stateOf } from "../state/instance_state.ts";
import { keyToken, valuesIn } from "../state/key.ts";
import { label } from "../state/tracker.ts";
import { type Reference, referenceOf } from "./reference.ts";

/** A row that is referred to, or that a value may be. */
export interface Entry extends Reference {
  readonly isReference: boolean;
  /** The objects that were given for it. */
  readonly objects: object[];
  /** The session's instance, once it is known. */
  resolved: object | null;
  /** Whether it was looked for and not found. */
  isMissing: boolean;
}

/** The entries of one `bulk()`. */
export class Register {
  readonly #references: Map<Mapper, Map<string, Entry>> = new Map();
  readonly #values: Map<object, Entry> = new Map();
  /** What to put in place of which object. */
  readonly #places: Map<object, Entry> = new Map();

  /** Every entry, in the order in which they came. */
  *entries(): Generator<Entry> {
    for (const entries of this.#references.values()) yield* entries.values();
    yield* this.#values.values();
  }

  /** The values, without what they refer to. */
  get values(): Iterable<Entry> {
    return this.#values.values();
  }

  /** Takes an object. Gives its entry: of a reference, the one of its row. */
  add(object: object, isReference: boolean | undefined): Entry {
    const made = referenceOf(object);
    if (made !== undefined && isReference === false) {
      throw new ValidationError("bulk.add() was given a reference as a value; leave isReference out");
    }
    if (made !== undefined) return this.#refer(object, made);
    const state = stateOf(object, "add in bulk");
    if (isReference) return this.#refer(object, knownBy(state));
    const { mapper } = state;
    let entry = this.#values.get(object);
    if (entry === undefined) {
      const found = identified(state);
      const given = found ?? { mapper, columns: [], values: [] };
      entry = { ...given, isReference: false, objects: [object], resolved: null, isMissing: false };
      this.#values.set(object, entry);
    }
    this.reach([entry]);
    return entry;
  }

  #refer(object: object, reference: Reference): Entry {
    const there = this.#places.get(object);
    if (there !== undefined) return there;
    const { mapper, columns, values } = reference;
    const id = `${columns.map(({ index }) => index).join()} ${String(keyToken(values))} ${typeof values[0]}`;
    let entries = this.#references.get(mapper);
    if (entries === undefined) this.#references.set(mapper, entries = new Map());
    let entry = entries.get(id);
    if (entry === undefined) {
      entry = { ...reference, isReference: true, objects: [], resolved: null, isMissing: false };
      entries.set(id, entry);
    }
    entry.objects.push(object);
    this.#places.set(object, entry);
    return entry;
  }

  /** Takes in the references that values, all unless given, reach by now. O(instances reached × relations). */
  reach(values: Iterable<Entry> = this.#values.values()): void {
    for (const { objects } of values) {
      for (const holder of reached(objects[0]!, (object) => this.#isPlace(object))) {
        for (const member of membersOf(holder)) {
          const made = referenceOf(member);
          if (made !== undefined) this.#refer(member, made);
        }
      }
    }
  }

  #isPlace(object: object): boolean {
    return this.#places.has(object) || referenceOf(object) !== undefined;
  }

  /** Whether a value reaches a reference that is not resolved. */
  isOpen({ objects }: Entry): boolean {
    for (const holder of reached(objects[0]!, (object) => this.#isPlace(object))) {
      if (membersOf(holder).some((member) => this.#places.get(member)?.resolved === null)) return true;
    }
    return false;
  }

  /** Puts what is resolved in place of what stood for it, in all relations that the values reach. */
  replace(): void {
    for (const entry of this.#values.values()) {
      if (entry.resolved !== null && entry.resolved !== entry.objects[0]) this.#places.set(entry.objects[0]!, entry);
    }
    const put = (member: unknown): unknown => this.#places.get(member as object)?.resolved ?? member;
    for (const { objects } of this.#values.values()) {
      for (const holder of reached(objects[0]!, (object) => this.#isPlace(object))) {
        for (const { name } of holder.mapper.relations) {
          const value = peek(holder, name);
          if (Array.isArray(value)) refill(value, [...new Set(value.map(put))]);
          else if (typeof value === "object" && value !== null) holder.instance[name] = put(value);
        }
      }
    }
  }
}

/** The instances that an object reaches through its relations, itself the first; not through what only stands for a row. */
function reached(object: object, isPlace: (object: object) => boolean): Set<InstanceState> {
  const all = new Set([stateOf(object, "add in bulk")]);
  for (const state of all) { // grows while it is walked
    for (const member of membersOf(state)) {
      if (!isPlace(member) && isInstance(member)) all.add(stateOf(member, "add in bulk"));
    }
  }
  return all;
}

function membersOf(state: InstanceState): object[] {
  return state.mapper.relations.flatMap(({ name }) => {
    const value = peek(state, name);
    return (Array.isArray(value) ? value : [value]).filter((member) => typeof member === "object" && member !== null);
  });
}

/** What an instance that was given as a reference is known by. */
function knownBy(state: InstanceState): Reference {
  const found = identified(state);
  if (found !== null) return found;
  throw new ValidationError(
    `bulk.add() cannot take ${label(state)} as a reference: it holds neither a primary key nor a unique value`,
  );
}

/** The key by which the row of an instance can be found: its primary key, or a unique value that it was given. */
function identified(state: InstanceState): Reference | null {
  const { mapper, instance } = state;
  const given = (column: MappedColumn): boolean => {
    const value = peek(state, column.property);
    return value !== undefined && value !== null && !isDefaulted(instance, column.property);
  };
  const columns = mapper.key.every(given) ? mapper.key : mapper.unique.filter(given).slice(0, 1);
  return columns.length === 0 ? null : { mapper, columns, values: valuesIn(instance, columns) };
}
