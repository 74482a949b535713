/**
 * Semantics: flushing, autoflush, and what a failed flush leaves, from SQLAlchemy's "Flushing" and "This Session's
 * transaction has been rolled back due to a previous exception during flush".
 *
 * @module
 */
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { inspect, InvalidStateError, StaleDataError, UniqueViolationError, ValidationError } from "../../mod.ts";
import { Account, Author, author, Book, Maker, Product, Tag } from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

/** Registers the tests of flushes. */
export function flushSemantics(target: Target): void {
  test(target, "flush() of nothing sends nothing, and opens nothing", async (place) => {
    await using session = place.session();
    await sendsNothing(place, () => session.flush());
    assertEquals(session.state, "open");
  });

  test(target, "flush() of some instances writes those and leaves the rest pending", async (place) => {
    await using session = place.session();
    const [a, b] = session.addAll([new Tag({ name: "a" }), new Tag({ name: "b" })]);
    await session.flush([a!]);
    assertEquals([inspect(a!).state, inspect(b!).state], ["persistent", "pending"]);
    await session.commit();
    assertEquals(await place.rows("tags"), 2);
  }, "interactive");

  test(
    target,
    "flush() is seen by the session and by no one else until the commit",
    async (place) => {
      await using session = place.session();
      session.add(new Maker({ name: "m" }));
      await session.flush();
      assertEquals(await session.query(Maker).count(), 1);
      assertEquals(await place.rows("makers"), 0);
      await session.commit();
      assertEquals(await place.rows("makers"), 1);
    },
    "interactive",
    "concurrent",
  );

  test(target, "a flush gives keys to children before the commit", async (place) => {
    await using session = place.session();
    const maker = session.add(Maker.create({ name: "m", products: [new Product({ name: "p" })] }));
    await session.flush();
    assertEquals([typeof maker.id, maker.products![0]!.makerId], ["number", maker.id]);
    await session.rollback();
    assertEquals(["id" in maker, "makerId" in maker.products![0]!], [false, false]);
  }, "interactive");

  test(target, "changes after a flush are a new flush's", async (place) => {
    await using session = place.session();
    const ann = session.add(new Author({ name: "Ann" }));
    await session.flush();
    ann.name = "Bob";
    assertEquals([session.dirty.has(ann), ann.version], [true, 1]);
    await session.commit();
    assertEquals([await place.column("authors", "name"), ann.version], [["Bob"], 2]);
  }, "interactive");

  test(target, "a query autoflushes a change of its table", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    tag.name = "u";
    assertStrictEquals(await session.query(Tag).where({ name: "u" }).one(), tag);
    assertEquals(session.dirty.size, 0);
    await session.rollback();
    assertEquals(tag.name, "t");
  }, "interactive");

  test(
    target,
    "a query of another table does not flush: Ledge looks at the tables, SQLAlchemy flushes all",
    async (place) => {
      await using session = place.session();
      const tag = session.add(new Tag({ name: "t" }));
      await session.query(Maker).all();
      assertEquals(inspect(tag).state, "pending");
    },
  );

  test(target, "a query autoflushes what it includes", async (place) => {
    await place.save(author("Ann", { a: [] }));
    await using session = place.session();
    const book = await session.query(Book).one();
    book.title = "b";
    const [ann] = await session.query(Author).include(["books"]).all();
    assertEquals([ann!.books[0]!.title, session.dirty.size], ["b", 0]);
    await session.rollback();
  }, "interactive");

  test(target, "get(), load() and refresh() never autoflush", async (place) => {
    await place.save(author("Ann", { a: [] }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    const tag = session.add(new Tag({ name: "t" }));
    ann.name = "x";
    await session.get(Tag, tag.id);
    await session.load(ann, ["books"]);
    assertEquals([inspect(tag).state, session.dirty.has(ann)], ["pending", true]);
  });

  test(target, "autoflush: false reads past pending changes", async (place) => {
    await using session = place.session({ autoflush: false });
    session.add(new Tag({ name: "t" }));
    assertEquals(await session.query(Tag).count(), 0);
    session.autoflush = true;
    assertEquals(session.autoflush, true);
  });

  test(target, "noAutoflush() is over when its function ends, thrown or not", async (place) => {
    await using session = place.session();
    session.add(new Tag({ name: "t" }));
    assertEquals(await session.noAutoflush(() => session.query(Tag).count()), 0);
    await refused(() =>
      session.noAutoflush(() => {
        throw new InvalidStateError("mine");
      }), InvalidStateError);
    assertEquals(session.autoflush, true);
  });

  test(
    target,
    "a value that is refused fails nothing: the session stays open, and it can be put right",
    async (place) => {
      await using session = place.session();
      const tag = session.add(new Tag({ name: 5 as unknown as string }));
      await sendsNothing(place, () => refused(() => session.commit(), ValidationError, "Tag.name"));
      assertEquals([session.state, inspect(tag).state], ["open", "pending"]);
      tag.name = "t";
      await session.commit();
      assertEquals(await place.column("tags", "name"), ["t"]);
    },
  );

  test(target, "a commit that the database refuses writes nothing at all", async (place) => {
    await place.save(new Account({ email: "a@x" }));
    await using session = place.session();
    session.addAll([new Tag({ name: "t" }), new Account({ email: "a@x" })]);
    await refused(() => session.commit(), UniqueViolationError);
    await session.rollback();
    assertEquals([await place.rows("tags"), await place.rows("accounts")], [0, 1]);
  });

  test(target, "a failed commit leaves pending what was pending, and changed what was changed", async (place) => {
    await place.save(new Account({ email: "a@x" }), new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    tag.name = "u";
    const account = session.add(new Account({ email: "a@x" }));
    await refused(() => session.commit(), UniqueViolationError);
    assertEquals([session.state, inspect(account).state, session.dirty.has(tag), tag.name], [
      "failed",
      "pending",
      true,
      "u",
    ]);
    await session.rollback();
    assertEquals([session.state, inspect(account).state, tag.name], ["open", "transient", "t"]);
  });

  test(target, "a failed session refuses work until rollback(), and says so", async (place) => {
    await place.save(new Account({ email: "a@x" }));
    await using session = place.session();
    session.add(new Account({ email: "a@x" }));
    await refused(() => session.commit(), UniqueViolationError);
    for (
      const call of [
        () => session.query(Tag).all(),
        () => session.commit(),
        () => session.flush(),
        () => session.get(Tag, crypto.randomUUID()),
        () => session.beginNested(),
        () => session.add(new Tag({ name: "t" })),
      ]
    ) await refused(call, InvalidStateError, "rollback()");
    await session.rollback();
    assertEquals(await session.query(Account).count(), 1);
  });

  test(target, "after a failed commit and a rollback the same work can be done again, put right", async (place) => {
    await place.save(new Account({ email: "a@x" }));
    await using session = place.session();
    const account = session.add(new Account({ email: "a@x" }));
    await refused(() => session.commit(), UniqueViolationError);
    await session.rollback();
    account.email = "b@x";
    session.add(account);
    await session.commit();
    assertEquals(await place.column("accounts", "email"), ["a@x", "b@x"]);
  });

  test(target, "a failed commit takes nothing that the server made", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const maker = session.add(Maker.create({ name: "m", products: [new Product({ name: "p" })] }));
    session.add(new Tag({ name: "t" }));
    await refused(() => session.commit(), UniqueViolationError);
    await session.rollback();
    assertEquals(["id" in maker, "makerId" in maker.products![0]!, maker.version], [false, false, 1]);
  });

  test(target, "an instance found stale is expired by the rollback, so that it is read again", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    await place.run("UPDATE authors SET version = 2, name = 'theirs'");
    ann.name = "mine";
    const error = await refused(() => session.commit(), StaleDataError);
    assertStrictEquals(error.instance, ann);
    await session.rollback();
    assert(session.inspect(ann).expired.includes("name"));
    await session.refresh(ann);
    assertEquals([ann.name, ann.version], ["theirs", 2]);
  });

  test(
    target,
    "a failed flush inside a transaction fails what follows, and rollback() undoes what came before",
    async (place) => {
      await using session = place.session();
      session.add(new Tag({ name: "t" }));
      await session.flush();
      session.add(new Tag({ name: "t" }));
      await refused(() => session.flush(), UniqueViolationError);
      assertEquals(session.state, "failed");
      await session.rollback();
      assertEquals([session.state, await place.rows("tags")], ["open", 0]);
    },
    "interactive",
  );

  test(target, "rollback() of nothing is fine, and sends nothing", async (place) => {
    await using session = place.session();
    await sendsNothing(place, () => session.rollback());
    assertEquals([session.state, session.inTransaction()], ["open", false]);
  });
}
