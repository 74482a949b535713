/**
 * A session per request for Hono: made when the handler first touches it, committed after the handler and before the
 * response leaves, closed in every case. Imports only types from Hono.
 *
 * @example
 * ```ts
 * import { Hono } from "hono";
 * import { createAll, model, t } from "@ledge/session";
 * import { session } from "@ledge/session/hono";
 * import { libsql } from "@ledge/session/libsql/local";
 * import { assertEquals } from "@std/assert";
 *
 * class Book extends model("books", { id: t.uuid().primaryKey(), title: t.text() }) {}
 * const db = libsql({ url: ":memory:" });
 * await createAll(db, [Book]);
 *
 * const app = new Hono()
 *   .use(session({ bind: db }))
 *   .post("/books", async (c) => {
 *     const { title } = await c.req.json<{ title: string }>();
 *     const book = c.var.session.add(new Book({ title }));
 *     return c.json({ id: book.id }, 201); // committed before it leaves
 *   })
 *   .get("/books", async (c) => c.json(await c.var.session.query(Book).all()));
 *
 * await app.request("/books", { method: "POST", body: JSON.stringify({ title: "Edges" }) });
 * const books = await (await app.request("/books")).json();
 * assertEquals(books[0]?.title, "Edges");
 * ```
 *
 * @module
 */
import type * as hono from "hono";
import { ValidationError } from "../errors.ts";
import type { Session } from "../session/session.ts";
import {
  failureResponse,
  type FromBind,
  type FromFactory,
  isSuccess,
  requestSessions,
  requireFunctions,
} from "./request_session.ts";
import { DatabaseTime } from "./server_timing.ts";

export type { FromBind, FromFactory, RequestOptions } from "./request_session.ts";

// Hono's types, by names that are left out of the documentation: they are not this package's to describe.
/** @internal */
type Context = hono.Context;
/** @internal */
type MiddlewareHandler<E extends hono.Env> = hono.MiddlewareHandler<E>;

/**
 * What the middleware adds to an app's environment: the session, under its name. To be written where Hono cannot infer
 * it: `new Hono<SessionEnv>()`.
 *
 * @example
 * ```ts
 * import { type Context, Hono } from "hono";
 * import type { SessionEnv } from "@ledge/session/hono";
 *
 * const authors = new Hono<SessionEnv>(); // a sub-app of one that uses the middleware
 * authors.get("/", (c: Context<SessionEnv>) => c.json({ state: c.var.session.state }));
 * ```
 */
export interface SessionEnv<Name extends string = "session"> {
  /** What `c.var` has. */
  Variables: { [K in Name]: Session };
}

/** What both forms of the middleware's options have. */
export interface SessionMiddlewareOptions<Name extends string = "session"> {
  /** The name of the variable: `c.var.session` unless given. */
  readonly name?: Name;
  /**
   * Whether to commit, asked after the handler when the session was touched. Unless given: when nothing was thrown (Hono
   * keeps that in `c.error`) and the status is below 400; it replaces both. What is not committed is rolled back.
   */
  readonly commitOn?: (c: Context) => boolean;
  /**
   * The answer to a commit that failed, in place of the handler's; where it gives none, and unless given: 409 for a
   * `StaleDataError` and for a `UniqueViolationError`, 500 for all others, as `{ error, message }` with the error's code and
   * nothing internal. What it throws goes to the app's `onError`. `c.error` is the error; the session can be used after a
   * `rollback()`.
   */
  readonly onCommitError?: (error: unknown, c: Context) => Response | void | Promise<Response | void>;
  /**
   * Whether the response of a session that was touched says in `Server-Timing` what the database took, up to the commit:
   * `db;dur=12.3;desc="2 requests, 5 statements"`, under this name where it is text, else `db`. The time is that of each
   * request, added up; what only begins or ends a transaction is not in it. Not there unless given: clients can read it.
   */
  readonly serverTiming?: boolean | string;
}

/** The options of sessions of the middleware's own making: those of a session, with a bind that may depend on the request. */
export interface BindMiddlewareOptions<Name extends string = "session">
  extends SessionMiddlewareOptions<Name>, FromBind<[c: Context]> {}

/** The options of sessions that a factory makes. */
export interface FactoryMiddlewareOptions<Name extends string = "session">
  extends SessionMiddlewareOptions<Name>, FromFactory<[c: Context]> {}

const OWN = ["name", "commitOn", "onCommitError", "serverTiming"];

/**
 * Middleware that gives each request a session as `c.var.session`. A session that the handler never touches is not made;
 * one without changes sends nothing for its commit.
 *
 * After the handler the session is committed, and a commit that fails becomes the response; headers that were set before
 * this middleware (those of `cors()`, say) stay, the handler's are dropped. It is rolled back when the handler threw, when
 * it answered 4xx or 5xx, and when the client has aborted the request by then (`withSession()` of
 * `@ledge/session/handler` says which runtimes tell). A commit that was sent stands, whatever fails afterwards. Then the
 * session is closed, before a streamed body is read: load first what the stream needs. On Workers a rollback and the closing
 * of sockets go to `c.executionCtx.waitUntil()`, and do not hold the response up.
 *
 * A handler may `commit()` by itself, where its answer shows what the database makes (keys, versions); what fails there is
 * thrown in the handler, as ever. Several sessions need several names; each is committed on its own, the innermost first.
 *
 * Throws a `ValidationError` for options that are not there or do not go together.
 *
 * @example
 * ```ts
 * import { Hono } from "hono";
 * import { model, sessionFactory, t } from "@ledge/session";
 * import { session } from "@ledge/session/hono";
 * import { libsql } from "@ledge/session/libsql";
 *
 * class Entry extends model("audit", { id: t.uuid().primaryKey(), path: t.text() }) {}
 * const audit = sessionFactory({ bind: libsql({ url: "https://audit.example.org" }), mode: "batch" });
 *
 * const app = new Hono<{ Bindings: { DATABASE_URL: string } }>()
 *   .use(session({ bind: (c) => libsql({ url: c.env.DATABASE_URL }), closeBind: true }))
 *   .use(session({ factory: audit, name: "audit", commitOn: () => true }))
 *   .delete("/books/:id", (c) => {
 *     c.var.audit.add(new Entry({ path: c.req.path }));
 *     return c.json({ state: c.var.session.state });
 *   });
 * ```
 */
export function session<const Name extends string = "session">(
  options: BindMiddlewareOptions<Name> | FactoryMiddlewareOptions<Name>,
): MiddlewareHandler<SessionEnv<Name>> {
  const { name = "session", commitOn = isDone, onCommitError = () => {}, serverTiming = false, ...sources } = options ??
    {};
  requireFunctions("session()", { commitOn, onCommitError });
  if (typeof name !== "string" || name === "") {
    throw new ValidationError(`session() needs the name of the variable as text, not ${JSON.stringify(name)}`);
  }
  const metric = metricOf(serverTiming);
  const begin = requestSessions("session()", sources, OWN);

  return async (c: Context, next) => {
    const time = metric === null ? null : new DatabaseTime();
    const life = await begin({ request: c.req.raw, args: [c], contexts: contextsOf(c), watch: time?.watch });
    const { headers } = c.newResponse(null); // those set so far; c.res would make Hono copy every response
    c.set(name, life.session);
    try {
      await next();
      const failure = await life.commit(() => commitOn(c));
      if (failure !== null) await replaceResponse(c, headers, failure.error, onCommitError);
      // A response that is none of HTTP's (an upgrade, an error) cannot be made again, as Hono would for a header.
      if (life.isMade() && time !== null && c.res.status >= 200) {
        c.header("Server-Timing", time.entry(metric!), { append: true });
      }
    } finally {
      await life.end();
    }
  };
}

/** The name of the entry in `Server-Timing`, or null for none. */
function metricOf(serverTiming: unknown): string | null {
  if (serverTiming === true) return "db";
  if (serverTiming === false) return null;
  if (typeof serverTiming === "string" && /^[\w!#$%&'*+.^`|~-]+$/.test(serverTiming)) return serverTiming;
  throw new ValidationError(
    `session() needs serverTiming as a boolean or a name that a header can have, not ${JSON.stringify(serverTiming)}`,
  );
}

/** Workers' context, which Hono does not give where there is none. */
function contextsOf(c: Context): unknown[] {
  try {
    return [c.executionCtx];
  } catch {
    return [];
  }
}

/** Whether the request succeeded; a handler that gave no response at all did not: Hono makes an error of it. */
function isDone(c: Context): boolean {
  return c.error === undefined && c.finalized && isSuccess(c.res.status);
}

/** Answers for a commit that failed: nothing of the handler's response is left, neither status, headers nor body. */
async function replaceResponse(
  c: Context,
  before: Headers,
  error: unknown,
  answer: NonNullable<SessionMiddlewareOptions["onCommitError"]>,
): Promise<void> {
  await c.res.body?.cancel().catch(() => {}); // a stream's producer is told; one that is being read is left alone
  if (error instanceof Error) c.error = error;
  setResponse(c, new Response(null, { status: 500, headers: before }));
  c.status(500);
  const response = await answer(error, c) ?? failureResponse(error);
  const headers = new Headers(response.headers);
  for (const [name, value] of before) {
    const isThere = name === "set-cookie" ? headers.getSetCookie().includes(value) : headers.has(name);
    if (!isThere) headers.append(name, value);
  }
  const { status, statusText } = response;
  setResponse(c, new Response(response.body, { status, statusText, headers }));
}

/** Sets a response as it is: Hono would give it the headers of the one before. */
function setResponse(c: Context, response: Response): void {
  c.res = undefined;
  c.res = response;
}
