/**
 * Reads the outline of SQL text: its words, marks and placeholders, with strings, quoted names and comments set aside.
 * It tells reads from writes and finds what must not travel in a batch; it does not parse. Each question costs one pass
 * over the text.
 *
 * Strings end at a quote that is not doubled; a backslash escapes only in PostgreSQL's `E'…'`. MySQL's text is another: its
 * dialect brings a reading of its own (mysql_tokens.ts).
 *
 * @module
 */
import type { Dialect } from "./dialect.ts";

/** A piece of SQL text. */
export interface SqlToken {
  /** What it is. */
  readonly kind: "word" | "mark" | "placeholder" | "string" | "name";
  /** A word in upper case; a mark; a placeholder as written; the content of a string; the quote of a quoted name. */
  readonly text: string;
  /** Where a placeholder begins. */
  readonly at?: number;
  /** Of MySQL: whether it stands in an executable comment. */
  readonly executable?: boolean;
}

/** Which database's text it is, as far as it matters. */
export type TextOf = Pick<Dialect, "name" | "tokens"> | null;

const SPACE = /\s+/y;
const COMMENT = /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/y;
const STRING = /'[^']*(?:''[^']*)*(?:'|$)/y;
const ESCAPE_STRING = /[eE]'(?:[^'\\]|''|\\[\s\S])*(?:'|$)/y;
const DOLLAR_STRING = /\$([\p{L}_][\p{L}\p{N}_]*)?\$/uy;
const NAME = /"[^"]*(?:""[^"]*)*(?:"|$)|`[^`]*(?:``[^`]*)*(?:`|$)/y;
const BRACKETED = /\[[^\]]*(?:\]|$)/y;
const NUMBER = /\d[\w.]*/y;
const WORD = /[\p{L}_][\p{L}\p{N}_$]*/uy;
const PLACEHOLDER = /\?\d*|[:@$][\p{L}\p{N}_]+/uy;

/** The pattern's match at this position, or null. */
function at(pattern: RegExp, text: string, position: number): RegExpExecArray | null {
  pattern.lastIndex = position;
  return pattern.exec(text);
}

function tokens(text: string, of: TextOf): SqlToken[] {
  if (of?.tokens !== undefined) return of.tokens(text);
  const found: SqlToken[] = [];
  let subscripts = 0;
  let i = 0;
  while (i < text.length) {
    const skipped = at(SPACE, text, i) ?? at(COMMENT, text, i) ?? at(NUMBER, text, i);
    if (skipped) {
      i += skipped[0].length;
      continue;
    }
    const string = at(ESCAPE_STRING, text, i) ?? at(STRING, text, i);
    if (string) {
      found.push({ kind: "string", text: string[0].slice(string[0].indexOf("'") + 1, -1) });
      i += string[0].length;
      continue;
    }
    const dollar = at(DOLLAR_STRING, text, i);
    if (dollar) {
      const end = text.indexOf(dollar[0], i + dollar[0].length);
      found.push({ kind: "string", text: "" });
      i = end < 0 ? text.length : end + dollar[0].length;
      continue;
    }
    const char = text[i]!;
    // `a[1]` and `ARRAY[…]` are PostgreSQL's; any other bracket opens a quoted name, as in SQLite.
    if (char === "[" && (subscripts > 0 || /[\w)\]"]/.test(text[i - 1] ?? ""))) subscripts++;
    else if (char === "]" && subscripts > 0) subscripts--;
    else {
      const name = at(NAME, text, i) ?? at(BRACKETED, text, i);
      if (name) {
        found.push({ kind: "name", text: char });
        i += name[0].length;
        continue;
      }
    }
    const word = at(WORD, text, i);
    if (word) {
      found.push({ kind: "word", text: word[0].toUpperCase() });
      i += word[0].length;
      continue;
    }
    if (text.startsWith("::", i)) {
      found.push({ kind: "mark", text: "::" });
      i += 2;
      continue;
    }
    // A colon inside a subscript is a slice: a[1:n].
    const placeholder = char === ":" && subscripts > 0 ? null : at(PLACEHOLDER, text, i);
    if (placeholder) {
      found.push({ kind: "placeholder", text: placeholder[0], at: i });
      i += placeholder[0].length;
      continue;
    }
    found.push({ kind: "mark", text: char });
    i++;
  }
  return found;
}

function isWord(token: SqlToken | undefined, ...words: readonly string[]): boolean {
  return token?.kind === "word" && words.includes(token.text);
}

function isMark(token: SqlToken | undefined, mark: string): boolean {
  return token?.kind === "mark" && token.text === mark;
}

/** The statements of a text, without empty ones. The body of a trigger or a procedure belongs to its statement. */
function statements(all: readonly SqlToken[]): SqlToken[][] {
  const found: SqlToken[][] = [];
  let current: SqlToken[] = [];
  let depth = 0;
  for (const [i, token] of all.entries()) {
    if (isMark(token, ";") && depth === 0) {
      if (current.length > 0) found.push(current);
      current = [];
      continue;
    }
    current.push(token);
    if (!hasBody(current)) continue;
    const closes = isWord(token, "END") && !isWord(all[i + 1], "IF", "LOOP", "WHILE", "REPEAT");
    if (closes) depth = Math.max(0, depth - 1);
    else if (isWord(token, "BEGIN") || (isWord(token, "CASE") && !isWord(all[i - 1], "END"))) depth++;
  }
  if (current.length > 0) found.push(current);
  return found;
}

/** Whether a statement is one of those that hold statements: CREATE [OR REPLACE] [TEMP] TRIGGER and the like. */
function hasBody(statement: readonly SqlToken[]): boolean {
  return isWord(statement[0], "CREATE") &&
    statement.slice(1, 6).some((token) => isWord(token, "TRIGGER", "FUNCTION", "PROCEDURE"));
}

/** Whether the statement has one of these words as a keyword: not as a function's name. */
function has(statement: readonly SqlToken[], ...words: readonly string[]): boolean {
  return statement.some((token, i) => isWord(token, ...words) && !isMark(statement[i + 1], "("));
}

/**
 * Whether the text is one statement that only reads: SELECT without INTO, VALUES, WITH without a write in it, or
 * EXPLAIN of what it does not run; of MySQL also SHOW, DESCRIBE and TABLE. Everything else counts as a write, PRAGMA
 * included.
 */
export function isRead(text: string, of: TextOf = null): boolean {
  if (/^select\s[^;]*$/i.test(text) && !/into/i.test(text)) return true; // As most are: told without its tokens.
  const all = statements(tokens(text, of));
  const statement = all[0];
  if (all.length !== 1 || !statement) return false;
  const writes = has(statement, "INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE");
  const first = statement.find((token) => !isMark(token, "("));
  if (isWord(first, "SELECT", "VALUES")) return !has(statement, "INTO");
  if (isWord(first, "WITH")) return !writes && !has(statement, "INTO");
  if (of?.name === "mysql" && isWord(first, "SHOW")) return true;
  if (of?.name === "mysql" && isWord(first, "TABLE")) return !has(statement, "INTO");
  const explains = isWord(first, "EXPLAIN") || of?.name === "mysql" && isWord(first, "DESCRIBE", "DESC");
  return explains && !(writes && statement.some((token) => isWord(token, "ANALYZE", "ANALYSE")));
}

/** The keyword with which the text begins, ends or divides a transaction, as `"COMMIT"`; null for other statements. */
export function transactionControl(text: string, of: TextOf = null): string | null {
  const [first, second, ...more] = statements(tokens(text, of))[0] ?? [];
  // Of MySQL: to switch it on commits, to switch it off begins.
  if (of?.name === "mysql" && isWord(first, "SET") && [second, ...more].some((token) => token && isAutocommit(token))) {
    return "SET AUTOCOMMIT";
  }
  if (isWord(first, "START", "PREPARE") && isWord(second, "TRANSACTION")) return `${first!.text} TRANSACTION`;
  const control = isWord(first, "BEGIN", "COMMIT", "END", "ABORT", "ROLLBACK", "SAVEPOINT", "RELEASE", "XA");
  return control ? first!.text : null;
}

function isAutocommit({ kind, text }: SqlToken): boolean {
  return kind === "word" && text === "AUTOCOMMIT" || kind === "name" && /^@@(\w+\.)?AUTOCOMMIT$/.test(text);
}

/** Whether the text holds more than one statement. */
export function isMultiple(text: string, of: TextOf = null): boolean {
  return statements(tokens(text, of)).length > 1;
}

/**
 * How many values the placeholders of a text need: `?` takes the number after the greatest so far, as in SQLite; `?3`
 * and `$3` name theirs. Null when there are named ones, such as `:id`, `@id` or `$id`. Where placeholders are numbered
 * (`numbered`), as in PostgreSQL, only `$3` is one: `?` is an operator there. Of MySQL only `?` is one.
 */
export function countPlaceholders(text: string, numbered = false, of: TextOf = null): number | null {
  let needed = 0;
  for (const token of tokens(text, of)) {
    if (token.kind !== "placeholder" || numbered && !/^\$\d+$/.test(token.text)) continue;
    const number = /^[?$](\d+)$/.exec(token.text);
    if (number) needed = Math.max(needed, Number(number[1]));
    else if (token.text === "?") needed++;
    else return null;
  }
  return needed;
}

/** A placeholder as written, and where it begins. */
export interface Placeholder {
  readonly text: string;
  readonly at: number;
}

/** The placeholders of a text, in order, outside strings, quoted names and comments. */
export function placeholders(text: string, of: TextOf = null): Placeholder[] {
  return tokens(text, of).filter(({ kind }) => kind === "placeholder").map(({ text, at }) => ({ text, at: at! }));
}

/** The quotes that the names of a text stand in: `"`, `` ` `` or `[`. */
export function nameQuotes(text: string, of: TextOf = null): Set<string> {
  return new Set(tokens(text, of).filter(({ kind }) => kind === "name").map(({ text }) => text));
}

const VOLATILE_WORD =
  /^(CURRENT_(DATE|TIME|TIMESTAMP)|LOCALTIME(STAMP)?|UTC_(DATE|TIME|TIMESTAMP)|SYSDATE|SYSTIMESTAMP|TABLESAMPLE)$/;
const VOLATILE_CALL =
  /RAND|UUID|NOW$|^(CLOCK|STATEMENT|TRANSACTION)_TIMESTAMP$|^(NEXT|CURR|LAST|SET)VAL$|SEQ|^TIMEOFDAY$|^CURDATE$|^CURTIME$|^UNIX|CHANGES$|^LAST_INSERT|^ROW_COUNT$|^FOUND_ROWS$|SLEEP|^TXID|^PG_CURRENT|^SET_CONFIG$/;
/** SQLite's date functions: they follow the clock without an argument and with 'now'. */
const DATE_CALL = /^(DATE|TIME|DATETIME|JULIANDAY|STRFTIME|UNIXEPOCH|TIMEDIFF)$/;

/** Whether the text may give another value each time it is evaluated: random(), now(), nextval() and the like. */
export function isVolatile(text: string, of: TextOf = null): boolean {
  const all = tokens(text, of);
  const now = all.some((token) => token.kind === "string" && token.text.trim().toLowerCase() === "now");
  return all.some((token, i) => {
    // A variable of MySQL may be assigned as rows are read.
    if (token.kind === "name") return /^@[^@]/.test(token.text);
    if (token.kind !== "word") return false;
    if (VOLATILE_WORD.test(token.text)) return true;
    if (!isMark(all[i + 1], "(")) return false;
    return VOLATILE_CALL.test(token.text) || (DATE_CALL.test(token.text) && (now || isMark(all[i + 2], ")")));
  });
}
