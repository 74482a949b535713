/** What is left out of the search until the session does it right: each is named after the situation. */
export const leftOut = {
  /** An expired child is given another parent. */
  expiredChildLeaves: true,
  /** What was loaded from a row of this transaction's own, when that row is rolled back. */
  phantom: true,
  /** A unique value of an expired instance is overwritten. */
  freedByExpired: true,
};

/** Ends a sequence that has come to what is left out, or to what nothing says what should be of it. */
export class LeftOut extends Error {}
