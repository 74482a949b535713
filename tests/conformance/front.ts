/**
 * A front in a Worker: it keeps connections from one test to the next, which would count as leaks of the tests. What it
 * counts is in shared memory, read without a message; what is asked of it goes over HTTP.
 *
 * @module
 */
import { startNeon } from "../servers/neon.ts";
import { startFront as startPlanetScale } from "../servers/planetscale.ts";

const KINDS = {
  neon: () => startNeon(),
  planetscale: () => startPlanetScale(),
} as const;

/** A front that runs beside the tests. */
export interface Front extends AsyncDisposable {
  /** The connection string. */
  readonly url: string;
  readonly requests: number;
  readonly statements: number;
  /** Zeroes the counters. */
  reset(): void;
  /** Runs statements at the database behind it. */
  run(...statements: readonly string[]): Promise<void>;
  /** Resolves when every request is done and every WebSocket closed. */
  settled(): Promise<void>;
}

/** What the Worker says when it is ready. */
interface Ready {
  readonly url: string;
  readonly control: string;
  readonly shared: SharedArrayBuffer;
}

/** Starts a front in a Worker. */
export async function startFront(kind: keyof typeof KINDS): Promise<Front> {
  const worker = new Worker(import.meta.url, { type: "module", name: `front ${kind}` });
  const { url, control, shared } = await new Promise<Ready>((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(`The front did not start: ${message}`));
  });
  const counters = new Int32Array(shared);
  const ask = async (what: string, body?: string): Promise<void> => {
    const response = await fetch(`${control}/${what}`, { method: "POST", ...body === undefined ? {} : { body } });
    const text = await response.text();
    if (!response.ok) throw new Error(text);
  };
  return {
    url,
    get requests(): number {
      return Atomics.load(counters, 0);
    },
    get statements(): number {
      return Atomics.load(counters, 1);
    },
    reset(): void {
      Atomics.store(counters, 0, 0);
      Atomics.store(counters, 1, 0);
    },
    run: (...statements) => ask("run", JSON.stringify(statements)),
    settled: () => ask("settled"),
    async [Symbol.asyncDispose](): Promise<void> {
      await ask("stop");
      worker.terminate();
    },
  };
}

async function serve(kind: keyof typeof KINDS): Promise<void> {
  const server = await KINDS[kind]();
  const shared = new SharedArrayBuffer(8);
  const counters = new Int32Array(shared);
  for (const [i, name] of (["requests", "statements"] as const).entries()) {
    Object.defineProperty(server, name, {
      get: () => Atomics.load(counters, i),
      set: (value: number) => void Atomics.store(counters, i, value),
    });
  }
  const work: Record<string, (body: string) => Promise<unknown>> = {
    run: async (statements) => {
      for (const sql of JSON.parse(statements)) await server.db.query(sql);
    },
    settled: () => server.settled(),
    stop: () => server.stop(),
  };
  const control = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    try {
      await work[new URL(request.url).pathname.slice(1)]!(await request.text());
      return new Response("");
    } catch (error) {
      return new Response(String(error), { status: 500 });
    }
  });
  const ready: Ready = { url: server.url, control: `http://127.0.0.1:${control.addr.port}`, shared };
  (self as unknown as { postMessage(message: unknown): void }).postMessage(ready);
}

const [, kind] = /^front (neon|planetscale)$/.exec(self.name) ?? [];
if (kind !== undefined) await serve(kind as keyof typeof KINDS);
