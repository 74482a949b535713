/** Interactive transactions of the PlanetScale adapter: what they cost, what they keep, and when they are lost. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import type { Connection } from "../../src/database.ts";
import {
  ConnectionError,
  DatabaseError,
  DataError,
  DeadlockError,
  InvalidStateError,
  LockTimeoutError,
  StatementError,
  TimeoutError,
  TransactionLostError,
  UniqueViolationError,
  UnsupportedError,
  ValidationError,
} from "../../src/errors.ts";
import { startMariadb } from "../servers/mariadb.ts";
import { cut, type PlanetScaleFront, startFront } from "../servers/planetscale.ts";
import { over, rejection, sent, setups, stmt, test, testEverywhere } from "./planetscale_setups.ts";

const table = stmt("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))");
const insert = (id: number, v = "") => stmt("INSERT INTO t VALUES (?, ?)", id, v);

async function ids(server: PlanetScaleFront): Promise<unknown[]> {
  return (await server.run("SELECT id FROM t ORDER BY id")).map(({ id }) => id);
}

testEverywhere("connect() keeps what is committed", async ({ db, server }) => {
  await db.execute(table);
  const connection = await db.connect();
  assertEquals((await connection.execute(insert(1))).rowsAffected, 1);
  const results = await connection.batch([insert(2), stmt("SELECT count(*) FROM t")]);
  assertEquals(results.map((result) => result.rows), [[], [[2]]]);
  assertEquals(await ids(server), []);
  assertEquals((await connection.commit([stmt("DELETE FROM t WHERE id = 1")]))[0]?.rowsAffected, 1);
  assertEquals(await ids(server), [2]);
  assertEquals(await server.db.transactions(), 0);
});

testEverywhere("connect() undoes what is rolled back, and once ended stays so", async ({ db, server }) => {
  await db.execute(table);
  const connection = await db.connect();
  await connection.execute(insert(1));
  await connection.rollback();
  await connection.rollback();
  await assertRejects(() => connection.execute(insert(2)), InvalidStateError, "has ended");
  await assertRejects(() => connection.commit(), InvalidStateError);
  const other = await db.connect();
  await other.execute(insert(3));
  await other.commit();
  await other.rollback();
  await assertRejects(() => other.execute(insert(4)), InvalidStateError);
  assertEquals(await ids(server), [3]);
});

testEverywhere("savepoints nest, quote their names, and outlive a statement that failed", async ({ db, server }) => {
  await db.execute(table);
  const connection = await db.connect();
  await connection.execute(insert(1));
  await connection.savepoint("a `b`; DROP TABLE t -- ");
  await connection.execute(insert(2));
  await connection.savepoint("inner");
  await connection.execute(insert(3));
  await connection.release("inner");
  await assertRejects(() => connection.execute(insert(1)), UniqueViolationError);
  await connection.rollbackTo("a `b`; DROP TABLE t -- ");
  await connection.execute(insert(4));
  await connection.release("a `b`; DROP TABLE t -- ");
  await assertRejects(() => connection.savepoint(""), ValidationError);
  await assertRejects(() => connection.savepoint("a\0"), ValidationError);
  await connection.commit();
  assertEquals(await ids(server), [1, 4]);
});

testEverywhere("batch() of a connection stops at a failure and names it", async ({ db, server }) => {
  await db.execute(table);
  const connection = await db.connect();
  const error = await rejection(connection.batch([insert(1), insert(1), insert(2)]));
  assertInstanceOf(error, UniqueViolationError);
  assertEquals([error.statementIndex, error.notApplied], [1, true]);
  await connection.execute(insert(3)); // MySQL goes on after a failed statement.
  await connection.rollback();
  assertEquals(await ids(server), []);
  assertEquals(sent(server).slice(1), ["BEGIN", "INSERT", "INSERT", "INSERT", "ROLLBACK"]);
});

testEverywhere("commit() applies nothing when one of its last statements fails", async ({ db, server }) => {
  await db.execute(table);
  for (const before of [[insert(1)], []]) {
    const connection = await db.connect();
    await connection.batch(before);
    const error = await rejection(connection.commit([insert(2), insert(2), insert(3)]));
    assertInstanceOf(error, UniqueViolationError);
    assertEquals([error.statementIndex, error.notApplied], [1, true]);
    await connection.rollback();
    await assertRejects(() => connection.execute(insert(4)), InvalidStateError);
    assertEquals([await ids(server), await server.db.transactions()], [[], 0]);
  }
});

testEverywhere("a connection refuses what would end its transaction, and what MySQL commits with", async (place) => {
  const { db, server } = place;
  await db.execute(table);
  const connection = await db.connect();
  await connection.execute(insert(1));
  server.reset();
  const control = ["COMMIT", "ROLLBACK", "BEGIN", "XA START 'x'", "START TRANSACTION"];
  const committing = [
    ...[
      "CREATE TABLE u (id INT)",
      "ALTER TABLE t ADD x INT",
      "drop table t",
      "/* a */ TRUNCATE t",
      "RENAME TABLE t TO u",
    ],
    ...["LOCK TABLES t WRITE", "SET autocommit = 1", "SET @@session.autocommit=0", "SET SESSION autocommit = 1"],
    ...["ANALYZE TABLE t", "GRANT SELECT ON t TO x", "-- a\nCREATE INDEX i ON t (v)", "/**/ DROP TABLE t"],
    ...["/*Mine*/ drop table t", "/*!50000 DROP TABLE t */", "/*M! DROP TABLE t */"],
  ];
  for (const sql of [...control, ...committing]) {
    await assertRejects(() => connection.execute(stmt(sql)), StatementError, undefined, sql);
    await assertRejects(() => connection.commit([stmt(sql)]), StatementError, undefined, sql);
  }
  assertEquals(server.requests, 0);
  for (
    const sql of [
      "CREATE TEMPORARY TABLE x (id INT)",
      "/* a */ SELECT 1 /* b */",
      "DROP TEMPORARY TABLE x",
      "SET @a = 1",
    ]
  ) {
    await connection.execute(stmt(sql));
  }
  await connection.rollback();
  assertEquals(await ids(server), []);
});

testEverywhere("calls that overlap wait for each other", async ({ db, server }) => {
  await db.execute(table);
  server.latency = 5;
  const connection = await db.connect();
  const before = Promise.all([insert(1), insert(2), insert(3)].map((one) => connection.execute(one)));
  const failing = rejection(connection.execute(insert(1)));
  const committed = connection.commit([insert(4)]);
  const late = rejection(connection.execute(insert(5)));
  await before;
  assertInstanceOf(await failing, UniqueViolationError);
  await committed;
  assertInstanceOf(await late, InvalidStateError);
  assertEquals(await ids(server), [1, 2, 3, 4]);

  const undone = await db.connect();
  const running = undone.execute(insert(6));
  await undone.rollback(); // Waits for it.
  await running;
  assertEquals(await ids(server), [1, 2, 3, 4]);
});

testEverywhere("a transaction costs a request a statement, and BEGIN and COMMIT", async ({ db, server }) => {
  await db.execute(table);
  server.reset();
  const connection = await db.connect();
  assertEquals(server.requests, 0);
  await connection.commit([insert(1), insert(2)]);
  assertEquals(sent(server), ["BEGIN", "INSERT", "INSERT", "COMMIT"]);

  server.reset();
  const long = await db.connect({ isolation: "repeatable read", readOnly: false });
  await long.execute(insert(3));
  await long.savepoint("s");
  await long.batch([insert(4), insert(5)]);
  await long.batch([]);
  await long.rollbackTo("s");
  await long.release("s");
  await long.commit();
  assertEquals(server.sql.map((sql) => sql.split(" ").slice(0, 2).join(" ")), [
    "SET TRANSACTION",
    "START TRANSACTION",
    "INSERT INTO",
    "SAVEPOINT `s`",
    "INSERT INTO",
    "INSERT INTO",
    "ROLLBACK TO",
    "RELEASE SAVEPOINT",
    "COMMIT",
  ]);
  assertEquals(server.requests, 9);

  server.reset();
  await (await db.connect()).commit();
  await (await db.connect()).rollback();
  assertEquals(server.requests, 0);
  const undone = await db.connect();
  await undone.execute(insert(8));
  await undone.rollback();
  assertEquals(sent(server), ["BEGIN", "INSERT", "ROLLBACK"]);
  assertEquals([await ids(server), server.transactions], [[1, 2, 3], 0]);
});

testEverywhere("the 20-second killer loses the transaction, and nothing runs outside of it", async ({ db, server }) => {
  await db.execute(table);
  for (const call of ["execute", "commit"] as const) {
    const connection = await db.connect();
    await connection.execute(insert(1));
    while (server.transactions > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    server.reset();
    const error = await rejection(call === "execute" ? connection.execute(insert(2)) : connection.commit());
    assertInstanceOf(error, TransactionLostError);
    assertEquals(error.notApplied, true);
    assertStringIncludes(error.message, "exceeded timeout");
    await assertRejects(() => connection.execute(insert(3)), TransactionLostError, "is lost");
    await assertRejects(() => connection.commit([insert(3)]), TransactionLostError);
    await connection.rollback();
    await connection.rollback();
    await assertRejects(() => connection.execute(insert(3)), InvalidStateError);
    assertEquals(server.requests, 1);
    await server.settled();
    assertEquals(await ids(server), []);
  }
}, { transactionTimeout: 50 });

for (const when of ["before", "after"] as const) {
  testEverywhere(`an answer that is lost ${when} the work loses the transaction`, async ({ db, server }) => {
    await db.execute(table);
    const connection = await db.connect();
    await connection.execute(insert(1));
    server.failNext(when, cut);
    const error = await rejection(connection.execute(insert(2)));
    assertInstanceOf(error, TransactionLostError);
    assertEquals(error.notApplied, true);
    assertInstanceOf(error.cause, ConnectionError);
    await assertRejects(() => connection.commit([insert(3)]), TransactionLostError);
    assertEquals(server.transactions, 1);
    await connection.rollback(); // Frees the locks.
    assertEquals([server.transactions, sent(server).at(-1)], [0, "ROLLBACK"]);
    assertEquals(await ids(server), []);
  });

  testEverywhere(
    `an answer to COMMIT that is lost ${when} the work leaves the outcome open`,
    async ({ db, server }) => {
      await db.execute(table);
      const connection = await db.connect();
      await connection.execute(insert(1));
      server.failNext(when, cut, (body) => body.includes('"COMMIT"'));
      const error = await rejection(connection.commit([insert(2)]));
      assertInstanceOf(error, ConnectionError);
      assertEquals(error.notApplied, false);
      server.reset();
      const again = await rejection(connection.execute(insert(3)));
      assertInstanceOf(again, ConnectionError);
      assertEquals(again.notApplied, false);
      await connection.rollback(); // Might undo a part of a commit that is on its way: not sent.
      await assertRejects(() => connection.commit(), InvalidStateError);
      assertEquals(server.requests, 0);
      assertEquals(await ids(server), when === "before" ? [] : [1, 2]);
    },
  );
}

testEverywhere("the first error is the one to tell when ROLLBACK fails too", async ({ db, server }) => {
  await db.execute(table);
  const answers = [
    () => Response.json({ error: { code: "UNKNOWN", message: "oops (errno 1235) (sqlstate 42000)" } }),
    cut,
  ];
  for (const [id, answer] of answers.entries()) {
    const connection = await db.connect();
    server.failNext("before", answer, (body) => body.includes('"ROLLBACK"'));
    const error = await rejection(connection.commit([insert(id), insert(id)]));
    assertInstanceOf(error, UniqueViolationError);
    await connection.rollback();
  }
  assertEquals(await ids(server), []);
}, { transactionTimeout: 300 });

testEverywhere("a ROLLBACK that the server refuses is told, one that finds nothing is not", async ({ db, server }) => {
  await db.execute(table);
  const refused = "unlikely (errno 1235) (sqlstate 42000)";
  const answers = [[refused, StatementError], [
    "vttablet: transaction 7: not found (errno 1105) (sqlstate HY000)",
    null,
  ]];
  for (const [message, type] of answers as [string, typeof StatementError | null][]) {
    const connection = await db.connect();
    await connection.execute(insert(1));
    server.failNext("before", () => Response.json({ error: { code: "UNKNOWN", message } }));
    if (type === null) await connection.rollback();
    else await assertRejects(() => connection.rollback(), type, "unlikely");
    await assertRejects(() => connection.execute(insert(2)), InvalidStateError);
    while (server.transactions > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
}, { transactionTimeout: 100 });

testEverywhere("a COMMIT that is answered with an error has applied nothing, and is rolled back", async (place) => {
  const { db, server } = place;
  await db.execute(table);
  const connection = await db.connect();
  await connection.execute(insert(1));
  const message = "The server is running with the --read-only option (errno 1290) (sqlstate HY000)";
  server.failNext(
    "before",
    () => Response.json({ error: { code: "UNKNOWN", message } }),
    (body) => body.includes("COMMIT"),
  );
  const error = await rejection(connection.commit());
  assertInstanceOf(error, DatabaseError);
  assertEquals([error.driverCode, error.notApplied], ["1290", true]);
  assertEquals([server.transactions, sent(server).at(-1)], [0, "ROLLBACK"]);
  assertEquals(await ids(server), []);
});

const refusal = (code: string, message = "no", status = 200) => () =>
  Response.json({ error: { code, message } }, { status });

testEverywhere("a COMMIT that certainly did nothing leaves what rollback() undoes", async ({ db, server }) => {
  await db.execute(table);
  for (
    const answer of [
      refusal("resource_exhausted", "slow down", 429),
      refusal("UNKNOWN", "x (errno 1213) (sqlstate 40001)"),
    ]
  ) {
    const connection = await db.connect();
    await connection.execute(insert(1));
    server.failNext("before", answer, (body) => body.includes('"COMMIT"'));
    const error = await rejection(connection.commit([insert(2)]));
    assert(error instanceof DatabaseError && error.notApplied, String(error));
    await connection.rollback();
    assertEquals([server.transactions, sent(server).at(-1)], [0, "ROLLBACK"]);
    assertEquals(await ids(server), []);
  }
});

testEverywhere("a statement that may have been applied loses its transaction, a read does not", async (place) => {
  const { db, server } = place;
  await db.execute(table);
  const answers = [
    ["DEADLINE_EXCEEDED", "context deadline exceeded", TimeoutError],
    ["INTERNAL", "what", TransactionLostError],
    ["RESOURCE_EXHAUSTED", "Row count exceeded 10 (errno 10001) (sqlstate HY000)", TransactionLostError],
  ] as const;
  for (const [code, message, type] of answers) {
    const connection = await db.connect();
    await connection.execute(insert(1));
    server.failNext("after", refusal(code, message));
    const error = await rejection(connection.execute(insert(2)));
    assertInstanceOf(error, type, message);
    assertEquals(error.notApplied, true);
    await assertRejects(() => connection.commit(), TransactionLostError);
    await connection.rollback();
    assertEquals([server.transactions, sent(server).at(-1), await ids(server)], [0, "ROLLBACK", []]);
  }
  const connection = await db.connect();
  await connection.execute(insert(1));
  server.failNext("after", refusal("RESOURCE_EXHAUSTED", "Row count exceeded 10 (errno 10001) (sqlstate HY000)"));
  await assertRejects(() => connection.execute(stmt("SELECT * FROM t")), DataError, "Row count exceeded");
  await connection.commit();
  assertEquals(await ids(server), [1]);
});

/** An answer of the front whose session is in no transaction any more. */
const outside = (more: object) => () =>
  Response.json({ session: { signature: "s", vitessSession: { autocommit: true, SessionUUID: "u" } }, ...more });

testEverywhere("a session that is in no transaction any more keeps later statements from being run", async (place) => {
  const { db, server } = place;
  await db.execute(table);
  const partial =
    "transaction rolled back to reverse changes of partial DML execution: x (errno 1062) (sqlstate 23000)";
  const answers = [{ result: {} }, { error: { code: "UNKNOWN", message: partial } }, {
    error: { code: "UNKNOWN", message: "Duplicate entry '1' for key 'PRIMARY' (errno 1062) (sqlstate 23000)" },
  }];
  for (const more of answers) {
    for (const begun of [true, false]) {
      const connection = await db.connect();
      if (begun) await connection.execute(insert(1));
      server.failNext("after", outside(more), (body) => body.includes("INSERT"));
      const error = await rejection(connection.execute(insert(2)));
      // After an error it was rolled back; a server that says that all is well may have committed.
      const type = "error" in more ? TransactionLostError : ConnectionError;
      assertInstanceOf(error, type, JSON.stringify(more));
      assertEquals(error.notApplied, "error" in more);
      server.reset();
      for (const call of [() => connection.execute(insert(3)), () => connection.commit([insert(4)])]) {
        const again = await rejection(call());
        assertInstanceOf(again, type);
        assertEquals(again.notApplied, "error" in more);
      }
      await connection.rollback();
      assertEquals(server.requests, 0);
      while (server.transactions > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  const connection = await db.connect();
  server.failNext("after", outside({ result: {} }));
  await assertRejects(() => connection.execute(insert(1)), DatabaseError, "without a session in a transaction");
  await assertRejects(() => connection.execute(insert(1)), TransactionLostError);
  assertEquals(sent(server).at(-1), "BEGIN");
  await server.settled();
  assertEquals(await ids(server), []);
}, { transactionTimeout: 100 });

testEverywhere("a session of another make than Vitess's is taken at its word", async ({ db, server }) => {
  await db.execute(table);
  const connection = await db.connect();
  await connection.execute(stmt("SELECT 1"));
  const native = connection.native as { session: unknown };
  const { session } = native;
  for (const vitessSession of ["c2Vzc2lvbg", null, undefined]) {
    server.failNext("after", () => Response.json({ session: { signature: "s", vitessSession }, result: {} }));
    native.session = session;
    await connection.execute(insert(1)).catch((error) => assertInstanceOf(error, UniqueViolationError));
    native.session = session;
    await connection.execute(stmt("DELETE FROM t"));
  }
  await connection.rollback();
});

testEverywhere("a BEGIN without a session is found before anything runs outside of a transaction", async (place) => {
  const { db, server } = place;
  await db.execute(table);
  server.failNext("after", () => Response.json({ result: {} }));
  const connection = await db.connect();
  await assertRejects(() => connection.execute(insert(1)), DatabaseError, "without a session");
  await assertRejects(() => connection.execute(insert(1)), TransactionLostError);
  await connection.rollback();
  assertEquals(await ids(server), []);
});

testEverywhere(
  "a deadlock loses the transaction of whom it chose, a lock timeout only the statement",
  async (place) => {
    const { db, server } = place;
    await db.execute(table);
    await db.execute(stmt("INSERT INTO t VALUES (1, ''), (2, ''), (3, '')"));
    const update = (id: number) => stmt("UPDATE t SET v = CONCAT(v, 'x') WHERE id = ?", id);
    const [one, two] = [await db.connect(), await db.connect()];
    await one.execute(update(1));
    await two.execute(update(2));
    const settled = await Promise.allSettled([one.execute(update(2)), two.execute(update(1))]);
    const failed = settled.findIndex(({ status }) => status === "rejected");
    const error = (settled[failed] as PromiseRejectedResult).reason;
    assertInstanceOf(error, DeadlockError);
    assertEquals([error.driverCode, error.notApplied], ["1213", true]);
    const [loser, winner] = failed === 0 ? [one, two] : [two, one];
    await assertRejects(() => loser!.execute(update(3)), TransactionLostError);
    await loser!.rollback();
    await winner!.commit();

    const [five, six] = [await db.connect(), await db.connect()];
    await five.execute(update(1));
    await six.execute(update(3));
    await assertRejects(() => six.execute(stmt("SELECT * FROM t WHERE id = 1 FOR UPDATE NOWAIT")), LockTimeoutError);
    const short = "UPDATE t SET v = 'no' WHERE id = 1";
    await six.execute(stmt("SET SESSION innodb_lock_wait_timeout = 1"));
    const late = await rejection(six.execute(stmt(short)));
    assertInstanceOf(late, LockTimeoutError);
    assertEquals(late.driverCode, "1205");
    await five.rollback();
    await six.commit([update(2)]);
    assertEquals((await server.run("SELECT v FROM t ORDER BY id")).map(({ v }) => v), ["x", "xx", "x"]);
  },
);

testEverywhere("an open transaction is no obstacle to what runs beside it", async ({ db, server }) => {
  await db.execute(table);
  const [one, two] = [await db.connect(), await db.connect()];
  await Promise.all([one.execute(insert(1)), two.execute(insert(2)), db.execute(insert(3))]);
  assertEquals(server.transactions, 2);
  await Promise.all([one.commit(), two.rollback()]);
  assertEquals(await ids(server), [1, 3]);
});

async function prepared(connect: () => Promise<Connection & { prepare(): Promise<void> }>, id: number): Promise<void> {
  const connection = await connect();
  await connection.savepoint("s");
  await connection.execute(insert(id));
  await connection.prepare();
  await assertRejects(() => connection.execute(insert(9)), InvalidStateError);
  await connection.rollback();
}

testEverywhere("a prepared transaction is ended by its name, from another session", async ({ db, server }) => {
  await db.execute(table);
  const names = ["a.1:b-C_2", "x".repeat(64), "third"].map((name) =>
    name.slice(0, 30) + crypto.randomUUID().slice(0, 34)
  );
  const [first, second, third] = names as [string, string, string];
  try {
    for (const [i, name] of [first, second].entries()) await prepared(() => db.twoPhase.connect(name), i + 1);
    assertEquals(await ids(server), []);
    const listed = await db.twoPhase.list();
    assertEquals([first, second, third].map((name) => listed.includes(name)), [true, true, false]);
    for (const sql of ["START", "END", "PREPARE"]) await server.run(`XA ${sql} '${third}'`); // Not by Ledge.
    assert(!(await db.twoPhase.list()).includes(third));
    await server.run(`XA ROLLBACK '${third}'`);
    server.reset();
    await db.twoPhase.commit(first);
    await db.twoPhase.rollback(second);
    assertEquals(server.requests, 2);
    assertEquals(await ids(server), [1]);
  } finally {
    for (const name of names) await db.twoPhase.rollback(name); // Does nothing where there is none.
  }
  const error = await rejection(db.twoPhase.commit(first));
  assertInstanceOf(error, DatabaseError);
  assertEquals([error.driverCode, error.notApplied], ["1397", true]);
  const afterwards = await db.twoPhase.list();
  assert(names.every((name) => !afterwards.includes(name)));
}, { xa: true });

testEverywhere("a transaction that could be prepared can be committed and rolled back as any other", async (place) => {
  const { db, server } = place;
  await db.execute(table);
  const name = crypto.randomUUID();
  const one = await db.twoPhase.connect(name, { isolation: "serializable" });
  await one.commit([insert(1)]);
  const two = await db.twoPhase.connect(name);
  await two.execute(insert(2));
  await assertRejects(() => two.execute(insert(1)), UniqueViolationError);
  await two.rollback();
  const three = await db.twoPhase.connect(name);
  await assertRejects(() => three.commit([insert(3), insert(3)]), UniqueViolationError);
  assertEquals(await ids(server), [1]);
  const reading = await db.twoPhase.connect(name, { readOnly: true });
  await assertRejects(() => reading.execute(insert(4)), ValidationError, "read-only");
  await reading.rollback();
  for (const bad of ["", "a'b", "x".repeat(65), "é", 5 as unknown as string]) {
    await assertRejects(() => db.twoPhase.connect(bad), ValidationError, "1 to 64 characters");
    await assertRejects(() => db.twoPhase.commit(bad), ValidationError);
  }
}, { xa: true });

testEverywhere("without XA a two-phase commit is refused, and says so", async ({ db, server }) => {
  await assertRejects(() => db.twoPhase.connect("a"), UnsupportedError, "no XA");
  await assertRejects(() => db.twoPhase.commit("a"), UnsupportedError);
  await assertRejects(() => db.twoPhase.rollback("a"), UnsupportedError);
  await assertRejects(() => db.twoPhase.list(), UnsupportedError);
  assertEquals([server.requests, server.transactions], [4, 0]);
});

for (const setup of setups) {
  test(`a prepared transaction survives a crash of the server, ${setup}`, async () => {
    await using mariadb = await startMariadb({ own: true });
    const database = await mariadb.createDatabase();
    await using server = await startFront({ database, xa: true });
    await using db = over(setup, server);
    await db.execute(table);
    await prepared(() => db.twoPhase.connect("kept"), 1);
    await mariadb.kill();
    await assertRejects(() => db.twoPhase.list(), ConnectionError);
    await mariadb.restart();
    assertEquals(await db.twoPhase.list(), ["kept"]);
    await db.twoPhase.commit("kept");
    assertEquals((await db.execute(stmt("SELECT id FROM t"))).rows, [[1]]);
  });
}
