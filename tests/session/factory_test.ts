import { assertEquals, assertNotStrictEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { libsql } from "../../adapters/libsql_local.ts";
import {
  createAll,
  DeadlockError,
  LockTimeoutError,
  model,
  NoResultError,
  SerializationError,
  Session,
  sessionFactory,
  StaleDataError,
  t,
  TransactionLostError,
  UniqueViolationError,
  ValidationError,
} from "../../mod.ts";

class Book extends model("books", { id: t.uuid().primaryKey(), title: t.text().unique() }) {}

async function factory() {
  const db = libsql({ url: ":memory:" });
  await createAll(db, [Book]);
  return { db, make: sessionFactory({ bind: db, info: { from: "factory" } }), [Symbol.asyncDispose]: () => db.close() };
}

Deno.test("sessionFactory() makes sessions with its options, which those of a call go before", async () => {
  await using place = await factory();
  const { make, db } = place;
  const [one, two] = [make(), make({ autoflush: false })];
  assertNotStrictEquals(one, two);
  assertEquals([one instanceof Session, one.autoflush, two.autoflush, one.info.from], [true, true, false, "factory"]);
  assertStrictEquals(two.bind, db);
});

Deno.test("factory.configure() changes the options of later sessions only", async () => {
  await using place = await factory();
  const before = place.make();
  place.make.configure({ autoflush: false });
  assertEquals([before.autoflush, place.make().autoflush, place.make().info.from], [true, false, "factory"]);
  assertThrows(() => place.make.configure({ mode: "manual" } as never), ValidationError, "mode");
  assertEquals(place.make().autoflush, false);
});

Deno.test("sessionFactory() refuses wrong options when it is made", () => {
  assertThrows(() => sessionFactory({} as never), ValidationError, "bind");
});

Deno.test("factory.begin() commits and closes when its function returns", async () => {
  await using place = await factory();
  let used: Session | undefined;
  const book = await place.make.begin((session) => {
    used = session;
    return session.add(new Book({ title: "a" }));
  });
  assertEquals([used!.state, book.title], ["closed", "a"]);
  assertEquals(await place.make().query(Book).count(), 1);
});

Deno.test("factory.begin() rolls back and closes when its function throws", async () => {
  await using place = await factory();
  let used: Session | undefined;
  const failure = new Error("no");
  const error = await assertRejects(() =>
    place.make.begin((session) => {
      used = session;
      session.add(new Book({ title: "a" }));
      throw failure;
    })
  );
  assertStrictEquals(error, failure);
  assertEquals([used!.state, await place.make().query(Book).count()], ["closed", 0]);
});

Deno.test("factory.begin() throws what the commit throws, and does not try again", async () => {
  await using place = await factory();
  await place.make.begin((session) => session.add(new Book({ title: "a" })));
  let calls = 0;
  await assertRejects(
    () => place.make.begin((session) => (calls++, session.add(new Book({ title: "a" })))),
    UniqueViolationError,
  );
  assertEquals(calls, 1);
});

const retried = [
  new StaleDataError("x"),
  new SerializationError("x"),
  new DeadlockError("x"),
  new LockTimeoutError("x"),
  new TransactionLostError("x"),
];
for (const error of retried) {
  Deno.test(`factory.run() does it again with a fresh session on ${error.name}`, async () => {
    await using place = await factory();
    const sessions = new Set<Session>();
    const value = await place.make.run((session) => {
      sessions.add(session);
      session.add(new Book({ title: `${sessions.size}` }));
      if (sessions.size < 3) throw error;
      return sessions.size;
    });
    assertEquals([value, sessions.size, [...sessions].every(({ state }) => state === "closed")], [3, 3, true]);
    assertEquals((await place.make().query(Book).one()).title, "3");
  });
}

Deno.test("factory.run() does not do it again on any other error", async () => {
  await using place = await factory();
  for (
    const error of [new Error("x"), new ValidationError("x"), new NoResultError("x"), new UniqueViolationError("x")]
  ) {
    let calls = 0;
    const thrown = await assertRejects(() =>
      place.make.run(() => {
        calls++;
        throw error;
      })
    );
    assertStrictEquals(thrown, error);
    assertEquals(calls, 1);
  }
});

Deno.test("factory.run() gives up after its retries, with the last error", async () => {
  await using place = await factory();
  let calls = 0;
  const work = () => {
    throw new StaleDataError(`attempt ${++calls}`);
  };
  await assertRejects(() => place.make.run(work, { retries: 2 }), StaleDataError, "attempt 3");
  calls = 0;
  await assertRejects(() => place.make.run(work, { retries: 0 }), StaleDataError, "attempt 1");
});

Deno.test("factory.run() gives up when its signal aborts", async () => {
  await using place = await factory();
  const controller = new AbortController();
  const reason = new Error("enough");
  let calls = 0;
  const thrown = await assertRejects(() =>
    place.make.run(() => {
      calls++;
      controller.abort(reason);
      throw new StaleDataError("x");
    }, { signal: controller.signal })
  );
  assertStrictEquals(thrown, reason);
  assertStrictEquals(await assertRejects(() => place.make.run(() => calls++, { signal: controller.signal })), reason);
  assertEquals(calls, 1);
});

Deno.test("factory.run() refuses options that are not there", async () => {
  await using place = await factory();
  await assertRejects(() => place.make.run(() => 1, { retry: 1 } as never), ValidationError, '"retry"');
  await assertRejects(() => place.make.run(() => 1, { retries: -1 }), ValidationError, "retries");
  await assertRejects(() => place.make.run(() => 1, { retries: 1.5 }), ValidationError, "retries");
});
