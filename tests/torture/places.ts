/**
 * Where the torture runs: each adapter and transport, on a real database behind a fault proxy.
 *
 * @module
 */
import { createClient } from "@libsql/client/web";
import { neonConfig, Pool } from "@neondatabase/serverless";
import { libsql } from "../../adapters/libsql.ts";
import { neon } from "../../adapters/neon.ts";
import { planetscale } from "../../adapters/planetscale.ts";
import type { Database } from "../../mod.ts";
import type { Chances } from "../servers/fault_plan.ts";
import { FaultProxy } from "../servers/fault_proxy.ts";
import { startHrana } from "../servers/hrana.ts";
import { mariadbMissing, startMariadb } from "../servers/mariadb.ts";
import { startNeon, useFronts } from "../servers/neon.ts";
import { startFront } from "../servers/planetscale.ts";
import { startPostgres } from "../servers/postgres.ts";

export type Row = Record<string, unknown>;

/** A running database behind a proxy. */
export interface Place extends AsyncDisposable {
  readonly proxy: FaultProxy;
  /** A client that goes by the proxy, for one worker; with milliseconds that each of its calls may take. */
  open(timeout?: number): Database;
  /** The truth, past the proxy. */
  truth(sql: string): Promise<Row[]>;
  /** Resolves when the server does nothing any more and no transaction is left open. */
  settled(): Promise<void>;
  /** Kills the process of the database, whatever it is doing, and starts it again on the same data. */
  crash?(): Promise<void>;
}

/** How to start a place. */
export interface PlaceOptions {
  readonly seed: number;
  /** How likely a fault is in a commit. */
  readonly rate: number;
  /** Whether requests may arrive twice. */
  readonly duplicates: boolean;
  /** The driver's own fetch, not Ledge's. */
  readonly plainFetch?: boolean;
}

/** An adapter over one of its transports. */
export interface Kind {
  readonly name: string;
  /** Why it cannot run on this machine, as the name of a skipped test ends. */
  readonly missing: string | null;
  readonly interactive: boolean;
  start(options: PlaceOptions): Promise<Place>;
}

/** Milliseconds that a client waits for an answer, and after which what is late arrives. */
const TIMEOUT = 400;
const LATE = 600;

/** How the faults share what there is of them. */
const shares: Chances = {
  ...{ "drop before": 5, "drop after": 8, cut: 3 },
  ...{ "500 before": 1, "502 before": 1, "503 before": 1, "429 before": 1 },
  ...{ "500 after": 1, "502 after": 2, "503 after": 1 },
  ...{ refuse: 1, delay: 3, late: 1 },
};

/** The chances of a request; `requests` is how many a commit takes, all of which are to go well at 1 - rate. */
function chances(rate: number, requests: number, duplicates: boolean): Chances {
  const all = Object.entries(duplicates ? { ...shares, duplicate: 3, "double send": 4 } : shares);
  const sum = all.reduce((total, [, share]) => total + share, 0);
  const chance = 1 - (1 - rate) ** (1 / requests);
  return Object.fromEntries(all.map(([fault, share]) => [fault, share / sum * chance]));
}

function proxyTo(port: number | string, { seed, rate, duplicates }: PlaceOptions, requests: number): FaultProxy {
  return new FaultProxy({ to: Number(port), seed, chances: chances(rate, requests, duplicates), late: LATE });
}

/** The same connection string, to another port. */
function through(url: string, port: number): string {
  const other = new URL(url);
  other.port = String(port);
  return other.href;
}

function libsqlOver(transport: "http" | "ws"): Kind {
  return {
    name: `libsql ${transport}`,
    missing: null,
    interactive: true,
    async start(options) {
      const server = await startHrana({ busyTimeout: 300, transactionTimeout: 150, streamTimeout: 300 });
      server.db.query("PRAGMA synchronous = OFF");
      const proxy = proxyTo(new URL(server.url).port, options, 1);
      const url = `${transport}://127.0.0.1:${proxy.port}`;
      return {
        proxy,
        open: (timeout = TIMEOUT) =>
          options.plainFetch ? libsql(createClient({ url, intMode: "bigint" })) : libsql({ url, timeout }),
        truth: (sql) => Promise.resolve(server.db.query(sql)),
        async settled() {
          await proxy.settled();
          while (server.openStreams > 0) await new Promise((resolve) => setTimeout(resolve, 20));
          server.reset(); // Its log.
        },
        async [Symbol.asyncDispose]() {
          await proxy.stop();
          await server.stop();
        },
      };
    },
  };
}

/**
 * Whether the server is one that can be killed. What a "careful" one reported to be committed has reached the operating
 * system, and so outlives it; a "careless" one keeps it to itself for a while, and loses it.
 */
type Killed = "careful" | "careless" | null;

async function ownPostgres(killed: "careful" | "careless") {
  const settings = killed === "careful"
    ? ["synchronous_commit = on"]
    : ["synchronous_commit = off", "wal_writer_delay = 50ms"];
  const own = await startPostgres({ own: true, settings });
  return { own, database: await own.createDatabase() };
}

async function ownMariadb(killed: "careful" | "careless") {
  const settings: Record<string, number> = killed === "careful"
    ? { innodb_flush_log_at_trx_commit: 2 }
    : { innodb_flush_log_at_trx_commit: 0, innodb_flush_log_at_timeout: 30 };
  const own = await startMariadb({ own: true, settings });
  return { own, database: await own.createDatabase() };
}

/** Kills a server, and starts it again after a while in which nobody answers. */
async function crash(server: { kill(): Promise<void>; restart(): Promise<void> }): Promise<void> {
  await server.kill();
  await new Promise((resolve) => setTimeout(resolve, 100));
  await server.restart();
}

function neonOver(transport: "http" | "pool", killed: Killed = null): Kind {
  return {
    name: `neon ${transport}`,
    missing: null,
    interactive: true,
    async start(options) {
      useFronts(neonConfig);
      const { own, database } = killed === null ? {} : await ownPostgres(killed);
      const server = await startNeon({ ...database && { database } });
      const proxy = proxyTo(server.port, options, transport === "http" ? 1 : 3);
      const url = through(server.url, proxy.port);
      const pools: Pool[] = [];
      return {
        proxy,
        open(timeout = TIMEOUT) {
          if (transport === "http") return neon({ connectionString: url, timeout });
          const pool = new Pool({ connectionString: url, max: 2 });
          pool.on("error", () => {});
          pools.push(pool);
          return neon({ pool, timeout });
        },
        truth: (sql) => server.db.query(sql),
        async settled() {
          await proxy.settled();
          await Promise.all(pools.splice(0).map((pool) => pool.end()));
          await server.settled();
          server.reset();
        },
        ...own && { crash: () => crash(own) },
        async [Symbol.asyncDispose]() {
          await proxy.stop();
          await server.stop();
          await database?.drop();
          await own?.stop();
        },
      };
    },
  };
}

function planetscaleOver(killed: Killed = null): Kind {
  return {
    name: "planetscale",
    missing: mariadbMissing(),
    interactive: true,
    async start(options) {
      const { own, database } = killed === null ? {} : await ownMariadb(killed);
      const server = await startFront({ transactionTimeout: 1000, ...database && { database } });
      // What arrives twice in a conversation runs twice, and nothing on the client could tell.
      const proxy = proxyTo(server.port, { ...options, duplicates: false }, 5);
      const url = through(server.url, proxy.port);
      return {
        proxy,
        open: (timeout = TIMEOUT) => planetscale({ url, timeout }),
        truth: (sql) => server.db.query(sql),
        async settled() {
          await proxy.settled();
          while (server.transactions > 0) await new Promise((resolve) => setTimeout(resolve, 20));
          await server.settled();
          server.reset();
        },
        ...own && { crash: () => crash(own) },
        async [Symbol.asyncDispose]() {
          await proxy.stop();
          await server.stop();
          await database?.drop();
          await own?.stop();
        },
      };
    },
  };
}

export const places: readonly Kind[] = [
  libsqlOver("http"),
  libsqlOver("ws"),
  neonOver("http"),
  neonOver("pool"),
  planetscaleOver(),
];

/** The same over servers that can be killed. */
export const crashing: readonly Kind[] = [
  neonOver("http", "careful"),
  neonOver("pool", "careful"),
  planetscaleOver("careful"),
];

/** Over servers that lose, when they are killed, some of what they reported to be committed. */
export const losing: readonly Kind[] = [neonOver("http", "careless"), planetscaleOver("careless")];
