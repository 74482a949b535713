/**
 * A database as a session sees it: the one it was given, with `beforeExecute` and `afterExecute` around every statement,
 * whoever sends it. Where nobody listens a call goes straight through.
 *
 * @module
 */
import type {
  CallOptions,
  Capabilities,
  Connection,
  Database,
  PreparableConnection,
  TransactionOptions,
  TwoPhase,
} from "../database.ts";
import type { Dialect } from "../sql/dialect.ts";
import { isObject } from "../sql/object.ts";
import type { ResultSet, Statement } from "../sql/statement.ts";
import type { Events } from "./events.ts";

/** Watches what is sent to a database. */
export class WatchedDatabase implements Database {
  readonly dialect: Dialect;
  readonly capabilities: Capabilities;
  readonly description: string;
  /** Absent where the database has none: execution chooses by it. */
  readonly batch?: Database["batch"];
  readonly #inner: Database;
  readonly #events: Events;
  /** Takes note of errors that no open connection threw. */
  readonly #apart: WeakSet<object>;

  constructor(inner: Database, events: Events, apart: WeakSet<object> = new WeakSet()) {
    this.#apart = apart;
    this.#inner = inner;
    this.#events = events;
    this.dialect = inner.dialect;
    this.capabilities = inner.capabilities;
    this.description = inner.description;
    // Bound: V8 takes a function that is assigned where it is written for one that lives long, and puts it where only a
    // collection of the whole heap finds it, and the session that it holds.
    if (inner.batch !== undefined) this.batch = this.#batch.bind(this);
  }

  #batch(statements: readonly Statement[], options?: CallOptions & TransactionOptions): Promise<ResultSet[]> {
    const send = () => this.#inner.batch!(statements, options);
    return this.#noted(watch(this.#events, this.description, statements, options, send));
  }

  execute(statement: Statement, options?: CallOptions): Promise<ResultSet> {
    return this.#noted(
      watchOne(this.#events, this.description, statement, options, () => this.#inner.execute(statement, options)),
    );
  }

  /** The promise itself, of whose error a note is taken before anybody else hears of it. */
  #noted<T>(call: Promise<T>): Promise<T> {
    call.catch((error) => {
      if (isObject(error)) this.#apart.add(error);
    });
    return call;
  }

  async connect(options?: CallOptions & TransactionOptions): Promise<Connection> {
    return new WatchedConnection(await this.#noted(this.#inner.connect(options)), this.#events);
  }

  get twoPhase(): TwoPhase | undefined {
    const inner = this.#inner.twoPhase;
    return inner && {
      connect: async (id, options): Promise<PreparableConnection> => {
        const connection = await inner.connect(id, options);
        return Object.assign(new WatchedConnection(connection, this.#events), {
          prepare: (limits?: CallOptions) => connection.prepare(limits),
        });
      },
      commit: (id, options) => inner.commit(id, options),
      rollback: (id, options) => inner.rollback(id, options),
      list: (options) => inner.list(options),
    };
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

/** Watches what is sent on a connection. BEGIN, COMMIT and what is done with savepoints have events of their own. */
class WatchedConnection implements Connection {
  readonly database: Database;
  readonly #inner: Connection;
  readonly #events: Events;

  constructor(inner: Connection, events: Events) {
    this.database = inner.database;
    this.#inner = inner;
    this.#events = events;
  }

  get native(): unknown {
    return this.#inner.native;
  }
  get mayBeCommitted(): boolean | undefined {
    return this.#inner.mayBeCommitted;
  }

  execute(statement: Statement, options?: CallOptions): Promise<ResultSet> {
    const send = () => this.#inner.execute(statement, options);
    return watchOne(this.#events, this.database.description, statement, options, send);
  }
  batch(statements: readonly Statement[], options?: CallOptions): Promise<ResultSet[]> {
    return this.#watch(statements, options, () => this.#inner.batch(statements, options));
  }
  commit(last: readonly Statement[] = [], options?: CallOptions): Promise<ResultSet[]> {
    return this.#watch(last, options, () => this.#inner.commit(last, options));
  }
  savepoint(name: string, options?: CallOptions): Promise<void> {
    return this.#inner.savepoint(name, options);
  }
  release(name: string, options?: CallOptions): Promise<void> {
    return this.#inner.release(name, options);
  }
  rollbackTo(name: string, options?: CallOptions): Promise<void> {
    return this.#inner.rollbackTo(name, options);
  }
  rollback(options?: CallOptions): Promise<void> {
    return this.#inner.rollback(options);
  }

  #watch(
    statements: readonly Statement[],
    options: CallOptions | undefined,
    send: () => Promise<ResultSet[]>,
  ): Promise<ResultSet[]> {
    return watch(this.#events, this.database.description, statements, options, send);
  }
}

function watchOne(
  events: Events,
  database: string,
  statement: Statement,
  options: CallOptions | undefined,
  send: () => Promise<ResultSet>,
): Promise<ResultSet> {
  if (!isWatched(events)) return send();
  return watch(events, database, [statement], options, async () => [await send()]).then(([result]) => result!);
}

function isWatched(events: Events): boolean {
  return events.listens("beforeExecute", "afterExecute");
}

/** Sends statements between their handlers. */
async function watch(
  events: Events,
  database: string,
  statements: readonly Statement[],
  options: CallOptions | undefined,
  send: () => Promise<ResultSet[]>,
): Promise<ResultSet[]> {
  if (!isWatched(events)) return await send();
  const told = statements.map(({ sql, params }) => ({ statement: sql, database, parameters: params }));
  let begun: number | null = null;
  let duration = 0;
  let results: readonly ResultSet[] = [];
  let error: unknown = null;
  try {
    for (const one of told) await events.before("beforeExecute", one);
    events.throwIfAborted(options?.signal);
    begun = performance.now();
    const answered = await send();
    results = answered;
    return answered;
  } catch (thrown) {
    error = thrown;
    throw thrown;
  } finally {
    if (begun !== null) duration = performance.now() - begun;
    for (const [i, one] of told.entries()) {
      const { rows, rowsAffected } = results[i] ?? { rows: [], rowsAffected: 0 };
      const requests = begun !== null && i === 0 ? 1 : 0;
      await events.after("afterExecute", { ...one, duration, rows: rows.length, rowsAffected, requests, error });
    }
  }
}
