/**
 * A database server in a Worker: it keeps connections from one test to the next, which would count as leaks of the tests.
 * Has the tables of the suite's models; what is asked of it goes over HTTP, from Deno's tests as from other runtimes.
 *
 * @module
 */
import { ddl, type Dialect } from "../../mod.ts";
import { mysql } from "../../src/sql/mysql.ts";
import { postgres } from "../../src/sql/postgres.ts";
import { sqlite } from "../../src/sql/sqlite.ts";
import { startHrana } from "../servers/hrana.ts";
import { startNeon } from "../servers/neon.ts";
import { startFront as startPlanetScale } from "../servers/planetscale.ts";
import { emptying } from "./emptying.ts";
import { models } from "./models.ts";
import { type Addresses, Server } from "./server.ts";

/** What the Worker needs of a server. */
interface Backend {
  readonly url: string;
  readonly wsUrl: string;
  readonly requests: number;
  readonly statements: number;
  reset(): void;
  /** Runs a statement at the database itself, uncounted. */
  query(sql: string): Promise<readonly Record<string, unknown>[]>;
  settled(): Promise<void>;
  stop(): Promise<void>;
  /** Ends transactions that a test left open, where only time would. */
  abandon?(): Promise<void>;
  readonly dialect: Dialect;
}

const KINDS = {
  async libsql(): Promise<Backend> {
    const server = await startHrana({ busyTimeout: 0 });
    return Object.assign(server, {
      query: (sql: string) => Promise.resolve(server.db.query(sql)),
      async settled(): Promise<void> {
        while (server.sockets > 0) await new Promise((resolve) => setTimeout(resolve, 1));
      },
      dialect: sqlite,
    });
  },
  async neon(): Promise<Backend> {
    const server = await startNeon();
    return Object.assign(server, {
      wsUrl: server.url,
      query: (sql: string) => server.db.query(sql),
      dialect: postgres,
    });
  },
  async planetscale(): Promise<Backend> {
    const server = await startPlanetScale();
    return Object.assign(server, {
      wsUrl: server.url,
      query: (sql: string) => server.db.query(sql),
      // Over HTTP nobody hears that a client gave its transaction up: the service ends it after 20 seconds.
      async abandon(): Promise<void> {
        if (server.transactions === 0) return;
        const open = await server.db.query(
          `SELECT id FROM information_schema.processlist JOIN information_schema.innodb_trx ON id = trx_mysql_thread_id
           WHERE db = database() AND id <> connection_id()`,
        );
        for (const { id } of open) await server.db.query(`KILL ${id}`);
      },
      dialect: mysql(),
    });
  },
} as const;

/** The kinds of servers. */
export type Kind = keyof typeof KINDS;

/** Starts a server in a Worker. */
export async function startServer(kind: Kind): Promise<Server & { readonly addresses: Addresses }> {
  const worker = new Worker(import.meta.url, { type: "module", name: `front ${kind}` });
  const addresses = await new Promise<Addresses>((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(`The front did not start: ${message}`));
  });
  return new class extends Server {
    readonly addresses = addresses;
    override async stop(): Promise<void> {
      await super.stop();
      worker.terminate();
    }
  }(addresses);
}

async function serve(kind: Kind): Promise<void> {
  const server = await KINDS[kind]();
  for (const { sql } of ddl(models, server.dialect)) await server.query(sql);
  server.reset();
  const work: Readonly<Record<string, () => unknown>> = {
    counts: () => ({ requests: server.requests, statements: server.statements }),
    reset: () => server.reset(),
    async empty(): Promise<void> {
      await server.abandon?.();
      await emptying((sql) => server.query(sql), server.dialect.name);
    },
    settled: () => server.settled(),
    stop: () => server.stop(),
  };
  const control = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async ({ url }) => {
    try {
      return Response.json(await work[new URL(url).pathname.slice(1)]!() ?? null);
    } catch (error) {
      return new Response(String(error), { status: 500 });
    }
  });
  const { url, wsUrl } = server;
  const addresses: Addresses = { url, wsUrl, control: `http://127.0.0.1:${control.addr.port}` };
  (self as unknown as { postMessage(message: unknown): void }).postMessage(addresses);
}

const kind = /^front (\w+)$/.exec(self.name)?.[1];
if (kind !== undefined && kind in KINDS) await serve(kind as Kind);
