/**
 * The names of prepared transactions: `ledge.<id>.<number>.<coordinator>`, so that whoever finds one knows which commit it
 * is a part of, which database decides it, and how old it is.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";

/** A part of a two-phase commit. */
export interface PartName {
  /** The commit: a UUID of version 7. */
  readonly id: string;
  /** Its number; 0 is the coordinator's. */
  readonly number: number;
  /** Which database is the coordinator. */
  readonly coordinator: string;
}

const UUID = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";
const isId = /* @__PURE__ */ whole(UUID);
const isName = /* @__PURE__ */ whole("ledge\\.(", UUID, ")\\.([0-9]{1,2})\\.([0-9a-f]{12})");

function whole(...pattern: string[]): RegExp {
  return new RegExp(`^${pattern.join("")}$`);
}

/** Throws a ValidationError for an id that no two-phase commit can have. */
export function requireId(id: unknown): string {
  if (typeof id === "string" && isId.test(id)) return id;
  throw new ValidationError(
    "The id of a two-phase commit must be a UUID of version 7 in lower case, as uuidv7() makes it",
  );
}

export function nameOf({ id, number, coordinator }: PartName): string {
  return `ledge.${id}.${number}.${coordinator}`;
}

/** Null for a name that is not Ledge's. */
export function parseName(name: string): PartName | null {
  const match = isName.exec(name);
  return match === null ? null : { id: match[1]!, number: Number(match[2]), coordinator: match[3]! };
}

/** When a commit was begun, in milliseconds: a UUID of version 7 says so. */
export function timeOf(id: string): number {
  return parseInt(id.replace("-", "").slice(0, 12), 16);
}
