/**
 * Identity keys: what a primary key is called in the identity map.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import type { MappedColumn, Mapper } from "../model/mapper.ts";
import { describe, hexOf, isDate } from "../sql/codecs.ts";
import { isObject } from "../sql/object.ts";
import type { InstanceState } from "./instance_state.ts";
import type { ColumnInfo } from "../sql/table.ts";

/** A primary key as a Map's key: equal for equal keys of one model. */
export type KeyToken = string | number | bigint;

/** The part of a key that one value is. */
function part(value: unknown): KeyToken {
  if (typeof value === "string" || typeof value === "number" || typeof value === "bigint") return value;
  if (value instanceof Date) return value.getTime();
  if (value instanceof Uint8Array) return hexOf(value);
  if (typeof value !== "object") return String(value);
  // An array or an object could be taken for another key, or not be text at all ({ toString: 1 }).
  throw new ValidationError(`A key must be made of values that a column can hold, got ${describe(value)}`);
}

/** The token of a key of one column; null when its value is missing. */
export function valueToken(value: unknown): KeyToken | null {
  return value === undefined || value === null ? null : part(value);
}

/** The token of a key's values, in the order of the key's columns; null when one is missing. */
export function keyToken(values: readonly unknown[]): KeyToken | null {
  if (values.length === 1) return valueToken(values[0]);
  const parts: KeyToken[] = [];
  for (const value of values) {
    if (value === undefined || value === null) return null;
    parts.push(part(value));
  }
  return JSON.stringify(parts.map((p) => typeof p === "bigint" ? `${p}n` : p));
}

/** The token of what a row holds in some columns, given by column index; null when one is missing. */
export function tokenIn(cells: readonly unknown[], columns: readonly ColumnInfo[]): KeyToken | null {
  if (columns.length === 1) return valueToken(cells[columns[0]!.index]);
  return keyToken(columns.map(({ index }) => cells[index]));
}

/** The values that an instance holds in some columns. */
export function valuesIn(instance: object, columns: readonly MappedColumn[]): unknown[] {
  return columns.map((column) => (instance as Record<string, unknown>)[column.property]);
}

/** The token of an instance's own primary key; null when it has none yet. */
export function instanceKey(
  { mapper: { key }, instance }: Pick<InstanceState, "mapper" | "instance">,
): KeyToken | null {
  if (key.length > 1) return keyToken(valuesIn(instance, key));
  return valueToken(instance[key[0]!.property]);
}

/**
 * The values of a key given by a caller: a value, a tuple in the order of the key's columns, or `{ property: value }`.
 * Throws a ValidationError when it does not fit.
 */
export function parseKey(mapper: Mapper, key: unknown): unknown[] {
  const { key: columns, model } = mapper;
  const wanted = columns.map((column) => column.property).join(", ");
  const values = tuple(columns, key);
  if (
    values === null || values.length !== columns.length || values.some((value) => value === undefined || value === null)
  ) {
    throw new ValidationError(`The key of ${model} needs a value for ${wanted}`);
  }
  return values;
}

function tuple(columns: readonly MappedColumn[], key: unknown): unknown[] | null {
  if (Array.isArray(key)) return key;
  const plain = isObject(key) && !(key instanceof Date) && !(key instanceof Uint8Array);
  if (!plain) return columns.length === 1 ? [key] : null;
  if (Object.keys(key).length !== columns.length) return null;
  return columns.map(({ property }) =>
    Object.hasOwn(key, property) ? (key as Record<string, unknown>)[property] : undefined
  );
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** A key for a message. Of text only a UUID is shown: another may be an address, or a token that lets somebody in. */
export function showKey(values: readonly unknown[]): string {
  const shown = values.map((value) => {
    if (typeof value === "string") return UUID.test(value) ? `"${value}"` : '"…"';
    return isDate(value) && !Number.isNaN(value.getTime())
      ? value.toISOString()
      : describe(value).replace(/^(?:number|bigint|boolean) /, "");
  });
  return shown.length === 1 ? shown[0]! : `(${shown.join(", ")})`;
}
