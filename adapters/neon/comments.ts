/**
 * PostgreSQL's comments, which nest: behind two that open two must close. Other databases end them at the first end.
 *
 * @module
 */

const skipped = /(?:\s|;|--[^\n]*(?:\n|$))*/y;

/** The text from its first word on, past semicolons and comments. */
export function fromFirstWord(sql: string): string {
  for (let at = 0;;) {
    skipped.lastIndex = at;
    skipped.exec(sql);
    at = skipped.lastIndex;
    if (!sql.startsWith("/*", at)) return sql.slice(at);
    at = endOfComment(sql, at);
  }
}

function endOfComment(sql: string, start: number): number {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = start;
  let depth = 0;
  for (let found = mark.exec(sql); found !== null; found = mark.exec(sql)) {
    depth += found[0] === "/*" ? 1 : -1;
    if (depth === 0) return mark.lastIndex;
  }
  return sql.length;
}
