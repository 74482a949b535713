/**
 * What no database takes for an identifier.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";

/** Throws a ValidationError for an empty identifier and for one with NUL. */
export function checkIdentifier(identifier: string): void {
  if (identifier === "") throw new ValidationError("An identifier must not be empty");
  if (identifier.includes("\0")) throw new ValidationError("An identifier must not hold a NUL character");
}
