/**
 * The identity map: one instance for a (model, primary key) within a session. A lookup is two Map lookups. Models that were
 * extended from one another share a table, and so their keys.
 *
 * @module
 */
import type { Mapper } from "../model/mapper.ts";
import { ByKey } from "./by_key.ts";
import type { InstanceState } from "./instance_state.ts";
import type { KeyToken } from "./key.ts";

/** The persistent instances of a session, by the first model of the family and key. */
export class IdentityMap {
  readonly #states: ByKey<Mapper, InstanceState> = new ByKey();
  #list: readonly InstanceState[] | null = null;

  /** The instance of a key, where it is one of this model or of a subclass. */
  get(mapper: Mapper, key: KeyToken): InstanceState | undefined {
    const found = this.holder(mapper, key);
    return found?.mapper.is(mapper) ? found : undefined;
  }

  /** The instance that has a key in the model's table, of whatever class of the family. */
  holder(mapper: Mapper, key: KeyToken): InstanceState | undefined {
    return this.#states.get(mapper.root, key);
  }

  /** The instances of one model and of its subclasses. */
  *of(mapper: Mapper): Generator<InstanceState> {
    for (const state of this.#states.of(mapper.root)?.values() ?? []) if (state.mapper.is(mapper)) yield state;
  }

  set(state: InstanceState): void {
    this.#list = null;
    this.#states.set(state.mapper.root, state.key!, state);
  }

  delete(state: InstanceState): void {
    this.#list = null;
    this.#states.delete(state.mapper.root, state.key!, state);
  }

  clear(): void {
    this.#list = null;
    this.#states.clear();
  }

  get size(): number {
    return this.#states.size;
  }

  /** Every instance that is there now. */
  states(): readonly InstanceState[] {
    return this.#list ??= this.#states.values();
  }

  [Symbol.iterator](): Iterator<InstanceState> {
    return this.states()[Symbol.iterator]();
  }
}
