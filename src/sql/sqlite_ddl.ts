/**
 * CREATE TABLE and DROP TABLE for SQLite and libSQL.
 *
 * @module
 */
import { UnsupportedError, ValidationError } from "../errors.ts";
import { columnName, plainText } from "./codecs.ts";
import type { Dialect } from "./dialect.ts";
import type { SqlValue, Statement } from "./statement.ts";
import type { ColumnInfo, ColumnType, TableInfo } from "./table.ts";
import { preview, type Sql, writeSql } from "./tag.ts";

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

/** An expression of the declaration: DDL has no placeholders, so it must bring no values. */
function expression(fragment: Sql, column: ColumnInfo, what: string, dialect: Dialect): string {
  const params: SqlValue[] = [];
  const text = writeSql(fragment, dialect, params);
  if (params.length > 0) {
    throw new ValidationError(
      `${columnName(column)}: the ${what} sql\`${
        preview(fragment)
      }\` has bound values, which CREATE TABLE cannot take; ` +
        "write them as SQL text",
    );
  }
  return text;
}

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
  let text = `${name} ${TYPES[type.name]}`;
  if (!column.nullable) text += " NOT NULL";
  if (column.unique) text += " UNIQUE";
  if (column.serverDefault) text += ` DEFAULT (${expression(column.serverDefault, column, "serverDefault", dialect)})`;
  if (column.generated) {
    text += ` GENERATED ALWAYS AS (${expression(column.generated, column, "generated", dialect)}) STORED`;
  }
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
  const names = (columns: readonly ColumnInfo[]) => columns.map((column) => dialect.quote(column.name)).join(", ");
  const lines = table.columns.map((column) => columnDefinition(column, table, dialect));
  if (table.key.length > 0 && !table.key.some((column) => column.type.name === "identity")) {
    lines.push(`PRIMARY KEY (${names(table.key)})`);
  }
  for (const foreign of table.foreignKeys) {
    const target = `${tableName(foreign.target, dialect)} (${names(foreign.target.key)})`;
    const action = foreign.onDelete === null ? "" : ` ON DELETE ${foreign.onDelete.toUpperCase()}`;
    lines.push(`FOREIGN KEY (${names(foreign.columns)}) REFERENCES ${target}${action}`);
  }
  const name = tableName(table, dialect);
  const indexes = table.foreignKeys.filter(({ columns }) => !isIndexed(table, columns)).map(({ columns }) => {
    const index = dialect.quote(`${table.table}_${columns.map((column) => column.name).join("_")}_idx`);
    return `CREATE INDEX IF NOT EXISTS ${index} ON ${name} (${names(columns)})`;
  });
  const create = `CREATE TABLE IF NOT EXISTS ${name} (\n  ${lines.join(",\n  ")}\n)`;
  return [create, ...indexes].map((sql) => ({ sql, params: [] }));
}

/** Whether the primary key or a unique column serves as the index of a foreign key. */
function isIndexed(table: TableInfo, columns: readonly ColumnInfo[]): boolean {
  return columns.every((column, i) => table.key[i] === column) || columns.length === 1 && columns[0]!.unique;
}

/** The DROP TABLE statement of a table. */
export function dropTable(table: TableInfo, dialect: Dialect): readonly Statement[] {
  return [{ sql: `DROP TABLE IF EXISTS ${tableName(table, dialect)}`, params: [] }];
}
