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
import type { Database } from "../database.ts";
import {
  CommitOutcomeUnknownError,
  LedgeError,
  StaleDataError,
  UniqueViolationError,
  ValidationError,
} from "../errors.ts";
import type { SessionFactory } from "../session/factory.ts";
import { checkSessionOptions, refuseUnknown, SESSION_OPTIONS, type SessionOptions } from "../session/options.ts";
import { Session } from "../session/session.ts";
import { lazySession } from "./lazy_session.ts";

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
   * keeps that in `c.error`) and the status is below 400; it replaces both. What is not committed is rolled back. A client
   * that went away changes nothing, unless this looks at `c.req.raw.signal` (which makes `Deno.serve` warn).
   */
  readonly commitOn?: (c: Context) => boolean;
  /**
   * The answer to a commit that failed, in place of the handler's. Unless given: 409 for a `StaleDataError` and for a
   * `UniqueViolationError`, 500 for all others, as `{ error, message }` with the error's code and nothing internal. What it
   * throws goes to the app's `onError`. `c.error` is the error; the session can be used after a `rollback()`.
   */
  readonly onCommitError?: (error: unknown, c: Context) => Response | Promise<Response>;
}

/** The options of sessions of the middleware's own making: those of a session, with a bind that may depend on the request. */
export interface BindMiddlewareOptions<Name extends string = "session">
  extends SessionMiddlewareOptions<Name>, Omit<SessionOptions, "bind"> {
  /**
   * The database, or a function that gives it, called for each request before the handler: where it must not be shared
   * between requests, or is known by `c.env` only.
   */
  readonly bind: Database | ((c: Context) => Database | Promise<Database>);
  /** Whether to close the database that the `bind` function gave, after the session. False unless given: it is yours. */
  readonly closeBind?: boolean;
}

/** The options of sessions that a factory makes. */
export interface FactoryMiddlewareOptions<Name extends string = "session"> extends SessionMiddlewareOptions<Name> {
  /** The factory, or a function that gives it, called for each request before the handler. */
  readonly factory: SessionFactory | ((c: Context) => SessionFactory | Promise<SessionFactory>);
}

const COMMON = ["name", "commitOn", "onCommitError"];

/** Where one request's session comes from, and what to do once it is closed. */
interface Source {
  make(): Session;
  close?(): Promise<void>;
}

/**
 * Middleware that gives each request a session as `c.var.session`. A session that the handler never touches is not made;
 * one without changes sends nothing for its commit.
 *
 * After the handler the session is committed, and a commit that fails becomes the response; headers that were set before
 * this middleware (those of `cors()`, say) stay, the handler's are dropped. It is rolled back when the handler threw or
 * answered 4xx or 5xx. Then it is closed, before a streamed body is read: load first what the
 * stream needs.
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
  const open = checkOptions(options);
  const { name = "session", commitOn = isSuccess, onCommitError = answerFailure } = options;

  return async (c: Context, next) => {
    const source = await open(c);
    const lazy = lazySession(source.make);
    const { headers } = c.newResponse(null); // those set so far; c.res would make Hono copy every response
    c.set(name, lazy.session);
    try {
      await next();
      if (lazy.made === null || lazy.made.state === "closed" || !commitOn(c)) return;
      try {
        await lazy.made.commit();
      } catch (error) {
        await replaceResponse(c, headers, error, onCommitError);
      }
    } finally {
      await lazy.end();
      await source.close?.().catch(() => {}); // the outcome is decided, and a commit was made or was not
    }
  };
}

/** Checks the options as far as they are known before a request; gives what opens a request's source of sessions. */
function checkOptions<Name extends string>(
  options: BindMiddlewareOptions<Name> | FactoryMiddlewareOptions<Name>,
): (c: Context) => Source | Promise<Source> {
  if (typeof options !== "object" || options === null || "bind" in options === "factory" in options) {
    throw new ValidationError("session() needs either a bind or a factory: session({ bind: db })");
  }
  const own = "bind" in options ? [...SESSION_OPTIONS, "closeBind"] : ["factory"];
  refuseUnknown(options, [...own, ...COMMON], "session()");
  const { name, commitOn, onCommitError } = options;
  if (name !== undefined && (typeof name !== "string" || name === "")) {
    throw new ValidationError(`session() needs the name of the variable as text, not ${JSON.stringify(name)}`);
  }
  for (const [key, value] of Object.entries({ commitOn, onCommitError })) {
    if (value !== undefined && typeof value !== "function") {
      throw new ValidationError(`session() needs ${key} as a function, got ${typeof value}`);
    }
  }
  return "bind" in options ? fromBind(options) : fromFactory(options.factory);
}

function fromBind<Name extends string>(
  { bind, closeBind = false, name: _, commitOn: __, onCommitError: ___, ...rest }: BindMiddlewareOptions<Name>,
): (c: Context) => Source | Promise<Source> {
  if (typeof bind !== "function") {
    if (closeBind) {
      throw new ValidationError(
        "session() cannot close a bind that all requests share; closeBind goes with a function as bind",
      );
    }
    const options = { bind, ...rest };
    checkSessionOptions(options);
    return () => ({ make: () => new Session(options) });
  }
  return async (c) => {
    const database = await bind(c);
    return {
      make: () => new Session({ bind: database, ...rest }),
      ...closeBind ? { close: () => database.close() } : {},
    };
  };
}

function fromFactory(factory: FactoryMiddlewareOptions["factory"]): (c: Context) => Source | Promise<Source> {
  if (typeof factory !== "function") {
    throw new ValidationError(
      "session() needs a factory, as sessionFactory(…) makes one, or a function that gives one",
    );
  }
  // A factory is a function too, and the only one of the two that can be configured.
  if ("configure" in factory) return () => ({ make: () => factory() });
  return async (c) => {
    const made = await factory(c);
    return { make: () => made() };
  };
}

/** Whether the request succeeded; a handler that gave no response at all did not: Hono makes an error of it. */
function isSuccess(c: Context): boolean {
  return c.error === undefined && c.finalized && c.res.status < 400;
}

/** Answers for a commit that failed: nothing of the handler's response is left, neither status, headers nor body. */
async function replaceResponse(
  c: Context,
  before: Headers,
  error: unknown,
  answer: (error: unknown, c: Context) => Response | Promise<Response>,
): Promise<void> {
  await c.res.body?.cancel().catch(() => {}); // a stream's producer is told; one that is being read is left alone
  if (error instanceof Error) c.error = error;
  setResponse(c, new Response(null, { status: 500, headers: before }));
  c.status(500);
  const response = await answer(error, c);
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

function answerFailure(error: unknown, c: Context): Response {
  const code = error instanceof LedgeError ? error.code : "INTERNAL_ERROR";
  if (error instanceof StaleDataError) {
    return c.json(
      { error: code, message: "This was changed by somebody else meanwhile; read it again, then retry" },
      409,
    );
  }
  if (error instanceof UniqueViolationError) {
    return c.json({ error: code, message: "A value that must be unique is taken already" }, 409);
  }
  if (error instanceof CommitOutcomeUnknownError) {
    return c.json({ error: code, message: "It is not known whether this was saved; read it before you retry" }, 500);
  }
  return c.json({ error: code, message: "This could not be saved" }, 500);
}
