/**
 * What PlanetScale's HTTP interface puts on the wire: results with Vitess's names of types, and the texts of vtgate's and
 * vttablet's errors. As Vitess's source (`go/sqltypes/type.go`, vttablet's stateful connections) and users' reports
 * (planetscale/database-js#103, #185; prisma#10997) have them.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** A column as MySQL's protocol describes it. */
export interface Column {
  readonly name: string;
  readonly columnType: number;
  readonly characterSet: number;
  readonly columnLength: number;
  readonly flags: number;
  readonly decimals: number;
  readonly table: string;
  readonly orgTable: string;
  readonly orgName: string;
  readonly schema: string;
  /** MariaDB's only: "json" for a JSON column, which is a LONGTEXT otherwise. */
  readonly extendedFormat?: string;
}

/** What MySQL answered: rows as the text protocol gives them, or the numbers of a write. */
export type Answer =
  | { readonly columns: readonly Column[]; readonly rows: readonly (readonly (Uint8Array | null)[])[] }
  | { readonly affected: bigint; readonly insertId: bigint };

/** An error as the answer holds it. */
export class VitessError extends Error {
  override readonly name = "VitessError";
  /** `code` is gRPC's, in Vitess's upper case. */
  constructor(readonly code: string, message: string) {
    super(message);
  }
}

/** Vitess's names by MySQL's numbers of types. */
const types: Readonly<Record<number, string>> = {
  ...{ 0: "DECIMAL", 1: "INT8", 2: "INT16", 3: "INT32", 4: "FLOAT32", 5: "FLOAT64", 6: "NULL_TYPE", 7: "TIMESTAMP" },
  ...{ 8: "INT64", 9: "INT24", 10: "DATE", 11: "TIME", 12: "DATETIME", 13: "YEAR", 15: "VARCHAR", 16: "BIT" },
  ...{ 17: "TIMESTAMP", 18: "DATETIME", 19: "TIME", 245: "JSON", 246: "DECIMAL", 247: "ENUM", 248: "SET" },
  ...{ 249: "TEXT", 250: "TEXT", 251: "TEXT", 252: "TEXT", 253: "VARCHAR", 254: "CHAR", 255: "GEOMETRY" },
};
const unsigned = 32;
const binary = 128;
const enumerated = 256;
const set = 2048;
const binaryNames: Readonly<Record<string, string>> = { TEXT: "BLOB", VARCHAR: "VARBINARY", CHAR: "BINARY" };

/**
 * Vitess's name of a column's type. The binary flag also stands for a `_bin` collation, so that text of one is called
 * BLOB, VARBINARY or BINARY, as Vitess does: only the character set 63 says that a value is bytes.
 */
export function typeOf({ columnType, flags, extendedFormat }: Column, json: "JSON" | "TEXT"): string {
  if (extendedFormat === "json") return json;
  const type = types[columnType];
  if (type === undefined) throw new Error(`Vitess has no name for MySQL's type ${columnType}`);
  if (/^INT\d+$/.test(type)) return flags & unsigned ? `U${type}` : type;
  if (flags & binary) return binaryNames[type] ?? type;
  if (type === "CHAR" && flags & enumerated) return "ENUM";
  if (type === "CHAR" && flags & set) return "SET";
  return type;
}

/** A result as JSON; what is zero or empty is left out, as protobuf's JSON does. */
export function resultOf(answer: Answer, json: "JSON" | "TEXT"): Record<string, unknown> {
  if ("affected" in answer) {
    return given({ rowsAffected: text(answer.affected), insertId: text(answer.insertId) });
  }
  const fields = answer.columns.map((column) => {
    const type = typeOf(column, json);
    return given({
      name: column.name,
      type: type === "NULL_TYPE" ? "" : type,
      table: column.table,
      orgTable: column.orgTable,
      database: column.schema,
      orgName: column.orgName,
      columnLength: column.columnLength,
      charset: column.characterSet,
      decimals: column.decimals,
      flags: column.flags,
    });
  });
  const rows = answer.rows.map((row) => ({
    lengths: row.map((value) => String(value === null ? -1 : value.length)),
    values: Buffer.concat(row.filter((value) => value !== null)).toString("base64"),
  }));
  return given({ fields, rows });
}

function text(number: bigint): string {
  return number === 0n ? "" : String(number);
}

function given(values: Record<string, unknown>): Record<string, unknown> {
  const isGiven = (value: unknown) => value !== "" && value !== 0 && !(Array.isArray(value) && value.length === 0);
  return Object.fromEntries(Object.entries(values).filter(([, value]) => isGiven(value)));
}

/** gRPC's codes of MySQL's errors, as vttablet gives them; Unknown for all else. */
const codes: readonly [code: string, errnos: readonly number[]][] = [
  ["AlreadyExists", [1007, 1050, 1062]],
  ["NotFound", [1032, 1049, 1051, 1054, 1091, 1109, 1146, 1305]],
  ["PermissionDenied", [1044, 1045, 1142, 1143, 1227]],
  ["FailedPrecondition", [1046, 1216, 1217, 1242, 1264, 1364, 1451, 1452, 1568, 1792]],
  ["InvalidArgument", [1048, 1052, 1064, 1136, 1149, 1265, 1292, 1366, 1406, 1690, 3819, 4025]],
  ["Aborted", [1080, 1152, 1213]],
  ["DeadlineExceeded", [1205, 3024]],
  ["ResourceExhausted", [1021, 1037, 1038, 1040, 1041, 1114, 1203]],
  ["Unavailable", [1053, 2002, 2003, 2006, 2013]],
];

/** An error that MySQL gave to vttablet, as vtgate passes it on. */
export function tabletError(
  keyspace: string,
  { errno, sqlState, message }: { errno: number; sqlState: string; message: string },
  sql: string,
): VitessError {
  const code = codes.find(([, errnos]) => errnos.includes(errno))?.[0] ?? "Unknown";
  const cause = `${message} (errno ${errno}) (sqlstate ${sqlState})`;
  return ofTablet(keyspace, code, `${cause} (CallerID: ledge): Sql: "${withoutValues(sql)}", BindVars: {REDACTED}`);
}

/** What vttablet says of a transaction that is not there or not free: `transaction 7: in use: for query`. */
export function transactionError(keyspace: string, id: string, what: string): VitessError {
  return ofTablet(keyspace, "Aborted", `transaction ${id}: ${what} (CallerID: ledge)`);
}

function ofTablet(keyspace: string, code: string, description: string): VitessError {
  const upper = code.replace(/(?!^)[A-Z]/g, "_$&").toUpperCase();
  return new VitessError(
    upper,
    `target: ${keyspace}.-.primary: vttablet: rpc error: code = ${code} desc = ${description}`,
  );
}

/** What vtgate, which parses every text itself and takes one statement, says of one that it cannot read. */
export function syntaxError(sql: string, message: string): VitessError {
  const rest = /near '([\s\S]*)' at line \d+$/.exec(message)?.[1] ?? "";
  const word = /^\s*(\w+|\S)/.exec(rest)?.[1] ?? "";
  const start = rest === "" ? sql.length : sql.lastIndexOf(rest);
  const position = Math.max(0, start) + rest.indexOf(word) + word.length + 1;
  return new VitessError("INVALID_ARGUMENT", `syntax error at position ${position}${word && ` near '${word}'`}`);
}

/** The text with its literals as the bind variables that vtgate makes of them. */
function withoutValues(sql: string): string {
  let count = 0;
  const literal = /(?:\b[xXbB])?'(?:[^'\\]|''|\\[\s\S])*'|"(?:[^"\\]|""|\\[\s\S])*"|(?<![\w`])\d+(?:\.\d+)?(?![\w`])/g;
  return sql.replace(literal, () => `:vtg${++count}`).slice(0, 2000);
}

/** A time and a duration as Go prints them. */
export function printedTime(time: Date): string {
  return `${time.toISOString().replace("T", " ").slice(0, -1)} UTC`;
}

export function printedDuration(ms: number): string {
  return ms < 1000 ? `${ms}ms` : `${ms / 1000}s`;
}
