/**
 * What an error says of the transaction, and what it leaves to be put right when the transaction is rolled back.
 *
 * @module
 */
import { DatabaseError, LedgeError, StaleDataError } from "../errors.ts";
import { type InstanceState, knownState } from "../state/instance_state.ts";
import type { Tracker } from "../state/tracker.ts";
import type { Lifecycle } from "./lifecycle.ts";

/** The errors that have ended the transaction on the server. */
const LOSSES: readonly string[] = ["LEDGE_TRANSACTION_LOST", "LEDGE_DEADLOCK", "LEDGE_CONNECTION", "LEDGE_TIMEOUT"];

/** Whether an error has ended the transaction on the server. */
export function isLoss(error: unknown): boolean {
  return error instanceof DatabaseError && LOSSES.includes(error.code);
}

/** What went wrong in a session's transaction. */
export class Failures {
  readonly #lifecycle: Lifecycle;
  /** The instances that were found stale. */
  readonly #stale: Set<object> = new Set();
  /** What a commit of unknown outcome was about. */
  #doubtful: readonly InstanceState[] = [];
  #isLost = false;

  constructor(lifecycle: Lifecycle) {
    this.#lifecycle = lifecycle;
  }

  /** Whether nothing less than a rollback of everything helps: the transaction is over on the server, or may be. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** The session has failed: what is in memory stays as it is until it is rolled back. */
  fail(error: unknown): void {
    if (error instanceof StaleDataError && error.instance !== null) this.#stale.add(error.instance);
    if (isLoss(error)) this.#isLost = true;
    this.#lifecycle.become("failed", error instanceof LedgeError ? error.name : "an error");
  }

  /** The commit has failed, and with it the transaction on the server. */
  failCommit(error: unknown): void {
    this.#isLost = true;
    this.fail(error);
  }

  /** It is not known whether the commit of these was applied. */
  doubt(states: readonly InstanceState[]): void {
    this.#isLost = true;
    this.#doubtful = states;
    this.#lifecycle.become("unknown");
  }

  /** It is known by now. */
  sure(): void {
    this.#doubtful = [];
  }

  /** After a rollback: expires what is not as it was read, or may not be. */
  expire(tracker: Tracker): void {
    for (const state of this.#doubtful) if (state.status === "persistent") tracker.expire(state);
    for (const instance of this.#stale) {
      const state = knownState(instance);
      if (state?.status === "persistent") tracker.expire(state);
    }
    this.#doubtful = [];
    this.#stale.clear();
  }

  /** The transaction is over, and so is its loss; what is not as it was read stays so until it is expired. */
  clear(): void {
    this.#isLost = false;
  }
}
