/**
 * A session that stands for the one of the scope that runs now: each member goes to that one. Made of `Session.prototype`,
 * so that it has whatever a session has.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import type { SessionFactory } from "../session/factory.ts";
import type { SessionOptions } from "../session/options.ts";
import { type Scope, SessionRegistry } from "../session/registry.ts";
import { Session } from "../session/session.ts";
import { isPassive } from "./lazy_session.ts";

/** What a scoped session has besides the members of a session. */
export interface ScopedSession extends Session {
  /**
   * The session of this scope itself, made when there is none. Throws an `InvalidStateError` when options are given and
   * there is one.
   */
  (options?: Partial<SessionOptions>): Session;
  /**
   * Ends the session of this scope, if there is one: rolls back what was not committed, closes and forgets it. Sends at most
   * a rollback.
   */
  remove(): Promise<void>;
  /** With an instance: the same as `delete`. */
  remove(instance: object): Promise<void>;
  /** Changes the options of the sessions that the factory makes from now on. */
  configure(options: Partial<SessionOptions>): void;
  /** The sessions, by scope. */
  readonly registry: SessionRegistry;
}

/**
 * A session for each scope: one name to import where code should not be handed a session. The scope is a function that
 * gives a key, the same as long as the scope is the same: an object that stands for the request, say, from an
 * `AsyncLocalStorage` (`asyncScope` of `@ledge/session/context`). Objects are held weakly. Of any other key the session is
 * kept until `remove()`, which is to be called when the scope ends, so that nothing is left open.
 *
 * A session that was closed is replaced by a new one when the scope is used again. Sends nothing. Of a factory with `scoped`
 * and `scope` options the scope is its own: give none.
 *
 * @example
 * ```ts
 * import { createAll, model, scopedSession, sessionFactory, t } from "@ledge/session";
 * import { libsql } from "@ledge/session/libsql/local";
 * import { assert, assertEquals } from "@std/assert";
 *
 * class Book extends model("books", { id: t.uuid().primaryKey(), title: t.text() }) {}
 * const db = libsql({ url: ":memory:" });
 * await createAll(db, [Book]);
 *
 * let request = {}; // what tells this scope from another
 * const session = scopedSession(sessionFactory({ bind: db }), () => request);
 * session.add(new Book({ title: "Edges" }));
 * request = {};
 * assertEquals(session.new.size, 0); // another scope, another session
 * assert(session() !== null);
 * await session.remove();
 * ```
 */
export function scopedSession(factory: SessionFactory, scope?: Scope): ScopedSession {
  if (typeof factory !== "function" || typeof factory.configure !== "function") {
    throw new ValidationError("scopedSession() needs a factory, as sessionFactory(…) makes one");
  }
  const registry = registryOf(factory, scope);
  const own: Readonly<Record<string, unknown>> = {
    registry,
    configure: (options: Partial<SessionOptions>): void => factory.configure(options),
    async remove(...instance: [object?]): Promise<void> {
      if (instance.length > 0) return await registry.get().remove(instance[0]!);
      const session = registry.peek();
      registry.clear();
      await session?.[Symbol.asyncDispose]();
    },
  };
  const call = (options?: Partial<SessionOptions>): Session => registry.get(options);
  return new Proxy(call, {
    getPrototypeOf: () => Session.prototype,
    has: (_, property) => property in own || property in Session.prototype,
    get(_, property) {
      if (typeof property === "string" && Object.hasOwn(own, property)) return own[property];
      if (isPassive(property)) return Reflect.get(Session.prototype, property);
      const session = registry.get();
      const value: unknown = Reflect.get(session, property);
      return typeof value === "function" ? value.bind(session) : value; // its private fields are not on the proxy
    },
    set: (_, property, value) => Reflect.set(registry.get(), property, value),
  }) as unknown as ScopedSession;
}

function registryOf(factory: SessionFactory, scope: Scope | undefined): SessionRegistry {
  const { registry } = factory;
  if (registry === null) return new SessionRegistry(factory, scope!);
  if (scope === undefined) return registry;
  throw new ValidationError("scopedSession() was given a scope, and its factory has one already; leave it out");
}
