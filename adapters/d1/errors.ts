/**
 * D1's errors as Ledge's. D1 has no error codes of its own: what SQLite said stands in the message, its result code at
 * the end ("D1_ERROR: UNIQUE constraint failed: authors.name: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)").
 *
 * @module
 */
import {
  AuthenticationError,
  CheckViolationError,
  ConnectionError,
  DatabaseError,
  type DatabaseErrorOptions,
  DataError,
  ForeignKeyViolationError,
  IntegrityError,
  LedgeError,
  LockTimeoutError,
  NotNullViolationError,
  StatementError,
  TimeoutError,
  UniqueViolationError,
} from "../../src/errors.ts";

type Make = new (message: string, options: DatabaseErrorOptions) => DatabaseError;
type Details = Pick<DatabaseErrorOptions, "table" | "columns" | "constraint">;
interface Rule {
  readonly text?: RegExp;
  readonly code?: RegExp;
  readonly make: Make;
  readonly details?: (words: string) => Details;
}

/** First match wins. `text` sees SQLite's own words, `code` the extended result code. */
const engine: readonly Rule[] = [
  { text: /^UNIQUE constraint failed(?:: ([\s\S]+))?/, make: UniqueViolationError, details: uniqueDetails },
  // Deferred ones are found at the end, by the object that holds the database.
  { text: /FOREIGN KEY constraint failed/, make: ForeignKeyViolationError },
  { text: /^NOT NULL constraint failed: ([\s\S]+)/, make: NotNullViolationError, details: columnDetails },
  {
    text: /^CHECK constraint failed(?:: ([\s\S]+))?/,
    make: CheckViolationError,
    details: (constraint) => ({ constraint }),
  },
  { text: /^cannot store \w+ value in \w+ column (\S+)/, make: DataError, details: columnDetails },
  { text: /^statement too long|LIKE or GLOB pattern too complex|^Expression tree is too large/, make: StatementError },
  { text: /^too many (?:SQL variables|terms|columns|arguments)|^Wrong number of parameter/, make: StatementError },
  { code: /^SQLITE_(?:CONSTRAINT_DATATYPE|MISMATCH|TOOBIG)$/, make: DataError },
  { text: /^(?:datatype mismatch|integer overflow)|JSON path|JSON cannot hold BLOB|malformed JSON/, make: DataError },
  { code: /^SQLITE_CONSTRAINT/, make: IntegrityError },
  { code: /^SQLITE_AUTH$/, make: AuthenticationError },
  { text: /^not authorized/, make: AuthenticationError },
  { code: /^SQLITE_(?:BUSY|LOCKED)/, make: LockTimeoutError },
  { code: /^SQLITE_(?:ERROR|RANGE)$/, make: StatementError },
  { text: /^To execute a transaction, please use/, make: StatementError },
  {
    text: /^No SQL statements detected|^SQL code did not contain a statement|^Type '\w+' not supported/,
    make: StatementError,
  },
];

/**
 * What D1 says of itself, from the list that Cloudflare publishes. Only what SQLite said is proof that nothing was applied:
 * after one of these a write may have been.
 */
const service: readonly Rule[] = [
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
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const said = message.replace(/^(?:D1_(?:EXEC_|TYPE_)?ERROR: )+/, "");
  const [, words = said, result, extended] =
    /^([\s\S]*?): (SQLITE_[A-Z]+)(?: \(extended: (SQLITE_[A-Z_]+)\))?$/.exec(said) ?? [];
  const code = extended ?? result;
  const options: DatabaseErrorOptions = { cause: thrown, ...(code === undefined ? {} : { driverCode: code }) };
  const rule = matching(engine, words, code);
  if (rule !== undefined) {
    const details = rule.details?.(rule.text?.exec(words)?.[1] ?? "");
    return new rule.make(code === undefined ? words : `${words} (${code})`, { ...options, ...details });
  }
  const { make = DatabaseError } = matching(service, words, code) ?? {};
  const outcome = "what was sent may or may not have been applied";
  return new make(`${where} gave no usable answer: ${words.replace(/\.$/, "")}; ${outcome}`, {
    ...options,
    notApplied: false,
  });
}

function matching(rules: readonly Rule[], words: string, code: string | undefined): Rule | undefined {
  return rules.find(({ text, code: pattern }) => text?.test(words) || code !== undefined && pattern?.test(code));
}

/** "authors.first, authors.last", or "index 'name'" for an index on an expression. */
function uniqueDetails(words: string): Details {
  const index = /^index '(.+)'$/.exec(words)?.[1];
  return index === undefined ? columnDetails(words) : { constraint: index };
}

function columnDetails(words: string): Details {
  const table = /^(.+?)\./.exec(words)?.[1];
  if (table === undefined) return words === "" ? {} : { columns: [words] };
  return { table, columns: words.split(/, (?=[^,]*\.)/).map((name) => name.slice(table.length + 1)) };
}
