/**
 * How a SQLite batch notes what it made: right after a statement that returns rows, the same rows are read once more into the
 * record of the commit, each value as a literal of SQL, which tells types apart and loses nothing of a double or of bytes.
 *
 * @module
 */
import type { Dialect } from "./dialect.ts";
import { RECORD } from "./noted.ts";
import { tableName } from "./sqlite_ddl.ts";
import { type Keys, source } from "./sqlite_source.ts";
import type { SqlValue, Statement } from "./statement.ts";
import type { Cell } from "./step.ts";
import type { ColumnInfo, TableInfo } from "./table.ts";

/** Which rows a statement made: several with the last keys of an identity, the last one, or those of keys. */
export type MadeRows = number | "last" | { readonly keys: readonly (readonly Cell[])[]; readonly ledger: Keys };

/** The statement that notes the key and `returning` of rows that the statement before it wrote. */
export function noteRows(
  id: string,
  table: TableInfo,
  returning: readonly ColumnInfo[],
  made: MadeRows,
  dialect: Dialect,
): Statement {
  const name = tableName(table, dialect);
  const values = [...table.key, ...returning].map((column) => `quote(t.${dialect.quote(column.name)})`);
  let from = `${name} AS t WHERE t.rowid = last_insert_rowid()`;
  let params: readonly SqlValue[] = [];
  if (typeof made === "number") {
    const key = dialect.quote(table.identity!.name);
    // None where a trigger inserted into the same table after them: the keys would be those of its rows.
    from = `${name} AS t WHERE t.${key} > last_insert_rowid() - ${made} ` +
      `AND last_insert_rowid() = (SELECT max(${key}) FROM ${name})`;
  } else if (made !== "last") {
    const rows = source(table.key, made.keys, made.ledger, dialect);
    const on = table.key.map((column, i) => `t.${dialect.quote(column.name)} = ${rows.values[i]}`).join(" AND ");
    from = `${rows.from} JOIN ${name} AS t ON ${on}`;
    params = rows.params;
  }
  const rows = `(SELECT json_group_array(json_array(${values.join(", ")})) FROM ${from})`;
  return {
    sql: `UPDATE ${RECORD} SET "result" = coalesce("result" || ',', '') || ${rows} WHERE "id" = ?`,
    params: [...params, id],
  };
}

/** The value of a literal as SQLite's `quote` writes it. */
export function readLiteral(text: string): SqlValue {
  if (text === "NULL") return null;
  if (text.startsWith("'")) return text.slice(1, -1).replaceAll("''", "'");
  if (text.startsWith("X'")) {
    return Uint8Array.from(text.slice(2, -1).match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
  }
  const number = Number(text);
  return /^-?\d+$/.test(text) && !Number.isSafeInteger(number) ? BigInt(text) : number;
}
