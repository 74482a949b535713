/**
 * Bulk writes with SQLAlchemy's names and meaning: many rows past the identity map, in as few statements as there can be.
 *
 * They are part of the session's transaction. They travel with its next commit or flush and take no request of their own;
 * a commit is still one atomic request, and a rollback (to a savepoint too) takes them back. Where the transaction is on a
 * connection already they are sent there at once, and so they are, on a connection that is opened for it, when
 * `returnDefaults` asks for what only the database can make.
 *
 * @module
 */
import type { CallOptions } from "../database.ts";
import { ValidationError } from "../errors.ts";
import { refuseUnknown } from "../execution/call_options.ts";
import type { ModelArgument } from "../model/declared.ts";
import { type Mapper, mapperOf } from "../model/mapper.ts";
import type { Assign } from "../model/query_types.ts";
import type { AnyModel, ColumnsOf, Entity, Insert, KeyNames, Props, ValueOf } from "../model/types.ts";
import type { Dialect } from "../sql/dialect.ts";
import { internals } from "../session/internals.ts";
import type { Session } from "../session/session.ts";
import { changedColumns, type InstanceState, isHidden, peek, show, stateOf } from "../state/instance_state.ts";
import { type Token, tokenOf } from "../state/snapshot.ts";
import { label } from "../state/tracker.ts";
import { type BulkRow, checkRow, insertRow, type RowContext, rowContext, updateRow } from "./rows.ts";
import { complete, fewest, inOrder, write } from "./writing.ts";

/** Options of {@linkcode bulkSave}. */
export interface BulkSaveOptions extends CallOptions {
  /**
   * Give the objects what the database made: keys, server defaults, generated columns, versions. False unless given. Where
   * only the database can make it, the rows are sent at once, on an interactive transaction.
   */
  readonly returnDefaults?: boolean;
  /** Of an object that has a row, write only what changed since it was loaded. True unless given. */
  readonly updateChangedOnly?: boolean;
  /**
   * Write in exactly the order of the objects, at the cost of more statements. False unless given: inserts before updates,
   * what is referred to before what refers to it.
   */
  readonly preserveOrder?: boolean;
}

/** Options of {@linkcode bulkInsert}. */
export interface BulkInsertOptions extends CallOptions {
  /**
   * Return the rows as they are then in the database. False unless given. Where only the database can make something of
   * them, the rows are sent at once, on an interactive transaction.
   */
  readonly returnDefaults?: boolean;
  /**
   * Write a given null as NULL. False unless given: a null is as if the column had not been given, and its default is taken
   * where it has one.
   */
  readonly renderNulls?: boolean;
}

/** A row of {@linkcode bulkUpdate}: the primary key, what to set, and the version that the row must be at, if wanted. */
export type BulkUpdateRow<T> =
  & { readonly [K in KeyNames<T> & keyof ColumnsOf<T>]: ValueOf<ColumnsOf<T>[K]> }
  & Omit<Assign<T>, KeyNames<T>>;

/**
 * Writes objects that belong to no session: those that were loaded once are updated, all others inserted. They stay as they
 * are, belong to no session afterwards, and their relations are not followed: foreign keys are taken from their columns.
 *
 * What the objects hold is read now; it is written by the next commit or flush, or at once (see `returnDefaults`). An object
 * whose row is gone, or at another version, makes that fail with a `StaleDataError`. Throws a `ValidationError`, and takes
 * nothing, when an object belongs to a session or cannot be written. No request, except as said.
 *
 * @example
 * ```ts
 * import { createAll, model, Session, t } from "@ledge/session";
 * import { bulkSave } from "@ledge/session/bulk";
 * import { libsql } from "@ledge/session/libsql/local";
 * import { assertEquals } from "@std/assert";
 *
 * class Book extends model("books", { id: t.uuid().primaryKey(), title: t.text() }) {}
 * const db = libsql({ url: ":memory:" });
 * await createAll(db, [Book]);
 *
 * await using session = new Session({ bind: db });
 * await bulkSave(session, Array.from({ length: 1000 }, (_, i) => new Book({ title: `Volume ${i}` })));
 * await session.commit(); // one request, one statement
 * assertEquals(await session.query(Book).count(), 1000);
 * ```
 */
export async function bulkSave(
  session: Session,
  objects: Iterable<Entity>,
  options: BulkSaveOptions = {},
): Promise<void> {
  refuseUnknown(options, ["returnDefaults", "updateChangedOnly", "preserveOrder", "signal", "timeout"], "bulkSave()");
  const { returnDefaults = false, updateChangedOnly = true, preserveOrder = false, ...call } = options;
  const dialectOf = (mapper: Mapper): Dialect =>
    session[internals]().transactions.branches.of(mapper, "write").database.dialect;
  const contexts = new Map<Mapper, RowContext>();
  const saved: { readonly state: InstanceState; readonly row: BulkRow }[] = [];
  const seen = new Set<object>();
  for (const object of objects) {
    const state = stateOf(object, "save");
    if (seen.has(object)) continue;
    seen.add(object);
    refuseOwned(state);
    let context = contexts.get(state.mapper);
    if (context === undefined) {
      context = rowContext(state.mapper, dialectOf(state.mapper), `bulkSave() of ${state.mapper.model}`, {
        returnDefaults,
      });
      contexts.set(state.mapper, context);
    }
    const row = saveRow(context, state, updateChangedOnly, seen.size - 1);
    if (row !== null) saved.push({ state, row });
  }
  const rows = saved.map(({ row }) => row);
  const changes = rows.map(({ change }) => change);
  const groups = preserveOrder ? inOrder(changes) : fewest(changes);
  const made = await write(session, "bulkSave", rows, groups, returnDefaults, call);
  if (!returnDefaults) return;
  const { extras } = session[internals]().transactions;
  for (const { state, row } of saved) extras.give(give(state, complete(row, made, dialectOf(state.mapper))));
}

/**
 * Inserts rows of a model, each as the model's constructor takes it, and makes no instances of them. Client-made defaults
 * are filled in; a self-referencing table's rows may come in any order.
 *
 * What the rows hold is read now; they are written by the next commit or flush, or at once (see `returnDefaults`). Throws a
 * `ValidationError`, and takes nothing, when a row cannot be written. No request, except as said.
 *
 * @example
 * ```ts
 * import { createAll, model, Session, t } from "@ledge/session";
 * import { bulkInsert } from "@ledge/session/bulk";
 * import { libsql } from "@ledge/session/libsql/local";
 * import { assertEquals } from "@std/assert";
 *
 * class Book extends model("books", { id: t.identity(), title: t.text() }) {}
 * const db = libsql({ url: ":memory:" });
 * await createAll(db, [Book]);
 *
 * await using session = new Session({ bind: db });
 * const rows = await bulkInsert(session, Book, [{ title: "Edges" }, { title: "Shores" }], { returnDefaults: true });
 * assertEquals(rows, [{ id: 1, title: "Edges" }, { id: 2, title: "Shores" }]);
 * await session.commit();
 * ```
 */
export function bulkInsert<M extends AnyModel>(
  session: Session,
  model: ModelArgument<M>,
  rows: Iterable<Insert<ColumnsOf<InstanceType<M>>>>,
  options: BulkInsertOptions & { readonly returnDefaults: true },
): Promise<Props<ColumnsOf<InstanceType<M>>>[]>;
/** Inserts rows of a model; what the database makes of them is not returned. */
export function bulkInsert<M extends AnyModel>(
  session: Session,
  model: ModelArgument<M>,
  rows: Iterable<Insert<ColumnsOf<InstanceType<M>>>>,
  options?: BulkInsertOptions & { readonly returnDefaults?: false },
): Promise<void>;
export async function bulkInsert<M extends AnyModel>(
  session: Session,
  model: ModelArgument<M>,
  rows: Iterable<Insert<ColumnsOf<InstanceType<M>>>>,
  options: BulkInsertOptions = {},
): Promise<Props<ColumnsOf<InstanceType<M>>>[] | void> {
  refuseUnknown(options, ["returnDefaults", "renderNulls", "signal", "timeout"], "bulkInsert()");
  const { returnDefaults = false, renderNulls = false, ...call } = options;
  const mapper = mapperOf(model);
  const { dialect } = session[internals]().transactions.branches.of(mapper, "write").database;
  const context = rowContext(mapper, dialect, `bulkInsert() of ${mapper.model}`, { returnDefaults, renderNulls });
  const made = Array.from(requireRows(rows, context), (row: unknown, i) => {
    checkRow(context, row, i);
    return insertRow(context, row, i);
  });
  const groups = fewest(made.map(({ change }) => change));
  const results = await write(session, "bulkInsert", made, groups, returnDefaults, call);
  if (returnDefaults) {
    return made.map((row) => complete(row, results, dialect)) as Props<ColumnsOf<InstanceType<M>>>[];
  }
}

/**
 * Updates rows of a model by their primary keys, each with columns of its own, and looks at no instances: what is loaded
 * stays as it is until it is refreshed. A value may be SQL. The version counts up; where a row gives a version, it must be
 * the row's. A row that is not there, or at another version, makes the commit fail with a `StaleDataError`.
 *
 * What the rows hold is read now; they are written by the next commit or flush, or at once where the transaction is on a
 * connection. Throws a `ValidationError`, and takes nothing, when a row cannot be written or a key comes twice. No request,
 * except as said.
 *
 * @example
 * ```ts
 * import { createAll, model, Session, sql, t } from "@ledge/session";
 * import { bulkInsert, bulkUpdate } from "@ledge/session/bulk";
 * import { libsql } from "@ledge/session/libsql/local";
 * import { assertEquals } from "@std/assert";
 *
 * class Page extends model("pages", { path: t.text().primaryKey(), visits: t.integer().default(0), title: t.text() }) {}
 * const db = libsql({ url: ":memory:" });
 * await createAll(db, [Page]);
 *
 * await using session = new Session({ bind: db });
 * await bulkInsert(session, Page, [{ path: "/", title: "Home" }, { path: "/about", title: "About" }]);
 * await bulkUpdate(session, Page, [{ path: "/", visits: sql`visits + 1` }, { path: "/about", title: "About us" }]);
 * await session.commit(); // one request
 * assertEquals((await session.getOne(Page, "/")).visits, 1);
 * ```
 */
export async function bulkUpdate<M extends AnyModel>(
  session: Session,
  model: ModelArgument<M>,
  rows: Iterable<BulkUpdateRow<InstanceType<M>>>,
  options: CallOptions = {},
): Promise<void> {
  refuseUnknown(options, ["signal", "timeout"], "bulkUpdate()");
  const mapper = mapperOf(model);
  const { dialect } = session[internals]().transactions.branches.of(mapper, "write").database;
  const context = rowContext(mapper, dialect, `bulkUpdate() of ${mapper.model}`, {});
  const made = Array.from(requireRows(rows, context), (row: unknown, i) => {
    checkRow(context, row, i);
    return updateRow(context, row, i);
  });
  const groups = fewest(made.map(({ change }) => change));
  await write(session, "bulkUpdate", made, groups, false, options);
}

function requireRows<R>(rows: Iterable<R>, { what }: RowContext): Iterable<R> {
  if (typeof rows === "object" && rows !== null && Symbol.iterator in rows) return rows;
  throw new ValidationError(`${what} needs an array of rows`);
}

function refuseOwned(state: InstanceState): void {
  if (state.owner === null) return;
  throw new ValidationError(
    `bulkSave() cannot save ${label(state)}: it belongs to a session, whose commit writes it; expunge it first`,
  );
}

/** The row of an object; null when it has one that needs no update. */
function saveRow(context: RowContext, state: InstanceState, changedOnly: boolean, position: number): BulkRow | null {
  const { mapper } = context;
  const given: Record<string, unknown> = {};
  const values = (property: string): unknown => state.expressions?.get(property) ?? peek(state, property);
  if (state.snapshot === null) {
    for (const { property } of mapper.columns) given[property] = values(property);
    return insertRow(context, given, position);
  }
  const columns = changedOnly
    ? changedColumns(state)
    : mapper.columns.filter(({ property }) => state.expressions?.has(property) || !isHidden(state, property));
  if (columns.length === 0 && !state.forced) return null;
  const moved = columns.find((column) => column.primaryKey && changedColumns(state).includes(column));
  if (moved !== undefined) {
    throw new ValidationError(
      `${mapper.model}.${moved.property} of ${label(state)} was changed; primary keys do not change: save a new object`,
    );
  }
  const { key, version } = mapper;
  for (const { property } of [...columns, ...key]) given[property] = values(property);
  if (version !== null) given[version.property] = peek(state, version.property);
  return updateRow(context, given, position);
}

/**
 * Gives an object what its row will hold; a loaded one counts it as loaded. Returns what takes that back: until the commit
 * is done the row may be rolled back, and saving the object again must write it then. What was changed since stays.
 */
function give(state: InstanceState, values: Readonly<Record<string, unknown>>): () => void {
  const { instance, expressions, snapshot: before } = state;
  const snapshot: Token[] | null = before === null ? null : [...before];
  const shown: { readonly property: string; readonly value: unknown; readonly was?: PropertyDescriptor }[] = [];
  for (const [property, value] of Object.entries(values)) {
    const column = state.mapper.byProperty.get(property)!;
    if (!Object.is(peek(state, property), value)) {
      shown.push({ property, value, was: Object.getOwnPropertyDescriptor(instance, property) });
      show(state, property, value);
    }
    if (snapshot !== null) snapshot[column.index] = tokenOf(column.kind, value);
  }
  state.snapshot = snapshot;
  return () => {
    if (state.snapshot === snapshot) state.snapshot = before;
    for (const { property, value, was } of shown) {
      if (!Object.is(peek(state, property), value)) continue;
      if (was === undefined) delete instance[property];
      else Object.defineProperty(instance, property, was);
      const expression = expressions?.get(property);
      if (expression !== undefined) state.expressions = new Map(state.expressions ?? []).set(property, expression);
    }
  };
}
