/**
 * The naive model of a session: what every instance should hold, copied whole at each savepoint. It shares no code with
 * what it checks, and looks for an instance or a row by going through all of them.
 */
import { type Kind, type Shape, shapes } from "./models.ts";
import { type Key, Rows, type Value } from "./rows.ts";
import { LeftOut } from "./left_out.ts";
import type { BulkRow } from "./bulk.ts";

/** Stands for a value that is not known until it is read again. */
export const EXPIRED: unique symbol = Symbol("expired");

/** An SQL expression: the row's value and some more. */
export class Plus {
  constructor(readonly by: number) {}
}

/** What a column property holds; undefined where there is no such property. */
export type Cell = Value | undefined | typeof EXPIRED | Plus;

/** What a relation property holds; undefined where it is not loaded. */
export type Related = Mirror | null | Mirror[] | undefined;

/** Where an instance is in its life. */
export type Status = "transient" | "pending" | "persistent" | "deleted" | "detached";

/** All that is known of an instance at a time. */
export interface Held {
  status: Status;
  /** Whether the next flush deletes it. */
  marked: boolean;
  /** Whether its row was deleted and the deletion committed. */
  gone: boolean;
  cols: Record<string, Cell>;
  /** The row as it was read or written last; null without a row. */
  base: Record<string, Cell> | null;
  rels: Record<string, Related>;
  /** What was read or written last of the relations. */
  loaded: Record<string, Related>;
  /** In a copy: relations that were loaded since, and are not when it is put back. */
  unloaded: readonly string[];
  /** What the user gave and a flush or an expiry took, by property: put back when the row turns out not to be. */
  given: Record<string, Cell>;
}

/** What the model holds of one instance. */
export class Mirror {
  readonly kind: Kind;
  readonly serial: number;
  /** The instance; found in the identity map when it was loaded. */
  instance: object | null = null;
  data: Held;
  /** How many frames were open when it was loaded from a row that this transaction had written; 0 otherwise. */
  phantom = 0;
  /** Whether it came into the session through a collection whose orphans are deleted. */
  byCollection = false;
  /** The transactions whose rollback undoes the insertion of what was taken out of the session. */
  undoneBy: ReadonlySet<object> = new Set();

  constructor(kind: Kind, serial: number, data: Held) {
    this.kind = kind;
    this.serial = serial;
    this.data = data;
  }

  get shape(): Shape {
    return shapes[this.kind];
  }
  get key(): Key | undefined {
    return this.data.cols.id as Key | undefined;
  }
  /** Whether it is in the session and stays. */
  get live(): boolean {
    return this.inSession && !this.data.marked;
  }
  get inSession(): boolean {
    return this.data.status === "pending" || this.data.status === "persistent";
  }
  toString(): string {
    return `${this.kind}#${this.serial}`;
  }
}

/** A transaction or a savepoint: what a rollback puts back. */
interface Frame {
  readonly name: string | null;
  readonly saved: Map<Mirror, Held>;
  /** What changed its bookkeeping since: what is read of it now does not outlive a rollback. */
  readonly touched: Set<Mirror>;
  db: Rows | null;
  /** What waited in bulk when it began. */
  readonly bulk: readonly BulkRow[];
}

/** A copy that later changes do not reach. */
export function copyHeld(held: Held): Held {
  const copyRelated = (related: Record<string, Related>) =>
    Object.fromEntries(
      Object.entries(related).map(([name, value]) => [name, Array.isArray(value) ? [...value] : value]),
    );
  return {
    ...held,
    cols: { ...held.cols },
    given: { ...held.given },
    base: held.base && { ...held.base },
    rels: copyRelated(held.rels),
    loaded: copyRelated(held.loaded),
  };
}

/** The same as a set of members. */
export function sameMembers(a: Related, b: Related): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((member, i) => member === b[i]);
  return a === b;
}

/** The database and a session on it. */
export class World {
  committed = new Rows();
  /** The rows as the session's open connection sees them; null while it has none. */
  view: Rows | null = null;
  /** Whether the connection's transaction has written. */
  wrote = false;
  /** Rows of no instance that wait for the next flush or commit. Never changed in place. */
  bulk: readonly BulkRow[] = [];
  readonly mirrors: Mirror[] = [];
  readonly frames: Frame[] = [];
  #serial = 0;

  get rows(): Rows {
    return this.view ?? this.committed;
  }

  /** A new instance, in no session. */
  create(kind: Kind, cols: Record<string, Cell>, rels: Record<string, Related> = {}): Mirror {
    const data: Held = {
      status: "transient",
      marked: false,
      gone: false,
      cols,
      base: null,
      rels,
      loaded: {},
      given: {},
      unloaded: [],
    };
    const mirror = new Mirror(kind, ++this.#serial, data);
    this.mirrors.push(mirror);
    return mirror;
  }

  /** The persistent instance of a key. */
  find(kind: Kind, key: unknown): Mirror | undefined {
    return this.mirrors.find((one) => one.kind === kind && one.data.status === "persistent" && one.key === key);
  }

  // ---- transactions

  autobegin(): void {
    if (this.frames.length === 0) this.begin(null);
  }

  begin(name: string | null): void {
    const saved = new Map<Mirror, Held>();
    for (const mirror of this.mirrors) {
      if (mirror.data.status === "transient" || mirror.data.gone) continue;
      const held = copyHeld(mirror.data);
      if (name === null && held.status === "persistent") {
        held.cols = { ...held.base };
        held.rels = copyHeld({ ...held, rels: held.loaded }).rels;
      }
      saved.set(mirror, held);
    }
    this.frames.push({ name, saved, touched: new Set(), db: this.view && new Rows(this.view), bulk: this.bulk });
  }

  release(depth: number): void {
    while (this.frames.length > depth) {
      const { touched } = this.frames.pop()!;
      for (const mirror of touched) this.frames.at(-1)?.touched.add(mirror);
      for (const mirror of this.mirrors) mirror.phantom = Math.min(mirror.phantom, this.frames.length);
    }
  }

  /** Opens the connection, with every savepoint. */
  connect(): void {
    if (this.view !== null) return;
    this.view = new Rows(this.committed);
    for (const frame of this.frames) frame.db = new Rows(this.committed);
  }

  commit(): void {
    if (this.view !== null) this.committed = this.view;
    this.#end();
    for (const { data } of this.mirrors) {
      if (data.status !== "deleted") continue;
      Object.assign(data, { status: "detached", gone: true, base: null, loaded: {} });
    }
  }

  #end(): void {
    this.frames.length = 0;
    this.view = null;
    this.bulk = [];
    this.wrote = false;
  }

  /** Puts everything back to where a frame began; frame 0 is the transaction itself. */
  rollback(depth: number): void {
    this.autobegin(); // what was changed outside any transaction is put back too
    const frame = this.frames[depth];
    if (frame === undefined) return;
    const after = depth === 0 ? this.committed : frame.db ?? this.rows;
    // Of a row that was an instance's. One of a row that never was stays, expired: nothing says that its row is gone.
    const wasInserted = (mirror: Mirror) =>
      this.mirrors.some((one) => one.undoneBy.size > 0 && one.kind === mirror.kind && one.key === mirror.key);
    const phantoms = this.mirrors.filter((mirror) =>
      mirror.phantom > 0 && after.get(mirror.kind, mirror.key) === undefined && wasInserted(mirror)
    );
    const held = new Map(phantoms.map((mirror) => [mirror, mirror.data]));
    // Where the row goes only with an outer frame, the one that it was loaded in makes it unknown first.
    const isUnknown = ({ phantom, kind, key }: Mirror) =>
      phantom > depth + 1 &&
      !this.mirrors.some((one) => one.kind === kind && one.key === key && one.undoneBy.has(this.frames[phantom - 1]!));
    const unknown = new Set(phantoms.filter(isUnknown));
    // From the inside out: what becomes transient keeps what it held at the innermost savepoint.
    while (this.frames.length > depth) {
      const inner = this.frames.pop()!;
      for (const mirror of this.mirrors) this.#restore(mirror, inner);
    }
    if (depth === 0) this.#end();
    else {
      if (this.view !== null) this.view = frame.db;
      this.bulk = frame.bulk; // what was sent since waits again
    }
    // Loaded from a row that is not there any more: let go as it is.
    for (const [mirror, data] of held) {
      if (data.status === "deleted") throw new LeftOut("loaded, deleted, and its insertion rolled back");
      if (data.status !== "persistent") continue;
      if (unknown.has(mirror)) {
        expire(mirror, data);
        data.rels = {};
      }
      mirror.data = { ...data, status: "detached", gone: true, marked: false, base: null, loaded: {} };
    }
    for (const mirror of this.mirrors) mirror.phantom = Math.min(mirror.phantom, depth);
  }

  #restore(mirror: Mirror, frame: Frame): void {
    const before = frame.saved.get(mirror);
    const { data } = mirror;
    for (const name of before?.unloaded ?? []) {
      for (const { saved, touched } of this.frames.toReversed()) {
        const held = saved.get(mirror);
        if (held === undefined || touched.has(mirror)) break;
        if (held.loaded[name] !== undefined) delete held.rels[name];
        delete held.loaded[name];
      }
    }
    if (before !== undefined) before.unloaded = [];
    if (before === undefined) {
      if (data.status === "transient" || data.status === "detached" && !mirror.undoneBy.has(frame)) return;
      if (data.base !== null) {
        for (const [column, cell] of Object.entries(data.given)) {
          if (cell === undefined) delete data.cols[column];
          else data.cols[column] = cell;
        }
      }
      Object.assign(data, { status: "transient", marked: false, base: null, loaded: {} });
    } else if (before.status === "persistent" || before.status === "pending") mirror.data = before;
    else if (before.status === "detached" && data.status !== "detached") {
      const rels = copyHeld({ ...before, rels: before.loaded }).rels;
      mirror.data = { ...before, cols: { ...before.base }, rels };
    } else mirror.data = { ...before, cols: data.cols, rels: data.rels };
  }

  // ---- reading

  /** The instance of a row: the one that is there, or a new one. */
  hydrate(kind: Kind, key: Key): Mirror {
    const row = this.rows.get(kind, key)!;
    const known = this.find(kind, key);
    if (known === undefined) {
      const mirror = this.create(kind, { ...row });
      Object.assign(mirror.data, { status: "persistent", base: { ...row } });
      mirror.phantom = this.committed.get(kind, key) === undefined ? this.frames.length : 0;
      for (const { saved } of this.frames) {
        const held = copyHeld(mirror.data);
        if (this.wrote) expire(mirror, held);
        saved.set(mirror, held);
      }
      return mirror;
    }
    if (Object.values(known.data.base!).includes(EXPIRED)) {
      const { base, cols } = known.data;
      const unknown = Object.keys(row).filter((one) => base![one] === EXPIRED && !(cols[one] instanceof Plus));
      this.#learn(known, (held) => {
        for (const column of unknown) {
          if (held.base![column] !== EXPIRED) continue;
          held.base![column] = row[column];
          if (held.cols[column] === EXPIRED) held.cols[column] = row[column];
        }
      }, true);
    }
    return known;
  }

  /** Overwrites what an instance holds by its row, all or one column of it. */
  refresh(mirror: Mirror, only?: string): void {
    const row = this.rows.get(mirror.kind, mirror.key)!;
    this.#learn(mirror, (held) => {
      for (const column of only === undefined ? Object.keys(row) : [only]) {
        const { base, cols } = held;
        const changed = held !== mirror.data && cols[column] !== base![column] && cols[column] !== EXPIRED;
        base![column] = row[column];
        if (!changed) cols[column] = row[column];
      }
    }, true);
  }

  /** Loads a relation, keyed by what the instance holds or by a row. */
  load(mirror: Mirror, name: string, by: Record<string, Cell> = mirror.data.cols): void {
    const members = this.members(mirror, name, by);
    const { data } = mirror;
    if (data.loaded[name] !== undefined && data.rels[name] !== undefined) return;
    const fk = mirror.shape.parents.find((one) => one.name === name)?.fk;
    if (fk !== undefined && by === data.cols && by[fk] !== data.base?.[fk]) {
      // By a foreign key that is not written yet: what the row refers to is not known by it.
      if (data.rels[name] === undefined) data.rels[name] = members;
      return;
    }
    this.#learn(mirror, (held) => {
      if (held.loaded[name] !== undefined && held.rels[name] !== undefined) return;
      const current = held.loaded[name] === undefined ? held.rels[name] : undefined;
      // What a savepoint holds of a relation that was set but not loaded is put back so.
      if (held !== data && current !== undefined) {
        held.unloaded = [...held.unloaded, name];
        return;
      }
      held.loaded[name] = Array.isArray(members) ? [...members] : members;
      if (Array.isArray(members)) {
        const more = Array.isArray(current) ? current.filter((one) => !members.includes(one)) : [];
        held.rels[name] = [...members, ...more];
      } else held.rels[name] = current === undefined ? members : current;
    });
  }

  /** What the database holds of a relation. */
  members(mirror: Mirror, name: string, by: Record<string, Cell>): Mirror | null | Mirror[] {
    const { parents, children, links } = mirror.shape;
    const parent = parents.find((one) => one.name === name);
    if (parent !== undefined) {
      const key = by[parent.fk];
      return this.rows.get(parent.target, key) === undefined ? null : this.hydrate(parent.target, key as Key);
    }
    const child = children.find((one) => one.name === name);
    if (child !== undefined) {
      return this.rows.referring(child.target, child.fk, by.id).map((key) => this.hydrate(child.target, key));
    }
    const link = links.find((one) => one.name === name)!;
    return this.rows.linked(by.id, link.first).map((key) => this.hydrate(link.target, key));
  }

  /** Applies what was read, to what a rollback would put back too, unless a rollback undoes it. */
  #learn(mirror: Mirror, apply: (held: Held) => void, ofRow = false): void {
    apply(mirror.data);
    // A rollback puts changes back together with the row that they are changes to.
    const held = this.frames.slice(1).some(({ saved }) => saved.has(mirror) && isChanged(saved.get(mirror)!));
    if (this.wrote || ofRow && held) return this.touch(mirror);
    for (const { saved, touched } of this.frames.toReversed()) {
      if (touched.has(mirror)) return;
      const held = saved.get(mirror);
      if (held?.status === "persistent") apply(held);
    }
  }

  touch(mirror: Mirror): void {
    this.frames.at(-1)?.touched.add(mirror);
  }

  // ---- the session's calls

  /** Adds an instance and what it reaches; returns why not, if it cannot be. */
  add(mirror: Mirror): string | null {
    const { data } = mirror;
    if (data.status === "pending" || data.status === "persistent") {
      data.marked = false;
    } else if (data.status === "deleted") return "ValidationError";
    else {
      const taken = this.mirrors.some((one) =>
        one !== mirror && one.kind === mirror.kind && one.inSession && one.key !== undefined &&
        one.key === mirror.key &&
        (!one.data.marked || data.status === "detached" && !data.gone)
      );
      if (taken) return "ValidationError";
      const again = data.status === "detached" && !data.gone;
      if (again) {
        // Inserted, taken out, added again, and then rolled back: what is left of it is said nowhere.
        if (this.frames.some((frame) => mirror.undoneBy.has(frame))) throw new LeftOut();
        for (const frame of this.frames) {
          if (!frame.saved.has(mirror) && !mirror.undoneBy.has(frame)) frame.saved.set(mirror, copyHeld(data));
        }
        this.touch(mirror);
      }
      data.status = again ? "persistent" : "pending";
      data.gone = false;
    }
    return this.cascadeSave([mirror]);
  }

  /** Adds what instances reach through their relations. */
  cascadeSave(from: readonly Mirror[]): string | null {
    for (const mirror of from) {
      if (!mirror.live) continue;
      for (const [name, value] of Object.entries(mirror.data.rels)) {
        for (const member of list(value)) {
          if (member.inSession || member.data.status === "deleted" || member.data.gone) continue;
          const refused = this.add(member);
          if (refused !== null) return refused;
          member.byCollection = mirror.shape.children.some((one) => one.name === name && one.cascade);
        }
      }
    }
    return null;
  }

  /** Marks an instance as deleted, with what goes with it. */
  delete(mirror: Mirror): void {
    const { data } = mirror;
    if (data.status === "deleted") return;
    if (data.status === "detached") this.add(mirror);
    for (const { name, cascade } of mirror.shape.children) {
      if (!cascade) continue;
      for (const child of list(data.rels[name])) if (child.data.status === "pending") this.delete(child);
    }
    if (data.status === "pending") {
      data.status = "transient";
      return;
    }
    data.marked = true;
    for (const { name, fk, cascade } of mirror.shape.children) {
      if (data.loaded[name] === undefined) this.load(mirror, name);
      if (!cascade) continue;
      for (const child of list(data.loaded[name])) {
        const stays = list(data.rels[name]).includes(child) && !this.movedAway(child, mirror, fk);
        if (stays && child.data.status === "persistent" && !child.data.marked) this.delete(child);
      }
    }
  }

  /** Whether a child was given another parent that is not written yet. */
  movedAway(child: Mirror, parent: Mirror, fk: string): boolean {
    const { name } = child.shape.parents.find((one) => one.fk === fk)!;
    const { rels, loaded, cols, base } = child.data;
    if (rels[name] !== undefined && rels[name] !== loaded[name]) return rels[name] !== parent;
    return cols[fk] !== base?.[fk] && cols[fk] !== parent.key;
  }

  /** Takes an instance out for good: a rollback does not bring it back. */
  expunge(mirror: Mirror): void {
    const isUndone = ({ saved }: Frame) => mirror.data.base !== null && (saved.get(mirror)?.base ?? null) === null;
    mirror.undoneBy = new Set(this.frames.filter(isUndone));
    for (const { saved, touched } of this.frames) {
      saved.delete(mirror);
      touched.delete(mirror);
    }
    mirror.data.marked = false;
    mirror.data.status = mirror.data.status === "pending" ? "transient" : "detached";
  }

  /** Expires an instance, or one column or relation of it. */
  expire(mirror: Mirror, property?: string): void {
    this.touch(mirror);
    const { cols, given } = mirror.data;
    for (const column of Object.keys(cols)) {
      if (!(column in given) && cols[column] !== EXPIRED && !(cols[column] instanceof Plus)) {
        given[column] = cols[column];
      }
    }
    if (property === undefined) return expire(mirror, mirror.data);
    const { base, rels, loaded } = mirror.data;
    if (property in mirror.shape.columns) cols[property] = base![property] = EXPIRED;
    else {
      delete rels[property];
      delete loaded[property];
    }
  }
}

/** The members of a relation's value. */
export function list(value: Related): readonly Mirror[] {
  return Array.isArray(value) ? value : value === undefined || value === null ? [] : [value];
}

function expire({ shape }: Mirror, held: Held): void {
  for (const column of Object.keys(shape.columns)) {
    if (column !== "id") held.cols[column] = held.base![column] = EXPIRED;
  }
  for (const name of Object.keys(held.loaded)) delete held.rels[name];
  held.loaded = {};
}

/** Whether an instance differs from what was read. */
function isChanged({ status, cols, base, rels, loaded }: Held): boolean {
  return status === "pending" || Object.keys(base ?? {}).some((column) => cols[column] !== base![column]) ||
    Object.keys(rels).some((name) => rels[name] !== undefined && !sameMembers(rels[name], loaded[name]));
}
