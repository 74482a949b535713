/**
 * What belongs to one request. Cloudflare's Workers tie each socket and each signal to the request that made it: another
 * request that uses it fails, or waits for ever. In all other runtimes requests share what they like.
 *
 * @module
 */
import { UnsupportedError } from "../../src/errors.ts";

/** Whether this runs in Cloudflare's Workers; it is how they say so. */
export function inWorkers(): boolean {
  return globalThis.navigator?.userAgent === "Cloudflare-Workers";
}

/** Whether this runs in Deno; it says so too. */
export function inDeno(): boolean {
  return /^deno\//i.test(globalThis.navigator?.userAgent ?? "");
}

/**
 * A check that throws an UnsupportedError in every request but the one that this was called in; at import, in every one.
 * Elsewhere than in Workers it never throws. The probe is a signal: Workers make none at import, and let no other request
 * look at it.
 */
export function boundToRequest(what: string, factory: string): () => void {
  let signal: AbortSignal | undefined;
  try {
    signal = new AbortController().signal;
  } catch {
    // At import.
  }
  return () => {
    try {
      if (signal?.aborted !== undefined) return;
    } catch {
      // Another request's.
    }
    throw new UnsupportedError(
      `${what} was given to ${factory} at import or by another request, and Workers let no request use the connections ` +
        `of another; give ${factory} where the database is, or make both in each request`,
    );
  };
}
