/** What `@ledge/session/two_phase` says where there is no two-phase commit, and the table that it needs. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { libsql } from "../../adapters/libsql_local.ts";
import { createAll, type Database, model, Session, t, UnsupportedError } from "../../mod.ts";
import { createTwoPhaseTables, prepare, twoPhaseTables } from "../../src/two_phase/mod.ts";

class Book extends model("books", { id: t.uuid().primaryKey(), title: t.text() }) {}

Deno.test("prepare() is refused before anything is sent where a database has no two-phase commit", async () => {
  const db = libsql({ url: ":memory:" });
  await createAll(db, [Book]);
  let sent = 0;
  const counted: Database = {
    dialect: db.dialect,
    capabilities: db.capabilities,
    description: db.description,
    execute: (statement, options) => (sent++, db.execute(statement, options)),
    batch: (statements, options) => (sent++, db.batch!(statements, options)),
    connect: (options) => (sent++, db.connect(options)),
    close: () => db.close(),
  };
  await using session = new Session({ bind: counted });
  session.add(new Book({ title: "a" }));
  const error = await assertRejects(() => prepare(session), UnsupportedError);
  assertStringIncludes(error.message, db.description);
  assertEquals(sent, 0);
  await session.rollback();
  await db.close();
});

Deno.test("twoPhaseTables() gives what createTwoPhaseTables() runs: the table ledge_commit, made where it is not there", async () => {
  const [given, made] = [libsql({ url: ":memory:" }), libsql({ url: ":memory:" })];
  for (const statement of twoPhaseTables(given.dialect)) await given.execute(statement);
  for (let i = 0; i < 2; i++) await createTwoPhaseTables(made);
  const tables = await Promise.all([given, made].map(async (db) => {
    const { rows } = await db.execute({ sql: "SELECT name, sql FROM sqlite_master WHERE type = 'table'", params: [] });
    await db.close();
    return rows;
  }));
  assertEquals(tables[0], tables[1]);
  assertEquals(tables[0]!.map(([name]) => name), ["ledge_commit"]);
});
