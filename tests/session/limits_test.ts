/** How long a call may take: signal and timeout reach the database with what the call sends. */
import { assertEquals, assertStrictEquals } from "@std/assert";
import { libsql } from "../../adapters/libsql_local.ts";
import { type CallOptions, createAll, type Database, model, Session, sql, t } from "../../mod.ts";

class Book extends model("books", { id: t.uuid().primaryKey(), title: t.text() }) {}

Deno.test("session.commit() gives its signal and timeout to the database, by batch and on a connection", async () => {
  const db = libsql({ url: ":memory:" });
  await createAll(db, [Book]);
  const given: (readonly [call: string, options: CallOptions | undefined])[] = [];
  const spied: Database = {
    dialect: db.dialect,
    capabilities: db.capabilities,
    description: db.description,
    execute: (statement, options) => db.execute(statement, options),
    batch: (statements, options) => {
      given.push(["batch", options]);
      return db.batch!(statements, options);
    },
    connect: async (options) => {
      const connection = await db.connect(options);
      const commit = connection.commit.bind(connection);
      connection.commit = (last, options) => {
        given.push(["connection", options]);
        return commit(last, options);
      };
      return connection;
    },
    close: () => db.close(),
  };
  const { signal } = new AbortController();
  await using session = new Session({ bind: spied });
  session.add(new Book({ title: "a" }));
  session.require(sql`(SELECT count(*) FROM books) = 1`); // one statement would go without a batch
  await session.commit({ signal, timeout: 60_000 });
  session.add(new Book({ title: "b" }));
  await session.flush();
  await session.commit({ signal, timeout: 50_000 });
  assertEquals(given.map(([call, options]) => [call, options?.timeout]), [["batch", 60_000], ["connection", 50_000]]);
  for (const [, options] of given) assertStrictEquals(options?.signal, signal);
  await session.close();
  await db.close();
});
