/**
 * Committing: one atomic batch of everything that changed, or what is left to do on the connection.
 *
 * @module
 */
import { CommitOutcomeUnknownError, UnsupportedError } from "../errors.ts";
import {
  type CompiledPlan,
  compilePlan,
  isSingle,
  type Outcome,
  runBatch,
  runOnConnection,
} from "../execution/writes.ts";
import type { Changes } from "../unit_of_work/changes.ts";
import { makePlan, type Plan } from "../unit_of_work/plan.ts";
import { applyCommitted, applyResults } from "../unit_of_work/results.ts";
import type { Branch } from "./branch.ts";
import { isAmbiguous } from "./failures.ts";
import { type Flushing, requireWritable } from "./flushing.ts";
import type { CommitOptions } from "./options.ts";
import { type Part, partition } from "./partition.ts";
import type { Parts } from "./parts.ts";

/** Commits for one session. */
export class Committing {
  readonly #parts: Parts;
  readonly #flushing: Flushing;

  constructor(parts: Parts, flushing: Flushing) {
    this.#parts = parts;
    this.#flushing = flushing;
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
    const { branches, tracker, extras, options: { optimistic, verifyReads } } = this.#parts;
    const compareAll = optimistic === "all";
    const reads = verifyReads ? tracker.identity : null;
    const changes = await this.#flushing.collect();
    const branch = this.#writer(changes);
    const { dialect } = branch.database;
    const traveling = extras.collect(branch, branches, extras.bulk, compareAll, reads);
    const plan = makePlan(dialect, changes, traveling, compareAll);
    requireWritable(branch.begin, plan);
    const compiled = compilePlan(plan, branch.database);
    if (plan.steps.length === 0 && branches.connected.length === 0) {
      applyResults(tracker, dialect, plan, new Map());
      return null;
    }
    if (this.#mustConnect(branch, compiled)) await branch.connect("This commit", options);
    const sent = { commit: false };
    let outcome: Outcome;
    try {
      outcome = await this.#send(branch, compiled, options, sent);
      extras.settle(branch, outcome.staged);
    } catch (error) {
      throw this.#failed(error, plan, sent.commit && branch.connection?.mayBeCommitted !== false);
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

  #mustConnect(branch: Branch, compiled: CompiledPlan): boolean {
    if (branch.connection === null && compiled.plan.steps.length === 0) return false;
    if (branch.mode === "interactive") return true;
    if (compiled.plan.needsConversation) return true;
    const isAtomic = isSingle(compiled) || compiled.compiled.length === 0;
    return branch.database.batch === undefined &&
      (!isAtomic || branch.settings !== null || branch.begin.isolation !== undefined);
  }

  /** Sends it; `sent.commit` tells from when on it may have been applied. */
  async #send(
    branch: Branch,
    compiled: CompiledPlan,
    options: CommitOptions,
    sent: { commit: boolean },
  ): Promise<Outcome> {
    const { branches, tracker } = this.#parts;
    const { database, connection } = branch;
    const { isolation, readOnly, deferrable } = branch.begin;
    const committing = () => void (sent.commit = true);
    const outcome = connection === null
      ? await runBatch(database, compiled, branch.settings, { ...options, isolation, readOnly, deferrable }, committing)
      : await runOnConnection(connection, database.dialect, compiled, options, committing);
    if (compiled.plan.steps.length > 0) branches.noteWrite();
    applyCommitted(tracker, database.dialect, compiled.plan, outcome.made);
    return outcome;
  }

  /** What a commit that was sent throws: the session has failed, or it is not known whether it was applied. */
  #failed(error: unknown, plan: Plan, mayBeApplied: boolean): unknown {
    const { failures, events, tracker } = this.#parts;
    if (events.isVeto(error) || !mayBeApplied || !isAmbiguous(error)) {
      failures.failCommit(error);
      return error;
    }
    const planned = plan.steps.flatMap(({ states }) => states).filter((state) => state !== null);
    failures.doubt([...planned, ...tracker.touched()]);
    return new CommitOutcomeUnknownError(
      "The commit was sent and its answer was lost: it may or may not have been applied. " +
        "Call rollback(), then read what is there before doing it again",
      { cause: error },
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
