/**
 * The question that most checks of what somebody gave begin with.
 *
 * @module
 */

/** Whether a value is an object, which null is not; arrays are. */
export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
