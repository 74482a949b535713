/**
 * What Ledge uses of `@neondatabase/serverless`, written as structural types, so that any version of the driver, and any
 * wrapper around it, can be handed in; npm's `pg` has the same Pool and Client.
 *
 * @module
 */

/** A query function made with `neon()`. */
export interface NeonSql {
  /** Makes a query of a text and its values. */
  query(text: string, params?: never, options?: never): PromiseLike<unknown>;
  /** Runs queries in one transaction and one request. */
  transaction(queries: never, options?: never): Promise<unknown>;
}

/** A connection: a `Client`, or what a `Pool` lends. */
export interface NeonClient {
  /** Connects; once in the life of a client. */
  connect(): Promise<unknown>;
  /** Runs a query, of which only objects with `submit()` are used. */
  query(query: never): unknown;
  /** Closes the connection. */
  end(): Promise<unknown>;
  /** Listens for an error of a connection that is idle, or for its end. */
  on(event: never, listener: never): unknown;
  /** Ends what `on` began. */
  removeListener(event: never, listener: never): unknown;
}

/** A connection that a pool lent. */
export interface NeonPoolClient extends Pick<NeonClient, "query" | "on" | "removeListener"> {
  /** Gives it back, or has it closed. */
  release(destroy?: boolean): void;
}

/** A `Pool`. */
export interface NeonPool {
  /** Lends a connection, to the callback or by a promise. */
  connect(callback: (error: never, client?: never) => void): Promise<NeonPoolClient> | void;
  /** Closes all connections. */
  end(): Promise<unknown>;
  /** How many connections there are. */
  readonly totalCount: number;
}

/** A column of a result. */
export interface Field {
  readonly name: string;
  readonly dataTypeID: number;
}

/** What a statement gave back, its values as the server wrote them. */
export interface RawResult {
  readonly fields: readonly Field[];
  readonly rows: readonly (readonly (string | null)[])[];
  readonly command: string;
  readonly rowCount: number | null;
}

function has(value: unknown, ...methods: readonly string[]): boolean {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  return methods.every((name) => typeof (value as Record<string, unknown>)[name] === "function");
}

/** Whether a value looks like a query function of `neon()`. */
export function isSql(value: unknown): value is NeonSql {
  return typeof value === "function" && has(value, "query", "transaction");
}

/** Whether a value looks like a `Pool`. */
export function isPool(value: unknown): value is NeonPool {
  return has(value, "connect", "query", "end") && typeof (value as NeonPool).totalCount === "number";
}

/** Whether a value looks like a `Client`. */
export function isClient(value: unknown): value is NeonClient {
  return has(value, "connect", "query", "end", "on", "removeListener") && !isPool(value);
}
