/**
 * The parts of CREATE TABLE that dialects share.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import { columnName } from "./codecs.ts";
import type { Dialect } from "./dialect.ts";
import type { SqlValue, Statement } from "./statement.ts";
import type { ColumnInfo, ForeignKeyInfo, TableInfo } from "./table.ts";
import { preview, type Sql, writeSql } from "./tag.ts";

/** The quoted names of columns, with commas between. */
export function columnNames(columns: readonly ColumnInfo[], dialect: Dialect): string {
  return columns.map((column) => dialect.quote(column.name)).join(", ");
}

/** An expression of the declaration: DDL has no placeholders, so it must bring no values. */
export function declaredExpression(fragment: Sql, column: ColumnInfo, what: string, dialect: Dialect): string {
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

/** What follows a column's type: NOT NULL, UNIQUE, DEFAULT and GENERATED. */
export function columnModifiers(column: ColumnInfo, dialect: Dialect): string {
  let text = column.nullable ? "" : " NOT NULL";
  if (column.unique) text += " UNIQUE";
  if (column.serverDefault) {
    text += ` DEFAULT (${declaredExpression(column.serverDefault, column, "serverDefault", dialect)})`;
  }
  if (column.generated) {
    text += ` GENERATED ALWAYS AS (${declaredExpression(column.generated, column, "generated", dialect)}) STORED`;
  }
  return text;
}

/** `FOREIGN KEY (…) REFERENCES …`; `target` is the quoted name of the table. */
export function foreignKeyClause(foreign: ForeignKeyInfo, target: string, dialect: Dialect): string {
  const action = foreign.onDelete === null ? "" : ` ON DELETE ${foreign.onDelete.toUpperCase()}`;
  return `FOREIGN KEY (${columnNames(foreign.columns, dialect)}) REFERENCES ${target} (${
    columnNames(foreign.target.key, dialect)
  })${action}`;
}

/**
 * The statements that make an index for each foreign key that has none, without which every delete of a parent would read
 * the whole table of its children.
 */
export function foreignKeyIndexes(table: TableInfo, name: string, dialect: Dialect): readonly Statement[] {
  return table.foreignKeys.filter(({ columns }) => !isIndexed(table, columns)).map(({ columns }) => {
    const index = dialect.quote(`${table.table}_${columns.map((column) => column.name).join("_")}_idx`);
    return { sql: `CREATE INDEX IF NOT EXISTS ${index} ON ${name} (${columnNames(columns, dialect)})`, params: [] };
  });
}

/** Whether the primary key or a unique column serves as the index of a foreign key. */
function isIndexed(table: TableInfo, columns: readonly ColumnInfo[]): boolean {
  return columns.every((column, i) => table.key[i] === column) || columns.length === 1 && columns[0]!.unique;
}

/** Whether a table is reached from another by foreign keys. */
function reaches(from: TableInfo, target: TableInfo, seen = new Set<TableInfo>()): boolean {
  if (from === target) return true;
  if (seen.has(from)) return false;
  seen.add(from);
  return from.foreignKeys.some((foreign) => reaches(foreign.target, target, seen));
}

/** Whether a foreign key is part of a cycle of several tables: its target cannot be there before its table. */
export function isCyclic(foreign: ForeignKeyInfo, table: TableInfo): boolean {
  return foreign.target !== table && reaches(foreign.target, table);
}
