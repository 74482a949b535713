/**
 * The connection that a session lends out: its transaction stays the session's to end, and what runs on it takes its turn
 * with what the session sends.
 *
 * @module
 */
import type { CallOptions, Connection, Database } from "../database.ts";
import { InvalidStateError } from "../errors.ts";
import type { ResultSet, Statement } from "../sql/statement.ts";
import type { Branch } from "./branch.ts";

/** The open connection of a branch, for as long as its transaction lasts. */
export class LentConnection implements Connection {
  readonly #branch: Branch;
  readonly #connection: Connection;

  constructor(branch: Branch) {
    this.#branch = branch;
    this.#connection = branch.connection!;
  }

  get database(): Database {
    return this.#connection.database;
  }
  get native(): unknown {
    return this.#connection.native;
  }

  async execute(statement: Statement, options?: CallOptions): Promise<ResultSet> {
    return await this.#run((connection) => connection.execute(statement, options));
  }

  async batch(statements: readonly Statement[], options?: CallOptions): Promise<ResultSet[]> {
    return await this.#run((connection) => connection.batch(statements, options));
  }

  async savepoint(name: string, options?: CallOptions): Promise<void> {
    await this.#run((connection) => connection.savepoint(name, options));
  }

  async release(name: string, options?: CallOptions): Promise<void> {
    await this.#run((connection) => connection.release(name, options));
  }

  async rollbackTo(name: string, options?: CallOptions): Promise<void> {
    await this.#run((connection) => connection.rollbackTo(name, options));
  }

  commit(): Promise<ResultSet[]> {
    return Promise.reject(refusal("commit"));
  }

  rollback(): Promise<void> {
    return Promise.reject(refusal("rollback"));
  }

  async #run<T>(run: (connection: Connection) => Promise<T>): Promise<T> {
    if (this.#branch.connection !== this.#connection) {
      throw new InvalidStateError(
        "The session's transaction that this connection was of has ended; call connection() again",
      );
    }
    return await this.#branch.exclusive(run);
  }
}

function refusal(method: string): InvalidStateError {
  return new InvalidStateError(`Cannot ${method} on a session's connection: call session.${method}()`);
}
