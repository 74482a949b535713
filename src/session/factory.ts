/**
 * Factories: one place for the options, a fresh session for each unit of work.
 *
 * @module
 */
import type { TransactionOptions } from "../database.ts";
import {
  DatabaseError,
  DeadlockError,
  LockTimeoutError,
  SerializationError,
  StaleDataError,
  TransactionLostError,
  ValidationError,
} from "../errors.ts";
import { refuseUnknown } from "../execution/call_options.ts";
import { pause } from "../execution/pause.ts";
import { type EventHandler, type HandlerOptions, Handlers, type SessionEvents } from "./events.ts";
import { MadeSessions } from "./made.ts";
import { checkSessionOptions, type SessionOptions } from "./options.ts";
import { type Scope, SessionRegistry } from "./registry.ts";
import { Session } from "./session.ts";

/** Options of `Factory.run`. */
export interface RunOptions extends TransactionOptions {
  /** How often the function is run again at the most; 5 unless given. */
  readonly retries?: number;
  /** Gives up between attempts, and the commit with it. */
  readonly signal?: AbortSignal;
}

/** The options of a factory: those of its sessions, and whether there is one a scope. */
export interface FactoryOptions extends SessionOptions {
  /** Whether `factory()` gives the session of the scope that runs now, instead of a new one. Goes with `scope`. */
  readonly scoped?: boolean;
  /** With `scoped`: gives the key of the scope that runs now; see `scopedSession()`. */
  readonly scope?: Scope;
}

/** Makes sessions. Callable: `factory()` gives a session. */
export interface SessionFactory {
  /**
   * Makes a session; given options go before the factory's. Of a scoped factory: the session of this scope, which is made
   * when there is none; throws an `InvalidStateError` when options are given and there is one.
   */
  (options?: Partial<SessionOptions>): Session;
  /** The sessions of a scoped factory, by scope; null for any other. `scopedSession(factory).remove()` ends one. */
  readonly registry: SessionRegistry | null;
  /** Changes the options of the sessions made from now on. */
  configure(options: Partial<SessionOptions>): void;
  /** Adds a handler of an event to the sessions made from now on; it runs before those that they are given themselves. */
  on<N extends keyof SessionEvents>(name: N, handler: EventHandler<N>, options?: HandlerOptions): void;
  /** Takes a handler away from the sessions made from now on. */
  off<N extends keyof SessionEvents>(name: N, handler: EventHandler<N>): void;
  /**
   * Ends every session of this factory that is still there and not closed: waits for what is under way, rolls back what
   * was not committed, closes. For a server that shuts down, and between tests. One request for each session with a
   * connection. Throws an `UnsupportedError` where the runtime has no `WeakRef`, as sessions that nobody needs any more
   * could not be told from others: close each there.
   */
  closeAll(): Promise<void>;
  /** Runs a function with a fresh session inside a transaction: commits when it returns, rolls back when it throws, closes always. */
  begin<R>(fn: (session: Session) => Promise<R> | R): Promise<R>;
  /**
   * Does what `begin` does, and does it again with a fresh session, after a growing and jittered pause, on stale data, a
   * serialization failure, a deadlock, a lock that was not had or a lost transaction; on nothing else.
   */
  run<R>(fn: (session: Session) => Promise<R> | R, options?: RunOptions): Promise<R>;
}

/**
 * Makes a factory of sessions.
 *
 * @example
 * ```ts
 * import { createAll, model, sessionFactory, t } from "@ledge/session";
 * import { libsql } from "@ledge/session/libsql/local";
 *
 * class Book extends model("books", { id: t.identity(), title: t.text() }) {}
 * const db = libsql({ url: ":memory:" });
 * await createAll(db, [Book]);
 * const factory = sessionFactory({ bind: db });
 * await factory.begin((session) => session.add(new Book({ title: "Edges" })));
 * ```
 */
export function sessionFactory(given: FactoryOptions): SessionFactory {
  const { options, scope } = splitOptions(given);
  checkSessionOptions(options);
  let current = options;
  const handlers = new Handlers();
  const made = new MadeSessions();
  const make = (given: Partial<SessionOptions> = {}): Session => {
    const session = new Session({ ...current, ...given });
    for (const { name, handler, options } of handlers) session.on<typeof name>(name, handler as never, options);
    made.add(session);
    return session;
  };

  async function attempt<R>(
    fn: (session: Session) => Promise<R> | R,
    { retries: _, signal, ...begin }: RunOptions = {},
  ): Promise<R> {
    const session = make();
    try {
      await session.begin(begin);
      const value = await fn(session);
      await session.commit({ signal });
      return value;
    } finally {
      await session[Symbol.asyncDispose]();
    }
  }

  async function run<R>(fn: (session: Session) => Promise<R> | R, given: RunOptions = {}): Promise<R> {
    refuseUnknown(given, ["isolation", "readOnly", "deferrable", "retries", "signal"], "run()");
    const { retries = 5, signal } = given;
    if (!Number.isSafeInteger(retries) || retries < 0) {
      throw new ValidationError("retries must be a whole number that is not negative");
    }
    for (let failures = 0;; failures++) {
      signal?.throwIfAborted();
      try {
        return await attempt(fn, given);
      } catch (error) {
        if (failures === retries || !isWorthAnotherTry(error)) throw error;
      }
      await pause(failures, signal);
    }
  }

  const registry = scope === null ? null : new SessionRegistry(make, scope);
  return Object.assign(registry === null ? make : (given?: Partial<SessionOptions>) => registry.get(given), {
    registry,
    configure(more: Partial<SessionOptions>): void {
      const next = { ...current, ...more };
      checkSessionOptions(next);
      current = next;
    },
    on: <N extends keyof SessionEvents>(name: N, handler: EventHandler<N>, options?: HandlerOptions): void =>
      handlers.on(name, handler, options),
    off: <N extends keyof SessionEvents>(name: N, handler: EventHandler<N>): void => handlers.off(name, handler),
    closeAll: (): Promise<void> => made.closeAll(),
    begin: <R>(fn: (session: Session) => Promise<R> | R): Promise<R> => attempt(fn),
    run,
  });
}

/** Takes apart what is the factory's and what is its sessions'. */
function splitOptions(given: FactoryOptions): { readonly options: SessionOptions; readonly scope: Scope | null } {
  const { scoped, scope, ...options } = given ?? {};
  if (scoped !== undefined && typeof scoped !== "boolean") throw new ValidationError("scoped must be true or false");
  if (scoped ? typeof scope !== "function" : scope !== undefined) {
    throw new ValidationError(
      scoped
        ? "A scoped factory needs a scope: a function that gives the key of the scope that runs now"
        : "A scope is for a factory that is scoped; add scoped: true, or leave scope out",
    );
  }
  return { options, scope: scope ?? null };
}

/** Whether the work can succeed when it is done again from the beginning. */
function isWorthAnotherTry(error: unknown): boolean {
  if (error instanceof DatabaseError && !error.notApplied) return false;
  return [StaleDataError, SerializationError, DeadlockError, LockTimeoutError, TransactionLostError]
    .some((retried) => error instanceof retried);
}
