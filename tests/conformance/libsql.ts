/**
 * The targets of libSQL: in this process (memory, file) and over the wire (HTTP, WebSocket).
 *
 * @module
 */
import { libsql } from "../../adapters/libsql_local.ts";
import { createAll, type Database, type Statement } from "../../mod.ts";
import { startHrana } from "../servers/hrana.ts";
import { counting } from "./counting.ts";
import { models, tables } from "./models.ts";
import type { Expectations, Running, Target } from "./setup.ts";

const expects: Expectations = {
  batches: true,
  coalesces: true,
  interactive: true,
  concurrent: true,
  requests: {
    newRow: 1,
    newRowWithServerValues: 1,
    changedRow: 1,
    graph: 1,
    graphWithServerKeys: 1,
    loadChangeSave: 2,
    gets: 1,
    include: 1,
    guarded: 1,
    failedRead: 2, // Together, then the rest without the one that the driver names.
  },
};

/** Deletes in one transaction, in which foreign keys are checked at the end: the tables of a cycle cannot be ordered. */
const EMPTY: readonly string[] = ["PRAGMA defer_foreign_keys = ON", ...tables.map((table) => `DELETE FROM ${table}`)];

async function empty(db: Database): Promise<void> {
  await db.batch!(EMPTY.map((sql): Statement => ({ sql, params: [] })));
}

/** One client, as two have not the same memory. */
export const memory: Target = {
  name: "libsql memory",
  expects: { ...expects, concurrent: false },
  sample: () => libsql({ url: ":memory:" }),
  async start(): Promise<Running> {
    const client = libsql({ url: ":memory:" });
    await createAll(client, models);
    const { db, counts } = counting(client);
    return {
      db,
      counts,
      second: () => client,
      reset: () => empty(client),
      [Symbol.asyncDispose]: () => client.close(),
    };
  },
};

export const file: Target = {
  name: "libsql file",
  expects,
  sample: () => libsql({ url: ":memory:" }),
  async start(): Promise<Running> {
    const folder = await Deno.makeTempDir({ prefix: "conformance-" });
    const [client, other] = [libsql({ url: `file:${folder}/a.db` }), libsql({ url: `file:${folder}/a.db` })];
    await createAll(client, models);
    const { db, counts } = counting(client);
    return {
      db,
      counts,
      second: () => other,
      reset: () => empty(other),
      async [Symbol.asyncDispose](): Promise<void> {
        await client.close();
        await other.close();
        await Deno.remove(folder, { recursive: true });
      },
    };
  },
};

function remote(name: string, transport: "url" | "wsUrl"): Target {
  return {
    name,
    expects,
    sample: () => libsql({ url: "http://localhost" }),
    async start(): Promise<Running> {
      const server = await startHrana({ busyTimeout: 0 });
      const open = () => libsql({ url: server[transport] });
      let [db, other] = [open(), open()];
      await createAll(db, models);
      /** Sockets belong to one test: what it leaves open is found. */
      const release = async (): Promise<void> => {
        await db.close();
        await other.close();
        while (server.sockets > 0) await new Promise((resolve) => setTimeout(resolve, 1));
        [db, other] = [open(), open()];
      };
      await release();
      return {
        get db(): Database {
          return db;
        },
        counts: server,
        second: () => other,
        reset(): Promise<void> {
          server.db.query("BEGIN IMMEDIATE");
          for (const sql of EMPTY) server.db.query(sql);
          server.db.query("COMMIT");
          return Promise.resolve();
        },
        release,
        async [Symbol.asyncDispose](): Promise<void> {
          await release();
          await server.stop();
        },
      };
    },
  };
}

export const http: Target = remote("libsql http", "url");
export const ws: Target = remote("libsql ws", "wsUrl");
