/**
 * The workloads on Drizzle: `batch`, put together by hand, where its driver has one, else a transaction. Reads of one turn
 * are sent at once, a request each.
 *
 * @module
 */
import { createClient } from "@libsql/client/web";
import { neon, neonConfig } from "@neondatabase/serverless";
import { Client } from "@planetscale/database";
import { and, asc, eq, lt, lte, sql } from "drizzle-orm";
import { drizzle as onLibsql } from "drizzle-orm/libsql/web";
import { drizzle as onNeon } from "drizzle-orm/neon-http";
import { drizzle as onPlanetScale } from "drizzle-orm/planetscale-serverless";
import { useFronts } from "../../tests/servers/neon_config.ts";
import { changeOf, FIND_KEYS, type Kind, MIXED, type Open, type Run, SIZE, type WorkId } from "../workloads.ts";
import { mysql, postgres, sqlite } from "./drizzle_tables.ts";

const openLibsql = (url: string) => onLibsql(createClient({ url }), { schema: sqlite });
type Db = ReturnType<typeof openLibsql>;
type Tables = typeof sqlite;

// The three dialects have no type in common: the workloads are checked against libSQL's.
function connect(kind: Kind, url: string): { db: Db; tables: Tables } {
  if (kind === "libsql") return { db: openLibsql(url), tables: sqlite };
  if (kind === "planetscale") {
    const db = onPlanetScale(new Client({ url }), { schema: mysql });
    return { db: db as unknown as Db, tables: mysql as unknown as Tables };
  }
  useFronts(neonConfig);
  return { db: onNeon(neon(url), { schema: postgres }) as unknown as Db, tables: postgres as unknown as Tables };
}

/** Rows of one INSERT of two columns: under the 32,766 parameters of SQLite. */
const CHUNK = 16_000;

export const open: Open = (kind, url) => {
  const { db, tables: { authors, books, items, writers, works } } = connect(kind, url);
  /** All in one batch, or one after the other in a transaction. */
  type Writer = Pick<Db, "insert" | "update">;
  const atomically = async (make: (db: Writer) => PromiseLike<unknown>[]): Promise<unknown[]> => {
    if (kind !== "planetscale") return await db.batch(make(db) as never) as unknown[];
    return await db.transaction(async (tx) => {
      const results: unknown[] = [];
      for (const query of make(tx)) results.push(await query);
      return results;
    });
  };
  const affected = (result: unknown): number => {
    const { rowsAffected, rowCount } = result as { rowsAffected?: number; rowCount?: number };
    return rowsAffected ?? rowCount ?? -1;
  };
  const load = () => db.select().from(items).where(lte(items.id, SIZE.loaded));
  type Item = Awaited<ReturnType<typeof load>>[number];
  const save = async (changed: readonly { item: Item; changes: ReturnType<typeof changeOf> }[]) => {
    const results = await atomically((db) =>
      changed.map(({ item: { id, version }, changes }) =>
        db.update(items).set({ ...changes, version: version + 1 }).where(
          and(eq(items.id, id), eq(items.version, version)),
        )
      )
    );
    for (const result of results) if (affected(result) !== 1) throw new Error("Stale");
  };
  const byKey = (id: number) => db.select().from(items).where(eq(items.id, id));
  const runs: Partial<Record<WorkId, Run>> = {
    async W1(turn) {
      await db.insert(authors).values({ id: crypto.randomUUID(), name: `Author ${turn}` });
      return 1;
    },
    async W2() {
      const first: { id: string; name: string }[] = [];
      const second: { id: string; title: string; authorId: string }[] = [];
      for (let i = 0; i < SIZE.authors; i++) {
        const author = { id: crypto.randomUUID(), name: `Author ${i}` };
        first.push(author);
        for (let j = 0; j < SIZE.booksEach; j++) {
          second.push({ id: crypto.randomUUID(), title: `${author.name}: book ${j}`, authorId: author.id });
        }
      }
      await atomically((db) => [db.insert(authors).values(first), db.insert(books).values(second)]);
      return first.length + second.length;
    },
    async W3(turn) {
      const loaded = await load();
      const changed = loaded.filter((_, i) => i % SIZE.changeEvery === 0);
      await save(changed.map((item) => ({ item, changes: { name: `Turn ${turn}` } })));
      return loaded.length;
    },
    async W4() {
      return (await Promise.all(FIND_KEYS.map(byKey))).flat().length;
    },
    async W5() {
      return (await db.select().from(items)).length;
    },
    async W6() {
      const found = await db.query.writers.findMany({
        where: lte(writers.id, SIZE.graph),
        with: { works: { with: { reviews: true } } },
      });
      let loaded = 0;
      for (const { works } of found) {
        loaded++;
        for (const { reviews } of works) loaded += 1 + reviews.length;
      }
      return loaded;
    },
    async W7() {
      const names = Array.from({ length: SIZE.authors }, (_, i) => ({ name: `Author ${i}` }));
      return await db.transaction(async (tx) => {
        const made = await tx.insert(writers).values(names).returning({ id: writers.id, name: writers.name });
        const rows = made.flatMap(({ id, name }) =>
          Array.from({ length: SIZE.booksEach }, (_, j) => ({ title: `${name}: book ${j}`, writerId: id }))
        );
        return made.length + (await tx.insert(works).values(rows).returning({ id: works.id })).length;
      });
    },
    async W8(turn) {
      const loaded = await load();
      await save(loaded.map((item, i) => ({ item, changes: changeOf(i, turn) })));
      return loaded.length;
    },
    async W9() {
      const [found, others, lists, counts, children] = await Promise.all([
        Promise.all(MIXED.items.map(byKey)),
        Promise.all(MIXED.writers.map((id) => db.select().from(writers).where(eq(writers.id, id)))),
        Promise.all(
          MIXED.quantities.map((quantity) =>
            db.select().from(items).where(eq(items.quantity, quantity)).orderBy(asc(items.id)).limit(MIXED.limit)
          ),
        ),
        Promise.all(
          MIXED.below.map((n) => db.select({ n: sql<number>`count(*)` }).from(items).where(lt(items.quantity, n))),
        ),
        Promise.all(MIXED.worksOf.map((id) => db.select().from(works).where(eq(works.writerId, id)))),
      ]);
      return found.flat().length + others.flat().length + lists.flat().length + counts.length + children.flat().length;
    },
    async W10() {
      await atomically((db) => {
        const inserts: PromiseLike<unknown>[] = [];
        for (let from = 0; from < SIZE.flushed; from += CHUNK) {
          const rows: { id: string; name: string }[] = [];
          for (let i = from; i < Math.min(from + CHUNK, SIZE.flushed); i++) {
            rows.push({ id: crypto.randomUUID(), name: `Author ${i}` });
          }
          inserts.push(db.insert(authors).values(rows));
        }
        return inserts;
      });
      return SIZE.flushed;
    },
  };
  const close = () => Promise.resolve();
  if (kind === "libsql") return { runs, close };
  const { W7: _, ...others } = runs;
  const why = kind === "postgres"
    ? "no transactions over Neon's HTTP, and its batch has no way to use keys that the server makes"
    : "MySQL has no RETURNING, and it gives no keys of a multi-row INSERT";
  return { runs: others, cannot: { W7: why }, close };
};
