/**
 * Factories: one place for the options, a fresh session for each unit of work.
 *
 * @module
 */
import type { TransactionOptions } from "../database.ts";
import {
  DeadlockError,
  LockTimeoutError,
  SerializationError,
  StaleDataError,
  TransactionLostError,
  ValidationError,
} from "../errors.ts";
import { checkSessionOptions, refuseUnknown, type SessionOptions } from "./options.ts";
import { Session } from "./session.ts";

/** Options of `Factory.run`. */
export interface RunOptions extends TransactionOptions {
  /** How often the function is run again at the most; 5 unless given. */
  readonly retries?: number;
  /** Gives up between attempts, and the commit with it. */
  readonly signal?: AbortSignal;
}

/** Makes sessions. Callable: `factory()` gives a session. */
export interface SessionFactory {
  /** Makes a session; given options go before the factory's. */
  (options?: Partial<SessionOptions>): Session;
  /** Changes the options of the sessions made from now on. */
  configure(options: Partial<SessionOptions>): void;
  /** Runs a function with a fresh session inside a transaction: commits when it returns, rolls back when it throws, closes always. */
  begin<R>(fn: (session: Session) => Promise<R> | R): Promise<R>;
  /**
   * Does what `begin` does, and does it again with a fresh session, after a growing and jittered pause, on stale data, a
   * serialization failure, a deadlock, a lock that was not had or a lost transaction; on nothing else.
   */
  run<R>(fn: (session: Session) => Promise<R> | R, options?: RunOptions): Promise<R>;
}

/** The pause before the second attempt, in milliseconds at the most; it doubles up to the cap. */
const FIRST_PAUSE = 10;
const LONGEST_PAUSE = 1000;

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
export function sessionFactory(options: SessionOptions): SessionFactory {
  checkSessionOptions(options);
  let current = options;
  const make = (given: Partial<SessionOptions> = {}): Session => new Session({ ...current, ...given });

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
      await pause(Math.random() * Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** failures), signal);
    }
  }

  return Object.assign(make, {
    configure(more: Partial<SessionOptions>): void {
      const next = { ...current, ...more };
      checkSessionOptions(next);
      current = next;
    },
    begin: <R>(fn: (session: Session) => Promise<R> | R): Promise<R> => attempt(fn),
    run,
  });
}

/** Whether the work can succeed when it is done again from the beginning. */
function isWorthAnotherTry(error: unknown): boolean {
  return [StaleDataError, SerializationError, DeadlockError, LockTimeoutError, TransactionLostError]
    .some((retried) => error instanceof retried);
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener("abort", end);
  });
}
