/**
 * The isolation levels.
 *
 * @module
 */

/** The isolation levels of SQL, weakest first. */
export const levels = ["read uncommitted", "read committed", "repeatable read", "serializable"] as const;
