/**
 * The driver's errors as Ledge's. They are told apart by SQLSTATE, which is the same over HTTP and WebSocket; what has
 * none came from the proxy or the network.
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
  DeadlockError,
  ForeignKeyViolationError,
  IntegrityError,
  InvalidStateError,
  LedgeError,
  LockTimeoutError,
  NotNullViolationError,
  SerializationError,
  StatementError,
  TimeoutError,
  TransactionLostError,
  UniqueViolationError,
} from "../../src/errors.ts";
import { fieldsOf } from "../shared/causes.ts";
import { type Failure as SharedFailure, noAnswer, refusal } from "../shared/failure.ts";
import { withoutSecrets } from "../shared/secrets.ts";

/** What is known of a call that failed, besides the error. */
export interface Failure extends SharedFailure {
  /** The position of the statement that failed, among those of the user's, where the transport tells. */
  readonly statementIndex?: number | undefined;
}

type Make = new (message: string, options: DatabaseErrorOptions) => DatabaseError;

/**
 * First match wins; a code is five characters. `isLost` marks what the server says when it ends the connection: it may
 * come after the commit.
 */
const rules: readonly { readonly code: RegExp; readonly make: Make; readonly isLost?: true }[] = [
  { code: /^23505$/, make: UniqueViolationError },
  { code: /^(?:23503|23001)$/, make: ForeignKeyViolationError },
  { code: /^23502$/, make: NotNullViolationError },
  { code: /^(?:23514|44000)$/, make: CheckViolationError },
  { code: /^(?:23...|27000|40002|P0001)$/, make: IntegrityError }, // P0001 is what a trigger raises.
  { code: /^40P01$/, make: DeadlockError },
  { code: /^(?:40001|40000)$/, make: SerializationError },
  { code: /^55P03$/, make: LockTimeoutError },
  { code: /^57014$/, make: TimeoutError },
  { code: /^(?:28...|42501)$/, make: AuthenticationError },
  { code: /^25P0[34]$/, make: TransactionLostError },
  { code: /^(?:57P03|53300|3D000)$/, make: ConnectionError },
  { code: /^(?:40003|57P0[1245]|08(?!P01).{3})$/, make: ConnectionError, isLost: true },
  { code: /^(?:22...|54000)$/, make: DataError },
  {
    code: /^(?:42...|08P01|0A000|0B000|21000|24000|25...|26000|2D000|34000|3B...|3F000|54...|55...)$/,
    make: StatementError,
  },
];

/**
 * The error of Ledge for whatever the driver threw. A LedgeError comes back as it is. The server's words are kept, without
 * the value that it could not take; its details are not (they hold the values of rows), and secrets are taken out, of the
 * causes too.
 */
export function translate(thrown: unknown, failure: Failure): LedgeError {
  if (thrown instanceof LedgeError) return thrown;
  const { where, redact, uncommitted = false } = failure;
  const error = asError(thrown);
  const code = codeOf(error);
  const words = withoutValues(error.message, code);
  const hide = words === error.message ? redact : (text: string) => redact(text.replaceAll(error.message, words));
  const cause = withoutSecrets(error, hide);
  const message = redact(words);
  const options: DatabaseErrorOptions = {
    cause,
    driverCode: code,
    statementIndex: failure.statementIndex,
    ...detailsOf(error),
  };
  const ambiguous = { ...options, notApplied: uncommitted };
  if (code !== undefined) {
    const { make = DatabaseError, isLost = false } = rules.find((rule) => rule.code.test(code)) ?? {};
    return new make(message.includes(code) ? message : `${message} (${code})`, isLost ? ambiguous : options);
  }
  if (/^(?:Client was closed|Cannot use a pool after calling end)/.test(words)) {
    return new InvalidStateError(`${where} is closed: its client was closed`, { cause });
  }
  const said = /\(HTTP status (\d{3})\)/.exec(words)?.[1];
  const status = said === undefined ? undefined : Number(said);
  const refused = refusal(isLogin.test(words) ? 401 : status, message, where, "the connection string", options);
  if (refused !== undefined) return refused;
  if (status === 413) {
    return new DataError(`${where} takes no request this large: ${message}; send fewer rows at a time`, options);
  }
  if (status === 507) {
    return new DataError(`${where} gives no answer this large: ${message}; ask for fewer rows at a time`, ambiguous);
  }
  return noAnswer(error, status, failure, options);
}

const isLogin = /password authentication failed|\bJWT\b|authorization token|missing password/i;

/**
 * What the server says, without the value that it could not take: `invalid input syntax for type integer: "…"`. Guards
 * speak through such a value, and keep it. A name that it says in place of a value goes too.
 */
function withoutValues(words: string, code: string | undefined): string {
  const quotes = code?.startsWith("22") || words.startsWith("syntax error in tsquery");
  return quotes ? words.replace(/"(?!ledge:(?:stale|require)(?::\d+)+"$)[\s\S]*"/, '"…"') : words;
}

/** WebSockets tell of an error by an event, whose message some runtimes leave out. */
export function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  const { message, error } = Object(thrown) as { message?: unknown; error?: unknown };
  if (error instanceof Error) return error;
  if (typeof message === "string" && message !== "") return new Error(message);
  return new Error(typeof thrown === "string" ? thrown : "The WebSocket failed");
}

/** The SQLSTATE; null and missing for the proxy's own errors, and something else for those of a runtime. */
function codeOf(error: Error): string | undefined {
  const { code } = fieldsOf(error);
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code) ? code : undefined;
}

/** The table, the constraint and the columns, which for a key are only named in the detail: `Key (a, b)=(1, 2) …`. */
function detailsOf(error: Error): Pick<DatabaseErrorOptions, "table" | "columns" | "constraint"> {
  const { table, column, constraint, detail } = fieldsOf(error);
  const key = typeof detail === "string" ? /\(((?:"(?:[^"]|"")*"|[^()"])+)\)=\(/.exec(detail)?.[1] : undefined;
  const columns = typeof column === "string" ? [column] : key === undefined ? undefined : names(key);
  return {
    table: typeof table === "string" ? table : undefined,
    constraint: typeof constraint === "string" ? constraint : undefined,
    columns,
  };
}

function names(list: string): string[] {
  const found = list.match(/"(?:[^"]|"")*"|[^,\s"]+/g) ?? [];
  return found.map((name) => name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name);
}
