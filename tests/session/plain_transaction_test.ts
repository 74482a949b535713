/** A transaction of statements, where what runs in it is not awaited. */
import { assertEquals, assertRejects } from "@std/assert";
import { libsql } from "../../adapters/libsql_local.ts";
import { CommitOutcomeUnknownError, InvalidStateError, StatementError, transaction } from "../../mod.ts";
import { noting } from "./routing_kit.ts";

Deno.test("a savepoint that outlives its transaction sends nothing any more, and says why", async () => {
  await using inner = libsql({ url: ":memory:" });
  const { db, sent } = noting(inner, "db");
  let end = () => {};
  const open = new Promise<void>((resolve) => end = resolve);
  let savepoint: Promise<void> | undefined;
  await transaction(db, (tx) => {
    savepoint = tx.savepoint(() => open);
  });
  assertEquals(sent.splice(0), ["BEGIN", "SAVEPOINT", "COMMIT"]);
  end();
  await assertRejects(() => savepoint!, InvalidStateError, "the transaction has ended");
  assertEquals(sent, []);
});

Deno.test("a transaction given up for an error of Ledge's own while its COMMIT is out is of unknown outcome", async () => {
  await using inner = libsql({ url: ":memory:" });
  const { db } = noting(inner, "db");
  const controller = new AbortController();
  const reason = new StatementError("what runs beside it failed");
  const { connect } = db;
  db.connect = async (options) => {
    const connection = await connect(options);
    const commit = connection.commit.bind(connection);
    connection.commit = async (last) => {
      await commit(last);
      controller.abort(reason);
      throw reason;
    };
    return connection;
  };
  const error = await assertRejects(
    () => transaction(db, (tx) => tx.execute("CREATE TABLE notes (id INTEGER)"), { signal: controller.signal }),
    CommitOutcomeUnknownError,
  );
  assertEquals([error.cause, error.notApplied], [reason, false]);
  assertEquals((await inner.execute({ sql: "SELECT * FROM notes", params: [] })).rows, []);
});
