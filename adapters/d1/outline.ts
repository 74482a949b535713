/**
 * What a statement's text tells of the columns that it returns. D1 gives the rows of a batch as objects by column name:
 * of two columns with one name the first is lost, and a name that is a number moves to the front. Both are found here,
 * before anything is sent.
 *
 * @module
 */

/** What is known of a statement from its text. */
export interface Outline {
  /** Its first word in capitals; after WITH the one that the tables in parentheses are for. */
  readonly verb: string;
  /** What the outermost SELECT or RETURNING lists, as written; null where there is neither. */
  readonly items: readonly string[] | null;
  /** The text without a semicolon at its end and what follows it. */
  readonly text: string;
}

const PIECE =
  /'(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|`(?:[^`]|``)*(?:`|$)|\[[^\]]*(?:\]|$)|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|[\p{L}_][\p{L}\p{N}_$]*|[^\p{L}_'"`\[\-/();,]+|[\s\S]/gu;
const VERB = /^(?:SELECT|VALUES|INSERT|REPLACE|UPDATE|DELETE)$/;
const WRITE = /^(?:INSERT|REPLACE|UPDATE|DELETE)$/;
const AFTER_LIST = /^(?:FROM|WHERE|GROUP|HAVING|WINDOW|UNION|EXCEPT|INTERSECT|ORDER|LIMIT)$/;

/** Reads a statement's text. One pass over it. */
export function outline(sql: string): Outline {
  let verb = "";
  let items: string[] | null = null;
  let isListing = false;
  let depth = 0;
  const found = (text: string): Outline => ({
    verb,
    items: items === null ? null : items.map((item) => item.trim()),
    text,
  });
  for (const { 0: piece, index } of sql.matchAll(PIECE)) {
    const word = /^[\p{L}_]/u.test(piece) ? piece.toUpperCase() : "";
    if (depth === 0) {
      if (piece === ";") return found(sql.slice(0, index));
      if (verb === "" || verb === "WITH" && VERB.test(word)) verb = word;
      if (isListing && AFTER_LIST.test(word)) isListing = false;
      // An INSERT may be made of a SELECT: what it returns is what stands after RETURNING.
      const begins = word === "SELECT" ? verb === "SELECT" : word === "RETURNING" && WRITE.test(verb);
      if (begins && items === null) {
        items = [""];
        isListing = true;
        continue;
      }
      if (isListing && piece === ",") {
        items!.push("");
        continue;
      }
      if (isListing && items!.at(-1)!.trim() === "" && (word === "DISTINCT" || word === "ALL")) continue;
    }
    if (piece === "(") depth++;
    else if (piece === ")") depth--;
    if (isListing && !/^(?:--|\/\*)/.test(piece)) items![items!.length - 1] += piece;
  }
  return found(sql);
}

const ALIASED = /* @__PURE__ */ withIdentifier("[\\s\\S]*\\sAS\\s+(IDENTIFIER)$", "iu");
const COLUMN = /* @__PURE__ */ withIdentifier("^(?:IDENTIFIER\\s*\\.\\s*)*(IDENTIFIER)$", "iu");
const SHORTLY = /* @__PURE__ */ withIdentifier("[\\s\\S]*[\\s)\\]\"'`](IDENTIFIER)$", "u");

function withIdentifier(pattern: string, flags: string): RegExp {
  const quoted = String.raw`"(?:[^"]|"")*"|${"`"}(?:[^${"`"}]|${"``"})*${"`"}|\[[^\]]*\]|'(?:[^']|'')*'`;
  return new RegExp(pattern.replaceAll("IDENTIFIER", () => String.raw`(?:${quoted}|[\p{L}_][\p{L}\p{N}_$]*)`), flags);
}

/** What the column of an item is called: its alias, its column's name, the last word where it may be an alias, its text. */
function nameOf(item: string): string {
  const name = (ALIASED.exec(item) ?? COLUMN.exec(item) ?? SHORTLY.exec(item))?.[1] ?? item;
  const quote = /^["`']/.exec(name)?.[0];
  if (quote !== undefined) return name.slice(1, -1).replaceAll(quote + quote, quote);
  return name.startsWith("[") ? name.slice(1, -1) : name;
}

/** Whether an object's keys have this one before all others, whatever the order they were made in. */
export function movesToFront(name: string): boolean {
  return /^(?:0|[1-9]\d*)$/.test(name) && Number(name) < 2 ** 32 - 1;
}

/** What the text tells of the names: whether one moves, whether two are the same or cannot be told from the text. */
export function judgeNames(items: readonly string[]): { readonly moves: boolean; readonly unclear: boolean } {
  const names = items.map((item) => nameOf(item).toLowerCase());
  return {
    moves: items.length > 1 && names.some(movesToFront),
    unclear: items.some((item) => /(?:^|\.\s*)\*$/.test(item)) || new Set(names).size < names.length,
  };
}
