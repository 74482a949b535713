/**
 * SQLite as D1 allows it.
 *
 * @module
 */
import type { Dialect } from "../../src/sql/dialect.ts";
import { sqliteWith } from "../../src/sql/sqlite.ts";

/** The placeholders that D1 takes in one statement. */
export const maxParameters = 100;

/** The characters that D1 takes in one statement's text, at most: its limit is in bytes. */
export const maxText = 100_000;

/**
 * The limits that Cloudflare documents: 100 values a statement, 2 MB a value (older databases were told 1 MB, which is
 * kept to here), 50 bytes a pattern. Integers come back as JavaScript numbers, rounded beyond 2^53.
 */
export const dialect: Dialect = /* @__PURE__ */ sqliteWith({
  maxParameters,
  maxValueBytes: 1_000_000,
  maxPatternBytes: 50,
  wideIntegers: false,
});
