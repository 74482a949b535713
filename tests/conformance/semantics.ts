/**
 * The semantics suite: how a session behaves, case by case, as SQLAlchemy's documentation says it; where Ledge differs, the
 * name of the test says so.
 *
 * @module
 */
import { cascadeSemantics } from "./semantics_cascades.ts";
import { deleteSemantics } from "./semantics_delete.ts";
import { expireSemantics } from "./semantics_expire.ts";
import { expungeSemantics } from "./semantics_expunge.ts";
import { flushSemantics } from "./semantics_flush.ts";
import { identitySemantics } from "./semantics_identity.ts";
import { mergeSemantics } from "./semantics_merge.ts";
import { mergeGraphSemantics } from "./semantics_merge_graph.ts";
import { nestedSemantics } from "./semantics_nested.ts";
import { refreshSemantics } from "./semantics_refresh.ts";
import { stateSemantics } from "./semantics_states.ts";
import type { Target } from "./setup.ts";

/** Registers every case. */
export function semanticsSuite(target: Target): void {
  stateSemantics(target);
  identitySemantics(target);
  cascadeSemantics(target);
  deleteSemantics(target);
  mergeSemantics(target);
  mergeGraphSemantics(target);
  expireSemantics(target);
  refreshSemantics(target);
  expungeSemantics(target);
  flushSemantics(target);
  nestedSemantics(target);
}
