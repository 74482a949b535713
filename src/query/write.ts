/**
 * The UPDATE and DELETE builders: many rows by a condition, past the unit of work. Use the session's instances for what a
 * commit can write with everything else.
 *
 * @module
 */
import { UnsupportedError, ValidationError } from "../errors.ts";
import type { MappedColumn, Mapper } from "../model/mapper.ts";
import type { Assign, Where } from "../model/query_types.ts";
import type { ColumnsOf, Entity } from "../model/types.ts";
import { columnNames } from "../sql/ddl.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { SqlValue, Statement } from "../sql/statement.ts";
import { inOrder, settable, writeSet } from "./assignments.ts";
import { parseReturning, type Returning } from "./returning.ts";
import { requireCount } from "./select_node.ts";
import { columnList, columnTuple, type QueryContext, tableName, writeWhere } from "./where.ts";
import type { WriteWork } from "./write_work.ts";

/** What an UPDATE or a DELETE is made of. */
export interface WriteNode {
  readonly kind: "update" | "delete";
  readonly mapper: Mapper;
  readonly where: readonly unknown[];
  readonly limit: number | null;
  /** What an UPDATE sets, by property. */
  readonly values: Readonly<Record<string, unknown>>;
  /** What it gives back; null for how many rows it wrote, and no more. */
  readonly returning: Returning | null;
}

/** An UPDATE of rows of one model; immutable. @template T The model's instances. @template R What it gives back. */
export class UpdateStatement<T extends Entity, R = never> {
  /** @internal */
  readonly node: WriteNode;
  /** @internal */
  readonly work: WriteWork<WriteNode>;
  /**
   * The types, for the compiler only.
   *
   * @internal
   */
  declare readonly _types?: (value: T) => R;

  /** @internal */
  constructor(node: WriteNode, work: WriteWork<WriteNode>) {
    this.node = node;
    this.work = work;
  }

  /**
   * Sets properties, each to a value or to an SQL expression over the row as it was; called again, more of them. A version
   * column counts up and `onUpdate` columns get their value by themselves.
   */
  set(values: Assign<T>): UpdateStatement<T, R> {
    return new UpdateStatement({ ...this.node, values: { ...this.node.values, ...values } }, this.work);
  }
  /** Adds a condition; several must all hold. Without any, every row is written. */
  where(condition: Where<T>): UpdateStatement<T, R> {
    return new UpdateStatement({ ...this.node, where: [...this.node.where, condition] }, this.work);
  }
  /**
   * At most so many rows, those with the lowest primary keys. Refused with an `UnsupportedError`, when it is run, where the
   * database has no such thing (PostgreSQL, SQLite).
   */
  limit(count: number): UpdateStatement<T, R> {
    return new UpdateStatement({ ...this.node, limit: requireCount("limit", count) }, this.work);
  }
  /** Gives back the instances of the rows that were written. */
  returning(): UpdateStatement<T, T>;
  /** Gives back plain objects of these properties, with the values after the update. */
  returning<const K extends keyof ColumnsOf<T> & keyof T & string>(
    properties: readonly K[],
  ): UpdateStatement<T, Pick<T, K>>;
  returning(properties?: readonly string[]): UpdateStatement<T, unknown> {
    const returning = properties === undefined ? "instances" : parseReturning(this.node.mapper, properties);
    return new UpdateStatement({ ...this.node, returning }, this.work);
  }
}

/** A DELETE of rows of one model; immutable. @template T The model's instances. @template R What it gives back. */
export class DeleteStatement<T extends Entity, R = never> {
  /** @internal */
  readonly node: WriteNode;
  /** @internal */
  readonly work: WriteWork<WriteNode>;
  /**
   * The types, for the compiler only.
   *
   * @internal
   */
  declare readonly _types?: (value: T) => R;

  /** @internal */
  constructor(node: WriteNode, work: WriteWork<WriteNode>) {
    this.node = node;
    this.work = work;
  }

  /** Adds a condition; several must all hold. Without any, every row is deleted. */
  where(condition: Where<T>): DeleteStatement<T, R> {
    return new DeleteStatement({ ...this.node, where: [...this.node.where, condition] }, this.work);
  }
  /** At most so many rows, as of an update. */
  limit(count: number): DeleteStatement<T, R> {
    return new DeleteStatement({ ...this.node, limit: requireCount("limit", count) }, this.work);
  }
  /** Gives back plain objects of these properties of the rows that were deleted. */
  returning<const K extends keyof ColumnsOf<T> & keyof T & string>(
    properties: readonly K[],
  ): DeleteStatement<T, Pick<T, K>> {
    return new DeleteStatement({ ...this.node, returning: parseReturning(this.node.mapper, properties) }, this.work);
  }
}

/** The start of one: of every row. */
export function writeNode(kind: WriteNode["kind"], mapper: Mapper): WriteNode {
  return { kind, mapper, where: [], limit: null, values: {}, returning: null };
}

/** An UPDATE or a DELETE in the making: its parts, and the values bound so far. */
export interface WriteDraft {
  readonly head: string;
  /** Its WHERE clause; "" without conditions. */
  readonly where: string;
  readonly params: readonly SqlValue[];
  /** The columns that it sets, or whose values follow from it. */
  readonly written: readonly MappedColumn[];
}

/** Writes a node. Throws a ValidationError for what it cannot mean, an UnsupportedError for a limit where there is none. */
export function draftWrite(node: WriteNode, dialect: Dialect): WriteDraft {
  const { mapper, kind } = node;
  const params: SqlValue[] = [];
  const context: QueryContext = { dialect, mapper, params };
  const table = tableName(dialect, mapper);
  if (node.limit !== null && !dialect.limitsWrites) {
    throw new UnsupportedError(
      `${dialect.name} has no limit for ${kind === "update" ? "UPDATE" : "DELETE"}; say which rows with where()`,
    );
  }
  const { sets, written } = kind === "update" ? writeSets(node, context) : { sets: [], written: [] };
  const head = kind === "update" ? `UPDATE ${table} SET ${sets.join(", ")}` : `DELETE FROM ${table}`;
  const where = writeWhere(node.where, context);
  return { head, where, params, written };
}

function writeSets({ mapper, values }: WriteNode, context: QueryContext): {
  readonly sets: readonly string[];
  readonly written: readonly MappedColumn[];
} {
  const given = Object.entries(values);
  if (given.length === 0) {
    throw new ValidationError(`update(${mapper.model}) has nothing to set; give it values with set()`);
  }
  const assigned = inOrder(
    given.map(([property, value]) => [settable(mapper, property, "set()"), value] as const),
    context.dialect,
  );
  const written = assigned.map(([column]) => column);
  const sets = assigned.map(([column, value]) => writeSet(column, value, context));
  for (const column of mapper.columns) {
    if (column.onUpdate === null || written.includes(column)) continue;
    sets.push(writeSet(column, column.onUpdate(), context));
    written.push(column);
  }
  if (mapper.version !== null) {
    const name = context.dialect.quote(mapper.version.name);
    sets.push(`${name} = ${name} + 1`);
    written.push(mapper.version);
  }
  return { sets, written: [...written, ...mapper.generated] };
}

/** The statement, with what returns columns of the rows that it wrote. */
export function toWrite(
  { head, where, params }: WriteDraft,
  { mapper, limit }: WriteNode,
  returned: readonly MappedColumn[],
  dialect: Dialect,
): Statement {
  const bound = [...params];
  const tail = lowest(mapper, limit, dialect, bound);
  const returning = returned.length === 0 ? "" : ` RETURNING ${columnNames(returned, dialect)}`;
  return { sql: head + where + tail + returning, params: bound };
}

/** The statement, of those rows alone that have these keys; how many they are is the limit. */
export function toWriteOf(
  { head, where, params }: WriteDraft,
  { mapper }: WriteNode,
  keys: readonly (readonly SqlValue[])[],
  dialect: Dialect,
): Statement {
  const bound = [...params];
  const test = `${columnTuple(dialect, mapper, mapper.key)} IN ${dialect.inList(mapper.key, keys, bound)}`;
  return { sql: `${head}${where}${where === "" ? " WHERE" : " AND"} ${test}`, params: bound };
}

/** A SELECT of columns of the rows that a node is about, locked; of those alone that have these keys, where keys are given. */
export function toTargets(
  { mapper, where: conditions, limit }: WriteNode,
  columns: readonly MappedColumn[],
  keys: readonly (readonly SqlValue[])[] | null,
  dialect: Dialect,
): Statement {
  const params: SqlValue[] = [];
  let where = writeWhere(conditions, { dialect, mapper, params });
  if (keys !== null) {
    const test = `${columnTuple(dialect, mapper, mapper.key)} IN ${dialect.inList(mapper.key, keys, params)}`;
    where += `${where === "" ? " WHERE" : " AND"} ${test}`;
  }
  const tail = lowest(mapper, limit, dialect, params);
  const lock = dialect.lock?.({ mode: "update" }) ?? "";
  const names = columnList(dialect, mapper, columns);
  return { sql: `SELECT ${names} FROM ${tableName(dialect, mapper)}${where}${tail}${lock}`, params };
}

/** The rows with the lowest keys, at most so many; "" for all of them. */
function lowest(mapper: Mapper, limit: number | null, dialect: Dialect, params: SqlValue[]): string {
  if (limit === null) return "";
  const order = columnList(dialect, mapper, mapper.key);
  return ` ORDER BY ${order}${dialect.limit(limit, null, params)}`;
}
