/**
 * The records of commits: rows of `ledge_commit`, by which a client whose answer was lost, or who comes after a crash, finds
 * out what became of a commit. Written as text, since every session has this in its bundle; the table is in schema.ts.
 *
 * @module
 */
import type { CallOptions, Connection, Database } from "../database.ts";
import { type CommitDecision, DatabaseError, ValidationError } from "../errors.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { SqlValue, Statement } from "../sql/statement.ts";
import { checkCallOptions, refuseUnknown } from "./call_options.ts";

/** The table of records. */
export const RECORDS = "ledge_commit";

/** What a record holds. */
export interface CommitRecord {
  readonly state: SqlValue;
  readonly result: SqlValue;
}

/** The statement that writes a record; with `unlessThere` one that is there stays as it is. */
export function writeRecord(
  id: string,
  state: string,
  dialect: Dialect,
  { result = null, unlessThere = false }: { result?: string | null; unlessThere?: boolean } = {},
): Statement {
  const { quote } = dialect;
  const params = [id, state, result, dialect.encodeParam(new Date(), "The time of a commit")];
  const columns = ["id", "state", "result", "at"].map(quote);
  const values = columns.map((_, i) => dialect.placeholder(i + 1));
  const conflict = unlessThere ? dialect.onConflict([quote("id")], null) : "";
  const sql = `INSERT INTO ${quote(RECORDS)} (${columns.join(", ")}) VALUES (${values.join(", ")})${conflict}`;
  return { sql, params };
}

/** The statement that reads a record. */
export function readRecord(id: string, { quote, placeholder }: Dialect): Statement {
  const sql = `SELECT ${quote("state")}, ${quote("result")} FROM ${quote(RECORDS)} WHERE ${quote("id")} = ${
    placeholder(1)
  }`;
  return { sql, params: [id] };
}

/** What the record says; null where there is none. One request. */
export async function findRecord(
  target: Pick<Database | Connection, "execute">,
  id: string,
  dialect: Dialect,
  options: CallOptions,
): Promise<CommitRecord | null> {
  return recordOf((await target.execute(readRecord(id, dialect), options)).rows);
}

function recordOf([row]: readonly (readonly SqlValue[])[]): CommitRecord | null {
  return row === undefined ? null : { state: row[0]!, result: row[1]! };
}

/**
 * What becomes of a commit: the record that it wrote, or from now on one that says "aborted", upon whose key it fails should
 * it come still. Waits for who writes the record at this moment: a plain SELECT would answer a wrong no. One request where
 * the database batches, two elsewhere; on a connection where settings say which table it is.
 */
export async function settleRecord(
  database: Database,
  settings: Statement | null,
  id: string,
  options: CallOptions,
): Promise<CommitRecord & { readonly state: CommitDecision }> {
  const { dialect } = database;
  const statements = [writeRecord(id, "aborted", dialect, { unlessThere: true }), readRecord(id, dialect)];
  if (settings !== null) statements.unshift(settings);
  const results = await together(database, statements, settings !== null, options);
  const record = recordOf(results.at(-1)!.rows);
  const state = record?.state;
  if (state === "committed" || state === "aborted") return { state, result: record!.result };
  throw new DatabaseError(`${database.description} does not tell what became of a commit`, { notApplied: false });
}

async function together(
  database: Database,
  statements: readonly Statement[],
  asOne: boolean,
  options: CallOptions,
): ReturnType<Connection["batch"]> {
  if (database.batch !== undefined) return await database.batch(statements, options);
  if (!asOne) {
    const results = [];
    for (const statement of statements) results.push(await database.execute(statement, options));
    return results;
  }
  const connection = await database.connect(options);
  try {
    return await connection.commit(statements, options);
  } finally {
    await connection.rollback(options).catch(() => {}); // gives it back where the commit failed
  }
}

/**
 * Deletes the records of commits that are older than so many milliseconds; gives their number. Keep them for longer than any
 * client may still ask for (an hour is plenty), and than any transaction of `@ledge/session/two_phase` stays prepared. One
 * request. Throws a `StatementError` where there is no table `ledge_commit`.
 *
 * @example
 * ```ts
 * import { createAll, model, pruneCommits, Session, t } from "@ledge/session";
 * import { libsql } from "@ledge/session/libsql/local";
 * import { assertEquals } from "@std/assert";
 *
 * class Book extends model("books", { id: t.identity(), title: t.text() }) {}
 * const db = libsql({ url: ":memory:" });
 * await createAll(db, [Book], { exactlyOnce: true });
 * await using session = new Session({ bind: db, exactlyOnce: true });
 * session.add(new Book({ title: "Edges" }));
 * await session.commit();
 * assertEquals(await pruneCommits(db, 24 * 60 * 60 * 1000), 0); // that one is of today
 * ```
 */
export async function pruneCommits(db: Database, olderThan: number, options?: CallOptions): Promise<number> {
  if (typeof olderThan !== "number" || !(olderThan >= 0 && olderThan < Infinity)) {
    throw new ValidationError("olderThan must be a number of milliseconds that is not negative");
  }
  refuseUnknown(options ?? {}, ["signal", "timeout"], "pruneCommits()");
  checkCallOptions(options ?? {});
  const { quote, placeholder } = db.dialect;
  const before = db.dialect.encodeParam(new Date(Date.now() - olderThan), "olderThan");
  // The row that names the database, for two-phase commits, stays.
  const sql = `DELETE FROM ${quote(RECORDS)} WHERE ${quote("at")} < ${placeholder(1)} AND ${
    quote("state")
  } <> 'database'`;
  return (await db.execute({ sql, params: [before] }, options)).rowsAffected;
}
