/**
 * The bookstore on Node 20 and newer, and on Bun. In this folder, once `deno pack` has made the package:
 *
 * ```sh
 * npm init -y && npm install ../../ledge-session-0.1.0.tgz hono @hono/node-server
 * npx esbuild main.ts --bundle --platform=node --format=esm --packages=external --outfile=main.mjs
 * DATABASE_URL=libsql://… DATABASE_TOKEN=… node main.mjs
 * ```
 *
 * @module
 */
import { serve } from "@hono/node-server";
import process from "node:process";
import { createApp } from "../bookstore/app.ts";
import { open } from "../bookstore/open.ts";

const app = createApp(open(process.env));
serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 8000) }, ({ port }) => {
  console.log(`Listening on http://localhost:${port}/`);
});
