/**
 * A commit of several statements of which one, in the middle, finds a stale row: the database, the session's memory and the
 * server's list of transactions are what they were. And savepoints, which put both back.
 *
 * @module
 */
import { assertEquals, assertStrictEquals } from "@std/assert";
import { belongsTo, ExpiredPropertyError, hasMany, model, Session, StaleDataError, t } from "../../mod.ts";
import { refused } from "../conformance/setup.ts";
import { add, closed, copies, type Place, type Setup, test, words } from "./kit.ts";

class Author extends model("authors", {
  id: t.integer().primaryKey(),
  name: t.text(),
  bio: t.text().nullable(),
  version: t.integer().version(),
}) {
  declare books?: Book[];
  static relations = { books: hasMany(() => Book, "authorId") };
}

class Book extends model("books", {
  id: t.identity(),
  title: t.varchar(100).unique(),
  authorId: t.integer("author_id").foreignKey(),
  version: t.integer().version(),
}) {
  declare author?: Author;
  static relations = { author: belongsTo(() => Author, "authorId") };
}

const models = [Author, Book];

/** All that the tables hold. */
async function all(place: Place): Promise<unknown[]> {
  return [
    ...await place.front.run("SELECT id, name, bio, version FROM authors ORDER BY id"),
    ...await place.front.run("SELECT title, author_id, version FROM books ORDER BY title"),
  ];
}

async function library(place: Place): Promise<void> {
  const authors = Array.from({ length: 5 }, (_, i) => new Author({ id: i + 1, name: `a${i + 1}` }));
  await add(place, ...authors, ...["x", "y", "z"].map((title) => new Book({ title, authorId: 1 })));
}

const setups: readonly [name: string, setup: Setup][] = [
  ["as set up", {}],
  ['guards: "read"', { db: { guards: "read" } }],
  ["without strict mode", { front: { settings: { sql_mode: "" } } }],
  ['without strict mode, guards: "read"', { front: { settings: { sql_mode: "" } }, db: { guards: "read" } }],
  ["counting changed rows only", { front: { foundRows: false } }],
];

for (const [how, setup] of setups) {
  for (const stale of [[3], [2, 4], [1, 2, 3, 4, 5]]) {
    test(
      `authors ${stale} stale in the middle of a commit leave everything as it was, ${how}`,
      models,
      async (place) => {
        await library(place);
        await using session = new Session({ bind: place.db });
        const authors = await session.query(Author).orderBy({ id: "asc" }).all();
        const [x, y] = await session.query(Book).orderBy({ title: "asc" }).all();
        const before = [copies(authors), copies([x!, y!])];
        for (const { id } of authors.filter((one) => stale.includes(one.id))) {
          if (id === 4) await place.front.run("DELETE FROM authors WHERE id = 4");
          else await place.front.run("UPDATE authors SET version = 2, name = 'theirs' WHERE id = ?", [id]);
        }
        const truth = await all(place);
        const fresh = session.add(Author.create({ id: 9, name: "new", books: [new Book({ title: "new" })] }));
        for (const author of authors) author.bio = "mine";
        x!.title = "changed";
        await session.delete(y!);
        place.front.reset();
        const error = await refused(() => session.commit(), StaleDataError, "Author", "rollback()");
        assertEquals([error.count, session.state], [stale.length, "failed"]);
        assertStrictEquals(error.instance, authors[stale[0]! - 1]);
        const sent = words(place.front).split(" ");
        assertEquals([sent[0], sent[1], sent.at(-1)], ["BEGIN", "INSERT", "ROLLBACK"]);
        assertEquals(["COMMIT", "DELETE"].filter((word) => sent.includes(word)), []);
        await closed(place.front);
        assertEquals(await all(place), truth);

        await session.rollback();
        const named = authors[stale[0]! - 1]!;
        await refused(() => named.name, ExpiredPropertyError, "refresh");
        authors.forEach((one, i) => one === named || assertEquals({ ...one }, before[0]![i]));
        assertEquals(copies([x!, y!]), before[1]);
        assertEquals([session.inspect(fresh).state, session.inspect(y!).state], ["transient", "persistent"]);
        assertEquals([Object.hasOwn(fresh.books![0]!, "id"), fresh.books!.length], [false, 1]);
        assertEquals([session.new.size, session.dirty.size, session.deleted.size], [0, 0, 0]);

        // Without those that were stale it can be done again.
        for (const author of authors) if (!stale.includes(author.id)) author.bio = "mine";
        session.add(fresh);
        await session.delete(y!);
        await session.commit();
        const bios = await place.front.run("SELECT id FROM authors WHERE bio = 'mine' ORDER BY id");
        assertEquals(bios.map(({ id }) => id), [1, 2, 3, 4, 5].filter((id) => !stale.includes(id)));
        assertEquals(await place.front.run("SELECT title FROM books ORDER BY title"), [
          { title: "new" },
          { title: "x" },
          { title: "z" },
        ]);
      },
      setup,
    );
  }

  test(`a stale row in a commit of one statement is told as it is, ${how}`, models, async (place) => {
    await library(place);
    await using session = new Session({ bind: place.db });
    const authors = await session.query(Author).orderBy({ id: "desc" }).all();
    await place.front.run("UPDATE authors SET version = 2 WHERE id IN (2, 3)");
    const truth = await all(place);
    for (const author of authors) author.bio = "mine";
    const error = await refused(() => session.commit(), StaleDataError, "1 more");
    assertEquals([error.count, (error.instance as Author).id], [2, 2]);
    await session.rollback();
    authors[0]!.bio = "mine";
    await place.front.run("DELETE FROM authors WHERE id = 5");
    const one = await refused(() => session.commit(), StaleDataError, "Author");
    assertStrictEquals(one.instance, authors[0]);
    await session.rollback();
    assertEquals(await all(place), truth.filter((row) => (row as Author).id !== 5));
  }, setup);

  test(`a stale row among those to delete keeps all of them, ${how}`, models, async (place) => {
    await library(place);
    await using session = new Session({ bind: place.db });
    const books = await session.query(Book).orderBy({ title: "asc" }).all();
    const added = session.add(new Author({ id: 9, name: "new" }));
    await place.front.run("UPDATE books SET version = 2 WHERE title = 'y'");
    const truth = await all(place);
    for (const book of books) await session.delete(book);
    const error = await refused(() => session.commit(), StaleDataError, "Book");
    assertEquals(error.count, 1);
    assertStrictEquals(error.instance, books[1]);
    await closed(place.front);
    assertEquals(await all(place), truth);
    await session.rollback();
    assertEquals(books.map((book) => session.inspect(book).state), ["persistent", "persistent", "persistent"]);
    assertEquals([session.inspect(added).state, books[0]!.title], ["transient", "x"]);
  }, setup);
}
