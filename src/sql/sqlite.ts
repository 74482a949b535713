/**
 * The dialect of SQLite (3.40 and later) and libSQL, over whatever transport.
 *
 * @module
 */
import type { Dialect } from "./dialect.ts";
import { guardFailure } from "./guard.ts";
import { checkIdentifier } from "./identifier.ts";
import { sqliteCodec, sqliteParam } from "./sqlite_codecs.ts";
import { createTable, dropTable } from "./sqlite_ddl.ts";
import { MAX_PARAMETERS, needsValues } from "./sqlite_source.ts";
import { onConflict } from "./conflict.ts";
import { compileSteps } from "./sqlite_write.ts";
import type { SqlValue } from "./statement.ts";
import type { ColumnInfo } from "./table.ts";

/** How SQLite and libSQL write SQL. */
export const sqlite: Dialect = {
  name: "sqlite",
  quote(identifier) {
    checkIdentifier(identifier);
    return `"${identifier.replaceAll('"', '""')}"`;
  },
  placeholder: () => "?",
  codec: sqliteCodec,
  encodeParam: sqliteParam,
  like: (left, right) => `${left} LIKE ${right} ESCAPE '\\'`,
  // LIKE takes capital and small letters for the same; GLOB does not, and a prefix of it can use an index.
  match(left, how, text, params) {
    const exact = text.replace(/[*?[]/g, "[$&]");
    params.push(`${how === "startsWith" ? "" : "*"}${exact}${how === "endsWith" ? "" : "*"}`);
    return `${left} GLOB ?`;
  },
  readsMayWrite: false,
  failureAborts: false,
  returning: true,
  maxParameters: MAX_PARAMETERS,
  onConflict,
  excluded: (column) => `excluded.${column}`,
  // Decimals are text. Other text sorts by code point, JavaScript's by UTF-16 unit: they differ beyond U+FFFF only.
  isOrdered: (type) => type.name !== "decimal" && type.name !== "json" && type.name !== "array",
  inList,
  limit(limit, offset, params) {
    if (limit === null && offset === null) return "";
    if (limit !== null) params.push(limit);
    if (offset !== null) params.push(offset);
    return ` LIMIT ${limit === null ? "-1" : "?"}${offset === null ? "" : " OFFSET ?"}`;
  },
  compile: (steps) => compileSteps(steps, sqlite),
  guardFailure,
  // Ascending, consecutive keys; those that an expression makes are neither.
  carriesKeys: (table) => table.identity !== null,
  createTable: (table) => createTable(table, sqlite),
  dropTable: (table) => dropTable(table, sqlite),
};

function inList(
  columns: readonly ColumnInfo[],
  values: readonly (readonly SqlValue[])[],
  params: SqlValue[],
): string {
  const tuple = `(${columns.map(() => "?").join(", ")})`;
  if (values.length > 0 && (values.length === 1 || needsValues(columns))) {
    for (const value of values) params.push(...value);
    return columns.length === 1
      ? `(${values.map(() => "?").join(", ")})`
      : `(VALUES ${values.map(() => tuple).join(", ")})`;
  }
  const cell = (column: ColumnInfo, path: string): string =>
    ["integer", "bigint", "identity"].includes(column.type.name) ? `CAST(${path} AS INTEGER)` : path;
  const plain = (value: SqlValue | undefined): unknown => typeof value === "bigint" ? String(value) : value;
  const one = columns.length === 1;
  params.push(JSON.stringify(values.map((value) => one ? plain(value[0]) : value.map(plain))));
  const picked = columns.map((column, i) => cell(column, one ? "value" : `value->>${i}`)).join(", ");
  return `(SELECT ${picked} FROM json_each(?))`;
}
