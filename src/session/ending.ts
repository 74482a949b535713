/**
 * A transaction that is prepared for two-phase commit, as the session sees it: it can be ended, and nothing else.
 *
 * @module
 */
import type { CallOptions } from "../database.ts";
import type { Branch } from "./branch.ts";

/** How a prepared transaction ends. */
export interface Ending {
  /** Whether it may still be ended: also when a commit was decided and not every database has confirmed it. */
  readonly isOpen: boolean;
  /** Commits everywhere; may be called again when it throws and is still open. */
  commit(options: CallOptions): Promise<void>;
  /** Rolls back everywhere. Throws where the commit was decided, and is still open then. */
  rollback(): Promise<void>;
}

/** Prepares a session's transaction. */
export interface Preparing {
  /** Takes the branches that write, and makes them open connections that can be prepared. Throws where one cannot be. */
  begin(branches: readonly Branch[], options: CallOptions): Promise<void>;
  /** Prepares all of them, when everything is written. */
  prepare(options: CallOptions): Promise<Ending>;
  /** Undoes what was prepared, as far as it can be reached. */
  abandon(): Promise<void>;
}
