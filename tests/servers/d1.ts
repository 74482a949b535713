/**
 * Starts a real D1, in workerd under miniflare, behind a Worker that hands each call on to its binding, and counts the
 * calls. Miniflare has a proxy of the binding too, which takes ten times as long. Miniflare itself runs in a thread of
 * its own, since its timers would count as leaks of the tests.
 *
 * @module
 */
import { Miniflare } from "miniflare";
import type { D1Binding, D1Result, D1Statement, D1Value } from "../../adapters/d1.ts";
import { safeFetch } from "../../adapters/shared/fetch.ts";

/** A running D1. */
export interface D1Server extends AsyncDisposable {
  /** The binding of the Worker, at one remove. */
  readonly binding: D1Binding;
  /** A session of the binding. */
  session(constraint: string): D1Binding;
  readonly requests: number;
  readonly statements: number;
  /** Zeroes the counters. */
  reset(): void;
  /** Runs statements in one batch, uncounted. */
  run(...statements: readonly string[]): Promise<void>;
}

/** A call of the binding on its way to the Worker. Bytes are arrays of numbers, as in what D1 itself sends. */
interface Call {
  readonly method: "raw" | "batch";
  readonly session: string | null;
  readonly statements: readonly { readonly sql: string; readonly values: readonly unknown[] }[];
}

/** The Worker: text, since it runs in workerd. */
const WORKER = `
async function answer({ method, session, statements }, env) {
  const db = session === null ? env.DB : env.DB.withSession(session);
  const made = statements.map(({ sql, values }) => {
    const statement = db.prepare(sql);
    return values.length === 0 ? statement : statement.bind(...values);
  });
  return method === "batch" ? await db.batch(made) : await made[0].raw({ columnNames: true });
}
export default {
  async fetch(request, env) {
    try {
      return Response.json({ answer: await answer(await request.json(), env) });
    } catch (error) {
      return Response.json({ error: error.message });
    }
  },
};`;

/** Starts one, empty. Takes about a second. */
export async function startD1(): Promise<D1Server> {
  const thread = new Worker(import.meta.url, { type: "module", name: "d1" });
  const said = (): Promise<string> =>
    new Promise((resolve, reject) => {
      thread.onmessage = ({ data }) => resolve(data);
      thread.onerror = (event) => {
        event.preventDefault();
        reject(new Error(`D1 did not start: ${event.message}`));
      };
    });
  const url = await said();
  const counters = { requests: 0, statements: 0 };
  const fetch = safeFetch();
  const send = async (call: Call): Promise<unknown> => {
    const response = await fetch(url, { method: "POST", body: JSON.stringify(call) });
    const { answer, error } = await response.json() as { answer?: unknown; error?: string };
    if (error !== undefined) throw new Error(error);
    return answer;
  };
  const counted = (call: Call): Promise<unknown> => {
    counters.requests++;
    counters.statements += call.statements.length;
    return send(call);
  };
  return {
    binding: relay(counted, null),
    session: (constraint) => relay(counted, constraint),
    get requests() {
      return counters.requests;
    },
    get statements() {
      return counters.statements;
    },
    reset: () => void Object.assign(counters, { requests: 0, statements: 0 }),
    async run(...statements): Promise<void> {
      const db = relay(send, null);
      await db.batch(statements.map((sql) => db.prepare(sql)));
    },
    async [Symbol.asyncDispose](): Promise<void> {
      const stopped = said();
      thread.postMessage("stop");
      await stopped;
      thread.terminate();
    },
  };
}

/** A binding whose calls go to the Worker. */
function relay(send: (call: Call) => Promise<unknown>, session: string | null): D1Binding {
  const inner = new WeakMap<D1Statement, Call["statements"][number]>();
  const prepare = (sql: string, values: readonly unknown[]): D1Statement => {
    const statements = [{ sql, values }];
    const statement: D1Statement = {
      bind: (...values: D1Value[]) => prepare(sql, values.map((v) => v instanceof Uint8Array ? Array.from(v) : v)),
      raw: async () => await send({ method: "raw", session, statements }) as unknown[][],
    };
    inner.set(statement, statements[0]!);
    return statement;
  };
  return {
    prepare: (sql) => prepare(sql, []),
    batch: async (statements) => {
      return await send({
        method: "batch",
        session,
        statements: statements.map((one) => inner.get(one)!),
      }) as D1Result[];
    },
  };
}

/** Miniflare with an empty D1, `DB`, and this Worker, which has no compatibility flags unless given. */
export function startMiniflare(script: string, compatibilityFlags: string[] = []): Miniflare {
  return new Miniflare({
    modules: true,
    script,
    d1Databases: ["DB"],
    compatibilityDate: "2026-07-01",
    compatibilityFlags,
  });
}

/** The thread: says where the Worker is, then that it has stopped. */
async function serve(): Promise<void> {
  const { postMessage } = self as unknown as { postMessage(message: string): void };
  const miniflare = startMiniflare(WORKER);
  self.addEventListener("message", async () => {
    await miniflare.dispose();
    postMessage("stopped");
  });
  postMessage(String(await miniflare.ready));
}

if (self.name === "d1") await serve();
