/** Errors, timeouts and signals of the D1 adapter. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { d1, type D1Binding } from "../../adapters/d1.ts";
import {
  AuthenticationError,
  CheckViolationError,
  ConnectionError,
  DatabaseError,
  DataError,
  ForeignKeyViolationError,
  NotNullViolationError,
  StatementError,
  TimeoutError,
  UniqueViolationError,
  ValidationError,
} from "../../src/errors.ts";
import { answering, onD1, rejection, stmt } from "./d1_kit.ts";

const test = onD1();

const TABLES = [
  "CREATE TABLE a (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, n INTEGER CONSTRAINT small CHECK (n < 10), UNIQUE (name, n))",
  "CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a)",
  "INSERT INTO a VALUES (1, 'x', 1)",
];

type Expected = Partial<Pick<DatabaseError, "table" | "columns" | "constraint" | "driverCode">>;
const faults: readonly [sql: string, make: typeof DatabaseError, details?: Expected][] = [
  ["INSERT INTO a VALUES (2, 'x', 1)", UniqueViolationError, { table: "a", driverCode: "SQLITE_CONSTRAINT_UNIQUE" }],
  ["INSERT INTO a VALUES (1, 'y', 1)", UniqueViolationError, { table: "a", columns: ["id"] }],
  ["INSERT INTO a VALUES (2, NULL, 1)", NotNullViolationError, { table: "a", columns: ["name"] }],
  ["INSERT INTO a VALUES (2, 'y', 11)", CheckViolationError, { constraint: "small" }],
  ["INSERT INTO b VALUES (1, 99)", ForeignKeyViolationError, { driverCode: "SQLITE_CONSTRAINT_FOREIGNKEY" }],
  ["INSERT INTO b VALUES ('x', 1)", DataError, { driverCode: "SQLITE_MISMATCH" }],
  ["SELECT json('x')", DataError],
  ["SELECT abs(-9223372036854775808)", DataError],
  ["SELECT zeroblob(100000000)", DataError, { driverCode: "SQLITE_TOOBIG" }],
  ["SELEC 1", StatementError, { driverCode: "SQLITE_ERROR" }],
  ["SELECT * FROM nope", StatementError],
  ["SELECT nope FROM a", StatementError],
  [`SELECT 'x' LIKE '${"a".repeat(51)}'`, StatementError],
  ["ATTACH 'x' AS y", AuthenticationError, { driverCode: "SQLITE_AUTH" }],
];

test("an error of SQLite's is of its class, alone and in a batch, and nothing was applied", async ({ db, server }) => {
  await server.run(...TABLES);
  for (const [sql, make, details = {}] of faults) {
    for (const call of [() => db.execute(stmt(sql)), () => db.batch([stmt("DELETE FROM b"), stmt(sql)])]) {
      const error = await rejection(call());
      assertInstanceOf(error, make, `${sql}: ${error}`);
      assertEquals([error.notApplied, error.statementIndex], [true, undefined], sql);
      assert(error.cause instanceof Error && !error.message.includes("D1_ERROR"), error.message);
      for (const [name, value] of Object.entries(details)) assertEquals(error[name as keyof Expected], value, sql);
    }
  }
});

test("a foreign key that is checked at the end fails the batch", async ({ db, server }) => {
  await server.run(...TABLES);
  const defer = stmt("PRAGMA defer_foreign_keys = ON");
  const error = await rejection(db.batch([defer, stmt("INSERT INTO b VALUES (1, 99)")]));
  assertInstanceOf(error, ForeignKeyViolationError);
  assertEquals([error.notApplied, (await db.execute(stmt("SELECT count(*) FROM b"))).rows], [true, [[0]]]);
  await db.batch([defer, stmt("INSERT INTO b VALUES (1, 99)"), stmt("INSERT INTO a VALUES (99, 'z', 1)")]);
  assertEquals((await db.execute(stmt("SELECT count(*) FROM b"))).rows, [[1]]);
});

test("a guard's token comes through in the message", async ({ db }) => {
  const guard = stmt(
    "SELECT json_extract('{}', ? || min(v.value) || ':' || count(*)) FROM json_each(?) v HAVING count(*) > 0",
    "ledge:stale:0:",
    "[3,4]",
  );
  const error = await rejection(db.batch([stmt("SELECT 1"), guard])) as DataError;
  assertEquals(db.dialect.guardFailure(error.message), { kind: "stale", step: 0, row: 3, count: 2 });
});

const said: readonly [message: string, make: typeof DatabaseError][] = [
  ["D1_ERROR: Network connection lost.", ConnectionError],
  ["D1_ERROR: D1 DB reset because its code was updated.", ConnectionError],
  ["D1_ERROR: Internal error while starting up D1 DB storage caused object to be reset.", ConnectionError],
  ["D1_ERROR: Cannot resolve D1 DB due to transient issue on remote node.", ConnectionError],
  ["D1_ERROR: D1 DB is overloaded. Requests queued for too long.", ConnectionError],
  ["D1_ERROR: D1 DB's isolate exceeded its memory limit and was reset.", ConnectionError],
  ["D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.", TimeoutError],
  ["D1_ERROR: D1 DB exceeded its CPU time limit and was reset.", TimeoutError],
  ["something else", DatabaseError],
];

test("an error of D1's own leaves open whether a write was applied", async () => {
  for (const [message, make] of said) {
    const thrown = new Error(message);
    const db = d1(answering(thrown));
    for (const call of [db.execute(stmt("SELECT 1")), db.batch([stmt("DELETE FROM t")])]) {
      const error = await rejection(call);
      assertInstanceOf(error, make);
      assertEquals([error.constructor, error.notApplied, error.cause], [make, false, thrown]);
      assertStringIncludes(error.message, "may or may not have been applied");
    }
  }
});

test("a signal that has aborted rejects with its reason and sends nothing", async ({ db, server }) => {
  const reason = new Error("changed my mind");
  const signal = AbortSignal.abort(reason);
  assertEquals(await rejection(db.execute(stmt("SELECT 1"), { signal })), reason);
  assertEquals(await rejection(db.batch([stmt("SELECT 1")], { signal })), reason);
  for (const timeout of [0, -1, NaN, 2 ** 31]) {
    await assertRejects(() => db.execute(stmt("SELECT 1"), { timeout }), ValidationError, "timeout");
  }
  assertEquals(server.requests, 0);
  const kept = { signal: new AbortController().signal, timeout: 60_000 };
  assertEquals((await db.execute(stmt("SELECT 1"), kept)).rows, [[1]]);
});

for (const why of ["timeout", "abort"] as const) {
  test(`a call ends at once on ${why}, and its late answer is ignored`, async () => {
    const late = Promise.withResolvers<never>();
    const statement = { bind: () => statement, raw: () => late.promise };
    const db = d1({ prepare: () => statement, batch: () => late.promise } satisfies D1Binding);
    for (const call of ["execute", "batch"] as const) {
      const controller = new AbortController();
      const reason = new Error("enough");
      const options = why === "timeout" ? { timeout: 10 } : { signal: controller.signal };
      const running = call === "execute"
        ? db.execute(stmt("SELECT 1"), options)
        : db.batch([stmt("DELETE FROM t")], options);
      const rejected = rejection(running);
      if (why === "abort") controller.abort(reason);
      const error = await rejected;
      if (why === "abort") assertEquals(error, reason);
      else {
        assertInstanceOf(error, TimeoutError);
        assertEquals(error.notApplied, false);
      }
    }
    late.reject(new Error("too late"));
  });
}
