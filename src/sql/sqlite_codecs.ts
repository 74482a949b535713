/**
 * How values travel to and from SQLite and libSQL: one codec a column type, all of them constants.
 *
 * @module
 */
import { UnsupportedError } from "../errors.ts";
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
  isArrayBuffer,
  isBytes,
  isCalendarDate,
  isDate,
  isInt64,
  noParameter,
  plainText,
  refusal,
  typeOf,
  unreadable,
} from "./codecs.ts";
import type { Codec } from "./dialect.ts";
import { type SqliteLimits, UNLIMITED } from "./sqlite_limits.ts";
import type { SqlValue } from "./statement.ts";
import type { ColumnType } from "./table.ts";

function decodeInteger(value: SqlValue): number {
  const number = typeof value === "bigint" ? Number(value) : value;
  if (typeof number === "number" && Number.isSafeInteger(number)) return number;
  throw unreadable("a safe integer", value);
}

const text: Codec = { encode: checkText, decode: decodeText };
const integer: Codec = { encode: checkInteger, decode: decodeInteger };
const bigint: Codec = {
  encode: checkBigint,
  decode(value) {
    if (typeof value === "bigint") return value;
    if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
    throw unreadable("a bigint", value);
  },
};
const double: Codec = {
  encode: checkDouble,
  decode(value) {
    if (typeof value === "number") return value;
    if (typeof value === "bigint") return Number(value);
    throw unreadable("a number", value);
  },
};

/** ISO text as Ledge writes it, and SQLite's own `YYYY-MM-DD HH:MM:SS[.fff]`, which means UTC. */
const TIMESTAMP = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:\d\d)?)?$/;

const codecs: Readonly<Record<Exclude<ColumnType["name"], "array">, Codec>> = {
  text,
  varchar: {
    encode: (value, column) => checkVarchar(value, column, typeOf(column, "varchar")?.length ?? Infinity),
    decode: decodeText,
  },
  integer,
  identity: integer,
  bigint,
  real: double,
  double,
  decimal: {
    encode(value, column) {
      const type = typeOf(column, "decimal");
      return checkDecimal(value, column, type?.precision, type?.scale);
    },
    decode(value) {
      const decimal = typeof value === "number" || typeof value === "bigint" ? String(value) : value;
      if (typeof decimal === "string" && /^-?\d+(\.\d+)?$/.test(decimal)) return decimal;
      throw unreadable("a decimal", value);
    },
  },
  boolean: {
    encode: (value, column) => checkBoolean(value, column) ? 1 : 0,
    decode(value) {
      if (value === 1 || value === 1n || value === true) return true;
      if (value === 0 || value === 0n || value === false) return false;
      throw unreadable("a boolean", value);
    },
  },
  uuid: { encode: checkUuid, decode: decodeText },
  timestamp: {
    encode: checkTimestamp,
    decode(value) {
      const parts = typeof value === "string" ? TIMESTAMP.exec(value) : null;
      const date = parts ? new Date(`${parts[1]}T${parts[2] ?? "00:00"}${parts[3] ?? "Z"}`) : null;
      if (date && !Number.isNaN(date.getTime())) return date;
      throw unreadable("a timestamp", value);
    },
  },
  date: {
    encode: checkDate,
    decode(value) {
      if (typeof value === "string" && isCalendarDate(value)) return value;
      throw unreadable("a date", value);
    },
  },
  json: {
    encode: checkJson,
    decode(value) {
      try {
        // A number or a boolean may have been kept as such by a column without TEXT affinity.
        if (typeof value === "string" || typeof value === "number") return JSON.parse(String(value));
      } catch {
        // Falls through: the parser's message would show the value.
      }
      throw unreadable("JSON", value);
    },
  },
  bytes: {
    encode: checkBytes,
    decode(value: unknown) {
      if (isBytes(value)) return value;
      if (isArrayBuffer(value)) return new Uint8Array(value);
      throw unreadable("bytes", value);
    },
  },
  enumeration: {
    encode: (value, column) => checkEnumeration(value, column, typeOf(column, "enumeration")?.values ?? []),
    decode: decodeText,
  },
};

/** Where integers beyond 2^53 would come back rounded. */
const safeBigint: Codec = {
  encode: (value, column) => checkSafe(checkBigint(value, column), columnName(column)),
  decode: (value) => bigint.decode(value),
};

function checkSafe(value: bigint, name: string): bigint {
  if (Number.isSafeInteger(Number(value))) return value;
  throw refusal(name, "a bigint of up to 53 bits", value, "this database would give it back rounded; keep it as text");
}

/** The codec of a column type. */
export function sqliteCodec(type: ColumnType, { wideIntegers }: SqliteLimits = UNLIMITED): Codec {
  if (type.name === "array") {
    throw new UnsupportedError("SQLite has no arrays; declare the column t.json() instead");
  }
  return type.name === "bigint" && !wideIntegers ? safeBigint : codecs[type.name];
}

/** A value given for a raw placeholder, as it travels. `what` is capitalised where it opens the message. */
export function sqliteParam(value: unknown, what: string, { wideIntegers }: SqliteLimits = UNLIMITED): SqlValue {
  if (value === null) return null;
  const name = capitalised(what);
  switch (typeof value) {
    case "string":
      return plainText(value, name);
    case "boolean":
      return value ? 1 : 0;
    case "number":
      if (!Number.isFinite(value)) throw refusal(name, "a finite number", value, "use null for no value");
      return value + 0;
    case "bigint":
      if (!isInt64(value)) throw refusal(name, "a bigint of 64 bits", value, "pass it as text");
      return wideIntegers ? value : checkSafe(value, name);
  }
  if (isDate(value)) return dateText(value, name);
  if (isBytes(value)) return value;
  throw noParameter(name, value);
}
