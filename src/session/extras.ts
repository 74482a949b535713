/**
 * What travels with a commit besides the session's changes: staged statements, required conditions, verified rows.
 *
 * @module
 */
import { InvalidStateError } from "../errors.ts";
import type { Result, Row } from "../query/result.ts";
import type { ResultSet, Statement } from "../sql/statement.ts";
import type { RequireStep } from "../sql/step.ts";
import type { InstanceState } from "../state/instance_state.ts";
import type { RowGroup } from "../unit_of_work/order.ts";
import type { Extras } from "../unit_of_work/plan.ts";
import type { Branch } from "./branch.ts";
import type { Branches } from "./branches.ts";
import { verifiedRows } from "../unit_of_work/verify.ts";

/** A statement that travels with the commit. @template R What a row of its result is. */
export interface StagedStatement<R = Row> {
  /**
   * What it gave; throws an `InvalidStateError` before the commit succeeded, and where the commit was found to have succeeded
   * (see `exactlyOnce`) while the answer to this statement was lost.
   */
  readonly result: Result<R>;
}

/** What staging gives: of a class, as V8 keeps an object literal with a getter until the whole heap is collected. */
class StagedResult<R> implements StagedStatement<R> {
  readonly #read: () => Result<R>;

  constructor(read: () => Result<R>) {
    this.#read = read;
  }

  get result(): Result<R> {
    return this.#read();
  }
}

/** How far it had come when a savepoint was set. */
export interface Mark {
  readonly staged: number;
  readonly required: number;
  readonly verified: ReadonlySet<InstanceState>;
  readonly bulk: readonly RowGroup[];
  readonly given: number;
}

interface Staged {
  readonly branch: Branch;
  readonly statement: Statement;
  /** Takes its answer, once the commit is applied; null where that was lost. */
  settle(set: ResultSet | null): void;
}

/** What travels with the next commit of a session. */
export class CommitExtras {
  #staged: Staged[] = [];
  #required: { readonly branch: Branch; readonly step: RequireStep }[] = [];
  #verified: Set<InstanceState> = new Set();
  /**
   * Rows of no instance that the next flush or commit writes. Never changed in place: a savepoint keeps what there was
   * when it was set, since what is flushed inside it is pending again after a rollback to it.
   */
  bulk: readonly RowGroup[] = [];
  /** What takes back what objects of no session were given for rows that are not committed yet. */
  #given: (() => void)[] = [];

  /** Remembers how to take back what an object of no session was given, should its row be rolled back. */
  give(takeBack: () => void): void {
    this.#given.push(takeBack);
  }

  /**
   * Adds a statement; `read` makes its result, and does to what is loaded what the statement did to the rows; `lost` does what
   * can be done without its answer.
   */
  stage<R>(
    branch: Branch,
    statement: Statement,
    read: (set: ResultSet) => Result<R>,
    lost: () => void,
  ): StagedStatement<R> {
    let outcome: (() => Result<R>) | null = null;
    this.#staged.push({
      branch,
      statement,
      settle(set) {
        if (set === null) {
          lost();
          outcome = () => {
            throw new InvalidStateError(
              "The commit is applied, and the answer to this staged statement was lost: read what it wrote",
            );
          };
          return;
        }
        try {
          const result = read(set);
          outcome = () => result;
        } catch (error) {
          // The commit is applied: what cannot be read of it is told to who asks for it.
          outcome = () => {
            throw error;
          };
        }
      },
    });
    return new StagedResult(() => {
      if (outcome !== null) return outcome();
      throw new InvalidStateError("A staged statement has a result once the commit has succeeded");
    });
  }

  /** Adds a condition. */
  require(branch: Branch, step: RequireStep): void {
    this.#required.push({ branch, step });
  }

  /** Adds a row to be checked. */
  verify(state: InstanceState): void {
    this.#verified.add(state);
  }

  mark(): Mark {
    return {
      staged: this.#staged.length,
      required: this.#required.length,
      verified: new Set(this.#verified),
      bulk: this.bulk,
      given: this.#given.length,
    };
  }

  /** Goes back to a mark. */
  restore(mark: Mark): void {
    this.#staged.length = mark.staged;
    this.#required.length = mark.required;
    this.#verified = new Set(mark.verified);
    this.bulk = mark.bulk;
    this.#takeBack(mark.given);
  }

  /** The latest first: an object may have been saved twice. */
  #takeBack(from: number): void {
    for (const takeBack of this.#given.splice(from).reverse()) takeBack();
  }

  /** The transaction was rolled back. */
  undo(): void {
    this.#takeBack(0);
    this.clear();
  }

  clear(): void {
    this.#staged = [];
    this.#required = [];
    this.#verified = new Set();
    this.bulk = [];
    this.#given = [];
  }

  /** The branches that it concerns; with `reads`, those of every row that was read. Rows of no instance are not looked at. */
  branches(branches: Branches, compareAll: boolean, reads: Iterable<InstanceState> | null): Set<Branch> {
    const found = new Set<Branch>();
    for (const { branch } of [...this.#staged, ...this.#required]) found.add(branch);
    for (const state of this.#verifiedOf(reads)) {
      const { mapper } = state;
      if (reads === null || mapper.version !== null || compareAll) found.add(branches.of(mapper, "write"));
    }
    return found;
  }

  /** Whether something was said to travel to another database than this one. */
  isElsewhere(branch: Branch): boolean {
    return this.#staged.some((one) => one.branch !== branch) || this.#required.some((one) => one.branch !== branch);
  }

  #verifiedOf(reads: Iterable<InstanceState> | null): Iterable<InstanceState> {
    return reads ?? [...this.#verified].filter((state) => state.status === "persistent");
  }

  /** As the plan of a branch takes it; with `reads`, every row that was read is verified. */
  collect(
    branch: Branch,
    branches: Branches,
    bulk: readonly RowGroup[],
    compareAll: boolean,
    reads: Iterable<InstanceState> | null,
  ): Extras {
    const all = this.#verifiedOf(reads);
    const rows = branches.routes.isSingle
      ? all
      : [...all].filter(({ mapper }) => branches.of(mapper, "write") === branch);
    return {
      verified: verifiedRows(rows, branch.database.dialect, compareAll, reads !== null),
      staged: this.#staged.filter((one) => one.branch === branch).map(({ statement }) => statement),
      required: this.#required.filter((one) => one.branch === branch).map(({ step }) => step),
      bulk,
    };
  }

  /** Gives the staged statements of a branch their results; null where these were lost. */
  settle(branch: Branch, results: readonly ResultSet[] | null): void {
    const own = this.#staged.filter((one) => one.branch === branch);
    own.forEach((one, i) => one.settle(results === null ? null : results[i]!));
  }
}
