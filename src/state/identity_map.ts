/**
 * The identity map: one instance for a (model, primary key) within a session. A lookup is two Map lookups. Models that were
 * extended from one another share a table, and so their keys.
 *
 * @module
 */
import type { Mapper } from "../model/mapper.ts";
import type { InstanceState } from "./instance_state.ts";
import type { KeyToken } from "./key.ts";

/** The persistent instances of a session, by the first model of the family and key. */
export class IdentityMap {
  readonly #tables: Map<Mapper, Map<KeyToken, InstanceState>> = new Map();

  /** The instance of a key, where it is one of this model or of a subclass. */
  get(mapper: Mapper, key: KeyToken): InstanceState | undefined {
    const found = this.holder(mapper, key);
    return found?.mapper.is(mapper) ? found : undefined;
  }

  /** The instance that has a key in the model's table, of whatever class of the family. */
  holder(mapper: Mapper, key: KeyToken): InstanceState | undefined {
    return this.#tables.get(mapper.root)?.get(key);
  }

  /** The instances of one model and of its subclasses. */
  *of(mapper: Mapper): Generator<InstanceState> {
    for (const state of this.#tables.get(mapper.root)?.values() ?? []) if (state.mapper.is(mapper)) yield state;
  }

  set(state: InstanceState): void {
    const { root } = state.mapper;
    let instances = this.#tables.get(root);
    if (instances === undefined) this.#tables.set(root, instances = new Map());
    instances.set(state.key!, state);
  }

  delete(state: InstanceState): void {
    const instances = this.#tables.get(state.mapper.root);
    if (instances?.get(state.key!) === state) instances.delete(state.key!);
  }

  clear(): void {
    this.#tables.clear();
  }

  get size(): number {
    let size = 0;
    for (const instances of this.#tables.values()) size += instances.size;
    return size;
  }

  *[Symbol.iterator](): Iterator<InstanceState> {
    for (const instances of this.#tables.values()) yield* instances.values();
  }
}
