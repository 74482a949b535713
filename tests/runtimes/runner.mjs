// Runs one task in this process of Node or Bun and prints its outcome as the last line.
//
//   node runner.mjs BUNDLE TASK [bare]
//
// BUNDLE is a file that exports `run`, TASK is JSON. With `bare` the bundle finds nothing of Node's: see below.

const { argv, exit, stdout } = process;
const [bundle, task, bare] = argv.slice(2);

if (bare !== undefined) {
  // Node's own fetch reads these from the global object too. So they are there for Node's code, and for no other.
  for (const name of ["Buffer", "process", "global", "setImmediate", "clearImmediate"]) {
    const value = globalThis[name];
    const get = () => /^Error\n.*\n\s+at .*node:internal/.test(new Error().stack) ? value : undefined;
    Object.defineProperty(globalThis, name, { get, set: undefined, configurable: false });
    if (globalThis[name] !== undefined) throw new Error(`${name} is still there`);
  }
  delete globalThis.eval;
  // What is left of eval: its siblings, which every function leads to.
  for (const make of [() => new Function("return 1"), () => (() => {}).constructor("return 1")]) {
    let made;
    try {
      made = make();
    } catch {
      continue;
    }
    throw new Error(`Code can be made from text: start with --disallow-code-generation-from-strings (${made})`);
  }
}

const { run } = await import(bundle);
const outcome = await run(JSON.parse(task));
stdout.write(`${JSON.stringify(outcome)}\n`, () => exit(0));
