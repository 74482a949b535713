/**
 * Putting rows where they belong: what was loaded for a relation goes into the instances above it.
 *
 * @module
 */
import type { MappedColumn, MappedRelation } from "../model/mapper.ts";
import { decode } from "../sql/codecs.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { SqlValue } from "../sql/statement.ts";
import { groupBy } from "../state/group_by.ts";
import { type InstanceState, isChanged } from "../state/instance_state.ts";
import { keyToken, valuesIn } from "../state/key.ts";
import type { Tracker } from "../state/tracker.ts";

/** An instance whose relations are being loaded, with the row that it was just read from. */
export interface Loading {
  readonly state: InstanceState;
  readonly row: readonly SqlValue[] | null;
  /** The dialect that it was read in. */
  readonly dialect: Dialect;
}

/** Whose instances these are, and whether rows that are read now may be undone by a rollback. */
interface Context {
  readonly tracker: Tracker;
  readonly uncertain: boolean;
}

/** Gives parents their children, by the keys that both hold. One pass over each. */
export function connectRows(
  context: Context,
  relation: MappedRelation,
  parents: readonly Loading[],
  children: readonly Loading[],
  populate: boolean,
): void {
  const byToken = groupBy(
    children,
    (child) => keyToken(relation.link === null ? heldValues(child, relation.remote) : linkValues(relation, child)),
  );
  const done = new Set<InstanceState>();
  for (const parent of parents) {
    if (done.has(parent.state)) continue;
    done.add(parent.state);
    const token = keyToken(heldValues(parent, relation.local));
    const members = token === null ? [] : byToken.get(token) ?? [];
    connect(context, parent.state, relation, members.map(({ state }) => state.instance), populate);
  }
}

/** Gives a relation property what was loaded; what was put into it before it was loaded stays, as a change. */
function connect(
  { tracker, uncertain }: Context,
  state: InstanceState,
  relation: MappedRelation,
  members: readonly object[],
  populate: boolean,
): void {
  const { name, many } = relation;
  const loaded = state.relations?.has(name) === true;
  const { instance } = state;
  const current = instance[name];
  if (loaded && !populate && current !== undefined) return;
  if (uncertain) tracker.touch(state);
  const kept = !loaded && !populate && current !== undefined;
  let value: unknown = many ? [...members] : members[0] ?? null;
  const snapshot = { value, members: [...members] };
  if (kept && Array.isArray(current)) {
    const there = new Set(members);
    for (const member of current) if (!there.has(member)) (value as object[]).push(member);
  } else if (kept) value = current;
  instance[name] = value;
  // Loaded by a foreign key that was changed, it is what the row is to refer to, and a change like it.
  const changed = relation.kind === "belongsTo" && state.snapshot !== null &&
    relation.local.some((column) => isChanged(state, column));
  if (!changed) state.relations = new Map(state.relations ?? []).set(name, snapshot);
}

/** The values of columns: of the row just read where there is one, else of the instance. */
export function heldValues({ state, row, dialect }: Loading, columns: readonly MappedColumn[]): unknown[] {
  if (row === null) return valuesIn(state.instance, columns);
  const codecs = state.mapper.codecs(dialect);
  return columns.map(({ index }) => decode(codecs[index]!, row[index]!));
}

/** The owner's key, which a row of a many-to-many holds after the target's columns. */
function linkValues({ owner, target }: MappedRelation, { row, dialect }: Loading): unknown[] {
  const codecs = owner.codecs(dialect);
  return owner.key.map(({ index }, i) => codecs[index]!.decode(row![target.readColumns.length + i]!));
}
