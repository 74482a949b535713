/**
 * What every dialect asks of the cells of a row.
 *
 * @module
 */
import { UnsupportedError } from "../errors.ts";
import type { SqlValue } from "./statement.ts";
import type { Cell, KeyRef } from "./step.ts";
import type { Sql } from "./tag.ts";

/**
 * Thrown by `compile` where a key that the batch makes cannot be carried to where it is used: on a connection each step can
 * wait for the keys before it.
 */
export class UncarriedKeyError extends UnsupportedError {}

/** A key that the database makes in this batch, not known yet. */
export type OpenKey = KeyRef & { readonly value?: undefined };

function isKey(cell: Cell): cell is KeyRef {
  return typeof cell === "object" && cell !== null && "ordinal" in cell;
}

/** Whether a cell is a key that the database makes, not known yet. */
export function isOpenKey(cell: Cell): cell is OpenKey {
  return isKey(cell) && cell.value === undefined;
}

/** The cell, or the value of a key that is known by now. */
export function known(cell: Cell): SqlValue | OpenKey | Sql | undefined {
  return isKey(cell) && cell.value !== undefined ? cell.value : cell as SqlValue | OpenKey | Sql | undefined;
}
