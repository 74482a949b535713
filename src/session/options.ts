/**
 * The options of sessions and transactions. What is not known, or cannot be honoured, is refused.
 *
 * @module
 */
import type {
  CallOptions,
  Capabilities,
  Connection,
  Database,
  IsolationLevel,
  TransactionOptions,
} from "../database.ts";
import { UnsupportedError, ValidationError } from "../errors.ts";
import { refuseUnknown } from "../execution/call_options.ts";
import { isConnection } from "./joined.ts";
import { type Binds, checkRouting, type Routing } from "./routing.ts";
import { levels } from "../sql/levels.ts";
import { isObject } from "../sql/object.ts";

/** When a session opens an interactive transaction. */
export type SessionMode =
  /** Only for what needs a conversation with the database. */
  | "auto"
  /** Never: what needs one is refused. */
  | "batch"
  /** At once. */
  | "interactive";

/** The options of a session. */
export interface SessionOptions {
  /**
   * The database; or an open connection, whose transaction the session joins: its own transactions are savepoints there,
   * each opened by the first call that is awaited, and closing it leaves the connection open. In such a session nothing is
   * batched, and `begin()` takes no option of the database's. One session at a time may use the connection.
   */
  readonly bind: Database | Connection;
  /**
   * Other databases by model (which counts for its subclasses) or by table: `[[Log, logs], ["visits", stats]]`, or a Map. A
   * commit writes to one database; `@ledge/session/two_phase` is for more.
   */
  readonly binds?: Binds;
  /**
   * Chooses by model, before `binds`: `{ read: () => replica, write: () => primary }`. Once the session has written, until
   * it is reset, it reads where it writes, and so it does while it has a connection there.
   */
  readonly routing?: Routing;
  /** When to open an interactive transaction; "auto" unless given. */
  readonly mode?: SessionMode;
  /**
   * Whether each of its transactions is read-only: what would write is refused before it is sent, and the database is told
   * where there is a transaction to tell it of. False unless given.
   */
  readonly readOnly?: boolean;
  /** Whether a query flushes pending changes of the tables it reads; true unless given. */
  readonly autoflush?: boolean;
  /** Whether a commit expires every instance; false unless given. */
  readonly expireOnCommit?: boolean;
  /**
   * How lost updates are found: "version" (unless given) by the version column alone; "all" compares the loaded values
   * of models without one.
   */
  readonly optimistic?: "version" | "all";
  /**
   * Whether a commit whose answer is lost finds out what became of it, and reports success or that nothing was written:
   * false unless given. Each commit writes a record, in the same request, to the table `ledge_commit`, which
   * `createAll(db, models, { exactlyOnce: true })` makes and `pruneCommits` keeps small; the database's user (or the role that
   * settings give it) may insert, update and read there. The search is within the commit's timeout, or 30 seconds.
   */
  readonly exactlyOnce?: boolean;
  /**
   * How often a request is sent again, after a short pause, that met with trouble which passes: a connection refused or
   * broken, 429, 502 to 504, a locked database. A read and the opening of a connection always, a commit only where it was
   * certainly not applied, what is on a connection never. 2 unless given; 0 for never.
   */
  readonly resends?: number;
  /** Whether a commit verifies every row that was read and has a version (with `optimistic: "all"`, every row). */
  readonly verifyReads?: boolean;
  /**
   * PostgreSQL: settings of each transaction (`request.jwt.claims`, `role`), sent with every read and every commit and
   * never left behind on the connection: what row-level security goes by. Text; JSON is the caller's to write.
   */
  readonly settings?: Readonly<Record<string, string>>;
  /** Anything of the caller's; kept as `session.info`. */
  readonly info?: Record<string, unknown>;
}

/** The options of `begin()` and `transaction()`. */
export interface BeginOptions extends TransactionOptions {
  /** When to open an interactive transaction; the session's mode unless given. */
  readonly mode?: SessionMode;
  /** Settings of this transaction, besides the session's. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** The options of `close()`. */
export interface CloseOptions {
  /** Whether it is closed because of an error, which goes before what closing throws; false unless given. */
  readonly hasError?: boolean;
}

/** The options of `commit()`. */
export interface CommitOptions extends CallOptions {
  /** Whether it finds out what became of it when its answer is lost; as the session's options say unless given. */
  readonly exactlyOnce?: boolean;
}

/** The names of the options of a session. */
export const SESSION_OPTIONS: readonly string[] = [
  "bind",
  "binds",
  "routing",
  "mode",
  "readOnly",
  "autoflush",
  "expireOnCommit",
  "optimistic",
  "verifyReads",
  "exactlyOnce",
  "resends",
  "settings",
  "info",
];
const BEGIN_OPTIONS = ["isolation", "readOnly", "deferrable", "mode", "settings"];
const MODES = ["auto", "batch", "interactive"];

/** Checks the options of a session. */
export function checkSessionOptions(options: SessionOptions): void {
  if (!isObject(options)) {
    throw new ValidationError("A session needs options with a bind: new Session({ bind: db })");
  }
  refuseUnknown(options, SESSION_OPTIONS, "A session");
  const { bind } = options;
  if (typeof bind?.execute !== "function" || !isConnection(bind) && typeof bind.connect !== "function") {
    throw new ValidationError(
      "A session needs a database as its bind, as libsql(…) makes one, or an open connection: new Session({ bind: db })",
    );
  }
  checkRouting(options.routing);
  oneOf(options.mode, MODES, "mode");
  oneOf(options.optimistic, ["version", "all"], "optimistic");
  for (const name of ["readOnly", "autoflush", "expireOnCommit", "verifyReads"] as const) {
    if (options[name] !== undefined && typeof options[name] !== "boolean") {
      throw new ValidationError(`${name} must be true or false`);
    }
  }
  checkExactlyOnce(options, bind);
  const { resends = 0 } = options;
  if (!Number.isSafeInteger(resends) || resends < 0) {
    throw new ValidationError("resends must be a whole number that is not negative");
  }
  if (isConnection(bind) && options.mode === "batch") {
    throw new ValidationError('A session that joins an open connection cannot have the mode "batch"; leave mode out');
  }
  checkSettings(options.settings, isConnection(bind) ? bind.database : bind);
  if (!options.readOnly) return;
  if (isConnection(bind)) {
    throw new UnsupportedError(
      "A session that joins an open connection cannot be read-only by itself; open the connection read-only",
    );
  }
  checkBeginOptions({ readOnly: true }, bind);
}

/** Refuses it where the commit is only a savepoint, which the connection's transaction can still undo. */
export function checkExactlyOnce(
  { exactlyOnce }: Pick<CommitOptions, "exactlyOnce">,
  bind: Database | Connection,
): void {
  if (exactlyOnce !== undefined && typeof exactlyOnce !== "boolean") {
    throw new ValidationError("exactlyOnce must be true or false");
  }
  if (exactlyOnce && isConnection(bind)) {
    throw new ValidationError(
      "A session that joins an open connection cannot commit with exactlyOnce: the connection's own commit decides",
    );
  }
}

function oneOf(value: unknown, allowed: readonly string[], name: string): void {
  if (value !== undefined && !allowed.includes(value as string)) {
    throw new ValidationError(`${name} must be one of ${allowed.map((one) => `"${one}"`).join(", ")}`);
  }
}

/** Checks the options of a transaction against what the database can do. */
export function checkBeginOptions(options: BeginOptions, database: Database): void {
  const { capabilities, description } = database;
  refuseUnknown(options, BEGIN_OPTIONS, "A transaction");
  oneOf(options.mode, MODES, "mode");
  oneOf(options.isolation, levels, "isolation");
  checkSettings(options.settings, database);
  if (options.isolation !== undefined && !satisfies(capabilities, options.isolation)) {
    throw new UnsupportedError(
      `${description} has no isolation level "${options.isolation}"; it has ${capabilities.isolation.join(", ")}`,
    );
  }
  if (options.readOnly && !capabilities.readOnly) {
    throw new UnsupportedError(`${description} has no read-only transactions`);
  }
  if (options.deferrable && !capabilities.deferrable) {
    throw new UnsupportedError(`${description} has no deferrable transactions`);
  }
}

/** Settings are refused where there are none, and so is what is no text; the dialect says which. */
export function checkSettings(
  settings: Readonly<Record<string, string>> | undefined,
  { dialect, description }: Database,
): void {
  if (settings === undefined) return;
  if (!isObject(settings)) {
    throw new ValidationError('Settings must be an object of texts, as { "app.user": "ann" }');
  }
  if (dialect.settings === undefined) {
    throw new UnsupportedError(`${description} has no transaction-local settings; leave settings out`);
  }
  dialect.settings(settings);
}

/** A stronger level satisfies a weaker request. */
function satisfies({ isolation }: Capabilities, wanted: IsolationLevel): boolean {
  return isolation.some((level) => levels.indexOf(level) >= levels.indexOf(wanted));
}

/** Whether reads must already see one snapshot: they then need a connection. */
export function needsSnapshot({ isolation }: BeginOptions): boolean {
  return isolation !== undefined && levels.indexOf(isolation) > levels.indexOf("read committed");
}
