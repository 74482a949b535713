/** withSession(), against a Hrana server that counts requests. */
import {
  assert,
  assertEquals,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  type Database,
  InvalidStateError,
  type Session,
  sessionFactory,
  UnsupportedError,
  ValidationError,
} from "@ledge/session";
import { withSession, type WithSessionOptions } from "@ledge/session/handler";
import { Book, gate, setUp, Waiting, watched } from "./kit.ts";

const request = (method = "POST", init: RequestInit = {}) => new Request("https://example.org/", { method, ...init });

type Handle = (session: Session, request: Request) => Response | Promise<Response>;

/** A handler that keeps the request's session and adds a book by the request's header, then does what is given. */
function books(options: WithSessionOptions, then: Handle) {
  const seen: Session[] = [];
  const fetch = withSession(options, (request, session) => {
    session.add(new Book({ title: request.headers.get("title") ?? "" }));
    seen.push(session);
    return then(session, request);
  });
  const post = (title: string, init: RequestInit = {}) => fetch(request("POST", { headers: { title }, ...init }));
  return { fetch, post, seen };
}

/** Collects what is written to the console as an error while something runs. */
async function complaints(work: () => Promise<unknown>): Promise<unknown[]> {
  const { error } = console;
  const said: unknown[] = [];
  console.error = (...what: unknown[]) => said.push(...what);
  try {
    await work();
  } finally {
    console.error = error;
  }
  return said;
}

// ---- made, committed, rolled back, closed

Deno.test("withSession() makes no session when the handler does not touch it", async () => {
  await using env = await setUp();
  let made = 0;
  const factory = sessionFactory({ bind: env.db });
  const counting = Object.assign(() => {
    made++;
    return factory();
  }, factory);
  const answer = new Response("hello");
  assertStrictEquals(await withSession({ factory: counting }, () => answer)(request()), answer);
  assertEquals(made, 0);
  await withSession({ factory: counting }, (_, session) => new Response(session.state))(request());
  assertEquals([made, env.server.requests], [1, 0]);
});

Deno.test("withSession() commits in one request when the handler succeeded", async () => {
  await using env = await setUp();
  const answer = new Response("done", { status: 201 });
  const { post, seen } = books({ bind: env.db }, () => {
    assertEquals(env.server.requests, 0);
    return answer;
  });
  assertStrictEquals(await post("Edges"), answer); // the handler's own, nothing is copied
  assertEquals([env.titles(), env.server.requests, seen[0]?.state], [["Edges"], 1, "closed"]);
});

for (const status of [400, 404, 500]) {
  Deno.test(`withSession() rolls back when the handler answered ${status}`, async () => {
    await using env = await setUp();
    const { post, seen } = books({ bind: env.db }, () => new Response("no", { status }));
    const response = await post("Edges");
    assertEquals([response.status, await response.text()], [status, "no"]);
    assertEquals([env.titles(), env.server.requests, seen[0]?.state], [[], 0, "closed"]);
  });
}

Deno.test("withSession() rolls back when the handler answered what cannot be sent", async () => {
  await using env = await setUp();
  const { post } = books({ bind: env.db }, () => Response.error());
  assertEquals((await post("Edges")).type, "error");
  assertEquals(env.titles(), []);
});

Deno.test("withSession() rolls back, closes and throws on when the handler threw after a flush", async () => {
  await using env = await setUp();
  const { post, seen } = books({ bind: env.db }, async (session) => {
    await session.flush();
    assertEquals(env.server.openStreams, 1);
    throw new TypeError("no");
  });
  await assertRejects(() => post("Edges"), TypeError, "no");
  assertEquals([env.titles(), env.server.openStreams, seen[0]?.state], [[], 0, "closed"]);
});

Deno.test("withSession() rolls back when the handler gave no response", async () => {
  await using env = await setUp();
  const { post, seen } = books({ bind: env.db }, () => undefined as never);
  await assertRejects(() => post("Edges"), ValidationError, "needs a Response");
  assertEquals([env.titles(), seen[0]?.state], [[], "closed"]);
});

Deno.test("withSession() leaves what the handler committed itself, and closed", async () => {
  await using env = await setUp();
  const { post } = books({ bind: env.db }, async (session) => {
    await session.commit();
    await session.close();
    return new Response(null, { status: 500 });
  });
  assertEquals((await post("Edges")).status, 500);
  assertEquals([env.titles(), env.server.requests], [["Edges"], 1]);
});

Deno.test("withSession() asks commitOn when the session was touched, with all that the handler has", async () => {
  await using env = await setUp();
  const asked: unknown[] = [];
  const fetch = withSession<[env: { name: string }]>({
    bind: env.db,
    commitOn(response, { method }, { name }) {
      asked.push([response.status, method, name]);
      return response.status < 500;
    },
  }, ({ method }, session, { name }) => {
    if (method === "POST") session.add(new Book({ title: name }));
    return new Response(null, { status: name === "bad" ? 500 : 422 });
  });
  await fetch(request(), { name: "kept" });
  await fetch(request(), { name: "bad" });
  await fetch(request("GET"), { name: "untouched" });
  assertEquals(asked, [[422, "POST", "kept"], [500, "POST", "bad"]]);
  assertEquals(env.titles(), ["kept"]);
});

Deno.test("withSession() rolls back and closes when commitOn threw", async () => {
  await using env = await setUp();
  const commitOn = () => {
    throw new TypeError("no policy");
  };
  const { post, seen } = books({ bind: env.db, commitOn }, () => new Response());
  await assertRejects(() => post("Edges"), TypeError, "no policy");
  assertEquals([env.titles(), seen[0]?.state], [[], "closed"]);
});

// ---- commits that fail

Deno.test("withSession() commits nothing by an answer of commitOn that is no boolean, such as a promise", async () => {
  await using env = await setUp();
  const commitOn = (() => Promise.resolve(false)) as unknown as () => boolean;
  const { post, seen } = books({ bind: env.db, commitOn }, () => new Response());
  await assertRejects(() => post("Edges"), ValidationError, "commitOn must give true or false, got object");
  assertEquals([env.titles(), seen[0]!.state], [[], "closed"]);
});

Deno.test("withSession() refuses what a function gives in place of a factory, before the handler", async () => {
  await using env = await setUp();
  const { post, seen } = books({ factory: () => env.db as never }, () => new Response());
  await assertRejects(() => post("Edges"), ValidationError, "needs a factory");
  assertEquals(seen, []);
});

Deno.test("withSession() answers 409 and says nothing more when the commit found a unique value taken", async () => {
  await using env = await setUp();
  let cancelled = 0;
  const { post } = books({ bind: env.db }, () => {
    const body = new ReadableStream({ pull: (out) => out.enqueue(new Uint8Array(1)), cancel: () => void cancelled++ });
    return new Response(body, { headers: { etag: '"1"' } });
  });
  const said = await complaints(async () => {
    await (await post("Edges")).body?.cancel();
    assertEquals(cancelled, 1);
    const response = await post("Edges");
    assertEquals(response.status, 409);
    assertEquals(response.headers.get("etag"), null);
    const message = "A value that must be unique is taken already";
    assertEquals(await response.json(), { error: "LEDGE_UNIQUE_VIOLATION", message });
  });
  assertEquals([said, cancelled], [[], 2]);
});

Deno.test("withSession() answers 500 and tells the console when the commit failed otherwise", async () => {
  await using env = await setUp();
  const { post } = books({ bind: env.db }, (session) => {
    session.stage("INSERT INTO nowhere VALUES ('secret')");
    return new Response();
  });
  const said = await complaints(async () => {
    const response = await post("Edges");
    const message = "This could not be saved";
    assertEquals([response.status, await response.json()], [500, { error: "LEDGE_STATEMENT", message }]);
  });
  assertEquals(said.length, 2);
  assert(said[1] instanceof Error && said[1].message.includes("nowhere"));
  assertEquals(env.titles(), []);
});

Deno.test("withSession() answers what onCommitError does, or its own when that gives nothing", async () => {
  await using env = await setUp();
  const errors: unknown[] = [];
  const onCommitError = async (error: unknown, { headers }: Request) => {
    errors.push(error);
    await Promise.resolve();
    return headers.has("own") ? new Response("mine", { status: 422 }) : undefined;
  };
  const { post } = books({ bind: env.db, onCommitError }, () => new Response());
  await post("Edges");
  assertEquals((await post("Edges")).status, 409);
  const own = await post("Edges", { headers: { title: "Edges", own: "1" } });
  assertEquals([own.status, await own.text(), errors.length], [422, "mine", 2]);
});

Deno.test("withSession() throws what onCommitError throws, and closes", async () => {
  await using env = await setUp();
  const onCommitError = (error: unknown) => {
    throw error;
  };
  const { post, seen } = books({ bind: env.db, onCommitError }, () => new Response());
  await post("Edges");
  await assertRejects(() => post("Edges"), Error, "UNIQUE");
  assertEquals(seen.map(({ state }) => state), ["closed", "closed"]);
});

// ---- streams, and clients that go away

Deno.test("withSession() commits and closes before a streamed body is read", async () => {
  await using env = await setUp();
  const { post } = books({ bind: env.db }, (session) => {
    const encoder = new TextEncoder();
    const body = new ReadableStream({
      async pull(out) {
        const late = await session.query(Book).all().catch((error) => error);
        out.enqueue(encoder.encode(`${env.titles()} ${session.state} ${late instanceof InvalidStateError}`));
        out.close();
      },
    }, { highWaterMark: 0 });
    return new Response(body);
  });
  assertEquals(await (await post("Edges")).text(), "Edges closed true");
  assertEquals(env.server.requests, 1);
});

Deno.test("withSession() rolls back when the client aborted before the commit, and not after", async () => {
  await using env = await setUp();
  for (const [when, titles] of [["before", []], ["while", []], ["after", ["after"]]] as const) {
    const abort = new AbortController();
    if (when === "before") abort.abort();
    const { post, seen } = books({ bind: env.db }, () => {
      if (when === "while") abort.abort();
      return new Response();
    });
    assertEquals((await post(when, { headers: { title: when }, signal: abort.signal })).status, 200);
    if (when === "after") abort.abort();
    assertEquals([env.titles(), seen[0]?.state], [titles, "closed"]);
  }
});

Deno.test("withSession() commits what the client aborted with commitAborted", async () => {
  await using env = await setUp();
  const { post } = books({ bind: env.db, commitAborted: true }, () => new Response());
  await post("Edges", { headers: { title: "Edges" }, signal: AbortSignal.abort() });
  assertEquals(env.titles(), ["Edges"]);
});

Deno.test("withSession() looks at the signal where it can matter alone", async () => {
  await using env = await setUp();
  const looked: string[] = [];
  const watchedRequest = (method: string) =>
    new Proxy(request(method), {
      get(target, property) {
        if (property === "signal") looked.push(method);
        return Reflect.get(target, property, target);
      },
    });
  for (
    const [method, options] of [["GET", { readOnly: true }], ["PUT", { commitAborted: true }], ["POST", {}]] as const
  ) {
    await withSession({ bind: env.db, ...options }, () => new Response())(watchedRequest(method));
  }
  assertEquals(looked, ["POST"]);
});

// ---- what may outlive the response

Deno.test("withSession() leaves rollback and closing to waitUntil, wherever among the arguments it is", async () => {
  await using env = await setUp();
  const { latency } = env.server;
  const events: string[] = [];
  const context = new Waiting();
  const fetch = withSession<[env: object, ctx: Waiting]>({
    bind: () => watched(env.db, () => events.push("closed")),
    closeBind: true,
  }, async (_, session) => {
    session.add(new Book({ title: "Edges" }));
    await session.flush();
    return new Response(null, { status: 400 });
  });
  env.server.latency = 20;
  const response = await fetch(request(), {}, context);
  assertEquals([response.status, context.size, env.server.openStreams, events], [400, 1, 1, []]);
  env.server.latency = latency;
  await context.all();
  assertEquals([env.server.openStreams, env.titles(), events], [0, [], ["closed"]]);
});

Deno.test("withSession() closes by itself, and answers, where waitUntil throws", async () => {
  await using env = await setUp();
  let closed = 0;
  const fetch = withSession<[context: object]>(
    { bind: () => watched(env.db, () => closed++), closeBind: true },
    (_request, session) => {
      session.add(new Book({ title: "Edges" }));
      return new Response("saved");
    },
  );
  const context = {
    waitUntil(): void {
      throw new TypeError("Illegal invocation");
    },
  };
  assertEquals(await (await fetch(request(), context)).text(), "saved");
  assertEquals([env.titles(), closed], [["Edges"], 1]);
});

Deno.test("withSession() has nothing for waitUntil when there is nothing to close", async () => {
  await using env = await setUp();
  const context = new Waiting();
  await withSession<[Waiting]>({ bind: env.db }, () => new Response())(request(), context);
  assertEquals(context.size, 0);
});

Deno.test("withSession() keeps a worker that is aborted going until it has rolled back", async () => {
  await using env = await setUp();
  const [flushed, aborted] = [gate(), gate()];
  const context = new Waiting();
  const abort = new AbortController();
  const fetch = withSession<[Waiting]>({ bind: env.db }, async (_, session) => {
    session.add(new Book({ title: "Edges" }));
    await session.flush();
    flushed.pass();
    await aborted.reached;
    return new Response();
  });
  const answered = fetch(request("POST", { signal: abort.signal }), context);
  await flushed.reached;
  assertEquals(context.size, 0);
  abort.abort();
  assertEquals([context.size, env.server.openStreams], [1, 1]);
  aborted.pass();
  await context.all(); // before the response is looked at: nobody does
  assertEquals([env.server.openStreams, env.titles()], [0, []]);
  await answered;
});

// ---- apart from each other

Deno.test("withSession() gives each request its own session when two run at once", async () => {
  await using env = await setUp();
  const both = gate();
  const { post, seen } = books({ bind: env.db }, async (session, { headers }) => {
    if (seen.length === 2) both.pass();
    await both.reached;
    assertEquals(session.new.size, 1);
    return new Response(null, { status: headers.get("title") === "bad" ? 400 : 200 });
  });
  const responses = await Promise.all([post("Edges"), post("bad")]);
  assertEquals(responses.map(({ status }) => status), [200, 400]);
  assertNotStrictEquals(seen[0], seen[1]);
  assertEquals([env.titles(), env.server.requests], [["Edges"], 1]);
});

// ---- read-only, binds, factories, options

Deno.test("withSession() gives GET and HEAD read-only sessions when told to, or those that a function says", async () => {
  await using env = await setUp();
  const forms: WithSessionOptions[] = [
    { bind: env.db, readOnly: true },
    { bind: () => env.db, readOnly: true },
    { factory: sessionFactory({ bind: env.db }), readOnly: true },
    { factory: () => sessionFactory({ bind: env.db }), readOnly: ({ method }) => method !== "POST" },
  ];
  for (const [i, options] of forms.entries()) {
    for (const method of ["GET", "HEAD", "POST"]) {
      const fetch = withSession({ ...options, onCommitError: () => {} }, async (_, session) => {
        const found = await session.query(Book).all();
        session.add(new Book({ title: `${method} ${i}` }));
        return new Response(`${found.length}`);
      });
      const { status } = await fetch(request(method));
      assertEquals([i, method, status], [i, method, method === "POST" ? 200 : 500]);
    }
  }
  assertEquals(env.titles(), ["POST 0", "POST 1", "POST 2", "POST 3"]);
});

Deno.test("withSession() calls a bind function for each request and closes what it gave in every case", async () => {
  await using env = await setUp();
  const events: string[] = [];
  const broken = (name: string): Database => ({
    ...watched(env.db, () => {}),
    close() {
      events.push(`close ${name}`);
      throw new Error("cannot close");
    },
  });
  const fetch = withSession<[env: string]>({
    async bind({ method }, name) {
      events.push(`open ${method} ${name}`);
      return await Promise.resolve(broken(name));
    },
    closeBind: true,
  }, (_, session, name) => {
    events.push("handled");
    if (name === "bad") throw new TypeError("bad");
    if (name !== "untouched") session.add(new Book({ title: name }));
    return new Response();
  });
  await fetch(request(), "a");
  assertEquals(events.splice(0), ["open POST a", "handled", "close a"]);
  await assertRejects(() => fetch(request(), "bad"), TypeError, "bad");
  assertEquals(events.splice(0), ["open POST bad", "handled", "close bad"]);
  await fetch(request(), "untouched");
  assertEquals(events.splice(0), ["open POST untouched", "handled", "close untouched"]);
  assertEquals(env.titles(), ["a"]);
});

Deno.test("withSession() throws what the bind function throws, before the handler", async () => {
  const fetch = withSession({ bind: () => Promise.reject(new TypeError("no URL")) }, () => new Response("not reached"));
  await assertRejects(() => fetch(request()), TypeError, "no URL");
});

Deno.test("withSession() refuses options that are not there or do not go together", async () => {
  await using env = await setUp();
  const { db } = env;
  const factory = sessionFactory({ bind: db });
  const refused: [unknown, string][] = [
    [undefined, "either a bind or a factory: withSession({ bind: db })"],
    [{}, "either a bind or a factory"],
    [{ bind: db, factory }, "either a bind or a factory"],
    [{ bind: db, name: "session" }, '"name"'],
    [{ factory, mode: "batch" }, '"mode"'],
    [{ bind: db, closeBind: true }, "closeBind"],
    [{ bind: 1 }, "needs a database"],
    [{ factory: {} }, "needs a factory"],
    [{ bind: db, mode: "sometimes" }, "mode"],
    [{ bind: db, readOnly: "GET" }, "readOnly as a boolean or a function"],
    [{ bind: db, commitAborted: 1 }, "commitAborted"],
    [{ bind: db, commitOn: true }, "commitOn as a function"],
    [{ bind: db, onCommitError: 409 }, "onCommitError as a function"],
  ];
  for (const [options, message] of refused) {
    assertThrows(() => withSession(options as { bind: Database }, () => new Response()), ValidationError, message);
  }
  assertThrows(() => withSession({ bind: db }, undefined as never), ValidationError, "needs a handler");
  const writable: Database = { ...watched(db, () => {}), capabilities: { ...db.capabilities, readOnly: false } };
  for (const readOnly of [true, () => false]) {
    assertThrows(() => withSession({ bind: writable, readOnly }, () => new Response()), UnsupportedError, "read-only");
  }
});

// ---- types

Deno.test("withSession() gives what follows the request its types, by where it is put or as it is told", async () => {
  await using env = await setUp();
  interface Env {
    readonly NAME: string;
  }
  interface Exported {
    fetch(request: Request, env: Env, ctx: Waiting): Response | Promise<Response>;
  }
  const put: Exported = {
    fetch: withSession(
      { bind: (_request, { NAME }) => NAME === "books" ? env.db : never() },
      (_request, _session, { NAME }, ctx) => Response.json([NAME, ctx.size]),
    ),
  };
  const told = withSession<[env: Env, ctx: Waiting]>(
    { factory: (_request, { NAME }) => sessionFactory({ bind: NAME === "books" ? env.db : never() }) },
    (_request, session, { NAME }, ctx) => Response.json([NAME, ctx.size, session.state]),
  );
  const noted = withSession(
    { bind: env.db, commitOn: (_response: Response, _request: Request, { NAME }: Env) => NAME !== "" },
    (_request: Request, session: Session, { NAME }: Env) => Response.json([NAME, session.state]),
  );
  const given = { NAME: "books" };
  assertEquals(await (await put.fetch(request(), given, new Waiting())).json(), ["books", 0]);
  assertEquals(await (await told(request(), given, new Waiting())).json(), ["books", 0, "open"]);
  assertEquals(await (await noted(request(), given)).json(), ["books", "open"]);
  await using server = Deno.serve(
    { port: 0, onListen: () => {} },
    withSession(
      { bind: env.db, commitAborted: true },
      (_request, _session, info) => Response.json(info.remoteAddr.transport),
    ),
  );
  assertEquals(await (await fetch(`http://localhost:${server.addr.port}`)).json(), "tcp");
  // @ts-expect-error: no environment is given
  const missing = () => told(request());
  // @ts-expect-error: the environment has no such name
  const wrong = () => withSession<[env: Env]>({ bind: (_request, { URL }) => URL }, () => new Response());
  assertEquals([typeof missing, typeof wrong], ["function", "function"]);
});

function never(): never {
  throw new Error("This was not to be called");
}
