/**
 * The whole conformance suite.
 *
 * @module
 */
import { commitSuite } from "./commits.ts";
import { share, type Target } from "./setup.ts";

/** Registers every suite for a target, which is started once for all of them. */
export function conformance(target: Target): void {
  share(target);
  commitSuite(target);
}
