/**
 * The dialect of SQLite (3.40 and later) and libSQL, over whatever transport; `sqliteWith` is that of a service which
 * allows less.
 *
 * @module
 */
import { hexOf, isBytes } from "./codecs.ts";
import type { Dialect } from "./dialect.ts";
import { guardFailure } from "./guard.ts";
import { checkIdentifier } from "./identifier.ts";
import { sqliteCodec, sqliteParam } from "./sqlite_codecs.ts";
import { type SqliteLimits, UNLIMITED, utf8Length } from "./sqlite_limits.ts";
import { readLiteral } from "./sqlite_notes.ts";
import { needsValues } from "./sqlite_source.ts";
import { onConflict } from "./conflict.ts";
import { compileSteps } from "./sqlite_write.ts";
import type { SqlValue } from "./statement.ts";
import type { ColumnInfo } from "./table.ts";

/** How SQLite and libSQL write SQL. */
export const sqlite: Dialect = /* @__PURE__ */ sqliteWith({});

/** How a SQLite with these limits writes SQL. */
export function sqliteWith(options: Partial<SqliteLimits>): Dialect {
  const limits: SqliteLimits = { ...UNLIMITED, ...options };
  const dialect: Dialect = {
    name: "sqlite",
    quote(identifier) {
      checkIdentifier(identifier);
      return `"${identifier.replaceAll('"', '""')}"`;
    },
    placeholder: () => "?",
    codec: (type) => sqliteCodec(type, limits),
    encodeParam: (value, what) => sqliteParam(value, what, limits),
    like: (left, right) => `${left} LIKE ${right} ESCAPE '\\'`,
    // LIKE takes capital and small letters for the same; GLOB does not, and a prefix of it can use an index.
    match(left, how, text, params) {
      const exact = text.replace(/[*?[]/g, "[$&]");
      const pattern = `${how === "startsWith" ? "" : "*"}${exact}${how === "endsWith" ? "" : "*"}`;
      if (utf8Length(pattern) > limits.maxPatternBytes) return matchLong(left, how, text, params);
      params.push(pattern);
      return `${left} GLOB ?`;
    },
    readsMayWrite: false,
    failureAborts: false,
    returning: true,
    maxParameters: limits.maxParameters,
    onConflict,
    excluded: (column) => `excluded.${column}`,
    // Decimals are text. Other text sorts by code point, JavaScript's by UTF-16 unit: they differ beyond U+FFFF only.
    isOrdered: (type) => type.name !== "decimal" && type.name !== "json" && type.name !== "array",
    inList: (columns, values, params) => inList(columns, values, params, limits),
    limit(limit, offset, params) {
      if (limit === null && offset === null) return "";
      if (limit !== null) params.push(limit);
      if (offset !== null) params.push(offset);
      return ` LIMIT ${limit === null ? "-1" : "?"}${offset === null ? "" : " OFFSET ?"}`;
    },
    compile: (steps, record) => compileSteps(steps, dialect, limits, record),
    readNoted: readLiteral,
    guardFailure,
    // Ascending, consecutive keys; those that an expression makes are neither.
    carriesKeys: (table) => table.identity !== null,
  };
  return dialect;
}

/** A match without a pattern, where it would be too long for one. No index is used. */
function matchLong(
  left: string,
  how: "startsWith" | "endsWith" | "contains",
  text: string,
  params: SqlValue[],
): string {
  params.push(text);
  if (how === "contains") return `instr(${left}, ?) > 0`;
  params.push(text);
  return `substr(${left}, ${how === "startsWith" ? "1, " : "-"}length(?)) = ?`;
}

function inList(
  columns: readonly ColumnInfo[],
  values: readonly (readonly SqlValue[])[],
  params: SqlValue[],
  { maxParameters }: SqliteLimits,
): string {
  const tuple = `(${columns.map(() => "?").join(", ")})`;
  // Half of the placeholders are left to the rest of the statement. Bytes have a form as text, doubles have none.
  const asText = values.length * columns.length > maxParameters / 2 && !columns.some(isDouble);
  if (values.length > 0 && (values.length === 1 || needsValues(columns) && !asText)) {
    for (const value of values) params.push(...value);
    return columns.length === 1
      ? `(${values.map(() => "?").join(", ")})`
      : `(VALUES ${values.map(() => tuple).join(", ")})`;
  }
  const cell = (column: ColumnInfo, path: string): string => {
    if (column.type.name === "bytes") return `unhex(${path})`;
    return ["integer", "bigint", "identity"].includes(column.type.name) ? `CAST(${path} AS INTEGER)` : path;
  };
  const plain = (value: SqlValue | undefined): unknown => {
    if (isBytes(value)) return hexOf(value);
    return typeof value === "bigint" ? String(value) : value;
  };
  const one = columns.length === 1;
  params.push(JSON.stringify(values.map((value) => one ? plain(value[0]) : value.map(plain))));
  const picked = columns.map((column, i) => cell(column, one ? "value" : `value->>${i}`)).join(", ");
  return `(SELECT ${picked} FROM json_each(?))`;
}

function isDouble({ type }: ColumnInfo): boolean {
  return type.name === "real" || type.name === "double";
}
