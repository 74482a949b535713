/**
 * A process of its own that is told what to do in lines of JSON over stdin and answers each over stdout; both ends. The
 * server and every contender run so: the CPU time of each is then its own, and none has the garbage or the compiled code
 * of another to bear. Imports nothing of this package's dependencies.
 *
 * @module
 */
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

function valueOf(line: string): unknown {
  const answer: Answer = JSON.parse(line);
  if ("error" in answer) throw new Error(answer.error);
  return answer.value;
}

/** A process that runs. Give it one order at a time. */
export class Child implements AsyncDisposable {
  /** What it said when it was ready. */
  readonly hello: unknown;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: AsyncGenerator<string>;

  private constructor(hello: unknown, child: Deno.ChildProcess, output: AsyncGenerator<string>) {
    this.hello = hello;
    this.#child = child;
    this.#input = child.stdin.getWriter();
    this.#output = output;
  }

  /** Starts `deno` with these arguments and waits until it is ready. */
  static async start(args: readonly string[]): Promise<Child> {
    const child = new Deno.Command(Deno.execPath(), {
      args: [...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const output = lines(child.stdout);
    const { value, done } = await output.next();
    try {
      if (done) throw new Error("the process ended before it was ready");
      return new Child(valueOf(value), child, output);
    } catch (error) {
      await child.stdin.close().catch(() => {});
      await child.status;
      throw error;
    }
  }

  /** Gives an order and waits for its answer; rejects with what it failed with. */
  async tell(order: unknown): Promise<unknown> {
    await this.#input.write(new TextEncoder().encode(JSON.stringify(order) + "\n"));
    const { value, done } = await this.#output.next();
    if (done) throw new Error("the process has ended");
    return valueOf(value);
  }

  /** Ends it: it stops when its input ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    await this.#output.next();
    await this.#child.status;
  }
}

/**
 * The other end: gets ready, and obeys until the input ends. What anything else prints goes to stderr, so that it is not
 * taken for an answer.
 */
export async function serve<Order>(
  ready: () => Promise<{ readonly hello: unknown; readonly obey: (order: Order) => unknown }>,
): Promise<void> {
  const { log } = console;
  console.log = console.info = console.debug = console.error;
  const answer = (answer: Answer) => log(JSON.stringify(answer));
  const fail = (error: unknown) => answer({ error: error instanceof Error ? error.message : String(error) });
  let obey;
  try {
    const { hello, obey: obeys } = await ready();
    obey = obeys;
    answer({ value: hello });
  } catch (error) {
    return fail(error);
  }
  for await (const line of lines(Deno.stdin.readable)) {
    try {
      answer({ value: await obey(JSON.parse(line)) ?? null });
    } catch (error) {
      fail(error);
    }
  }
}
