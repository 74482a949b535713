/**
 * Snapshots: what a column held when it was last known to agree with the database, as a token that later changes to
 * the instance cannot reach. Scalars are their own token and cost nothing; a Date is kept as its time, JSON as its
 * text, bytes as a copy.
 *
 * @module
 */
import type { MappedColumn, ValueKind } from "../model/mapper.ts";
import { isBytes, isDate } from "../sql/codecs.ts";

/** The token of a column whose value is not known: it was expired, or the server made it and has not said. */
export const UNKNOWN: unique symbol = /* @__PURE__ */ Symbol("unknown");

/** The token of a value that its column cannot hold, which the next flush refuses: equal to nothing. */
const UNFIT = NaN;

/** What stands in a snapshot for a value. */
export type Token =
  | string
  | number
  | bigint
  | boolean
  | Uint8Array
  | readonly unknown[]
  | null
  | undefined
  | typeof UNKNOWN;

/** The token of a value. */
export function tokenOf(kind: ValueKind, value: unknown): Token {
  if (value === null || value === undefined || kind === "scalar") return value as Token;
  if (kind === "date") return isDate(value) ? value.getTime() : UNFIT;
  if (kind === "json") return jsonText(value);
  if (kind === "array") return Array.isArray(value) ? copyOf(value) : UNFIT;
  return isBytes(value) ? value.slice() : UNFIT;
}

/** The token of a value, given as what it travels too: JSON keeps that text, so that nothing is written again. */
export function tokenOfSent(column: MappedColumn, sent: unknown, value: unknown): Token {
  if (column.kind === "json" && typeof sent === "string" && value !== null) return sent;
  return tokenOf(column.kind, value);
}

/** A value made of a token: what rollback puts back. Dates, JSON and bytes are fresh objects. */
export function valueOf(kind: ValueKind, token: Token): unknown {
  if (token === null || token === undefined || kind === "scalar") return token;
  if (kind === "date") return new Date(token as number);
  if (kind === "json") return JSON.parse(token as string);
  if (kind === "array") return copyOf(token as readonly unknown[]);
  return (token as Uint8Array).slice();
}

/** Whether a value is still what its token says. Cheap for scalars; JSON is compared as text first, then by value. */
export function isSame(kind: ValueKind, token: Token, value: unknown): boolean {
  if (kind === "scalar" || token === null || token === undefined || value === null || value === undefined) {
    return Object.is(token, value);
  }
  if (kind === "date") return isDate(value) && value.getTime() === token;
  if (kind === "bytes") return isBytes(value) && sameBytes(token as Uint8Array, value);
  return kind === "array" ? isSameElement(token, value) : isSameJson(token as string, value);
}

/** A copy of an array that later changes to it cannot reach. */
function copyOf(array: readonly unknown[]): unknown[] {
  return array.map((element) => {
    if (Array.isArray(element)) return copyOf(element);
    if (isDate(element)) return new Date(element.getTime());
    return isBytes(element) ? element.slice() : element;
  });
}

function isSameElement(a: unknown, b: unknown): boolean {
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((element, i) => isSameElement(element, b[i]));
  }
  if (isDate(a)) return isDate(b) && a.getTime() === b.getTime();
  return isBytes(a) ? isBytes(b) && sameBytes(a, b) : Object.is(a, b);
}

function isSameJson(token: string, value: unknown): boolean {
  const text = jsonText(value);
  return text === token || typeof text === "string" && sameJson(JSON.parse(token), JSON.parse(text));
}

function jsonText(value: unknown): string | number {
  try {
    return JSON.stringify(value) ?? UNFIT;
  } catch {
    return UNFIT; // a cycle or a bigint
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function sameJson(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && sameJson(a[key as never], b[key as never]));
}

/** The tokens of the values that an instance holds now, by column index. */
export function snapshotOf(columns: readonly MappedColumn[], instance: object): Token[] {
  return columns.map((column) => tokenOf(column.kind, (instance as Record<string, unknown>)[column.property]));
}
