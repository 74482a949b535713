/**
 * The targets of Neon, wherever the suite runs, in front of a real PostgreSQL: HTTP with a WebSocket for conversations,
 * HTTP alone, WebSockets alone.
 *
 * @module
 */
import { Client, neonConfig, Pool } from "@neondatabase/serverless";
import { neon } from "../../adapters/neon.ts";
import type { Database } from "../../mod.ts";
import { useFronts } from "../servers/neon_config.ts";
import type { Server } from "./server.ts";
import type { Expectations, RequestCounts, Running, Target } from "./setup.ts";

const oneRequest: RequestCounts = {
  newRow: 1,
  newRowWithServerValues: 1,
  changedRow: 1,
  graph: 1,
  graphWithServerKeys: 1,
  loadChangeSave: 2,
  gets: 1,
  include: 1,
  guarded: 1,
  failedRead: 4, // Together, then each alone, since nothing names the one that failed.
};

const expects: Expectations = {
  batches: true,
  coalesces: true,
  interactive: true,
  concurrent: true,
  requests: oneRequest,
};

/** Requests are trips over a WebSocket: a commit is one, with BEGIN and COMMIT in it; a read is one. */
const trips: Expectations = {
  ...expects,
  coalesces: false,
  requests: { ...oneRequest, include: 3, failedRead: 3 },
};

/** A client of a server at this URL, and how to close it. */
type Open = (url: string) => { readonly db: Database; close(): Promise<void> };

/** How the same server is reached. */
const WAYS = {
  "neon http": [expects, (url) => {
    const db = neon(url);
    return { db, close: () => db.close() };
  }],
  "neon http only": [{ ...expects, interactive: false }, (url) => {
    const db = neon({ connectionString: url, webSocket: false });
    return { db, close: () => db.close() };
  }],
  "neon pool": [trips, (url) => {
    const pool = new Pool({ connectionString: url });
    const db = neon(pool);
    return {
      db,
      async close(): Promise<void> {
        await db.close();
        await pool.end();
      },
    };
  }],
  "neon client": [trips, (url) => {
    const client = new Client(url);
    const db = neon(client);
    return {
      db,
      async close(): Promise<void> {
        await db.close();
        await client.end();
      },
    };
  }],
} as const satisfies Record<string, readonly [Expectations, Open]>;

/** Two clients of a server, which is started, or found, and left, by the functions given; the second is always over HTTP. */
export function neonTarget(
  name: keyof typeof WAYS,
  start: () => Promise<Server>,
  leave: (server: Server) => Promise<void>,
): Target {
  const [expects, open]: readonly [Expectations, Open] = WAYS[name];
  useFronts(neonConfig);
  return {
    name,
    expects,
    sample: () => open("postgresql://a:b@localhost/c").db,
    async start(): Promise<Running> {
      const server = await start();
      const other = neon(server.url);
      let mine = open(server.url);
      /** Sockets belong to one test: what it leaves open is found. */
      const release = async (): Promise<void> => {
        await mine.close();
        await server.settled();
        mine = open(server.url);
      };
      return {
        get db(): Database {
          return mine.db;
        },
        counts: server,
        second: () => other,
        reset: () => server.empty(),
        release,
        async [Symbol.asyncDispose](): Promise<void> {
          await mine.close();
          await other.close();
          await leave(server);
        },
      };
    },
  };
}
