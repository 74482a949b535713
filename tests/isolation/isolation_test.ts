/**
 * Nothing is shared between requests: a real workerd whose databases are made at import and used by requests one after the
 * other and side by side. What is left open is counted at the servers.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { bundle } from "../runtimes/bundle.ts";
import { startWorkerd } from "../runtimes/workerd.ts";
import { startMiniflare } from "../servers/d1.ts";
import { type HranaServer, startHrana } from "../servers/hrana.ts";
import { mariadbMissing } from "../servers/mariadb.ts";
import { type NeonServer, startNeon } from "../servers/neon.ts";
import { type PlanetScaleFront, startFront } from "../servers/planetscale.ts";
import { TABLE } from "./work.ts";

// esbuild and miniflare are processes of their own, and the sanitizers see their pipes even after they were stopped.
const withProcesses = { sanitizeOps: false, sanitizeResources: false };

/** A request that takes longer hangs; those here take milliseconds. */
const HANGS = 20_000;

interface Answer {
  readonly status: number;
  // deno-lint-ignore no-explicit-any
  readonly body: any;
}

type Ask = (database: string, text: string, fails?: boolean, signal?: AbortSignal) => Promise<Answer>;

function asker(fetch: (path: string, signal: AbortSignal) => Promise<Response>): Ask {
  return async (database, text, fails = false, signal = AbortSignal.timeout(HANGS)) => {
    const params = new URLSearchParams({ database, text, ...fails ? { fails: "" } : {} });
    const response = await fetch(`/?${params}`, signal);
    const body = await response.text();
    const isJson = response.headers.get("content-type")?.startsWith("application/json");
    return { status: response.status, body: isJson ? JSON.parse(body) : body };
  };
}

/** What a request answers that wrote a row with this text. */
const done = (text: string): Answer => ({
  status: 200,
  body: { text: `${text}, changed`, version: 2, isSame: true, count: 1 },
});

/**
 * Two requests one after the other, two at once, thirty at once, one that fails, and one after it. Gives the texts that are
 * written.
 */
async function runRequests(database: string, ask: Ask, interactive = true): Promise<string[]> {
  const name = (text: string) => `${database} ${text}`;
  for (const text of ["first", "second"]) assertEquals(await ask(database, name(text)), done(name(text)));
  const both = ["third", "fourth"].map(name);
  assertEquals(await Promise.all(both.map((text) => ask(database, text))), both.map(done));
  const many = Array.from({ length: 30 }, (_, i) => name(`one of many, ${i}`));
  assertEquals(await Promise.all(many.map((text) => ask(database, text))), many.map(done));
  const written = [...["first", "second", "third", "fourth"].map(name), ...many].map((text) => `${text}, changed 2`);
  if (interactive) {
    const { status, body } = await ask(database, name("failing"), true);
    assertEquals([status, body.message], [500, "The request fails within its transaction"]);
    written.push(`${name("failing")} 1`); // what it committed before
  }
  assertEquals(await ask(database, name("last")), done(name("last")));
  return [...written, `${name("last")}, changed 2`].sort();
}

/** Waits until nothing is left open, for a while: a closed socket is known a little later. */
async function settled(count: () => number | Promise<number>): Promise<number> {
  for (let i = 0; i < 100 && await count() > 0; i++) await new Promise((resolve) => setTimeout(resolve, 20));
  return await count();
}

/** The rows whose text begins so, in order. */
function texts(rows: readonly Record<string, unknown>[], database: string): string[] {
  return rows.map(({ text, version }) => `${text} ${version}`).filter((text) => text.startsWith(`${database} `)).sort();
}

interface Servers {
  readonly hrana: HranaServer;
  readonly neon: NeonServer;
  readonly planetscale: PlanetScaleFront | null;
}

const select = "SELECT text, version FROM notes";
const noMariadb = mariadbMissing();

Deno.test(
  "databases made at import serve request after request in workerd, and leave nothing open",
  withProcesses,
  async (t) => {
    await using hrana = await startHrana({ latency: 5 });
    await using neon = await startNeon({ latency: 5 });
    const planetscale = noMariadb === null ? await startFront({ latency: 5 }) : null;
    const servers: Servers = { hrana, neon, planetscale };
    try {
      hrana.db.query(TABLE.sqlite);
      await neon.db.query(TABLE.postgres);
      await planetscale?.run(TABLE.mysql);
      const addresses = {
        hrana: hrana.url,
        hranaSocket: hrana.wsUrl,
        neon: neon.url,
        planetscale: planetscale?.url ?? null,
      };
      const source = await bundle(`export { default } from "../isolation/worker.ts"`, {
        define: { ADDRESSES: JSON.stringify(addresses) },
      });
      await using worker = await startWorkerd(source);
      await runAll(t, servers, asker((path, signal) => fetch(`${worker.url}${path}`, { signal })));
    } finally {
      await planetscale?.stop();
    }
  },
);

async function runAll(t: Deno.TestContext, { hrana, neon, planetscale }: Servers, ask: Ask): Promise<void> {
  for (const database of ["libsql http", "libsql client http", "libsql ws"]) {
    await t.step(database, async () => {
      const written = await runRequests(database, ask);
      assertEquals(texts(hrana.db.query(select), database), written);
      assertEquals(await settled(() => hrana.openStreams + hrana.sockets), 0);
    });
  }

  for (const database of ["neon", "neon ws", "neon pool of the request"]) {
    await t.step(database, async () => {
      const written = await runRequests(database, ask);
      assertEquals(texts(await neon.db.query(select), database), written);
      assertEquals(await settled(() => neon.sockets), 0);
    });
  }

  await t.step({
    name: `planetscale${noMariadb ?? ""}`,
    ignore: planetscale === null,
    async fn() {
      const written = await runRequests("planetscale", ask);
      assertEquals(texts(await planetscale!.run(select), "planetscale"), written);
      assertEquals(await settled(() => planetscale!.transactions + planetscale!.sessions), 0);
    },
  });

  await t.step("clients that go away leave nothing open", async () => {
    for (
      const { database, server } of [
        { database: "libsql http", server: hrana },
        { database: "libsql ws", server: hrana },
        { database: "neon", server: neon },
        { database: "neon ws", server: neon },
      ]
    ) {
      const { latency } = server;
      server.latency = 60; // of some six trips
      await Promise.all([100, 200, 300, 400].map((after) => {
        return ask(database, `${database} ${after}`, false, AbortSignal.timeout(after)).catch(() => {});
      }));
      server.latency = latency;
      assertEquals(await settled(() => hrana.openStreams + hrana.sockets + neon.sockets), 0);
      assertEquals(await ask(database, `${database} after`), done(`${database} after`));
    }
  });

  for (const database of ["neon pool", "neon client"]) {
    await t.step(`${database}, made at import, is refused in every request, and nothing is opened`, async () => {
      neon.reset();
      for (
        const answers of [[await ask(database, "one")], await Promise.all([ask(database, "a"), ask(database, "b")])]
      ) {
        for (const { status, body } of answers) {
          assertEquals([status, body.code], [500, "LEDGE_UNSUPPORTED"]);
          assertStringIncludes(body.message, "give neon() where the database is, or make both in each request");
        }
      }
      assertEquals([neon.connections, neon.requests], [0, 0]);
    });
  }

  for (const [database, statements] of [["late libsql ws", hrana], ["late neon pool", neon]] as const) {
    await t.step(`${database}, kept from the first request, is refused in the next`, async () => {
      assertEquals(await ask(database, `${database} first`), done(`${database} first`));
      statements.reset();
      for (const text of ["second", "third"]) {
        const { status, body } = await ask(database, text);
        assertEquals([status, body.code], [500, "LEDGE_UNSUPPORTED"]);
      }
      assertEquals(statements.requests, 0);
    });
  }
}

Deno.test("a D1 binding taken at import serves request after request in workerd", withProcesses, async () => {
  const source = await bundle(
    `import { env } from "cloudflare:workers";
     import { d1 } from "../../adapters/d1.ts";
     import { sessionFactory } from "../../mod.ts";
     import { answer } from "../isolation/work.ts";
     const factory = sessionFactory({ bind: d1(env.DB) });
     export default { fetch: (request) => answer(request, factory) };`,
    { external: ["cloudflare:workers"] },
  );
  const miniflare = startMiniflare(source);
  try {
    const db = await miniflare.getD1Database("DB");
    await db.exec(TABLE.sqlite);
    const url = String(await miniflare.ready).replace(/\/$/, "");
    const written = await runRequests("d1", asker((path, signal) => fetch(`${url}${path}`, { signal })), false);
    const { results } = await db.prepare(select).all<Record<string, unknown>>();
    assertEquals(texts(results, "d1"), written);
  } finally {
    await miniflare.dispose();
  }
});
