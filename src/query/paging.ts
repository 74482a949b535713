/**
 * Pages of a query by key, as they are asked for: how many rows, and what they come after.
 *
 * @module
 */
import type { CallOptions } from "../database.ts";
import { ValidationError } from "../errors.ts";

/** What `page()` is asked for. */
export interface PageOptions extends CallOptions {
  /** At most so many instances; from 1 on. */
  readonly size: number;
  /** The cursor of the page before; null and undefined begin at the beginning. */
  readonly after?: string | null;
}

/** One page of a query. */
export interface Page<R> {
  /** The instances, in order. */
  readonly items: R[];
  /**
   * What the next page comes after; null when there is none. Opaque text, fit for a URL, that holds the values of the
   * order's columns of the last row: not signed and not secret.
   */
  readonly cursor: string | null;
}

/** What `stream()` is asked for. */
export interface StreamOptions extends CallOptions {
  /** How many rows are read, and held, at once; 1,000 unless given. */
  readonly size?: number;
}

/** Throws a ValidationError for what is no size of a page. */
export function requireSize(size: unknown, what: string): number {
  if (typeof size === "number" && Number.isSafeInteger(size) && size >= 1) return size;
  throw new ValidationError(`${what} needs a size, a whole number from 1 on`);
}
