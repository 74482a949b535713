/**
 * The writes on `@neondatabase/serverless` over HTTP: rows travel as arrays and become rows by `unnest`, several
 * statements as one `transaction([…])`.
 *
 * @module
 */
import { neon, neonConfig, types } from "@neondatabase/serverless";
import { useFronts } from "../tests/servers/neon_config.ts";
import { countKeyed, type Driver, makeAuthors, makeWriters, type Row } from "./raw_kit.ts";
import { changeOf, SIZE } from "./workloads.ts";

/** Every n-th value from the i-th on: a column of values that stand one row after the other. */
function column(values: readonly string[], i: number, n: number): string[] {
  const picked: string[] = [];
  for (; i < values.length; i += n) picked.push(values[i]!);
  return picked;
}

/** The driver on the server of this URL. */
export function openPostgres(url: string): Driver {
  useFronts(neonConfig);
  types.setTypeParser(20, Number); // int8; all that is counted here is safe
  const sql = neon(url);
  const full = { fullResults: true } as const;
  /** The first items, as W3 and W8 load them. */
  const load = () =>
    sql.query("SELECT id, name, email, quantity, version FROM items WHERE id <= $1 ORDER BY id", [SIZE.loaded]);
  const update = async (updates: { text: string; values: unknown[] }[]) => {
    const results = await sql.transaction(updates.map(({ text, values }) => sql.query(text, values)), full);
    for (const { rowCount } of results) if (rowCount !== 1) throw new Error("Stale, and too late to roll back");
  };
  return {
    mark: (n) => `$${n}`,
    async read(statements) {
      if (statements.length === 1) return [await sql.query(statements[0]!.sql, statements[0]!.args) as Row[]];
      return await sql.transaction(statements.map(({ sql: text, args }) => sql.query(text, args))) as Row[][];
    },
    writes: {
      async W1(turn) {
        const text = "INSERT INTO authors (id, name) VALUES ($1, $2)";
        return (await sql.query(text, [crypto.randomUUID(), `Author ${turn}`], full)).rowCount;
      },
      async W2() {
        const { authors, books } = makeAuthors();
        const results = await sql.transaction([
          sql.query("INSERT INTO authors (id, name) SELECT * FROM unnest($1::uuid[], $2::text[])", [
            column(authors, 0, 2),
            column(authors, 1, 2),
          ]),
          sql.query(
            "INSERT INTO books (id, title, author_id) SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[])",
            [
              column(books, 0, 3),
              column(books, 1, 3),
              column(books, 2, 3),
            ],
          ),
        ], full);
        return results.reduce((sum, { rowCount }) => sum + rowCount, 0);
      },
      async W3(turn) {
        const rows = await load();
        const updates = [];
        for (let i = 0; i < rows.length; i += SIZE.changeEvery) {
          const { id, version } = rows[i]!;
          const text = "UPDATE items SET name = $1, version = version + 1 WHERE id = $2 AND version = $3";
          updates.push({ text, values: [`Turn ${turn}`, id, version] });
        }
        await update(updates);
        return rows.length;
      },
      async W7() {
        const { writers, works } = makeWriters();
        // Names and titles are all different here, so that a row is known by its own.
        const rows = await sql.query(
          `WITH w AS (INSERT INTO writers (name) SELECT unnest($1::text[]) RETURNING id, name)
          INSERT INTO works (title, writer_id)
          SELECT r.title, w.id FROM unnest($2::text[], $3::text[]) AS r(title, name) JOIN w USING (name)
          RETURNING id, title, writer_id`,
          [
            writers.map(({ name }) => name),
            works.map(({ title }) => title),
            works.map((_, i) => writers[Math.floor(i / SIZE.booksEach)]!.name),
          ],
        );
        const keyed = new Map(rows.map((row) => [row.title, row]));
        for (const writer of writers) {
          for (const work of writer.works) {
            const { id, writer_id } = keyed.get(work.title)!;
            work.id = id;
            work.writerId = writer.id = writer_id;
          }
        }
        return countKeyed(writers);
      },
      async W8(turn) {
        const rows = await load();
        await update(rows.map(({ id, version }, i) => {
          const [[column, value]] = Object.entries(changeOf(i, turn)) as [[string, string | number]];
          return {
            text: `UPDATE items SET ${column} = $1, version = version + 1 WHERE id = $2 AND version = $3`,
            values: [value, id, version],
          };
        }));
        return rows.length;
      },
      async W10() {
        const ids: string[] = [];
        const names: string[] = [];
        for (let i = 0; i < SIZE.flushed; i++) {
          ids.push(crypto.randomUUID());
          names.push(`Author ${i}`);
        }
        const text = "INSERT INTO authors (id, name) SELECT * FROM unnest($1::uuid[], $2::text[])";
        return (await sql.query(text, [ids, names], full)).rowCount;
      },
    },
    close: () => Promise.resolve(),
  };
}
