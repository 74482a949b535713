/**
 * Rows of no instance (bulk writes) among the session's own: where they go in the order of a flush.
 *
 * They are written as early as the foreign keys allow: after the session's new rows of tables that theirs refers to, and
 * before everything else, so that the session's new rows may refer to them in turn. Of one table, and of tables that refer
 * to one another, they keep the order of the calls that gave them.
 *
 * @module
 */
import type { TableInfo } from "../sql/table.ts";
import type { RowGroup } from "./order.ts";

/** Puts bulk groups among ordered groups. O(groups × bulk groups). */
export function weave(groups: readonly RowGroup[], bulk: readonly RowGroup[]): readonly RowGroup[] {
  if (bulk.length === 0) return groups;
  const places: number[] = [];
  for (const [i, group] of bulk.entries()) {
    const above = referredTables(group.table);
    // An update may be of a row that the session is about to insert.
    if (group.kind === "insert") above.delete(group.table.table);
    const inserted = groups.findLastIndex(({ kind, table }) => kind === "insert" && above.has(table.table));
    above.add(group.table.table);
    const before = places.filter((_, j) => above.has(bulk[j]!.table.table));
    places[i] = Math.max(inserted + 1, ...before);
  }
  const woven: RowGroup[] = [];
  for (let at = 0; at <= groups.length; at++) {
    bulk.forEach((group, i) => places[i] === at && woven.push(group));
    if (at < groups.length) woven.push(groups[at]!);
  }
  return woven;
}

/** The tables that a table refers to, directly or not, and itself. */
function referredTables(table: TableInfo): Set<string> {
  const tables = new Set([table]);
  for (const { foreignKeys } of tables) for (const { target } of foreignKeys) tables.add(target); // grows meanwhile
  return new Set([...tables].map((one) => one.table));
}
