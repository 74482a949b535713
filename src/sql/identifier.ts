/**
 * What no database takes for an identifier.
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
