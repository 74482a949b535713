/**
 * Reads MySQL text into tokens, as MySQL and Vitess do: a backslash escapes in strings, double quotes are strings (or names,
 * with ANSI_QUOTES: either way set aside), `#`, `-- ` and Vitess's `//` begin comments, and what stands in an executable
 * comment (one that begins with an exclamation mark) is code.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import type { SqlToken, TextOf } from "./scan.ts";

const SPACE = /\s+/y;
// Two dashes are a comment only before a space or a control character: 5--1 is 6.
const LINE_COMMENT = /(?:#|\/\/|--(?=[\0-\x20\x7f]|$))[^\n]*/y;
const EXECUTABLE = /\/\*M?!\d*/y;
const COMMENT = /\/\*[\s\S]*?(?:\*\/|$)/y;
// Unrolled, so that a literal of megabytes takes no stack.
const STRING = /'[^'\\]*(?:(?:''|\\[\s\S]?)[^'\\]*)*(?:'|$)|"[^"\\]*(?:(?:""|\\[\s\S]?)[^"\\]*)*(?:"|$)/y;
const NAME = /`[^`]*(?:``[^`]*)*(?:`|$)/y;
const VARIABLE = /@@?[\w$.\u0080-\uffff]*/y;
/** As Ledge takes them by name; `@name` is a variable of MySQL. */
const NAMED = /:[A-Za-z_][\w]*/y;
const NUMBER = /\d[\w.]*/y;
const WORD = /[A-Za-z_$\u0080-\uffff][\w$\u0080-\uffff]*/y;

/** What the pattern matches at this position, or "". */
function at(pattern: RegExp, text: string, position: number): string {
  pattern.lastIndex = position;
  return pattern.exec(text)?.[0] ?? "";
}

/** The tokens of a MySQL text. A placeholder tells where it stands, and whether that is in an executable comment. */
export function mysqlTokens(text: string): SqlToken[] {
  const found: SqlToken[] = [];
  let executable = false;
  let i = 0;
  const take = (kind: SqlToken["kind"], length: number, content: string): void => {
    found.push({ kind, text: content, at: i, executable });
    i += length;
  };
  while (i < text.length) {
    // What a list of rows is mostly made of, and no other token begins with.
    const character = text[i]!;
    if (character === "?" || character === "," || character === "(" || character === ")") {
      take(character === "?" ? "placeholder" : "mark", 1, character);
      continue;
    }
    const opening = at(EXECUTABLE, text, i);
    if (opening !== "") executable = true;
    const closing = executable && opening === "" && text.startsWith("*/", i) ? "*/" : "";
    if (closing !== "") executable = false;
    const skipped = opening || closing || at(SPACE, text, i) || at(LINE_COMMENT, text, i) || at(COMMENT, text, i) ||
      at(NUMBER, text, i);
    if (skipped !== "") {
      i += skipped.length;
      continue;
    }
    const string = at(STRING, text, i);
    const name = at(NAME, text, i);
    const variable = at(VARIABLE, text, i);
    const word = at(WORD, text, i);
    const named = at(NAMED, text, i);
    if (string !== "") take("string", string.length, string.slice(1, -1));
    else if (name !== "") take("name", name.length, "`");
    else if (variable !== "") take("name", variable.length, variable.toUpperCase());
    else if (word !== "") take("word", word.length, word.toUpperCase());
    else if (named !== "") take("placeholder", named.length, named);
    else take("mark", 1, character);
  }
  return found;
}

/** What tells the functions of scan.ts that a text is MySQL's. */
export const mysqlText: TextOf = { name: "mysql", tokens: mysqlTokens };

/**
 * The pieces of a MySQL text between its placeholders: one more than there are. Throws a ValidationError for a placeholder
 * in an executable comment: some servers skip it up to the first end of a comment, which a value may hold.
 */
export function splitPlaceholders(text: string): string[] {
  const pieces: string[] = [];
  let from = 0;
  for (const { kind, text: written, at: start = 0, executable } of mysqlTokens(text)) {
    if (kind !== "placeholder" || written !== "?") continue;
    if (executable) {
      throw new ValidationError("A placeholder cannot stand in an executable comment (/*! … */); write it outside");
    }
    pieces.push(text.slice(from, start));
    from = start + 1;
  }
  return [...pieces, text.slice(from)];
}
