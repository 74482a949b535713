/**
 * The workloads on a driver alone, written by hand as well as one can: this file has the reads, which differ only in how a
 * parameter is marked, and what is common to the writes; a file a driver has these. Each ends where Ledge ends, with
 * objects that have their keys and versions.
 *
 * @module
 */
import type { Driver, Review, Work, Writer } from "./raw_kit.ts";
import { openLibsql } from "./raw_libsql.ts";
import { openPlanetScale } from "./raw_planetscale.ts";
import { openPostgres } from "./raw_postgres.ts";
import { FIND_KEYS, MIXED, type Open, type Run, SIZE, type WorkId } from "./workloads.ts";

const ITEM = "id, name, email, quantity, version";

function readsOf({ mark, read }: Driver): Record<"W4" | "W5" | "W6" | "W9", Run> {
  const inList = (column: string, keys: readonly number[]): { sql: string; args: number[] } => ({
    sql: `${column} IN (${keys.map((_, i) => mark(i + 1)).join(", ")})`,
    args: [...keys],
  });
  return {
    async W4() {
      const { sql, args } = inList("id", FIND_KEYS);
      const [rows] = await read([{ sql: `SELECT ${ITEM} FROM items WHERE ${sql}`, args }]);
      const found = new Map(rows!.map((row) => [row.id as number, row]));
      return FIND_KEYS.filter((id) => found.has(id)).length;
    },
    async W5() {
      return (await read([{ sql: `SELECT ${ITEM} FROM items`, args: [] }]))[0]!.length;
    },
    async W6() {
      const some = `SELECT id FROM writers WHERE id <= ${mark(1)}`;
      const args = [SIZE.graph];
      const [first, second, third] = await read([
        { sql: `SELECT id, name FROM writers WHERE id <= ${mark(1)}`, args },
        { sql: `SELECT id, title, writer_id FROM works WHERE writer_id IN (${some})`, args },
        {
          sql: `SELECT id, body, stars, work_id FROM reviews
            WHERE work_id IN (SELECT id FROM works WHERE writer_id IN (${some}))`,
          args,
        },
      ]);
      const writers = new Map<number, Writer>();
      for (const { id, name } of first!) writers.set(id as number, { id, name, works: [] as Work[] } as Writer);
      const works = new Map<number, Work>();
      for (const { id, title, writer_id } of second!) {
        const work = { id, title, writerId: writer_id, reviews: [] as Review[] } as Work;
        works.set(work.id, work);
        writers.get(work.writerId)!.works.push(work);
      }
      for (const { id, body, stars, work_id } of third!) {
        works.get(work_id as number)!.reviews.push({ id, body, stars, workId: work_id } as Review);
      }
      let loaded = 0;
      for (const { works } of writers.values()) {
        loaded++;
        for (const { reviews } of works) loaded += 1 + reviews.length;
      }
      return loaded;
    },
    async W9() {
      const items = inList("id", MIXED.items);
      const writers = inList("id", MIXED.writers);
      const results = await read([
        { sql: `SELECT ${ITEM} FROM items WHERE ${items.sql}`, args: items.args },
        { sql: `SELECT id, name FROM writers WHERE ${writers.sql}`, args: writers.args },
        ...MIXED.quantities.map((quantity) => ({
          sql: `SELECT ${ITEM} FROM items WHERE quantity = ${mark(1)} ORDER BY id LIMIT ${MIXED.limit}`,
          args: [quantity],
        })),
        ...MIXED.below.map((below) => ({
          sql: `SELECT count(*) AS n FROM items WHERE quantity < ${mark(1)}`,
          args: [below],
        })),
        ...MIXED.worksOf.map((writer) => ({
          sql: `SELECT id, title, writer_id FROM works WHERE writer_id = ${mark(1)}`,
          args: [writer],
        })),
      ]);
      return results.reduce((sum, rows) => sum + rows.length, 0);
    },
  };
}

const OPEN = { libsql: openLibsql, postgres: openPostgres, planetscale: openPlanetScale } as const;

/** The driver of this kind. */
export const open: Open = (kind, url) => {
  const driver = OPEN[kind](url);
  const runs: Record<WorkId, Run> = { ...readsOf(driver), ...driver.writes };
  return { runs, close: () => driver.close() };
};
