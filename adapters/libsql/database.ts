/**
 * A libSQL database over one client, or over a client a call where requests must be given up one by one.
 *
 * @module
 */
import type { CallOptions, Capabilities, Connection, Database, TransactionOptions } from "../../src/database.ts";
import { InvalidStateError } from "../../src/errors.ts";
import type { Dialect } from "../../src/sql/dialect.ts";
import { sqlite } from "../../src/sql/sqlite.ts";
import type { ResultSet, Statement } from "../../src/sql/statement.ts";
import {
  type StatementTransaction,
  type StatementTransactionOptions,
  type Transacting,
  transaction,
} from "../../src/session/plain_transaction.ts";
import type { LibsqlClient } from "./client.ts";
import { LibsqlConnection } from "./connection.ts";
import { type Failure, translate } from "./errors.ts";
import { type Fetch, safeFetch } from "../shared/fetch.ts";
import { boundToRequest, inDeno, inWorkers } from "../shared/request_bound.ts";
import { redactor } from "../shared/secrets.ts";
import { Wire } from "./fetch.ts";
import { checkWithoutDeferring } from "../shared/isolation.ts";
import { GivenUp, withLimits } from "../shared/limits.ts";
import { checkOptions, type LibsqlOptions, type Target } from "./options.ts";
import { fromDriver, toDriver } from "./values.ts";

/** A database of libSQL, SQLite over HTTP, WebSocket or in this process. */
export interface LibsqlDatabase extends Database, Transacting, AsyncDisposable {
  /** Runs one statement on its own. One request. */
  execute(statement: Statement, options?: CallOptions): Promise<ResultSet>;
  /** Runs all statements in one transaction, or none. One request. */
  batch(statements: readonly Statement[], options?: CallOptions & TransactionOptions): Promise<ResultSet[]>;
  /** The database's name, without anything secret. */
  toJSON(): { readonly description: string };
}

/** What the driver's `createClient` is given. */
export interface DriverConfig {
  url: string;
  authToken?: string;
  intMode: "bigint";
  fetch?: Fetch;
}

/** Where the clients come from. */
interface Source {
  readonly description: string;
  readonly redact: (text: string) => string;
  readonly timeout: number | undefined;
  /** Whether requests may be sent twice. */
  readonly maySendTwice?: boolean;
  /** "file" of one in memory too. */
  readonly transport: string;
  /** The client for one call or one transaction, its requests where they can be cut off, and what is to be done after. */
  open(): { readonly client: LibsqlClient; readonly wire: Wire | undefined; readonly done?: () => void };
  close(): void;
}

/**
 * A database over clients of its own. Over HTTP each call gets a client: that takes no request (the driver speaks to the
 * pipeline at once) and about ten microseconds, and it is what lets one call be cut off without the others.
 */
export function openDatabase(
  options: LibsqlOptions,
  createClient: (config: DriverConfig) => LibsqlClient,
  allowLocal: boolean,
): LibsqlDatabase {
  const target = checkOptions(options, allowLocal);
  const config: DriverConfig = { url: target.url, intMode: "bigint" };
  if (target.authToken !== undefined) config.authToken = target.authToken;
  const create = (config: DriverConfig) => {
    try {
      return createClient(config);
    } catch (error) {
      throw translate(error, { where: target.description, redact: target.redact });
    }
  };
  return new DriverDatabase(
    target.transport === "http" ? perCall(target, config, create) : shared(target, config, create),
  );
}

/** A database over a client that the user made, and closes. */
export function adoptClient(client: LibsqlClient): LibsqlDatabase {
  const description = `libsql client (${String(client.protocol ?? "unknown")})`;
  const check = client.protocol === "ws" ? boundToRequest("A WebSocket client", "libsql()") : undefined;
  // The driver lets 20 calls run at once, and has the others wait for them: in Workers one request for another, for ever.
  if (inWorkers()) Object.assign(client, { limit: (work: () => unknown) => work() });
  return new DriverDatabase({
    description,
    redact: redactor(),
    timeout: undefined,
    // Deno's fetch may, and whether this client has a safer one nobody can tell.
    maySendTwice: client.protocol === "http" && inDeno(),
    transport: String(client.protocol),
    open() {
      check?.();
      return { client, wire: undefined };
    },
    close: () => {},
  });
}

function perCall(target: Target, config: DriverConfig, create: (config: DriverConfig) => LibsqlClient): Source {
  const send = safeFetch(target.fetch);
  const open = () => {
    const wire = new Wire(send);
    return { client: create({ ...config, fetch: wire.fetch }), wire };
  };
  open(); // Finds what is wrong with the URL now; sends nothing.
  return { ...target, open, close: () => {} };
}

/**
 * A file is opened at once, so that a wrong path is found early; a WebSocket with the first call, and in Workers with each
 * call and each transaction: one request cannot use another's, and none learns that a request is over.
 */
function shared(target: Target, config: DriverConfig, create: (config: DriverConfig) => LibsqlClient): Source {
  let client = target.transport === "file" ? create(config) : undefined;
  return {
    ...target,
    open() {
      if (!inWorkers()) return { client: client ??= create(config), wire: undefined };
      const own = create(config);
      return { client: own, wire: undefined, done: () => own.close() };
    },
    close: () => client?.close(),
  };
}

const capabilities: Capabilities = /* @__PURE__ */ Object.freeze({
  batch: "atomic",
  interactive: true,
  savepoints: true,
  isolation: /* @__PURE__ */ Object.freeze(["serializable"] as const),
  readOnly: true,
  deferrable: false,
});

class DriverDatabase implements LibsqlDatabase {
  readonly #source: Source;
  #isClosed = false;
  readonly dialect: Dialect = sqlite;
  readonly capabilities: Capabilities;
  readonly description: string;

  constructor(source: Source) {
    this.#source = source;
    this.capabilities = source.transport === "http"
      ? capabilities
      : Object.freeze({ ...capabilities, deliversOnce: true });
    this.description = source.description;
  }

  async execute(statement: Statement, options: CallOptions = {}): Promise<ResultSet> {
    const [one] = toDriver([statement], false);
    return await this.#call("A statement", options, {}, async ({ client, wire }) => {
      const result = await client.execute(one!);
      return fromDriver(result, client.protocol, wire?.rows.of(result));
    });
  }

  async batch(statements: readonly Statement[], options: CallOptions & TransactionOptions = {}): Promise<ResultSet[]> {
    checkWithoutDeferring(options, "SQLite");
    const readOnly = options.readOnly ?? false;
    const prepared = toDriver(statements, readOnly);
    const batch = prepared.length;
    if (batch === 0) return [];
    // "read" would be BEGIN TRANSACTION READONLY, which only sqld knows; a deferred transaction of reads is as consistent.
    return await this.#call("A batch", options, { batch }, async ({ client, wire }) => {
      const results = await client.batch(prepared, readOnly ? "deferred" : "write");
      return results.map((result) => fromDriver(result, client.protocol, wire?.rows.of(result)));
    });
  }

  async connect(options: CallOptions & TransactionOptions = {}): Promise<Connection> {
    checkWithoutDeferring(options, "SQLite");
    const readOnly = options.readOnly ?? false;
    let late: ReturnType<LibsqlClient["transaction"]> | undefined;
    try {
      return await this.#call("A connect", options, { uncommitted: true }, async ({ client, wire, done }) => {
        const transaction = await (late = client.transaction(readOnly ? "deferred" : "write"));
        const { protocol } = client;
        const { timeout } = this.#source;
        const failure = this.#failure;
        return new LibsqlConnection({ database: this, transaction, protocol, wire, done, readOnly, timeout, failure });
      });
    } catch (error) {
      late?.then((transaction) => transaction.close(), () => {});
      throw error;
    }
  }

  transaction<R>(
    fn: (transaction: StatementTransaction) => Promise<R> | R,
    options?: StatementTransactionOptions,
  ): Promise<R> {
    return transaction(this, fn, options);
  }

  close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#source.close();
    }
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  toJSON(): { readonly description: string } {
    return { description: this.description };
  }

  get #failure(): Failure {
    const { redact, maySendTwice = false } = this.#source;
    return { where: this.description, redact, maySendTwice };
  }

  async #call<T>(
    what: string,
    options: CallOptions,
    context: Partial<Failure>,
    work: (opened: ReturnType<Source["open"]>) => Promise<T>,
  ): Promise<T> {
    if (this.#isClosed) {
      throw new InvalidStateError(`${what} on ${this.description} was refused: the database is closed`);
    }
    const { timeout } = this.#source;
    const limits = { timeout, ...options };
    let opened: ReturnType<Source["open"]> | undefined;
    let result: T | undefined;
    try {
      return result = await withLimits(limits, () => {
        opened = this.#source.open();
        return work(opened);
      }, () => opened?.wire?.cut());
    } catch (error) {
      if (!(error instanceof GivenUp)) {
        throw translate(error, { ...this.#failure, ...context, status: opened?.wire?.status });
      }
      throw error.toUser(`${what} on ${this.description}`, context.uncommitted ?? false);
    } finally {
      if (!(result instanceof LibsqlConnection)) opened?.done?.(); // A connection does it when it ends.
    }
  }
}
