/** The D1 adapter in a Worker, on the binding itself, and on miniflare's proxy of it. */
import { assertEquals } from "@std/assert";
import { d1, type D1Binding } from "../../adapters/d1.ts";
import { bundle } from "../runtimes/bundle.ts";
import { startMiniflare } from "../servers/d1.ts";
import { rejection, stmt } from "./d1_kit.ts";

// Miniflare and esbuild are processes of their own, and the sanitizers see their timers and pipes.
const apart = { sanitizeOps: false, sanitizeResources: false };

const SOURCE = `
import { createAll, hasMany, belongsTo, model, Session, t } from "../../mod.ts";
import { d1 } from "../../adapters/d1.ts";

class Author extends model("authors", { id: t.identity(), name: t.text().unique(), photo: t.bytes().nullable(), version: t.integer().version() }) {
  static relations = { books: hasMany(() => Book, "authorId") };
}
class Book extends model("books", { id: t.identity(), title: t.text(), authorId: t.integer("author_id").foreignKey() }) {
  static relations = { author: belongsTo(() => Author, "authorId") };
}

const routes = {
  async "/save"(db) {
    await createAll(db, [Author, Book]);
    await using session = new Session({ bind: db });
    const books = ["Edges", "Ledges"].map((title) => new Book({ title }));
    const author = session.add(Author.create({ name: "Ann", photo: new Uint8Array([0, 255]), books }));
    await session.commit();
    return [author.id, author.version, books.map(({ id, authorId }) => [id, authorId])];
  },
  async "/read"(db) {
    await using session = new Session({ bind: db });
    const author = await session.query(Author).include({ books: true }).one();
    const [rows] = await Promise.all([session.execute("SELECT 1 AS a, 2 AS a"), session.execute("SELECT 3, 4")]);
    return [author.name, [...author.photo], author.books.map(({ title }) => title), rows.scalarOne()];
  },
  async "/stale"(db) {
    await using mine = new Session({ bind: db });
    await using other = new Session({ bind: db });
    const [a, b] = [await mine.query(Author).one(), await other.query(Author).one()];
    a.name = "First";
    b.name = "Second";
    await mine.commit();
    await other.commit();
  },
  async "/taken"(db) {
    await using session = new Session({ bind: db });
    session.add(new Author({ name: "First" }));
    await session.commit();
  },
};
export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    try {
      if (pathname === "/session") return Response.json(await routes["/read"](d1(env.DB.withSession())));
      return Response.json(await routes[pathname](d1(env.DB)) ?? null);
    } catch (error) {
      return Response.json(error.code ?? String(error));
    }
  },
};`;

Deno.test("a Worker saves, reads and finds conflicts on its D1 binding", apart, async () => {
  const miniflare = startMiniflare(await bundle(SOURCE));
  try {
    const url = await miniflare.ready;
    const ask = async (path: string): Promise<unknown> => await (await fetch(new URL(path, url))).json();
    assertEquals(await ask("/save"), [1, 1, [[1, 1], [2, 1]]]);
    assertEquals(await ask("/read"), ["Ann", [0, 255], ["Edges", "Ledges"], 1]);
    assertEquals(await ask("/session"), ["Ann", [0, 255], ["Edges", "Ledges"], 1]);
    assertEquals(await ask("/stale"), "LEDGE_STALE_DATA");
    assertEquals(await ask("/taken"), "LEDGE_UNIQUE_VIOLATION");
  } finally {
    await miniflare.dispose();
  }
});

Deno.test("miniflare's proxy of the binding will do in its place", apart, async () => {
  const miniflare = startMiniflare("export default { fetch: () => new Response() }");
  try {
    const db = d1(await miniflare.getD1Database("DB") as unknown as D1Binding);
    await db.batch([stmt("CREATE TABLE t (id INTEGER PRIMARY KEY, data BLOB)")]);
    const data = new Uint8Array([1, 0, 255]);
    assertEquals((await db.execute(stmt("INSERT INTO t (data) VALUES (?)", data))).lastInsertId, 1);
    assertEquals((await db.execute(stmt("SELECT id, data, id FROM t"))).rows, [[1, data, 1]]);
    const results = await db.batch([stmt("SELECT data, id, id FROM t"), stmt("DELETE FROM t")]);
    assertEquals(results.map(({ rows, rowsAffected }) => [rows, rowsAffected]), [[[[data, 1, 1]], 1], [[], 1]]);
    assertEquals((await rejection(db.execute(stmt("SELECT * FROM nope"))) as Error).name, "StatementError");
  } finally {
    await miniflare.dispose();
  }
});
