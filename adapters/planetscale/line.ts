/**
 * One session at the server, whose requests can be given up. Knows nothing of SQL.
 *
 * @module
 */
import type { DriverConnection, DriverFetch, DriverResult } from "./client.ts";
import { castValue } from "./values.ts";

/**
 * A connection of the driver, for one call or one transaction. Its requests go out as Blobs, since Deno's `fetch` sends
 * other bodies a second time when a connection closes before the answer, so that one INSERT leaves two rows. That holds
 * for a client that was handed in too: the driver keeps its `fetch` on each connection, and it is replaced there.
 */
export class Line {
  /** The driver's connection. */
  readonly native: DriverConnection;
  #controller = new AbortController();

  /** `headers` are set on each request, over the driver's own. */
  constructor(connection: DriverConnection, headers: Readonly<Record<string, string>> = {}) {
    this.native = connection;
    const send = connection.fetch;
    const sendOnce: DriverFetch = async (input, init = {}) => {
      const { signal } = this.#controller;
      signal.throwIfAborted();
      return await send(input, onceOnly({ ...init, signal, headers: { ...plain(init.headers), ...headers } }));
    };
    connection.fetch = sendOnce;
  }

  /** Runs a text, which is sent as it is. One request. */
  run(sql: string): Promise<DriverResult> {
    return this.native.execute(sql, null, { as: "array", cast: castValue });
  }

  /** Cancels what is under way, and refuses what comes later without touching the network. */
  cut(): void {
    this.#controller.abort();
  }

  /** Lets requests through again, in the session as it was last known. */
  mend(): void {
    this.#controller = new AbortController();
  }
}

function plain(headers: RequestInit["headers"]): Record<string, string> {
  return Object.fromEntries(new Headers(headers));
}

/** The same request with a Blob as its body, and without `cache` in runtimes that refuse it, as older Workers do. */
function onceOnly(init: RequestInit): RequestInit {
  const { body, cache, ...rest } = init;
  const blob = typeof body === "string" ? new Blob([body], { type: "application/json" }) : body;
  const changed = blob === undefined ? rest : { ...rest, body: blob };
  if (cache === undefined) return changed;
  try {
    new Request("http://localhost", { cache });
    return { ...changed, cache };
  } catch {
    return changed;
  }
}

/** The `fetch` of the moment, for connections that were given none. */
export const globalFetch: DriverFetch = (input, init) => globalThis.fetch(input, init);
