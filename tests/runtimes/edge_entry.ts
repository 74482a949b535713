/**
 * The agent as it is bundled for the edge: drivers as they come for the web, and no more of the runtime than its globals.
 *
 * @module
 */
import type { D1Binding } from "../../adapters/d1.ts";
import { libsql } from "../../adapters/libsql.ts";
import { type ContextStorage, createSessionManager, type SessionManagement } from "../../mod.ts";
import { d1Target } from "../conformance/d1_target.ts";
import { wireTarget } from "../conformance/libsql_targets.ts";
import { neonTarget } from "../conformance/neon_targets.ts";
import { planetscaleTarget } from "../conformance/planetscale_target.ts";
import { conforming, leave, type MakeSuite, only, type Outcome, run as runTask, type Task } from "./agent.ts";
import { contextSuite } from "./context.ts";

/** What workerd may give a worker. */
export interface Env {
  readonly DB?: D1Binding;
}

/** Runs a task. */
export type Run = (task: Task, env?: Env) => Promise<Outcome>;

/** Runs tasks; the manager is that of the runtime's async contexts, or one over an AsyncLocalStorage that is a global. */
export function runner(manager?: SessionManagement): Run {
  const suites = (env: Env): Readonly<Record<string, MakeSuite>> => ({
    "libsql http": (find) => conforming(wireTarget("http", libsql, find, leave)),
    "libsql ws": (find) => conforming(wireTarget("ws", libsql, find, leave)),
    "neon http": (find) => conforming(neonTarget("neon http", find, leave)),
    "neon http only": (find) => conforming(neonTarget("neon http only", find, leave)),
    "neon pool": (find) => conforming(neonTarget("neon pool", find, leave)),
    planetscale: (find) => conforming(planetscaleTarget(find, leave)),
    d1: () =>
      conforming(d1Target(() => {
        if (env.DB === undefined) throw new Error("There is no binding of D1 here");
        return Promise.resolve({ binding: env.DB, [Symbol.asyncDispose]: leave });
      })),
    "async context": (find) =>
      only(
        { ...wireTarget("http", libsql, find, leave), name: "async context" },
        (target) => contextSuite(target, manager ?? createSessionManager(globalStorage())),
      ),
  });
  return (task, env = {}) => runTask(task, suites(env));
}

/** A storage made with the global class of the name. */
function globalStorage(): ContextStorage {
  const { AsyncLocalStorage } = globalThis as { AsyncLocalStorage?: new () => ContextStorage };
  if (AsyncLocalStorage === undefined) throw new Error("There is no AsyncLocalStorage here");
  return new AsyncLocalStorage();
}

/** Answers a task with its outcome, or an error's text. */
export function answering(run: Run): (request: Request, env?: Env) => Promise<Response> {
  return async (request, env) => {
    try {
      return Response.json(await run(await request.json(), env));
    } catch (error) {
      return new Response(String(error instanceof Error ? error.stack ?? error : error), { status: 500 });
    }
  };
}
