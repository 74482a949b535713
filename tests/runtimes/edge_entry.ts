/**
 * The agent as it is bundled for the edge: drivers as they come for the web, and no more of the runtime than its globals.
 *
 * @module
 */
import type { D1Binding } from "../../adapters/d1.ts";
import { libsql } from "../../adapters/libsql.ts";
import { d1Target } from "../conformance/d1_target.ts";
import { wireTarget } from "../conformance/libsql_targets.ts";
import { neonTarget } from "../conformance/neon_targets.ts";
import { planetscaleTarget } from "../conformance/planetscale_target.ts";
import { leave, type MakeTarget, run } from "./agent.ts";

/** What workerd may give a worker. */
export interface Env {
  readonly DB?: D1Binding;
}

const targets = (env: Env): Readonly<Record<string, MakeTarget>> => ({
  "libsql http": (find) => wireTarget("http", libsql, find, leave),
  "libsql ws": (find) => wireTarget("ws", libsql, find, leave),
  "neon http": (find) => neonTarget("neon http", find, leave),
  "neon http only": (find) => neonTarget("neon http only", find, leave),
  "neon pool": (find) => neonTarget("neon pool", find, leave),
  planetscale: (find) => planetscaleTarget(find, leave),
  d1: () =>
    d1Target(() => {
      if (env.DB === undefined) throw new Error("There is no binding of D1 here");
      return Promise.resolve({ binding: env.DB, [Symbol.asyncDispose]: leave });
    }),
});

/** Answers a task with its outcome, or an error's text. */
export async function answer(request: Request, env: Env = {}): Promise<Response> {
  try {
    return Response.json(await run(await request.json(), targets(env)));
  } catch (error) {
    return new Response(String(error instanceof Error ? error.stack ?? error : error), { status: 500 });
  }
}
