import { assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import { fromFirstWord as ofPostgres } from "../../adapters/neon/comments.ts";
import { lost, noAnswer, refusal } from "../../adapters/shared/failure.ts";
import { GivenUp } from "../../adapters/shared/limits.ts";
import { readSqliteError } from "../../adapters/shared/sqlite_errors.ts";
import { bytesValue, checkEach, fromFirstWord, textValue } from "../../adapters/shared/statements.ts";
import {
  AuthenticationError,
  CheckViolationError,
  ConnectionError,
  DataError,
  ForeignKeyViolationError,
  IntegrityError,
  LockTimeoutError,
  NotNullViolationError,
  StatementError,
  TimeoutError,
  TransactionLostError,
  UniqueViolationError,
  ValidationError,
} from "../../src/errors.ts";
import { stmt } from "./kit.ts";

Deno.test("readSqliteError() knows an error by SQLite's words alone, and what they name", () => {
  for (
    const [words, make, details] of [
      ["UNIQUE constraint failed: a.x, a.y", UniqueViolationError, { table: "a", columns: ["x", "y"] }],
      ["UNIQUE constraint failed: index 'i'", UniqueViolationError, { constraint: "i" }],
      ["UNIQUE constraint failed", UniqueViolationError, undefined],
      ["FOREIGN KEY constraint failed", ForeignKeyViolationError, undefined],
      ["It was rolled back: FOREIGN KEY constraint failed", ForeignKeyViolationError, undefined],
      ["NOT NULL constraint failed: a.x", NotNullViolationError, { table: "a", columns: ["x"] }],
      ["CHECK constraint failed: positive", CheckViolationError, { constraint: "positive" }],
      ["cannot store TEXT value in INTEGER column a.x", DataError, { table: "a", columns: ["x"] }],
      ["bad JSON path: 'ledge:stale:0:1:2'", DataError, undefined],
      ["database is locked", LockTimeoutError, undefined],
      ["not authorized", AuthenticationError, undefined],
      ["no such table: a", StatementError, undefined],
      ["statement too long", StatementError, undefined],
    ] as const
  ) {
    assertEquals(readSqliteError(words, undefined, []), { make, details }, words);
  }
  assertEquals(readSqliteError("disk I/O error", undefined, []), undefined);
});

Deno.test("readSqliteError() knows an error by its code alone, and asks the caller's rules last", () => {
  for (
    const [code, make] of [
      ["SQLITE_MISMATCH", DataError],
      ["SQLITE_CONSTRAINT_TRIGGER", IntegrityError],
      ["SQLITE_CONSTRAINT", IntegrityError],
      ["SQLITE_TOOBIG", DataError],
      ["SQLITE_BUSY_SNAPSHOT", LockTimeoutError],
    ] as const
  ) {
    assertEquals(readSqliteError("words of a trigger", code, []), { make, details: undefined }, code);
  }
  const own = [{ text: /gone|constraint/, make: ConnectionError }];
  assertEquals(readSqliteError("the object is gone", "SQLITE_ERROR", own)?.make, ConnectionError);
  assertEquals(readSqliteError("UNIQUE constraint failed", undefined, own)?.make, UniqueViolationError);
});

Deno.test("checkEach() names the statement of a batch that is refused, and its position", () => {
  const error = assertThrows(
    () => checkEach([stmt("SELECT 1"), stmt("SELECT 1; SELECT 2")], ({ sql }, check) => check.single(sql)),
    StatementError,
    "Statement 1 of the batch holds several statements; pass them to batch(), one each",
  );
  assertEquals(error.statementIndex, 1);
  assertThrows(
    () => checkEach([stmt("SELECT ?", "secret", 1)], ({ params }, check) => check.count(1, params.length)),
    StatementError,
    "The statement has 1 placeholders and was given 2 values",
  );
});

Deno.test("noControl() refuses what begins or ends a transaction behind comments, and lets savepoints pass", () => {
  const allowed = /^rollback\s+to\b/i;
  for (const skip of [fromFirstWord, ofPostgres]) {
    const words = (sql: string) => {
      try {
        checkEach([stmt(sql)], ({ sql }, check) => check.noControl(skip(sql), allowed));
        return null;
      } catch (error) {
        return /is ([A-Z ]+), which/.exec(String(error))?.[1];
      }
    };
    for (const before of ["", " \n;", "-- x\n", "/* ; */ ", "/**/--\n/* a */\n"]) {
      assertEquals(words(`${before}commit`), "COMMIT", before);
      assertEquals(words(`${before}Start transaction`), "START TRANSACTION", before);
      assertEquals(words(`${before}rollback`), "ROLLBACK", before);
      for (
        const sql of ["SELECT 'commit'", "ROLLBACK TO a", "SAVEPOINT a", "RELEASE a", "begin_now", "", "/* COMMIT"]
      ) {
        assertEquals(words(before + sql), null, before + sql);
      }
    }
  }
  // PostgreSQL's comments nest, SQLite's do not.
  assertEquals([ofPostgres("/* /* */ */ COMMIT"), ofPostgres("/* /* */ COMMIT")], ["COMMIT", ""]);
  assertEquals(fromFirstWord("/* /* */ COMMIT"), "COMMIT");
});

Deno.test("values that would change are refused without being shown", () => {
  for (const value of ["secret\0", "secret\ud800", { secret: 1 }, undefined]) {
    const error = assertThrows(
      () =>
        checkEach(
          [stmt("SELECT ?", value as never)],
          ({ params }, check) =>
            check.values(params, (value, refuse) =>
              typeof value === "string" ? textValue(value, refuse, "which is cut") : bytesValue(value, refuse)),
        ),
      ValidationError,
      "as value 1; nothing was sent",
    );
    assertEquals(error.message.includes("secret"), false);
  }
});

const way = { where: "db", redact: (text: string) => text.replaceAll("s3cret", "***") };

Deno.test("noAnswer() says that nothing was sent only where no answer came", () => {
  const error = new Error("fetch failed", { cause: new Error("connection refused for s3cret") });
  const none = noAnswer(error, undefined, way, {});
  assertEquals([none.notApplied, none.message], [
    true,
    "db cannot be reached: connection refused for ***; nothing was sent",
  ]);
  for (const status of [200, 502]) assertEquals(noAnswer(error, status, way, {}).notApplied, false);
  assertEquals(noAnswer(error, 502, { ...way, uncommitted: true }, {}).notApplied, true);
});

Deno.test("refusal() knows the statuses with which a service refuses a request unseen", () => {
  const of = (status: number | undefined) => refusal(status, "no", "db", "the token", {});
  assertInstanceOf(of(401), AuthenticationError);
  assertInstanceOf(of(403), AuthenticationError);
  assertInstanceOf(of(429), ConnectionError);
  assertEquals([of(undefined), of(400), of(500)], [undefined, undefined, undefined]);
});

Deno.test("GivenUp.toUser() gives the signal's reason as it is, or a TimeoutError", () => {
  const reason = { mine: true };
  assertEquals(new GivenUp("abort", reason, true).toUser("A call", false), reason);
  for (const [notApplied, outcome] of [[true, "nothing was applied"], [false, "may or may not be applied"]] as const) {
    const error = new GivenUp("timeout", undefined, true).toUser("A call on db", notApplied);
    assertInstanceOf(error, TimeoutError);
    assertEquals(error.notApplied, notApplied);
    assertStringIncludes(error.message, `A call on db took longer than its timeout; `);
    assertStringIncludes(error.message, outcome);
  }
});

Deno.test("lost() keeps the driver's code of what lost the transaction", () => {
  const cause = new ConnectionError("gone", { driverCode: "08006" });
  const error = lost("db", cause);
  assertInstanceOf(error, TransactionLostError);
  assertEquals([error.cause, error.driverCode, error.notApplied], [cause, "08006", true]);
});
