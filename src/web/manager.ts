/**
 * The session of the current context: one manager opens it, whatever runs inside finds it. Knows no async context itself;
 * a storage that does is handed in (an `AsyncLocalStorage`, or anything that works like one).
 *
 * @module
 */
import { type ErrorCode, InvalidStateError, LedgeError, ValidationError } from "../errors.ts";
import { refuseUnknown } from "../execution/call_options.ts";
import type { SessionFactory } from "../session/factory.ts";
import { Session } from "../session/session.ts";

/** What a context knows. Opaque: a storage only keeps it. */
export interface SessionContext {
  /** The session; null where a manager was told that there may be none. */
  readonly session: Session | null;
  /** Where sessions come from; null where a manager was given a session. */
  readonly factory: SessionFactory | null;
}

/** What keeps a context for as long as a function and what it awaits run; an `AsyncLocalStorage` is one. */
export interface ContextStorage {
  /** Runs a function in a context. */
  run<R>(context: SessionContext, fn: () => R): R;
  /** The context that this runs in. */
  getStore(): SessionContext | undefined;
}

/** Options of a session manager. */
export interface ManagerOptions {
  /**
   * The session to use, which stays open, or the factory to make one with; that of the surrounding manager unless given.
   */
  readonly using?: Session | SessionFactory;
  /**
   * Whether to commit when the function returns, and to roll back when it throws, whoever made the session. False unless
   * given.
   */
  readonly autoCommit?: boolean;
  /** Whether to make a session even where the context has one. False unless given. */
  readonly new?: boolean;
  /**
   * What to do where the context has no session: make one (unless given), throw an `InvalidStateError`, or go on with null.
   */
  readonly onMissing?: "create" | "raise" | "empty";
}

/** Runs functions with the session of their context. */
export interface SessionManager {
  /** Runs a function with the session of this context, or null where there is none. */
  <R>(
    options: ManagerOptions & { readonly onMissing: "empty" },
    fn: (session: Session | null) => Promise<R> | R,
  ): Promise<R>;
  /** Runs a function with the session of this context, or a new one. */
  <R>(options: ManagerOptions, fn: (session: Session) => Promise<R> | R): Promise<R>;
}

/** A manager, and what finds its session. */
export interface SessionManagement {
  /** Runs a function with the session of its context. */
  readonly sessionManager: SessionManager;
  /** The session of this context. Throws an `InvalidStateError` where there is none. */
  readonly currentSession: () => Session;
}

/** What failed inside a session manager: its `cause` is the error itself. */
export class SessionManagerError extends LedgeError {
  /** `"LEDGE_SESSION_MANAGER"`. */
  readonly code: ErrorCode = "LEDGE_SESSION_MANAGER";
  /** What was under way: the manager's function, the commit after it, or the closing of the session. */
  readonly phase: "function" | "commit" | "close";
  /** Makes an error. */
  constructor(phase: "function" | "commit" | "close", cause: unknown) {
    super(`${FAILED[phase]}; the error's cause tells why`, { cause });
    this.phase = phase;
  }
}

const FAILED = {
  function: "What a session manager ran has failed",
  commit: "The commit of a session manager has failed",
  close: "The session of a session manager could not be closed",
} as const;

const OPTIONS = ["using", "autoCommit", "new", "onMissing"];
const MISSING: readonly unknown[] = ["create", "raise", "empty", undefined];

/**
 * Makes a session manager over a storage: for places without `node:async_hooks`. Where there is one,
 * `@ledge/session/context` has `sessionManager` and `currentSession` ready made, and their documentation. Sends nothing.
 *
 * @example
 * ```ts
 * import { type ContextStorage, createSessionManager, sessionFactory, type SessionContext } from "@ledge/session";
 * import { libsql } from "@ledge/session/libsql/local";
 *
 * // Good for code that awaits nothing while something else runs: a script, a test.
 * let current: SessionContext | undefined;
 * const storage: ContextStorage = {
 *   getStore: () => current,
 *   run(context, fn) {
 *     const before = current;
 *     current = context;
 *     const result = fn();
 *     if (result instanceof Promise) result.finally(() => current = before).catch(() => {});
 *     else current = before;
 *     return result;
 *   },
 * };
 * const { sessionManager, currentSession } = createSessionManager(storage);
 * const using = sessionFactory({ bind: libsql({ url: ":memory:" }) });
 * await sessionManager({ using }, async () => {
 *   await currentSession().execute("SELECT 1");
 * });
 * ```
 */
export function createSessionManager(storage: ContextStorage): SessionManagement {
  if (typeof storage?.run !== "function" || typeof storage.getStore !== "function") {
    throw new ValidationError("createSessionManager() needs a storage with run() and getStore()");
  }

  async function sessionManager<R>(
    options: ManagerOptions,
    fn: (session: Session) => Promise<R> | R,
  ): Promise<R> {
    checkOptions(options, fn);
    const { context, own } = contextFor(options, storage.getStore());
    const { session } = context;
    const close = (): Promise<void> => session![Symbol.asyncDispose](); // rolls back first
    let value: R;
    try {
      value = await step("function", () => storage.run(context, async () => await fn(session!)));
      if (options.autoCommit && session !== null) await step("commit", () => session.commit());
    } catch (error) {
      // The first error is what the caller gets, whatever becomes of the rest.
      if (own) await close().catch(() => {});
      else if (options.autoCommit) await session?.rollback().catch(() => {});
      throw error;
    }
    if (own) await step("close", close);
    return value;
  }

  return {
    sessionManager: sessionManager as SessionManager,
    currentSession(): Session {
      const session = storage.getStore()?.session ?? null;
      if (session !== null) return session;
      throw new InvalidStateError(
        "There is no current session here: call currentSession() inside the function of a sessionManager()",
      );
    },
  };
}

/** Runs a part of the work. What it throws is wrapped once, however many managers it comes through. */
async function step<R>(phase: SessionManagerError["phase"], run: () => Promise<R>): Promise<R> {
  try {
    return await run();
  } catch (error) {
    throw error instanceof SessionManagerError ? error : new SessionManagerError(phase, error);
  }
}

/** The context for a function, and whether its session was made for it. */
function contextFor(
  { using, new: fresh = false, onMissing = "create" }: ManagerOptions,
  outer: SessionContext | undefined,
): { readonly context: SessionContext; readonly own: boolean } {
  const outerFactory = outer?.factory ?? null;
  if (isSession(using)) return { context: { session: using, factory: outerFactory }, own: false };
  const factory = using ?? outerFactory;
  // A session of another factory is of another database, as likely as not: it is not what was asked for.
  const found = outer?.session?.state === "closed" ? null : outer?.session ?? null;
  const isOf = using === undefined || outerFactory === null || outerFactory === using;
  if (!fresh && found !== null && isOf) return { context: { session: found, factory }, own: false };
  if (!fresh && onMissing === "raise") {
    throw new InvalidStateError(
      'sessionManager() found no session in this context, and onMissing is "raise"; call it inside another manager',
    );
  }
  if (!fresh && onMissing === "empty") return { context: { session: null, factory }, own: false };
  if (factory === null) {
    throw new ValidationError(
      "sessionManager() has nothing to make a session with; give it a factory: sessionManager({ using: factory }, fn)",
    );
  }
  const { registry } = factory;
  if (registry !== null) {
    throw new ValidationError(
      "sessionManager() needs a factory that is not scoped: it keeps the sessions of its contexts apart by itself",
    );
  }
  return { context: { session: factory(), factory }, own: true };
}

/** A factory is a function without the prototype of a session; a scoped session is a session. */
function isSession(using: Session | SessionFactory | undefined): using is Session {
  return using instanceof Session;
}

function checkOptions(options: ManagerOptions, fn: unknown): void {
  if (typeof options !== "object" || options === null || typeof fn !== "function") {
    throw new ValidationError("sessionManager() needs options and a function: sessionManager({ using: factory }, fn)");
  }
  refuseUnknown(options, OPTIONS, "sessionManager()");
  const { using, autoCommit, new: fresh, onMissing } = options;
  for (const [name, value] of Object.entries({ autoCommit, new: fresh })) {
    if (value !== undefined && typeof value !== "boolean") throw new ValidationError(`${name} must be true or false`);
  }
  if (!MISSING.includes(onMissing)) {
    throw new ValidationError('onMissing must be "create", "raise" or "empty"');
  }
  if (using === undefined) return;
  if (!isSession(using) && !(typeof using === "function" && typeof using.configure === "function")) {
    throw new ValidationError("using must be a session, or a factory as sessionFactory(…) makes one");
  }
  if (isSession(using) && fresh) {
    throw new ValidationError("sessionManager() cannot make a new session while using a given one; give it a factory");
  }
}
