/** The options of the Neon adapter, its secrets, and what it imports. */
import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { Client, neon as createSql, Pool } from "@neondatabase/serverless";
import { neon, type NeonOptions } from "../../adapters/neon.ts";
import { DatabaseError, ValidationError } from "../../src/errors.ts";
import { startNeon } from "../servers/neon.ts";
import { startPostgres } from "../servers/postgres.ts";
import { rejection, stmt } from "./neon_setups.ts";

await startPostgres();

const one = stmt("SELECT 1");
const url = "postgresql://ann:secret@host/books";

Deno.test("neon() refuses options that it cannot honour", () => {
  const sql = createSql(url);
  const pool = new Pool({ connectionString: url });
  const client = new Client(url);
  const refused: readonly (readonly [unknown, string])[] = [
    [undefined, "a connection string"],
    [5, "a connection string"],
    [{}, "connectionString as text"],
    ["", "must be postgresql://"],
    ["host.example.org", "must be postgresql://"],
    ["mysql://ann:secret@host/books", "must be postgresql://"],
    ["postgresql://", "must be postgresql://"],
    ["postgresql://host/books", "a user"],
    ["postgresql://ann:secret@host", "a database"],
    ["postgresql://ann@host/books", "a password"],
    [{ connectionString: url, fetch }, '"fetch"'],
    [{ connectionString: url, timeout: -5 }, "timeout"],
    [{ connectionString: url, http: 1 }, "http as"],
    [{ connectionString: url, webSocket: "x" }, "webSocket as"],
    [{ connectionString: url, webSocket: { proxy: "x" } }, '"proxy"'],
    [{ connectionString: url, http: false, webSocket: false }, "both are false"],
    [{ connectionString: url, authToken: "x" }, "webSocket: false"],
    [{ connectionString: url, authToken: 5, webSocket: false }, "authToken as"],
    [{ sql: 5 }, "sql to be"],
    [{ sql, pool: client }, "pool to be"],
    [{ sql, client: pool }, "client to be"],
    [{ pool, client }, "not both"],
    [{ sql, connectionString: url }, '"connectionString"'],
    [{ sql, timeout: 0 }, "timeout"],
    [{ sql: undefined }, "a connection string"],
  ];
  for (const [options, words] of refused) {
    const error = assertThrows(() => neon(options as NeonOptions), ValidationError, words);
    assert(!error.message.includes("secret"), error.message);
  }
});

Deno.test("neon() describes a database by its host and name", async () => {
  const described: readonly (readonly [Parameters<typeof neon>[0], string])[] = [
    [url, "neon host/books"],
    [
      "postgres://ann:s%2Fcret@ep-a.aws.neon.tech:5433/my%20books?sslmode=require",
      "neon ep-a.aws.neon.tech:5433/my books",
    ],
    [{ connectionString: url, authToken: "x", webSocket: false }, "neon host/books"],
    [createSql(url), "neon over a neon() function"],
    [new Pool({ connectionString: url }), "neon over a Pool"],
    [{ sql: createSql(url), client: new Client(url) }, "neon over a neon() function and a Client"],
  ];
  for (const [source, description] of described) {
    await using db = neon(source);
    assertEquals(db.description, description);
    assertEquals(JSON.stringify(db), JSON.stringify({ description }));
  }
});

Deno.test("neon() opens nothing before the first call", async () => {
  await using server = await startNeon();
  await using _db = neon({ connectionString: server.url, http: false });
  await using _other = neon(server.url);
  assertEquals([server.requests, server.connections], [0, 0]);
});

Deno.test("no message, log or JSON shows a password, a token or a connection string", async () => {
  const secret = "s3cret+pass/of==mine";
  const encoded = encodeURIComponent(secret);
  const jwt = "eyJhbGciOiJFZERTQSJ9.eyJpYXQiOjE3fQ.c2lnbmF0dXJl";
  await using server = await startNeon();
  const own = new URL(server.url);
  own.password = secret;
  const target = own.href.replace(own.password, encoded);
  const sources = [
    target,
    { connectionString: target, webSocket: false, authToken: secret },
    { connectionString: target, webSocket: false, authToken: () => jwt },
    createSql(target),
  ];
  const texts = [
    `cannot connect to ${target}`,
    `authorization: Bearer ${jwt}`,
    ...[secret, encoded].map((text) => `password ${text} is wrong for postgresql://ann:${text}@host/x`),
  ];
  for (const source of sources) {
    for (const text of texts) {
      // Of a function that was handed in Ledge knows no secret: there the shape of a URL or a token must do.
      if (typeof source === "function" && text.startsWith("password")) continue;
      for (const status of [400, 500]) {
        server.before = () => Response.json({ message: text, code: status === 400 ? "22P02" : null }, { status });
        await using db = neon(source);
        const errors = [await rejection(db.execute(one)), await rejection(db.batch!([one, one]))];
        for (const error of errors) {
          assertInstanceOf(error, DatabaseError);
          const shown = [Deno.inspect(error, { depth: 9 }), error.stack, JSON.stringify(error), Deno.inspect(db)];
          for (const seen of shown) {
            for (const hidden of [secret, encoded, jwt]) assert(!seen?.includes(hidden), seen);
          }
        }
      }
    }
  }
});

Deno.test("neon() sends a token in place of the password, over HTTP", async () => {
  await using server = await startNeon();
  const seen: (string | null)[] = [];
  server.before = (request) => {
    seen.push(request.headers.get("authorization"));
    return undefined;
  };
  for (const authToken of ["abc", () => Promise.resolve("abc")]) {
    await using db = neon({ connectionString: server.url, authToken, webSocket: false });
    assertEquals((await db.execute(one)).rows, [[1]]);
  }
  assertEquals(seen, ["Bearer abc", "Bearer abc"]);
});

Deno.test("neon() opens WebSockets as it is told, and changes nothing that is global", async () => {
  const { neonConfig } = await import("@neondatabase/serverless");
  await using server = await startNeon();
  const opened: string[] = [];
  class Counting extends WebSocket {
    constructor(address: string) {
      super(address);
      opened.push(address);
    }
  }
  const host = new URL(server.url).host;
  const before = neonConfig.wsProxy;
  const db = neon({
    connectionString: server.url,
    http: false,
    webSocket: { webSocketConstructor: Counting, wsProxy: () => `${host}/elsewhere`, useSecureWebSocket: false },
  });
  assertEquals((await db.execute(one)).rows, [[1]]);
  await db.close();
  await server.settled();
  assertEquals(opened, [`ws://${host}/elsewhere`]);
  assertEquals(neonConfig.wsProxy, before);
  assertEquals(neonConfig.webSocketConstructor, undefined);
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

Deno.test("adapters/neon.ts imports the driver, the port, sql/ and errors, and nothing else", async () => {
  const root = new URL("../../", import.meta.url).href;
  const found = [...await imports(new URL("adapters/neon.ts", root))].map((name) => name.replace(root, ""));
  const outside = found.filter((name) => !/^src\/|^adapters\/(?:neon|shared)\//.test(name));
  assertEquals(outside, ["@neondatabase/serverless"]);
  assert(found.includes("src/errors.ts"));
});
