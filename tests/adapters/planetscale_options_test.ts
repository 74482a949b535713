/** The options of planetscale(), what it shows of them, and what it imports. */
import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { Client } from "@planetscale/database";
import { planetscale, type PlanetScaleOptions, safeFetch } from "../../adapters/planetscale.ts";
import { DatabaseError, ValidationError } from "../../src/errors.ts";
import { startFront } from "../servers/planetscale.ts";
import { rejection, stmt, test } from "./planetscale_setups.ts";

const one = stmt("SELECT 1");
const host = "aws.connect.psdb.cloud";
const login = { username: "ann", password: "secret" };

Deno.test("planetscale() refuses options that it cannot honour", () => {
  const client = new Client({ host, ...login });
  const refused: readonly (readonly [unknown, string])[] = [
    [undefined, "{ host, username, password }"],
    [null, "{ host, username, password }"],
    [5, "{ host, username, password }"],
    ["https://ann:secret@host", "{ host, username, password }"],
    [{}, "either url or host"],
    [{ host, url: "https://host", ...login }, "either url or host"],
    [{ host: 5, ...login }, "host as text"],
    [{ host }, "needs a username"],
    [{ host, username: "ann" }, "needs a password"],
    [{ host, username: "ann", password: "secret\ud800" }, "needs a password"],
    [{ host, username: "", password: "secret" }, "needs a username"],
    [{ host, username: "a:b", password: "secret" }, "with a colon"],
    [{ host: "ann:secret@host" }, "this host"],
    [{ host: "host/secret", ...login }, "this host"],
    [{ host: "", ...login }, "this host"],
    [{ url: "", ...login }, "this url"],
    [{ url: "postgres://ann:secret@host" }, "this url"],
    [{ url: "https://" }, "this url"],
    [{ url: "https://host" }, "needs a username"],
    [{ url: "https://ann:secret@host", password: "secret" }, "not both"],
    [{ url: "https://ann:secret@host", cast: () => {} }, '"cast"'],
    [{ host, ...login, fetch: 5 }, "fetch as"],
    [{ host, ...login, timeout: -5 }, "timeout"],
    [{ host, ...login, guards: "none" }, "guards as"],
    [{ host, ...login, autoIncrementIncrement: 0 }, "autoIncrementIncrement"],
    [{ host, ...login, autoIncrementIncrement: 1.5 }, "autoIncrementIncrement"],
    [{ client: 5 }, "client to be"],
    [{ client, host }, '"host"'],
    [{ client, timeout: 0 }, "timeout"],
    [{ config: {}, execute() {}, connection: () => ({}) }, "new connections, each with a fetch of its own"],
    [{ config: {}, execute() {}, connection: () => ({ fetch, session: {} }) }, "new connections"],
  ];
  for (const [options, words] of refused) {
    const error = assertThrows(() => planetscale(options as PlanetScaleOptions), ValidationError, words);
    assert(!error.message.includes("secret"), error.message);
  }
});

Deno.test("planetscale() describes a database by its host", async () => {
  const described: readonly (readonly [Parameters<typeof planetscale>[0], string])[] = [
    [{ host, ...login }, `planetscale ${host}`],
    [{ host: "localhost:8080", ...login }, "planetscale localhost:8080"],
    [{ url: `https://ann:s%2Fcret@${host}` }, `planetscale ${host}`],
    [{ url: `https://${host}/books`, ...login }, `planetscale ${host}`],
    [{ url: `mysql://ann:secret@${host}/books?ssl={"rejectUnauthorized":true}` }, `planetscale ${host}`],
    [{ url: "http://ann:secret@127.0.0.1:8080" }, "planetscale http://127.0.0.1:8080"],
    [new Client({ host, ...login }), `planetscale ${host} over a Client`],
    [new Client({ url: `https://ann:secret@${host}` }), `planetscale ${host} over a Client`],
    [{ client: new Client({}), timeout: 5 }, "planetscale over a Client"],
  ];
  for (const [source, description] of described) {
    await using db = planetscale(source);
    assertEquals(db.description, description);
    assertEquals(JSON.stringify(db), JSON.stringify({ description }));
  }
});

test("planetscale() sends nothing before the first call", async () => {
  await using server = await startFront();
  await using db = planetscale({ url: server.url });
  await using _other = planetscale(new Client({ url: server.url }));
  await db.connect();
  assertEquals(server.requests, 0);
});

Deno.test("planetscale() sends requests to where it was told, with the user and the password as they are", async () => {
  const seen: { url: string; authorization: string | null; body: unknown; blob: boolean }[] = [];
  const fetch: PlanetScaleOptions["fetch"] = async (input, init) => {
    const request = new Request(input, init);
    seen.push({
      url: request.url,
      authorization: request.headers.get("authorization"),
      body: await request.json(),
      blob: init?.body instanceof Blob,
    });
    return Response.json({ session: {}, result: { fields: [], rows: [] } });
  };
  const basic = (text: string) => `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(text)))}`;
  const sources: readonly (readonly [PlanetScaleOptions, string, string])[] = [
    [{ host, ...login }, `https://${host}`, basic("ann:secret")],
    [{ host: "localhost:8080", username: "änn", password: "p:/@é" }, "https://localhost:8080", basic("änn:p:/@é")],
    [{ url: `https://%C3%A4nn:p%3A%2F%40%C3%A9@${host}/books` }, `https://${host}`, basic("änn:p:/@é")],
    [{ url: `mysql://ann:secret@${host}/books` }, `https://${host}`, basic("ann:secret")],
    [{ url: "http://127.0.0.1:8080", ...login }, "http://127.0.0.1:8080", basic("ann:secret")],
  ];
  for (const [options, origin, authorization] of sources) {
    await using db = planetscale({ ...options, fetch });
    await db.execute(one);
    const body = { query: "SELECT 1", session: null };
    const url = `${origin}/psdb.v1alpha1.Database/Execute`;
    assertEquals(seen.splice(0), [{ url, authorization, body, blob: true }]);
  }
});

Deno.test("a runtime that knows no cache option gets none", async () => {
  const original = globalThis.Request;
  const seen: (string | undefined)[] = [];
  const fetch: PlanetScaleOptions["fetch"] = (_, init) => {
    seen.push(init?.cache);
    return Promise.resolve(Response.json({ session: {}, result: {} }));
  };
  await using db = planetscale({ host, ...login, fetch });
  await db.execute(one);
  try {
    globalThis.Request = class extends original {
      constructor(input: Request | URL | string, init?: RequestInit) {
        if (init?.cache !== undefined) throw new Error("The 'cache' field is not implemented");
        super(input, init);
      }
    };
    await db.execute(one);
  } finally {
    globalThis.Request = original;
  }
  assertEquals(seen, ["no-store", undefined]);
});

Deno.test("no message, log or JSON shows a user, a password or a url", async () => {
  const secret = "s3cret+pass/of==mine";
  const encoded = encodeURIComponent(secret);
  const url = `https://ann:${encoded}@${host}/books`;
  const token = btoa(`ann:${secret}`);
  const texts = [
    `cannot connect to ${url}`,
    `password ${secret} is wrong (errno 1105) (sqlstate HY000)`,
    `password ${secret} is wrong (errno 1045) (sqlstate 28000)`,
    `password=${encoded}`,
    `Authorization: Basic ${token}`,
  ];
  for (const text of texts) {
    for (const status of [200, 400, 500]) {
      const fetch = () => Promise.resolve(Response.json({ error: { code: "UNKNOWN", message: text } }, { status }));
      const broken = () => Promise.reject(new TypeError(text));
      const plain = () => Promise.resolve(new Response(text, { status: 502 }));
      for (const answer of [fetch, broken, plain]) {
        const sources = [
          { url, fetch: answer },
          { host, username: "ann", password: secret, fetch: answer },
          new Client({ host, username: "ann", password: secret, fetch: answer }),
          new Client({ url: `https://ann:${secret.replace("/", "%2F")}@${host}`, fetch: answer }),
        ];
        for (const source of sources) {
          await using db = planetscale(source);
          const connection = await db.connect();
          const errors = [await rejection(db.execute(one)), await rejection(connection.execute(one))];
          for (const error of errors) {
            assertInstanceOf(error, DatabaseError);
            const shown = [Deno.inspect(error, { depth: 9 }), error.stack, JSON.stringify(error)];
            for (const seen of [...shown, Deno.inspect(db, { depth: 9 }), String(db), JSON.stringify(db)]) {
              for (const hidden of [secret, encoded, token]) assert(!seen?.includes(hidden), seen);
            }
          }
          if (!(source instanceof Client)) {
            const native = Deno.inspect(connection.native, { depth: 9 });
            for (const hidden of [secret, encoded, token, "ann"]) assert(!native.includes(hidden), native);
          }
        }
      }
    }
  }
});

test("safeFetch() is there for clients of one's own, and does not harm", async () => {
  await using server = await startFront();
  const client = new Client({ url: server.url, fetch: safeFetch() });
  await using db = planetscale(client);
  assertEquals((await db.execute(one)).rows, [[1]]);
  assertEquals((await client.execute("SELECT 1 AS one")).rows, [{ one: 1 }]);
});

/** Every module that a module imports, and they import, by name or by address. Comments begin with a star. */
async function imports(entry: URL, found = new Set<string>()): Promise<Set<string>> {
  const source = await Deno.readTextFile(entry);
  for (const match of source.matchAll(/^(?:(?:import|export)\b[^;]*?\bfrom\s+|import\s+|.*\bimport\()"([^"]+)"/gm)) {
    const name = match[1]!;
    const next = name.startsWith(".") ? new URL(name, entry).href : name;
    if (found.has(next)) continue;
    found.add(next);
    if (name.startsWith(".")) await imports(new URL(next), found);
  }
  return found;
}

Deno.test("adapters/planetscale.ts imports the driver, the port, sql/ and errors, and nothing else", async () => {
  const root = new URL("../../", import.meta.url).href;
  const found = [...await imports(new URL("adapters/planetscale.ts", root))].map((name) => name.replace(root, ""));
  const outside = found.filter((name) => !/^src\/|^adapters\/(?:planetscale|shared)\//.test(name));
  assertEquals(outside, ["@planetscale/database"]);
  assert(found.includes("src/errors.ts"));
});
