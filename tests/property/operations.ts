/**
 * The operations: each is done to the session and to the model. A gene names an operation and holds numbers that choose
 * among what is there; one that fits nothing does nothing, so that any part of a sequence is a sequence.
 */
import { Session, sql } from "../../mod.ts";
import type { Run } from "./harness.ts";
import { bulkOperations } from "./bulk_operations.ts";
import { AUTHORS, authorValues, EMAILS, EPOCH, type Operation, pick } from "./choosing.ts";
import { assert, assertEquals } from "@std/assert";
import { EXPIRED, list, type Mirror, Plus } from "./model.ts";
import { Author, Book, classes, type Kind, kinds, Review, type Shape, shapes } from "./models.ts";
import { changedColumns } from "./plan.ts";
import { type Key, plain } from "./rows.ts";

/** One step of a sequence. */
export interface Gene {
  readonly op: keyof typeof operations;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

/** The instances of some models that pass a test, the youngest last. */
function some(run: Run, of: readonly Kind[], test: (mirror: Mirror) => boolean): Mirror[] {
  return run.world.mirrors.filter((mirror) => of.includes(mirror.kind) && test(mirror));
}

const live = (mirror: Mirror) => mirror.live;
const persistent = (mirror: Mirror) => mirror.data.status === "persistent";

/** Instances that a relation may refer to: in the session, or new. */
const usable = (mirror: Mirror) => mirror.live || mirror.data.status === "transient";

/** A new author: of a key that is given, of one that its constructor makes up, or of one that another's made up. */
function author(run: Run, key: number, email: number, name = "ann"): Mirror {
  const { id, ...rest } = authorValues(key, email, name);
  const made = run.world.mirrors.flatMap((one) => one.kind === "Author" && one.key !== null ? [String(one.key)] : [])
    .filter((one) => !AUTHORS.includes(one));
  const given = key % 6 === 5 ? {} : { id: (key % 6 === 4 ? pick(made, key) : undefined) ?? id };
  const instance = new Author({ ...rest, ...given });
  const mirror = run.world.create("Author", {
    ...rest,
    id: instance.id,
    born: rest.born.toISOString(),
    meta: '{"n":1,"list":[]}',
    visits: 0,
    version: 1,
  });
  mirror.instance = instance;
  return mirror;
}

/** A new instance of a model whose key the server makes. */
function fresh(run: Run, kind: Exclude<Kind, "Author">, n: number): Mirror {
  const { world } = run;
  const make = (cols: Record<string, string | number | null>, given: object): Mirror => {
    const mirror = world.create(kind, cols);
    mirror.instance = new (classes[kind] as unknown as new (values: object) => object)(given);
    return mirror;
  };
  if (kind === "Book") return make({ title: `t${n}`, pages: 1, authorId: null, version: 1 }, { title: `t${n}` });
  if (kind === "Review") return make({ stars: n }, { stars: n });
  if (kind === "Tag") return make({ name: `tag${n}` }, { name: `tag${n}` });
  return make({ name: `e${n}`, bossId: null }, { name: `e${n}` });
}

async function add(run: Run, mirror: Mirror): Promise<void> {
  run.world.autobegin();
  mirror.byCollection = false;
  // What is refused may have been added in part.
  if (!await run.expect(run.world.add(mirror), () => run.session.add(run.of(mirror)))) await run.rollback(0);
}

/** Sets a relation to one instance in both. */
function setOne(run: Run, mirror: Mirror, name: string, value: Mirror | null): void {
  run.of(mirror)[name] = value === null ? null : run.of(value);
  mirror.data.rels[name] = value;
}

/** Puts an instance into a collection in both; makes it where it is not there. */
function push(run: Run, mirror: Mirror, name: string, value: Mirror): void {
  const { rels } = mirror.data;
  const instance = run.of(mirror);
  if (list(rels[name]).includes(value)) return;
  rels[name] = [...list(rels[name]), value];
  if (Array.isArray(instance[name])) (instance[name] as object[]).push(run.of(value));
  else instance[name] = [run.of(value)];
}

/** Takes an instance out of a collection in both. */
function take(run: Run, mirror: Mirror, name: string, value: Mirror): void {
  mirror.data.rels[name] = list(mirror.data.rels[name]).filter((one) => one !== value);
  const array = run.of(mirror)[name] as object[];
  array.splice(array.indexOf(run.of(value)), 1);
}

function relationsOf({ parents, children, links }: Shape): readonly string[] {
  return [...parents, ...children, ...links].map(({ name }) => name);
}

/** Whether what a relation is loaded by is known. */
function loadable(mirror: Mirror, name: string): boolean {
  const parent = mirror.shape.parents.find((one) => one.name === name);
  if (parent === undefined) return true;
  return typeof mirror.data.cols[parent.fk] !== "symbol";
}

/** Whether a relation was set to what the row holds already. */
function saysNothingNew({ data, shape, key, live }: Mirror): boolean {
  if (!live || data.base === null) return false;
  return shape.parents.some(({ name, fk }) => {
    const value = data.rels[name] as Mirror | null | undefined;
    return value !== undefined && value !== data.loaded[name] && (value === null ? null : value.key) === data.base![fk];
  }) || shape.children.some(({ name, fk }) => {
    const [now, was] = [list(data.rels[name]), list(data.loaded[name])];
    return now.some((one) => !was.includes(one) && one.data.base?.[fk] === key);
  });
}

/** Every operation, by name. */
export const operations = {
  ...bulkOperations,

  async addAuthor(run, a, b): Promise<boolean> {
    await add(run, author(run, a, b));
    return true;
  },

  async addAuthorWithBooks(run, a, b, c): Promise<boolean> {
    const parent = author(run, a, b);
    const books = Array.from({ length: c % 3 + 1 }, (_, i) => fresh(run, "Book", i));
    for (const book of books) push(run, parent, "books", book);
    await add(run, parent);
    return true;
  },

  async addBook(run, a, b, c): Promise<boolean> {
    const book = fresh(run, "Book", a);
    const parent = pick(some(run, ["Author"], usable), b);
    if (parent !== undefined && c % 3 > 0) setOne(run, book, "author", parent);
    for (let i = 0; i < c % 3; i++) push(run, book, "reviews", fresh(run, "Review", i));
    const tag = pick(some(run, ["Tag"], usable), a);
    if (tag !== undefined && c % 2 > 0) push(run, book, "tags", tag);
    await add(run, book);
    return true;
  },

  async addReview(run, a, b): Promise<boolean> {
    const review = fresh(run, "Review", a % 6);
    const book = pick(some(run, ["Book"], usable), b);
    if (book !== undefined) setOne(run, review, "book", book);
    await add(run, review);
    return true;
  },

  async addTag(run, a): Promise<boolean> {
    await add(run, fresh(run, "Tag", a));
    return true;
  },

  async addEmployee(run, a, b, c): Promise<boolean> {
    const employee = fresh(run, "Employee", a);
    const boss = pick(some(run, ["Employee"], usable), b);
    if (boss !== undefined && c % 3 === 0) setOne(run, employee, "boss", boss);
    else if (boss !== undefined && c % 3 === 1) push(run, employee, "reports", boss);
    await add(run, employee);
    return true;
  },

  /** Adds what is in no session: new, taken out, rolled back, or deleted; or takes a mark for deletion away. */
  async addAgain(run, a): Promise<boolean> {
    const mirror = pick(some(run, kinds, (one) => !one.live), a);
    if (mirror === undefined) return false;
    run.trace.push(`  ${mirror} (${mirror.data.status})`);
    await add(run, mirror);
    return true;
  },

  change(run, a, b, c): boolean {
    const mirror = pick(some(run, kinds, live), a);
    if (mirror === undefined) return false;
    const instance = run.of(mirror);
    const { cols } = mirror.data;
    const set = (column: string, value: unknown): void => {
      instance[column] = value;
      cols[column] = plain(value);
    };
    const n = c % 5;
    run.trace.push(`  ${mirror} ${b} ${n}`);
    if (mirror.kind === "Review") set("stars", n);
    else if (mirror.kind === "Tag" || mirror.kind === "Employee") set("name", `n${n}`);
    else if (mirror.kind === "Book") b % 2 > 0 ? set("pages", n) : set("title", `t${n}`);
    else if (b % 4 === 0) set("name", `n${n}`);
    else if (b % 4 === 1) set("email", pick(EMAILS, n));
    else if (b % 4 === 2) {
      if (n === 0) set("born", null);
      else if (typeof cols.born === "string" && n < 3) {
        (instance.born as Date).setTime(EPOCH + n * 1000); // in place
        cols.born = plain(instance.born);
      } else set("born", new Date(EPOCH + n));
    } else if (n === 0) set("meta", null);
    else if (typeof cols.meta === "string" && n < 3) {
      const meta = instance.meta as { n: number; list: number[] };
      meta.n = n;
      if (n === 2) meta.list.push(n);
      cols.meta = plain(meta);
    } else set("meta", { n, list: [n] });
    return true;
  },

  assignExpression(run, a, b): boolean {
    const mirror = pick(some(run, ["Author"], (one) => one.live && persistent(one)), a);
    if (mirror === undefined) return false;
    run.world.autobegin();
    run.session.assign(run.of(mirror) as unknown as Author, { visits: sql`visits + ${b % 3 + 1}` });
    mirror.data.cols.visits = new Plus(b % 3 + 1);
    return true;
  },

  setParent(run, a, b, c): boolean {
    const mirror = pick(some(run, ["Book", "Review", "Employee"], live), a);
    if (mirror === undefined) return false;
    const [{ name, target, nullable }] = mirror.shape.parents as [typeof mirror.shape.parents[number]];
    const candidates = some(run, [target], usable);
    const parent = nullable && c % 4 === 0 ? null : pick(candidates, b) ?? null;
    if (parent === null && !nullable) return false;
    run.trace.push(`  ${mirror}.${name} = ${parent}`);
    setOne(run, mirror, name, parent);
    return true;
  },

  setForeignKey(run, a, b, c): boolean {
    const mirror = pick(some(run, ["Book", "Review", "Employee"], live), a);
    if (mirror === undefined) return false;
    const [{ fk, target, nullable }] = mirror.shape.parents as [typeof mirror.shape.parents[number]];
    const waiting = run.world.bulk.filter((one) => one.does === "insert" && one.kind === target && target === "Author");
    const keys = [...new Set([...run.world.rows.tables[target].keys(), ...waiting.map(({ key }) => key)])];
    const key = nullable && c % 4 === 0 ? null : pick(keys, b);
    if (key === undefined) return false;
    run.trace.push(`  ${mirror}.${fk} = ${key}`);
    run.of(mirror)[fk] = key;
    mirror.data.cols[fk] = key;
    return true;
  },

  addToCollection(run, a, b, c): boolean {
    const mirror = pick(some(run, ["Author", "Book", "Tag", "Employee"], live), a);
    if (mirror === undefined) return false;
    const { name, target } = pick([...mirror.shape.children, ...mirror.shape.links], b)!;
    const member = c % 3 === 0 ? fresh(run, target as "Book", c) : pick(some(run, [target], usable), c);
    if (member === undefined) return false;
    run.trace.push(`  ${mirror}.${name} gets ${member}`);
    push(run, mirror, name, member);
    return true;
  },

  takeFromCollection(run, a, b, c): boolean {
    const full = some(run, ["Author", "Book", "Tag", "Employee"], live).flatMap((mirror) =>
      [...mirror.shape.children, ...mirror.shape.links].filter(({ name }) => list(mirror.data.rels[name]).length > 0)
        .map(({ name }) => ({ mirror, name }))
    );
    const found = pick(full, a);
    if (found === undefined) return false;
    const { mirror, name } = found;
    const member = pick(list(mirror.data.rels[name]), b)!;
    run.trace.push(`  ${mirror}.${name} loses ${member}`);
    take(run, mirror, name, member);
    const children = mirror.shape.children.find((one) => one.name === name);
    const other = pick(some(run, [mirror.kind], (one) => one.live && one !== mirror), c);
    // Moves it, where it can: to a collection of which all is known.
    if (children !== undefined && c % 2 > 0 && other?.data.rels[name] !== undefined) push(run, other, name, member);
    return true;
  },

  async delete(run, a): Promise<boolean> {
    const mirror = pick(some(run, kinds, (one) => one.inSession), a);
    if (mirror === undefined) return false;
    run.trace.push(`  ${mirror}`);
    run.world.autobegin();
    await run.session.delete(run.of(mirror));
    run.world.delete(mirror);
    return true;
  },

  /** Deletes the parent of a child that was given another one, which is not written yet. */
  async deleteFormerParent(run, a): Promise<boolean> {
    const { world } = run;
    const parents = some(run, ["Book", "Review", "Employee"], (one) => one.live && persistent(one)).flatMap((child) =>
      child.shape.parents.map(({ fk, target }) => {
        const parent = world.find(target, child.data.base![fk]);
        return parent !== undefined && world.movedAway(child, parent, fk) ? parent : undefined;
      })
    ).filter((parent) => parent !== undefined);
    const parent = pick(parents, a);
    if (parent === undefined) return false;
    run.trace.push(`  ${parent}`);
    world.autobegin();
    await run.session.delete(run.of(parent));
    world.delete(parent);
    return true;
  },

  async load(run, a, b): Promise<boolean> {
    const mirror = pick(some(run, kinds, persistent), a);
    const name = mirror && pick(relationsOf(mirror.shape), b);
    if (mirror === undefined || name === undefined || !loadable(mirror, name)) return false;
    run.trace.push(`  ${mirror}.${name}`);
    run.world.autobegin();
    const loaded = mirror.data.loaded[name] !== undefined;
    await run.session.load(run.of(mirror) as never, [name] as never);
    if (!loaded) run.world.load(mirror, name);
    return true;
  },

  async get(run, a, b, c): Promise<boolean> {
    const { world, session } = run;
    const kind = pick(kinds, a)!;
    const keys = new Set([
      ...world.rows.tables[kind].keys(),
      ...some(run, [kind], (one) => one.key !== undefined).map((one) => one.key!),
    ]);
    const key = pick([...keys], b);
    if (key === undefined) return false;
    const known = world.find(kind, key);
    if (known !== undefined && !relationsOf(known.shape).every((one) => loadable(known, one))) return false;
    const name = c % 2 > 0 ? pick(relationsOf(shapes[kind]), c) : undefined;
    run.trace.push(`  ${kind} ${key}${name === undefined ? "" : ` with ${name}`}`);
    world.autobegin();
    const found = await session.get(
      classes[kind] as never,
      key as never,
      { include: name === undefined ? [] : [name] } as never,
    );
    const expired = known !== undefined && Object.values(known.data.base!).includes(EXPIRED);
    const row = world.rows.get(kind, key);
    if (known !== undefined && !expired) {
      assert(found === run.of(known), "get() gave another instance");
      if (name !== undefined && known.data.loaded[name] === undefined) world.load(known, name);
    } else if (row === undefined) assertEquals(found, null);
    else {
      const mirror = world.hydrate(kind, key);
      assert(found === run.of(mirror), "get() gave another instance");
      if (name !== undefined) world.load(mirror, name, row);
    }
    return true;
  },

  async query(run, a, b, c): Promise<boolean> {
    const { world, session } = run;
    const kind = pick(kinds, a)!;
    if (world.mirrors.some(saysNothingNew)) return false; // it may be taken note of, or not
    const orphans = some(run, ["Review"], (one) => one.data.status === "pending" && one.byCollection)
      .filter((one) => !world.mirrors.some(({ live, data }) => live && list(data.rels.reviews).includes(one)));
    if (orphans.length > 0) return false; // a flush lets go of them, and may have nothing to send
    const name = b % 2 > 0 ? pick(relationsOf(shapes[kind]), b) : undefined;
    run.trace.push(`  ${kind}${name === undefined ? "" : ` with ${name}`}`);
    world.autobegin();
    const mustFlush = world.bulk.some((one) => one.kind === kind) ||
      some(run, [kind], ({ data }) => data.status === "pending" || data.status === "persistent" && data.marked).length >
        0 ||
      some(run, [kind], (one) => one.live && persistent(one) && changedColumns(one).length > 0).length > 0;
    const { writes } = run.recorded;
    let found: object[] = [];
    const done = await run.flushing("query", async () => {
      const query = session.query(classes[kind] as never).orderBy({ id: "asc" } as never);
      found = await (name === undefined ? query : query.include([name] as never)).all();
    }, c % 2 > 0);
    if (!done) return true;
    if (mustFlush) assert(run.recorded.writes > writes, "A query did not flush what it reads");
    const rows = [...world.rows.tables[kind]].sort(([x], [y]) => x < y ? -1 : 1);
    assertEquals(found.length, rows.length, "The rows of a query");
    const mirrors = rows.map(([key]) => world.hydrate(kind, key));
    for (const [i, mirror] of mirrors.entries()) {
      assert(found[i] === run.of(mirror), `A query gave another instance for ${mirror}`);
      if (name !== undefined) world.load(mirror, name, rows[i]![1]);
    }
    return true;
  },

  async refresh(run, a): Promise<boolean> {
    const mirror = pick(some(run, kinds, persistent), a);
    if (mirror === undefined) return false;
    run.trace.push(`  ${mirror}`);
    run.world.autobegin();
    const there = run.world.rows.get(mirror.kind, mirror.key) !== undefined;
    const done = await run.expect(there ? null : "ObjectDeletedError", () => run.session.refresh(run.of(mirror)));
    if (done) run.world.refresh(mirror);
    return true;
  },

  expire(run, a): boolean {
    const mirror = pick(some(run, kinds, persistent), a);
    if (mirror === undefined) return false;
    // What a rollback leaves of it is said for no more than one frame.
    const { frames } = run.world;
    if (frames.length > 1 && frames[0]!.saved.get(mirror)?.status !== "persistent") return false;
    run.trace.push(`  ${mirror}`);
    run.world.autobegin();
    run.session.expire(run.of(mirror));
    run.world.expire(mirror);
    return true;
  },

  /** Expires one column or relation. */
  expireSome(run, a, b): boolean {
    const mirror = pick(some(run, kinds, persistent), a);
    const name = mirror && pick([...Object.keys(mirror.shape.columns).slice(1), ...relationsOf(mirror.shape)], b);
    const { frames } = run.world;
    if (mirror === undefined || frames.length > 1 && frames[0]!.saved.get(mirror)?.status !== "persistent") {
      return false;
    }
    run.trace.push(`  ${mirror}.${name}`);
    run.world.autobegin();
    run.session.expire(run.of(mirror), [name!]);
    run.world.expire(mirror, name);
    return true;
  },

  /** Reads one column again. */
  async refreshSome(run, a, b): Promise<boolean> {
    const mirror = pick(some(run, kinds, persistent), a);
    const name = mirror && pick(Object.keys(mirror.shape.columns).slice(1), b);
    // What is gone cannot be read; what a rollback leaves of it is said nowhere.
    if (mirror === undefined || run.world.rows.get(mirror.kind, mirror.key) === undefined) return false;
    run.trace.push(`  ${mirror}.${name}`);
    run.world.autobegin();
    await run.session.refresh(run.of(mirror), { properties: [name!] });
    run.world.refresh(mirror, name);
    run.world.hydrate(mirror.kind, mirror.key!);
    return true;
  },

  /** Merges a book that came from elsewhere, with its reviews or without. */
  async mergeBook(run, a, b, c): Promise<boolean> {
    const { world, session } = run;
    const key = pick([...world.rows.tables.Book.keys()], a);
    if (key === undefined) return false;
    const known = world.find("Book", key);
    const reviews = c % 3 === 0 ? undefined : Array.from({ length: c % 3 - 1 }, (_, i) => new Review({ stars: i }));
    const values = { id: key as number, title: `m${b % 3}` };
    const given = reviews === undefined ? new Book(values) : Book.create({ ...values, reviews });
    run.trace.push(`  Book ${key} with ${reviews === undefined ? "nothing" : reviews.length}`);
    world.autobegin();
    const merged: object = await session.merge(given);
    const expired = known !== undefined && Object.values(known.data.base!).includes(EXPIRED);
    const mirror = known === undefined || expired ? world.hydrate("Book", key) : known;
    assert(merged === run.of(mirror), "merge() gave another instance");
    mirror.data.cols.title = values.title;
    mirror.data.marked = false;
    if (reviews === undefined) return true;
    // What has to be read anyway is read with its reviews: those that were expired are known then.
    if (mirror.data.loaded.reviews === undefined || expired) world.load(mirror, "reviews");
    mirror.data.rels.reviews = (merged as Book).reviews!.map((review, i) => {
      const one = world.create("Review", { stars: i });
      one.instance = review;
      one.data.status = "pending";
      one.byCollection = true;
      return one;
    });
    return true;
  },

  expunge(run, a): boolean {
    const mirror = pick(some(run, kinds, (one) => one.inSession), a);
    if (mirror === undefined) return false;
    run.trace.push(`  ${mirror}`);
    run.world.autobegin();
    run.session.expunge(run.of(mirror));
    run.world.expunge(mirror);
    return true;
  },

  async savepoint(run, _a, b): Promise<boolean> {
    const { world, session, recorded } = run;
    if (world.frames.length > 3) return false;
    const name = `s${b % 3}`;
    world.autobegin();
    const { requests } = recorded;
    await session.beginNested(name);
    if (recorded.connection === null) assertEquals(recorded.requests, requests, "A savepoint in memory sent something");
    world.begin(name);
    return true;
  },

  async release(run): Promise<boolean> {
    if (run.world.frames.length < 2) return false;
    await run.session.getNestedTransaction()!.commit();
    run.world.release(run.world.frames.length - 1);
    return true;
  },

  /** Rolls back to a savepoint, not always the innermost. */
  async rollbackSavepoint(run, a): Promise<boolean> {
    const { frames } = run.world;
    if (frames.length < 2) return false;
    const { name } = frames[1 + a % (frames.length - 1)]!;
    await run.rollback(frames.findLastIndex((frame) => frame.name === name));
    return true;
  },

  async flush(run, a): Promise<boolean> {
    run.world.autobegin();
    await run.flushing("flush", () => run.session.flush(), a % 2 > 0);
    return true;
  },

  async commit(run, a): Promise<boolean> {
    run.world.autobegin();
    if (await run.flushing("commit", () => run.session.commit(), a % 2 > 0)) {
      run.world.commit();
      run.dropExpressions();
    }
    return true;
  },

  async rollback(run): Promise<boolean> {
    await run.rollback(0);
    return true;
  },

  /** A second session changes a row behind the first one's back. */
  async changeOutside(run, a, b): Promise<boolean> {
    const { world } = run;
    const rows = (["Author", "Book", "Employee"] as const).flatMap((kind) =>
      [...world.committed.tables[kind].keys()].map((key) => ({ kind, key }))
    );
    const found = pick(rows, a);
    if (world.view !== null || found === undefined) return false;
    run.trace.push(`  ${found.kind} ${found.key}`);
    const column = found.kind === "Book" ? "title" : "name";
    const row = world.committed.get(found.kind, found.key)!;
    const value = `${row[column]}!${b % 2}`;
    await using other = new Session({ bind: run.outside });
    const instance = await other.getOne(classes[found.kind] as never, found.key as never) as Record<string, unknown>;
    assert(!world.mirrors.some((mirror) => mirror.instance === instance), "Two sessions share an instance");
    instance[column] = value;
    await other.commit();
    row[column] = value;
    if (found.kind !== "Employee") row.version = Number(row.version) + 1;
    return true;
  },

  /** A second session deletes a row behind the first one's back, where nothing refers to it. */
  async deleteOutside(run, a): Promise<boolean> {
    const { world } = run;
    if (world.view !== null) return false;
    const rows = (["Author", "Book", "Review", "Employee"] as const).flatMap((kind) =>
      [...world.committed.tables[kind].keys()].map((key) => ({ kind, key }))
    ).filter(({ kind, key }) =>
      kind === "Author" && world.committed.referring("Book", "authorId", key).length === 0 ||
      kind === "Book" && world.committed.referring("Review", "bookId", key).length === 0 &&
        world.committed.linked(key, true).length === 0 ||
      kind === "Review" ||
      kind === "Employee" && world.committed.referring("Employee", "bossId", key).every((own) => own === key)
    );
    const found = pick(rows, a);
    if (found === undefined) return false;
    run.trace.push(`  ${found.kind} ${found.key}`);
    await using other = new Session({ bind: run.outside });
    await other.delete(await other.getOne(classes[found.kind] as never, found.key as never));
    await other.commit();
    world.committed.tables[found.kind].delete(found.key);
    return true;
  },

  /** Merges an author that came from elsewhere. */
  async merge(run, a, b, c): Promise<boolean> {
    const { world, session } = run;
    const key = pick(AUTHORS, a)!;
    const twin = world.mirrors.find((one) => one.kind === "Author" && one.data.status === "pending" && one.key === key);
    const known = world.find("Author", key);
    if (twin !== undefined && known !== undefined) return false;
    const row = world.rows.get("Author", key);
    const target = known ?? twin;
    const expired = known !== undefined && Object.values(known.data.base!).includes(EXPIRED);
    if (expired && row === undefined) return false;
    const held = target === undefined ? EXPIRED : target.data.base?.version;
    const version = (held === EXPIRED ? row?.version : held) as number | undefined;
    const given = new Author({
      id: key,
      name: `m${b % 3}`,
      email: null,
      born: null,
      meta: null,
      visits: 0,
      version: c % 4 > 0 ? version ?? 1 : 9,
    });
    run.trace.push(`  ${key}`);
    world.autobegin();
    const stale = version !== undefined && given.version !== version;
    let merged: object | null = null;
    const done = await run.expect(stale ? "StaleDataError" : null, async () => merged = await session.merge(given));
    const mirror = target ?? (row !== undefined ? world.hydrate("Author", key) : world.create("Author", {}));
    if (expired) world.hydrate("Author", key);
    if (mirror.data.status === "transient") {
      mirror.instance = merged;
      mirror.data.status = "pending";
    }
    if (!done) return true;
    assert(merged === run.of(mirror), "merge() gave another instance");
    const { cols } = mirror.data;
    for (const column of ["id", "name", "email", "born", "meta", "visits"] as const) {
      cols[column] = plain(given[column]);
    }
    if (mirror.data.base === null) cols.version = given.version;
    mirror.data.marked = false;
    return true;
  },
} satisfies Record<string, Operation>;

/** How often each is chosen, beside 1. */
export const weights: Partial<Record<Gene["op"], number>> = {
  addBook: 3,
  addAuthor: 2,
  addAuthorWithBooks: 2,
  addEmployee: 2,
  change: 5,
  setParent: 4,
  setForeignKey: 2,
  addReview: 2,
  addToCollection: 4,
  takeFromCollection: 4,
  delete: 4,
  deleteFormerParent: 4,
  load: 3,
  savepoint: 2,
  rollbackSavepoint: 2,
  flush: 2,
  commit: 6,
  changeOutside: 2,
  bulkInsert: 2,
  bulkUpdate: 3,
  bulkSave: 2,
};

export type { Key };
