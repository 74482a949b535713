/**
 * Loading: instances by query or key, and their relations. `include` adds one statement a relation, keyed by a subquery
 * of the rows above it, so that a whole graph is one request where the database batches.
 *
 * @module
 */
import type { CallOptions, Database } from "../database.ts";
import type { ReadQueue } from "../execution/reads.ts";
import type { MappedColumn, MappedRelation, Mapper } from "../model/mapper.ts";
import { UnsupportedError } from "../errors.ts";
import type { Dialect, RowLock } from "../sql/dialect.ts";
import type { ColumnInfo } from "../sql/table.ts";
import type { ResultSet, SqlValue, Statement } from "../sql/statement.ts";
import { groupBy } from "../state/group_by.ts";
import { Hydrator } from "../state/hydrate.ts";
import { type InstanceState, isChanged, isExpired } from "../state/instance_state.ts";
import { type KeyToken, keyToken, valuesIn } from "../state/key.ts";
import type { Tracker } from "../state/tracker.ts";
import {
  columnList,
  type IncludeTree,
  isVolatileNode,
  lockClause,
  type SelectNode,
  toSelect,
  writeSelect,
} from "./select_node.ts";
import { columnName, type QueryContext, tableName, writeKind } from "./where.ts";

/** What a loader works with. */
export interface LoaderContext {
  readonly tracker: Tracker;
  readonly database: Database;
  readonly reads: ReadQueue;
  /** Whether rows that are read now may be undone by a rollback. */
  readonly uncertain: boolean;
  /** The loader of the database that a model is read from, or with `locks` written to; null where that is this one. */
  readonly loaderOf?: (mapper: Mapper, locks: boolean) => Loader | null;
  /** Called before reads that another loader asks for: opens a connection where the transaction needs one. */
  readonly ready?: () => Promise<void>;
}

/** How to load. */
export interface LoadOptions extends CallOptions {
  readonly populateExisting?: boolean;
  /** How the rows are locked; they are then populated again. */
  readonly lock?: RowLock | null;
  /** Takes note of the instances that were not loaded before. */
  readonly fresh?: InstanceState[];
}

/** Rows of a query as they were read, and the instances that they are. */
export interface LoadedRows {
  readonly states: readonly InstanceState[];
  readonly rows: readonly (readonly SqlValue[])[];
}

/** A relation to load: the condition on its target's rows, and what to load from those. */
interface Level {
  readonly relation: MappedRelation;
  /** Writes the key of the rows above, as a list that IN takes: a subquery or values. */
  readonly above: (columns: readonly MappedColumn[], params: SqlValue[]) => string;
  readonly below: readonly Level[];
  /** What other loaders load of its rows. */
  readonly away: readonly Away[];
}

/** Relations whose rows are in another database. */
interface Away {
  readonly loader: Loader;
  readonly include: IncludeTree;
}

/** What is left to other loaders when the rows of a level are there. */
type Left = Away & { readonly mapper: Mapper; readonly roots: readonly Loading[] };

/** An instance whose relations are being loaded, with the row that it was just read from. */
interface Loading {
  readonly state: InstanceState;
  readonly row: readonly SqlValue[] | null;
  /** The dialect that it was read in. */
  readonly dialect: Dialect;
}

/** The gets of one model in one turn. */
interface Gathering {
  readonly keys: Map<KeyToken, readonly SqlValue[]>;
  /** The keys that have a row; its instance is in the identity map. */
  readonly found: Promise<ReadonlySet<KeyToken>>;
}

/** Loads instances into a session's identity map. */
export class Loader {
  readonly #context: LoaderContext;
  readonly #gathering: Map<Mapper, Gathering> = new Map();

  constructor(context: LoaderContext) {
    this.#context = context;
  }

  /** The loader of a model. */
  #of(mapper: Mapper, locks: boolean): Loader {
    return this.#context.loaderOf?.(mapper, locks) ?? this;
  }

  /** The instances of a query, in its order. One request, with its includes, where the database batches. */
  async select(node: SelectNode, options: LoadOptions = {}): Promise<object[]> {
    const loader = this.#of(node.mapper, node.lock !== null);
    return (await loader.#select(node, options)).map(({ state }) => state.instance);
  }

  /** The same with the rows as they were read, by which the next page begins. */
  async rows(node: SelectNode, options: LoadOptions = {}): Promise<LoadedRows> {
    const roots = await this.#of(node.mapper, node.lock !== null).#select(node, options);
    return { states: roots.map(({ state }) => state), rows: roots.map(({ row }) => row!) };
  }

  async #select(node: SelectNode, options: LoadOptions): Promise<Loading[]> {
    const { database } = this.#context;
    const locked = node.lock !== null;
    const populate = node.populateExisting || options.populateExisting === true || locked;
    const together = node.include.size > 0 && !locked && database.capabilities.batch === "atomic" &&
      !isVolatileNode(node);
    if (!together) {
      const [result] = await this.#read([toSelect(node, database.dialect)], options);
      const roots = this.#hydrate(node.mapper, result!, populate, locked, options.fresh);
      if (node.include.size > 0) await this.#loadInto(node.mapper, roots, node.include, populate, options);
      return roots;
    }
    const { here, away } = this.#divide(node.mapper, node.include);
    const levels = this.#levels(node.mapper, here, (columns, params) => this.#subquery(node, columns, params));
    const [result, ...rest] = await this.#read(
      [toSelect(node, database.dialect), ...this.#statements(levels)],
      options,
    );
    const roots = this.#hydrate(node.mapper, result!, populate, false, options.fresh);
    const left = away.map((one): Left => ({ ...one, mapper: node.mapper, roots }));
    this.#fill(levels, roots, rest, populate, options.fresh, left);
    await this.#loadLeft(left, populate, options);
    return roots;
  }

  /**
   * The instances of keys, in their order, null where there is no row. What is loaded already costs nothing; the rest of
   * a turn's gets of one model are one statement.
   */
  async get(
    mapper: Mapper,
    keys: readonly (readonly unknown[])[],
    options: LoadOptions = {},
  ): Promise<(object | null)[]> {
    const loader = this.#of(mapper, (options.lock ?? null) !== null);
    if (loader !== this) return await loader.get(mapper, keys, options);
    const { tracker, database } = this.#context;
    const codecs = mapper.codecs(database.dialect);
    const wanted = keys.map((values) => ({
      token: keyToken(values)!,
      encoded: values.map((value, i) => codecs[mapper.key[i]!.index]!.encode(value, mapper.key[i]!)),
    }));
    const missing = wanted.filter(({ token }) => {
      const known = tracker.identity.get(mapper, token);
      return known === undefined || populates(options) || isExpired(known);
    });
    const found = missing.length === 0 ? new Set<KeyToken>() : await this.#gather(mapper, missing, options);
    const asked = new Set(missing.map(({ token }) => token));
    return wanted.map(({ token }) => {
      if (asked.has(token) && !found.has(token)) return null;
      return tracker.identity.get(mapper, token)?.instance ?? null;
    });
  }

  /** The instances of rows that were just written: those that are loaded are overwritten, unless it says otherwise. */
  instances(mapper: Mapper, result: ResultSet, populateExisting = true): object[] {
    return this.#of(mapper, true).#hydrate(mapper, result, populateExisting).map(({ state }) => state.instance);
  }

  /** The instances of rows that were just written: those that are loaded, which are up to date, stay as they are. */
  known(mapper: Mapper, result: ResultSet): object[] {
    return this.#of(mapper, true).#hydrate(mapper, result, false).map(({ state }) => state.instance);
  }

  /** Loads relations of instances that are there already. Loaded relations stay as they are, unless populated again. */
  async load(states: readonly InstanceState[], include: IncludeTree, options: LoadOptions = {}): Promise<void> {
    const byMapper = groupBy(states, (state) => state.mapper);
    await Promise.all(
      [...byMapper].map(([mapper, some]) =>
        this.#loadInto(
          mapper,
          some.map((state) => ({ state, row: null, dialect: this.#context.database.dialect })),
          include,
          options.populateExisting === true,
          options,
        )
      ),
    );
  }

  async #read(statements: readonly Statement[], options: LoadOptions): Promise<readonly ResultSet[]> {
    return await this.#context.reads.read({ statements: () => statements, safe: true }, options);
  }

  #gather(
    mapper: Mapper,
    missing: readonly { token: KeyToken; encoded: readonly SqlValue[] }[],
    options: LoadOptions,
  ): Promise<ReadonlySet<KeyToken>> {
    // A caller that can give up, or that overwrites, asks for itself.
    const alone = options.signal !== undefined || options.timeout !== undefined || populates(options);
    let gathering = alone ? undefined : this.#gathering.get(mapper);
    if (gathering === undefined) {
      const keys = new Map<KeyToken, readonly SqlValue[]>();
      const statements = (): readonly Statement[] => {
        if (!alone) this.#gathering.delete(mapper);
        return [this.#byKeys(mapper, [...keys.values()], options.lock ?? null)];
      };
      const found = this.#context.reads.read({ statements, safe: true }, options).then(([result]) =>
        new Set(
          this.#hydrate(mapper, result!, populates(options), (options.lock ?? null) !== null).map(({ state }) =>
            state.key!
          ),
        )
      );
      gathering = { keys, found };
      if (!alone) this.#gathering.set(mapper, gathering);
    }
    for (const { token, encoded } of missing) gathering.keys.set(token, encoded);
    return gathering.found;
  }

  #byKeys(mapper: Mapper, keys: readonly (readonly SqlValue[])[], lock: RowLock | null): Statement {
    const { dialect } = this.#context.database;
    const params: SqlValue[] = [];
    const test = `${this.#tuple(mapper, mapper.key)} IN ${dialect.inList(mapper.key, keys, params)}`;
    const select = `SELECT ${columnList(dialect, mapper)} FROM ${tableName(dialect, mapper)} WHERE ${test}${
      this.#ofClass(mapper, params)
    }`;
    return { sql: select + lockClause(lock, dialect), params };
  }

  /** What leaves rows of other classes of the same table out, after other conditions. */
  #ofClass(mapper: Mapper, params: SqlValue[]): string {
    const test = writeKind({ dialect: this.#context.database.dialect, mapper, params });
    return test === "" ? "" : ` AND ${test}`;
  }

  #tuple(mapper: Mapper, columns: readonly MappedColumn[]): string {
    const names = columns.map((column) => columnName(this.#context.database.dialect, mapper, column));
    return names.length === 1 ? names[0]! : `(${names.join(", ")})`;
  }

  #hydrate(
    mapper: Mapper,
    result: ResultSet,
    populateExisting: boolean,
    keepChanges = false,
    fresh?: InstanceState[],
  ): Loading[] {
    const { tracker, database, uncertain } = this.#context;
    const how = { populateExisting, keepChanges, uncertain };
    const hydrators = new Map<Mapper, Hydrator>();
    return result.rows.map((row) => {
      const own = mapper.ofRow(row);
      let hydrator = hydrators.get(own.mapper);
      if (hydrator === undefined) {
        hydrator = new Hydrator(tracker, own.mapper, own.mapper.codecs(database.dialect), how);
        hydrators.set(own.mapper, hydrator);
      }
      const { dialect } = database;
      if (fresh === undefined) return { state: hydrator.state(own.row), row, dialect };
      const before = tracker.identity.size;
      const state = hydrator.state(own.row);
      if (tracker.identity.size > before) fresh.push(state);
      return { state, row, dialect };
    });
  }

  /** Loads relations by the keys of instances: siblings side by side, one request where the database batches. */
  async #loadInto(
    mapper: Mapper,
    roots: readonly Loading[],
    include: IncludeTree,
    populate: boolean,
    options: LoadOptions,
  ): Promise<void> {
    if (roots.length === 0) return;
    const { here, away } = this.#divide(mapper, include);
    if (away.length === 0) return await this.#loadHere(mapper, roots, here, populate, options);
    const left = away.map((one): Left => ({ ...one, mapper, roots }));
    const own = here.size > 0 ? this.#loadHere(mapper, roots, here, populate, options) : null;
    await Promise.all([own, this.#loadLeft(left, populate, options)]);
  }

  /** Divides relations by the loader of their targets. */
  #divide(mapper: Mapper, include: IncludeTree): { readonly here: IncludeTree; readonly away: readonly Away[] } {
    const { loaderOf } = this.#context;
    if (loaderOf === undefined) return { here: include, away: [] };
    const byLoader = groupBy([...include], ([name]) => this.#of(mapper.relation(name)!.target, false));
    const away: Away[] = [];
    for (const [loader, some] of byLoader) if (loader !== this) away.push({ loader, include: new Map(some) });
    return away.length === 0 ? { here: include, away } : { here: new Map(byLoader.get(this) ?? []), away };
  }

  /** Lets other loaders load, by the keys that instances hold: their databases know nothing of the rows above. */
  async #loadLeft(left: readonly Left[], populate: boolean, options: LoadOptions): Promise<void> {
    await Promise.all(left.map(async ({ loader, include, mapper, roots }) => {
      if (roots.length === 0) return;
      for (const name of include.keys()) {
        const { link, target } = mapper.relation(name)!;
        if (link === null || this.#of(mapper, false) === loader) continue;
        throw new UnsupportedError(
          `${mapper.model}.${name} links two databases; a many-to-many relation needs ${mapper.model} and ` +
            `${target.model} in one`,
        );
      }
      await loader.#context.ready?.();
      await loader.#loadHere(mapper, roots, include, populate, options);
    }));
  }

  /** Loads relations whose targets are in this loader's database. */
  async #loadHere(
    mapper: Mapper,
    roots: readonly Loading[],
    include: IncludeTree,
    populate: boolean,
    options: LoadOptions,
  ): Promise<void> {
    const { database } = this.#context;
    if (database.capabilities.batch === "atomic") {
      const levels = this.#levels(mapper, include, (columns, params) => this.#values(roots, columns, params));
      const left: Left[] = [];
      this.#fill(levels, roots, await this.#read(this.#statements(levels), options), populate, options.fresh, left);
      return await this.#loadLeft(left, populate, options);
    }
    await Promise.all([...include].map(async ([name, deeper]) => {
      const relation = mapper.relation(name)!;
      const above: Level["above"] = (columns, params) => this.#values(roots, columns, params);
      const level: Level = { relation, above, below: [], away: [] };
      const results = await this.#read(this.#statements([level]), options);
      const children = this.#fill([level], roots, results, populate, options.fresh, []);
      if (deeper.size > 0 && children.length > 0) {
        await this.#loadInto(relation.target, children, deeper, populate, options);
      }
    }));
  }

  #levels(mapper: Mapper, include: IncludeTree, above: Level["above"]): Level[] {
    return [...include].map(([name, deeper]) => {
      const relation = mapper.relation(name)!;
      const { here, away } = this.#divide(relation.target, deeper);
      const level: Level = { relation, above, below: [], away };
      const below = this.#levels(relation.target, here, (columns, params) => {
        const { dialect } = this.#context.database;
        const selected = columns.map((column) => columnName(dialect, relation.target, column)).join(", ");
        return `(SELECT ${selected} FROM ${tableName(dialect, relation.target)} WHERE ${
          this.#condition(level, params)
        })`;
      });
      return { ...level, below };
    });
  }

  /** The condition on a relation's target rows: those that belong to a row above. */
  #condition({ relation, above }: Pick<Level, "relation" | "above">, params: SqlValue[]): string {
    const { target, remote, local, link } = relation;
    if (link === null) {
      return `${this.#tuple(target, remote)} IN ${above(local, params)}${this.#ofClass(target, params)}`;
    }
    const { dialect } = this.#context.database;
    const list = (columns: readonly ColumnInfo[]): string =>
      columns.map((column) => dialect.quote(column.name)).join(", ");
    const from = link.from.length === 1 ? list(link.from) : `(${list(link.from)})`;
    return `${this.#tuple(target, target.key)} IN (SELECT ${list(link.to)} FROM ${
      tableName(dialect, link)
    } WHERE ${from} IN ${above(local, params)})${this.#ofClass(target, params)}`;
  }

  #subquery(node: SelectNode, columns: readonly MappedColumn[], params: SqlValue[]): string {
    const { dialect } = this.#context.database;
    const context: QueryContext = { dialect, mapper: node.mapper, params };
    const selected = columns.map((column) => columnName(dialect, node.mapper, column)).join(", ");
    return `(${writeSelect(node, selected, context, false)})`;
  }

  /** The values that instances hold in some columns, as a list that IN takes. */
  #values(roots: readonly Loading[], columns: readonly MappedColumn[], params: SqlValue[]): string {
    const { dialect } = this.#context.database;
    const values = new Map<KeyToken, readonly SqlValue[]>();
    for (const root of roots) {
      const held = heldValues(root, columns);
      const token = keyToken(held);
      if (token === null) continue;
      const codecs = root.state.mapper.codecs(dialect);
      values.set(token, held.map((value, i) => codecs[columns[i]!.index]!.encode(value, columns[i]!)));
    }
    return dialect.inList(columns, [...values.values()], params);
  }

  /** One statement a level, the levels above first. */
  #statements(levels: readonly Level[]): Statement[] {
    return levels.flatMap((level) => [this.#levelStatement(level), ...this.#statements(level.below)]);
  }

  #levelStatement(level: Level): Statement {
    const { dialect } = this.#context.database;
    const { relation: { target, link } } = level;
    const params: SqlValue[] = [];
    const columns = columnList(dialect, target);
    const order = target.key.map((column) => columnName(dialect, target, column)).join(", ");
    const from = tableName(dialect, target);
    if (link === null) {
      return {
        sql: `SELECT ${columns} FROM ${from} WHERE ${this.#condition(level, params)} ORDER BY ${order}`,
        params,
      };
    }
    const between = tableName(dialect, link);
    const linkColumn = (column: ColumnInfo): string => `${between}.${dialect.quote(column.name)}`;
    const on = link.to.map((column, i) => `${linkColumn(column)} = ${columnName(dialect, target, target.key[i]!)}`)
      .join(" AND ");
    const owners = link.from.map(linkColumn);
    const test = `${owners.length === 1 ? owners[0] : `(${owners.join(", ")})`} IN ${
      level.above(level.relation.local, params)
    }`;
    return {
      sql: `SELECT ${columns}, ${owners.join(", ")} FROM ${from} JOIN ${between} ON ${on} WHERE ${test}${
        this.#ofClass(target, params)
      } ORDER BY ${order}`,
      params,
    };
  }

  /** Puts the rows of levels where they belong, and notes what is left to other loaders; takes the results in the order of the statements. Returns the first level's children. */
  #fill(
    levels: readonly Level[],
    parents: readonly Loading[],
    results: readonly ResultSet[],
    populate: boolean,
    fresh: InstanceState[] | undefined,
    left: Left[],
  ): Loading[] {
    const queue = [...results];
    const fillLevels = (some: readonly Level[], above: readonly Loading[]): Loading[] =>
      some.flatMap((level) => {
        const children = this.#hydrate(level.relation.target, queue.shift()!, populate, false, fresh);
        this.#connect(level.relation, above, children, populate);
        fillLevels(level.below, children);
        for (const one of level.away) left.push({ ...one, mapper: level.relation.target, roots: children });
        return children;
      });
    return fillLevels(levels, parents);
  }

  #connect(
    relation: MappedRelation,
    parents: readonly Loading[],
    children: readonly Loading[],
    populate: boolean,
  ): void {
    const { dialect } = this.#context.database;
    const byToken = new Map<KeyToken, object[]>();
    for (const child of children) {
      const token = keyToken(
        relation.link === null ? heldValues(child, relation.remote) : linkValues(relation, child, dialect),
      );
      if (token === null) continue;
      const siblings = byToken.get(token);
      if (siblings === undefined) byToken.set(token, [child.state.instance]);
      else siblings.push(child.state.instance);
    }
    const done = new Set<InstanceState>();
    for (const parent of parents) {
      if (done.has(parent.state)) continue;
      done.add(parent.state);
      const token = keyToken(heldValues(parent, relation.local));
      this.#set(parent.state, relation, token === null ? [] : byToken.get(token) ?? [], populate);
    }
  }

  /** Gives a relation property what was loaded; what was put into it before it was loaded stays, as a change. */
  #set(state: InstanceState, relation: MappedRelation, members: readonly object[], populate: boolean): void {
    const { name, many } = relation;
    const loaded = state.relations?.has(name) === true;
    const { instance } = state;
    if (loaded && !populate && instance[name] !== undefined) return;
    if (this.#context.uncertain) this.#context.tracker.touch(state);
    const current = instance[name];
    const kept = !loaded && !populate && current !== undefined;
    let value: unknown = many ? [...members] : members[0] ?? null;
    const snapshot = { value, members: [...members] };
    if (kept && Array.isArray(current)) {
      const there = new Set(members);
      for (const member of current) if (!there.has(member)) (value as object[]).push(member);
    } else if (kept) value = current;
    instance[name] = value;
    // Loaded by a foreign key that was changed, it is what the row is to refer to, and a change like it.
    const changed = relation.kind === "belongsTo" && state.snapshot !== null &&
      relation.local.some((column) => isChanged(state, column));
    if (!changed) state.relations = new Map(state.relations ?? []).set(name, snapshot);
  }
}

/** Whether what is loaded is asked for, and overwritten, all the same. */
function populates({ populateExisting, lock }: LoadOptions): boolean {
  return populateExisting === true || (lock ?? null) !== null;
}

/** The values of columns: of the row just read where there is one, else of the instance. */
function heldValues({ state, row, dialect }: Loading, columns: readonly MappedColumn[]): unknown[] {
  if (row === null) return valuesIn(state.instance, columns);
  const codecs = state.mapper.codecs(dialect);
  return columns.map(({ index }) => row[index] === null ? null : codecs[index]!.decode(row[index]!));
}

/** The owner's key, which a row of a many-to-many holds after the target's columns. */
function linkValues({ owner, target }: MappedRelation, { row }: Loading, dialect: Database["dialect"]): unknown[] {
  const codecs = owner.codecs(dialect);
  return owner.key.map(({ index }, i) => codecs[index]!.decode(row![target.readColumns.length + i]!));
}
