/**
 * The whole conformance suite.
 *
 * @module
 */
import { commitSuite } from "./commits.ts";
import { identitySuite } from "./identity.ts";
import { staleSuite } from "./stale.ts";
import { trackingSuite } from "./tracking.ts";
import { share, type Target } from "./setup.ts";

/** Registers every suite for a target, which is started once for all of them. */
export function conformance(target: Target): void {
  share(target);
  identitySuite(target);
  trackingSuite(target);
  commitSuite(target);
  staleSuite(target);
}
