/**
 * Loading: instances by query or key, and their relations. `include` adds one statement a relation, keyed by a subquery
 * of the rows above it, so that a whole graph is one request where the database batches.
 *
 * @module
 */
import type { CallOptions, Database } from "../database.ts";
import type { ReadQueue } from "../execution/reads.ts";
import type { Mapper } from "../model/mapper.ts";
import { UnsupportedError } from "../errors.ts";
import type { RowLock } from "../sql/dialect.ts";
import type { ResultSet, SqlValue, Statement } from "../sql/statement.ts";
import { groupBy } from "../state/group_by.ts";
import { Hydrator } from "../state/hydrate.ts";
import { type InstanceState, isExpired } from "../state/instance_state.ts";
import { type KeyToken, keyToken } from "../state/key.ts";
import type { Tracker } from "../state/tracker.ts";
import { connectRows, type Loading } from "./connect_rows.ts";
import { type Level, levelStatements, selectByKeys, writeKeys, writeLevelKeys, writeValues } from "./include_sql.ts";
import { type IncludeTree, isVolatileNode, type SelectNode, toSelect } from "./select_node.ts";

/** What a loader works with. */
export interface LoaderContext {
  readonly tracker: Tracker;
  readonly database: Database;
  readonly reads: ReadQueue;
  /** Whether rows that are read now may be undone by a rollback. */
  isUncertain(): boolean;
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
export interface Loaded extends Loading {
  readonly rows: readonly (readonly SqlValue[])[];
}

/** Relations whose rows are in another database. */
export interface Away {
  readonly loader: Loader;
  readonly include: IncludeTree;
}

/** What is left to other loaders when the rows of a level are there. */
type Left = Away & { readonly mapper: Mapper; readonly roots: Loading };

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
    return instancesOf(await loader.#select(node, options));
  }

  /** The same with the rows as they were read, by which the next page begins. */
  rows(node: SelectNode, options: LoadOptions = {}): Promise<Loaded> {
    return this.#of(node.mapper, node.lock !== null).#select(node, options);
  }

  async #select(node: SelectNode, options: LoadOptions): Promise<Loaded> {
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
    const { dialect } = database;
    const levels = this.#levels(node.mapper, here, (columns, params) => writeKeys(node, columns, dialect, params));
    const [result, ...rest] = await this.#read(
      [toSelect(node, dialect), ...levelStatements(levels, dialect)],
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
    const { tracker: { identity }, database } = this.#context;
    const codecs = mapper.codecs(database.dialect);
    const missing = new Map<KeyToken, readonly SqlValue[]>();
    const tokens = keys.map((values) => {
      const token = keyToken(values)!;
      const encoded = values.map((value, i) => codecs[mapper.key[i]!.index]!.encode(value, mapper.key[i]!));
      const known = identity.get(mapper, token);
      if (known === undefined || populates(options) || isExpired(known)) missing.set(token, encoded);
      return token;
    });
    const found = missing.size === 0 ? null : await this.#gather(mapper, missing, options);
    return tokens.map((token) => {
      if (missing.has(token) && !found!.has(token)) return null;
      return identity.get(mapper, token)?.instance ?? null;
    });
  }

  /** The instances of rows that were just written: those that are loaded are overwritten, unless it says otherwise. */
  instances(mapper: Mapper, result: ResultSet, populateExisting = true): object[] {
    return instancesOf(this.#of(mapper, true).#hydrate(mapper, result, populateExisting));
  }

  /** The instances of rows that were just written: those that are loaded, which are up to date, stay as they are. */
  known(mapper: Mapper, result: ResultSet): object[] {
    return instancesOf(this.#of(mapper, true).#hydrate(mapper, result, false));
  }

  /** Loads relations of instances that are there already. Loaded relations stay as they are, unless populated again. */
  async load(states: readonly InstanceState[], include: IncludeTree, options: LoadOptions = {}): Promise<void> {
    const byMapper = groupBy(states, (state) => state.mapper);
    await Promise.all(
      [...byMapper].map(([mapper, some]) =>
        this.#loadInto(
          mapper,
          { states: some, rows: null, dialect: this.#context.database.dialect },
          include,
          options.populateExisting === true,
          options,
        )
      ),
    );
  }

  #read(statements: readonly Statement[], options: LoadOptions): Promise<readonly ResultSet[]> {
    return this.#context.reads.read({ statements: () => statements, safe: true }, options);
  }

  #gather(
    mapper: Mapper,
    missing: ReadonlyMap<KeyToken, readonly SqlValue[]>,
    options: LoadOptions,
  ): Promise<ReadonlySet<KeyToken>> {
    // A caller that can give up, or that overwrites, asks for itself.
    const alone = options.signal !== undefined || options.timeout !== undefined || populates(options);
    let gathering = alone ? undefined : this.#gathering.get(mapper);
    if (gathering === undefined) {
      const keys = new Map<KeyToken, readonly SqlValue[]>();
      const statements = (): readonly Statement[] => {
        if (!alone) this.#gathering.delete(mapper);
        return [selectByKeys(mapper, [...keys.values()], options.lock ?? null, this.#context.database.dialect)];
      };
      const locked = (options.lock ?? null) !== null;
      const found = this.#context.reads.read({ statements, safe: true }, options).then(([result]) => {
        const { states } = this.#hydrate(mapper, result!, populates(options), locked);
        return new Set(states.map(({ key }) => key!));
      });
      gathering = { keys, found };
      if (!alone) this.#gathering.set(mapper, gathering);
    }
    for (const [token, encoded] of missing) gathering.keys.set(token, encoded);
    return gathering.found;
  }

  #hydrate(
    mapper: Mapper,
    result: ResultSet,
    populateExisting: boolean,
    keepChanges = false,
    fresh?: InstanceState[],
  ): Loaded {
    const { tracker, database: { dialect } } = this.#context;
    const how = { populateExisting, keepChanges, uncertain: this.#context.isUncertain() };
    const hydrators = new Map<Mapper, Hydrator>();
    const hydratorOf = (own: Mapper): Hydrator => {
      let hydrator = hydrators.get(own);
      if (hydrator === undefined) hydrators.set(own, hydrator = new Hydrator(tracker, own, own.codecs(dialect), how));
      return hydrator;
    };
    const only = mapper.discriminator === null ? hydratorOf(mapper) : null;
    const states = result.rows.map((row) => {
      const before = fresh === undefined ? 0 : tracker.identity.size;
      const own = only === null ? mapper.ofRow(row) : null;
      const state = own === null ? only!.state(row) : hydratorOf(own.mapper).state(own.row);
      if (fresh !== undefined && tracker.identity.size > before) fresh.push(state);
      return state;
    });
    return { states, rows: result.rows, dialect };
  }

  /** Loads relations by the keys of instances: siblings side by side, one request where the database batches. */
  async #loadInto(
    mapper: Mapper,
    roots: Loading,
    include: IncludeTree,
    populate: boolean,
    options: LoadOptions,
  ): Promise<void> {
    if (roots.states.length === 0) return;
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
      if (roots.states.length === 0) return;
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
    roots: Loading,
    include: IncludeTree,
    populate: boolean,
    options: LoadOptions,
  ): Promise<void> {
    const { database } = this.#context;
    const { dialect } = database;
    if (database.capabilities.batch === "atomic") {
      const levels = this.#levels(
        mapper,
        include,
        (columns, params) => writeValues(roots, mapper, columns, dialect, params),
      );
      const left: Left[] = [];
      this.#fill(
        levels,
        roots,
        await this.#read(levelStatements(levels, dialect), options),
        populate,
        options.fresh,
        left,
      );
      return await this.#loadLeft(left, populate, options);
    }
    await Promise.all([...include].map(async ([name, deeper]) => {
      const relation = mapper.relation(name)!;
      const above: Level["above"] = (columns, params) => writeValues(roots, mapper, columns, dialect, params);
      const level: Level = { relation, above, below: [], away: [] };
      const results = await this.#read(levelStatements([level], dialect), options);
      const [children] = this.#fill([level], roots, results, populate, options.fresh, []);
      if (deeper.size > 0) {
        await this.#loadInto(relation.target, children!, deeper, populate, options);
      }
    }));
  }

  #levels(mapper: Mapper, include: IncludeTree, above: Level["above"]): Level[] {
    return [...include].map(([name, deeper]) => {
      const relation = mapper.relation(name)!;
      const { here, away } = this.#divide(relation.target, deeper);
      const level: Level = { relation, above, below: [], away };
      const { dialect } = this.#context.database;
      const keys: Level["above"] = (columns, params) => writeLevelKeys(level, columns, dialect, params);
      const below = this.#levels(relation.target, here, keys);
      return { ...level, below };
    });
  }

  /** Puts the rows of levels where they belong, and notes what is left to other loaders; takes the results in the order of the statements. Returns the children of each of these levels. */
  #fill(
    levels: readonly Level[],
    parents: Loading,
    results: readonly ResultSet[],
    populate: boolean,
    fresh: InstanceState[] | undefined,
    left: Left[],
  ): Loaded[] {
    const queue = [...results];
    const fillLevels = (some: readonly Level[], above: Loading): Loaded[] =>
      some.map((level) => {
        const children = this.#hydrate(level.relation.target, queue.shift()!, populate, false, fresh);
        connectRows(this.#context, level.relation, above, children, populate);
        fillLevels(level.below, children);
        for (const one of level.away) left.push({ ...one, mapper: level.relation.target, roots: children });
        return children;
      });
    return fillLevels(levels, parents);
  }
}

function instancesOf({ states }: Loading): object[] {
  return states.map(({ instance }) => instance);
}

/** Whether what is loaded is asked for, and overwritten, all the same. */
function populates({ populateExisting, lock }: LoadOptions): boolean {
  return populateExisting === true || (lock ?? null) !== null;
}
