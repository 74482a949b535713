/**
 * The targets of libSQL, wherever the suite runs: in the process (memory, file) and over the wire (HTTP, WebSocket).
 *
 * @module
 */
import type { LibsqlDatabase, LibsqlOptions } from "../../adapters/libsql.ts";
import { createAll, type Database, type Statement } from "../../mod.ts";
import { counting } from "./counting.ts";
import { deletes } from "./emptying.ts";
import { models, tables } from "./models.ts";
import type { Server } from "./server.ts";
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

/** `libsql()` of one of the two entry points. */
export type Open = (options: LibsqlOptions) => LibsqlDatabase;

async function empty(db: Database): Promise<void> {
  await db.batch!(deletes(tables, "sqlite").map((sql): Statement => ({ sql, params: [] })));
}

/** One client, as two have not the same memory. */
export function memoryTarget(libsql: Open): Target {
  return {
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
}

/** A folder of one's own. */
export interface Folder {
  readonly path: string;
  remove(): Promise<void>;
}

/** Two clients of one file. */
export function fileTarget(libsql: Open, makeFolder: () => Promise<Folder>): Target {
  return {
    name: "libsql file",
    expects,
    sample: () => libsql({ url: ":memory:" }),
    async start(): Promise<Running> {
      const folder = await makeFolder();
      const [client, other] = [
        libsql({ url: `file:${folder.path}/a.db` }),
        libsql({ url: `file:${folder.path}/a.db` }),
      ];
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
          await folder.remove();
        },
      };
    },
  };
}

/** Two clients of a server, which is started, or found, and left, by the functions given. */
export function wireTarget(
  transport: "http" | "ws",
  libsql: Open,
  start: () => Promise<Server>,
  leave: (server: Server) => Promise<void>,
): Target {
  return {
    name: `libsql ${transport}`,
    expects,
    sample: () => libsql({ url: "http://localhost" }),
    async start(): Promise<Running> {
      const server = await start();
      const open = () => libsql({ url: transport === "http" ? server.url : server.wsUrl });
      let [db, other] = [open(), open()];
      /** Sockets belong to one test: what it leaves open is found. */
      const release = async (): Promise<void> => {
        await db.close();
        await other.close();
        await server.settled();
        [db, other] = [open(), open()];
      };
      return {
        get db(): Database {
          return db;
        },
        counts: server,
        second: () => other,
        reset: () => server.empty(),
        release,
        async [Symbol.asyncDispose](): Promise<void> {
          await release();
          await leave(server);
        },
      };
    },
  };
}
