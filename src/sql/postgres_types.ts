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

/** The types of pg_catalog (PostgreSQL 18): a table of such a name is not what the name means where a type is wanted. */
const CATALOG_TYPES: ReadonlySet<string> = /* @__PURE__ */ new Set(
  /* @__PURE__ */ ("aclitem any anyarray anycompatible anycompatiblearray anycompatiblemultirange anycompatiblenonarray " +
    "anycompatiblerange anyelement anyenum anymultirange anynonarray anyrange bit bool box bpchar bytea char cid cidr " +
    "circle cstring date datemultirange daterange event_trigger fdw_handler float4 float8 gtsvector index_am_handler " +
    "inet int2 int2vector int4 int4multirange int4range int8 int8multirange int8range internal interval json jsonb " +
    "jsonpath language_handler line lseg macaddr macaddr8 money name numeric nummultirange numrange oid oidvector path " +
    "point polygon record refcursor regclass regcollation regconfig regdictionary regnamespace regoper regoperator " +
    "regproc regprocedure regrole regtype table_am_handler text tid time timestamp timestamptz timetz trigger " +
    "tsm_handler tsmultirange tsquery tsrange tstzmultirange tstzrange tsvector txid_snapshot unknown uuid varbit " +
    "varchar void xid xid8 xml").split(" "),
);

/** NULL of the table's row type, which tells json_populate_record the type of each column. */
export function nullRow(table: TableInfo): string {
  const name = tableName(table);
  if (table.schema === null && CATALOG_TYPES.has(table.table)) {
    return `(SELECT ledge_row FROM ${name} AS ledge_row LIMIT 0)`;
  }
  return `NULL::${name}`;
}
