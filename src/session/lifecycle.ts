/**
 * The states of a session and what may be called in each: the one table that every check is made from.
 *
 * @module
 */
import { InvalidStateError } from "../errors.ts";

/** What a session is doing. */
export type Condition =
  /** Ready. */
  | "open"
  /** A commit, flush, rollback or savepoint is under way. */
  | "busy"
  /** A flush or commit failed; the changes are still in memory. */
  | "failed"
  /** A commit was sent and its answer was lost. */
  | "unknown"
  | "closed";

/** The kinds of calls. */
export type Call =
  /** Whatever reads, changes or begins something. */
  | "use"
  /** `rollback()`, of the whole transaction or to a savepoint. */
  | "rollback"
  | "close"
  /** What only looks at memory: `inspect`, `has`, `new`, `dirty`, `state`. */
  | "look";

const ALLOWED: Readonly<Record<Condition, readonly Call[]>> = {
  open: ["use", "rollback", "close", "look"],
  busy: ["look"], // disposal waits until it is over
  failed: ["rollback", "close", "look"],
  unknown: ["rollback", "close", "look"],
  closed: ["close", "look"],
};

/** Follows the state of one session. */
export class Lifecycle {
  #condition: Condition = "open";
  /** What made it busy or failed, for messages. */
  #cause = "";
  /** Settles with the call that made it busy. */
  #running: Promise<void> = Promise.resolve();

  get condition(): Condition {
    return this.#condition;
  }

  /** Throws an InvalidStateError, saying what to do, when a call is not allowed now. */
  require(call: Call, method: string): void {
    if (!ALLOWED[this.#condition].includes(call)) throw new InvalidStateError(`Cannot ${method}: ${this.#why()}`);
  }

  #why(): string {
    if (this.#condition === "busy") return `${this.#cause} is under way; await it first`;
    if (this.#condition === "closed") return "the session is closed; make a new one";
    if (this.#condition === "unknown") {
      return "it is not known whether the last commit was applied; call rollback() or close(), then read what is there";
    }
    return `the session has failed (${this.#cause}); call rollback() first`;
  }

  /** Runs what nothing may overlap: every other call is refused until it ends. A change of state that it makes stays. */
  async exclusive<T>(call: Call, method: string, run: () => Promise<T>): Promise<T> {
    this.require(call, method);
    const before = this.#condition;
    const cause = this.#cause;
    this.become("busy", `${method}()`);
    const result = run().finally(() => {
      if (this.#condition === "busy") this.become(before, cause);
    });
    this.#running = result.then(() => {}, () => {});
    return await result;
  }

  /** Resolves when nothing of the kind is under way. */
  async idle(): Promise<void> {
    while (this.#condition === "busy") await this.#running;
  }

  /** Goes into a state. */
  become(condition: Condition, cause = ""): void {
    this.#condition = condition;
    this.#cause = cause;
  }
}
