/**
 * Reads that travel together are one read-only transaction of one snapshot: what is loaded together is of one moment. What
 * may write is never sent read-only.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { neonConfig } from "@neondatabase/serverless";
import { neon, type NeonDatabase } from "../../adapters/neon.ts";
import { belongsTo, createAll, hasMany, model, Session, sql, t } from "../../mod.ts";
import { type NeonLogEntry, type NeonServer, startNeon, useFronts } from "../servers/neon.ts";
import { startPostgres } from "../servers/postgres.ts";

useFronts(neonConfig);
await startPostgres();

class Author extends model("authors", { id: t.integer().primaryKey(), edition: t.integer() }) {
  declare books?: Book[];
  static relations = { books: hasMany(() => Book, "authorId") };
}

class Book extends model("books", {
  id: t.integer().primaryKey(),
  edition: t.integer(),
  authorId: t.integer("author_id").foreignKey(),
}) {
  declare author?: Author;
  static relations = { author: belongsTo(() => Author, "authorId") };
}

function test(name: string, body: (db: NeonDatabase, server: NeonServer) => Promise<void>): void {
  Deno.test(name, async () => {
    await using server = await startNeon();
    await using db = neon(server.url);
    await createAll(db, [Author, Book]);
    await server.db.query(`INSERT INTO authors VALUES (1, 0), (2, 0);
      INSERT INTO books SELECT n, 0, 1 + n % 2 FROM generate_series(1, 10) n; CREATE SEQUENCE drawn;`);
    server.reset();
    await body(db, server);
  });
}

/** The settings that a request was sent with. */
function settingsOf({ headers }: NeonLogEntry): unknown[] {
  return [headers["neon-batch-read-only"], headers["neon-batch-isolation-level"]];
}

const SNAPSHOT = ["true", "RepeatableRead"];
const NEXT = "UPDATE authors SET edition = edition + 1; UPDATE books SET edition = edition + 1";

/**
 * Holds the second statement of the next request back until a writer has committed: the books are locked away from
 * readers until the authors were read and both tables have a new edition.
 */
async function whileWritten(server: NeonServer, read: () => Promise<unknown>): Promise<void> {
  const [writer] = await server.db.query("SELECT pg_backend_pid() AS pid");
  await server.db.query("BEGIN; LOCK TABLE books IN ACCESS EXCLUSIVE MODE");
  const reading = read();
  const waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'books'::regclass AND pid <> $1";
  while ((await server.db.query(waiting, [writer!.pid])).length === 0);
  await server.db.query(`${NEXT}; COMMIT`);
  await reading;
}

test("a graph whose tables are written between its reads is of one moment", async (db, server) => {
  await using session = new Session({ bind: db });
  let authors: Author[] = [];
  await whileWritten(server, async () => {
    authors = await session.query(Author).orderBy({ id: "asc" }).include(["books"]).all();
  });
  assertEquals(server.requests, 1);
  assertEquals(settingsOf(server.log[0]!), SNAPSHOT);
  const editions = authors.map(({ edition, books }) => [edition, ...new Set(books!.map((book) => book.edition))]);
  assertEquals(editions, [[0, 0], [0, 0]]);
  // And the writer had committed by then.
  assertEquals(await server.db.query("SELECT DISTINCT edition::int FROM books"), [{ edition: 1 }]);
});

test("queries of one turn are of one moment", async (db, server) => {
  await using session = new Session({ bind: db });
  let editions: unknown[] = [];
  await whileWritten(server, async () => {
    const [authors, books] = await Promise.all([session.query(Author).all(), session.query(Book).all()]);
    editions = [...new Set([...authors, ...books].map(({ edition }) => edition))];
  });
  assertEquals([server.requests, editions], [1, [0]]);
});

test("reads that do not travel together may be of two moments", async (db, server) => {
  await using session = new Session({ bind: db });
  const authors = await session.query(Author).all();
  await server.db.query(NEXT);
  const books = await session.query(Book).all();
  assertEquals([authors[0]!.edition, books[0]!.edition], [0, 1]);
});

test("readers beside a writer never see an author of one moment and books of another", async (db, server) => {
  server.latency = 1;
  let isWriting = true;
  const writer = (async () => {
    for (let i = 0; i < 60; i++) await server.db.query(NEXT);
    isWriting = false;
  })();
  const seen = new Set<number>();
  await Promise.all(Array.from({ length: 4 }, async () => {
    do {
      await using session = new Session({ bind: db });
      for (const { edition, books } of await session.query(Author).include(["books"]).all()) {
        seen.add(edition);
        for (const book of books) assertEquals(book.edition, edition);
      }
    } while (isWriting);
  }));
  await writer;
  await using session = new Session({ bind: db });
  assertEquals([(await session.query(Author).first())!.edition, seen.size > 0], [60, true]);
  assertEquals(server.log.filter(({ sql }) => sql.length > 1).map(settingsOf).every(([only]) => only === "true"), true);
});

test("a raw SELECT that writes is not sent read-only, alone or beside others", async (db, server) => {
  await using session = new Session({ bind: db });
  assertEquals(Number(await session.scalar("SELECT nextval('drawn')")), 1);
  const [drawn, authors, hidden] = await Promise.all([
    session.scalar(sql`SELECT nextval(${sql.raw("'drawn'")})`),
    session.query(Author).all(),
    session.scalar("WITH n AS (SELECT nextval('drawn') AS v) SELECT v FROM n"),
  ]);
  assertEquals([drawn, hidden].map(Number).toSorted(), [2, 3]);
  assertEquals(authors.length, 2);
  const [alone, together] = server.log;
  assertEquals([server.log.length, settingsOf(alone!), settingsOf(together!)], [2, [undefined, undefined], [
    undefined,
    undefined,
  ]]);
  assertEquals(together!.sql.length, 3);
});

test("a query whose condition writes is not sent read-only", async (db, server) => {
  await using session = new Session({ bind: db });
  const authors = await session.query(Author).where(sql`nextval('drawn') > 0`).include(["books"]).all();
  assertEquals(authors.map(({ books }) => books.length), [5, 5]);
  // Once for each author: the related rows are read by key, not by asking again.
  assertEquals(await server.db.query("SELECT last_value::int AS n FROM drawn"), [{ n: 2 }]);
});

test("a query that calls what writes unseen is refused read-only, and sent again by itself", async (db, server) => {
  await server.db.query(`CREATE TABLE calls (n int);
    CREATE FUNCTION sly() RETURNS int LANGUAGE sql AS 'INSERT INTO calls VALUES (1) RETURNING 1'`);
  await using session = new Session({ bind: db });
  const [authors, books] = await Promise.all([
    session.query(Author).where(sql`sly() = 1`).all(),
    session.query(Book).count(),
  ]);
  assertEquals([authors.length, books], [2, 10]);
  assertEquals(server.log.map((entry) => [entry.sql.length, ...settingsOf(entry)]), [
    [2, ...SNAPSHOT],
    [1, undefined, undefined],
    [1, undefined, undefined],
  ]);
  assertEquals(await server.db.query("SELECT count(*)::int AS n FROM calls"), [{ n: 2 }]); // Once a row.
});
