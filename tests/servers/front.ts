/**
 * What a thin HTTP front over a real database has, whichever service it stands in for: counters, added latency, hooks that
 * inject faults, knowing when a client went away, and an orderly end.
 *
 * @module
 */
import { Gate } from "./gate.ts";

export type MaybePromise<T> = T | Promise<T>;

/** An answer that breaks off in the middle of its body, as a lost connection does. */
export function cut(): Response {
  return new Response('{"', { headers: { "content-type": "application/json", "content-length": "1000" } });
}

/** A request as a front handles it. */
export interface FrontRequest {
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
  /** Given what is to be done when the client goes away before the answer. */
  onGone(cancel: () => void): void;
}

/** A request that is stopped. */
export interface Hold {
  /** Resolves when the request is there. */
  readonly reached: Promise<void>;
  /** Lets it go on. */
  release(): void;
}

/** A running HTTP server on a free port. */
export abstract class Front implements AsyncDisposable {
  /** Where clients connect. */
  readonly port: number;
  /** Added to every request, in milliseconds; read before each: may be changed at any time. */
  latency: number;
  requests = 0;
  bytesIn = 0;
  bytesOut = 0;
  /** Called before a request is handled; an answer it gives is sent instead, and nothing runs. */
  before?: (request: Request) => MaybePromise<Response | undefined>;
  /** Called after the work was done; an answer it gives is sent instead of the real one. */
  after?: (request: Request, response: Response) => MaybePromise<Response | undefined>;

  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #gate: Gate;
  /** What cancels the request of a client, by the port it is known by. */
  readonly #cancels = new Map<number, () => void>();
  readonly #abort = new AbortController();
  readonly #stopping = new AbortController();
  readonly #busy = new Set<Promise<unknown>>();
  #stopped?: Promise<void>;

  constructor(latency: number) {
    this.latency = latency;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {}, signal: this.#abort.signal },
      (request, info) => this.divert(request) ?? this.track(this.#answer(request, info.remoteAddr.port)),
    );
    this.#gate = new Gate(this.#server.addr.port, (port) => this.#cancels.get(port)?.());
    this.port = this.#gate.port;
  }

  /** Does the work of a request. */
  protected abstract handle(request: FrontRequest): Promise<Response>;

  /** Answers, uncounted and past the hooks, what opens another way to the service, such as a WebSocket. */
  protected divert(_request: Request): Response | undefined {
    return undefined;
  }

  /** Ends what is behind the front, when nothing runs any more. */
  protected abstract end(): Promise<void>;

  /** Whether it has begun to stop: nothing is to be kept for later. */
  protected get isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** Makes {@linkcode settled} wait for this. */
  protected track<T>(work: Promise<T>): Promise<T> {
    this.#busy.add(work);
    const done = () => this.#busy.delete(work);
    work.then(done, done);
    return work;
  }

  /** Zeroes the counters. */
  reset(): void {
    this.requests = this.bytesIn = this.bytesOut = 0;
  }

  /**
   * Fails the next request, or the next whose body `matches`, once: before anything runs, or after the work was done; cut
   * off, unless an answer is given.
   */
  failNext(
    when: "before" | "after",
    answer: () => Response = cut,
    matches: (body: string) => boolean = () => true,
  ): void {
    this[when] = async (request: Request) => {
      if (!matches(await request.text())) return undefined;
      this[when] = undefined;
      return answer();
    };
  }

  /** Stops the next request, or the next whose body `matches`, once: before anything runs, or after the work was done. */
  holdNext(when: "before" | "after", matches: (body: string) => boolean = () => true): Hold {
    const reached = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    this[when] = async (request: Request) => {
      if (!matches(await request.text())) return undefined;
      this[when] = undefined;
      reached.resolve();
      await released.promise;
      return undefined;
    };
    return { reached: reached.promise, release: released.resolve };
  }

  /** Resolves when every request is done. */
  async settled(): Promise<void> {
    while (this.#busy.size > 0) await Promise.allSettled([...this.#busy]);
  }

  /** Ends everything; a hook that hangs is cut short. */
  stop(): Promise<void> {
    return this.#stopped ??= (async () => {
      this.#stopping.abort();
      const late = setTimeout(() => this.#abort.abort(), 1000);
      await Promise.all([this.#server.shutdown(), this.settled()]).catch(() => {});
      clearTimeout(late);
      await this.#server.finished;
      await this.#gate.stop();
      await this.settled();
      await this.end();
    })();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #answer(request: Request, port: number): Promise<Response> {
    this.requests++;
    const body = await request.text();
    this.bytesIn += new TextEncoder().encode(body).length;
    const copy = () => new Request(request.url, { method: request.method, headers: request.headers, body });
    if (this.latency > 0) await this.sleep(this.latency);
    const instead = this.before && await this.hook(this.before(copy()));
    if (instead) return instead;
    let response: Response;
    try {
      response = await this.handle({
        path: request.method === "POST" ? new URL(request.url).pathname : "",
        headers: request.headers,
        body,
        onGone: (cancel) => this.#cancels.set(port, cancel),
      });
    } finally {
      this.#cancels.delete(port);
    }
    const replaced = this.after && await this.hook(this.after(copy(), response.clone()));
    const { byteLength } = await response.clone().arrayBuffer();
    this.bytesOut += byteLength; // Not across the await, where requests at once would lose each other's.
    return replaced ?? response;
  }

  /** Waits; cut short when the front stops. */
  protected async sleep(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await this.hook(new Promise<undefined>((resolve) => timer = setTimeout(resolve, ms, undefined)));
    clearTimeout(timer);
  }

  /** The answer of a hook, or nothing once the front stops: a hook may hang on purpose. */
  protected async hook<T>(answer: MaybePromise<T>): Promise<T | undefined> {
    const { signal } = this.#stopping;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const stop = () => resolve(undefined);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    try {
      return await Promise.race([answer, promise]);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }
}
