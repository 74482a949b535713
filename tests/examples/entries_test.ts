/**
 * The bookstore's entry files: each in its real runtime, on each database, answers as it should and writes what it says; that
 * of Cloudflare also when 200 ask it at once.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { ddl } from "../../mod.ts";
import { sqlite } from "../../src/sql/sqlite.ts";
import { models } from "../../examples/bookstore/app.ts";
import { aliases } from "./build.ts";
import { ask, runCrowd, runRace } from "./crowd.ts";
import { type Shop, shops, startCloudflare } from "./start.ts";
import { type Row, type Store, stores } from "./stores.ts";

// Processes, esbuild and miniflare's among them, and the edge-runtime's connections: the sanitizers see their pipes.
const withProcesses = { sanitizeOps: false, sanitizeResources: false };

/** A customer's day; `who` keeps apart what several leave in one database. */
async function runDay(shop: Shop, who: string, query: Store["query"]): Promise<void> {
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

/** Waits until nothing is open, for a while: a closed socket is known a little later. */
async function settled(open: () => number): Promise<number> {
  for (let i = 0; i < 100 && open() > 0; i++) await new Promise((resolve) => setTimeout(resolve, 20));
  return open();
}

for (const { name, missing = null, start } of stores) {
  Deno.test({
    name: `the bookstore runs on ${name} in each runtime${missing ?? ""}`,
    ignore: missing !== null,
    ...withProcesses,
    async fn(t) {
      await using store = await start();
      for (const [runtime, open] of Object.entries(shops)) {
        // Node's client names its protocols with bare commas between them, and Deno's server, before libSQL here, reads
        // them with spaces only.
        const isOverSocket = store.settings.DATABASE_URL!.startsWith("ws:");
        const why = runtime === "node" && isOverSocket ? " (the test server cannot speak with Node's WebSocket)" : "";
        await t.step({
          name: runtime + why,
          ignore: why !== "",
          async fn(t) {
            await using shop = await open(store.settings);
            await runDay(shop, runtime, store.query);
            if (runtime !== "cloudflare") return;
            await t.step("200 requests at once are answered, and exactly", () => runCrowd(shop, store.query));
            await t.step("of 50 edits at once of what all saw at one version, one is saved", () => {
              return runRace(shop, store.query);
            });
            await t.step("nothing is left open at the server, while the worker goes on", async () => {
              assertEquals(await settled(store.open), 0);
            });
          },
        });
      }
    },
  });
}

Deno.test(
  "the bookstore runs on D1 in workerd, with the tables of its migrations, for 200 at once too",
  withProcesses,
  async () => {
    await using shop = await startCloudflare({});
    await runDay(shop, "d1", shop.query);
    await runCrowd(shop, shop.query);
    await runRace(shop, shop.query);
  },
);

Deno.test("the example of Cloudflare takes the modules that the package exports, and the tables that the models have", async () => {
  const folder = new URL("../../examples/cloudflare/", import.meta.url);
  const settings = await Deno.readTextFile(new URL("wrangler.jsonc", folder));
  const { alias } = JSON.parse(settings.replace(/^\s*\/\/.*$/gm, ""));
  for (const [name, path] of Object.entries<string>(alias)) {
    assertEquals(new URL(path, folder).pathname, aliases[name], name);
  }
  const migration = await Deno.readTextFile(new URL("migrations/0001_tables.sql", folder));
  const statements = ddl(models, sqlite).map(({ sql }) => `${sql};\n`).join("");
  assertEquals(migration.replace(/^--.*\n/, ""), statements);
});
