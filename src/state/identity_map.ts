/**
 * The identity map: one instance for a (model, primary key) within a session. A lookup is two Map lookups. Models that were
 * extended from one another share a table, and so their keys.
 *
 * Instances whose keys are new UUIDs wait in a list until a key of their model is looked up: hashing one takes longer than
 * anything else that is done with a new instance, and most commits of such instances look none up.
 *
 * @module
 */
import type { Mapper } from "../model/mapper.ts";
import { isDefaulted } from "../model/model.ts";
import { uuidv7 } from "../model/uuid.ts";
import { ByKey } from "./by_key.ts";
import type { InstanceState } from "./instance_state.ts";
import { instanceKey, type KeyToken } from "./key.ts";

/** Instances of a session, by the first model of the family and key. */
export class IdentityMap {
  readonly #states: ByKey<Mapper, InstanceState> = new ByKey();
  /** Those that are not there yet, some of them more than once. */
  #waiting: InstanceState[] = [];
  #list: readonly InstanceState[] | null = null;

  /** The instance of a key, where it is one of this model or of a subclass. */
  get(mapper: Mapper, key: KeyToken): InstanceState | undefined {
    const found = this.holder(mapper, key);
    return found?.mapper.is(mapper) ? found : undefined;
  }

  /** The instance that has a key in the model's table, of whatever class of the family. */
  holder(mapper: Mapper, key: KeyToken): InstanceState | undefined {
    return this.#indexed().get(mapper.root, key);
  }

  /** The instance that has the key of a new one; not looked for where no other can have it. */
  holderFor(state: InstanceState, key: KeyToken): InstanceState | undefined {
    return this.#mayWait(state) ? undefined : this.holder(state.mapper, key);
  }

  /** The instances of one model and of its subclasses. */
  *of(mapper: Mapper): Generator<InstanceState> {
    for (const state of this.#indexed().of(mapper.root)?.values() ?? []) if (state.mapper.is(mapper)) yield state;
  }

  set(state: InstanceState, key: KeyToken = state.key!): void {
    this.#list = null;
    if (this.#mayWait(state)) this.#waiting.push(state);
    else this.#indexed().set(state.mapper.root, key, state);
  }

  /** Whether no other instance can have the key of this one: its constructor made it up, as those of all that are here. */
  #mayWait({ mapper, instance }: InstanceState): boolean {
    const { makeDefault, property } = mapper.key[0]!;
    return makeDefault === uuidv7 && mapper.key.length === 1 && isDefaulted(instance, property) &&
      this.#states.of(mapper.root) === undefined;
  }

  #indexed(): ByKey<Mapper, InstanceState> {
    if (this.#waiting.length === 0) return this.#states;
    for (const state of this.#waiting.splice(0)) {
      const key = state.key ?? instanceKey(state);
      if (key !== null) this.#states.set(state.mapper.root, key, state);
    }
    return this.#states;
  }

  delete(state: InstanceState): void {
    this.#list = null;
    this.#indexed().delete(state.mapper.root, state.key!, state);
  }

  clear(): void {
    this.#list = null;
    this.#waiting = [];
    this.#states.clear();
  }

  get size(): number {
    return this.#states.size + this.#waiting.length;
  }

  /** Every instance that is there now. */
  states(): readonly InstanceState[] {
    return this.#list ??= [...this.#states.values(), ...this.#waiting];
  }

  [Symbol.iterator](): Iterator<InstanceState> {
    return this.states()[Symbol.iterator]();
  }
}
