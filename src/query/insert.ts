/**
 * The INSERT builder, with what is to happen where a row is there already (upsert). It writes at once, past the unit of
 * work: use `session.add()` for what a commit can write with everything else.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import type { Declared } from "../model/declared.ts";
import { type MappedColumn, type Mapper, mapperOf } from "../model/mapper.ts";
import type { Assign } from "../model/query_types.ts";
import type { AnyModel, ColumnsOf, Entity, Insert } from "../model/types.ts";
import { columnNames } from "../sql/ddl.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { SqlValue, Statement } from "../sql/statement.ts";
import { Sql, writeSql } from "../sql/tag.ts";
import { tableName } from "./where.ts";

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
}

/** An INSERT of rows of one model; immutable. @template T The model's instances. */
export class InsertStatement<T extends Entity> {
  /** @internal */
  readonly node: InsertNode;

  /** @internal */
  constructor(node: InsertNode) {
    this.node = node;
  }

  /** Adds rows, each as the model's constructor takes it. */
  values(rows: Insert<ColumnsOf<T>> | readonly Insert<ColumnsOf<T>>[]): InsertStatement<T> {
    const more = (Array.isArray(rows) ? rows : [rows]) as readonly object[];
    return new InsertStatement({ ...this.node, rows: [...this.node.rows, ...more] });
  }

  /** Says what to do where a key is taken. */
  onConflict(conflict: OnConflict<T>): InsertStatement<T> {
    return new InsertStatement({ ...this.node, conflict: conflict as unknown as OnConflict<unknown> });
  }
}

/**
 * An INSERT, to be given to `session.execute`, which gives the instances of the rows that were inserted or updated; those
 * that are loaded are brought up to date.
 *
 * @example
 * ```ts
 * import { createAll, insert, model, Session, sql, t } from "@ledge/session";
 * import { libsql } from "@ledge/session/libsql/local";
 * import { assertEquals } from "@std/assert";
 *
 * class Page extends model("pages", { path: t.text().primaryKey(), visits: t.integer().default(1) }) {}
 * const db = libsql({ url: ":memory:" });
 * await createAll(db, [Page]);
 * await using session = new Session({ bind: db });
 * const visit = insert(Page).values({ path: "/" })
 *   .onConflict({ target: ["path"], update: { visits: sql`pages.visits + 1` } });
 * await session.execute(visit);
 * const result = await session.execute(visit);
 * assertEquals(result.one().visits, 2);
 * await session.commit();
 * ```
 */
export function insert<M extends AnyModel>(model: M & Declared<M>): InsertStatement<InstanceType<M>> {
  return new InsertStatement({ mapper: mapperOf(model), rows: [], conflict: null });
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

/** The encoded values of a row, defaults included. */
function cellsOf(mapper: Mapper, row: object, dialect: Dialect): Map<MappedColumn, SqlValue> {
  const codecs = mapper.codecs(dialect);
  const cells = new Map<MappedColumn, SqlValue>();
  const set = (column: MappedColumn, value: unknown): void => {
    cells.set(column, encode(column, value, (given) => codecs[column.index]!.encode(given, column)));
  };
  for (const [property, value] of Object.entries(row)) {
    const column = mapper.column(property, "insert");
    if (column.generated !== null) {
      throw new ValidationError(`Cannot insert ${mapper.model}.${property}: the database computes it`);
    }
    set(column, value);
  }
  for (const column of mapper.columns) {
    if (cells.has(column)) continue;
    if (column.makeDefault !== null) set(column, column.makeDefault());
    else if (column.version) set(column, 1);
  }
  return cells;
}

function encode(column: MappedColumn, value: unknown, codec: (value: unknown) => SqlValue): SqlValue {
  const name = `${column.model}.${column.property}`;
  if (value === undefined) throw new ValidationError(`Cannot insert undefined into ${name}; leave it out, or use null`);
  if (value !== null || column.type.name === "json" && !column.nullable) return codec(value);
  if (column.nullable) return null;
  throw new ValidationError(`${name} must not be null`);
}

function absent(column: MappedColumn): null {
  if (column.nullable && column.serverDefault === null) return null;
  throw new ValidationError(
    `${column.model}.${column.property} is given by some rows only; give it in each, or insert apart`,
  );
}

function conflictClause(mapper: Mapper, conflict: OnConflict<unknown>, dialect: Dialect, params: SqlValue[]): string {
  const { update } = conflict as { update?: readonly string[] | object };
  const columns = conflictTarget(mapper, conflict).map((column) => dialect.quote(column.name));
  if (update === undefined) return dialect.onConflict(columns, null);
  const sets = Array.isArray(update)
    ? (update as readonly string[]).map((property) => {
      const name = dialect.quote(settable(mapper, property).name);
      return `${name} = ${dialect.excluded(name)}`;
    })
    : Object.entries(update).map(([property, value]) => {
      const column = settable(mapper, property);
      const name = dialect.quote(column.name);
      if (value instanceof Sql) return `${name} = (${writeSql(value, dialect, params)})`;
      params.push(encode(column, value, (given) => mapper.codecs(dialect)[column.index]!.encode(given, column)));
      return `${name} = ${dialect.placeholder(params.length)}`;
    });
  if (sets.length === 0) {
    throw new ValidationError(`onConflict() of ${mapper.model} has nothing to update; leave update out`);
  }
  if (mapper.version !== null) {
    const version = dialect.quote(mapper.version.name);
    sets.push(`${version} = ${tableName(dialect, mapper)}.${version} + 1`);
  }
  return dialect.onConflict(columns, sets);
}

function settable(mapper: Mapper, property: string): MappedColumn {
  const column = mapper.column(property, "update");
  if (column.generated === null && !column.version && !column.primaryKey) return column;
  throw new ValidationError(
    `onConflict() cannot update ${mapper.model}.${property}: keys, versions and generated columns are not set`,
  );
}
