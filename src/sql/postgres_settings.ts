/**
 * Locks and transaction-local settings: what of PostgreSQL other databases lack.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import { plainText, refusal } from "./codecs.ts";
import type { RowLock } from "./dialect.ts";
import type { SqlValue, Statement } from "./statement.ts";

/** ` FOR UPDATE SKIP LOCKED` and the like, to stand at the end of a SELECT. */
export function lockClause({ mode, skipLocked = false, noWait = false }: RowLock): string {
  if (skipLocked && noWait) {
    throw new ValidationError("A lock cannot both skip locked rows and fail on them; give skipLocked or noWait");
  }
  return ` FOR ${mode === "share" ? "SHARE" : "UPDATE"}${skipLocked ? " SKIP LOCKED" : noWait ? " NOWAIT" : ""}`;
}

/**
 * The statement that makes settings for the rest of the transaction: it must run inside one. `role` is what SET LOCAL
 * ROLE sets; it comes last, since the new role may not be allowed the others.
 */
export function settingsStatement(settings: Readonly<Record<string, string>>): Statement {
  const params: SqlValue[] = [];
  const entries = Object.entries(settings).sort(([a], [b]) => Number(isRole(a)) - Number(isRole(b)));
  const calls = entries.map(([name, value]) => {
    const what = `The setting ${JSON.stringify(name.slice(0, 60))}`;
    if (name === "") throw new ValidationError("The name of a setting must not be empty");
    if (typeof value !== "string") throw refusal(what, "text", value, "pass JSON.stringify(value) for an object");
    params.push(plainText(name, "The name of a setting"), plainText(value, what));
    return `set_config($${params.length - 1}, $${params.length}, true)`;
  });
  // What was set is not sent back: it may be a token.
  return { sql: `SELECT ${calls.map((call) => `${call} IS NULL`).join(", ")}`, params };
}

function isRole(name: string): boolean {
  return ["role", "session_authorization"].includes(name.toLowerCase());
}
