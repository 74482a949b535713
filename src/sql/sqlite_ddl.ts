/**
 * CREATE TABLE and DROP TABLE for SQLite and libSQL.
 *
 * @module
 */
import { UnsupportedError } from "../errors.ts";
import { columnName, plainText } from "./codecs.ts";
import { columnModifiers, columnNames, foreignKeyClause, foreignKeyIndexes } from "./ddl.ts";
import type { Dialect } from "./dialect.ts";
import type { Statement } from "./statement.ts";
import type { ColumnInfo, ColumnType, TableInfo } from "./table.ts";

/** The table's quoted name. */
export function tableName(table: TableInfo, dialect: Dialect): string {
  if (table.schema !== null) {
    throw new UnsupportedError(
      `${table.model} is declared in the schema "${table.schema}", and SQLite has no schemas; declare it without`,
    );
  }
  return dialect.quote(table.table);
}

const TYPES: Readonly<Record<Exclude<ColumnType["name"], "array">, string>> = {
  text: "TEXT",
  varchar: "TEXT",
  integer: "INTEGER",
  identity: "INTEGER",
  bigint: "INTEGER",
  real: "REAL",
  double: "REAL",
  // Text keeps every digit; NUMERIC would make a double of it.
  decimal: "TEXT",
  boolean: "INTEGER",
  uuid: "TEXT",
  timestamp: "TEXT",
  date: "TEXT",
  json: "TEXT",
  bytes: "BLOB",
  enumeration: "TEXT",
};

function columnDefinition(column: ColumnInfo, table: TableInfo, dialect: Dialect): string {
  const { type } = column;
  if (type.name === "array") {
    throw new UnsupportedError(`${columnName(column)}: SQLite has no arrays; declare the column t.json() instead`);
  }
  const name = dialect.quote(column.name);
  if (type.name === "identity") {
    if (table.key.length !== 1 || table.key[0] !== column) {
      throw new UnsupportedError(`${columnName(column)}: in SQLite t.identity() must be the only key of its table`);
    }
    // AUTOINCREMENT: the key of a deleted row is never given again.
    return `${name} INTEGER PRIMARY KEY AUTOINCREMENT`;
  }
  let text = `${name} ${TYPES[type.name]}${columnModifiers(column, dialect)}`;
  if (type.name === "enumeration") {
    const values = type.values.map((value) => `'${plainText(value, columnName(column)).replaceAll("'", "''")}'`);
    text += ` CHECK (${name} IN (${values.join(", ")}))`;
  }
  return text;
}

/**
 * The statements that make a table where it is not there yet: with its foreign keys, and an index for each, without which
 * every delete of a parent would read the whole table of its children.
 */
export function createTable(table: TableInfo, dialect: Dialect): readonly Statement[] {
  const lines = table.columns.map((column) => columnDefinition(column, table, dialect));
  if (table.key.length > 0 && !table.key.some((column) => column.type.name === "identity")) {
    lines.push(`PRIMARY KEY (${columnNames(table.key, dialect)})`);
  }
  for (const foreign of table.foreignKeys) {
    lines.push(foreignKeyClause(foreign, tableName(foreign.target, dialect), dialect));
  }
  const name = tableName(table, dialect);
  const create = `CREATE TABLE IF NOT EXISTS ${name} (\n  ${lines.join(",\n  ")}\n)`;
  return [{ sql: create, params: [] }, ...foreignKeyIndexes(table, name, dialect)];
}

/** The DROP TABLE statement of a table. */
export function dropTable(table: TableInfo, dialect: Dialect): readonly Statement[] {
  return [{ sql: `DROP TABLE IF EXISTS ${tableName(table, dialect)}`, params: [] }];
}
