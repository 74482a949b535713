/**
 * The driver's errors as Ledge's. They are told apart mostly by the server's words: codes differ between transports
 * (a file gives SQLITE_CONSTRAINT_UNIQUE, a server SQLITE_CONSTRAINT or nothing), and SQLite's texts do not.
 *
 * @module
 */
import {
  AuthenticationError,
  CheckViolationError,
  ConnectionError,
  DatabaseError,
  type DatabaseErrorOptions,
  DataError,
  ForeignKeyViolationError,
  IntegrityError,
  InvalidStateError,
  LedgeError,
  LockTimeoutError,
  NotNullViolationError,
  StatementError,
  TransactionLostError,
  UniqueViolationError,
} from "../../src/errors.ts";
import { causes, neverReached } from "../shared/causes.ts";
import { withoutSecrets } from "../shared/secrets.ts";

/** What is known of a call that failed, besides the error. */
export interface Failure {
  /** The database's description. */
  readonly where: string;
  /** Takes secrets out of a text. */
  readonly redact: (text: string) => string;
  /** The HTTP status of the answer, where it was seen. */
  readonly status?: number | undefined;
  /** How many statements of the user's were sent as a batch; none for a single statement. */
  readonly batch?: number;
  /** Set when nothing of a failed request can last, because its transaction was not yet to be committed. */
  readonly uncommitted?: boolean;
}

/** What a driver's error may carry; any of it may be missing. */
interface DriverError {
  readonly name: string;
  readonly message: string;
  readonly code?: unknown;
  readonly extendedCode?: unknown;
  readonly statementIndex?: unknown;
  readonly status?: unknown;
  readonly cause?: unknown;
}

type Make = new (message: string, options: DatabaseErrorOptions) => DatabaseError;
type Details = Pick<DatabaseErrorOptions, "table" | "columns" | "constraint">;
interface Rule {
  readonly text?: RegExp;
  readonly code?: RegExp;
  readonly make: Make;
  readonly details?: (words: string) => Details;
}

/** First match wins. `text` sees SQLite's own words, without the code and the "SQLite error: " that servers put before. */
const rules: readonly Rule[] = [
  { text: /^UNIQUE constraint failed(?:: (.+))?/, make: UniqueViolationError, details: uniqueDetails },
  { text: /^PRIMARY KEY must be unique/, make: UniqueViolationError },
  { text: /^FOREIGN KEY constraint failed/, make: ForeignKeyViolationError },
  { text: /^NOT NULL constraint failed: (.+)/, make: NotNullViolationError, details: columnDetails },
  { text: /^CHECK constraint failed(?:: (.+))?/, make: CheckViolationError, details: (constraint) => ({ constraint }) },
  { text: /^cannot store \w+ value in \w+ column (\S+)/, make: DataError, details: columnDetails },
  { text: /^(?:datatype mismatch|string or blob too big|integer overflow|malformed JSON)/, make: DataError },
  { text: /JSON path|JSON cannot hold BLOB|JSON object labels|malformed JSON|hex literal too big/i, make: DataError },
  { code: /^SQLITE_(?:CONSTRAINT_DATATYPE|MISMATCH|TOOBIG)$/, make: DataError },
  { code: /^SQLITE_CONSTRAINT_UNIQUE$|^SQLITE_CONSTRAINT_(?:PRIMARYKEY|ROWID)$/, make: UniqueViolationError },
  { code: /^SQLITE_CONSTRAINT_FOREIGNKEY$/, make: ForeignKeyViolationError },
  { code: /^SQLITE_CONSTRAINT_NOTNULL$/, make: NotNullViolationError },
  { code: /^SQLITE_CONSTRAINT_CHECK$/, make: CheckViolationError },
  { code: /^SQLITE_CONSTRAINT/, make: IntegrityError },
  {
    code: /TRANSACTION_TIMEOUT|TRANSACTION_CLOSED|STREAM_(?:EXPIRED|CLOSED|NOT_FOUND)|BATON/,
    make: TransactionLostError,
  },
  {
    text: /no transaction is active|transaction timed.?out|stream .*(?:expired|not found)/i,
    make: TransactionLostError,
  },
  { code: /^(?:SQLITE_(?:BUSY|LOCKED)|TRANSACTION_BUSY|TRANSACTION_ACTIVE)/, make: LockTimeoutError },
  { text: /^database (?:table )?is locked/, make: LockTimeoutError },
  { code: /^(?:AUTH_|SQLITE_AUTH|BLOCKED|NOT_AUTHORIZED)/, make: AuthenticationError },
  { text: /^not authorized|\bunauthorized\b|authentication failed|auth token|\bJWT\b/i, make: AuthenticationError },
  { text: /^no such (?:table|column|function|collation|module|index|view|trigger|savepoint)/, make: StatementError },
  { text: /syntax error|^near "|^incomplete input|^unrecognized token|has no column named/, make: StatementError },
  {
    text: /^ambiguous column|^wrong number of arguments|^misuse of|already exists$|^no query solution/,
    make: StatementError,
  },
  {
    text: /\d+ values? for \d+ columns?|columns but \d+ values|^SELECTs to the left|^sub-select returns/,
    make: StatementError,
  },
  {
    text: /^(?:too many|too few|expected \d+) .*(?:parameter|argument|value)|^column index out of range/i,
    make: StatementError,
  },
  { code: /^SQL_|^ARGS_|^SQLITE_(?:RANGE|OK)$/, make: StatementError },
];

/**
 * The error of Ledge for whatever the driver threw. A LedgeError comes back as it is. The server's words are kept in full
 * (guards speak through them), only secrets are taken out, of the causes too.
 */
export function translate(thrown: unknown, failure: Failure): LedgeError {
  if (thrown instanceof LedgeError) return thrown;
  const error = asDriverError(thrown);
  const { where, redact, status = statusOf(error) } = failure;
  const code = codeOf(error);
  const message = redact(messageOf(error));
  const index = typeof error.statementIndex === "number" ? error.statementIndex : undefined;
  const options: DatabaseErrorOptions = {
    cause: withoutSecrets(thrown, redact),
    ...(code === undefined ? {} : { driverCode: code }),
    ...(index === undefined || index >= (failure.batch ?? 0) ? {} : { statementIndex: index }),
  };
  const ambiguous = { ...options, notApplied: failure.uncommitted ?? false };
  if (code === "CLIENT_CLOSED" || /^Client is closed: .*manually closed/.test(message)) {
    return new InvalidStateError(`${where} is closed: its client was closed`, { cause: options.cause });
  }
  // The driver found it while it read the answer: what was sent has been applied.
  if (error.name === "RangeError" && /safely represented/.test(message)) {
    const advice = 'make the client with intMode: "bigint"';
    return new DataError(
      `${where} answered an integer above 2^53, which this client cannot read; ${advice}`,
      ambiguous,
    );
  }
  if (status === 401 || status === 403) {
    return new AuthenticationError(`${where} refused the login: ${message}; check authToken`, options);
  }
  if (status === 429) {
    return new ConnectionError(`${where} has too many requests: ${message}; try again later`, options);
  }

  const words = message.replace(/^SQL(?:ite)?(?: input)? error: /, "");
  for (const rule of rules) {
    const match = rule.text?.exec(words);
    if (!match && !(code !== undefined && rule.code?.test(code))) continue;
    const details = match?.[1] === undefined ? undefined : rule.details?.(match[1]);
    return new rule.make(withCode(message, code), { ...options, ...details });
  }
  if (neverReached(error)) {
    return new ConnectionError(`${where} cannot be reached: ${redact(deepest(error))}; nothing was sent`, options);
  }
  if (isBroken(error, status)) {
    const outcome = failure.uncommitted ? "its transaction is lost" : "what was sent may or may not have been applied";
    return new ConnectionError(`${where} gave no usable answer: ${redact(deepest(error))}; ${outcome}`, ambiguous);
  }
  // Only an error of the SQL engine is proof that nothing was applied.
  const isEngine = code === undefined || code === "UNKNOWN" || /^SQLITE_/.test(code);
  return new DatabaseError(withCode(message, code), isEngine ? options : ambiguous);
}

/** Whether this error ends an open transaction on the server, so that a later statement would run outside of it. */
export function endsTransaction(error: LedgeError): boolean {
  if (error instanceof TransactionLostError || error instanceof ConnectionError) return true;
  const code = error instanceof DatabaseError ? error.driverCode : undefined;
  return code !== undefined && /^SQLITE_(?:FULL|IOERR|NOMEM|CORRUPT|INTERRUPT|NOTADB|CANTOPEN)/.test(code);
}

function asDriverError(thrown: unknown): DriverError {
  return thrown instanceof Error ? thrown : { name: "Error", message: String(thrown) };
}

function codeOf(error: DriverError): string | undefined {
  const code = error.extendedCode ?? error.code;
  return typeof code === "string" ? code : undefined;
}

/** The driver puts the code before the message, twice for a batch. */
function messageOf(error: DriverError): string {
  let { message } = error;
  const prefix = typeof error.code === "string" ? `${error.code}: ` : undefined;
  while (prefix !== undefined && message.startsWith(prefix)) message = message.slice(prefix.length);
  return message;
}

function withCode(message: string, code: string | undefined): string {
  return code === undefined || message.includes(code) ? message : `${message} (${code})`;
}

function statusOf(error: DriverError): number | undefined {
  for (const { status, message } of causes(error)) {
    if (typeof status === "number") return status;
    const said = /(?:HTTP status|status code:?|Unexpected server response:) (\d{3})/i.exec(message)?.[1];
    if (said !== undefined) return Number(said);
  }
  return undefined;
}

/** `fetch failed` says nothing; what failed stands in the cause. */
function deepest(error: DriverError): string {
  const texts = [...causes(error)].map(messageOf).filter((text) => text !== "");
  return texts.at(-1) ?? error.message;
}

/** Whether there was no answer that a statement gave: neither SQLite in this process nor a server spoke of it. */
function isBroken(error: DriverError, status: number | undefined): boolean {
  if (status !== undefined && status !== 200) return true;
  for (const { name, code } of causes(error)) {
    if (name === "ResponseError" || (typeof code === "string" && /^SQLITE_/.test(code))) return false;
  }
  return true;
}

/** "authors.first, authors.last", or "index 'name'" for an index on an expression. */
function uniqueDetails(words: string): Details {
  const index = /^index '(.+)'$/.exec(words)?.[1];
  return index === undefined ? columnDetails(words) : { constraint: index };
}

function columnDetails(words: string): Details {
  const table = /^(.+?)\./.exec(words)?.[1];
  if (table === undefined) return { columns: [words] };
  return { table, columns: words.split(/, (?=[^,]*\.)/).map((name) => name.slice(table.length + 1)) };
}
