/** Interactive transactions of the Neon adapter: what they cost, what they keep, and when they are lost. */
import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { neon } from "../../adapters/neon.ts";
import type { Database } from "../../src/database.ts";
import {
  ConnectionError,
  type DatabaseError,
  DeadlockError,
  ForeignKeyViolationError,
  InvalidStateError,
  LockTimeoutError,
  SerializationError,
  StatementError,
  TransactionLostError,
  UniqueViolationError,
  UnsupportedError,
  ValidationError,
} from "../../src/errors.ts";
import { type NeonServer, startNeon } from "../servers/neon.ts";
import { startPostgres } from "../servers/postgres.ts";
import { rejection, setups, stmt, testEverywhere, withManyConnections, withSockets } from "./neon_setups.ts";

await startPostgres();

const table = stmt("CREATE TABLE t (id int PRIMARY KEY, v text)");
const insert = (id: number, v = "") => stmt("INSERT INTO t VALUES ($1, $2)", id, v);

async function ids(server: NeonServer): Promise<unknown[]> {
  return (await server.db.query("SELECT id FROM t ORDER BY id")).map(({ id }) => id);
}

/** The first words of what each trip sent. */
function sent(server: NeonServer): string[] {
  return server.log.map(({ sql }) => sql.map((text) => text.split(" ")[0]).join(" "));
}

testEverywhere("connect() keeps what is committed", async ({ db, server }) => {
  await db.execute(table);
  const connection = await db.connect();
  assertEquals((await connection.execute(insert(1))).rowsAffected, 1);
  const results = await connection.batch([insert(2), stmt("SELECT count(*) FROM t")]);
  assertEquals(results.map((result) => result.rows), [[], [[2]]]);
  assertEquals((await connection.commit([stmt("DELETE FROM t WHERE id = 1 RETURNING id")]))[0]?.rows, [[1]]);
  assertEquals(await ids(server), [2]);
}, withSockets);

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
}, withSockets);

testEverywhere(
  "savepoints nest, quote their names, and save a transaction in which a statement failed",
  async (place) => {
    const { db, server } = place;
    await db.execute(table);
    const connection = await db.connect();
    await connection.execute(insert(1));
    await connection.savepoint('a "b"; DROP TABLE t --');
    await connection.execute(insert(2));
    await connection.savepoint("inner");
    await connection.execute(insert(3));
    await connection.release("inner");
    await assertRejects(() => connection.execute(insert(1)), UniqueViolationError);
    await assertRejects(() => connection.execute(insert(5)), StatementError, "aborted");
    await connection.rollbackTo('a "b"; DROP TABLE t --');
    await connection.execute(insert(4));
    await connection.release('a "b"; DROP TABLE t --');
    await assertRejects(() => connection.savepoint(""), ValidationError);
    await assertRejects(() => connection.savepoint("a\0"), ValidationError);
    await connection.commit();
    assertEquals(await ids(server), [1, 4]);
  },
  withSockets,
);

testEverywhere("batch() of a connection stops at a failure and names it", async ({ db, server }) => {
  await db.execute(table);
  for (const before of [[], [insert(9)]]) {
    const connection = await db.connect();
    await connection.batch(before);
    const error = await rejection(connection.batch([insert(1), insert(1), insert(2)]));
    assertInstanceOf(error, UniqueViolationError);
    assertEquals(error.statementIndex, 1);
    const lost = await rejection(connection.commit()) as DatabaseError;
    assertInstanceOf(lost, TransactionLostError); // PostgreSQL answers COMMIT with ROLLBACK.
    assertEquals(lost.notApplied, true);
    await connection.rollback();
    assertEquals(await ids(server), []);
  }
}, withSockets);

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
    assertEquals(await ids(server), []);
  }
}, withSockets);

testEverywhere("commit() fails on a deferred constraint and applies nothing", async ({ db, server }) => {
  await db.execute(table);
  await db.execute(stmt("CREATE TABLE c (t int REFERENCES t DEFERRABLE INITIALLY DEFERRED)"));
  for (const last of [[], [insert(2)]]) {
    const connection = await db.connect();
    await connection.execute(stmt("INSERT INTO c VALUES (7)"));
    const error = await rejection(connection.commit(last));
    assertInstanceOf(error, ForeignKeyViolationError);
    assertEquals(error.statementIndex, undefined);
    assertEquals(await ids(server), []);
  }
}, withSockets);

testEverywhere("connect() with readOnly refuses a write", async ({ db, server }) => {
  await db.execute(table);
  await db.execute(stmt("CREATE SEQUENCE s"));
  const connection = await db.connect({ readOnly: true, isolation: "serializable" });
  assertEquals((await connection.execute(stmt("SELECT count(*) FROM t"))).rows, [[0]]);
  await assertRejects(() => connection.execute(insert(1)), ValidationError, "read-only");
  await assertRejects(() => connection.commit([insert(1)]), ValidationError);
  await assertRejects(() => connection.execute(stmt("SELECT nextval('s')")), StatementError, "read-only");
  await connection.rollback();
  assertEquals(await ids(server), []);
}, withSockets);

testEverywhere("a connection refuses statements that would end its transaction", async ({ db, server }) => {
  await db.execute(table);
  const connection = await db.connect();
  await connection.execute(insert(1));
  for (const sql of ["COMMIT", "END", "ROLLBACK", "BEGIN", "PREPARE TRANSACTION 'x'", "/* /* */ */ COMMIT"]) {
    await assertRejects(() => connection.execute(stmt(sql)), StatementError);
    await assertRejects(() => connection.commit([stmt(sql)]), StatementError);
  }
  await connection.rollback();
  assertEquals(await ids(server), []);
}, withSockets);

testEverywhere("a connection refuses a second call while one is under way", async ({ db, server }) => {
  await db.execute(table);
  const connection = await db.connect();
  const first = connection.execute(insert(1));
  await assertRejects(() => connection.execute(insert(2)), InvalidStateError, "under way");
  await assertRejects(() => connection.commit(), InvalidStateError);
  await first;
  const second = connection.execute(insert(3));
  await connection.rollback(); // Waits for it.
  await second;
  assertEquals(await ids(server), []);
}, withSockets);

testEverywhere(
  "a connection costs a trip a call, BEGIN and COMMIT none of their own",
  async ({ db, server }, setup) => {
    await db.execute(table);
    server.reset();
    const connection = await db.connect();
    assertEquals(server.requests, 0);
    await connection.execute(insert(1));
    await connection.savepoint("s");
    await connection.batch([insert(2), insert(3)]);
    await connection.rollbackTo("s");
    await connection.release("s");
    await connection.commit([insert(4), insert(5)]);
    assertEquals(sent(server), [
      "BEGIN INSERT",
      "SAVEPOINT",
      "INSERT INSERT",
      "ROLLBACK",
      "RELEASE",
      "INSERT INSERT COMMIT",
    ]);
    assertEquals([server.statements, server.control], [5, 5]);
    if (setup === "url") assertEquals(server.connections, 1);

    server.reset();
    const short = await db.connect();
    await short.commit([insert(6), insert(7)]);
    assertEquals(sent(server), ["BEGIN INSERT INSERT COMMIT"]);
    const unused = await db.connect();
    await unused.commit();
    const dropped = await db.connect();
    await dropped.rollback();
    const undone = await db.connect();
    await undone.execute(insert(8));
    await undone.rollback();
    assertEquals(sent(server).slice(1), ["BEGIN INSERT", "ROLLBACK"]);
    assertEquals(await ids(server), [1, 4, 5, 6, 7]);
  },
  withSockets,
);

for (const end of ["commit", "rollback"] as const) {
  Deno.test(`a WebSocket is opened for a transaction alone and ended with its ${end}`, async () => {
    await using server = await startNeon();
    const db = neon(server.url);
    await db.execute(table);
    assertEquals(server.connections, 0);
    for (let i = 1; i <= 3; i++) {
      const connection = await db.connect();
      assertEquals(server.sockets, 1);
      await connection.execute(insert(i));
      await connection[end]();
      await server.settled();
      assertEquals([server.sockets, server.connections], [0, i]);
    }
    await db.close();
    assertEquals(await ids(server), end === "commit" ? [1, 2, 3] : []);
  });
}

for (const when of ["beforeTrip", "afterTrip"] as const) {
  testEverywhere(`a socket that drops in the middle loses the transaction, ${when}`, async ({ db, server }) => {
    await db.execute(table);
    const connection = await db.connect();
    await connection.execute(insert(1));
    server[when] = (sql) => sql[0]?.includes("'x'") ? "cut" : undefined;
    for (const sql of ["INSERT INTO t VALUES (2, 'x')", "SELECT 1"]) {
      const error = await rejection(connection.execute(stmt(sql)));
      assertInstanceOf(error, TransactionLostError);
      assertEquals(error.notApplied, true);
    }
    await assertRejects(() => connection.commit([insert(3)]), TransactionLostError);
    await connection.rollback();
    await connection.rollback();
    await assertRejects(() => connection.execute(insert(3)), InvalidStateError);
    while (await server.db.connections() > 3);
    assertEquals(await ids(server), []);
    assertEquals(server.log.filter(({ sql }) => sql.includes(insert(3).sql)).length, 1);
  }, withManyConnections);

  Deno.test(`a socket that drops at COMMIT leaves the outcome open, ${when}`, async () => {
    await using server = await startNeon();
    const db = neon(server.url);
    await db.execute(table);
    server[when] = (sql) => sql.includes("COMMIT") ? "cut" : undefined;
    for (const [id, last] of [[1, []], [2, [insert(3)]]] as const) {
      const connection = await db.connect();
      await connection.execute(insert(id));
      const error = await rejection(connection.commit(last));
      assertInstanceOf(error, ConnectionError);
      assertEquals(error.notApplied, false);
      await connection.rollback();
      await assertRejects(() => connection.commit(), InvalidStateError);
    }
    await db.close();
    await server.settled();
    while (await server.db.connections() > 1);
    assertEquals(await ids(server), when === "beforeTrip" ? [] : [1, 2, 3]);
  });
}

testEverywhere("a connection that the server ends while it idles is lost at the next call", async ({ db, server }) => {
  await db.execute(table);
  const connection = await db.connect();
  await connection.execute(insert(1));
  await connection.execute(stmt("SET LOCAL idle_in_transaction_session_timeout = 1"));
  while (
    (await server.db.query(
      "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'",
    )).length > 0
  );
  const error = await rejection(connection.execute(insert(2)));
  assertInstanceOf(error, TransactionLostError);
  assertEquals([error.driverCode, error.notApplied], ["25P03", true]);
  await connection.rollback();
  assertEquals(await ids(server), []);
}, withManyConnections);

Deno.test("beside the open transaction of a Client all else is refused", async () => {
  const { Client } = await import("@neondatabase/serverless");
  await using server = await startNeon();
  const client = new Client(server.url); // Connected by the first call.
  const db = neon(client);
  await Promise.all([db.execute(table), db.execute(stmt("SELECT 1"))]);
  const connection = await db.connect();
  await connection.execute(insert(1));
  await assertRejects(() => db.execute(insert(2)), LockTimeoutError, "Pool");
  await assertRejects(() => db.connect(), LockTimeoutError);
  await connection.rollback();
  await db.execute(insert(3));
  assertEquals(await ids(server), [3]);
  await client.end();
  await assertRejects(() => db.execute(insert(4)), InvalidStateError, "its client was closed");
});

testEverywhere("conflicts have their class on both sides of the wire", async ({ db, server }) => {
  await db.execute(table);
  await db.execute(stmt("INSERT INTO t VALUES (1, ''), (2, '')"));
  const update = (id: number) => stmt("UPDATE t SET v = v || 'x' WHERE id = $1", id);
  const [one, two] = [await db.connect(), await db.connect()];
  await one.execute(update(1));
  await two.execute(update(2));
  const settled = await Promise.allSettled([one.execute(update(2)), two.execute(update(1))]);
  const [failed] = settled.filter(({ status }) => status === "rejected") as PromiseRejectedResult[];
  assertEquals(settled.filter(({ status }) => status === "rejected").length, 1);
  assertInstanceOf(failed!.reason, DeadlockError);
  await Promise.all([one.rollback(), two.rollback()]);

  const [three, four] = [await snapshot(db), await snapshot(db)];
  await three.commit([update(1)]);
  await assertRejects(() => four.execute(update(1)), SerializationError);
  await four.rollback();

  const five = await db.connect();
  await five.execute(update(1));
  const six = await db.connect();
  await assertRejects(() => six.execute(stmt("SELECT * FROM t WHERE id = 1 FOR UPDATE NOWAIT")), LockTimeoutError);
  await Promise.all([five.rollback(), six.rollback()]);
  assertEquals((await server.db.query("SELECT v FROM t ORDER BY id")).map(({ v }) => v), ["x", ""]);
}, withManyConnections);

async function snapshot(db: Database) {
  const connection = await db.connect({ isolation: "repeatable read" });
  await connection.execute(stmt("SELECT * FROM t"));
  return connection;
}

testEverywhere("a prepared transaction is ended by its name, from another connection", async ({ db, server }) => {
  await db.execute(table);
  const twoPhase = db.twoPhase!;
  const names = ["a.1:b-C_2", "two", "three"].map((name) => name + crypto.randomUUID());
  const [first, second, third] = names as [string, string, string];
  for (const [i, name] of [first, second].entries()) {
    const connection = await twoPhase.connect(name, { isolation: "serializable" });
    await connection.execute(insert(i));
    await connection.prepare();
    await assertRejects(() => connection.execute(insert(9)), InvalidStateError);
    await connection.rollback(); // Its end is its name's now.
  }
  assertEquals(await ids(server), []);
  assertEquals(await twoPhase.list(), [first, second]);
  server.reset();
  await twoPhase.commit(first);
  await twoPhase.rollback(second);
  await twoPhase.rollback(third);
  assertEquals(server.requests, 3);
  assertEquals([await ids(server), await twoPhase.list()], [[0], []]);
  const error = await rejection(twoPhase.commit(first)) as DatabaseError;
  assertEquals([error.driverCode, error.notApplied], ["42704", true]);
  const plain = await twoPhase.connect(third);
  await plain.commit([insert(5)]);
  assertEquals([await ids(server), await twoPhase.list()], [[0, 5], []]);
  for (const bad of ["", "a'b", "x".repeat(65), "é"]) {
    await assertRejects(() => twoPhase.connect(bad), ValidationError, "1 to 64 characters");
    await assertRejects(() => twoPhase.commit(bad), ValidationError);
  }
}, withSockets);

testEverywhere("there is no two-phase commit without WebSockets", ({ db }) => {
  assertEquals(db.twoPhase, undefined);
  return Promise.resolve();
}, setups.filter((setup) => !withSockets.includes(setup)));

testEverywhere(
  "a server that prepares nothing is named, and the transaction is rolled back",
  async ({ db, server }) => {
    await db.execute(table);
    // What it says where max_prepared_transactions is 0.
    const failing = stmt(
      "CREATE CONSTRAINT TRIGGER c AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f()",
    );
    await db.execute(stmt(
      "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS " +
        "$$ BEGIN RAISE SQLSTATE '55000' USING MESSAGE = 'prepared transactions are disabled'; END $$",
    ));
    await db.execute(failing);
    const connection = await db.twoPhase!.connect("a");
    await connection.execute(insert(1));
    await assertRejects(() => connection.prepare(), UnsupportedError, "max_prepared_transactions");
    assertEquals(await ids(server), []);
  },
  withSockets,
);
