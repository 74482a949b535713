/**
 * `deno task torture`: thousands of commits on each adapter while requests are lost, cut, delayed, refused and doubled, then
 * a count of what is there against what was reported. Ends with 1 where anything was lost, doubled or wrongly reported.
 *
 * @module
 */
import { places } from "./places.ts";
import { describe, isSound, torture, type TortureOptions } from "./run.ts";

const usage = `deno task torture [--adapter NAME,…] [--commits N] [--minutes N] [--seed N] [--faults 0.3] [--sessions N]
  [--mode on|off] [--fetch plain] [--break fetch|id|retry]

  --adapter   of ${places.map(({ name }) => name).join(", ")}; all that begin so; all unless given
  --commits   in each place; 5000 unless given
  --minutes   for each place, in place of --commits
  --seed      1 unless given; the same seed gives the same faults to the same requests
  --faults    how likely it is that a commit meets with a fault
  --sessions  at once; 16 unless given
  --mode      "on": commits are exactlyOnce, and requests may arrive twice; "off"; both unless given
  --fetch     "plain": with the driver's own fetch, of which Deno sends some requests twice (libsql http, exactlyOnce)
  --break     takes a fix out, so that the run must fail: "fetch" the fetch that sends once (libsql http), "id" the key of
              the records of commits, "retry" lets the caller do commits again whose outcome is not known`;

function parse(args: readonly string[]): Map<string, string> {
  const known = ["adapter", "commits", "minutes", "seed", "faults", "sessions", "mode", "fetch", "break"];
  const given = new Map<string, string>();
  for (let i = 0; i < args.length; i += 2) {
    const name = args[i]!.replace(/^--/, "");
    const value = args[i + 1];
    if (!known.includes(name) || value === undefined) throw new TypeError(`What is ${args[i]}?\n\n${usage}`);
    given.set(name, value);
  }
  return given;
}

function number(given: ReadonlyMap<string, string>, name: string, otherwise: number): number {
  const value = Number(given.get(name) ?? otherwise);
  if (!(value >= 0)) throw new TypeError(`--${name} must be a number\n\n${usage}`);
  return value;
}

async function main(): Promise<number> {
  const given = parse(Deno.args);
  const minutes = given.has("minutes") ? number(given, "minutes", 0) : undefined;
  const broken = given.get("break");
  if (broken !== undefined && !/^(?:fetch|id|retry)$/.test(broken)) throw new TypeError(usage);
  const plain = given.get("fetch");
  if (plain !== undefined && plain !== "plain") throw new TypeError(usage);
  const natural = plain !== undefined || broken === "id" ? "on" : broken !== undefined ? "off" : "both";
  const mode = given.get("mode") ?? natural;
  if (!/^(?:on|off|both)$/.test(mode)) throw new TypeError(usage);
  const options: Omit<TortureOptions, "exactlyOnce" | "duplicates"> = {
    seed: number(given, "seed", 1),
    commits: minutes === undefined ? number(given, "commits", 5000) : Infinity,
    time: minutes === undefined ? Infinity : minutes * 60_000,
    rate: number(given, "faults", 0.3),
    workers: number(given, "sessions", 16),
    plainFetch: plain !== undefined || broken === "fetch",
    withoutIds: broken === "id",
    retries: broken === "retry",
  };
  const wanted = given.get("adapter")?.split(",") ??
    (plain !== undefined || broken === "fetch" ? ["libsql http"] : [""]);
  const chosen = places.filter(({ name }) => wanted.some((prefix) => name.startsWith(prefix)));
  if (chosen.length === 0) throw new TypeError(`No adapter is called so\n\n${usage}`);
  let isFailed = false;
  for (const place of chosen) {
    if (place.missing !== null) {
      console.log(`${place.name}${place.missing}`);
      continue;
    }
    for (const exactlyOnce of mode === "both" ? [false, true] : [mode === "on"]) {
      const report = await torture(place, { ...options, exactlyOnce, duplicates: exactlyOnce });
      console.log(`exactlyOnce ${exactlyOnce ? "on" : "off"}: ${describe(report)}`);
      if (!isSound(report)) isFailed = true;
    }
  }
  return isFailed ? 1 : 0;
}

try {
  Deno.exit(await main());
} catch (error) {
  console.error(error instanceof TypeError ? error.message : error);
  Deno.exit(2);
}
