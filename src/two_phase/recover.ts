/**
 * Recovery: ends what a crash left prepared.
 *
 * @module
 */
import type { CallOptions, Database } from "../database.ts";
import { UnsupportedError, ValidationError } from "../errors.ts";
import { refuseUnknown } from "../execution/call_options.ts";
import { settleRecord } from "../execution/commit_record.ts";
import { nameOf, parseName, timeOf } from "./names.ts";
import { end, type Part } from "./part.ts";
import { identify } from "./table.ts";

/** Options of `recover`. */
export interface RecoverOptions extends CallOptions {
  /**
   * Milliseconds: what was begun later than so long ago is left alone, as its session may be about to commit it; 60,000
   * unless given. Recovering what is alive makes its commit fail, and never half of it happen.
   */
  readonly olderThan?: number;
}

/** What `recover` did, by the ids of commits. */
export interface Recovery {
  /** Decided, and committed where they were not yet. */
  readonly committed: readonly string[];
  /** Never decided, and rolled back. */
  readonly rolledBack: readonly string[];
  /** Too young to be touched. */
  readonly waiting: readonly string[];
  /** Not ended: the database that decides is not among those given, or `error` came between. */
  readonly unresolved: readonly { readonly id: string; readonly error: unknown }[];
}

interface Found {
  readonly coordinator: string;
  readonly parts: Map<string, Part[]>;
}

/**
 * Ends the prepared transactions that crashed or disconnected sessions left behind: commits those whose commit was decided,
 * rolls back all others. Run it at times, with every database that sessions prepare on; two at once do no harm, and
 * transactions that are not Ledge's are not touched.
 *
 * Costs two requests for each database, and up to three and one for each part of a commit that is recovered. Throws a
 * `ValidationError` for bad options, an `UnsupportedError` for a database without two-phase commit, what `list` throws.
 */
export async function recover(databases: Iterable<Database>, options: RecoverOptions = {}): Promise<Recovery> {
  refuseUnknown(options, ["olderThan", "signal", "timeout"], "recover()");
  const { olderThan = 60_000, ...call } = options;
  if (typeof olderThan !== "number" || !(olderThan >= 0)) {
    throw new ValidationError("olderThan must be a number of milliseconds that is not negative");
  }
  const all = [...databases];
  for (const { twoPhase, description } of all) {
    if (twoPhase === undefined) throw new UnsupportedError(`${description} has no two-phase commit to recover`);
  }
  const coordinators = new Map<string, Database>();
  const found = new Map<string, Found>();
  for (const database of all) {
    const identity = await identify(database, call);
    if (identity !== null) coordinators.set(identity, database);
    for (const name of await database.twoPhase!.list(call)) {
      const part = parseName(name);
      if (part === null) continue;
      const { id, coordinator } = part;
      if (!found.has(id)) found.set(id, { coordinator, parts: new Map() });
      // A server may list what was prepared on another of its databases: whoever can ends it.
      const { parts } = found.get(id)!;
      parts.set(name, [...parts.get(name) ?? [], { database, name }]);
    }
  }
  const recovery = {
    committed: [] as string[],
    rolledBack: [] as string[],
    waiting: [] as string[],
    unresolved: [] as { id: string; error: unknown }[],
  };
  for (const [id, one] of found) {
    if (timeOf(id) > Date.now() - olderThan) {
      recovery.waiting.push(id);
      continue;
    }
    const database = coordinators.get(one.coordinator);
    try {
      if (database === undefined) recovery.unresolved.push({ id, error: null });
      else recovery[await finish(id, one, database, call)].push(id);
    } catch (error) {
      recovery.unresolved.push({ id, error });
    }
  }
  return recovery;
}

async function finish(
  id: string,
  { coordinator, parts }: Found,
  database: Database,
  options: CallOptions,
): Promise<"committed" | "rolledBack"> {
  const first = nameOf({ id, number: 0, coordinator });
  // Still prepared, it was not decided. Gone, its row tells; and where there is none, nothing decides it any more.
  await end({ database, name: first }, "rollback", options);
  const isCommitted = (await settleRecord(database, null, id, options)).state === "committed";
  for (const [name, places] of parts) {
    if (name === first) continue;
    for (const part of places) await end(part, isCommitted ? "commit" : "rollback", options);
  }
  return isCommitted ? "committed" : "rolledBack";
}
