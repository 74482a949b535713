/** A real session beside the model of it, and the comparison of the two. */
import { assert, assertEquals } from "@std/assert";
import type { Connection, Database } from "../../src/database.ts";
import { LedgeError, Session } from "../../mod.ts";
import type { Statement } from "../../mod.ts";
import { EXPIRED, list, type Mirror, Plus, type Status, World } from "./model.ts";
import { classes, type Kind, kinds, shapes } from "./models.ts";
import { changedColumns, type Plan, planFlush } from "./plan.ts";
import { LeftOut } from "./left_out.ts";
import { type BulkRow, writeBulk } from "./bulk.ts";
import { type Key, plain, type Row, Rows } from "./rows.ts";

/** A database that tells what was sent through it. */
export interface Recorded {
  readonly db: Database;
  requests: number;
  writes: number;
  connection: Connection | null;
}

/** Wraps a database so that what is sent is counted. */
export function record(inner: Database): Recorded {
  const recorded: Recorded = { db: inner, requests: 0, writes: 0, connection: null };
  const count = (statements: readonly Statement[]) => {
    recorded.requests++;
    for (const { sql } of statements) {
      if (/\b(insert\s+into|(?<!for )update|delete\s+from)\b/i.test(sql)) recorded.writes++;
    }
  };
  const wrap = (connection: Connection): Connection => ({
    database: connection.database,
    native: connection.native,
    get mayBeCommitted(): boolean | undefined {
      return connection.mayBeCommitted;
    },
    execute: (statement, options) => (count([statement]), connection.execute(statement, options)),
    batch: (statements, options) => (count(statements), connection.batch(statements, options)),
    savepoint: (name, options) => (recorded.requests++, connection.savepoint(name, options)),
    release: (name, options) => (recorded.requests++, connection.release(name, options)),
    rollbackTo: (name, options) => (recorded.requests++, connection.rollbackTo(name, options)),
    commit: (last = [], options) => (count(last), ended(connection.commit(last, options))),
    rollback: (options) => ended(connection.rollback(options)),
  });
  const ended = async <T>(call: Promise<T>): Promise<T> => {
    try {
      return await call;
    } finally {
      recorded.connection = null;
    }
  };
  const db: Database = {
    dialect: inner.dialect,
    capabilities: inner.capabilities,
    description: inner.description,
    execute: (statement, options) => (count([statement]), inner.execute(statement, options)),
    ...inner.batch === undefined
      ? {}
      : { batch: (statements, options) => (count(statements), inner.batch!(statements, options)) },
    connect: async (options) => {
      const connection = await inner.connect(options);
      recorded.connection = connection;
      return wrap(connection);
    },
    close: () => inner.close(),
  };
  return Object.assign(recorded, { db });
}

type Properties = Record<string, unknown>;

/** One run: a session, the model, and what was done so far. */
export class Run {
  readonly world = new World();
  readonly trace: string[] = [];
  /** How many bulk rows were given keys. */
  bulkKeys = 0;
  readonly session: Session;
  readonly recorded: Recorded;
  /** The same database through a client of its own. */
  readonly outside: Database;

  /** Another object for the same database, which the session reads from until it writes; null without one. */
  readonly replica: Recorded | null;
  /** Where reads must go; null where a write failed, which may have been sent or not. */
  #reads: "replica" | "primary" | null = "replica";

  constructor(recorded: Recorded, outside: Database, replica: Recorded | null = null) {
    this.recorded = recorded;
    this.outside = outside;
    this.replica = replica;
    const [bind, reading] = [recorded.db, replica?.db];
    this.session = reading === undefined
      ? new Session({ bind })
      : new Session({ bind, routing: { read: () => reading, write: () => bind } });
  }

  /** Runs an operation, and checks which database was asked by it. */
  async routed(operation: () => Promise<boolean> | boolean): Promise<boolean> {
    const { recorded, replica, trace } = this;
    if (replica === null) return await operation();
    const [before, read, lines] = [{ ...recorded }, replica.requests, trace.length];
    const done = await operation();
    assertEquals([replica.writes, replica.connection], [0, null], "The replica was written to, or held");
    if (this.#reads === "primary") assertEquals(replica.requests, read, "A session that wrote read from the replica");
    const wrote = recorded.writes > before.writes;
    const isHeld = before.connection !== null || recorded.connection !== null;
    if (this.#reads === "replica" && !wrote && !isHeld) {
      assertEquals(recorded.requests, before.requests, "A session that wrote nothing asked the primary");
    }
    if (wrote) this.#reads = trace.slice(lines).some((line) => line.startsWith("  threw")) ? null : "primary";
    return done;
  }

  /** The instance of a mirror, as properties. */
  of(mirror: Mirror): Properties {
    if (mirror.instance === null) {
      mirror.instance = this.session.identityMap.get(classes[mirror.kind] as typeof classes.Book, mirror.key as number);
      assert(mirror.instance !== null, `${mirror} is not in the identity map under ${String(mirror.key)}`);
    }
    return mirror.instance as Properties;
  }

  /** What a call throws; null when it does not. Anything but an error of Ledge's own is thrown on. */
  async thrown(call: () => unknown): Promise<LedgeError | null> {
    try {
      await call();
      return null;
    } catch (error) {
      if (error instanceof LedgeError) return error;
      throw error;
    }
  }

  /** A call that must be refused with this error, or by none at all. */
  async expect(wanted: string | null, call: () => unknown): Promise<boolean> {
    const error = await this.thrown(call);
    if (error !== null && wanted === null) throw error;
    assertEquals(error?.name ?? null, wanted, "The call threw something else");
    return wanted === null;
  }

  // ---- flushes

  /**
   * Runs what flushes, and follows it in the model. A query flushes only where it has to, which is seen by what it sent.
   * After a failure the transaction, or its innermost savepoint, is rolled back.
   */
  async flushing(kind: "flush" | "commit" | "query", call: () => Promise<unknown>, deep: boolean): Promise<boolean> {
    const { world, recorded, session } = this;
    const planned = kind === "query" ? null : planFlush(world);
    if (planned?.unsaid) throw new LeftOut(planned.unsaid);
    const before = { ...recorded };
    const pending = world.mirrors.filter(({ data }) => data.status === "pending");
    const error = await this.thrown(call);
    const wrote = recorded.writes > before.writes;
    if (kind === "query" && error === null && !wrote) return true;
    const plan: Plan = planned ?? planFlush(world);
    if (plan.unsaid) throw new LeftOut(plan.unsaid);
    if (recorded.connection !== null && world.view === null) world.connect();
    if (error === null && plan.errors.size > 0) {
      if (this.#isMadeAgain(pending)) throw new LeftOut("a key that is referred to and gone was made again");
      throw new Error(`${kind} succeeded, and should have thrown ${[...plan.errors].join(" or ")}`);
    }
    // Given and made keys of one table: SQLite cannot follow them in one batch, and waits for each on a connection.
    const isMixed = world.bulk.some(({ does, key }) => does === "insert" && typeof key === "number");
    if (error === null) {
      if (kind !== "commit" && wrote) world.wrote = true;
      plan.apply((mirror) => this.#madeKey(mirror));
      if (kind === "commit" && before.connection === null) {
        const atOnce = recorded.db.batch === undefined || isMixed || recorded.requests - before.requests <= 1;
        assert(atOnce, "A commit without a connection took more than one request");
      }
      return true;
    }
    if (!plan.errors.has(error.name)) throw error;
    if (world.view !== null && !["ValidationError", "ExpiredPropertyError"].includes(error.name)) world.wrote = true;
    this.trace.push(`  threw ${error.name}: ${error.message}`);
    const refused = ["ValidationError", "ExpiredPropertyError"].includes(error.name);
    assertEquals(session.state, refused ? "open" : "failed");
    if (plan.partial) {
      await this.rollback(0);
      return false;
    }
    this.compareMemory();
    const stale = (error as { instance?: object | null }).instance ?? null;
    const named = stale === null ? null : world.mirrors.find((mirror) => this.of(mirror) === stale) ?? null;
    if (error.name === "StaleDataError") {
      assert(
        named === null ? plan.staleBulk : plan.stale.has(named),
        `The error names ${named ?? "nothing"}, which is not stale`,
      );
    }
    const ended = kind === "commit" && !refused;
    await this.rollback(deep || ended ? 0 : world.frames.length - 1);
    if (named !== null && named.data.status === "persistent") world.expire(named);
    return false;
  }

  /**
   * Runs what takes bulk rows, and follows it in the model: they wait, or are sent with those that wait, before anything
   * else of the session; at once on a connection, or where the keys that the database makes are asked for.
   */
  async writing(rows: readonly BulkRow[], asksForKeys: boolean, call: () => unknown, deep: boolean): Promise<boolean> {
    const { world, recorded, session } = this;
    world.autobegin();
    const { requests } = recorded;
    if (recorded.connection === null && !asksForKeys) {
      await call();
      assertEquals(recorded.requests, requests, "Bulk rows that wait sent something");
      world.bulk = [...world.bulk, ...rows];
      return true;
    }
    const after = new Rows(world.rows);
    const errors = new Set([...writeBulk(after, [...world.bulk, ...rows]), ...after.broken()]);
    const error = await this.thrown(call);
    if (world.view === null) world.connect();
    world.wrote = true;
    if (error === null) {
      if (errors.size > 0) throw new Error(`Bulk rows went in, and should have thrown ${[...errors].join(" or ")}`);
      world.view = after;
      world.bulk = [];
      return true;
    }
    if (!errors.has(error.name)) throw error;
    this.trace.push(`  threw ${error.name}: ${error.message}`);
    assertEquals(session.state, "failed");
    this.compareMemory();
    await this.rollback(deep ? 0 : world.frames.length - 1);
    return false;
  }

  /** Whether something refers to one of these, which just got their keys, by a key that was another's before. */
  #isMadeAgain(made: readonly Mirror[]): boolean {
    const isHeld = (target: Kind, key: unknown) =>
      key !== undefined && key !== null && made.some((one) => one.kind === target && this.of(one).id === key);
    return this.world.mirrors.some(({ shape, data }) =>
      shape.parents.some(({ fk, target }) => isHeld(target, data.cols[fk]))
    );
  }

  #madeKey(mirror: Mirror): Key {
    const key = this.of(mirror).id;
    assert(typeof key === "number", `${mirror} has no key after it was written`);
    assert(this.world.rows.get(mirror.kind, key) === undefined, `${mirror} was given a key that is taken`);
    return key;
  }

  /** Rolls back to where a frame began. */
  async rollback(depth: number): Promise<void> {
    const { world, session, recorded } = this;
    this.trace.push(`  rollback to ${depth}`);
    const { requests } = recorded;
    const silent = recorded.connection === null;
    if (depth <= 0) await session.rollback();
    else await session.rollback(world.frames[depth]!.name!);
    if (silent) assertEquals(recorded.requests, requests, "A rollback in memory alone sent something");
    world.rollback(Math.max(depth, 0));
    this.dropExpressions();
  }

  /** An expression of the row's old value means nothing in an insert: what has no row gives it up. */
  dropExpressions(): void {
    for (const mirror of this.world.mirrors) {
      if (!(mirror.data.cols.visits instanceof Plus) || mirror.data.base !== null) continue;
      this.of(mirror).visits = 0;
      mirror.data.cols.visits = 0;
    }
  }

  // ---- the comparison

  /** Compares memory with the model. */
  compareMemory(): void {
    const { world, session } = this;
    for (const mirror of world.mirrors) this.of(mirror); // finds what was loaded
    for (const mirror of world.mirrors) this.#compareInstance(mirror);
    const named = (members: Iterable<object>) => [...members].map((one) => this.#name(one)).sort();
    const wanted = (statuses: readonly Status[], also: (mirror: Mirror) => boolean = () => true) =>
      world.mirrors.filter((mirror) => statuses.includes(mirror.data.status) && also(mirror)).map(String).sort();
    assertEquals(named(session.identityMap), wanted(["persistent"]), "The identity map");
    assertEquals(named(session.new), wanted(["pending"]), "session.new");
    assertEquals(named(session.deleted), wanted(["persistent"], ({ data }) => data.marked), "session.deleted");
    assertEquals(
      named(session.dirty),
      wanted(["persistent"], (mirror) => !mirror.data.marked && changedColumns(mirror).length > 0),
      "session.dirty",
    );
    assertEquals(session.inTransaction(), world.frames.length > 0, "inTransaction()");
    assertEquals(session.inNestedTransaction(), world.frames.length > 1, "inNestedTransaction()");
    const keys = world.mirrors.filter(({ data }) => data.status === "persistent").map((one) =>
      `${one.kind} ${one.key}`
    );
    assertEquals(keys.length, new Set(keys).size, "Two instances of one row");
  }

  #name(instance: unknown): string {
    if (instance === null || instance === undefined) return String(instance);
    return String(this.world.mirrors.find((mirror) => mirror.instance === instance) ?? "an unknown instance");
  }

  #compareInstance(mirror: Mirror): void {
    const { session } = this;
    const { data } = mirror;
    const instance = this.of(mirror);
    const seen = session.inspect(instance);
    assertEquals(seen.state, data.status, `The state of ${mirror}`);
    assertEquals(seen.markedDeleted, data.status === "persistent" && data.marked, `markedDeleted of ${mirror}`);
    assertEquals(session.has(instance), mirror.inSession, `session.has(${mirror})`);
    for (const column of Object.keys(mirror.shape.columns)) {
      const wanted = data.cols[column];
      const hidden = Object.getOwnPropertyDescriptor(instance, column)?.get !== undefined;
      if (wanted === EXPIRED || wanted instanceof Plus) {
        assert(hidden, `${mirror}.${column} can be read, and is not known: ${hidden ? "" : instance[column]}`);
        continue;
      }
      assert(!hidden, `${mirror}.${column} cannot be read, and should be ${wanted}`);
      assertEquals(plain(instance[column]), wanted, `${mirror}.${column}`);
    }
    const { parents, children, links } = mirror.shape;
    for (const { name } of [...parents, ...children, ...links]) {
      const wanted = data.rels[name];
      const value = instance[name];
      const shown = wanted === undefined || wanted === null ? String(wanted) : list(wanted).map(String);
      const found = Array.isArray(value) ? value.map((one) => this.#name(one)) : this.#name(value);
      const single = wanted !== null && wanted !== undefined && !Array.isArray(wanted);
      assertEquals(found, single ? String(wanted) : shown, `${mirror}.${name}`);
    }
  }

  /** Compares the committed rows, read from outside, and those that the open connection sees. */
  async compareRows(): Promise<void> {
    const { world, recorded } = this;
    assertEquals((await readRows(this.outside)).dump(), world.committed.dump(), "The committed rows");
    if (recorded.connection !== null && this.session.state === "open") {
      assertEquals((await readRows(recorded.connection)).dump(), world.rows.dump(), "The rows inside the transaction");
    }
  }
}

/** Reads every row as the model keeps it. */
export async function readRows(from: Pick<Database, "execute">): Promise<Rows> {
  const rows = new Rows();
  for (const kind of kinds) {
    const { table, columns } = shapes[kind];
    const { rows: found } = await from.execute({
      sql: `SELECT ${Object.values(columns).join(", ")} FROM ${table}`,
      params: [],
    });
    const properties = Object.keys(columns);
    for (const values of found) {
      const row = Object.fromEntries(properties.map((property, i) => [property, asKept(property, plain(values[i])!)]));
      rows.tables[kind as Kind].set(row.id as Key, row);
    }
  }
  const { rows: links } = await from.execute({ sql: "SELECT book_id, tag_id FROM book_tags", params: [] });
  for (const [book, tag] of links) rows.links.add(`${Number(book)}:${Number(tag)}`);
  return rows;
}

/** The two properties that databases keep in forms of their own, as SQLite keeps them. */
function asKept(property: string, value: Row[string]): Row[string] {
  if (typeof value !== "string") return value;
  if (property === "born" && !value.includes("T")) {
    return new Date(`${value.slice(0, 19).replace(" ", "T")}Z`).toISOString();
  }
  return property === "meta" ? JSON.stringify(JSON.parse(value)) : value;
}
