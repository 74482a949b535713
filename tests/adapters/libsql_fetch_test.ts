/** Deno's fetch may send a POST twice; the libSQL adapter's does not. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { createClient } from "@libsql/client/web";
import { libsql, safeFetch } from "../../adapters/libsql.ts";
import { ConnectionError } from "../../src/errors.ts";
import { rejection, stmt } from "./libsql_transports.ts";

const answer = JSON.stringify({
  baton: null,
  base_url: null,
  results: [
    {
      type: "ok",
      response: {
        type: "execute",
        result: { cols: [], rows: [], affected_row_count: 1, last_insert_rowid: "1" },
      },
    },
    { type: "ok", response: { type: "close" } },
  ],
});

/** A server that keeps its connections open, and closes each one in the middle of the second request, after reading it. */
class Hasty implements AsyncDisposable {
  readonly bodies: string[] = [];
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.Conn>();
  readonly #done: Promise<unknown>;

  constructor() {
    this.#done = (async () => {
      const served: Promise<void>[] = [];
      for await (const connection of this.#listener) served.push(this.#serve(connection));
      await Promise.all(served);
    })();
  }

  get url(): string {
    return `http://127.0.0.1:${this.#listener.addr.port}`;
  }

  async #serve(connection: Deno.Conn): Promise<void> {
    this.#open.add(connection);
    const buffer = new Uint8Array(65_536);
    let text = "";
    let requests = 0;
    try {
      for (let read = await connection.read(buffer); read !== null; read = await connection.read(buffer)) {
        text += new TextDecoder().decode(buffer.subarray(0, read));
        const head = text.indexOf("\r\n\r\n") + 4;
        const length = Number(/content-length: (\d+)/i.exec(text)?.[1]);
        if (head < 4 || text.length < head + length) continue;
        this.bodies.push(text.slice(head));
        text = "";
        if (++requests === 2) break;
        const headers = `content-type: application/json\r\ncontent-length: ${answer.length}`;
        await connection.write(new TextEncoder().encode(`HTTP/1.1 200 OK\r\n${headers}\r\n\r\n${answer}`));
      }
    } catch {
      // The client went away.
    }
    this.#open.delete(connection);
    connection.close();
  }

  /** How often a statement arrived. */
  arrivals(sql: string): number {
    return this.bodies.filter((body) => body.includes(sql)).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) connection.close();
    await this.#done.catch(() => {});
  }
}

Deno.test("a write whose connection closes before its answer is sent once", async () => {
  await using server = new Hasty();
  await using db = libsql({ url: server.url });
  await db.execute(stmt("INSERT first"));
  const error = await rejection(db.execute(stmt("INSERT second")));
  assertInstanceOf(error, ConnectionError);
  assertEquals(error.notApplied, false);
  assertEquals(server.arrivals("first"), 1);
  assertEquals(server.arrivals("second"), 1);
});

for (const [name, fetch, times] of [["safeFetch()", safeFetch(), 1], ["Deno's fetch", undefined, 2]] as const) {
  Deno.test({
    name: `a client with ${name} sends such a write ${times === 1 ? "once" : "twice"}`,
    ignore: times === 2 && Deno.version.deno !== "2.9.6", // When this changes, safeFetch may go.
    async fn() {
      await using server = new Hasty();
      const client = createClient({ url: server.url, intMode: "bigint", ...(fetch ? { fetch } : {}) });
      await using db = libsql(client);
      await db.execute(stmt("INSERT first"));
      await db.execute(stmt("INSERT second")).catch(() => {});
      assertEquals(server.arrivals("second"), times);
      client.close();
    },
  });
}

Deno.test("safeFetch() keeps method, headers, body and signal", async () => {
  let seen: Request | undefined;
  const fetch = safeFetch((request) => {
    seen = request as Request;
    return Promise.resolve(new Response("ok"));
  });
  const controller = new AbortController();
  await fetch("http://localhost/a?b", {
    method: "PUT",
    headers: { "content-type": "application/json", authorization: "Bearer x" },
    body: new Uint8Array([0, 255, 1]),
    signal: controller.signal,
  });
  assert(seen);
  assertEquals([seen.method, seen.url], ["PUT", "http://localhost/a?b"]);
  assertEquals(seen.headers.get("content-type"), "application/json");
  assertEquals(seen.headers.get("authorization"), "Bearer x");
  assertEquals(new Uint8Array(await seen.arrayBuffer()), new Uint8Array([0, 255, 1]));
  controller.abort();
  assert(seen.signal.aborted);
  await fetch("http://localhost/", { method: "POST", headers: { "x-own": "1" }, body: "text" });
  assertEquals(seen.headers.get("content-type"), "text/plain;charset=UTF-8"); // Which a text brings by itself.
  await fetch("http://localhost/");
  assertEquals(seen.body, null);
});

Deno.test("safeFetch() keeps what a Request says, and what is said beside it", async () => {
  const seen: Request[] = [];
  const fetch = safeFetch((request) => {
    seen.push(request as Request);
    return Promise.resolve(new Response("ok"));
  });
  const made = () =>
    new Request("http://localhost/a?b", {
      method: "PUT",
      headers: { "content-type": "application/json", authorization: "Bearer x" },
      body: "once",
      redirect: "manual",
      signal: controller.signal,
    });
  const [controller, other] = [new AbortController(), new AbortController()];
  const first = made();
  await fetch(first);
  await fetch(made(), { redirect: "error", signal: other.signal, headers: { "x-own": "1" } });
  await fetch(made(), { body: new Blob(["another"]) });
  await fetch(made(), { body: "another" });
  assert(first.bodyUsed); // As the global fetch would leave it.
  await assertRejects(() => fetch(first), TypeError);
  controller.abort();
  assertEquals(seen.map(({ method, url }) => `${method} ${url}`), Array(4).fill("PUT http://localhost/a?b"));
  assertEquals(seen.map(({ redirect }) => redirect), ["manual", "error", "manual", "manual"]);
  assertEquals(seen.map(({ signal }) => signal.aborted), [true, false, true, true]);
  assertEquals(seen.map(({ headers }) => headers.get("authorization")), ["Bearer x", null, "Bearer x", "Bearer x"]);
  assertEquals(seen[1]?.headers.get("x-own"), "1");
  assertEquals(seen[0]?.headers.get("content-type"), "application/json");
  assertEquals(await Promise.all(seen.map((request) => request.text())), ["once", "once", "another", "another"]);
});

Deno.test("safeFetch() gives a request without a body as it is", async () => {
  const seen: Request[] = [];
  const fetch = safeFetch((request) => {
    seen.push(request as Request);
    return Promise.resolve(new Response("ok"));
  });
  await fetch(new URL("http://localhost/"), { method: "DELETE" });
  await fetch(new Request("http://localhost/", { headers: { "x-own": "1" } }), { method: "HEAD" });
  await fetch(new Request("http://localhost/", { method: "POST" }));
  await fetch("http://localhost/", { method: "POST", body: "" });
  assertEquals(seen.map(({ method }) => method), ["DELETE", "HEAD", "POST", "POST"]);
  assertEquals(seen.map(({ body }) => body === null), [true, true, true, false]);
  assertEquals(seen[1]?.headers.get("x-own"), "1");
});

for (const how of ["as text", "as a Request", "as a Blob"] as const) {
  Deno.test(`safeFetch() sends a body ${how} once, with its length`, async () => {
    await using server = new Hasty(); // Which reads no body that is sent in pieces.
    const fetch = safeFetch();
    const send = (body: string) => {
      const init = { method: "POST", headers: { "content-type": "text/plain" } };
      if (how === "as a Request") return fetch(new Request(server.url, { ...init, body }));
      return fetch(server.url, { ...init, body: how === "as text" ? body : new Blob([body]) });
    };
    await (await send("first")).body?.cancel();
    await assertRejects(() => send("second"), TypeError);
    assertEquals([server.arrivals("first"), server.arrivals("second")], [1, 1]);
  });
}

Deno.test("safeFetch() uses the global fetch of the moment", async () => {
  const original = globalThis.fetch;
  const fetch = safeFetch();
  try {
    globalThis.fetch = () => Promise.resolve(new Response("replaced"));
    assertEquals(await (await fetch("http://localhost/")).text(), "replaced");
  } finally {
    globalThis.fetch = original;
  }
});
