/**
 * The reading half of a session: gets, queries, includes and raw statements, each prepared (a connection where the
 * transaction asks for one, a flush where it would miss pending changes) and then sent with the rest of its turn.
 *
 * @module
 */
import type { CallOptions, Connection } from "../database.ts";
import { ObjectDeletedError, ValidationError } from "../errors.ts";
import { refuseUnknown } from "../execution/call_options.ts";
import { type MappedColumn, Mapper, mapperOf } from "../model/mapper.ts";
import type { Loader, LoadOptions } from "../query/loader.ts";
import { keyOf, readCursor, totalOrder, writeCursor } from "../query/keyset.ts";
import { type Page, type PageOptions, requireSize, type StreamOptions } from "../query/paging.ts";
import { Result, resultOf } from "../query/result.ts";
import type { QueryRunner } from "../query/select.ts";
import { type IncludeTree, parseInclude, selectAll, type SelectNode, tablesOf, toCount } from "../query/select_node.ts";
import type { StagedWrite, WriteContext, Written } from "../query/write_work.ts";
import type { Dialect, RowLock } from "../sql/dialect.ts";
import type { ResultSet, SqlValue } from "../sql/statement.ts";
import { expireColumns, type InstanceState, isExpired, isHidden } from "../state/instance_state.ts";
import { keyToken } from "../state/key.ts";
import { label } from "../state/tracker.ts";
import type { Branch } from "./branch.ts";
import type { BindOptions } from "./branches.ts";
import { type Params, type RawStatement, userStatements } from "./statement.ts";
import { sizeOf, streamInstances, streamRows } from "./streaming.ts";
import type { Transactions } from "./transaction.ts";
import { synchroniseTruncated, type TruncateOptions, truncateStatement } from "./truncate.ts";

/** Reads for one session. */
export class Reading implements QueryRunner {
  readonly loader: Loader;
  readonly #transactions: Transactions;
  readonly #autoflush: () => boolean;
  /** Whether a commit checks every row that was read. */
  readonly #verifies: boolean;
  /** How many cursors were opened, for their names. */
  #streams = 0;

  constructor(transactions: Transactions, autoflush: () => boolean, verifies: boolean) {
    this.#transactions = transactions;
    this.#autoflush = autoflush;
    this.#verifies = verifies;
    this.loader = transactions.loader;
  }

  /** What a statement of a branch is written with. */
  #context({ database: { dialect } }: Branch): WriteContext {
    const { tracker, loader } = this.#transactions;
    return { tracker, loader, dialect };
  }

  /**
   * Sends when what has to come first is done, to where the model is then; at once, in this turn, when nothing has to. What
   * is no model's gives its branch instead.
   */
  prepared<T>(
    method: string,
    of: Mapper | Branch,
    tables: Iterable<string> | "all",
    autoflush: boolean,
    lock: RowLock | null,
    send: () => Promise<T>,
  ): Promise<T> {
    const transactions = this.#transactions;
    const { branches } = transactions;
    const where = () => of instanceof Mapper ? branches.of(of, lock === null ? "read" : "write") : of;
    if (lock === null && !transactions.mustPrepare(where, tables, autoflush)) return send();
    const prepare = async (): Promise<void> => {
      await transactions.beforeQuery(`${method}()`, where, tables, autoflush);
      if (lock !== null) await transactions.connect(`${method}() with a lock`, {}, where());
    };
    return prepare().then(send);
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
      mapper,
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
    return this.prepared("load", state.mapper, [], false, null, () => this.#loadMissing([state], include, options));
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
    return this.prepared("refresh", mapper, [], false, options.lock ?? null, async () => {
      const include = parseInclude(mapper, relations);
      // A relation is loaded by columns that must be known: where they are expired, one request more reads them first.
      const unknown = relations.flatMap((name) => mapper.relation(name)!.local)
        .filter(({ property }) => isHidden(state, property) && !state.expressions?.has(property));
      if (unknown.length > 0 && !await this.#refreshColumns(state, unknown, false, { ...options, lock: null })) {
        throw rowIsGone(state);
      }
      const [found] = await Promise.all([
        this.#refreshColumns(state, columns, properties === undefined, options),
        include.size > 0
          ? this.loader.load([state], include, { ...options, lock: null, populateExisting: true })
          : null,
      ]);
      if (found) return;
      throw rowIsGone(state);
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
    if (!all) {
      const { tracker, branches } = this.#transactions;
      if (branches.of(mapper, "read").wrote || tracker.isHeld(state)) tracker.touch(state);
      expireColumns(state, columns.filter((column) => !column.primaryKey));
    }
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
      const { database, reads } = this.#transactions.branches.of(node.mapper, "read");
      const statement = toCount(node, database.dialect);
      const [counted] = await reads.read({ statements: () => [statement], safe: true }, options);
      return Number(counted!.rows[0]![0]);
    });
  }

  #query<T>(node: SelectNode, method: string, options: CallOptions = {}, send: () => Promise<T>): Promise<T> {
    const name = `query(${node.mapper.model}).${method}`;
    refuseUnknown(options, ["signal", "timeout"], `${name}()`);
    return this.#transactions.run(
      name,
      () => this.prepared(name, node.mapper, tablesOf(node), this.#autoflush(), node.lock, send),
    );
  }

  /** Runs a select and gives its instances as a result. */
  select(node: SelectNode, autoflush: boolean, options: CallOptions): Promise<Result<unknown>> {
    return this.prepared("execute", node.mapper, tablesOf(node), autoflush, node.lock, async () => {
      const found = await this.loader.select(node, options);
      const columns = node.mapper.columns.map(({ property }) => property);
      const rows = found.map((instance) =>
        columns.map((property) => (instance as Record<string, SqlValue>)[property] ?? null)
      );
      return new Result<unknown>({ columns, rows, rowsAffected: found.length }, found);
    });
  }

  /** A page of a query, by key. */
  page(node: SelectNode, asked: PageOptions): Promise<Page<object>> {
    const { size, after, ...options }: PageOptions = Object(asked);
    return this.#query(node, "page", options, async () => {
      requireSize(size, "page()");
      if (node.limit !== null || node.offset !== null) {
        throw new ValidationError(
          "page() takes its size and where it begins from its options; leave limit() and offset() out",
        );
      }
      const order = totalOrder(node, "page()");
      const from = after === undefined || after === null
        ? null
        : readCursor(after, order, this.#dialectOf(node.mapper));
      // One more, to know whether there is another page.
      const { states, rows } = await this.loader.rows({ ...node, order, after: from, limit: size + 1 }, options);
      const last = rows.length > size ? rows[size - 1]! : null;
      return {
        items: states.slice(0, size).map(({ instance }) => instance),
        cursor: last === null ? null : writeCursor(order, keyOf(order, last)),
      };
    });
  }

  /** The instances of a query, a page at a time. Checks at once what can be checked, and sends nothing before it is asked. */
  stream(
    node: SelectNode,
    { size, ...options }: StreamOptions,
    autoflush: boolean = this.#autoflush(),
  ): AsyncGenerator<object, void, undefined> {
    const method = `query(${node.mapper.model}).stream`;
    refuseUnknown(options, ["signal", "timeout"], `${method}()`);
    const rows = sizeOf({ size });
    totalOrder(node, "stream()");
    this.#transactions.use("stream");
    if (this.#verifies) {
      throw new ValidationError(
        "stream() keeps no rows, and a session with verifyReads has every row that it read checked; use all() or page()",
      );
    }
    const { tracker } = this.#transactions;
    return streamInstances(
      tracker,
      node,
      rows,
      options,
      (part, isFirst, how) =>
        this.#transactions.run(
          method,
          () =>
            this.prepared(
              method,
              node.mapper,
              tablesOf(node),
              autoflush && isFirst,
              node.lock,
              () => this.loader.rows(part, how),
            ),
        ),
    );
  }

  /** The rows of a statement of the user's, through a cursor of the server. */
  streamRaw<T>(
    given: RawStatement,
    params: Params | undefined,
    autoflush: boolean,
    { size, bind, ...options }: StreamOptions & BindOptions,
    read: (rows: Result) => Iterable<T>,
  ): AsyncGenerator<T, void, undefined> {
    const rows = sizeOf({ size });
    this.#transactions.use("stream");
    const branch = this.#transactions.branches.ofText(bind, "read");
    const statements = userStatements(given, params, branch.database.dialect);
    const name = `ledge_stream_${++this.#streams}`;
    return streamRows(this.#transactions, branch, statements, name, autoflush, { ...options, size: rows }, read);
  }

  /** Runs an insert, an update or a deletion of a builder on the connection. */
  async write({ node, work }: Written, autoflush: boolean, options: CallOptions): Promise<Result<unknown>> {
    const branch = this.#transactions.branches.of(node.mapper, "write");
    const writing = work.prepare(node, this.#context(branch));
    return await this.#transactions.write((connection) => writing(connection, options), options, autoflush, branch);
  }

  /** The same, to travel with the commit. */
  stage({ node, work }: Written): StagedWrite & { readonly branch: Branch } {
    const branch = this.#transactions.branches.of(node.mapper, "write");
    return { ...work.stage(node, this.#context(branch)), branch };
  }

  /** Empties a model's table. */
  async truncate(mapper: Mapper, { cascade = false }: TruncateOptions, options: CallOptions): Promise<void> {
    const branch = this.#transactions.branches.of(mapper, "write");
    const { tracker, dialect } = this.#context(branch);
    const statement = truncateStatement(mapper, cascade, dialect);
    await this.#transactions.write(
      async (connection) => {
        await connection.execute(statement, options);
        synchroniseTruncated(tracker, mapper, cascade);
      },
      options,
      this.#autoflush(),
      branch,
    );
  }

  /** Runs a statement of the user's: a read joins its turn, a write goes to the connection. */
  async raw(
    given: RawStatement,
    params: Params | undefined,
    autoflush: boolean,
    { bind, ...options }: CallOptions & BindOptions,
  ): Promise<Result> {
    const { branches } = this.#transactions;
    const where = (): Branch => branches.ofText(bind, "read");
    const { statements, reads } = userStatements(given, params, where().database.dialect);
    if (!reads) {
      const run = async (connection: Connection): Promise<readonly ResultSet[]> =>
        statements.length === 1
          ? [await connection.execute(statements[0]!, options)]
          : await connection.batch(statements, options);
      return resultOf(await this.#transactions.write(run, options, autoflush, branches.ofText(bind, "write")));
    }
    const of = typeof bind === "function" ? mapperOf(bind) : where();
    const read = () => where().reads.read({ statements: () => statements, safe: false }, options);
    return await this.prepared("execute", of, "all", autoflush, null, async () => resultOf(await read()));
  }

  #dialectOf(mapper: Mapper): Dialect {
    return this.#transactions.branches.of(mapper, "write").database.dialect;
  }
}

function rowIsGone(state: InstanceState): ObjectDeletedError {
  return new ObjectDeletedError(`${label(state)} cannot be refreshed: its row is gone; expunge it, or add a new one`);
}
