/**
 * docs/coverage.md is whole and true: every name of the API has a line, and every line a test that is there.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { type Line, MISSING, optionsOf, pathOf, readLines, spansOf, TYPES, wordsOf } from "./coverage.ts";
import { suiteFiles, testsOf } from "./named_tests.ts";
import { readPublicApi } from "./public.ts";

const lines = readLines(await Deno.readTextFile(new URL("../../docs/coverage.md", import.meta.url)));
const rows = lines.filter(({ section }) => section !== TYPES && section !== MISSING);
const types = lines.filter(({ section }) => section === TYPES);
const missing = lines.filter(({ section }) => section === MISSING);
const paths = new Set(rows.flatMap(({ spans }) => spans.map(pathOf)));
const words = new Set(rows.flatMap(({ spans }) => spans.flatMap(wordsOf)));
const typeNames = new Set(types.flatMap(({ cells }) => spansOf(cells[1] ?? "")));
const api = await readPublicApi();

/** The contract of which this is the coverage; kept beside the repository, not in it. */
const contract = await Deno.readTextFile(new URL("../../../shared/api.md", import.meta.url)).catch(() => null);

const SECTIONS = [
  "Entry points",
  "Declaring",
  "Making sessions",
  "Transactions",
  "Objects",
  "Statements and results",
  "Events",
  "Errors",
];

/** What stands between backticks in the contract and is no name of Ledge's. */
const NOT_NAMES: Readonly<Record<string, string>> = {
  "node:": "a prefix of modules",
  "node:async_hooks": "a module of the runtime",
  "file:": "a scheme of URLs",
  ":memory:": "a database of SQLite",
  "c.var.session": "Hono's place for what session() gives, on its line",
  "Deno.serve": "of the runtime",
  "fetch": "of the runtime; asyncqlio's name of first()",
  "cursor": "asyncqlio's name of stream()",
  "types/": "a folder of prototypes",
  "deno check": "a command",
  "references(() => Author)": "a form that the contract says cannot be",
  "declare": "a keyword of TypeScript",
  "#private": "a syntax that models cannot have",
  '"YYYY-MM-DD"': "a form of dates",
  '"open" | "failed" | "closed"': "the values of session.state, on its line",
  "{ property: value }": "a form of keys, with the names of a model",
  "compile()": "Kysely's",
  "toSQL()": "Drizzle's",
  "and or not": "the keys of a condition, on the line of query.where()",
  "assign(page, { visits: sql`visits + 1` })": "an example, with the names of a model",
  "after…": "short for several events",
  "Factory": "a type of the contract's; SessionFactory here",
};

Deno.test("coverage.md has a table for each section of the API", () => {
  assertEquals([...new Set(rows.map(({ section }) => section))], SECTIONS);
  assertEquals(
    findings(
      rows,
      ({ spans, cells }) => spans.length === 0 || cells.length !== 4 ? ["has no name or not four cells"] : [],
    ),
    [],
  );
});

Deno.test("every line of coverage.md says which systems it comes from", () => {
  const wrong = findings(
    rows,
    ({ cells }) => /^(new|[APOQT]( [APOQT])*)$/.test(cells[2] ?? "") ? [] : [`comes from "${cells[2]}"`],
  );
  assertEquals(wrong, []);
});

Deno.test("every line of coverage.md names a test, and the test is there", async () => {
  const suite = await suiteFiles();
  const wrong: string[] = [];
  for (const { spans, shown } of rows) {
    if (shown.length === 0) wrong.push(`${spans.join(", ")} names no test`);
    for (const { file, name } of shown) {
      const has = await testsOf(file);
      if (has === null) wrong.push(`${spans[0]}: there is no file tests/${file}`);
      else if (!has(name)) wrong.push(`${spans[0]}: tests/${file} has no test "${name}"`);
      else if (!file.endsWith("_test.ts") && !suite.has(file)) wrong.push(`${spans[0]}: tests/${file} is in no suite`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("every export of every entry point is in coverage.md, values on a line of their own", () => {
  const wrong = api.absent.map((entry) => `deno.json exports ${entry}, which is not there`);
  wrong.push(...api.entries.filter((entry) => !paths.has(entry)).map((entry) => `${entry} has no line`));
  for (const { entry, name, isType } of api.exports) {
    if (paths.has(name) || isType && typeNames.has(name)) continue;
    wrong.push(`${entry}: ${isType ? "type " : ""}${name} has no line`);
  }
  assertEquals(wrong, []);
});

Deno.test("every public member and every option is in coverage.md", () => {
  const wrong = api.members.filter((member) => !paths.has(member)).map((member) => `${member} has no line`);
  for (const { owner, name } of api.options) if (!words.has(name)) wrong.push(`${owner}.${name} is on no line`);
  assertEquals(wrong, []);
});

Deno.test("coverage.md names nothing that is not there", () => {
  const exported = new Set(api.exports.map(({ name }) => name));
  const there = new Set([...api.entries, ...exported, ...api.members]);
  // A query has what a select has.
  const known = (path: string): boolean => there.has(path) || there.has(path.replace(/^query\./, "select."));
  const wrong = findings(rows, ({ spans }) => [
    ...spans.map(pathOf).filter((path) => !known(path)).map((path) => `there is no ${path}`),
    ...spans.flatMap(optionsOf).filter((name) => !api.names.has(name)).map((name) => `there is no option ${name}`),
  ]);
  wrong.push(...findings(types, ({ cells, spans }) => [
    ...spans.map(pathOf).filter((path) => !paths.has(path)).map((path) => `${path} is the name of no line`),
    ...spansOf(cells[1] ?? "").filter((name) => !exported.has(name)).map((name) => `there is no type ${name}`),
  ]));
  const options = new Set(api.options.map(({ name }) => name));
  wrong.push(...findings(missing, ({ cells, spans }) => [
    ...spans.map(pathOf).filter((path) => known(path) || options.has(path)).map((path) =>
      `${path} is there: give it a line`
    ),
    ...cells.length !== 2 || cells[1] === "" ? ["no reason is given"] : [],
  ]));
  assertEquals(wrong, []);
});

Deno.test({
  name: "every name of the API's contract is in coverage.md" +
    (contract === null ? " (skipped: the contract is not beside this checkout)" : ""),
  ignore: contract === null,
  fn() {
    const excused = new Set([...Object.keys(NOT_NAMES), ...missing.flatMap(({ spans }) => spans.flatMap(wordsOf))]);
    const wrong: string[] = [];
    for (const { section, span } of contractSpans(contract!)) {
      if (excused.has(span)) continue;
      const called = calledBy(span);
      // An option stands on a line of what takes it, where that has one: `lock` of get() is not that of refresh().
      const takers = rows.flatMap(({ spans }) => spans).filter((one) => called.includes(lastOf(pathOf(one))));
      const options = takers.length === 0 ? words : new Set(takers.flatMap(wordsOf));
      const absent = [
        ...called.filter((name) => !words.has(name) && !typeNames.has(name)),
        ...optionsOf(span).filter((name) => !options.has(name)),
      ].filter((name) => !excused.has(name));
      wrong.push(...absent.map((name) => `${section}: ${name}, of ${span}`));
    }
    assertEquals(wrong, []);
    assert(contractSpans(contract!).length > 150, "The contract was not read");
  },
});

function findings(among: readonly Line[], find: (line: Line) => readonly string[]): string[] {
  return among.flatMap((line) => find(line).map((text) => `${line.spans[0] ?? line.cells[0]}: ${text}`));
}

/** What stands between backticks in the contract's sections, code blocks aside. */
function contractSpans(markdown: string): { readonly section: string; readonly span: string }[] {
  const parts = markdown.replaceAll(/```[\s\S]*?```/g, "").replaceAll("\\|", "|").split(/^## /m).slice(1);
  return parts.flatMap((part) => {
    const section = part.slice(0, part.indexOf("\n"));
    if (!SECTIONS.includes(section)) return [];
    return spansOf(part.replaceAll("\n", " ")).map((span) => ({ section, span }));
  });
}

/** The last part of a path: `get` of `session.get`. */
function lastOf(path: string): string {
  return path.split(/[./]/).at(-1)!;
}

/** What a span of the contract calls, without what it is a member of; several where they stand in a row. */
function calledBy(span: string): string[] {
  const plain = span.replaceAll(/`[^`]*`|"[^"]*"/g, "").replace(/^(?:new|await using) /, "").replaceAll(
    /\{[^{}]*\}/g,
    "",
  );
  const path = plain.replaceAll(/\([^()]*\)/g, "").replace(/ = .*$|:.*$/, "");
  return path.split(" ").map((one) => one.split(/[./](?=\w)/).at(-1)!.replaceAll(/\W/g, "")).filter((name) =>
    name !== ""
  );
}
