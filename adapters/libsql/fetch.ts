/**
 * The requests of a call or a transaction over HTTP, which can be given up, and whose answers give their rows past the
 * driver. Knows nothing of SQL.
 *
 * @module
 */
import type { Fetch } from "../shared/fetch.ts";
import { TakenRows } from "./rows.ts";

/**
 * The requests of one call, or of one transaction: sends them, remembers the last HTTP status (the driver keeps it only
 * in some of its errors), and cuts all of them off at once. Whole answers are read here, so that a cut reaches a body
 * that is still on its way, and so that `settled()` knows when nothing is open any more.
 */
export class Wire {
  readonly #send: Fetch;
  readonly #open = new Map<AbortController, Promise<unknown>>();
  #cut = false;
  /** The HTTP status of the last answer; undefined until there is one. */
  status: number | undefined;
  /** The rows of the answers, which the driver does not get. */
  readonly rows: TakenRows = new TakenRows();

  constructor(send: Fetch) {
    this.#send = send;
  }

  /** The `fetch` to give to the driver. Rejects without touching the network once the wire is cut. */
  readonly fetch: Fetch = (input, init) => {
    if (this.#cut) return Promise.reject(new Error("The request was given up"));
    const controller = new AbortController();
    const answer = this.#answer(input, { ...init, signal: controller.signal });
    this.#open.set(controller, answer);
    const done = () => this.#open.delete(controller);
    answer.then(done, done);
    return answer;
  };

  async #answer(input: Request | URL | string, init: RequestInit): Promise<Response> {
    this.status = undefined;
    const response =
      await (input instanceof Request && input.method === "POST"
        ? this.#send(input.url, { ...init, ...await partsOf(input) })
        : this.#send(input, init));
    this.status = response.status;
    const { status, statusText, headers } = response;
    if (status === 200 && headers.get("content-type")?.startsWith("application/json")) {
      const text = await response.text();
      const answer = this.rows.take(text);
      if (answer === undefined) return new Response(text, { status, statusText, headers });
      return Object.assign(response, { json: () => Promise.resolve(answer), text: () => Promise.resolve(text) });
    }
    const body = await response.arrayBuffer();
    return new Response(body.byteLength === 0 ? null : body, { status, statusText, headers });
  }

  /** Cancels what is under way and, unless a farewell is wanted, refuses what comes later. */
  cut(farewell = false): void {
    this.#cut = !farewell;
    for (const controller of this.#open.keys()) controller.abort();
  }

  /** Resolves when no request is under way, nor one that the driver sends because of how the last one ended. */
  async settled(): Promise<void> {
    while (this.#open.size > 0) {
      await Promise.allSettled(this.#open.values());
      await new Promise((resolve) => setTimeout(resolve));
    }
  }
}

/** All that the driver's requests have: a Request made of a Request would send its body through a stream. */
async function partsOf(request: Request): Promise<RequestInit> {
  const { method, headers } = request;
  return { method, headers, body: new Blob([await request.arrayBuffer()]) };
}
