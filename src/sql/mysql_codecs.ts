/**
 * How values travel to and from MySQL: one codec a column type. The driver writes values into the text as literals, so
 * that a number is sent as JavaScript prints it (the shortest digits that read back to the same bits), and text as text.
 * What comes back may be a number, a bigint or the text that the server wrote: an adapter need not tell them apart.
 *
 * @module
 */
import { UnsupportedError, ValidationError } from "../errors.ts";
import {
  capitalised,
  checkBigint,
  checkBoolean,
  checkBytes,
  checkDate,
  checkDecimal,
  checkDouble,
  checkEnumeration,
  checkInteger,
  checkJson,
  checkText,
  checkTimestamp,
  checkUuid,
  checkVarchar,
  columnName,
  dateText,
  decodeText,
  isBytes,
  isCalendarDate,
  isDate,
  noParameter,
  plainText,
  refusal,
  typeOf,
  unreadable,
} from "./codecs.ts";
import type { Codec } from "./dialect.ts";
import type { SqlValue } from "./statement.ts";
import type { ColumnInfo, ColumnType } from "./table.ts";

/** The characters of a key, a unique value or a reference that is declared as text: an index takes no longer ones. */
export const KEY_LENGTH = 255;
/** The digits of a decimal, and of them those after the point, where no precision is declared. */
export const DECIMAL_DIGITS = 65;
export const DECIMAL_SCALE = 30;
/** How deep MySQL's JSON may be nested. */
const JSON_DEPTH = 100;

const INTEGER = /^-?\d+$/;

/** MySQL keeps NUL in text: it stands for another character where the shared checks look at the text. */
function withoutNul(text: unknown): unknown {
  return typeof text === "string" ? text.replaceAll("\0", " ") : text;
}

function encodeText(value: unknown, column: ColumnInfo): string {
  checkText(withoutNul(value), column);
  const text = value as string;
  // Without strict mode the server cuts what is too long, and two keys could become one.
  if ((column.primaryKey || column.unique) && text.length > KEY_LENGTH && [...text].length > KEY_LENGTH) {
    throw new ValidationError(
      `${columnName(column)} must be text of at most ${KEY_LENGTH} characters, since it is a key, got ` +
        `${[...text].length}; declare it t.varchar(n) if its column takes more`,
    );
  }
  return text;
}

function decodeInteger(value: SqlValue): number {
  const number = typeof value === "bigint" || (typeof value === "string" && INTEGER.test(value))
    ? Number(value)
    : value;
  if (typeof number === "number" && Number.isSafeInteger(number)) return number + 0;
  throw unreadable("a safe integer", value);
}

const FLOAT = /^-?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;

function decodeDouble(value: SqlValue): number {
  const number = typeof value === "bigint" || (typeof value === "string" && FLOAT.test(value)) ? Number(value) : value;
  if (typeof number === "number" && Number.isFinite(number)) return number;
  throw unreadable("a number", value);
}

const DECIMAL = /^-?\d+(\.\d+)?$/;

function decodeDecimal(value: SqlValue): string {
  const decimal = typeof value === "number" || typeof value === "bigint" ? String(value) : value;
  if (typeof decimal === "string" && DECIMAL.test(decimal)) return decimal;
  throw unreadable("a decimal", value);
}

/** A decimal of a column that keeps `digits` digits, `places` of them after the point: the server rounds others. */
function encodeDecimal(value: unknown, column: ColumnInfo): string {
  const type = typeOf(column, "decimal");
  if (type?.precision !== undefined) return checkDecimal(value, column, type.precision, type.scale);
  return checkDecimal(value, column, DECIMAL_DIGITS, DECIMAL_SCALE);
}

/** With a declared scale the digits are the column's; without, the thirty places of the column say nothing. */
const strippedDecimal: Codec = {
  encode: encodeDecimal,
  decode(value) {
    const decimal = decodeDecimal(value);
    return decimal.includes(".") ? decimal.replace(/\.?0+$/, "") : decimal;
  },
};

/** A moment as MySQL writes it, in UTC: `2024-01-02 03:04:05.678`. */
function momentText(iso: string): string {
  return iso.slice(0, -1).replace("T", " ");
}

const TIMESTAMP = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?$/;

/** How deep JSON text is nested. */
function depth(json: string): number {
  let deepest = 0;
  let open = 0;
  for (const [mark] of json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[[{]|[\]}]/g)) {
    if (mark === "[" || mark === "{") deepest = Math.max(deepest, ++open);
    else if (mark === "]" || mark === "}") open--;
  }
  return deepest;
}

const integer: Codec = { encode: checkInteger, decode: decodeInteger };

const codecs: Readonly<Record<Exclude<ColumnType["name"], "array">, Codec>> = {
  text: { encode: encodeText, decode: decodeText },
  varchar: {
    encode(value, column) {
      checkVarchar(withoutNul(value), column, typeOf(column, "varchar")?.length ?? Infinity);
      return value as string;
    },
    decode: decodeText,
  },
  integer,
  identity: integer,
  bigint: {
    encode: checkBigint,
    decode(value) {
      if (typeof value === "bigint") return value;
      if (typeof value === "string" && INTEGER.test(value)) return BigInt(value);
      if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
      throw unreadable("a bigint", value);
    },
  },
  real: {
    encode(value, column) {
      const number = checkDouble(value, column);
      if (Object.is(Math.fround(number), number)) return number;
      throw refusal(
        columnName(column),
        "a number of single precision",
        number,
        "pass it through Math.fround(), or declare it t.double()",
      );
    },
    // A FLOAT column is printed with six digits: the tables that Ledge makes have DOUBLE, which loses none.
    decode: (value) => Math.fround(decodeDouble(value)),
  },
  double: { encode: checkDouble, decode: decodeDouble },
  decimal: { encode: encodeDecimal, decode: decodeDecimal },
  boolean: {
    encode: (value, column) => checkBoolean(value, column) ? 1 : 0,
    decode(value) {
      if (value === 1 || value === 1n || value === true || value === "1") return true;
      if (value === 0 || value === 0n || value === false || value === "0") return false;
      throw unreadable("a boolean", value);
    },
  },
  uuid: { encode: checkUuid, decode: decodeText },
  timestamp: {
    encode: (value, column) => momentText(checkTimestamp(value, column)),
    decode(value) {
      const parts = typeof value === "string" ? TIMESTAMP.exec(value) : null;
      // Of microseconds a Date keeps the milliseconds. Zero dates are no calendar dates.
      if (parts !== null && isCalendarDate(parts[1]!)) {
        const date = new Date(`${parts[1]}T${parts[2]}.${(parts[3] ?? "").padEnd(3, "0").slice(0, 3)}Z`);
        if (!Number.isNaN(date.getTime())) return date;
      }
      throw unreadable("a timestamp of the years 1 to 9999", value);
    },
  },
  date: {
    encode: checkDate,
    decode(value) {
      if (typeof value === "string" && isCalendarDate(value)) return value;
      throw unreadable("a date of the years 1 to 9999", value);
    },
  },
  json: {
    encode(value, column) {
      const json = checkJson(value, column, (text, path) => void plainText(withoutNul(text) as string, path));
      if (depth(json) <= JSON_DEPTH) return json;
      throw new ValidationError(`${columnName(column)} must be nested at most ${JSON_DEPTH} deep, as MySQL's JSON is`);
    },
    decode(value) {
      try {
        if (typeof value === "string") return JSON.parse(value);
        if (typeof value === "number" || typeof value === "boolean") return value;
      } catch {
        // Falls through: the parser's message would show the value.
      }
      throw unreadable("JSON", value);
    },
  },
  bytes: {
    // The driver knows only the Uint8Array of its own realm.
    encode(value, column) {
      const bytes = checkBytes(value, column);
      return bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
    },
    decode(value) {
      if (isBytes(value)) return value;
      throw unreadable("bytes", value);
    },
  },
  enumeration: {
    encode: (value, column) => checkEnumeration(value, column, typeOf(column, "enumeration")?.values ?? []),
    decode: decodeText,
  },
};

/** The codec of a column type. */
export function mysqlCodec(type: ColumnType): Codec {
  if (type.name === "array") throw new UnsupportedError("MySQL has no arrays; declare the column t.json() instead");
  if (type.name === "decimal" && type.precision === undefined) return strippedDecimal;
  return codecs[type.name];
}

const MIN_INTEGER = -0x8000_0000_0000_0000n;
const MAX_INTEGER = 0xffff_ffff_ffff_ffffn;

/** Whether the bigint fits in 64 bits, with a sign or without. */
export function isMysqlInteger(value: bigint): boolean {
  return value >= MIN_INTEGER && value <= MAX_INTEGER;
}

/** A value given for a raw placeholder, as it travels. `what` is capitalised where it opens the message. */
export function mysqlParam(value: unknown, what: string): SqlValue {
  if (value === null) return null;
  const name = capitalised(what);
  switch (typeof value) {
    case "string":
      plainText(withoutNul(value) as string, name);
      return value;
    case "boolean":
      return value ? 1 : 0;
    case "number":
      if (!Number.isFinite(value)) throw refusal(name, "a finite number", value, "use null for no value");
      return value + 0;
    case "bigint":
      if (!isMysqlInteger(value)) {
        throw refusal(name, "a bigint of 64 bits", value, "pass it as text");
      }
      return value;
  }
  if (isDate(value)) return momentText(dateText(value, name));
  if (isBytes(value)) return value instanceof Uint8Array ? value : new Uint8Array(value);
  throw noParameter(name, value);
}
