/**
 * The bookstore's entry files: each in its real runtime, on each database, answers as it should and writes what it says; that
 * of Cloudflare also when 200 ask it at once.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { ddl } from "../../mod.ts";
import { sqlite } from "../../src/sql/sqlite.ts";
import { models } from "../../examples/bookstore/app.ts";
import { aliases } from "./build.ts";
import { runCrowd, runRace } from "./crowd.ts";
import { runDay } from "./day.ts";
import { startHrana } from "../servers/hrana.ts";
import { shops, startCloudflare } from "./start.ts";
import { stores } from "./stores.ts";

// Processes, esbuild and miniflare among them, and the edge-runtime's connections, which close in later tests: the
// sanitizers see them all.
const withProcesses = { sanitizeOps: false, sanitizeResources: false };

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
        await t.step(runtime, async (t) => {
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

Deno.test(
  "the example of Cloudflare takes the modules that the package exports, and the tables that the models have",
  withProcesses,
  async () => {
    const folder = new URL("../../examples/cloudflare/", import.meta.url);
    const settings = await Deno.readTextFile(new URL("wrangler.jsonc", folder));
    const { alias } = JSON.parse(settings.replace(/^\s*\/\/.*$/gm, ""));
    for (const [name, path] of Object.entries<string>(alias)) {
      assertEquals(new URL(path, folder).pathname, aliases[name], name);
    }
    const migration = await Deno.readTextFile(new URL("migrations/0001_tables.sql", folder));
    const statements = ddl(models, sqlite).map(({ sql }) => `${sql};\n`).join("");
    assertEquals(migration.replace(/^--.*\n/, ""), statements);
  },
);

Deno.test("tables.ts makes the tables where the environment says", withProcesses, async () => {
  const token = crypto.randomUUID();
  await using server = await startHrana({ token });
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-EN", new URL("../../examples/bookstore/tables.ts", import.meta.url).pathname],
    env: { DATABASE_URL: server.url, DATABASE_TOKEN: token, NO_COLOR: "1" },
  }).output();
  assertEquals([success, new TextDecoder().decode(stderr)], [true, ""]);
  assertStringIncludes(new TextDecoder().decode(stdout), `The tables are there, in libsql ${server.url}.`);
  const names = server.db.query(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY 1",
  );
  assertEquals(names.map(({ name }) => name), ["authors", "books", "reviews"]);
});
