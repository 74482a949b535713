/**
 * Dividing the rows of a step into as few statements as the limits allow.
 *
 * @module
 */

/** What bounds a statement. */
export interface ChunkLimits {
  /** The most rows it may have. */
  readonly rows: number;
  /** The most that its rows may cost together. */
  readonly cost?: number;
  /** What a row costs. */
  costOf?(row: number): number;
  /** Whether a new statement must begin before a row, given where the current one starts. */
  before?(row: number, start: number): boolean;
}

/** Yields the first and the past-the-end row of each statement for `count` rows. A row is never left out. */
export function* divide(count: number, limits: ChunkLimits): Generator<readonly [from: number, to: number]> {
  const room = limits.cost ?? Infinity;
  let start = 0;
  let used = 0;
  for (let row = 0; row < count; row++) {
    const more = limits.costOf?.(row) ?? 0;
    const full = row - start >= limits.rows || used + more > room;
    if (row > start && (full || limits.before?.(row, start))) {
      yield [start, row];
      start = row;
      used = 0;
    }
    used += more;
  }
  if (start < count) yield [start, count];
}
