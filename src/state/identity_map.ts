/**
 * The identity map: one instance for a (model, primary key) within a session. A lookup is two Map lookups. Models that were
 * extended from one another share a table, and so their keys.
 *
 * Instances whose keys are UUIDs that their constructors made up wait in a list until a key of their table is looked up:
 * hashing a new UUID takes longer than anything else that is done with a new instance, and most commits look none up.
 *
 * @module
 */
import type { Mapper } from "../model/mapper.ts";
import { madeUp } from "../model/model.ts";
import { uuidv7 } from "../model/uuid.ts";
import type { InstanceState } from "./instance_state.ts";
import type { KeyToken } from "./key.ts";

/** The instances of one table. */
interface Family {
  readonly indexed: Map<KeyToken, InstanceState>;
  /** Those that are not; none beside those that are. */
  readonly waiting: InstanceState[];
}

/** All of them by key. */
function known({ indexed, waiting }: Family): Map<KeyToken, InstanceState> {
  if (waiting.length > 0) {
    for (const state of waiting.splice(0)) {
      indexed.set(madeUp(state.instance, state.mapper.key[0]!.property) as KeyToken, state);
    }
  }
  return indexed;
}

/** Instances of a session, by the first model of the family and key. */
export class IdentityMap {
  readonly #families: Map<Mapper, Family> = new Map();
  #list: readonly InstanceState[] | null = null;

  /** The instance of a key, where it is one of this model or of a subclass. */
  get(mapper: Mapper, key: KeyToken): InstanceState | undefined {
    const found = this.holder(mapper, key);
    return found?.mapper.is(mapper) ? found : undefined;
  }

  /** The instance that has a key in the model's table, of whatever class of the family. */
  holder(mapper: Mapper, key: KeyToken): InstanceState | undefined {
    const family = this.#families.get(mapper.root);
    return family && known(family).get(key);
  }

  /** The instance that has the key of a new one; not looked for where there can be none. */
  holderFor(state: InstanceState, key: KeyToken): InstanceState | undefined {
    return this.mayWait(state, key) ? undefined : this.holder(state.mapper, key);
  }

  /**
   * Whether no other instance can have this one's key: its constructor made it up, as did those of all that are here. The
   * token of a key of several columns is no UUID.
   */
  mayWait({ mapper: { root, key: columns }, instance }: InstanceState, key: KeyToken): boolean {
    const { makeDefault, property } = columns[0]!;
    return makeDefault === uuidv7 && madeUp(instance, property) === key && !this.#families.get(root)?.indexed.size;
  }

  /** The instances of one model and of its subclasses. */
  of(mapper: Mapper): readonly InstanceState[] {
    return this.states().filter((state) => state.mapper.is(mapper));
  }

  set(state: InstanceState, key: KeyToken = state.key!): void {
    this.#list = null;
    const { root } = state.mapper;
    let family = this.#families.get(root);
    if (family === undefined) this.#families.set(root, family = { indexed: new Map(), waiting: [] });
    if (this.mayWait(state, key)) family.waiting.push(state);
    else known(family).set(key, state);
  }

  /** Takes an instance away, if it has its key. */
  delete(state: InstanceState): void {
    this.#list = null;
    if (this.holder(state.mapper, state.key!) === state) {
      this.#families.get(state.mapper.root)!.indexed.delete(state.key!);
    }
  }

  clear(): void {
    this.#list = null;
    this.#families.clear();
  }

  get size(): number {
    let size = 0;
    for (const { indexed, waiting } of this.#families.values()) size += indexed.size + waiting.length;
    return size;
  }

  /** Every instance that is there now, model by model. */
  states(): readonly InstanceState[] {
    return this.#list ??= [...this.#families.values()].flatMap((family) => [
      ...family.indexed.values(),
      ...family.waiting,
    ]);
  }

  [Symbol.iterator](): Iterator<InstanceState> {
    return this.states()[Symbol.iterator]();
  }
}
