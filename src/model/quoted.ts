/**
 * How a name that somebody gave stands in a message.
 *
 * @module
 */

/** A name for a message, in quotes and no longer than one can read; of what is no text, what it is. */
export function quoted(name: unknown): string {
  if (typeof name !== "string") return name === null ? "null" : `a value of type ${typeof name}`;
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 57)}...` : name);
}
