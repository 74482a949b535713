/**
 * The table of decisions, `ledge_commit`. The coordinator's part of a two-phase commit writes a row there: with it the commit
 * is decided. Whoever finds that it will never be writes the row itself, as aborted, which nobody can overtake.
 *
 * @module
 */
import type { CallOptions, Connection, Database } from "../database.ts";
import { DatabaseError, InvalidStateError, StatementError } from "../errors.ts";
import { createAll, ddl } from "../execution/schema.ts";
import { model } from "../model/model.ts";
import { mapperOf } from "../model/mapper.ts";
import { t } from "../model/columns.ts";
import type { AnyModel } from "../model/types.ts";
import { type InsertNode, insertNode, insertRows, toInsert } from "../query/insert.ts";
import { select } from "../query/select.ts";
import { toSelect } from "../query/select_node.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { Statement } from "../sql/statement.ts";

/** What became of a commit. */
export type Decision = "committed" | "aborted";

/** The row that says which database this is. */
const SELF = "00000000-0000-0000-0000-000000000000";

let decisions: ReturnType<typeof decisionModel> | undefined;

function decisionModel() {
  return class LedgeCommit extends model("ledge_commit", {
    id: t.uuid().primaryKey(),
    state: t.text(),
    result: t.text().nullable(),
    at: t.timestamp().default(() => new Date()),
  }) {};
}

/** Made on first use: importing this has no effects. */
function model_(): ReturnType<typeof decisionModel> {
  return decisions ??= decisionModel();
}

/** The statements that make the table, for a migration. It holds a row for each commit; old ones may be deleted. */
export function twoPhaseTables(dialect: Dialect): Statement[] {
  return ddl([model_() as unknown as AnyModel], dialect);
}

/**
 * Makes the table `ledge_commit` where it is not there yet. Every database that a prepared session writes to first needs it.
 * One request. A row in it decides one commit: rows older than any transaction that is still prepared may be deleted.
 */
export async function createTwoPhaseTables(database: Database, options?: CallOptions): Promise<void> {
  await createAll(database, [model_() as unknown as AnyModel], options);
}

/** The row that decides a commit, as a statement of the coordinator's transaction. */
export function decide(id: string, state: Decision, dialect: Dialect): Statement {
  return row({ id, state }, dialect, false);
}

function row(
  values: { id: string; state: string; result?: string },
  dialect: Dialect,
  unlessThere: boolean,
): Statement {
  const conflict = unlessThere ? { target: ["id"] } as unknown as InsertNode["conflict"] : null;
  const node: InsertNode = { ...insertNode(mapperOf(model_())), rows: [values], conflict };
  return toInsert(node, insertRows(node, dialect), dialect);
}

function read(id: string, dialect: Dialect): Statement {
  return toSelect(select(model_()).where({ id }).node, dialect);
}

/** What a row holds; null where there is none. */
async function find(
  target: Pick<Database | Connection, "execute">,
  id: string,
  dialect: Dialect,
  options: CallOptions,
): Promise<{ readonly state: unknown; readonly result: unknown } | null> {
  const { rows: [found] } = await target.execute(read(id, dialect), options);
  if (found === undefined) return null;
  const { byProperty } = mapperOf(model_());
  const at = (property: string) => found[byProperty.get(property)!.index];
  return { state: at("state"), result: at("result") };
}

/** Which database this is: text of its own, made once. Null where the table is missing. One request, three the first time. */
export async function identify(database: Database, options: CallOptions): Promise<string | null> {
  const { dialect } = database;
  try {
    const known = await find(database, SELF, dialect, options);
    if (known !== null) return String(known.result);
    const result = crypto.randomUUID().replaceAll("-", "").slice(0, 12);
    await database.execute(row({ id: SELF, state: "database", result }, dialect, true), options);
    return String((await find(database, SELF, dialect, options))!.result);
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

/**
 * What becomes of a commit whose coordinator's part is prepared no more: what was decided, or from now on "aborted". Waits
 * for who writes the row at this moment. Two requests.
 */
export async function settle(database: Database, id: string, options: CallOptions): Promise<Decision> {
  const { dialect } = database;
  await database.execute(row({ id, state: "aborted" }, dialect, true), options);
  const found = await find(database, id, dialect, options);
  if (found?.state === "committed" || found?.state === "aborted") return found.state;
  throw new DatabaseError(`${database.description} does not tell what became of a commit`, { notApplied: false });
}
