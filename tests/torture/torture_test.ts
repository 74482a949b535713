/**
 * The torture in small: some hundred commits in each place, and proof that the run fails when what keeps commits from being
 * doubled is taken out. `deno task torture` is the long run.
 *
 * @module
 */
import { assert } from "@std/assert";
import { mariadbMissing, startMariadb } from "../servers/mariadb.ts";
import { startPostgres } from "../servers/postgres.ts";
import { type Kind, places } from "./places.ts";
import { describe, isSound, type Report, torture, type TortureOptions } from "./run.ts";

const off: TortureOptions = {
  seed: 1,
  commits: 200,
  time: 20_000,
  rate: 0.3,
  workers: 12,
  exactlyOnce: false,
  duplicates: false,
};
const on: TortureOptions = { ...off, exactlyOnce: true, duplicates: true };

// Shared by what runs after, and so no leaks of the first test.
await startPostgres();
if (mariadbMissing() === null) await startMariadb();

/** A test in one place. */
function test(name: string, place: Kind, fn: () => Promise<void>): void {
  Deno.test({ name: `${name}, ${place.name}${place.missing ?? ""}`, ignore: place.missing !== null, fn });
}

/** Of a run in which everything was as it was reported. */
function sound(report: Report): Set<string> {
  console.log(describe(report));
  assert(isSound(report), describe(report));
  assert(report.faults.size > 5, describe(report));
  return new Set(report.attempts.map(({ outcome }) => outcome));
}

for (const place of places) {
  test("commits under faults: none lost, none doubled, none wrongly reported", place, async () => {
    const outcomes = sound(await torture(place, off));
    assert(outcomes.has("done") && outcomes.has("failed") && outcomes.has("ambiguous"));
  });

  test("commits with exactlyOnce under faults: the same, and none in doubt", place, async () => {
    const report = await torture(place, on);
    const outcomes = sound(report);
    assert(outcomes.has("done") && outcomes.has("failed") && !outcomes.has("ambiguous"));
    assert(report.foundOut > 0, describe(report));
  });
}

const [http] = places as readonly [Kind, ...Kind[]];

test("commits with exactlyOnce under faults and Deno's own fetch, which sends twice: the same", http, async () => {
  const outcomes = sound(await torture(http, { ...on, plainFetch: true }));
  assert(outcomes.has("done") && !outcomes.has("ambiguous"));
});

test("the torture fails with a fetch that sends twice", http, async () => {
  const report = await torture(http, { ...off, plainFetch: true });
  assert(report.doubled + report.wrong > 0, describe(report));
});

test("the torture fails where nothing keeps the records of a commit apart", http, async () => {
  const report = await torture(http, { ...on, withoutIds: true });
  assert(report.doubled > 0, describe(report));
});

test("the torture fails for a caller who does a commit again whose outcome is not known", http, async () => {
  const report = await torture(http, { ...off, retries: true });
  assert(report.doubled > 0, describe(report));
});
