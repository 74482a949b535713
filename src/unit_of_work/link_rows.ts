/**
 * The rows of link tables that a flush writes: those of collections that changed, and those of instances that go.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import type { Cell } from "../sql/step.ts";
import type { InstanceState } from "../state/instance_state.ts";
import { label } from "../state/tracker.ts";
import type { Changes } from "./changes.ts";
import { cellId, type KeyCells } from "./key_cells.ts";
import type { LinkChange } from "./relations.ts";
import { RowChange } from "./row_change.ts";

/** The link rows of a flush. Throws a ValidationError for a link to what is to be deleted. */
export function linkRows({ links, deletes }: Changes, keys: KeyCells): RowChange[] {
  const seen = new Set<string>();
  const linked = links.flatMap((change) => linkRow(change, deletes, keys, seen));
  return [...linked, ...[...deletes].flatMap((state) => unlinked(state, keys))];
}

function linkRow(
  { relation, owner, target, kind }: LinkChange,
  deletes: ReadonlySet<InstanceState>,
  keys: KeyCells,
  seen: Set<string>,
): RowChange[] {
  const link = relation.link!;
  for (const end of [owner, target]) {
    if (!deletes.has(end)) continue;
    if (kind === "insert") {
      throw new ValidationError(
        `${owner.mapper.model}.${relation.name} holds ${label(end)}, which is to be deleted; take it out`,
      );
    }
    // All rows of a deleted instance whose relations know the table are taken together.
    if (end.mapper.relations.some((one) => one.link?.table === link.table)) return [];
  }
  const byName = new Map<string, Cell>();
  link.from.forEach((column, i) => byName.set(column.name, keys.at(owner, i)));
  link.to.forEach((column, i) => byName.set(column.name, keys.at(target, i)));
  // Both ends of a relation may say the same: one row, whichever says it first.
  const names = [...byName.keys()].sort();
  const id = JSON.stringify([kind, link.table, ...names.map((name) => cellId(byName.get(name)))]);
  if (seen.has(id)) return [];
  seen.add(id);
  const cells = link.columns.map((column) => byName.get(column.name));
  return [kind === "delete" ? new RowChange(kind, link, null, [], cells) : new RowChange(kind, link, null, cells)];
}

/** The link rows of a deleted instance, where its relations know a link table. */
function unlinked(state: InstanceState, keys: KeyCells): RowChange[] {
  return state.mapper.relations.flatMap(({ link }) =>
    link === null ? [] : [new RowChange("delete", { ...link, key: link.from }, null, [], keys.of(state))]
  );
}
