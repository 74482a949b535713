/**
 * The writes on `@libsql/client` alone: multi-row INSERTs in the right order in one batch, updates one by one in one
 * batch. 100,000 rows travel as one JSON value, since no statement takes so many parameters.
 *
 * @module
 */
import { createClient, type InStatement, type ResultSet } from "@libsql/client/web";
import { countKeyed, type Driver, makeAuthors, makeWriters, type Row, values } from "./raw_kit.ts";
import { changeOf, SIZE } from "./workloads.ts";

/** The keys that `RETURNING id` gave; SQLite gives them in no certain order, but makes them rising. */
function keysOf(result: ResultSet): number[] {
  return result.rows.map((row) => row[0] as number).sort((a, b) => a - b);
}

/** The driver on the server of this URL. */
export function openLibsql(url: string): Driver {
  const client = createClient({ url });
  /** The first items, as W3 and W8 load them. */
  const load = async () =>
    (await client.execute({
      sql: "SELECT id, name, email, quantity, version FROM items WHERE id <= ?",
      args: [SIZE.loaded],
    })).rows;
  const update = async (updates: readonly InStatement[]) => {
    for (const { rowsAffected } of await client.batch([...updates], "write")) {
      if (rowsAffected !== 1) throw new Error("Stale, and too late to roll back");
    }
  };
  return {
    mark: () => "?",
    async read(statements) {
      if (statements.length === 1) return [(await client.execute(statements[0]!)).rows as unknown as Row[]];
      return (await client.batch([...statements], "deferred")).map(({ rows }) => rows as unknown as Row[]);
    },
    writes: {
      async W1(turn) {
        const { rowsAffected } = await client.execute({
          sql: "INSERT INTO authors (id, name) VALUES (?, ?)",
          args: [crypto.randomUUID(), `Author ${turn}`],
        });
        return rowsAffected;
      },
      async W2() {
        const { authors, books } = makeAuthors();
        const [first, second] = await client.batch([
          { sql: `INSERT INTO authors (id, name) ${values(authors.length / 2, "(?, ?)")}`, args: authors },
          { sql: `INSERT INTO books (id, title, author_id) ${values(books.length / 3, "(?, ?, ?)")}`, args: books },
        ], "write");
        return first!.rowsAffected + second!.rowsAffected;
      },
      async W3(turn) {
        const rows = await load();
        const updates: InStatement[] = [];
        for (let i = 0; i < rows.length; i += SIZE.changeEvery) {
          const { id, version } = rows[i]!;
          const sql = "UPDATE items SET name = ?, version = version + 1 WHERE id = ? AND version = ?";
          updates.push({ sql, args: [`Turn ${turn}`, id!, version!] });
        }
        await update(updates);
        return rows.length;
      },
      async W7() {
        const { writers, works } = makeWriters();
        // The rows of one INSERT take consecutive keys, so each author is known by its distance from the greatest one; a
        // subquery in each row would say it too, and take SQLite several times as long.
        const rows = works.flatMap((work, i) => [work.title, SIZE.authors - 1 - Math.floor(i / SIZE.booksEach)]);
        const keyed = `SELECT row.column1, top.id - row.column2
          FROM (${values(works.length, "(?, ?)")}) AS row CROSS JOIN (SELECT max(id) AS id FROM writers) AS top`;
        const [first, second] = await client.batch([
          {
            sql: `INSERT INTO writers (name) ${values(writers.length, "(?)")} RETURNING id`,
            args: writers.map(({ name }) => name),
          },
          { sql: `INSERT INTO works (title, writer_id) ${keyed} RETURNING id`, args: rows },
        ], "write");
        keysOf(first!).forEach((id, i) => writers[i]!.id = id);
        keysOf(second!).forEach((id, i) => works[i]!.id = id);
        for (const { id, works } of writers) for (const work of works) work.writerId = id;
        return countKeyed(writers);
      },
      async W8(turn) {
        const rows = await load();
        await update(rows.map(({ id, version }, i) => {
          const [[column, value]] = Object.entries(changeOf(i, turn)) as [[string, string | number]];
          return {
            sql: `UPDATE items SET ${column} = ?, version = version + 1 WHERE id = ? AND version = ?`,
            args: [value, id!, version!],
          };
        }));
        return rows.length;
      },
      async W10() {
        const rows: [string, string][] = [];
        for (let i = 0; i < SIZE.flushed; i++) rows.push([crypto.randomUUID(), `Author ${i}`]);
        const { rowsAffected } = await client.execute({
          sql: "INSERT INTO authors (id, name) SELECT value ->> 0, value ->> 1 FROM json_each(?)",
          args: [JSON.stringify(rows)],
        });
        return rowsAffected;
      },
    },
    close: () => Promise.resolve(client.close()),
  };
}
