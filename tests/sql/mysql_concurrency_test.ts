import { assert, assertEquals } from "@std/assert";
import { mysql } from "../../src/sql/mysql.ts";
import { sql } from "../../src/sql/tag.ts";
import { table } from "./fixtures.ts";
import { type MysqlClient, MysqlEngine, Stale, test } from "./mysql_engine.ts";
import { insert, update } from "./mysql_steps.ts";

const CONNECTIONS = 16;
const TIMES = 60;
const ROWS = 40;

const counters = table("counters", {
  id: { type: "integer", primaryKey: true },
  n: { type: "integer" },
  m: { type: "integer" },
  version: { type: "integer", version: true },
});
const made = table("made", { id: { type: "identity" }, owner: { type: "integer" }, place: { type: "integer" } });

/** Runs `work` on many connections at once. */
async function everyone(
  engine: MysqlEngine,
  isolation: string,
  work: (client: MysqlClient, number: number) => Promise<void>,
  guards: "statement" | "read" = "statement",
): Promise<void> {
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => engine.connect(mysql({ guards }))));
  try {
    await Promise.all(clients.map(async (client, number) => {
      await client.query(`SET SESSION TRANSACTION ISOLATION LEVEL ${isolation}`);
      await work(client, number);
    }));
  } finally {
    for (const client of clients) await client[Symbol.asyncDispose]();
  }
}

function sample(count: number): number[] {
  const ids = new Set<number>();
  while (ids.size < count) ids.add(Math.floor(Math.random() * ROWS));
  return [...ids].sort((a, b) => a - b);
}

interface Counts {
  won: number;
  stale: number;
  deadlocks: number;
}

/** What an update that did not happen was: stale, or a deadlock, which the server says. */
function count(error: unknown, client: MysqlClient, counts: Counts): void {
  const message = (error as Error).message;
  if (error instanceof Stale || client.dialect.guardFailure(message) !== null) counts.stale++;
  else if ((error as { errno?: number }).errno === 1213) counts.deadlocks++;
  else throw error;
}

for (const isolation of ["REPEATABLE READ", "READ COMMITTED"]) {
  for (const guards of ["statement", "read"] as const) {
    test(`16 connections update overlapping rows: all of a commit or nothing (${isolation}, ${guards})`, async () => {
      await using engine = await MysqlEngine.open(counters);
      const names = ["id", "n", "m", "version"];
      await engine.commit(insert(counters, names, Array.from({ length: ROWS }, (_, id) => [id, 0, 0, 1])));
      const counts: Counts = { won: 0, stale: 0, deadlocks: 0 };
      await everyone(engine, isolation, async (client) => {
        for (let i = 0; i < TIMES; i++) {
          const ids = sample(2 + i % 3);
          const list = ids.map(() => "?").join(", ");
          const read = await client.query(`SELECT id, n, version FROM counters WHERE id IN (${list})`, ...ids);
          const rows = read.map(([id, n, version]) => ({ key: [id!], version: version!, cells: [Number(n) + 1] }));
          try {
            await client.commit(update(rows, ["n"], { table: counters }));
            counts.won += rows.length;
          } catch (error) {
            count(error, client, counts);
          }
        }
      }, guards);
      const [[n, bumps, apart]] = await engine.query(
        "SELECT CAST(sum(n) AS SIGNED), CAST(sum(version - 1) AS SIGNED), sum(n <> version - 1) = 0 FROM counters",
      ) as [[number, number, number]];
      assertEquals([n, bumps, apart], [counts.won, counts.won, 1]);
      // The test has to have tested something.
      assert(counts.stale > 20 && counts.won > 100, JSON.stringify(counts));
      assert(counts.deadlocks === 0, JSON.stringify(counts));
    });
  }

  test(`16 connections evaluate expressions on the same rows: none is lost (${isolation})`, async () => {
    await using engine = await MysqlEngine.open(counters);
    await engine.commit(insert(counters, ["id", "n", "m", "version"], [[0, 0, 0, 1], [1, 0, 0, 1]]));
    await everyone(engine, isolation, async (client, number) => {
      for (let i = 0; i < 20; i++) {
        const cells = [sql`n + 1`, sql`m + n - n + 1`];
        await client.commit(update([{ key: [number % 2], cells }], ["n", "m"], { table: counters, bump: i % 2 === 0 }));
      }
    });
    assertEquals(await engine.query("SELECT n, m, version FROM counters"), [[160, 160, 81], [160, 160, 81]]);
  });
}

test("16 connections insert rows at once: the keys of each statement are consecutive", async () => {
  await using engine = await MysqlEngine.open(made);
  await everyone(engine, "REPEATABLE READ", async (client, owner) => {
    for (let i = 0; i < TIMES; i++) {
      const rows = Array.from({ length: 2 + i % 7 }, (_, place) => [owner, i * 100 + place]);
      const { results } = await client.commit(insert(made, ["owner", "place"], rows, 0));
      const first = results[0]!.insertId;
      const kept = await client.query(
        "SELECT id - ?, place FROM made WHERE owner = ? AND place >= ? ORDER BY id",
        first,
        owner,
        i * 100,
      );
      assertEquals(kept, rows.map(([, place], at) => [at, place!]));
    }
  });
});
