/**
 * What a statement that writes gives back: instances, or plain rows of some properties.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import type { MappedColumn, Mapper } from "../model/mapper.ts";
import { decode } from "../sql/codecs.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { ResultSet, SqlValue } from "../sql/statement.ts";
import { Result } from "./result.ts";

/** The columns to give back; "instances" for the session's own. */
export type Returning = "instances" | readonly MappedColumn[];

/** Reads the properties to give back. Throws a ValidationError for what is none. */
export function parseReturning(mapper: Mapper, properties: readonly string[]): readonly MappedColumn[] {
  if (!Array.isArray(properties)) {
    throw new ValidationError(`returning() of ${mapper.model} needs an array of properties`);
  }
  return (properties as readonly string[]).map((property) => mapper.column(property, "give back"));
}

/** The columns of lists, each once. */
export function union(...lists: readonly (readonly MappedColumn[])[]): readonly MappedColumn[] {
  return [...new Map(lists.flat().map((column) => [column.name, column])).values()];
}

/** Where each column stands in rows of these. */
export function places(columns: readonly MappedColumn[], within: readonly MappedColumn[]): readonly number[] {
  return columns.map(({ name }) => within.findIndex((one) => one.name === name));
}

/** A result of plain objects by property, their values as an instance would hold them; of no properties: no rows. */
export function plainRows(
  columns: readonly MappedColumn[],
  within: readonly MappedColumn[],
  { rows }: ResultSet,
  rowsAffected: number,
  { mapper, dialect }: { readonly mapper: Mapper; readonly dialect: Dialect },
): Result<unknown> {
  const at = places(columns, within);
  const codecs = mapper.codecs(dialect);
  const decoded = (columns.length === 0 ? [] : rows).map((row) =>
    columns.map((column, i) => decode(codecs[column.index]!, row[at[i]!] ?? null) as SqlValue)
  );
  return new Result<unknown>({ columns: columns.map(({ property }) => property), rows: decoded, rowsAffected });
}
