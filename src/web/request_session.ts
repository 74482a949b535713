/**
 * The session of one request, whatever hands the request over: where it comes from, when it is committed, and that it is
 * closed. The one place for that policy; handler.ts and hono.ts bring it into their own shape, and say what is a success.
 *
 * @module
 */
import type { Database } from "../database.ts";
import {
  CommitOutcomeUnknownError,
  LedgeError,
  StaleDataError,
  UniqueViolationError,
  ValidationError,
} from "../errors.ts";
import { refuseUnknown } from "../execution/call_options.ts";
import type { SessionFactory } from "../session/factory.ts";
import { checkSessionOptions, SESSION_OPTIONS, type SessionOptions } from "../session/options.ts";
import { Session } from "../session/session.ts";
import { lazySession } from "./lazy_session.ts";

/** What every form of the options has. `Args` is what functions among them are called with. */
export interface RequestOptions<Args extends unknown[]> {
  /**
   * Whether the sessions of GET and HEAD requests are read-only, or a function that says which requests' are; asked before
   * the handler. False unless given.
   */
  readonly readOnly?: boolean | ((...args: Args) => boolean);
  /**
   * Whether the session of a request that its client aborted (`request.signal`) may be committed too. Unless given it is
   * rolled back, which is decided before the commit is sent, never during it. Where this is true, and where the session is
   * read-only, the signal is not looked at.
   */
  readonly commitAborted?: boolean;
}

/** The options of sessions that are made here: those of a session, with a bind that may depend on the request. */
export interface FromBind<Args extends unknown[]>
  extends RequestOptions<Args>, Omit<SessionOptions, "bind" | "readOnly"> {
  /**
   * The database, or a function that gives it, called for each request before the handler: where it must not be shared
   * between requests, or is known by the environment that comes with the request only.
   */
  readonly bind: Database | ((...args: Args) => Database | Promise<Database>);
  /** Whether to close the database that the `bind` function gave, after the session. False unless given: it is yours. */
  readonly closeBind?: boolean;
}

/** The options of sessions that a factory makes. */
export interface FromFactory<Args extends unknown[]> extends RequestOptions<Args> {
  /**
   * The factory, or a function that gives it, called for each request before the handler. (A factory is a function too: its
   * type is without that here, so that the compiler knows what such a function is called with.)
   */
  readonly factory:
    | Pick<SessionFactory, keyof SessionFactory>
    | ((...args: Args) => SessionFactory | Promise<SessionFactory>);
}

/** A request, as those who hand it over know it. */
export interface Incoming<Args extends unknown[]> {
  readonly request: Request;
  /** What functions among the options are called with. */
  readonly args: Args;
  /** What may have Workers' or Vercel's `waitUntil`. */
  readonly contexts: readonly unknown[];
  /** Is given the session when it is made. */
  readonly watch?: (session: Session) => void;
}

/** The session of one request. */
export interface RequestSession {
  /** Stands for the session, which is made when it is touched. */
  readonly session: Session;
  /** Whether it was made. */
  isMade(): boolean;
  /**
   * Commits what the handler left, when the session was touched, the client is still there and `isWanted` says so. Gives
   * what the commit failed with, or null.
   */
  commit(isWanted: () => boolean): Promise<{ readonly error: unknown } | null>;
  /**
   * Rolls back what was not committed and closes, the bind too if it was to be: the response is decided, and waits for it
   * only where nothing else would (`waitUntil`). Never throws.
   */
  end(): Promise<void>;
}

/** Where one request's session comes from, and what to do once it is closed. */
interface Source {
  make(readOnly: boolean): Session;
  close?(): Promise<void>;
}

/**
 * Checks the options as far as they are known before a request; gives what begins the session of one. `own` are the names
 * of options that are the caller's business, already checked by it and no longer among these.
 */
export function requestSessions<Args extends unknown[]>(
  what: string,
  options: FromBind<Args> | FromFactory<Args>,
  own: readonly string[],
): (incoming: Incoming<Args>) => Promise<RequestSession> {
  if (typeof options !== "object" || options === null || "bind" in options === "factory" in options) {
    throw new ValidationError(`${what} needs either a bind or a factory: ${what.replace(")", "{ bind: db })")}`);
  }
  const names = "bind" in options ? [...SESSION_OPTIONS, "closeBind"] : ["factory", "readOnly"];
  refuseUnknown(options, [...names, "commitAborted", ...own], what);
  const { readOnly = false, commitAborted = false } = options;
  if (typeof readOnly !== "function" && typeof readOnly !== "boolean") {
    throw new ValidationError(`${what} needs readOnly as a boolean or a function, got ${typeof readOnly}`);
  }
  if (typeof commitAborted !== "boolean") throw new ValidationError("commitAborted must be true or false");
  const open = "bind" in options ? fromBind(what, options) : fromFactory(what, options.factory);

  return async ({ request, args, contexts, watch }) => {
    const onlyReads = typeof readOnly === "function" ? readOnly(...args) : readOnly && isReading(request);
    // Now: Deno and Node do not tell of an abort that came before the signal was first looked at.
    const signal = onlyReads || commitAborted ? null : request.signal;
    const waitUntil = findWaitUntil(contexts);
    const source = await open(args);
    const lazy = lazySession(() => {
      const session = source.make(onlyReads);
      watch?.(session);
      return session;
    });
    let settle = (): void => {};
    if (signal !== null && waitUntil !== null) {
      // Workers end what runs for a client that went away, unless told of something to wait for: here the rollback.
      const ended = new Promise<void>((resolve) => settle = resolve);
      signal.addEventListener("abort", () => waitUntil(ended), { once: true });
    }

    async function close(): Promise<void> {
      await lazy.end();
      try {
        await source.close?.();
      } catch { /* The outcome is decided: a commit was made or was not. */ }
      settle();
    }

    return {
      session: lazy.session,
      isMade: () => lazy.made() !== null,
      async commit(isWanted) {
        const session = lazy.made();
        if (session === null || session.state === "closed" || signal?.aborted) return null;
        const wanted: unknown = isWanted();
        if (typeof wanted !== "boolean") { // A promise would be taken for yes.
          throw new ValidationError(`commitOn must give true or false, got ${typeof wanted}`);
        }
        if (!wanted) return null;
        try {
          await session.commit();
          return null;
        } catch (error) {
          return { error };
        }
      },
      async end() {
        const closing = close();
        if (waitUntil === null) return await closing;
        if (lazy.made() === null && source.close === undefined) return;
        try {
          waitUntil(closing);
        } catch {
          await closing; // A context that is no longer there takes no response with it.
        }
      },
    };
  };
}

/** Whether a status is that of a success. That of `Response.error()`, 0, cannot be sent at all. */
export function isSuccess(status: number): boolean {
  return status > 0 && status < 400;
}

/** The answer to a commit that failed: 409 where somebody else was first, else 500; nothing internal is in it. */
export function failureResponse(error: unknown): Response {
  const [status, message] = error instanceof StaleDataError
    ? [409, "This was changed by somebody else meanwhile; read it again, then retry"]
    : error instanceof UniqueViolationError
    ? [409, "A value that must be unique is taken already"]
    : error instanceof CommitOutcomeUnknownError
    ? [500, "It is not known whether this was saved; read it before you retry"]
    : [500, "This could not be saved"];
  return Response.json({ error: error instanceof LedgeError ? error.code : "INTERNAL_ERROR", message }, { status });
}

/** Checks that options are functions where they are given. */
export function requireFunctions(what: string, options: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && typeof value !== "function") {
      throw new ValidationError(`${what} needs ${name} as a function, got ${typeof value}`);
    }
  }
}

function fromBind<Args extends unknown[]>(
  what: string,
  { bind, closeBind = false, readOnly = false, commitAborted: _, ...rest }: FromBind<Args>,
): (args: Args) => Source | Promise<Source> {
  if (typeof bind !== "function") {
    if (closeBind) {
      throw new ValidationError(
        `${what} cannot close a bind that all requests share; closeBind goes with a function as bind`,
      );
    }
    const options = { bind, ...rest };
    checkSessionOptions({ ...options, readOnly: readOnly !== false });
    return () => ({ make: (readOnly) => new Session({ ...options, readOnly }) });
  }
  return async (args) => {
    const database = await bind(...args);
    return {
      make: (readOnly) => new Session({ bind: database, ...rest, readOnly }),
      ...closeBind ? { close: () => database.close() } : {},
    };
  };
}

function fromFactory<Args extends unknown[]>(
  what: string,
  factory: FromFactory<Args>["factory"],
): (args: Args) => Source | Promise<Source> {
  const sourceOf = (from: unknown): Source => {
    if (isFactory(from)) return { make: (readOnly) => readOnly ? from({ readOnly }) : from() };
    throw new ValidationError(`${what} needs a factory, as sessionFactory(…) makes one, or a function that gives one`);
  };
  if (typeof factory !== "function" || isFactory(factory)) {
    const source = sourceOf(factory);
    return () => source;
  }
  return async (args) => sourceOf(await factory(...args));
}

/** A factory is a function that can be configured. */
function isFactory(factory: unknown): factory is SessionFactory {
  return typeof factory === "function" && "configure" in factory;
}

function isReading({ method }: Request): boolean {
  return method === "GET" || method === "HEAD";
}

/** The `waitUntil` of Workers' and Vercel's context, wherever among the arguments it is. */
function findWaitUntil(contexts: readonly unknown[]): ((work: Promise<unknown>) => void) | null {
  for (const one of contexts) {
    if (typeof one !== "object" || one === null || !("waitUntil" in one)) continue;
    const { waitUntil } = one;
    if (typeof waitUntil === "function") return (work) => waitUntil.call(one, work);
  }
  return null;
}
