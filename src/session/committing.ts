/**
 * Committing: one atomic batch of everything that changed, or what is left to do on the connection.
 *
 * @module
 */
import { type CommitDecision, CommitOutcomeUnknownError, UnsupportedError } from "../errors.ts";
import type { CallOptions } from "../database.ts";
import { explainRecord, findOut, isAmbiguous, mayHaveWon, type RecordedCommit } from "../execution/exactly_once.ts";
import {
  type CompiledPlan,
  compilePlan,
  isSingle,
  type Outcome,
  runBatch,
  runOnConnection,
} from "../execution/writes.ts";
import { isNotApplied, resending } from "../execution/resending.ts";
import { uuidv7 } from "../model/uuid.ts";
import type { Changes } from "../unit_of_work/changes.ts";
import { makePlan, type Plan } from "../unit_of_work/plan.ts";
import { applyCommitted, applyResults } from "../unit_of_work/results.ts";
import type { Branch } from "./branch.ts";
import { type Flushing, isWriting, requireWritable } from "./flushing.ts";
import type { CommitOptions } from "./options.ts";
import { type Part, partition } from "./partition.ts";
import type { Parts } from "./parts.ts";

/** A commit that is being carried out. */
interface Attempt {
  readonly branch: Branch;
  readonly compiled: CompiledPlan;
  /** The id of its record; null without `exactlyOnce`, and where nothing is written. */
  readonly record: string | null;
  /** Whether it may have gone out. */
  wasSent: boolean;
  /** What was carried out, where that is known before COMMIT goes out. */
  seen: Outcome | null;
}

/** A commit of which nobody could say what became of it, and which can be asked for. */
export interface Doubt extends RecordedCommit {
  readonly branch: Branch;
}

/** Finds out what became of a commit, and ends the session's transaction accordingly. */
type Resolve = (doubt: Doubt, options?: CallOptions) => Promise<CommitDecision>;

/** Commits for one session. */
export class Committing {
  readonly #parts: Parts;
  readonly #flushing: Flushing;
  readonly #resolve: Resolve;
  /** The last one that could not be answered for. */
  doubt: Doubt | null = null;

  constructor(parts: Parts, flushing: Flushing, resolve: Resolve) {
    this.#parts = parts;
    this.#flushing = flushing;
    this.#resolve = resolve;
  }

  /** Runs the handlers that may still stop it, and writes what is pending. Null where there was nothing to send. */
  async commit(options: CommitOptions): Promise<Outcome | null> {
    const { events, lifecycle } = this.#parts;
    try {
      events.forgetVeto();
      await beforeCommit(this.#parts);
      return await this.#flushing.between(() => this.#write(options));
    } catch (error) {
      // One that a handler stopped is as one that the database refused; any other has been seen to where it was thrown.
      if (events.isVeto(error) || lifecycle.condition === "failed") await this.#abandon(error);
      throw error;
    }
  }

  /** Nothing can be done with the transaction but to roll it back: its locks are given back at once. */
  async #abandon(error: unknown): Promise<void> {
    this.#parts.failures.failCommit(error);
    await this.#parts.branches.rollback().catch(() => {}); // the first error is the one to tell
  }

  async #write(options: CommitOptions): Promise<Outcome | null> {
    const { branches, tracker, extras, options: { optimistic, verifyReads, exactlyOnce } } = this.#parts;
    const compareAll = optimistic === "all";
    const reads = verifyReads ? tracker.identity : null;
    const changes = await this.#flushing.collect();
    const branch = this.#writer(changes);
    const { dialect } = branch.database;
    const traveling = extras.collect(branch, branches, extras.bulk, compareAll, reads);
    const plan = makePlan(dialect, changes, traveling, compareAll);
    requireWritable(branch.begin, plan);
    const isRecorded = (options.exactlyOnce ?? exactlyOnce ?? false) && (branch.wrote || isWriting(plan));
    const record = isRecorded ? uuidv7() : null;
    const compiled = compilePlan(plan, branch.database, record);
    if (plan.steps.length === 0 && branches.connected.length === 0) {
      applyResults(tracker, dialect, plan, new Map());
      return null;
    }
    const { signal, timeout } = options;
    if (this.#mustConnect(branch, compiled, record)) await branch.connect("This commit", { signal, timeout });
    const attempt: Attempt = { branch, compiled, record, wasSent: false, seen: null };
    let outcome: Outcome;
    try {
      outcome = await this.#send(attempt, { signal, timeout });
      this.apply(branch, plan, outcome);
    } catch (error) {
      throw this.#failed(error, attempt, signal);
    }
    await this.#endReaders(branch, options);
    return outcome;
  }

  /** The only branch that has something to write. Throws where there are several: nothing could make that atomic. */
  #writer(changes: Changes): Branch {
    const { branches, extras, tracker, options: { optimistic, verifyReads } } = this.#parts;
    const { main } = branches;
    const isOne = branches.routes.isSingle && branches.connected.every((branch) => branch === main);
    if (isOne && !extras.isElsewhere(main)) return main;
    const writers = extras.branches(branches, optimistic === "all", verifyReads ? tracker.identity : null);
    for (const branch of branches.connected) if (branch.wrote) writers.add(branch);
    for (const part of partition(branches, changes, extras.bulk)) {
      if (!writers.has(part.branch) && isWritten(part, optimistic === "all")) writers.add(part.branch);
    }
    const [writer, other] = writers;
    if (other !== undefined) {
      throw new UnsupportedError(
        `This commit would write to ${writer!.database.description} and to ${other.database.description}, ` +
          "which no commit does at once; commit what is of one first, or prepare it with @ledge/session/two_phase",
      );
    }
    return writer ?? branches.connected[0] ?? branches.main;
  }

  /** What only read is ended when the rest is applied: until then its locks are held. */
  async #endReaders(writer: Branch, options: CommitOptions): Promise<void> {
    const { branches, events } = this.#parts;
    for (const branch of branches.connected) {
      if (branch === writer) continue;
      try {
        await branch.rollback(options);
      } catch (error) {
        await events.after("warning", {
          message:
            `The commit is applied; a transaction that only read ${branch.database.description} could not be ended`,
          error,
        });
      }
    }
  }

  #mustConnect(branch: Branch, compiled: CompiledPlan, record: string | null): boolean {
    if (branch.connection === null && compiled.plan.steps.length === 0) return false;
    if (branch.mode === "interactive") return true;
    if (compiled.plan.needsConversation) return true;
    const isAtomic = record === null && isSingle(compiled) || compiled.compiled.length === 0;
    return branch.database.batch === undefined &&
      (!isAtomic || branch.settings !== null || branch.begin.isolation !== undefined);
  }

  /** Sends it. With a record it finds out what became of it when the answer is lost. */
  async #send(attempt: Attempt, options: CallOptions): Promise<Outcome> {
    const { branch, compiled, record } = attempt;
    const { database, connection, settings } = branch;
    const { isolation, readOnly, deferrable } = branch.begin;
    const committing = {
      record,
      sending: () => void (attempt.wasSent = true),
      saw: (outcome: Outcome) => void (attempt.seen = outcome),
    };
    const isDoubled = connection === null && !database.capabilities.deliversOnce;
    let mayHave = false;
    const noting = (error: unknown): never => {
      mayHave ||= mayHaveWon(error, isDoubled, options.signal);
      throw error;
    };
    const isHarmless = (error: unknown): boolean => {
      if (!isNotApplied(error)) return false;
      // Until it goes out again: who gives up before that has sent nothing.
      if (record === null || !mayHave) attempt.wasSent = false;
      return true;
    };
    const send = (limits: CallOptions): Promise<Outcome> =>
      connection === null
        ? resending(
          branch.resends,
          limits,
          isHarmless,
          (some) =>
            runBatch(database, compiled, settings, { ...some, isolation, readOnly, deferrable }, committing)
              .catch(noting),
        )
        : runOnConnection(connection, database.dialect, compiled, limits, committing).catch(noting);
    const begun = performance.now();
    try {
      return await send(options);
    } catch (error) {
      if (record === null || !this.#mayBeApplied(attempt, error) || !mayHave) {
        throw explainRecord(error, database);
      }
      // What its connection still holds locks, and cannot be committed any more.
      await connection?.rollback({ timeout: FAREWELL }).catch(() => {});
      const { timeout } = options;
      const left = timeout === undefined ? {} : { timeout: begun + timeout - performance.now() };
      const commit = { record, database, settings, compiled, seen: attempt.seen };
      return await findOut(commit, error, connection === null ? send : null, { ...options, ...left });
    }
  }

  /** Whether it went out: what failed before that is known to have failed. */
  #mayBeApplied({ branch, wasSent }: Attempt, error: unknown): boolean {
    return wasSent && branch.connection?.mayBeCommitted !== false && !this.#parts.events.isVeto(error);
  }

  /** Brings the session up to date with a commit that is applied. */
  apply(branch: Branch, plan: Plan, outcome: Outcome): void {
    const { branches, tracker, extras } = this.#parts;
    if (plan.steps.length > 0) branches.noteWrite();
    applyCommitted(tracker, branch.database.dialect, plan, outcome.made);
    extras.settle(branch, outcome.staged);
  }

  /** What a commit that was sent throws: the session has failed, or it is not known whether it was applied. */
  #failed(error: unknown, attempt: Attempt, signal: AbortSignal | undefined): unknown {
    const { branches, failures, tracker } = this.#parts;
    if (!this.#mayBeApplied(attempt, error) || !isAmbiguous(error, signal)) {
      failures.failCommit(error);
      return error;
    }
    const { branch, record, compiled, seen } = attempt;
    const { database, settings } = branch;
    const planned = compiled.plan.steps.flatMap(({ states }) => states).filter((state) => state !== null);
    failures.doubt([...planned, ...tracker.touched()]);
    branches.noteWrite(); // what is looked for now a replica may not have yet
    const doubt = this.doubt = record === null ? null : { record, branch, database, settings, compiled, seen };
    return new CommitOutcomeUnknownError(
      "The commit was sent and its answer was lost: it may or may not have been applied. " +
        (doubt === null
          ? "Call rollback(), then read what is there before doing it again"
          : "Call resolve() of this error, which finds out; or rollback(), then read what is there before doing it again"),
      { cause: error, ...doubt === null ? {} : { resolve: (options) => this.#resolve(doubt, options) } },
    );
  }
}

/** Runs the handlers that may stop a commit. */
export async function beforeCommit({ events, lifecycle, branches }: Parts): Promise<void> {
  if (!events.listens("beforeCommit")) return;
  await lifecycle.preparing(() => events.before("beforeCommit", {}));
  await branches.settled();
}

/** Whether a part comes to a statement: an update may find that the row is as it is to be. */
export function isWritten({ branch, changes, bulk }: Part, compareAll: boolean): boolean {
  const { inserts, updates, deletes, links } = changes;
  if (inserts.length + deletes.size + links.length + bulk.length > 0) return true;
  if (updates.length === 0) return false;
  const none = { verified: [], staged: [], required: [] };
  return makePlan(branch.database.dialect, changes, none, compareAll).steps.length > 0;
}

/** Milliseconds for what only frees a connection that is lost. */
const FAREWELL = 1000;
