/**
 * The names of PostgreSQL's types and tables as SQL.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import { checkIdentifier } from "./identifier.ts";
import type { ColumnType, TableInfo } from "./table.ts";

/** The bytes of an identifier: PostgreSQL cuts longer ones, so that two could become one. */
const MAX_IDENTIFIER = 63;

/** An identifier in quotes. */
export function quote(identifier: string): string {
  checkIdentifier(identifier);
  const bytes = identifier.length * 3 <= MAX_IDENTIFIER ? 0 : new TextEncoder().encode(identifier).length;
  if (bytes > MAX_IDENTIFIER) {
    throw new ValidationError(
      `The identifier "${identifier.slice(0, 60)}…" has ${bytes} bytes; PostgreSQL takes at most ${MAX_IDENTIFIER}`,
    );
  }
  return `"${identifier.replaceAll('"', '""')}"`;
}

/** The table's quoted name, with its schema where it has one. */
export function tableName(table: TableInfo): string {
  return table.schema === null ? quote(table.table) : `${quote(table.schema)}.${quote(table.table)}`;
}

const TYPES: Readonly<Record<Exclude<ColumnType["name"], "array" | "varchar" | "decimal">, string>> = {
  text: "text",
  // A safe integer has up to 53 bits.
  integer: "bigint",
  identity: "bigint",
  bigint: "bigint",
  real: "real",
  double: "double precision",
  boolean: "boolean",
  uuid: "uuid",
  // A Date has milliseconds: what the database makes is rounded to them too, so that it equals what was read.
  timestamp: "timestamptz(3)",
  date: "date",
  json: "jsonb",
  bytes: "bytea",
  enumeration: "text",
};

/** The type as CREATE TABLE takes it. */
export function declaredType(type: ColumnType): string {
  if (type.name === "array") return `${declaredType(type.of)}[]`;
  if (type.name === "varchar") return `varchar(${type.length})`;
  if (type.name !== "decimal") return TYPES[type.name];
  if (type.precision === undefined) return "numeric";
  return `numeric(${type.precision}${type.scale === undefined ? "" : `, ${type.scale}`})`;
}

/** The type to cast an encoded value to; null where only the table knows it: an enumeration may be a type of its own. */
export function castType(type: ColumnType): string | null {
  if (type.name === "enumeration") return null;
  if (type.name === "varchar") return "text";
  if (type.name === "decimal") return "numeric";
  if (type.name === "timestamp") return "timestamptz";
  if (type.name !== "array") return TYPES[type.name];
  const of = castType(type.of);
  return of === null ? null : of.endsWith("[]") ? of : `${of}[]`;
}

/**
 * The types of pg_catalog (PostgreSQL 18), and some that could be: a table of such a name is not what the name means where a
 * type is wanted.
 */
const CATALOG_TYPE =
  /^_?(aclitem|any(compatible)?(non)?(array|element|enum|(multi)?range)?|bit|bool|box|bpchar|bytea|cidr?|circle|cstring|date|(date|int[48]|num|ts|tstz)(multi)?range|event_trigger|(fdw|index_am|language|table_am|tsm)_handler|float[48]|gtsvector|inet|int[248]|int2vector|internal|interval|json(b|path)?|line|lseg|macaddr8?|money|name|numeric|oid(vector)?|path|pg_\w+|point|polygon|record|refcursor|reg(class|collation|config|dictionary|namespace|oper(ator)?|proc(edure)?|role|type)|text|tid|time(stamp)?(tz)?|trigger|ts(query|vector)|txid_snapshot|unknown|uuid|var(bit|char)|char|void|xid8?|xml)$/;

/** NULL of the table's row type, which tells json_populate_record the type of each column. */
export function nullRow(table: TableInfo): string {
  const name = tableName(table);
  if (table.schema === null && CATALOG_TYPE.test(table.table)) {
    return `(SELECT ledge_row FROM ${name} AS ledge_row LIMIT 0)`;
  }
  return `NULL::${name}`;
}
