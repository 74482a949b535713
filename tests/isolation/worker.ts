/**
 * A worker as an application would write it, to be bundled for workerd: a factory for each database in module scope, a
 * session of it for each request. Knows nothing of the tests but where the databases are, which the bundle puts in.
 *
 * @module
 */
import { createClient } from "@libsql/client/web";
import { Client, neonConfig, Pool } from "@neondatabase/serverless";
import { libsql } from "../../adapters/libsql.ts";
import { neon } from "../../adapters/neon.ts";
import { planetscale } from "../../adapters/planetscale.ts";
import { type SessionFactory, sessionFactory } from "../../mod.ts";
import { answer } from "./work.ts";

/** Where the databases are; MariaDB may be missing. */
export interface Addresses {
  readonly hrana: string;
  readonly hranaSocket: string;
  readonly neon: string;
  readonly planetscale: string | null;
}

declare const ADDRESSES: Addresses;

// Where a front of Neon's is, in place of Neon; the same as in tests/servers/neon.ts, which is no module for Workers.
neonConfig.fetchEndpoint = (host, port) => `http://${host}:${port}/sql`;
neonConfig.wsProxy = (host, port) => `${host}:${port}/v2`;
neonConfig.useSecureWebSocket = false;
neonConfig.pipelineConnect = false;

const { hrana, hranaSocket, neon: connectionString, planetscale: planetscaleUrl } = ADDRESSES;

/** At import, where Workers allow neither requests nor sockets nor random numbers: making a database needs none. */
const factories: Record<string, SessionFactory> = {
  "libsql http": sessionFactory({ bind: libsql({ url: hrana }) }),
  "libsql ws": sessionFactory({ bind: libsql({ url: hranaSocket }) }),
  "libsql client http": sessionFactory({ bind: libsql(createClient({ url: hrana, intMode: "bigint" })) }),
  "neon": sessionFactory({ bind: neon(connectionString) }),
  "neon ws": sessionFactory({ bind: neon({ connectionString, http: false }) }),
  "neon pool": sessionFactory({ bind: neon(new Pool({ connectionString })) }),
  "neon client": sessionFactory({ bind: neon(new Client(connectionString)) }),
};
if (planetscaleUrl !== null) {
  factories["planetscale"] = sessionFactory({ bind: planetscale({ url: planetscaleUrl }) });
}

/** Made by the first request, and kept for the next ones. */
const late: Record<string, () => SessionFactory> = {
  "late libsql ws": () => sessionFactory({ bind: libsql(createClient({ url: hranaSocket, intMode: "bigint" })) }),
  "late neon pool": () => sessionFactory({ bind: neon(new Pool({ connectionString })) }),
};

/** The worker. */
export default {
  async fetch(request: Request, _env: unknown, ctx: { waitUntil(work: Promise<unknown>): void }): Promise<Response> {
    const name = new URL(request.url).searchParams.get("database")!;
    if (name === "neon pool of the request") {
      const pool = new Pool({ connectionString });
      const response = await answer(request, sessionFactory({ bind: neon(pool) }));
      ctx.waitUntil(pool.end());
      return response;
    }
    return await answer(request, factories[name] ??= late[name]!());
  },
};
