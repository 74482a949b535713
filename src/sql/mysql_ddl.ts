/**
 * CREATE TABLE and DROP TABLE for MySQL 8 and MariaDB. Where the two differ, the words stand in a comment that only one of
 * them reads: `/*!80017 … *\/` MySQL, `/*M!100202 … *\/` MariaDB.
 *
 * @module
 */
import { UnsupportedError, ValidationError } from "../errors.ts";
import { columnName, plainText } from "./codecs.ts";
import { columnNames, declaredExpression, foreignKeyClause, isCyclic } from "./ddl.ts";
import type { Dialect } from "./dialect.ts";
import { DECIMAL_DIGITS, DECIMAL_SCALE, KEY_LENGTH } from "./mysql_codecs.ts";
import { quote, tableName } from "./mysql_names.ts";
import type { Statement } from "./statement.ts";
import type { ColumnInfo, ColumnType, TableInfo } from "./table.ts";

/** Text compares by its code points, trailing spaces included, as in other databases. */
const COLLATION = "/*!80017 COLLATE utf8mb4_0900_bin *//*M!100202 COLLATE utf8mb4_nopad_bin */";
/** The characters of a VARCHAR that a row has room for; longer ones are kept apart. */
const MAX_VARCHAR = 16_383;
/** The characters of the name of a constraint. */
const MAX_NAME = 64;

const TYPES: Readonly<Record<Exclude<ColumnType["name"], "array" | "varchar" | "decimal" | "enumeration">, string>> = {
  text: "LONGTEXT",
  // A safe integer has up to 53 bits.
  integer: "BIGINT",
  identity: "BIGINT",
  bigint: "BIGINT",
  // A FLOAT would come back with six digits.
  real: "DOUBLE",
  double: "DOUBLE",
  boolean: "TINYINT(1)",
  uuid: "CHAR(36) CHARACTER SET ascii COLLATE ascii_bin",
  // A Date has milliseconds.
  timestamp: "DATETIME(3)",
  date: "DATE",
  json: "JSON",
  bytes: "LONGBLOB",
};

/** A text literal, whatever `sql_mode` says of backslashes; null where there is none for it. */
function literal(text: string, column: ColumnInfo): string {
  const unsafe = text.includes("\\") || text !== text.replace(/ +$/, "") || text === "";
  if (unsafe) {
    throw new ValidationError(
      `${columnName(column)}: a value of an enumeration in MySQL must not be empty, end in a space or hold a backslash`,
    );
  }
  return `'${plainText(text, columnName(column)).replaceAll("'", "''")}'`;
}

function declaredType(column: ColumnInfo, table: TableInfo): string {
  const { type } = column;
  const indexed = column.primaryKey || column.unique ||
    table.foreignKeys.some(({ columns }) => columns.includes(column));
  switch (type.name) {
    case "array":
      throw new UnsupportedError(`${columnName(column)}: MySQL has no arrays; declare the column t.json() instead`);
    case "varchar":
      return type.length <= MAX_VARCHAR || indexed ? `VARCHAR(${type.length})` : "LONGTEXT";
    case "decimal": {
      const { precision = DECIMAL_DIGITS, scale = type.precision === undefined ? DECIMAL_SCALE : 0 } = type;
      if (precision > DECIMAL_DIGITS || scale > DECIMAL_SCALE) {
        throw new UnsupportedError(
          `${columnName(column)}: a decimal in MySQL has at most ${DECIMAL_DIGITS} digits, ` +
            `${DECIMAL_SCALE} of them after the point`,
        );
      }
      return `DECIMAL(${precision}, ${scale})`;
    }
    case "enumeration":
      return `ENUM(${type.values.map((value) => literal(value, column)).join(", ")})`;
    case "text":
      return indexed ? `VARCHAR(${KEY_LENGTH})` : TYPES.text;
    case "bytes":
      return indexed ? `VARBINARY(${KEY_LENGTH})` : TYPES.bytes;
    default:
      return TYPES[type.name];
  }
}

function columnDefinition(column: ColumnInfo, table: TableInfo, dialect: Dialect): string {
  let text = `${quote(column.name)} ${declaredType(column, table)}`;
  if (column.generated !== null) {
    // MariaDB takes no NOT NULL here.
    const expression = declaredExpression(column.generated, column, "generated", dialect);
    return `${text} GENERATED ALWAYS AS (${expression}) STORED${column.unique ? " UNIQUE" : ""}`;
  }
  text += column.nullable ? " NULL" : " NOT NULL";
  if (column.type.name === "identity") {
    if (table.key.length !== 1 || table.key[0] !== column) {
      throw new UnsupportedError(`${columnName(column)}: in MySQL t.identity() must be the only key of its table`);
    }
    text += " AUTO_INCREMENT";
  }
  if (column.unique && !column.primaryKey) text += " UNIQUE";
  if (column.serverDefault !== null && column.type.name !== "identity") {
    text += ` DEFAULT (${declaredExpression(column.serverDefault, column, "serverDefault", dialect)})`;
  }
  return text;
}

/**
 * The CREATE TABLE statement of a table; foreign keys of a cycle are left out. InnoDB makes an index for each foreign key.
 * A schema is a database of the server (a keyspace of Vitess): it has to be there.
 */
export function createTable(table: TableInfo, dialect: Dialect): readonly Statement[] {
  const lines = table.columns.map((column) => columnDefinition(column, table, dialect));
  if (table.key.length > 0) lines.push(`PRIMARY KEY (${columnNames(table.key, dialect)})`);
  for (const foreign of table.foreignKeys) {
    if (!isCyclic(foreign, table)) lines.push(foreignKeyClause(foreign, tableName(foreign.target), dialect));
  }
  const sql = `CREATE TABLE IF NOT EXISTS ${tableName(table)} (\n  ${lines.join(",\n  ")}\n) ` +
    `ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 ${COLLATION}`;
  return [{ sql, params: [] }];
}

/**
 * The foreign keys of a table that are part of a cycle: to be added once all tables are there. MySQL, unlike MariaDB, has
 * no IF NOT EXISTS for them: adding one twice fails there.
 */
export function addForeignKeys(table: TableInfo, dialect: Dialect): readonly Statement[] {
  return table.foreignKeys.filter((foreign) => isCyclic(foreign, table)).map((foreign) => {
    const columns = foreign.columns.map((column) => column.name).join("_");
    const constraint = quote(`${table.table}_${columns}_fkey`.slice(-MAX_NAME));
    const clause = foreignKeyClause(foreign, tableName(foreign.target), dialect)
      .replace("FOREIGN KEY ", `FOREIGN KEY /*M!100202 IF NOT EXISTS ${constraint} */ `);
    return { sql: `ALTER TABLE ${tableName(table)} ADD CONSTRAINT ${constraint} ${clause}`, params: [] };
  });
}

/** The DROP TABLE statement of a table. */
export function dropTable(table: TableInfo): readonly Statement[] {
  // The foreign keys of a cycle would not let the first of its tables go.
  const cyclic = table.foreignKeys.some((foreign) => isCyclic(foreign, table));
  const unchecked = cyclic ? "/*M!100202 SET STATEMENT foreign_key_checks = 0 FOR */ " : "";
  return [{ sql: `${unchecked}DROP TABLE IF EXISTS ${tableName(table)}`, params: [] }];
}
