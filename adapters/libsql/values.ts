/**
 * Statements and values on their way to the driver, and results on their way back. Refuses, before anything is sent, what
 * the driver or SQLite would change without a word.
 *
 * @module
 */
import { DatabaseError, StatementError, UnsupportedError, ValidationError } from "../../src/errors.ts";
import { countPlaceholders, isMultiple, isRead } from "../../src/sql/scan.ts";
import type { ResultSet, SqlValue, Statement } from "../../src/sql/statement.ts";
import type { DriverResult, DriverStatement, DriverValue } from "./client.ts";

const minInteger = -(2n ** 63n);
const maxInteger = 2n ** 63n - 1n;

/**
 * Statements as the driver takes them. Throws a StatementError for text with several statements, of which SQLite would
 * run the first only, for too few or too many values, which it would fill with NULL or drop, and for BEGIN, COMMIT, END
 * and ROLLBACK, which would end a transaction behind the adapter's back; with `readOnly` a ValidationError for whatever
 * is not a read. Costs a pass or two over the text.
 */
export function toDriver(statements: readonly Statement[], readOnly: boolean): DriverStatement[] {
  return statements.map((statement, index) => {
    const { sql } = statement;
    const which = statements.length === 1 ? "The statement" : `Statement ${index} of the batch`;
    const refuse = (message: string): never => {
      throw new StatementError(message, { statementIndex: index });
    };
    if (sql.includes(";") && isMultiple(sql)) {
      refuse(`${which} holds several statements; pass them to batch(), one each`);
    }
    if (endsTransaction(sql)) {
      refuse(
        `${which} is ${controlWord(sql)}, which would begin or end a transaction unseen; use batch() or connect()`,
      );
    }
    const wanted = placeholders(sql, statement.params.length);
    if (wanted !== null && wanted !== statement.params.length) {
      refuse(`${which} has ${wanted} placeholders and was given ${statement.params.length} values`);
    }
    if (readOnly && !isRead(sql)) {
      throw new ValidationError(`${which} may write and the transaction is read-only; leave readOnly out to write`);
    }
    return { sql, args: statement.params.map((value, position) => toArg(value, which, position)) };
  });
}

/** How many values the text needs; read closely only where counting its question marks does not settle it. */
function placeholders(sql: string, given: number): number | null {
  let marks = 0;
  for (let at = sql.indexOf("?"); at >= 0; at = sql.indexOf("?", at + 1)) marks++;
  if (marks === given && (marks > 0 || !/[:@$]/.test(sql))) return given;
  return countPlaceholders(sql);
}

const leading = /^(?:\s|;|--[^\n]*(?:\n|$)|\/\*[\s\S]*?(?:\*\/|$))*([a-z]+)(?:\s+transaction)?(\s+to\b)?/i;

function controlWord(sql: string): string {
  return leading.exec(sql)?.[1]?.toUpperCase() ?? "";
}

function endsTransaction(sql: string): boolean {
  const word = controlWord(sql);
  if (word === "ROLLBACK") return leading.exec(sql)?.[2] === undefined;
  return word === "BEGIN" || word === "COMMIT" || word === "END";
}

/** Integers go as bigints (the driver binds every number as REAL), booleans as 0 and 1. */
function toArg(value: SqlValue, which: string, position: number): DriverValue {
  const refuse = (what: string): never => {
    throw new ValidationError(`${which} cannot take ${what} as value ${position + 1}; nothing was sent`);
  };
  switch (typeof value) {
    case "number":
      if (!Number.isFinite(value)) return refuse(`${value}, which SQLite cannot hold,`);
      return Number.isSafeInteger(value) ? BigInt(value) : value;
    case "bigint":
      return value < minInteger || value > maxInteger ? refuse("an integer of more than 64 bits") : value;
    case "boolean":
      return value ? 1n : 0n;
    case "string":
      if (value.includes("\0")) return refuse("text with a NUL character, at which SQLite would cut it,");
      return value.isWellFormed() ? value : refuse("text with half a surrogate pair");
    case "object":
      if (value === null) return value;
      if (value instanceof Uint8Array) return value;
  }
  return refuse(`${value === undefined ? "undefined" : "an object that is not a Uint8Array"}`);
}

/**
 * A result with plain arrays as rows. Costs one pass over the values. The addon behind `file:` passes the last key
 * through a double: where that may have rounded it (`protocol` tells) it is left out.
 */
export function fromDriver(result: DriverResult, protocol: string): ResultSet {
  const columns = [...result.columns];
  const rows = result.rows.map((row) => {
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

/** Refuses options of a transaction that SQLite cannot honour. It is serializable, so that every level is. */
export function checkTransaction(options: { isolation?: string; deferrable?: boolean }): void {
  const { isolation, deferrable } = options;
  if (deferrable) {
    throw new UnsupportedError("SQLite has no deferrable transactions; leave deferrable out, its reads never fail");
  }
  if (isolation !== undefined && !levels.includes(isolation)) {
    throw new ValidationError(`Unknown isolation level ${JSON.stringify(isolation)}; use one of: ${levels.join(", ")}`);
  }
}

const levels: readonly string[] = ["read uncommitted", "read committed", "repeatable read", "serializable"];
