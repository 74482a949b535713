/**
 * The session: a face over the tracker, the loader and the transactions, which do the work.
 *
 * @module
 */
import type { CallOptions, Connection, Database } from "../database.ts";
import { DetachedInstanceError, InvalidStateError, NoResultError, StaleDataError, ValidationError } from "../errors.ts";
import type { ModelArgument } from "../model/declared.ts";
import { checkCallOptions, refuseUnknown } from "../execution/call_options.ts";
import { isInstance, mapperOf } from "../model/mapper.ts";
import type { Assign } from "../model/query_types.ts";
import type { AnyModel, Entity, Include, Key, Loaded } from "../model/types.ts";
import type { StreamOptions } from "../query/paging.ts";
import { Result, type Row, type Scalars } from "../query/result.ts";
import { Query, Select } from "../query/select.ts";
import { type LockOptions, parseInclude, parseLock, selectAll } from "../query/select_node.ts";
import { asWritten } from "../query/write_work.ts";
import type { SqlValue } from "../sql/statement.ts";
import { preview, Sql } from "../sql/tag.ts";
import { type InstanceState, isChanged, isRelationTouched, knownState, stateOf } from "../state/instance_state.ts";
import { parseKey, showKey } from "../state/key.ts";
import { label, type Tracker } from "../state/tracker.ts";
import { cascadeSave } from "../unit_of_work/relations.ts";
import { requireVerifiable } from "../unit_of_work/verify.ts";
import type { BindOptions } from "./branches.ts";
import type { EventHandler, HandlerOptions, SessionEvents } from "./events.ts";
import type { StagedStatement } from "./extras.ts";
import { type Inspection, inspectState, tokenOfKey } from "./inspect.ts";
import type { Internals } from "./internals.ts";
import { mergeInstance } from "./merge.ts";
import {
  type BeginOptions,
  checkSessionOptions,
  type CloseOptions,
  type CommitOptions,
  type SessionOptions,
} from "./options.ts";
import { assignProperties, expireProperties } from "./properties.ts";
import { Reading } from "./reading.ts";
import { cascadeDeletion, markDeleted } from "./remove.ts";
import type { Operation } from "./routing.ts";
import type { SessionTransaction } from "./scope.ts";
import { deleteNow, insertNow, updateNow } from "./one_row.ts";
import { type Params, type RawStatement, refuseValues, userStatement } from "./statement.ts";
import type { TruncateOptions } from "./truncate.ts";
import type { WriteStatement } from "./writing.ts";
import { Transactions } from "./transaction.ts";

/** Options of `get`, `getOne` and `getAll`. */
export interface GetOptions<I = never> extends CallOptions {
  /** Relations to load with the instance. */
  readonly include?: I;
  /** Overwrite what a loaded instance holds, pending changes included. */
  readonly populateExisting?: boolean;
  /**
   * Lock the row until the transaction ends, and read it afresh: opens an interactive transaction. `true` locks for an
   * update. Refused for an instance with pending changes.
   */
  readonly lock?: boolean | LockOptions;
}

/** Options of `execute` and its shorthands. */
export interface ExecuteOptions extends CallOptions {
  /** Whether pending changes that the statement may see are flushed first; the session's setting unless given. */
  readonly autoflush?: boolean;
}

/** The same of SQL text, which may go to another database than the session's own. */
export type TextOptions = ExecuteOptions & BindOptions;

/** The persistent instances of a session, read only. */
export interface IdentityMapView {
  /** How many there are. */
  readonly size: number;
  /** The instance of a key, or null; sends nothing. */
  get<M extends AnyModel>(model: ModelArgument<M>, key: Key<InstanceType<M>>): InstanceType<M> | null;
  /** Whether the instance of a key is there. */
  has<M extends AnyModel>(model: ModelArgument<M>, key: Key<InstanceType<M>>): boolean;
  /** Iterates over the instances. */
  [Symbol.iterator](): Iterator<object>;
}

/**
 * A session: load objects, change them, commit them together, in one request. For one unit of work (a request to a
 * server, a job); not to be shared between two.
 *
 * @example
 * ```ts
 * import { createAll, model, Session, t } from "@ledge/session";
 * import { libsql } from "@ledge/session/libsql/local";
 * import { assertEquals } from "@std/assert";
 *
 * class Book extends model("books", { id: t.uuid().primaryKey(), title: t.text() }) {}
 * const db = libsql({ url: ":memory:" });
 * await createAll(db, [Book]);
 *
 * await using session = new Session({ bind: db });
 * const book = session.add(new Book({ title: "Edges" }));
 * await session.commit(); // one request
 * book.title = "More edges";
 * await session.commit(); // one request
 * assertEquals(await session.query(Book).count(), 1);
 * ```
 */
export class Session {
  /** Anything of the caller's: the `info` given to the constructor, or an empty object. */
  readonly info: Record<string, unknown>;
  /** Whether a query flushes pending changes of the tables it reads. */
  autoflush: boolean;
  readonly #options: SessionOptions;
  readonly #transactions: Transactions;
  readonly #tracker: Tracker;
  readonly #reading: Reading;

  /** Makes a session; sends nothing. Throws a `ValidationError` for an option that is not there. */
  constructor(options: SessionOptions) {
    checkSessionOptions(options);
    this.#options = options;
    this.info = options.info ?? {};
    this.autoflush = options.autoflush ?? true;
    this.#transactions = new Transactions(this, options);
    this.#tracker = this.#transactions.tracker;
    this.#reading = new Reading(this.#transactions, () => this.autoflush, options.verifyReads ?? false);
  }

  // ---- state

  /** Whether it can be used: a failed one wants `rollback()`, a closed one is of no more use. */
  get state(): "open" | "failed" | "closed" {
    const { condition } = this.#transactions.lifecycle;
    return condition === "closed" ? "closed" : condition === "failed" || condition === "unknown" ? "failed" : "open";
  }
  /** Whether it can be used right now. */
  get isActive(): boolean {
    return this.state === "open";
  }
  /** The database; of a session that joined an open connection, one whose calls run in that connection's transaction. */
  get bind(): Database {
    return this.#transactions.bind;
  }
  /**
   * The database that a model is read or written at now: what `routing` says, the bind of the model or the nearest of its
   * bases, that of its table, the session's `bind`, in this order. Without a model, the session's `bind`. Sends nothing.
   *
   * @example
   * ```ts
   * import { createAll, model, Session, t } from "@ledge/session";
   * import { libsql } from "@ledge/session/libsql/local";
   * import { assert, assertEquals } from "@std/assert";
   *
   * class Order extends model("orders", { id: t.identity(), total: t.integer() }) {}
   * class Visit extends model("visits", { id: t.identity(), path: t.text() }) {}
   * const [shop, stats] = [libsql({ url: ":memory:" }), libsql({ url: ":memory:" })];
   * await createAll(shop, [Order]);
   * await createAll(stats, [Visit]);
   *
   * await using session = new Session({ bind: shop, binds: [[Visit, stats]] });
   * session.add(new Visit({ path: "/" }));
   * await session.commit(); // at stats
   * assert(session.getBind({ model: Visit }) === stats && session.getBind({ model: Order }) === shop);
   * assertEquals(await session.scalar("SELECT count(*) FROM visits", [], { bind: Visit }), 1);
   * ```
   */
  getBind(options: { readonly model?: AnyModel; readonly operation?: Operation } = {}): Database {
    refuseUnknown(options, ["model", "operation"], "getBind()");
    const { model, operation = "read" } = options;
    if (operation !== "read" && operation !== "write") throw new ValidationError('operation must be "read" or "write"');
    return model === undefined ? this.bind : this.#transactions.branches.databaseOf(mapperOf(model), operation);
  }
  /**
   * Binds a model, and those that extend it, to a database, from now on. Throws a `ValidationError` for what is none, and an
   * `InvalidStateError` where instances are loaded whose rows are elsewhere.
   */
  bindModel(model: AnyModel, database: Database): void {
    this.#transactions.lifecycle.require("bindModel");
    const { branches, tracker } = this.#transactions;
    branches.routes.bindModel(model, database, tracker.identity);
  }
  /** Binds a table, with its schema where it has one (`"schema.table"`), to a database, from now on; throws like `bindModel`. */
  bindTable(name: string, database: Database): void {
    this.#transactions.lifecycle.require("bindTable");
    const { branches, tracker } = this.#transactions;
    branches.routes.bindTable(name, database, tracker.identity);
  }
  /** Whether a transaction has begun, by itself or by `begin()`. */
  inTransaction(): boolean {
    return this.#transactions.root !== null;
  }
  /** Whether a savepoint is open. */
  inNestedTransaction(): boolean {
    return this.#transactions.innermost !== null;
  }
  /** The transaction, or null. */
  getTransaction(): SessionTransaction | null {
    return this.#transactions.root;
  }
  /** The innermost savepoint, or null. */
  getNestedTransaction(): SessionTransaction | null {
    return this.#transactions.innermost;
  }
  /** Instances that the next flush inserts. */
  get new(): ReadonlySet<object> {
    return instances(this.#tracker.added);
  }
  /** Persistent instances that differ from their rows. Costs a look at everything that is loaded. */
  get dirty(): ReadonlySet<object> {
    return instances(this.#tracker.dirty());
  }
  /** Instances that the next flush deletes. */
  get deleted(): ReadonlySet<object> {
    return instances(this.#tracker.removed);
  }
  /** The persistent instances. */
  get identityMap(): IdentityMapView {
    const { identity } = this.#tracker;
    const find = (model: unknown, key: unknown): InstanceState | undefined =>
      identity.get(mapperOf(model), tokenOfKey(mapperOf(model), key));
    return {
      size: identity.size,
      get: <M extends AnyModel>(model: ModelArgument<M>, key: Key<InstanceType<M>>): InstanceType<M> | null =>
        (find(model, key)?.instance ?? null) as InstanceType<M> | null,
      has: (model, key) => find(model, key) !== undefined,
      [Symbol.iterator]: () => instances(identity)[Symbol.iterator](),
    };
  }
  /** Whether an instance is pending or persistent in this session. */
  has(instance: object): boolean {
    const state = knownState(instance);
    return state !== undefined && this.#tracker.has(state) && state.status !== "deleted";
  }
  /** Iterates over the pending and the persistent instances. */
  [Symbol.iterator](): Iterator<object> {
    return instances(this.#tracker.all())[Symbol.iterator]();
  }
  /**
   * Whether an instance differs from its row, or has no row yet; with `collections: false` only its columns are looked
   * at.
   */
  isModified(instance: object, options: { readonly collections?: boolean } = {}): boolean {
    const state = stateOf(instance, "look at");
    if (state.snapshot === null) return true;
    if (state.forced || state.mapper.columns.some((column) => isChanged(state, column))) return true;
    const relations = options.collections === false
      ? state.mapper.relations.filter(({ many }) => !many)
      : state.mapper.relations;
    return relations.some((relation) => isRelationTouched(state, relation));
  }
  /** What is known of an instance: state, key, changes. Sends nothing. */
  inspect(instance: object): Inspection {
    const state = stateOf(instance, "inspect");
    return inspectState(state, this.#tracker.removed.has(state));
  }

  // ---- objects

  /**
   * Stages an instance for insertion, and what it reaches through relations with cascade "save"; a detached one becomes
   * persistent again. Sends nothing. Throws a `ValidationError` when another instance with its key is in the session
   * (use `merge`), a `DetachedInstanceError` when it belongs to another session.
   */
  add<T extends object>(instance: T): T {
    this.#transactions.use("add");
    const state = stateOf(instance, "add");
    const before = this.#tracker.added.size;
    try {
      this.#tracker.add(state);
      state.addedBy = null;
      cascadeSave(this.#tracker, [state]);
    } catch (error) {
      // All of it or nothing: what was added before the fault is taken out again.
      for (const added of [...this.#tracker.added].slice(before)) this.#tracker.unadd(added);
      throw error;
    }
    return instance;
  }
  /** Stages instances, as `add` does each. */
  addAll<T extends object>(instances: Iterable<T>): T[] {
    return [...instances].map((instance) => this.add(instance));
  }
  /** Forces an update of an instance even if nothing changed. */
  markDirty(instance: object): void {
    this.#transactions.use("markDirty");
    this.#persistent(instance, "mark dirty").forced = true;
  }
  /**
   * Marks an instance for deletion, with what its cascades reach; a pending one is only taken out. Sends nothing, unless
   * children must be loaded first (cascade "delete" or a nullable foreign key, and no `onDelete` in the database): one
   * request for each level of the graph.
   */
  async delete(instance: object): Promise<void> {
    await this.#transactions.run("delete", async () => {
      const state = stateOf(instance, "delete");
      if (!markDeleted(this.#tracker, state)) return;
      const cascade = () => cascadeDeletion(this.#tracker, this.#transactions.loader, [state]);
      await this.#reading.prepared("delete", state.mapper, [], false, null, cascade);
    });
  }
  /** The same as `delete`. */
  remove(instance: object): Promise<void> {
    return this.delete(instance);
  }
  /**
   * The instance of a key, or null. Costs nothing when it is loaded; otherwise all gets of one turn travel in one
   * request. Never flushes.
   */
  async get<M extends AnyModel, const I extends Include<InstanceType<M>> = Record<never, never>>(
    model: ModelArgument<M>,
    key: Key<InstanceType<M>>,
    options: GetOptions<I> = {},
  ): Promise<Loaded<InstanceType<M>, I> | null> {
    const [found] = await this.#getAll<M, I>(model, [key], options);
    return found ?? null;
  }
  /** The instance of a key; throws a `NoResultError` when there is none. Costs what `get` does. */
  async getOne<M extends AnyModel, const I extends Include<InstanceType<M>> = Record<never, never>>(
    model: ModelArgument<M>,
    key: Key<InstanceType<M>>,
    options: GetOptions<I> = {},
  ): Promise<Loaded<InstanceType<M>, I>> {
    const found = await this.get<M, I>(model, key, options);
    if (found !== null) return found;
    const mapper = mapperOf(model);
    throw new NoResultError(`There is no ${mapper.model} ${showKey(parseKey(mapper, key))}`);
  }
  /** The instances of keys in their order, null where there is none. One request, or none when all are loaded. */
  async getAll<M extends AnyModel, const I extends Include<InstanceType<M>> = Record<never, never>>(
    model: ModelArgument<M>,
    keys: readonly Key<InstanceType<M>>[],
    options: GetOptions<I> = {},
  ): Promise<(Loaded<InstanceType<M>, I> | null)[]> {
    return await this.#getAll<M, I>(model, keys, options);
  }

  /**
   * Copies the state of an instance from elsewhere (a request body, another session) onto the session's own instance of
   * its row, which is loaded first with the relations it holds; a new one is added where there is no row. Returns the
   * session's instance. One request in the common case, none with `load: false`. Throws a `StaleDataError` when the given
   * version is not the row's.
   */
  async merge<T extends Entity>(
    instance: T,
    options: { readonly load?: boolean; readonly include?: Include<T> } = {},
  ): Promise<T> {
    refuseUnknown(options, ["load", "include"], "merge()");
    return await this.#transactions.run("merge", async () => {
      const state = stateOf(instance, "merge");
      const include = parseInclude(state.mapper, options.include);
      const merged = await mergeInstance(this.#tracker, this.#reading, state, include, options.load ?? true);
      return merged.instance as unknown as T;
    });
  }
  /**
   * Reads an instance again and overwrites what it holds, changes included; with `properties` only those (columns or
   * relations). One request. Throws an `ObjectDeletedError` when its row is gone.
   */
  async refresh<T extends object>(
    instance: T,
    options: CallOptions & {
      readonly properties?: readonly (keyof T & string)[];
      /** Lock the row until the transaction ends, as with `get`. */
      readonly lock?: boolean | LockOptions;
    } = {},
  ): Promise<T> {
    refuseUnknown(options, ["properties", "lock", "signal", "timeout"], "refresh()");
    const { properties, lock, ...call } = options;
    await this.#transactions.run(
      "refresh",
      () =>
        this.#reading.refresh(this.#persistent(instance, "refresh"), properties, { ...call, lock: parseLock(lock) }),
    );
    return instance;
  }

  /**
   * Makes what an instance holds unknown until it is refreshed: reading it throws an `ExpiredPropertyError`. Pending
   * changes of it are dropped, and loaded relations forgotten; the instances in them stay as they are. With `properties`
   * only those, columns or relations. Sends nothing.
   */
  expire<T extends object>(instance: T, properties?: readonly (keyof T & string)[]): void {
    this.#transactions.use("expire");
    const state = this.#persistent(instance, "expire");
    if (properties === undefined) this.#tracker.expire(state);
    else expireProperties(this.#tracker, state, properties);
  }
  /** Expires every persistent instance. */
  expireAll(): void {
    this.#transactions.use("expire");
    for (const state of this.#tracker.identity) this.#tracker.expire(state);
  }
  /**
   * Takes an instance out of the session for good: a pending one becomes transient, a persistent one detached, with its
   * changes. What it reaches through relations stays, whatever they cascade. Sends nothing. Throws a
   * `DetachedInstanceError` for an instance of another session or of none.
   */
  expunge(instance: object): void {
    this.#transactions.use("expunge");
    const state = stateOf(instance, "expunge");
    this.#requireOwn(state, "expunge");
    this.#tracker.expunge(state);
  }
  /** Takes every instance out of the session. */
  expungeAll(): void {
    this.#transactions.use("expunge");
    for (const state of [...this.#tracker.all()]) this.#tracker.expunge(state);
  }
  /** Loads relations of an instance that has its keys. One request, or none where they are loaded. Never flushes. */
  async load<T extends Entity, const I extends Include<T>>(
    instance: T,
    relations: I,
    options: CallOptions = {},
  ): Promise<Loaded<T, I>> {
    await this.#transactions.run("load", () => {
      const state = stateOf(instance, "load relations of");
      if (state.owner !== null) this.#requireOwn(state, "load relations of");
      return this.#reading.load(state, parseInclude(state.mapper, relations), options);
    });
    return instance as Loaded<T, I>;
  }
  /**
   * Sets properties, each to a value or to an SQL expression, which the database computes in the commit; until then the
   * property cannot be read. Sends nothing.
   *
   * @example
   * ```ts
   * import { createAll, model, Session, sql, t } from "@ledge/session";
   * import { libsql } from "@ledge/session/libsql/local";
   * import { assertEquals } from "@std/assert";
   *
   * class Page extends model("pages", { id: t.identity(), visits: t.integer().default(0) }) {}
   * const db = libsql({ url: ":memory:" });
   * await createAll(db, [Page]);
   * await using session = new Session({ bind: db });
   * const page = session.add(new Page({}));
   * await session.commit();
   * session.assign(page, { visits: sql`visits + 1` });
   * await session.commit();
   * assertEquals(page.visits, 1);
   * ```
   */
  assign<T extends Entity>(instance: T, values: Assign<T>): T {
    this.#transactions.use("assign");
    assignProperties(stateOf(instance, "assign to"), values);
    return instance;
  }

  // ---- queries and statements

  /** A query of a model's instances; sends nothing until `all()`, `first()`, `one()`, `count()` or `exists()`. */
  query<M extends AnyModel>(model: ModelArgument<M>): Query<InstanceType<M>> {
    return new Query<InstanceType<M>>(selectAll(mapperOf(model)), this.#reading);
  }

  /**
   * Runs a statement: a builder (`select`, `insert`, `update`, `deleteFrom`), `` sql`…` ``, text with values, or a query of
   * Kysely's or Drizzle's. A reading one joins the reads of its turn; one that writes upgrades the session to an interactive
   * transaction, which `commit()` commits (`stage()` lets it travel with the commit instead). Raw SQL counts as touching
   * every table: pending changes are flushed first, unless `autoflush: false` says otherwise.
   *
   * Throws a `ValidationError`, before anything is sent, for a statement or a value that cannot be what it seems.
   *
   * @example
   * ```ts
   * import { createAll, model, Session, t, update } from "@ledge/session";
   * import { libsql } from "@ledge/session/libsql/local";
   * import { assertEquals } from "@std/assert";
   *
   * class Book extends model("books", { id: t.integer().primaryKey(), title: t.text() }) {}
   * const db = libsql({ url: ":memory:" });
   * await createAll(db, [Book]);
   * await using session = new Session({ bind: db });
   * const rows = [{ id: 1, title: "a" }, { id: 2, title: "b" }];
   * await session.execute("INSERT INTO books (id, title) VALUES (:id, :title)", rows); // runs twice, in one request
   * await session.execute(update(Book).set({ title: "c" }).where({ id: 2 }));
   * assertEquals((await session.execute("SELECT title FROM books WHERE id > ?", [1])).one(), { title: "c" });
   * await session.commit();
   * ```
   */
  execute<T extends Entity, R>(
    statement: Select<T, R>,
    params?: undefined,
    options?: ExecuteOptions,
  ): Promise<Result<R>>;
  /**
   * Runs an `insert`, an `update` or a `deleteFrom`, in an interactive transaction; gives what its `returning` says.
   * Instances that are loaded are brought up to date or become deleted, by the rows that come back. Where the database
   * returns none (MySQL) the rows concerned are locked and read besides, if any instance is loaded: up to two requests more.
   */
  execute<T extends Entity, R>(
    statement: WriteStatement<T, R>,
    params?: undefined,
    options?: ExecuteOptions,
  ): Promise<Result<R>>;
  /**
   * Runs text, `` sql`…` `` or a query of another builder; its rows are objects by column name. Values are an array, one for
   * each placeholder (`?`, `$1`), or an object by name (`:name`; but in MySQL `@name` and `$name` too). An array of such sets runs the statement
   * once for each, together in one request where the connection batches; the result holds the rows of all and how many were
   * written in all. When one fails, those before it stay until the transaction is rolled back.
   */
  execute(statement: RawStatement, params?: Params, options?: TextOptions): Promise<Result<Row>>;
  async execute(
    statement: Select<Entity, unknown> | WriteStatement<Entity, unknown> | RawStatement,
    params?: Params,
    options: TextOptions = {},
  ): Promise<Result<unknown>> {
    refuseUnknown(options, ["autoflush", "bind", "signal", "timeout"], "execute()");
    const { autoflush = this.autoflush, bind, ...call } = options;
    return await this.#transactions.run<Result<unknown>>("execute", () => {
      const written = asWritten(statement);
      if (written === null && !(statement instanceof Select)) {
        return this.#reading.raw(statement as RawStatement, params, autoflush, { ...call, bind });
      }
      refuseBind(bind);
      refuseParams(params);
      if (written !== null) return this.#reading.write(written, autoflush, call);
      return this.#reading.select((statement as Select<Entity>).node, autoflush, call);
    });
  }

  /** The first column of the first row, or null; costs what `execute` does. */
  async scalar<V = SqlValue>(statement: RawStatement, params?: Params, options?: TextOptions): Promise<V | null> {
    return (await this.execute(statement, params, options)).scalar<V>();
  }
  /** The first column of each row, or the instances of a `select`; costs what `execute` does. */
  scalars<T extends Entity, R>(
    statement: Select<T, R>,
    params?: undefined,
    options?: ExecuteOptions,
  ): Promise<Scalars<R>>;
  /** The first column of each row. */
  scalars<V = SqlValue>(statement: RawStatement, params?: Params, options?: TextOptions): Promise<Scalars<V>>;
  async scalars(
    statement: Select<Entity, unknown> | RawStatement,
    params?: Params,
    options?: TextOptions,
  ): Promise<Scalars<unknown>> {
    return (await this.execute(statement as string, params, options)).scalars<unknown>();
  }
  /** The first row, or null; costs what `execute` does. */
  first<T extends Entity, R>(statement: Select<T, R>, params?: undefined, options?: ExecuteOptions): Promise<R | null>;
  /** The first row, or null. */
  first(statement: RawStatement, params?: Params, options?: TextOptions): Promise<Row | null>;
  async first(
    statement: Select<Entity, unknown> | RawStatement,
    params?: Params,
    options?: TextOptions,
  ): Promise<unknown> {
    return (await this.execute(statement as string, params, options)).first();
  }
  /**
   * The rows of a statement one by one, with `size` of them in memory at once. A `select(Model)` goes page by page, by key,
   * as `query(Model).stream()` does, which tells what becomes of its instances.
   *
   * @example
   * ```ts
   * import { createAll, model, Session, t, select } from "@ledge/session";
   * import { libsql } from "@ledge/session/libsql/local";
   * import { assertEquals } from "@std/assert";
   *
   * class Page extends model("pages", { id: t.identity(), visits: t.integer().default(0) }) {}
   * const db = libsql({ url: ":memory:" });
   * await createAll(db, [Page]);
   * await using session = new Session({ bind: db });
   * session.addAll([new Page({ visits: 1 }), new Page({ visits: 2 })]);
   * await session.commit();
   * let visits = 0;
   * for await (const page of session.stream(select(Page))) visits += page.visits;
   * assertEquals(visits, 3);
   * ```
   */
  stream<T extends Entity, R>(
    statement: Select<T, R>,
    params?: undefined,
    options?: ExecuteOptions & StreamOptions,
  ): AsyncGenerator<R, void, undefined>;
  /**
   * The rows of SQL that reads, through a cursor of the server (PostgreSQL), in an interactive transaction: it ends with
   * that. One request for each `size` rows, and one to close it. Where the server has none (SQLite, MySQL) an
   * `UnsupportedError`: pages by LIMIT and OFFSET would miss rows, and give some twice, while others write.
   */
  stream(
    statement: RawStatement,
    params?: Params,
    options?: TextOptions & StreamOptions,
  ): AsyncGenerator<Row, void, undefined>;
  stream(
    statement: Select<Entity, unknown> | RawStatement,
    params?: Params,
    options: TextOptions & StreamOptions = {},
  ): AsyncGenerator<unknown, void, undefined> {
    return this.#stream(statement, params, options, (rows) => rows);
  }
  /** The first column of each row, one by one, or the instances of a `select`; costs what `stream` does. */
  streamScalars<T extends Entity, R>(
    statement: Select<T, R>,
    params?: undefined,
    options?: ExecuteOptions & StreamOptions,
  ): AsyncGenerator<R, void, undefined>;
  /** The first column of each row, one by one. */
  streamScalars<V = SqlValue>(
    statement: RawStatement,
    params?: Params,
    options?: TextOptions & StreamOptions,
  ): AsyncGenerator<V, void, undefined>;
  streamScalars(
    statement: Select<Entity, unknown> | RawStatement,
    params?: Params,
    options: TextOptions & StreamOptions = {},
  ): AsyncGenerator<unknown, void, undefined> {
    return this.#stream(statement, params, options, (rows) => rows.scalars());
  }

  /**
   * Empties a model's table, now, in an interactive transaction: TRUNCATE where a rollback undoes it (PostgreSQL), DELETE
   * elsewhere. Pending changes are flushed first; loaded instances of the rows become deleted. With `cascade` the tables
   * that refer to it are emptied too, or an `UnsupportedError` says that the database cannot (without it PostgreSQL refuses
   * a table that another one refers to).
   *
   * @example
   * ```ts
   * import { createAll, model, Session, t } from "@ledge/session";
   * import { libsql } from "@ledge/session/libsql/local";
   * import { assertEquals } from "@std/assert";
   *
   * class Page extends model("pages", { id: t.identity(), visits: t.integer().default(0) }) {}
   * const db = libsql({ url: ":memory:" });
   * await createAll(db, [Page]);
   * await using session = new Session({ bind: db });
   * session.addAll([new Page({}), new Page({})]);
   * await session.truncate(Page);
   * assertEquals(await session.query(Page).count(), 0);
   * await session.commit();
   * ```
   */
  async truncate<M extends AnyModel>(
    model: ModelArgument<M>,
    options: TruncateOptions & CallOptions = {},
  ): Promise<void> {
    refuseUnknown(options, ["cascade", "signal", "timeout"], "truncate()");
    const { cascade, ...call } = options;
    await this.#transactions.run("truncate", async () => {
      await this.#reading.truncate(mapperOf(model), { cascade }, call);
    });
  }
  /**
   * Inserts an instance now, in an interactive transaction, and nothing else that is pending but the new instances that its
   * foreign keys refer to. It comes back with what the server made. Throws a `ValidationError` for one that has a row.
   *
   * @example
   * ```ts
   * import { createAll, model, Session, t } from "@ledge/session";
   * import { libsql } from "@ledge/session/libsql/local";
   * import { assertEquals } from "@std/assert";
   *
   * class Page extends model("pages", { id: t.identity(), visits: t.integer().default(0) }) {}
   * const db = libsql({ url: ":memory:" });
   * await createAll(db, [Page]);
   * await using session = new Session({ bind: db });
   * const page = await session.insertNow(new Page({}));
   * page.visits = page.id;
   * await session.updateNow(page);
   * await session.deleteNow(page);
   * assertEquals(await session.query(Page).count(), 0);
   * await session.commit();
   * ```
   */
  insertNow<T extends object>(instance: T): Promise<T> {
    return insertNow(this, instance);
  }
  /** Updates an instance now, as `insertNow` inserts; sends nothing when nothing was changed. */
  updateNow<T extends object>(instance: T): Promise<T> {
    return updateNow(this, instance);
  }
  /** Deletes an instance now, as `insertNow` inserts, with what its cascades reach. */
  deleteNow(instance: object): Promise<void> {
    return deleteNow(this, instance);
  }

  // ---- transactions

  /** Begins explicitly: adopts a transaction that began by itself, throws inside an explicit one. Sends nothing in mode "auto". */
  begin(options?: BeginOptions): Promise<SessionTransaction> {
    return this.#transactions.begin(options);
  }
  /** Opens the interactive transaction now, with what it costs; most work never needs it. */
  async start(options: BindOptions = {}): Promise<void> {
    refuseUnknown(options, ["bind"], "start()");
    await this.#transactions.run("start", () => {
      return this.#transactions.connect("start()", {}, this.#transactions.branches.ofText(options.bind, "write"));
    });
  }
  /**
   * The open connection of the transaction, for statements of your own: what runs on it takes its turn with what the
   * session sends, and is committed or rolled back with it. Committing and rolling back are the session's. Flushes
   * nothing. Opens the interactive transaction where there is none, with what that costs; an `UnsupportedError` where
   * there can be none.
   *
   * @example
   * ```ts
   * import { createAll, model, Session, t } from "@ledge/session";
   * import { libsql } from "@ledge/session/libsql/local";
   * import { assertEquals } from "@std/assert";
   *
   * class Book extends model("books", { id: t.identity(), title: t.text() }) {}
   * const db = libsql({ url: ":memory:" });
   * await createAll(db, [Book]);
   * await using session = new Session({ bind: db });
   * const connection = await session.connection();
   * await using inner = new Session({ bind: connection }); // its commit is a savepoint
   * inner.add(new Book({ title: "Edges" }));
   * await inner.commit();
   * await session.rollback();
   * assertEquals(await session.query(Book).count(), 0);
   * ```
   */
  async connection({ bind, ...options }: CallOptions & BindOptions = {}): Promise<Connection> {
    refuseUnknown(options, ["signal", "timeout"], "connection()");
    checkCallOptions(options);
    return await this.#transactions.run("connection", () => {
      const branch = this.#transactions.branches.ofText(bind, "write");
      return this.#transactions.lend("connection()", options, branch);
    });
  }
  /**
   * Runs a function on the driver's own handle of the transaction (`@libsql/client`'s Transaction, Neon's Client), in turn
   * with what the session sends; pending changes are flushed first while `autoflush` is on. The session sees nothing of
   * what it does, and so no event tells of it; the function must not use the session, which waits for it. Opens the
   * interactive transaction where there is none, with what that costs.
   *
   * @example
   * ```ts
   * import { Session } from "@ledge/session";
   * import { libsql } from "@ledge/session/libsql/local";
   * import { assertEquals } from "@std/assert";
   *
   * await using session = new Session({ bind: libsql({ url: ":memory:" }) });
   * const closed = await session.native((transaction: { readonly closed: boolean }) => transaction.closed);
   * assertEquals(closed, false);
   * ```
   */
  async native<R, H = unknown>(fn: (handle: H) => Promise<R> | R, options: BindOptions = {}): Promise<R> {
    refuseUnknown(options, ["bind"], "native()");
    if (typeof fn !== "function") throw new ValidationError("native() needs a function to run on the driver's handle");
    const run = async (connection: Connection): Promise<R> => await fn(connection.native as H);
    return await this.#transactions.run("native", () => {
      const branch = this.#transactions.branches.ofText(options.bind, "write");
      return this.#transactions.write(run, {}, this.autoflush, branch, "native()");
    });
  }
  /** The same as `native`. */
  runSync<R, H = unknown>(fn: (handle: H) => Promise<R> | R, options?: BindOptions): Promise<R> {
    return this.native(fn, options);
  }
  /**
   * Writes every pending change and ends the transaction: one atomic request, or what is left on the connection. Nothing
   * is sent when nothing changed. When it fails nothing is written, memory is as it was, and `rollback()` comes next.
   *
   * When its answer is lost it throws a `CommitOutcomeUnknownError`; with `exactlyOnce` only where it could not be found out
   * in time, and `resolve()` of the error asks again. Throws a `StatementError` then where there is no table `ledge_commit`.
   */
  async commit(options: CommitOptions = {}): Promise<void> {
    refuseUnknown(options, ["exactlyOnce", "signal", "timeout"], "commit()");
    await this.#transactions.commit(options);
  }
  /** Undoes everything since the transaction began, or since a savepoint: in the database and in every instance. */
  rollback(savepoint?: SessionTransaction | string): Promise<void> {
    return this.#transactions.rollback(savepoint);
  }
  /**
   * Runs a function in a transaction: commits when it returns, rolls back when it throws. Inside a transaction it is a
   * savepoint.
   */
  async transaction<R>(fn: (session: this) => Promise<R> | R, options?: BeginOptions): Promise<R> {
    if (this.#transactions.isExplicit) {
      if (options !== undefined && Object.keys(options).length > 0) {
        throw new InvalidStateError("Cannot begin a transaction with options inside another: it would be a savepoint");
      }
      return await this.savepoint(fn);
    }
    const transaction = await this.begin(options);
    try {
      const value = await fn(this);
      if (transaction.isActive) await this.commit();
      return value;
    } catch (error) {
      await this.#undo(() => this.rollback());
      throw error;
    }
  }
  /** Sets a savepoint. Nothing is sent until the session has a connection: it is kept in memory. */
  beginNested(name?: string): Promise<SessionTransaction> {
    return this.#transactions.beginNested(name);
  }
  /** Runs a function inside a savepoint: keeps what it did when it returns, undoes it when it throws. */
  savepoint<R>(fn: (session: this) => Promise<R> | R): Promise<R>;
  /** Runs a function inside a savepoint of this name. */
  savepoint<R>(name: string, fn: (session: this) => Promise<R> | R): Promise<R>;
  async savepoint<R>(
    nameOrFn: string | ((session: this) => Promise<R> | R),
    given?: (session: this) => Promise<R> | R,
  ): Promise<R> {
    const named = typeof nameOrFn === "string";
    const fn = named ? given : nameOrFn;
    if (typeof fn !== "function") throw new ValidationError("savepoint() needs a function to run inside it");
    const savepoint = await this.beginNested(named ? nameOrFn : undefined);
    try {
      const value = await fn(this);
      if (savepoint.isActive) await savepoint.commit();
      return value;
    } catch (error) {
      if (savepoint.isActive) await this.#undo(() => savepoint.rollback());
      throw error;
    }
  }
  /** Writes pending changes now, in an interactive transaction that stays open. Most work is better left to `commit()`. */
  async flush(objects?: Iterable<object>, options: CallOptions = {}): Promise<void> {
    refuseUnknown(options, ["signal", "timeout"], "flush()");
    await this.#transactions.flush(objects, options);
  }
  /**
   * Lets a statement travel with the commit, after the changes; its result is there once the commit has succeeded. Sends
   * nothing, and needs no interactive transaction.
   */
  stage(statement: RawStatement, params?: Params, options?: BindOptions): StagedStatement;
  /**
   * Lets an `insert`, an `update` or a `deleteFrom` travel with the commit. Loaded instances of its rows are then brought up
   * to date or become deleted; where the database returns no rows (MySQL) those of the model are expired instead, and what
   * asks for rows is refused with an `UnsupportedError`.
   *
   * @example
   * ```ts
   * import { createAll, model, Session, t, update } from "@ledge/session";
   * import { libsql } from "@ledge/session/libsql/local";
   * import { assertEquals } from "@std/assert";
   *
   * class Page extends model("pages", { id: t.identity(), visits: t.integer().default(0) }) {}
   * const db = libsql({ url: ":memory:" });
   * await createAll(db, [Page]);
   * await using session = new Session({ bind: db });
   * const page = session.add(new Page({}));
   * const staged = session.stage(update(Page).set({ visits: 9 }));
   * await session.commit(); // one request
   * assertEquals([page.visits, staged.result.rowsAffected], [9, 1]);
   * ```
   */
  stage<T extends Entity, R>(statement: WriteStatement<T, R>, params?: undefined): StagedStatement<R>;
  stage(
    statement: RawStatement | WriteStatement<Entity, unknown>,
    params?: Params,
    options: BindOptions = {},
  ): StagedStatement<unknown> {
    refuseUnknown(options, ["bind"], "stage()");
    const { extras, branches } = this.#transactions;
    this.#transactions.use("stage");
    const written = asWritten(statement);
    if (written === null) {
      const branch = branches.ofText(options.bind, "write");
      const raw = userStatement(statement as RawStatement, params, branch.database.dialect);
      return extras.stage(branch, raw, (set) => new Result<unknown>(set), () => {});
    }
    refuseParams(params);
    refuseBind(options.bind);
    const staged = this.#reading.stage(written);
    return extras.stage(staged.branch, staged.statement, (set) => staged.read(set), () => staged.lost());
  }
  /**
   * Makes the commit depend on a condition, checked inside it after everything else is written: when it is not true the
   * commit throws a `RequirementError` and nothing is written. NULL counts as false.
   *
   * What the condition reads is not locked by itself: two commits at once may both find it true, and on MySQL a transaction
   * that has read before sees its old snapshot. Where that matters say `(SELECT … FOR UPDATE)` inside it, on databases that
   * lock rows.
   */
  require(condition: Sql, message?: string, options: BindOptions = {}): void {
    refuseUnknown(options, ["bind"], "require()");
    this.#transactions.use("require");
    if (!(condition instanceof Sql)) throw new ValidationError("require() needs a condition as sql`…`");
    this.#transactions.extras.require(this.#transactions.branches.ofText(options.bind, "write"), {
      kind: "require",
      condition,
      message: message ?? `A required condition did not hold: ${preview(condition)}`,
    });
  }
  /**
   * Makes the commit depend on an instance's row being as it was read, although it is not written: what a decision
   * rested on. Throws a `StaleDataError` at once when the loaded version is not the expected one (that of a PUT, say).
   */
  verify(instance: object, expectedVersion?: number): void {
    this.#transactions.use("verify");
    const state = this.#persistent(instance, "verify");
    requireVerifiable(state, this.#options.optimistic === "all");
    const { version } = state.mapper;
    if (expectedVersion !== undefined) {
      if (typeof expectedVersion !== "number") {
        throw new ValidationError(
          `The expected version of ${label(state)} must be a number, not ${typeof expectedVersion}`,
        );
      }
      if (version === null) {
        throw new ValidationError(`${label(state)} has no version column to compare ${expectedVersion} with`);
      }
      const loaded = state.snapshot![version.index];
      if (loaded !== expectedVersion) {
        throw new StaleDataError(
          `${label(state)} is at version ${String(loaded)}, not at the expected version ${expectedVersion}`,
          { instance },
        );
      }
    }
    this.#transactions.extras.verify(state);
  }
  /**
   * Adds a handler of an event; one that is there already is not added twice. Handlers run one after the other, each when
   * the promise of the one before it is settled; only `stateChange`, which is told at once, waits for none.
   *
   * A handler of a `before…` event that throws stops what was to be done: the call throws what it threw, and it is as if
   * the database had refused: nothing is written, the session has failed, and `rollback()` comes next (`transaction()` and
   * factories do that by themselves). A read or a beginning that it stops leaves the session as it was; a rollback is done
   * all the same. A handler of any other event changes nothing by throwing: a `warning` tells of it, or the console where
   * nobody listens to that.
   *
   * Handlers of `beforeBegin`, `beforeFlush`, `beforeCommit` and those before savepoints may read with the session and
   * change objects; what `beforeFlush` and `beforeCommit` change is written too. Those of `beforeExecute` and
   * `afterExecute` must not use it: they would wait for themselves.
   *
   * Throws a `ValidationError` for an event that is not there. Costs no request, and nothing where nobody listens.
   *
   * @example
   * ```ts
   * import { createAll, model, Session, t } from "@ledge/session";
   * import { libsql } from "@ledge/session/libsql/local";
   * import { assertEquals } from "@std/assert";
   *
   * class Book extends model("books", { id: t.identity(), title: t.text() }) {}
   * const db = libsql({ url: ":memory:" });
   * await createAll(db, [Book]);
   * await using session = new Session({ bind: db });
   * const sent: string[] = [];
   * session.on("afterExecute", ({ statement, error }) => {
   *   if (error === null) sent.push(statement.slice(0, 6));
   * });
   * session.add(new Book({ title: "Edges" }));
   * await session.commit();
   * assertEquals(sent, ["INSERT"]);
   * ```
   */
  on<N extends keyof SessionEvents>(name: N, handler: EventHandler<N>, options?: HandlerOptions): void {
    this.#transactions.events.on(name, handler, options);
  }
  /** Takes a handler away. */
  off<N extends keyof SessionEvents>(name: N, handler: EventHandler<N>): void {
    this.#transactions.events.off(name, handler);
  }
  /** Runs a function with autoflush off. */
  async noAutoflush<R>(fn: (session: this) => Promise<R> | R): Promise<R> {
    const before = this.autoflush;
    this.autoflush = false;
    try {
      return await fn(this);
    } finally {
      this.autoflush = before;
    }
  }
  /**
   * Ends the session: rolls back what the database holds and lets go of every instance, as it is. Never commits. May be
   * called twice. With `hasError`, for the way out after an error, what the rollback throws is a `warning` and no more, so
   * that it does not take that error's place. One request where there is a connection.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    refuseUnknown(options, ["hasError"], "close()");
    await this.#transactions.close(options.hasError);
  }
  /** Does what `close()` does, after which the session is as new; handlers, `info` and options stay. Costs what it does. */
  async reset(): Promise<void> {
    await this.#transactions.reset();
  }
  /**
   * Ends the session and gives its connection up as it is, where that cannot be relied on any more: no rollback is waited
   * for; the server undoes what was not committed when it finds out. Never throws because of the connection.
   */
  async invalidate(): Promise<void> {
    await this.#transactions.invalidate();
  }
  /** Waits for what was not awaited, rolls back what was not committed, then closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transactions.lifecycle.idle();
    await this.#undo(() => this.rollback());
    await this.close();
  }

  /**
   * What functions that take a session reach behind it.
   *
   * @internal
   */
  "ledge.internals"(): Internals {
    return { transactions: this.#transactions, reading: this.#reading };
  }

  /** Rolls back because of an error: that error is what the caller gets, whatever becomes of the rollback. */
  async #undo(rollback: () => Promise<void>): Promise<void> {
    try {
      if (this.state !== "closed") await rollback();
    } catch {
      // The transaction is lost already, or will be with its connection; the session says so when it is used again.
    }
  }

  #stream(
    statement: Select<Entity, unknown> | RawStatement,
    params: Params | undefined,
    options: TextOptions & StreamOptions,
    read: (rows: Result) => Iterable<unknown>,
  ): AsyncGenerator<unknown, void, undefined> {
    refuseUnknown(options, ["autoflush", "bind", "size", "signal", "timeout"], "stream()");
    const { autoflush = this.autoflush, bind, ...how } = options;
    if (!(statement instanceof Select)) {
      return this.#reading.streamRaw(statement, params, autoflush, { ...how, bind }, read);
    }
    refuseBind(bind);
    refuseParams(params);
    return this.#reading.stream(statement.node, how, autoflush);
  }

  #getAll<M extends AnyModel, I>(
    model: ModelArgument<M>,
    keys: readonly unknown[],
    options: GetOptions<I>,
  ): Promise<(Loaded<InstanceType<M>, I> | null)[]> {
    return this.#transactions.run("get", () => {
      const mapper = mapperOf(model);
      refuseUnknown(options, ["include", "populateExisting", "lock", "signal", "timeout"], "get()");
      const { include, lock, ...how } = options;
      if (!Array.isArray(keys)) throw new ValidationError(`getAll(${mapper.model}) takes an array of keys`);
      const values = keys.map((key) => parseKey(mapper, key));
      return this.#reading.get(mapper, values, parseInclude(mapper, include), { ...how, lock: parseLock(lock) });
    }) as Promise<(Loaded<InstanceType<M>, I> | null)[]>;
  }

  #persistent(instance: object, doing: string): InstanceState {
    const state = stateOf(instance, doing);
    this.#requireOwn(state, doing);
    if (state.status === "persistent") return state;
    throw new ValidationError(`Cannot ${doing} ${label(state)}: it is ${state.status}, and has no row to speak of`);
  }

  #requireOwn(state: InstanceState, doing: string): void {
    if (this.#tracker.has(state)) return;
    const where = state.owner === null ? "it is in no session" : "it belongs to another session";
    throw new DetachedInstanceError(`Cannot ${doing} ${label(state)}: ${where}; add() or merge() it first`);
  }
}

function refuseBind(bind: unknown): void {
  if (bind === undefined) return;
  throw new ValidationError("A builder's statement goes where its model is; bind is for SQL text");
}

function refuseParams(params: Params | undefined): void {
  refuseValues(params, "A builder");
}

function instances(states: Iterable<InstanceState>): Set<object> {
  const set = new Set<object>();
  for (const { instance } of states) set.add(instance);
  return set;
}

/** The session that an instance belongs to, or null. */
export function objectSession(instance: object): Session | null {
  if (!isInstance(instance)) throw new ValidationError("objectSession() needs an instance of a model");
  const owner = knownState(instance)?.owner ?? null;
  return owner instanceof Session ? owner : null;
}
