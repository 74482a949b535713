/**
 * The states of a session and what may be called in each: the tables that every check is made from. A new method of
 * `Session` gets a row in `CALLS`; tests/session/states_test.ts calls each method in each state.
 *
 * @module
 */
import { InvalidStateError } from "../errors.ts";

/** What a session is doing. */
export type Condition =
  /** Ready. */
  | "open"
  /** A commit, flush or savepoint waits for the handlers that run before it. */
  | "preparing"
  /** A commit, flush, rollback or savepoint is under way. */
  | "busy"
  /** A flush or commit failed; the changes are still in memory. */
  | "failed"
  /** A commit was sent and its answer was lost. */
  | "unknown"
  /** Prepared for two-phase commit: only the end is left. */
  | "prepared"
  | "closed";

/** The kinds of calls. */
export type Call =
  /** What only looks at memory, or sets something there. */
  | "look"
  /** What reads from the database, or changes objects. */
  | "use"
  /** What begins, writes or ends something that others stand on: nothing may overlap with it. */
  | "transact"
  /** `commit()`: the same, and the end of what is prepared. */
  | "finish"
  /** What puts things right again: `rollback()`, of everything or to a savepoint, and `reset()`. */
  | "recover"
  | "close"
  /** The end of `await using`: it waits until what is under way is over. */
  | "dispose";

/** What may be called when. */
export const ALLOWED: Readonly<Record<Condition, readonly Call[]>> = {
  open: ["look", "use", "transact", "finish", "recover", "close", "dispose"],
  preparing: ["look", "use", "dispose"],
  busy: ["look", "dispose"],
  failed: ["look", "recover", "close", "dispose"],
  unknown: ["look", "recover", "close", "dispose"],
  prepared: ["look", "finish", "recover", "close", "dispose"],
  closed: ["look", "close", "dispose"],
};

/** The calls that do more than a use. These are what is asked for when a session runs; `release` is a savepoint's `commit()`. */
const MORE = {
  begin: "transact",
  beginNested: "transact",
  savepoint: "transact",
  transaction: "transact",
  insertNow: "transact",
  updateNow: "transact",
  deleteNow: "transact",
  flush: "transact",
  commit: "finish",
  release: "transact",
  rollback: "recover",
  reset: "recover",
  close: "close",
  invalidate: "close",
  [Symbol.asyncDispose]: "dispose",
} as const satisfies Partial<Record<PropertyKey, Call>>;

/** What kind of call each member of a session is. */
export const CALLS: Readonly<Partial<Record<PropertyKey, Call>>> = /* @__PURE__ */ Object.assign(
  /* @__PURE__ */ each("look", [
    "info",
    "autoflush",
    "state",
    "isActive",
    "bind",
    "getBind",
    "new",
    "dirty",
    "deleted",
    "identityMap",
    "has",
    Symbol.iterator,
    "isModified",
    "inspect",
    "inTransaction",
    "inNestedTransaction",
    "getTransaction",
    "getNestedTransaction",
    "on",
    "off",
    "noAutoflush",
  ]),
  /* @__PURE__ */ each("use", [
    "bindModel",
    "bindTable",
    "add",
    "addAll",
    "markDirty",
    "delete",
    "remove",
    "get",
    "getOne",
    "getAll",
    "merge",
    "refresh",
    "expire",
    "expireAll",
    "expunge",
    "expungeAll",
    "load",
    "assign",
    "query",
    "execute",
    "scalar",
    "scalars",
    "first",
    "stream",
    "streamScalars",
    "truncate",
    "stage",
    "require",
    "verify",
    "start",
    "connection",
    "native",
    "runSync",
  ]),
  MORE,
);

function each(call: Call, members: readonly PropertyKey[]): Record<PropertyKey, Call> {
  return Object.fromEntries(members.map((member) => [member, call]));
}

/** What kind of call this is; what a query or a statement calls itself counts as a use. */
function kindOf(method: string): Call {
  if (method === "prepare") return "transact";
  if (method === "resolve") return "recover";
  return Object.hasOwn(MORE, method) ? MORE[method as keyof typeof MORE] : "use";
}

/** Follows the state of one session, and the calls that are under way. */
export class Lifecycle {
  #condition: Condition = "open";
  /** What made it busy or failed, for messages. */
  #cause = "";
  /** Settles with the call that made it busy. */
  #ending: Promise<void> = Promise.resolve();
  /** How many calls are under way that may overlap with their like, and who waits until there is none. */
  #sharing = 0;
  #waiting: (() => void)[] = [];

  get condition(): Condition {
    return this.#condition;
  }

  /** Throws an InvalidStateError, saying what to do, when a method may not be called now. */
  require(method: string): void {
    if (!ALLOWED[this.#condition].includes(kindOf(method))) {
      throw new InvalidStateError(`Cannot ${method}: ${this.#why()}`);
    }
  }

  #why(): string {
    switch (this.#condition) {
      case "preparing":
        return `${this.#cause} is under way and waits for its handlers, which may read and change objects; await it first`;
      case "busy":
        return `${this.#cause} is under way; await it first`;
      case "closed":
        return "the session is closed; make a new one";
      case "prepared":
        return "the transaction is prepared; commit() or rollback() ends it";
      case "unknown":
        return "it is not known whether the last commit was applied; call rollback() or close(), then read what is there";
      default:
        return `the session has failed (${this.#cause}); call rollback() first`;
    }
  }

  /** Begins what may overlap with its like; what nothing may overlap waits until it is left. */
  enter(): void {
    this.#sharing++;
  }

  /** Ends what was entered. */
  leave(): void {
    if (--this.#sharing > 0) return;
    for (const resolve of this.#waiting) resolve();
    this.#waiting = [];
  }

  /** Resolves when nothing of that kind is under way. */
  async quiet(): Promise<void> {
    while (this.#sharing > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Runs what nothing may overlap: every other call is refused until it ends. A change of state that it makes stays. */
  async exclusive<T>(method: string, run: () => Promise<T>): Promise<T> {
    this.require(method);
    const before = this.#condition;
    const cause = this.#cause;
    this.become("busy", `${method}()`);
    const result = run().finally(() => {
      if (this.#condition === "busy") this.become(before, cause);
    });
    this.#ending = result.then(() => {}, () => {});
    return await result;
  }

  /** Runs the handlers that come before an exclusive call: they may use the session, and whatever they leave is awaited. */
  async preparing(run: () => Promise<void>): Promise<void> {
    const cause = this.#cause;
    if (this.#condition !== "busy") return await run();
    this.become("preparing", cause);
    try {
      await run();
      await this.quiet();
    } finally {
      if (this.condition === "preparing") this.become("busy", cause);
    }
    // What a handler did may have cost the transaction, even where the handler made nothing of it.
    if (this.condition !== "busy") throw new InvalidStateError(`Cannot go on with ${cause}: ${this.#why()}`);
  }

  /** Resolves when nothing that others must not overlap is under way. */
  async idle(): Promise<void> {
    while (this.#condition === "busy" || this.#condition === "preparing") await this.#ending;
  }

  /** Goes into a state. */
  become(condition: Condition, cause = ""): void {
    this.#condition = condition;
    this.#cause = cause;
  }
}
