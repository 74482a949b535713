/**
 * SQLite's errors as Ledge's, whichever way they came: by its own words, which are the same everywhere, and by its result
 * codes, of which a file tells the extended ones, a server often nothing. Knows no driver.
 *
 * @module
 */
import {
  AuthenticationError,
  CheckViolationError,
  type DatabaseError,
  type DatabaseErrorOptions,
  DataError,
  ForeignKeyViolationError,
  IntegrityError,
  LockTimeoutError,
  NotNullViolationError,
  StatementError,
  UniqueViolationError,
} from "../../src/errors.ts";

type Make = new (message: string, options: DatabaseErrorOptions) => DatabaseError;
type Details = Pick<DatabaseErrorOptions, "table" | "columns" | "constraint">;

/** What an error is told by: its words, without what a driver puts around them, or its result code. */
export interface SqliteRule {
  readonly text?: RegExp;
  readonly code?: RegExp;
  readonly make: Make;
  /** What the first group of `text` names. */
  readonly details?: (words: string) => Details;
}

/** First match wins. */
const rules: readonly SqliteRule[] = [
  { text: /^UNIQUE constraint failed(?:: ([\s\S]+))?/, make: UniqueViolationError, details: uniqueDetails },
  { text: /^PRIMARY KEY must be unique/, make: UniqueViolationError },
  { text: /^FOREIGN KEY constraint failed/, make: ForeignKeyViolationError },
  { text: /^NOT NULL constraint failed: ([\s\S]+)/, make: NotNullViolationError, details: columnDetails },
  {
    text: /^CHECK constraint failed(?:: ([\s\S]+))?/,
    make: CheckViolationError,
    details: (constraint) => ({ constraint }),
  },
  { text: /^cannot store \w+ value in \w+ column (\S+)/, make: DataError, details: columnDetails },
  { text: /^statement too long|LIKE or GLOB pattern too complex|^Expression tree is too large/, make: StatementError },
  { text: /^(?:datatype mismatch|string or blob too big|integer overflow)/, make: DataError },
  { text: /JSON path|JSON cannot hold BLOB|JSON object labels|malformed JSON|hex literal too big/i, make: DataError },
  { code: /^SQLITE_(?:CONSTRAINT_DATATYPE|MISMATCH|TOOBIG)$/, make: DataError },
  { code: /^SQLITE_CONSTRAINT_(?:UNIQUE|PRIMARYKEY|ROWID)$/, make: UniqueViolationError },
  { code: /^SQLITE_CONSTRAINT_FOREIGNKEY$/, make: ForeignKeyViolationError },
  { code: /^SQLITE_CONSTRAINT_NOTNULL$/, make: NotNullViolationError },
  { code: /^SQLITE_CONSTRAINT_CHECK$/, make: CheckViolationError },
  { code: /^SQLITE_CONSTRAINT/, make: IntegrityError },
  { code: /^SQLITE_(?:BUSY|LOCKED)/, make: LockTimeoutError },
  { text: /^database (?:table )?is locked/, make: LockTimeoutError },
  { code: /^SQLITE_AUTH/, make: AuthenticationError },
  { text: /^not authorized/i, make: AuthenticationError },
  { text: /^no such (?:table|column|function|collation|module|index|view|trigger|savepoint)/, make: StatementError },
  { text: /^near "|^incomplete input|^unrecognized token|has no column named/, make: StatementError },
  {
    text: /^ambiguous column|^wrong number of arguments|^misuse of|already exists$|^no query solution/,
    make: StatementError,
  },
  {
    text: /\d+ values? for \d+ columns?|columns but \d+ values|^SELECTs to the left|^sub-select returns/,
    make: StatementError,
  },
  { text: /^too many (?:SQL variables|terms|columns|arguments)/, make: StatementError },
  { code: /^SQLITE_RANGE$/, make: StatementError },
];

/** What an error of SQLite's is, and what it names; after SQLite's own rules come those of who calls. */
export function readSqliteError(
  words: string,
  code: string | undefined,
  more: readonly SqliteRule[],
): { readonly make: Make; readonly details: Details } | undefined {
  for (const { make, text, code: pattern, details } of [...rules, ...more]) {
    const match = text?.exec(words);
    if (!match && !(code !== undefined && pattern?.test(code))) continue;
    return { make, details: match?.[1] === undefined ? {} : details?.(match[1]) ?? {} };
  }
  return undefined;
}

/** "authors.first, authors.last", or "index 'name'" for an index on an expression. */
function uniqueDetails(words: string): Details {
  const index = /^index '(.+)'$/.exec(words)?.[1];
  return index === undefined ? columnDetails(words) : { constraint: index };
}

function columnDetails(words: string): Details {
  const table = /^(.+?)\./.exec(words)?.[1];
  if (table === undefined) return { columns: [words] };
  return { table, columns: words.split(/, (?=[^,]*\.)/).map((name) => name.slice(table.length + 1)) };
}
