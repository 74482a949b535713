/**
 * How many requests each workload of the benchmark takes: exactly, on every database that it runs on.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { createAll, Session } from "../../mod.ts";
import { connect, models, open, stored } from "../../bench/ledge.ts";
import { type Kind, KINDS, WORKS } from "../../bench/workloads.ts";
import { startHrana } from "../servers/hrana.ts";
import { mariadbMissing } from "../servers/mariadb.ts";
import { startNeon } from "../servers/neon.ts";
import { startFront } from "../servers/planetscale.ts";

interface Server extends AsyncDisposable {
  readonly url: string;
  readonly requests: number;
  reset(): void;
}

const START: Readonly<Record<Kind, () => Promise<Server>>> = {
  libsql: () => startHrana(),
  postgres: () => startNeon(),
  planetscale: () => startFront(),
};

/** A batch is one request: only what was loaded before it can be changed takes two. */
const BATCHED = { W1: 1, W2: 1, W3: 2, W4: 1, W5: 1, W6: 1, W7: 1, W8: 2, W9: 1 };

const REQUESTS: Readonly<Record<Kind, Readonly<Record<string, number>>>> = {
  libsql: BATCHED,
  postgres: BATCHED,
  // A statement each, and BEGIN and COMMIT around more than one write.
  planetscale: { W1: 1, W2: 4, W3: 2, W4: 1, W5: 1, W6: 3, W7: 4, W8: 2, W9: 22 },
};

for (const kind of Object.keys(KINDS) as Kind[]) {
  const missing = kind === "planetscale" ? mariadbMissing() : null;
  Deno.test({
    name: `W1 to W9 take their exact number of requests on ${KINDS[kind]}${missing === null ? "" : `: ${missing}`}`,
    ignore: missing !== null,
    async fn() {
      await using server = await START[kind]();
      const db = connect(kind, server.url);
      await createAll(db, models);
      await using session = new Session({ bind: db });
      session.addAll(stored());
      await session.commit();
      const { runs, close } = await open(kind, server.url);
      const counted: Record<string, number> = {};
      for (const { id, entities } of WORKS) {
        if (id === "W10") continue; // It writes 100,000 rows.
        server.reset();
        assertEquals(await runs[id]!(1), entities, id);
        counted[id] = server.requests;
      }
      assertEquals(counted, REQUESTS[kind]);
      await close();
      await db.close();
    },
  });
}
