/**
 * One MariaDB connection of the PlanetScale front: runs a text by the text protocol and gives the values' bytes as the
 * server sent them.
 *
 * @module
 */
import mysql from "mysql2/promise";
import type { Settings } from "./mariadb.ts";
import type { Answer, Column } from "./planetscale_wire.ts";

/** What MySQL, or the connection to it, failed with. */
export class MysqlError extends Error {
  constructor(readonly errno: number, readonly sqlState: string, message: string, readonly isLost: boolean) {
    super(message);
  }
}

/** How to open a connection. */
export interface ConnectionOptions {
  readonly url: string;
  /** Whether `affected` counts rows that were found, or only those that were changed. */
  readonly foundRows: boolean;
  /** Set in its session. */
  readonly settings: Settings;
}

/** A connection; one call at a time. */
export class MysqlConnection {
  readonly #connection: mysql.Connection;

  private constructor(connection: mysql.Connection) {
    this.#connection = connection;
    connection.on("error", () => {});
  }

  static async open({ url, foundRows, settings }: ConnectionOptions): Promise<MysqlConnection> {
    let connection: MysqlConnection;
    try {
      connection = new MysqlConnection(
        await mysql.createConnection({
          uri: url,
          charset: "utf8mb4",
          flags: ["-IGNORE_SPACE", foundRows ? "FOUND_ROWS" : "-FOUND_ROWS"],
          bigNumberStrings: true,
          supportBigNumbers: true,
        }),
      );
    } catch (error) {
      throw asMysqlError(error);
    }
    const assignments = Object.entries(settings).map(([name, value]) => {
      return `${name} = ${typeof value === "number" ? value : mysql.escape(value)}`;
    });
    if (assignments.length > 0) await connection.run(`SET SESSION ${assignments.join(", ")}`);
    return connection;
  }

  /** The server's number of it. */
  get id(): number {
    return this.#connection.threadId;
  }

  async run(sql: string): Promise<Answer> {
    let results: unknown;
    let columns: unknown;
    try {
      [results, columns] = await this.#connection.query({
        sql,
        rowsAsArray: true,
        typeCast: (field: { buffer(): Uint8Array | null }) => field.buffer(),
      });
    } catch (error) {
      throw asMysqlError(error);
    }
    if (columns === undefined) {
      const { affectedRows, insertId } = results as { affectedRows: number | string; insertId: number | string };
      return { affected: BigInt(affectedRows), insertId: BigInt.asUintN(64, BigInt(insertId)) };
    }
    if (!(columns as unknown[]).every((column) => column !== undefined && !Array.isArray(column))) {
      throw new MysqlError(1105, "HY000", "Multi-Resultset not supported in stored procedure", false);
    }
    return { columns: columns as Column[], rows: results as (Uint8Array | null)[][] };
  }

  /** Ends it in order. */
  async end(): Promise<void> {
    await this.#connection.end().catch(() => {});
  }

  /** Drops it on this side; the server ends what it was doing when it notices. */
  destroy(): void {
    this.#connection.destroy();
  }
}

/** Errors after which the server has ended the connection: shutdown, killed, killed by another. */
const ENDED: readonly number[] = [1053, 1927, 3169];

function asMysqlError(error: unknown): MysqlError {
  const { errno, sqlState, message, fatal } = error as Error & { errno?: number; sqlState?: string; fatal?: boolean };
  if (errno !== undefined && errno > 0 && sqlState !== undefined) {
    return new MysqlError(errno, sqlState, message, fatal === true || ENDED.includes(errno));
  }
  if (/ECONNREFUSED|ETIMEDOUT/.test(message)) {
    return new MysqlError(2003, "HY000", "Can't connect to MySQL server", true);
  }
  return new MysqlError(2013, "HY000", "Lost connection to MySQL server during query", true);
}
