/**
 * What a condition of a commit sees on MySQL: the transaction's snapshot, or the latest where it locks what it reads.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import { model, RequirementError, Session, sql, t } from "../../mod.ts";
import { test } from "./kit.ts";

class Stock extends model("stocks", { id: t.integer().primaryKey(), pieces: t.integer() }) {}
class Sale extends model("sales", { id: t.uuid().primaryKey(), stockId: t.integer("stock_id") }) {}

test(
  "session.require() with FOR UPDATE inside sees what is committed, also after a read",
  [Stock, Sale],
  async (place) => {
    const { db, front } = place;
    await front.run("INSERT INTO stocks (id, pieces) VALUES (1, 5)");
    await using session = new Session({ bind: db });
    await session.begin({ mode: "interactive" });
    assertEquals((await session.getOne(Stock, 1)).pieces, 5);
    await front.run("UPDATE stocks SET pieces = 0 WHERE id = 1");
    session.add(new Sale({ stockId: 1 }));
    session.require(sql`(SELECT pieces FROM stocks WHERE id = ${1} FOR UPDATE) > 0`, "sold out");
    await assertRejects(() => session.commit(), RequirementError, "sold out");
    await session.rollback();
    assertEquals(await front.run("SELECT id FROM sales"), []);
  },
);
