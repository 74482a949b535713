/**
 * What an error says of why it came to be, in the words of every runtime.
 *
 * @module
 */

/** What a driver's error may carry; any of it may be missing. */
export interface Cause {
  readonly name: string;
  readonly message: string;
  readonly code?: unknown;
  readonly cause?: unknown;
  readonly [property: string]: unknown;
}

/** An error, with whatever a driver has put on it to be read. */
export function fieldsOf(error: Error): Error & Cause {
  return error as Error & Cause;
}

/** An error, its cause, the cause's cause, and so on; Neon's driver calls its cause `sourceError`. */
export function* causes(error: unknown): Generator<Error & Cause> {
  const seen = new Set<unknown>();
  for (let at = error; at instanceof Error && !seen.has(at);) {
    seen.add(at);
    const found = fieldsOf(at);
    yield found;
    at = found.cause ?? found.sourceError;
  }
}

const refusedCodes =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EAI_FAIL|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|UND_ERR_CONNECT_TIMEOUT|ConnectionRefused|FailedToOpenSocket|DNSException)$/;
const refusedTexts =
  /client error \(Connect\)|connection refused|actively refused|dns (?:error|lookup failed)|name resolution|failed to lookup address|ENOTFOUND|ECONNREFUSED|tcp connect error|failed to connect to WebSocket|Unable to connect\. Is the computer able|Requests to port \d+ are blocked|Requires net access/i;

/**
 * Whether a request was never sent. Deno says it in the text, Node in a cause's code, Bun in the code, workerd in the text. Of a
 * connection that was open Linux says EHOSTUNREACH or ENETUNREACH too, once nothing that was sent came to be acknowledged.
 */
export function neverReached(error: unknown): boolean {
  for (const { name, code, message, syscall } of causes(error)) {
    if (syscall === "read" || syscall === "write") return false;
    if (name === "NotCapable" || (typeof code === "string" && refusedCodes.test(code)) || refusedTexts.test(message)) {
      return true;
    }
  }
  return false;
}
