/**
 * Writing what a session has pending on connections that can be prepared, on each database its part.
 *
 * @module
 */
import type { CallOptions } from "../database.ts";
import type { Branch } from "../session/branch.ts";
import { beforeCommit, isWritten } from "../session/committing.ts";
import type { Ending } from "../session/ending.ts";
import type { Flushing } from "../session/flushing.ts";
import { partition } from "../session/partition.ts";
import type { Parts } from "../session/parts.ts";
import type { ResultSet } from "../sql/statement.ts";
import type { Preparation } from "./preparation.ts";

/** Writes what is pending, and prepares it. The staged statements get their results once it is committed. */
export async function writePrepared(
  parts: Parts,
  flushing: Flushing,
  preparation: Preparation,
  options: CallOptions,
): Promise<Ending> {
  const { events, lifecycle, branches, failures, extras } = parts;
  let hasBegun = false;
  try {
    await beforeCommit(parts);
    return await flushing.between(async () => {
      const { changes, written, reads, compareAll } = await divide(parts, flushing);
      await preparation.begin(written.map(({ branch }) => branch), options);
      hasBegun = true;
      const staged = new Map<Branch, readonly ResultSet[] | null>();
      await flushing.writeParts(
        written,
        changes,
        "prepare()",
        options,
        ({ branch, bulk }) => extras.collect(branch, branches, bulk, compareAll, reads),
        (branch, results) => staged.set(branch, results),
      );
      const ending = await preparation.prepare(options);
      return {
        get isOpen(): boolean {
          return ending.isOpen;
        },
        async commit(limits) {
          await ending.commit(limits);
          branches.noteWrite();
          for (const [branch, results] of staged) extras.settle(branch, results);
        },
        rollback: () => ending.rollback(),
      };
    });
  } catch (error) {
    if (!hasBegun && !events.isVeto(error) && lifecycle.condition !== "failed") throw error;
    failures.failCommit(error);
    await branches.rollback().catch(() => {});
    await preparation.abandon().catch(() => {}); // what cannot be reached now is for recover()
    throw error;
  }
}

/** What each database has to write, with those where something was written already or travels with the commit. */
async function divide(
  { branches, tracker, extras, options: { optimistic, verifyReads } }: Parts,
  flushing: Flushing,
) {
  const compareAll = optimistic === "all";
  const reads = verifyReads ? tracker.identity : null;
  const changes = await flushing.collect();
  const written = partition(branches, changes, extras.bulk).filter((part) => isWritten(part, compareAll));
  const others = extras.branches(branches, compareAll, reads);
  for (const branch of branches.connected) if (branch.wrote) others.add(branch);
  const nothing = { ...changes, inserts: [], updates: [], deletes: new Set<never>(), links: [], relations: [] };
  for (const branch of others) {
    if (!written.some((part) => part.branch === branch)) written.push({ branch, changes: nothing, bulk: [] });
  }
  return { changes, written, reads, compareAll };
}
