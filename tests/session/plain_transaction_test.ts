/** A transaction of statements, where what runs in it is not awaited. */
import { assertEquals, assertRejects } from "@std/assert";
import { libsql } from "../../adapters/libsql_local.ts";
import { InvalidStateError, transaction } from "../../mod.ts";
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
