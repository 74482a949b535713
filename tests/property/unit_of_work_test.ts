/**
 * Random operations on a session and on a naive model of it: the database, the identity map and the instances agree after
 * every step. `LEDGE_RUNS` says how many sequences, `LEDGE_SEED` which; a failure prints both, and the shortest sequence
 * that fails.
 *
 * @module
 */
import fc from "fast-check";
import { createAll } from "../../mod.ts";
import { neonConfig } from "@neondatabase/serverless";
import { libsql } from "../../adapters/libsql_local.ts";
import { neon } from "../../adapters/neon.ts";
import { planetscale } from "../../adapters/planetscale.ts";
import type { Database } from "../../src/database.ts";
import { startHrana } from "../servers/hrana.ts";
import { mariadbMissing } from "../servers/mariadb.ts";
import { startFront } from "../servers/planetscale.ts";
import { startNeon, useFronts } from "../servers/neon.ts";
import { record, Run } from "./harness.ts";
import { Author, Book, Employee, Review, Tag } from "./models.ts";
import { type Gene, operations, weights } from "./operations.ts";
import { LeftOut } from "./left_out.ts";

const SEED = Number(Deno.env.get("LEDGE_SEED") ?? 20_240_101);
const RUNS = Number(Deno.env.get("LEDGE_RUNS") ?? 1000);

const names = Object.keys(operations) as Gene["op"][];
const gene: fc.Arbitrary<Gene> = fc.record({
  op: fc.oneof(...names.map((name) => ({ arbitrary: fc.constant(name), weight: weights[name] ?? 1 }))),
  a: fc.nat(23),
  b: fc.nat(23),
  c: fc.nat(23),
});

const EMPTY = [
  "UPDATE employees SET boss_id = NULL",
  ...["book_tags", "reviews", "books", "authors", "tags", "employees"].map((table) => `DELETE FROM ${table}`),
].map((sql) => ({ sql, params: [] }));

async function play(
  genes: readonly Gene[],
  inside: Database,
  outside: Database,
  replica: Database | null,
): Promise<void> {
  if (outside.batch !== undefined) await outside.batch(EMPTY);
  else for (const statement of EMPTY) await outside.execute(statement);
  const run = new Run(record(inside), outside, replica && record(replica));
  try {
    for (const { op, a, b, c } of genes) {
      run.trace.push(op);
      const { writes } = run.recorded;
      if (!await run.routed(() => operations[op](run, a, b, c))) {
        run.trace.pop();
        continue;
      }
      run.compareMemory();
      if (run.recorded.writes > writes || /commit|rollback|Outside/i.test(op)) await run.compareRows();
    }
    await run.rollback(0);
    run.compareMemory();
    await run.compareRows();
  } catch (error) {
    if (error instanceof LeftOut) return;
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${message}\nafter:\n${run.trace.map((line) => `  ${line}`).join("\n")}`, { cause: error });
  } finally {
    await run.session.close();
  }
}

async function check(
  inside: Database,
  outside: Database,
  runs: number,
  replica: Database | null = null,
): Promise<void> {
  await createAll(outside, [Author, Book, Review, Tag, Employee]);
  await fc.assert(
    fc.asyncProperty(
      fc.array(gene, { minLength: 1, maxLength: 40, size: "max" }),
      (genes) => play(genes, inside, outside, replica),
    ),
    { seed: SEED, numRuns: runs, endOnFailure: Deno.env.get("LEDGE_SHRINK") === "0" },
  );
}

Deno.test("A session agrees with a naive model after every operation, file", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using inside = libsql({ url: `file:${folder}/test.db` });
    await using outside = libsql({ url: `file:${folder}/test.db` });
    await check(inside, outside, RUNS);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("A session that reads from a replica agrees with a naive model of one database, file", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const url = `file:${folder}/test.db`;
    await using inside = libsql({ url });
    await using outside = libsql({ url });
    await using replica = libsql({ url });
    await check(inside, outside, Math.ceil(RUNS / 5), replica);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("A session agrees with a naive model after every operation, http", async () => {
  await using server = await startHrana();
  await using inside = libsql({ url: server.url });
  await using outside = libsql({ url: server.url });
  await check(inside, outside, Math.ceil(RUNS / 15));
});

const missing = mariadbMissing();
Deno.test({
  name: `A session agrees with a naive model after every operation, PlanetScale${missing ?? ""}`,
  ignore: missing !== null,
  async fn() {
    await using front = await startFront();
    await using inside = planetscale({ url: front.url });
    await using outside = planetscale({ url: front.url });
    await check(inside, outside, Math.ceil(RUNS / 25));
  },
});

Deno.test("A session agrees with a naive model after every operation, Neon", async () => {
  useFronts(neonConfig);
  await using front = await startNeon();
  await using inside = neon(front.url);
  await using outside = neon(front.url);
  await check(inside, outside, Math.ceil(RUNS / 25));
});
