/**
 * The databases that the demo can run on, each started for it and gone with it. Of your own you need nothing of this:
 * `neon("postgresql://…")`, `planetscale({ host, username, password })`.
 *
 * @module
 */
import type { Database } from "@ledge/session";
import { libsql } from "@ledge/session/libsql/local";

/** A database to run the demo on, and how to leave no trace of it. */
export interface Stage {
  readonly db: Database;
  /** How many requests it has had, where a server counts them. */
  requests?(): number;
  close(): Promise<void>;
}

/** What `--adapter` may name. */
export const stages: Readonly<Record<string, () => Promise<Stage>>> = {
  libsql: libsqlStage,
  neon: neonStage,
  planetscale: planetscaleStage,
};

async function libsqlStage(): Promise<Stage> {
  const folder = await Deno.makeTempDir({ prefix: "bookstore-" });
  const db = libsql({ url: `file:${folder}/bookstore.db` });
  return {
    db,
    async close() {
      await db.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Neon's service cannot be had here: a thin front of it over a real PostgreSQL. */
async function neonStage(): Promise<Stage> {
  const [{ neonConfig }, { neon }, { startNeon, useFronts }, { startPostgres }] = await Promise.all([
    import("@neondatabase/serverless"),
    import("@ledge/session/neon"),
    import("../../tests/servers/neon.ts"),
    import("../../tests/servers/postgres.ts"),
  ]);
  useFronts(neonConfig);
  const postgres = await startPostgres();
  const front = await startNeon({ database: await postgres.createDatabase() });
  const db = neon(front.url);
  return {
    db,
    async close() {
      await db.close();
      await front[Symbol.asyncDispose]();
      await postgres[Symbol.asyncDispose]();
    },
  };
}

/** PlanetScale's service cannot be had here: a thin front of it over a real MariaDB. */
async function planetscaleStage(): Promise<Stage> {
  const [{ planetscale }, { startFront }, { mariadbMissing, startMariadb }] = await Promise.all([
    import("@ledge/session/planetscale"),
    import("../../tests/servers/planetscale.ts"),
    import("../../tests/servers/mariadb.ts"),
  ]);
  const missing = mariadbMissing();
  if (missing !== null) throw new Error(missing);
  const mariadb = await startMariadb();
  const database = await mariadb.createDatabase();
  const front = await startFront({ database });
  const db = planetscale({ url: front.url });
  return {
    db,
    requests: () => front.requests,
    async close() {
      await db.close();
      await front.stop();
      await database.drop();
      await mariadb.stop();
    },
  };
}
