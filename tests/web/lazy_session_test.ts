/** A session that is made on first touch. */
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { createAll, InvalidStateError, model, objectSession, Session, t } from "@ledge/session";
import { libsql } from "@ledge/session/libsql/local";
import { lazySession } from "../../src/web/lazy_session.ts";

class Book extends model("books", { id: t.uuid().primaryKey(), title: t.text() }) {}

async function setUp() {
  const db = libsql({ url: ":memory:" });
  await createAll(db, [Book]);
  let made = 0;
  const lazy = lazySession(() => {
    made++;
    return new Session({ bind: db, info: { from: "make" } });
  });
  return { db, lazy, count: () => made, [Symbol.asyncDispose]: () => db.close() };
}

Deno.test("lazySession() makes no session when it is only looked at", async () => {
  await using env = await setUp();
  const { session } = env.lazy;
  assert(session instanceof Session);
  assertStrictEquals(session.constructor, Session);
  assertEquals(JSON.stringify({ session }), '{"session":{}}');
  assert(Deno.inspect(session).includes("Session"));
  assert(Deno.inspect({ session }, { showProxy: true }).includes("Session"));
  assertStrictEquals(await session, session);
  assertEquals(Object.keys(session), []);
  assert("commit" in session);
  assertEquals(env.lazy.made(), null);
  assertEquals(env.lazy.made(), null);
  assertEquals(env.count(), 0);
});

Deno.test("lazySession() makes one session when it is used several times", async () => {
  await using env = await setUp();
  const { session } = env.lazy;
  const book = session.add(new Book({ title: "Edges" }));
  assert(env.lazy.made() !== null);
  assert(session.has(book));
  assertEquals([...session], [book]);
  await session.commit();
  assertEquals(await session.query(Book).count(), 1);
  assertEquals(env.count(), 1);
  assertStrictEquals(objectSession(book), env.lazy.made());
  await env.lazy.end();
});

Deno.test("lazySession() forwards properties and methods that were taken off it", async () => {
  await using env = await setUp();
  const { session } = env.lazy;
  session.autoflush = false;
  assertEquals(env.lazy.made()?.autoflush, false);
  assertEquals(session.info, { from: "make" });
  assertEquals(Object.keys(session).includes("info"), true);
  const { add, query } = session;
  add(new Book({ title: "Edges" }));
  assertEquals(session.new.size, 1);
  assertEquals(await query(Book).count(), 0);
  await session.transaction((inner) => assertStrictEquals(inner, env.lazy.made()));
  await env.lazy.end();
});

Deno.test("lazySession() can be disposed of when it is used with await using", async () => {
  await using env = await setUp();
  {
    await using session = env.lazy.session;
    session.add(new Book({ title: "Edges" }));
  }
  assertEquals(env.lazy.made()?.state, "closed");
  await env.lazy.end();
});

Deno.test("lazySession() tries again when making the session threw", () => {
  let fails = true;
  const lazy = lazySession(() => {
    if (fails) throw new TypeError("No database yet");
    return new Session({ bind: libsql({ url: ":memory:" }) });
  });
  assertThrows(() => lazy.session.state, TypeError, "No database yet");
  assertEquals(lazy.made(), null);
  fails = false;
  assertEquals(lazy.session.state, "open");
});

Deno.test("end() rolls back and closes when there are changes", async () => {
  await using env = await setUp();
  const { session } = env.lazy;
  const book = session.add(new Book({ title: "Edges" }));
  await session.flush();
  await env.lazy.end();
  assertEquals(session.state, "closed");
  assertEquals(objectSession(book), null);
  await assertRejects(() => session.query(Book).all(), InvalidStateError, "closed");
  await using other = new Session({ bind: env.db });
  assertEquals(await other.query(Book).count(), 0);
});

Deno.test("end() gives instances their values back when changes were not committed", async () => {
  await using env = await setUp();
  const { session } = env.lazy;
  const book = session.add(new Book({ title: "Edges" }));
  await session.commit();
  await session.query(Book).one();
  book.title = "More";
  await env.lazy.end();
  assertEquals(book.title, "Edges");
});

Deno.test("end() lets no session be made when none was", async () => {
  await using env = await setUp();
  await env.lazy.end();
  await env.lazy.end();
  assertThrows(() => env.lazy.session.state, InvalidStateError, "has been answered");
  assertEquals(env.count(), 0);
});

Deno.test("end() does not throw when the rollback fails", async () => {
  const broken = lazySession(() =>
    Object.create(Session.prototype, {
      state: { get: () => "open" },
      inTransaction: { value: () => true },
      rollback: { value: () => Promise.reject(new Error("The connection is gone")) },
      close: { value: () => Promise.reject(new Error("So it is")) },
    })
  );
  assertEquals(broken.session.state, "open");
  await broken.end();
});
