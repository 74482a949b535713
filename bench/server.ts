/**
 * The counting Hrana server of the tests in a process of its own, so that the CPU time measured here is the client's
 * alone. Holds both sides: `startServer` for the benchmark, and what runs when this file is started. They speak lines of
 * JSON over stdin and stdout, so the control of the server is never among the requests that it counts.
 *
 * @module
 */
import { startHrana } from "../tests/servers/hrana.ts";

/** What the server has counted since it was told to forget. */
export interface Counts {
  /** HTTP requests. */
  readonly requests: number;
  /** SQL statements, but for those that begin and end transactions. */
  readonly statements: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** A value that a statement is given over the control line. */
export type Param = string | number;

/** What the server can be told; each is answered by one line. */
type Order =
  | { readonly do: "latency"; readonly ms: number }
  | { readonly do: "count" }
  | { readonly do: "query"; readonly sql: string; readonly params: readonly Param[] };

type Answer = { readonly value: unknown } | { readonly error: string };

async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}

/** A server that runs. Give it one order at a time. */
export class Server implements AsyncDisposable {
  readonly url: string;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: AsyncGenerator<string>;

  /** @private Use {@linkcode startServer}. */
  constructor(url: string, child: Deno.ChildProcess, output: AsyncGenerator<string>) {
    this.url = url;
    this.#child = child;
    this.#input = child.stdin.getWriter();
    this.#output = output;
  }

  /** Milliseconds added to each request from now on. */
  async latency(ms: number): Promise<void> {
    await this.#tell({ do: "latency", ms });
  }

  /** What was counted since the last call, which begins anew. */
  async count(): Promise<Counts> {
    return await this.#tell({ do: "count" }) as Counts;
  }

  /** Runs one statement, uncounted. */
  async query(sql: string, ...params: Param[]): Promise<Record<string, unknown>[]> {
    return await this.#tell({ do: "query", sql, params }) as Record<string, unknown>[];
  }

  async #tell(order: Order): Promise<unknown> {
    await this.#input.write(new TextEncoder().encode(JSON.stringify(order) + "\n"));
    const { value, done } = await this.#output.next();
    if (done) throw new Error("The benchmark's server has ended");
    const answer: Answer = JSON.parse(value);
    if ("error" in answer) throw new Error(`The benchmark's server could not ${order.do}: ${answer.error}`);
    return answer.value;
  }

  /** Ends the server: it stops when its input ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.#output.next();
    await this.#child.status;
  }
}

/** Starts the server in a process of its own, on a temporary file. */
export async function startServer(): Promise<Server> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", import.meta.filename!],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const output = lines(child.stdout);
  const { value, done } = await output.next();
  if (done) throw new Error("The benchmark's server did not start");
  return new Server(JSON.parse(value).url, child, output);
}

if (import.meta.main) {
  await using server = await startHrana();
  const obey = (order: Order): unknown => {
    if (order.do === "latency") return server.latency = order.ms;
    if (order.do === "query") return server.db.query(order.sql, ...order.params);
    const { requests, statements, bytesIn, bytesOut } = server;
    server.reset();
    return { requests, statements, bytesIn, bytesOut } satisfies Counts;
  };
  console.log(JSON.stringify({ url: server.url }));
  for await (const line of lines(Deno.stdin.readable)) {
    let answer: Answer;
    try {
      answer = { value: obey(JSON.parse(line)) };
    } catch (error) {
      answer = { error: String(error) };
    }
    console.log(JSON.stringify(answer));
  }
}
