/**
 * Loading relations: `include` with a query or a get, and `load` afterwards.
 *
 * @module
 */
import { assertEquals, assertStrictEquals } from "@std/assert";
import { DetachedInstanceError, select, ValidationError } from "../../mod.ts";
import { Author, author, Book, Booking, Employee, Maker, Part, Product, Review, Seat, Tag, User } from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

/** Registers the tests of includes. */
export function includeSuite(target: Target): void {
  const { include: oneGraph } = target.expects.requests;

  test(target, "query.include() loads relations of every kind, nested, together", async (place) => {
    const tags = [new Tag({ name: "x" }), new Tag({ name: "y" })];
    const ann = author("Ann", { a: [1, 2], b: [3] });
    ann.books![0]!.tags = [tags[0]!, tags[1]!];
    ann.books![1]!.tags = [tags[1]!];
    await place.save(ann, author("Bob"));
    await using session = place.session();
    const count = await place.requests(async () => {
      const [one, two] = await session.query(Author).orderBy({ name: "asc" })
        .include({ books: { reviews: { book: true }, tags: true, author: true } }).all();
      assertEquals(two!.books, []);
      const books = one!.books.toSorted((x, y) => x.title < y.title ? -1 : 1);
      assertEquals(books.map(({ tags }) => tags.map(({ name }) => name).sort()), [["x", "y"], ["y"]]);
      assertEquals(books.map(({ reviews }) => reviews.map(({ stars }) => stars).sort()), [[1, 2], [3]]);
      for (const book of books) {
        assertStrictEquals(book.author, one);
        for (const review of book.reviews) assertStrictEquals(review.book, book);
      }
    });
    assertEquals(count, place.reads(6));
  });

  test(target, "query.include() takes an array of names, and called again it adds", async (place) => {
    await place.save(author("Ann", { a: [1] }));
    await using session = place.session();
    const [book] = await session.query(Book).include(["author", "reviews"]).include({ tags: true }).all();
    assertEquals([book!.author.name, book!.reviews.length, book!.tags], ["Ann", 1, []]);
    const result = await session.execute(select(Author).include(["books"]));
    assertStrictEquals(result.one().books[0], book);
  });

  test(target, "query.include() loads what belongs to the rows of a limit, and no more", async (place) => {
    await place.save(...["a", "b", "c", "d"].map((name) => author(name, { [`book of ${name}`]: [] })));
    await using session = place.session();
    const read = await session.query(Author).where({ name: { ne: "a" } }).orderBy({ version: "asc", name: "desc" })
      .limit(2).offset(1).include(["books"]).all();
    assertEquals(read.map(({ name, books }) => [name, books.map(({ title }) => title)]), [
      ["c", ["book of c"]],
      ["b", ["book of b"]],
    ]);
    assertEquals(session.identityMap.size, 4);
  });

  test(target, "query.include() loads the right rows when the order is sql, or ties", async (place) => {
    await place.save(...["a", "b", "c"].map((name) => author(name, { [name]: [] })));
    await using session = place.session();
    const tied = await session.query(Author).orderBy({ version: "asc" }).limit(2).include(["books"]).all();
    for (const { name, books } of tied) assertEquals(books.map(({ title }) => title), [name]);
    session.expungeAll();
    const random = await session.query(Author).orderBy(place.random).limit(2).include(["books"]).all();
    for (const { name, books } of random) assertEquals(books.map(({ title }) => title), [name]);
  });

  test(target, "query.include() loads relations by keys of several columns", async (place) => {
    await place.save(
      Seat.create({ row: 1, letter: "A", bookings: [new Booking({ guest: "g" }), new Booking({ guest: "h" })] }),
      Seat.create({ row: 1, letter: "B", bookings: [] }),
      Seat.create({ row: 2, letter: "A", bookings: [new Booking({ guest: "i" })] }),
    );
    await using session = place.session();
    const seats = await session.query(Seat).orderBy({ row: "asc", letter: "asc" }).include(["bookings"]).all();
    assertEquals(seats.map(({ bookings }) => bookings.map(({ guest }) => guest).sort()), [["g", "h"], [], ["i"]]);
    const [booking] = await session.query(Booking).where({ guest: "i" }).include(["seat"]).all();
    assertStrictEquals(booking!.seat, seats[2]);
  });

  test(target, "query.include() follows a model that refers to itself", async (place) => {
    const below = Employee.create({ name: "c", reports: [new Employee({ name: "d" })] });
    await place.save(Employee.create({ name: "a", reports: [Employee.create({ name: "b", reports: [below] })] }));
    await using session = place.session();
    const top = await session.query(Employee).where({ managerId: null })
      .include({ manager: true, reports: { reports: { reports: true } } }).one();
    assertEquals(top.manager, null);
    assertEquals(top.reports[0]!.reports[0]!.reports[0]!.name, "d");
    const d = await session.query(Employee).where({ name: "d" }).include({ manager: { manager: true } }).one();
    assertEquals([d.manager?.name, d.manager?.manager?.name], ["c", "b"]);
  });

  test(target, "query.include() fills a relation to none with null or an empty array", async (place) => {
    await place.save(new User({ name: "u" }), new Part({ name: "loose" }), new Maker({ name: "m" }));
    await using session = place.session();
    assertEquals((await session.query(User).include(["profile"]).one()).profile, null);
    assertEquals((await session.query(Part).include({ product: { maker: true } }).one()).product, null);
    assertEquals((await session.query(Maker).include({ products: { parts: true } }).one()).products, []);
  });

  test(target, "query.include() leaves a loaded relation with its changes, unless populated again", async (place) => {
    await place.save(author("Ann", { a: [], b: [] }));
    await using session = place.session({ autoflush: false });
    const [ann] = await session.query(Author).include(["books"]).all();
    const { books } = ann!;
    const popped = books.pop()!;
    await session.query(Author).include(["books"]).all();
    assertStrictEquals(ann!.books, books);
    assertEquals(books.length, 1);
    await session.query(Author).include(["books"]).populateExisting().all();
    assertEquals([ann!.books.length, ann!.books.includes(popped), session.isModified(ann!)], [2, true, false]);
  });

  test(target, "session.get() includes relations of an instance that is loaded", async (place) => {
    const ann = author("Ann", { a: [1] });
    await place.save(ann);
    await using session = place.session();
    const one = await session.getOne(Author, ann.id);
    one.name = "changed";
    const full = await session.getOne(Author, ann.id, { include: { books: { reviews: true } } });
    assertStrictEquals<Author>(full, one);
    assertEquals([full.name, full.books[0]!.reviews[0]!.stars], ["changed", 1]);
    await sendsNothing(place, () => session.getOne(Author, ann.id, { include: ["books"] }));
  });

  test(target, "session.load() loads relations of an instance, those that are not loaded yet", async (place) => {
    await place.save(author("Ann", { a: [1] }), author("Bob", { b: [] }));
    await using session = place.session();
    const ann = await session.query(Author).where({ name: "Ann" }).one();
    assertEquals(await place.requests(() => session.load(ann, { books: { reviews: true, tags: true } })), oneGraph);
    assertEquals([ann.books!.length, ann.books![0]!.reviews!.length, ann.books![0]!.tags], [1, 1, []]);
    await sendsNothing(place, () => session.load(ann, ["books"]));
    assertEquals(session.isModified(ann), false);
    await refused(() => session.load(ann, ["nope"] as never), ValidationError, "Author", '"nope"', "books");
  });

  test(target, "session.load() loads relations of an instance that is pending or detached", async (place) => {
    const ann = author("Ann", { a: [1] });
    await place.save(ann);
    await using session = place.session();
    const book = session.add(new Book({ title: "new", authorId: ann.id }));
    const loaded = await session.load(book, ["author"]);
    assertEquals([loaded.author.name, session.inspect(book).state], ["Ann", "pending"]);
    const detached = new Author({ id: ann.id, name: "Ann" });
    assertEquals((await session.load(detached, ["books"])).books.map(({ title }) => title), ["a"]);
    assertEquals(session.has(detached), false);
    await refused(() => session.load({ books: [] } as never, ["books"] as never), ValidationError, "not an instance");
  });

  test(target, "session.load() refuses an instance of another session", async (place) => {
    await place.save(author("Ann", { a: [1] }));
    await using session = place.session();
    await using other = place.other();
    const ann = await other.query(Author).one();
    await refused(() => session.load(ann, ["books"]), DetachedInstanceError, "another session");
  });

  test(target, "query.include() refuses what is no relation", async (place) => {
    await using session = place.session();
    await refused(() => session.query(Author).include(["name"] as never), ValidationError, '"name"', "books");
    await refused(
      () => session.query(Author).include({ books: { nope: true } } as never),
      ValidationError,
      "Book",
      '"nope"',
    );
    await refused(() => session.query(Author).include({ books: false } as never), ValidationError, "books");
    await refused(() => session.query(Review).include("book" as never), ValidationError, "include");
  });

  test(target, "query.include() keeps one instance for a row that is reached twice", async (place) => {
    const [x, ann] = [new Tag({ name: "x" }), author("Ann", { a: [], b: [] })];
    for (const book of ann.books!) book.tags = [x];
    await place.save(ann, Maker.create({ name: "m", products: [new Product({ name: "p" })] }));
    await using session = place.session();
    const [one, two] = await session.query(Book).include({ tags: { books: true } }).all();
    assertStrictEquals(one!.tags[0], two!.tags[0]);
    assertEquals(new Set(one!.tags[0]!.books), new Set<object>([one!, two!]));
  });
}
