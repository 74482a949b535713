/**
 * The reading half of a session: gets, queries, includes and raw statements, each prepared (a connection where the
 * transaction asks for one, a flush where it would miss pending changes) and then sent with the rest of its turn.
 *
 * @module
 */
import type { CallOptions, Connection } from "../database.ts";
import { ObjectDeletedError } from "../errors.ts";
import type { MappedColumn, Mapper } from "../model/mapper.ts";
import type { Loader, LoadOptions } from "../query/loader.ts";
import type { InsertStatement } from "../query/insert.ts";
import type { Entity } from "../model/types.ts";
import { Result } from "../query/result.ts";
import type { QueryRunner } from "../query/select.ts";
import { type IncludeTree, parseInclude, selectAll, type SelectNode, tablesOf, toCount } from "../query/select_node.ts";
import type { RowLock } from "../sql/dialect.ts";
import type { ResultSet, SqlValue, Statement } from "../sql/statement.ts";
import type { Sql } from "../sql/tag.ts";
import { expireColumns, type InstanceState, isExpired } from "../state/instance_state.ts";
import { keyToken } from "../state/key.ts";
import { label } from "../state/tracker.ts";
import { insertAndRead, insertReturning } from "./inserting.ts";
import { refuseUnknown } from "./options.ts";
import { userStatement } from "./statement.ts";
import type { Transactions } from "./transaction.ts";

/** Reads for one session. */
export class Reading implements QueryRunner {
  readonly loader: Loader;
  readonly #transactions: Transactions;
  readonly #autoflush: () => boolean;

  constructor(transactions: Transactions, autoflush: () => boolean) {
    this.#transactions = transactions;
    this.#autoflush = autoflush;
    this.loader = transactions.loader;
  }

  /** Sends when what has to come first is done; at once, in this turn, when nothing has to. */
  async prepared<T>(
    method: string,
    tables: Iterable<string> | "all",
    autoflush: boolean,
    lock: RowLock | null,
    send: () => Promise<T>,
  ): Promise<T> {
    const transactions = this.#transactions;
    if (lock !== null || transactions.mustPrepare(tables, autoflush)) {
      await transactions.beforeQuery(`${method}()`, tables, autoflush);
      if (lock !== null) await transactions.connect(`${method}() with a lock`);
    }
    return await send();
  }

  /** The instances of keys, in order, null where there is none. What is loaded already is not asked for. */
  get(
    mapper: Mapper,
    keys: readonly (readonly unknown[])[],
    include: IncludeTree,
    options: LoadOptions,
  ): Promise<(object | null)[]> {
    return this.prepared(
      "get",
      [],
      false,
      options.lock ?? null,
      () =>
        include.size === 0
          ? this.loader.get(mapper, keys, options)
          : this.#getIncluding(mapper, keys, include, options),
    );
  }

  async #getIncluding(
    mapper: Mapper,
    keys: readonly (readonly unknown[])[],
    include: IncludeTree,
    options: LoadOptions,
  ): Promise<(object | null)[]> {
    const loaded: InstanceState[] = [];
    const found = keys.map(async (values) => {
      const known = this.#transactions.tracker.identity.get(mapper, keyToken(values)!);
      if (known !== undefined && !isExpired(known) && !options.populateExisting && !options.lock) {
        loaded.push(known);
        return known.instance;
      }
      const where = [Object.fromEntries(mapper.key.map((column, i) => [column.property, values[i]]))];
      return (await this.loader.select({ ...selectAll(mapper), where, include, lock: options.lock ?? null }, options))[
        0
      ] ?? null;
    });
    const [instances] = await Promise.all([Promise.all(found), this.#loadMissing(loaded, include, options)]);
    return instances;
  }

  /** Loads relations of an instance, those that are not loaded yet. */
  load(state: InstanceState, include: IncludeTree, options: CallOptions): Promise<void> {
    return this.prepared("load", [], false, null, () => this.#loadMissing([state], include, options));
  }

  async #loadMissing(states: readonly InstanceState[], include: IncludeTree, options: LoadOptions): Promise<void> {
    const missing = [...include].filter(([name, deeper]) =>
      deeper.size > 0 || states.some((state) => !state.relations?.has(name))
    );
    if (states.length > 0 && missing.length > 0) await this.loader.load(states, new Map(missing), options);
  }

  /** Reads an instance again: all of it, or some of its columns and relations. */
  refresh(state: InstanceState, properties: readonly string[] | undefined, options: LoadOptions): Promise<void> {
    const { mapper } = state;
    const named = properties ?? mapper.columns.map(({ property }) => property);
    const relations = named.filter((name) => mapper.relation(name) !== undefined);
    const columns = named.filter((name) => !relations.includes(name)).map((name) => mapper.column(name, "refresh"));
    return this.prepared("refresh", [], false, options.lock ?? null, async () => {
      const include = parseInclude(mapper, relations);
      const [found] = await Promise.all([
        this.#refreshColumns(state, columns, properties === undefined, options),
        include.size > 0
          ? this.loader.load([state], include, { ...options, lock: null, populateExisting: true })
          : null,
      ]);
      if (found) return;
      throw new ObjectDeletedError(
        `${label(state)} cannot be refreshed: its row is gone; expunge it, or add a new one`,
      );
    });
  }

  /** Whether the row was found. */
  async #refreshColumns(
    state: InstanceState,
    columns: readonly MappedColumn[],
    all: boolean,
    options: LoadOptions,
  ): Promise<boolean> {
    if (columns.length === 0) return true;
    const { mapper, instance } = state;
    // Only what is expired is overwritten when a part is asked for: those columns are made so first.
    if (!all) expireColumns(state, columns.filter((column) => !column.primaryKey));
    const key = mapper.key.map((column) => instance[column.property]);
    const [found] = await this.loader.get(mapper, [key], { ...options, populateExisting: all });
    if (!all || found === null) return found !== null;
    state.expressions = null;
    state.forced = false;
    return true;
  }

  /** The instances of a query. */
  all(node: SelectNode, method: string, options?: CallOptions): Promise<object[]> {
    return this.#query(node, method, options, () => this.loader.select(node, options));
  }

  /** How many rows a query has. */
  count(node: SelectNode, method: string, options?: CallOptions): Promise<number> {
    return this.#query(node, method, options, async () => {
      const counted = await this.#read(toCount(node, this.#transactions.database.dialect), true, options);
      return Number(counted.rows[0]![0]);
    });
  }

  #query<T>(node: SelectNode, method: string, options: CallOptions = {}, send: () => Promise<T>): Promise<T> {
    const name = `query(${node.mapper.model}).${method}`;
    refuseUnknown(options, ["signal", "timeout"], `${name}()`);
    return this.#transactions.run(name, () => this.prepared(name, tablesOf(node), this.#autoflush(), node.lock, send));
  }

  /** Runs a select and gives its instances as a result. */
  select(node: SelectNode, autoflush: boolean, options: CallOptions): Promise<Result<unknown>> {
    return this.prepared("execute", tablesOf(node), autoflush, node.lock, async () => {
      const found = await this.loader.select(node, options);
      const columns = node.mapper.columns.map(({ property }) => property);
      const rows = found.map((instance) =>
        columns.map((property) => (instance as Record<string, SqlValue>)[property] ?? null)
      );
      return new Result<unknown>({ columns, rows, rowsAffected: found.length }, found);
    });
  }

  /** Runs an insert on the connection and gives the instances of the rows that it wrote, up to date. */
  async insert<T extends Entity>(
    given: InsertStatement<T>,
    autoflush: boolean,
    options: CallOptions,
  ): Promise<Result<unknown>> {
    const { mapper } = given.node;
    const { dialect } = this.#transactions.database;
    const insert = dialect.returning ? insertReturning(given.node, dialect) : insertAndRead(given.node, dialect);
    const result = await this.#transactions.write((connection) => insert(connection, options), options, autoflush);
    const instances = this.loader.instances(mapper, result);
    return new Result<unknown>({ ...result, rowsAffected: result.rows.length }, instances);
  }

  /** Runs a statement of the user's: a read joins its turn, a write goes to the connection. */
  async raw(
    given: string | Sql,
    params: readonly unknown[] | undefined,
    autoflush: boolean,
    options: CallOptions,
  ): Promise<Result> {
    const { statement, reads } = userStatement(given, params, this.#transactions.database.dialect);
    if (!reads) {
      const run = (connection: Connection): Promise<ResultSet> => connection.execute(statement, options);
      return new Result(await this.#transactions.write(run, options, autoflush));
    }
    return await this.prepared(
      "execute",
      "all",
      autoflush,
      null,
      async () => new Result(await this.#read(statement, false, options)),
    );
  }

  async #read(statement: Statement, safe: boolean, options?: CallOptions): Promise<ResultSet> {
    const [result] = await this.#transactions.reads.read({ statements: () => [statement], safe }, options);
    return result!;
  }
}
