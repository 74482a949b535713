/** A session a scope. */
import {
  assert,
  assertEquals,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  createAll,
  InvalidStateError,
  model,
  objectSession,
  scopedSession,
  Session,
  sessionFactory,
  t,
  ValidationError,
} from "@ledge/session";
import { bulkInsert } from "@ledge/session/bulk";
import { asyncScope } from "@ledge/session/context";
import { libsql } from "@ledge/session/libsql/local";

class Book extends model("books", { id: t.uuid().primaryKey(), title: t.text() }) {}

async function setUp() {
  const db = libsql({ url: ":memory:" });
  await createAll(db, [Book]);
  const factory = sessionFactory({ bind: db, info: { from: "factory" } });
  const place = { key: {} as unknown };
  const session = scopedSession(factory, () => place.key);
  return { db, factory, place, session, [Symbol.asyncDispose]: () => db.close() };
}

/** What a session has: the members of its prototype and its own. */
function membersOf(session: Session): PropertyKey[] {
  return [...Reflect.ownKeys(Session.prototype), ...Reflect.ownKeys(session)].filter((one) => one !== "constructor");
}

Deno.test("scopedSession() has every member of a session, from the scope's own", async () => {
  await using env = await setUp();
  const own = env.session();
  const missing = membersOf(own).filter((member) => {
    const real: unknown = Reflect.get(own, member);
    const given: unknown = Reflect.get(env.session, member);
    if (member === "remove" || typeof real === "object" && real !== null) return given === undefined;
    return typeof real === "function" ? typeof given !== "function" : given !== real;
  });
  assertEquals(missing, []);
  assert(membersOf(own).length > 40);
  assert(env.session instanceof Session);
  assert("commit" in env.session && !("nothing" in env.session));
});

Deno.test("scopedSession() runs its members on the session of the scope", async () => {
  await using env = await setUp();
  const { session } = env;
  const book = session.add(new Book({ title: "Edges" }));
  assertStrictEquals(objectSession(book), session());
  assertEquals([...session], [book]);
  session.autoflush = false;
  assertEquals([session().autoflush, session.info.from], [false, "factory"]);
  await bulkInsert(session, Book, [{ title: "Shores" }]);
  const { commit } = session;
  await commit();
  assertEquals(await session.query(Book).count(), 2);
  await session.remove(book);
  assertEquals(session.deleted.size, 1);
  await session.remove();
});

Deno.test("scopedSession() has one session for each key, of whatever kind the key is", async () => {
  await using env = await setUp();
  const { place, session } = env;
  const keys: unknown[] = [{}, [], () => {}, "a", "", 0, 1n, false, Symbol("key")];
  const sessions = keys.map((key) => {
    place.key = key;
    const made = session();
    assertStrictEquals(session(), made);
    return made;
  });
  assertEquals(new Set(sessions).size, keys.length);
  for (const key of keys) {
    place.key = key;
    await session.remove();
    assertEquals(session.registry.has(), false);
  }
});

Deno.test("scopedSession() is refused where there is no scope", async () => {
  await using env = await setUp();
  for (const key of [undefined, null]) {
    env.place.key = key;
    assertThrows(() => env.session.new, InvalidStateError, "there is no scope here");
    await assertRejects(() => env.session.remove(), InvalidStateError, "there is no scope here");
  }
});

Deno.test("scopedSession() is not called with options when the scope has a session", async () => {
  await using env = await setUp();
  const { session } = env;
  assertEquals(session({ autoflush: false }).autoflush, false);
  assertThrows(() => session({ autoflush: true }), InvalidStateError, "remove() it first");
  assertThrows(() => session({}), InvalidStateError, "has a session already");
  await session.remove();
  assertEquals(session({ autoflush: true }).autoflush, true);
});

Deno.test("scopedSession().remove() rolls back, closes and forgets the session", async () => {
  await using env = await setUp();
  const { session } = env;
  const first = session();
  const book = session.add(new Book({ title: "Edges" }));
  await session.flush();
  await session.remove();
  assertEquals([first.state, session.registry.has(), objectSession(book)], ["closed", false, null]);
  await session.remove(); // of nothing
  assertEquals(session.registry.has(), false);
  assertNotStrictEquals(session(), first);
  assertEquals(await session.query(Book).count(), 0);
});

Deno.test("scopedSession() makes a new session when the scope's was closed", async () => {
  await using env = await setUp();
  const first = env.session();
  await env.session.close();
  assertEquals(env.session.registry.peek(), null);
  assertNotStrictEquals(env.session(), first);
  assertEquals(env.session.state, "open");
});

Deno.test("scopedSession() makes no session when it is only looked at", async () => {
  await using env = await setUp();
  const { session } = env;
  assertStrictEquals(await session, session);
  assertEquals(session.constructor, Session);
  assert(Deno.inspect(session).length > 0);
  assertEquals(JSON.stringify({ session }), "{}");
  assertEquals(session.registry.has(), false);
});

Deno.test("scopedSession().configure() changes the options of later sessions", async () => {
  await using env = await setUp();
  const { session, place } = env;
  const before = session();
  session.configure({ autoflush: false });
  place.key = {};
  assertEquals([before.autoflush, session.autoflush], [true, false]);
  assertThrows(() => session.configure({ nothing: 1 } as never), ValidationError, "nothing");
});

Deno.test("scopedSession().registry takes a session of the caller's", async () => {
  await using env = await setUp();
  const mine = new Session({ bind: env.db });
  env.session.registry.set(mine);
  assertStrictEquals(env.session(), mine);
  env.session.registry.clear();
  assertEquals([env.session.registry.has(), mine.state], [false, "open"]);
});

Deno.test("registry.get() makes the session of a scope once, and peek() and has() make none", async () => {
  await using env = await setUp();
  const { registry } = env.session;
  assertEquals([registry.peek(), registry.has()], [null, false]);
  const made = registry.get({ info: { from: "get" } });
  assertEquals([made.info, registry.has()], [{ from: "get" }, true]);
  assertStrictEquals(registry.get(), made);
  assertStrictEquals(registry.peek(), made);
  assertThrows(() => registry.get({}), InvalidStateError, "has a session already");
});

Deno.test("scopedSession() refuses what is no factory and no scope", async () => {
  await using env = await setUp();
  assertThrows(() => scopedSession({} as never, () => 1), ValidationError, "needs a factory");
  assertThrows(() => scopedSession(env.factory), ValidationError, "needs a scope");
  assertThrows(() => scopedSession(env.factory, 1 as never), ValidationError, "needs a scope");
});

Deno.test("sessionFactory() with scoped gives the session of the scope", async () => {
  await using env = await setUp();
  const { db, place } = env;
  const factory = sessionFactory({ bind: db, scoped: true, scope: () => place.key });
  const first = factory();
  assertStrictEquals(factory(), first);
  assertThrows(() => factory({ autoflush: false }), InvalidStateError, "has a session already");
  assertStrictEquals(factory.registry?.peek(), first);
  const scoped = scopedSession(factory);
  assertStrictEquals(scoped(), first);
  await factory.begin((session) => assertNotStrictEquals(session, first));
  place.key = {};
  assertNotStrictEquals(factory(), first);
  await scoped.remove();
  assertThrows(() => scopedSession(factory, () => 1), ValidationError, "has one already");
});

Deno.test("sessionFactory() refuses a scope that is not scoped, and scoped without a scope", async () => {
  await using env = await setUp();
  const bind = env.db;
  assertThrows(() => sessionFactory({ bind, scoped: true }), ValidationError, "needs a scope");
  assertThrows(() => sessionFactory({ bind, scope: () => 1 }), ValidationError, "add scoped: true");
  assertThrows(() => sessionFactory({ bind, scoped: "yes" as never }), ValidationError, "scoped must be true or false");
  assertEquals(sessionFactory({ bind, scoped: false }).registry, null);
  assertThrows(() => env.factory.configure({ scoped: true } as never), ValidationError, "scoped");
});

Deno.test("asyncScope keeps the sessions of concurrent requests apart, however they interleave", async () => {
  await using env = await setUp();
  const session = scopedSession(env.factory, asyncScope);
  const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
  const seen = await Promise.all(Array.from({ length: 20 }, (_, i) =>
    asyncScope.run(async () => {
      const mine = session();
      await turn();
      session.add(new Book({ title: `Volume ${i}` }));
      await turn();
      assertStrictEquals(session(), mine);
      assertEquals([...session.new].map((book) => (book as Book).title), [`Volume ${i}`]);
      await Promise.all([turn(), turn().then(() => assertStrictEquals(session(), mine))]);
      await session.remove();
      return mine;
    })));
  assertEquals(new Set(seen).size, 20);
  assertThrows(() => session.new, InvalidStateError, "asyncScope.run()");
});
