/**
 * The workloads on Kysely, over the dialects that there are for the three HTTP drivers. Reads of one turn are sent at once,
 * a request each; writes are a transaction, which Neon's driver has none of over HTTP.
 *
 * @module
 */
import { createClient } from "@libsql/client/web";
import { LibsqlDialect } from "@libsql/kysely-libsql";
import { neon, neonConfig, types } from "@neondatabase/serverless";
import { type Dialect, type Generated, Kysely, ParseJSONResultsPlugin, type Transaction } from "kysely";
import { jsonArrayFrom as mysqlArray } from "kysely/helpers/mysql";
import { jsonArrayFrom as postgresArray } from "kysely/helpers/postgres";
import { jsonArrayFrom as sqliteArray } from "kysely/helpers/sqlite";
import { NeonDialect } from "kysely-neon";
import { PlanetScaleDialect } from "kysely-planetscale";
import { useFronts } from "../../tests/servers/neon_config.ts";
import { changeOf, FIND_KEYS, type Kind, MIXED, type Open, type Run, SIZE, type WorkId } from "../workloads.ts";

interface Tables {
  authors: { id: string; name: string };
  books: { id: string; title: string; author_id: string };
  items: { id: Generated<number>; name: string; email: string | null; quantity: number; version: number };
  writers: { id: Generated<number>; name: string };
  works: { id: Generated<number>; title: string; writer_id: number };
  reviews: { id: Generated<number>; body: string; stars: number; work_id: number };
}

/** Rows of one INSERT of two columns: under the 32,766 parameters of SQLite. */
const CHUNK = 16_000;

export function dialectOf(kind: Kind, url: string): Dialect {
  if (kind === "libsql") return new LibsqlDialect({ client: createClient({ url }) as never });
  if (kind === "planetscale") return new PlanetScaleDialect({ url });
  useFronts(neonConfig);
  types.setTypeParser(20, Number);
  return new NeonDialect({ neon: neon(url) });
}

export const open: Open = (kind, url) => {
  const db = new Kysely<Tables>({ dialect: dialectOf(kind, url), plugins: [new ParseJSONResultsPlugin()] });
  const load = () => db.selectFrom("items").selectAll().where("id", "<=", SIZE.loaded).execute();
  type Item = Awaited<ReturnType<typeof load>>[number];
  const update = async (tx: Transaction<Tables>, { id, version }: Item, changes: ReturnType<typeof changeOf>) => {
    const { numUpdatedRows } = await tx.updateTable("items").set({ ...changes, version: Number(version) + 1 })
      .where("id", "=", id).where("version", "=", version).executeTakeFirst();
    if (numUpdatedRows !== 1n) throw new Error("Stale");
  };
  const jsonArray = ({ libsql: sqliteArray, postgres: postgresArray, planetscale: mysqlArray } as const)[kind];
  const byKey = (id: number) => db.selectFrom("items").selectAll().where("id", "=", id).executeTakeFirst();
  const reads: Partial<Record<WorkId, Run>> = {
    async W1(turn) {
      await db.insertInto("authors").values({ id: crypto.randomUUID(), name: `Author ${turn}` }).execute();
      return 1;
    },
    async W4() {
      return (await Promise.all(FIND_KEYS.map(byKey))).filter(Boolean).length;
    },
    async W5() {
      return (await db.selectFrom("items").selectAll().execute()).length;
    },
    async W6() {
      const writers = await db.selectFrom("writers").select((w) => [
        "writers.id",
        "writers.name",
        jsonArray(
          w.selectFrom("works").select((b) => [
            "works.id",
            "works.title",
            "works.writer_id",
            jsonArray(
              b.selectFrom("reviews").select(["reviews.id", "reviews.body", "reviews.stars", "reviews.work_id"])
                .whereRef("reviews.work_id", "=", "works.id"),
            ).as("reviews"),
          ]).whereRef("works.writer_id", "=", "writers.id"),
        ).as("works"),
      ]).where("id", "<=", SIZE.graph).execute();
      let loaded = 0;
      for (const { works } of writers) {
        loaded++;
        for (const { reviews } of works) loaded += 1 + reviews.length;
      }
      return loaded;
    },
    async W9() {
      const [items, writers, lists, counts, works] = await Promise.all([
        Promise.all(MIXED.items.map(byKey)),
        Promise.all(
          MIXED.writers.map((id) => db.selectFrom("writers").selectAll().where("id", "=", id).executeTakeFirst()),
        ),
        Promise.all(
          MIXED.quantities.map((quantity) =>
            db.selectFrom("items").selectAll().where("quantity", "=", quantity).orderBy("id").limit(MIXED.limit)
              .execute()
          ),
        ),
        Promise.all(
          MIXED.below.map((n) =>
            db.selectFrom("items").select((e) => e.fn.countAll().as("n")).where("quantity", "<", n)
              .executeTakeFirstOrThrow()
          ),
        ),
        Promise.all(
          MIXED.worksOf.map((id) => db.selectFrom("works").selectAll().where("writer_id", "=", id).execute()),
        ),
      ]);
      return items.filter(Boolean).length + writers.filter(Boolean).length + lists.flat().length + counts.length +
        works.flat().length;
    },
  };
  const writes: Partial<Record<WorkId, Run>> = {
    async W2() {
      const authors: Tables["authors"][] = [];
      const books: Tables["books"][] = [];
      for (let i = 0; i < SIZE.authors; i++) {
        const author = { id: crypto.randomUUID(), name: `Author ${i}` };
        authors.push(author);
        for (let j = 0; j < SIZE.booksEach; j++) {
          books.push({ id: crypto.randomUUID(), title: `${author.name}: book ${j}`, author_id: author.id });
        }
      }
      await db.transaction().execute(async (tx) => {
        await tx.insertInto("authors").values(authors).execute();
        await tx.insertInto("books").values(books).execute();
      });
      return authors.length + books.length;
    },
    async W3(turn) {
      const items = await load();
      await db.transaction().execute(async (tx) => {
        for (let i = 0; i < items.length; i += SIZE.changeEvery) await update(tx, items[i]!, { name: `Turn ${turn}` });
      });
      return items.length;
    },
    async W7() {
      const names = Array.from({ length: SIZE.authors }, (_, i) => ({ name: `Author ${i}` }));
      return await db.transaction().execute(async (tx) => {
        const writers = await tx.insertInto("writers").values(names).returning(["id", "name"]).execute();
        const rows = writers.flatMap(({ id, name }) =>
          Array.from({ length: SIZE.booksEach }, (_, j) => ({ title: `${name}: book ${j}`, writer_id: id }))
        );
        const works = await tx.insertInto("works").values(rows).returning("id").execute();
        return writers.length + works.length;
      });
    },
    async W8(turn) {
      const items = await load();
      await db.transaction().execute(async (tx) => {
        for (let i = 0; i < items.length; i++) await update(tx, items[i]!, changeOf(i, turn));
      });
      return items.length;
    },
    W10: () =>
      db.transaction().execute(async (tx) => {
        for (let from = 0; from < SIZE.flushed; from += CHUNK) {
          const rows: Tables["authors"][] = [];
          for (let i = from; i < Math.min(from + CHUNK, SIZE.flushed); i++) {
            rows.push({ id: crypto.randomUUID(), name: `Author ${i}` });
          }
          await tx.insertInto("authors").values(rows).execute();
        }
        return SIZE.flushed;
      }),
  };
  const close = () => db.destroy();
  if (kind === "postgres") {
    const why = "no transactions over Neon's HTTP";
    return { runs: reads, cannot: { W2: why, W3: why, W7: why, W8: why, W10: why }, close };
  }
  const { W7: _, ...others } = writes;
  if (kind === "planetscale") {
    return {
      runs: { ...reads, ...others },
      cannot: { W7: "MySQL has no RETURNING, and it gives no keys of a multi-row INSERT" },
      close,
    };
  }
  return { runs: { ...reads, ...writes }, close };
};
