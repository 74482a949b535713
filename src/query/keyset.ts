/**
 * Keyset pages: what comes after a row, told by the values of its order columns, so that the cost of a page does not grow
 * with what lies before it and rows that come or go elsewhere shift nothing.
 *
 * Values travel as the driver gave them and not as JavaScript has them: a timestamp may hold microseconds, which a Date
 * would cut off, and the same row would come again.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import type { MappedColumn } from "../model/mapper.ts";
import { columnName as propertyName } from "../sql/codecs.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { SqlValue } from "../sql/statement.ts";
import { Sql } from "../sql/tag.ts";
import type { SelectNode } from "./select_node.ts";
import { columnName, type QueryContext } from "./where.ts";

/** A column of a total order. */
export interface KeysetColumn {
  readonly column: MappedColumn;
  readonly descending: boolean;
}

/**
 * The order of a query made total: what it orders by, then what is missing of the primary key. Throws a ValidationError
 * for an order by SQL, of whose values nothing is known.
 */
export function totalOrder({ mapper, order }: SelectNode, doing: string): readonly KeysetColumn[] {
  const columns: KeysetColumn[] = [];
  for (const item of order) {
    if (item instanceof Sql) {
      throw new ValidationError(
        `${doing} of ${mapper.model} goes by the values of columns, and the order holds sql\`…\`; order by columns`,
      );
    }
    if (!columns.some(({ column }) => column === item.column)) columns.push(item);
  }
  for (const column of mapper.key) {
    if (!columns.some((one) => one.column === column)) columns.push({ column, descending: false });
  }
  return columns;
}

/** The values of a row, as it was read, in the columns of an order. */
export function keyOf(order: readonly KeysetColumn[], row: readonly SqlValue[]): readonly SqlValue[] {
  return order.map(({ column }) => row[column.index] ?? null);
}

/**
 * The condition that a row comes after these values. Written out, since row values compare in one direction only; what
 * holds of every such row stands first, so that an index on the first column bounds the search.
 */
export function writeAfter(
  order: readonly KeysetColumn[],
  values: readonly SqlValue[],
  context: QueryContext,
): string {
  const alternatives: string[] = [];
  const first = values[0] ?? null;
  const bound = order.length > 1 && first !== null && !order[0]!.column.nullable
    ? `${compare(order[0]!, "=", first, context)} AND `
    : "";
  for (let i = 0; i < order.length; i++) {
    // The columns before are the same, this one comes later. One after the other: the values are bound in this order.
    const mark = context.params.length;
    const same = order.slice(0, i).map((one, at) => equal(one, values[at] ?? null, context));
    const later = after(order[i]!, values[i] ?? null, context);
    if (later === null) context.params.length = mark;
    else alternatives.push([...same, later].join(" AND "));
  }
  if (alternatives.length === 0) return "1 = 0";
  return `(${bound}(${alternatives.join(" OR ")}))`;
}

function name({ column }: KeysetColumn, { dialect, mapper }: QueryContext): string {
  return columnName(dialect, mapper, column);
}

function bind(value: SqlValue, { dialect, params }: QueryContext): string {
  return dialect.placeholder(params.push(value));
}

function compare(one: KeysetColumn, or: "" | "=", value: SqlValue, context: QueryContext): string {
  return `${name(one, context)} ${one.descending ? "<" : ">"}${or} ${bind(value, context)}`;
}

function equal(one: KeysetColumn, value: SqlValue, context: QueryContext): string {
  return value === null ? `${name(one, context)} IS NULL` : `${name(one, context)} = ${bind(value, context)}`;
}

/** That a column's value comes later; null when nothing does. */
function after(one: KeysetColumn, value: SqlValue, context: QueryContext): string | null {
  const nullsLast = (context.dialect.nullsLast ?? false) !== one.descending;
  if (value === null) return nullsLast ? null : `${name(one, context)} IS NOT NULL`;
  const later = compare(one, "", value, context);
  return one.column.nullable && nullsLast ? `(${later} OR ${name(one, context)} IS NULL)` : later;
}

/**
 * Values as opaque text, to be given to someone and taken back: the version of this form, a mark of the query's order,
 * the values. Not secret: who has it can read the values of the order columns.
 */
export function writeCursor(order: readonly KeysetColumn[], values: readonly SqlValue[]): string {
  const bytes = new TextEncoder().encode(JSON.stringify([1, markOf(order), ...values.map(pack)]));
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * The values of a cursor. Throws a ValidationError for one that was not made by this order of this model: the values must
 * be such as its columns hold. They are bound like any others.
 */
export function readCursor(cursor: unknown, order: readonly KeysetColumn[], dialect: Dialect): readonly SqlValue[] {
  const values = unpackAll(cursor);
  const isOwn = values !== null && values.length === order.length + 2 && values[0] === 1 &&
    values[1] === markOf(order) && order.every(({ column }, i) => fits(column, values[i + 2]!, dialect));
  if (isOwn) return values.slice(2);
  throw new ValidationError(
    `The cursor is none of this order of ${order[0]!.column.model}; give what page() gave with the same orderBy()`,
  );
}

function fits(column: MappedColumn, value: SqlValue, dialect: Dialect): boolean {
  if (value === null) return column.nullable;
  try {
    const codec = dialect.codec(column.type);
    codec.encode(codec.decode(value), column);
    return true;
  } catch {
    return false;
  }
}

/** Tells orders apart (32 bits of FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/); keeps no name in the cursor. */
function markOf(order: readonly KeysetColumn[]): string {
  let hash = 0x811c9dc5;
  for (const { column, descending } of order) {
    for (const char of `${propertyName(column)} ${descending};`) {
      hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193);
    }
  }
  return (hash >>> 0).toString(36);
}

/** A value as JSON can hold it: what it cannot is an object of one property. */
function pack(value: SqlValue): unknown {
  if (typeof value === "bigint") return { n: String(value) };
  if (value instanceof Uint8Array) return { b: Array.from(value) };
  return typeof value === "number" && !Number.isFinite(value) ? { f: String(value) } : value;
}

function unpackAll(cursor: unknown): SqlValue[] | null {
  if (typeof cursor !== "string") return null;
  try {
    const text = atob(cursor.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
    const values: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return Array.isArray(values) ? values.map(unpack) : null;
  } catch {
    return null;
  }
}

function unpack(value: unknown): SqlValue {
  if (value === null || ["string", "number", "boolean"].includes(typeof value)) return value as SqlValue;
  const { n, f, b } = value as { n?: unknown; f?: unknown; b?: unknown };
  if (typeof n === "string" && /^-?\d+$/.test(n)) return BigInt(n);
  if (typeof f === "string") return Number(f);
  if (Array.isArray(b) && b.every((byte) => Number.isInteger(byte) && byte >= 0 && byte < 256)) {
    return Uint8Array.from(b as number[]);
  }
  throw new TypeError("not a value of a cursor");
}
