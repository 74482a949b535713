/**
 * The writes on `@planetscale/database` alone, which sends one statement a request: multi-row INSERTs between BEGIN and
 * COMMIT, one UPDATE with a joined list for all rows that change the same column.
 *
 * @module
 */
import { cast, Client, type Connection } from "@planetscale/database";
import { countKeyed, type Driver, makeAuthors, makeWriters, type Row, values } from "./raw_kit.ts";
import { changeOf, SIZE } from "./workloads.ts";

/** How many rows of W10 one INSERT takes: some megabytes of text. */
const CHUNK = 20_000;

/** The driver on the server of this URL. */
export function openPlanetScale(url: string): Driver {
  const client = new Client({
    url,
    cast: (field, value) => field.type === "INT64" && value !== null ? Number(value) : cast(field, value),
  });
  /** BEGIN, the work, COMMIT; ROLLBACK if it fails. */
  const transaction = async <T>(work: (connection: Connection) => Promise<T>): Promise<T> => {
    const connection = client.connection();
    await connection.execute("BEGIN");
    try {
      const done = await work(connection);
      await connection.execute("COMMIT");
      return done;
    } catch (error) {
      await connection.execute("ROLLBACK").catch(() => {});
      throw error;
    }
  };
  /** The first items, as W3 and W8 load them. */
  const load = async () =>
    (await client.execute("SELECT id, name, email, quantity, version FROM items WHERE id <= ?", [SIZE.loaded]))
      .rows as Row[];
  /** One statement for all rows that change this column; each has its key, its version and the value. */
  const update = async (connection: Connection, column: string, rows: readonly (readonly unknown[])[]) => {
    const list = rows.map((_, i) => i === 0 ? "SELECT ? AS id, ? AS version, ? AS value" : "SELECT ?, ?, ?");
    const { rowsAffected } = await connection.execute(
      `UPDATE items t JOIN (${list.join(" UNION ALL ")}) v ON t.id = v.id AND t.version = v.version
      SET t.${column} = v.value, t.version = t.version + 1`,
      rows.flat(),
    );
    if (rowsAffected !== rows.length) throw new Error("Stale");
  };
  return {
    mark: () => "?",
    read: (statements) =>
      Promise.all(statements.map(async ({ sql, args }) => (await client.execute(sql, args)).rows as Row[])),
    writes: {
      async W1(turn) {
        const text = "INSERT INTO authors (id, name) VALUES (?, ?)";
        return (await client.execute(text, [crypto.randomUUID(), `Author ${turn}`])).rowsAffected;
      },
      async W2() {
        const { authors, books } = makeAuthors();
        return await transaction(async (connection) => {
          const first = `INSERT INTO authors (id, name) ${values(authors.length / 2, "(?, ?)")}`;
          const second = `INSERT INTO books (id, title, author_id) ${values(books.length / 3, "(?, ?, ?)")}`;
          return (await connection.execute(first, authors)).rowsAffected +
            (await connection.execute(second, books)).rowsAffected;
        });
      },
      async W3(turn) {
        const rows = await load();
        const changed: unknown[][] = [];
        for (let i = 0; i < rows.length; i += SIZE.changeEvery) {
          changed.push([rows[i]!.id, rows[i]!.version, `Turn ${turn}`]);
        }
        await transaction((connection) => update(connection, "name", changed));
        return rows.length;
      },
      async W7() {
        const { writers, works } = makeWriters();
        await transaction(async (connection) => {
          // The rows of one INSERT take consecutive keys from insertId on.
          const first = `INSERT INTO writers (name) ${values(writers.length, "(?)")}`;
          const writerId = Number((await connection.execute(first, writers.map(({ name }) => name))).insertId);
          writers.forEach((writer, i) => writer.id = writerId + i);
          for (const { id, works } of writers) for (const work of works) work.writerId = id;
          const second = `INSERT INTO works (title, writer_id) ${values(works.length, "(?, ?)")}`;
          const rows = works.flatMap(({ title, writerId }) => [title, writerId]);
          const workId = Number((await connection.execute(second, rows)).insertId);
          works.forEach((work, i) => work.id = workId + i);
        });
        return countKeyed(writers);
      },
      async W8(turn) {
        const rows = await load();
        const changes = new Map<string, unknown[][]>();
        rows.forEach(({ id, version }, i) => {
          for (const [column, value] of Object.entries(changeOf(i, turn))) {
            const list = changes.get(column) ?? [];
            if (list.push([id, version, value]) === 1) changes.set(column, list);
          }
        });
        await transaction(async (connection) => {
          for (const [column, list] of changes) await update(connection, column, list);
        });
        return rows.length;
      },
      W10: () =>
        transaction(async (connection) => {
          let inserted = 0;
          for (let from = 0; from < SIZE.flushed; from += CHUNK) {
            const rows: string[] = [];
            for (let i = from; i < from + CHUNK; i++) rows.push(crypto.randomUUID(), `Author ${i}`);
            const text = `INSERT INTO authors (id, name) ${values(CHUNK, "(?, ?)")}`;
            inserted += (await connection.execute(text, rows)).rowsAffected;
          }
          return inserted;
        }),
    },
    close: () => Promise.resolve(),
  };
}
