// Runs one task in this process of Node or Bun and prints its outcome as the last line.
//
//   node runner.mjs BUNDLE TASK
//
// BUNDLE is a file that exports `run`, TASK is JSON.

const [bundle, task] = process.argv.slice(2);
const { run, prepare } = await import(bundle);
await prepare?.();
const outcome = await run(JSON.parse(task));
process.stdout.write(`${JSON.stringify(outcome)}\n`, () => process.exit(0));
