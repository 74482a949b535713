/**
 * Values by two things: by what has keys (a table, a column) and by key.
 *
 * @module
 */
import type { KeyToken } from "./key.ts";

/** Values by owner and key. A lookup is two Map lookups. */
export class ByKey<O, V> {
  readonly #owners: Map<O, Map<KeyToken, V>> = new Map();

  /** Those of one owner; undefined where there never was one. */
  of(owner: O): ReadonlyMap<KeyToken, V> | undefined {
    return this.#owners.get(owner);
  }

  /** The value of a key. */
  get(owner: O, key: KeyToken): V | undefined {
    return this.#owners.get(owner)?.get(key);
  }

  set(owner: O, key: KeyToken, value: V): void {
    const known = this.#owners.get(owner);
    if (known === undefined) this.#owners.set(owner, new Map([[key, value]]));
    else known.set(key, value);
  }

  get size(): number {
    let size = 0;
    for (const known of this.#owners.values()) size += known.size;
    return size;
  }
}
