/**
 * The bookstore: authors, books and reviews, and the HTTP API over them. All of it is here; it takes any database, and runs
 * wherever `fetch` handlers do: see examples/deno, examples/cloudflare, examples/vercel and examples/node.
 *
 * ```ts ignore
 * const db = libsql({ url: "file:./bookstore.db" });
 * await createAll(db, models);
 * Deno.serve(createApp(db).fetch);
 * ```
 *
 * @module
 */
import {
  type AnyModel,
  belongsTo,
  type Database,
  hasMany,
  model,
  StaleDataError,
  t,
  UniqueViolationError,
  ValidationError,
} from "@ledge/session";
import { session } from "@ledge/session/hono";
import { type Context, Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { matches, optional, parse, positive, readBody, stars, text, textUpTo } from "./body.ts";

// ---- the models

export class Author extends model("authors", {
  id: t.uuid().primaryKey(), // made here, when the object is made
  name: t.text(),
  email: t.text().unique(),
  version: t.integer().version(), // every update checks it and counts it up
}) {
  declare books?: Book[];
  static relations = { books: hasMany(() => Book, "authorId") };
}

export class Book extends model("books", {
  id: t.identity(), // made by the database
  title: t.text(),
  isbn: t.text().unique(),
  cents: t.integer(), // the price
  authorId: t.uuid("author_id").foreignKey(),
}) {
  declare author?: Author;
  declare reviews?: Review[];
  static relations = {
    author: belongsTo(() => Author, "authorId", { onDelete: "cascade" }),
    reviews: hasMany(() => Review, "bookId"),
  };
}

export class Review extends model("reviews", {
  id: t.identity(),
  stars: t.integer(),
  text: t.text(),
  bookId: t.integer("book_id").foreignKey(),
}) {
  declare book?: Book;
  static relations = { book: belongsTo(() => Book, "bookId", { onDelete: "cascade" }) };
}

/** All of them, for `createAll()`. */
export const models: readonly AnyModel[] = [Author, Book, Review];

// ---- what a request may hold

const newBook = { title: text, isbn: text, cents: positive };
const newAuthor = { name: textUpTo(100), email: matches(/^[^@\s]+@[^@\s]+$/, "an e-mail address") };
const authorEdit = { name: optional(newAuthor.name), email: optional(newAuthor.email), version: optional(positive) };
const bookEdit = { title: optional(text), isbn: optional(text), cents: optional(positive) };
const newReview = { stars, text };

// ---- the API

/** The API over a database that has the tables, or that is known by the request's environment only. */
export function createApp(bind: Database | ((c: Context) => Database)) {
  return new Hono()
    // Each request gets a session of its own, as c.var.session. It is made when it is first touched, committed when the
    // handler has answered with success, rolled back when it has not.
    .use(session({ bind, onCommitError: answerError }))
    .onError(answerError)
    .notFound((c) => c.json({ error: "NOT_FOUND", message: `There is no ${c.req.method} ${c.req.path}` }, 404))
    // An author with books, in one request to the database: the author's key is made here, the books' keys there.
    .post("/authors", async (c) => {
      const { books = [], ...body } = await readBody(c);
      const author = Author.create({
        ...parse("The author", body, newAuthor),
        books: asList(books).map((book, i) => Book.create(parse(`books[${i}]`, book, newBook))),
      });
      c.var.session.add(author);
      await c.var.session.commit(); // here, since the answer shows the books' keys
      return c.json(author, 201, { location: `/authors/${author.id}`, etag: `"${author.version}"` });
    })
    .get("/authors", async (c) => {
      return c.json(await c.var.session.query(Author).orderBy({ name: "asc" }).limit(100).all());
    })
    // The whole graph, in one request to the database.
    .get("/authors/:id{[0-9a-f-]{36}}", async (c) => {
      const author = await c.var.session.get(Author, c.req.param("id"), { include: { books: { reviews: true } } });
      if (author === null) throw missing("author", c.req.param("id"));
      return c.json(author, 200, { etag: `"${author.version}"` });
    })
    // Whoever edits an author says which version they have seen, so that nobody's edit is lost.
    .patch("/authors/:id{[0-9a-f-]{36}}", async (c) => {
      const { version = versionFrom(c), ...values } = parse("The author", await readBody(c), authorEdit);
      const author = await c.var.session.get(Author, c.req.param("id"));
      if (author === null) throw missing("author", c.req.param("id"));
      c.var.session.verify(author, version); // throws a StaleDataError: 409
      Object.assign(author, values);
      await c.var.session.commit(); // here, since the answer shows the new version
      return c.json(author, 200, { etag: `"${author.version}"` });
    })
    .delete("/authors/:id{[0-9a-f-]{36}}", async (c) => {
      const author = await c.var.session.get(Author, c.req.param("id"));
      if (author === null) throw missing("author", c.req.param("id"));
      await c.var.session.delete(author); // books and reviews go with it: onDelete "cascade"
      return c.body(null, 204);
    })
    .patch("/books/:id{[0-9]+}", async (c) => {
      const values = parse("The book", await readBody(c), bookEdit);
      const book = await c.var.session.get(Book, Number(c.req.param("id")));
      if (book === null) throw missing("book", c.req.param("id"));
      Object.assign(book, values); // that is all: a plain object, and the session sees what changed
      return c.json(book);
    })
    .post("/books/:id{[0-9]+}/reviews", async (c) => {
      const values = parse("The review", await readBody(c), newReview);
      const book = await c.var.session.get(Book, Number(c.req.param("id")));
      if (book === null) throw missing("book", c.req.param("id"));
      c.var.session.add(new Review({ ...values, bookId: book.id }));
      return c.body(null, 201);
    });
}

/** The answer to whatever went wrong, in a handler or in the commit after it. */
function answerError(error: unknown, c: Context): Response {
  if (error instanceof HTTPException) return c.json({ error: "HTTP_ERROR", message: error.message }, error.status);
  if (error instanceof ValidationError) return c.json({ error: error.code, message: error.message }, 400);
  if (error instanceof StaleDataError) {
    return c.json({ error: error.code, message: "Somebody else has changed this; read it again, then retry" }, 409);
  }
  if (error instanceof UniqueViolationError) {
    const what = error.columns?.join(", ") ?? "A value";
    return c.json({ error: error.code, message: `${what} is taken already` }, 409);
  }
  console.error(error);
  return c.json({ error: "INTERNAL_ERROR", message: "Something went wrong" }, 500);
}

function missing(what: string, id: string): HTTPException {
  return new HTTPException(404, { message: `There is no ${what} ${id}` });
}

function asList(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  throw new ValidationError("books must be a list");
}

/** The version in `If-Match: "3"`. */
function versionFrom(c: Context): number {
  const found = /^"?(\d+)"?$/.exec(c.req.header("if-match") ?? "");
  if (found) return Number(found[1]);
  throw new ValidationError('Say which version this edits: "version" in the body, or the ETag in an If-Match header');
}
