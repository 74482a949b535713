/**
 * Runs the tests: every `*_test.ts` of tests/ and src/, then the examples in the documentation, then a share of the
 * conformance suite in the other runtimes. Arguments are paths that narrow the first (`deno task test tests/session/`) or
 * options of `deno test`; the others run when no path is given. The last line says how many passed, failed and were
 * skipped, over all runs.
 *
 * @module
 */
import { useMachinePrograms } from "./machine.ts";

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Whether a file or folder is there. */
async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** The results in a JUnit report; none when the run ended before it could write one. */
async function readReport(path: string): Promise<Counts | undefined> {
  const report = await Deno.readTextFile(path).catch(() => "");
  const root = /<testsuites\b[^>]*>/.exec(report)?.[0];
  if (root === undefined) return undefined;
  const count = (name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(root)?.[1] ?? 0);
  const skipped = report.match(/<skipped\b/g)?.length ?? 0;
  const failed = count("failures") + count("errors");
  return { passed: count("tests") - failed - skipped, failed, skipped };
}

/** One run of `deno test`; a run that fails without a failed test (types, a crash, a leak) counts as one failure. */
async function run(args: string[], report: string): Promise<Counts> {
  const { success, code } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--sanitize-ops", "--sanitize-resources", `--junit-path=${report}`, ...args],
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  const counts = await readReport(report) ?? { passed: 0, failed: 0, skipped: 0 };
  if (!success && counts.failed === 0) {
    console.error(`deno test ended with code ${code}`);
    counts.failed = 1;
  }
  return counts;
}

/** The conformance suite in the other runtimes, a sixteenth of the tests in each cell of the matrix. */
async function runElsewhere(report: string): Promise<Counts> {
  await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "tests/runtimes/main.ts", "--share", "16", "--json", report],
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  const text = await Deno.readTextFile(report).catch(() => null);
  return text === null ? { passed: 0, failed: 1, skipped: 0 } : JSON.parse(text);
}

useMachinePrograms();
// The value behind --filter is no path.
const given = Deno.args.flatMap((arg, i, all) => {
  if (all[i - 1] === "--filter") return [];
  return arg === "--filter" ? [`--filter=${all[i + 1] ?? ""}`] : [arg];
});
const options = given.filter((arg) => arg.startsWith("-"));
const paths = given.filter((arg) => !arg.startsWith("-"));
const folder = await Deno.makeTempDir({ prefix: "tests-" });
const total: Counts = { passed: 0, failed: 0, skipped: 0 };
try {
  // What takes the longest goes side by side: each file, in conformance/ each target, has servers of its own.
  const aside = ["tests/conformance", "tests/hostile", "tests/adapters"];
  const runs: string[][] = paths.length > 0
    ? [paths]
    : [["--parallel", ...aside], [`--ignore=${aside.join(",")}`, "tests", "src"]];
  if (paths.length === 0) {
    const documented: string[] = [];
    for (const path of ["mod.ts", "src", "adapters", "README.md"]) if (await exists(path)) documented.push(path);
    // --doc alone would run the modules' own tests again.
    runs.push(["--doc", "--ignore=**/*_test.ts", ...documented]);
  }
  const add = (counts: Counts): void => {
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
  };
  for (const [i, args] of runs.entries()) add(await run([...options, ...args], `${folder}/${i}.xml`));
  if (Deno.args.length === 0) add(await runElsewhere(`${folder}/runtimes.json`));
} catch (error) {
  console.error(error);
  total.failed++;
} finally {
  await Deno.remove(folder, { recursive: true });
}
if (total.passed + total.failed === 0) console.error("No test ran");
console.log(`tests: ${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
Deno.exit(total.failed > 0 || total.passed === 0 ? 1 : 0);
