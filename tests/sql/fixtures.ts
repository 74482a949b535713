/**
 * What the tests of sql/ share: hand-made tables, and a real libSQL in memory to run compiled statements on.
 *
 * @module
 */
import { createTable } from "../../src/sql/sqlite_ddl.ts";
import { type Client, createClient, type InArgs, type InStatement } from "@libsql/client";
import { sqlite } from "../../src/sql/sqlite.ts";
import type { SqlValue, Statement } from "../../src/sql/statement.ts";
import type { CompiledStatement, Step } from "../../src/sql/step.ts";
import type { ColumnInfo, ColumnType, ForeignKeyInfo, TableInfo } from "../../src/sql/table.ts";

/** What a test may say of a column; the rest is plain. */
export type ColumnOptions =
  & Partial<Omit<ColumnInfo, "type">>
  & { readonly type: ColumnType | Exclude<ColumnType["name"], "varchar" | "decimal" | "enumeration" | "array"> };

/** A table with columns by name; a foreign key is given by its column's name. */
export function table(
  name: string,
  columns: Readonly<Record<string, ColumnOptions>>,
  references: Readonly<Record<string, TableInfo | "self">> = {},
): TableInfo {
  const model = name.charAt(0).toUpperCase() + name.slice(1);
  const infos = Object.entries(columns).map(([property, options], index): ColumnInfo => ({
    model,
    property,
    name: property,
    index,
    nullable: false,
    primaryKey: options.type === "identity",
    unique: false,
    version: false,
    serverDefault: null,
    generated: null,
    ...options,
    type: typeof options.type === "string" ? { name: options.type } : options.type,
  }));
  const foreignKeys: ForeignKeyInfo[] = [];
  const made: TableInfo = {
    model,
    table: name,
    schema: null,
    columns: infos,
    key: infos.filter((column) => column.primaryKey),
    identity: infos.find((column) => column.type.name === "identity") ?? null,
    version: infos.find((column) => column.version) ?? null,
    foreignKeys,
  };
  for (const [column, target] of Object.entries(references)) {
    foreignKeys.push({
      columns: infos.filter((info) => info.name === column),
      target: target === "self" ? made : target,
      onDelete: null,
    });
  }
  return made;
}

/** Columns of a table, by name. */
export function columns(of: TableInfo, ...names: readonly string[]): readonly ColumnInfo[] {
  return names.map((name) => {
    const found = of.columns.find((column) => column.name === name);
    if (!found) throw new Error(`no column ${name}`);
    return found;
  });
}

/** A real libSQL in memory, closed when disposed of. */
export class Engine implements Disposable {
  readonly #client: Client = createClient({ url: ":memory:", intMode: "bigint" });

  [Symbol.dispose](): void {
    this.#client.close();
  }

  /** Runs statements in one write transaction; gives the rows of each. */
  async run(...statements: readonly Statement[]): Promise<unknown[][][]> {
    const sent = statements.map(({ sql, params }): InStatement => ({ sql, args: params.map(bind) as InArgs }));
    const results = await this.#client.batch(sent, "write");
    return results.map((result) => result.rows.map((row) => Array.from(row as ArrayLike<unknown>, back)));
  }

  /** The rows of a query. */
  async query(sql: string, ...params: readonly SqlValue[]): Promise<unknown[][]> {
    return (await this.run({ sql, params }))[0]!;
  }

  /** Makes tables. */
  async create(...tables: readonly TableInfo[]): Promise<void> {
    await this.run(...tables.flatMap((one) => createTable(one, sqlite)));
  }

  /** Compiles steps and runs them as one batch. */
  async commit(...steps: readonly Step[]): Promise<{ compiled: CompiledStatement[]; rows: unknown[][][] }> {
    const compiled = sqlite.compile(steps);
    return { compiled, rows: await this.run(...compiled.map((one) => one.statement)) };
  }
}

/** The driver binds numbers as REAL: integers go as bigint, as an adapter has to do. */
function bind(value: SqlValue): SqlValue {
  return typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : value;
}

function back(value: unknown): unknown {
  if (typeof value === "bigint" && Number.isSafeInteger(Number(value))) return Number(value);
  return value instanceof ArrayBuffer ? new Uint8Array(value) : value;
}
