/**
 * Routing: which database a model's reads and writes go to.
 *
 * SQLAlchemy's `Session.get_bind` gave the order: what the session's own routing says, the model or the nearest of its
 * bases that was bound, its table, the session's bind.
 *
 * @module
 */
import type { Database } from "../database.ts";
import { InvalidStateError, ValidationError } from "../errors.ts";
import { type Mapper, mapperOf } from "../model/mapper.ts";
import type { AnyModel } from "../model/types.ts";
import { isObject } from "../sql/object.ts";

/** What a database is wanted for. */
export type Operation = "read" | "write";

/**
 * Chooses databases. Each function is asked at most once in a transaction for a model; a function that is left out, or gives
 * nothing, leaves the choice to `default`, then to the session's binds, then to its bind.
 */
export interface Routing {
  /** Where a model is read, until the session writes: a replica. Its dialect must be that of where it is written. */
  read?(model: AnyModel): Database | null | undefined;
  /** Where a model is written, and read once the session has written anything. */
  write?(model: AnyModel): Database | null | undefined;
  /** Where a model is for which the function of the operation says nothing. */
  default?(model: AnyModel): Database | null | undefined;
}

/** Databases by model, which counts for its subclasses too, or by name of a table (with a schema: `"schema.table"`). */
export type Binds = ReadonlyMap<AnyModel | string, Database> | readonly (readonly [AnyModel | string, Database])[];

/** Whether a value is a database, as far as can be seen. */
export function isDatabase(value: unknown): value is Database {
  const { execute, connect } = (value ?? {}) as Partial<Database>;
  return typeof execute === "function" && typeof connect === "function";
}

/** Throws a ValidationError for a routing that is none. */
export function checkRouting(routing: Routing | undefined): void {
  if (routing === undefined) return;
  if (!isObject(routing)) {
    throw new ValidationError("routing must be an object with functions: { read, write, default }");
  }
  for (const [name, value] of Object.entries(routing)) {
    if (!["read", "write", "default"].includes(name)) {
      throw new ValidationError(`routing has no ${JSON.stringify(name)}; there are read, write and default`);
    }
    if (value !== undefined && typeof value !== "function") {
      throw new ValidationError(`routing.${name} must be a function that takes a model and gives a database`);
    }
  }
}

/** What is known of an instance, as far as it matters here. */
interface Loaded {
  readonly mapper: Mapper;
}

/** The routes of one session. */
export class Routes {
  readonly #bind: Database;
  readonly #routing: Routing | undefined;
  readonly #models: Map<Mapper, Database> = new Map();
  readonly #tables: Map<string, Database> = new Map();
  /** What each function said in this transaction: a routing that takes a replica at random takes one, and stays with it. */
  readonly #said: Readonly<Record<keyof Routing, Map<Mapper, Database | null>>> = {
    read: new Map(),
    write: new Map(),
    default: new Map(),
  };

  constructor(bind: Database, binds: Binds = [], routing?: Routing) {
    this.#bind = bind;
    this.#routing = routing;
    const isList = Array.isArray(binds) || binds instanceof Map;
    if (!isList) throw new ValidationError("binds must be entries [Model or table, database], or a Map of them");
    for (const entry of binds) {
      if (!Array.isArray(entry)) throw new ValidationError("Each of binds must be an entry [Model or table, database]");
      const [what, database] = entry as unknown as readonly [AnyModel | string, Database];
      if (typeof what === "string") this.bindTable(what, database);
      else this.bindModel(what, database);
    }
  }

  /** Whether everything goes to one database. */
  get isSingle(): boolean {
    return this.#routing === undefined && this.#models.size === 0 && this.#tables.size === 0;
  }

  /** Binds a model. Throws an InvalidStateError where what is `loaded` would be written elsewhere than where its rows are. */
  bindModel(model: AnyModel, database: Database, loaded: Iterable<Loaded> = []): void {
    this.#put(this.#models, mapperOf(model), requireDatabase(database, `The bind of ${model.name}`), loaded);
  }

  /** Binds a table; throws like `bindModel`. */
  bindTable(name: string, database: Database, loaded: Iterable<Loaded> = []): void {
    if (typeof name !== "string" || name === "") throw new ValidationError("A table to bind needs a name that is text");
    this.#put(this.#tables, name, requireDatabase(database, `The bind of table ${JSON.stringify(name)}`), loaded);
  }

  #put<K>(binds: Map<K, Database>, key: K, database: Database, loaded: Iterable<Loaded>): void {
    const mappers = new Set(Array.from(loaded, ({ mapper }) => mapper));
    const places = [...mappers].map((mapper) => [mapper, this.find(mapper, "write")] as const);
    const before = binds.get(key);
    binds.set(key, database);
    for (const [mapper, place] of places) {
      if (this.find(mapper, "write") === place) continue;
      if (before === undefined) binds.delete(key);
      else binds.set(key, before);
      throw new InvalidStateError(
        `Cannot bind ${mapper.model} to ${database.description}: instances of it are loaded, whose rows are at ` +
          `${place.description}; expunge them first`,
      );
    }
  }

  /** The database of a model. */
  find(mapper: Mapper, operation: Operation): Database {
    if (this.isSingle) return this.#bind;
    return this.#ask(operation, mapper) ?? this.#ask("default", mapper) ?? this.#bound(mapper);
  }

  #ask(name: keyof Routing, mapper: Mapper): Database | null {
    const said = this.#said[name];
    let database = said.get(mapper);
    if (database === undefined) {
      database = this.#routing?.[name]?.(mapper.class as unknown as AnyModel) ?? null;
      if (database !== null) requireDatabase(database, `What routing.${name} gave for ${mapper.model}`);
      said.set(mapper, database);
    }
    return database;
  }

  #bound(mapper: Mapper): Database {
    for (let one: Mapper | null = mapper; one !== null; one = one.parent) {
      const database = this.#models.get(one);
      if (database !== undefined) return database;
    }
    const { schema, table } = mapper;
    const named = schema === null ? undefined : this.#tables.get(`${schema}.${table}`);
    return named ?? this.#tables.get(table) ?? this.#bind;
  }

  /** The transaction is over: what it chose is chosen anew. */
  forget(): void {
    for (const said of Object.values(this.#said)) said.clear();
  }
}

function requireDatabase(value: unknown, what: string): Database {
  if (isDatabase(value)) return value;
  throw new ValidationError(`${what} is not a database, as libsql(…) makes one`);
}
