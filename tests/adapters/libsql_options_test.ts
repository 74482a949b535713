/** The options of the libSQL adapter, its secrets, and what it imports. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { createClient } from "@libsql/client/web";
import { libsql, type LibsqlOptions } from "../../adapters/libsql.ts";
import { libsql as local } from "../../adapters/libsql_local.ts";
import { AuthenticationError, DatabaseError, InvalidStateError, ValidationError } from "../../src/errors.ts";
import { startHrana } from "../servers/hrana.ts";
import { rejection, stmt } from "./libsql_transports.ts";

const one = stmt("SELECT 1");

Deno.test("libsql() refuses local databases at the edge and names the entry point that has them", () => {
  for (const url of ["file:books.db", "FILE:books.db", "file::memory:", ":memory:"]) {
    assertThrows(() => libsql({ url }), ValidationError, "@ledge/session/libsql/local");
  }
});

Deno.test("libsql() refuses options that it cannot honour", () => {
  const refused: readonly (readonly [unknown, string])[] = [
    [undefined, "takes { url, authToken }"],
    ["libsql://host", "takes { url, authToken }"],
    [{}, "url as text"],
    [{ url: 5 }, "url as text"],
    [{ url: "" }, "must begin with"],
    [{ url: "host.example.org" }, "must begin with"],
    [{ url: "postgres://host" }, "must begin with"],
    [{ url: "libsql://host", syncUrl: "x" }, '"syncUrl"'],
    [{ url: "libsql://host", token: "x" }, "authToken"],
    [{ url: "libsql://host", authToken: 5 }, "authToken as text"],
    [{ url: "libsql://host", fetch: "x" }, "fetch as a function"],
    [{ url: "libsql://host", timeout: -5 }, "timeout"],
    [{ url: "https://user:pw@host" }, "authToken"],
  ];
  for (const make of [libsql, local]) {
    for (const [options, words] of refused) {
      assertThrows(() => make(options as LibsqlOptions), ValidationError, words);
    }
    assertThrows(() => make({ url: "libsql://host?nothing=known" }), DatabaseError, "nothing");
  }
});

Deno.test("libsql() describes a database by its host or file", async () => {
  const described: readonly (readonly [string, string])[] = [
    ["libsql://books.example.org", "libsql https://books.example.org"],
    ["libsql://127.0.0.1:8080?tls=0", "libsql http://127.0.0.1:8080"],
    ["HTTPS://books.example.org/path?authToken=s3cret", "libsql https://books.example.org"],
    ["wss://books.example.org", "libsql wss://books.example.org"],
    [":memory:", "libsql :memory:"],
  ];
  for (const [url, description] of described) {
    await using db = local({ url });
    assertEquals(db.description, description);
    assertEquals(JSON.stringify(db), JSON.stringify({ description }));
  }
});

Deno.test("libsql() opens no WebSocket before the first call", async () => {
  await using server = await startHrana();
  await using _db = libsql({ url: server.wsUrl });
  await using other = libsql({ url: server.wsUrl });
  await other.execute(one);
  assertEquals(server.sockets, 1);
});

Deno.test("libsql() shows a file that cannot be opened at once", () => {
  assertThrows(() => local({ url: "file:/nowhere/at/all/x.db" }), DatabaseError);
});

Deno.test("no message, log or JSON shows a token or a URL's query", async () => {
  const secret = "s3cret+token/of==mine";
  const encoded = encodeURIComponent(secret);
  const jwt = "eyJhbGciOiJFZERTQSJ9.eyJpYXQiOjE3fQ.c2lnbmF0dXJl";
  const leaky = (text: string) => () => Promise.reject(new TypeError("fetch failed", { cause: new Error(text) }));
  const texts = [
    `error sending request for url (https://host/v2/pipeline?authToken=${encoded})`,
    `connection refused; headers: authorization: Bearer ${secret}`,
    `bad token ${secret}`,
    `bad token ${jwt}`,
    `https://someone:${encoded}@host/ is down`,
  ];
  for (const text of texts) {
    for (const options of [{ url: "https://host", authToken: secret }, { url: `https://host?authToken=${encoded}` }]) {
      await using db = libsql({ ...options, fetch: leaky(text) });
      const connection = await db.connect();
      const errors = [await rejection(db.execute(one)), await rejection(connection.execute(one))];
      await connection.rollback();
      for (const error of errors) {
        assertInstanceOf(error, DatabaseError);
        assertInstanceOf(error.cause, Error);
        assertEquals(error.cause.message, "fetch failed");
        const shown = [
          Deno.inspect(error, { depth: 9 }),
          error.stack,
          JSON.stringify(error),
          Deno.inspect(db),
          Deno.inspect(connection),
        ];
        for (const seen of shown) {
          for (const hidden of [secret, encoded, jwt]) assert(!seen?.includes(hidden), seen);
        }
      }
    }
  }
  for (const url of [`https://u:${encoded}@host`, `nothing://host?authToken=${encoded}`, `https://host?x=${encoded}`]) {
    const error = assertThrows(() => libsql({ url, authToken: secret })) as Error;
    assert(!Deno.inspect(error).includes(encoded), error.message);
  }
});

Deno.test("a driver's error without secrets is the cause itself", async () => {
  const thrown = new TypeError("fetch failed", { cause: new Error("reset") });
  await using db = libsql({ url: "https://host", authToken: "token", fetch: () => Promise.reject(thrown) });
  assertEquals((await rejection(db.execute(one)) as Error).cause, thrown);
});

Deno.test("a server's answer that repeats the token is shown without it", async () => {
  const fetch = () =>
    Promise.resolve(
      new Response("no access for token-abc", { status: 401, headers: { "content-type": "text/plain" } }),
    );
  await using db = libsql({ url: "https://host", authToken: "token-abc", fetch });
  const error = await assertRejects(() => db.execute(one), AuthenticationError, "no access for ***");
  assertStringIncludes(error.message, "check authToken");
});

Deno.test("libsql() gives its own fetch a Request with the token, and one request a call", async () => {
  await using server = await startHrana({ token: "abc" });
  const seen: (string | null)[] = [];
  const fetch: typeof globalThis.fetch = (input, init) => {
    seen.push((input as Request).headers.get("authorization"));
    return globalThis.fetch(input, init);
  };
  await using db = libsql({ url: server.url, authToken: "abc", fetch });
  await db.execute(one);
  await Promise.all([db.batch([one, one]), db.execute(one), db.execute(one)]);
  assertEquals(seen, Array(4).fill("Bearer abc"));
  assertEquals([server.requests, server.probes], [4, 0]);
});

Deno.test("a client that the user closed rejects with the class of a closed database", async () => {
  await using server = await startHrana();
  for (const url of [server.url, server.wsUrl]) {
    const client = createClient({ url });
    await using db = libsql(client);
    client.close();
    await assertRejects(() => db.execute(one), InvalidStateError, "its client was closed");
    await assertRejects(() => db.batch([one, one]), InvalidStateError);
  }
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

Deno.test("adapters/libsql.ts imports the driver's web entry, the port, sql/ and errors, and nothing else", async () => {
  const root = new URL("../../", import.meta.url).href;
  const found = [...await imports(new URL("adapters/libsql.ts", root))]
    .filter((name) => !/\/src\/sql\/|\/adapters\/(?:libsql|shared)\//.test(name))
    .map((name) => name.replace(root, ""));
  // The rooms that sql/ itself rests on are sql/'s to answer for; no driver and no runtime is among them.
  const outside = found.filter((name) => !name.startsWith("src/"));
  assertEquals(outside, ["@libsql/client/web"]);
  assert(found.includes("src/errors.ts"));
  const localFound = await imports(new URL("adapters/libsql_local.ts", root));
  assert(localFound.has("@libsql/client") && !localFound.has("@libsql/client/web"));
});
