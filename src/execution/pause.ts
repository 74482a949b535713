/**
 * Waiting between attempts.
 *
 * @module
 */

/** The pause before the second attempt, in milliseconds at the most; it doubles up to the cap. */
const FIRST = 10;
const LONGEST = 1000;

/**
 * Waits before another attempt, after so many that failed: longer each time, and by chance, `atMost` so many milliseconds.
 * Rejects when the signal aborts.
 */
export function pause(failures: number, signal?: AbortSignal, atMost: number = LONGEST): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(end, Math.random() * Math.min(LONGEST, atMost, FIRST * 2 ** failures));
    signal?.addEventListener("abort", end);
    if (signal?.aborted) end();
  });
}
