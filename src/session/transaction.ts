/**
 * The transactions of a session: how they begin and end, and their savepoints, in memory and in the database together.
 * Flushing and committing, and what is on the database, are files of their own.
 *
 * @module
 */
import type { CallOptions, Connection, Database } from "../database.ts";
import {
  type CommitDecision,
  DatabaseError,
  InvalidStateError,
  TransactionLostError,
  ValidationError,
} from "../errors.ts";
import { checkCallOptions, refuseUnknown } from "../execution/call_options.ts";
import { askFor } from "../execution/exactly_once.ts";
import type { RowGroup } from "../unit_of_work/order.ts";
import type { MadeValues } from "../unit_of_work/results.ts";
import type { Loader } from "../query/loader.ts";
import { Tracker } from "../state/tracker.ts";
import { Beginning } from "./beginning.ts";
import type { Branch } from "./branch.ts";
import { Branches } from "./branches.ts";
import { Committing, type Doubt } from "./committing.ts";
import type { Ending, Prepare } from "./ending.ts";
import { Events } from "./events.ts";
import { CommitExtras } from "./extras.ts";
import { Failures, isLoss } from "./failures.ts";
import { Flushing, refuseReadOnly, warnOfGone } from "./flushing.ts";
import { joined } from "./joined.ts";
import { LentConnection } from "./lent.ts";
import { loaderOf } from "./loaders.ts";
import { Lifecycle } from "./lifecycle.ts";
import {
  type BeginOptions,
  checkBeginOptions,
  checkExactlyOnce,
  type CommitOptions,
  type SessionOptions,
} from "./options.ts";
import { branchOfTable } from "./partition.ts";
import type { Parts } from "./parts.ts";
import type { Scope, ScopeOwner, SessionTransaction } from "./scope.ts";
import { Scopes } from "./scopes.ts";
import type { Session } from "./session.ts";

/** The transactions of one session. */
export class Transactions implements ScopeOwner {
  /** What the session was bound to. */
  readonly bind: Database;
  /** The part of the transaction that is on each database. */
  readonly branches: Branches;
  readonly tracker: Tracker;
  readonly lifecycle: Lifecycle = new Lifecycle();
  readonly events: Events;
  readonly loader: Loader;
  /** What travels with the commit. */
  readonly extras: CommitExtras = new CommitExtras();
  readonly #options: SessionOptions;
  readonly #failures: Failures = new Failures(this.lifecycle);
  readonly #parts: Parts;
  readonly #flushing: Flushing;
  readonly #committing: Committing;
  readonly #scopes: Scopes = new Scopes(this);
  readonly #beginning: Beginning;
  #isExplicit = false;
  /** How it ends, once it is prepared. */
  #ending: Ending | null = null;

  constructor(owner: Session, options: SessionOptions) {
    this.#options = options;
    this.events = new Events(owner);
    this.bind = joined(options.bind);
    this.branches = new Branches(this.bind, options, this.events, this.#failures);
    this.tracker = new Tracker(owner);
    this.loader = loaderOf(this.branches, this.tracker);
    const { branches, tracker, lifecycle, events, loader, extras } = this;
    const parts = this.#parts = {
      options,
      branches,
      tracker,
      lifecycle,
      events,
      failures: this.#failures,
      loader,
      extras,
    };
    this.#flushing = new Flushing(parts);
    const resolve = (doubt: Doubt, options?: CallOptions) => this.#resolve(doubt, options);
    this.#committing = new Committing(parts, this.#flushing, resolve);
    this.#beginning = new Beginning(events, lifecycle);
    tracker.watch = {
      isWatched: () => events.listens("stateChange"),
      changed: ({ instance, status: to }, from) => events.changed({ instance, from, to }),
    };
  }

  /** The branch of the session's bind. */
  get branch(): Branch {
    return this.branches.main;
  }
  /** The session's bind, watched: what is sent goes through it. */
  get database(): Database {
    return this.branch.database;
  }
  get root(): SessionTransaction | null {
    return this.#scopes.root;
  }
  get innermost(): SessionTransaction | null {
    return this.#scopes.innermost;
  }
  get isExplicit(): boolean {
    return this.#isExplicit;
  }
  isActive(scope: Scope): boolean {
    return this.#scopes.has(scope);
  }

  /** Checks that a method may be called and begins a transaction, in memory, when none is open. */
  use(method: string): void {
    this.lifecycle.require(method);
    this.#autobegin();
  }

  #autobegin(): void {
    if (this.#scopes.root !== null) return;
    this.#scopes.begin(this.extras.mark());
    this.tracker.begin();
  }

  /** Runs a call that may overlap with its like but not with a commit or rollback: those wait for it. */
  async run<T>(method: string, call: () => Promise<T>): Promise<T> {
    this.use(method);
    this.lifecycle.enter();
    try {
      if (this.#beginning.isDue) await this.#beginning.tell();
      return await call();
    } catch (error) {
      const { condition } = this.lifecycle;
      const { connected } = this.branches;
      const aborts = error instanceof DatabaseError && !this.events.isVeto(error) &&
        this.branches.mayHaveLost(error) &&
        (isLoss(error) || connected.some(({ database }) => database.dialect.failureAborts));
      if (aborts && (condition === "open" || condition === "preparing")) this.#failures.fail(error);
      throw error;
    } finally {
      this.lifecycle.leave();
    }
  }

  /** Runs what nothing may overlap, after what is under way. */
  async #exclusive<T>(method: string, run: () => Promise<T>): Promise<T> {
    return await this.lifecycle.exclusive(method, async () => {
      await this.lifecycle.quiet();
      await this.branches.settled();
      return await run();
    });
  }

  /** Begins explicitly: adopts a transaction that began by itself, refuses inside an explicit one. */
  async begin(options: BeginOptions = {}): Promise<SessionTransaction> {
    this.lifecycle.require("begin");
    checkBeginOptions(options, this.database);
    if (this.#options.readOnly && options.readOnly === false) {
      throw new InvalidStateError("Cannot begin a transaction that writes: the session is read-only");
    }
    if (this.#isExplicit) {
      throw new InvalidStateError(
        "Cannot begin: a transaction is open already; use beginNested() or savepoint() inside it",
      );
    }
    const { mode: _, ...onDatabase } = options;
    if (
      this.branches.connected.length > 0 &&
      Object.values(onDatabase).some((value) => value !== undefined && value !== false)
    ) {
      throw new InvalidStateError(
        "Cannot begin with these options: the transaction has begun on the database; commit or roll back first",
      );
    }
    const isAdopted = this.#scopes.root !== null;
    this.#autobegin();
    this.#isExplicit = true;
    this.branches.begin = options;
    try {
      const connects = this.branch.mode === "interactive";
      if (connects || this.#beginning.isDue) {
        const open = connects ? () => this.branch.connect("begin").then(() => {}) : undefined;
        this.lifecycle.enter();
        try {
          if (this.#beginning.isDue) await this.#beginning.tell(open);
          await open?.(); // where the handlers had run before, or ran for another call of this turn
        } finally {
          this.lifecycle.leave();
        }
      }
    } catch (error) {
      // What has begun on the database is for rollback() to end.
      if (isAdopted || this.branches.connected.length > 0) {
        this.#isExplicit = false;
        this.branches.begin = {};
      } else this.#end(() => this.tracker.release());
      throw error;
    }
    return this.#scopes.root!;
  }

  /** Sets a savepoint; in memory alone until the session has a connection. */
  async beginNested(name: string | undefined): Promise<SessionTransaction> {
    if (name !== undefined && (typeof name !== "string" || name === "" || name.includes("\0"))) {
      throw new ValidationError("A savepoint's name must be text that is not empty");
    }
    this.use("beginNested");
    return await this.#exclusive("beginNested", async () => {
      if (this.#beginning.isDue) await this.#beginning.tell();
      return await this.#around("Savepoint", name ?? "", async () => {
        const scope = this.#scopes.savepoint(name ?? "", this.extras.mark());
        await this.branches.savepoint(scope.sqlName);
        this.tracker.begin();
        this.#scopes.open(scope);
        return scope;
      });
    });
  }

  /** Releases a savepoint, and those inside it: what was done stays. */
  async release(scope: Scope): Promise<void> {
    await this.#exclusive("release", () =>
      this.#around("ReleaseSavepoint", scope.name!, async () => {
        await this.branches.release(scope.sqlName);
        this.#scopes.leave(scope, () => this.tracker.release());
      }));
  }

  /** Does something with a savepoint between its handlers; the session has failed when one of them or the database refuses. */
  async #around<T>(action: "Savepoint" | "ReleaseSavepoint", name: string, work: () => Promise<T>): Promise<T> {
    try {
      return await this.events.around(action, { name }, (handlers) => this.lifecycle.preparing(handlers), work);
    } catch (error) {
      this.#failures.fail(error);
      throw error;
    }
  }

  /** Opens the interactive transaction on a database; on that of the session's bind unless told. */
  connect(why: string, options: CallOptions = {}, branch: Branch = this.branch): Promise<Connection> {
    return branch.connect(why, options);
  }

  /** The connection, opened where there is none, for others to use. */
  async lend(why: string, options: CallOptions, branch: Branch): Promise<Connection> {
    await branch.connect(why, options);
    branch.lend();
    return new LentConnection(branch);
  }

  /** Whether a query must wait before it can be sent; when not, it joins the reads of this turn. */
  mustPrepare(where: () => Branch, tables: Iterable<string> | "all", autoflush: boolean): boolean {
    return this.#flushing.mustPrepare(where, tables, autoflush);
  }

  /** What must happen before a query: a connection where it needs one, and a flush where it reads what is pending. */
  beforeQuery(
    method: string,
    where: () => Branch,
    tables: Iterable<string> | "all",
    autoflush: boolean,
  ): Promise<void> {
    return this.#flushing.beforeQuery(method, where, tables, autoflush);
  }

  /** Sends the pending changes on a connection. */
  async flush(objects: Iterable<object> | undefined, options: CallOptions): Promise<void> {
    checkCallOptions(options);
    this.use("flush");
    await this.#exclusive("flush", async () => {
      if (this.#beginning.isDue) await this.#beginning.tell();
      await this.#flushing.flush(objects, "flush()", options);
    });
  }

  /**
   * Takes rows of no instance to write. They are pending, and travel with the next flush or commit, unless `now` asks for
   * what the database makes or the transaction is on a connection: then they are sent at once. Gives what was made then.
   */
  async bulk(groups: readonly RowGroup[], method: string, now: boolean, options: CallOptions): Promise<MadeValues> {
    checkCallOptions(options);
    this.use(method);
    refuseReadOnly(this.branches.begin);
    const isAtOnce = groups.map(({ table }) => branchOfTable(this.branches, table)).some((
      { connection, mustConnect },
    ) => connection !== null || mustConnect);
    if (!now && !isAtOnce) {
      this.extras.bulk = [...this.extras.bulk, ...groups];
      return new Map();
    }
    return await this.#exclusive(method, async () => {
      if (this.#beginning.isDue) await this.#beginning.tell();
      return await this.#flushing.bulk(groups, `${method}()`, options);
    });
  }

  /** Runs what writes besides the unit of work, on a connection, after a flush of what is pending. */
  async write<T>(
    run: (connection: Connection) => Promise<T>,
    options: CallOptions,
    autoflush: boolean,
    branch: Branch = this.branch,
    method = "execute() of a statement that writes",
  ): Promise<T> {
    checkCallOptions(options);
    refuseReadOnly(this.branches.begin);
    await branch.connect(method, options);
    await this.beforeQuery(method, () => branch, "all", autoflush);
    branch.wrote = true;
    try {
      return await branch.exclusive(run);
    } catch (error) {
      if (isLoss(error) && !this.events.isVeto(error)) this.#failures.fail(error);
      throw error;
    }
  }

  /** Prepares for two-phase commit: what is pending is written, and nothing but the end is left. */
  async prepare(prepare: Prepare, options: CallOptions): Promise<void> {
    checkCallOptions(options);
    this.use("prepare");
    await this.#exclusive("prepare", async () => {
      if (this.#beginning.isDue) await this.#beginning.tell();
      this.#ending = await prepare(this.#parts, this.#flushing);
      this.lifecycle.become("prepared");
    });
  }

  async #finish(ending: Ending, options: CommitOptions): Promise<null> {
    try {
      await ending.commit(options);
    } catch (error) {
      if (!ending.isOpen) this.#failures.failCommit(error); // it was rolled back instead
      throw error;
    }
    await this.branches.rollback().catch((error) =>
      // of those that only read
      this.events.after("warning", { message: "A transaction that only read could not be ended", error })
    );
    this.#committed();
    this.lifecycle.become("open");
    return null;
  }

  /** Ends a transaction that is committed. */
  #committed(): void {
    this.#end(() => this.tracker.release());
    if (this.#options.expireOnCommit) { for (const state of this.tracker.identity) this.tracker.expire(state); }
  }

  /** Commits: one atomic batch, or what is left to do on the connection. */
  async commit(options: CommitOptions = {}): Promise<void> {
    checkCallOptions(options);
    checkExactlyOnce(options, this.#options.bind);
    this.use("commit");
    const outcome = await this.#exclusive("commit", async () => {
      options.signal?.throwIfAborted();
      if (this.#ending !== null) return await this.#finish(this.#ending, options);
      if (this.#beginning.isDue) await this.#beginning.tell();
      const outcome = await this.#committing.commit(options);
      this.#committed();
      return outcome;
    });
    await this.events.after("afterCommit", { error: null });
    if (outcome !== null) await warnOfGone(this.events, outcome);
  }

  /** Finds out what became of a commit; where the session still waits for that, its transaction ends accordingly. */
  async #resolve(doubt: Doubt, options: CallOptions = {}): Promise<CommitDecision> {
    refuseUnknown(options, ["signal", "timeout"], "resolve()");
    checkCallOptions(options);
    if (this.lifecycle.condition !== "unknown" || this.#committing.doubt !== doubt) {
      return await askFor(doubt, options) === null ? "aborted" : "committed";
    }
    const decision = await this.lifecycle.exclusive("resolve", async (): Promise<CommitDecision> => {
      const outcome = await askFor(doubt, options);
      if (outcome === null) {
        this.#failures.sure();
        this.#failures.failCommit(new TransactionLostError("The commit was not applied"));
        return "aborted";
      }
      this.#committing.apply(doubt.branch, doubt.compiled.plan, outcome);
      this.#failures.sure();
      await this.branches.rollback().catch(() => {}); // of those that only read, or are lost
      this.#committed();
      this.lifecycle.become("open");
      return "committed";
    });
    if (decision === "committed") await this.events.after("afterCommit", { error: null });
    return decision;
  }

  /** Rolls back to a savepoint, or all of it: in the database where something was sent, in memory always. */
  async rollback(target?: SessionTransaction | string): Promise<void> {
    const scope = target === undefined ? null : this.#scopes.find(target);
    if (scope === null) return await this.#rollbackAll();
    if (this.#ending !== null) {
      throw new InvalidStateError("Cannot roll back to a savepoint: the transaction is prepared; roll back all of it");
    }
    await this.#undo("RollbackToSavepoint", { name: scope.name! }, async () => {
      if (this.#failures.isLost) {
        throw new InvalidStateError("Cannot roll back to a savepoint: the whole transaction is lost; call rollback()");
      }
      try {
        await this.branches.rollbackTo(scope.sqlName);
      } catch (error) {
        this.#failures.fail(error);
        throw error;
      }
      this.#scopes.leave(scope, () => this.tracker.rollback());
      this.extras.restore(scope.mark);
      this.#failures.expire(this.tracker);
      this.lifecycle.become("open");
    });
  }

  async #rollbackAll(): Promise<void> {
    const work = async () => {
      // Plain properties may have been changed since the last transaction ended: those go back too.
      this.#autobegin();
      await this.#rollbackPrepared();
      try {
        await this.branches.rollback();
      } finally {
        this.#undone(() => this.tracker.rollback());
        this.#failures.expire(this.tracker);
        this.lifecycle.become("open");
      }
    };
    if (this.#scopes.root === null) await this.#exclusive("rollback", work); // nothing has begun, and nobody was told so
    else await this.#undo("Rollback", {}, work);
  }

  /** Rolls back what is prepared. Throws, and leaves the session as it is, where that cannot be any more. */
  async #rollbackPrepared(): Promise<void> {
    const ending = this.#ending;
    if (ending === null || !ending.isOpen) return;
    try {
      await ending.rollback();
    } catch (error) {
      if (ending.isOpen) throw error;
      await this.events.after("warning", {
        message: "A prepared transaction is left for recover() to roll back",
        error,
      });
    }
  }

  /**
   * Undoes something between its handlers. One that throws before it does not stop it: what was asked for is what it would
   * have come to, and its error is thrown at the end.
   */
  async #undo(
    action: "Rollback" | "RollbackToSavepoint",
    details: { readonly name: string } | Record<never, never>,
    work: () => Promise<void>,
  ): Promise<void> {
    this.lifecycle.require("rollback");
    const { events } = this;
    const failed: unknown[] = [];
    try {
      await this.#exclusive("rollback", async () => {
        const before = `before${action}` as "beforeRollback";
        await events.before(before, details).catch((error) => void failed.push(error));
        await work();
      });
    } catch (error) {
      failed.unshift(error);
    }
    await events.after(`after${action}` as "afterRollback", { ...details, error: failed[0] ?? null });
    if (failed.length > 0) throw failed[0];
  }

  /** Ends the transaction: every frame, innermost first. */
  #end(endFrame: () => void): void {
    while (this.tracker.depth > 0) endFrame();
    this.branches.end();
    this.#ending = null;
    this.#scopes.clear();
    this.#beginning.end();
    this.#isExplicit = false;
    this.extras.clear();
    this.#failures.clear();
  }

  /** Ends a transaction that was rolled back. */
  #undone(endFrame: () => void): void {
    while (this.tracker.depth > 0) endFrame();
    this.extras.undo();
    this.#end(endFrame);
  }

  /** Ends the session: rolls back what the database holds, lets go of every instance as it is. */
  async close(hasError = false): Promise<void> {
    if (this.lifecycle.condition === "closed") return;
    this.lifecycle.require("close");
    try {
      await this.#letGo("close", "closed");
    } catch (error) {
      if (!hasError) throw error;
      await this.events.after("warning", { message: "The transaction could not be rolled back on close()", error });
    }
  }

  /** Does what `close` does, and is as new. */
  async reset(): Promise<void> {
    await this.#letGo("reset", "open");
  }

  /** Does what `close` does without a word to the database: the connection is given up as it is. */
  async invalidate(): Promise<void> {
    this.lifecycle.require("invalidate");
    if (this.lifecycle.condition === "closed") return;
    // At once: what is under way on a connection that does not answer would be waited for otherwise.
    await this.branches.rollback({ signal: AbortSignal.abort() }).catch(() => {});
    await this.#letGo("invalidate", "closed");
  }

  async #letGo(method: string, then: "open" | "closed"): Promise<void> {
    await this.#exclusive(method, async () => {
      try {
        if (method !== "invalidate") await this.#rollbackPrepared().catch(() => {}); // else it is for recover()
        await this.branches.rollback();
      } finally {
        this.tracker.clear();
        this.#failures.expire(this.tracker);
        this.#undone(() => {});
        this.branches.reset();
        this.lifecycle.become(then);
      }
    });
  }
}
