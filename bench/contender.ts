/**
 * A contender in a process of its own: `Rival` for the benchmark, and what runs when this file is started with a module
 * that exports `open`, a kind of database and its URL. The time and the CPU of a sample are taken here, around the runs
 * alone.
 *
 * @module
 */
import process from "node:process";
import { Child, serve } from "./lines.ts";
import type { Kind, Open, WorkId } from "./workloads.ts";

/** What a sample took, all its runs together. */
export interface Taken {
  /** Entities that were handled. */
  readonly handled: number;
  /** Milliseconds. */
  readonly wall: number;
  /** Microseconds of CPU. */
  readonly cpu: number;
}

/** What it says when it is ready. */
interface Hello {
  readonly able: readonly WorkId[];
  readonly cannot: Readonly<Partial<Record<WorkId, string>>>;
}

/** The turns of a sample, or null: to collect garbage. */
type Order = { readonly work: WorkId; readonly turns: readonly number[] } | null;

/** A contender that runs. */
export class Rival implements AsyncDisposable {
  readonly name: string;
  readonly #child: Child;
  readonly #able: Set<WorkId>;
  readonly #cannot: Hello["cannot"];

  private constructor(name: string, child: Child) {
    this.name = name;
    this.#child = child;
    const { able, cannot } = child.hello as Hello;
    this.#able = new Set(able);
    this.#cannot = cannot;
  }

  /** Starts the module; `config` is that of its own dependencies. */
  static async start(
    { name, module, config, file = import.meta.filename! }: {
      name: string;
      module: string;
      config?: string | undefined;
      /** This file, of another checkout. */
      file?: string | undefined;
    },
    kind: Kind,
    url: string,
  ): Promise<Rival> {
    const own = config === undefined ? [] : [`--config=${config}`];
    return new Rival(
      name,
      await Child.start([
        ...["run", "-A", "--no-check", "--v8-flags=--expose-gc", ...own],
        ...[file, module, kind, url],
      ]),
    );
  }

  /** Whether it takes part in a workload. */
  can(work: WorkId): boolean {
    return this.#able.has(work);
  }

  /** Why it takes no part. */
  whyNot(work: WorkId): string {
    return this.#cannot[work] ?? "not written";
  }

  /** It takes no part from now on. */
  drop(work: WorkId): void {
    this.#able.delete(work);
  }

  /** Collects what other workloads have left: it is not the next one's. */
  async collect(): Promise<void> {
    await this.#child.tell(null satisfies Order);
  }

  /** Runs the workload once for each turn. */
  async take(work: WorkId, turns: readonly number[]): Promise<Taken> {
    return await this.#child.tell({ work, turns } satisfies Order) as Taken;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
  }
}

if (import.meta.main) {
  const [module, kind, url] = Deno.args as [string, Kind, string];
  await using stack = new AsyncDisposableStack();
  await serve<Order>(async () => {
    const { open } = await import(module) as { open: Open };
    const { runs, cannot = {}, close } = await open(kind, url);
    stack.defer(close);
    return {
      hello: { able: Object.keys(runs) as WorkId[], cannot } satisfies Hello,
      async obey(order) {
        if (order === null) return (globalThis as { gc?: () => void }).gc?.();
        const { work, turns } = order;
        const run = runs[work]!;
        let handled = 0;
        const before = process.cpuUsage();
        const start = performance.now();
        for (const turn of turns) handled += await run(turn);
        const wall = performance.now() - start;
        const { user, system } = process.cpuUsage(before);
        return { handled, wall, cpu: user + system } satisfies Taken;
      },
    };
  });
}
