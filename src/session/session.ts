/**
 * The session: a face over the tracker, the loader and the transactions, which do the work.
 *
 * @module
 */
import type { CallOptions, Database } from "../database.ts";
import { DetachedInstanceError, InvalidStateError, NoResultError, StaleDataError, ValidationError } from "../errors.ts";
import type { ModelArgument } from "../model/declared.ts";
import { isInstance, mapperOf } from "../model/mapper.ts";
import type { Assign } from "../model/query_types.ts";
import type { AnyModel, Entity, Include, Key, Loaded } from "../model/types.ts";
import { InsertStatement } from "../query/insert.ts";
import type { Result, Row, Scalars } from "../query/result.ts";
import { Query, Select } from "../query/select.ts";
import { type LockOptions, parseInclude, parseLock, selectAll } from "../query/select_node.ts";
import type { SqlValue } from "../sql/statement.ts";
import { preview, Sql } from "../sql/tag.ts";
import { type InstanceState, isChanged, isRelationTouched, knownState, stateOf } from "../state/instance_state.ts";
import { parseKey, showKey } from "../state/key.ts";
import { label, type Tracker } from "../state/tracker.ts";
import { cascadeSave } from "../unit_of_work/relations.ts";
import { requireVerifiable } from "../unit_of_work/verify.ts";
import type { EventHandler, SessionEvents } from "./events.ts";
import type { StagedStatement } from "./extras.ts";
import { type Inspection, inspectState, tokenOfKey } from "./inspect.ts";
import { mergeInstance } from "./merge.ts";
import {
  type BeginOptions,
  checkSessionOptions,
  type CommitOptions,
  refuseUnknown,
  type SessionOptions,
} from "./options.ts";
import { assignProperties, expireProperties } from "./properties.ts";
import { Reading } from "./reading.ts";
import { cascadeDeletion, markDeleted } from "./remove.ts";
import type { SessionTransaction } from "./scope.ts";
import { userStatement } from "./statement.ts";
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
    this.#reading = new Reading(this.#transactions, () => this.autoflush);
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
  /** The database. */
  get bind(): Database {
    return this.#options.bind;
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
    this.#transactions.use("mark dirty");
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
      await this.#reading.prepared("delete", [], false, null, cascade);
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
    const [found] = await this.getAll<M, I>(model, [key], options);
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
    const found = await this.#transactions.run("get", () => {
      const mapper = mapperOf(model);
      const { include, lock, ...how } = options;
      refuseUnknown(options, ["include", "populateExisting", "lock", "signal", "timeout"], "get()");
      const values = keys.map((key) => parseKey(mapper, key));
      return this.#reading.get(mapper, values, parseInclude(mapper, include), { ...how, lock: parseLock(lock) });
    });
    return found as (Loaded<InstanceType<M>, I> | null)[];
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

  /** Makes what an instance holds unknown until it is refreshed: reading it throws an `ExpiredPropertyError`. */
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
  /** Takes an instance out of the session: a pending one becomes transient, a persistent one detached. */
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
   * Runs a statement: a `select(Model)`, `` sql`…` `` or text with values. A reading one joins the reads of its turn;
   * one that writes upgrades the session to an interactive transaction, which `commit()` commits (`stage()` lets it travel
   * with the commit instead). Raw SQL counts as touching every table: pending changes are flushed first, unless
   * `autoflush: false` says otherwise.
   */
  execute<T extends Entity, R>(
    statement: Select<T, R>,
    params?: undefined,
    options?: ExecuteOptions,
  ): Promise<Result<R>>;
  /** Runs an `insert(Model)`, in an interactive transaction; gives the instances of the rows that it wrote. */
  execute<T extends Entity>(
    statement: InsertStatement<T>,
    params?: undefined,
    options?: ExecuteOptions,
  ): Promise<Result<T>>;
  /** Runs text or `` sql`…` ``; its rows are objects by column name. */
  execute(statement: string | Sql, params?: readonly unknown[], options?: ExecuteOptions): Promise<Result<Row>>;
  async execute(
    statement: Select<Entity, unknown> | InsertStatement<Entity> | string | Sql,
    params?: readonly unknown[],
    options: ExecuteOptions = {},
  ): Promise<Result<unknown>> {
    refuseUnknown(options, ["autoflush", "signal", "timeout"], "execute()");
    const { autoflush = this.autoflush, ...call } = options;
    return await this.#transactions.run<Result<unknown>>("execute", () => {
      if (statement instanceof Select) return this.#reading.select(statement.node, autoflush, call);
      if (statement instanceof InsertStatement) return this.#reading.insert(statement, autoflush, call);
      return this.#reading.raw(statement, params, autoflush, call);
    });
  }

  /** The first column of the first row, or null; costs what `execute` does. */
  async scalar<V = SqlValue>(
    statement: string | Sql,
    params?: readonly unknown[],
    options?: ExecuteOptions,
  ): Promise<V | null> {
    return (await this.execute(statement, params, options)).scalar<V>();
  }
  /** The first column of each row, or the instances of a `select`; costs what `execute` does. */
  scalars<T extends Entity, R>(
    statement: Select<T, R>,
    params?: undefined,
    options?: ExecuteOptions,
  ): Promise<Scalars<R>>;
  /** The first column of each row. */
  scalars<V = SqlValue>(
    statement: string | Sql,
    params?: readonly unknown[],
    options?: ExecuteOptions,
  ): Promise<Scalars<V>>;
  async scalars(
    statement: Select<Entity, unknown> | string | Sql,
    params?: readonly unknown[],
    options?: ExecuteOptions,
  ): Promise<Scalars<unknown>> {
    return (await this.execute(statement as string, params, options)).scalars<unknown>();
  }
  /** The first row, or null; costs what `execute` does. */
  first<T extends Entity, R>(statement: Select<T, R>, params?: undefined, options?: ExecuteOptions): Promise<R | null>;
  /** The first row, or null. */
  first(statement: string | Sql, params?: readonly unknown[], options?: ExecuteOptions): Promise<Row | null>;
  async first(
    statement: Select<Entity, unknown> | string | Sql,
    params?: readonly unknown[],
    options?: ExecuteOptions,
  ): Promise<unknown> {
    return (await this.execute(statement as string, params, options)).first();
  }

  // ---- transactions

  /** Begins explicitly: adopts a transaction that began by itself, throws inside an explicit one. Sends nothing in mode "auto". */
  begin(options?: BeginOptions): Promise<SessionTransaction> {
    return this.#transactions.begin(options);
  }
  /** Opens the interactive transaction now, with what it costs; most work never needs it. */
  async start(): Promise<void> {
    await this.#transactions.run("start", () => this.#transactions.connect("start()"));
  }
  /**
   * Writes every pending change and ends the transaction: one atomic request, or what is left on the connection. Nothing
   * is sent when nothing changed. When it fails nothing is written, memory is as it was, and `rollback()` comes next.
   */
  async commit(options: CommitOptions = {}): Promise<void> {
    refuseUnknown(options, ["signal", "timeout"], "commit()");
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
  /** Lets a statement travel with the commit, after the changes; its result is there once the commit has succeeded. */
  stage(statement: string | Sql, params?: readonly unknown[]): StagedStatement {
    this.#transactions.use("stage");
    return this.#transactions.extras.stage(userStatement(statement, params, this.bind.dialect).statement);
  }
  /**
   * Makes the commit depend on a condition, checked inside it after everything else is written: when it is not true the
   * commit throws a `RequirementError` and nothing is written. NULL counts as false.
   */
  require(condition: Sql, message?: string): void {
    this.#transactions.use("require");
    if (!(condition instanceof Sql)) throw new ValidationError("require() needs a condition as sql`…`");
    this.#transactions.extras.require({
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
  /** Adds a handler of an event. */
  on<N extends keyof SessionEvents>(name: N, handler: EventHandler<N>): void {
    this.#transactions.events.on(name, handler);
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
  /** Ends the session: rolls back what the database holds and lets go of every instance. Never commits. May be called twice. */
  async close(): Promise<void> {
    await this.#transactions.close();
  }
  /** Waits for what was not awaited, rolls back what was not committed, then closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transactions.lifecycle.idle();
    await this.#undo(() => this.rollback());
    await this.close();
  }

  /** Rolls back because of an error: that error is what the caller gets, whatever becomes of the rollback. */
  async #undo(rollback: () => Promise<void>): Promise<void> {
    try {
      if (this.state !== "closed") await rollback();
    } catch {
      // The transaction is lost already, or will be with its connection; the session says so when it is used again.
    }
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
