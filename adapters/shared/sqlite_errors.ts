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

/** First match wins, by either. What a server puts before the words of a violated constraint does not matter. */
const rules: readonly SqliteRule[] = [
  {
    text: /UNIQUE constraint failed(?:: ([\s\S]+))?/,
    make: UniqueViolationError,
    details: uniqueDetails,
  },
  { text: /FOREIGN KEY constraint failed/, make: ForeignKeyViolationError },
  { text: /NOT NULL constraint failed: ([\s\S]+)/, make: NotNullViolationError, details: columnDetails },
  {
    text: /CHECK constraint failed(?:: ([\s\S]+))?/,
    make: CheckViolationError,
    details: (constraint) => ({ constraint }),
  },
  { text: /^cannot store \w+ value in \w+ column (\S+)/, make: DataError, details: columnDetails },
  { text: /^statement too long/, make: StatementError },
  {
    text:
      /^datatype mismatch|^string or blob too big|^integer overflow|JSON path|JSON cannot hold BLOB|JSON object labels|malformed JSON|hex literal too big/i,
    code: /^SQLITE_(?:CONSTRAINT_DATATYPE|MISMATCH|TOOBIG)$/,
    make: DataError,
  },
  { code: /^SQLITE_CONSTRAINT/, make: IntegrityError },
  { text: /^database (?:table )?is locked/, code: /^SQLITE_(?:BUSY|LOCKED)/, make: LockTimeoutError },
  { text: /^not authorized/i, code: /^SQLITE_AUTH/, make: AuthenticationError },
  {
    text:
      /^parser stack overflow|^Expression tree is too large|LIKE or GLOB pattern too complex|^too many (?:SQL variables|terms|columns|arguments)/,
    make: StatementError,
  },
  {
    text:
      /^no such |^near "|^incomplete input|^unrecognized token|has no column named|^ambiguous column|^wrong number of arguments|^misuse of|already exists$|^no query solution|\d+ values? for \d+ columns?|columns but \d+ values|^SELECTs to the left|^sub-select returns/,
    code: /^SQLITE_RANGE$/,
    make: StatementError,
  },
];

/** What SQLite says, without the few values that it repeats. Guards speak through a JSON path, and keep it. */
export function withoutValues(words: string): string {
  return words
    .replace(/(JSON path(?: error near|:) )'(?!ledge:(?:stale|require)(?::\d+)+')[\s\S]*'/, "$1'…'")
    .replace(/(fts5: syntax error near )"[\s\S]*"/, '$1"…"')
    .replace(/(malformed MATCH expression: )\[[\s\S]*\]/, "$1[…]");
}

/** What an error of SQLite's is, and what it names; after SQLite's own rules come those of who calls. */
export function readSqliteError(
  words: string,
  code: string | undefined,
  more: readonly SqliteRule[],
): { readonly make: Make; readonly details: Details | undefined } | undefined {
  for (const { make, text, code: pattern, details } of [...rules, ...more]) {
    const match = text?.exec(words);
    if (!match && !(code !== undefined && pattern?.test(code))) continue;
    return { make, details: match?.[1] === undefined ? undefined : details?.(match[1]) };
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
