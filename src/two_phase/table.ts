/**
 * The table of decisions, `ledge_commit`. The coordinator's part of a two-phase commit writes a row there: with it the commit
 * is decided. Whoever finds that it will never be writes the row itself, as aborted, which nobody can overtake.
 *
 * @module
 */
import type { CallOptions, Database } from "../database.ts";
import { InvalidStateError, StatementError } from "../errors.ts";
import { findRecord, writeRecord } from "../execution/commit_record.ts";
import { createAll, ddl } from "../execution/schema.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { Statement } from "../sql/statement.ts";

/** The row that says which database this is. */
export const SELF = "00000000-0000-0000-0000-000000000000";

/** The statements that make the table, for a migration. It holds a row for each commit; old ones may be deleted. */
export function twoPhaseTables(dialect: Dialect): Statement[] {
  return ddl([], dialect, { exactlyOnce: true });
}

/**
 * Makes the table `ledge_commit` where it is not there yet: the one that `createAll(db, models, { exactlyOnce: true })` makes.
 * Every database that a prepared session writes to first needs it. One request. A row in it decides one commit:
 * `pruneCommits` deletes those that are older than any transaction that is still prepared.
 */
export async function createTwoPhaseTables(database: Database, options?: CallOptions): Promise<void> {
  await createAll(database, [], { ...options, exactlyOnce: true });
}

/** Which database this is: text of its own, made once. Null where the table is missing. One request, three the first time. */
export async function identify(database: Database, options: CallOptions): Promise<string | null> {
  const { dialect } = database;
  try {
    const known = await findRecord(database, SELF, dialect, options);
    if (known !== null) return String(known.result);
    const result = crypto.randomUUID().replaceAll("-", "").slice(0, 12);
    await database.execute(writeRecord(SELF, "database", dialect, { result, unlessThere: true }), options);
    return String((await findRecord(database, SELF, dialect, options))!.result);
  } catch (error) {
    if (error instanceof StatementError) return null;
    throw error;
  }
}

/** The same; throws an InvalidStateError where the table is missing. */
export async function requireIdentity(database: Database, options: CallOptions): Promise<string> {
  const identity = await identify(database, options);
  if (identity !== null) return identity;
  throw new InvalidStateError(
    `${database.description} has no table ledge_commit, or this user may not use it; createTwoPhaseTables(database) makes it`,
  );
}
