/**
 * A thin Hrana 2 front, HTTP and WebSocket, over a real libSQL file: a stand-in for sqld's surface over the real engine,
 * so that tests and benchmarks can count requests, add latency and inject faults. It keeps to what `@libsql/client` sends;
 * what sqld does and the protocol leaves open (error codes, stream expiry, the transaction limit) is done as sqld does it.
 *
 * ```ts ignore
 * await using server = await startHrana({ latency: 20 });
 * const client = createClient({ url: server.url });
 * ```
 *
 * @module
 */
import { answer, resolver } from "./hrana_request.ts";
import { serveSocket } from "./hrana_socket.ts";
import { HranaStream, type StreamContext, takeConnection } from "./hrana_stream.ts";
import { type EngineValue, HranaError, type WireRequest } from "./hrana_value.ts";

type MaybePromise<T> = T | Promise<T>;

/** How to start the server; times are in milliseconds. */
export interface HranaOptions {
  /** The database file; a fresh temporary one, removed by `stop()`, unless given. */
  path?: string;
  /** The token that a client must show. */
  token?: string;
  /** Added to every HTTP request and WebSocket message. */
  latency?: number;
  /** After which an idle HTTP stream expires: 10,000 as in sqld. */
  streamTimeout?: number;
  /** How long a statement waits for a lock: 5,000. */
  busyTimeout?: number;
  /** After which a transaction loses its lock to a waiting writer: 5,000 as in sqld. */
  transactionTimeout?: number;
  /** Error codes as sqld answers them (primary ones), or the engine's own, such as SQLITE_CONSTRAINT_UNIQUE. */
  codes?: "sqld" | "engine";
}

/** One counted request: what it asked for, and the statements that ran for it. */
export interface HranaLogEntry {
  readonly kind: "http" | "ws";
  readonly types: readonly string[];
  readonly sql: string[];
  readonly args: (readonly EngineValue[])[];
}

/** An answer that breaks off in the middle of its body, as a lost connection does. */
export function cut(): Response {
  return new Response('{"baton":', { headers: { "content-type": "application/json", "content-length": "1000" } });
}

/** Starts a server on a free port. */
export async function startHrana(options: HranaOptions = {}): Promise<HranaServer> {
  const folder = options.path === undefined ? await Deno.makeTempDir({ prefix: "hrana-" }) : undefined;
  return new HranaServer(options, options.path ?? `${folder}/test.sqlite`, folder);
}

/** A running server. */
export class HranaServer implements AsyncDisposable {
  readonly url: string;
  readonly wsUrl: string;
  readonly path: string;
  /** Read before every request: may be changed at any time. */
  latency: number;
  /** HTTP pipeline requests, and WebSocket messages that run statements. */
  requests = 0;
  /** GET requests. */
  probes = 0;
  /** SQL statements that ran, failed ones included, but for `control`. */
  statements = 0;
  /** BEGIN, COMMIT, END, ROLLBACK, SAVEPOINT and RELEASE that ran. */
  control = 0;
  bytesIn = 0;
  bytesOut = 0;
  readonly log: HranaLogEntry[] = [];
  /** Called before a pipeline request is handled; an answer it gives is sent instead, and nothing runs. */
  before?: (request: Request) => MaybePromise<Response | undefined>;
  /** Called after the work was done; an answer it gives is sent instead of the real one. */
  after?: (request: Request, response: Response) => MaybePromise<Response | undefined>;
  /** The same over a WebSocket: "cut" closes the socket before the message is handled. */
  beforeMessage?: (request: WireRequest) => MaybePromise<"cut" | void>;
  /** "cut" closes the socket instead of answering. */
  afterMessage?: (request: WireRequest) => MaybePromise<"cut" | void>;
  /** The truth: a synchronous handle on the file. Integers come as numbers where they fit, else as bigint. */
  readonly db: { query(sql: string, ...params: (EngineValue | boolean)[]): Record<string, unknown>[] };

  readonly #options: HranaOptions;
  readonly #folder: string | undefined;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #abort = new AbortController();
  readonly #stopping = new AbortController();
  readonly #sockets = new Map<WebSocket, Promise<void>>();
  readonly #batons = new Map<string, { stream: HranaStream; timer: ReturnType<typeof setTimeout> }>();
  readonly #expired = new Set<string>();
  readonly #context: StreamContext;
  readonly #truth: ReturnType<typeof takeConnection>;
  #stopped?: Promise<void>;

  /** @private Use {@linkcode startHrana}. */
  constructor(options: HranaOptions, path: string, folder: string | undefined) {
    this.#options = options;
    this.#folder = folder;
    this.path = path;
    this.latency = options.latency ?? 0;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {}, signal: this.#abort.signal },
      (request) => this.#respond(request),
    );
    this.url = `http://127.0.0.1:${this.#server.addr.port}`;
    this.wsUrl = this.url.replace("http", "ws");
    this.#context = {
      path,
      busyTimeout: options.busyTimeout ?? 5000,
      transactionTimeout: options.transactionTimeout ?? 5000,
      codes: options.codes ?? "sqld",
      idle: [],
      streams: new Set(),
      ran: (control) => control ? this.control++ : this.statements++,
      sleep: (ms) => this.#sleep(ms),
    };
    const truth = this.#truth = takeConnection(this.#context);
    this.db = {
      query: (sql, ...params) => {
        const args = params.map((p) => typeof p === "boolean" || Number.isSafeInteger(p) ? BigInt(p as number) : p);
        const statement = truth.prepare(sql);
        if (!statement.reader) return statement.run(args), [];
        return (statement.all(args) as Record<string, unknown>[]).map((row) => {
          for (const [key, value] of Object.entries(row)) {
            if (typeof value === "bigint" && BigInt(Number(value)) === value && Number.isSafeInteger(Number(value))) {
              row[key] = Number(value);
            } else if (value instanceof ArrayBuffer) row[key] = new Uint8Array(value);
          }
          return row;
        });
      },
    };
  }

  /** Streams that are open now. */
  get openStreams(): number {
    return this.#context.streams.size;
  }

  /** WebSockets that are open now. */
  get sockets(): number {
    return this.#sockets.size;
  }

  /** Zeroes the counters and the log. */
  reset(): void {
    this.requests =
      this.probes =
      this.statements =
      this.control =
      this.bytesIn =
      this.bytesOut =
        0;
    this.log.length = 0;
  }

  /** Fails the next HTTP request once: before anything runs, or after the work was done; cut off, unless an answer is given. */
  failNext(when: "before" | "after", answer: () => Response = cut): void {
    const hook = () => {
      this[when] = undefined;
      return answer();
    };
    this[when] = hook;
  }

  /** Closes sockets and streams (open transactions are rolled back) and removes a temporary file. */
  stop(): Promise<void> {
    return this.#stopped ??= (async () => {
      this.#stopping.abort();
      for (const socket of this.#sockets.keys()) socket.close(1001);
      const late = setTimeout(() => this.#abort.abort(), 1000);
      await Promise.all([this.#server.shutdown(), ...this.#sockets.values()]).catch(() => {});
      clearTimeout(late);
      await this.#server.finished;
      for (const { timer } of this.#batons.values()) clearTimeout(timer);
      for (const stream of [...this.#context.streams]) stream.close();
      for (const connection of [...this.#context.idle, this.#truth]) connection.close();
      if (this.#folder) await Deno.remove(this.#folder, { recursive: true });
    })();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Waits; cut short when the server stops. */
  #sleep(ms: number): Promise<void> {
    const { signal } = this.#stopping;
    return new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        reject(new HranaError("The server is stopping", "SERVER_STOPPING", 503));
      };
      const timer = setTimeout(() => {
        signal.removeEventListener("abort", stop);
        resolve();
      }, ms);
      if (signal.aborted) stop();
      else signal.addEventListener("abort", stop, { once: true });
    });
  }

  /** The answer of a hook, or nothing once the server stops: a hook may hang on purpose. */
  async #hook<T>(answer: MaybePromise<T>): Promise<T | undefined> {
    const { signal } = this.#stopping;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const stop = () => resolve(undefined);
    signal.addEventListener("abort", stop, { once: true });
    try {
      return await Promise.race([answer, promise]);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  #count(kind: HranaLogEntry["kind"], types: string[]): HranaLogEntry {
    const entry: HranaLogEntry = { kind, types, sql: [], args: [] };
    this.requests++;
    this.log.push(entry);
    return entry;
  }

  async #respond(request: Request): Promise<Response> {
    if (request.headers.get("upgrade")?.toLowerCase() === "websocket") return this.#upgrade(request);
    const { pathname } = new URL(request.url);
    if (request.method === "GET") {
      this.probes++;
      return new Response(null, { status: pathname === "/v2" || pathname === "/health" ? 200 : 404 });
    }
    const body = await request.text();
    if (pathname !== "/v2/pipeline") return new Response("Not found", { status: 404 });
    this.bytesIn += new TextEncoder().encode(body).length;
    const copy = () => new Request(request.url, { method: "POST", headers: request.headers, body });
    let response: Response | undefined;
    try {
      if (this.latency > 0) await this.#sleep(this.latency);
      response = this.before && await this.#hook(this.before(copy()));
      if (response) {
        this.requests++;
        return response;
      }
      const { token } = this.#options;
      if (token !== undefined && request.headers.get("authorization") !== `Bearer ${token}`) {
        this.requests++;
        return Response.json({ error: "Unauthorized: the token is missing or wrong" }, { status: 401 });
      }
      response = Response.json(await this.#pipeline(JSON.parse(body)));
    } catch (error) {
      const status = error instanceof HranaError ? error.status ?? 400 : 400;
      const wire = error instanceof HranaError ? error.toWire() : { message: String(error), code: "PROTOCOL_ERROR" };
      response = Response.json(wire, { status });
    }
    const replaced = this.after && await this.#hook(this.after(copy(), response.clone()));
    const { byteLength } = await response.clone().arrayBuffer();
    this.bytesOut += byteLength; // Not across the await, where requests at once would lose each other's.
    return replaced ?? response;
  }

  async #pipeline(body: { baton?: string | null; requests: WireRequest[] }): Promise<unknown> {
    const entry = this.#count("http", body.requests.map((r) => r.type));
    const stream = body.baton ? this.#claim(body.baton) : new HranaStream(this.#context);
    stream.log = entry;
    const resolve = resolver(stream.sqls);
    const results: unknown[] = [];
    let closed = false;
    try {
      for (const request of body.requests) {
        if (request.type === "close") {
          closed = true;
          stream.close();
          results.push({ type: "ok", response: { type: "close" } });
          continue;
        }
        try {
          results.push({ type: "ok", response: await answer(stream, request, resolve, stream.sqls) });
        } catch (error) {
          if (!(error instanceof HranaError) || error.status !== undefined) throw error;
          results.push({ type: "error", error: error.toWire() });
        }
      }
    } catch (error) {
      stream.close();
      throw error;
    }
    return { baton: closed ? null : this.#lend(stream), base_url: null, results };
  }

  /** A baton for the stream's next request; good once, and until the stream has idled too long. */
  #lend(stream: HranaStream): string {
    const baton = crypto.randomUUID();
    const timer = setTimeout(() => {
      this.#batons.delete(baton);
      this.#expired.add(baton);
      stream.close();
    }, this.#options.streamTimeout ?? 10_000);
    this.#batons.set(baton, { stream, timer });
    return baton;
  }

  #claim(baton: string): HranaStream {
    const lent = this.#batons.get(baton);
    if (!lent) {
      throw this.#expired.has(baton)
        ? new HranaError("The stream has expired due to inactivity", "STREAM_EXPIRED", 400)
        : new HranaError("Received an invalid baton", "BATON_INVALID", 400);
    }
    this.#batons.delete(baton);
    clearTimeout(lent.timer);
    return lent.stream;
  }

  #upgrade(request: Request): Response {
    const offered = request.headers.get("sec-websocket-protocol")?.split(/\s*,\s*/) ?? [];
    if (!offered.includes("hrana2")) return new Response("Only hrana2 is spoken here", { status: 400 });
    // Deno finds a protocol only in a list with spaces, and npm's ws sends one without.
    Object.defineProperty(request, "headers", {
      value: new Headers([...request.headers, ["sec-websocket-protocol", "hrana2"]]),
    });
    const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "hrana2", idleTimeout: 0 });
    const closed = Promise.withResolvers<void>();
    this.#sockets.set(socket, closed.promise);
    const end = serveSocket(socket, {
      server: this,
      token: this.#options.token,
      open: () => new HranaStream(this.#context),
      count: (type) => this.#count("ws", [type]),
      sleep: (ms) => this.#sleep(ms),
      hook: (answer) => this.#hook(answer),
    });
    socket.onclose = async () => {
      await end();
      this.#sockets.delete(socket);
      closed.resolve();
    };
    return response;
  }
}
