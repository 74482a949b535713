/**
 * Savepoints on a real MariaDB: in memory they cost no request, and in a transaction they put back the database and the
 * session's memory alike, after errors of the database too.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import { model, Session, t, UniqueViolationError } from "../../mod.ts";
import { refused } from "../conformance/setup.ts";
import { add, type Place, test, words } from "./kit.ts";

class Book extends model("books", {
  id: t.identity(),
  title: t.varchar(100).unique(),
  version: t.integer().version(),
}) {}

const titles = async (place: Place) =>
  (await place.front.run("SELECT title FROM books ORDER BY title")).map(({ title }) => title);

test("a savepoint in memory costs no request, kept or undone", [Book], async (place) => {
  await add(place, new Book({ title: "a" }));
  await using session = new Session({ bind: place.db });
  const book = await session.query(Book).one();
  place.front.reset();
  await session.savepoint(async () => {
    book.title = "b";
    await assertRejects(() =>
      session.savepoint(() => {
        book.title = "c";
        session.add(new Book({ title: "never" }));
        throw new RangeError("no");
      }), RangeError);
  });
  assertEquals([place.front.requests, book.title, session.new.size], [0, "b", 0]);
  await session.commit();
  assertEquals([place.front.requests, place.front.control, await titles(place)], [1, 0, ["b"]]);
});

test("a savepoint in a transaction puts back the database and memory", [Book], async (place) => {
  await add(place, new Book({ title: "a" }));
  await using session = new Session({ bind: place.db });
  const book = await session.query(Book).one();
  const late = new Book({ title: "late" });
  place.front.reset();
  await session.start();
  book.title = "b";
  await session.flush();
  await assertRejects(() =>
    session.savepoint(async () => {
      book.title = "c";
      session.add(late);
      await session.flush();
      assertEquals([book.version, await session.scalar("SELECT count(*) FROM books")].map(Number), [3, 2]);
      throw new RangeError("no");
    }), RangeError);
  assertEquals([book.title, book.version], ["b", 2]);
  assertEquals([session.inspect(late).state, Object.hasOwn(late, "id")], ["transient", false]);
  assertEquals(Number(await session.scalar("SELECT count(*) FROM books")), 1);
  await session.savepoint(async () => {
    session.add(late);
    await session.flush();
  });
  await session.commit();
  assertEquals([await titles(place), book.title, book.version], [["b", "late"], "b", 2]);
  assertEquals(
    words(place.front),
    "BEGIN UPDATE SAVEPOINT INSERT UPDATE SELECT ROLLBACK RELEASE SELECT SAVEPOINT INSERT RELEASE COMMIT",
  );
});

test("a savepoint set in memory is set in the transaction that begins inside it", [Book], async (place) => {
  await using session = new Session({ bind: place.db });
  const kept = session.add(new Book({ title: "kept" }));
  place.front.reset();
  await assertRejects(() =>
    session.savepoint(async () => {
      assertEquals(place.front.requests, 0);
      session.add(new Book({ title: "undone" }));
      await session.flush();
      throw new RangeError("no");
    }), RangeError);
  assertEquals([session.inspect(kept).state, Object.hasOwn(kept, "id")], ["pending", false]);
  await session.commit();
  assertEquals([await titles(place), Object.hasOwn(kept, "id")], [["kept"], true]);
});

test("a violated constraint costs what was done since the savepoint, and no more", [Book], async (place) => {
  await add(place, new Book({ title: "a" }));
  await using session = new Session({ bind: place.db });
  const first = session.add(new Book({ title: "first" }));
  await session.flush();
  const twice = new Book({ title: "a" });
  for (let i = 0; i < 2; i++) {
    const error = await refused(() =>
      session.savepoint(async () => {
        first.title = "changed";
        session.add(twice);
        await session.flush();
      }), UniqueViolationError);
    assertEquals([error.notApplied, error.table, session.state, first.title], [true, "books", "open", "first"]);
  }
  await session.savepoint("named", async () => {
    const book = session.add(new Book({ title: "inner" }));
    await session.flush();
    await session.beginNested("deeper");
    book.title = "deeper";
    await session.flush();
    await session.rollback("deeper");
    assertEquals([book.title, book.version], ["inner", 1]);
  });
  await session.commit();
  assertEquals(await titles(place), ["a", "first", "inner"]);
});
