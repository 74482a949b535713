/**
 * The targets of Neon, in front of a real PostgreSQL: HTTP with a WebSocket for conversations, WebSockets alone, HTTP alone.
 *
 * @module
 */
import { Client, neonConfig, Pool } from "@neondatabase/serverless";
import { neon } from "../../adapters/neon.ts";
import { createAll, type Database } from "../../mod.ts";
import { useFronts } from "../servers/neon.ts";
import { models, tables } from "./models.ts";
import { startFront } from "./front.ts";
import type { Expectations, RequestCounts, Running, Target } from "./setup.ts";

useFronts(neonConfig);

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

/** In one trip; the tables of a cycle cannot be ordered, and one of its keys may be null. */
const EMPTY = `BEGIN; UPDATE teams SET lead_id = NULL; ${
  tables.map((table) => `DELETE FROM ${table}`).join("; ")
}; COMMIT`;

/** A client of the front at this URL, and how to close it. */
type Open = (url: string) => { readonly db: Database; close(): Promise<void> };

function target(name: string, expects: Expectations, open: Open): Target {
  return {
    name,
    expects,
    sample: () => open("postgresql://a:b@localhost/c").db,
    async start(): Promise<Running> {
      const front = await startFront("neon");
      const other = neon(front.url);
      await createAll(other, models);
      let mine = open(front.url);
      /** Sockets belong to one test: what it leaves open is found. */
      const release = async (): Promise<void> => {
        await mine.close();
        await front.settled();
        mine = open(front.url);
      };
      return {
        get db(): Database {
          return mine.db;
        },
        counts: front,
        second: () => other,
        reset: () => front.run(EMPTY),
        release,
        async [Symbol.asyncDispose](): Promise<void> {
          await mine.close();
          await other.close();
          await front[Symbol.asyncDispose]();
        },
      };
    },
  };
}

export const http: Target = target("neon http", expects, (url) => {
  const db = neon(url);
  return { db, close: () => db.close() };
});

export const httpOnly: Target = target("neon http only", { ...expects, interactive: false }, (url) => {
  const db = neon({ connectionString: url, webSocket: false });
  return { db, close: () => db.close() };
});

export const pool: Target = target("neon pool", trips, (url) => {
  const pool = new Pool({ connectionString: url });
  const db = neon(pool);
  return {
    db,
    async close(): Promise<void> {
      await db.close();
      await pool.end();
    },
  };
});

export const client: Target = target("neon client", trips, (url) => {
  const client = new Client(url);
  const db = neon(client);
  return {
    db,
    async close(): Promise<void> {
      await db.close();
      await client.end();
    },
  };
});
