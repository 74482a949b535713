/**
 * Two-phase commit: one commit over several databases, all of it or nothing. For databases that can prepare transactions
 * (PostgreSQL with `max_prepared_transactions` above 0, MySQL and MariaDB with XA); on others it is refused.
 *
 * Prepared transactions hold their locks until they are ended, whatever becomes of the client: run {@linkcode recover} at
 * times, and after a crash.
 *
 * @example
 * ```ts ignore
 * import { Session } from "@ledge/session";
 * import { createTwoPhaseTables, prepare, recover } from "@ledge/session/two_phase";
 *
 * for (const database of [shop, logs]) await createTwoPhaseTables(database); // once
 *
 * await using session = new Session({ bind: shop, binds: [[Log, logs]] });
 * session.add(new Order({ total: 5 }));
 * session.add(new Log({ text: "An order" }));
 * const prepared = await prepare(session);
 * await prepared.commit();
 *
 * await recover([shop, logs]); // at times
 * ```
 *
 * @module
 */
import type { CallOptions } from "../database.ts";
import { refuseUnknown } from "../execution/call_options.ts";
import { uuidv7 } from "../model/uuid.ts";
import { internals } from "../session/internals.ts";
import type { Session } from "../session/session.ts";
import { requireId } from "./names.ts";
import { Preparation } from "./preparation.ts";
import { writePrepared } from "./writing.ts";

export { recover, type RecoverOptions, type Recovery } from "./recover.ts";
export { createTwoPhaseTables, twoPhaseTables } from "./table.ts";

/** Options of `prepare`. */
export interface PrepareOptions extends CallOptions {
  /** The commit's id: a UUID of version 7, which tells its time; made unless given. */
  readonly id?: string;
}

/** A session whose transaction is prepared. */
export interface PreparedTransaction {
  /** The commit's id, which stands in the names of what is prepared, and in the table `ledge_commit`. */
  readonly id: string;
  /**
   * Commits, as `session.commit()` does from now on. Throws a `CommitOutcomeUnknownError` when it is not known whether it is
   * decided, or when it is and not every database has confirmed it: call it again, or leave it to `recover()`. A
   * `TransactionLostError` when somebody rolled it back before.
   */
  commit(options?: CallOptions): Promise<void>;
  /** Rolls back, as `session.rollback()` does. Throws an `InvalidStateError` once the commit is decided. */
  rollback(): Promise<void>;
}

/**
 * Writes what is pending in a session, and what travels with its commit, to each database on a connection of its own, and
 * prepares all of them. From then on the session can be committed, rolled back or closed, and nothing else.
 *
 * The first database that is written to is the coordinator and needs the table `ledge_commit`: see
 * {@linkcode createTwoPhaseTables}. Nothing may have been written, locked or started on a connection before. When it fails
 * nothing is written anywhere, and `session.rollback()` comes next.
 *
 * Costs on each database what a flush on a connection does, and the adapter's `prepare`; two requests more on the first one,
 * three where the session has settings; the commit takes one on each. Throws an `UnsupportedError`, before anything is sent, where a database has no two-phase
 * commit, and an `InvalidStateError` where a connection is open or the table is missing. Throws an `UnsupportedError`, and
 * writes nothing, where the session's settings (a `search_path`) lead to another table `ledge_commit` than `recover` finds.
 */
export async function prepare(session: Session, options: PrepareOptions = {}): Promise<PreparedTransaction> {
  refuseUnknown(options, ["id", "signal", "timeout"], "prepare()");
  const { id = uuidv7(), ...call } = options;
  const preparation = new Preparation(requireId(id));
  await session[internals]().transactions.prepare(
    (parts, flushing) => writePrepared(parts, flushing, preparation, call),
    call,
  );
  return {
    id,
    commit: (limits) => session.commit(limits),
    rollback: () => session.rollback(),
  };
}
