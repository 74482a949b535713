/**
 * What no database takes for an identifier, and how a name stands in a message.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";

/** Throws a ValidationError for what is no text, an empty identifier and one with NUL. */
export function checkIdentifier(identifier: string): void {
  if (typeof identifier !== "string") throw new ValidationError(`An identifier must be text, not ${typeof identifier}`);
  if (identifier === "") throw new ValidationError("An identifier must not be empty");
  if (identifier.includes("\0")) throw new ValidationError("An identifier must not hold a NUL character");
}

/** A name for a message, in quotes and no longer than one can read; of what is no text, what it is. */
export function quoted(name: unknown): string {
  if (typeof name !== "string") return name === null ? "null" : `a value of type ${typeof name}`;
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 57)}...` : name);
}
