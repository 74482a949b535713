/**
 * PostgreSQL's array literals: `{1,2}`, `{{"a","b"},{"c",NULL}}`. Knows nothing of what the elements mean.
 *
 * @module
 */

/** The text of an element, null for NULL, or an array. */
export type ArrayItem = string | null | readonly ArrayItem[];

/** Writes an array literal. Every element is in quotes, so that none is taken for NULL or for a number of dimensions. */
export function writeArray(items: readonly ArrayItem[]): string {
  const parts = items.map((item) => {
    if (item === null) return "NULL";
    return typeof item === "string" ? `"${item.replace(/["\\]/g, "\\$&")}"` : writeArray(item);
  });
  return `{${parts.join(",")}}`;
}

/** Bounds before an array that does not start at 1: `[0:2]={…}`. */
const BOUNDS = /^(\[-?\d+:-?\d+\])+=/;

/** Reads an array literal as PostgreSQL writes it; null for what is none. O(length). */
export function parseArray(text: string): readonly ArrayItem[] | null {
  let at = BOUNDS.exec(text)?.[0].length ?? 0;
  const bare = /[^,{}"\\]+/y;
  // The inside of quotes up to what is escaped; a literal of megabytes must not be walked by character.
  const plain = /[^"\\]*/y;

  function quoted(): string | null {
    let value = "";
    at++;
    while (at < text.length) {
      plain.lastIndex = at;
      const run = plain.exec(text)![0];
      value += run;
      at += run.length;
      if (text[at] === '"') {
        at++;
        return value;
      }
      if (at + 1 >= text.length) return null;
      value += text[at + 1];
      at += 2;
    }
    return null;
  }

  function list(): ArrayItem[] | null {
    const items: ArrayItem[] = [];
    at++;
    if (text[at] === "}") {
      at++;
      return items;
    }
    for (;;) {
      if (text[at] === "{") {
        const inner = list();
        if (inner === null) return null;
        items.push(inner);
      } else if (text[at] === '"') {
        const item = quoted();
        if (item === null) return null;
        items.push(item);
      } else {
        bare.lastIndex = at;
        const item = bare.exec(text)?.[0];
        if (item === undefined) return null;
        at += item.length;
        items.push(item === "NULL" ? null : item);
      }
      const next = text[at++];
      if (next === "}") return items;
      if (next !== ",") return null;
    }
  }

  if (text[at] !== "{") return null;
  const items = list();
  return items !== null && at === text.length ? items : null;
}
