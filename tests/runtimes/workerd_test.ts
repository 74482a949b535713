/** A session in workerd, bundled without Node's modules. */
import { assert, assertEquals } from "@std/assert";
import { type HranaServer, startHrana } from "../servers/hrana.ts";
import { bundle } from "./bundle.ts";
import { startWorkerd } from "./workerd.ts";

// esbuild is a process of its own, and the sanitizers see its pipes even after it was stopped.
const withEsbuild = { sanitizeOps: false, sanitizeResources: false };

/** What a worker answered, and how many database requests it took. */
interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly requests: number;
}

/** Makes the tables, as a migration would have. */
function makeTables({ db }: HranaServer): void {
  db.query("CREATE TABLE authors (id TEXT PRIMARY KEY, name TEXT NOT NULL, version INTEGER NOT NULL)");
  db.query(
    "CREATE TABLE books (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, " +
      "author_id TEXT NOT NULL REFERENCES authors (id))",
  );
}

interface Created {
  readonly id: string;
  readonly version: number;
  readonly books: readonly { readonly id: number; readonly authorId: string }[];
}

Deno.test("a session in workerd does each request's work in the fewest database requests", withEsbuild, async (t) => {
  await using server = await startHrana();
  makeTables(server);
  const source = await bundle(`export { default } from "./worker.ts"`, {
    define: { DATABASE_URL: JSON.stringify(server.url) },
  });
  await using worker = await startWorkerd(source);

  const ask = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const before = server.requests;
    const response = await fetch(`${worker.url}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    assert(response.headers.get("content-type") === "application/json", `${method} ${path}: ${text}`);
    return { status: response.status, body: JSON.parse(text), requests: server.requests - before };
  };
  const create = async (name: string, ...titles: string[]): Promise<Answer & { created: Created }> => {
    const answer = await ask("POST", "/authors", { name, titles });
    return { ...answer, created: answer.body as Created };
  };

  let id = "";
  await t.step("the first request commits a graph in one", async () => {
    const { status, requests, created } = await create("Ann", "Edges", "Ledges");
    assertEquals([status, requests], [200, 1]);
    assertEquals(created.version, 1);
    id = created.id;
    assertEquals(created.books, [{ id: 1, authorId: id }, { id: 2, authorId: id }]);
  });

  await t.step("the second request, with the same database in module scope, reads it in one", async () => {
    assertEquals(await ask("GET", `/authors/${id}`), {
      status: 200,
      requests: 1,
      body: {
        id,
        name: "Ann",
        version: 1,
        books: [{ id: 1, title: "Edges", authorId: id }, { id: 2, title: "Ledges", authorId: id }],
      },
    });
  });

  await t.step("concurrent requests have sessions of their own", async () => {
    const before = server.requests;
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => create(`Author ${i}`, `Book ${i}`)));
    assertEquals(server.requests - before, 20);
    assertEquals(new Set(answers.map(({ created }) => created.id)).size, 20);
    for (const [i, { status, created }] of answers.entries()) {
      assertEquals(status, 200);
      const [book] = server.db.query("SELECT title, author_id FROM books WHERE id = ?", created.books[0]!.id);
      assertEquals(book, { title: `Book ${i}`, author_id: created.id });
    }
  });

  await t.step("a stale commit writes nothing", async () => {
    const { status, body, requests } = await ask("POST", `/conflict/${id}`);
    assertEquals([status, body], [409, { code: "LEDGE_STALE_DATA" }]);
    assertEquals(requests, 4); // Two reads, two commits.
    assertEquals(server.db.query("SELECT name, version FROM authors WHERE id = ?", id), [{
      name: "First",
      version: 2,
    }]);
  });

  await t.step("a rollback is in memory alone", async () => {
    assertEquals(await ask("POST", `/rollback/${id}`), {
      status: 200,
      requests: 1,
      body: { restored: true, books: 2, dirty: 0 },
    });
  });

  await t.step("a flush upgrades to a transaction, and its savepoint fails alone", async () => {
    const { status, body } = await ask("POST", `/savepoint/${id}`);
    assertEquals([status, body], [200, { name: "Kept" }]);
    assertEquals(server.db.query("SELECT name, version FROM authors WHERE id = ?", id), [{ name: "Kept", version: 3 }]);
    assertEquals(server.openStreams, 0);
  });

  await t.step("Hono's middleware commits before the response leaves, and not what failed", async () => {
    const { status, body, requests } = await ask("POST", "/hono/authors", { name: "Bea" });
    assertEquals([status, requests], [201, 1]);
    const { id } = body as { id: string };
    const expected = { status: 200, requests: 1, body: { id, name: "Bea", version: 1 } };
    assertEquals(await ask("GET", `/hono/authors/${id}`), expected);
    const refused = await ask("POST", "/hono/authors", { name: "" });
    assertEquals(refused, { status: 422, requests: 0, body: { code: "NO_NAME" } });
  });
});
