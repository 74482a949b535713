/**
 * The dialect of PostgreSQL (14 and later), over whatever transport.
 *
 * @module
 */
import type { Dialect } from "./dialect.ts";
import { guardFailure } from "./guard.ts";
import { writeArray } from "./postgres_array.ts";
import { postgresCodec, postgresParam } from "./postgres_codecs.ts";
import { lockClause, settingsStatement } from "./postgres_settings.ts";
import { onConflict } from "./conflict.ts";
import { castType, quote } from "./postgres_types.ts";
import { compileSteps } from "./postgres_write.ts";
import type { SqlValue } from "./statement.ts";
import type { ColumnInfo } from "./table.ts";

/** How PostgreSQL writes SQL. */
export const postgres: Dialect = {
  name: "postgres",
  quote,
  placeholder: (position) => `$${position}`,
  codec: postgresCodec,
  encodeParam: postgresParam,
  // A backslash escapes unless something else is said; the cast lets native enumerations be compared too.
  like: (left, right) => `(${left})::text LIKE ${right}`,
  match(left, how, text, params) {
    const exact = text.replace(/[\\%_]/g, "\\$&");
    params.push(`${how === "startsWith" ? "" : "%"}${exact}${how === "endsWith" ? "" : "%"}`);
    return `(${left})::text LIKE $${params.length}`;
  },
  readsMayWrite: true,
  failureAborts: true,
  returning: true,
  maxParameters: 65_535,
  onConflict,
  excluded: (column) => `excluded.${column}`,
  // Text sorts by the collation of its column.
  isOrdered: (type) => type.name !== "json" && type.name !== "array",
  nullsLast: true,
  inList,
  limit(limit, offset, params) {
    let text = "";
    if (limit !== null) text += ` LIMIT $${params.push(limit)}`;
    if (offset !== null) text += ` OFFSET $${params.push(offset)}`;
    return text;
  },
  compile: (steps, record) => compileSteps(steps, postgres, record),
  readNoted: (text) => text,
  guardFailure,
  carriesKeys: ({ key }) => key.length === 1 && (key[0]!.type.name === "identity" || key[0]!.serverDefault !== null),
  lock: lockClause,
  truncate: (table, cascade) => `TRUNCATE ${table}${cascade ? " CASCADE" : ""}`,
  cursor: (name) => ({
    open: ({ sql, params }) => ({ sql: `DECLARE ${name} NO SCROLL CURSOR FOR ${sql}`, params }),
    fetch: (count) => ({ sql: `FETCH ${count} FROM ${name}`, params: [] }),
    close: { sql: `CLOSE ${name}`, params: [] },
  }),
  settings: settingsStatement,
};

/**
 * One array a column, so that the text does not depend on the number of values. Where only the table knows the type
 * (an enumeration may be one of its own) each value gets a placeholder, which takes its type from the left side.
 */
function inList(
  columns: readonly ColumnInfo[],
  values: readonly (readonly SqlValue[])[],
  params: SqlValue[],
): string {
  const types = columns.map((column) => castType(column.type));
  const one = columns.length === 1;
  if (values.length === 0) {
    if (types.includes(null)) return one ? "(NULL)" : `((${columns.map(() => "NULL").join(", ")}))`;
    return `(SELECT ${types.map((type) => `NULL::${type}`).join(", ")} WHERE false)`;
  }
  if (values.length === 1 || types.includes(null)) {
    const rows = values.map((value) => value.map((cell) => `$${params.push(cell)}`).join(", "));
    return `(${rows.map((row) => one ? row : `(${row})`).join(", ")})`;
  }
  const text = (value: SqlValue): string | null => value === null ? null : String(value);
  // unnest would take an array of arrays apart altogether: such travel as text.
  const isArray = (type: string | null): boolean => type!.endsWith("[]");
  const lists = columns.map((_, i) => {
    const list = writeArray(values.map((value) => text(value[i]!)));
    return `$${params.push(list)}::${isArray(types[i]!) ? "text[]" : `${types[i]}[]`}`;
  });
  const names = columns.map((_, i) => `c${i}`);
  const picked = names.map((name, i) => isArray(types[i]!) ? `u.${name}::${types[i]}` : `u.${name}`);
  return `(SELECT ${picked.join(", ")} FROM unnest(${lists.join(", ")}) AS u(${names.join(", ")}))`;
}
