/**
 * One Neon database for each way to set one up, fresh and empty, for tests that hold on all of them.
 *
 * @module
 */
import { Client, neon as createSql, neonConfig, Pool } from "@neondatabase/serverless";
import { neon, type NeonDatabase } from "../../adapters/neon.ts";
import { type NeonOptions, type NeonServer, startNeon, useFronts } from "../servers/neon.ts";

export { rejection, stmt } from "./kit.ts";

useFronts(neonConfig);

/** A database and its server. */
export interface Place {
  readonly db: NeonDatabase;
  readonly server: NeonServer;
}

export const setups = ["url", "url, WebSocket only", "url, HTTP only", "function", "pool", "client", "both"] as const;
export type Setup = typeof setups[number];

/** Those with a batch in one request, and those with transactions. */
export const withHttp: readonly Setup[] = ["url", "url, HTTP only", "function", "both"];
export const withSockets: readonly Setup[] = ["url", "url, WebSocket only", "pool", "client", "both"];
export const withoutHttp: readonly Setup[] = ["url, WebSocket only", "pool", "client"];
/** Those whose transactions do not exclude what runs beside them. */
export const withManyConnections: readonly Setup[] = ["url", "url, WebSocket only", "pool", "both"];

/** Runs `body` with a fresh database, set up so, and sees that no connection is left. */
export async function on(
  setup: Setup,
  body: (place: Place) => Promise<void>,
  options: NeonOptions = {},
): Promise<void> {
  await using server = await startNeon(options);
  const { url } = server;
  const run = async (db: NeonDatabase) => {
    try {
      await body({ db, server });
    } finally {
      await db.close();
    }
  };
  if (setup === "url") await run(neon(url));
  else if (setup === "url, WebSocket only") await run(neon({ connectionString: url, http: false }));
  else if (setup === "url, HTTP only") await run(neon({ connectionString: url, webSocket: false }));
  else if (setup === "function") await run(neon(createSql(url)));
  else if (setup === "client") {
    const client = new Client(url);
    client.on("error", () => {});
    await client.connect();
    await run(neon(client));
    client.end().catch(() => {}); // Never resolves where the connection is gone.
  } else {
    const pool = new Pool({ connectionString: url });
    pool.on("error", () => {});
    await run(setup === "pool" ? neon(pool) : neon({ sql: createSql(url), pool }));
    await pool.end();
  }
  await server.settled();
}

/** A test for every set-up. */
export function testEverywhere(
  name: string,
  body: (place: Place, setup: Setup) => Promise<void>,
  where: readonly Setup[] = setups,
  options: NeonOptions = {},
): void {
  for (const setup of where) Deno.test(`${name}, ${setup}`, () => on(setup, (place) => body(place, setup), options));
}
