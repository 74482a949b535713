/** The session of the current async context. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  createAll,
  InvalidStateError,
  model,
  scopedSession,
  Session,
  sessionFactory,
  SessionManagerError,
  t,
  UniqueViolationError,
  ValidationError,
} from "@ledge/session";
import { currentSession, sessionManager } from "@ledge/session/context";
import { libsql } from "@ledge/session/libsql/local";

class Book extends model("books", { id: t.uuid().primaryKey(), title: t.text().unique() }) {}

async function setUp() {
  const db = libsql({ url: ":memory:" });
  await createAll(db, [Book]);
  const using = sessionFactory({ bind: db });
  const titles = async (): Promise<unknown[]> =>
    (await db.execute({ sql: "SELECT title FROM books ORDER BY title", params: [] })).rows.map(([title]) => title);
  return { db, using, titles, [Symbol.asyncDispose]: () => db.close() };
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.random() * 3));

Deno.test("sessionManager() makes a session, which currentSession() finds, and closes it", async () => {
  await using env = await setUp();
  const session = await sessionManager({ using: env.using }, async (made) => {
    assertStrictEquals(currentSession(), made);
    await turn();
    assertStrictEquals(currentSession(), made);
    return made;
  });
  assertEquals(session.state, "closed");
  assertThrows(() => currentSession(), InvalidStateError, "There is no current session");
});

Deno.test("sessionManager() commits with autoCommit only", async () => {
  await using env = await setUp();
  await sessionManager({ using: env.using }, (session) => session.add(new Book({ title: "Lost" })));
  assertEquals(await env.titles(), []);
  const added = await sessionManager(
    { using: env.using, autoCommit: true },
    (session) => session.add(new Book({ title: "Kept" })),
  );
  assertInstanceOf(added, Book);
  assertEquals(await env.titles(), ["Kept"]);
});

Deno.test("sessionManager() inside another gives its session, and leaves it open and uncommitted", async () => {
  await using env = await setUp();
  await sessionManager({ using: env.using }, async (outer) => {
    await sessionManager({}, (inner) => {
      assertStrictEquals(inner, outer);
      inner.add(new Book({ title: "Edges" }));
    });
    await sessionManager({ using: env.using, onMissing: "raise" }, (inner) => assertStrictEquals(inner, outer));
    assertEquals([outer.state, outer.new.size], ["open", 1]);
    await sessionManager({ autoCommit: true }, () => {});
    assertEquals(outer.new.size, 0);
  });
  assertEquals(await env.titles(), ["Edges"]);
});

Deno.test("sessionManager() with new makes another session, and the outer one is current again afterwards", async () => {
  await using env = await setUp();
  await sessionManager({ using: env.using }, async (outer) => {
    outer.add(new Book({ title: "Outer" }));
    const fresh = await sessionManager({ new: true, autoCommit: true }, async (inner) => {
      assertNotStrictEquals(inner, outer);
      assertStrictEquals(currentSession(), inner);
      await sessionManager({}, (innermost) => assertStrictEquals(innermost, inner));
      inner.add(new Book({ title: "Inner" }));
      await turn();
      return inner;
    });
    assertEquals([fresh.state, outer.state, outer.new.size], ["closed", "open", 1]);
    assertStrictEquals(currentSession(), outer);
  });
  assertEquals(await env.titles(), ["Inner"]);
});

Deno.test("sessionManager() uses a given session and leaves it open", async () => {
  await using env = await setUp();
  await using mine = new Session({ bind: env.db });
  await sessionManager({ using: mine }, (session) => {
    assertStrictEquals(session, mine);
    assertStrictEquals(currentSession(), mine);
    session.add(new Book({ title: "Edges" }));
  });
  assertEquals([mine.state, mine.new.size], ["open", 1]);
  await sessionManager({ using: mine, autoCommit: true }, () => {});
  assertEquals([mine.state, await env.titles()], ["open", ["Edges"]]);
});

Deno.test("sessionManager() with a factory other than the context's makes a session of that one", async () => {
  await using env = await setUp();
  const other = sessionFactory({ bind: env.db, info: { from: "other" } });
  await sessionManager({ using: env.using }, async (outer) => {
    await sessionManager(
      { using: other },
      (inner) => assertEquals([inner === outer, inner.info.from], [false, "other"]),
    );
    await assertRejects(() => sessionManager({ using: other, onMissing: "raise" }, () => {}), InvalidStateError);
  });
});

Deno.test("sessionManager() with onMissing says what to do where there is no session", async () => {
  await using env = await setUp();
  const { using } = env;
  await assertRejects(
    () => sessionManager({ using, onMissing: "raise" }, () => {}),
    InvalidStateError,
    'onMissing is "raise"',
  );
  await sessionManager({ using, onMissing: "empty", autoCommit: true }, async (session) => {
    assertEquals(session, null);
    assertThrows(() => currentSession(), InvalidStateError);
    await sessionManager({}, (inner) => assertEquals(inner.state, "open")); // made by the factory of the outer one
  });
  await sessionManager({ using, onMissing: "create" }, (session) => assertEquals(session.state, "open"));
  await assertRejects(() => sessionManager({}, () => {}), ValidationError, "sessionManager({ using: factory }, fn)");
});

Deno.test("sessionManager() wraps what its function throws, once, and rolls back", async () => {
  await using env = await setUp();
  const cause = new RangeError("mine");
  let session!: Session;
  const error = await assertRejects(
    () =>
      sessionManager({ using: env.using, autoCommit: true }, async (outer) => {
        session = outer;
        outer.add(new Book({ title: "Edges" }));
        await outer.flush();
        await sessionManager({ new: true }, () => sessionManager({}, () => Promise.reject(cause)));
      }),
    SessionManagerError,
    "What a session manager ran has failed",
  );
  assertStrictEquals(error.cause, cause);
  assertEquals([error.phase, error.code, session.state], ["function", "LEDGE_SESSION_MANAGER", "closed"]);
  assert(!error.message.includes("mine"));
  assertEquals(await env.titles(), []);
});

Deno.test("sessionManager() wraps what its commit throws, and rolls a given session back", async () => {
  await using env = await setUp();
  await sessionManager({ using: env.using, autoCommit: true }, (session) => session.add(new Book({ title: "Edges" })));
  await using mine = new Session({ bind: env.db });
  for (const using of [env.using, mine]) {
    const error = await assertRejects(
      () => sessionManager({ using, autoCommit: true }, (session) => session.add(new Book({ title: "Edges" }))),
      SessionManagerError,
      "The commit of a session manager has failed",
    );
    assertInstanceOf(error.cause, UniqueViolationError);
    assertEquals(error.phase, "commit");
  }
  assertEquals([mine.state, mine.new.size], ["open", 0]);
});

Deno.test("sessionManager() leaves a given session as it is when its function throws without autoCommit", async () => {
  await using env = await setUp();
  await using mine = new Session({ bind: env.db });
  const fail = (autoCommit: boolean) =>
    assertRejects(() =>
      sessionManager({ using: mine, autoCommit }, (session) => {
        session.add(new Book({ title: "Edges" }));
        throw new Error("mine");
      }), SessionManagerError);
  await fail(false);
  assertEquals(mine.new.size, 1);
  await fail(true);
  assertEquals(mine.new.size, 0);
});

Deno.test("sessionManager() keeps concurrent requests apart, however their awaits interleave", async () => {
  await using env = await setUp();
  const addVolume = (i: number) => currentSession().add(new Book({ title: `Volume ${i}` }));
  const seen = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      sessionManager({ using: env.using }, async (mine) => {
        await turn();
        addVolume(i);
        await turn();
        await sessionManager({ new: i % 2 === 0 }, async (inner) => {
          assertEquals(inner === mine, i % 2 === 1);
          await turn();
          assertStrictEquals(currentSession(), inner);
        });
        await Promise.all([turn(), turn().then(() => assertStrictEquals(currentSession(), mine))]);
        assertEquals([...mine.new].map((book) => (book as Book).title), [`Volume ${i}`]);
        return mine;
      })),
  );
  assertEquals(new Set(seen).size, 20);
  assertThrows(() => currentSession(), InvalidStateError);
});

Deno.test("sessionManager() gives what it left running no session that is open", async () => {
  await using env = await setUp();
  let late!: Promise<Session>;
  await sessionManager({ using: env.using }, () => {
    late = turn().then(() => currentSession());
  });
  assertEquals((await late).state, "closed");
  assertEquals(await sessionManager({ using: env.using }, (session) => session.state), "open");
});

Deno.test("sessionManager() refuses options that are not there or do not go together", async () => {
  await using env = await setUp();
  await using session = new Session({ bind: env.db });
  const { using } = env;
  const refused = (options: unknown, fn: unknown, words: string) =>
    assertRejects(() => sessionManager(options as never, fn as never), ValidationError, words);
  const nothing = () => {};
  await refused(undefined, nothing, "sessionManager({ using: factory }, fn)");
  await refused({ using }, undefined, "sessionManager({ using: factory }, fn)");
  await refused({ using, commit: true }, nothing, '"commit"');
  await refused({ using, autoCommit: 1 }, nothing, "autoCommit must be true or false");
  await refused({ using, onMissing: "null" }, nothing, "onMissing must be");
  await refused({ using: env.db }, nothing, "using must be");
  await refused({ using: session, new: true }, nothing, "cannot make a new session while using a given one");
  const scoped = sessionFactory({ bind: env.db, scoped: true, scope: () => 1 });
  await refused({ using: scoped }, nothing, "not scoped");
  await sessionManager({ using: scopedSession(scoped) }, (one) => assertEquals(one.state, "open"));
  await scopedSession(scoped).remove();
});
