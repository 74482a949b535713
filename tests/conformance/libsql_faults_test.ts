/**
 * What a session does when its libSQL server is not there, refuses it, or answers are lost.
 *
 * @module
 */
import { assert, assertEquals, assertFalse, assertInstanceOf } from "@std/assert";
import { libsql, type LibsqlDatabase } from "../../adapters/libsql_local.ts";
import {
  AuthenticationError,
  CommitOutcomeUnknownError,
  ConnectionError,
  createAll,
  DatabaseError,
  ExpiredPropertyError,
  InvalidStateError,
  LedgeError,
  Session,
  sessionFactory,
  sql,
  StaleDataError,
} from "../../mod.ts";
import { type HranaServer, startHrana } from "../servers/hrana.ts";
import { Author, Maker, models } from "./models.ts";
import { refused } from "./setup.ts";

const SECRET = "s3cret-token";

/** A test over HTTP, with a server of its own that can be made to fail. */
function test(name: string, body: (db: LibsqlDatabase, server: HranaServer) => Promise<void>): void {
  Deno.test(name, async () => {
    await using server = await startHrana({ token: SECRET });
    await using db = libsql({ url: server.url, authToken: SECRET });
    await createAll(db, models);
    server.reset();
    await body(db, server);
  });
}

const count = (server: HranaServer) => Number(server.db.query("SELECT count(*) AS n FROM authors")[0]!.n);

for (const scheme of ["http", "ws"] as const) {
  Deno.test(`session.commit() fails with a ConnectionError when no server listens, ${scheme}`, async () => {
    const gone = await startHrana();
    const url = scheme === "http" ? gone.url : gone.wsUrl;
    await gone.stop();
    await using db = libsql({ url, authToken: SECRET });
    await using session = new Session({ bind: db });
    const ann = session.add(new Author({ name: "Ann" }));
    const error = await refused(() => session.commit(), LedgeError);
    assertInstanceOf(error, ConnectionError);
    assertFalse(`${error.message}${error.cause}`.includes(SECRET));
    assertEquals([session.state, session.inspect(ann).state], ["failed", "pending"]);
    await session.rollback();
    assertEquals([session.state, session.inspect(ann).state, ann.name], ["open", "transient", "Ann"]);
    await refused(() => session.query(Author).all(), ConnectionError);
    assertEquals(session.state, "open"); // a read that fails changes nothing
  });

  Deno.test(`session.commit() fails with an AuthenticationError when the token is wrong, ${scheme}`, async () => {
    await using server = await startHrana({ token: "right" });
    await using db = libsql({ url: scheme === "http" ? server.url : server.wsUrl, authToken: SECRET });
    await using session = new Session({ bind: db });
    session.add(new Author({ name: "Ann" }));
    const error = await refused(() => session.commit(), AuthenticationError);
    assert(error.notApplied);
    assertFalse(`${error.message}${error.cause}`.includes(SECRET));
    await session.rollback();
    await refused(() => session.query(Author).all(), AuthenticationError);
    assertEquals(server.statements, 0);
  });
}

test("session.commit() throws CommitOutcomeUnknownError when its answer is lost", async (db, server) => {
  await using session = new Session({ bind: db });
  const ann = session.add(new Author({ name: "Ann" }));
  await session.commit();
  ann.name = "Anna";
  const bob = session.add(new Author({ name: "Bob" }));
  server.failNext("after");
  const error = await refused(() => session.commit(), CommitOutcomeUnknownError, "rollback()");
  assertEquals([error.notApplied, session.state, count(server)], [false, "failed", 2]); // it was applied
  for (const call of [() => session.commit(), () => session.query(Author).all(), () => session.add(bob)]) {
    await refused(call, InvalidStateError, "not known", "rollback()");
  }
  await session.rollback();
  await refused(() => ann.name, ExpiredPropertyError); // what was touched is unknown
  await session.refresh(ann);
  assertEquals([ann.name, ann.version, session.inspect(bob).state], ["Anna", 2, "transient"]);
});

test("session.commit() throws CommitOutcomeUnknownError when its request may not have arrived", async (db, server) => {
  await using session = new Session({ bind: db });
  session.add(new Author({ name: "Ann" }));
  server.failNext("before", () => new Response("Bad gateway", { status: 502 }));
  await refused(() => session.commit(), CommitOutcomeUnknownError);
  assertEquals([count(server), server.requests], [0, 1]); // nothing is sent twice
});

test("session.commit() is not in doubt when the server refused it", async (db, server) => {
  await using session = new Session({ bind: db, resends: 0 });
  session.add(new Author({ name: "Ann" }));
  server.failNext("before", () => new Response("Too many requests", { status: 429 }));
  const error = await refused(() => session.commit(), DatabaseError);
  assertFalse(error instanceof CommitOutcomeUnknownError);
  assert(error.notApplied);
  await session.rollback();
  assertEquals(count(server), 0);
});

test("session.commit() of a connection whose answer is lost is in doubt too", async (db, server) => {
  await using session = new Session({ bind: db });
  const maker = session.add(new Maker({ name: "m" }));
  await session.flush();
  server.failNext("after");
  await refused(() => session.commit(), CommitOutcomeUnknownError);
  await session.rollback();
  assertEquals([session.inspect(maker).state, Object.hasOwn(maker, "id")], ["transient", false]);
  assertEquals(Number(server.db.query("SELECT count(*) AS n FROM makers")[0]!.n), 1);
});

test("a read whose answer is cut off fails by itself", async (db, server) => {
  await using session = new Session({ bind: db, resends: 0 });
  const ann = session.add(new Author({ name: "Ann" }));
  await session.commit();
  server.failNext("before");
  await refused(() => session.query(Author).all(), ConnectionError);
  assertEquals(session.state, "open");
  ann.name = "Anna";
  await session.commit();
  assertEquals([ann.version, count(server)], [2, 1]);
});

test("two sessions that change one row: the second is stale, and factory.run() does it again", async (db, server) => {
  const factory = sessionFactory({ bind: db });
  const { id } = await factory.begin((session) => session.add(new Author({ name: "0" })));
  await using slow = factory();
  const mine = await slow.getOne(Author, id);
  const add = (session: Session) => session.getOne(Author, id).then((one) => one.name = `${Number(one.name) + 1}`);
  await factory.run(add);
  mine.name = "lost";
  await refused(() => slow.commit(), StaleDataError);
  let attempts = 0;
  await factory.run(async (session) => {
    const one = await session.getOne(Author, id);
    if (attempts++ === 0) await factory.run(add); // gets in between
    one.name = `${Number(one.name) + 1}`;
  });
  assertEquals([attempts, server.db.query("SELECT name, version FROM authors")], [2, [{ name: "3", version: 4 }]]);
});

test("writers at once lose no update", async (db, server) => {
  const factory = sessionFactory({ bind: db });
  const { id } = await factory.begin((session) => session.add(new Author({ name: "0" })));
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let i = 0; i < 5; i++) {
        await factory.run(async (session) => {
          const one = await session.getOne(Author, id);
          one.name = `${Number(one.name) + 1}`;
        }, { retries: 100 });
      }
    }),
  );
  assertEquals(server.db.query("SELECT name, version FROM authors"), [{ name: "20", version: 21 }]);
});

test("a commit names no key and no value in what it lets the server log", async (db, server) => {
  await using session = new Session({ bind: db });
  const ann = session.add(new Author({ name: "Ann" }));
  await session.commit();
  ann.name = "a-secret-name";
  server.db.query("UPDATE authors SET version = 9");
  session.require(sql`1 = 1`);
  const error = await refused(() => session.commit(), StaleDataError);
  const cause = error.cause as Error;
  assertFalse(cause.message.includes(ann.id) || cause.message.includes("a-secret-name"), cause.message);
});
