/**
 * A session inside a transaction that is open already: the open connection as a database, whose transactions are
 * savepoints (SQLAlchemy's `join_transaction_mode="create_savepoint"`). Made for tests that undo what they did, and for
 * code that commits by itself inside a larger whole.
 *
 * @module
 */
import type { CallOptions, Capabilities, Connection, Database, TransactionOptions } from "../database.ts";
import { InvalidStateError, UnsupportedError } from "../errors.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { ResultSet, Statement } from "../sql/statement.ts";

/** Whether a bind is an open connection. */
export function isConnection(bind: Database | Connection): bind is Connection {
  return "database" in bind && typeof bind.savepoint === "function";
}

/** The database that a session works with: the one it is bound to, or the one that an open connection stands for. */
export function joined(bind: Database | Connection): Database {
  return isConnection(bind) ? new JoinedDatabase(bind) : bind;
}

/** An open connection as a database. Its calls must not overlap, as the connection's must not. */
class JoinedDatabase implements Database {
  readonly dialect: Dialect;
  readonly capabilities: Capabilities;
  readonly description: string;
  readonly #outer: Connection;

  constructor(outer: Connection) {
    const { dialect, capabilities, description } = outer.database;
    if (!capabilities.savepoints) {
      throw new UnsupportedError(`A session can only join a connection that has savepoints; ${description} has none`);
    }
    this.#outer = outer;
    this.dialect = dialect;
    this.description = `${description} (a joined connection)`;
    // What a transaction is like was settled when it began; a savepoint cannot have it otherwise.
    this.capabilities = {
      batch: "stepwise",
      interactive: true,
      savepoints: true,
      isolation: [],
      readOnly: false,
      deferrable: false,
    };
  }

  execute(statement: Statement, options?: CallOptions): Promise<ResultSet> {
    return this.#outer.execute(statement, options);
  }

  /** Sets a savepoint: one request. */
  async connect({ signal, timeout }: CallOptions & TransactionOptions = {}): Promise<Connection> {
    // Two sessions, one inside the other, may join the same connection, and MySQL forgets a savepoint whose name comes again.
    const name = `ledge_in_${crypto.randomUUID().slice(0, 8)}`;
    await this.#outer.savepoint(name, { signal, timeout });
    return new JoinedConnection(this.#outer, this, name);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** A savepoint as a transaction. */
class JoinedConnection implements Connection {
  readonly database: Database;
  readonly #outer: Connection;
  readonly #name: string;
  #hasEnded = false;

  constructor(outer: Connection, database: Database, name: string) {
    this.#outer = outer;
    this.database = database;
    this.#name = name;
  }

  get native(): unknown {
    return this.#outer.native;
  }

  async execute(statement: Statement, options?: CallOptions): Promise<ResultSet> {
    return await this.#open().execute(statement, options);
  }

  async batch(statements: readonly Statement[], options?: CallOptions): Promise<ResultSet[]> {
    return await this.#open().batch(statements, options);
  }

  async savepoint(name: string, options?: CallOptions): Promise<void> {
    await this.#open().savepoint(`${this.#name}_${name}`, options);
  }

  async release(name: string, options?: CallOptions): Promise<void> {
    await this.#open().release(`${this.#name}_${name}`, options);
  }

  async rollbackTo(name: string, options?: CallOptions): Promise<void> {
    await this.#open().rollbackTo(`${this.#name}_${name}`, options);
  }

  /** Releases the savepoint: what was done is durable when the connection's transaction is. Two requests, one without `last`. */
  async commit(last: readonly Statement[] = [], options?: CallOptions): Promise<ResultSet[]> {
    const outer = this.#open();
    const results = last.length === 0 ? [] : await outer.batch(last, options);
    await outer.release(this.#name, options);
    this.#hasEnded = true;
    return results;
  }

  /** Rolls back to the savepoint and releases it: two requests. The connection's transaction goes on. */
  async rollback(options?: CallOptions): Promise<void> {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    // The connection is not this session's to give up: what was done is undone even so.
    const limits = options?.signal?.aborted ? {} : options;
    await this.#outer.rollbackTo(this.#name, limits);
    await this.#outer.release(this.#name, limits);
  }

  #open(): Connection {
    if (this.#hasEnded) throw new InvalidStateError("The savepoint that stood for the transaction has ended");
    return this.#outer;
  }
}
