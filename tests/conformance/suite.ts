/**
 * The whole conformance suite.
 *
 * @module
 */
import { autoflushSuite } from "./autoflush.ts";
import { commitSuite } from "./commits.ts";
import { includeSuite } from "./includes.ts";
import { objectSuite } from "./objects.ts";
import { querySuite } from "./queries.ts";
import { resultSuite } from "./results.ts";
import { errorSuite } from "./errors.ts";
import { identitySuite } from "./identity.ts";
import { insertSuite } from "./inserts.ts";
import { keySuite } from "./keys.ts";
import { lockSuite } from "./locks.ts";
import { nestedSuite } from "./nested.ts";
import { orderingSuite } from "./ordering.ts";
import { relationSuite } from "./relations.ts";
import { savepointSuite } from "./savepoints.ts";
import { serverValueSuite } from "./server_values.ts";
import { share, type Target } from "./setup.ts";
import { staleSuite } from "./stale.ts";
import { trackingSuite } from "./tracking.ts";
import { transactionSuite } from "./transactions.ts";

/** Registers every suite for a target, which is started once for all of them. */
export function conformance(target: Target): void {
  share(target);
  identitySuite(target);
  trackingSuite(target);
  commitSuite(target);
  staleSuite(target);
  orderingSuite(target);
  keySuite(target);
  insertSuite(target);
  lockSuite(target);
  relationSuite(target);
  serverValueSuite(target);
  includeSuite(target);
  objectSuite(target);
  querySuite(target);
  resultSuite(target);
  transactionSuite(target);
  savepointSuite(target);
  nestedSuite(target);
  autoflushSuite(target);
  errorSuite(target);
}
