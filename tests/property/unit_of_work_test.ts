/**
 * Random operations on a session and on a naive model of it: the database, the identity map and the instances agree after
 * every step. `LEDGE_RUNS` says how many sequences, `LEDGE_SEED` which; a failure prints both, and the shortest sequence
 * that fails.
 *
 * @module
 */
import fc from "fast-check";
import { createAll } from "../../mod.ts";
import { libsql } from "../../adapters/libsql_local.ts";
import type { Database } from "../../src/database.ts";
import { startHrana } from "../servers/hrana.ts";
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

const EMPTY = ["book_tags", "reviews", "books", "authors", "tags", "employees"]
  .map((table) => ({ sql: `DELETE FROM ${table}`, params: [] }));

async function play(genes: readonly Gene[], inside: Database, outside: Database): Promise<void> {
  await outside.batch!(EMPTY);
  const run = new Run(record(inside), outside);
  try {
    for (const { op, a, b, c } of genes) {
      run.trace.push(op);
      const { writes } = run.recorded;
      if (!await operations[op](run, a, b, c)) {
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

async function check(inside: Database, outside: Database, runs: number): Promise<void> {
  await createAll(outside, [Author, Book, Review, Tag, Employee]);
  await fc.assert(
    fc.asyncProperty(
      fc.array(gene, { minLength: 1, maxLength: 40, size: "max" }),
      (genes) => play(genes, inside, outside),
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

Deno.test("A session agrees with a naive model after every operation, http", async () => {
  await using server = await startHrana();
  await using inside = libsql({ url: server.url });
  await using outside = libsql({ url: server.url });
  await check(inside, outside, Math.ceil(RUNS / 15));
});
