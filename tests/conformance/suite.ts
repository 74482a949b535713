/**
 * The whole conformance suite.
 *
 * @module
 */
import { autoflushSuite } from "./autoflush.ts";
import { bulkSuite } from "./bulk.ts";
import { bulkReferenceSuite } from "./bulk_references.ts";
import { bulkSaveSuite } from "./bulk_save.ts";
import { commitSuite } from "./commits.ts";
import { exactlyOnceSuite } from "./exactly_once.ts";
import { includeSuite } from "./includes.ts";
import { objectSuite } from "./objects.ts";
import { querySuite } from "./queries.ts";
import { resultSuite } from "./results.ts";
import { compositeSuite } from "./composite.ts";
import { errorSuite } from "./errors.ts";
import { eventSuite } from "./events.ts";
import { identitySuite } from "./identity.ts";
import { inheritanceSuite } from "./inheritance.ts";
import { inheritanceSessionSuite } from "./inheritance_session.ts";
import { insertSuite } from "./inserts.ts";
import { joinedSuite } from "./joined.ts";
import { keySuite } from "./keys.ts";
import { lockSuite } from "./locks.ts";
import { nestedSuite } from "./nested.ts";
import { orderingSuite } from "./ordering.ts";
import { plainTransactionSuite } from "./plain_transactions.ts";
import { relationSuite } from "./relations.ts";
import { routingSuite } from "./routing.ts";
import { savepointSuite } from "./savepoints.ts";
import { schemaSuite } from "./schema.ts";
import { semanticsSuite } from "./semantics.ts";
import { serverValueSuite } from "./server_values.ts";
import { type Case, casesOf, type Target } from "./setup.ts";
import { statementSuite } from "./statements.ts";
import { streamSuite } from "./streams.ts";
import { pageSuite } from "./pages.ts";
import { stagedWriteSuite } from "./staged_writes.ts";
import { writeSuite } from "./writes.ts";
import { oneRowSuite } from "./one_row.ts";
import { otherBuilderSuite } from "./other_builders.ts";
import { staleSuite } from "./stale.ts";
import { trackingSuite } from "./tracking.ts";
import { transactionSuite } from "./transactions.ts";

/** The tests of every suite, for a target. */
export function suite(target: Target): readonly Case[] {
  schemaSuite(target);
  identitySuite(target);
  trackingSuite(target);
  commitSuite(target);
  staleSuite(target);
  exactlyOnceSuite(target);
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
  statementSuite(target);
  pageSuite(target);
  streamSuite(target);
  otherBuilderSuite(target);
  writeSuite(target);
  stagedWriteSuite(target);
  oneRowSuite(target);
  transactionSuite(target);
  savepointSuite(target);
  nestedSuite(target);
  autoflushSuite(target);
  errorSuite(target);
  bulkSuite(target);
  bulkSaveSuite(target);
  bulkReferenceSuite(target);
  plainTransactionSuite(target);
  eventSuite(target);
  joinedSuite(target);
  routingSuite(target);
  compositeSuite(target);
  inheritanceSuite(target);
  inheritanceSessionSuite(target);
  semanticsSuite(target);
  return casesOf(target);
}
