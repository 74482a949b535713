/**
 * Neon: PostgreSQL over HTTP, and over WebSockets where work needs a conversation.
 *
 * @module
 */
import { Client, neon as createSql } from "@neondatabase/serverless";
import type { NeonClient, NeonPool, NeonSql } from "./neon/client.ts";
import { makeDatabase, type NeonDatabase } from "./neon/database.ts";
import { checkOptions, type NeonOptions, type NeonParts, partsOf, redactorOf, type Target } from "./neon/options.ts";
import { fromClient, fromPool, openEach, quietly, type Sockets } from "./neon/sockets.ts";

export type { NeonClient, NeonPool, NeonPoolClient, NeonSql } from "./neon/client.ts";
export type { NeonDatabase } from "./neon/database.ts";
export type { NeonOptions, NeonParts, WebSocketOptions } from "./neon/options.ts";
export { type Fetch, safeFetch } from "./shared/fetch.ts";

/**
 * A database at Neon, from a connection string, or over what you made with `@neondatabase/serverless`: a `neon()` query
 * function, a Pool, a Client, or a function with one of those.
 *
 * Requests: over HTTP `execute` 1, `batch` 1 whatever its length. `connect` opens a WebSocket for that transaction alone,
 * which ends with it: nothing is kept from one request to the next. Then each call is one trip (BEGIN rides along with the
 * first, a batch is one), and `commit` one with the last statements included.
 *
 * With `webSocket: false`, or a query function alone, there is no `connect`. With `http: false`, a Pool or a Client alone,
 * there is no `batch`: a statement on its own takes a connection, and so does a commit. A Client has one connection: beside
 * its open transaction all else is refused.
 *
 * A call that is given up, by its `timeout` or its `signal`, rejects at once; over HTTP its request is cancelled, and with
 * it the query, over a WebSocket the connection is ended. Whether a write that was given up was applied cannot be known.
 *
 * What is handed in stays yours to close. In Cloudflare's Workers, where no request can use another's connections, a Pool or
 * a Client belongs to the request that it was handed in; in others, and when handed in at import, it is refused with an
 * UnsupportedError. A connection string works everywhere. Over HTTP its requests are sent once even by Deno's `fetch`.
 *
 * @example
 * ```ts
 * import { neon } from "@ledge/session/neon";
 *
 * await using db = neon({ connectionString: "postgresql://ann:secret@books.example.org/library", timeout: 5_000 });
 *
 * if (db.description !== "neon books.example.org/library") throw new Error(db.description);
 * ```
 */
export function neon(source: string | NeonOptions | NeonSql | NeonPool | NeonClient | NeonParts): NeonDatabase {
  const parts = partsOf(source);
  return parts === undefined ? open(checkOptions(source as string | NeonOptions)) : adopt(parts);
}

function open(target: Target): NeonDatabase {
  const { connectionString, authToken, http, webSocket } = target;
  return makeDatabase({
    ...target,
    sql: http ? createSql(connectionString, authToken === undefined ? {} : { authToken }) : undefined,
    sockets: webSocket === false ? undefined : openEach(() => {
      const client = new Client(connectionString);
      const { webSocketConstructor = client.neonConfig.webSocketConstructor ?? globalThis.WebSocket } = webSocket;
      Object.assign(client.neonConfig, webSocket);
      // A runtime without WebSockets is the driver's to complain of.
      if (webSocketConstructor) {
        Object.assign(client.neonConfig, { webSocketConstructor: quietly(webSocketConstructor) });
      }
      return client;
    }),
  });
}

function adopt(parts: NeonParts): NeonDatabase {
  const { sql, pool, client, timeout } = parts;
  const names = [sql && "a neon() function", pool && "a Pool", client && "a Client"].filter((name) =>
    name !== undefined
  );
  const description = `neon over ${names.join(" and ")}`;
  let sockets: Sockets | undefined;
  if (pool !== undefined) sockets = fromPool(pool);
  if (client !== undefined) sockets = fromClient(client, description);
  return makeDatabase({ description, redact: redactorOf(parts), timeout, sql, sockets });
}
