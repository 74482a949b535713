/**
 * Two-phase commit by PREPARE TRANSACTION, where the server allows it (`max_prepared_transactions` above 0).
 *
 * @module
 */
import type { CallOptions, PreparableConnection, TransactionOptions, TwoPhase } from "../../src/database.ts";
import { DatabaseError, UnsupportedError, ValidationError } from "../../src/errors.ts";
import type { ResultSet } from "../../src/sql/statement.ts";
import { type ConnectionParts, NeonConnection } from "./connection.ts";

/** What two-phase commit needs of a database. */
export interface TwoPhaseParts {
  readonly where: string;
  /** Runs a text on its own. */
  readonly run: (sql: string, options: CallOptions) => Promise<ResultSet>;
  /** Opens a WebSocket and makes a connection of it. */
  readonly connect: <C extends NeonConnection>(
    make: (parts: ConnectionParts) => C,
    options: CallOptions & TransactionOptions,
  ) => Promise<C>;
}

const isName = /^[A-Za-z0-9_:.-]{1,64}$/;
/** PostgreSQL's code where there is no prepared transaction of a name. */
const unknownName = "42704";
/** PostgreSQL's code, with the setting's name in its words, where it allows none. */
const notAllowed = "55000";

/** Who prepared a transaction ends it, or a superuser; and only from its own database. */
const listing = "SELECT gid FROM pg_prepared_xacts WHERE database = current_database() AND (owner = current_user " +
  "OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)) ORDER BY prepared, gid";

/** Two-phase commit. Trips: those of any transaction, `prepare` 1, and 1 each for `commit`, `rollback` and `list` by name. */
export function makeTwoPhase({ where, run, connect }: TwoPhaseParts): TwoPhase {
  return {
    async connect(id: string, options: CallOptions & TransactionOptions = {}): Promise<PreparableConnection> {
      checkName(id);
      return await connect((parts) => new NeonPreparable(parts, id), options);
    },
    async commit(id: string, options: CallOptions = {}): Promise<void> {
      checkName(id);
      await run(`COMMIT PREPARED '${id}'`, options);
    },
    async rollback(id: string, options: CallOptions = {}): Promise<void> {
      checkName(id);
      try {
        await run(`ROLLBACK PREPARED '${id}'`, options);
      } catch (error) {
        if (!(error instanceof DatabaseError && error.driverCode === unknownName)) throw error;
      }
    },
    async list(options: CallOptions = {}): Promise<readonly string[]> {
      const { rows } = await run(listing, options);
      return rows.map(([gid]) => String(gid)).filter((gid) => isName.test(gid));
    },
  };

  function checkName(id: string): void {
    if (typeof id === "string" && isName.test(id)) return;
    throw new ValidationError(
      `A prepared transaction on ${where} needs a name of 1 to 64 characters out of A-Z, a-z, 0-9, _ : . -`,
    );
  }
}

/** A transaction that is prepared under the name it was opened with. */
class NeonPreparable extends NeonConnection implements PreparableConnection {
  readonly #id: string;
  readonly #where: string;

  constructor(parts: ConnectionParts, id: string) {
    super(parts);
    this.#id = id;
    this.#where = parts.failure.where;
  }

  /** Prepares, and ends the connection. One trip. */
  async prepare(options: CallOptions = {}): Promise<void> {
    try {
      await this.prepareAs(this.#id, options);
    } catch (error) {
      if (!(error instanceof DatabaseError && error.driverCode === notAllowed)) throw error;
      throw new UnsupportedError(
        `${this.#where} prepares no transactions: its max_prepared_transactions is 0; set it above 0, or commit each ` +
          "database on its own",
        { cause: error },
      );
    }
  }
}
