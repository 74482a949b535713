/**
 * A transaction that is prepared for two-phase commit, as the session sees it: it can be ended, and nothing else.
 *
 * @module
 */
import type { CallOptions } from "../database.ts";
import type { Flushing } from "./flushing.ts";
import type { Parts } from "./parts.ts";

/** How a prepared transaction ends. */
export interface Ending {
  /** Whether it may still be ended: also when a commit was decided and not every database has confirmed it. */
  readonly isOpen: boolean;
  /** Commits everywhere; may be called again when it throws and is still open. */
  commit(options: CallOptions): Promise<void>;
  /** Rolls back everywhere. Throws where the commit was decided, and is still open then. */
  rollback(): Promise<void>;
}

/** Writes what is pending and prepares it. */
export type Prepare = (parts: Parts, flushing: Flushing) => Promise<Ending>;
