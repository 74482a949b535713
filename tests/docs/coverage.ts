/**
 * Reads the tables of docs/coverage.md.
 *
 * @module
 */

/** A test that a line names: the file, from `tests/`, and the name. */
export interface Shown {
  readonly file: string;
  readonly name: string;
}

/** A line: the names that it is about, as they stand between backticks in its first cell. */
export interface Line {
  readonly section: string;
  readonly spans: readonly string[];
  readonly cells: readonly string[];
  readonly shown: readonly Shown[];
}

/** The sections whose lines name no tests: types stand under the line that they belong to, what is missing has a reason. */
export const TYPES = "Types";
export const MISSING = "Not there yet";

/** Every line of every table under a heading, in order. */
export function readLines(markdown: string): Line[] {
  const lines: Line[] = [];
  let section = "";
  let isBody = false;
  for (const text of markdown.split("\n")) {
    if (text.startsWith("## ")) section = text.slice(3).trim();
    if (!text.startsWith("|")) isBody = false;
    else if (/^\|[ :|-]+\|$/.test(text)) isBody = true;
    else if (isBody && section !== "") {
      const cells = text.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim().replaceAll("\\|", "|"));
      lines.push({ section, spans: spansOf(cells[0]!), cells, shown: shownBy(cells[3] ?? "") });
    }
  }
  return lines;
}

/** What stands between backticks, one or two. */
export function spansOf(text: string): string[] {
  return [...text.matchAll(/``\s?(.+?)\s?``|`([^`]+)`/g)].map(([, double, single]) => (double ?? single)!.trim());
}

/** The tests of a cell: `` `file` › name ``, divided by `<br>`. */
function shownBy(cell: string): Shown[] {
  return cell.split("<br>").filter((one) => one.trim() !== "").map((one) => {
    const [, file, name] = /^\s*`([^`]+)` › (.+?)\s*$/.exec(one) ?? [];
    return { file: file ?? one, name: (name ?? "").replaceAll("\\`", "`") };
  });
}

/**
 * What a span is about: `session.get(Model, { include })` is about `session.get`, `new Session({ bind })` about `Session`,
 * `insert(Model).values()` about `insert.values`, `session[Symbol.iterator]` about itself.
 */
export function pathOf(span: string): string {
  let text = span.replace(/^new /, "");
  for (let before = ""; before !== text;) {
    before = text;
    text = text.replace(/\([^()]*\)/g, "");
  }
  return /^[\w$.@/]+(?:\[[\w.]+\])?/.exec(text)?.[0] ?? "";
}

/** The options of a span: the keys of what stands in braces. */
export function optionsOf(span: string): string[] {
  return [...span.matchAll(/\{([^{}]*)\}/g)].flatMap(([, inner]) =>
    inner!.split(",").flatMap((one) => /^\s*(\w+)/.exec(one)?.[1] ?? [])
  );
}

/** The words of a span: its names, and those of its options and arguments. */
export function wordsOf(span: string): string[] {
  return span.match(/[A-Za-z_$][\w$]*/g) ?? [];
}
