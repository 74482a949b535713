/**
 * What a frame of the tracker remembers of an instance, to put it back on a rollback.
 *
 * @module
 */
import type { InstanceState, ObjectState, RelationSnapshot } from "./instance_state.ts";
import type { KeyToken } from "./key.ts";
import { type Given, givenBy } from "./restore.ts";
import type { Token } from "./snapshot.ts";

/**
 * The bookkeeping of an instance before it changed in a frame; its parts are never changed in place, so keeping them is
 * enough. The instance's state holds that of the innermost frame, and each the one before it: a Map of thousands of
 * instances would cost as much as all that is kept.
 */
export class Bookkeeping {
  readonly state: InstanceState;
  /** The frame that puts it back; null once it is forgotten. */
  frame: object | null;
  readonly status: ObjectState;
  readonly key: KeyToken | null;
  readonly snapshot: readonly Token[] | null;
  readonly relations: ReadonlyMap<string, RelationSnapshot> | null;
  /** For an instance without a row: what a flush may set, as it was. */
  readonly given: Given | null;
  #next: Bookkeeping | null = null;

  /** Remembers what an instance is now. */
  constructor(state: InstanceState, frame: object) {
    this.state = state;
    this.frame = frame;
    this.status = state.status;
    this.key = state.key;
    this.snapshot = state.snapshot;
    this.relations = state.relations;
    this.given = state.snapshot === null ? givenBy(state) : null;
    this.#hold();
  }

  /** What a frame remembers of an instance; null where that is nothing. */
  static of(state: InstanceState, frame: object): Bookkeeping | null {
    let found = state.before;
    while (found !== null && found.frame !== frame) found = found.#next;
    return found;
  }

  /** Leaves it to a frame further out. */
  pass(frame: object): void {
    this.forget();
    this.frame = frame;
    this.#hold();
  }

  #hold(): void {
    this.#next = this.state.before;
    this.state.before = this;
  }

  /** Lets go of it. */
  forget(): void {
    const { state } = this;
    this.frame = null;
    if (state.before === this) state.before = this.#next;
    else {
      let holder = state.before;
      while (holder !== null && holder.#next !== this) holder = holder.#next;
      if (holder !== null) holder.#next = this.#next;
    }
  }
}
