/**
 * The target of PlanetScale, wherever the suite runs: a real MariaDB behind a front of its HTTP API.
 *
 * @module
 */
import { planetscale as connect } from "../../adapters/planetscale.ts";
import type { Database } from "../../mod.ts";
import type { Server } from "./server.ts";
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

/** Two clients of a server, which is started, or found, and left, by the functions given. */
export function planetscaleTarget(start: () => Promise<Server>, leave: (server: Server) => Promise<void>): Target {
  return {
    name: "planetscale",
    expects,
    sample: () => connect({ host: "localhost", username: "a", password: "b" }),
    async start(): Promise<Running> {
      const server = await start();
      const open = (): Database => connect({ url: server.url });
      const [db, other] = [open(), open()];
      return {
        db,
        counts: server,
        second: () => other,
        reset: () => server.empty(),
        async [Symbol.asyncDispose](): Promise<void> {
          await db.close();
          await other.close();
          await leave(server);
        },
      };
    },
  };
}
