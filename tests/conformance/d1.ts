/**
 * The target of Cloudflare D1: a real one, in workerd.
 *
 * @module
 */
import { d1 } from "../../adapters/d1.ts";
import { createAll } from "../../mod.ts";
import { startD1 } from "../servers/d1.ts";
import { models, tables } from "./models.ts";
import type { Expectations, Running, Target } from "./setup.ts";

const expects: Expectations = {
  batches: true,
  coalesces: true,
  interactive: false,
  concurrent: true,
  wideIntegers: false,
  requests: {
    newRow: 1,
    newRowWithServerValues: 1,
    changedRow: 1,
    graph: 1,
    graphWithServerKeys: 1,
    loadChangeSave: 2,
    gets: 1,
    include: 1,
    guarded: 1,
    failedRead: 4, // Together, then each alone, since nothing names the one that failed.
  },
};

/** Deletes in one transaction, in which foreign keys are checked at the end: the tables of a cycle cannot be ordered. */
const EMPTY: readonly string[] = ["PRAGMA defer_foreign_keys = ON", ...tables.map((table) => `DELETE FROM ${table}`)];

/** A binding that is never called. */
const nowhere = { prepare: () => nothing(), batch: () => nothing() };

function nothing(): never {
  throw new Error("A sample is never connected to");
}

export const d1Target: Target = {
  name: "d1",
  expects,
  sample: () => d1(nowhere),
  async start(): Promise<Running> {
    const server = await startD1();
    const [db, other] = [d1(server.binding), d1(server.binding)];
    await createAll(db, models);
    return {
      db,
      counts: server,
      second: () => other,
      reset: () => server.run(...EMPTY),
      async [Symbol.asyncDispose](): Promise<void> {
        await db.close();
        await other.close();
        await server[Symbol.asyncDispose]();
      },
    };
  },
};
