/**
 * Statements and values on their way to the driver, and results on their way back. Refuses, before anything is sent, what
 * the driver or SQLite would change without a word.
 *
 * @module
 */
import { DatabaseError } from "../../src/errors.ts";
import { isInt64 } from "../../src/sql/codecs.ts";
import { countPlaceholders, isRead } from "../../src/sql/scan.ts";
import type { ResultSet, SqlValue, Statement } from "../../src/sql/statement.ts";
import { bytesValue, checkEach, fromFirstWord, type RefuseValue, textValue } from "../shared/statements.ts";
import type { DriverResult, DriverStatement, DriverValue } from "./client.ts";

/**
 * Statements as the driver takes them. Throws a StatementError for text with several statements, of which SQLite would
 * run the first only, for too few or too many values, which it would fill with NULL or drop, and for BEGIN, COMMIT, END
 * and ROLLBACK, which would end a transaction behind the adapter's back; with `readOnly` a ValidationError for whatever
 * is not a read. Costs a pass or two over the text.
 */
export function toDriver(statements: readonly Statement[], readOnly: boolean): DriverStatement[] {
  return checkEach(statements, ({ sql, params }, check) => {
    check.single(sql);
    check.noControl(fromFirstWord(sql), allowed);
    check.count(placeholders(sql, params.length), params.length);
    if (readOnly && !isRead(sql)) check.refuseWrite();
    return { sql, args: check.values(params, toArg) };
  });
}

const allowed = /^rollback(?:\s+transaction)?\s+to\b/i;

/** How many values the text needs; read closely only where counting its question marks does not settle it. */
function placeholders(sql: string, given: number): number | null {
  let marks = 0;
  for (let at = sql.indexOf("?"); at >= 0; at = sql.indexOf("?", at + 1)) marks++;
  if (marks === given && (marks > 0 || !/[:@$]/.test(sql))) return given;
  return countPlaceholders(sql);
}

/** Integers go as bigints (the driver binds every number as REAL), booleans as 0 and 1. */
function toArg(value: SqlValue, refuse: RefuseValue): DriverValue {
  switch (typeof value) {
    case "number":
      if (!Number.isFinite(value)) return refuse(`${value}, which SQLite cannot hold,`);
      return Number.isSafeInteger(value) ? BigInt(value) : value;
    case "bigint":
      return isInt64(value) ? value : refuse("an integer of more than 64 bits");
    case "boolean":
      return value ? 1n : 0n;
    case "string":
      return textValue(value, refuse, "at which SQLite would cut it");
    default:
      return bytesValue(value, refuse);
  }
}

/**
 * A result with plain arrays as rows. Costs one pass over the values, none over rows that were `taken` before the driver
 * got them. The addon behind `file:` passes the last key through a double: where that may have rounded it (`protocol`
 * tells) it is left out.
 */
export function fromDriver(result: DriverResult, protocol: string, taken?: SqlValue[][]): ResultSet {
  const columns = [...result.columns];
  const rows = taken ?? result.rows.map((row) => {
    const values = new Array<SqlValue>(row.length);
    for (let i = 0; i < row.length; i++) values[i] = fromValue(row[i]);
    return values;
  });
  // A file: client reports 0 for a statement with RETURNING.
  if (columns.length > 0) return { columns, rows, rowsAffected: rows.length };
  const { rowsAffected, lastInsertRowid } = result;
  if (rowsAffected === 0 || lastInsertRowid === undefined) return { columns, rows, rowsAffected };
  const lastInsertId = narrow(BigInt(lastInsertRowid));
  if (protocol === "file" && typeof lastInsertId === "bigint") return { columns, rows, rowsAffected };
  return { columns, rows, rowsAffected, lastInsertId };
}

function fromValue(value: unknown): SqlValue {
  if (typeof value === "bigint") return narrow(value);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (value === null || typeof value === "string" || typeof value === "number" || value instanceof Uint8Array) {
    return value;
  }
  throw new DatabaseError(`The driver gave a value of an unknown type: ${typeof value}`, { notApplied: false });
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** A value as Hrana writes it in JSON. */
export interface HranaValue {
  readonly type: string;
  readonly value?: unknown;
  readonly base64?: string;
}

/** A value of an answer, as {@linkcode fromDriver} gives it. Throws whatever comes to hand for one that is none. */
export function fromHrana({ type, value, base64 }: HranaValue): SqlValue {
  if (typeof value === "string") {
    if (type === "text") return value;
    if (type === "integer") {
      const number = Number(value);
      return Number.isSafeInteger(number) ? number : BigInt(value);
    }
  }
  if (type === "float" && typeof value === "number") return value;
  if (type === "null") return null;
  if (type !== "blob" || typeof base64 !== "string") throw new TypeError("Not a value of Hrana");
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
