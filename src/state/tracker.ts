/**
 * The tracker: the instances of one session. Which are loaded (the identity map), which are added, which are marked
 * for deletion, and the frames that put all of it back on a rollback. Sends nothing.
 *
 * @module
 */
import { DetachedInstanceError, ValidationError } from "../errors.ts";
import { IdentityMap } from "./identity_map.ts";
import {
  changedColumns,
  expireColumns,
  type InstanceState,
  isHidden,
  isTouched,
  type ObjectState,
  type RelationSnapshot,
} from "./instance_state.ts";
import { instanceKey, type KeyToken, showKey, valuesIn } from "./key.ts";
import { type Given, givenBy, type Held, holding, restoreGiven, restoreHeld, restoreRow } from "./restore.ts";
import { type Token, tokenOf } from "./snapshot.ts";

/** The bookkeeping of an instance at some time; its parts are never changed in place, so keeping them is enough. */
interface Bookkeeping {
  readonly status: ObjectState;
  readonly key: KeyToken | null;
  readonly snapshot: readonly Token[] | null;
  readonly relations: ReadonlyMap<string, RelationSnapshot> | null;
  /** For an instance without a row: what a flush may set, as it was. */
  readonly given: Given | null;
}

/** What a rollback to the frame's beginning puts back. */
interface Frame {
  readonly added: Set<InstanceState>;
  readonly removed: Set<InstanceState>;
  /** What added and changed instances held when the frame began. Empty for the outermost frame: there the rows are the truth. */
  readonly held: Map<InstanceState, Held>;
  /** The bookkeeping of what was flushed or refreshed since, as it was before. */
  readonly before: Map<InstanceState, Bookkeeping>;
  /** Inserted since and taken out of the session: without a row after a rollback. */
  readonly expunged: Map<InstanceState, Bookkeeping>;
  /** Loaded since the database may have held uncommitted rows: unknown after a rollback. */
  readonly uncertain: Set<InstanceState>;
}

/** Told of changes of state. */
export interface Watcher {
  /** Whether anybody wants to know. */
  isWatched(): boolean;
  /** An instance came from this state, or from none, to the one it is in. */
  changed(state: InstanceState, from: ObjectState | null): void;
}

/** The instances of one session. */
export class Tracker {
  readonly identity: IdentityMap = new IdentityMap();
  /** Pending instances, in the order they were added. */
  readonly added: Set<InstanceState> = new Set();
  /** Persistent instances that the next flush deletes. */
  readonly removed: Set<InstanceState> = new Set();
  /** What stands for the session in its instances' states. */
  readonly owner: object;
  readonly #frames: Frame[] = [];
  /** Told of every change of state, when the call that made it is through with it. */
  watch: Watcher | null = null;
  /** Where instances were before the changes that were not told yet. */
  readonly #left: Map<InstanceState, ObjectState | null> = new Map();
  /** By key, what was added with one; an entry may be out of date, so a look at the instance decides. */
  readonly #pendingKeys: IdentityMap = new IdentityMap();

  constructor(owner: object) {
    this.owner = owner;
  }

  /** Puts an instance into a state; whoever does calls `tell` when it is through. */
  become(state: InstanceState, status: ObjectState, from: ObjectState | null = state.status): void {
    if (this.watch?.isWatched() && !this.#left.has(state)) this.#left.set(state, from);
    state.status = status;
  }

  /** Tells of the changes of state since the last time: from where an instance was to where it is. */
  tell(): void {
    if (this.#left.size === 0) return;
    const left = [...this.#left];
    this.#left.clear();
    for (const [state, from] of left) if (state.status !== from) this.watch!.changed(state, from);
  }

  /** Whether the instance belongs to this session. */
  has(state: InstanceState): boolean {
    return state.owner === this.owner;
  }

  /** Every pending and persistent instance. */
  all(): readonly InstanceState[] {
    const loaded = this.identity.states();
    return this.added.size === 0 ? loaded : [...this.added, ...loaded];
  }

  /**
   * Makes an instance part of the session: a transient one becomes pending, a detached one persistent again.
   * Throws when it belongs to another session or when its key is taken by another instance.
   */
  add(state: InstanceState): void {
    if (state.owner === this.owner) {
      if (state.status === "deleted") {
        throw new ValidationError(`Cannot add ${label(state)}: it was deleted in this transaction; add a new instance`);
      }
      this.removed.delete(state);
      return;
    }
    if (state.owner !== null) {
      throw new DetachedInstanceError(
        `Cannot add ${label(state)}: it belongs to another session; merge() copies it into this one`,
      );
    }
    const hasRow = state.status === "detached" && state.snapshot !== null;
    const key = hasRow ? state.key : instanceKey(state);
    const holder = key === null ? undefined : this.holder(state, key);
    if (holder !== undefined && (hasRow || !this.removed.has(holder))) {
      throw new ValidationError(
        `Cannot add ${label(state)}: another instance with the same key is in the session; use merge() to copy onto it`,
      );
    }
    if (hasRow) this.touch(state);
    else if (key !== null) this.#pendingKeys.set(state, key);
    this.become(state, hasRow ? "persistent" : "pending");
    state.owner = this.owner;
    if (hasRow) this.identity.set(state);
    else this.added.add(state);
    this.tell();
  }

  /** The other instance, a pending one, that was added with the key of this one and still has it. */
  pendingHolder(state: InstanceState, key: KeyToken): InstanceState | undefined {
    const holder = this.#pendingKeys.holderFor(state, key);
    return holder !== state && holder && this.added.has(holder) && instanceKey(holder) === key ? holder : undefined;
  }

  /** The other instance that has the key of one to be added: a pending one, or else one that is loaded. */
  holder(state: InstanceState, key: KeyToken): InstanceState | undefined {
    return this.pendingHolder(state, key) ?? this.identity.holderFor(state, key);
  }

  /** The same of a pending instance, which may have got its key since: where no other pending one has that, it does now. */
  claim(state: InstanceState, key: KeyToken): InstanceState | undefined {
    const other = this.holder(state, key);
    if (other?.status !== "pending" && !this.#pendingKeys.mayWait(state, key)) this.#pendingKeys.set(state, key);
    return other;
  }

  /**
   * Takes an instance out of the session for good: a pending one becomes transient, a persistent one detached. As in
   * SQLAlchemy a rollback does not bring it back.
   */
  expunge(state: InstanceState): void {
    for (const frame of this.#frames) {
      frame.added.delete(state);
      frame.removed.delete(state);
      frame.held.delete(state);
      const before = frame.before.get(state);
      if (before?.given) frame.expunged.set(state, before);
      frame.before.delete(state);
      frame.uncertain.delete(state);
    }
    if (this.added.has(state)) return this.unadd(state);
    if (state.key !== null) this.identity.delete(state);
    this.removed.delete(state);
    this.#detach(state, "detached");
    this.tell();
  }

  /** Takes a pending instance back; a rollback brings it back where it was pending. */
  unadd(state: InstanceState): void {
    this.added.delete(state);
    this.#detach(state, "transient");
    this.tell();
  }

  /** Lets go of everything. */
  clear(): void {
    // What was deleted and never committed is there still.
    const gone = [...this.identity, ...this.touched().filter(({ status }) => status === "deleted")];
    this.#frames.length = 0;
    for (const state of this.added) this.#detach(state, "transient");
    for (const state of gone) this.#detach(state, "detached");
    this.added.clear();
    this.removed.clear();
    this.#pendingKeys.clear();
    this.identity.clear();
    this.tell();
  }

  #detach(state: InstanceState, status: ObjectState): void {
    this.become(state, status);
    state.owner = null;
  }

  /** The persistent instances that differ from their snapshot. Costs one pass over what is loaded. */
  dirty(): InstanceState[] {
    const dirty: InstanceState[] = [];
    for (const state of this.identity) {
      if ((state.forced || changedColumns(state).length > 0) && !this.removed.has(state)) dirty.push(state);
    }
    return dirty;
  }

  /** The instances that were flushed or refreshed since the transaction began. */
  touched(): InstanceState[] {
    return this.#frames.flatMap(({ before }) => [...before.keys()]);
  }

  /** Remembers an instance's bookkeeping before it changes, once a frame. */
  touch(state: InstanceState): void {
    const frame = this.#frames.at(-1);
    if (frame === undefined || frame.before.has(state)) return;
    frame.before.set(state, {
      status: state.status,
      key: state.key,
      snapshot: state.snapshot,
      relations: state.relations,
      given: state.snapshot === null ? givenBy(state) : null,
    });
  }

  /** Remembers, before an instance is expired, what the user gave it if a rollback would leave it without a row. */
  keepGiven(state: InstanceState): void {
    this.touch(state);
    for (const { before } of this.#frames) {
      const given = before.get(state)?.given;
      if (!given) continue;
      for (const column of state.mapper.columns) {
        if (given.tokens?.has(column) || given.absent?.includes(column) || isHidden(state, column.property)) continue;
        (given.tokens ??= new Map()).set(column, tokenOf(column.kind, state.instance[column.property]));
      }
    }
  }

  /** Remembers that what an instance holds may have been read from rows that a rollback undoes. */
  markUncertain(state: InstanceState): void {
    this.#frames.at(-1)?.uncertain.add(state);
  }

  /** Whether a rollback to a savepoint would put values of an instance back: what it is a change to then goes back too. */
  isHeld(state: InstanceState): boolean {
    return this.#frames.some(({ held }) => held.has(state));
  }

  /** How many frames are open: 0 without a transaction, 1 in one, more inside savepoints. */
  get depth(): number {
    return this.#frames.length;
  }

  /** Begins a frame: the outermost one a transaction, an inner one a savepoint. An inner one costs a dirty check. */
  begin(): void {
    const held = new Map<InstanceState, Held>();
    if (this.#frames.length > 0) {
      for (const state of this.added) held.set(state, holding(state));
      for (const state of this.identity) {
        if (isTouched(state)) held.set(state, holding(state));
      }
    }
    this.#frames.push({
      added: new Set(this.added),
      removed: new Set(this.removed),
      held,
      before: new Map(),
      expunged: new Map(),
      uncertain: new Set(),
    });
  }

  /** Ends the innermost frame and keeps what was done: an outer frame learns what it must put back. */
  release(): void {
    const frame = this.#frames.pop()!;
    const outer = this.#frames.at(-1);
    if (outer !== undefined) {
      for (const [state, before] of frame.before) if (!outer.before.has(state)) outer.before.set(state, before);
      for (const [state, before] of frame.expunged) outer.expunged.set(state, before);
      for (const state of frame.uncertain) outer.uncertain.add(state);
      return;
    }
    this.#pendingKeys.clear();
    for (const state of frame.before.keys()) {
      if (state.status === "deleted") this.#letGo(state);
    }
    this.tell();
  }

  /** A deleted instance whose row is gone for good: nothing is known of it any more, and adding it inserts it anew. */
  #letGo(state: InstanceState): void {
    this.become(state, "detached");
    state.owner = null;
    state.key = null;
    state.snapshot = null;
    state.relations = null;
  }

  /** Ends the innermost frame and puts everything back to how it was when the frame began. */
  rollback(): void {
    const frame = this.#frames.pop()!;
    const outermost = this.#frames.length === 0;
    const ghosts = this.#ghosts(frame);
    for (const [state, before] of frame.before) {
      this.#restoreBookkeeping(state, before);
      if (state.status === "detached" && state.snapshot !== null) restoreRow(state);
    }
    for (const [state, before] of frame.expunged) {
      if (state.owner !== null) continue;
      this.#letGo(state);
      this.become(state, "transient");
      restoreGiven(state, before.given!);
    }
    for (const state of ghosts) {
      if (state.key !== null) this.identity.delete(state);
      this.removed.delete(state);
      frame.removed.delete(state);
      this.#letGo(state);
    }
    const added = new Set(outermost ? [] : frame.added);
    const restored = [...frame.before.keys()].filter((state) => state.status === "pending");
    for (const state of [...this.added, ...frame.added, ...restored]) {
      if (!added.has(state)) {
        this.become(state, "transient");
        state.owner = null;
      } else {
        this.become(state, "pending");
        state.owner = this.owner;
      }
    }
    if (outermost) this.#pendingKeys.clear();
    replace(this.added, added);
    replace(this.removed, outermost ? [] : frame.removed);
    for (const state of this.all()) {
      const held = frame.held.get(state);
      if (held !== undefined) restoreHeld(state, held);
      else if (state.snapshot !== null) restoreRow(state);
    }
    for (const state of frame.uncertain) {
      if (state.status !== "persistent") continue;
      this.expire(state);
      this.markUncertain(state); // an outer frame must not bring it back either
    }
    this.tell();
  }

  /**
   * Instances that were loaded from rows which a rollback takes away: those of what was inserted in this transaction and
   * taken out of the session. Nothing is there for them to be read from again.
   */
  #ghosts({ expunged, uncertain }: Frame): InstanceState[] {
    const ghosts: InstanceState[] = [];
    for (const state of expunged.keys()) {
      if (state.owner !== null || state.key === null) continue;
      const holder = this.identity.holder(state.mapper, state.key);
      if (holder !== undefined && uncertain.has(holder)) ghosts.push(holder);
    }
    return ghosts;
  }

  /** Expires a persistent instance: its columns but the key, and what was loaded of its relations. */
  expire(state: InstanceState): void {
    this.keepGiven(state);
    expireColumns(state);
    state.expressions = null;
    state.forced = false;
    for (const name of state.relations?.keys() ?? []) delete state.instance[name];
    state.relations = null;
  }

  #restoreBookkeeping(state: InstanceState, before: Bookkeeping): void {
    if (state.key !== null) this.identity.delete(state);
    this.become(state, before.status);
    state.key = before.key;
    state.snapshot = before.snapshot;
    state.relations = before.relations;
    if (before.given !== null) restoreGiven(state, before.given);
    const mapped = before.status === "persistent";
    state.owner = mapped || before.status === "pending" ? this.owner : null;
    if (mapped) this.identity.set(state);
  }
}

/** What an instance is called in a message: its model and its key. */
export function label(state: InstanceState): string {
  const { mapper, instance } = state;
  return instanceKey(state) === null
    ? `a new ${mapper.model}`
    : `${mapper.model} ${showKey(valuesIn(instance, mapper.key))}`;
}

function replace(set: Set<InstanceState>, members: Iterable<InstanceState>): void {
  const list = [...members];
  set.clear();
  for (const state of list) set.add(state);
}
