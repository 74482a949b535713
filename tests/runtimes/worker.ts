/**
 * A small worker as an application would write it, to be bundled for workerd: the database in module scope, a session for
 * each request. Knows nothing of the tests but the database's address, which the bundle puts in.
 *
 * @module
 */
import { Hono } from "hono";
import { libsql } from "../../adapters/libsql.ts";
import { belongsTo, hasMany, LedgeError, model, Session, StaleDataError, t } from "../../mod.ts";
import { session } from "../../src/web/hono.ts";

declare const DATABASE_URL: string;

class Author extends model("authors", {
  id: t.uuid().primaryKey(),
  name: t.text(),
  version: t.integer().version(),
}) {
  declare books?: Book[];
  static relations = { books: hasMany(() => Book, "authorId") };
}

class Book extends model("books", {
  id: t.identity(),
  title: t.text(),
  authorId: t.uuid("author_id").foreignKey(),
}) {
  declare author?: Author;
  static relations = { author: belongsTo(() => Author, "authorId") };
}

// At import, where workerd allows neither requests nor random numbers: making a database needs none.
const db = libsql({ url: DATABASE_URL });

/** What each route does; `id` is the author's, "" without one. */
const routes: Readonly<Record<string, (session: Session, id: string, request: Request) => Promise<unknown>>> = {
  async "POST /authors"(session, _, request) {
    const { name, titles } = await request.json() as { name: string; titles: string[] };
    const books = titles.map((title) => new Book({ title }));
    const author = session.add(Author.create({ name, books }));
    await session.commit();
    return { id: author.id, version: author.version, books: books.map(({ id, authorId }) => ({ id, authorId })) };
  },

  "GET /authors": (session, id) => session.getOne(Author, id, { include: { books: true } }),

  /** Two sessions change the same row; the second commit is stale. */
  async "POST /conflict"(session, id) {
    const mine = await session.getOne(Author, id);
    await using other = new Session({ bind: db });
    (await other.getOne(Author, id)).name = "First";
    await other.commit();
    mine.name = "Second";
    await session.commit();
  },

  async "POST /rollback"(session, id) {
    const author = await session.getOne(Author, id, { include: { books: true } });
    const { name } = author;
    author.name = "Nobody";
    author.books.push(new Book({ title: "Never" }));
    await session.rollback();
    return { restored: author.name === name, books: author.books.length, dirty: session.dirty.size };
  },

  /** Reads and writes in a conversation: a savepoint that fails inside a transaction that commits. */
  async "POST /savepoint"(session, id) {
    const author = await session.getOne(Author, id);
    await session.transaction(async () => {
      author.name = "Kept";
      await session.flush();
      await session.savepoint(async () => {
        author.name = "Undone";
        await session.flush();
        throw new Error("Undo this");
      }).catch(() => {});
    });
    return { name: author.name };
  },
};

/** The same with Hono, where the middleware makes the session and commits it. */
const app = new Hono()
  .use(session({ bind: db }))
  .post("/hono/authors", async (c) => {
    const { name } = await c.req.json<{ name: string }>();
    const author = c.var.session.add(new Author({ name }));
    return name === "" ? c.json({ code: "NO_NAME" }, 422) : c.json({ id: author.id }, 201);
  })
  .get("/hono/authors/:id", async (c) => c.json(await c.var.session.getOne(Author, c.req.param("id"))));

/** The worker. */
export default {
  async fetch(request: Request): Promise<Response> {
    const [, path, id = ""] = new URL(request.url).pathname.split("/");
    if (path === "hono") return await app.fetch(request);
    const route = routes[`${request.method} /${path}`];
    if (route === undefined) return new Response(null, { status: 404 });
    await using session = new Session({ bind: db });
    try {
      return Response.json(await route(session, id, request) ?? null);
    } catch (error) {
      if (!(error instanceof LedgeError)) return new Response(String(error), { status: 500 });
      return Response.json({ code: error.code }, { status: error instanceof StaleDataError ? 409 : 500 });
    }
  },
};
