/** The Hono middleware together with the rest of Hono: streaming helpers, sub-apps, onError, the test client, contexts. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Database, type Session, sessionFactory } from "@ledge/session";
import { session, type SessionEnv } from "@ledge/session/hono";
import { libsql } from "@ledge/session/libsql";
import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { streamSSE, streamText } from "hono/streaming";
import { testClient } from "hono/testing";
import { Book, gate, setUp, Waiting, watched } from "./kit.ts";

const POST = { method: "POST" };

/** What a `Server-Timing` header says besides the time. */
function counts(response: Response): string[] {
  const entries = response.headers.get("server-timing")?.split(/, (?=[\w-]+;)/) ?? [];
  return entries.map((entry) => {
    assertMatch(entry, /^[\w-]+;dur=\d+\.\d;desc="[^"]*"$/);
    return entry.replace(/dur=[\d.]+;/, "");
  });
}

// ---- read-only

Deno.test("session() gives GET and HEAD read-only sessions when told to", async () => {
  await using env = await setUp();
  for (const options of [{ bind: env.db }, { factory: sessionFactory({ bind: env.db }) }]) {
    const app = new Hono().use(session({ ...options, readOnly: true })).all("/:title", async (c) => {
      const { length } = await c.var.session.query(Book).all();
      if (c.req.query("write") !== undefined) c.var.session.add(new Book({ title: c.req.param("title") }));
      return c.text(`${length}`);
    });
    env.server.db.query("DELETE FROM books");
    env.server.reset();
    assertEquals((await app.request("/a")).status, 200);
    assertEquals(env.server.requests, 1); // reading costs what it did
    for (const method of ["GET", "HEAD"]) {
      const { status } = await app.request("/b?write", { method });
      assertEquals([status, env.titles()], [500, []]);
    }
    assertEquals((await app.request("/c?write", POST)).status, 200);
    assertEquals(env.titles(), ["c"]);
  }
});

Deno.test("session() asks a function which requests' sessions are read-only", async () => {
  await using env = await setUp();
  const app = new Hono<{ Bindings: { REPLICA?: string } }>()
    .use(session({ bind: env.db, readOnly: (c) => c.env.REPLICA !== undefined }))
    .post("/:title", (c) => {
      c.var.session.add(new Book({ title: c.req.param("title") }));
      return c.text("done");
    });
  assertEquals((await app.request("/Edges", POST, { REPLICA: "fra" })).status, 500);
  assertEquals((await app.request("/More", POST, {})).status, 200);
  assertEquals(env.titles(), ["More"]);
});

// ---- clients that go away, and what may outlive the response

Deno.test("session() rolls back when the client aborted before the commit", async () => {
  await using env = await setUp();
  for (const commitAborted of [false, true]) {
    const abort = new AbortController();
    const app = new Hono().use(session({ bind: env.db, commitAborted })).post("/", (c) => {
      c.var.session.add(new Book({ title: "Edges" }));
      abort.abort();
      return c.text("done");
    });
    assertEquals((await app.request("/", { ...POST, signal: abort.signal })).status, 200);
    assertEquals(env.titles(), commitAborted ? ["Edges"] : []);
  }
});

Deno.test("session() leaves rollback and closing to the execution context where there is one", async () => {
  await using env = await setUp();
  const events: string[] = [];
  const app = new Hono()
    .use(
      session({ bind: () => watched(libsql({ url: env.server.url }), () => events.push("closed")), closeBind: true }),
    )
    .post("/", async (c) => {
      c.var.session.add(new Book({ title: "Edges" }));
      await c.var.session.flush();
      throw new HTTPException(400);
    });
  const context = new Waiting();
  const response = await app.request("/", POST, {}, context);
  assertEquals([response.status, env.server.openStreams, events], [400, 1, []]);
  await context.all();
  assertEquals([env.server.openStreams, env.titles(), events], [0, [], ["closed"]]);
  await app.request("/", POST);
  assertEquals([env.server.openStreams, events], [0, ["closed", "closed"]]);
});

// ---- Server-Timing

Deno.test("session() tells requests, statements and time of the database in Server-Timing", async () => {
  await using env = await setUp();
  const app = new Hono()
    .use(session({ bind: env.db, serverTiming: true }))
    .post("/:title", async (c) => {
      const { session } = c.var;
      await Promise.all(Array.from({ length: 20 }, () => session.query(Book).all())); // one request
      await session.query(Book).first();
      session.addAll([new Book({ title: c.req.param("title") }), new Book({ title: "other" })]);
      return c.text("done");
    })
    .get("/untouched", (c) => c.text("done"))
    .get("/throws", async (c) => {
      await c.var.session.query(Book).all();
      throw new HTTPException(418);
    })
    .get("/error", (c) => {
      assertEquals(c.var.session.state, "open");
      return Response.error();
    });
  env.server.latency = 5;
  const begun = performance.now();
  const response = await app.request("/Edges", POST);
  const took = performance.now() - begun;
  assertEquals(env.server.requests, 3);
  const [, duration] = /dur=([\d.]+)/.exec(response.headers.get("server-timing")!)!;
  assert(
    Number(duration) >= 3 * 4 && Number(duration) <= took + 1,
    `Three requests of 5 ms took ${duration} of ${took} ms`,
  );
  const { statements } = env.server;
  assertEquals(counts(response), [`db;desc="3 requests, ${statements} statements"`]);
  assertEquals(await response.text(), "done");
  assertEquals(counts(await app.request("/untouched")), []);
  assertEquals(counts(await app.request("/throws")), ['db;desc="1 request, 1 statement"']);
  assertEquals((await app.request("/error")).type, "error"); // which cannot be made again
});

Deno.test("session() adds an entry for each session to Server-Timing, also when the commit failed", async () => {
  await using env = await setUp();
  await using other = await setUp();
  const app = new Hono()
    .use(async (c, next) => {
      await next();
      c.header("Server-Timing", "app;dur=1.0", { append: true });
    })
    .use(session({ bind: env.db, serverTiming: "books" }))
    .use(session({ bind: other.db, name: "audit", serverTiming: "audit", commitOn: () => true }))
    .post("/", async (c) => {
      c.var.session.add(new Book({ title: "Edges" }));
      await c.var.audit.query(Book).all();
      return c.text("done");
    });
  const said = async () => (await app.request("/", POST)).headers.get("server-timing")!.replaceAll(/dur=[\d.]+;/g, "");
  const [first, second] = [await said(), await said()];
  const [audit, books, app1] = [
    `audit;desc="1 request, 1 statement"`,
    `books;desc="1 request, 1 statement"`,
    "app;dur=1.0",
  ];
  assertEquals(first, [audit, books, app1].join(", "));
  assertEquals(second, [books, app1].join(", ")); // a 409, with nothing of what it replaces
  assertEquals([env.titles(), env.server.requests], [["Edges"], 2]);
});

// ---- streaming

for (const [name, helper] of [["streamText", streamText], ["streamSSE", streamSSE]] as const) {
  Deno.test(`session() commits before the first byte of ${name}() leaves, and nothing of a failed commit's does`, async () => {
    await using env = await setUp();
    let kept: Session | undefined;
    const first = gate();
    const app = new Hono().use(session({ bind: env.db, serverTiming: true })).post("/", async (c) => {
      kept = c.var.session;
      const books = await kept.query(Book).all();
      kept.add(new Book({ title: "Edges" }));
      return helper(c, async (out: { write(text: string): Promise<unknown>; aborted: boolean }) => {
        await out.write(`data: ${books.length} before\n\n`); // what it needs was loaded
        await first.reached;
        await out.write(`data: ${env.titles()} ${kept?.state}\n\n`);
      });
    });
    const response = await app.request("/", POST);
    assertEquals(env.titles(), ["Edges"]);
    assertEquals(counts(response), ['db;desc="2 requests, 2 statements"']);
    first.pass();
    assertEquals(await response.text(), "data: 0 before\n\ndata: Edges closed\n\n");
    const refused = await app.request("/", POST);
    assertEquals([refused.status, (await refused.json()).error], [409, "LEDGE_UNIQUE_VIOLATION"]);
    assertEquals(refused.headers.get("content-type"), "application/json");
    assertEquals(refused.headers.get("transfer-encoding"), null);
  });
}

// ---- sub-apps, onError, the test client, the environment

Deno.test("session() is that of sub-apps, however deep, whose onError and notFound roll back what they answer", async () => {
  await using env = await setUp();
  const add = (session: Session, title: string) => session.add(new Book({ title }));
  const inner = new Hono<SessionEnv>()
    .post("/fine", (c) => {
      add(c.var.session, "inner");
      return c.text("done", 201);
    })
    .post("/throws", (c) => {
      add(c.var.session, "lost");
      throw new HTTPException(400);
    })
    .post("/missing", (c) => {
      add(c.var.session, "lost too");
      return c.notFound();
    });
  const outer = new Hono<SessionEnv>().route("/inner", inner).onError((_, c) => c.text("handled", 200));
  const app = new Hono().use(session({ bind: env.db })).route("/outer", outer);
  const statuses: number[] = [];
  for (const path of ["fine", "throws", "missing", "nowhere"]) {
    statuses.push((await app.request(`/outer/inner/${path}`, POST)).status);
  }
  assertEquals(statuses, [201, 200, 404, 404]);
  assertEquals([env.titles(), env.server.requests], [["inner"], 1]);
});

Deno.test("session() leaves what was committed when something fails afterwards", async () => {
  await using env = await setUp();
  const app = new Hono()
    .use(async (_, next) => {
      await next();
      throw new HTTPException(503);
    })
    .use(session({ bind: env.db }))
    .post("/", (c) => {
      c.var.session.add(new Book({ title: "Edges" }));
      return streamText(c, () => Promise.reject(new Error("the stream fails")), () => Promise.resolve());
    });
  assertEquals((await app.request("/", POST)).status, 503);
  assertEquals([env.titles(), env.server.openStreams], [["Edges"], 0]);
});

Deno.test("session() of a sub-app is its own, inside that of the app", async () => {
  await using env = await setUp();
  await using other = await setUp();
  const sub = new Hono<SessionEnv>().use(session({ bind: other.db, name: "inner" })).post("/", (c) => {
    c.var.session.add(new Book({ title: "outer" }));
    c.var.inner.add(new Book({ title: "inner" }));
    return c.text("done");
  });
  const app = new Hono().use(session({ bind: env.db })).route("/sub", sub);
  assertEquals((await app.request("/sub", POST)).status, 200);
  assertEquals([env.titles(), other.titles()], [["outer"], ["inner"]]);
});

Deno.test("session() lets testClient() call an app with the environment and the context it is given", async () => {
  await using env = await setUp();
  const bases: Record<string, Database> = { books: env.db };
  const context = new Waiting();
  const app = new Hono<{ Bindings: { DATABASE: string } }>()
    .use(session({
      factory: (c) => sessionFactory({ bind: bases[c.env.DATABASE]!, info: { from: c.env.DATABASE } }),
    }))
    .post("/books/:title", (c) => {
      const { id } = c.var.session.add(new Book({ title: c.req.param("title") }));
      return c.json({ id, from: c.var.session.info.from === "books" }, 201);
    })
    .get("/books", async (c) => c.json(await c.var.session.query(Book).all()));
  const client = testClient(app, { DATABASE: "books" }, context);
  const made = await client.books[":title"].$post({ param: { title: "Edges" } });
  const { id, from } = await made.json();
  assertEquals([made.status, from], [201, true]);
  const books = await (await client.books.$get()).json();
  assertEquals(books.map((book) => [book.id, book.title]), [[id, "Edges"]]); // typed by the route
  await context.all();
});

Deno.test("session() types each of several sessions by its name, in the app and in what it is handed to", async () => {
  await using env = await setUp();
  type Both = SessionEnv & SessionEnv<"audit">;
  const sub = new Hono<Both>().get("/", (c) => c.json([c.var.session.state, c.get("audit").state]));
  const app = new Hono()
    .use(session({ bind: env.db }), session({ bind: env.db, name: "audit" }))
    .get("/typed", (c) => {
      const both: [Session, Session] = [c.var.session, c.var.audit];
      // @ts-expect-error: there is no session of this name
      const missing: unknown = c.var.log;
      return c.json([both.length, missing === undefined]);
    })
    .route("/sub", sub);
  assertEquals(await (await app.request("/typed")).json(), [2, true]);
  assertEquals(await (await app.request("/sub")).json(), ["open", "open"]);
});
