/**
 * The scopes that are open in a session: the transaction, and the savepoints inside it.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import { quoted } from "../model/quoted.ts";
import type { Mark } from "./extras.ts";
import { Scope, type ScopeOwner, type SessionTransaction } from "./scope.ts";

/** The open scopes of one session. */
export class Scopes {
  readonly #owner: ScopeOwner;
  #root: Scope | null = null;
  #savepoints: Scope[] = [];
  #count = 0;

  constructor(owner: ScopeOwner) {
    this.#owner = owner;
  }

  /** The transaction, or null. */
  get root(): Scope | null {
    return this.#root;
  }

  /** The innermost savepoint, or null. */
  get innermost(): Scope | null {
    return this.#savepoints.at(-1) ?? null;
  }

  has(scope: Scope): boolean {
    return this.#root === scope || this.#savepoints.includes(scope);
  }

  /** Opens the transaction. */
  begin(mark: Mark): void {
    this.#root = new Scope(this.#owner, null, mark, "");
  }

  /** A savepoint that is yet to be opened. */
  savepoint(name: string, mark: Mark): Scope {
    return new Scope(this.#owner, name, mark, `ledge_${++this.#count}`);
  }

  /** Opens a savepoint. */
  open(savepoint: Scope): void {
    this.#savepoints.push(savepoint);
  }

  /** The savepoint that is meant, the innermost of its name; null for the transaction itself. Throws where it is not open. */
  find(target: SessionTransaction | string): Scope | null {
    if (target === this.#root) return null;
    const scope = typeof target === "string"
      ? this.#savepoints.findLast(({ name }) => name === target)
      : this.#savepoints.find((one) => one === target);
    if (scope !== undefined) return scope;
    const what = typeof target === "string" ? quoted(target) : "like this";
    throw new ValidationError(`There is no open savepoint ${what} to roll back to`);
  }

  /** Ends a savepoint and those inside it, each by its frame. */
  leave(savepoint: Scope, endFrame: () => void): void {
    const at = this.#savepoints.indexOf(savepoint);
    for (let i = this.#savepoints.length; i > at; i--) endFrame();
    this.#savepoints.length = at;
  }

  /** Ends all of them. */
  clear(): void {
    this.#root = null;
    this.#savepoints = [];
  }
}
