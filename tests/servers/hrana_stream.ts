/**
 * A stream: one connection to the database file, on which statements run one after the other. The engine is synchronous,
 * so a lock held by another stream is waited for by trying again from the event loop: a busy handler inside the engine
 * would stop the very stream that has to release it.
 *
 * @module
 */
import Database from "libsql";
import {
  bindings,
  encodeValue,
  type EngineValue,
  HranaError,
  scan,
  type Scanned,
  type WireBatch,
  type WireCond,
  type WireResult,
  type WireStmt,
} from "./hrana_value.ts";

type Connection = InstanceType<typeof Database>;
type Prepared = ReturnType<Connection["prepare"]>;
interface EngineError extends Error {
  code: string;
  rawCode?: number;
}

const CONTROL = /^(?:BEGIN|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE)$/;
const BUSY = 5;

/** What the streams of one server share. */
export interface StreamContext {
  readonly path: string;
  readonly busyTimeout: number;
  readonly transactionTimeout: number;
  /** Error codes as sqld answers them, or the engine's own extended ones. */
  readonly codes: "sqld" | "engine";
  /** Connections at rest. A closed one keeps its file handles until the next garbage collection, so they are reused. */
  readonly idle: Connection[];
  readonly streams: Set<HranaStream>;
  /** Told of every statement that runs. */
  ran(control: boolean): void;
  /** Waits; rejects when the server stops. */
  sleep(ms: number): Promise<void>;
}

/** Opens a connection, or takes one at rest. */
export function takeConnection(context: StreamContext): Connection {
  const connection = context.idle.pop() ?? new Database(context.path, { timeout: 0 });
  connection.defaultSafeIntegers(true);
  connection.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON");
  return connection;
}

/** Runs a prepared statement once: rows as arrays. */
function step(prepared: Prepared, args: EngineValue[]): EngineValue[][] {
  const statement = prepared as unknown as {
    reader: boolean;
    raw(): { all(args: EngineValue[]): EngineValue[][] };
    run(args: EngineValue[]): void;
  };
  if (statement.reader) return statement.raw().all(args);
  statement.run(args);
  return [];
}

export class HranaStream {
  /** SQL texts stored on this stream (over HTTP). */
  readonly sqls: Map<number, string> = new Map();
  /** Where the statements of the current request are written down. */
  log?: { readonly sql: string[]; readonly args: (readonly EngineValue[])[] };
  readonly #context: StreamContext;
  #connection: Connection | undefined;
  #counts: Prepared | undefined;
  #begun = 0;
  #running = false;
  #timedOut = false;
  #closed = false;

  constructor(context: StreamContext) {
    this.#context = context;
    context.streams.add(this);
  }

  get autocommit(): boolean {
    return !this.#connection?.inTransaction;
  }

  get #open(): Connection {
    if (this.#closed) throw new HranaError("The stream is closed", "STREAM_CLOSED", 400);
    return this.#connection ??= takeConnection(this.#context);
  }

  /** Runs one statement. */
  async execute(stmt: WireStmt & { sql: string }): Promise<WireResult> {
    const [scanned, second] = scan(stmt.sql);
    if (!scanned) throw new HranaError("SQL string does not contain any statement", "SQL_NO_STATEMENT");
    if (second) throw new HranaError("SQL string contains more than one statement", "SQL_MANY_STATEMENTS");
    return await this.#run(scanned, bindings(stmt, scanned.params), stmt.want_rows !== false);
  }

  /** Runs the steps whose conditions hold; a failed step fails no other. */
  async batch(batch: WireBatch, resolve: (stmt: WireStmt) => WireStmt & { sql: string }): Promise<{
    step_results: (WireResult | null)[];
    step_errors: ({ message: string; code: string } | null)[];
  }> {
    const step_results: (WireResult | null)[] = [];
    const step_errors: ({ message: string; code: string } | null)[] = [];
    // As in sqld, "error" also holds for a step that was skipped.
    const holds = (cond: WireCond): boolean => {
      if (cond.type === "ok") return Boolean(step_results[cond.step]);
      if (cond.type === "error") return !step_results[cond.step];
      if (cond.type === "not") return !holds(cond.cond);
      if (cond.type === "and") return cond.conds.every(holds);
      if (cond.type === "or") return cond.conds.some(holds);
      return this.autocommit;
    };
    for (const { condition, stmt } of batch.steps) {
      let result: WireResult | null = null;
      let error: HranaError | null = null;
      if (!condition || holds(condition)) {
        try {
          result = await this.execute(resolve(stmt));
        } catch (e) {
          if (!(e instanceof HranaError) || e.status !== undefined) throw e;
          error = e;
        }
      }
      step_results.push(result);
      step_errors.push(error && error.toWire());
    }
    return { step_results, step_errors };
  }

  /** Runs every statement of a text, up to the first error. */
  async sequence(sql: string): Promise<void> {
    for (const scanned of scan(sql)) await this.#run(scanned, scanned.params.map(() => null), false);
  }

  /** What a statement takes and gives; nothing runs. */
  describe(sql: string): unknown {
    const [scanned] = scan(sql);
    if (!scanned) throw new HranaError("SQL string does not contain any statement", "SQL_NO_STATEMENT");
    const prepared = this.#prepare(scanned);
    return {
      params: scanned.params.map((name) => ({ name })),
      cols: prepared.columns().map((c) => ({ name: c.name, decltype: c.type })),
      is_explain: scanned.verb === "EXPLAIN",
      is_readonly: /^(?:SELECT|VALUES|EXPLAIN|PRAGMA)$/.test(scanned.verb),
    };
  }

  /** Rolls back what is open and gives the connection back. */
  close(): void {
    this.#closed = true;
    this.#context.streams.delete(this);
    const connection = this.#connection;
    this.#connection = undefined;
    if (!connection) return;
    if (connection.inTransaction) connection.exec("ROLLBACK");
    this.#context.idle.push(connection);
  }

  /** Takes the transaction from a stream that has sat on it for too long; its next statement is told. */
  expireTransaction(): void {
    if (this.#running || this.autocommit || performance.now() - this.#begun < this.#context.transactionTimeout) return;
    this.#connection!.exec("ROLLBACK");
    this.#timedOut = true;
  }

  #prepare(scanned: Scanned): Prepared {
    try {
      return this.#open.prepare(scanned.sql);
    } catch (error) {
      throw this.#translate(error, scanned.sql);
    }
  }

  async #run(scanned: Scanned, args: EngineValue[], wantRows: boolean): Promise<WireResult> {
    const connection = this.#open;
    if (this.#timedOut) {
      this.#timedOut = false;
      throw new HranaError("Transaction timed out", "TRANSACTION_TIMEOUT");
    }
    const control = CONTROL.test(scanned.verb);
    this.#context.ran(control);
    this.log?.sql.push(scanned.sql);
    this.log?.args.push(args);
    this.#running = true;
    try {
      if (control) {
        const wasIn = connection.inTransaction;
        await this.#patiently(() => connection.exec(scanned.sql), scanned.sql);
        if (!wasIn) this.#begun = performance.now();
        return { cols: [], rows: [], affected_row_count: 0, last_insert_rowid: this.#count()[2].toString() };
      }
      const prepared = this.#prepare(scanned);
      const before = this.#count()[0];
      const rows = await this.#patiently(() => step(prepared, args), scanned.sql, () => this.#settle(prepared, args));
      const [total, changes, rowid] = this.#count();
      return {
        cols: prepared.columns().map((c) => ({ name: c.name, decltype: c.type })),
        rows: wantRows ? rows.map((row) => row.map(encodeValue)) : [],
        affected_row_count: total === before ? 0 : Number(changes),
        last_insert_rowid: rowid.toString(),
      };
    } finally {
      this.#running = false;
    }
  }

  /** Total changes, changes of the last statement, last rowid: exact, where the addon's own are rounded. */
  #count(): [bigint, bigint, bigint] {
    this.#counts ??= this.#open.prepare("SELECT total_changes(), changes(), last_insert_rowid()");
    return step(this.#counts, [])[0] as [bigint, bigint, bigint];
  }

  /** Runs `attempt` until the lock that it wants is free, or time is out. */
  async #patiently<T>(attempt: () => T, sql: string, giveUp?: () => void): Promise<T> {
    const deadline = performance.now() + this.#context.busyTimeout;
    for (let wait = 1;; wait = Math.min(wait * 2, 10)) {
      try {
        return attempt();
      } catch (error) {
        const { rawCode = 0 } = error as EngineError;
        if (rawCode === BUSY && performance.now() < deadline) {
          for (const other of this.#context.streams) if (other !== this) other.expireTransaction();
          await this.#context.sleep(wait);
          continue;
        }
        if ((rawCode & 0xff) === BUSY) giveUp?.();
        throw this.#translate(error, sql);
      }
    }
  }

  /** A statement left busy keeps its old snapshot open until it is run again: run it where it must fail at once. */
  #settle(prepared: Prepared, args: EngineValue[]): void {
    this.#connection!.exec("PRAGMA query_only = ON");
    try {
      step(prepared, args);
    } catch {
      // It fails, that is what it is for.
    }
    this.#connection!.exec("PRAGMA query_only = OFF");
  }

  /** The engine's error as sqld words it: primary codes, and "unknown" for the plain SQLITE_ERROR. */
  #translate(error: unknown, sql: string): HranaError {
    if (error instanceof HranaError) return error;
    const { message, code, rawCode } = error as EngineError;
    if (typeof code !== "string") throw error;
    if (this.#context.codes === "engine") return new HranaError(`SQLite error: ${message}`, code);
    const word = /^near "(.+)": syntax error$|^no such (?:column|table): (.+)$/s.exec(message);
    if (rawCode === 1 && word) {
      const offset = Math.max(0, sql.indexOf(word[1] ?? word[2]!));
      return new HranaError(`SQL input error: ${message} (at offset ${offset})`, "SQL_INPUT_ERROR");
    }
    const primary = rawCode === 1 ? "SQLITE_UNKNOWN" : /^SQLITE_[A-Z]+/.exec(code)?.[0] ?? "SQLITE_UNKNOWN";
    return new HranaError(`SQLite error: ${message}`, primary);
  }
}
