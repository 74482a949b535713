/**
 * The bookstore on Cloudflare's Workers, on D1 or, where the secret DATABASE_URL is set, on any other database. Its settings
 * are in wrangler.jsonc beside it. In this folder, once `deno install` has made node_modules:
 *
 * ```sh
 * npx wrangler d1 create bookstore # shows a database_id, which wrangler.jsonc is to have before what follows
 * npx wrangler d1 migrations apply bookstore --remote
 * npx wrangler deploy
 * ```
 *
 * @module
 */
import type { Database } from "@ledge/session";
import { d1, type D1Binding } from "@ledge/session/d1";
import type { Context } from "hono";
import { createApp } from "../bookstore/app.ts";
import { open, type Settings } from "../bookstore/open.ts";

interface Env extends Settings {
  readonly DB: D1Binding;
}

let db: Database | undefined; // holds no connection, so that all requests can share it

export default createApp(({ env }: Context<{ Bindings: Env }>) => db ??= env.DATABASE_URL ? open(env) : d1(env.DB));
