/**
 * Flushing: writes pending changes on the connection, when asked to and before a query that would miss them.
 *
 * @module
 */
import type { CallOptions } from "../database.ts";
import { InvalidStateError } from "../errors.ts";
import { type CompiledPlan, compilePlan, type Outcome, runOnConnection } from "../execution/writes.ts";
import { type Changes, changesOf, collectChanges, pendingTables } from "../unit_of_work/changes.ts";
import { type Extras, makePlan, type Plan } from "../unit_of_work/plan.ts";
import type { RowGroup } from "../unit_of_work/order.ts";
import { applyResults, type MadeValues } from "../unit_of_work/results.ts";
import type { ResultSet } from "../sql/statement.ts";
import type { InstanceState } from "../state/instance_state.ts";
import type { Branch } from "./branch.ts";
import type { Events } from "./events.ts";
import type { BeginOptions } from "./options.ts";
import { keyMakers, type Part, partition } from "./partition.ts";
import type { Parts } from "./parts.ts";
import { cascadeDeletion, leavingOrphans } from "./remove.ts";

/** A flush of what belongs to no instance. */
const NO_CHANGES: Changes = {
  inserts: [],
  updates: [],
  deletes: new Set(),
  assignments: new Map(),
  links: [],
  relations: [],
  claim: () => undefined,
};

/** What one database has to write, planned. */
interface PlannedPart {
  readonly branch: Branch;
  readonly bulk: readonly RowGroup[];
  readonly compiled: CompiledPlan;
}

/** What is written with a part besides its changes. */
type Travel = (part: Part) => Extras;

/** Flushes for one session. */
export class Flushing {
  readonly #parts: Parts;
  /** What queries wait for: a flush, or a connection, that one of them asked for. */
  #underWay: Promise<void> | null = null;
  /** Whether handlers of `beforeFlush` run: what they ask for is not flushed first, or they would wait for themselves. */
  #isHandling = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Whether a query must wait before it can be sent; when not, it joins the reads of this turn. */
  mustPrepare(where: () => Branch, tables: Iterable<string> | "all", autoflush: boolean): boolean {
    return where().mustConnect || autoflush && this.isPending(tables);
  }

  /**
   * What must happen before a query: a flush where it reads what is pending, a connection where it needs one. Where it
   * reads is asked again after the flush, as what was written is read where it was written.
   */
  async beforeQuery(
    method: string,
    where: () => Branch,
    tables: Iterable<string> | "all",
    autoflush: boolean,
  ): Promise<void> {
    const connect = async () => {
      const branch = where();
      if (branch.mustConnect) await branch.connect(method);
    };
    const isDue = autoflush && this.isPending(tables);
    if (!isDue || this.#parts.branches.routes.isSingle) await connect();
    // Asked again: another query of this turn may have seen to it.
    while (autoflush && this.isPending(tables)) {
      const joins = this.#underWay !== null;
      await this.#once(() => this.flush(undefined, `${method} (autoflush of pending changes)`, {}));
      // What it joined may have collected before what it is to read was added.
      if (!joins) break;
    }
    await connect();
  }

  /** What several queries of one turn ask for is done once. */
  async #once(run: () => Promise<unknown>): Promise<void> {
    this.#underWay ??= run().then(() => {}).finally(() => this.#underWay = null);
    await this.#underWay;
  }

  /** Whether tables have changes that were not written yet. Costs a look at everything that is loaded. */
  isPending(tables: Iterable<string> | "all"): boolean {
    if (this.#isHandling) return false;
    const pending = pendingTables(this.#parts.tracker);
    for (const { table } of this.#parts.extras.bulk) pending.add(table.table);
    if (tables === "all") return pending.size > 0;
    for (const table of tables) if (pending.has(table)) return true;
    return false;
  }

  /** Writes what is pending, or some of it, on a connection. */
  async flush(objects: Iterable<object> | undefined, why: string, options: CallOptions): Promise<void> {
    await this.between(async () => {
      const all = await this.collect();
      await this.#write(objects === undefined ? all : changesOf(all, objects), why, options);
    });
  }

  /** Writes rows of no instance on a connection, those that were pending first, and nothing else. */
  async bulk(groups: readonly RowGroup[], why: string, options: CallOptions): Promise<MadeValues> {
    const { extras } = this.#parts;
    const before = extras.bulk;
    extras.bulk = [...before, ...groups];
    try {
      return await this.between(() => this.#write(NO_CHANGES, why, options));
    } catch (error) {
      extras.bulk = before;
      throw error;
    }
  }

  /** Does what writes the pending changes between the handlers of a flush; where nothing is pending there is none. */
  async between<T>(work: () => Promise<T>): Promise<T> {
    const { events, failures } = this.#parts;
    if (!events.listens("beforeFlush", "afterFlush") || !this.isPending("all")) return await work();
    return await events.around("Flush", {}, async (handlers) => {
      try {
        await this.#prepare(handlers);
      } catch (error) {
        failures.fail(error);
        throw error;
      }
    }, work);
  }

  async #prepare(handlers: () => Promise<void>): Promise<void> {
    const { lifecycle, branches } = this.#parts;
    this.#isHandling = true;
    try {
      await lifecycle.preparing(handlers);
      await branches.settled();
    } finally {
      this.#isHandling = false;
    }
  }

  /** Collects what there is to write; loads first what the deletion of orphans brings with it. */
  async collect(): Promise<Changes> {
    const { tracker, loader } = this.#parts;
    const orphans = leavingOrphans(tracker);
    if (orphans.length > 0) await cascadeDeletion(tracker, loader, orphans);
    return collectChanges(tracker);
  }

  async #write(changes: Changes, why: string, options: CallOptions): Promise<MadeValues> {
    const { branches, extras } = this.#parts;
    const parts = partition(branches, changes, extras.bulk);
    // Where there is nothing to write, what relations hold is settled all the same.
    if (parts.length === 0) parts.push({ branch: branches.main, changes, bulk: [] });
    return await this.writeParts(parts, changes, why, options);
  }

  /** Writes parts in their order. What can be planned before is, so that it is refused before anything is sent. */
  async writeParts(
    parts: readonly Part[],
    changes: Changes,
    why: string,
    options: CallOptions,
    travel: Travel = ({ bulk }) => ({ verified: [], staged: [], required: [], bulk }),
    settle: (branch: Branch, staged: readonly ResultSet[] | null) => void = () => {},
  ): Promise<MadeValues> {
    const { branches } = this.#parts;
    const makers = keyMakers(changes, ({ mapper }) => branches.of(mapper, "write"));
    const planned = parts.map((part) => makers.has(part.branch) ? null : this.#plan(part, travel));
    const inserted: InstanceState[] = [];
    const all: MadeValues = new Map();
    for (const [i, part] of parts.entries()) {
      const { made, staged } = await this.#writePart(planned[i] ?? this.#plan(part, travel), why, options, inserted);
      for (const [row, values] of made) all.set(row, values);
      settle(part.branch, staged);
      for (const state of part.changes.inserts) inserted.push(state);
    }
    return all;
  }

  #plan(part: Part, travel: Travel): PlannedPart {
    const { branch, changes, bulk } = part;
    const { dialect } = branch.database;
    const plan = makePlan(dialect, changes, travel(part), this.#parts.options.optimistic === "all");
    const compiled = compilePlan(plan, branch.database);
    requireWritable(branch.begin, plan);
    return { branch, bulk, compiled };
  }

  async #writePart(
    { branch, bulk, compiled }: PlannedPart,
    why: string,
    options: CallOptions,
    before: readonly InstanceState[] = [],
  ): Promise<Outcome> {
    const { tracker, failures, events, extras } = this.#parts;
    const { dialect } = branch.database;
    const { plan } = compiled;
    if (plan.steps.length === 0) {
      applyResults(tracker, dialect, plan, new Map(), before);
      return { made: new Map(), staged: [], alreadyGone: 0 };
    }
    await branch.connect(why, options);
    branch.wrote = true;
    let outcome: Outcome;
    try {
      outcome = await branch.exclusive((connection) =>
        runOnConnection(connection, branch.database.dialect, compiled, options, null)
      );
    } catch (error) {
      failures.fail(error);
      throw error;
    }
    extras.bulk = extras.bulk.filter((group) => !bulk.includes(group));
    applyResults(tracker, dialect, plan, outcome.made, before);
    await warnOfGone(events, outcome);
    return outcome;
  }
}

/** Says that rows were gone already: what was written stands. */
export async function warnOfGone(events: Events, { alreadyGone }: Outcome): Promise<void> {
  if (alreadyGone === 0) return;
  const message = `${alreadyGone} of the rows to delete were gone already; another transaction deleted them`;
  await events.after("warning", { message });
}

/** Whether a plan writes anything. */
export function isWriting(plan: Plan): boolean {
  return plan.steps.some(({ step }) => step.kind !== "verify" && step.kind !== "require");
}

/** Refuses a plan that writes in a transaction that only reads. */
export function requireWritable(begin: BeginOptions, plan: Plan): void {
  if (isWriting(plan)) refuseReadOnly(begin);
}

/** Refuses what writes in a transaction that only reads. */
export function refuseReadOnly({ readOnly }: BeginOptions): void {
  if (readOnly) throw new InvalidStateError("Cannot write: the session, or this transaction of it, is read-only");
}
