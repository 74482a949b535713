/**
 * Plateforme's bulk: many objects that refer to rows which are there already, by primary or unique key, resolved together.
 *
 * @module
 */
import type { CallOptions } from "../database.ts";
import { InvalidStateError, NoResultError, ValidationError } from "../errors.ts";
import { refuseUnknown } from "../execution/call_options.ts";
import { mapperOf } from "../model/mapper.ts";
import type { ModelArgument } from "../model/declared.ts";
import type { AnyModel, Entity } from "../model/types.ts";
import type { Session } from "../session/session.ts";
import { find } from "./finding.ts";
import { settle, showReference } from "./reference.ts";
import { type Entry, Register } from "./register.ts";

/** Which of the registered objects are meant. */
export type BulkScope =
  /** Those that refer to a row, and the others. */
  | "all"
  /** Those that refer to a row which must be there. */
  | "references"
  /** New data: objects to be inserted, or to update the row of their key. */
  | "values";

/** Options of {@linkcode bulk}. */
export interface BulkOptions {
  /**
   * Whether a proxy that stood in for a unique-key reference leads to the instance once it is resolved, for code that still
   * holds the proxy. True unless given; with false, using it then throws an `InvalidStateError`. Relations hold the
   * instance itself either way.
   */
  readonly proxyReference?: boolean;
}

/** Options of `resolve`. */
export interface ResolveOptions extends CallOptions {
  /** Whether to throw when a reference has no row. True unless given; otherwise those are returned. */
  readonly raiseErrors?: boolean;
  /** What to resolve; "all" unless given. */
  readonly scope?: BulkScope;
  /**
   * What is read of a reference's row: "bind" (unless given) its keys and version, which is enough to refer to it and to
   * change it; its other properties throw an `ExpiredPropertyError` until they are refreshed. "hydrate" reads all of it.
   */
  readonly strategy?: "bind" | "hydrate";
}

/** A reference that has no row. */
export interface UnresolvedReference {
  /** The model's name. */
  readonly model: string;
  /** What it was looked for by. */
  readonly key: Readonly<Record<string, unknown>>;
}

/** References that have no row; nothing was put in their places. */
export class UnresolvedReferenceError extends NoResultError {
  /** All of them, in the order in which they were given. Not shown with the error, in a log or as JSON: they hold keys. */
  declare readonly references: readonly UnresolvedReference[];
  /** Makes an error. */
  constructor(message: string, references: readonly UnresolvedReference[]) {
    super(message);
    Object.defineProperty(this, "references", { value: references });
  }
}

/** What the function of {@linkcode bulk} is given. */
export interface Bulk {
  /**
   * Registers an object, and the references that its relations hold, now or when they are resolved. What `reference()` made
   * is a reference; so is, with `isReference`, an instance that holds a primary key or a unique value. All others are
   * values. Gives the object, or the instance that it stands for where that is known by now. Sends nothing.
   */
  add<T extends Entity>(object: T, options?: { readonly isReference?: boolean }): T;
  /**
   * The registered objects of a model, each row's once: the session's instances of what is resolved, for the rest what was
   * given. Sends nothing.
   */
  get<M extends AnyModel>(
    model: ModelArgument<M>,
    options?: { readonly resolved?: boolean; readonly scope?: BulkScope },
  ): InstanceType<M>[];
  /**
   * Looks up the rows of what is not resolved yet: one read for each model, all in one request where the database batches.
   * References to the same row become the session's one instance of it, in every relation that held them. Values join the
   * session: one whose row is there is merged onto it, all others are added. One that still refers to what was not found
   * waits. Throws an `UnresolvedReferenceError` that lists every reference without a row; then nothing was replaced.
   */
  resolve(options?: ResolveOptions): Promise<readonly UnresolvedReference[]>;
}

/**
 * Runs a function that registers objects and resolves their references; what it did not try to resolve is resolved when it
 * returns. Nothing is written: the session's next commit does that. Gives what the function returns.
 *
 * One request for all references and values with keys where the database batches, one for each model otherwise; none when
 * nothing has to be looked up. A merge onto a row takes one more where the value holds relations. Throws an
 * `UnresolvedReferenceError`, and what the function throws.
 *
 * @example
 * ```ts
 * import { belongsTo, createAll, model, Session, t } from "@ledge/session";
 * import { bulk, reference } from "@ledge/session/bulk";
 * import { libsql } from "@ledge/session/libsql/local";
 * import { assert } from "@std/assert";
 *
 * class Author extends model("authors", { id: t.uuid().primaryKey(), email: t.text().unique() }) {}
 * class Book extends model("books", {
 *   id: t.uuid().primaryKey(),
 *   title: t.text(),
 *   authorId: t.uuid("author_id").foreignKey(),
 * }) {
 *   declare author?: Author;
 *   static relations = { author: belongsTo(() => Author, "authorId") };
 * }
 * const db = libsql({ url: ":memory:" });
 * await createAll(db, [Author, Book]);
 * await using session = new Session({ bind: db });
 * session.add(new Author({ email: "ann@example.org" }));
 * await session.commit();
 *
 * const ann = { email: "ann@example.org" };
 * const books = ["Edges", "Shores"].map((title) => Book.create({ title, author: reference(Author, ann) }));
 * await bulk(session, (b) => books.forEach((book) => b.add(book))); // one request
 * assert(books[0]?.author === books[1]?.author);
 * await session.commit(); // one request
 * ```
 */
export async function bulk<R>(
  session: Session,
  fn: (bulk: Bulk) => Promise<R> | R,
  options: BulkOptions = {},
): Promise<R> {
  if (typeof fn !== "function") throw new ValidationError("bulk() needs a function: bulk(session, (b) => …)");
  refuseUnknown(options, ["proxyReference"], "bulk()");
  const { proxyReference = true } = options;
  if (typeof proxyReference !== "boolean") throw new ValidationError("proxyReference must be true or false");
  const one = new Registering(session, proxyReference);
  try {
    const value = await fn(one);
    if (one.hasOpen) await one.resolve();
    return value;
  } finally {
    one.isOver = true;
  }
}

class Registering implements Bulk {
  readonly #session: Session;
  readonly #forwards: boolean;
  readonly #register: Register = new Register();
  /** Whether the function has ended. */
  isOver = false;

  constructor(session: Session, forwards: boolean) {
    this.#session = session;
    this.#forwards = forwards;
  }

  /** Whether something was never looked for. */
  get hasOpen(): boolean {
    this.#register.reach();
    return [...this.#register.entries()].some(({ resolved, isMissing }) => resolved === null && !isMissing);
  }

  add<T extends Entity>(object: T, options: { readonly isReference?: boolean } = {}): T {
    this.#require("add");
    refuseUnknown(options, ["isReference"], "bulk.add()");
    const entry = this.#register.add(object, options.isReference);
    return (entry.resolved ?? object) as T;
  }

  get<M extends AnyModel>(
    model: ModelArgument<M>,
    options: { readonly resolved?: boolean; readonly scope?: BulkScope } = {},
  ): InstanceType<M>[] {
    refuseUnknown(options, ["resolved", "scope"], "bulk.get()");
    const { resolved, scope = "all" } = options;
    checkScope(scope);
    const wanted = mapperOf(model).class;
    this.#register.reach();
    const found = [...this.#register.entries()].filter((entry) =>
      isIn(entry, scope) && (resolved === undefined || resolved === (entry.resolved !== null)) &&
      (entry.mapper.class === wanted || entry.mapper.class.prototype instanceof (wanted as unknown as AnyModel))
    );
    return [...new Set(found.map((entry) => entry.resolved ?? entry.objects[0]!))] as InstanceType<M>[];
  }

  async resolve(options: ResolveOptions = {}): Promise<readonly UnresolvedReference[]> {
    this.#require("resolve");
    refuseUnknown(options, ["raiseErrors", "scope", "strategy", "signal", "timeout"], "bulk.resolve()");
    const { raiseErrors = true, scope = "all", strategy = "bind", ...call } = options;
    checkScope(scope);
    if (strategy !== "bind" && strategy !== "hydrate") {
      throw new ValidationError('strategy must be "bind" or "hydrate"');
    }
    const register = this.#register;
    register.reach();
    const open = [...register.entries()].filter((entry) => entry.resolved === null && isIn(entry, scope));
    const bound = await find(this.#session, open, strategy === "hydrate", call);
    const missing = open.filter((entry) => entry.isReference && !bound.has(entry));
    for (const entry of missing) entry.isMissing = true;
    if (missing.length > 0 && raiseErrors) throw unresolved(missing);
    for (const [entry, bind] of bound) {
      if (!entry.isReference) continue;
      entry.resolved = bind();
      for (const object of entry.objects) settle(object, entry.resolved, this.#forwards);
    }
    register.replace();
    if (scope !== "references") await this.#take(open.filter((entry) => !entry.isReference), bound);
    return missing.map(describe);
  }

  /** Lets values join the session, but those that refer to what was not found. */
  async #take(values: readonly Entry[], bound: ReadonlyMap<Entry, () => object>): Promise<void> {
    for (const entry of values) {
      const object = entry.objects[0] as Entity;
      if (this.#register.isOpen(entry)) {
        entry.isMissing = true;
        continue;
      }
      const bind = bound.get(entry);
      if (bind === undefined) entry.resolved = this.#session.add(object);
      else {
        // Found by a unique value, it has the row's primary key, whatever its constructor made up.
        const there = bind() as Record<string, unknown>;
        for (const { property } of entry.mapper.key) (object as object as typeof there)[property] = there[property];
        entry.resolved = await this.#session.merge(object);
      }
    }
    this.#register.replace();
  }

  #require(method: string): void {
    if (!this.isOver) return;
    throw new InvalidStateError(`Cannot ${method} in this bulk: its function has ended; call bulk() again`);
  }
}

function isIn({ isReference }: Entry, scope: BulkScope): boolean {
  return scope === "all" || isReference === (scope === "references");
}

function checkScope(scope: BulkScope): void {
  if (scope === "all" || scope === "references" || scope === "values") return;
  throw new ValidationError('scope must be "all", "references" or "values"');
}

function describe({ mapper, columns, values }: Entry): UnresolvedReference {
  return { model: mapper.model, key: Object.fromEntries(columns.map(({ property }, i) => [property, values[i]])) };
}

/** How many references a message lists; the error itself has all of them. */
const LISTED = 50;

function unresolved(missing: readonly Entry[]): UnresolvedReferenceError {
  const listed = missing.slice(0, LISTED).map(showReference).join("; ");
  const more = missing.length > LISTED ? `; and ${missing.length - LISTED} more` : "";
  const what = missing.length === 1 ? "A reference has" : `${missing.length} references have`;
  return new UnresolvedReferenceError(`${what} no row: ${listed}${more}`, missing.map(describe));
}
