/**
 * Transactions without a session: statements only.
 *
 * @module
 */
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  CommitOutcomeUnknownError,
  type Connection,
  ConnectionError,
  type Database,
  InvalidStateError,
  NotNullViolationError,
  sql,
  type StatementTransaction,
  type Transacting,
  transaction,
  UniqueViolationError,
  UnsupportedError,
  ValidationError,
} from "../../mod.ts";
import { type Place, type Target, test } from "./setup.ts";

const insert = (id: number, name: string | null) =>
  sql`INSERT INTO makers (id, name, version) VALUES (${id}, ${name}, 1)`;

export function plainTransactionSuite(target: Target): void {
  const inTransaction = (
    name: string,
    body: (place: Place, run: <R>(fn: (tx: StatementTransaction) => Promise<R> | R) => Promise<R>) => Promise<void>,
  ): void =>
    test(target, name, (place) => {
      if (target.expects.interactive) return body(place, (fn) => transaction(place.db, fn));
      return refusedWithoutConversation(place);
    });

  inTransaction("transaction() commits what its function ran, and gives what it returns", async (place, run) => {
    const value = await run(async (tx) => {
      await tx.execute(insert(1, "Ann"));
      const result = await tx.execute(place.text("SELECT name FROM makers WHERE id = ?"), [1]);
      return result.scalar();
    });
    assertEquals(value, "Ann");
    assertEquals(await place.column("makers", "name"), ["Ann"]);
  });

  inTransaction("transaction() rolls back when its function throws, and throws that", async (place, run) => {
    const mine = new Error("mine");
    const error = await assertRejects(() =>
      run(async (tx) => {
        await tx.execute(insert(1, "Ann"));
        throw mine;
      })
    );
    assertStrictEquals(error, mine);
    assertEquals(await place.rows("makers"), 0);
  });

  inTransaction("transaction() takes text, many sets of values, and named ones", async (place, run) => {
    const many = place.text("INSERT INTO makers (id, name, version) VALUES (?, ?, 1)");
    const result = await run((tx) => tx.execute(many, [[1, "Ann"], [2, "Bo"]]));
    assertEquals(result.rowsAffected, 2);
    await run((tx) => tx.execute("UPDATE makers SET name = :to WHERE name = :from", { to: "Anna", from: "Ann" }));
    assertEquals(await place.column("makers", "name"), ["Anna", "Bo"]);
  });

  inTransaction("tx.savepoint() undoes what its function ran when it throws, and nothing else", async (place, run) => {
    await run(async (tx) => {
      await tx.execute(insert(1, "Ann"));
      assertEquals(await tx.savepoint(() => tx.execute(insert(2, "Bo")).then(() => "kept")), "kept");
      await assertRejects(() =>
        tx.savepoint(async (inner) => {
          await inner.execute(insert(3, "Cy"));
          await inner.savepoint(() => inner.execute(insert(4, "Dee")));
          throw new RangeError("mine");
        }), RangeError);
      await assertRejects(() => tx.savepoint(() => tx.execute(insert(1, "Eve"))), UniqueViolationError);
      await tx.execute(insert(5, "Flo"));
    });
    assertEquals(await place.column("makers", "name"), ["Ann", "Bo", "Flo"]);
  });

  inTransaction("a statement that cost the transaction is thrown, whatever became of its error", async (place, run) => {
    const work = run(async (tx) => {
      await tx.execute(insert(1, "Ann"));
      await tx.execute(insert(2, null)).catch(() => {});
    });
    if (place.db.dialect.failureAborts) {
      await assertRejects(() => work, NotNullViolationError);
      assertEquals(await place.rows("makers"), 0);
    } else {
      await work;
      assertEquals(await place.column("makers", "name"), ["Ann"]);
    }
  });

  inTransaction("calls that overlap run in the order in which they were made", async (place, run) => {
    await run(async (tx) => {
      await Promise.all([1, 2, 3, 4].map((id) => tx.execute(insert(id, `Maker ${id}`))));
      void tx.execute(insert(5, "Not awaited"));
    });
    assertEquals(await place.column("makers", "id"), [1, 2, 3, 4, 5]);
  });

  inTransaction("a transaction that has ended refuses work, and so does a statement that ends one", async (_, run) => {
    let late!: StatementTransaction;
    await run(async (tx) => {
      late = tx;
      await assertRejects(() => tx.execute("COMMIT"), ValidationError, "COMMIT");
      await assertRejects(() => tx.execute("SELECT 1; SELECT 2"), ValidationError, "one statement");
      await assertRejects(() => tx.execute("SELECT 1", [1]), ValidationError, "0 placeholders");
      await assertRejects(() => tx.savepoint(undefined as never), ValidationError, "needs a function");
    });
    await assertRejects(() => late.execute("SELECT 1"), InvalidStateError, "the transaction has ended");
    await assertRejects(() => late.savepoint(() => {}), InvalidStateError, "the transaction has ended");
  });

  inTransaction("transaction() refuses options that are not there or cannot be honoured", async (place) => {
    const refused = (options: unknown) => () => transaction(place.db, () => {}, options as never);
    await assertRejects(refused({ level: 1 }), ValidationError, '"level"');
    await assertRejects(refused({ isolation: "chaos" }), ValidationError, "isolation");
    await assertRejects(refused({ timeout: -1 }), ValidationError, "timeout");
    await assertRejects(() => transaction(place.db, 1 as never), ValidationError, "needs a function");
    if (place.db.dialect.settings === undefined) {
      await assertRejects(refused({ settings: { a: "b" } }), UnsupportedError, "settings");
    } else {
      const value = await transaction(
        place.db,
        async (tx) => (await tx.execute("SELECT current_setting('app.who')")).scalar(),
        { settings: { "app.who": "ann" }, isolation: "serializable" },
      );
      assertEquals(value, "ann");
    }
  });

  inTransaction("a commit whose answer was lost is an outcome that is not known", async (place) => {
    const connect = async () => losing(await place.db.connect());
    const lossy: Database = Object.create(place.db, { connect: { value: connect } });
    const error = await assertRejects(
      () => transaction(lossy, (tx) => tx.execute(insert(1, "Ann"))),
      CommitOutcomeUnknownError,
      "may or may not have been applied",
    );
    assertEquals(error.cause instanceof ConnectionError, true);
    assertEquals(await place.rows("makers"), 1);
  });

  inTransaction("db.transaction() is the same, on the databases of adapters", async (place) => {
    const { db } = place;
    if (!isTransacting(db)) return; // a wrapper of the tests' own; the adapter's is seen on another target
    await db.transaction(async (tx) => {
      await tx.execute(insert(1, "Ann"));
      await assertRejects(() => tx.savepoint(() => tx.execute(insert(1, "Bo"))), UniqueViolationError);
    });
    await assertRejects(() => db.transaction(() => {}, { level: 1 } as never), ValidationError, '"level"');
    const count = await db.transaction(async (tx) => (await tx.execute("SELECT count(*) FROM makers")).scalar());
    assertEquals(Number(count), 1);
  });
}

function isTransacting(db: Database): db is Database & Transacting {
  return "transaction" in db;
}

/** A database without conversations says so before anything is sent. */
async function refusedWithoutConversation(place: Place): Promise<void> {
  const { db } = place;
  const calls = [() => transaction(db, () => {})];
  if (isTransacting(db)) calls.push(() => db.transaction(() => {}));
  for (const call of calls) {
    assertEquals(await place.requests(() => assertRejects(call, UnsupportedError)), 0);
  }
}

/** A connection whose commit succeeds, with an answer that does not come. */
function losing(connection: Connection): Connection {
  return Object.create(connection, {
    execute: { value: connection.execute.bind(connection) },
    rollback: { value: connection.rollback.bind(connection) },
    commit: {
      async value(): Promise<never> {
        await connection.commit();
        throw new ConnectionError("The answer was lost", { notApplied: false });
      },
    },
  });
}
