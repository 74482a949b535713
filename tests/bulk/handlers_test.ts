/** Bulk writes among the events of a session. */
import { assertEquals } from "@std/assert";
import { createAll, model, Session, t } from "@ledge/session";
import { bulkInsert } from "@ledge/session/bulk";
import { libsql } from "@ledge/session/libsql/local";

class Entry extends model("entries", { id: t.uuid().primaryKey(), text: t.text() }) {}

async function setUp() {
  const db = libsql({ url: ":memory:" });
  await createAll(db, [Entry]);
  const session = new Session({ bind: db });
  const events: string[] = [];
  for (const name of ["beforeFlush", "afterFlush", "beforeCommit", "afterCommit"] as const) {
    session.on(name, () => void events.push(name));
  }
  const texts = async (): Promise<unknown[]> =>
    (await db.execute({ sql: "SELECT text FROM entries ORDER BY text", params: [] })).rows.map(([text]) => text);
  return { db, session, events, texts, [Symbol.asyncDispose]: () => db.close() };
}

Deno.test("bulkInsert() is flushed with the commit, between its events", async () => {
  await using env = await setUp();
  await bulkInsert(env.session, Entry, [{ text: "a" }]);
  assertEquals(env.events, []);
  await env.session.commit();
  assertEquals(env.events, ["beforeCommit", "beforeFlush", "afterFlush", "afterCommit"]);
});

Deno.test("bulkInsert() at once has the events of a flush", async () => {
  await using env = await setUp();
  await env.session.start();
  await bulkInsert(env.session, Entry, [{ text: "a" }]);
  assertEquals(env.events, ["beforeFlush", "afterFlush"]);
  await env.session.rollback();
  assertEquals(await env.texts(), []);
});

Deno.test("a handler of beforeCommit or beforeFlush may write in bulk: its rows travel along", async () => {
  for (const name of ["beforeCommit", "beforeFlush"] as const) {
    await using env = await setUp();
    const { session } = env;
    session.on(name, () => bulkInsert(session, Entry, [{ text: "by the handler" }]));
    session.add(new Entry({ text: "own" }));
    await session.commit();
    assertEquals(await env.texts(), ["by the handler", "own"]);
  }
});

Deno.test("a handler may write in bulk on an open connection too", async () => {
  await using env = await setUp();
  const { session } = env;
  await session.start();
  let count = 0;
  session.on("beforeFlush", async () => {
    if (count++ === 0) await bulkInsert(session, Entry, [{ text: "by the handler" }]);
  });
  session.add(new Entry({ text: "own" }));
  await session.flush();
  await session.commit();
  assertEquals(await env.texts(), ["by the handler", "own"]);
});
