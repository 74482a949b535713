/**
 * What a driver takes and gives: a statement and a result set. Knows nothing of models or sessions.
 *
 * @module
 */

/**
 * A value as it travels to and from a database. Codecs make these of JavaScript values; integers that are not safe are
 * bigints, dates and JSON are text.
 */
export type SqlValue = string | number | bigint | boolean | Uint8Array | null;

/** One statement with the values of its placeholders, in order. */
export interface Statement {
  /** The text, with the dialect's placeholders. */
  readonly sql: string;
  /** One value a placeholder. */
  readonly params: readonly SqlValue[];
}

/** What one statement gave back. */
export interface ResultSet {
  /** The names of the columns, in order; empty when the statement returns no rows. */
  readonly columns: readonly string[];
  /** The rows, each an array of values in the order of `columns`. Safe integers are numbers, others bigints. */
  readonly rows: readonly (readonly SqlValue[])[];
  /** How many rows the statement inserted, updated or deleted; for a statement that returns rows, how many it returned. */
  readonly rowsAffected: number;
  /** The key that the database made for the last inserted row (MySQL: for the first of several), where the driver tells it. */
  readonly lastInsertId?: number | bigint;
}
