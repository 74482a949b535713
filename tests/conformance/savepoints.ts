/**
 * Savepoints, in memory and on a connection, and what a rollback puts back in memory.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { InvalidStateError, sql, UniqueViolationError, ValidationError } from "../../mod.ts";
import { Account, Author, author, Book, Maker, Page, Product, Stock } from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

/** Registers the tests of savepoints and rollbacks. */
export function savepointSuite(target: Target): void {
  for (const flushed of target.expects.interactive ? [false, true] : [false]) {
    const when = flushed ? "after a flush" : "in memory";

    test(target, `session.savepoint() undoes what its function did when it throws, ${when}`, async (place) => {
      await place.save(author("Ann", { a: [1], b: [] }), new Author({ name: "Bob" }));
      await using session = place.session();
      const [ann, bob] = await session.query(Author).orderBy({ name: "asc" }).include(["books"]).all();
      const { books } = ann!;
      const members = [...books];
      ann!.bio = "before";
      const early = session.add(new Author({ name: "early" }));
      if (flushed) await session.flush();
      const late = new Author({ name: "late" });
      const work = async () => {
        ann!.name = "inside";
        ann!.bio = "inside";
        early.name = "inside";
        session.add(late);
        books.pop();
        books[0]!.title = "inside";
        bob!.books = [];
        await session.delete(bob!);
        if (flushed) await session.flush();
        throw new Error("no");
      };
      const outcome = () => assertRejects(() => session.savepoint(work), Error, "no");
      if (flushed) await outcome();
      else await sendsNothing(place, outcome);
      assertEquals([ann!.name, ann!.bio, early.name, late.name], ["Ann", "before", "early", "late"]);
      assertStrictEquals(ann!.books, books);
      assertEquals([books, books[0]!.title], [members, members[0]!.title]);
      assert(books.every((book, i) => book === members[i]));
      assertEquals(session.inspect(late).state, "transient");
      assertEquals(session.inspect(early).state, flushed ? "persistent" : "pending");
      assertEquals([session.new.size, session.dirty.size, session.deleted.size], flushed ? [0, 0, 0] : [1, 1, 0]);
      assertEquals([session.inspect(bob!).state, session.state], ["persistent", "open"]);
      await session.commit();
      assertEquals(await place.column("authors", "name"), ["Ann", "Bob", "early"]);
      assertEquals(await place.column("books", "title"), ["a", "b"]);
      assertEquals(await place.column("authors", "bio").then((bios) => bios.filter(Boolean)), ["before"]);
    });

    test(target, `session.savepoint() keeps what its function did when it returns, ${when}`, async (place) => {
      await place.save(new Author({ name: "Ann" }));
      await using session = place.session();
      const ann = await session.query(Author).one();
      const value = await session.savepoint("one", async () => {
        ann.name = "Anna";
        if (flushed) await session.flush();
        await session.savepoint("two", () => session.add(new Author({ name: "Bob" })));
        await assertRejects(() =>
          session.savepoint(async () => {
            ann.name = "no";
            if (flushed) await session.flush();
            throw new Error("no");
          })
        );
        return "value";
      });
      assertEquals([value, ann.name, session.inNestedTransaction()], ["value", "Anna", false]);
      await session.commit();
      assertEquals(await place.column("authors", "name"), ["Anna", "Bob"]);
    });

    test(target, `session.rollback() puts every instance back, ${when}`, async (place) => {
      await place.save(author("Ann", { a: [1], b: [] }), author("Bob"));
      await using session = place.session();
      const [ann, bob] = await session.query(Author).orderBy({ name: "asc" }).include(["books"]).all();
      const before = [ann!, ...ann!.books, bob!].map((one) => ({ ...one }));
      const { books } = ann!;
      const [first, second] = books;
      const added = session.add(Book.create({ title: "new", author: ann! }));
      ann!.name = "Anna";
      ann!.books = [first!];
      second!.author = bob!;
      first!.title = "changed";
      await session.delete(bob!).catch(() => {});
      session.add(bob!);
      if (flushed) await session.flush();
      first!.title = "changed again";
      await session.rollback();
      assertStrictEquals(ann!.books, books);
      assertEquals([...books], [first, second]);
      assertEquals([ann!, first!, second!, bob!].map((one) => ({ ...one })), before);
      assertEquals([session.inspect(added).state, added.title, added.author], ["transient", "new", ann]);
      assertEquals([session.new.size, session.dirty.size, session.deleted.size], [0, 0, 0]);
      await sendsNothing(place, () => session.commit());
      assertEquals(await place.column("books", "title"), ["a", "b"]);
    });
  }

  test(target, "session.beginNested() gives a savepoint that is released or rolled back once", async (place) => {
    await using session = place.session();
    const outer = await session.beginNested("outer");
    const inner = await session.beginNested();
    assertStrictEquals(session.getNestedTransaction(), inner);
    session.add(new Author({ name: "Ann" }));
    await outer.commit(); // releases the inner one with it
    assertEquals([outer.isActive, inner.isActive, session.new.size], [false, false, 1]);
    await refused(() => inner.rollback(), InvalidStateError, "savepoint has ended");
    await using third = await session.beginNested("third");
    session.add(new Author({ name: "Bob" }));
    await session.rollback("third");
    assertEquals([third.isActive, session.new.size], [false, 1]);
    await refused(() => session.rollback("third"), ValidationError, '"third"');
    await refused(() => session.beginNested(""), ValidationError, "name");
    await session.commit();
    assertEquals(await place.column("authors", "name"), ["Ann"]);
  });

  test(target, "session.rollback() to a savepoint takes what was staged inside with it", async (place) => {
    await using session = place.session();
    session.add(new Author({ name: "Ann" }));
    session.stage("UPDATE authors SET bio = 'kept'");
    const savepoint = await session.beginNested();
    session.stage("UPDATE authors SET bio = 'undone'");
    session.require(sql`1 = 0`);
    await savepoint.rollback();
    await session.commit();
    assertEquals(await place.column("authors", "bio"), ["kept"]);
  });

  test(target, "a savepoint that is open when the session upgrades is one in the database too", async (place) => {
    await using session = place.session();
    session.add(new Author({ name: "Ann" }));
    await refused(
      () =>
        session.savepoint('a name; with "quotes"', async () => {
          session.add(new Author({ name: "Bob" }));
          await session.savepoint(async () => {
            await session.flush();
            session.add(new Author({ name: "Carl" }));
          });
          throw new RangeError("no");
        }),
      RangeError,
      "no",
    );
    // The flush wrote Ann too: she was pending before the savepoint, and is so again.
    assertEquals([...session.new].map((one) => (one as Author).name), ["Ann"]);
    await session.commit();
    assertEquals(await place.column("authors", "name"), ["Ann"]);
  }, "interactive");

  test(target, "a failed flush inside a savepoint fails only that savepoint", async (place) => {
    await place.save(new Account({ email: "a" }));
    await using session = place.session();
    const kept = session.add(new Account({ email: "kept" }));
    await session.flush();
    const twin = new Account({ email: "a" });
    await refused(() =>
      session.savepoint(async () => {
        session.add(twin);
        await session.flush();
      }), UniqueViolationError);
    assertEquals([session.state, session.inspect(twin).state, session.inspect(kept).state], [
      "open",
      "transient",
      "persistent",
    ]);
    twin.email = "b";
    session.add(twin);
    await session.commit();
    assertEquals(await place.column("accounts", "email"), ["a", "b", "kept"]);
  }, "interactive");

  test(target, "a failed flush outside of a savepoint fails the session until rollback()", async (place) => {
    await place.save(new Account({ email: "a" }));
    await using session = place.session();
    const [kept, twin] = session.addAll([new Account({ email: "kept" }), new Account({ email: "a" })]);
    await refused(() => session.flush(), UniqueViolationError);
    assertEquals([session.state, session.inspect(kept!).state, session.new.size], ["failed", "pending", 2]);
    await refused(() => session.query(Account).all(), InvalidStateError, "rollback()");
    await session.rollback();
    assertEquals([session.inspect(twin!).state, await place.rows("accounts")], ["transient", 1]);
  }, "interactive");

  test(target, "session.rollback() undoes changes that were made before anything else was called", async (place) => {
    await using session = place.session();
    const one = session.add(new Page({ meta: { n: 1 }, body: new Uint8Array(1), at: new Date(0) }));
    await session.commit();
    one.meta!.n = 2;
    one.visits = 5;
    one.body[0] = 9;
    await session.rollback();
    assertEquals([one.meta, one.visits, one.body[0], session.isModified(one)], [{ n: 1 }, 0, 0, false]);
  });

  test(target, "session.rollback() expires what was read from rows that it undoes", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session();
    await session.execute("UPDATE authors SET name = 'uncommitted'");
    const ann = await session.query(Author).one();
    assertEquals(ann.name, "uncommitted");
    await session.rollback();
    assertEquals(session.inspect(ann).expired, ["name", "bio", "version"]);
    assertEquals((await session.getOne(Author, ann.id)).name, "Ann");
    assertEquals(ann.name, "Ann");
  }, "interactive");

  test(target, "session.rollback() brings a flushed deletion back", async (place) => {
    await place.save(Stock.create({ left: 1 }), author("Ann", { a: [1] }));
    await using session = place.session();
    const [ann] = await session.query(Author).include({ books: { reviews: true } }).all();
    const [book] = ann!.books;
    await session.delete(ann!);
    await session.flush();
    assertEquals([session.inspect(ann!).state, session.inspect(book!).state], ["deleted", "deleted"]);
    assertEquals(await session.query(Book).count(), 0);
    await session.rollback();
    assertEquals([session.inspect(ann!).state, session.inspect(book!).state], ["persistent", "persistent"]);
    assertEquals([ann!.books.length, book!.reviews.length], [1, 1]);
    ann!.books[0]!.title = "again";
    await session.commit();
    assertEquals(await place.column("books", "title"), ["again"]);
  }, "interactive");

  test(target, "session.rollback() gives added instances with server keys back as they were", async (place) => {
    await using session = place.session();
    const maker = session.add(Maker.create({ name: "m", products: [new Product({ name: "p" })] }));
    const [product] = maker.products!;
    await session.flush();
    assertEquals(product!.makerId, maker.id);
    await session.rollback();
    assertEquals([maker.products, session.inspect(product!).state], [[product!], "transient"]);
    assertEquals([Object.hasOwn(maker, "id"), Object.hasOwn(product!, "makerId")], [false, false]);
    session.add(maker);
    await session.commit();
    assertEquals([product!.makerId, await place.rows("products")], [maker.id, 1]);
  }, "interactive");

  test(target, "session.rollback() forgets a relation that was read from rows that it undoes", async (place) => {
    await place.save(author("Ann", { a: [] }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    await session.execute("DELETE FROM books");
    assertEquals((await session.load(ann, ["books"])).books, []);
    await session.rollback();
    assertEquals(ann.books, undefined);
    assertEquals((await session.load(ann, ["books"])).books.length, 1);
  }, "interactive");

  test(target, "session.rollback() to a savepoint takes what was verified inside with it", async (place) => {
    await place.save(new Author({ name: "Ann" }), new Author({ name: "Bob" }));
    await using session = place.session();
    const [ann, bob] = await session.query(Author).orderBy({ name: "asc" }).all();
    const savepoint = await session.beginNested();
    session.verify(bob!);
    await savepoint.rollback();
    ann!.bio = "x";
    await place.run("UPDATE authors SET version = 2 WHERE name = 'Bob'");
    await session.commit();
    assertEquals(ann!.version, 2);
  });
}
