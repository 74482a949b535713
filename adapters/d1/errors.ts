/**
 * D1's errors as Ledge's. D1 has no error codes of its own: what SQLite said stands in the message, its result code at
 * the end ("D1_ERROR: UNIQUE constraint failed: authors.name: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)").
 *
 * @module
 */
import {
  ConnectionError,
  DatabaseError,
  type DatabaseErrorOptions,
  LedgeError,
  StatementError,
  TimeoutError,
} from "../../src/errors.ts";
import { withoutSecrets } from "../shared/secrets.ts";
import { readSqliteError, type SqliteRule, withoutValues } from "../shared/sqlite_errors.ts";

/** What D1 says of statements, beside SQLite's own words. */
const statements: readonly SqliteRule[] = [
  { code: /^SQLITE_ERROR$/, make: StatementError },
  {
    text: /^No SQL statements detected|^SQL code did not contain a statement|^Type '\w+' not supported/,
    make: StatementError,
  },
  { text: /^Wrong number of parameter|^To execute a transaction, please use/, make: StatementError },
];

/**
 * What D1 says of itself, from the list that Cloudflare publishes. Only what SQLite said is proof that nothing was applied:
 * after one of these a write may have been.
 */
const service: readonly { readonly text: RegExp; readonly make: typeof DatabaseError }[] = [
  { text: /exceeded (?:its CPU time limit|timeout)|storage operation exceeded timeout/, make: TimeoutError },
  {
    text: /Network connection lost|reset because its code was updated|storage caused object to be reset/,
    make: ConnectionError,
  },
  { text: /D1 DB is overloaded|Too many requests queued|queued for too long/, make: ConnectionError },
  { text: /transient issue|memory limit and was reset|Failed to parse body as JSON/, make: ConnectionError },
];

/** The error of Ledge for whatever D1 threw. A LedgeError comes back as it is. */
export function translate(thrown: unknown, where: string): LedgeError {
  if (thrown instanceof LedgeError) return thrown;
  const message = withoutValues(thrown instanceof Error ? thrown.message : String(thrown));
  const said = message.replace(/^(?:D1_(?:EXEC_|TYPE_)?ERROR: )+/, "");
  const [, words = said, result, extended] =
    /^([\s\S]*?): (SQLITE_[A-Z]+)(?: \(extended: (SQLITE_[A-Z_]+)\))?$/.exec(said) ?? [];
  const code = extended ?? result;
  const options: DatabaseErrorOptions = {
    cause: withoutSecrets(thrown, withoutValues),
    ...(code === undefined ? {} : { driverCode: code }),
  };
  const found = readSqliteError(words, code, statements);
  if (found !== undefined) {
    return new found.make(code === undefined ? words : `${words} (${code})`, { ...options, ...found.details });
  }
  const { make = DatabaseError } = service.find(({ text }) => text.test(words)) ?? {};
  const outcome = "what was sent may or may not have been applied";
  return new make(`${where} gave no usable answer: ${words.replace(/\.$/, "")}; ${outcome}`, {
    ...options,
    notApplied: false,
  });
}
