/**
 * Putting rows where they belong: what was loaded for a relation goes into the instances above it.
 *
 * @module
 */
import type { MappedColumn, MappedRelation, Mapper } from "../model/mapper.ts";
import { decode } from "../sql/codecs.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { SqlValue } from "../sql/statement.ts";
import { type InstanceState, isChanged } from "../state/instance_state.ts";
import { type KeyToken, keyToken, valuesIn } from "../state/key.ts";
import type { Tracker } from "../state/tracker.ts";

/** Instances whose relations are being loaded, with the rows that they were just read from. */
export interface Loading {
  readonly states: readonly InstanceState[];
  /** In the order of the instances; null where they were there already. */
  readonly rows: readonly (readonly SqlValue[])[] | null;
  /** The dialect that the rows were read in. */
  readonly dialect: Dialect;
}

/** Whose instances these are, and whether rows that are read now may be undone by a rollback. */
interface Context {
  readonly tracker: Tracker;
  isUncertain(): boolean;
}

/** Gives parents their children, by the keys that both hold. One pass over each. */
export function connectRows(
  context: Context,
  relation: MappedRelation,
  parents: Loading,
  children: Loading,
  populate: boolean,
): void {
  const { owner, target, local, remote, link } = relation;
  const byToken = new Map<KeyToken | null, object[]>();
  const childKey = link === null ? heldValues(children, target, remote) : linkValues(children, relation);
  for (const [i, { instance }] of children.states.entries()) {
    const token = keyToken(childKey(i));
    const members = byToken.get(token);
    if (members === undefined) byToken.set(token, [instance]);
    else members.push(instance);
  }
  const parentKey = heldValues(parents, owner, local);
  const done = new Set<InstanceState>();
  for (const [i, state] of parents.states.entries()) {
    if (done.has(state)) continue;
    done.add(state);
    const token = keyToken(parentKey(i));
    connect(context, state, relation, token === null ? [] : byToken.get(token) ?? [], populate);
  }
}

/** Gives a relation property what was loaded; what was put into it before it was loaded stays, as a change. */
function connect(
  context: Context,
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
  if (context.isUncertain()) context.tracker.touch(state);
  const kept = !loaded && !populate && current !== undefined;
  let value: unknown = many ? [...members] : members[0] ?? null;
  const snapshot = { value, members };
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

/** Tells what columns hold for one of the instances: in the row just read where there is one, else in itself. */
export function heldValues(
  { states, rows, dialect }: Loading,
  mapper: Mapper,
  columns: readonly MappedColumn[],
): (i: number) => unknown[] {
  if (rows === null) return (i) => valuesIn(states[i]!.instance, columns);
  const codecs = mapper.codecs(dialect);
  return (i) => columns.map(({ index }) => decode(codecs[index]!, rows[i]![index]!));
}

/** Tells the owner's key, which a row of a many-to-many holds after the target's columns. */
function linkValues({ rows, dialect }: Loading, { owner, target }: MappedRelation): (i: number) => unknown[] {
  const codecs = owner.codecs(dialect);
  const { length } = target.readColumns;
  return (i) => owner.key.map(({ index }, at) => codecs[index]!.decode(rows![i]![length + at]!));
}
