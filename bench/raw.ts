/**
 * The workloads on `@libsql/client` alone, written by hand as well as one can: multi-row INSERTs in the right order in
 * one batch, one IN list, a graph as one batch of three SELECTs that is put together here. It ends where Ledge ends, with
 * objects that have their keys and versions.
 *
 * @module
 */
import { createClient, type InStatement, type InValue, type ResultSet } from "@libsql/client/web";
import { type Contender, FIND_KEYS, SIZE } from "./workloads.ts";

interface Review {
  id: number;
  body: string;
  stars: number;
  workId: number;
}
interface Work {
  id: number;
  title: string;
  writerId: number;
  reviews: Review[];
}
interface Writer {
  id: number;
  name: string;
  works: Work[];
}

const ITEM = "id, name, email, quantity, version";

/** The VALUES of a multi-row INSERT. */
function values(rows: number, row: string): string {
  return `VALUES ${Array(rows).fill(row).join(", ")}`;
}

/** The keys that `RETURNING id` gave; SQLite gives them in no certain order, but makes them rising. */
function keysOf(result: ResultSet): number[] {
  return result.rows.map((row) => row[0] as number).sort((a, b) => a - b);
}

/** The driver on the server of this URL. */
export function raw(url: string): Contender {
  const client = createClient({ url });
  return {
    name: "raw",
    close: () => Promise.resolve(client.close()),
    runs: {
      async W1(turn) {
        const { rowsAffected } = await client.execute({
          sql: "INSERT INTO authors (id, name) VALUES (?, ?)",
          args: [crypto.randomUUID(), `Author ${turn}`],
        });
        return rowsAffected;
      },
      async W2() {
        const authors: InValue[] = [];
        const books: InValue[] = [];
        for (let i = 0; i < SIZE.authors; i++) {
          const id = crypto.randomUUID();
          const name = `Author ${i}`;
          authors.push(id, name);
          for (let j = 0; j < SIZE.booksEach; j++) books.push(crypto.randomUUID(), `${name}: book ${j}`, id);
        }
        const [first, second] = await client.batch([
          { sql: `INSERT INTO authors (id, name) ${values(authors.length / 2, "(?, ?)")}`, args: authors },
          { sql: `INSERT INTO books (id, title, author_id) ${values(books.length / 3, "(?, ?, ?)")}`, args: books },
        ], "write");
        return first!.rowsAffected + second!.rowsAffected;
      },
      async W3(turn) {
        const { rows } = await client.execute({ sql: `SELECT ${ITEM} FROM items WHERE id <= ?`, args: [SIZE.loaded] });
        const updates: InStatement[] = [];
        for (let i = 0; i < rows.length; i += SIZE.changeEvery) {
          const { id, version } = rows[i]!;
          const sql = "UPDATE items SET name = ?, version = version + 1 WHERE id = ? AND version = ?";
          updates.push({ sql, args: [`Turn ${turn}`, id!, version!] });
        }
        for (const { rowsAffected } of await client.batch(updates, "write")) {
          if (rowsAffected !== 1) throw new Error("Stale, and too late to roll back");
        }
        return rows.length;
      },
      async W4() {
        const marks = Array(FIND_KEYS.length).fill("?").join(", ");
        const { rows } = await client.execute({
          sql: `SELECT ${ITEM} FROM items WHERE id IN (${marks})`,
          args: [...FIND_KEYS],
        });
        const found = new Map(rows.map((row) => [row.id as number, row]));
        return FIND_KEYS.filter((id) => found.has(id)).length;
      },
      async W5() {
        return (await client.execute(`SELECT ${ITEM} FROM items`)).rows.length;
      },
      async W6() {
        const some = "SELECT id FROM writers WHERE id <= ?";
        const [first, second, third] = await client.batch([
          { sql: "SELECT id, name FROM writers WHERE id <= ?", args: [SIZE.graph] },
          { sql: `SELECT id, title, writer_id FROM works WHERE writer_id IN (${some})`, args: [SIZE.graph] },
          {
            sql: `SELECT id, body, stars, work_id FROM reviews
              WHERE work_id IN (SELECT id FROM works WHERE writer_id IN (${some}))`,
            args: [SIZE.graph],
          },
        ], "deferred");
        const writers = new Map<number, Writer>();
        for (const row of first!.rows) {
          const id = row[0] as number;
          writers.set(id, { id, name: row[1] as string, works: [] });
        }
        const works = new Map<number, Work>();
        for (const row of second!.rows) {
          const work = { id: row[0] as number, title: row[1] as string, writerId: row[2] as number, reviews: [] };
          works.set(work.id, work);
          writers.get(work.writerId)!.works.push(work);
        }
        for (const row of third!.rows) {
          const workId = row[3] as number;
          works.get(workId)!.reviews.push({
            id: row[0] as number,
            body: row[1] as string,
            stars: row[2] as number,
            workId,
          });
        }
        let loaded = 0;
        for (const { works } of writers.values()) {
          loaded++;
          for (const { reviews } of works) loaded += 1 + reviews.length;
        }
        return loaded;
      },
      async W7() {
        const writers: Writer[] = [];
        const works: Work[] = [];
        const names: InValue[] = [];
        const rows: InValue[] = [];
        for (let i = 0; i < SIZE.authors; i++) {
          const writer: Writer = { id: 0, name: `Author ${i}`, works: [] };
          writers.push(writer);
          names.push(writer.name);
          for (let j = 0; j < SIZE.booksEach; j++) {
            const work: Work = { id: 0, title: `${writer.name}: book ${j}`, writerId: 0, reviews: [] };
            writer.works.push(work);
            works.push(work);
            rows.push(work.title, SIZE.authors - 1 - i);
          }
        }
        // The rows of one INSERT take consecutive keys, so each author is known by its distance from the greatest one; a
        // subquery in each row would say it too, and take SQLite several times as long.
        const keyed = `SELECT row.column1, top.id - row.column2
          FROM (${values(works.length, "(?, ?)")}) AS row CROSS JOIN (SELECT max(id) AS id FROM writers) AS top`;
        const [first, second] = await client.batch([
          { sql: `INSERT INTO writers (name) ${values(names.length, "(?)")} RETURNING id`, args: names },
          { sql: `INSERT INTO works (title, writer_id) ${keyed} RETURNING id`, args: rows },
        ], "write");
        keysOf(first!).forEach((id, i) => writers[i]!.id = id);
        keysOf(second!).forEach((id, i) => works[i]!.id = id);
        let handled = 0;
        for (const { id, works } of writers) {
          if (id > 0) handled++;
          for (const work of works) {
            work.writerId = id;
            if (work.id > 0) handled++;
          }
        }
        return handled;
      },
    },
  };
}
