/**
 * A session per request for handlers that take a `Request` and give a `Response`: `Deno.serve`, Workers' and Bun's `fetch`,
 * Vercel's functions. Made when the handler first touches it, committed after the handler and before the response leaves,
 * closed in every case.
 *
 * @example
 * ```ts
 * import { createAll, model, t } from "@ledge/session";
 * import { withSession } from "@ledge/session/handler";
 * import { libsql } from "@ledge/session/libsql/local";
 * import { assertEquals } from "@std/assert";
 *
 * class Book extends model("books", { id: t.uuid().primaryKey(), title: t.text() }) {}
 * const db = libsql({ url: ":memory:" });
 * await createAll(db, [Book]);
 *
 * const handler = withSession({ bind: db }, async (request, session) => {
 *   if (request.method === "GET") return Response.json(await session.query(Book).all());
 *   const book = session.add(new Book(await request.json()));
 *   return Response.json({ id: book.id }, { status: 201 }); // committed before it leaves
 * });
 * // Deno.serve(handler), or: export default { fetch: handler }, or: export default handler
 *
 * await handler(new Request("https://example.org", { method: "POST", body: JSON.stringify({ title: "Edges" }) }));
 * const books = await (await handler(new Request("https://example.org"))).json();
 * assertEquals(books[0]?.title, "Edges");
 * ```
 *
 * @module
 */
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

export type { FromBind, FromFactory, RequestOptions } from "./request_session.ts";

/** What decides about the commit and what is answered when it fails. `Args` is what follows the request. */
export interface CommitPolicy<Args extends unknown[]> {
  /**
   * Whether to commit, asked after the handler when the session was touched. Unless given: when the status is below 400.
   * What is not committed is rolled back, and so it is whatever this says when the handler threw.
   */
  readonly commitOn?: (response: Response, request: Request, ...args: Args) => boolean;
  /**
   * The answer to a commit that failed, in place of the handler's; where it gives none, and unless given: 409 for a
   * `StaleDataError` and for a `UniqueViolationError`, 500 for all others (which go to the console where this is not given),
   * as `{ error, message }` with the error's code and nothing internal. What it throws is thrown to the runtime.
   */
  readonly onCommitError?: (
    error: unknown,
    request: Request,
    ...args: Args
  ) => Response | void | Promise<Response | void>;
}

/** The options of `withSession()`: where its sessions come from, and when they are committed. */
export type WithSessionOptions<Args extends unknown[] = unknown[]> =
  & CommitPolicy<Args>
  & (FromBind<[request: Request, ...args: Args]> | FromFactory<[request: Request, ...args: Args]>);

const OWN = ["commitOn", "onCommitError"];

/**
 * Gives a handler of requests each of which has a session. A session that is never touched is not made; one without changes
 * sends nothing for its commit. What follows the request (Workers' `env` and `ctx`, Deno's `info`) goes to the handler
 * behind the session, and to the functions among the options.
 *
 * After the handler the session is committed, and a commit that fails becomes the response. It is rolled back when the
 * handler threw (what it threw is thrown on), when it answered 4xx or 5xx, and when the client has aborted the request by
 * then: nobody would hear that it was saved. A commit that was sent stands, whatever fails afterwards. Then the session is
 * closed, before a streamed body is read: load first what the stream needs. Where one of the arguments has a `waitUntil`
 * (Workers, Vercel), a rollback and the closing of sockets go there and do not hold the response up.
 *
 * Of an abort the runtime tells: Deno and Node do, and Workers with the flag `enable_request_signal`. Without it a Worker
 * whose client goes away is ended where it stands: what was not committed is lost likewise. Vercel's edge does not tell.
 * Deno 2.9 warns, once, that its signals also abort when a response has been sent, which does no harm here;
 * `--unstable-no-legacy-abort` ends both.
 *
 * Throws a `ValidationError` for options that are not there or do not go together.
 *
 * @example
 * ```ts
 * import { model, t } from "@ledge/session";
 * import { withSession } from "@ledge/session/handler";
 * import { libsql } from "@ledge/session/libsql";
 *
 * class Book extends model("books", { id: t.uuid().primaryKey(), title: t.text() }) {}
 *
 * interface Env {
 *   DATABASE_URL: string;
 * }
 *
 * export default {
 *   fetch: withSession<[env: Env]>( // what follows the request: [env: Env, ctx: ExecutionContext] with both
 *     { bind: (_request, env) => libsql({ url: env.DATABASE_URL }), closeBind: true, readOnly: true },
 *     async (_request, session) => Response.json(await session.query(Book).all()),
 *   ),
 * };
 * ```
 */
export function withSession<Args extends unknown[]>(
  options: WithSessionOptions<Args>,
  handler: (request: Request, session: Session, ...args: Args) => Response | Promise<Response>,
): (request: Request, ...args: Args) => Promise<Response> {
  const { commitOn = succeeded, onCommitError = report, ...sources } = options ?? {};
  requireFunctions("withSession()", { commitOn, onCommitError });
  if (typeof handler !== "function") throw new ValidationError(`withSession() needs a handler, got ${typeof handler}`);
  const begin = requestSessions("withSession()", sources, OWN);

  return async (request, ...args) => {
    const life = await begin({ request, args: [request, ...args], contexts: args });
    try {
      const response = await handler(request, life.session, ...args);
      if (typeof response?.status !== "number") {
        throw new ValidationError(`withSession() needs a Response from its handler, got ${typeof response}`);
      }
      const failure = await life.commit(() => commitOn(response, request, ...args));
      if (failure === null) return response;
      await response.body?.cancel().catch(() => {}); // a stream's producer is told; one that is being read is left alone
      return await onCommitError(failure.error, request, ...args) ?? failureResponse(failure.error);
    } finally {
      await life.end();
    }
  };
}

function succeeded({ status }: Response): boolean {
  return isSuccess(status);
}

/** What the client is not to know somebody should. */
function report(error: unknown): void {
  if (failureResponse(error).status === 500) console.error("A commit failed", error);
}
