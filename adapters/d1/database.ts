/**
 * A D1 database over its binding.
 *
 * @module
 */
import type { CallOptions, Capabilities, Connection, Database, TransactionOptions } from "../../src/database.ts";
import { InvalidStateError, UnsupportedError } from "../../src/errors.ts";
import {
  type StatementTransaction,
  type StatementTransactionOptions,
  type Transacting,
  transaction,
} from "../../src/session/plain_transaction.ts";
import type { Dialect } from "../../src/sql/dialect.ts";
import type { ResultSet, Statement } from "../../src/sql/statement.ts";
import { checkWithoutDeferring } from "../shared/isolation.ts";
import { GivenUp, withLimits } from "../shared/limits.ts";
import type { D1Binding } from "./binding.ts";
import { dialect } from "./dialect.ts";
import { translate } from "./errors.ts";
import { fromBatch, fromRaw } from "./results.ts";
import { forBatch, prepare, toBatch, toDriver } from "./statements.ts";

/** A database of Cloudflare D1. */
export interface D1Database extends Database, Transacting, AsyncDisposable {
  /** Runs one statement on its own. One request. */
  execute(statement: Statement, options?: CallOptions): Promise<ResultSet>;
  /** Runs all statements in one transaction, or none. One request. */
  batch(statements: readonly Statement[], options?: CallOptions & TransactionOptions): Promise<ResultSet[]>;
  /** The database's name. */
  toJSON(): { readonly description: string };
}

const capabilities: Capabilities = /* @__PURE__ */ Object.freeze({
  batch: "atomic",
  interactive: false,
  savepoints: false,
  isolation: /* @__PURE__ */ Object.freeze(["serializable"] as const),
  // Kept by refusing what is not a read.
  readOnly: true,
  deferrable: false,
});

/** Makes a database of a binding. Sends nothing. */
export function makeDatabase(binding: D1Binding): D1Database {
  return new BindingDatabase(binding);
}

class BindingDatabase implements D1Database {
  readonly #binding: D1Binding;
  #isClosed = false;
  readonly dialect: Dialect = dialect;
  readonly capabilities: Capabilities = capabilities;
  readonly description = "d1";

  constructor(binding: D1Binding) {
    this.#binding = binding;
  }

  async execute(statement: Statement, options: CallOptions = {}): Promise<ResultSet> {
    const [one] = prepare([statement], false);
    return await this.#call("A statement", options, async (binding) => {
      // `raw` keeps columns of the same name, and does not tell how many rows were written.
      if (one!.returns) return fromRaw(await toDriver(binding, one!).raw({ columnNames: true }));
      return fromBatch(await binding.batch(toBatch(binding, [one!])), [one!])[0]!;
    });
  }

  async batch(statements: readonly Statement[], options: CallOptions & TransactionOptions = {}): Promise<ResultSet[]> {
    checkWithoutDeferring(options, "D1");
    const prepared = prepare(statements, options.readOnly ?? false).map(forBatch);
    if (prepared.length === 0) return [];
    return await this.#call("A batch", options, async (binding) => {
      return fromBatch(await binding.batch(toBatch(binding, prepared)), prepared);
    });
  }

  /** Refused, as every conversation. */
  transaction<R>(
    fn: (transaction: StatementTransaction) => Promise<R> | R,
    options?: StatementTransactionOptions,
  ): Promise<R> {
    return transaction(this, fn, options);
  }

  connect(): Promise<Connection> {
    return Promise.reject(
      new UnsupportedError(
        `connect() on ${this.description} has no way: D1 has no transaction that outlives a request. Write the work as one ` +
          "batch: what batch() runs, and a session's commit(), needs no conversation",
      ),
    );
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  toJSON(): { readonly description: string } {
    return { description: this.description };
  }

  /** D1 takes no signal: what is given up runs on, and its answer is ignored. */
  async #call<T>(what: string, options: CallOptions, work: (binding: D1Binding) => Promise<T>): Promise<T> {
    if (this.#isClosed) {
      throw new InvalidStateError(`${what} on ${this.description} was refused: the database is closed`);
    }
    try {
      return await withLimits(options, () => work(this.#binding), () => {});
    } catch (error) {
      if (!(error instanceof GivenUp)) throw translate(error, this.description);
      throw error.toUser(`${what} on ${this.description}`, false);
    }
  }
}
