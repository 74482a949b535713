/**
 * An interactive transaction: one session at the server, whose token the driver sends back with each request. Knows when
 * it is lost, and then keeps later statements from running outside of it.
 *
 * @module
 */
import type { CallOptions, Database, PreparableConnection } from "../../src/database.ts";
import {
  DatabaseError,
  InvalidStateError,
  TimeoutError,
  TransactionLostError,
  UnsupportedError,
} from "../../src/errors.ts";
import { quote } from "../../src/sql/mysql_names.ts";
import type { ResultSet, Statement } from "../../src/sql/statement.ts";
import { GivenUp, withLimits } from "../shared/limits.ts";
import type { Bounds } from "./bounds.ts";
import { isOutside } from "./client.ts";
import { endsTransaction, type Failure, mayBeApplied, saysLost, translate } from "./errors.ts";
import type { Line } from "./line.ts";
import { givenUpError, type Loss, lossError } from "./loss.ts";
import { toTexts } from "./text.ts";
import { Turns } from "./turns.ts";
import { fromDriver } from "./values.ts";

/** How long `rollback()` waits, unless told, for a transaction that is lost already; the server would end it too. */
const farewellTime = 1000;

/** What a connection is made of. */
export interface ConnectionParts {
  readonly database: Database;
  readonly line: Line;
  readonly bounds: Bounds;
  readonly readOnly: boolean;
  /** Milliseconds for a call that brings no timeout. */
  readonly timeout: number | undefined;
  readonly failure: Failure;
}

/**
 * A transaction on PlanetScale. Requests: none to open it, one for each statement, and before the first one for BEGIN (one
 * more with an isolation level), one for `commit`; none at all when nothing was run. Calls that overlap wait for each
 * other, in the order in which they were made: two at once would each send back the same token, and one would be lost.
 *
 * Lost, and good for nothing but `rollback()`, after: the server's limit of 20 seconds, a broken connection, a call that
 * was given up, a deadlock, a statement that may have been applied, an answer from outside of it. `rollback()` then still tells the server, where it may hold the transaction open, so that
 * its locks are freed; it waits for the answer a second at most and does not mind what it is. Only where the answer to the
 * first statement was lost it cannot: that answer names the transaction, which the server then ends by itself.
 */
export class PlanetScaleConnection implements PreparableConnection {
  readonly #parts: ConnectionParts;
  /** Open, or ended by commit or rollback, or lost and why. */
  #state: "open" | "ended" | Loss = "open";
  #hasBegun = false;
  /** Set from when COMMIT or its like is sent: from then on the outcome may be open. */
  #isEnding = false;
  readonly #turns = new Turns();

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
  }

  get database(): Database {
    return this.#parts.database;
  }

  /** Whether COMMIT was sent, or the server has ended the transaction and did not say how. */
  get mayBeCommitted(): boolean {
    return this.#isEnding || typeof this.#state === "object" && this.#state.mayBeCommitted === true;
  }

  /** The driver's Connection, which is in the transaction once something was run in it. */
  get native(): unknown {
    return this.#parts.line.native;
  }

  /** Opens the transaction now, and not with the first statement. */
  async begin(options: CallOptions = {}): Promise<void> {
    await this.#call(options, () => this.#runAll([], false));
  }

  /** Runs one statement. One request. */
  async execute(statement: Statement, options: CallOptions = {}): Promise<ResultSet> {
    const texts = this.#prepare([statement]);
    const [result] = await this.#call(options, () => this.#runAll(texts, false));
    return result!;
  }

  /** Runs statements until one fails; what ran before it stays. One request a statement. */
  async batch(statements: readonly Statement[], options: CallOptions = {}): Promise<ResultSet[]> {
    const texts = this.#prepare(statements);
    if (texts.length === 0) return [];
    return await this.#call(options, () => this.#runAll(texts, true));
  }

  /** Sets a savepoint. One request. */
  async savepoint(name: string, options: CallOptions = {}): Promise<void> {
    await this.#control(`SAVEPOINT ${quote(name)}`, options);
  }

  /** Releases a savepoint. One request. */
  async release(name: string, options: CallOptions = {}): Promise<void> {
    await this.#control(`RELEASE SAVEPOINT ${quote(name)}`, options);
  }

  /** Rolls back to a savepoint. One request. */
  async rollbackTo(name: string, options: CallOptions = {}): Promise<void> {
    await this.#control(`ROLLBACK TO SAVEPOINT ${quote(name)}`, options);
  }

  /**
   * Runs `last` and commits; when one of them fails nothing is committed. Ends the transaction either way. One request
   * for each of `last` and one for COMMIT; none when nothing was run at all.
   */
  async commit(last: readonly Statement[] = [], options: CallOptions = {}): Promise<ResultSet[]> {
    return await this.#end(last, this.#parts.bounds.commit, options);
  }

  /** Prepares an XA transaction, and ends the connection: see two_phase.ts. Three requests. */
  async prepare(options: CallOptions = {}): Promise<void> {
    const { bounds: { prepare }, failure, line } = this.#parts;
    if (prepare === undefined) {
      throw new UnsupportedError(`Only a transaction of twoPhase.connect() on ${failure.where} can be prepared`);
    }
    await this.#end([], prepare, options, true);
    // MariaDB, and MySQL before 8.0.29, let no other connection end it while this one is there, and over HTTP nothing
    // but this closes it. It is answered with an error, and changes nothing for what is prepared.
    await withLimits({ timeout: farewellTime }, () => line.run("KILL CONNECTION_ID()"), () => line.cut()).catch(
      () => {},
    );
  }

  /** Rolls back and ends the transaction. One request, none when nothing was run or the server has ended it. */
  async rollback(options: CallOptions = {}): Promise<void> {
    const { line, bounds, timeout, failure } = this.#parts;
    const wasLost = typeof this.#state === "object";
    const given = options.timeout ?? timeout;
    const limit = wasLost ? Math.min(given ?? farewellTime, farewellTime) : given;
    const limits = { ...options, timeout: limit };
    let isWanted = true;
    const turn = this.#turns.take();
    try {
      await withLimits(limits, async () => {
        await turn.before;
        if (!isWanted || this.#state === "ended") return;
        const isLive = this.#state === "open" || this.#state.leftOpen;
        const isLost = this.#state !== "open";
        this.#state = "ended";
        if (!isLive || !this.#hasBegun) return;
        line.mend();
        // Of several only the last one counts: XA END is refused where it was reached before.
        for (const sql of bounds.rollback.slice(0, -1)) await line.run(sql).catch(() => {});
        try {
          await line.run(bounds.rollback.at(-1)!);
        } catch (error) {
          // Nothing was committed, and a session that is gone is rolled back by the server.
          const translated = translate(error, { ...failure, uncommitted: true });
          if (!isLost && !endsTransaction(translated)) throw translated;
        }
      }, () => {
        isWanted = false;
        line.cut();
      });
    } catch (error) {
      if (!(error instanceof GivenUp)) throw error;
      if (!wasLost) throw givenUpError(error, `The rollback on ${failure.where}`, true);
    } finally {
      this.#state = "ended";
      turn.leave();
    }
  }

  /** Runs `last`, then what ends the transaction. `always`: also when nothing was run. */
  async #end(
    last: readonly Statement[],
    closing: readonly string[],
    options: CallOptions,
    always = false,
  ): Promise<ResultSet[]> {
    const texts = this.#prepare(last);
    let hasStarted = false;
    try {
      return await this.#call(options, async () => {
        hasStarted = true;
        if (!always && !this.#hasBegun && texts.length === 0) {
          this.#state = "ended";
          return [];
        }
        const results = await this.#runAll(texts, true);
        this.#isEnding = true;
        for (const sql of closing) await this.#run(sql);
        this.#state = "ended";
        return results;
      });
    } catch (error) {
      if (hasStarted && this.#state === "open") {
        const { timeout } = options;
        await this.rollback({ timeout }).catch(() => {}); // The first error is the one to tell.
      }
      throw error;
    }
  }

  #prepare(statements: readonly Statement[]): string[] {
    return toTexts(statements, { readOnly: this.#parts.readOnly, inTransaction: true });
  }

  async #control(sql: string, options: CallOptions): Promise<void> {
    await this.#call(options, () => this.#runAll([sql], false));
  }

  /** Opens the transaction if it is not open, and runs texts one by one. `isBatch`: they have positions to be named by. */
  async #runAll(texts: readonly string[], isBatch: boolean): Promise<ResultSet[]> {
    if (!this.#hasBegun) await this.#open();
    const results: ResultSet[] = [];
    for (const [i, sql] of texts.entries()) results.push(await this.#run(sql, isBatch ? i : undefined));
    return results;
  }

  async #open(): Promise<void> {
    for (const sql of this.#parts.bounds.open) await this.#run(sql);
    this.#hasBegun = true;
    // Each statement would run on its own, and be committed at once.
    if (this.#parts.line.native.session && !this.#isOutside) return;
    const { where } = this.#parts.failure;
    const cause = new DatabaseError(`${where} answered BEGIN without a session in a transaction; nothing was written`);
    this.#lose({ cause, leftOpen: false });
    throw cause;
  }

  /** One request. Throws a LedgeError. */
  async #run(sql: string, statementIndex?: number): Promise<ResultSet> {
    const uncommitted = !this.#isEnding;
    let result: ResultSet;
    try {
      result = fromDriver(await this.#parts.line.run(sql));
    } catch (error) {
      const failure = { ...this.#parts.failure, statementIndex, sql };
      const translated = translate(error, { ...failure, uncommitted });
      // A statement that may have been applied must not be told as failed and then be committed.
      const isOpen = mayBeApplied(uncommitted ? translate(error, failure) : translated, sql);
      if (!endsTransaction(translated) && !isOpen && !(uncommitted && this.#isOutside)) throw translated;
      // Once COMMIT is on its way a ROLLBACK could undo a part of it, unless it certainly did nothing.
      const leftOpen = (uncommitted || !isOpen) && !this.#isOutside && !(translated instanceof TransactionLostError);
      const loss = this.#lose({ cause: translated, leftOpen, mayBeCommitted: !uncommitted && isOpen });
      throw uncommitted && !saysLost(translated) ? this.#lost(loss) : translated;
    }
    if (uncommitted && this.#isOutside) {
      // As after a statement that commits: nobody said that it was rolled back.
      const cause = new DatabaseError("The server answered with a session that is in no transaction");
      throw this.#lost(this.#lose({ cause, leftOpen: false, mayBeCommitted: true }));
    }
    return result;
  }

  /** Whether the session that the server has last given says that it is not in the transaction, which it was in. */
  get #isOutside(): boolean {
    return this.#hasBegun && !this.#parts.bounds.isUntold && isOutside(this.#parts.line.native);
  }

  /** Runs `work` within its limits, when all calls before it have settled. */
  async #call<T>(options: CallOptions, work: () => Promise<T>): Promise<T> {
    const { line, timeout } = this.#parts;
    const limits = { timeout, ...options };
    let isWanted = true;
    let hasStarted = false;
    const turn = this.#turns.take();
    try {
      return await withLimits(limits, async () => {
        await turn.before;
        if (!isWanted) throw new InvalidStateError("The call was given up before its turn");
        this.#check();
        hasStarted = true;
        return await work();
      }, () => {
        isWanted = false;
        if (!hasStarted) return;
        const cause = new TimeoutError("A call was given up");
        this.#lose({ cause, leftOpen: !this.#isEnding, mayBeCommitted: this.#isEnding });
        line.cut();
      });
    } catch (error) {
      if (!(error instanceof GivenUp)) throw error;
      const what = `A call in a transaction on ${this.#parts.failure.where}`;
      throw givenUpError(error, what, !hasStarted || !this.#isEnding, hasStarted);
    } finally {
      turn.leave();
    }
  }

  #check(): void {
    if (this.#state === "ended") {
      const { where } = this.#parts.failure;
      throw new InvalidStateError(`The transaction on ${where} has ended; open another with connect()`);
    }
    if (this.#state !== "open") throw this.#lost(this.#state);
  }

  #lost(loss: Loss): DatabaseError {
    return lossError(this.#parts.failure.where, loss);
  }

  #lose(loss: Loss): Loss {
    if (this.#state === "open") this.#state = loss;
    return loss;
  }
}
