/**
 * A proxy before a server that loses, cuts, delays, doubles and refuses what goes through it: HTTP request by request, and
 * whatever else turn by turn (the WebSockets that begin as HTTP requests, PostgreSQL's protocol). A turn is what the client
 * says until the server speaks. It works on sockets, so that what clients see are real closed and refused connections.
 *
 * ```ts ignore
 * await using proxy = new FaultProxy({ to: server.port, seed: 7, chances: { "drop after": 0.1, delay: 0.1 } });
 * const db = libsql({ url: `http://127.0.0.1:${proxy.port}` });
 * ```
 *
 * @module
 */
import { type Fault, FaultPlan, type PlanOptions } from "./fault_plan.ts";
import { HttpReader, type RawAnswer, type RawRequest, writeAnswer } from "./fault_http.ts";

export type { Asked, Chances, Fault, Script } from "./fault_plan.ts";

/** How to start a proxy; times are in milliseconds. */
export interface FaultProxyOptions extends PlanOptions {
  /** The server's port on this machine. */
  readonly to: number;
  /** What is spoken; HTTP unless given. */
  readonly protocol?: "http" | "tcp";
  /** The longest delay; 20 unless given. */
  readonly delay?: number;
  /** After how long what is late arrives; 1,000 unless given. */
  readonly late?: number;
  /** For how long connections are refused; 20 unless given. */
  readonly refusal?: number;
}

const reasons: Readonly<Record<string, string>> = {
  "500": "Internal Server Error",
  "502": "Bad Gateway",
  "503": "Service Unavailable",
  "429": "Too Many Requests",
};

/** A running proxy. */
export class FaultProxy implements AsyncDisposable {
  /** Where clients connect. */
  readonly port: number;
  /** What happened, how often. */
  readonly counts = new Map<Fault, number>();
  readonly #options: Required<Omit<FaultProxyOptions, keyof PlanOptions>>;
  readonly #plan: FaultPlan;
  readonly #open = new Set<Deno.Conn>();
  readonly #busy = new Set<Promise<unknown>>();
  readonly #serving = new Set<Promise<unknown>>();
  readonly #stopping = new AbortController();
  #listener: Deno.TcpListener | undefined;

  constructor({ to, protocol = "http", delay = 20, late = 1000, refusal = 20, ...plan }: FaultProxyOptions) {
    this.#options = { to, protocol, delay, late, refusal };
    this.#plan = new FaultPlan(plan);
    this.port = this.#listen(0);
  }

  /** How many requests and turns there were, but for those that were let through. */
  get requests(): number {
    return this.#plan.requests;
  }

  /** How many of them met with a fault. */
  get faults(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Lets everything through from now on, or no longer. */
  pause(isPaused = true): void {
    this.#plan.isPaused = isPaused;
  }

  /** Refuses connections until {@linkcode accept} is called; those that are open stay so. */
  async refuse(): Promise<void> {
    this.#listener?.close();
    this.#listener = undefined;
    await new Promise((resolve) => setTimeout(resolve)); // The socket is closed when the pending accept() has ended.
  }

  /** Takes connections again. */
  async accept(): Promise<void> {
    while (this.#listener === undefined && !this.#stopping.signal.aborted) {
      try {
        this.#listen(this.port);
      } catch (error) {
        if (!(error instanceof Deno.errors.AddrInUse)) throw error;
        await this.#sleep(5); // An outgoing connection of somebody's has it for a moment.
      }
    }
  }

  /** Resolves when nothing is on its way any more, late deliveries included. */
  async settled(): Promise<void> {
    while (this.#busy.size > 0) await Promise.allSettled([...this.#busy]);
  }

  /** Ends at once: closes everything, and delivers nothing more. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.refuse();
    for (const connection of this.#open) this.#close(connection);
    while (this.#serving.size > 0) await Promise.allSettled([...this.#serving]);
    await this.settled();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #listen(port: number): number {
    const listener = this.#listener = Deno.listen({ hostname: "127.0.0.1", port });
    this.#keep(this.#serving, this.#take(listener));
    return listener.addr.port;
  }

  async #take(listener: Deno.TcpListener): Promise<void> {
    try {
      for await (const client of listener) {
        this.#open.add(client);
        this.#keep(this.#serving, this.#serve(client).finally(() => this.#close(client)));
      }
    } catch {
      // Closed.
    }
  }

  async #serve(client: Deno.Conn): Promise<void> {
    if (this.#options.protocol === "tcp") return await this.#relay(client, []);
    const reader = new HttpReader(client);
    for (let request = await reader.next(); request !== null; request = await reader.next()) {
      if (/^websocket$/i.test(request.headers.get("upgrade") ?? "")) {
        return await this.#relay(client, [request.head, reader.rest()]);
      }
      if (!await this.#keep(this.#busy, this.#answer(client, request))) return;
    }
  }

  /** Answers one request; false when the connection is to be closed. */
  async #answer(client: Deno.Conn, request: RawRequest): Promise<boolean> {
    const { fault, span } = this.#plan.next(request.path, () => new TextDecoder().decode(request.body));
    if (fault !== undefined) this.#count(fault);
    const forward = () => this.#forward(request);
    const answer = async (given: RawAnswer, part = 1) => await writeAnswer(client, given, part) && part === 1;
    switch (fault) {
      case undefined:
        return await answer(await forward());
      case "refuse":
        this.#restart(client);
        return false;
      case "drop before":
        return false;
      case "drop after":
        await forward();
        return false;
      case "cut":
        return await answer(await forward(), 0.5);
      case "delay":
        await this.#sleep(this.#options.delay * span);
        return await answer(await forward());
      case "late":
        await this.#sleep(this.#options.late);
        return await answer(await forward());
      case "duplicate": {
        const first = await forward();
        this.#keep(this.#busy, this.#sleep(this.#options.delay * span).then(forward).catch(() => {}));
        return await answer(first);
      }
      case "double send":
        await forward();
        return await answer(await forward());
    }
    const [status, when] = fault.split(" ") as [string, string];
    if (when === "after") await forward();
    const text = reasons[status]!;
    const body = new TextEncoder().encode(text);
    return await answer({ status: Number(status), text, headers: [["content-type", "text/plain"]], body });
  }

  /** Passes a request on, once, and reads the whole answer. Rejects where there is none. */
  async #forward({ method, path, headers, body }: RawRequest): Promise<RawAnswer> {
    this.#stopping.signal.throwIfAborted();
    const response = await fetch(`http://127.0.0.1:${this.#options.to}${path}`, {
      method,
      headers,
      signal: this.#stopping.signal,
      ...method === "GET" ? {} : { body: new Blob([body]) }, // Deno's fetch sends any other body twice, given a reason.
    });
    return {
      status: response.status,
      text: response.statusText,
      headers: [...response.headers],
      body: new Uint8Array(await response.arrayBuffer()),
    };
  }

  /** Relays bytes, with a fault for each turn; a status is a closed connection here, and nothing arrives twice. */
  async #relay(client: Deno.Conn, said: readonly Uint8Array<ArrayBuffer>[]): Promise<void> {
    let server: Deno.Conn;
    try {
      server = await Deno.connect({ hostname: "127.0.0.1", port: this.#options.to });
    } catch {
      return;
    }
    this.#open.add(server);
    const turn: { isOpen: boolean; fate: Fault | undefined } = { isOpen: false, fate: undefined };
    const end = () => {
      this.#close(client);
      this.#close(server);
    };
    const up = async (chunk: Uint8Array): Promise<boolean> => {
      if (!turn.isOpen) {
        turn.isOpen = true;
        const { fault, span } = this.#plan.next("", () => new TextDecoder().decode(chunk));
        turn.fate = ofBytes(fault);
        if (turn.fate !== undefined) this.#count(turn.fate);
        if (turn.fate === "refuse") this.#restart(client);
        if (turn.fate === "refuse" || turn.fate === "drop before") return false;
        if (turn.fate === "delay") await this.#sleep(this.#options.delay * span);
        if (turn.fate === "late") await this.#keep(this.#busy, this.#sleep(this.#options.late));
      }
      await writeAll(server, chunk);
      return true;
    };
    const down = async (chunk: Uint8Array): Promise<boolean> => {
      turn.isOpen = false;
      if (turn.fate === "drop after") return false;
      if (turn.fate === "cut") await writeAll(client, chunk.subarray(0, chunk.length >> 1));
      else await writeAll(client, chunk);
      return turn.fate !== "cut";
    };
    const pass = async (from: Deno.Conn, on: (chunk: Uint8Array) => Promise<boolean>, first: readonly Uint8Array[]) => {
      const buffer = new Uint8Array(64 * 1024);
      try {
        for (const chunk of first) if (chunk.length > 0 && !await on(chunk)) return end();
        for (let size = await from.read(buffer); size !== null; size = await from.read(buffer)) {
          if (!await on(buffer.slice(0, size))) break;
        }
      } catch {
        // Closed or reset.
      }
      end();
    };
    await Promise.all([pass(client, up, said), pass(server, down, [])]);
  }

  #count(fault: Fault): void {
    this.counts.set(fault, (this.counts.get(fault) ?? 0) + 1);
  }

  /** Refuses connections for a while. */
  #restart(client: Deno.Conn): void {
    this.#close(client);
    if (this.#listener === undefined) return;
    const restarting = this.refuse().then(() => this.#sleep(this.#options.refusal)).then(() => this.accept());
    this.#keep(this.#busy, restarting);
  }

  /** Waits; cut short when the proxy stops. */
  async #sleep(ms: number): Promise<void> {
    const { signal } = this.#stopping;
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener("abort", end);
      if (signal.aborted) end();
    });
  }

  #keep<T>(among: Set<Promise<unknown>>, work: Promise<T>): Promise<T> {
    const kept = work.catch(() => {}).finally(() => among.delete(kept));
    among.add(kept);
    return work;
  }

  #close(connection: Deno.Conn): void {
    if (this.#open.delete(connection)) connection.close();
  }
}

/** What a fault comes to where there are only bytes. */
function ofBytes(fault: Fault | undefined): Fault | undefined {
  if (fault === "duplicate" || fault === "double send") return undefined;
  if (fault !== undefined && /^\d/.test(fault)) return fault.endsWith("before") ? "drop before" : "drop after";
  return fault;
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}
