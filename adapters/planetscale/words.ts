/**
 * What the server says in an error, without the values that it says it with. Vitess appends the statement and its
 * values, and MySQL quotes the value that it could not take.
 *
 * @module
 */
import type { DatabaseErrorOptions } from "../../src/errors.ts";

/** What is known of an error from its text. */
export interface Said {
  /** The text without values. */
  readonly words: string;
  /** MySQL's number of the error, where MySQL or Vitess gave one. */
  readonly errno: number | undefined;
  readonly sqlstate: string | undefined;
  /** The name of a gRPC status in capitals, without underscores: what Vitess classes its errors by. */
  readonly status: string | undefined;
}

const number = /\(errno (\d+)\) \(sqlstate ([0-9A-Z]{5})\)/g;

/** Reads an error's text, and the code that stands beside it. */
export function readWords(text: string, code: unknown): Said {
  const words = withoutValues(text);
  const last = [...words.matchAll(number)].at(-1);
  // What stands beside the text of a tablet's error was seen to be UNKNOWN.
  const status = /\bcode = (\w+) desc\b/.exec(words)?.[1] ?? (typeof code === "string" ? code : undefined);
  return {
    // Which tablet it came from is in the cause.
    words: words.replace(/^target: \S+: vttablet: (?:rpc error: )?(?:code = \w+ desc = )?/, ""),
    errno: last === undefined ? undefined : Number(last[1]),
    sqlstate: last?.[2],
    status: status?.replaceAll(/[^a-z]/gi, "").toUpperCase() || undefined,
  };
}

/**
 * A text without the values in it. What is greedy here is so on purpose: a value may hold the words that end it. Guards
 * speak through a value, and keep it.
 */
export function withoutValues(text: string): string {
  return text
    .replace(/Duplicate entry '[\s\S]*' for key /, "Duplicate entry '…' for key ")
    .replace(
      /\b((?:Truncated )?[Ii]ncorrect [^'\n]{1,60} value: |Illegal [^'\n]{1,40} )'(?!ledge:(?:stale|require|increment|conflict)\b)[\s\S]*'(?= for (?:column|function)| value found|[^']*$)/,
      "$1'…'",
    )
    .replace(/\b(value is out of range in )'[\s\S]*'/, "$1'…'")
    .replace(/\brecord '[\s\S]*' would lead/, "record '…' would lead")
    .replace(/\bno partition for value [\s\S]*?(?= \(errno|$)/, "no partition for value …")
    // The statement from where it was not understood, up to the first value.
    .replace(/\bnear '([^'"\d\\]*)[\s\S]*?'(?= at line \d)/, "near '$1…'")
    .replace(/\b(syntax error at position \d+)(?: near '[\s\S]*')?/, "$1")
    .replace(/(?:\s*\(CallerID: [^)]*\))?:? Sql: (?:"|\[)[\s\S]*$/, "")
    .replace(/\s*\(CallerID: [^)]*\)\s*$/, "");
}

/** The table, the constraint and the columns that the words name. */
export function detailsOf({ words, errno }: Said): Pick<DatabaseErrorOptions, "table" | "columns" | "constraint"> {
  const key = /Duplicate entry '…' for key '([^']+)'/.exec(words)?.[1];
  if (key !== undefined) {
    // MySQL says `table.key` from version 8, MariaDB the key alone.
    const [, table, constraint] = /^([^.]+)\.(.+)$/.exec(key) ?? [];
    return { table, constraint: constraint ?? key };
  }
  const foreign = /\((?:`[^`]+`\.)?`([^`]+)`, CONSTRAINT `([^`]+)` FOREIGN KEY \(([^)]+)\)/.exec(words);
  if (foreign !== null) {
    const columns = [...foreign[3]!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
    return { table: foreign[1]!, constraint: foreign[2]!, columns };
  }
  const check = /Check constraint '([^']+)' is violated|CONSTRAINT `([^`]+)` failed for (?:`[^`]+`\.)?`([^`]+)`/.exec(
    words,
  );
  if (check !== null) {
    return { constraint: (check[1] ?? check[2])!, table: check[3] };
  }
  if (errno === 1054) return {};
  const column = /\b(?:[Cc]olumn|Field) (?:`[^`]+`\.`([^`]+)`\.`([^`]+)`|'(?:([^'.]+)\.)?([^']+)')/.exec(words);
  if (column === null) return {};
  const table = column[1] ?? column[3];
  return { columns: [(column[2] ?? column[4])!], table };
}
