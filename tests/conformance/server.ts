/**
 * A database server as the suite sees it from wherever it runs: the addresses for clients, and a control address, which
 * counts and empties. Works by `fetch` alone; `front.ts` starts such servers.
 *
 * @module
 */
import type { Counts } from "./setup.ts";

/** Where a server is. */
export interface Addresses {
  /** For clients: a URL or connection string. */
  readonly url: string;
  /** For clients over WebSockets, where that is another one. */
  readonly wsUrl: string;
  /** What is asked of the server by the tests. */
  readonly control: string;
}

/** The requests and statements that a server counted. */
export interface Counted {
  readonly requests: number;
  readonly statements: number;
}

/** A server that runs somewhere else. */
export class Server implements Counts {
  readonly url: string;
  readonly wsUrl: string;
  readonly #control: string;

  constructor({ url, wsUrl, control }: Addresses) {
    this.url = url;
    this.wsUrl = wsUrl;
    this.#control = control;
  }

  /** What was counted since the last reset. */
  async read(): Promise<Counted> {
    return JSON.parse(await this.#ask("counts"));
  }
  /** Zeroes the counters. */
  async reset(): Promise<void> {
    await this.#ask("reset");
  }
  /** Empties the tables of the suite. */
  async empty(): Promise<void> {
    await this.#ask("empty");
  }
  /** Resolves when every request is done and every WebSocket closed. */
  async settled(): Promise<void> {
    await this.#ask("settled");
  }
  /** Ends it. */
  async stop(): Promise<void> {
    await this.#ask("stop");
  }

  async #ask(what: string): Promise<string> {
    const response = await fetch(`${this.#control}/${what}`, { method: "POST" });
    const text = await response.text();
    if (!response.ok) throw new Error(`The server's ${what} failed: ${text}`);
    return text;
  }
}
