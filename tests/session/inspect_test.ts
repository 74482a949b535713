import { assertEquals, assertNotStrictEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { libsql } from "../../adapters/libsql_local.ts";
import { identityKey, inspect, model, objectSession, Session, sql, t, ValidationError } from "../../mod.ts";

class Book extends model("books", {
  id: t.uuid().primaryKey(),
  title: t.text(),
  notes: t.json<string[]>().default(() => []),
  version: t.integer().version(),
}) {}

class Other extends model("others", { id: t.identity() }) {}

const bind = libsql({ url: ":memory:" });

Deno.test("inspect() tells of an instance that no session knows", () => {
  const book = new Book({ title: "a" });
  const { state, model, table, key, modified, history, expired, loaded, markedDeleted } = inspect(book);
  assertEquals([state, model, table, key], ["transient", "Book", "books", [book.id]]);
  assertEquals([modified, history, expired, loaded, markedDeleted], [false, {}, [], [], false]);
  assertEquals([inspect(new Other({})).key, objectSession(book)], [null, null]);
});

Deno.test("inspect(), objectSession() and identityKey() refuse what is no instance", () => {
  assertThrows(() => inspect({}), ValidationError, "plain object");
  assertThrows(() => inspect(Book), ValidationError);
  assertThrows(() => objectSession({}), ValidationError, "instance of a model");
  assertThrows(() => identityKey({}), ValidationError, "plain object");
  assertThrows(() => identityKey(Book, {}), ValidationError, "Book");
  assertThrows(() => identityKey(Date as never, 1), ValidationError, "Date");
});

Deno.test("session.new, dirty and deleted are snapshots that do not change under the reader", () => {
  const session = new Session({ bind });
  const before = session.new;
  const book = session.add(new Book({ title: "a" }));
  assertEquals([before.size, session.new.size], [0, 1]);
  assertStrictEquals([...session.new][0], book);
  assertNotStrictEquals(session.new, session.new);
});

Deno.test("session.add() of the same instance again changes nothing", () => {
  const session = new Session({ bind });
  const book = new Book({ title: "a" });
  assertEquals(session.addAll([book, book]), [book, book]);
  assertEquals([session.new.size, session.has(book), session.has({}), session.has(new Book({ title: "b" }))], [
    1,
    true,
    false,
    false,
  ]);
});

Deno.test("session keeps what it knows beside the instance, never on it", () => {
  const session = new Session({ bind });
  const book = session.add(new Book({ title: "a" }));
  assertEquals(Reflect.ownKeys(book), ["id", "title", "notes", "version"]);
  session.assign(book, { title: sql`upper('a')` });
  assertEquals(Object.keys(book), ["id", "title", "notes", "version"]);
  session.expunge(book);
  assertEquals(inspect(book).state, "transient");
});

Deno.test("session.isModified() looks at values, not at whether they were assigned", () => {
  const session = new Session({ bind });
  const book = session.add(new Book({ title: "a" }));
  assertEquals(session.isModified(book), true); // it has no row
  assertEquals(session.dirty.size, 0);
  assertThrows(() => session.markDirty(book), ValidationError, "pending");
});
