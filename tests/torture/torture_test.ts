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
import { describe, isSound, torture, type TortureOptions } from "./run.ts";

const options: TortureOptions = {
  seed: 1,
  commits: 250,
  time: 20_000,
  rate: 0.3,
  workers: 12,
  duplicates: false,
};

// Shared by what runs after, and so no leaks of the first test.
await startPostgres();
if (mariadbMissing() === null) await startMariadb();

/** A test in one place; it is over when every connection is closed. */
function test(name: string, place: Kind, fn: () => Promise<void>): void {
  Deno.test({ name: `${name}, ${place.name}${place.missing ?? ""}`, ignore: place.missing !== null, fn });
}

for (const place of places) {
  test("commits under faults: none lost, none doubled, none wrongly reported", place, async () => {
    const report = await torture(place, options);
    console.log(describe(report));
    assert(isSound(report), describe(report));
    const outcomes = new Set(report.attempts.map(({ outcome }) => outcome));
    assert(outcomes.has("done") && outcomes.has("ambiguous") && report.faults.size > 5, describe(report));
  });
}

const [http] = places as readonly [Kind, ...Kind[]];

test("the torture fails with a fetch that sends twice", http, async () => {
  const report = await torture(http, { ...options, plainFetch: true });
  assert(report.doubled + report.wrong > 0, describe(report));
});

test("the torture fails for a caller who does a commit again whose outcome is not known", http, async () => {
  const report = await torture(http, { ...options, retries: true });
  assert(report.doubled > 0, describe(report));
});
