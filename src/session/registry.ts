/**
 * One session a scope: a request, a task, whatever a function of the user's tells apart. Knows no async context; a
 * function that does is injected.
 *
 * @module
 */
import { InvalidStateError, ValidationError } from "../errors.ts";
import type { SessionOptions } from "./options.ts";
import type { Session } from "./session.ts";

/** Gives the key of the scope that runs now: any value but null and undefined, which mean that there is none. */
export type Scope = () => unknown;

/** The sessions of scopes. Objects and functions as keys are held weakly; others until their session is removed. */
export class SessionRegistry {
  readonly #make: (options?: Partial<SessionOptions>) => Session;
  readonly #scope: Scope;
  readonly #byObject: WeakMap<object, Session> = new WeakMap();
  readonly #byValue: Map<unknown, Session> = new Map();

  /** @internal */
  constructor(make: (options?: Partial<SessionOptions>) => Session, scope: Scope) {
    if (typeof scope !== "function") {
      throw new ValidationError(
        "A scoped session needs a scope: a function that gives the key of the scope that runs now",
      );
    }
    this.#make = make;
    this.#scope = scope;
  }

  /**
   * The session of this scope, made when there is none or it was closed. Throws an `InvalidStateError` outside any scope,
   * and when options are given while there is one.
   */
  get(options?: Partial<SessionOptions>): Session {
    const key = this.#key();
    const there = this.#find(key);
    if (there === undefined) {
      const made = this.#make(options);
      this.#keep(key, made);
      return made;
    }
    if (options === undefined) return there;
    throw new InvalidStateError(
      "Cannot make a session with these options: this scope has a session already; remove() it first, or give no options",
    );
  }
  /** The session of this scope if there is one that is not closed; makes none. */
  peek(): Session | null {
    return this.#find(this.#key()) ?? null;
  }
  /** Whether this scope has a session. */
  has(): boolean {
    return this.peek() !== null;
  }
  /** Makes a session that of this scope, in place of another, which is left as it is. */
  set(session: Session): void {
    this.#keep(this.#key(), session);
  }
  /** Forgets the session of this scope, which is left as it is; `remove()` of the scoped session closes it too. */
  clear(): void {
    const key = this.#key();
    if (isHeldWeakly(key)) this.#byObject.delete(key);
    else this.#byValue.delete(key);
  }

  #key(): unknown {
    const key = this.#scope();
    if (key !== null && key !== undefined) return key;
    throw new InvalidStateError(
      "Cannot use the scoped session: there is no scope here, as its scope function gave no key; call it inside one",
    );
  }

  #find(key: unknown): Session | undefined {
    const session = isHeldWeakly(key) ? this.#byObject.get(key) : this.#byValue.get(key);
    return session?.state === "closed" ? undefined : session;
  }

  #keep(key: unknown, session: Session): void {
    if (isHeldWeakly(key)) this.#byObject.set(key, session);
    else this.#byValue.set(key, session);
  }
}

function isHeldWeakly(key: unknown): key is object {
  return typeof key === "object" || typeof key === "function";
}
