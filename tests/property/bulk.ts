/** Rows of bulk writes, said naively: each is one row, inserted or updated, and none concerns an instance. */
import { LeftOut } from "./left_out.ts";
import { type Kind, shapes } from "./models.ts";
import type { Key, Row, Rows } from "./rows.ts";

/** A row that waits for the next flush or commit. */
export interface BulkRow {
  readonly does: "insert" | "update";
  readonly kind: Kind;
  readonly key: Key;
  /** All of a new row, or what is set of one that is there. */
  readonly values: Row;
  /** The version that the row must be at; undefined where any will do. */
  readonly version?: number;
}

/**
 * Writes bulk rows, one after the other. Gives the errors that the database must answer with. `isComing` tells of rows that
 * the session inserts first where a bulk row refers to them.
 */
export function writeBulk(
  rows: Rows,
  bulk: readonly BulkRow[],
  isComing: (kind: Kind, key: unknown) => boolean = () => false,
): Set<string> {
  const errors = new Set<string>();
  for (const { does, kind, key, values, version } of bulk) {
    const table = rows.tables[kind];
    const { unique, versioned, parents } = shapes[kind];
    for (const { fk, target } of parents) {
      const parent = values[fk] ?? null;
      if (parent === null || target === kind && parent === key) continue;
      if (rows.get(target, parent) !== undefined || isComing(target, parent)) continue;
      const isLater = bulk.some((one) => one.does === "insert" && one.kind === target && one.key === parent);
      if (isLater && target !== kind) throw new LeftOut("a bulk row came before the one that it refers to");
      errors.add("ForeignKeyViolationError"); // what a later row would mend is refused already
    }
    const row = table.get(key);
    if (does === "insert") {
      const isTaken = unique.some((one) =>
        values[one] !== null && [...table.values()].some((other) => other[one] === values[one])
      );
      if (row !== undefined || isTaken) errors.add("UniqueViolationError");
      table.set(key, { ...values });
    } else if (row === undefined || version !== undefined && row.version !== version) errors.add("StaleDataError");
    else table.set(key, { ...row, ...values, ...versioned ? { version: Number(row.version) + 1 } : {} });
  }
  return errors;
}
