/**
 * What a session's transactions are made of, so that what flushes and what commits can be told what to work with.
 *
 * @module
 */
import type { Loader } from "../query/loader.ts";
import type { Tracker } from "../state/tracker.ts";
import type { Branches } from "./branches.ts";
import type { Events } from "./events.ts";
import type { CommitExtras } from "./extras.ts";
import type { Failures } from "./failures.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { SessionOptions } from "./options.ts";

/** The collaborators of one session's transactions; none knows of the whole. */
export interface Parts {
  readonly options: SessionOptions;
  readonly tracker: Tracker;
  readonly lifecycle: Lifecycle;
  readonly events: Events;
  readonly failures: Failures;
  readonly branches: Branches;
  readonly loader: Loader;
  /** What travels with the commit. */
  readonly extras: CommitExtras;
}
