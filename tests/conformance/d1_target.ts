/**
 * The target of Cloudflare D1, wherever the suite has a binding.
 *
 * @module
 */
import { d1, type D1Binding, type D1Statement } from "../../adapters/d1.ts";
import { createAll } from "../../mod.ts";
import { deletes, FILLED, filledIn } from "./emptying.ts";
import { models } from "./models.ts";
import type { Counts, Expectations, Running, Target } from "./setup.ts";

const expects: Expectations = {
  batches: true,
  coalesces: true,
  interactive: false,
  concurrent: true,
  wideIntegers: false,
  requests: {
    newRow: 1,
    newRowWithServerValues: 1,
    changedRow: 1,
    graph: 1,
    graphWithServerKeys: 1,
    loadChangeSave: 2,
    gets: 1,
    include: 1,
    guarded: 1,
    failedRead: 4, // Together, then each alone, since nothing names the one that failed.
  },
};

/** A binding that is never called. */
const nowhere: D1Binding = { prepare: () => nothing(), batch: () => nothing() };

function nothing(): never {
  throw new Error("A sample is never connected to");
}

/** A binding with its calls counted; each is one request. */
function counting(inner: D1Binding): { binding: D1Binding; counts: Counts } {
  let counted = { requests: 0, statements: 0 };
  const count = (statements: number): void => {
    counted.requests++;
    counted.statements += statements;
  };
  const wrapped = new WeakMap<D1Statement, D1Statement>();
  const wrap = (statement: D1Statement): D1Statement => {
    const one: D1Statement = {
      bind: (...values) => wrap(statement.bind(...values)),
      raw: (options) => (count(1), statement.raw(options)),
    };
    wrapped.set(one, statement);
    return one;
  };
  return {
    binding: {
      prepare: (sql) => wrap(inner.prepare(sql)),
      batch: (statements) => (count(statements.length), inner.batch(statements.map((one) => wrapped.get(one)!))),
    },
    counts: {
      read: () => Promise.resolve(counted),
      reset(): Promise<void> {
        counted = { requests: 0, statements: 0 };
        return Promise.resolve();
      },
    },
  };
}

/** A D1 that is there. */
export interface StartedD1 extends AsyncDisposable {
  readonly binding: D1Binding;
}

/** Two databases over one binding. */
export function d1Target(start: () => Promise<StartedD1>): Target {
  return {
    name: "d1",
    expects,
    sample: () => d1(nowhere),
    async start(): Promise<Running> {
      const server = await start();
      const { binding: uncounted } = server;
      const { binding, counts } = counting(uncounted);
      const [db, other] = [d1(binding), d1(binding)];
      await createAll(db, models);
      return {
        db,
        counts,
        second: () => other,
        async reset(): Promise<void> {
          const [names, row] = await uncounted.prepare(FILLED).raw({ columnNames: true });
          const filled = filledIn(Object.fromEntries(names!.map((name, i) => [name, row![i]])));
          if (filled.length > 0) await uncounted.batch(deletes(filled, "sqlite").map((sql) => uncounted.prepare(sql)));
        },
        async [Symbol.asyncDispose](): Promise<void> {
          await db.close();
          await other.close();
          await server[Symbol.asyncDispose]();
        },
      };
    },
  };
}
