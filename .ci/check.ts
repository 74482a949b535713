/**
 * `deno task check`: types, format, lint, portability (nothing of Deno, Node or the DOM in what is shipped) and the
 * documentation of the public API. Runs them all and names those that failed.
 *
 * @module
 */

/** Those of the paths that are there. */
async function present(...paths: string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) if (await Deno.stat(path).then(() => true, () => false)) found.push(path);
  return found;
}

/** The shipped TypeScript files, but for those that need a native addon or `node:async_hooks`. */
async function portable(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) files.push(...await portable(path));
    else if (entry.name.endsWith(".ts") && !/_test\.ts$|_local\.ts$|web\/context\.ts$/.test(path)) files.push(path);
  }
  return files.sort();
}

/** The TypeScript files of a folder itself: what lies below the benchmark's has dependencies of its own. */
async function flat(folder: string): Promise<string[]> {
  const files = [];
  for await (const { name, isFile } of Deno.readDir(folder)) if (isFile && name.endsWith(".ts")) files.push(name);
  return files.sort().map((name) => `${folder}/${name}`);
}

const shipped = [...await present("mod.ts"), ...await portable("adapters"), ...await portable("src")];
const checks: [name: string, args: string[]][] = [
  ["types", ["check", ...await present("mod.ts", "adapters", "src", "tests", "examples"), ...await flat("bench")]],
  ["format", ["fmt", "--check"]],
  ["lint", ["lint"]],
  ["portability", ["check", "--config", ".ci/deno.portable.json", ...shipped]],
  ["documentation", [
    "doc",
    "--lint",
    "mod.ts",
    "adapters/libsql.ts",
    "adapters/libsql_local.ts",
    "adapters/d1.ts",
    "adapters/neon.ts",
    "adapters/planetscale.ts",
    "src/web/handler.ts",
    "src/web/hono.ts",
    "src/web/context.ts",
    "src/bulk/mod.ts",
    "src/two_phase/mod.ts",
  ]],
];
const failed: string[] = [];
for (const [name, args] of checks) {
  console.log(`check: ${name}`);
  const { success } = await new Deno.Command(Deno.execPath(), { args, stdout: "inherit", stderr: "inherit" }).output();
  if (!success) failed.push(name);
}
console.log(failed.length === 0 ? "check: all passed" : `check: failed: ${failed.join(", ")}`);
Deno.exit(failed.length === 0 ? 0 : 1);
