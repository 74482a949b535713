/**
 * The agent as it is bundled for Node and Bun, where the drivers are those of `node_modules` and libSQL runs in the process
 * too.
 *
 * @module
 */
import { neonConfig } from "@neondatabase/serverless";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { WebSocket as Constructor } from "ws";
import { libsql } from "../../adapters/libsql_local.ts";
import * as context from "../../src/web/context.ts";
import { fileTarget, memoryTarget, wireTarget } from "../conformance/libsql_targets.ts";
import { neonTarget } from "../conformance/neon_targets.ts";
import { planetscaleTarget } from "../conformance/planetscale_target.ts";
import { conforming, leave, type MakeSuite, only, type Outcome, run as runTask, type Task } from "./agent.ts";
import { contextSuite } from "./context.ts";
import { webSocketSuite } from "./websocket.ts";

const suites: Readonly<Record<string, MakeSuite>> = {
  "libsql memory": () => conforming(memoryTarget(libsql)),
  "libsql file": () =>
    conforming(fileTarget(libsql, async () => {
      const path = await mkdtemp(`${tmpdir()}/conformance-`);
      return { path, remove: () => rm(path, { recursive: true }) };
    })),
  "libsql http": (find) => conforming(wireTarget("http", libsql, find, leave)),
  "libsql ws": (find) => conforming(wireTarget("ws", libsql, find, leave)),
  "neon http": (find) => conforming(neonTarget("neon http", find, leave)),
  "neon http only": (find) => conforming(neonTarget("neon http only", find, leave)),
  "neon pool": (find) => conforming(neonTarget("neon pool", find, leave)),
  planetscale: (find) => conforming(planetscaleTarget(find, leave)),
  "async context": (find) =>
    only(
      { ...wireTarget("http", libsql, find, leave), name: "async context" },
      (target) => contextSuite(target, context),
    ),
  "neon with ws": (find) =>
    only(
      { ...neonTarget("neon http only", find, leave), name: "neon with ws" },
      (target) => webSocketSuite(target, find),
    ),
};

// The way out where there is no WebSocket, as in Node 20; the README tells it.
if (typeof WebSocket === "undefined") neonConfig.webSocketConstructor = Constructor;

/** Runs a task. */
export function run(task: Task): Promise<Outcome> {
  return runTask(task, suites);
}
