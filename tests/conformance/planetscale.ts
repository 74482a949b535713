/**
 * The target of PlanetScale: a real MariaDB behind a front of its HTTP API.
 *
 * @module
 */
import { planetscale as connect } from "../../adapters/planetscale.ts";
import { createAll, type Database } from "../../mod.ts";
import { mariadbMissing } from "../servers/mariadb.ts";
import { startFront } from "./front.ts";
import { models, tables } from "./models.ts";
import type { Expectations, Running, Target } from "./setup.ts";

const expects: Expectations = {
  batches: false,
  coalesces: false,
  interactive: true,
  concurrent: true,
  requests: {
    newRow: 1,
    newRowWithServerValues: 4, // BEGIN, INSERT, SELECT, COMMIT
    changedRow: 1,
    graph: 4, // BEGIN, two INSERTs, COMMIT
    graphWithServerKeys: 4,
    loadChangeSave: 2,
    gets: 1,
    include: 3,
    guarded: 7, // BEGIN, the check of the verified row, UPDATE, two staged statements, the condition, COMMIT
    failedRead: 3,
  },
};

/** Children before parents, once nothing holds a cycle of foreign keys: InnoDB checks them row by row. */
const EMPTY = [
  "UPDATE teams SET lead_id = NULL",
  "UPDATE employees SET manager_id = NULL",
  "UPDATE folders SET parent_id = NULL",
  "UPDATE cells SET above_x = NULL, above_y = NULL",
  ...tables.map((table) => `DELETE FROM ${table}`),
];

export const planetscale: Target = {
  name: "planetscale",
  expects,
  missing: mariadbMissing(),
  sample: () => connect({ host: "localhost", username: "a", password: "b" }),
  async start(): Promise<Running> {
    const front = await startFront("planetscale");
    const open = (): Database => connect({ url: front.url });
    const [db, other] = [open(), open()];
    await createAll(db, models);
    return {
      db,
      counts: front,
      second: () => other,
      reset: () => front.run(...EMPTY),
      async [Symbol.asyncDispose](): Promise<void> {
        await db.close();
        await other.close();
        await front[Symbol.asyncDispose]();
      },
    };
  },
};
