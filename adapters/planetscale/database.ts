/**
 * A PlanetScale database: MySQL, one statement a request.
 *
 * @module
 */
import type {
  CallOptions,
  Capabilities,
  Connection,
  Database,
  TransactionOptions,
  TwoPhase,
} from "../../src/database.ts";
import { InvalidStateError } from "../../src/errors.ts";
import type { Dialect } from "../../src/sql/dialect.ts";
import {
  type StatementTransaction,
  type StatementTransactionOptions,
  type Transacting,
  transaction,
} from "../../src/session/plain_transaction.ts";
import { mysql } from "../../src/sql/mysql.ts";
import type { ResultSet, Statement } from "../../src/sql/statement.ts";
import { levels } from "../../src/sql/levels.ts";
import { GivenUp, withLimits } from "../shared/limits.ts";
import { type Bounds, boundsOf, isolationOf } from "./bounds.ts";
import { checkServer } from "./check.ts";
import { PlanetScaleConnection } from "./connection.ts";
import { type Failure, translate } from "./errors.ts";
import type { Line } from "./line.ts";
import type { Setup } from "./options.ts";
import { toTexts } from "./text.ts";
import { makeTwoPhase } from "./two_phase.ts";
import { fromDriver } from "./values.ts";

/** A database of PlanetScale, MySQL over HTTP. */
export interface PlanetScaleDatabase extends Database, Transacting, AsyncDisposable {
  /** Two-phase commit by XA, where the server has it: PlanetScale's Vitess has not, and each call throws an UnsupportedError. */
  readonly twoPhase: TwoPhase;
  /**
   * Checks that the server is set up as this adapter needs it, and throws an UnsupportedError that names what is not:
   * NO_BACKSLASH_ESCAPES, under which the driver's text is misread, no strict mode, under which MySQL cuts values to size
   * without a word, keys counted up in other steps than it was told, lock timeouts that roll back behind its back. One
   * request; nothing else asks for it.
   */
  check(options?: CallOptions): Promise<void>;
  /** The database's name, without anything secret. */
  toJSON(): { readonly description: string };
}

/** What a database is made of. */
export interface DatabaseParts extends Setup {
  /** A new session; sends nothing. */
  readonly open: () => Line;
}

/** Makes a database of its parts. Sends nothing. */
export function makeDatabase(parts: DatabaseParts): PlanetScaleDatabase {
  return new DriverDatabase(parts);
}

const capabilities: Capabilities = /* @__PURE__ */ Object.freeze({
  batch: "stepwise",
  interactive: true,
  savepoints: true,
  isolation: /* @__PURE__ */ Object.freeze(levels),
  readOnly: true,
  deferrable: false,
});

class DriverDatabase implements PlanetScaleDatabase {
  readonly #parts: DatabaseParts;
  #isClosed = false;
  readonly dialect: Dialect;
  readonly capabilities: Capabilities = capabilities;
  readonly description: string;
  readonly twoPhase: TwoPhase;

  constructor(parts: DatabaseParts) {
    this.#parts = parts;
    this.description = parts.description;
    const { autoIncrementIncrement, guards } = parts;
    this.dialect = mysql({ autoIncrementIncrement, guards });
    this.twoPhase = makeTwoPhase({
      where: parts.description,
      run: (sql, options) => this.#call("A two-phase call", options, async (line) => fromDriver(await line.run(sql))),
      connect: (bounds, options) => {
        const settings = options.readOnly ? ["SET TRANSACTION READ ONLY"] : [];
        return this.#connection({ ...bounds, open: [...isolationOf(options), ...settings, ...bounds.open] }, options);
      },
    });
  }

  async execute(statement: Statement, options: CallOptions = {}): Promise<ResultSet> {
    const [text] = toTexts([statement], { readOnly: false, inTransaction: false });
    return await this.#call("A statement", options, async (line) => fromDriver(await line.run(text!)), text);
  }

  async connect(options: CallOptions & TransactionOptions = {}): Promise<Connection> {
    return await this.#connection(boundsOf(options), options);
  }

  transaction<R>(
    fn: (transaction: StatementTransaction) => Promise<R> | R,
    options?: StatementTransactionOptions,
  ): Promise<R> {
    return transaction(this, fn, options);
  }

  async check(options: CallOptions = {}): Promise<void> {
    const { autoIncrementIncrement } = this.#parts;
    await this.#call("A check", options, (line) => checkServer(line, this.description, autoIncrementIncrement));
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

  get #failure(): Failure {
    return { where: this.description, redact: this.#parts.redact };
  }

  async #connection(
    bounds: Bounds,
    options: CallOptions & TransactionOptions,
  ): Promise<PlanetScaleConnection> {
    const { timeout } = this.#parts;
    const readOnly = options.readOnly ?? false;
    const failure = this.#failure;
    const open = (line: Line) =>
      Promise.resolve(new PlanetScaleConnection({ database: this, line, bounds, readOnly, timeout, failure }));
    return await this.#call("A connect", options, open);
  }

  /** Runs a call in a session of its own, within its limits. */
  async #call<T>(
    what: string,
    options: CallOptions,
    work: (line: Line) => Promise<T>,
    sql?: string,
  ): Promise<T> {
    if (this.#isClosed) {
      throw new InvalidStateError(`${what} on ${this.description} was refused: the database is closed`);
    }
    const { timeout, open } = this.#parts;
    const limits = { timeout, ...options };
    let line: Line | undefined;
    try {
      return await withLimits(limits, () => work(line = open()), () => line?.cut());
    } catch (error) {
      if (!(error instanceof GivenUp)) throw translate(error, { ...this.#failure, sql });
      throw error.toUser(`${what} on ${this.description}`, false);
    }
  }
}
