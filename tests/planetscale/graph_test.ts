/**
 * Graphs without batches: each relation is a request of its own, a level goes out when the one before it is there, and what
 * is of one level goes side by side. JSON is read the same whatever the service calls its column.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { belongsTo, hasMany, model, Session, t } from "../../mod.ts";
import type { PlanetScaleFront } from "../servers/planetscale.ts";
import { add, meeting, type Place, test } from "./kit.ts";

class Author extends model("authors", { id: t.integer().primaryKey(), name: t.text() }) {
  declare books?: Book[];
  declare letters?: Letter[];
  static relations = { books: hasMany(() => Book, "authorId"), letters: hasMany(() => Letter, "authorId") };
}

class Letter extends model("letters", {
  id: t.integer().primaryKey(),
  authorId: t.integer("author_id").foreignKey(),
}) {
  declare author?: Author;
  static relations = { author: belongsTo(() => Author, "authorId") };
}

class Book extends model("books", {
  id: t.integer().primaryKey(),
  title: t.text(),
  authorId: t.integer("author_id").foreignKey(),
}) {
  declare author?: Author;
  declare reviews?: Review[];
  declare editions?: Edition[];
  static relations = {
    author: belongsTo(() => Author, "authorId"),
    reviews: hasMany(() => Review, "bookId"),
    editions: hasMany(() => Edition, "bookId"),
  };
}

class Review extends model("reviews", {
  id: t.integer().primaryKey(),
  bookId: t.integer("book_id").foreignKey(),
}) {
  declare book?: Book;
  static relations = { book: belongsTo(() => Book, "bookId") };
}

class Edition extends model("editions", {
  id: t.integer().primaryKey(),
  bookId: t.integer("book_id").foreignKey(),
}) {
  declare book?: Book;
  static relations = { book: belongsTo(() => Book, "bookId") };
}

const models = [Author, Letter, Book, Review, Edition];

async function library(place: Place): Promise<void> {
  const ids = (count: number) => Array.from({ length: count }, (_, i) => i + 1);
  await add(place, ...ids(3).map((id) => new Author({ id, name: `a${id}` })));
  await add(
    place,
    ...ids(6).map((id) => new Book({ id, title: `b${id}`, authorId: 1 + id % 3 })),
    ...ids(3).map((id) => new Letter({ id, authorId: id })),
  );
  await add(
    place,
    ...ids(12).map((id) => new Review({ id, bookId: 1 + id % 6 })),
    ...ids(6).map((id) => new Edition({ id, bookId: id })),
  );
  place.front.reset();
}

/** The tables that were read from, in order. */
function tables(front: PlanetScaleFront): string[] {
  return front.sql.map((text) => /FROM `(\w+)`/.exec(text)![1]!);
}

test("a graph of depth 3 takes a request for each level", models, async (place) => {
  await library(place);
  await using session = new Session({ bind: place.db });
  const authors = await session.query(Author).orderBy({ id: "asc" }).include({ books: ["reviews"] }).all();
  assertEquals([place.front.requests, tables(place.front)], [3, ["authors", "books", "reviews"]]);
  assertEquals(authors.map(({ books }) => books.map(({ reviews }) => reviews.length)), [[2, 2], [2, 2], [2, 2]]);
});

test("the relations of one level are read side by side, and those of the next after them", models, async (place) => {
  await library(place);
  const { front } = place;
  const together: Record<string, () => Promise<void>> = {};
  for (const siblings of [["books", "letters"], ["reviews", "editions"]]) {
    const all = meeting(siblings.length);
    for (const table of siblings) together[table] = all;
  }
  let isLate = false;
  front.before = async (request) => {
    const { query } = JSON.parse(await request.text()) as { query: string };
    const arrived = together[/FROM `(\w+)`/.exec(query)![1]!]?.();
    let timer: ReturnType<typeof setTimeout> | undefined;
    // A sibling waits until the other is there too; one that comes alone would wait for ever.
    const late = new Promise<void>((resolve) => timer = setTimeout(() => resolve(void (isLate = true)), 3000));
    await Promise.race([arrived, late]);
    clearTimeout(timer);
    return undefined;
  };
  await using session = new Session({ bind: place.db });
  const authors = await session.query(Author).include({ books: ["reviews", "editions"], letters: true }).all();
  assertEquals([isLate, front.requests], [false, 5]);
  const [first, ...rest] = tables(front);
  assertEquals([first, rest.slice(0, 2).toSorted(), rest.slice(2).toSorted()], [
    "authors",
    ["books", "letters"],
    ["editions", "reviews"],
  ]);
  const books = authors.flatMap((author) => author.books);
  assertEquals([books.length, books.every(({ reviews, editions }) => reviews.length === 2 && editions.length === 1)], [
    6,
    true,
  ]);
  assert(authors.every(({ letters }) => letters.length === 1));
});

test("in a transaction the relations go one by one, for its calls must not overlap", models, async (place) => {
  await library(place);
  await using session = new Session({ bind: place.db });
  await session.start();
  const [author] = await session.query(Author).orderBy({ id: "asc" }).include(["books", "letters"]).all();
  assertEquals([author!.books.length, author!.letters.length], [2, 1]);
  await session.commit();
  assertEquals([place.front.statements, place.front.control], [3, 2]);
});

class Page extends model("pages", {
  id: t.integer().primaryKey(),
  body: t.json<unknown>(),
  extra: t.json<unknown>().nullable(),
  version: t.integer().version(),
}) {}

const values: readonly unknown[] = [
  { a: [1, "é😀", { b: null }], "quo'te\\": '"' },
  [],
  [[], {}, [null]],
  {},
  "text",
  '{"not": "parsed"}',
  "null",
  "",
  0,
  -1.5,
  1e300,
  true,
  false,
  null,
];

for (const json of ["JSON", "TEXT"] as const) {
  test(`JSON is read as it was written where the service calls its column ${json}`, [Page], async (place) => {
    await add(place, ...values.map((value, id) => new Page({ id, body: value, extra: id % 2 ? null : value })));
    await using session = new Session({ bind: place.db });
    const pages = await session.query(Page).orderBy({ id: "asc" }).all();
    assertEquals(pages.map(({ body }) => body), values);
    assertEquals(pages.map(({ extra }) => extra), values.map((value, id) => id % 2 ? null : value));
    // What was only read is not written, and what was changed inside is.
    place.front.reset();
    await session.commit();
    assertEquals(place.front.requests, 0);
    (pages[0]!.body as { a: unknown[] }).a.push("more");
    session.markDirty(pages[0]!);
    pages[4]!.body = { now: "an object" };
    await session.commit();
    assertEquals(pages.map(({ version }) => version), values.map((_, id) => id === 0 || id === 4 ? 2 : 1));
    session.expungeAll();
    const again = await session.query(Page).orderBy({ id: "asc" }).all();
    assertEquals(again[0]!.body, { a: [1, "é😀", { b: null }, "more"], "quo'te\\": '"' });
    assertEquals(again[4]!.body, { now: "an object" });
    assertEquals(again[5]!.body, '{"not": "parsed"}');
  }, { front: { json } });
}
