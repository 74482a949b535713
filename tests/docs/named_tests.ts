/**
 * The names of the tests that a source file registers.
 *
 * @module
 */

const ROOT = new URL("../", import.meta.url);

/**
 * A call that registers a test: `Deno.test(name` or `Deno.test({ name: name`, `test(target, name` and `testEverywhere(name` of the
 * suites, and what plain_transactions.ts wraps `test` with. The name is the literal that stands there.
 */
const REGISTERED =
  /\b(?:Deno\.test|test\w*|inTransaction)\(\s*(?:\w+,\s*)?(?:\{\s*name:\s*)?("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)/g;

/** Whether a name is that of a test. A literal with `${…}` in it is the name of every test that its other parts fit. */
export type HasTest = (name: string) => boolean;

const known = new Map<string, Promise<HasTest | null>>();

/** The tests of a file, by its path from `tests/`; null where there is no such file. */
export function testsOf(file: string): Promise<HasTest | null> {
  if (!known.has(file)) known.set(file, readTests(file));
  return known.get(file)!;
}

async function readTests(file: string): Promise<HasTest | null> {
  const source = await Deno.readTextFile(new URL(file, ROOT)).catch(() => null);
  if (source === null) return null;
  const code = source.replaceAll(/^\s*(?:\/\/|\*|\/\*).*$/gm, "");
  const exact = new Set<string>();
  const patterns: RegExp[] = [];
  for (const [, literal] of code.matchAll(REGISTERED)) {
    const text = literal!.slice(1, -1);
    if (literal!.startsWith("`") && text.includes("${")) {
      const parts = text.split(/\$\{[^}]*\}/);
      // A name made of nothing but values would fit everything.
      if (parts.join("").trim().length < 10) continue;
      patterns.push(new RegExp(`^${parts.map((part) => RegExp.escape(unescape(part))).join(".+")}$`));
    } else exact.add(unescape(text));
  }
  return (name) => exact.has(name) || patterns.some((pattern) => pattern.test(name));
}

function unescape(text: string): string {
  return text.replaceAll(/\\(.)/g, "$1");
}

/** The files of the conformance suite that `suite.ts` reaches; a file that it does not would never run. */
export async function suiteFiles(): Promise<Set<string>> {
  const all = new Set(["conformance/suite.ts"]);
  for (const file of all) { // grows while it is walked
    const text = await Deno.readTextFile(new URL(file, ROOT));
    for (const [, name] of text.matchAll(/from "\.\/(\w+\.ts)"/g)) all.add(`conformance/${name}`);
  }
  return all;
}
