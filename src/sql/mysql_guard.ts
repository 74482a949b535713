/**
 * How a MySQL statement fails on purpose. A scalar subquery of two rows is an error in every `sql_mode` (errno 1242); in
 * strict mode the cast of its first row fails before that (1292), and the message holds the token. Where there is no
 * token, the statement's `check` tells which rows it was.
 *
 * @module
 */
import type { GuardFailure } from "./dialect.ts";
import { guardFailure } from "./guard.ts";

/** SQL that fails with a token; `token` is SQL, of text. */
export function failing(token: string): string {
  return `(SELECT CAST(${token} AS SIGNED) UNION ALL SELECT 1)`;
}

/** What fails where the server counts keys otherwise. No value in a text can look like it: its quotes would be escaped. */
export const INCREMENT: string = /* @__PURE__ */ failing("CONCAT('ledge:increment:', @@auto_increment_increment)");
/** What fails in a conflict with another unique key than the target of an upsert. */
export const CONFLICT: string = /* @__PURE__ */ failing("'ledge:conflict'");

/** What an error message says of a failed guard. */
export function mysqlGuardFailure(message: string): GuardFailure | null {
  const named = guardFailure(message);
  if (named !== null) return named;
  return /\(errno 1242\)|Subquery returns more than 1 row/.test(message) ? { kind: "unnamed" } : null;
}

/**
 * SQL that is NULL where the server counts keys in the steps that were declared, and fails otherwise: the keys of a
 * statement's rows would be told wrong. It stands where the key of the first row stands.
 */
export function incrementGuard(increment: number): string {
  return `IF(@@auto_increment_increment = ${increment}, NULL, ${INCREMENT})`;
}

/**
 * ON DUPLICATE KEY UPDATE, which takes a conflict with any unique key for one with the target: the target's first
 * column, set to itself, fails where the row that is there has another target than the row to insert.
 */
export function onConflict(target: readonly string[], sets: readonly string[] | null): string {
  const same = target.map((column) => `${column} <=> VALUES(${column})`).join(" AND ");
  const first = target[0]!;
  // Both ways give the column itself, so that its type is the expression's.
  const guard = `${first} = IF(${same}, ${first}, IF(${CONFLICT}, ${first}, ${first}))`;
  return ` ON DUPLICATE KEY UPDATE ${[guard, ...sets ?? []].join(", ")}`;
}
