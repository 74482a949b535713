/**
 * What Ledge uses of a D1 binding of Cloudflare's Workers, written as structural types, so that no package of theirs is
 * needed.
 *
 * @module
 */

/** A value as D1 takes it: no bigint, no boolean. */
export type D1Value = null | string | number | Uint8Array;

/** What a statement gave back, as D1 tells it: rows by column name. */
export interface D1Result {
  /** The rows; of columns with the same name only the last is there. */
  readonly results?: readonly Readonly<Record<string, unknown>>[];
  /** How it went. */
  readonly meta: D1Meta;
}

/** How a statement went. */
export interface D1Meta {
  /** How many rows were written, those that triggers and cascades wrote among them. */
  readonly changes?: number;
  /** The rowid of the row inserted last, by whatever statement. */
  readonly last_row_id?: number;
}

/** A statement of D1. */
export interface D1Statement {
  /** The statement with its values. */
  bind(...values: D1Value[]): D1Statement;
  /** Runs it: the names of the columns, then the rows as arrays. */
  raw(options: { columnNames: true }): Promise<unknown[][]>;
}

/** A binding of a Worker (`env.DB`), or a session of one (`env.DB.withSession()`). */
export interface D1Binding {
  /** Makes a statement; sends nothing. */
  prepare(sql: string): D1Statement;
  /** Runs statements in one transaction, in one request. */
  batch(statements: D1Statement[]): Promise<D1Result[]>;
}

/**
 * Whether a value looks like a D1 binding or a session of one. Their methods may be a prototype's or a proxy's: they
 * are called, never taken off.
 */
export function isBinding(value: unknown): value is D1Binding {
  if (typeof value !== "object" && typeof value !== "function" || value === null) return false;
  const { prepare, batch } = value as Partial<Record<keyof D1Binding, unknown>>;
  return typeof prepare === "function" && typeof batch === "function";
}
