/**
 * Streams: instances page by page, by key; rows of SQL text through a cursor of the server. Memory holds one page.
 *
 * @module
 */
import type { CallOptions } from "../database.ts";
import { InvalidStateError, UnsupportedError, ValidationError } from "../errors.ts";
import { keyOf, totalOrder } from "../query/keyset.ts";
import type { Loaded, LoadOptions } from "../query/loader.ts";
import { requireSize, type StreamOptions } from "../query/paging.ts";
import { Result } from "../query/result.ts";
import type { SelectNode } from "../query/select_node.ts";
import type { ResultSet, SqlValue, Statement } from "../sql/statement.ts";
import { type InstanceState, isTouched, knownState } from "../state/instance_state.ts";
import type { Token } from "../state/snapshot.ts";
import type { Tracker } from "../state/tracker.ts";
import type { Branch } from "./branch.ts";
import type { Transactions } from "./transaction.ts";

/** How many rows a page has when nothing is said. */
const SIZE = 1000;

/** The size of a stream's pages. */
export function sizeOf({ size = SIZE }: StreamOptions): number {
  return requireSize(size, "stream()");
}

/** Reads one page; flushes pending changes before the first. */
export type ReadPage = (node: SelectNode, isFirst: boolean, options: LoadOptions) => Promise<Loaded>;

/**
 * The instances of a query, page after page: one request a page. What a page loaded leaves the session when the next one
 * is asked for, and when the last one has been gone through.
 */
export async function* streamInstances(
  tracker: Tracker,
  node: SelectNode,
  size: number,
  options: CallOptions,
  read: ReadPage,
): AsyncGenerator<object, void, undefined> {
  const order = totalOrder(node, "stream()");
  let left = node.limit ?? Infinity;
  let after: readonly SqlValue[] | null = null;
  while (left > 0) {
    const limit = Math.min(size, left);
    const fresh: InstanceState[] = [];
    const isFirst = after === null;
    const part: SelectNode = { ...node, order, after, limit, offset: isFirst ? node.offset : null };
    let { states, rows } = await read(part, isFirst, { ...options, fresh });
    const count = rows.length;
    if (count > 0) after = keyOf(order, rows[count - 1]!);
    rows = []; // while the page is gone through its instances are enough
    const loaded = fresh.map((state): Fresh => ({ state, snapshot: state.snapshot }));
    for (const { instance } of states) yield instance;
    letGo(tracker, states, loaded);
    states = []; // nor is it held while the next one is read
    if (count < limit) return;
    left -= count;
  }
}

/** An instance that a page loaded, with what its row held then. */
interface Fresh {
  readonly state: InstanceState;
  readonly snapshot: readonly Token[] | null;
}

/**
 * Takes what a page loaded out of the session: but what was changed, flushed or marked for deletion meanwhile, and what
 * an instance that stays holds in a relation, however far down.
 */
function letGo(tracker: Tracker, roots: readonly InstanceState[], loaded: readonly Fresh[]): void {
  const going = new Set<InstanceState>();
  const staying: InstanceState[] = [];
  for (const { state, snapshot } of loaded) {
    if (!tracker.has(state) || state.status !== "persistent") continue;
    const isWanted = tracker.removed.has(state) || state.snapshot !== snapshot || isTouched(state);
    if (isWanted) staying.push(state);
    else going.add(state);
  }
  const seen = new Set<InstanceState>(roots);
  for (const state of seen) { // grows while it is walked
    if (!going.has(state)) staying.push(state);
    for (const member of members(state)) seen.add(member);
  }
  const kept = new Set(staying);
  for (const state of kept) { // grows while it is walked
    going.delete(state);
    for (const member of members(state)) if (going.has(member)) kept.add(member);
  }
  for (const state of going) tracker.expunge(state);
}

function members({ relations }: InstanceState): InstanceState[] {
  const found: InstanceState[] = [];
  for (const { members } of relations?.values() ?? []) {
    for (const member of members) {
      const state = knownState(member);
      if (state !== undefined) found.push(state);
    }
  }
  return found;
}

/** The rows of one statement through a cursor of the server, in the session's transaction; `read` makes what it gives. */
export async function* streamRows<T>(
  transactions: Transactions,
  branch: Branch,
  { statements, reads }: { readonly statements: readonly Statement[]; readonly reads: boolean },
  name: string,
  autoflush: boolean,
  { size, ...options }: { readonly size: number } & CallOptions,
  read: (rows: Result) => Iterable<T>,
): AsyncGenerator<T, void, undefined> {
  const { dialect, description } = branch.database;
  if (!reads || statements.length > 1) {
    throw new ValidationError("stream() takes one statement that reads, with one set of values; use execute()");
  }
  if (dialect.cursor === undefined) {
    throw new UnsupportedError(
      `stream() of SQL needs a cursor of the server, and ${description} has none; ` +
        "stream a select(Model), which goes page by page by key, or use execute() with pages of your own",
    );
  }
  const cursor = dialect.cursor(dialect.quote(name));
  await transactions.run("stream", async () => {
    await transactions.beforeQuery("stream()", () => branch, "all", autoflush);
    await transactions.connect("stream() of SQL", options, branch);
  });
  const { connection } = branch;
  const send = (list: readonly Statement[]): Promise<ResultSet[]> =>
    transactions.run("stream", () => {
      if (branch.connection !== connection) {
        throw new InvalidStateError(
          "Cannot read on from a stream: the transaction that it belongs to has ended; stream before commit() or rollback()",
        );
      }
      return branch.reads.exclusive(() => connection!.batch(list, options));
    });
  const next = cursor.fetch(size);
  let [, rows] = await send([cursor.open(statements[0]!), next]);
  try {
    while (true) {
      yield* read(new Result(rows!));
      if (rows!.rows.length < size) return;
      [rows] = await send([next]);
    }
  } finally {
    // Whoever left early, or failed, hears of that and not of the cursor: it goes with its transaction.
    if (branch.connection === connection && transactions.lifecycle.condition === "open") {
      await send([cursor.close]).catch(() => {});
    }
  }
}
