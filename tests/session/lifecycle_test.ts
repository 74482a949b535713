import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { libsql } from "../../adapters/libsql_local.ts";
import {
  CommitOutcomeUnknownError,
  createAll,
  hasMany,
  InvalidStateError,
  model,
  Session,
  sql,
  t,
  ValidationError,
} from "../../mod.ts";

class Book extends model("books", { id: t.uuid().primaryKey(), title: t.text() }) {}

async function place() {
  const db = libsql({ url: ":memory:" });
  await createAll(db, [Book]);
  return { db, session: new Session({ bind: db }), [Symbol.asyncDispose]: () => db.close() };
}

Deno.test("session.close() rolls back an open connection and may be called at any time", async () => {
  await using one = await place();
  const { session } = one;
  session.add(new Book({ title: "a" }));
  await session.flush();
  await session.close();
  assertEquals(session.state, "closed");
  assertEquals(await new Session({ bind: one.db }).query(Book).count(), 0);
  await session.close();
  await session[Symbol.asyncDispose]();
});

Deno.test("session.rollback() without a transaction does nothing", async () => {
  await using one = await place();
  await one.session.rollback();
  await one.session.rollback();
  assertEquals([one.session.state, one.session.inTransaction()], ["open", false]);
});

Deno.test("a commit whose answer cannot be read leaves new instances as they were, once it is rolled back", async () => {
  class Visit extends model("visits", { id: t.uuid().primaryKey(), at: t.timestamp().serverDefault(sql`'then'`) }) {}
  await using one = await place();
  const { db, session } = one;
  await createAll(db, [Visit]);
  const [book, visit] = session.addAll([new Book({ title: "a" }), new Visit({})]);
  const error = await assertRejects(() => session.commit(), CommitOutcomeUnknownError);
  assertStringIncludes(String(error.cause), "could not be read");
  await session.rollback();
  assertEquals([book!, visit!].map((instance) => session.inspect(instance).state), ["transient", "transient"]);
  assertEquals(await session.query(Book).count(), 1);
});

Deno.test("a commit that cannot be brought to an instance leaves all as they were, once it is rolled back", async () => {
  class Page extends model("pages", { id: t.uuid().primaryKey(), bookId: t.uuid("book_id").foreignKey() }) {}
  class Shelf extends model("shelves", { id: t.uuid().primaryKey() }) {
    declare pages?: Page[];
    static relations = { pages: hasMany(() => Page, "bookId", { cascade: ["save"] }) };
  }
  await using one = await place();
  const { db, session } = one;
  await createAll(db, [Shelf, Page]);
  const pages = [new Page({} as never), Object.freeze(new Page({} as never))];
  const shelf = session.add(Shelf.create({ pages }));
  await assertRejects(() => session.commit(), CommitOutcomeUnknownError);
  await session.rollback();
  assertEquals([shelf, ...pages].map((instance) => session.inspect(instance).state), Array(3).fill("transient"));
  assertEquals([shelf.pages?.length, Object.hasOwn(pages[0]!, "bookId")], [2, false]);
});

Deno.test("session.rollback() waits for reads that are under way", async () => {
  await using one = await place();
  const read = one.session.query(Book).all();
  await one.session.rollback();
  assertEquals(await read, []);
});

Deno.test("session.savepoint() and transaction() need a function", async () => {
  await using one = await place();
  await assertRejects(() => one.session.savepoint("name" as never), ValidationError, "function");
  await assertRejects(() => one.session.savepoint(1 as never), ValidationError);
  assertEquals(one.session.inNestedTransaction(), false);
});

Deno.test("session.transaction() leaves a transaction that its function ended itself", async () => {
  await using one = await place();
  const { session } = one;
  await session.transaction(async () => {
    session.add(new Book({ title: "a" }));
    await session.rollback();
  });
  await session.transaction(async () => {
    session.add(new Book({ title: "b" }));
    await session.commit();
  });
  assertEquals([session.inTransaction(), (await session.query(Book).one()).title], [false, "b"]);
});

Deno.test("session.transaction() throws what its function threw, even when the session was closed inside", async () => {
  await using one = await place();
  const failure = new Error("no");
  const thrown = await assertRejects(() =>
    one.session.transaction(async () => {
      await one.session.close();
      throw failure;
    })
  );
  assertStrictEquals(thrown, failure);
});

Deno.test("a savepoint that was released or rolled back has ended", async () => {
  await using one = await place();
  const { session } = one;
  const first = await session.beginNested("first");
  assertEquals([first.name, first.nested, first.isActive], ["first", true, true]);
  await first.commit();
  for (const call of [() => first.commit(), () => first.rollback()]) {
    const error = await assertRejects(async () => await call(), InvalidStateError);
    assertStringIncludes(error.message, "savepoint has ended");
  }
  await first[Symbol.asyncDispose](); // does nothing any more
  await session.commit();
});

Deno.test("session.commit() ends every savepoint that is open", async () => {
  await using one = await place();
  const savepoint = await one.session.beginNested();
  one.session.add(new Book({ title: "a" }));
  await one.session.commit();
  assertEquals([savepoint.isActive, one.session.inNestedTransaction()], [false, false]);
  assertEquals(await new Session({ bind: one.db }).query(Book).count(), 1);
});

Deno.test("session.noAutoflush() puts autoflush back when its function throws", async () => {
  await using one = await place();
  await assertRejects(() =>
    one.session.noAutoflush(() => {
      assertEquals(one.session.autoflush, false);
      throw new Error("no");
    })
  );
  assert(one.session.autoflush);
});

Deno.test("a call that is not awaited is refused by name while a commit is under way", async () => {
  await using one = await place();
  const { session } = one;
  session.add(new Book({ title: "a" }));
  const commit = session.commit();
  assertThrows(() => session.add(new Book({ title: "b" })), InvalidStateError, "Cannot add: commit() is under way");
  assertThrows(() => session.stage("SELECT 1"), InvalidStateError, "Cannot stage");
  assertThrows(() => session.expireAll(), InvalidStateError, "Cannot expire");
  assertThrows(() => session.assign(new Book({ title: "c" }), { title: "d" }), InvalidStateError, "Cannot assign");
  assertEquals([session.state, session.new.size], ["open", 1]);
  await commit;
  assertEquals(session.new.size, 0);
});
