/**
 * Names of MySQL as SQL. In backticks, whatever `sql_mode` says of double quotes (ANSI_QUOTES).
 *
 * @module
 */
import { checkIdentifier } from "./identifier.ts";
import type { ColumnInfo, TableInfo } from "./table.ts";

/** An identifier in quotes. */
export function quote(identifier: string): string {
  checkIdentifier(identifier);
  return `\`${identifier.replaceAll("`", "``")}\``;
}

/** The table's quoted name, with its schema (a database of the server) where it has one. */
export function tableName({ schema, table }: TableInfo): string {
  return schema === null ? quote(table) : `${quote(schema)}.${quote(table)}`;
}

/** A column with its table: a table to write is never given an alias, since a user's expression may name it. */
export function columnOf(table: TableInfo, column: ColumnInfo): string {
  return `${tableName(table)}.${quote(column.name)}`;
}
