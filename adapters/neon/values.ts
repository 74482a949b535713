/**
 * Statements and values on their way to the driver, and results on their way back. All values travel as text, in both
 * directions, so that none passes through the driver's own conversions: they turn an ArrayBuffer into `"{}"` and an int8
 * into text or, if told so, into a rounded number.
 *
 * @module
 */
import { DatabaseError, UnsupportedError, ValidationError } from "../../src/errors.ts";
import type { TransactionOptions } from "../../src/database.ts";
import { hex, unhex } from "../../src/sql/postgres_codecs.ts";
import { isRead } from "../../src/sql/scan.ts";
import type { ResultSet, SqlValue, Statement } from "../../src/sql/statement.ts";
import { checkLevel } from "../shared/isolation.ts";
import { bytesValue, checkEach, type RefuseValue, textValue } from "../shared/statements.ts";
import { fromFirstWord } from "./comments.ts";
import type { RawResult } from "./client.ts";

/** A statement as it travels. */
export interface TextStatement {
  readonly sql: string;
  readonly params: (string | null)[];
}

/**
 * Statements as they travel. Throws a StatementError for what begins or ends a transaction, which would do so behind the
 * adapter's back and break a batch in two, and with `readOnly` a ValidationError for what plainly writes. Costs one pass
 * over the text.
 */
export function toText(statements: readonly Statement[], readOnly: boolean): TextStatement[] {
  return checkEach(statements, ({ sql, params }, check) => {
    const text = fromFirstWord(sql);
    check.noControl(text, allowed);
    if (sql.includes("\0")) throw new ValidationError(`${check.name} holds a NUL character; nothing was sent`);
    // The protocol counts them in 16 bits: more would be taken for fewer, and their bytes for something else.
    if (params.length > maxParams) check.refuse(`has ${params.length} values, and PostgreSQL takes ${maxParams}`);
    if (readOnly && writing.test(text) && !isRead(sql)) check.refuseWrite();
    return { sql, params: check.values(params, toParam) };
  });
}

const maxParams = 65_535;
const allowed = /^rollback(?:\s+(?:work|transaction))?\s+to\b|^(?:rollback|commit)\s+prepared\b/i;
/** What plainly writes, or may; a function that it calls is the server's to refuse. */
const writing = /^(?:insert|update|delete|merge|truncate|create|drop|alter|with|select|copy|grant|revoke|comment)\b/i;

function toParam(value: SqlValue, refuse: RefuseValue): string | null {
  switch (typeof value) {
    case "number":
      return Object.is(value, -0) ? "-0" : String(value);
    case "bigint":
    case "boolean":
      return String(value);
    case "string":
      return textValue(value, refuse, "which PostgreSQL cannot hold");
    default: {
      const bytes = bytesValue(value, refuse);
      return bytes && hex(bytes);
    }
  }
}

function fromHex(text: string): Uint8Array | string {
  return text.startsWith("\\x") ? unhex(text) : text; // With bytea_output = escape.
}

function toInteger(text: string): number | bigint {
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : BigInt(text);
}

/** How the text of a type is read, by the type's oid. All other types stay text: numeric, dates, JSON, arrays. */
const readers: ReadonlyMap<number, (text: string) => SqlValue> = new Map<number, (text: string) => SqlValue>([
  [16, (text) => text === "t"], // bool
  [17, fromHex], // bytea
  [20, toInteger], // int8
  [21, Number], // int2
  [23, Number], // int4
  [26, Number], // oid
  [700, Number], // float4
  [701, Number], // float8
]);

/** A result with values of JavaScript. Costs one pass over the values. */
export function fromRaw(raw: RawResult): ResultSet {
  const columns = raw.fields.map(({ name }) => name);
  const read = raw.fields.map(({ dataTypeID }) => readers.get(dataTypeID));
  const rows = raw.rows.map((row) => {
    return row.map((value, i) => value === null ? null : read[i]?.(asText(value)) ?? asText(value));
  });
  return { columns, rows, rowsAffected: columns.length > 0 ? rows.length : raw.rowCount ?? 0 };
}

function asText(value: unknown): string {
  if (typeof value === "string") return value;
  throw new DatabaseError(`The driver gave a value that is not text: ${typeof value}`, { notApplied: false });
}

/** The levels as the driver names them. */
const driverLevels = {
  "read uncommitted": "ReadUncommitted",
  "read committed": "ReadCommitted",
  "repeatable read": "RepeatableRead",
  "serializable": "Serializable",
} as const;

/** The options of a transaction over HTTP, as the driver takes them. What is not asked for is left to the database. */
export interface HttpTransaction {
  isolationLevel?: typeof driverLevels[keyof typeof driverLevels];
  readOnly?: boolean;
  deferrable?: boolean;
}

/** Checks the options of a transaction and gives them as the driver takes them. */
export function toHttp({ isolation, readOnly, deferrable }: TransactionOptions): HttpTransaction {
  checkTransaction({ isolation: isolation || undefined, readOnly, deferrable });
  return {
    ...(isolation === undefined ? {} : { isolationLevel: driverLevels[isolation] }),
    ...(readOnly === undefined ? {} : { readOnly }),
    ...(deferrable === undefined ? {} : { deferrable }),
  };
}

/** Checks the options of a transaction and gives the BEGIN that has them. */
export function toBegin(options: TransactionOptions): string {
  checkTransaction(options);
  const { isolation, readOnly, deferrable } = options;
  let sql = "BEGIN";
  if (isolation !== undefined) sql += ` ISOLATION LEVEL ${isolation.toUpperCase()}`;
  if (readOnly !== undefined) sql += readOnly ? " READ ONLY" : " READ WRITE";
  if (deferrable !== undefined) sql += deferrable ? " DEFERRABLE" : " NOT DEFERRABLE";
  return sql;
}

/** PostgreSQL takes DEFERRABLE anywhere and heeds it only where nothing could fail otherwise. */
function checkTransaction({ isolation, readOnly, deferrable }: TransactionOptions): void {
  checkLevel(isolation);
  if (deferrable && !(isolation === "serializable" && readOnly)) {
    throw new UnsupportedError(
      "PostgreSQL defers serializable, read-only transactions only; " +
        'leave deferrable out, or add isolation: "serializable" and readOnly: true',
    );
  }
}
