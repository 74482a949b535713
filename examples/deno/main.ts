/**
 * The bookstore on Deno, and on Deno Deploy:
 *
 * ```sh
 * DATABASE_URL=libsql://… DATABASE_TOKEN=… deno run -EN --unstable-no-legacy-abort examples/deno/main.ts
 * ```
 *
 * Without the flag it does the same; Deno 2.9 then warns, once, of signals that abort after each response.
 *
 * @module
 */
import { createApp } from "../bookstore/app.ts";
import { open } from "../bookstore/open.ts";

const app = createApp(open(Deno.env.toObject()));
Deno.serve({ port: Number(Deno.env.get("PORT") ?? 8000) }, app.fetch);
