/**
 * A database of a real MariaDB to run compiled statements on. Values are written into the text by the formatter of
 * PlanetScale's driver, so that what is tested is what goes out. What comes back is raw: integers and doubles as numbers
 * (bigints beyond the safe ones), blobs as bytes, everything else as the text that the server wrote.
 *
 * @module
 */
import { addForeignKeys, createTable } from "../../src/sql/mysql_ddl.ts";
import { format } from "@planetscale/database";
import mysql2 from "mysql2/promise";
import type { Dialect } from "../../src/sql/dialect.ts";
import { mysql } from "../../src/sql/mysql.ts";
import type { SqlValue, Statement } from "../../src/sql/statement.ts";
import type { CompiledStatement, Step } from "../../src/sql/step.ts";
import type { TableInfo } from "../../src/sql/table.ts";
import { type MariadbDatabase, mariadbMissing, startMariadb } from "../servers/mariadb.ts";

const missing = mariadbMissing();

/** A test that needs a MariaDB; without one it is skipped, and its name says what to install. */
export function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `${name}${missing ?? ""}`, ignore: missing !== null, fn });
}

/** What a statement gave. */
export interface Sent {
  readonly rows: SqlValue[][];
  readonly affected: number;
  readonly insertId: number;
}

/** What a commit gave. */
export interface Committed {
  readonly compiled: readonly CompiledStatement[];
  readonly results: readonly Sent[];
}

/** A row that is not as it must be, as `expectRows` or a statement that `failsOnRows` says it. */
export class Stale extends Error {
  constructor(readonly at: CompiledStatement, readonly rows: readonly SqlValue[]) {
    super(`stale rows ${rows} of step ${at.step}`);
  }
}

/** Column types by their numbers on the wire. */
const INTEGERS: ReadonlySet<number> = new Set([1, 2, 3, 8, 9]);
const DOUBLES: ReadonlySet<number> = new Set([4, 5]);
const BLOBS: ReadonlySet<number> = new Set([249, 250, 251, 252, 253, 254]);
/** The character set of what is no text. */
const BINARY = 63;

interface Column {
  readonly columnType: number;
  readonly characterSet: number;
}

function raw(bytes: Uint8Array | null, { columnType, characterSet }: Column): SqlValue {
  if (bytes === null) return null;
  if (BLOBS.has(columnType) && characterSet === BINARY) return new Uint8Array(bytes);
  const text = new TextDecoder().decode(bytes);
  if (DOUBLES.has(columnType)) return Number(text);
  if (!INTEGERS.has(columnType)) return text;
  return Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text);
}

/** A connection that gives back raw values. */
export class MysqlClient implements AsyncDisposable {
  readonly #connection: mysql2.Connection;
  readonly dialect: Dialect;

  private constructor(connection: mysql2.Connection, dialect: Dialect) {
    this.#connection = connection;
    this.dialect = dialect;
  }

  /** `foundRows`: an UPDATE counts the rows that it found, as PlanetScale's do, not only those that became others. */
  static async open(url: string, dialect: Dialect, foundRows = true): Promise<MysqlClient> {
    const typeCast = (field: unknown): Uint8Array | null => (field as { buffer(): Uint8Array | null }).buffer();
    const options = { uri: url, charset: "utf8mb4", rowsAsArray: true, typeCast } as mysql2.ConnectionOptions;
    const connection = await mysql2.createConnection({
      ...options,
      flags: ["-IGNORE_SPACE", `${foundRows ? "" : "-"}FOUND_ROWS`],
    });
    connection.on("error", () => {});
    return new MysqlClient(connection, dialect);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.end();
  }

  /** Runs one statement. */
  async send({ sql, params }: Statement): Promise<Sent> {
    const text = format(sql, [...params]);
    type Given = [(Uint8Array | null)[][] | mysql2.ResultSetHeader, Column[]];
    const [result, fields] = await this.#connection.query({ sql: text }) as unknown as Given;
    if (Array.isArray(result)) {
      const rows = result.map((row) => row.map((cell, i) => raw(cell, fields[i]!)));
      return { rows, affected: rows.length, insertId: 0 };
    }
    return { rows: [], affected: result.affectedRows, insertId: result.insertId };
  }

  /** The rows of a query. */
  async query(sql: string, ...params: readonly SqlValue[]): Promise<SqlValue[][]> {
    return (await this.send({ sql, params })).rows;
  }

  /** Compiles steps and runs them: as a transaction, or as one statement if it is one. */
  commit(...steps: readonly Step[]): Promise<Committed> {
    return this.run(this.dialect.compile(steps));
  }

  /** Runs compiled statements as execution does. */
  async run(compiled: readonly CompiledStatement[]): Promise<Committed> {
    const single = compiled.length === 1;
    const results: Sent[] = [];
    if (!single) await this.query("BEGIN");
    try {
      for (const one of compiled) {
        const sent = await this.send(one.statement);
        if (one.expectRows !== undefined && sent.affected !== one.expectRows) throw new Stale(one, [one.from]);
        if (one.failsOnRows && sent.rows.length > 0) throw new Stale(one, sent.rows.map(([ordinal]) => ordinal!));
        results.push(sent);
      }
      if (!single) await this.query("COMMIT");
      return { compiled, results };
    } catch (error) {
      if (!single) await this.query("ROLLBACK");
      throw error;
    }
  }
}

/** A fresh database with a connection; dropped when disposed of. */
export class MysqlEngine implements AsyncDisposable {
  readonly #database: MariadbDatabase;
  readonly client: MysqlClient;

  private constructor(database: MariadbDatabase, client: MysqlClient) {
    this.#database = database;
    this.client = client;
  }

  static async open(...tables: readonly TableInfo[]): Promise<MysqlEngine> {
    return await MysqlEngine.openWith(mysql(), ...tables);
  }

  static async openWith(dialect: Dialect, ...tables: readonly TableInfo[]): Promise<MysqlEngine> {
    const database = await (await startMariadb()).createDatabase();
    const engine = new MysqlEngine(database, await MysqlClient.open(database.url, dialect));
    await engine.create(...tables);
    return engine;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.#database.drop();
  }

  /** The name of its database. */
  get name(): string {
    return this.#database.name;
  }

  /** Another connection to the same database. */
  connect(dialect = this.client.dialect, foundRows = true): Promise<MysqlClient> {
    return MysqlClient.open(this.#database.url, dialect, foundRows);
  }

  query(sql: string, ...params: readonly SqlValue[]): Promise<SqlValue[][]> {
    return this.client.query(sql, ...params);
  }

  commit(...steps: readonly Step[]): Promise<Committed> {
    return this.client.commit(...steps);
  }

  /** Makes tables, and the foreign keys of their cycles. */
  async create(...tables: readonly TableInfo[]): Promise<void> {
    const { dialect } = this.client;
    const statements = [
      ...tables.flatMap((one) => createTable(one, dialect)),
      ...tables.flatMap((one) => addForeignKeys(one, dialect)),
    ];
    for (const statement of statements) await this.client.send(statement);
  }
}
