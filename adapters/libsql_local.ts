/**
 * libSQL with local databases: all that `@ledge/session/libsql` does, and `file:` and `:memory:` through the driver's
 * native addon. For Deno, Node and Bun.
 *
 * @module
 */
import { createClient } from "@libsql/client";
import { isClient, type LibsqlClient } from "./libsql/client.ts";
import { adoptClient, type LibsqlDatabase, openDatabase } from "./libsql/database.ts";
import type { LibsqlOptions } from "./libsql/options.ts";

export type {
  DriverResult,
  DriverRow,
  DriverStatement,
  DriverTransaction,
  DriverValue,
  LibsqlClient,
} from "./libsql/client.ts";
export type { LibsqlDatabase } from "./libsql/database.ts";
export type { LibsqlOptions } from "./libsql/options.ts";
export { type Fetch, safeFetch } from "./shared/fetch.ts";

/**
 * A database in a file (`file:books.db`), in memory (`:memory:`), or at a server. A local call sends no request and runs
 * to its end once begun, so that a timeout or a signal only matters before it.
 *
 * A transaction that writes takes SQLite's one write lock with `connect()`: a write beside it rejects at once with a
 * LockTimeoutError, and can be tried again. `:memory:` has a single connection, so that every call beside an open
 * transaction rejects so.
 *
 * @example
 * ```ts
 * import { libsql } from "@ledge/session/libsql/local";
 *
 * await using db = libsql({ url: ":memory:" });
 * await db.batch([
 *   { sql: "CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT)", params: [] },
 *   { sql: "INSERT INTO books (title) VALUES (?), (?)", params: ["Edges", "Ledges"] },
 * ]);
 * const { rows } = await db.execute({ sql: "SELECT id, title FROM books WHERE id = ?", params: [2] });
 *
 * if (rows[0]?.[1] !== "Ledges") throw new Error("The row is not there");
 * ```
 */
export function libsql(source: LibsqlOptions | LibsqlClient): LibsqlDatabase {
  return isClient(source) ? adoptClient(source) : openDatabase(source, createClient, true);
}
