/**
 * What a value must be to be kept exactly: the checks that the codecs of all dialects share. Each takes the value and
 * its column, returns it with its type known, and throws a ValidationError that names model and property and never
 * shows a value that could be long or secret.
 *
 * @module
 */
import { DataError, ValidationError } from "../errors.ts";
import type { Codec } from "./dialect.ts";
import type { SqlValue } from "./statement.ts";
import type { ColumnInfo, ColumnType } from "./table.ts";

/** The column as messages call it: `Book.title`. */
export function columnName(column: ColumnInfo): string {
  return `${column.model}.${column.property}`;
}

/** The JavaScript value of what came back, NULL included. */
export function decode(codec: Codec, value: SqlValue): unknown {
  return value === null ? null : codec.decode(value);
}

/** The declared type of a column: parameters such as a length are read from it, so that a codec needs no state. */
export function typeOf<N extends ColumnType["name"]>(
  column: ColumnInfo,
  name: N,
): Extract<ColumnType, { name: N }> | null {
  return column.type.name === name ? column.type as Extract<ColumnType, { name: N }> : null;
}

/** What comes back may not be what was declared: the table is not the model's, or others write to it. */
export function unreadable(wanted: string, value: unknown): DataError {
  return new DataError(
    `The database holds ${describe(value)} where ${wanted} was declared; correct the row or the model`,
  );
}

/** Text as it came; numbers, which a column of another type may give, as text. */
export function decodeText(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  throw unreadable("text", value);
}

/** The refusal of a value given for a raw placeholder that SQL cannot hold. */
export function noParameter(what: string, value: unknown): ValidationError {
  const instead = value === undefined
    ? "use null for no value"
    : isArrayBuffer(value)
    ? "pass new Uint8Array(buffer)"
    : typeof value === "object"
    ? "for a json value: pass JSON.stringify(value)"
    : "";
  return refusal(what, "a value that SQL can hold", value, instead);
}

/** What a placeholder is called where it opens a message. */
export function capitalised(what: string): string {
  return what.charAt(0).toUpperCase() + what.slice(1);
}

/** The refusal of a value: `Book.title must be text, got number 3`, with what to do instead. */
export function refusal(what: string, wanted: string, value: unknown, instead = ""): ValidationError {
  return new ValidationError(`${what} must be ${wanted}, got ${describe(value)}${instead && `; ${instead}`}`);
}

/** A value for a message: its kind, and itself only if it is a number, a short bigint or a boolean. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string") return `text of ${value.length} characters`;
  if (typeof value === "bigint") {
    return value < 10n ** 20n && value > -(10n ** 20n) ? `bigint ${value}` : "a long bigint";
  }
  if (typeof value === "number") return `number ${Object.is(value, -0) ? "-0" : value}`;
  if (typeof value === "boolean") return `boolean ${value}`;
  if (typeof value !== "object") return `a ${typeof value}`;
  if (Array.isArray(value)) return "an array";
  if (isDate(value)) return Number.isNaN(value.getTime()) ? "an invalid Date" : "a Date";
  if (isPlainObject(value)) return "an object";
  const name: unknown = value.constructor?.name;
  return typeof name === "string" && name !== "" && name.length <= 40 ? `an instance of ${name}` : "an object";
}

/** The tag that holds across realms, where `instanceof` does not (Vercel's edge runtime runs code in one of its own). */
function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value);
}

/** Whether the value is a Date, of whatever realm. */
export function isDate(value: unknown): value is Date {
  return value instanceof Date || (tagOf(value) === "[object Date]" && typeof (value as Date).getTime === "function");
}

/** Whether the value is a Uint8Array, of whatever realm; Node's Buffer is one. */
export function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array || (ArrayBuffer.isView(value) && tagOf(value) === "[object Uint8Array]");
}

/** Bytes as hexadecimal digits, two each. */
export function hexOf(bytes: Uint8Array): string {
  let digits = "";
  for (const byte of bytes) digits += byte.toString(16).padStart(2, "0");
  return digits;
}

/** Whether the value is an ArrayBuffer, of whatever realm. */
export function isArrayBuffer(value: unknown): value is ArrayBuffer {
  return value instanceof ArrayBuffer || tagOf(value) === "[object ArrayBuffer]";
}

function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || (!Array.isArray(value) && Object.getPrototypeOf(prototype) === null);
}

/** Text that every engine gives back as it is: without NUL and lone surrogates. */
export function plainText(text: string, what: string): string {
  if (text.includes("\0")) {
    throw new ValidationError(
      `${what} must be text without NUL, got one at position ${text.indexOf("\0")}; use bytes for it`,
    );
  }
  if (!text.isWellFormed()) {
    throw new ValidationError(
      `${what} must be well-formed text, got a lone surrogate (half a character); use toWellFormed()`,
    );
  }
  return text;
}

/** Text. */
export function checkText(value: unknown, column: ColumnInfo): string {
  if (typeof value !== "string") throw refusal(columnName(column), "text", value);
  return plainText(value, columnName(column));
}

/** Text of at most `length` code points. */
export function checkVarchar(value: unknown, column: ColumnInfo, length: number): string {
  const text = checkText(value, column);
  if (text.length > length) {
    let points = 0;
    for (const _ of text) points++;
    if (points > length) {
      throw new ValidationError(`${columnName(column)} must be text of at most ${length} characters, got ${points}`);
    }
  }
  return text;
}

/** A safe integer; -0 becomes 0. */
export function checkInteger(value: unknown, column: ColumnInfo): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) {
    const large = typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value));
    throw refusal(columnName(column), "a safe integer", value, large ? "declare it t.bigint() for larger ones" : "");
  }
  return value + 0;
}

const INT64 = 0x8000_0000_0000_0000n;

/** Whether the bigint fits in 64 bits. */
export function isInt64(value: bigint): boolean {
  return value >= -INT64 && value < INT64;
}

/** A bigint of 64 bits. */
export function checkBigint(value: unknown, column: ColumnInfo): bigint {
  if (typeof value !== "bigint") {
    throw refusal(columnName(column), "a bigint", value, typeof value === "number" ? "pass it through BigInt()" : "");
  }
  if (!isInt64(value)) throw refusal(columnName(column), "a bigint of 64 bits", value, "declare it t.decimal()");
  return value;
}

/** A finite number; -0 becomes 0. */
export function checkDouble(value: unknown, column: ColumnInfo): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw refusal(columnName(column), "a finite number", value);
  return value + 0;
}

/** A decimal as text, within the declared precision and scale. */
export function checkDecimal(value: unknown, column: ColumnInfo, precision?: number, scale?: number): string {
  const what = columnName(column);
  if (typeof value !== "string") throw refusal(what, "a decimal as text", value, 'pass text such as "12.50"');
  const digits = /^-?(\d+)(?:\.(\d+))?$/.exec(value);
  if (!digits) throw refusal(what, 'a decimal such as "12.50"', value);
  const whole = digits[1]!.replace(/^0+/, "").length;
  const fraction = digits[2]?.length ?? 0;
  const places = scale ?? (precision === undefined ? undefined : 0);
  if (places !== undefined && fraction > places) {
    throw new ValidationError(
      `${what} must have at most ${places} digits after the point, got ${fraction}; round it first`,
    );
  }
  if (precision !== undefined && whole > precision - places!) {
    throw new ValidationError(`${what} must have at most ${precision - places!} digits before the point, got ${whole}`);
  }
  return value;
}

/** A boolean. */
export function checkBoolean(value: unknown, column: ColumnInfo): boolean {
  if (typeof value !== "boolean") throw refusal(columnName(column), "a boolean", value);
  return value;
}

/** A UUID in its usual form, in either case. */
export function checkUuid(value: unknown, column: ColumnInfo): string {
  if (typeof value !== "string" || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)) {
    throw refusal(columnName(column), "a UUID (8-4-4-4-12 hexadecimal digits)", value);
  }
  return value;
}

/** The milliseconds of the first day of the year 1, and of the one after the year 9999. */
export const YEAR_1 = -62135596800000;
export const YEAR_10000 = 253402300800000;

/** A Date of the years that every database and ISO text have, as ISO text in UTC with milliseconds. */
export function dateText(value: Date, what: string): string {
  const time = value.getTime();
  if (Number.isNaN(time)) throw refusal(what, "a valid Date", value);
  if (time < YEAR_1 || time >= YEAR_10000) {
    throw new ValidationError(`${what} must be a Date of the years 1 to 9999, got the year ${value.getUTCFullYear()}`);
  }
  return value.toISOString();
}

/** A Date, as ISO text in UTC with milliseconds. */
export function checkTimestamp(value: unknown, column: ColumnInfo): string {
  if (!isDate(value)) {
    const text = typeof value === "string" || typeof value === "number";
    throw refusal(columnName(column), "a Date", value, text ? "pass it through new Date()" : "");
  }
  return dateText(value, columnName(column));
}

/** Whether the text is `YYYY-MM-DD` and such a day is in the calendar, from the year 1. */
export function isCalendarDate(text: string): boolean {
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (!parts || parts[1] === "0000") return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}

/** A day of the calendar, as `YYYY-MM-DD`. */
export function checkDate(value: unknown, column: ColumnInfo): string {
  if (typeof value !== "string" || !isCalendarDate(value)) {
    const instead = isDate(value) ? "pass date.toISOString().slice(0, 10), or declare it t.timestamp()" : "";
    throw refusal(columnName(column), 'a day as text such as "2024-02-29"', value, instead);
  }
  return value;
}

/** One of the values of an enumeration. */
export function checkEnumeration(value: unknown, column: ColumnInfo, values: readonly string[]): string {
  if (typeof value !== "string" || !values.includes(value)) {
    const shown = values.slice(0, 10).map((one) => `"${one}"`).join(", ");
    throw refusal(columnName(column), `one of ${shown}${values.length > 10 ? ", …" : ""}`, value);
  }
  return plainText(value, columnName(column));
}

/** Bytes. */
export function checkBytes(value: unknown, column: ColumnInfo): Uint8Array {
  if (isBytes(value)) return value;
  const instead = isArrayBuffer(value)
    ? "pass new Uint8Array(buffer)"
    : typeof value === "string"
    ? "pass new TextEncoder().encode(text)"
    : "";
  throw refusal(columnName(column), "a Uint8Array", value, instead);
}

/** How deep JSON may be nested: far below where a recursive reader or a database gives up. */
const JSON_DEPTH = 500;

/**
 * A JSON value, as JSON text. Refuses what would not come back the same; `checkText` may refuse texts and keys besides,
 * given where they stand. Costs one walk over the value.
 */
export function checkJson(
  value: unknown,
  column: ColumnInfo,
  checkText: ((text: string, path: string) => void) | null = null,
): string {
  walkJson(value, columnName(column), [], checkText);
  return JSON.stringify(value);
}

function walkJson(
  value: unknown,
  path: string,
  parents: object[],
  checkText: ((text: string, path: string) => void) | null,
): void {
  if (typeof value === "string") return checkText?.(value, path);
  if (value === null || typeof value === "boolean") return;
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw refusal(path, "a JSON value", value, "JSON has no such number");
    return;
  }
  if (typeof value !== "object") {
    const instead = value === undefined
      ? "leave the property out, or use null"
      : typeof value === "bigint"
      ? "use text"
      : "";
    throw refusal(path, "a JSON value", value, instead);
  }
  if (parents.includes(value)) throw new ValidationError(`${path} must be a JSON value, got a cycle: it holds itself`);
  if (parents.length >= JSON_DEPTH) throw new ValidationError(`${path} must be nested at most ${JSON_DEPTH} deep`);
  parents.push(value);
  if (Array.isArray(value)) {
    // A hole would come back as null, a named property not at all.
    if (Reflect.ownKeys(value).length !== value.length + 1) {
      throw new ValidationError(`${path} must be a JSON value, got an array with holes or with named properties`);
    }
    value.forEach((item, i) => walkJson(item, `${path}[${i}]`, parents, checkText));
  } else {
    if (!isPlainObject(value)) {
      throw refusal(path, "a JSON value", value, isDate(value) ? "use date.toISOString()" : "use a plain object");
    }
    for (const key of Reflect.ownKeys(value)) {
      if (typeof key === "symbol") {
        throw new ValidationError(`${path} must be a JSON value, got a key that is a symbol`);
      }
      checkText?.(key, `A key in ${path}`);
      const named = /^[\w$]{1,40}$/.test(key) ? `.${key}` : `[${JSON.stringify(key.slice(0, 40))}]`;
      walkJson((value as Record<string, unknown>)[key], path + named, parents, checkText);
    }
  }
  parents.pop();
}
