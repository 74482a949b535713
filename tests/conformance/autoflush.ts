/**
 * Autoflush: when a query sees pending changes, and what that costs.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { select, sql, UniqueViolationError } from "../../mod.ts";
import { Account, Author, author, Book, Review, Tag } from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

/** Registers the tests of autoflush. */
export function autoflushSuite(target: Target): void {
  test(target, "session.query() flushes when its table has pending changes, and only then", async (place) => {
    await place.save(author("Ann", { a: [1] }), new Tag({ name: "t" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    ann.name = "Anna";
    session.add(new Tag({ name: "new" }));
    assertEquals(await session.query(Review).count(), 1);
    assertEquals([session.dirty.size, session.new.size], [1, 1]);
    assertEquals(await session.query(Author).where({ name: "Anna" }).count(), 1);
    assertEquals([session.dirty.size, session.new.size], [0, 0]);
    if (target.expects.concurrent) assertEquals(await place.column("authors", "name"), ["Ann"]);
    await session.commit();
    assertEquals([await place.column("authors", "name"), ann.version], [["Anna"], 2]);
  }, "interactive");

  const changes: [string, (author: Author & { books: Book[] }) => unknown][] = [
    ["a new row of an included table", ({ books }) => books.push(new Book({ title: "new" }))],
    ["an orphan of an included table", ({ books }) => books.pop()],
    ["a changed row of an included table", ({ books }) => books[0]!.pages = 3],
  ];
  for (const [what, change] of changes) {
    test(target, `session.query() flushes ${what}`, async (place) => {
      await place.save(author("Ann", { a: [], b: [] }));
      await using session = place.session();
      const [ann] = await session.query(Author).include(["books"]).all();
      change(ann!);
      const expected = ann!.books.length;
      assertEquals((await session.query(Author).include(["books"]).populateExisting().one()).books.length, expected);
      assertEquals(await session.query(Book).count(), expected);
      assertEquals(ann!.books.length, expected);
    }, "interactive");
  }

  test(target, "session.query() flushes a pending deletion", async (place) => {
    await place.save(author("Ann", { a: [] }), author("Bob"));
    await using session = place.session();
    await session.delete(await session.query(Author).where({ name: "Ann" }).one());
    assertEquals([await session.query(Author).count(), await session.query(Book).count()], [1, 0]);
    await session.rollback();
    assertEquals([await place.rows("authors"), await place.rows("books")], [2, 1]);
  }, "interactive");

  test(target, "session.get(), load() and refresh() never flush", async (place) => {
    const [ann, bob] = [author("Ann", { a: [] }), author("Bob")];
    const ids = [ann.id, bob.id] as const;
    await place.save(ann, bob);
    await using session = place.session();
    const one = await session.getOne(Author, ids[0]);
    one.name = "changed";
    await session.getOne(Author, ids[1]);
    await session.load(one, ["books"]);
    assertEquals([one.name, session.dirty.size], ["changed", 1]);
    await session.refresh(one);
    assertEquals([one.name, session.dirty.size], ["Ann", 0]);
  });

  test(target, "session.execute() counts raw SQL as touching every table, unless autoflush is false", async (place) => {
    await using session = place.session();
    session.add(new Author({ name: "Ann" }));
    const text = "SELECT count(*) FROM authors";
    assertEquals(Number(await session.scalar(text, [], { autoflush: false })), 0);
    assertEquals(session.new.size, 1);
    assertEquals(Number(await session.scalar(sql`SELECT 1`)), 1);
    assertEquals(session.new.size, 0);
    assertEquals(Number(await session.scalar(text)), 1);
  }, "interactive");

  test(target, "session.execute() of a select() flushes as a query does", async (place) => {
    await using session = place.session();
    session.add(new Author({ name: "Ann" }));
    await session.execute(select(Tag));
    assertEquals(session.new.size, 1);
    assertEquals((await session.scalars(select(Author))).all().length, 1);
    assertEquals(session.new.size, 0);
  }, "interactive");

  test(target, "noAutoflush() and autoflush: false read what the database has", async (place) => {
    await using session = place.session({ autoflush: false });
    session.add(new Author({ name: "Ann" }));
    assertEquals([await session.query(Author).count(), session.autoflush], [0, false]);
    session.autoflush = true;
    assertEquals(await session.noAutoflush(() => session.query(Author).count()), 0);
    assertEquals([session.autoflush, session.new.size], [true, 1]);
  });

  test(target, "a failed autoflush throws to the query that asked for it, and fails the session", async (place) => {
    await place.save(new Account({ email: "a" }));
    await using session = place.session();
    session.add(new Account({ email: "a" }));
    await refused(() => session.query(Account).all(), UniqueViolationError);
    assertEquals(session.state, "failed");
    await session.rollback();
    assertEquals((await session.query(Account).all()).length, 1);
  }, "interactive");

  test(target, "queries of one turn share one autoflush", async (place) => {
    await using session = place.session();
    session.addAll([new Author({ name: "Ann" }), new Tag({ name: "t" })]);
    const found = await Promise.all([
      session.query(Author).all(),
      session.query(Tag).all(),
      session.query(Author).count(),
    ]);
    assertEquals([found[0].length, found[1].length, found[2]], [1, 1, 1]);
    await session.commit();
    assertEquals(await place.rows("authors"), 1);
  }, "interactive");

  test(target, "session.flush() writes in the transaction, some instances or all", async (place) => {
    await using session = place.session();
    const [ann, bob] = session.addAll([new Author({ name: "Ann" }), new Author({ name: "Bob" })]);
    await session.flush([ann!]);
    assertEquals([session.inspect(ann!).state, session.inspect(bob!).state], ["persistent", "pending"]);
    if (target.expects.concurrent) assertEquals(await place.rows("authors"), 0);
    await session.flush();
    assertEquals(session.new.size, 0);
    ann!.name = "Anna";
    await session.commit();
    assertEquals([await place.column("authors", "name"), ann!.version], [["Anna", "Bob"], 2]);
    await sendsNothing(place, () => session.flush());
  }, "interactive");
}
