/**
 * Two-phase commit by XA, for servers that have it. Vitess, and so PlanetScale, does not even parse it.
 *
 * @module
 */
import type { CallOptions, PreparableConnection, TransactionOptions, TwoPhase } from "../../src/database.ts";
import { DatabaseError, StatementError, UnsupportedError, ValidationError } from "../../src/errors.ts";
import type { ResultSet } from "../../src/sql/statement.ts";
import type { Bounds } from "./bounds.ts";
import type { PlanetScaleConnection } from "./connection.ts";

/** What two-phase commit needs of a database. */
export interface TwoPhaseParts {
  readonly where: string;
  /** Runs a text in a session of its own. */
  readonly run: (sql: string, options: CallOptions) => Promise<ResultSet>;
  /** A connection with these bounds. */
  readonly connect: (bounds: Bounds, options: CallOptions & TransactionOptions) => Promise<PlanetScaleConnection>;
}

/** The second half of the name: by it `list()` knows what was prepared here from what others prepared. */
const branch = "ledge";

/**
 * Two-phase commit. Requests: `connect` 1 (XA START; one more for an isolation level, one more for readOnly), `prepare` 3,
 * `commit` of its connection 2, `rollback` 2, and 1 each for `commit`, `rollback` and `list` by name.
 */
export function makeTwoPhase({ where, run, connect }: TwoPhaseParts): TwoPhase {
  const unlessMissing = async <T>(call: Promise<T>): Promise<T> => {
    try {
      return await call;
    } catch (error) {
      // Vitess says "syntax error at position 3", a proxy before it may say "unsupported".
      if (!(error instanceof StatementError)) throw error;
      throw new UnsupportedError(`${where} has no XA, which two-phase commit needs; commit each database on its own`, {
        cause: error,
      });
    }
  };
  return {
    async connect(id: string, options: CallOptions & TransactionOptions = {}): Promise<PreparableConnection> {
      const name = nameOf(id);
      const connection = await connect({
        open: [`XA START ${name}`],
        commit: [`XA END ${name}`, `XA COMMIT ${name} ONE PHASE`],
        rollback: [`XA END ${name}`, `XA ROLLBACK ${name}`],
        prepare: [`XA END ${name}`, `XA PREPARE ${name}`],
        // Vitess knows of its own transactions only.
        isUntold: true,
      }, options);
      // At once, so that it is here that a server without XA is found.
      await unlessMissing(connection.begin(limitsOf(options)));
      return connection;
    },
    async commit(id: string, options: CallOptions = {}): Promise<void> {
      await unlessMissing(run(`XA COMMIT ${nameOf(id)}`, options));
    },
    async rollback(id: string, options: CallOptions = {}): Promise<void> {
      try {
        await unlessMissing(run(`XA ROLLBACK ${nameOf(id)}`, options));
      } catch (error) {
        if (!(error instanceof DatabaseError && error.driverCode === unknownName)) throw error;
      }
    },
    async list(options: CallOptions = {}): Promise<readonly string[]> {
      const { columns, rows } = await unlessMissing(run("XA RECOVER", options));
      const at = (name: string) => columns.findIndex((column) => column.toLowerCase() === name);
      const [length, data] = [at("gtrid_length"), at("data")];
      const found = rows.map((row) => {
        const value = row[data];
        const text = value instanceof Uint8Array ? String.fromCharCode(...value) : String(value);
        return [text.slice(0, Number(row[length])), text.slice(Number(row[length]))] as const;
      });
      return found.filter(([name, rest]) => rest === branch && isName.test(name)).map(([name]) => name);
    },
  };
}

/** XAER_NOTA. */
const unknownName = "1397";
const isName = /^[A-Za-z0-9_:.-]{1,64}$/;

function nameOf(id: string): string {
  if (typeof id === "string" && isName.test(id)) return `'${id}','${branch}'`;
  throw new ValidationError("The name of a prepared transaction is 1 to 64 characters out of A-Z, a-z, 0-9, _ : . -");
}

function limitsOf({ signal, timeout }: CallOptions): CallOptions {
  return { signal, timeout };
}
