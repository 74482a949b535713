/**
 * Values of JavaScript made of what the server wrote. The driver's own conversions are switched off: they parse JSON,
 * leave 64-bit integers as text, and drop a byte order mark.
 *
 * @module
 */
import { DatabaseError, DataError } from "../../src/errors.ts";
import { hexOf } from "../../src/sql/codecs.ts";
import type { ResultSet, SqlValue } from "../../src/sql/statement.ts";
import type { DriverResult, Field } from "./client.ts";

const binaryCollation = 63;

type Read = (raw: string, field: Field) => SqlValue;

/** How a type of Vitess is read; undefined for one that its field tells more of. Decimals, dates, times and JSON stay text. */
function readerOf(type: string): Read | undefined {
  switch (type) {
    case "INT8":
    case "UINT8":
    case "INT16":
    case "UINT16":
    case "INT24":
    case "UINT24":
    case "INT32":
    case "UINT32":
    case "INT64":
    case "UINT64":
    case "YEAR":
      return toInteger;
    case "FLOAT32":
    case "FLOAT64":
      return Number;
    case "BIT":
      return (raw) => toInteger(BigInt(`0x${hex(raw) || "0"}`));
    case "GEOMETRY":
      return toBytes;
    case "DECIMAL":
    case "DATE":
    case "TIME":
    case "DATETIME":
    case "TIMESTAMP":
    case "JSON":
    case "ENUM":
    case "SET":
      return toText;
  }
}

/**
 * The value of a field, of its bytes as characters. Text and bytes are told apart by the collation: of text with a
 * binary collation (`utf8mb4_bin`) MySQL's flags, and so the type, may say that it is VARBINARY or BLOB.
 */
export function castValue(field: Field, raw: string | null): SqlValue {
  if (raw === null) return null;
  const read = readerOf(field.type);
  if (read !== undefined) return read(raw, field);
  const isBinary = field.charset ? field.charset === binaryCollation : /^(?:VAR)?BINARY$|BLOB$/.test(field.type);
  return isBinary ? toBytes(raw) : toText(raw, field);
}

/** A result with values of JavaScript. The rows are as {@linkcode castValue} made them. */
export function fromDriver(result: DriverResult): ResultSet {
  const { fields, rows, rowsAffected, insertId } = Object(result) as Partial<DriverResult>;
  if (!Array.isArray(fields) || !Array.isArray(rows) || !rows.every((row) => isWhole(row, fields.length))) {
    throw new DatabaseError("The driver gave no result with fields and rows; is the Client a wrapped one?", {
      notApplied: false,
    });
  }
  const columns = fields.map(({ name }) => String(name));
  if (columns.length > 0) return { columns, rows, rowsAffected: rows.length };
  const plain = { columns, rows: [], rowsAffected: rowsAffected ?? 0 };
  return insertId === undefined || insertId === "0" ? plain : { ...plain, lastInsertId: toInteger(insertId) };
}

function isWhole(row: unknown, width: number): boolean {
  return Array.isArray(row) && row.length === width && !row.includes(undefined);
}

function toInteger(value: string | bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : BigInt(value);
}

function toBytes(raw: string): Uint8Array {
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

const utf8 = /* @__PURE__ */ new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function toText(raw: string, field: Field): string {
  // deno-lint-ignore no-control-regex -- ASCII, which most text is, needs no decoding
  if (/^[\x00-\x7f]*$/.test(raw)) return raw;
  try {
    return utf8.decode(toBytes(raw));
  } catch {
    const advice = "select it as CAST(… AS BINARY)";
    throw new DataError(`Column ${JSON.stringify(field.name)} holds text that is not UTF-8; ${advice}`, {
      notApplied: false,
    });
  }
}

function hex(raw: string): string {
  return hexOf(toBytes(raw));
}
