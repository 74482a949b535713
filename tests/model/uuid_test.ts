import { assert, assertEquals, assertMatch } from "@std/assert";
import { uuidv7 } from "../../src/model/uuid.ts";

const FORM = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Runs with a clock of the test's own; far enough ahead that no earlier UUID has a later time. */
function withClock<T>(clock: () => number, run: () => T): T {
  const real = Date.now;
  Date.now = clock;
  try {
    return run();
  } finally {
    Date.now = real;
  }
}

/** Runs with every random byte being `byte`. */
function withRandom<T>(byte: number, run: () => T): T {
  const real = crypto.getRandomValues;
  crypto.getRandomValues = ((bytes: Uint8Array) => bytes.fill(byte)) as typeof crypto.getRandomValues;
  try {
    return run();
  } finally {
    crypto.getRandomValues = real;
  }
}

function timeOf(uuid: string): number {
  return parseInt(uuid.replaceAll("-", "").slice(0, 12), 16);
}

function assertRising(uuids: readonly string[]): void {
  for (const [i, uuid] of uuids.entries()) {
    assertMatch(uuid, FORM);
    if (i > 0) assert(uuids[i - 1]! < uuid, `${uuids[i - 1]} is not before ${uuid}`);
  }
}

/** Times later than any that another test used. */
let future = 2 ** 43;
function later(): number {
  return future += 10_000;
}

Deno.test("uuidv7() holds the time and the bits of version and variant when the clock runs", () => {
  let now = later();
  for (let i = 0; i < 100; i++) {
    const uuid = withClock(() => now += 7, uuidv7);
    assertMatch(uuid, FORM);
    assertEquals(timeOf(uuid), now);
  }
});

Deno.test("uuidv7() rises strictly when 10,000 are made in a row", () => {
  assertRising(Array.from({ length: 10_000 }, uuidv7));
});

Deno.test("uuidv7() rises strictly when the clock stands still", () => {
  const now = later();
  const uuids = withClock(() => now, () => Array.from({ length: 10_000 }, uuidv7));
  assertRising(uuids);
  assertEquals(timeOf(uuids[0]!), now);
  assertEquals(timeOf(uuids.at(-1)!), now);
});

Deno.test("uuidv7() rises strictly when the clock goes back", () => {
  let now = later();
  const uuids = withClock(() => now -= 1, () => Array.from({ length: 1_000 }, uuidv7));
  assertRising(uuids);
});

Deno.test("uuidv7() carries into the next part when the counter's lower bits are full", () => {
  // 0xff everywhere seeds the counter with 41 ones: the next step carries through rand_b into the highest bit of rand_a.
  const now = later();
  const [first, second] = withClock(() => now, () => withRandom(0xff, () => [uuidv7(), uuidv7()]));
  assertMatch(first!, /-77ff-bfff-ffffffffffff$/);
  assertMatch(second!, /-7800-8000-0000ffffffff$/);
});

Deno.test("uuidv7() has random bits that differ when all else is the same", () => {
  const now = later(); // a new millisecond draws anew: nothing is left of another test's random source
  const tails = new Set(withClock(() => now, () => Array.from({ length: 1_000 }, () => uuidv7().slice(-8))));
  // Of 1,000 random values of 32 bits two are alike once in some 8,600 runs; ten hardly ever.
  assert(tails.size > 990, `${tails.size} different`);
});

Deno.test("uuidv7() touches neither clock nor random source when its module is imported", async () => {
  const realNow = Date.now;
  const realRandom = crypto.getRandomValues;
  let touched = 0;
  Date.now = () => (touched++, realNow());
  crypto.getRandomValues = ((bytes: Uint8Array) => (touched++, bytes)) as typeof crypto.getRandomValues;
  try {
    const fresh: { uuidv7: () => string } = await import(
      new URL("../../src/model/uuid.ts?fresh", import.meta.url).href
    );
    assertEquals(touched, 0);
    fresh.uuidv7();
    assertEquals(touched, 2);
  } finally {
    Date.now = realNow;
    crypto.getRandomValues = realRandom;
  }
});
