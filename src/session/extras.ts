/**
 * What travels with a commit besides the session's changes: staged statements, required conditions, verified rows.
 *
 * @module
 */
import { InvalidStateError } from "../errors.ts";
import { Result } from "../query/result.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { ResultSet, Statement } from "../sql/statement.ts";
import type { RequireStep } from "../sql/step.ts";
import type { InstanceState } from "../state/instance_state.ts";
import type { Extras } from "../unit_of_work/plan.ts";
import { verifiedRows } from "../unit_of_work/verify.ts";

/** A statement that travels with the commit. */
export interface StagedStatement {
  /** What it gave; throws an `InvalidStateError` before the commit succeeded. */
  readonly result: Result;
}

/** How far it had come when a savepoint was set. */
export interface Mark {
  readonly staged: number;
  readonly required: number;
  readonly verified: ReadonlySet<InstanceState>;
}

interface Staged {
  readonly statement: Statement;
  result: ResultSet | null;
}

/** What travels with the next commit of a session. */
export class CommitExtras {
  #staged: Staged[] = [];
  #required: RequireStep[] = [];
  #verified: Set<InstanceState> = new Set();

  /** Adds a statement. */
  stage(statement: Statement): StagedStatement {
    const staged: Staged = { statement, result: null };
    this.#staged.push(staged);
    return {
      get result(): Result {
        if (staged.result !== null) return new Result(staged.result);
        throw new InvalidStateError("A staged statement has a result once the commit has succeeded");
      },
    };
  }

  /** Adds a condition. */
  require(step: RequireStep): void {
    this.#required.push(step);
  }

  /** Adds a row to be checked. */
  verify(state: InstanceState): void {
    this.#verified.add(state);
  }

  mark(): Mark {
    return { staged: this.#staged.length, required: this.#required.length, verified: new Set(this.#verified) };
  }

  /** Goes back to a mark. */
  restore(mark: Mark): void {
    this.#staged.length = mark.staged;
    this.#required.length = mark.required;
    this.#verified = new Set(mark.verified);
  }

  clear(): void {
    this.#staged = [];
    this.#required = [];
    this.#verified = new Set();
  }

  /** As the plan takes it; with `reads`, every row that was read is verified. */
  collect(dialect: Dialect, compareAll: boolean, reads: Iterable<InstanceState> | null): Extras {
    const rows = reads ?? [...this.#verified].filter((state) => state.status === "persistent");
    return {
      verified: verifiedRows(rows, dialect, compareAll, reads !== null),
      staged: this.#staged.map(({ statement }) => statement),
      required: this.#required,
    };
  }

  /** Gives the staged statements their results. */
  settle(results: readonly ResultSet[]): void {
    results.forEach((result, i) => this.#staged[i]!.result = result);
  }
}
