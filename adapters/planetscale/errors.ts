/**
 * The driver's errors as Ledge's. MySQL's number stands inside the text; what has none came from Vitess, which classes its
 * errors by a gRPC status, from PlanetScale's front, or from the network.
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
  LedgeError,
  LockTimeoutError,
  NotNullViolationError,
  SerializationError,
  StatementError,
  TimeoutError,
  TransactionLostError,
  UniqueViolationError,
  UnsupportedError,
} from "../../src/errors.ts";
import { CONFLICT, INCREMENT } from "../../src/sql/mysql_guard.ts";
import { isRead } from "../../src/sql/scan.ts";
import { mysqlText, mysqlTokens } from "../../src/sql/mysql_tokens.ts";
import { fieldsOf } from "../shared/causes.ts";
import { deepest, type Failure as SharedFailure, noAnswer, refusal } from "../shared/failure.ts";
import { withoutSecrets } from "../shared/secrets.ts";
import { detailsOf, readWords, type Said, withoutValues } from "./words.ts";

/** What is known of a call that failed, besides the error. */
export interface Failure extends SharedFailure {
  /** The position of the statement that failed, among those of a batch. */
  readonly statementIndex?: number | undefined;
  /** What was sent: it tells which guards could fail, and which did where the server does not say (1242: no strict mode). */
  readonly sql?: string | undefined;
}

type Make = new (message: string, options: DatabaseErrorOptions) => DatabaseError;

/**
 * First match wins. `errno` is MySQL's number, `state` the beginning of an SQLSTATE, `status` Vitess's. `isOpen` marks
 * what may come after the statement was applied, when the connection between Vitess and MySQL broke or the answer did.
 */
interface Rule {
  readonly errno?: readonly number[];
  readonly text?: RegExp;
  readonly state?: RegExp;
  readonly status?: RegExp;
  readonly make: Make;
  readonly isOpen?: true;
  /** For what failed within a transaction only. */
  readonly inTransaction?: true;
}

const rules: readonly Rule[] = [
  { text: /transaction \S+: ended at .*\(transaction committed\)/, make: ConnectionError, isOpen: true },
  { text: /transaction \S+: (?:not found|ended at)|VT15001|ROLLBACK required/, make: TransactionLostError },
  // vtgate could not undo a part of a statement by itself, and undid the transaction; of one statement that is all the same.
  { text: /transaction rolled back to reverse/, make: TransactionLostError, inTransaction: true },
  { errno: [1402, 1613, 1206, 3100], make: TransactionLostError },
  { errno: [1062, 1169, 1557, 1586, 1761, 1762], make: UniqueViolationError },
  { errno: [1216, 1217, 1451, 1452], make: ForeignKeyViolationError },
  { errno: [1048, 1263, 1364, 1566], make: NotNullViolationError },
  { errno: [3819, 4025], make: CheckViolationError },
  { errno: [1644], make: IntegrityError }, // What a trigger raises.
  { errno: [1213, 1614], make: DeadlockError },
  { errno: [1020, 3101], make: SerializationError },
  { errno: [1205, 3572], make: LockTimeoutError },
  { errno: [1317, 1907, 1969, 3024], make: TimeoutError },
  { errno: [1044, 1045, 1095, 1142, 1143, 1227, 1370, 1410, 1698], make: AuthenticationError },
  { errno: [1040, 1041, 1203, 1226], make: ConnectionError },
  {
    errno: [1053, 1152, 1158, 1159, 1160, 1161, 1180, 1927, 2002, 2003, 2006, 2013, 2055, 3169],
    make: ConnectionError,
    isOpen: true,
  },
  {
    errno: [1153, 1264, 1265, 1301, 1365, 1366, 1367, 1406, 1411, 1416, 1441, 1525, 1690, 3140, 3141],
    make: DataError,
  },
  { errno: [1049, 1064, 1146, 1054, 1242, 1305, 1792, 1193, 1231, 1235], make: StatementError },
  { state: /^23/, make: IntegrityError },
  { state: /^22/, make: DataError },
  { state: /^40/, make: SerializationError },
  { state: /^28/, make: AuthenticationError },
  { state: /^08/, make: ConnectionError, isOpen: true },
  { state: /^(?:42|21|25|0A|3D)/, make: StatementError },
  { text: /\b[Rr]ow count exceeded|larger than max|message too large/, make: DataError, isOpen: true },
  { text: /connection limit exceeded|pool .*(?:timed out|exceeded)|waiter count/, make: ConnectionError },
  { status: /^ALREADYEXISTS$/, make: UniqueViolationError },
  { status: /^(?:UNAUTHENTICATED|PERMISSIONDENIED)$/, make: AuthenticationError },
  { status: /^(?:INVALIDARGUMENT|UNIMPLEMENTED|NOTFOUND|FAILEDPRECONDITION|OUTOFRANGE)$/, make: StatementError },
  { text: /^syntax error at position|\bVT12001\b|\bunsupported: /, make: StatementError },
  { status: /^DEADLINEEXCEEDED$/, make: TimeoutError, isOpen: true },
  {
    status: /^(?:UNAVAILABLE|RESOURCEEXHAUSTED|CANCELED|CANCELLED|CLUSTEREVENT)$/,
    make: ConnectionError,
    isOpen: true,
  },
];

/**
 * The error of Ledge for whatever the driver threw. A LedgeError comes back as it is. The server's words are kept, for
 * guards speak through them; values and secrets are taken out, of the causes too.
 */
export function translate(thrown: unknown, failure: Failure): LedgeError {
  if (thrown instanceof LedgeError) return thrown;
  const { where, uncommitted = false } = failure;
  const redact = (text: string) => failure.redact(withoutValues(text));
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { body } = error as { body?: { code?: unknown } };
  const answered = fieldsOf(error).status;
  const status = typeof answered === "number" ? answered : undefined;
  const said = readWords(error.message, body?.code);
  const message = failure.redact(said.words);
  const code = said.errno ?? said.status;
  const options: DatabaseErrorOptions = {
    cause: body === undefined ? withoutSecrets(error, redact) : copyOf(error, redact),
    driverCode: code === undefined ? undefined : String(code),
    statementIndex: failure.statementIndex,
  };
  const ambiguous = { ...options, notApplied: uncommitted };
  const guard = guardError(said.errno === 1242, message, failure.sql ?? "", options);
  if (guard !== undefined) return guard;
  const refused = refusal(status, message, where, "username and password", options);
  if (refused !== undefined) return refused;
  if (status === 413) {
    return new DataError(`${where} takes no request this large: ${message}; send fewer rows at a time`, options);
  }
  const rule = rules.find((rule) => matches(rule, said) && (uncommitted || !rule.inTransaction));
  if (rule !== undefined) {
    const all = { ...(rule.isOpen ? ambiguous : options), ...detailsOf(said) };
    const named = code === undefined || message.includes(String(code)) ? message : `${message} (${code})`;
    return new rule.make(rule.make === TransactionLostError ? lost(where, named) : named, all);
  }
  // An error that MySQL numbered is its answer; 1105 is Vitess's number for what has none.
  if (said.errno !== undefined && said.errno !== 1105) return new DatabaseError(message, options);
  if (status !== undefined && status < 500 && said.status !== undefined && said.status !== "UNKNOWN") {
    const isLoss = said.status === "ABORTED" && uncommitted;
    return isLoss ? new TransactionLostError(lost(where, message), options) : new DatabaseError(message, ambiguous);
  }
  const reason = error instanceof SyntaxError ? "it is not JSON" : redact(deepest(error).message);
  return noAnswer(error, status, failure, options, reason);
}

/** Whether this error has ended the transaction on the server, or its session cannot be relied on. */
export function endsTransaction(error: unknown): boolean {
  return [ConnectionError, TransactionLostError, DeadlockError, SerializationError].some((type) =>
    error instanceof type
  );
}

/** Whether an error leaves open if its statement was applied. A read whose result could not be taken in did nothing. */
export function mayBeApplied(error: LedgeError, sql: string): boolean {
  if (!(error instanceof DatabaseError) || error.notApplied) return false;
  return !(error instanceof DataError && isRead(sql, mysqlText));
}

/** Whether a session knows by the error itself that its transaction is lost. */
export function saysLost(error: LedgeError): boolean {
  return error instanceof TimeoutError || endsTransaction(error) && !(error instanceof ConnectionError);
}

function lost(where: string, message: string): string {
  return `The transaction on ${where} is lost and nothing of it was applied: ${message}; run it again`;
}

function matches({ errno, text, state, status }: Rule, said: Said): boolean {
  if (errno !== undefined) return said.errno !== undefined && errno.includes(said.errno);
  if (text !== undefined) return text.test(said.words);
  // 1105 comes with the state HY000, and says nothing.
  if (state !== undefined) return said.sqlstate !== undefined && state.test(said.sqlstate);
  return status !== undefined && said.status !== undefined && (said.errno ?? 1105) === 1105 && status.test(said.status);
}

/**
 * What guards say that stand for no stale row and no failed condition. They must be in the text that failed: a value may
 * hold their words. `isUnnamed`: there is no strict mode, and no words; then the text may not hold other subqueries, which
 * could have failed in the same way.
 */
function guardError(
  isUnnamed: boolean,
  message: string,
  sql: string,
  options: DatabaseErrorOptions,
): LedgeError | undefined {
  const increment = /'ledge:increment:(\d+)'/.exec(message)?.[1];
  const counts = sql.includes(INCREMENT) && (isUnnamed || increment !== undefined);
  const conflicts = sql.includes(CONFLICT) && (isUnnamed || message.includes("'ledge:conflict'"));
  if (!counts && !conflicts) return undefined;
  const conflict = "a row was in conflict with another unique key than the target of onConflict()";
  if (isUnnamed && mysqlTokens(sql).filter(({ kind, text }) => kind === "word" && text === "SELECT").length > 2) {
    const other = counts ? "the server's auto_increment_increment is another than was declared" : conflict;
    return new StatementError(`${message}: a subquery of the statement gave several rows, or ${other}`, options);
  }
  if (counts) {
    return new UnsupportedError(
      `The server's auto_increment_increment is ${increment ?? "another than was declared"}, so that the keys it ` +
        "makes cannot be told; nothing was written. Set planetscale() up with " +
        (increment === undefined ? "its autoIncrementIncrement" : `autoIncrementIncrement: ${increment}`),
      { cause: options.cause },
    );
  }
  return new UniqueViolationError(`A${conflict.slice(1)}; nothing was written`, options);
}

/** A copy of a driver's error, without its body, which holds the values again. */
function copyOf(error: Error, redact: (text: string) => string): Error {
  const copy = new Error(redact(error.message));
  copy.name = error.name;
  const { status, body } = error as { status?: unknown; body?: { code?: unknown } };
  if (typeof status === "number") Object.assign(copy, { status });
  if (typeof body?.code === "string") Object.assign(copy, { code: redact(body.code) });
  return copy;
}
