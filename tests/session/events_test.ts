/**
 * Events without much of a database: adding handlers, factories, what a lost answer means, and what closing reports.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { libsql } from "../../adapters/libsql_local.ts";
import {
  CommitOutcomeUnknownError,
  type Connection,
  ConnectionError,
  createAll,
  type Database,
  model,
  type PreparableConnection,
  Session,
  sessionFactory,
  t,
  type TwoPhase,
  UnsupportedError,
  ValidationError,
} from "../../mod.ts";
import { Events } from "../../src/session/events.ts";
import { MadeSessions } from "../../src/session/made.ts";
import { WatchedDatabase } from "../../src/session/watched.ts";

class Book extends model("books", { id: t.uuid().primaryKey(), title: t.text() }) {}

async function place(changes: Partial<Database> = {}) {
  const inner = libsql({ url: ":memory:" });
  await createAll(inner, [Book]);
  const db: Database = {
    dialect: inner.dialect,
    capabilities: inner.capabilities,
    description: "a database",
    execute: (statement, options) => inner.execute(statement, options),
    batch: (statements, options) => inner.batch(statements, options),
    connect: (options) => inner.connect(options),
    close: () => inner.close(),
    ...changes,
  };
  return { db, inner, session: new Session({ bind: db }), [Symbol.asyncDispose]: () => inner.close() };
}

Deno.test("session.on() refuses what it cannot be asked for", async () => {
  await using one = await place();
  const { session } = one;
  const wrong: [() => unknown, string][] = [
    [() => session.on("afterComit" as never, () => {}), '"afterComit"; there are beforeBegin'],
    [() => session.on("afterCommit", "handler" as never), "must be a function"],
    [() => session.on("afterExecute", () => {}, { params: true } as never), 'no option "params"'],
  ];
  for (const [call, words] of wrong) assertThrows(call, ValidationError, words);
});

Deno.test("session.on() of the same handler again only changes its options", async () => {
  await using one = await place();
  const seen: boolean[] = [];
  const handler = (event: object) => void seen.push("parameters" in event);
  one.session.on("afterExecute", handler, { parameters: true });
  one.session.on("afterExecute", handler);
  await one.session.scalar("SELECT 1");
  assertEquals(seen, [false]);
  one.session.off("afterExecute", handler);
  one.session.off("afterExecute", handler);
  await one.session.scalar("SELECT 1");
  assertEquals(seen.length, 1);
});

Deno.test("a handler that is added or taken away by another one counts from the next event on", async () => {
  await using one = await place();
  const { session } = one;
  const seen: string[] = [];
  const late = () => void seen.push("late");
  const first = () => {
    seen.push("first");
    session.off("afterCommit", first);
    session.on("afterCommit", late);
  };
  session.on("afterCommit", first);
  await session.commit();
  assertEquals(seen, ["first"]);
  await session.commit();
  assertEquals(seen, ["first", "late"]);
});

Deno.test("afterCommit never tells of a commit of which nothing is known", async () => {
  const lost = () => Promise.reject(new ConnectionError("lost", { notApplied: false }));
  await using one = await place({ execute: lost, batch: lost });
  const { session } = one;
  const seen: string[] = [];
  session.on("afterCommit", () => void seen.push("afterCommit"));
  session.on("afterFlush", ({ error }) => void seen.push(String((error as Error).name)));
  session.on("afterRollback", ({ error }) => void seen.push(`afterRollback ${error}`));
  session.add(new Book({ title: "a" }));
  await assertRejects(() => session.commit(), CommitOutcomeUnknownError);
  await session.rollback();
  assertEquals(seen, ["CommitOutcomeUnknownError", "afterRollback null"]);
});

Deno.test("what a handler of beforeExecute throws leaves no doubt about a commit, whatever it is", async () => {
  await using one = await place();
  const { session } = one;
  const thrown = [new Error("no"), new ConnectionError("no", { notApplied: false }), "text", undefined];
  for (const reason of thrown) {
    const stop = () => {
      throw reason;
    };
    session.on("beforeExecute", stop);
    session.add(new Book({ title: "a" }));
    const error = await session.commit().then(() => "committed", (error) => error);
    assertStrictEquals(error, reason);
    assertEquals(session.state, "failed");
    await session.rollback();
    session.off("beforeExecute", stop);
  }
  assertEquals(await session.query(Book).count(), 0);
});

Deno.test("a rollback that fails tells so, and is over all the same", async () => {
  const failure = new ConnectionError("gone");
  await using one = await place({ connect: () => Promise.resolve(failing(failure)) });
  const { session } = one;
  let told: unknown;
  session.on("afterRollback", ({ error }) => void (told = error));
  await session.start();
  assertStrictEquals(await assertRejects(() => session.rollback()), failure);
  assertEquals([told === failure, session.state, session.inTransaction()], [true, "open", false]);
});

/** A connection that cannot roll back. */
function failing(error: Error): Connection {
  return { database: libsql({ url: ":memory:" }), rollback: () => Promise.reject(error) } as unknown as Connection;
}

Deno.test("session.close() throws what its rollback throws; with hasError it is a warning", async () => {
  const failure = new ConnectionError("gone");
  await using one = await place({ connect: () => Promise.resolve(failing(failure)) });
  await one.session.start();
  assertStrictEquals(await assertRejects(() => one.session.close()), failure);
  assertEquals(one.session.state, "closed");
  const session = new Session({ bind: one.db });
  const warnings: unknown[] = [];
  session.on("warning", ({ error }) => void warnings.push(error));
  await session.start();
  await session.close({ hasError: true });
  assertEquals([session.state, warnings], ["closed", [failure]]);
  await assertRejects(() => session.close({ error: true } as never), ValidationError, '"error"');
});

Deno.test("session.invalidate() throws nothing, whatever becomes of the connection", async () => {
  const signals: (boolean | undefined)[] = [];
  const connection = {
    database: libsql({ url: ":memory:" }),
    rollback: (options?: { signal?: AbortSignal }) => {
      signals.push(options?.signal?.aborted);
      return signals.length === 1 ? Promise.reject(new Error("gone")) : Promise.resolve();
    },
  } as unknown as Connection;
  await using one = await place({ connect: () => Promise.resolve(connection) });
  await one.session.start();
  await one.session.invalidate();
  assertEquals([one.session.state, signals[0]], ["closed", true]);
});

Deno.test("factory.on() is for the sessions made from now on", async () => {
  await using one = await place();
  const factory = sessionFactory({ bind: one.db });
  const before = factory();
  const seen: Session[] = [];
  const handler = ({ session }: { session: Session }) => void seen.push(session);
  factory.on("afterCommit", handler);
  const after = factory();
  await before.commit();
  await after.commit();
  assert(seen.length === 1 && seen[0] === after);
  factory.off("afterCommit", handler);
  await factory().commit();
  await factory.begin(() => 1);
  assertEquals(seen.length, 1);
  assertThrows(() => factory.on("nothing" as never, handler as never), ValidationError, "There is no event");
});

Deno.test("factory.closeAll() rolls back and closes every session that is open", async () => {
  await using one = await place();
  const factory = sessionFactory({ bind: one.db });
  const [idle, working, closed] = [factory(), factory(), factory()];
  const book = working.add(new Book({ title: "a" }));
  await closed.close();
  const read = idle.query(Book).all(); // not awaited: closing waits for it
  await factory.closeAll();
  await read;
  assertEquals([idle.state, working.state, closed.state, working.has(book)], ["closed", "closed", "closed", false]);
  await factory.closeAll();
  const next = factory();
  assertEquals([next.state, await next.query(Book).count()], ["open", 0]);
});

Deno.test("a factory does not keep the sessions that it made", () => {
  const made = new MadeSessions();
  const closed = { state: "closed" } as unknown as Session;
  for (let i = 0; i < 1000; i++) made.add(closed);
  assert(made.size <= 64, `${made.size} are kept, and none is open`);
  const open = Array.from({ length: 200 }, () => ({ state: "open" }) as unknown as Session);
  for (const session of open) made.add(session);
  assert(made.size >= 200);
});

Deno.test("factory.closeAll() says so where the runtime cannot tell which sessions there are", async () => {
  const { WeakRef } = globalThis;
  await using one = await place();
  const factory = sessionFactory({ bind: one.db });
  try {
    Reflect.deleteProperty(globalThis, "WeakRef");
    await using session = factory();
    assertEquals(session.state, "open");
    await assertRejects(() => factory.closeAll(), UnsupportedError, "WeakRef");
  } finally {
    Object.assign(globalThis, { WeakRef });
  }
});

Deno.test("nothing is awaited and nothing is made where nobody listens", async () => {
  const answer = Promise.resolve({ columns: [], rows: [], rowsAffected: 0 });
  await using one = await place({ execute: () => answer });
  const events = new Events(one.session);
  const db = new WatchedDatabase(one.db, events);
  assertStrictEquals(db.execute({ sql: "SELECT 1", params: [] }), answer);
  events.on("afterExecute", () => {});
  assert(db.execute({ sql: "SELECT 1", params: [] }) !== answer);
});

Deno.test("a watched database has what its database has, and nothing else", async () => {
  await using one = await place({ batch: undefined });
  const events = new Events(one.session);
  const plain = new WatchedDatabase(one.db, events);
  assertEquals([plain.batch, plain.twoPhase, plain.description], [undefined, undefined, "a database"]);
  const seen: string[] = [];
  events.on("beforeExecute", ({ statement }) => void seen.push(statement));
  const twoPhase: TwoPhase = {
    connect: async (id) =>
      Object.assign(await one.inner.connect(), {
        prepare: () => Promise.resolve(void seen.push(`prepare ${id}`)),
      }) as PreparableConnection,
    commit: (id) => Promise.resolve(void seen.push(`commit ${id}`)),
    rollback: (id) => Promise.resolve(void seen.push(`rollback ${id}`)),
    list: () => Promise.resolve(["a"]),
  };
  const database = new WatchedDatabase({ ...one.db, twoPhase }, events);
  const connection = await database.twoPhase!.connect("a");
  await connection.execute({ sql: "SELECT 1", params: [] });
  await connection.prepare();
  await connection.rollback();
  await database.twoPhase!.commit("a");
  await database.twoPhase!.rollback("b");
  assertEquals([seen, await database.twoPhase!.list()], [["SELECT 1", "prepare a", "commit a", "rollback b"], ["a"]]);
});

Deno.test("a session refuses to join a connection without savepoints", async () => {
  await using one = await place();
  const { capabilities } = one.db;
  const database = { ...one.db, capabilities: { ...capabilities, savepoints: false } };
  const connection = { ...failing(new Error()), database, savepoint: () => {}, execute: () => {} };
  assertThrows(() => new Session({ bind: connection as unknown as Connection }), UnsupportedError, "has savepoints");
});
