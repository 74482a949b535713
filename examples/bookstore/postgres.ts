/**
 * A Neon database for the demo: the tests' stand-in for Neon's proxy, in front of a real PostgreSQL that is started for it and
 * gone with it. Your own: `neon("postgresql://…")`, and nothing of this.
 *
 * @module
 */
import type { Database } from "@ledge/session";
import { neon } from "@ledge/session/neon";
import { neonConfig } from "@neondatabase/serverless";
import { startNeon, useFronts } from "../../tests/servers/neon.ts";
import { startPostgres } from "../../tests/servers/postgres.ts";

/** Starts PostgreSQL, or uses that of DATABASE_URL, and makes a database that `close()` drops. */
export async function openNeon(): Promise<{ readonly db: Database; close(): Promise<void> }> {
  await using stack = new AsyncDisposableStack();
  const postgres = stack.use(await startPostgres({ own: !Deno.env.get("DATABASE_URL") }));
  const database = stack.use(await postgres.createDatabase());
  useFronts(neonConfig);
  const server = stack.use(await startNeon({ database }));
  const db = stack.use(neon(server.url));
  const started = stack.move();
  return { db, close: () => started.disposeAsync() };
}
