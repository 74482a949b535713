/**
 * What went wrong on the way to a database, not in it: the service refused the request, or there was no answer. Knows no
 * driver.
 *
 * @module
 */
import {
  AuthenticationError,
  ConnectionError,
  type DatabaseError,
  type DatabaseErrorOptions,
  TransactionLostError,
} from "../../src/errors.ts";
import { type Cause, causes, fieldsOf, neverReached } from "./causes.ts";

/** What is known of a call that failed, besides the error. */
export interface Failure {
  /** The database's description. */
  readonly where: string;
  /** Takes secrets out of a text. */
  readonly redact: (text: string) => string;
  /** Set when nothing of a failed request can last, because its transaction was not yet to be committed. */
  readonly uncommitted?: boolean;
}

/** The error for a status with which a service refuses a request unseen; none for other statuses. `login` is what to check. */
export function refusal(
  status: number | undefined,
  message: string,
  where: string,
  login: string,
  options: DatabaseErrorOptions,
): DatabaseError | undefined {
  if (status === 401 || status === 403) {
    return new AuthenticationError(`${where} refused the login: ${message}; check ${login}`, options);
  }
  if (status === 429) {
    return new ConnectionError(`${where} has too many requests: ${message}; try again later`, options);
  }
  return undefined;
}

/**
 * The error for a request without a usable answer. Nothing was sent where the network says so; but a status came with an
 * answer, and so the request was sent, whatever words a gateway has for trouble of its own.
 */
export function noAnswer(
  error: Error,
  status: number | undefined,
  { where, redact, uncommitted = false }: Failure,
  options: DatabaseErrorOptions,
  reason: string = redact(deepest(error).message),
): ConnectionError {
  if (status === undefined && neverReached(error)) {
    return new ConnectionError(`${where} cannot be reached: ${reason}; nothing was sent`, options);
  }
  const outcome = uncommitted ? "its transaction is lost" : "what was sent may or may not have been applied";
  return new ConnectionError(`${where} gave no usable answer: ${reason}; ${outcome}`, {
    ...options,
    notApplied: uncommitted,
  });
}

/** `fetch failed` says nothing; what failed stands in the last cause that says anything. */
export function deepest(error: Error): Cause {
  return [...causes(error)].findLast(({ message }) => message !== "") ?? fieldsOf(error);
}

/** The error for every call in a transaction that was lost because of `cause`. */
export function lost(where: string, cause: unknown): TransactionLostError {
  const { driverCode } = Object(cause) as { driverCode?: string };
  const message = `The transaction on ${where} is lost and nothing of it was applied; roll back and run it again`;
  return new TransactionLostError(message, { cause, driverCode });
}
