/**
 * Keys made by the client: UUIDs of version 7, which sort by the time they were made. Must not touch the clock or the
 * random source when it is imported: workerd forbids both outside of a request.
 *
 * @module
 */

/** The largest value of the 42-bit counter. */
const MAX_COUNTER = 2 ** 42 - 1;

/**
 * The time and the counter of the last UUID. They are kept for the module, not for a session: UUIDs are to rise within
 * an isolate whoever asks for them, and nothing of a request is in here that its UUIDs do not show anyway. Uniqueness
 * does not rest on them: 32 bits are random in each UUID, and 41 more at the start of each millisecond.
 */
let lastTime = -1;
let counter = 0;

/** The UUID up to the last 16 bits of the counter, for the rest of the counter, `prefixOf`: most share it with the one before. */
let prefix = "";
let prefixOf = -1;

/** Random bytes for some UUIDs to come: a call for each would cost more than all the rest. Drawn anew each millisecond. */
let pool: Uint8Array<ArrayBuffer> | undefined;
let drawn = 0;

/** The two digits of each byte, made with the first UUID: nothing is to be worked out at import. */
let digits: readonly string[] | undefined;

function randomByte(): number {
  if (pool === undefined || drawn === pool.length) {
    pool = crypto.getRandomValues(pool ?? new Uint8Array(512));
    drawn = 0;
  }
  return pool[drawn++]!;
}

/** The two digits of a byte. */
function hex(byte: number): string {
  digits ??= Array.from({ length: 256 }, (_, each) => each.toString(16).padStart(2, "0"));
  return digits[byte]!;
}

/** The four digits of 16 bits. */
function hex16(bits: number): string {
  return hex(bits >>> 8) + hex(bits & 0xff);
}

/**
 * A new UUID of version 7 (RFC 9562): 48 bits of time in milliseconds, a counter, and random bits. Within one isolate
 * each is greater than the one before, as text and as bytes, also when the clock stands still (it does in workerd
 * between two waits) or goes back.
 *
 * The counter is RFC 9562, section 6.2, method 1 (fixed bit-length dedicated counter) with 42 bits, those of `rand_a`
 * and the first 30 of `rand_b`. Each new millisecond seeds it with random bits, the highest one left at 0 against
 * overflow; within a millisecond it goes up by one. When it overflows all the same, the time goes one millisecond ahead
 * of the clock, as the section allows.
 *
 * @returns The UUID in lower case
 *
 * @example
 * ```ts
 * import { uuidv7 } from "@ledge/session";
 * import { assert } from "@std/assert";
 *
 * const first = uuidv7();
 * assert(first < uuidv7());
 * ```
 */
export function uuidv7(): string {
  const now = Date.now();
  if (now > lastTime) {
    lastTime = now;
    drawn = pool?.length ?? 0;
    counter = randomByte() & 1;
    for (let i = 0; i < 5; i++) counter = counter * 2 ** 8 + randomByte();
    prefixOf = -1;
  } else if (counter < MAX_COUNTER) {
    counter += 1;
  } else {
    lastTime += 1;
    counter = 0;
    prefixOf = -1;
  }
  // Layout: time 48 | version 4 | counter 12 | variant 2 | counter 14 | counter 16 | random 32.
  const high = Math.floor(counter / 2 ** 16);
  if (high !== prefixOf) {
    prefixOf = high;
    const time = hex16(Math.floor(lastTime / 2 ** 32)) + hex16(Math.floor(lastTime / 2 ** 16) % 2 ** 16);
    const parts = [time, hex16(lastTime % 2 ** 16), hex16(0x7000 + (high >>> 14)), hex16(0x8000 + (high & 0x3fff)), ""];
    prefix = parts.join("-"); // a string of one part
  }
  // In two parts, since a string that is put together of many is copied part by part when it first is a key.
  const rest = hex16(counter % 2 ** 16) + hex(randomByte()) + hex(randomByte()) + hex(randomByte()) + hex(randomByte());
  return prefix + rest;
}
