/**
 * The database that an environment names, so that one bookstore runs on any of them. An application of your own has one, and
 * imports one adapter: what is not imported is not in its bundle.
 *
 * @module
 */
import type { Database } from "@ledge/session";
import { libsql } from "@ledge/session/libsql";
import { neon } from "@ledge/session/neon";
import { planetscale } from "@ledge/session/planetscale";

/** What of an environment is read. */
export interface Settings {
  /**
   * `libsql://…` for Turso, `postgresql://user:password@…` for Neon, `mysql://user:password@…` (or `https:`) for
   * PlanetScale.
   */
  readonly DATABASE_URL?: string | undefined;
  /** The token that a libSQL server asks for. */
  readonly DATABASE_TOKEN?: string | undefined;
}

/** The database. Sends nothing, and holds no connection: one is enough for all requests, in every runtime. */
export function open({ DATABASE_URL: url, DATABASE_TOKEN: authToken }: Settings): Database {
  if (!url) throw new Error("Set DATABASE_URL to where the bookstore's database is");
  if (/^postgres(?:ql)?:/.test(url)) return neon(url);
  if (/^\w+:\/\/[^/]*@/.test(url)) return planetscale({ url });
  return libsql(authToken ? { url, authToken } : { url });
}
