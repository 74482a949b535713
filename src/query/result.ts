/**
 * What a statement gave, with SQLAlchemy's ways of reading it. All rows are there; nothing is sent by reading them.
 *
 * @module
 */
import { MultipleResultsError, NoResultError } from "../errors.ts";
import type { ResultSet, SqlValue } from "../sql/statement.ts";

/** A row of a raw statement: its values by column name. */
export type Row = { readonly [column: string]: SqlValue };

/** Values read one a row. */
export class Scalars<T> implements Iterable<T> {
  readonly #values: readonly T[];
  /** @internal */
  constructor(values: readonly T[]) {
    this.#values = values;
  }
  /** Every value. */
  all(): T[] {
    return [...this.#values];
  }
  /** The first value, or null. */
  first(): T | null {
    return this.#values[0] ?? null;
  }
  /** The only value; throws a `NoResultError` or `MultipleResultsError` when there is none or more than one. */
  one(): T {
    return only(this.#values);
  }
  /** The only value or null; throws a `MultipleResultsError` when there is more than one. */
  oneOrNull(): T | null {
    return atMostOne(this.#values);
  }
  /** Iterates over the values. */
  [Symbol.iterator](): Iterator<T> {
    return this.#values[Symbol.iterator]();
  }
}

/**
 * What a statement gave. The rows of a raw statement are objects of values by column name, those of `select(Model)`
 * are instances.
 *
 * @example
 * ```ts
 * import { Session } from "@ledge/session";
 * import { libsql } from "@ledge/session/libsql/local";
 * import { assertEquals } from "@std/assert";
 *
 * await using session = new Session({ bind: libsql({ url: ":memory:" }) });
 * const result = await session.execute("SELECT 1 AS one, 'x' AS letter");
 * assertEquals(result.all(), [{ one: 1, letter: "x" }]);
 * assertEquals(result.scalarOne(), 1);
 * ```
 */
export class Result<T = Row> implements Iterable<T> {
  readonly #set: ResultSet;
  readonly #instances: readonly T[] | null;
  #rows: readonly T[] | null = null;

  /** @internal */
  constructor(set: ResultSet, instances: readonly T[] | null = null) {
    this.#set = set;
    this.#instances = instances;
  }

  /** The names of the columns, in order. */
  get columns(): readonly string[] {
    return this.#set.columns;
  }
  /** How many rows were inserted, updated or deleted; for a statement that returns rows, how many those are. */
  get rowsAffected(): number {
    return this.#set.rowsAffected;
  }
  /** The key that the database made for the last inserted row, where the driver tells it. */
  get lastInsertId(): number | bigint | null {
    return this.#set.lastInsertId ?? null;
  }
  /** Every row. */
  all(): T[] {
    return [...this.#all()];
  }
  /** The first row, or null. */
  first(): T | null {
    return this.#all()[0] ?? null;
  }
  /** The only row; throws a `NoResultError` or `MultipleResultsError` when there is none or more than one. */
  one(): T {
    return only(this.#all());
  }
  /** The only row or null; throws a `MultipleResultsError` when there is more than one. */
  oneOrNull(): T | null {
    return atMostOne(this.#all());
  }
  /** The first column of each row, or the instances. */
  scalars<V = T extends Row ? SqlValue : T>(): Scalars<V> {
    const values: readonly unknown[] = this.#instances ?? this.#set.rows.map((row) => row[0] ?? null);
    return new Scalars(values as readonly V[]);
  }
  /** The first column of the first row, or null. */
  scalar<V = T extends Row ? SqlValue : T>(): V | null {
    return this.scalars<V>().first();
  }
  /** The first column of the only row; throws like `one()`. */
  scalarOne<V = T extends Row ? SqlValue : T>(): V {
    return this.scalars<V>().one();
  }
  /** Every row as an object of its values by column name, as the database has them. */
  mappings(): Row[] {
    const { columns, rows } = this.#set;
    return rows.map((row) => {
      const mapping: Record<string, SqlValue> = Object.create(null);
      columns.forEach((column, i) => mapping[column] = row[i] ?? null);
      return Object.setPrototypeOf(mapping, Object.prototype);
    });
  }
  /** Iterates over the rows. */
  [Symbol.iterator](): Iterator<T> {
    return this.#all()[Symbol.iterator]();
  }

  #all(): readonly T[] {
    // Without instances a row is what `T` is by default: an object by column name.
    return this.#rows ??= this.#instances ?? this.mappings() as unknown as readonly T[];
  }
}

/** The result of a statement; of one that ran many times: the rows of all runs in order, and how many were written in all. */
export function resultOf(sets: readonly ResultSet[]): Result {
  const last = sets.at(-1)!;
  if (sets.length === 1) return new Result(last);
  const rows = sets.flatMap((set) => set.rows);
  return new Result({ ...last, rows, rowsAffected: sets.reduce((sum, set) => sum + set.rowsAffected, 0) });
}

function only<T>(rows: readonly T[]): T {
  if (rows.length === 0) {
    throw new NoResultError("One row was asked for and none was found; oneOrNull() gives null instead");
  }
  return atMostOne(rows)!;
}

function atMostOne<T>(rows: readonly T[]): T | null {
  if (rows.length > 1) {
    throw new MultipleResultsError("One row was asked for and more were found; first() takes the first");
  }
  return rows[0] ?? null;
}
