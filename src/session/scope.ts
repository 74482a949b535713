/**
 * The handles of transactions and savepoints.
 *
 * @module
 */
import { InvalidStateError } from "../errors.ts";
import type { Mark } from "./extras.ts";
import type { CommitOptions } from "./options.ts";

/** A transaction, or a savepoint inside one, that `begin()` and `beginNested()` give. */
export interface SessionTransaction {
  /** The savepoint's name, empty when it was given none; null for the transaction itself. */
  readonly name: string | null;
  /** Whether it is a savepoint. */
  readonly nested: boolean;
  /** Whether it can still be committed or rolled back. */
  readonly isActive: boolean;
  /** Commits the transaction, or releases the savepoint and keeps what was done. */
  commit(options?: CommitOptions): Promise<void>;
  /** Rolls back to where it began, in the database and in memory, and ends it. */
  rollback(): Promise<void>;
  /** Rolls back unless it was committed. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What carries the scopes out. */
export interface ScopeOwner {
  isActive(scope: Scope): boolean;
  commit(options?: CommitOptions): Promise<void>;
  release(scope: Scope): Promise<void>;
  rollback(scope?: Scope): Promise<void>;
}

/** A transaction or a savepoint. */
export class Scope implements SessionTransaction {
  readonly name: string | null;
  /**
   * What the database calls the savepoint: of our own making, since two may have the same name, and a rollback must
   * reach the right one.
   */
  readonly sqlName: string;
  /** What had been staged when it began. */
  readonly mark: Mark;
  readonly #owner: ScopeOwner;

  constructor(owner: ScopeOwner, name: string | null, mark: Mark, sqlName: string) {
    this.#owner = owner;
    this.name = name;
    this.mark = mark;
    this.sqlName = sqlName;
  }

  get nested(): boolean {
    return this.name !== null;
  }
  get isActive(): boolean {
    return this.#owner.isActive(this);
  }
  commit(options?: CommitOptions): Promise<void> {
    this.#requireActive("commit");
    return this.nested ? this.#owner.release(this) : this.#owner.commit(options);
  }
  rollback(): Promise<void> {
    this.#requireActive("rollback");
    return this.#owner.rollback(this.nested ? this : undefined);
  }
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isActive) await this.rollback();
  }

  #requireActive(method: string): void {
    if (this.isActive) return;
    throw new InvalidStateError(`Cannot ${method}: this ${this.nested ? "savepoint" : "transaction"} has ended`);
  }
}
