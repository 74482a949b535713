/**
 * What a customer of a bookstore does, one thing after the other: each answer is as it should be, and so is what is written.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { ask } from "./crowd.ts";
import type { Shop } from "./start.ts";
import type { Row, Store } from "./stores.ts";

/** A customer's day; `who` keeps apart what several leave in one database. */
export async function runDay(shop: Shop, who: string, query: Store["query"]): Promise<void> {
  const name = `Ann of ${who}`;
  const email = `${who}@example.org`;
  const books = ["Edges", "More"].map((title, i) => ({ title, isbn: `${who}-${i}`, cents: 1900 + i }));
  const made = await ask(shop, "POST", "/authors", { name, email, books });
  assertEquals(made.status, 201, JSON.stringify(made.body));
  const { id, books: [edges, more] } = made.body;
  assertMatch(id, /^[0-9a-f-]{36}$/);

  assertEquals((await ask(shop, "POST", `/books/${edges.id}/reviews`, { stars: 5, text: "Sharp ✂️" })).status, 201);
  const read = await ask(shop, "GET", `/authors/${id}`);
  const [review] = read.body.books[0].reviews;
  assertEquals([read.status, read.body], [200, {
    ...{ id, name, email, version: 1 },
    books: [
      {
        id: edges.id,
        ...books[0],
        authorId: id,
        reviews: [{ ...review, stars: 5, text: "Sharp ✂️", bookId: edges.id }],
      },
      { id: more.id, ...books[1], authorId: id, reviews: [] },
    ],
  }]);

  const edited = await ask(shop, "PATCH", `/authors/${id}`, { name: `${name} Lee`, version: 1 });
  assertEquals([edited.status, edited.body.version], [200, 2]);
  const stale = await ask(shop, "PATCH", `/authors/${id}`, { name: "Nobody", version: 1 });
  assertEquals([stale.status, stale.body.error], [409, "LEDGE_STALE_DATA"]);
  const taken = await ask(shop, "POST", "/authors", { name: "Bo", email });
  assertEquals([taken.status, taken.body.error], [409, "LEDGE_UNIQUE_VIOLATION"]);
  assertEquals((await ask(shop, "PATCH", `/books/${more.id}`, { cents: "cheap" })).status, 400);
  assertEquals((await ask(shop, "PATCH", `/books/${more.id}`, { cents: 990 })).status, 200);
  assertEquals((await ask(shop, "GET", "/nowhere")).status, 404);

  assertEquals(await query(`SELECT name, version FROM authors WHERE email = '${email}'`), [{
    name: `${name} Lee`,
    version: 2,
  }]);
  const left: readonly Row[] = await query(`SELECT title, cents FROM books WHERE author_id = '${id}' ORDER BY title`);
  assertEquals(left, [{ title: "Edges", cents: 1900 }, { title: "More", cents: 990 }]);

  assertEquals((await ask(shop, "DELETE", `/authors/${id}`)).status, 204);
  assertEquals((await ask(shop, "GET", `/authors/${id}`)).status, 404);
  assertEquals(await query(`SELECT title FROM books WHERE author_id = '${id}'`), []);
}
