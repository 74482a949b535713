/**
 * The database's process killed in the middle of commits, and started again on the same data: what was reported is so.
 *
 * @module
 */
import { assert } from "@std/assert";
import { crashing, losing } from "./places.ts";
import { describe, isSound, torture } from "./run.ts";

const options = { seed: 1, commits: 200, rate: 0, workers: 12, duplicates: false, crashes: 2 };

for (const place of crashing) {
  for (const exactlyOnce of place.name === "neon http" ? [false, true] : [true]) {
    Deno.test({
      name: `commits ${exactlyOnce ? "with exactlyOnce " : ""}while the database is killed: none lost, none doubled, ` +
        `none wrongly reported, ${place.name}${place.missing ?? ""}`,
      ignore: place.missing !== null,
      async fn() {
        const report = await torture(place, { ...options, exactlyOnce });
        console.log(describe(report));
        assert(isSound(report), describe(report));
        const outcomes = new Set(report.attempts.map(({ outcome }) => outcome));
        assert(outcomes.has("done") && outcomes.has("failed"), describe(report));
        assert(!exactlyOnce || !outcomes.has("ambiguous"), describe(report));
      },
    });
  }
}

for (const place of losing) {
  Deno.test({
    name: `commits that a killed database has lost, though it had reported them, are seen to be lost, ${place.name}${
      place.missing ?? ""
    }`,
    ignore: place.missing !== null,
    async fn() {
      const report = await torture(place, { ...options, exactlyOnce: true });
      assert(report.lost > 0, describe(report));
    },
  });
}
