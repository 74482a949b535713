/**
 * What Ledge uses of an `@libsql/client` client, written as structural types, so that any version of the driver, and any
 * wrapper around it, can be handed in.
 *
 * @module
 */

import { isObject } from "../../src/sql/object.ts";

/** A value as the driver takes it and gives it. */
export type DriverValue = null | string | number | bigint | ArrayBuffer | Uint8Array;

/** A statement as the driver takes it. */
export interface DriverStatement {
  /** The text, with `?` for each value. */
  sql: string;
  /** One value a placeholder. */
  args: DriverValue[];
}

/** What a statement gave back, as the driver tells it. */
export interface DriverResult {
  /** The names of the columns. */
  readonly columns: readonly string[];
  /** The rows; each has its values under 0, 1, … and its `length`. */
  readonly rows: readonly DriverRow[];
  /** How many rows were written; 0 on `file:` for a statement that returns rows. */
  readonly rowsAffected: number;
  /** The rowid of the last inserted row. */
  readonly lastInsertRowid?: bigint | undefined;
}

/** A row as the driver gives it. */
export interface DriverRow {
  /** How many values the row has. */
  readonly length: number;
  /** The value of a column, by its position. */
  readonly [position: number]: unknown;
}

/** An interactive transaction of the driver. */
export interface DriverTransaction {
  /** Runs one statement. */
  execute(statement: DriverStatement): Promise<DriverResult>;
  /** Runs statements until one fails; not atomic. */
  batch(statements: DriverStatement[]): Promise<DriverResult[]>;
  /** Commits and closes. */
  commit(): Promise<void>;
  /** Rolls back and closes. */
  rollback(): Promise<void>;
  /** Closes without waiting for an answer. */
  close(): void;
  /** Whether it can still be used. */
  readonly closed: boolean;
}

/** A client made with `createClient` of `@libsql/client`, whichever its entry point. */
export interface LibsqlClient {
  /** Runs one statement. */
  execute(statement: DriverStatement): Promise<DriverResult>;
  /** Runs statements in one transaction. */
  batch(statements: DriverStatement[], mode?: "write" | "read" | "deferred"): Promise<DriverResult[]>;
  /** Opens an interactive transaction. */
  transaction(mode?: "write" | "read" | "deferred"): Promise<DriverTransaction>;
  /** Closes the client. */
  close(): void;
  /** "http", "ws" or "file". */
  readonly protocol: string;
}

/** Whether a value looks like a client of `@libsql/client`. */
export function isClient(value: unknown): value is LibsqlClient {
  if (!isObject(value)) return false;
  const client = value as Partial<Record<keyof LibsqlClient, unknown>>;
  return [client.execute, client.batch, client.transaction].every((method) => typeof method === "function");
}
