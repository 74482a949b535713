/**
 * What a flush should do, said naively: the rows after it, whether the database takes them, and what every instance
 * holds then. Nothing is said of the order of statements: the rows at the end must be right, and valid rows must go in.
 */
import { type Cell, EXPIRED, list, type Mirror, Plus, type Related, sameMembers, type World } from "./model.ts";
import { type BulkRow, writeBulk } from "./bulk.ts";
import type { Kind } from "./models.ts";
import { type Key, Rows, type Value } from "./rows.ts";

/** The parent that a foreign key is to have. */
interface Assignment {
  readonly fk: string;
  readonly parent: Mirror | null;
}

/** What a flush should do. */
export interface Plan {
  /** The errors that it may fail with; none when it must succeed. */
  readonly errors: ReadonlySet<string>;
  /** Instances that a StaleDataError may name. */
  readonly stale: ReadonlySet<Mirror>;
  /** Whether a StaleDataError may name no instance: that of a bulk row. */
  readonly staleBulk: boolean;
  /** Whether it may have added some of what it reaches before it failed. */
  readonly partial: boolean;
  /** Whether it writes anything. */
  readonly writes: boolean;
  /** Whether the specification says nothing of this. */
  readonly unsaid: string | null;
  /** Applies it to the model, once the instances have their keys. */
  apply(keyOf: (mirror: Mirror) => Key): void;
}

class Refused extends Error {
  constructor(why: string, readonly by: string) {
    super(why);
  }
}

const refuse = (why: string, by = "ValidationError"): never => {
  throw new Refused(why, by);
};

/** Plans a flush of everything. Adds what the session's instances reach, as the flush does. */
export function planFlush(world: World): Plan {
  const nothing = {
    stale: new Set<Mirror>(),
    staleBulk: false,
    writes: false,
    unsaid: null,
    partial: false,
    apply: () => {},
  };
  if (world.cascadeSave(world.mirrors) !== null) {
    return { ...nothing, partial: true, errors: new Set(["ValidationError"]) };
  }
  try {
    return new Flush(world).plan();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { ...nothing, errors: new Set([error.by]) };
  }
}

/** The columns that differ from the row. */
export function changedColumns({ data }: Mirror): string[] {
  return Object.keys(data.base!).filter((column) => data.cols[column] !== data.base![column]);
}

/** Whether a relation property differs from what was read. */
export function isRelationChanged({ data }: Mirror, name: string): boolean {
  return data.rels[name] !== undefined && !sameMembers(data.rels[name], data.loaded[name]);
}

class Flush {
  readonly #world: World;
  readonly #assigned = new Map<Mirror, Assignment[]>();
  readonly #linked = new Map<string, readonly [Mirror, Mirror]>();
  readonly #unlinked = new Map<string, readonly [Mirror, Mirror]>();
  readonly #deletes: Set<Mirror>;
  readonly #inserts: Set<Mirror>;
  readonly #replaced = new Map<Mirror, Mirror>();

  constructor(world: World) {
    this.#world = world;
    this.#deletes = new Set(world.mirrors.filter(({ data }) => data.status === "persistent" && data.marked));
    this.#inserts = new Set(world.mirrors.filter(({ data }) => data.status === "pending"));
  }

  plan(): Plan {
    this.#relations();
    this.#cascade();
    this.#check();
    const unsaid = [...this.#linked.keys()].some((id) => this.#unlinked.has(id))
      ? "a link is added from one end and taken away from the other"
      : null;
    const stale = new Set<Mirror>();
    const errors = new Set<string>();
    const before = JSON.stringify(this.#world.rows.dump());
    let temporary = 0;
    const keys = new Map<Mirror, Key>();
    const keyOf = (mirror: Mirror): Key => {
      if (!keys.has(mirror)) keys.set(mirror, --temporary);
      return keys.get(mirror)!;
    };
    const after = this.#rows(keyOf, stale, errors);
    const staleBulk = errors.has("StaleDataError");
    if (stale.size > 0) errors.add("StaleDataError");
    for (const error of after.broken()) errors.add(error);
    if (errors.size === 0 && this.#swaps(after)) {
      errors.add("ValidationError");
      // A circle that goes through a value which is not known is found by the database.
      const isUnknown = (mirror: Mirror) => mirror.shape.unique.some((one) => mirror.data.base![one] === EXPIRED);
      if (this.#updates().some(isUnknown)) errors.add("UniqueViolationError");
    }
    return {
      errors,
      stale,
      unsaid: unsaid ??
        (this.#dependsOnOrder(keyOf, after, errors) ? "bulk rows may go before a change, or after it" : null),
      staleBulk,
      partial: false,
      writes: JSON.stringify(after.dump()) !== before,
      apply: (keyOf) => this.#apply(keyOf),
    };
  }

  // ---- what the relations say

  #assign(child: Mirror, fk: string, parent: Mirror | null): void {
    const all = this.#assigned.get(child) ?? [];
    this.#assigned.set(child, all);
    const other = all.find((one) => one.fk === fk);
    if (other === undefined) all.push({ fk, parent });
    else if (other.parent !== parent) refuse("two relations give different parents");
  }

  #assignmentOf(child: Mirror, fk: string): Assignment | undefined {
    return this.#assigned.get(child)?.find((one) => one.fk === fk);
  }

  #relations(): void {
    const orphans: { child: Mirror; parent: Mirror; fk: string; cascade: boolean }[] = [];
    for (const mirror of this.#world.mirrors) {
      if (!mirror.live) continue;
      const { rels, loaded, status } = mirror.data;
      for (const { name, fk } of mirror.shape.parents) {
        const value = rels[name] as Mirror | null | undefined;
        if (value !== undefined && value !== loaded[name]) this.#assign(mirror, fk, value);
      }
      for (const { name, fk, cascade } of mirror.shape.children) {
        if (rels[name] === undefined) continue;
        if (loaded[name] === undefined && status === "persistent" && cascade) refuse("orphans are not known");
        const [now, was] = [list(rels[name]), list(loaded[name])];
        for (const child of now) if (!was.includes(child)) this.#assign(child, fk, mirror);
        for (const child of was) {
          if (!now.includes(child) && child.live) orphans.push({ child, parent: mirror, fk, cascade });
        }
      }
      for (const { name, first } of mirror.shape.links) {
        if (rels[name] === undefined) continue;
        const [now, was] = [list(rels[name]), list(loaded[name])];
        const pair = (other: Mirror) => first ? [mirror, other] as const : [other, mirror] as const;
        for (const one of now) if (!was.includes(one)) this.#linked.set(id(pair(one)), pair(one));
        for (const one of was) if (!now.includes(one)) this.#unlinked.set(id(pair(one)), pair(one));
      }
    }
    for (const mirror of this.#inserts) {
      if (!mirror.byCollection || this.#assignmentOf(mirror, "bookId") || mirror.data.cols.bookId) continue;
      mirror.data.status = "transient";
      this.#inserts.delete(mirror);
    }
    for (const { child, parent, fk, cascade } of orphans) {
      const given = this.#assignmentOf(child, fk);
      if (given !== undefined && given.parent !== null) continue;
      if (given === undefined && child.data.cols[fk] !== child.data.base?.[fk] && child.data.cols[fk] !== parent.key) {
        continue;
      }
      if (!cascade) this.#assign(child, fk, null);
      else if (!this.#inserts.delete(child)) this.#deletes.add(child);
    }
  }

  /** What goes with its parent, and what loses it. */
  #cascade(): void {
    for (const parent of this.#deletes) { // grows while it is walked
      for (const { target, fk, cascade } of parent.shape.children) {
        for (const child of this.#world.mirrors) {
          if (child.kind !== target || child.data.status !== "persistent" || this.#deletes.has(child)) continue;
          if (child.data.base![fk] !== parent.key) continue;
          const given = this.#assignmentOf(child, fk);
          if (given !== undefined && given.parent !== parent) continue;
          if (given === undefined && child.data.cols[fk] !== parent.key) continue;
          if (cascade) this.#deletes.add(child);
          else if (given === undefined) this.#assign(child, fk, null);
        }
      }
    }
  }

  // ---- what cannot be

  #check(): void {
    const keys = new Set<string>();
    for (const mirror of this.#inserts) {
      const { cols } = mirror.data;
      for (const column of mirror.shape.required) {
        const given = this.#assignmentOf(mirror, column);
        if (given === undefined ? cols[column] === undefined || cols[column] === null : given.parent === null) {
          refuse("a required value is missing");
        }
      }
      if (Object.values(cols).includes(EXPIRED)) refuse("a value is not known", "ExpiredPropertyError");
      if (mirror.key === undefined) continue;
      const key = `${mirror.kind} ${mirror.key}`;
      if (keys.has(key)) refuse("two new instances have the same key");
      keys.add(key);
      const holder = this.#world.find(mirror.kind, mirror.key);
      if (holder !== undefined && !this.#deletes.has(holder)) refuse("another instance has this key");
      for (const old of this.#deletes) {
        if (old.kind === mirror.kind && old.key === mirror.key) this.#replaced.set(old, mirror);
      }
    }
    for (const mirror of this.#world.mirrors) {
      if (!this.#inserts.has(mirror) && !(mirror.data.status === "persistent" && !this.#deletes.has(mirror))) continue;
      for (const { fk, parent } of this.#assigned.get(mirror) ?? []) {
        const away = parent?.data.gone || parent?.data.status === "deleted";
        if (away) refuse("the parent was deleted");
        if (parent !== null && this.#deletes.has(parent)) refuse("the parent is to be deleted");
        if (parent === null && mirror.shape.parents.some((one) => one.fk === fk && !one.nullable)) refuse("not null");
        if (parent !== null && parent.key === undefined && !this.#inserts.has(parent)) refuse("the parent has no key");
      }
    }
    for (const [book, tag] of this.#linked.values()) {
      if (this.#deletes.has(book) || this.#deletes.has(tag)) refuse("a link to what is to be deleted");
    }
    for (const mirror of [...this.#updates(), ...this.#deletes]) {
      if (mirror.shape.versioned && mirror.data.base!.version === EXPIRED) refuse("its version is not known");
    }
  }

  /** The columns that differ from the row, but for foreign keys that a relation gives: it beats them. */
  #changed(mirror: Mirror): string[] {
    return changedColumns(mirror).filter((column) => this.#assignmentOf(mirror, column) === undefined);
  }

  #updates(): Mirror[] {
    return this.#world.mirrors.filter((mirror) =>
      mirror.data.status === "persistent" && !this.#deletes.has(mirror) &&
      (this.#changed(mirror).length > 0 ||
        (this.#assigned.get(mirror) ?? []).some(({ fk, parent }) =>
          (parent === null ? null : parent.key) !== mirror.data.base![fk]
        ))
    );
  }

  /** Whether unique values go round in a circle between rows that stay. */
  #swaps(after: Rows): boolean {
    const before = this.#world.rows;
    for (const [start, row] of after.tables.Author) {
      const seen = new Set<Key>();
      let key: Key | undefined = start;
      let email: Value | undefined = row.email;
      while (key !== undefined && email !== null && email !== undefined) {
        if (seen.has(key)) return true;
        seen.add(key);
        const holder: Key | undefined = [...before.tables.Author].find(([, one]) => one.email === email)?.[0];
        if (holder === key) break;
        key = holder !== undefined && after.tables.Author.has(holder) ? holder : undefined;
        email = key === undefined ? null : after.tables.Author.get(key)!.email;
      }
    }
    return false;
  }

  // ---- the rows

  #keyOf(mirror: Mirror, made: (mirror: Mirror) => Key): Key {
    return mirror.key ?? made(mirror);
  }

  /** What an instance's row becomes. */
  #written(mirror: Mirror, from: Readonly<Record<string, Cell>>, made: (mirror: Mirror) => Key): Record<string, Value> {
    const row: Record<string, Value> = {};
    for (const column of Object.keys(mirror.shape.columns)) {
      const cell = mirror.data.cols[column];
      const old = from[column];
      row[column] = cell instanceof Plus
        ? Number(old) + cell.by
        : (cell === EXPIRED ? old : cell === undefined ? null : cell) as Value;
    }
    row.id = this.#keyOf(mirror, made);
    for (const { fk, parent } of this.#assigned.get(mirror) ?? []) {
      row[fk] = parent === null ? null : this.#keyOf(parent, made);
    }
    return row;
  }

  /**
   * Bulk rows go before what the session updates and deletes, unless they have to wait for a new row of it, which may have
   * to wait for such a change in turn. Only where that makes no difference can it be said what comes of both.
   */
  #dependsOnOrder(made: (mirror: Mirror) => Key, after: Rows, errors: ReadonlySet<string>): boolean {
    if (this.#world.bulk.length === 0 || ![...this.#inserts].some(({ key }) => key !== undefined)) return false;
    const stale = new Set<Mirror>();
    const others = new Set<string>();
    const late = this.#rows(made, stale, others, "late");
    if (stale.size > 0) others.add("StaleDataError");
    for (const error of late.broken()) others.add(error);
    return JSON.stringify(late.dump()) !== JSON.stringify(after.dump()) ||
      [...others].sort().join() !== [...errors].sort().join();
  }

  #rows(
    made: (mirror: Mirror) => Key,
    stale: Set<Mirror>,
    errors: Set<string>,
    bulk: "early" | "late" | "none" = "early",
  ): Rows {
    const rows = new Rows(this.#world.rows);
    // An update may be of a row that the session inserts.
    const isNew = (kind: Kind, key: unknown) => [...this.#inserts].some((one) => one.kind === kind && one.key === key);
    const isOfNew = ({ does, kind, key }: BulkRow) => does === "update" && isNew(kind, key);
    const waits = (one: BulkRow) => bulk === "late" || isOfNew(one);
    const write = (to: Rows, some: readonly BulkRow[]) => {
      for (const error of writeBulk(to, some, isNew)) errors.add(error);
    };
    const all = bulk === "none" ? [] : this.#world.bulk;
    write(rows, all.filter((one) => !waits(one)));
    const after = new Rows(rows);
    for (const mirror of this.#deletes) {
      const row = rows.get(mirror.kind, mirror.key);
      const same = row !== undefined && (!mirror.shape.versioned || row.version === mirror.data.base!.version);
      if (!same && (mirror.shape.versioned || this.#replaced.has(mirror))) {
        stale.add(mirror);
        if (this.#replaced.has(mirror)) stale.add(this.#replaced.get(mirror)!);
      }
      after.tables[mirror.kind].delete(mirror.key!);
      for (const link of after.links) {
        const [book, tag] = link.split(":").map(Number);
        if (mirror.kind === "Book" && book === mirror.key || mirror.kind === "Tag" && tag === mirror.key) {
          after.links.delete(link);
        }
      }
    }
    for (const mirror of this.#updates()) {
      const row = rows.get(mirror.kind, mirror.key);
      if (row === undefined || mirror.shape.versioned && row.version !== mirror.data.base!.version) {
        stale.add(mirror);
        continue;
      }
      const next = { ...row };
      const written = this.#written(mirror, row, made);
      const columns = [...this.#changed(mirror), ...(this.#assigned.get(mirror) ?? []).map(({ fk }) => fk)];
      for (const column of columns) next[column] = written[column]!;
      if (mirror.shape.versioned) next.version = Number(row.version) + 1;
      after.tables[mirror.kind].set(mirror.key!, next);
    }
    for (const mirror of this.#inserts) {
      const key = this.#keyOf(mirror, made);
      const row = this.#written(mirror, {}, made);
      const old = [...this.#replaced].find(([, by]) => by === mirror)?.[0];
      if (old !== undefined && mirror.shape.versioned) row.version = Number(old.data.base!.version) + 1;
      if (old !== undefined && stale.has(old)) continue;
      if (after.get(mirror.kind, key) !== undefined) errors.add("UniqueViolationError");
      after.tables[mirror.kind].set(key, row);
    }
    const live = ([book, tag]: readonly [Mirror, Mirror]) => !this.#deletes.has(book) && !this.#deletes.has(tag);
    const link = ([book, tag]: readonly [Mirror, Mirror]) => `${this.#keyOf(book, made)}:${this.#keyOf(tag, made)}`;
    write(after, all.filter(waits));
    for (const pair of this.#unlinked.values()) if (live(pair)) after.links.delete(link(pair));
    for (const pair of this.#linked.values()) {
      if (!live(pair)) continue;
      if (after.links.has(link(pair))) errors.add("UniqueViolationError");
      after.links.add(link(pair));
    }
    return after;
  }

  // ---- memory

  #apply(made: (mirror: Mirror) => Key): void {
    const world = this.#world;
    const written = this.#rows(made, new Set(), new Set());
    // What is inserted holds nothing of bulk rows that update it.
    const unbulked = this.#rows(made, new Set(), new Set(), "none");
    const updates = this.#updates();
    const inserted = [...this.#inserts];
    const before = new Map(world.mirrors.map((mirror) => [mirror, mirror.data.base]));
    for (const mirror of inserted) {
      const { cols } = mirror.data;
      const kept = ["version", ...mirror.shape.parents.map(({ fk }) => fk)];
      const columns = Object.keys(mirror.shape.columns).filter((one) => cols[one] === undefined || kept.includes(one));
      mirror.data.given = Object.fromEntries(columns.map((column) => [column, cols[column]]));
    }
    // Assigned foreign keys show on every instance that has them, also where the row held them already.
    const shown = world.mirrors.filter((mirror) => mirror.live && !this.#deletes.has(mirror))
      .flatMap((mirror) => (this.#assigned.get(mirror) ?? []).map((one) => ({ mirror, ...one })));
    const keys = new Map(inserted.map((mirror) => [mirror, this.#keyOf(mirror, made)]));
    // A key that the database made again is of no row but the new one: who held it is let go.
    for (const [mirror, key] of keys) {
      const ghost = world.find(mirror.kind, key);
      if (ghost !== undefined && !this.#deletes.has(ghost)) world.expunge(ghost);
    }
    for (const { mirror, fk, parent } of shown) {
      mirror.data.cols[fk] = parent === null ? null : keys.get(parent) ?? parent.key;
    }
    for (const mirror of [...inserted, ...updates]) {
      const { data } = mirror;
      world.touch(mirror);
      const rows = inserted.includes(mirror) ? unbulked : written;
      const row = rows.get(mirror.kind, keys.get(mirror) ?? mirror.key)!;
      const base: Record<string, Cell> = { ...data.base };
      for (const column of Object.keys(row)) {
        // What is expired and was not written stays so.
        if (data.base !== null && data.cols[column] === EXPIRED) continue;
        if (data.base !== null && column !== "version" && data.cols[column] === data.base[column]) continue;
        data.cols[column] = base[column] = row[column];
      }
      data.base = base;
      data.status = "persistent";
    }
    for (const mirror of this.#deletes) {
      world.touch(mirror);
      Object.assign(mirror.data, { status: "deleted", marked: false });
    }
    for (const mirror of world.mirrors) {
      if (mirror.data.status === "persistent") this.#settle(mirror, inserted.includes(mirror), before);
    }
    if (world.view !== null) {
      Object.assign(world, { view: written });
    } else world.committed = written;
    world.bulk = [];
  }

  /** What relation properties hold agrees with the database. */
  #settle(mirror: Mirror, isNew: boolean, before: ReadonlyMap<Mirror, Readonly<Record<string, Cell>> | null>): void {
    const world = this.#world;
    const { rels, loaded, cols, base } = mirror.data;
    const remember = (name: string, value: Related) => {
      if (!sameMembers(loaded[name], value)) world.touch(mirror);
      rels[name] = value;
      loaded[name] = Array.isArray(value) ? [...value] : value;
    };
    for (const { name, fk, target } of mirror.shape.parents) {
      const value = rels[name] as Mirror | null | undefined;
      if (value === undefined) continue;
      if (value === loaded[name] && before.get(mirror)?.[fk] === base![fk]) continue; // as it was read
      const key = base![fk] === EXPIRED ? EXPIRED : cols[fk];
      if ((value === null ? null : value.key) === key && !(value?.data.status === "deleted")) remember(name, value);
      else if (key === null) remember(name, null);
      else if (world.find(target, key) !== undefined) remember(name, world.find(target, key)!);
      else {
        world.touch(mirror);
        delete rels[name];
        delete loaded[name];
      }
    }
    const many = [
      ...mirror.shape.children.map(({ name, fk }) => ({ name, fk })),
      ...mirror.shape.links.map(({ name }) => ({ name, fk: null })),
    ];
    for (const { name, fk } of many) {
      if (rels[name] === undefined || loaded[name] === undefined && !isNew) continue;
      const changed = isRelationChanged(mirror, name);
      const belongs = (one: Mirror) =>
        one.data.status === "persistent" && (fk === null || [mirror.key, EXPIRED].includes(one.data.base![fk] as Key));
      const moved = (one: Mirror) => fk !== null && before.get(one)?.[fk] !== one.data.base?.[fk];
      // What went while the owner was out of the session stays in a collection that nobody touched.
      const stays = (one: Mirror) => belongs(one) || !changed && !this.#deletes.has(one) && !moved(one);
      remember(name, list(rels[name]).filter(stays));
    }
  }
}

function id([book, tag]: readonly [Mirror, Mirror]): string {
  return `${book.serial}:${tag.serial}`;
}
