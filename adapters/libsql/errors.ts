/**
 * The driver's errors as Ledge's. They are told apart mostly by the server's words: codes differ between transports
 * (a file gives SQLITE_CONSTRAINT_UNIQUE, a server SQLITE_CONSTRAINT or nothing), and SQLite's texts do not.
 *
 * @module
 */
import {
  AuthenticationError,
  ConnectionError,
  DatabaseError,
  type DatabaseErrorOptions,
  DataError,
  InvalidStateError,
  LedgeError,
  LockTimeoutError,
  StatementError,
  TransactionLostError,
} from "../../src/errors.ts";
import { type Cause, causes, fieldsOf } from "../shared/causes.ts";
import { deepest, type Failure as SharedFailure, noAnswer, refusal } from "../shared/failure.ts";
import { withoutSecrets } from "../shared/secrets.ts";
import { readSqliteError, type SqliteRule, withoutValues } from "../shared/sqlite_errors.ts";

/** What is known of a call that failed, besides the error. */
export interface Failure extends SharedFailure {
  /** The HTTP status of the answer, where it was seen. */
  readonly status?: number | undefined;
  /** How many statements of the user's were sent as a batch; none for a single statement. */
  readonly batch?: number;
  /** Set where `fetch` may send a request twice. */
  readonly maySendTwice?: boolean;
}

/** What libSQL's servers and its driver say of themselves. `text` sees the words without the code and "SQLite error: ". */
const rules: readonly SqliteRule[] = [
  {
    text: /no transaction is active|transaction timed.?out|stream .*(?:expired|not found)/i,
    code: /TRANSACTION_TIMEOUT|TRANSACTION_CLOSED|STREAM_(?:EXPIRED|CLOSED|NOT_FOUND)|BATON/,
    make: TransactionLostError,
  },
  { code: /^TRANSACTION_(?:BUSY|ACTIVE)/, make: LockTimeoutError },
  {
    text: /\bunauthorized\b|authentication failed|auth token|\bJWT\b/i,
    code: /^(?:AUTH_|BLOCKED|NOT_AUTHORIZED)/,
    make: AuthenticationError,
  },
  {
    text: /^(?:too many|too few|expected \d+) .*(?:parameter|argument|value)|^column index out of range|syntax error/i,
    code: /^SQL_|^ARGS_|^SQLITE_OK$/,
    make: StatementError,
  },
];

/**
 * The error of Ledge for whatever the driver threw. A LedgeError comes back as it is. The server's words are kept
 * (guards speak through them); secrets and values are taken out, of the causes too.
 */
export function translate(thrown: unknown, failure: Failure): LedgeError {
  if (thrown instanceof LedgeError) return thrown;
  const error = asCause(thrown);
  const { where, redact, status = statusOf(error), batch = 0 } = failure;
  const code = codeOf(error, redact);
  // What it is told by is not redacted: a token may be a word of it.
  const said = withoutValues(messageOf(error));
  const message = redact(said);
  const hide = (text: string) => redact(withoutValues(text));
  const { statementIndex: index } = error;
  const options: DatabaseErrorOptions = {
    cause: withoutSecrets(thrown, hide),
    driverCode: code,
    statementIndex: typeof index === "number" && index < batch ? index : undefined,
  };
  const ambiguous = { ...options, notApplied: failure.uncommitted ?? false };
  if (code === "CLIENT_CLOSED" || /^Client is closed: .*manually closed/.test(said)) {
    return new InvalidStateError(`${where} is closed: its client was closed`, { cause: options.cause });
  }
  // The driver found it while it read the answer: what was sent has been applied.
  if (error.name === "RangeError" && /safely represented/.test(said)) {
    const advice = 'make the client with intMode: "bigint"';
    return new DataError(
      `${where} answered an integer above 2^53, which this client cannot read; ${advice}`,
      ambiguous,
    );
  }
  // Of two requests the second alone may be one too many; a token is refused to both.
  const isSecond = failure.maySendTwice === true && status === 429;
  const refused = refusal(status, message, where, "authToken", isSecond ? ambiguous : options);
  if (refused !== undefined) return refused;

  const words = said.replace(/^SQL(?:ite)?(?: input)? error: /, "");
  const found = readSqliteError(words, code, rules);
  if (found !== undefined) return new found.make(withCode(message, code), { ...options, ...found.details });
  if (isBroken(error, status)) {
    // A second request that did not get through says nothing of the first: as after a status, it was sent.
    const answered = failure.maySendTwice ? status ?? 0 : status;
    return noAnswer(error, answered, failure, options, redact(messageOf(deepest(error))));
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

function asCause(thrown: unknown): Cause {
  return thrown instanceof Error ? fieldsOf(thrown) : { name: "Error", message: String(thrown) };
}

function codeOf(error: Cause, redact: (text: string) => string): string | undefined {
  const code = error.extendedCode ?? error.code;
  // A server can answer anything; what is no code may be what it was sent.
  return typeof code === "string" && /^\w{1,60}$/.test(code) && redact(code) === code ? code : undefined;
}

/** The driver puts the code before the message, twice for a batch. */
function messageOf(error: Cause): string {
  let { message } = error;
  const prefix = typeof error.code === "string" ? `${error.code}: ` : undefined;
  while (prefix !== undefined && message.startsWith(prefix)) message = message.slice(prefix.length);
  return message;
}

function withCode(message: string, code: string | undefined): string {
  return code === undefined || message.includes(code) ? message : `${message} (${code})`;
}

function statusOf(error: Cause): number | undefined {
  for (const { status, message } of causes(error)) {
    if (typeof status === "number") return status;
    const said = /(?:HTTP status|status code:?|Unexpected server response:) (\d{3})/i.exec(message)?.[1];
    if (said !== undefined) return Number(said);
  }
  return undefined;
}

/** Whether there was no answer that a statement gave: neither SQLite in this process nor a server spoke of it. */
function isBroken(error: Cause, status: number | undefined): boolean {
  if (status !== undefined && status !== 200) return true;
  for (const { name, code } of causes(error)) {
    if (name === "ResponseError" || (typeof code === "string" && /^SQLITE_/.test(code))) return false;
  }
  return true;
}
