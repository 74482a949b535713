/**
 * The bookstore as a Vercel Edge Function, which vercel.json gives all paths to. DATABASE_URL and DATABASE_TOKEN are
 * environment variables of the project. `hono` and the package that `deno pack` makes are to be installed in a folder above
 * this one and ../bookstore, since both import them.
 *
 * @module
 */
import { createApp } from "../../bookstore/app.ts";
import { open } from "../../bookstore/open.ts";

/** Tells Vercel where it runs. */
export const config = { runtime: "edge" };

// deno-lint-ignore no-process-global -- it is there, and node:process is not
const app = createApp(open(process.env));

export default (request: Request): Response | Promise<Response> => app.fetch(request);
