/** The Hono middleware, against a Hrana server that counts requests. */
import { assert, assertEquals, assertNotStrictEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  type Database,
  NotNullViolationError,
  type Session,
  sessionFactory,
  StaleDataError,
  UniqueViolationError,
  ValidationError,
} from "@ledge/session";
import { type BindMiddlewareOptions, session, type SessionEnv } from "@ledge/session/hono";
import { Hono, type MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { HTTPException } from "hono/http-exception";
import { stream } from "hono/streaming";
import { cut } from "../servers/hrana.ts";
import { Book, setUp, watched } from "./kit.ts";

/** An app whose one route keeps the request's session and adds a book, then does what is given. */
function bookApp(
  options: BindMiddlewareOptions,
  then: MiddlewareHandler<SessionEnv>,
) {
  const seen: Session[] = [];
  const app = new Hono().use(session(options)).post("/books/:title", (c, next) => {
    c.var.session.add(new Book({ title: c.req.param("title") }));
    seen.push(c.var.session);
    return then(c, next);
  });
  const post = async (title: string) => await app.request(`/books/${title}`, { method: "POST" });
  return { app, seen, post };
}

// ---- made, committed, rolled back, closed

Deno.test("session() makes no session when the handler does not touch it", async () => {
  await using env = await setUp();
  let made = 0;
  const factory = sessionFactory({ bind: env.db });
  const counting = Object.assign(() => {
    made++;
    return factory();
  }, factory);
  const app = new Hono().use(session({ factory: counting }))
    .get("/", (c) => c.text("hello"))
    .get("/var", (c) => c.json(c.var))
    .get("/touch", (c) => c.text(c.var.session.state));
  assertEquals(await (await app.request("/")).text(), "hello");
  assertEquals(await (await app.request("/var")).json(), { session: {} });
  assertEquals((await app.request("/missing")).status, 404);
  assertEquals(made, 0);
  assertEquals(await (await app.request("/touch")).text(), "open");
  assertEquals(made, 1);
  assertEquals(env.server.requests, 0);
});

Deno.test("session() commits in one request when the handler succeeded", async () => {
  await using env = await setUp();
  const { post, seen } = bookApp({ bind: env.db }, (c) => {
    assertEquals(env.server.requests, 0);
    return Promise.resolve(c.text("done", 201));
  });
  const response = await post("Edges");
  assertEquals(response.status, 201);
  assertEquals(await response.text(), "done");
  assertEquals(env.titles(), ["Edges"]);
  assertEquals(env.server.requests, 1);
  assertEquals(seen[0]?.state, "closed");
});

Deno.test("session() commits when the handler redirects", async () => {
  await using env = await setUp();
  const { post } = bookApp({ bind: env.db }, (c) => Promise.resolve(c.redirect("/")));
  assertEquals((await post("Edges")).status, 302);
  assertEquals(env.titles(), ["Edges"]);
});

Deno.test("session() sends nothing for the commit when nothing changed", async () => {
  await using env = await setUp();
  const app = new Hono().use(session({ bind: env.db }))
    .get("/", async (c) => c.json(await c.var.session.query(Book).all()));
  assertEquals(await (await app.request("/")).json(), []);
  assertEquals(env.server.requests, 1);
});

Deno.test("session() does not commit again when the handler did", async () => {
  await using env = await setUp();
  const { post, seen } = bookApp({ bind: env.db }, async (c) => {
    await c.var.session.commit();
    return c.text("done");
  });
  assertEquals((await post("Edges")).status, 200);
  assertEquals(env.titles(), ["Edges"]);
  assertEquals(env.server.requests, 1);
  assertEquals(seen[0]?.state, "closed");
});

Deno.test("session() leaves the response alone when the handler closed the session", async () => {
  await using env = await setUp();
  const { post } = bookApp({ bind: env.db }, async (c) => {
    await c.var.session.close();
    return c.text("done");
  });
  assertEquals((await post("Edges")).status, 200);
  assertEquals(env.titles(), []);
  assertEquals(env.server.requests, 0);
});

Deno.test("session() rolls back and closes when the handler threw", async () => {
  await using env = await setUp();
  const { app, post, seen } = bookApp({ bind: env.db }, () => Promise.reject(new HTTPException(418)));
  assertEquals((await post("Edges")).status, 418);
  app.onError((error, c) => c.text(`handled ${error.message}`, 200)); // an answer of success is none after a throw
  const response = await post("More");
  assertEquals(response.status, 200);
  assertStringIncludes(await response.text(), "handled");
  assertEquals(env.titles(), []);
  assertEquals(env.server.requests, 0);
  assertEquals(seen.map(({ state }) => state), ["closed", "closed"]);
});

Deno.test("session() closes when the handler threw what is no Error", async () => {
  await using env = await setUp();
  const { post, seen } = bookApp({ bind: env.db }, () => Promise.reject("no error"));
  const thrown = await post("Edges").then(() => "nothing", (reason: unknown) => reason);
  assertEquals(thrown, "no error");
  assertEquals(seen[0]?.state, "closed");
  assertEquals(env.titles(), []);
});

for (const status of [400, 404, 409, 500, 503] as const) {
  Deno.test(`session() rolls back when the handler answered ${status}`, async () => {
    await using env = await setUp();
    const { post, seen } = bookApp({ bind: env.db }, (c) => Promise.resolve(c.text("no", status)));
    const response = await post("Edges");
    assertEquals(response.status, status);
    assertEquals(await response.text(), "no");
    assertEquals(env.titles(), []);
    assertEquals(env.server.requests, 0);
    assertEquals(seen[0]?.state, "closed");
  });
}

Deno.test("session() rolls back when the handler gave no response", async () => {
  await using env = await setUp();
  const { app, post } = bookApp({ bind: env.db }, () => Promise.resolve());
  app.onError((error, c) => c.text(error.message, 500));
  assertEquals((await post("Edges")).status, 500);
  assertEquals(env.titles(), []);
});

Deno.test("session() rolls back an interactive transaction when the handler threw after a flush", async () => {
  await using env = await setUp();
  const { post } = bookApp({ bind: env.db }, async (c) => {
    await c.var.session.flush();
    throw new HTTPException(400);
  });
  assertEquals((await post("Edges")).status, 400);
  assertEquals(env.titles(), []);
  assertEquals(env.server.openStreams, 0);
  assertEquals(env.server.requests, 2); // the flush, the rollback
});

Deno.test("session() closes when the handler did not await its flush", async () => {
  await using env = await setUp();
  let late: Promise<unknown> | undefined;
  const { post, seen } = bookApp({ bind: env.db }, (c) => {
    late = c.var.session.flush();
    return Promise.resolve(c.text("done"));
  });
  assertEquals((await post("Edges")).status, 500);
  await late?.catch(() => {});
  assertEquals(seen[0]?.state, "closed");
  assertEquals(env.server.openStreams, 0);
});

Deno.test("session() asks commitOn when the session was touched", async () => {
  await using env = await setUp();
  const asked: number[] = [];
  const commitOn: BindMiddlewareOptions["commitOn"] = (c) => {
    asked.push(c.res.status);
    return c.res.status < 500;
  };
  const { app, post, seen } = bookApp(
    { bind: env.db, commitOn },
    (c) => Promise.resolve(c.text("", c.req.param("title") === "bad" ? 500 : 422)),
  );
  assertEquals((await post("kept")).status, 422);
  assertEquals((await post("bad")).status, 500);
  await app.request("/untouched");
  assertEquals(asked, [422, 500]);
  assertEquals(env.titles(), ["kept"]);
  assertEquals(seen.map(({ state }) => state), ["closed", "closed"]);
});

Deno.test("session() rolls back and closes when commitOn threw", async () => {
  await using env = await setUp();
  const commitOn = () => {
    throw new TypeError("no policy");
  };
  const { app, post, seen } = bookApp({ bind: env.db, commitOn }, (c) => Promise.resolve(c.text("done")));
  app.onError((error, c) => c.text(error.message, 500));
  const response = await post("Edges");
  assertEquals([response.status, await response.text()], [500, "no policy"]);
  assertEquals(env.titles(), []);
  assertEquals(seen[0]?.state, "closed");
});

// ---- commits that fail

Deno.test("session() answers 409 when the commit found a unique value taken", async () => {
  await using env = await setUp();
  const { app, post, seen } = bookApp({ bind: env.db }, (c) => Promise.resolve(c.text("done", 201)));
  let error: unknown;
  const outer = new Hono().use(async (c, next) => {
    await next();
    error = c.error;
  }).route("/", app);
  await post("Edges");
  const response = await outer.request("/books/Edges", { method: "POST" });
  assertEquals(response.status, 409);
  assertEquals(await response.json(), {
    error: "LEDGE_UNIQUE_VIOLATION",
    message: "A value that must be unique is taken already",
  });
  assert(error instanceof UniqueViolationError);
  assertEquals(env.titles(), ["Edges"]);
  assertEquals(seen.map(({ state }) => state), ["closed", "closed"]);
  assertEquals((await post("More")).status, 201); // the app goes on
  assertEquals(env.titles(), ["Edges", "More"]);
  assertEquals(env.server.requests, 3);
});

Deno.test("session() answers 409 when the commit found a row stale", async () => {
  await using env = await setUp();
  env.server.db.query("INSERT INTO books (id, title, version) VALUES (?, 'Edges', 1)", crypto.randomUUID());
  const app = new Hono().use(session({ bind: env.db })).patch("/", async (c) => {
    const book = await c.var.session.query(Book).one();
    env.server.db.query("UPDATE books SET version = 2");
    book.title = "Mine";
    return c.json(book);
  });
  const response = await app.request("/", { method: "PATCH" });
  assertEquals(response.status, 409);
  assertEquals((await response.json()).error, new StaleDataError("").code);
  assertEquals(env.titles(), ["Edges"]);
  assertEquals(env.server.requests, 2);
});

Deno.test("session() answers 500 without anything internal when the commit failed otherwise", async () => {
  await using env = await setUp();
  let failure: unknown;
  const app = new Hono()
    .use(async (c, next) => {
      await next();
      failure = c.error;
    })
    .use(session({ bind: env.db }))
    .post("/null", (c) => {
      c.var.session.stage("INSERT INTO books (id, title, version) VALUES ('secret', NULL, 1)");
      return c.text("done");
    })
    .post("/lost", (c) => {
      c.var.session.add(new Book({ title: "Lost" }));
      return c.text("done");
    });
  const refused = await app.request("/null", { method: "POST" });
  assertEquals(refused.status, 500);
  assertEquals(await refused.json(), { error: "LEDGE_NOT_NULL_VIOLATION", message: "This could not be saved" });
  assert(failure instanceof NotNullViolationError);
  env.server.failNext("after", cut);
  const lost = await app.request("/lost", { method: "POST" });
  assertEquals(lost.status, 500);
  assertEquals(await lost.json(), {
    error: "LEDGE_COMMIT_OUTCOME_UNKNOWN",
    message: "It is not known whether this was saved; read it before you retry",
  });
});

Deno.test("session() answers 500 when the handler hid that its commit failed", async () => {
  await using env = await setUp();
  const { post, seen } = bookApp({ bind: env.db }, async (c) => {
    await c.var.session.commit().catch(() => {});
    return c.text("done");
  });
  assertEquals((await post("Edges")).status, 200);
  const response = await post("Edges");
  assertEquals([response.status, (await response.json()).error], [500, "LEDGE_INVALID_STATE"]);
  assertEquals(seen[1]?.state, "closed");
});

Deno.test("session() drops the handler's headers and keeps the earlier ones when the commit failed", async () => {
  await using env = await setUp();
  const app = new Hono()
    .use(cors({ origin: "https://example.org", credentials: true }))
    .use(async (c, next) => {
      c.header("set-cookie", "outer=1", { append: true });
      c.header("x-request-id", "7");
      await next();
    })
    .use(session({ bind: env.db }))
    .post("/", (c) => {
      c.var.session.add(new Book({ title: "Edges" }));
      c.header("etag", '"1"');
      c.header("set-cookie", "inner=1", { append: true });
      c.status(201);
      return c.text("done", { headers: { location: "/books/1" } });
    });
  const post = async () => await app.request("/", { method: "POST", headers: { origin: "https://example.org" } });
  const good = await post();
  assertEquals([good.status, good.headers.get("etag"), good.headers.get("location")], [201, '"1"', "/books/1"]);
  assertEquals(good.headers.getSetCookie(), ["outer=1", "inner=1"]);
  const { status, headers } = await post();
  assertEquals(status, 409);
  assertEquals(Object.fromEntries(headers), {
    "access-control-allow-credentials": "true",
    "access-control-allow-origin": "https://example.org",
    "content-type": "application/json",
    "set-cookie": "outer=1",
    "vary": "Origin",
    "x-request-id": "7",
  });
});

Deno.test("session() answers what onCommitError does when the commit failed", async () => {
  await using env = await setUp();
  const errors: unknown[] = [];
  const { app, post, seen } = bookApp({
    bind: env.db,
    onCommitError: async (error, c) => {
      errors.push(error, seen.at(-1)?.state);
      await c.var.session.rollback();
      const { length } = await c.var.session.query(Book).all(); // it can be used after a rollback
      return new Response(`taken, of ${length}`, { status: 422, headers: { "x-own": "1" } });
    },
  }, (c) => Promise.resolve(c.text("done", 201, { "x-handler": "1" })));
  const outer = new Hono().use(async (c, next) => {
    c.header("x-outer", "1");
    await next();
  }).route("/", app);
  assertEquals((await post("Edges")).status, 201);
  assertEquals(errors, []);
  const response = await outer.request("/books/Edges", { method: "POST" });
  assertEquals([response.status, await response.text()], [422, "taken, of 1"]);
  assertEquals(["x-own", "x-outer", "x-handler"].map((name) => response.headers.get(name)), ["1", "1", null]);
  assert(errors[0] instanceof UniqueViolationError);
  assertEquals(errors[1], "failed");
  assertEquals(seen.map(({ state }) => state), ["closed", "closed"]);
});

Deno.test("session() answers 500 when onCommitError says no status and the handler had set one", async () => {
  await using env = await setUp();
  const { post } = bookApp({ bind: env.db, onCommitError: (_, c) => c.text("sorry") }, (c) => {
    c.status(201);
    return Promise.resolve(c.text("done"));
  });
  assertEquals((await post("Edges")).status, 201);
  assertEquals((await post("Edges")).status, 500);
});

Deno.test("session() gives what onCommitError throws to onError", async () => {
  await using env = await setUp();
  const { app, post, seen } = bookApp({
    bind: env.db,
    onCommitError: (error) => {
      throw error;
    },
  }, (c) => Promise.resolve(c.text("done", 201, { "x-handler": "1" })));
  app.onError((error, c) => c.text(error.name, 503));
  await post("Edges");
  const response = await post("Edges");
  assertEquals([response.status, await response.text()], [503, "UniqueViolationError"]);
  assertEquals(response.headers.get("x-handler"), null);
  assertEquals(seen[1]?.state, "closed");
});

// ---- apart from each other

Deno.test("session() gives each request its own session when two run at once", async () => {
  await using env = await setUp();
  const both = Promise.withResolvers<void>();
  let waiting = 0;
  const { post, seen } = bookApp({ bind: env.db }, async (c) => {
    if (++waiting === 2) both.resolve();
    await both.promise;
    assertEquals(c.var.session.new.size, 1);
    return c.text("done", c.req.param("title") === "bad" ? 400 : 200);
  });
  const responses = await Promise.all([post("Edges"), post("bad")]);
  assertEquals(responses.map(({ status }) => status), [200, 400]);
  assertNotStrictEquals(seen[0], seen[1]);
  assertEquals(env.titles(), ["Edges"]);
  assertEquals(env.server.requests, 1);
  assertEquals(seen.map(({ state }) => state), ["closed", "closed"]);
});

Deno.test("session() commits and closes before a streamed body is read", async () => {
  await using env = await setUp();
  const { post, seen } = bookApp({ bind: env.db }, (c) => {
    const kept = c.var.session;
    return Promise.resolve(stream(c, async (out) => {
      await out.write(env.titles().join());
      await out.write(` ${kept.state} `);
      await out.write(await kept.query(Book).all().then(() => "read", (error) => error.name));
    }));
  });
  const response = await post("Edges");
  assertEquals(env.titles(), ["Edges"]);
  assertEquals(seen[0]?.state, "closed");
  await response.text();
  assertEquals(env.server.requests, 1);
});

Deno.test("session() cancels a streamed body when the commit failed", async () => {
  await using env = await setUp();
  let cancelled = 0;
  const { post } = bookApp({ bind: env.db }, () =>
    Promise.resolve(
      new Response(
        new ReadableStream({ pull: (out) => out.enqueue(new Uint8Array(1)), cancel: () => void cancelled++ }),
      ),
    ));
  await (await post("Edges")).body?.cancel();
  assertEquals(cancelled, 1);
  assertEquals((await post("Edges")).status, 409);
  assertEquals(cancelled, 2);
});

Deno.test("session() works in a sub-app when that has an onError of its own", async () => {
  await using env = await setUp();
  const sub = new Hono<SessionEnv>()
    .post("/fine", (c) => {
      c.var.session.add(new Book({ title: "Edges" }));
      return c.text("done");
    })
    .post("/throws", (c) => {
      c.var.session.add(new Book({ title: "Lost" }));
      throw new TypeError("no");
    });
  sub.onError((_, c) => c.text("handled", 200));
  const app = new Hono().use("/api/*", session({ bind: env.db })).route("/api", sub);
  assertEquals((await app.request("/api/fine", { method: "POST" })).status, 200);
  assertEquals(await (await app.request("/api/throws", { method: "POST" })).text(), "handled");
  assertEquals(env.titles(), ["Edges"]);
  assertEquals(env.server.requests, 1);
});

Deno.test("session() gives several sessions when they have names", async () => {
  await using env = await setUp();
  await using other = await setUp();
  const app = new Hono()
    .use(session({ bind: env.db }))
    .use(session({ bind: other.db, name: "audit", commitOn: () => true }))
    .post("/:status", (c) => {
      const both: Session[] = [c.var.session, c.var.audit]; // typed as sessions
      assertNotStrictEquals(both[0], both[1]);
      c.var.session.add(new Book({ title: "Edges" }));
      c.var.audit.add(new Book({ title: `audit ${c.req.param("status")}` }));
      return c.text("done", c.req.param("status") === "bad" ? 400 : 200);
    });
  assertEquals((await app.request("/bad", { method: "POST" })).status, 400);
  assertEquals([env.titles(), other.titles()], [[], ["audit bad"]]);
  assertEquals((await app.request("/good", { method: "POST" })).status, 200);
  assertEquals([env.titles(), other.titles()], [["Edges"], ["audit bad", "audit good"]]);
  assertEquals([env.server.requests, other.server.requests], [1, 2]);
});

Deno.test("session() rolls the outer session back when the commit of the inner one failed", async () => {
  await using env = await setUp();
  await using other = await setUp();
  const app = new Hono()
    .use(session({ bind: env.db }))
    .use(session({ bind: other.db, name: "inner" }))
    .post("/", (c) => {
      c.var.session.add(new Book({ title: "Edges" }));
      c.var.inner.stage("INSERT INTO nowhere VALUES (1)");
      return c.text("done");
    });
  assertEquals((await app.request("/", { method: "POST" })).status, 500);
  assertEquals(env.titles(), []);
  assertEquals(env.server.requests, 0);
});

Deno.test("session() lets a WebSocket upgrade or a foreign response through when it was not touched", async () => {
  await using env = await setUp();
  const foreign = Response.error(); // immutable headers, status 0: cannot be made again
  const app = new Hono().use(session({ bind: env.db })).get("/", () => foreign);
  assertEquals(await app.request("/") === foreign, true);
});

// ---- binds, factories, options

Deno.test("session() calls a bind function for each request and closes what it gave when told to", async () => {
  await using env = await setUp();
  const events: string[] = [];
  const bind: BindMiddlewareOptions["bind"] = async (c) => {
    await Promise.resolve();
    events.push(`open ${c.env.NAME}`);
    return watched(env.db, () => events.push("close"));
  };
  const open = (closeBind: boolean) => {
    const app = new Hono().use(session({ bind, closeBind, mode: "batch" })).post("/:title", async (c) => {
      c.var.session.add(new Book({ title: c.req.param("title") }));
      if (c.req.param("title") === "flush") await c.var.session.flush();
      events.push("handled");
      return c.text("done");
    });
    app.onError((error, c) => c.text(error.name, 500));
    return app;
  };
  await open(false).request("/Edges", { method: "POST" }, { NAME: "a" });
  assertEquals(events.splice(0), ["open a", "handled"]);
  await open(true).request("/More", { method: "POST" }, { NAME: "b" });
  assertEquals(events.splice(0), ["open b", "handled", "close"]);
  assertEquals(env.titles(), ["Edges", "More"]);
});

Deno.test("session() closes the bind and keeps the response when the handler threw or closing failed", async () => {
  await using env = await setUp();
  let closed = 0;
  const broken: Database = {
    ...watched(env.db, () => {}),
    close: () => {
      closed++;
      return Promise.reject(new Error("cannot close"));
    },
  };
  const { app, post } = bookApp({ bind: () => broken, closeBind: true }, (c) => {
    if (c.req.param("title") === "bad") throw new HTTPException(400);
    return Promise.resolve(c.text("done"));
  });
  assertEquals((await post("Edges")).status, 200);
  assertEquals((await post("bad")).status, 400);
  assertEquals((await app.request("/untouched")).status, 404);
  assertEquals(closed, 3);
  assertEquals(env.titles(), ["Edges"]);
});

Deno.test("session() hands the error to onError when the bind function threw", async () => {
  await using env = await setUp();
  const { app, post } = bookApp({ bind: () => Promise.reject(new TypeError("no URL")) }, (c) => {
    return Promise.resolve(c.text("not reached"));
  });
  app.onError((error, c) => c.text(error.message, 500));
  assertEquals(await (await post("Edges")).text(), "no URL");
  assertEquals(env.server.requests, 0);
});

Deno.test("session() passes the session's options on", async () => {
  await using env = await setUp();
  const app = new Hono().use(session({ bind: env.db, autoflush: false, info: { app: "books" } }))
    .get("/", (c) => c.json([c.var.session.autoflush, c.var.session.info]));
  assertEquals(await (await app.request("/")).json(), [false, { app: "books" }]);
});

Deno.test("session() takes sessions from a factory or from a function that gives one", async () => {
  await using env = await setUp();
  const factory = sessionFactory({ bind: env.db, info: { made: "by factory" } });
  for (const given of [factory, () => factory, () => Promise.resolve(factory)]) {
    const app = new Hono().use(session({ factory: given })).get("/", (c) => c.json(c.var.session.info));
    assertEquals(await (await app.request("/")).json(), { made: "by factory" });
  }
});

Deno.test("session() refuses options that are not there or do not go together", async () => {
  await using env = await setUp();
  const { db } = env;
  const factory = sessionFactory({ bind: db });
  const refused: [unknown, string][] = [
    [undefined, "either a bind or a factory"],
    [{}, "either a bind or a factory"],
    [{ bind: db, factory }, "either a bind or a factory"],
    [{ bind: db, commitWhen: () => true }, '"commitWhen"'],
    [{ bind: () => db, commitWhen: () => true }, '"commitWhen"'],
    [{ factory, mode: "batch" }, '"mode"'],
    [{ factory, closeBind: true }, '"closeBind"'],
    [{ factory: 1 }, "needs a factory"],
    [{ bind: db, closeBind: true }, "closeBind"],
    [{ bind: 1 }, "needs a database"],
    [{ bind: db, mode: "sometimes" }, "mode"],
    [{ bind: db, name: "" }, "name of the variable"],
    [{ bind: db, commitOn: true }, "commitOn as a function"],
    [{ bind: db, onCommitError: 409 }, "onCommitError as a function"],
    [{ bind: db, serverTiming: 1 }, "serverTiming as a boolean or a name"],
    [{ bind: db, serverTiming: "my db" }, "serverTiming as a boolean or a name"],
    [{ bind: db, readOnly: "GET" }, "readOnly as a boolean or a function"],
  ];
  for (const [options, message] of refused) {
    assertThrows(() => session(options as BindMiddlewareOptions), ValidationError, message);
  }
});
