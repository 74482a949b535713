/**
 * From plain values to rows to write, without an identity map: encoded, defaults filled in, nothing ordered yet. Says
 * which row is wrong when one is.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import { checkKind } from "../model/family.ts";
import type { MappedColumn, Mapper } from "../model/mapper.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { SqlValue } from "../sql/statement.ts";
import type { Cell, KeyRef } from "../sql/step.ts";
import { Sql } from "../sql/tag.ts";
import { type KeyToken, keyToken, showKey } from "../state/key.ts";
import { RowChange } from "../unit_of_work/row_change.ts";

type Values = Readonly<Record<string, unknown>>;

/** A row to write, and the values that it will hold as far as the client knows them. */
export interface BulkRow {
  readonly change: RowChange;
  readonly values: Record<string, unknown>;
}

/** What the rows of one call and one model have in common. */
export interface RowContext {
  readonly mapper: Mapper;
  readonly dialect: Dialect;
  /** What is being done, for messages: `bulkInsert(Book)`. */
  readonly what: string;
  /** Whether a null is written; otherwise it is as if it had not been given. */
  readonly renderNulls: boolean;
  /**
   * The columns that the database makes and the caller wants back; null when nothing is wanted. Shared by the rows, and
   * grown by each, so that all of them fit into the same statements.
   */
  readonly wanted: MappedColumn[] | null;
  /** The keys of rows that are updated. */
  readonly updated: Map<KeyToken, number>;
}

/** What every row of a call begins with. */
export function rowContext(
  mapper: Mapper,
  dialect: Dialect,
  what: string,
  { renderNulls = true, returnDefaults = false }: { renderNulls?: boolean; returnDefaults?: boolean },
): RowContext {
  return { mapper, dialect, what, renderNulls, wanted: returnDefaults ? [] : null, updated: new Map() };
}

/** A row to insert. `position` is its place in the call, for messages. */
export function insertRow(context: RowContext, given: Values, position: number): BulkRow {
  const { mapper, renderNulls } = context;
  const cells: Cell[] = new Array(mapper.columns.length);
  const values: Record<string, unknown> = {};
  let made: KeyRef | null = null;
  checkDiscriminator(context, given, position);
  for (const column of mapper.columns) {
    const { property, index, serverDefault } = column;
    if (column.generated !== null) {
      want(context, column);
      continue;
    }
    let value = given[property];
    if (value === null && !renderNulls && column.type.name !== "json") value = undefined;
    if (value === undefined && column.makeDefault !== null) value = column.makeDefault();
    if (value === undefined && column.version) value = 1;
    if (value === undefined && mapper.key.length === 1 && column.primaryKey) {
      if (column.type.name !== "identity" && serverDefault === null) missing(context, column, position);
      // A negative ordinal until the order of the rows is final.
      made = { table: mapper, ordinal: -1 };
      continue;
    }
    if (value === undefined && serverDefault !== null) {
      want(context, column);
      continue;
    }
    if (value === undefined && !column.nullable) missing(context, column, position);
    cells[index] = encode(context, column, value ?? null, position);
    values[property] = value ?? null;
  }
  return { change: bulkRow(context, "insert", { cells, made }), values };
}

/**
 * A row to update: its key says which, the rest what it will hold. A version, where it is given, is what the row must be at.
 */
export function updateRow(context: RowContext, given: Values, position: number): BulkRow {
  const { mapper, updated } = context;
  const cells: Cell[] = new Array(mapper.columns.length);
  const values: Record<string, unknown> = {};
  const key = mapper.key.map((column): SqlValue => {
    const value = given[column.property];
    if (value === undefined || value === null) missing(context, column, position);
    return encode(context, column, value, position) as SqlValue;
  });
  const token = keyToken(key)!;
  const twin = updated.get(token);
  if (twin !== undefined) {
    throw new ValidationError(
      `${context.what} was given the key ${showKey(key)} twice, in rows ${twin} and ${position}; make one row of them`,
    );
  }
  updated.set(token, position);
  let version: SqlValue | undefined;
  for (const column of mapper.columns) {
    const { property, index } = column;
    if (column.primaryKey) continue;
    if (column.generated !== null) {
      want(context, column);
      continue;
    }
    let value = given[property];
    if (column.version) {
      if (value === undefined) continue;
      version = encode(context, column, value, position) as SqlValue;
      values[property] = Number(value) + 1;
      continue;
    }
    if (value === undefined && column.onUpdate !== null) value = column.onUpdate();
    if (value === undefined) continue;
    cells[index] = encode(context, column, value, position);
    values[property] = value;
  }
  return { change: bulkRow(context, "update", { cells, key, version }), values };
}

/** Refuses what is no row and properties that are no columns, or that the database computes. */
export function checkRow({ mapper, what }: RowContext, row: unknown, position: number): asserts row is Values {
  if (typeof row !== "object" || row === null || Array.isArray(row)) {
    throw new ValidationError(`${what} needs an object of values for row ${position}`);
  }
  for (const [property, value] of Object.entries(row)) {
    const { generated } = mapper.column(property, `write, in row ${position} of ${what}`);
    const name = `${mapper.model}.${property} of row ${position} of ${what}`;
    if (generated !== null) throw new ValidationError(`${name} is computed by the database; leave it out`);
    if (value === undefined) throw new ValidationError(`${name} is undefined; leave it out, or use null`);
  }
}

function bulkRow(
  { mapper, wanted }: RowContext,
  kind: "insert" | "update",
  row: Pick<RowChange, "cells"> & Partial<Pick<RowChange, "key" | "version" | "made">>,
): RowChange {
  const change = new RowChange(kind, mapper, null, row.cells, row.key);
  change.version = row.version;
  change.made = row.made ?? null;
  change.bump = kind === "update" && mapper.version !== null;
  change.checked = true;
  change.returning = wanted ?? [];
  return change;
}

/** Remembers a column that the database makes, where the caller wants it back. */
function want({ wanted }: RowContext, column: MappedColumn): void {
  if (wanted !== null && !wanted.includes(column)) wanted.push(column);
}

function encode(context: RowContext, column: MappedColumn, value: unknown, position: number): Cell {
  const { mapper, dialect } = context;
  if (value instanceof Sql) {
    if (column.primaryKey || column.version) {
      throw new ValidationError(
        `${name(context, column, position)} must be a value, not SQL: rows are told apart by it`,
      );
    }
    want(context, column);
    return value;
  }
  if (value === null && column.nullable) return null;
  if (value === null && column.type.name !== "json") {
    throw new ValidationError(`${name(context, column, position)} must not be null`);
  }
  return mapper.codecs(dialect)[column.index]!.encode(value, column);
}

function checkDiscriminator({ mapper, what }: RowContext, given: Values, position: number): void {
  const { discriminator } = mapper;
  if (discriminator === null) return;
  checkKind(mapper.class, given[discriminator.property], `Row ${position} of ${what}`);
}

function name({ mapper, what }: RowContext, { property }: MappedColumn, position: number): string {
  return `${mapper.model}.${property} of row ${position} of ${what}`;
}

function missing(context: RowContext, column: MappedColumn, position: number): never {
  const { relations } = context.mapper;
  const relation = relations.find(({ kind, local }) => kind === "belongsTo" && local.includes(column));
  const hint = relation === undefined ? "" : `: bulk writes follow no relations, so ${relation.name} does not give it`;
  throw new ValidationError(`${name(context, column, position)} has no value${hint}`);
}
