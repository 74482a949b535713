/**
 * Writing one instance at once, in the session's transaction, in asyncqlio's words: what a flush of that instance does, and
 * nothing else that is pending.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import { knownState, stateOf } from "../state/instance_state.ts";
import { label } from "../state/tracker.ts";
import { internals } from "./internals.ts";
import type { Session } from "./session.ts";

/** Inserts an instance now; with the new instances that its foreign keys refer to, which have to be there first. */
export async function insertNow<T extends object>(session: Session, instance: T): Promise<T> {
  session[internals]().transactions.use("insertNow");
  const state = stateOf(instance, "insert");
  if (state.snapshot !== null) {
    throw new ValidationError(
      `Cannot insert ${label(state)}: it is ${state.status}; updateNow() writes what has a row`,
    );
  }
  if (!session.has(instance)) session.add(instance);
  await session.flush([instance]);
  return instance;
}

/** Updates an instance now; sends nothing when it is as its row. */
export async function updateNow<T extends object>(session: Session, instance: T): Promise<T> {
  session[internals]().transactions.use("updateNow");
  const state = stateOf(instance, "update");
  if (state.status !== "persistent" || !session.has(instance)) {
    throw new ValidationError(`Cannot update ${label(state)}: it is ${state.status}, and needs a row in this session`);
  }
  await session.flush([instance]);
  return instance;
}

/** Deletes an instance now, with what its cascades reach. */
export async function deleteNow(session: Session, instance: object): Promise<void> {
  const before = session.deleted;
  await session.delete(instance);
  const going = [...session.deleted].filter((one) => one === instance || !before.has(one));
  // Those that refer to them lose their foreign key first, and those they are linked with their link.
  const touched = going.flatMap((one) => {
    const { mapper, relations } = knownState(one)!;
    const others = mapper.relations.filter(({ kind }) => kind !== "belongsTo");
    return others.flatMap(({ name }) => relations?.get(name)?.members ?? []);
  });
  if (going.length > 0) await session.flush([...going, ...touched]);
}
