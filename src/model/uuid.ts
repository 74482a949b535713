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
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const view = new DataView(bytes.buffer);
  const now = Date.now();
  if (now > lastTime) {
    lastTime = now;
    counter = (view.getUint16(0) & 0x1ff) * 2 ** 32 + view.getUint32(2);
  } else if (counter < MAX_COUNTER) {
    counter += 1;
  } else {
    lastTime += 1;
    counter = 0;
  }
  // Layout: time 48 | version 4 | counter 12 | variant 2 | counter 30 | random 32.
  const high = Math.floor(counter / 2 ** 30);
  const low = counter % 2 ** 30;
  view.setUint16(0, Math.floor(lastTime / 2 ** 32));
  view.setUint32(2, lastTime % 2 ** 32);
  view.setUint16(6, 0x7000 + high);
  view.setUint32(8, 0x80000000 + low);
  let text = "";
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) text += "-";
    text += bytes[i]!.toString(16).padStart(2, "0");
  }
  return text;
}
