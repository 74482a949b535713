/**
 * The transaction of a session: its frames in memory, its savepoints, and the connection that it upgrades to when work
 * needs a conversation with the database.
 *
 * @module
 */
import type { CallOptions, Connection, Database } from "../database.ts";
import {
  CommitOutcomeUnknownError,
  DatabaseError,
  InvalidStateError,
  LedgeError,
  StaleDataError,
  UnsupportedError,
  ValidationError,
} from "../errors.ts";
import { checkCallOptions } from "../execution/call_options.ts";
import { ReadQueue } from "../execution/reads.ts";
import {
  type CompiledPlan,
  compilePlan,
  isSingle,
  type Outcome,
  runBatch,
  runOnConnection,
} from "../execution/writes.ts";
import type { Statement } from "../sql/statement.ts";
import { type InstanceState, knownState } from "../state/instance_state.ts";
import { Tracker } from "../state/tracker.ts";
import { type Changes, changesOf, collectChanges, pendingTables } from "../unit_of_work/changes.ts";
import { makePlan, type Plan } from "../unit_of_work/plan.ts";
import { applyCommitted, applyResults } from "../unit_of_work/results.ts";
import { Loader } from "../query/loader.ts";
import { Events } from "./events.ts";
import { CommitExtras } from "./extras.ts";
import { isAmbiguous, isLoss } from "./failures.ts";
import { Lifecycle } from "./lifecycle.ts";
import { cascadeDeletion, leavingOrphans } from "./remove.ts";
import { Scope, type ScopeOwner, type SessionTransaction } from "./scope.ts";
import {
  type BeginOptions,
  checkBeginOptions,
  type CommitOptions,
  needsSnapshot,
  type SessionOptions,
} from "./options.ts";

/** The transactions of one session. */
export class Transactions implements ScopeOwner {
  readonly database: Database;
  readonly tracker: Tracker;
  readonly lifecycle: Lifecycle = new Lifecycle();
  readonly events: Events = new Events();
  readonly reads: ReadQueue;
  readonly loader: Loader;
  readonly #options: SessionOptions;
  readonly #running: Set<Promise<unknown>> = new Set();
  #connection: Connection | null = null;
  #begin: BeginOptions = {};
  #root: Scope | null = null;
  #explicit = false;
  #savepoints: Scope[] = [];
  #savepointCount = 0;
  /** What travels with the commit. */
  readonly extras: CommitExtras = new CommitExtras();
  /** Whether the connection's transaction wrote something, so that what is read may be undone. */
  #wrote = false;
  /** Whether the server has ended the connection's transaction. */
  #lost = false;
  #stale: Set<object> = new Set();
  #flushing: Promise<void> | null = null;
  #connecting: Promise<Connection> | null = null;
  /** Whether COMMIT may have gone out on the connection: what fails before it was not applied. */
  #committing = false;
  /** What a commit of unknown outcome was about. */
  #doubtful: readonly InstanceState[] = [];

  constructor(owner: object, options: SessionOptions) {
    this.#options = options;
    this.database = options.bind;
    this.tracker = new Tracker(owner);
    this.reads = new ReadQueue(this);
    this.loader = new Loader(this);
  }

  get connection(): Connection | null {
    return this.#connection;
  }
  get uncertain(): boolean {
    return this.#wrote;
  }
  get settings(): Statement | null {
    const settings = { ...this.#options.settings, ...this.#begin.settings };
    return Object.keys(settings).length === 0 ? null : this.database.dialect.settings!(settings);
  }
  get root(): SessionTransaction | null {
    return this.#root;
  }
  get innermost(): SessionTransaction | null {
    return this.#savepoints.at(-1) ?? null;
  }
  get isExplicit(): boolean {
    return this.#explicit;
  }
  isActive(scope: Scope): boolean {
    return this.#root === scope || this.#savepoints.includes(scope);
  }

  /** Checks that the session can be used and begins a transaction, in memory, when none is open. */
  use(method: string): void {
    this.lifecycle.require("use", method);
    this.#autobegin();
  }

  #autobegin(): void {
    if (this.#root !== null) return;
    this.#root = new Scope(this, null, this.extras.mark(), "");
    this.tracker.begin();
  }

  /** Runs a call that may overlap with its like but not with a commit or rollback: those wait for it. */
  async run<T>(method: string, call: () => Promise<T>): Promise<T> {
    this.use(method);
    const promise = call();
    const settled = promise.then(() => {}, () => {});
    this.#running.add(settled);
    try {
      return await promise;
    } catch (error) {
      const aborts = this.#connection !== null && error instanceof DatabaseError &&
        (this.database.dialect.failureAborts || isLoss(error));
      if (aborts && this.lifecycle.condition === "open") this.#fail(error);
      throw error;
    } finally {
      this.#running.delete(settled);
    }
  }

  /** Runs what nothing may overlap, after what is under way. */
  async #exclusive<T>(call: "use" | "rollback" | "close", method: string, run: () => Promise<T>): Promise<T> {
    return await this.lifecycle.exclusive(call, method, async () => {
      while (this.#running.size > 0) await Promise.all(this.#running);
      await this.reads.settled();
      return await run();
    });
  }

  /** Begins explicitly: adopts a transaction that began by itself, refuses inside an explicit one. */
  async begin(options: BeginOptions = {}): Promise<SessionTransaction> {
    this.lifecycle.require("use", "begin");
    checkBeginOptions(options, this.database);
    if (this.#explicit) {
      throw new InvalidStateError(
        "Cannot begin: a transaction is open already; use beginNested() or savepoint() inside it",
      );
    }
    const { mode: _, ...onDatabase } = options;
    if (
      this.#connection !== null && Object.values(onDatabase).some((value) => value !== undefined && value !== false)
    ) {
      throw new InvalidStateError(
        "Cannot begin with these options: the transaction has begun on the database; commit or roll back first",
      );
    }
    this.#autobegin();
    this.#explicit = true;
    this.#begin = options;
    try {
      if (this.#mode === "interactive") await this.run("begin", () => this.connect("begin"));
    } catch (error) {
      this.#explicit = false;
      this.#begin = {};
      throw error;
    }
    return this.#root!;
  }

  get #mode(): NonNullable<SessionOptions["mode"]> {
    return this.#begin.mode ?? this.#options.mode ?? "auto";
  }

  /** Sets a savepoint; in memory alone until the session has a connection. */
  async beginNested(name: string | undefined): Promise<SessionTransaction> {
    if (name !== undefined && (typeof name !== "string" || name === "" || name.includes("\0"))) {
      throw new ValidationError("A savepoint's name must be text that is not empty");
    }
    this.use("beginNested");
    return await this.#exclusive("use", "beginNested", async () => {
      const scope = new Scope(this, name ?? "", this.extras.mark(), `ledge_${++this.#savepointCount}`);
      if (this.#connection !== null) await this.#onConnection((connection) => connection.savepoint(scope.sqlName));
      this.tracker.begin();
      this.#savepoints.push(scope);
      return scope;
    });
  }

  /** Releases a savepoint, and those inside it: what was done stays. */
  async release(scope: Scope): Promise<void> {
    await this.#exclusive("use", "release the savepoint", async () => {
      if (this.#connection !== null) await this.#onConnection((connection) => connection.release(scope.sqlName));
      const at = this.#savepoints.indexOf(scope);
      for (let i = this.#savepoints.length; i > at; i--) this.tracker.release();
      this.#savepoints.length = at;
    });
  }

  async #onConnection(run: (connection: Connection) => Promise<unknown>): Promise<void> {
    try {
      await this.reads.exclusive(() => run(this.#connection!));
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  /** Opens the interactive transaction, with every savepoint that is open. Refused where it cannot be. */
  async connect(why: string, options: CallOptions = {}): Promise<Connection> {
    if (this.#connection !== null) return this.#connection;
    this.#connecting ??= this.#open(why, options).finally(() => this.#connecting = null);
    return await this.#connecting;
  }

  async #open(why: string, options: CallOptions): Promise<Connection> {
    const { database } = this;
    if (this.#mode === "batch") {
      throw new UnsupportedError(
        `${why} needs an interactive transaction, and the session's mode is "batch"; use mode "auto", or put the work in the commit with stage(), require() or assign()`,
      );
    }
    if (!database.capabilities.interactive) {
      throw new UnsupportedError(
        `${why} needs an interactive transaction, and ${database.description} has none; ` +
          "configure one, or put the work in the commit with stage(), require() or assign()",
      );
    }
    const { isolation, readOnly, deferrable } = this.#begin;
    const connection = await database.connect({ isolation, readOnly, deferrable, ...options });
    this.#connection = connection;
    this.#wrote = false;
    this.#lost = false;
    const { settings } = this;
    if (settings !== null) await this.#onConnection((one) => one.execute(settings));
    for (const { sqlName } of this.#savepoints) await this.#onConnection((one) => one.savepoint(sqlName));
    return connection;
  }

  /** What must happen before a query: a connection where it needs one, and a flush where it reads what is pending. */
  async beforeQuery(method: string, tables: Iterable<string> | "all", autoflush: boolean): Promise<void> {
    if (this.#mustConnect) {
      await this.#connectOnce(method);
    }
    if (!autoflush) return;
    if (!this.#isPending(tables)) return;
    this.#flushing ??= this.#flushFor(method).finally(() => this.#flushing = null);
    await this.#flushing;
  }

  #isPending(tables: Iterable<string> | "all"): boolean {
    const pending = pendingTables(this.tracker);
    if (tables === "all") return pending.size > 0;
    for (const table of tables) if (pending.has(table)) return true;
    return false;
  }

  /** Whether reads need a connection that is not there yet. */
  get #mustConnect(): boolean {
    if (this.#connection !== null) return false;
    return this.#mode === "interactive" || needsSnapshot(this.#begin) ||
      this.database.batch === undefined && this.settings !== null;
  }

  /** Whether a query must wait before it can be sent; when not, it joins the reads of this turn. */
  mustPrepare(tables: Iterable<string> | "all", autoflush: boolean): boolean {
    return this.#mustConnect || autoflush && this.#isPending(tables);
  }

  async #connectOnce(method: string): Promise<void> {
    this.#flushing ??= this.connect(method).then(() => {}).finally(() => this.#flushing = null);
    await this.#flushing;
  }

  async #flushFor(method: string): Promise<void> {
    await this.#flushChanges(await this.#collect(), `${method} (autoflush of pending changes)`, {});
  }

  /** Sends the pending changes on a connection. */
  async flush(objects: Iterable<object> | undefined, options: CallOptions): Promise<void> {
    checkCallOptions(options);
    this.use("flush");
    await this.#exclusive("use", "flush", async () => {
      const all = await this.#collect();
      const changes = objects === undefined ? all : changesOf(all, objects);
      await this.#flushChanges(changes, "flush()", options);
    });
  }

  /** Collects what there is to write; loads first what the deletion of orphans brings with it. */
  async #collect(): Promise<Changes> {
    const orphans = leavingOrphans(this.tracker);
    if (orphans.length > 0) await cascadeDeletion(this.tracker, this.loader, orphans);
    return collectChanges(this.tracker);
  }

  async #flushChanges(changes: Changes, why: string, options: CallOptions): Promise<void> {
    const { dialect } = this.database;
    const plan = makePlan(dialect, changes, { verified: [], staged: [], required: [] }, this.#compareAll);
    const compiled = compilePlan(plan, dialect);
    if (plan.steps.length === 0) return applyResults(this.tracker, dialect, plan, new Map());
    this.#requireWritable(plan);
    const connection = await this.connect(why, options);
    this.#wrote = true;
    const outcome = await this.#carryOut(
      plan,
      "flush",
      () => this.reads.exclusive(() => runOnConnection(connection, dialect, compiled, options, null)),
    );
    applyResults(this.tracker, dialect, plan, outcome.made);
    await this.#warn(outcome);
  }

  /** Says that rows were gone already. A handler that throws does not undo what was written. */
  async #warn({ alreadyGone }: Outcome): Promise<void> {
    if (alreadyGone === 0) return;
    const message = `${alreadyGone} of the rows to delete were gone already; another transaction deleted them`;
    await this.events.emit("warning", { message });
  }

  get #compareAll(): boolean {
    return this.#options.optimistic === "all";
  }

  #requireWritable(plan: Plan): void {
    if (this.#begin.readOnly && plan.steps.some(({ step }) => step.kind !== "verify" && step.kind !== "require")) {
      throw new InvalidStateError(
        "Cannot write: the transaction was begun read-only; roll back, and begin one that is not",
      );
    }
  }

  /** Runs what writes besides the unit of work, on a connection, after a flush of what is pending. */
  async write<T>(run: (connection: Connection) => Promise<T>, options: CallOptions, autoflush: boolean): Promise<T> {
    checkCallOptions(options);
    if (this.#begin.readOnly) throw new InvalidStateError("Cannot write: the transaction was begun read-only");
    await this.connect("execute() of a statement that writes", options);
    await this.beforeQuery("execute", "all", autoflush);
    this.#wrote = true;
    try {
      return await this.reads.exclusive(() => run(this.#connection!));
    } catch (error) {
      if (isLoss(error)) this.#fail(error);
      throw error;
    }
  }

  /** Commits: one atomic batch, or what is left to do on the connection. */
  async commit(options: CommitOptions = {}): Promise<void> {
    checkCallOptions(options);
    this.use("commit");
    const outcome = await this.#exclusive("use", "commit", async () => {
      options.signal?.throwIfAborted();
      const { dialect } = this.database;
      const read = this.#options.verifyReads ? this.tracker.identity : null;
      const extras = this.extras.collect(dialect, this.#compareAll, read);
      const plan = makePlan(dialect, await this.#collect(), extras, this.#compareAll);
      this.#requireWritable(plan);
      const compiled = compilePlan(plan, dialect);
      let sent: Outcome | null = null;
      if (plan.steps.length > 0 || this.#connection !== null) {
        if (this.#commitConnects(compiled)) await this.connect("This commit", options);
        sent = await this.#carryOut(plan, "commit", () => this.#sendCommit(compiled, options));
        this.extras.settle(sent.staged);
      } else applyResults(this.tracker, dialect, plan, new Map());
      this.#end(() => this.tracker.release());
      if (this.#options.expireOnCommit) { for (const state of this.tracker.identity) this.tracker.expire(state); }
      return sent;
    });
    if (outcome !== null) await this.#warn(outcome);
  }

  #commitConnects(compiled: CompiledPlan): boolean {
    if (this.#mode === "interactive") return true;
    if (compiled.plan.needsConversation) return true;
    const isAtomic = isSingle(compiled) || compiled.compiled.length === 0;
    return this.database.batch === undefined &&
      (!isAtomic || this.settings !== null || this.#begin.isolation !== undefined);
  }

  async #sendCommit(compiled: CompiledPlan, options: CommitOptions): Promise<Outcome> {
    const { database } = this;
    const { isolation, readOnly, deferrable } = this.#begin;
    const outcome = this.#connection === null
      ? await runBatch(database, compiled, this.settings, { ...options, isolation, readOnly, deferrable })
      : await runOnConnection(this.#connection, database.dialect, compiled, options, () => this.#committing = true);
    applyCommitted(this.tracker, database.dialect, compiled.plan, outcome.made);
    return outcome;
  }

  /** Runs what writes; on an error the session fails, or its commit's outcome is unknown. */
  async #carryOut(plan: Plan, doing: "flush" | "commit", run: () => Promise<Outcome>): Promise<Outcome> {
    try {
      return await run();
    } catch (error) {
      if (doing === "commit") this.#lost = true; // its transaction is over, here or on the server
      if (doing === "commit" && isAmbiguous(error) && this.#mayBeCommitted) {
        this.lifecycle.become("unknown");
        const planned = plan.steps.flatMap(({ states }) => states).filter((state) => state !== null);
        this.#doubtful = [...planned, ...this.tracker.touched()];
        throw new CommitOutcomeUnknownError(
          "The commit was sent and its answer was lost: it may or may not have been applied. " +
            "Call rollback(), then read what is there before doing it again",
          { cause: error },
        );
      }
      this.#fail(error);
      // Nothing can be done with it but to roll back: its locks are given back at once.
      if (doing === "commit") await this.#connection?.rollback().catch(() => {});
      throw error;
    }
  }

  /** Whether a commit that has failed may have been applied, if its error does not say. */
  get #mayBeCommitted(): boolean {
    return this.#connection === null || this.#committing && this.#connection.mayBeCommitted !== false;
  }

  #fail(error: unknown): void {
    if (error instanceof StaleDataError && error.instance !== null) this.#stale.add(error.instance);
    if (isLoss(error)) this.#lost = true;
    this.lifecycle.become("failed", error instanceof LedgeError ? error.name : "an error");
  }

  /** Rolls back to a savepoint, or all of it: in the database where something was sent, in memory always. */
  async rollback(target?: SessionTransaction | string): Promise<void> {
    if (target === undefined) return await this.#exclusive("rollback", "rollback", () => this.#rollbackAll());
    const scope = typeof target === "string"
      ? this.#savepoints.findLast(({ name }) => name === target)
      : this.#savepoints.find((one) => one === target);
    if (scope === undefined && target !== this.#root) {
      throw new ValidationError(
        `There is no open savepoint ${
          typeof target === "string" ? JSON.stringify(target) : "like this"
        } to roll back to`,
      );
    }
    if (scope === undefined) return await this.rollback();
    await this.#exclusive("rollback", "rollback to a savepoint", async () => {
      if (this.lifecycle.condition === "unknown" || this.#lost) {
        throw new InvalidStateError("Cannot roll back to a savepoint: the whole transaction is lost; call rollback()");
      }
      if (this.#connection !== null) {
        await this.#onConnection(async (connection) => {
          await connection.rollbackTo(scope.sqlName);
          await connection.release(scope.sqlName);
        });
      }
      const at = this.#savepoints.indexOf(scope);
      for (let i = this.#savepoints.length; i > at; i--) this.tracker.rollback();
      this.#savepoints.length = at;
      this.extras.restore(scope.mark);
      this.#expireStale();
      this.lifecycle.become("open");
    });
  }

  async #rollbackAll(): Promise<void> {
    // Plain properties may have been changed since the last transaction ended: those go back too.
    this.#autobegin();
    try {
      await this.#connection?.rollback();
    } finally {
      const doubtful = this.#doubtful;
      this.#end(() => this.tracker.rollback());
      for (const state of doubtful) if (state.status === "persistent") this.tracker.expire(state);
      this.#expireStale();
      this.lifecycle.become("open");
    }
  }

  #expireStale(): void {
    for (const instance of this.#stale) {
      const state = knownState(instance);
      if (state?.status === "persistent") this.tracker.expire(state);
    }
    this.#stale.clear();
  }

  /** Ends the transaction: every frame, innermost first. */
  #end(endFrame: () => void): void {
    while (this.tracker.depth > 0) endFrame();
    this.#connection = null;
    this.#root = null;
    this.#explicit = false;
    this.#begin = {};
    this.#savepoints = [];
    this.extras.clear();
    this.#wrote = false;
    this.#lost = false;
    this.#committing = false;
    this.#doubtful = [];
  }

  /** Ends the session: rolls back what the database holds, lets go of every instance as it is. */
  async close(): Promise<void> {
    if (this.lifecycle.condition === "closed") return;
    await this.#exclusive("close", "close", async () => {
      try {
        await this.#connection?.rollback();
      } finally {
        this.tracker.clear();
        this.#end(() => {});
        this.lifecycle.become("closed");
      }
    });
  }
}
