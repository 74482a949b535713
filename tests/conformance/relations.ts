/**
 * Relations: cascades, orphans, moved children, conflicts.
 *
 * @module
 */
import { assertEquals, assertStrictEquals } from "@std/assert";
import { DetachedInstanceError, ForeignKeyViolationError, ValidationError } from "../../mod.ts";
import { Author, author, Book, Crate, Maker, Product, Profile, Review, Stock, Tag, User } from "./models.ts";
import { type Place, refused, sendsNothing, type Target, test } from "./setup.ts";

const counts = (place: Place) => Promise.all(["authors", "books", "reviews"].map((table) => place.rows(table)));

/** Registers the tests of relations. */
export function relationSuite(target: Target): void {
  test(target, "session.delete() leaves children to the database where it has onDelete", async (place) => {
    await place.save(author("Ann", { a: [], b: [] }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    await sendsNothing(place, () => session.delete(ann));
    assertEquals(await place.requests(() => session.commit()), place.commits(1));
    assertEquals(await counts(place), [0, 0, 0]);
  });

  test(target, "session.delete() loads and deletes children where the database has no onDelete", async (place) => {
    await place.save(author("Ann", { a: [1, 2], b: [3] }));
    await using session = place.session();
    const book = await session.query(Book).where({ title: "a" }).one();
    assertEquals(await place.requests(() => session.delete(book)), 1);
    assertEquals(session.deleted.size, 3);
    await session.commit();
    assertEquals(await counts(place), [1, 1, 1]);
  });

  test(target, "session.delete() sends nothing when the children are loaded", async (place) => {
    await place.save(author("Ann", { a: [1, 2] }));
    await using session = place.session();
    const [book] = await session.query(Book).include(["reviews"]).all();
    await sendsNothing(place, () => session.delete(book!));
    await session.commit();
    assertEquals(await counts(place), [1, 0, 0]);
  });

  test(target, "session.delete() empties a nullable foreign key of the children", async (place) => {
    await place.save(Stock.create({ left: 1, crates: [new Crate({ name: "a" }), new Crate({ name: "b" })] }));
    await using session = place.session();
    const crate = await session.query(Crate).where({ name: "a" }).one();
    await session.delete(await session.query(Stock).one());
    await session.commit();
    assertEquals([crate.stockId, await place.column("crates", "stock_id")], [null, [null, null]]);
  });

  test(target, "session.delete() fails at the database when a child cannot be without its parent", async (place) => {
    await place.save(Maker.create({ name: "m", products: [new Product({ name: "p" })] }));
    await using session = place.session();
    const maker = await session.query(Maker).one();
    await session.delete(maker);
    await refused(() => session.commit(), ForeignKeyViolationError);
    await session.rollback();
    assertEquals([session.has(maker), session.deleted.size, await place.rows("makers")], [true, 0, 1]);
  });

  test(target, "session.commit() deletes an orphan of a collection with deleteOrphan", async (place) => {
    await place.save(author("Ann", { a: [1], b: [2] }));
    await using session = place.session();
    const [ann] = await session.query(Author).include({ books: { reviews: true } }).all();
    const gone = ann!.books.splice(0, 1)[0]!;
    await session.commit();
    assertEquals([session.inspect(gone).state, ann!.books.length, ann!.version], ["detached", 1, 1]);
    assertEquals(await counts(place), [1, 1, 1]);
    ann!.books = [];
    await session.commit();
    assertEquals(await counts(place), [1, 0, 0]);
  });

  test(
    target,
    "session.commit() deletes what the deletion of an orphan brings with it, loaded or not",
    async (place) => {
      await place.save(author("Ann", { a: [1, 2], b: [3] }));
      await using session = place.session();
      const [ann] = await session.query(Author).include(["books"]).all();
      ann!.books = ann!.books.filter(({ title }) => title === "b");
      await session.commit();
      assertEquals(await counts(place), [1, 1, 1]);
    },
  );

  test(target, "session.commit() lets an orphan that has no row go with its place in the collection", async (place) => {
    await place.save(author("Ann"));
    await using session = place.session();
    const [ann] = await session.query(Author).include(["books"]).all();
    const book = new Book({ title: "pending" });
    ann!.books.push(book);
    session.add(ann!);
    assertEquals(session.inspect(book).state, "pending");
    ann!.books.pop();
    await session.commit();
    assertEquals([session.inspect(book).state, await place.rows("books")], ["transient", 0]);
  });

  test(target, "session.commit() refuses a collection with deleteOrphan that was not loaded", async (place) => {
    await place.save(author("Ann", { a: [] }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    ann.books = [new Book({ title: "new" })];
    await sendsNothing(place, () => refused(() => session.commit(), ValidationError, "Author.books", "load"));
    assertEquals(await place.rows("books"), 1);
  });

  test(target, "session.commit() only adds to a collection that was not loaded", async (place) => {
    await place.save(Maker.create({ name: "m", products: [new Product({ name: "old" })] }));
    await using session = place.session();
    const maker = await session.query(Maker).one();
    maker.products = [new Product({ name: "new" })];
    await session.commit();
    assertEquals(await place.column("products", "name"), ["new", "old"]);
    assertEquals(new Set((await place.column("products", "maker_id")).map(Number)), new Set([maker.id]));
    const loaded = await session.load(maker, ["products"]);
    assertEquals(loaded.products.map(({ name }) => name).sort(), ["new", "old"]);
  });

  test(
    target,
    "session.commit() gives an orphan no parent when its foreign key can be null, and refuses otherwise",
    async (place) => {
      await place.save(Stock.create({ left: 1, crates: [new Crate({ name: "a" })] }));
      await place.save(Maker.create({ name: "m", products: [new Product({ name: "p" })] }));
      await using session = place.session();
      const [stock] = await session.query(Stock).include(["crates"]).all();
      const crate = stock!.crates.pop()!;
      await session.commit();
      assertEquals([crate.stockId, await place.column("crates", "stock_id")], [null, [null]]);
      const [maker] = await session.query(Maker).include(["products"]).all();
      maker!.products.pop();
      await sendsNothing(
        place,
        () => refused(() => session.commit(), ValidationError, "Product", "Maker.products", "deleteOrphan"),
      );
    },
  );

  test(target, "session.commit() moves a child from one collection to another without deleting it", async (place) => {
    await place.save(author("Ann", { a: [1] }), author("Bob", { b: [] }));
    await using session = place.session();
    const [ann, bob] = await session.query(Author).orderBy({ name: "asc" }).include(["books"]).all();
    const book = ann!.books.pop()!;
    bob!.books.push(book);
    await session.commit();
    assertEquals([book.authorId, book.version, session.inspect(book).state], [bob!.id, 2, "persistent"]);
    assertEquals([await counts(place), new Set(await place.column("books", "author_id"))], [
      [2, 2, 1],
      new Set([bob!.id]),
    ]);
    assertEquals(session.isModified(bob!), false);
  });

  test(
    target,
    "session.commit() moves a child that is given another parent, and its old collection follows",
    async (place) => {
      await place.save(author("Ann", { a: [], b: [] }), author("Bob"));
      await using session = place.session();
      const [ann, bob] = await session.query(Author).orderBy({ name: "asc" }).include(["books"]).all();
      const [first, second] = ann!.books;
      first!.author = bob!;
      second!.authorId = bob!.id; // by the foreign key alone
      await session.commit();
      assertEquals([first!.authorId, second!.authorId, ann!.books.length], [bob!.id, bob!.id, 0]);
      assertEquals([await place.rows("books"), session.isModified(ann!)], [2, false]);
    },
  );

  test(target, "session.commit() lets a changed relation beat its foreign key", async (place) => {
    await place.save(author("Ann", { a: [] }), author("Bob"), author("Carl"));
    await using session = place.session();
    const [, bob, carl] = await session.query(Author).orderBy({ name: "asc" }).all();
    const book = await session.query(Book).one();
    book.authorId = carl!.id;
    book.author = bob!;
    await session.commit();
    assertEquals([book.authorId, await place.column("books", "author_id")], [bob!.id, [bob!.id]]);
  });

  test(target, "session.commit() makes a loaded relation follow its changed foreign key", async (place) => {
    await place.save(author("Ann", { a: [] }), author("Bob"));
    await using session = place.session();
    const [book] = await session.query(Book).include(["author"]).all();
    const bob = await session.query(Author).where({ name: "Bob" }).one();
    book!.authorId = bob.id;
    await session.commit();
    assertStrictEquals(book!.author, bob);
  });

  test(target, "session.commit() refuses relations that say different things, naming both", async (place) => {
    await place.save(author("Ann", { a: [] }), author("Bob"), author("Carl"));
    await using session = place.session();
    const [ann, bob, carl] = await session.query(Author).orderBy({ name: "asc" }).include(["books"]).all();
    const book = ann!.books.pop()!;
    book.author = bob!;
    carl!.books.push(book);
    const words = ["Book.author", "Author.books", book.id, bob!.id, carl!.id];
    await sendsNothing(place, () => refused(() => session.commit(), ValidationError, ...words));
    assertEquals(session.state, "open");
    carl!.books.pop();
    await session.commit();
    assertEquals(await place.column("books", "author_id"), [bob!.id]);
  });

  test(target, "session.commit() refuses a child in two collections", async (place) => {
    await place.save(author("Ann", { a: [] }), author("Bob"), author("Carl"));
    await using session = place.session();
    const [ann, bob, carl] = await session.query(Author).orderBy({ name: "asc" }).include(["books"]).all();
    const [book] = ann!.books;
    bob!.books.push(book!);
    carl!.books.push(book!);
    await refused(() => session.commit(), ValidationError, "Author.books", bob!.id, carl!.id);
  });

  test(target, "session.commit() refuses what a relation cannot hold", async (place) => {
    await using session = place.session();
    const wrong = async (instance: object, ...words: string[]) => {
      await sendsNothing(place, () =>
        refused(
          async () => {
            session.add(instance);
            await session.commit();
          },
          ValidationError,
          ...words,
        ));
      await session.rollback();
    };
    await wrong(
      Object.assign(new Book({ title: "x" }), { author: new Tag({ name: "t" }) }),
      "Book.author",
      "Author",
      "Tag",
    );
    await wrong(Object.assign(new Author({ name: "x" }), { books: null }), "Author.books", "array of Book");
    await wrong(Object.assign(new Author({ name: "x" }), { books: [{ title: "plain" }] }), "Author.books");
    await wrong(Object.assign(new Book({ title: "x" }), { author: [new Author({ name: "y" })] }), "Book.author");
    await wrong(Crate.create({ name: "c", stock: new Stock({ left: 1 }) }), "Crate.stock", "cascade");
    await wrong(new Book({ title: "none" }), "Book.authorId", "author");
    assertEquals(await place.rows("books"), 0);
  });

  test(target, "session.commit() refuses a parent that is to be deleted", async (place) => {
    await place.save(author("Ann"));
    await using session = place.session();
    const ann = await session.query(Author).one();
    await session.delete(ann);
    session.add(Book.create({ title: "b", author: ann }));
    await sendsNothing(place, () => refused(() => session.commit(), ValidationError, "Book.author", ann.id, "deleted"));
  });

  test(target, "session.commit() takes a deleted child out of the loaded collection", async (place) => {
    await place.save(author("Ann", { a: [], b: [] }));
    await using session = place.session();
    const [ann] = await session.query(Author).include(["books"]).all();
    const { books } = ann!;
    const gone = books.find(({ title }) => title === "a")!;
    await session.delete(gone);
    await session.commit();
    assertEquals([books.map(({ title }) => title), ann!.books === books], [["b"], true]);
    await sendsNothing(place, () => session.commit());
  });

  test(target, "a hasOne holds one child, and deletes the one that it replaces", async (place) => {
    await place.save(User.create({ name: "u", profile: new Profile({ motto: "old" }) }), new User({ name: "v" }));
    await using session = place.session();
    const [u, v] = await session.query(User).orderBy({ name: "asc" }).include(["profile"]).all();
    assertEquals([u!.profile?.motto, v!.profile], ["old", null]);
    u!.profile = new Profile({ motto: "new" }); // takes the unique user_id of the one that goes
    await session.commit();
    assertEquals(await place.column("profiles", "motto"), ["new"]);
    v!.profile = u!.profile;
    u!.profile = null;
    await session.commit();
    assertEquals([await place.column("profiles", "user_id"), v!.profile!.userId], [[v!.id], v!.id]);
    await session.delete(v!);
    await session.commit();
    assertEquals(await place.rows("profiles"), 0);
  });

  test(target, "a manyToMany writes its links, whichever end says so", async (place) => {
    await place.save(author("Ann", { a: [], b: [] }), new Tag({ name: "x" }), new Tag({ name: "y" }));
    await using session = place.session();
    const [a, b] = await session.query(Book).orderBy({ title: "asc" }).include(["tags"]).all();
    const [x, y] = await session.query(Tag).orderBy({ name: "asc" }).include(["books"]).all();
    a!.tags.push(x!, y!, new Tag({ name: "z" }));
    x!.books.push(a!, b!); // a is said twice
    assertEquals(await place.requests(() => session.commit()), place.commits(2));
    assertEquals([await place.rows("book_tags"), await place.rows("tags"), a!.version], [4, 3, 1]);
    await using reader = place.other();
    const read = await reader.query(Book).orderBy({ title: "asc" }).include({ tags: true }).all();
    assertEquals(read.map(({ tags }) => tags.map(({ name }) => name).sort()), [["x", "y", "z"], ["x"]]);
    a!.tags.splice(a!.tags.indexOf(y!), 1);
    await session.delete(x!);
    await session.commit();
    assertEquals([await place.rows("book_tags"), await place.column("tags", "name")], [1, ["y", "z"]]);
  });

  test(target, "a manyToMany loses its links with either end", async (place) => {
    const [x, y] = [new Tag({ name: "x" }), new Tag({ name: "y" })];
    const ann = author("Ann", { a: [], b: [] });
    for (const book of ann.books!) book.tags = [x, y];
    await place.save(ann);
    assertEquals(await place.rows("book_tags"), 4);
    await using session = place.session();
    await session.delete(await session.query(Tag).where({ name: "x" }).one());
    await session.delete(await session.query(Book).where({ title: "a" }).one());
    await session.commit();
    assertEquals([await place.rows("book_tags"), await place.rows("tags"), await place.rows("books")], [1, 1, 1]);
  });

  test(target, "session.commit() keeps what was put into a relation before it was loaded", async (place) => {
    await place.save(Stock.create({ left: 1, crates: [new Crate({ name: "old" })] }));
    await using session = place.session();
    const stock = await session.query(Stock).one();
    const crate = new Crate({ name: "new" });
    stock.crates = [crate];
    const { crates } = await session.load(stock, ["crates"]);
    assertEquals(crates.map(({ name }) => name), ["old", "new"]);
    await session.commit();
    assertEquals([crate.stockId, await place.rows("crates")], [stock.id, 2]);
  });

  test(target, "session.commit() follows reviews of new books of a known author", async (place) => {
    await place.save(author("Ann"));
    await using session = place.session();
    const ann = await session.query(Author).one();
    session.add(
      Book.create({ title: "b", author: ann, reviews: [Review.create({ stars: 1 }), new Review({ stars: 2 })] }),
    );
    await session.commit();
    assertEquals(await counts(place), [1, 1, 2]);
  });

  test(target, "session.commit() writes nothing for a collection in another order, array or number", async (place) => {
    await place.save(author("Ann", { a: [], b: [] }));
    await using session = place.session();
    const [ann] = await session.query(Author).include(["books"]).all();
    ann!.books.reverse();
    await sendsNothing(place, () => session.commit());
    ann!.books = [...ann!.books, ann!.books[0]!]; // one of them twice
    await sendsNothing(place, () => session.commit());
    assertEquals(await place.rows("books"), 2);
  });

  test(target, "session.delete() takes pending children with it, and leaves those that have moved", async (place) => {
    await place.save(author("Ann", { a: [], b: [] }), author("Bob"));
    await using session = place.session();
    const [ann, bob] = await session.query(Author).orderBy({ name: "asc" }).include(["books"]).all();
    const pending = new Book({ title: "pending" });
    ann!.books.push(pending);
    session.add(ann!);
    bob!.books.push(ann!.books.shift()!);
    await session.remove(ann!);
    await session.commit();
    assertEquals([session.inspect(pending).state, await place.column("books", "author_id")], ["transient", [bob!.id]]);
  });

  test(target, "session.commit() refuses a hasOne with deleteOrphan that was not loaded", async (place) => {
    await place.save(User.create({ name: "u", profile: new Profile({ motto: "old" }) }));
    await using session = place.session();
    const user = await session.query(User).one();
    user.profile = new Profile({ motto: "new" });
    await sendsNothing(place, () => refused(() => session.commit(), ValidationError, "User.profile", "load"));
  });

  test(target, "session.commit() refuses a member of another session, and takes a detached one in", async (place) => {
    await place.save(author("Ann", { a: [] }), new Tag({ name: "x" }));
    const other = place.other();
    const tag = await other.query(Tag).one();
    await using session = place.session();
    const [book] = await session.query(Book).include(["tags"]).all();
    book!.tags.push(tag);
    await refused(() => session.commit(), DetachedInstanceError, "another session", "merge");
    await other.close();
    await session.commit();
    assertEquals([session.inspect(tag).state, await place.rows("book_tags"), await place.rows("tags")], [
      "persistent",
      1,
      1,
    ]);
  });
}
