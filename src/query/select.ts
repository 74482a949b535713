/**
 * The SELECT builder: `select(Model)` is a statement, `session.query(Model)` the same with a session to run it.
 *
 * @module
 */
import type { CallOptions } from "../database.ts";
import { MultipleResultsError, NoResultError } from "../errors.ts";
import type { Declared } from "../model/declared.ts";
import { mapperOf } from "../model/mapper.ts";
import type { OrderBy, Where } from "../model/query_types.ts";
import type { AnyModel, Entity, Include, Loaded } from "../model/types.ts";
import type { Page, PageOptions, StreamOptions } from "./paging.ts";
import {
  type LockOptions,
  mergeIncludes,
  parseInclude,
  parseLock,
  requireCount,
  selectAll,
  type SelectNode,
} from "./select_node.ts";
import { parseOrder } from "./where.ts";

/**
 * A SELECT of the instances of one model. Immutable: each call gives a new one, so that a base can be shared.
 *
 * @template T The model's instances.
 * @template R What a row gives: an instance whose included relations are known to be loaded.
 */
export class Select<T extends Entity, R = T> {
  /** @internal */
  readonly node: SelectNode;
  /**
   * The types, for the compiler only.
   *
   * @internal
   */
  declare readonly _types?: (value: T) => R;

  /** @internal */
  constructor(node: SelectNode) {
    this.node = node;
  }

  /** @internal */
  protected with<S>(change: Partial<SelectNode>): S {
    return new Select({ ...this.node, ...change }) as S;
  }

  /** Adds a condition; several must all hold. Throws a `ValidationError`, when it is run, for what is no such thing. */
  where(condition: Where<T>): this {
    return this.with({ where: [...this.node.where, condition] });
  }
  /** Adds to the order. */
  orderBy(order: OrderBy<T>): this {
    return this.with({ order: [...this.node.order, ...parseOrder(order, this.node.mapper)] });
  }
  /** At most this many rows. */
  limit(count: number): this {
    return this.with({ limit: requireCount("limit", count) });
  }
  /** Without the first rows. */
  offset(count: number): this {
    return this.with({ offset: requireCount("offset", count) });
  }
  /** Loads relations with the rows, in the same request where the database batches. */
  include<const I extends Include<T>>(include: I): Select<T, Loaded<R, I>> {
    return this.with({ include: mergeIncludes(this.node.include, parseInclude(this.node.mapper, include)) });
  }
  /** Overwrites what loaded instances hold, pending changes included. */
  populateExisting(): this {
    return this.with({ populateExisting: true });
  }
  /**
   * Locks the rows until the transaction ends, and reads them afresh: opens an interactive transaction. Refused, when it
   * is run, for an instance with pending changes. On SQLite and libSQL the transaction has the only write lock.
   */
  forUpdate(options: LockOptions = {}): this {
    return this.with({ lock: parseLock(options) });
  }
}

/**
 * A SELECT of the instances of a model, to be given to `session.execute`.
 *
 * @example
 * ```ts
 * import { model, select, t } from "@ledge/session";
 *
 * class Book extends model("books", { id: t.identity(), title: t.text() }) {}
 * const edges = select(Book).where({ title: { startsWith: "Edge" } }).orderBy({ title: "asc" }).limit(10);
 * ```
 */
export function select<M extends AnyModel>(model: M & Declared<M>): Select<InstanceType<M> & Entity> {
  return new Select(selectAll(mapperOf(model)));
}

/** What runs a query: the session, seen from here. */
export interface QueryRunner {
  /** The instances of a query. */
  all(node: SelectNode, method: string, options?: CallOptions): Promise<object[]>;
  /** How many rows a query has. */
  count(node: SelectNode, method: string, options?: CallOptions): Promise<number>;
  /** A page of a query, by key. */
  page(node: SelectNode, options: PageOptions): Promise<Page<object>>;
  /** The instances of a query, a page at a time. */
  stream(node: SelectNode, options: StreamOptions): AsyncGenerator<object, void, undefined>;
}

/** A SELECT with the session to run it. */
export class Query<T extends Entity, R = T> extends Select<T, R> {
  readonly #runner: QueryRunner;

  /** @internal */
  constructor(node: SelectNode, runner: QueryRunner) {
    super(node);
    this.#runner = runner;
  }

  /** @internal */
  protected override with<S>(change: Partial<SelectNode>): S {
    return new Query({ ...this.node, ...change }, this.#runner) as S;
  }

  /** Loads relations with the rows, in the same request where the database batches. */
  override include<const I extends Include<T>>(include: I): Query<T, Loaded<R, I>> {
    return this.with({ include: mergeIncludes(this.node.include, parseInclude(this.node.mapper, include)) });
  }

  /** Every instance, in order. One request, shared with whatever else is asked for in the same turn. */
  async all(options?: CallOptions): Promise<R[]> {
    return await this.#run(this.node, "all", options);
  }
  /** The first instance, or null. One request. */
  async first(options?: CallOptions): Promise<R | null> {
    return (await this.#run(this.#atMost(1), "first", options))[0] ?? null;
  }
  /** The only instance; throws a `NoResultError` or a `MultipleResultsError`. One request. */
  async one(options?: CallOptions): Promise<R> {
    const found = await this.oneOrNull(options);
    if (found !== null) return found;
    throw new NoResultError(
      `No ${this.node.mapper.model} was found where one was asked for; oneOrNull() gives null instead`,
    );
  }
  /** The only instance or null; throws a `MultipleResultsError` when there is more than one. One request. */
  async oneOrNull(options?: CallOptions): Promise<R | null> {
    const found = await this.#run(this.#atMost(2), "one", options);
    if (found.length > 1) {
      throw new MultipleResultsError(
        `More than one ${this.node.mapper.model} was found where one was asked for; first() takes the first`,
      );
    }
    return found[0] ?? null;
  }
  /** How many rows there are; limit and offset count. One request. */
  async count(options?: CallOptions): Promise<number> {
    return await this.#runner.count(this.node, "count", options);
  }
  /** Whether there is any row. One request. */
  async exists(options?: CallOptions): Promise<boolean> {
    return await this.#runner.count(this.#atMost(1), "exists", options) > 0;
  }

  /**
   * One page by key: as fast deep in a long list as at its beginning, and nothing is skipped or comes twice where rows come
   * and go between two pages. The order must be by columns (an `orderBy` with SQL is refused with a `ValidationError`, and
   * so is `limit` or `offset`); what is missing of the primary key is appended to it. NULLs stand where the database
   * puts them. One request; it reads one row more than asked for, to know whether there is another page.
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
   * session.addAll(["c", "a", "b"].map((title) => new Book({ title })));
   * await session.commit();
   * const byTitle = session.query(Book).orderBy({ title: "asc" });
   * const first = await byTitle.page({ size: 2 });
   * assertEquals(first.items.map(({ title }) => title), ["a", "b"]);
   * const second = await byTitle.page({ size: 2, after: first.cursor });
   * assertEquals([second.items.map(({ title }) => title), second.cursor], [["c"], null]);
   * ```
   */
  async page(options: PageOptions): Promise<Page<R>> {
    return await this.#runner.page(this.node, options) as Page<R>;
  }
  /**
   * The instances one by one, read a page at a time (by key, as `page` does; `limit` and `offset` hold), so that memory
   * stays flat however many there are. One request a page; pending changes are flushed before the first.
   *
   * An instance belongs to the session while its page is gone through. After that it leaves it (is detached, as by
   * `expunge`), unless it was there before, was changed or deleted meanwhile, or something that stays holds it in a
   * relation: so changes made in the loop are written, and those made to an instance kept from an earlier page are not,
   * until `add` takes it in again. Refused with a `ValidationError` in a session that verifies what it reads.
   *
   * @example
   * ```ts
   * import { createAll, model, Session, t } from "@ledge/session";
   * import { libsql } from "@ledge/session/libsql/local";
   * import { assertEquals } from "@std/assert";
   *
   * class Book extends model("books", { id: t.identity(), pages: t.integer() }) {}
   * const db = libsql({ url: ":memory:" });
   * await createAll(db, [Book]);
   * await using session = new Session({ bind: db });
   * session.addAll([10, 20, 30].map((pages) => new Book({ pages })));
   * await session.commit();
   * let sum = 0;
   * for await (const book of session.query(Book).stream({ size: 2 })) sum += book.pages;
   * assertEquals(sum, 60);
   * ```
   */
  stream(options: StreamOptions = {}): AsyncGenerator<R, void, undefined> {
    return this.#runner.stream(this.node, options) as AsyncGenerator<R, void, undefined>;
  }

  #atMost(count: number): SelectNode {
    const { limit } = this.node;
    return { ...this.node, limit: limit === null ? count : Math.min(limit, count) };
  }

  #run(node: SelectNode, method: string, options?: CallOptions): Promise<R[]> {
    return this.#runner.all(node, method, options) as Promise<R[]>;
  }
}
