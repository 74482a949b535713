/**
 * What Ledge uses of `@planetscale/database`, written as structural types, so that any version of the driver, and any
 * wrapper around it, can be handed in.
 *
 * @module
 */
import { ValidationError } from "../../src/errors.ts";
import { isObject } from "../../src/sql/object.ts";

/** A client made with `new Client()` of `@planetscale/database`. */
export interface PlanetScaleClient {
  /** Makes a connection: a session at the server, begun with its first request. Sends nothing. */
  connection(): object;
  /** Runs one statement in a session of its own. */
  execute(query: never, args?: never, options?: never): Promise<unknown>;
  /** How the client was made; read only to keep its password out of messages. */
  readonly config: object;
}

/** A column of a result, as the server describes it. */
export interface Field {
  readonly name: string;
  /** A type of Vitess: `INT64`, `VARCHAR`, …; "NULL" where there is none. */
  readonly type: string;
  /** The number of a collation; 63 is "binary". */
  readonly charset?: number | null;
}

/** What a statement gave back, as the driver tells it. */
export interface DriverResult {
  readonly fields: readonly Field[];
  readonly rows: readonly (readonly unknown[])[];
  readonly rowsAffected: number;
  readonly insertId: string;
}

/** Makes a value of what the server wrote: its bytes, each as one character, or null. */
export type Cast = (field: Field, value: string | null) => unknown;

/** What the driver gives to a `fetch`. */
export type DriverFetch = (input: string, init?: RequestInit) => Promise<Response>;

/** A connection of the driver. In its types `fetch` and `session` are private, at run time they are plain properties. */
export interface DriverConnection {
  execute(query: string, args: null, options: { readonly as: "array"; readonly cast: Cast }): Promise<DriverResult>;
  /** Opens a session without running anything. */
  refresh(): Promise<void>;
  /** Used for each request of this connection alone. */
  fetch: DriverFetch;
  /** What the server gave to be sent back with the next request; null before the first. */
  readonly session: unknown;
}

/** Whether the session of a connection says that it is in no transaction. One of another make than Vitess's does not tell. */
export function isOutside({ session }: DriverConnection): boolean {
  const { vitessSession } = Object(session) as { vitessSession?: unknown };
  if (!isObject(vitessSession)) return false;
  return (vitessSession as { inTransaction?: unknown }).inTransaction !== true;
}

/** Whether a value looks like a `Client`. */
export function isClient(value: unknown): value is PlanetScaleClient {
  if (!isObject(value)) return false;
  const { connection, execute, config } = value as Partial<Record<keyof PlanetScaleClient, unknown>>;
  return typeof connection === "function" && typeof execute === "function" && typeof config === "object";
}

/**
 * A new connection of a client. Refused where its requests could not be given up one by one, and could be sent twice by
 * Deno's `fetch`: both take its `fetch`, which a connection of the driver has as a property of its own.
 */
export function openConnection(client: PlanetScaleClient): DriverConnection {
  const connection = client.connection() as DriverConnection;
  // One that is used already belongs to somebody else's session.
  if (typeof connection?.fetch === "function" && connection.session === null) return connection;
  throw new ValidationError(
    "planetscale() needs new connections, each with a fetch of its own, as a Client of @planetscale/database 1.20 makes " +
      "them; pass such a Client, or { host, username, password }",
  );
}
