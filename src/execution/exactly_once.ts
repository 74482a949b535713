/**
 * Commits that survive the network. Each writes a record under an id of its own; when its answer is lost a batch is sent again
 * as it was, upon whose id only one of the two can succeed, and of a commit on a connection the record is asked for.
 *
 * @module
 */
import type { CallOptions, Database } from "../database.ts";
import {
  ConnectionError,
  DatabaseError,
  DeadlockError,
  LedgeError,
  LockTimeoutError,
  SerializationError,
  StatementError,
  TimeoutError,
  TransactionLostError,
  UniqueViolationError,
} from "../errors.ts";
import type { Statement } from "../sql/statement.ts";
import { RECORDS, settleRecord } from "./commit_record.ts";
import { pause } from "./pause.ts";
import { type CompiledPlan, type Outcome, outcomeOf } from "./writes.ts";

/** Milliseconds in which the outcome of a commit without a timeout is looked for, from when its answer was lost. */
const LONGEST_SEARCH = 30_000;

/** The same where others were in the way: as long as a server of libSQL lets one transaction hold up the next. */
const LONGEST_WAIT = 5000;

/** A commit that can be asked for. */
export interface RecordedCommit {
  /** The id of its record. */
  readonly record: string;
  readonly database: Database;
  /** What goes before everything on this database: it may say which table of records it is. */
  readonly settings: Statement | null;
  readonly compiled: CompiledPlan;
  /** What was carried out, where that was known before COMMIT went out; the record tells otherwise. */
  readonly seen: Outcome | null;
}

/** Whether nothing tells that a commit was not applied. The reason of its `signal` tells nothing, whatever error that is. */
export function isAmbiguous(error: unknown, signal?: AbortSignal): boolean {
  if (signal?.aborted && error === signal.reason) return true;
  if (error instanceof DatabaseError) return !error.notApplied;
  return !(error instanceof LedgeError);
}

/**
 * Whether a commit with a record may be applied all the same: a request that was delivered twice is refused the second time,
 * by its record or, as a batch of which `isDoubled` may be true, by a lock that it did not get as far as the record for.
 */
export function mayHaveWon(error: unknown, isDoubled: boolean, signal?: AbortSignal): boolean {
  return isAmbiguous(error, signal) || error instanceof TransactionLostError || isTaken(error) ||
    isDoubled && isContention(error);
}

/** Whether others were in the way, as they may have been in that of a second delivery alone. */
function isContention(error: unknown): boolean {
  if (isAmbiguous(error)) return false;
  return [LockTimeoutError, DeadlockError, SerializationError, TimeoutError].some((kind) => error instanceof kind);
}

/** Whether the record of this commit is there already. */
function isTaken(error: unknown): boolean {
  return error instanceof UniqueViolationError && error.table === RECORDS;
}

/** The error for a missing table of records; any other error as it is. */
export function explainRecord(error: unknown, { description }: Database): unknown {
  if (!(error instanceof StatementError) || !error.message.includes(RECORDS)) return error;
  return new StatementError(
    `A commit with exactlyOnce needs the table ${RECORDS}, which ${description} does not have as it should be: ` +
      `createAll(db, models, { exactlyOnce: true }) makes it, ddl() gives its statements (${error.message})`,
    { cause: error, driverCode: error.driverCode },
  );
}

/** What became of a commit: what it gave, or null where it is not applied and never will be. One request, two without batches. */
async function ask(commit: RecordedCommit, options: CallOptions): Promise<Outcome | null> {
  const { database, settings, record, compiled, seen } = commit;
  const { state, result } = await settleRecord(database, settings, record, options);
  if (state === "aborted" || seen !== null) return state === "aborted" ? null : seen;
  try {
    return outcomeOf(compiled, result, database.dialect);
  } catch (cause) {
    const message = "The commit was applied, but its record does not tell what it made";
    throw new Known(new DatabaseError(message, { cause, notApplied: false }));
  }
}

/** Tries until something is known, or the time is over: then the last error is thrown. */
async function persist<T>(
  attempt: (options: CallOptions) => Promise<T>,
  { signal, timeout = LONGEST_SEARCH }: CallOptions,
): Promise<T> {
  const end = performance.now() + timeout;
  let last: unknown = new TimeoutError("There was no time left to find out", { notApplied: false });
  for (let failures = 0;; failures++) {
    signal?.throwIfAborted();
    const left = end - performance.now();
    if (left <= 0) throw last;
    try {
      return await attempt({ signal, timeout: Math.max(1, left) });
    } catch (error) {
      if (error instanceof Known || !isWorthSending(error)) throw error; // asking again would not mend it
      last = error;
    }
    await pause(failures, signal, Math.max(0, end - performance.now()));
  }
}

/** What ends a search: more than this error nobody will know. */
class Known {
  readonly error: unknown;
  constructor(error: unknown) {
    this.error = error;
  }
}

/** Asks what became of a commit, again and again within the limits; throws when nobody can tell by then. */
export async function askFor(commit: RecordedCommit, options: CallOptions): Promise<Outcome | null> {
  return await persist((limits) => ask(commit, limits), options).catch((error) => {
    throw error instanceof Known ? error.error : error;
  });
}

/**
 * Finds out what became of a commit that failed with `lost`, by sending it again (where `send` is given) or by asking. Gives
 * what it gave; throws an error that says that nothing was written, or one that does not where the time was too short.
 */
export async function findOut(
  commit: RecordedCommit,
  lost: unknown,
  send: ((options: CallOptions) => Promise<Outcome>) | null,
  options: CallOptions,
): Promise<Outcome> {
  let cause = lost;
  const { timeout = LONGEST_SEARCH } = options;
  const search = { ...options, timeout: isContention(lost) ? Math.min(timeout, LONGEST_WAIT) : timeout };
  try {
    return await persist(async (limits) => {
      // One that others were in the way of is the caller's to do again, when it is known that it was not applied.
      if (send !== null && !isContention(lost) && isWorthSending(cause)) {
        try {
          return await send(limits);
        } catch (error) {
          cause = error;
          if (isWorthSending(error)) throw error;
        }
      }
      // Decided from now on, also against what is still on its way.
      const outcome = await ask(commit, limits);
      if (outcome !== null) return outcome;
      const isLost = !isContention(lost) && isWorthSending(cause);
      throw new Known(isLost ? new TransactionLostError(NOT_APPLIED, { cause }) : cause);
    }, search);
  } catch (error) {
    if (error instanceof Known) throw error.error;
    if (isAmbiguous(lost, options.signal)) throw lost;
    throw new DatabaseError("It was not found out in time whether the commit was applied", {
      cause: lost,
      notApplied: false,
    });
  }
}

const NOT_APPLIED = "The answer to the commit was lost, and it was not applied: nothing was written. Run it again";

/** Whether a batch that failed like this may be applied when it is sent again. */
function isWorthSending(error: unknown): boolean {
  return isAmbiguous(error) || TRANSIENT.some((kind) => error instanceof kind);
}

const TRANSIENT = [
  ConnectionError,
  TimeoutError,
  SerializationError,
  DeadlockError,
  LockTimeoutError,
  TransactionLostError,
];
