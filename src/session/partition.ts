/**
 * What a flush or a commit has to write, by database. With one database that is all of it, as it is.
 *
 * @module
 */
import { UnsupportedError, ValidationError } from "../errors.ts";
import { Mapper } from "../model/mapper.ts";
import type { TableInfo } from "../sql/table.ts";
import type { InstanceState } from "../state/instance_state.ts";
import { instanceKey } from "../state/key.ts";
import type { ChangedInstance, Changes } from "../unit_of_work/changes.ts";
import type { LinkChange, WrittenRelation } from "../unit_of_work/relations.ts";
import type { RowGroup } from "../unit_of_work/order.ts";
import type { Branch } from "./branch.ts";
import type { Branches } from "./branches.ts";

/** What one database has to write. */
export interface Part {
  readonly branch: Branch;
  readonly changes: Changes;
  readonly bulk: readonly RowGroup[];
}

/** A part that is being put together. */
interface Draft extends Part {
  readonly changes: Changes & {
    readonly inserts: InstanceState[];
    readonly updates: ChangedInstance[];
    readonly deletes: Set<InstanceState>;
    readonly links: LinkChange[];
    readonly relations: WrittenRelation[];
  };
  readonly bulk: RowGroup[];
}

/** The branch that a table of a row is written on. */
export function branchOfTable(branches: Branches, table: TableInfo): Branch {
  return table instanceof Mapper ? branches.of(table, "write") : branches.main;
}

/**
 * Divides changes, in an order in which they can be written: a database that makes keys before one whose rows take them.
 * Throws a ValidationError when two databases each need keys that the other makes, an UnsupportedError for a many-to-many
 * relation from one database to another.
 */
export function partition(branches: Branches, changes: Changes, bulk: readonly RowGroup[]): Part[] {
  if (branches.routes.isSingle) return [{ branch: branches.main, changes, bulk }];
  const drafts = new Map<Branch, Draft>();
  const of = (branch: Branch): Draft => {
    let draft = drafts.get(branch);
    if (draft === undefined) {
      const { assignments, claim } = changes;
      const own = { inserts: [], updates: [], deletes: new Set<InstanceState>(), links: [], relations: [] };
      drafts.set(branch, draft = { branch, changes: { ...own, assignments, claim }, bulk: [] });
    }
    return draft;
  };
  const branchOf = ({ mapper }: InstanceState): Branch => branches.of(mapper, "write");
  for (const state of changes.inserts) of(branchOf(state)).changes.inserts.push(state);
  for (const changed of changes.updates) of(branchOf(changed.state)).changes.updates.push(changed);
  for (const state of changes.deletes) of(branchOf(state)).changes.deletes.add(state);
  for (const link of changes.links) {
    const [owner, target] = [branchOf(link.owner), branchOf(link.target)];
    if (owner !== target) {
      throw new UnsupportedError(
        `${link.relation.owner.model}.${link.relation.name} links ${owner.database.description} with ` +
          `${target.database.description}; a many-to-many relation needs both its models in one database`,
      );
    }
    of(owner).changes.links.push(link);
  }
  for (const group of bulk) of(branchOfTable(branches, group.table)).bulk.push(group);
  const parts = inOrder([...drafts.values()], changes, branchOf);
  // A relation is settled when what it holds has been written: with the later of its two ends.
  for (const written of changes.relations) {
    const ends = [branches.of(written.relation.owner, "write"), branches.of(written.relation.target, "write")];
    const last = parts.findLast(({ branch }) => ends.includes(branch)) ?? parts.at(-1);
    last?.changes.relations.push(written);
  }
  return parts;
}

/** The branches whose rows need keys that another branch makes, with those branches. */
export function keyMakers(changes: Changes, branchOf: (state: InstanceState) => Branch): Map<Branch, Set<Branch>> {
  const makers = new Map<Branch, Set<Branch>>();
  for (const [child, assigned] of changes.assignments) {
    for (const { parent } of assigned) {
      if (parent === null || parent.snapshot !== null || instanceKey(parent) !== null) continue;
      const [from, to] = [branchOf(parent), branchOf(child)];
      if (from === to) continue;
      if (!makers.has(to)) makers.set(to, new Set());
      makers.get(to)!.add(from);
    }
  }
  return makers;
}

function inOrder(drafts: readonly Draft[], changes: Changes, branchOf: (state: InstanceState) => Branch): Draft[] {
  if (drafts.length < 2) return [...drafts];
  const makers = keyMakers(changes, branchOf);
  const left = [...drafts];
  const ordered: Draft[] = [];
  while (left.length > 0) {
    const at = left.findIndex(({ branch }) => !left.some((other) => makers.get(branch)?.has(other.branch)));
    if (at < 0) {
      const names = left.map(({ branch }) => branch.database.description).join(" and ");
      throw new ValidationError(
        `Rows of ${names} each refer to new rows of the other, whose keys are yet to be made; give those keys of your own`,
      );
    }
    ordered.push(...left.splice(at, 1));
  }
  return ordered;
}
