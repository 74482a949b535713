/**
 * What a SQLite allows that differs between services: SQLite itself, and those that set its limits lower.
 *
 * @module
 */

/** The limits of a SQLite. */
export interface SqliteLimits {
  /** The placeholders that one statement may have. */
  readonly maxParameters: number;
  /** The bytes that one value may have; many rows that travel as one value are divided by it. */
  readonly maxValueBytes: number;
  /** The bytes that the pattern of a GLOB may have. */
  readonly maxPatternBytes: number;
  /** Whether integers beyond 2^53 come back as they went: their columns refuse them otherwise. */
  readonly wideIntegers: boolean;
}

/**
 * SQLite's own limits, as far as they matter: 32,766 placeholders since 3.32 (SQLITE_MAX_VARIABLE_NUMBER), patterns of
 * 50,000 bytes (SQLITE_MAX_LIKE_PATTERN_LENGTH).
 */
export const UNLIMITED: SqliteLimits = {
  maxParameters: 32_766,
  maxValueBytes: Infinity,
  maxPatternBytes: 50_000,
  wideIntegers: true,
};

const encoder = /* @__PURE__ */ new TextEncoder();

/** How many bytes a text has in UTF-8. One pass over the text. */
export function utf8Length(text: string): number {
  return encoder.encode(text).length;
}
