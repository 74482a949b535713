/**
 * libSQL and Turso at the edge: over HTTP or WebSocket, without a native addon. For `file:` and `:memory:` use
 * `@ledge/session/libsql/local`.
 *
 * @module
 */
import { createClient } from "@libsql/client/web";
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
 * A database at a libSQL server: `libsql:`, `https:`, `http:`, `wss:` or `ws:`, or over a client that you made with
 * `createClient` of `@libsql/client`.
 *
 * Requests over HTTP: `execute` 1, `batch` 1 whatever its length, `connect` 0, each call in a transaction 1 (BEGIN rides
 * along with the first), `commit` 1 with the last statements included, `rollback` 1. `close` sends nothing. A WebSocket is
 * opened with the first call and kept; in Cloudflare's Workers, where no request can use another's, each call and each
 * transaction opens one and closes it when it ends.
 *
 * A call that is given up, by its `timeout` or its `signal`, rejects at once. Over HTTP its request is cancelled; over a
 * WebSocket, and with a client that was handed in, it runs on and its answer is ignored. Whether a write that was given
 * up was applied cannot be known.
 *
 * A client that is handed in stays yours to close. Make it with `intMode: "bigint"` (with "number" it cannot read integers
 * above 2^53, with "string" integers arrive as text) and, over HTTP, with `fetch: safeFetch()`. Over HTTP its
 * `commit` with last statements takes two requests. In Workers one over a WebSocket belongs to the request that it was
 * handed in, and is refused in all others with an UnsupportedError; one over HTTP serves all, without its limit of 20 calls
 * at once, which would let a request wait for another.
 *
 * @example
 * ```ts
 * import { libsql } from "@ledge/session/libsql";
 *
 * await using db = libsql({ url: "libsql://books.example.org", authToken: "secret", timeout: 5_000 });
 *
 * if (db.description !== "libsql https://books.example.org") throw new Error(db.description);
 * ```
 */
export function libsql(source: LibsqlOptions | LibsqlClient): LibsqlDatabase {
  return isClient(source) ? adoptClient(source) : openDatabase(source, createClient, false);
}
