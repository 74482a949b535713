/**
 * PlanetScale: MySQL over HTTP.
 *
 * @module
 */
import { Client } from "@planetscale/database";
import { openConnection, type PlanetScaleClient } from "./planetscale/client.ts";
import { makeDatabase, type PlanetScaleDatabase } from "./planetscale/database.ts";
import { globalFetch, Line } from "./planetscale/line.ts";
import {
  checkOptions,
  partsOf,
  type PlanetScaleOptions,
  type PlanetScaleParts,
  setupOf,
} from "./planetscale/options.ts";

export type { PlanetScaleClient } from "./planetscale/client.ts";
export type { PlanetScaleDatabase } from "./planetscale/database.ts";
export type { PlanetScaleOptions, PlanetScaleParts, ServerOptions } from "./planetscale/options.ts";
export { type Fetch, safeFetch } from "./shared/fetch.ts";

/**
 * A database at PlanetScale, from a host or a url, or over a Client that you made with `@planetscale/database`.
 *
 * Requests: `execute` 1. `connect` 0; in a transaction each statement 1, before the first one 1 for BEGIN (and 1 for an
 * isolation level), `commit` and `rollback` 1, none where nothing was run. There is no batch: a commit of two statements
 * takes 4 requests, of one statement 1.
 *
 * A call that is given up, by its `timeout` or its `signal`, rejects at once, its request is cancelled, and with it, at
 * the server, the statement. Whether a write that was given up was applied cannot be known.
 *
 * A Client that is handed in stays yours. Its requests are sent once even by Deno's `fetch`; what it formats and casts
 * for others it does not for Ledge.
 *
 * @example
 * ```ts
 * import { planetscale } from "@ledge/session/planetscale";
 *
 * await using db = planetscale({ host: "aws.connect.psdb.cloud", username: "ann", password: "secret", timeout: 5_000 });
 *
 * if (db.description !== "planetscale aws.connect.psdb.cloud") throw new Error(db.description);
 * ```
 */
export function planetscale(source: PlanetScaleOptions | PlanetScaleClient | PlanetScaleParts): PlanetScaleDatabase {
  const parts = partsOf(source);
  return parts === undefined ? open(source as PlanetScaleOptions) : adopt(parts);
}

function open(options: PlanetScaleOptions): PlanetScaleDatabase {
  const target = checkOptions(options);
  // The driver is not given the password: it would keep it where a log can show it, and mend neither its encoding.
  const client = new Client({ url: target.url, fetch: target.fetch ?? globalFetch });
  const { authorization } = target;
  return makeDatabase({ ...target, open: () => new Line(openConnection(client), { authorization }) });
}

function adopt(parts: PlanetScaleParts): PlanetScaleDatabase {
  openConnection(parts.client); // Finds what is wrong with it now; sends nothing.
  return makeDatabase({ ...setupOf(parts), open: () => new Line(openConnection(parts.client)) });
}
