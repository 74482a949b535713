/**
 * The INSERT builder, with what is to happen where a row is there already (upsert). It writes at once, past the unit of
 * work: use `session.add()` for what a commit can write with everything else.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import { checkKind } from "../model/family.ts";
import type { MappedColumn, Mapper } from "../model/mapper.ts";
import type { Assign } from "../model/query_types.ts";
import type { ColumnsOf, Entity, Insert } from "../model/types.ts";
import { columnName as propertyName } from "../sql/codecs.ts";
import { columnNames } from "../sql/ddl.ts";
import type { Dialect } from "../sql/dialect.ts";
import { isObject } from "../sql/object.ts";
import type { SqlValue, Statement } from "../sql/statement.ts";
import { encodeCell, inOrder, settable, writeSet } from "./assignments.ts";
import { parseReturning, type Returning } from "./returning.ts";
import { tableName } from "./where.ts";
import type { WriteWork } from "./write_work.ts";

/** What to do with a row whose unique or primary key is taken. */
export interface OnConflict<T> {
  /** The properties of the key that may be taken. */
  readonly target: readonly (keyof ColumnsOf<T> & string)[];
  /**
   * What to set on the row that is there: properties, which take the values of the new row, or an object of values and
   * SQL expressions (in which both rows are known, as the table's name and as `excluded`). Left out, the row stays as it is
   * and is not returned. A version column counts up by itself.
   */
  readonly update?: readonly (keyof ColumnsOf<T> & string)[] | Assign<T>;
}

/** What an insert is made of. */
export interface InsertNode {
  readonly mapper: Mapper;
  readonly rows: readonly object[];
  readonly conflict: OnConflict<unknown> | null;
  /** What it gives back. */
  readonly returning: Returning;
}

/** An INSERT of rows of one model; immutable. @template T The model's instances. @template R What it gives back. */
export class InsertStatement<T extends Entity, R = T> {
  /** @internal */
  readonly node: InsertNode;
  /** @internal */
  readonly work: WriteWork<InsertNode>;
  /**
   * The types, for the compiler only.
   *
   * @internal
   */
  declare readonly _types?: (value: T) => R;

  /** @internal */
  constructor(node: InsertNode, work: WriteWork<InsertNode>) {
    this.node = node;
    this.work = work;
  }

  /** Adds rows, each as the model's constructor takes it. */
  values(rows: Insert<ColumnsOf<T>> | readonly Insert<ColumnsOf<T>>[]): InsertStatement<T, R> {
    const more = (Array.isArray(rows) ? rows : [rows]) as readonly object[];
    return new InsertStatement({ ...this.node, rows: [...this.node.rows, ...more] }, this.work);
  }

  /** Says what to do where a key is taken. */
  onConflict(conflict: OnConflict<T>): InsertStatement<T, R> {
    return new InsertStatement({ ...this.node, conflict: conflict as unknown as OnConflict<unknown> }, this.work);
  }

  /**
   * Gives back plain objects of these properties instead of instances: nothing is loaded into the session. Of none,
   * `returning([])`: how many rows were written, and no more.
   */
  returning<const K extends keyof ColumnsOf<T> & keyof T & string>(
    properties: readonly K[],
  ): InsertStatement<T, Pick<T, K>> {
    return new InsertStatement({ ...this.node, returning: parseReturning(this.node.mapper, properties) }, this.work);
  }
}

/** The start of one: no rows. */
export function insertNode(mapper: Mapper): InsertNode {
  return { mapper, rows: [], conflict: null, returning: "instances" };
}

/** The rows of an insert, encoded: the columns that some row gives, and a value for each. */
export interface InsertRows {
  readonly columns: readonly MappedColumn[];
  readonly rows: readonly (readonly SqlValue[])[];
}

/** Encodes the rows of an insert, defaults included. */
export function insertRows({ mapper, rows }: InsertNode, dialect: Dialect): InsertRows {
  if (rows.length === 0) throw new ValidationError(`insert(${mapper.model}) has no rows; give it some with values()`);
  const given = rows.map((row) => cellsOf(mapper, row, dialect));
  const { identity } = mapper;
  if (dialect.zeroMakesKey && identity !== null && given.some((cells) => Number(cells.get(identity) ?? 1) === 0)) {
    throw new ValidationError(
      `The key ${mapper.model}.${identity.property} of a new row is 0, in place of which the database makes another; ` +
        "leave it out, or give another",
    );
  }
  const columns = mapper.columns.filter((column) => given.some((cells) => cells.has(column)));
  const values = given.map((cells) => columns.map((column) => cells.has(column) ? cells.get(column)! : absent(column)));
  return { columns, rows: values };
}

/** The statement of an insert, without what returns its rows. */
export function toInsert(node: InsertNode, given: InsertRows, dialect: Dialect): Statement {
  const { mapper, conflict } = node;
  const params: SqlValue[] = [];
  const values = given.rows.map((row) => {
    const placeholders = row.map((value) => {
      params.push(value);
      return dialect.placeholder(params.length);
    });
    return `(${placeholders.join(", ")})`;
  });
  const into = given.columns.length === 0
    ? "DEFAULT VALUES"
    : `(${columnNames(given.columns, dialect)}) VALUES ${values.join(", ")}`;
  if (given.columns.length === 0 && values.length > 1) {
    throw new ValidationError(`insert(${mapper.model}) takes one row at a time when no row gives any value`);
  }
  const clause = conflict === null ? "" : conflictClause(mapper, conflict, dialect, params);
  if (params.length > dialect.maxParameters) {
    throw new ValidationError(
      `insert(${mapper.model}) has ${params.length} values, and a statement takes ${dialect.maxParameters}; insert fewer rows at once`,
    );
  }
  return { sql: `INSERT INTO ${tableName(dialect, mapper)} ${into}${clause}`, params };
}

/** The columns of the key that may be taken. Throws a ValidationError where there are none. */
export function conflictTarget(mapper: Mapper, { target }: OnConflict<unknown>): readonly MappedColumn[] {
  if (!Array.isArray(target) || target.length === 0) {
    throw new ValidationError(`onConflict() of ${mapper.model} needs the properties of a unique key as its target`);
  }
  return (target as readonly string[]).map((property) => mapper.column(property, "find a conflict by"));
}

/** The columns of a row that is there already which an upsert writes, or whose values follow from those. */
export function conflictColumns({ mapper, conflict }: InsertNode): readonly MappedColumn[] {
  const { update } = (conflict ?? {}) as { update?: readonly string[] | object };
  if (update === undefined) return [];
  const written = (Array.isArray(update) ? update as readonly string[] : Object.keys(update)).map((property) =>
    mapper.column(property, "update")
  );
  return [...written, ...(mapper.version === null ? [] : [mapper.version]), ...mapper.generated];
}

/** The encoded values of a row, defaults included. */
function cellsOf(mapper: Mapper, row: object, dialect: Dialect): Map<MappedColumn, SqlValue> {
  const cells = new Map<MappedColumn, SqlValue>();
  const set = (column: MappedColumn, value: unknown): void => {
    cells.set(column, encodeCell(column, value, { mapper, dialect }));
  };
  for (const [property, value] of Object.entries(row)) {
    const column = mapper.column(property, "insert");
    if (column.generated !== null) {
      throw new ValidationError(`Cannot insert ${mapper.model}.${property}: the database computes it`);
    }
    set(column, value);
  }
  const { discriminator } = mapper;
  if (discriminator !== null) {
    checkKind(mapper.class, (row as Record<string, unknown>)[discriminator.property], `insert(${mapper.model})`);
  }
  for (const column of mapper.columns) {
    if (cells.has(column)) continue;
    if (column.makeDefault !== null) set(column, column.makeDefault());
    else if (column.version) set(column, 1);
  }
  return cells;
}

function absent(column: MappedColumn): null {
  if (column.nullable && column.serverDefault === null) return null;
  throw new ValidationError(
    `${propertyName(column)} is given by some rows only; give it in each, or insert apart`,
  );
}

function conflictClause(mapper: Mapper, conflict: OnConflict<unknown>, dialect: Dialect, params: SqlValue[]): string {
  const { update } = conflict as { update?: readonly string[] | object };
  const columns = conflictTarget(mapper, conflict).map((column) => dialect.quote(column.name));
  if (update === undefined) return dialect.onConflict(columns, null);
  if (!isObject(update)) {
    throw new ValidationError(`onConflict() of ${mapper.model} takes its update as properties or an object of values`);
  }
  const context = { mapper, dialect, params };
  const sets = Array.isArray(update)
    ? (update as readonly string[]).map((property) => {
      const name = dialect.quote(settable(mapper, property, "onConflict()").name);
      return `${name} = ${dialect.excluded(name)}`;
    })
    : inOrder(
      Object.entries(update).map(([property, value]) => [settable(mapper, property, "onConflict()"), value] as const),
      dialect,
    ).map(([column, value]) => writeSet(column, value, context));
  if (sets.length === 0) {
    throw new ValidationError(`onConflict() of ${mapper.model} has nothing to update; leave update out`);
  }
  if (mapper.version !== null) {
    const version = dialect.quote(mapper.version.name);
    sets.push(`${version} = ${tableName(dialect, mapper)}.${version} + 1`);
  }
  return dialect.onConflict(columns, sets);
}
