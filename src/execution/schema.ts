/**
 * Making and dropping the tables of models: for tests, demos and a first deploy. Migrations are others' work.
 *
 * @module
 */
import type { CallOptions, Database } from "../database.ts";
import { ValidationError } from "../errors.ts";
import { t } from "../model/columns.ts";
import { type Mapper, mapperOf } from "../model/mapper.ts";
import { model } from "../model/model.ts";
import type { AnyModel } from "../model/types.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { Statement } from "../sql/statement.ts";
import type { ColumnInfo, ForeignKeyInfo, TableInfo } from "../sql/table.ts";
import { tableStatements } from "../sql/tables.ts";
import { checkCallOptions, refuseUnknown } from "./call_options.ts";
import { RECORDS } from "./commit_record.ts";

/** Options of {@linkcode ddl}. */
export interface DdlOptions {
  /**
   * Whether to make `ledge_commit` too, the table that commits with `exactlyOnce` and those of
   * `@ledge/session/two_phase` need; false unless given.
   */
  readonly exactlyOnce?: boolean;
}

/** Options of {@linkcode createAll} and {@linkcode dropAll}. */
export interface SchemaOptions extends DdlOptions, CallOptions {}

/** The records of commits. Made when it is asked for: importing this has no effects. */
function records(): AnyModel {
  return class LedgeCommit extends model(RECORDS, {
    id: t.uuid().primaryKey(),
    state: t.text(),
    result: t.text().nullable(),
    at: t.timestamp(),
  }) {} as unknown as AnyModel;
}

function withRecords(models: readonly AnyModel[], { exactlyOnce = false }: DdlOptions): readonly AnyModel[] {
  if (typeof exactlyOnce !== "boolean") throw new ValidationError("exactlyOnce must be true or false");
  return exactlyOnce ? [...models, records()] : models;
}

/** The tables of models, with the columns of their subclasses, and of their many-to-many relations, a referenced one before those that refer to it. */
function tablesOf(models: readonly AnyModel[]): TableInfo[] {
  // All first: a subclass is known once it was looked at.
  const mappers = models.map((model) => mapperOf(model));
  const given = new Map<string, TableInfo>(mappers.map((mapper) => [fullName(mapper), wholeTable(mapper)]));
  for (const mapper of mappers.flatMap(({ root }) => root.family)) {
    for (const { link } of mapper.relations) {
      if (link !== null && !given.has(fullName(link))) given.set(fullName(link), link);
    }
  }
  const tables = joined(given);
  const ordered = new Set<TableInfo>();
  const visit = (table: TableInfo, path: readonly TableInfo[]): void => {
    if (ordered.has(table) || path.includes(table)) return;
    for (const { target } of table.foreignKeys) {
      if (tables.get(fullName(target)) === target) visit(target, [...path, table]);
    }
    ordered.add(table);
  };
  for (const table of tables.values()) visit(table, []);
  return [...ordered];
}

/**
 * The table of a whole family: the base's columns, and those of every subclass, which can be null since other rows have
 * none. Of a model that is alone: the mapper itself.
 */
export function wholeTable({ root }: Mapper): TableInfo {
  const { family } = root;
  if (family.length === 1) return root;
  const columns: ColumnInfo[] = [...root.columns];
  for (const column of family.flatMap((mapper) => mapper.columns)) {
    if (columns.some(({ name }) => name === column.name)) continue;
    columns.push({ ...column, nullable: true, index: columns.length });
  }
  const foreignKeys = [...new Set(family.flatMap((mapper) => mapper.foreignKeys))];
  const { model, table, schema, key, identity, version } = root;
  return { model, table, schema, columns, key, identity, version, foreignKeys };
}

/** The same tables, each there once, so that foreign keys lead from one to another: a family has a mapper for each class. */
function joined(given: ReadonlyMap<string, TableInfo>): Map<string, TableInfo> {
  const tables = new Map<string, TableInfo & { foreignKeys: readonly ForeignKeyInfo[] }>();
  for (const [id, { model, table, schema, columns, key, identity, version }] of given) {
    tables.set(id, { model, table, schema, columns, key, identity, version, foreignKeys: [] });
  }
  for (const [id, { foreignKeys }] of given) {
    tables.get(id)!.foreignKeys = foreignKeys.map((foreign) => ({
      ...foreign,
      target: tables.get(fullName(foreign.target)) ?? foreign.target,
    }));
  }
  return tables;
}

function fullName({ schema, table }: TableInfo): string {
  return JSON.stringify([schema, table]);
}

/**
 * The statements that make the tables of models, foreign keys and link tables included. Throws an `UnsupportedError`
 * for a column type that the dialect lacks.
 */
export function ddl(models: readonly AnyModel[], dialect: Dialect, options: DdlOptions = {}): Statement[] {
  refuseUnknown(options, ["exactlyOnce"], "ddl()");
  const tables = tablesOf(withRecords(models, options));
  const sql = tableStatements(dialect);
  return [
    ...tables.flatMap((table) => sql.createTable(table, dialect)),
    ...tables.flatMap((table) => sql.addForeignKeys?.(table, dialect) ?? []),
  ];
}

/**
 * Makes the tables of models where they are not there yet. One request where the database batches.
 *
 * @example
 * ```ts
 * import { createAll, model, t } from "@ledge/session";
 * import { libsql } from "@ledge/session/libsql/local";
 *
 * class Book extends model("books", { id: t.identity(), title: t.text() }) {}
 * const db = libsql({ url: ":memory:" });
 * await createAll(db, [Book]);
 * await db.close();
 * ```
 */
export async function createAll(
  db: Database,
  models: readonly AnyModel[],
  options: SchemaOptions = {},
): Promise<void> {
  const { exactlyOnce, ...call } = checked(options, "createAll()");
  await runAll(db, ddl(models, db.dialect, { exactlyOnce }), call);
}

/** Drops the tables of models where they are there. One request where the database batches. */
export async function dropAll(
  db: Database,
  models: readonly AnyModel[],
  options: SchemaOptions = {},
): Promise<void> {
  const { exactlyOnce, ...call } = checked(options, "dropAll()");
  const tables = tablesOf(withRecords(models, { exactlyOnce })).reverse();
  const { dropTable } = tableStatements(db.dialect);
  await runAll(db, tables.flatMap((table) => dropTable(table, db.dialect)), call);
}

function checked(options: SchemaOptions, what: string): SchemaOptions {
  refuseUnknown(options, ["exactlyOnce", "signal", "timeout"], what);
  checkCallOptions(options);
  return options;
}

async function runAll(db: Database, statements: readonly Statement[], options?: CallOptions): Promise<void> {
  if (statements.length === 0) return;
  if (db.batch !== undefined) await db.batch(statements, options);
  else for (const statement of statements) await db.execute(statement, options);
}
