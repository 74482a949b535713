/**
 * The agent as it is bundled for Node and Bun, where the drivers are those of `node_modules` and libSQL runs in the process
 * too.
 *
 * @module
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { neonConfig } from "@neondatabase/serverless";
import { libsql } from "../../adapters/libsql_local.ts";
import { fileTarget, memoryTarget, wireTarget } from "../conformance/libsql_targets.ts";
import { neonTarget } from "../conformance/neon_targets.ts";
import { planetscaleTarget } from "../conformance/planetscale_target.ts";
import { leave, type MakeTarget, type Outcome, run as runTask, type Task } from "./agent.ts";

const targets: Readonly<Record<string, MakeTarget>> = {
  "libsql memory": () => memoryTarget(libsql),
  "libsql file": () =>
    fileTarget(libsql, async () => {
      const path = await mkdtemp(`${tmpdir()}/conformance-`);
      return { path, remove: () => rm(path, { recursive: true }) };
    }),
  "libsql http": (find) => wireTarget("http", libsql, find, leave),
  "libsql ws": (find) => wireTarget("ws", libsql, find, leave),
  "neon http": (find) => neonTarget("neon http", find, leave),
  "neon http only": (find) => neonTarget("neon http only", find, leave),
  "neon pool": (find) => neonTarget("neon pool", find, leave),
  planetscale: (find) => planetscaleTarget(find, leave),
};

// The way out where there is no WebSocket, as in Node 20; the README tells it.
if (typeof WebSocket === "undefined") neonConfig.webSocketConstructor = (await import("ws")).WebSocket;

/** Runs a task. */
export function run(task: Task): Promise<Outcome> {
  return runTask(task, targets);
}
