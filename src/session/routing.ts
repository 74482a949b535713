/**
 * Routing: which database a model's reads and writes go to.
 *
 * SQLAlchemy's `Session.get_bind` gave the order: what the session's own routing says, the model or the nearest of its
 * bases that was bound, its table, the session's bind.
 *
 * @module
 */
import type { Database } from "../database.ts";
import { ValidationError } from "../errors.ts";
import { type Mapper, mapperOf } from "../model/mapper.ts";
import type { AnyModel } from "../model/types.ts";

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
  if (typeof routing !== "object" || routing === null) {
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

/** The routes of one session. */
export class Routes {
  readonly #bind: Database;
  readonly #routing: Routing | undefined;
  readonly #models: Map<Mapper, Database> = new Map();
  readonly #tables: Map<string, Database> = new Map();
  /** What was chosen in this transaction: a routing that takes a replica at random takes one, and stays with it. */
  readonly #chosen: Readonly<Record<Operation, Map<Mapper, Database>>> = { read: new Map(), write: new Map() };

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

  bindModel(model: AnyModel, database: Database): void {
    this.#models.set(mapperOf(model), requireDatabase(database, `The bind of ${model.name}`));
    this.forget();
  }

  bindTable(name: string, database: Database): void {
    if (typeof name !== "string" || name === "") throw new ValidationError("A table to bind needs a name that is text");
    this.#tables.set(name, requireDatabase(database, `The bind of table ${JSON.stringify(name)}`));
    this.forget();
  }

  /** The database of a model. */
  find(mapper: Mapper, operation: Operation): Database {
    if (this.isSingle) return this.#bind;
    const chosen = this.#chosen[operation];
    let database = chosen.get(mapper);
    if (database === undefined) chosen.set(mapper, database = this.#routed(mapper, operation) ?? this.#bound(mapper));
    return database;
  }

  #routed(mapper: Mapper, operation: Operation): Database | null {
    for (const name of [operation, "default"] as const) {
      const database = this.#routing?.[name]?.(mapper.class as unknown as AnyModel) ?? null;
      if (database !== null) return requireDatabase(database, `What routing.${name} gave for ${mapper.model}`);
    }
    return null;
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
    this.#chosen.read.clear();
    this.#chosen.write.clear();
  }
}

function requireDatabase(value: unknown, what: string): Database {
  if (isDatabase(value)) return value;
  throw new ValidationError(`${what} is not a database, as libsql(…) makes one`);
}
