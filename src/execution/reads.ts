/**
 * Reads that travel together: everything asked for in one turn (one microtask hop) goes out as one request where the
 * database batches. An error of one does not fail the others, and one caller's abort detaches that caller only.
 *
 * @module
 */
import type { CallOptions, Connection, Database, IsolationLevel } from "../database.ts";
import { DatabaseError, TimeoutError } from "../errors.ts";
import { checkCallOptions } from "./call_options.ts";
import { isNotApplied, resending } from "./resending.ts";
import type { ResultSet, Statement } from "../sql/statement.ts";

/** What a read asks for. */
export interface ReadRequest {
  /** Makes the statements, when the request is sent: what joined it in the same turn is in them. */
  statements(): readonly Statement[];
  /** Whether the statements come from builders: those cannot write, and may travel in a read-only transaction. */
  readonly safe: boolean;
}

interface Job extends ReadRequest {
  resolve(results: readonly ResultSet[]): void;
  reject(reason: unknown): void;
  /** Whether its caller may go before it is answered: by an abort or a timeout. */
  readonly mayLeave: boolean;
  /** Whether its caller has gone. */
  detached: boolean;
  /** Set while it is on its way. */
  flight: Flight | null;
  /** What it sends; made with the rest of its turn. */
  list: readonly Statement[];
}

/** What is on its way together: cancelled when every caller has gone. */
interface Flight {
  /** Null where a caller stays in any case. */
  readonly controller: AbortController | null;
  waiting: number;
}

/** Where reads go. */
export interface ReadTarget {
  readonly database: Database;
  /** The open transaction, if there is one. */
  readonly connection: Connection | null;
  /** What makes the transaction's settings; it goes before everything that is not on the connection. */
  readonly settings: Statement | null;
  /** How often a request that met with trouble is sent again; never on the connection. */
  readonly resends: number;
}

/** How many requests a session has open at once where nothing batches: as many as Workers allow, which queue the rest. */
const MOST_OPEN = 6;

/** The reads of one session. */
export class ReadQueue {
  readonly #target: ReadTarget;
  #queue: Job[] = [];
  #scheduled = false;
  /** The last thing sent on the connection: its calls must not overlap. */
  #turn: Promise<unknown> = Promise.resolve();
  /** How many reads are not answered, and who waits until there is none. */
  #open = 0;
  #settling: (() => void)[] = [];
  /** How many of {@linkcode MOST_OPEN} there are, and who waits for one of them to be done. */
  #alone = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(target: ReadTarget) {
    this.#target = target;
  }

  /** Asks for rows; the answer holds one result set a statement. Sent at the end of the turn. */
  read(request: ReadRequest, options: CallOptions = {}): Promise<readonly ResultSet[]> {
    checkCallOptions(options);
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    const { promise, resolve, reject } = deferred<readonly ResultSet[]>();
    const { signal, timeout } = options;
    const job: Job = {
      statements: () => request.statements(),
      safe: request.safe,
      resolve,
      reject,
      mayLeave: signal !== undefined || timeout !== undefined && timeout !== Infinity,
      detached: false,
      flight: null,
      list: [],
    };
    const stop = job.mayLeave ? detachOn(job, options) : null;
    this.#open++;
    const done = (): void => {
      stop?.();
      if (--this.#open > 0) return;
      for (const settled of this.#settling) settled();
      this.#settling = [];
    };
    promise.then(done, done);
    this.#queue.push(job);
    if (!this.#scheduled) {
      this.#scheduled = true;
      queueMicrotask(() => this.#send());
    }
    return promise;
  }

  /** Resolves when nothing is queued or under way. */
  async settled(): Promise<void> {
    while (this.#open > 0) await new Promise<void>((resolve) => this.#settling.push(resolve));
    await this.#turn;
  }

  /** Runs something on the connection after what is under way there. */
  exclusive<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(run);
    this.#turn = result.catch(() => {});
    return result;
  }

  #send(): void {
    this.#scheduled = false;
    const jobs = this.#queue.filter((job) => !job.detached);
    this.#queue = [];
    const sent: Job[] = [];
    for (const job of jobs) {
      try {
        job.list = job.statements();
        sent.push(job);
      } catch (error) {
        job.reject(error);
      }
    }
    if (sent.length === 0) return;
    if (this.#target.connection !== null) this.exclusive(() => this.#run(sent)).catch(() => {});
    else this.#run(sent).catch(() => {});
  }

  /** Sends jobs together; on an error drops the one that failed and sends the rest again. */
  async #run(jobs: readonly Job[]): Promise<void> {
    const controller = jobs.every(({ mayLeave }) => mayLeave) ? new AbortController() : null;
    const flight: Flight = { controller, waiting: jobs.length };
    for (const job of jobs) job.flight = flight;
    if (this.#target.connection === null && this.#target.database.batch === undefined) {
      await Promise.all(jobs.map((job) => this.#runAlone(job)));
      return;
    }
    try {
      const signal = controller?.signal;
      const results = await this.#again(jobs, signal, () => this.#request(jobs, signal));
      let at = 0;
      for (const job of jobs) job.resolve(results.slice(at, at += job.list.length));
    } catch (error) {
      const waiting = jobs.filter((job) => !job.detached);
      if (waiting.length <= 1) {
        for (const job of waiting) job.reject(error);
        return;
      }
      const failed = failedJob(jobs, error, this.#target.settings === null || this.#target.connection !== null ? 0 : 1);
      if (failed !== null) {
        failed.reject(error);
        const rest = waiting.filter((job) => job !== failed);
        if (rest.length > 0) await this.#run(rest);
      } else if (isAboutOne(error)) { for (const job of waiting) await this.#run([job]); }
      else for (const job of waiting) job.reject(error);
    }
  }

  /** Where nothing batches, each read goes by itself, side by side with a few others. */
  async #runAlone(job: Job): Promise<void> {
    const { database } = this.#target;
    const signal = job.flight!.controller?.signal;
    try {
      job.resolve(
        await Promise.all(
          job.list.map((statement) =>
            this.#again([job], signal, () => this.#limited(() => database.execute(statement, { signal })))
          ),
        ),
      );
    } catch (error) {
      job.reject(error);
    }
  }

  /** Sends reads, and again where that may help. A SELECT of the user's may write by what it calls, so that it is not. */
  #again<T>(jobs: readonly Job[], signal: AbortSignal | undefined, send: () => Promise<T>): Promise<T> {
    const { connection, database: { dialect }, resends } = this.#target;
    const mayWrite = dialect.readsMayWrite && !jobs.every(({ safe }) => safe);
    const isHarmless = (error: unknown) => !mayWrite || isNotApplied(error);
    return connection === null ? resending(resends, { signal }, isHarmless, send) : send();
  }

  async #limited<T>(request: () => Promise<T>): Promise<T> {
    while (this.#alone >= MOST_OPEN) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#alone++;
    try {
      return await request();
    } finally {
      this.#alone--;
      this.#waiting.shift()?.();
    }
  }

  async #request(jobs: readonly Job[], signal: AbortSignal | undefined): Promise<readonly ResultSet[]> {
    const { database, connection, settings } = this.#target;
    const statements = jobs.flatMap((job) => job.list);
    if (statements.length === 0) return [];
    if (settings !== null && connection === null) {
      return (await this.#batch(jobs, [settings, ...statements], signal)).slice(1);
    }
    if (connection !== null) {
      return statements.length === 1
        ? [await connection.execute(statements[0]!, { signal })]
        : await connection.batch(statements, { signal });
    }
    if (statements.length === 1) return [await database.execute(statements[0]!, { signal })];
    return await this.#batch(jobs, statements, signal);
  }

  async #batch(
    jobs: readonly Job[],
    statements: readonly Statement[],
    signal: AbortSignal | undefined,
  ): Promise<readonly ResultSet[]> {
    const { database } = this.#target;
    const { readOnly, isolation } = database.capabilities;
    if (!readOnly || database.dialect.readsMayWrite && !jobs.every((job) => job.safe)) {
      return await database.batch!(statements, { signal });
    }
    const snapshot = isolation.find((level) => level === "repeatable read" || level === "serializable");
    return await database.batch!(statements, {
      signal,
      readOnly: true,
      ...snapshot === undefined ? {} : { isolation: snapshot as IsolationLevel },
    });
  }
}

/** The job whose statement the driver names. */
function failedJob(jobs: readonly Job[], error: unknown, before: number): Job | null {
  const at = error instanceof DatabaseError ? error.statementIndex : undefined;
  if (at === undefined) return null;
  let index = at - before;
  for (const job of jobs) {
    if (index < job.list.length) return job;
    index -= job.list.length;
  }
  return null;
}

/** Whether an error is about one of the statements and not about the way to the database. */
function isAboutOne(error: unknown): boolean {
  return error instanceof DatabaseError && error.notApplied &&
    /DATA|STATEMENT|INTEGRITY|VIOLATION|LEDGE_DATABASE/.test(error.code);
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (reason: unknown) => void } {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** Rejects a job when its caller gives up. Returns what takes the watch away again. */
function detachOn(job: Job, { signal, timeout }: CallOptions): () => void {
  const detach = (reason: unknown): void => {
    if (job.detached) return;
    job.detached = true;
    job.reject(reason);
    if (job.flight !== null && --job.flight.waiting === 0) job.flight.controller?.abort(reason);
  };
  const onAbort = (): void => detach(signal!.reason);
  signal?.addEventListener("abort", onAbort);
  const timer = timeout === undefined || timeout === Infinity
    ? undefined
    : setTimeout(() => detach(new TimeoutError(`The read was not answered within ${timeout} ms`)), timeout);
  return () => {
    signal?.removeEventListener("abort", onAbort);
    clearTimeout(timer);
  };
}
