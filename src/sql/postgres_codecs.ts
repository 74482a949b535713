/**
 * How values travel to and from PostgreSQL: one codec a column type. A value is sent as text wherever a JavaScript number
 * or boolean would not say it exactly, and comes back as text, or as a number or boolean where the driver makes one.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import {
  capitalised,
  checkBigint,
  checkBoolean,
  checkBytes,
  checkDate,
  checkDecimal,
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
  hexOf,
  isBytes,
  isCalendarDate,
  isDate,
  noParameter,
  plainText,
  refusal,
  typeOf,
  unreadable,
  YEAR_1,
  YEAR_10000,
} from "./codecs.ts";
import type { Codec } from "./dialect.ts";
import { type ArrayItem, parseArray, writeArray } from "./postgres_array.ts";
import type { SqlValue } from "./statement.ts";
import type { ColumnInfo, ColumnType } from "./table.ts";

function decodeInteger(value: SqlValue): number {
  const number = typeof value === "bigint" || (typeof value === "string" && /^-?\d+$/.test(value))
    ? Number(value)
    : value;
  if (typeof number === "number" && Number.isSafeInteger(number)) return number + 0;
  throw unreadable("a safe integer", value);
}

const integer: Codec = { encode: checkInteger, decode: decodeInteger };

/** A float: what JSON and a driver's text of a number cannot say travels as PostgreSQL writes it. */
function floatText(value: number): SqlValue {
  return Object.is(value, -0) ? "-0" : Number.isFinite(value) ? value : String(value);
}

const FLOAT = /^-?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|Infinity)$|^NaN$/i;

function decodeDouble(value: SqlValue): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "string" && FLOAT.test(value)) return Number(value);
  throw unreadable("a number", value);
}

function checkNumber(value: unknown, column: ColumnInfo): number {
  if (typeof value !== "number") throw refusal(columnName(column), "a number", value);
  return value;
}

/** `\x` and two digits a byte. */
export function hex(bytes: Uint8Array): string {
  return `\\x${hexOf(bytes)}`;
}

/** The bytes of such a text. */
export function unhex(text: string): Uint8Array {
  const bytes = new Uint8Array((text.length - 2) / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i + 2, 2 * i + 4), 16);
  return bytes;
}

const TIMESTAMP =
  /^(\d{4,6})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d)(?::?(\d\d)(?::(\d\d))?)?)?( BC)?$/;

/**
 * The moment of PostgreSQL's text for a timestamptz, in whatever zone it was written; without one it is UTC, which is
 * how a `timestamp` column keeps what Ledge sends. Microseconds are cut. Null for infinity and other years than 1-9999.
 */
function moment(text: string): Date | null {
  const parts = TIMESTAMP.exec(text);
  if (!parts) return null;
  const [, year, month, day, hour, minute, second, fraction = "", sign, zoneHour, zoneMinute, zoneSecond, bc] = parts;
  const date = new Date(0);
  date.setUTCFullYear(bc === undefined ? Number(year) : 1 - Number(year), Number(month) - 1, Number(day));
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return null;
  date.setUTCHours(Number(hour), Number(minute), Number(second), Number(fraction.padEnd(3, "0").slice(0, 3)));
  const offset = Number(zoneHour ?? 0) * 3600 + Number(zoneMinute ?? 0) * 60 + Number(zoneSecond ?? 0);
  const time = date.getTime() - (sign === "-" ? -offset : offset) * 1000;
  return time >= YEAR_1 && time < YEAR_10000 ? new Date(time) : null;
}

/** Digits that a numeric can have before and after the point. */
const WHOLE_DIGITS = 131_072;
const FRACTION_DIGITS = 16_383;

const text: Codec = { encode: checkText, decode: decodeText };

const codecs: Readonly<Record<Exclude<ColumnType["name"], "array">, Codec>> = {
  text,
  varchar: {
    encode: (value, column) => checkVarchar(value, column, typeOf(column, "varchar")?.length ?? Infinity),
    decode: decodeText,
  },
  integer,
  identity: integer,
  bigint: {
    encode: checkBigint,
    decode(value) {
      if (typeof value === "bigint") return value;
      if (typeof value === "string" && /^-?\d+$/.test(value)) return BigInt(value);
      if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
      throw unreadable("a bigint", value);
    },
  },
  real: {
    encode(value, column) {
      const number = checkNumber(value, column);
      if (Object.is(Math.fround(number), number)) return floatText(number);
      throw refusal(
        columnName(column),
        "a number of single precision",
        number,
        "pass it through Math.fround(), or declare it t.double()",
      );
    },
    // PostgreSQL gives the shortest digits that are enough for single precision.
    decode: (value) => Math.fround(decodeDouble(value)),
  },
  double: { encode: (value, column) => floatText(checkNumber(value, column)), decode: decodeDouble },
  decimal: {
    encode(value, column) {
      const type = typeOf(column, "decimal");
      const decimal = checkDecimal(value, column, type?.precision, type?.scale);
      const point = decimal.indexOf(".");
      const whole = (point < 0 ? decimal : decimal.slice(0, point)).replace(/^-?0*/, "").length;
      const fraction = point < 0 ? 0 : decimal.length - point - 1;
      if (whole > WHOLE_DIGITS || fraction > FRACTION_DIGITS) {
        throw new ValidationError(
          `${columnName(column)} must have at most ${WHOLE_DIGITS} digits before the point and ${FRACTION_DIGITS} ` +
            `after it, got ${whole} and ${fraction}`,
        );
      }
      return decimal;
    },
    decode(value) {
      const decimal = typeof value === "number" || typeof value === "bigint" ? String(value) : value;
      if (typeof decimal === "string" && /^-?\d+(\.\d+)?$/.test(decimal)) return decimal;
      throw unreadable("a decimal", value);
    },
  },
  boolean: {
    encode: checkBoolean,
    decode(value) {
      if (value === true || value === "t" || value === "true") return true;
      if (value === false || value === "f" || value === "false") return false;
      throw unreadable("a boolean", value);
    },
  },
  uuid: {
    encode(value, column) {
      const uuid = checkUuid(value, column);
      // It would come back in lower case: another text, and another key in the identity map.
      if (uuid === uuid.toLowerCase()) return uuid;
      throw refusal(
        columnName(column),
        "a UUID in lower case, as PostgreSQL gives it back",
        uuid,
        "pass it through toLowerCase()",
      );
    },
    decode: decodeText,
  },
  timestamp: {
    encode: checkTimestamp,
    decode(value) {
      const date = typeof value === "string" ? moment(value) : null;
      if (date !== null) return date;
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
    // jsonb keeps text as text, not as escapes: what text cannot hold, it cannot.
    encode: (value, column) => checkJson(value, column, plainText),
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
    encode: (value, column) => hex(checkBytes(value, column)),
    decode(value) {
      if (isBytes(value)) return value;
      if (typeof value === "string" && /^\\x(?:[0-9a-f]{2})*$/i.test(value)) return unhex(value);
      throw unreadable("bytes (with bytea_output = hex)", value);
    },
  },
  enumeration: {
    encode: (value, column) => checkEnumeration(value, column, typeOf(column, "enumeration")?.values ?? []),
    decode: decodeText,
  },
};

/** The codecs of array types, by the type as declared. */
const arrays: WeakMap<ColumnType, Codec> = new WeakMap();

/** The codec of a column type. */
export function postgresCodec(type: ColumnType): Codec {
  if (type.name !== "array") return codecs[type.name];
  let codec = arrays.get(type);
  if (codec === undefined) arrays.set(type, codec = arrayCodec(type.of));
  return codec;
}

/** The elements of an array, as a column of their own: `Book.tags[]`. */
function elementsOf(column: ColumnInfo, type: ColumnType): ColumnInfo {
  return { ...column, property: `${column.property}[]`, type, nullable: true };
}

function arrayCodec(of: ColumnType): Codec {
  const elements = new WeakMap<ColumnInfo, ColumnInfo>();
  let inner: Codec | null = null;
  const codec = (): Codec => inner ??= postgresCodec(of);

  function encodeItem(value: unknown, element: ColumnInfo): ArrayItem {
    // Of a json element too: PostgreSQL's NULL and JSON's null are the same in JavaScript.
    if (value === null) return null;
    return String(codec().encode(value, element));
  }

  function encodeInner(value: unknown, column: ColumnInfo): SqlValue {
    let element = elements.get(column);
    if (element === undefined) elements.set(column, element = elementsOf(column, of));
    if (!Array.isArray(value)) throw refusal(columnName(column), "an array", value);
    if (Reflect.ownKeys(value).length !== value.length + 1) {
      throw new ValidationError(`${columnName(column)} must be an array without holes and named properties`);
    }
    if (of.name !== "array") return writeArray(value.map((item) => encodeItem(item, element)));
    requireBox(value, column, of);
    return `{${value.map((item) => codec().encode(item, element)).join(",")}}`;
  }

  function decodeItem(item: ArrayItem): unknown {
    if (item === null) return null;
    if (of.name === "array") {
      if (typeof item === "string") throw unreadable("an array of arrays", item);
      return (codec() as ArrayCodec).decodeItems(item);
    }
    if (typeof item !== "string") throw unreadable(`an array of ${of.name}`, item);
    return codec().decode(item);
  }

  const made: ArrayCodec = {
    encode: encodeInner,
    decode(value) {
      const items = typeof value === "string" ? parseArray(value) : null;
      if (items === null) throw unreadable("an array", value);
      return made.decodeItems(items);
    },
    decodeItems: (items) => items.map(decodeItem),
  };
  return made;
}

/** The codec of an array: it can also read what is parsed already. */
interface ArrayCodec extends Codec {
  decodeItems(items: readonly ArrayItem[]): unknown[];
}

/** PostgreSQL's arrays of arrays are boxes: all of one length, none of them empty or NULL. */
function requireBox(value: readonly unknown[], column: ColumnInfo, of: ColumnType): void {
  if (value.length === 0) return;
  const shapes = new Set(value.map((item) => shape(item, of)));
  if (shapes.size === 1 && !shapes.has(null)) return;
  throw new ValidationError(
    `${columnName(column)} must hold arrays of one length, none of them empty or null, as PostgreSQL's arrays do; ` +
      "declare it t.json() for others",
  );
}

/** The lengths of an array by dimension, as text; null when it is empty, null or ragged. */
function shape(value: unknown, type: ColumnType): string | null {
  if (!Array.isArray(value) || value.length === 0 || type.name !== "array") return null;
  if (type.of.name !== "array") return String(value.length);
  const shapes = new Set(value.map((item) => shape(item, (type as { of: ColumnType }).of)));
  const [inner] = shapes;
  return shapes.size === 1 && inner !== null ? `${value.length}x${inner}` : null;
}

/** A value given for a raw placeholder, as it travels. `what` is capitalised where it opens the message. */
export function postgresParam(value: unknown, what: string): SqlValue {
  if (Array.isArray(value)) return writeArray(value.map((item) => paramItem(item, `An element of ${what}`)));
  if (value === null) return null;
  const name = capitalised(what);
  switch (typeof value) {
    case "string":
      return plainText(value, name);
    case "boolean":
    case "bigint":
      return value;
    case "number":
      return floatText(value);
  }
  if (isDate(value)) return dateText(value, name);
  if (isBytes(value)) return hex(value);
  throw noParameter(name, value);
}

function paramItem(value: unknown, what: string): ArrayItem {
  if (Array.isArray(value)) return value.map((item) => paramItem(item, what));
  const param = postgresParam(value, what);
  return param === null ? null : String(param);
}
