/**
 * Semantics: expiring and refreshing, from SQLAlchemy's "Refreshing / Expiring".
 *
 * @module
 */
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { ExpiredPropertyError, inspect, ValidationError } from "../../mod.ts";
import { Account, Author, author, Book, Maker, Part, Product, Tag } from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

/** Registers the tests of expire and refresh. */
export function expireSemantics(target: Target): void {
  test(target, "expire() sends nothing, and reading what is expired throws: nothing loads lazily", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    await sendsNothing(place, () => session.expire(ann));
    assertThrows(() => ann.name, ExpiredPropertyError, "Author.name");
    assertThrows(() => JSON.stringify(ann), ExpiredPropertyError);
  });

  test(target, "expire() leaves the key: it does not change", async (place) => {
    const ann = new Author({ name: "Ann" });
    const { id } = ann;
    await place.save(ann);
    await using session = place.session();
    const own = await session.query(Author).one();
    session.expire(own);
    assertEquals([own.id, session.identityMap.has(Author, id), inspect(own).state], [id, true, "persistent"]);
  });

  test(target, "expire() drops pending changes", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    tag.name = "u";
    session.expire(tag);
    assertEquals(session.dirty.size, 0);
    await sendsNothing(place, () => session.commit());
    await session.refresh(tag);
    assertEquals(tag.name, "t");
  });

  test(target, "expire() of one property drops its change and keeps the others", async (place) => {
    await place.save(new Author({ name: "Ann", bio: "b" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    ann.name = "x";
    ann.bio = "y";
    session.expire(ann, ["name"]);
    assertEquals([ann.bio, session.inspect(ann).expired], ["y", ["name"]]);
    await session.commit();
    assertEquals([await place.column("authors", "name"), await place.column("authors", "bio")], [["Ann"], ["y"]]);
  });

  test(target, "expire() of a relation forgets what was loaded, and load() reads it again", async (place) => {
    await place.save(author("Ann", { a: [] }));
    await using session = place.session();
    const [ann] = await session.query(Author).include(["books"]).all();
    session.expire(ann!, ["books"]);
    assertEquals(["books" in ann!, ann!.name], [false, "Ann"]);
    await place.run("UPDATE books SET title = 'z'");
    await session.load(ann!, ["books"]);
    assertEquals(ann!.books.length, 1);
  });

  test(target, "expire() of everything forgets loaded relations too", async (place) => {
    await place.save(author("Ann", { a: [] }));
    await using session = place.session();
    const [ann] = await session.query(Author).include(["books"]).all();
    session.expire(ann!);
    assertEquals([session.inspect(ann!).loaded, "books" in ann!], [[], false]);
  });

  test(target, "expire() leaves related instances as they are: it does not cascade", async (place) => {
    await place.save(author("Ann", { a: [1] }));
    await using session = place.session();
    const [ann] = await session.query(Author).include({ books: { reviews: true } }).all();
    const book = ann!.books[0]!;
    book.title = "changed";
    session.expire(ann!);
    assertEquals([book.title, session.inspect(book).expired, session.dirty.has(book)], ["changed", [], true]);
  });

  test(target, "expire() of a pending or a transient instance is refused: it has no row", async (place) => {
    await using session = place.session();
    const tag = session.add(new Tag({ name: "t" }));
    await refused(() => session.expire(tag), ValidationError, "pending");
    await refused(() => session.expire(new Tag({ name: "u" })), Error, "session");
    assertEquals(tag.name, "t");
  });

  test(target, "expire() of what is no property is refused, and expires nothing", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    await refused(() => session.expire(tag, ["name", "nope"] as never), ValidationError, '"nope"');
    assertEquals(tag.name, "t");
  });

  test(target, "assigning to an expired property gives it a value, which is written", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    session.expire(tag);
    tag.name = "u";
    assertEquals([tag.name, session.dirty.has(tag)], ["u", true]);
    await session.commit();
    assertEquals(await place.column("tags", "name"), ["u"]);
  });

  test(target, "a query fills in what is expired, and keeps what was assigned since", async (place) => {
    await place.save(new Author({ name: "Ann", bio: "b" }));
    await using session = place.session({ autoflush: false });
    const ann = await session.query(Author).one();
    session.expire(ann);
    ann.name = "mine";
    await place.run("UPDATE authors SET bio = 'theirs'");
    assertStrictEquals(await session.query(Author).one(), ann);
    assertEquals([ann.name, ann.bio, ann.version, session.dirty.has(ann)], ["mine", "theirs", 1, true]);
    assertEquals(session.inspect(ann).history.name, { before: "Ann", after: "mine" });
  });

  test(
    target,
    "an expired property that was assigned what the row holds is no change once it is read",
    async (place) => {
      await place.save(new Tag({ name: "t" }));
      await using session = place.session({ autoflush: false });
      const tag = await session.query(Tag).one();
      session.expire(tag);
      tag.name = "t";
      await session.query(Tag).one();
      assertEquals(session.dirty.size, 0);
      await sendsNothing(place, () => session.commit());
    },
  );

  test(target, "get() of an expired instance reads it again, in one request", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    session.expire(tag);
    assertEquals(await place.requests(() => session.get(Tag, tag.id)), 1);
    assertEquals(tag.name, "t");
  });

  test(target, "get() of an expired instance whose row is gone gives null", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    session.expire(tag);
    await place.run("DELETE FROM tags");
    assertEquals(await session.get(Tag, tag.id), null);
  });

  test(target, "an expired instance with a version needs a refresh before it is changed", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    session.expire(ann);
    ann.name = "x";
    await refused(() => session.commit(), ValidationError, "expired", "refresh");
    await session.get(Author, ann.id);
    await session.commit();
    assertEquals([ann.version, await place.column("authors", "name")], [2, ["x"]]);
  });

  test(target, "expireAll() expires what is persistent and leaves what is pending", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    const added = session.add(new Tag({ name: "u" }));
    session.expireAll();
    assertEquals([session.inspect(tag).expired, added.name], [["name"], "u"]);
  });

  test(
    target,
    "commit() expires nothing, unless expireOnCommit says so: SQLAlchemy's default is the other one",
    async (place) => {
      await place.save(new Tag({ name: "t" }));
      for (const expireOnCommit of [false, true]) {
        await using session = place.session({ expireOnCommit });
        const tag = await session.query(Tag).one();
        await session.commit();
        assertEquals(session.inspect(tag).expired, expireOnCommit ? ["name"] : []);
      }
    },
  );

  test(target, "rollback() puts the row's values back and expires nothing that was only changed", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    tag.name = "u";
    await session.rollback();
    assertEquals([tag.name, session.inspect(tag).expired], ["t", []]); // SQLAlchemy expires it
  });

  test(target, "an expired instance can be expunged and merged back", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    session.expire(tag);
    session.expunge(tag);
    assertThrows(() => tag.name, ExpiredPropertyError);
    const merged = await session.merge(tag);
    assertEquals([merged.name, merged.id], ["t", tag.id]);
  });

  test(target, "an expired instance that is a parent can be referred to by its key", async (place) => {
    await place.save(new Maker({ name: "m" }), new Author({ name: "Ann" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    session.expire(ann);
    session.add(Book.create({ title: "b", author: ann }));
    await session.commit();
    assertEquals(await place.column("books", "author_id"), [ann.id]);
  });

  test(
    target,
    "an expired child that is given another parent leaves the collection of the one it had",
    async (place) => {
      await place.save(
        Product.create({ name: "p", maker: new Maker({ name: "m" }), parts: [new Part({ name: "a" })] }),
      );
      await using session = place.session();
      const [product] = await session.query(Product).include(["parts"]).all();
      const part = product!.parts[0]!;
      session.expire(part);
      part.productId = null;
      await session.commit();
      assertEquals([product!.parts, await place.column("parts", "product_id")], [[], [null]]);
    },
  );

  test(
    target,
    "a unique value that was expired, read again and overwritten is freed before it is taken",
    async (place) => {
      await place.save(new Account({ email: "a@x" }));
      await using session = place.session({ autoflush: false });
      const account = await session.query(Account).one();
      session.expire(account);
      account.email = "b@x";
      await session.query(Account).one();
      session.add(new Account({ email: "a@x" }));
      await session.commit();
      assertEquals(await place.column("accounts", "email"), ["a@x", "b@x"]);
    },
  );

  test(target, "a unique value that is not known goes before whatever takes one", async (place) => {
    await place.save(new Account({ email: "a@x" }));
    await using session = place.session({ autoflush: false });
    const account = await session.query(Account).one();
    session.expire(account, ["email"]);
    account.email = "b@x";
    session.add(new Account({ email: "a@x" }));
    await session.commit();
    assertEquals(await place.column("accounts", "email"), ["a@x", "b@x"]);
  });
}
