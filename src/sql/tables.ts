/**
 * Making and dropping tables, by the name of the dialect. Beside the dialects and not in them, so that a program which makes
 * no tables is without it.
 *
 * @module
 */
import type { Dialect } from "./dialect.ts";
import * as mysql from "./mysql_ddl.ts";
import * as postgres from "./postgres_ddl.ts";
import * as sqlite from "./sqlite_ddl.ts";
import type { Statement } from "./statement.ts";
import type { TableInfo } from "./table.ts";

/** How a family of databases makes and drops tables. */
export interface TableStatements {
  /** CREATE TABLE statements for a table, foreign keys included unless `addForeignKeys` has them. */
  createTable(table: TableInfo, dialect: Dialect): readonly Statement[];
  /**
   * The foreign keys that `createTable` left out, since a cycle of tables cannot be there before itself; to be added
   * once all tables are made. Absent where a foreign key may name a table that is not there yet.
   */
  addForeignKeys?(table: TableInfo, dialect: Dialect): readonly Statement[];
  /** DROP TABLE IF EXISTS statements for a table. */
  dropTable(table: TableInfo, dialect: Dialect): readonly Statement[];
}

/** The statements of a dialect. */
export function tableStatements({ name }: Dialect): TableStatements {
  return name === "sqlite" ? sqlite : name === "postgres" ? postgres : mysql;
}
