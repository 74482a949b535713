/**
 * A session that is made on first touch, so that a request that does not need one does not pay for one. Knows nothing of
 * any web framework.
 *
 * @module
 */
import { InvalidStateError } from "../errors.ts";
import { Session } from "../session/session.ts";

/** A session to hand out, and what the one who hands it out needs to know of it. */
export interface LazySession {
  /** Stands for the session: makes it when a property is read or set, and forwards to it from then on. */
  readonly session: Session;
  /** The session itself, once it was made. */
  made(): Session | null;
  /**
   * Rolls back what was not committed and closes, if it was made; from now on none is made. Never throws: the outcome is
   * decided by then, and a server undoes by itself what was neither committed nor rolled back.
   */
  end(): Promise<void>;
}

/**
 * What a promise, `JSON.stringify` and a console ask of any object. No session has it, so it makes none.
 *
 * A session's own symbols (`asyncDispose`, `iterator`) are on its prototype; all others are somebody's question.
 */
export function isPassive(property: PropertyKey): boolean {
  return typeof property === "symbol"
    ? !(property in Session.prototype)
    : property === "then" || property === "toJSON" || property === "constructor";
}

/**
 * Hands out a session that `make` makes on first touch, once at the most. It is an `instanceof Session`; methods run on
 * the real one, which is what `objectSession()` gives and what `transaction(fn)` passes to its function. Awaiting it,
 * printing it and `JSON.stringify` do not touch it.
 */
export function lazySession(make: () => Session): LazySession {
  let made: Session | null = null;
  let hasEnded = false;

  function touch(): Session {
    if (made !== null) return made;
    if (hasEnded) {
      throw new InvalidStateError(
        "Cannot use this session: the request that it was for has been answered; " +
          "touch it before the handler returns, or make a session of your own for what outlives the request",
      );
    }
    return made = make();
  }

  const session = new Proxy<Session>(Object.create(Session.prototype), {
    get(target, property) {
      if (isPassive(property)) return Reflect.get(target, property);
      const real = touch();
      const value: unknown = Reflect.get(real, property);
      return typeof value === "function" ? value.bind(real) : value; // its private fields are not on the proxy
    },
    set: (_, property, value) => Reflect.set(touch(), property, value),
    has: (target, property) => Reflect.has(made ?? target, property),
    ownKeys: (target) => Reflect.ownKeys(made ?? target),
    getOwnPropertyDescriptor: (target, property) => Reflect.getOwnPropertyDescriptor(made ?? target, property),
  });

  return {
    session,
    made: () => made,
    async end() {
      hasEnded = true;
      if (made === null || made.state === "closed") return;
      try {
        await made[Symbol.asyncDispose]();
      } catch { /* see above */ }
    },
  };
}
