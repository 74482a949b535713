/**
 * The session of the current async context, by `AsyncLocalStorage`. In an entry point of its own, since not every runtime
 * has `node:async_hooks`: Node, Deno and Bun do, Workers with the flag `nodejs_als` or `nodejs_compat`; elsewhere hand a
 * storage of your own to `createSessionManager()`.
 *
 * @example
 * ```ts
 * import { createAll, model, sessionFactory, t } from "@ledge/session";
 * import { currentSession, sessionManager } from "@ledge/session/context";
 * import { libsql } from "@ledge/session/libsql/local";
 * import { assertEquals } from "@std/assert";
 *
 * class Book extends model("books", { id: t.uuid().primaryKey(), title: t.text() }) {}
 * const db = libsql({ url: ":memory:" });
 * await createAll(db, [Book]);
 * const using = sessionFactory({ bind: db });
 *
 * // Somewhere deep down, where no session was handed in.
 * const addBook = (title: string) => currentSession().add(new Book({ title }));
 *
 * await sessionManager({ using, autoCommit: true }, () => {
 *   addBook("Edges");
 * });
 * assertEquals(await sessionManager({ using }, (session) => session.query(Book).count()), 1);
 * ```
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { InvalidStateError } from "../errors.ts";
import type { Session } from "../session/session.ts";
import { createSessionManager, type SessionContext, type SessionManager } from "./manager.ts";

export { type ManagerOptions, type SessionManager, SessionManagerError } from "./manager.ts";

const management = /* @__PURE__ */ createSessionManager(/* @__PURE__ */ new AsyncLocalStorage<SessionContext>());

/**
 * Runs a function with the session of its async context, which `currentSession()` gives to whatever the function calls
 * and awaits. Two requests never see each other's, however their awaits interleave.
 *
 * Where the context has no session one is made with the factory (`using`, or that of the surrounding manager) and closed
 * afterwards: what was not committed is rolled back. A session that was there, or was given, stays open and as it is.
 * `autoCommit` commits when the function returns, and rolls back when it throws or the commit fails.
 *
 * What the function throws, and what fails in the commit, comes out as a `SessionManagerError` with the error as its
 * `cause`, once however deep managers are nested. Throws a `ValidationError` for options that are not there or do not go
 * together, an `InvalidStateError` for a missing session with `onMissing: "raise"`. Sends nothing but the commit or
 * rollback.
 *
 * @example
 * ```ts
 * import { sessionFactory } from "@ledge/session";
 * import { currentSession, sessionManager } from "@ledge/session/context";
 * import { libsql } from "@ledge/session/libsql/local";
 * import { assert } from "@std/assert";
 *
 * const using = sessionFactory({ bind: libsql({ url: ":memory:" }) });
 * await sessionManager({ using }, async (outer) => {
 *   await sessionManager({}, (inner) => assert(inner === outer));
 *   await sessionManager({ new: true }, (fresh) => assert(fresh !== outer && fresh === currentSession()));
 *   assert(currentSession() === outer);
 * });
 * ```
 */
export const sessionManager: SessionManager = management.sessionManager;

/**
 * The session of the current async context. Throws an `InvalidStateError` outside any `sessionManager()`. Sends nothing.
 *
 * @example
 * ```ts
 * import { currentSession } from "@ledge/session/context";
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => currentSession(), Error, "There is no current session");
 * ```
 */
export const currentSession: () => Session = management.currentSession;

/** A scope for `scopedSession()` and scoped factories: the innermost `run` that is under way. */
export interface AsyncScope {
  /** The key of the scope. Throws an `InvalidStateError` outside any. */
  (): object;
  /** Runs a function, and all that it awaits, in a scope of its own. */
  run<R>(fn: () => R): R;
}

const scopes = /* @__PURE__ */ new AsyncLocalStorage<object>();

/**
 * A scope that follows the async context: `asyncScope.run(fn)` begins one, and whatever `fn` calls and awaits is in it.
 *
 * @example
 * ```ts
 * import { scopedSession, sessionFactory } from "@ledge/session";
 * import { asyncScope } from "@ledge/session/context";
 * import { libsql } from "@ledge/session/libsql/local";
 *
 * const session = scopedSession(sessionFactory({ bind: libsql({ url: ":memory:" }) }), asyncScope);
 * await asyncScope.run(async () => { // one request
 *   await session.execute("SELECT 1");
 *   await session.remove();
 * });
 * ```
 */
export const asyncScope: AsyncScope = /* @__PURE__ */ Object.assign(
  (): object => {
    const scope = scopes.getStore();
    if (scope !== undefined) return scope;
    throw new InvalidStateError("There is no async scope here: call this inside asyncScope.run()");
  },
  { run: <R>(fn: () => R): R => scopes.run({}, fn) },
);
