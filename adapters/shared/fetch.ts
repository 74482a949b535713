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
    const send: Fetch = fetch ?? globalThis.fetch;
    if (init?.body instanceof Blob) return await (fetch ? fetch(new Request(input, init)) : send(input, init));
    // A Request of a Request with a body, and `body` itself, would have it go through a stream.
    const isWhole = input instanceof Request && (init?.body ?? null) === null;
    const request = isWhole ? input : new Request(input, init);
    const bytes = await request.arrayBuffer();
    const body = request.bodyUsed ? { body: new Blob([bytes]) } : undefined;
    return await send(new Request(request, isWhole ? { ...init, ...body } : body));
  };
}
