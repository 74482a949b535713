/**
 * A `fetch` that sends once. Knows nothing of SQL or of any driver.
 *
 * @module
 */

/** A function with the shape of the global `fetch`. */
export type Fetch = (input: Request | URL | string, init?: RequestInit) => Promise<Response>;

/**
 * Wraps a `fetch` so that every body is sent as a Blob. Deno's `fetch` sends a POST a second time when the server closes
 * a reused keep-alive connection before it answers, so that one INSERT leaves two rows; a Blob is sent once. Databases
 * that Ledge makes from a URL always use it; give it to the clients that you make yourself. No request more.
 *
 * @example
 * ```ts
 * import { safeFetch } from "@ledge/session/libsql";
 *
 * const sent: Request[] = [];
 * const fetch = safeFetch((request) => {
 *   sent.push(request as Request);
 *   return Promise.resolve(new Response("{}"));
 * });
 * await fetch("http://localhost/v2/pipeline", { method: "POST", body: "once" });
 *
 * if (sent.length !== 1 || (await sent[0]?.text()) !== "once") throw new Error("The body changed on its way");
 * ```
 */
export function safeFetch(fetch?: Fetch): Fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const send: Fetch = fetch ?? globalThis.fetch;
    if (request.body === null) return await send(request);
    return await send(new Request(request, { body: await request.blob() }));
  };
}
