/**
 * A database of a real PostgreSQL to run compiled statements on. Every value comes back as the text that the server
 * wrote, which is how the Neon driver is asked to give it.
 *
 * @module
 */
import { addForeignKeys, createTable } from "../../src/sql/postgres_ddl.ts";
import pg from "pg";
import { postgres } from "../../src/sql/postgres.ts";
import type { SqlValue, Statement } from "../../src/sql/statement.ts";
import type { CompiledStatement, Step } from "../../src/sql/step.ts";
import type { TableInfo } from "../../src/sql/table.ts";
import { type PostgresDatabase, startPostgres } from "../servers/postgres.ts";

type Text = string | null;

/** What a commit gave. */
export interface Committed {
  readonly compiled: readonly CompiledStatement[];
  readonly rows: readonly (readonly (readonly Text[])[])[];
  readonly affected: readonly (number | null)[];
}

/** A connection that gives back text. */
export class PostgresClient implements AsyncDisposable {
  readonly #client: pg.Client;

  private constructor(client: pg.Client) {
    this.#client = client;
  }

  static async open(url: string): Promise<PostgresClient> {
    const types = { getTypeParser: () => (value: string) => value };
    const client = new pg.Client({ connectionString: url, types } as pg.ClientConfig);
    client.on("error", () => {});
    await client.connect();
    return new PostgresClient(client);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end();
  }

  /** Runs one statement. */
  async send({ sql, params }: Statement): Promise<{ rows: Text[][]; affected: number | null }> {
    const { rows, rowCount } = await this.#client.query<Text[]>({ text: sql, values: [...params], rowMode: "array" });
    return { rows, affected: rowCount };
  }

  /** The rows of a query. */
  async query(sql: string, ...params: readonly SqlValue[]): Promise<Text[][]> {
    return (await this.send({ sql, params })).rows;
  }

  /** Compiles steps and runs them as one transaction. */
  async commit(...steps: readonly Step[]): Promise<Committed> {
    const compiled = postgres.compile(steps);
    await this.query("BEGIN");
    try {
      const results = [];
      for (const { statement } of compiled) results.push(await this.send(statement));
      await this.query("COMMIT");
      return { compiled, rows: results.map((one) => one.rows), affected: results.map((one) => one.affected) };
    } catch (error) {
      await this.query("ROLLBACK");
      throw error;
    }
  }
}

/** A fresh database with a connection; dropped when disposed of. */
export class PostgresEngine implements AsyncDisposable {
  readonly #database: PostgresDatabase;
  readonly client: PostgresClient;

  private constructor(database: PostgresDatabase, client: PostgresClient) {
    this.#database = database;
    this.client = client;
  }

  static async open(...tables: readonly TableInfo[]): Promise<PostgresEngine> {
    const server = await startPostgres();
    const database = await server.createDatabase();
    const engine = new PostgresEngine(database, await PostgresClient.open(database.url));
    await engine.create(...tables);
    return engine;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.#database.drop();
  }

  /** Another connection to the same database. */
  connect(): Promise<PostgresClient> {
    return PostgresClient.open(this.#database.url);
  }

  query(sql: string, ...params: readonly SqlValue[]): Promise<Text[][]> {
    return this.client.query(sql, ...params);
  }

  commit(...steps: readonly Step[]): Promise<Committed> {
    return this.client.commit(...steps);
  }

  /** Makes tables, and the foreign keys of their cycles. */
  async create(...tables: readonly TableInfo[]): Promise<void> {
    const statements = [
      ...tables.flatMap((one) => createTable(one, postgres)),
      ...tables.flatMap((one) => addForeignKeys(one, postgres)),
    ];
    for (const statement of statements) await this.client.send(statement);
  }
}
