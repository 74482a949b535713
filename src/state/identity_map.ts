/**
 * The identity map: one instance for a (model, primary key) within a session. A lookup is two Map lookups.
 *
 * @module
 */
import type { Mapper } from "../model/mapper.ts";
import type { InstanceState } from "./instance_state.ts";
import type { KeyToken } from "./key.ts";

/** The persistent instances of a session, by model and key. */
export class IdentityMap {
  readonly #models: Map<Mapper, Map<KeyToken, InstanceState>> = new Map();

  get(mapper: Mapper, key: KeyToken): InstanceState | undefined {
    return this.#models.get(mapper)?.get(key);
  }

  /** The instances of one model, by key; empty when there are none. */
  of(mapper: Mapper): Map<KeyToken, InstanceState> {
    let instances = this.#models.get(mapper);
    if (instances === undefined) {
      instances = new Map();
      this.#models.set(mapper, instances);
    }
    return instances;
  }

  set(state: InstanceState): void {
    this.of(state.mapper).set(state.key!, state);
  }

  delete(state: InstanceState): void {
    const instances = this.#models.get(state.mapper);
    if (instances?.get(state.key!) === state) instances.delete(state.key!);
  }

  clear(): void {
    this.#models.clear();
  }

  get size(): number {
    let size = 0;
    for (const instances of this.#models.values()) size += instances.size;
    return size;
  }

  *[Symbol.iterator](): Iterator<InstanceState> {
    for (const instances of this.#models.values()) yield* instances.values();
  }
}
