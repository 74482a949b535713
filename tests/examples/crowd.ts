/**
 * Many requests at once to a bookstore: all are answered, and the data is exact, read back at the database itself.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { Shop } from "./start.ts";
import type { Row, Store } from "./stores.ts";

/** An answer that was read. */
export interface Answer {
  readonly status: number;
  // deno-lint-ignore no-explicit-any
  readonly body: any;
}

/** Asks a bookstore. A request that hangs fails. */
export async function ask(shop: Shop, method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await shop.fetch(path, {
    method,
    signal: AbortSignal.timeout(30_000),
    ...body === undefined ? {} : { body: JSON.stringify(body) },
  });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.startsWith("application/json");
  return { status: response.status, body: isJson ? JSON.parse(text) : text };
}

const count = (n: number) => Array.from({ length: n }, (_, i) => i);
const newAuthor = (i: number) => ({
  name: `Author ${i}`,
  email: `${i}@example.org`,
  books: [0, 1].map((n) => ({ title: `Book ${i}.${n}`, isbn: `${i}.${n}`, cents: 100 + i })),
});
const asRows = (rows: readonly Row[]) => rows.map((row) => Object.values(row).join(" ")).sort();

/** 80 new authors with two books each, 40 edits of authors, 40 of books, 40 reads: 200 at once, to a store without rows. */
export async function runCrowd(shop: Shop, query: Store["query"]): Promise<void> {
  const old = (await Promise.all(count(40).map((i) => ask(shop, "POST", "/authors", newAuthor(i))))).map(({ body }) =>
    body
  );
  const answers = await Promise.all([
    ...count(80).map((i) => ask(shop, "POST", "/authors", newAuthor(40 + i))),
    ...old.map(({ id }, i) => ask(shop, "PATCH", `/authors/${id}`, { name: `Edited ${i}`, version: 1 })),
    ...old.map(({ books }, i) => ask(shop, "PATCH", `/books/${books[0].id}`, { cents: 5000 + i })),
    ...old.map(({ id }) => ask(shop, "GET", `/authors/${id}`)),
  ]);
  const bad = answers.filter(({ status }, i) => status !== (i < 80 ? 201 : 200));
  assertEquals([answers.length, bad], [200, []]);
  for (const [i, { body }] of answers.slice(0, 80).entries()) {
    assertEquals([body.name, body.books.length, body.books[1].title], [`Author ${40 + i}`, 2, `Book ${40 + i}.1`]);
  }
  for (const [i, { body }] of answers.slice(160).entries()) assertEquals([body.id, body.books.length], [old[i].id, 2]);

  assertEquals(
    asRows(await query("SELECT name, version FROM authors")),
    [...count(40).map((i) => `Edited ${i} 2`), ...count(80).map((i) => `Author ${40 + i} 1`)].sort(),
  );
  assertEquals(
    asRows(await query("SELECT b.title, b.cents, a.email FROM books b JOIN authors a ON a.id = b.author_id")),
    count(120).flatMap((i) => [
      `Book ${i}.0 ${i < 40 ? 5000 + i : 100 + i} ${i}@example.org`,
      `Book ${i}.1 ${100 + i} ${i}@example.org`,
    ]).sort(),
  );
}

/** 50 edits of one author who was seen at the same version: one is saved. */
export async function runRace(shop: Shop, query: Store["query"]): Promise<void> {
  const { id } = (await ask(shop, "POST", "/authors", { name: "Ann", email: "ann@example.org" })).body;
  const names = count(50).map((i) => `Ann ${i}`);
  const answers = await Promise.all(names.map((name) => ask(shop, "PATCH", `/authors/${id}`, { name, version: 1 })));
  const saved = answers.filter(({ status }) => status === 200);
  const refused = answers.filter(({ status, body }) => status === 409 && body.error === "LEDGE_STALE_DATA");
  assertEquals([saved.length, refused.length], [1, 49]);
  assertEquals(await query(`SELECT name, version FROM authors WHERE id = '${id}'`), [{
    name: saved[0]!.body.name,
    version: 2,
  }]);
}
