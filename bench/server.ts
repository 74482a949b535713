/**
 * The counting servers of the tests, each in a process of its own: `startServer` for the benchmark, and what runs when
 * this file is started. The control of a server is never among the requests that it counts.
 *
 * @module
 */
import { startHrana } from "../tests/servers/hrana.ts";
import { mariadbMissing } from "../tests/servers/mariadb.ts";
import { startNeon } from "../tests/servers/neon.ts";
import { startFront as startPlanetScale } from "../tests/servers/planetscale.ts";
import { Child, serve } from "./lines.ts";
import type { Kind } from "./workloads.ts";

/** What the server has counted since it was told to forget. */
export interface Counts {
  /** HTTP requests. */
  readonly requests: number;
  /** SQL statements, but for those that begin and end transactions. */
  readonly statements: number;
  /** Bytes of the requests' bodies. */
  readonly bytesIn: number;
  /** Bytes of the answers' bodies. */
  readonly bytesOut: number;
}

/** What the server can be told; each is answered by one line. */
type Order =
  | { readonly do: "latency"; readonly ms: number }
  | { readonly do: "count" }
  | { readonly do: "query"; readonly sql: string };

/** A server that runs. */
export class Server implements AsyncDisposable {
  readonly kind: Kind;
  readonly url: string;
  readonly #child: Child;

  private constructor(kind: Kind, child: Child) {
    this.kind = kind;
    this.#child = child;
    this.url = String(child.hello);
  }

  /** Starts one on an empty database; rejects with the reason where the machine has no such database. */
  static async start(kind: Kind): Promise<Server> {
    return new Server(kind, await Child.start(["run", "-A", import.meta.filename!, kind]));
  }

  /** Milliseconds added to each request from now on. */
  async latency(ms: number): Promise<void> {
    await this.#child.tell({ do: "latency", ms } satisfies Order);
  }

  /** What was counted since the last call, which begins anew. */
  async count(): Promise<Counts> {
    return await this.#child.tell({ do: "count" } satisfies Order) as Counts;
  }

  /** Runs one statement, uncounted. */
  async query(sql: string): Promise<Record<string, unknown>[]> {
    return await this.#child.tell({ do: "query", sql } satisfies Order) as Record<string, unknown>[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
  }
}

const STARTS = {
  libsql: () => startHrana(),
  postgres: () => startNeon(),
  planetscale: () => {
    const missing = mariadbMissing();
    if (missing !== null) throw new Error(missing);
    return startPlanetScale();
  },
} as const;

/** Rows as JSON can hold them: a count may come as a bigint or as text. */
function plain(rows: readonly Record<string, unknown>[]): Record<string, unknown>[] {
  return rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [
        name,
        typeof value === "bigint" || typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : value,
      ]),
    )
  );
}

if (import.meta.main) {
  const kind = Deno.args[0] as Kind;
  await using stack = new AsyncDisposableStack();
  await serve<Order>(async () => {
    const server = stack.use(await STARTS[kind]());
    return {
      hello: server.url,
      async obey(order) {
        if (order.do === "latency") return server.latency = order.ms;
        if (order.do === "query") return plain(await server.db.query(order.sql));
        const { requests, statements, bytesIn, bytesOut } = server;
        server.reset();
        return { requests, statements, bytesIn, bytesOut } satisfies Counts;
      },
    };
  });
}
