/**
 * The databases of the tests of limits: each counts, where it is reached, the requests and how many connections they have
 * open at once. A request over HTTP is one connection, a WebSocket is one as long as it is open.
 *
 * @module
 */
import { neonConfig, Pool } from "@neondatabase/serverless";
import { d1, type D1Binding, type D1Statement } from "../../adapters/d1.ts";
import { libsql } from "../../adapters/libsql.ts";
import { neon } from "../../adapters/neon.ts";
import { planetscale } from "../../adapters/planetscale.ts";
import type { Database } from "../../mod.ts";
import { startD1 } from "../servers/d1.ts";
import type { Front } from "../servers/front.ts";
import { startHrana } from "../servers/hrana.ts";
import { mariadbMissing } from "../servers/mariadb.ts";
import { startNeon, useFronts } from "../servers/neon.ts";
import { startFront } from "../servers/planetscale.ts";

useFronts(neonConfig);

/** What was counted. */
export class Meter {
  requests = 0;
  /** Statements, where the platform counts those too: on D1. */
  statements = 0;
  /** The most connections that were open at once. */
  most = 0;
  #open = 0;

  reset(): void {
    this.requests = this.statements = this.most = 0;
  }

  /** A request, with as many connections open as told. Takes long enough for others to be seen beside it. */
  async request(open: number): Promise<void> {
    this.requests++;
    this.most = Math.max(this.most, open);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }

  /** A request over HTTP, until `leave`. */
  enter(): Promise<void> {
    return this.request(++this.#open);
  }

  leave(): void {
    this.#open--;
  }

  /** Counts what a server of HTTP is asked. */
  watch(server: Pick<Front, "before" | "after">): void {
    server.before = async () => {
      await this.enter();
      return undefined;
    };
    server.after = () => {
      this.leave();
      return undefined;
    };
  }
}

/** A database and what counts its requests. */
export interface Place extends AsyncDisposable {
  readonly db: Database;
  readonly meter: Meter;
}

/** A place by its name in the README. */
export interface PlaceOf {
  readonly name: string;
  /** Why it cannot be started here. */
  readonly missing?: string | null;
  start(): Promise<Place>;
}

/** All of them. */
export const places: readonly PlaceOf[] = [
  { name: "libSQL HTTP", start: () => startLibsql("http") },
  { name: "libSQL WebSocket", start: () => startLibsql("ws") },
  { name: "Neon", start: () => startNeonOf((url) => ({ db: neon(url), end: () => Promise.resolve() })) },
  {
    name: "Neon `Pool`",
    start: () =>
      startNeonOf((connectionString) => {
        const pool = new Pool({ connectionString });
        return { db: neon(pool), end: () => pool.end() };
      }),
  },
  { name: "PlanetScale", missing: mariadbMissing(), start: startPlanetscale },
  { name: "D1", start: startD1Place },
];

async function startLibsql(transport: "http" | "ws"): Promise<Place> {
  const server = await startHrana();
  const meter = new Meter();
  meter.watch(server);
  server.beforeMessage = async ({ type }) => {
    if (/^(?:execute|batch|sequence)$/.test(type)) await meter.request(server.sockets);
  };
  const db = libsql({ url: transport === "http" ? server.url : server.wsUrl });
  return {
    db,
    meter,
    async [Symbol.asyncDispose](): Promise<void> {
      await db.close();
      await server.stop();
    },
  };
}

async function startNeonOf(open: (url: string) => { db: Database; end(): Promise<void> }): Promise<Place> {
  const front = await startNeon();
  const meter = new Meter();
  meter.watch(front);
  front.beforeTrip = () => meter.request(front.sockets);
  const { db, end } = open(front.url);
  return {
    db,
    meter,
    async [Symbol.asyncDispose](): Promise<void> {
      await db.close();
      await end();
      await front.settled(); // The Pool's end comes before that of its sockets.
      await front.stop();
    },
  };
}

async function startPlanetscale(): Promise<Place> {
  const front = await startFront();
  const meter = new Meter();
  meter.watch(front);
  const db = planetscale({ url: front.url });
  return {
    db,
    meter,
    async [Symbol.asyncDispose](): Promise<void> {
      await db.close();
      await front.stop();
    },
  };
}

async function startD1Place(): Promise<Place> {
  const server = await startD1();
  const meter = new Meter();
  return {
    db: d1(counted(server.binding, meter)),
    meter,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** The same binding, whose calls are counted. */
function counted(binding: D1Binding, meter: Meter): D1Binding {
  const inner = new WeakMap<D1Statement, D1Statement>();
  const call = async <T>(statements: number, run: () => Promise<T>): Promise<T> => {
    meter.statements += statements;
    await meter.enter();
    try {
      return await run();
    } finally {
      meter.leave();
    }
  };
  const wrap = (statement: D1Statement): D1Statement => {
    const wrapped: D1Statement = {
      bind: (...values) => wrap(statement.bind(...values)),
      raw: (options) => call(1, () => statement.raw(options)),
    };
    inner.set(wrapped, statement);
    return wrapped;
  };
  return {
    prepare: (sql) => wrap(binding.prepare(sql)),
    batch: (statements) => call(statements.length, () => binding.batch(statements.map((one) => inner.get(one)!))),
  };
}
