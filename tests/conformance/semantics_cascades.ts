/**
 * Semantics: cascade "save" (SQLAlchemy's save-update) and what relations write.
 *
 * @module
 */
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { inspect, ValidationError } from "../../mod.ts";
import {
  Author,
  author,
  Book,
  Booking,
  Course,
  Crate,
  Employee,
  Line,
  Order,
  Profile,
  Review,
  Seat,
  Stock,
  Student,
  Tag,
  User,
} from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

/** Registers the tests of cascade "save". */
export function cascadeSemantics(target: Target): void {
  test(target, "add() reaches through a collection, two levels deep", async (place) => {
    await using session = place.session();
    const ann = session.add(author("Ann", { a: [1, 2], b: [] }));
    assertEquals([session.new.size, inspect(ann.books![0]!.reviews![1]!).state], [5, "pending"]);
    await session.commit();
    assertEquals([await place.rows("books"), await place.rows("reviews")], [2, 2]);
  });

  test(target, "add() reaches through a relation to one, two levels up", async (place) => {
    await using session = place.session();
    const review = Review.create({
      stars: 1,
      book: Book.create({ title: "b", author: new Author({ name: "Ann" }) }),
    });
    session.add(review);
    assertEquals(session.new.size, 3);
    await session.commit();
    assertEquals([review.bookId, review.book!.authorId], [review.book!.id, review.book!.author!.id]);
  });

  test(target, "add() reaches through a hasOne", async (place) => {
    await using session = place.session();
    const user = session.add(User.create({ name: "u", profile: new Profile({ motto: "m" }) }));
    await session.commit();
    assertEquals(await place.column("profiles", "user_id"), [user.id]);
  });

  test(target, "add() reaches through a many-to-many, and on from there", async (place) => {
    await using session = place.session();
    const [math, art] = [new Course({ name: "math" }), new Course({ name: "art" })];
    math.students = [new Student({ name: "b" })];
    session.add(Student.create({ name: "a", courses: [math, art] }));
    assertEquals(session.new.size, 4);
    await session.commit();
    assertEquals([await place.rows("enrolments"), await place.rows("students")], [3, 2]);
  });

  test(target, "add() reaches through a self-reference, in both directions", async (place) => {
    await using session = place.session();
    const top = new Employee({ name: "top" });
    const middle = Employee.create({ name: "middle", manager: top });
    middle.reports = [new Employee({ name: "low" })];
    session.add(middle);
    await session.commit();
    assertEquals([await place.rows("employees"), middle.managerId, middle.reports[0]!.managerId], [
      3,
      top.id,
      middle.id,
    ]);
  });

  test(target, "add() reaches by foreign keys of several columns", async (place) => {
    await using session = place.session();
    const booking = session.add(Booking.create({ guest: "g", seat: new Seat({ row: 2, letter: "C" }) }));
    await session.commit();
    assertEquals([booking.seatRow, booking.seatLetter, await place.rows("seats")], [2, "C", 1]);
  });

  test(target, "add() gives a child the part of its key that its parent has", async (place) => {
    await using session = place.session();
    const order = session.add(Order.create({
      name: "o",
      lines: [new Line({ number: 1, what: "a" }), new Line({ number: 2, what: "b" })],
    }));
    await session.commit();
    assertEquals(order.lines!.map((line) => [line.orderId, line.number]), [[order.id, 1], [order.id, 2]]);
  });

  test(target, "an instance put into a relation of a persistent one is added at the flush", async (place) => {
    await place.save(author("Ann"));
    await using session = place.session();
    const [ann] = await session.query(Author).include(["books"]).all();
    const book = new Book({ title: "b" });
    ann!.books.push(book);
    assertEquals([inspect(book).state, session.new.size], ["transient", 0]); // plain properties: seen at the flush
    await session.commit();
    assertEquals([inspect(book).state, book.authorId], ["persistent", ann!.id]);
  });

  test(target, "an instance taken out of a relation again is not added", async (place) => {
    await place.save(author("Ann"));
    await using session = place.session();
    const [ann] = await session.query(Author).include(["books"]).all();
    ann!.books.push(new Book({ title: "b" }));
    ann!.books.pop();
    await sendsNothing(place, () => session.commit());
  });

  test(target, "without cascade save what is not in the session is refused", async (place) => {
    await using session = place.session();
    const crate = Crate.create({ name: "c", stock: new Stock({ left: 1 }) });
    await refused(() => session.add(crate), ValidationError, "Crate.stock", "not in the session", "cascade");
    assertEquals([inspect(crate).state, session.new.size], ["transient", 0]);
  });

  test(target, "without cascade save what is in the session already is referred to", async (place) => {
    await using session = place.session();
    const stock = session.add(new Stock({ left: 1 }));
    session.add(Crate.create({ name: "c", stock }));
    await session.commit();
    assertEquals(await place.column("crates", "stock_id"), [stock.id]);
  });

  test(target, "assigning a parent does not touch the parent's loaded collection until the flush", async (place) => {
    await place.save(author("Ann"));
    await using session = place.session();
    const [ann] = await session.query(Author).include(["books"]).all();
    session.add(Book.create({ title: "b", author: ann! }));
    assertEquals(ann!.books.length, 0); // SQLAlchemy's back_populates would append here
    await session.commit();
    await session.refresh(ann!, { properties: ["books"] });
    assertEquals(ann!.books.map(({ title }) => title), ["b"]);
  });

  test(target, "a relation that is set beats the foreign key beside it", async (place) => {
    const [ann, bob] = [new Author({ name: "Ann" }), new Author({ name: "Bob" })];
    await place.save(ann, bob);
    await using session = place.session();
    const [a, b] = await session.query(Author).orderBy({ name: "asc" }).all();
    const book = session.add(Book.create({ title: "b", authorId: a!.id, author: b! }));
    await session.commit();
    assertEquals([book.authorId, await place.column("books", "author_id")], [b!.id, [b!.id]]);
  });

  test(target, "a foreign key that is set by itself makes the loaded relation follow at the flush", async (place) => {
    await place.save(author("Ann", { a: [] }), author("Bob"));
    await using session = place.session();
    const [, bob] = await session.query(Author).orderBy({ name: "asc" }).all();
    const [book] = await session.query(Book).include(["author"]).all();
    book!.authorId = bob!.id;
    assertEquals(book!.author.name, "Ann");
    await session.commit();
    assertStrictEquals(book!.author, bob);
  });

  test(target, "a parent set to null empties the foreign key", async (place) => {
    await place.save(Employee.create({ name: "low", manager: new Employee({ name: "top" }) }));
    await using session = place.session();
    const [low] = await session.query(Employee).where({ name: "low" }).include(["manager"]).all();
    low!.manager = null;
    await session.commit();
    assertEquals([low!.managerId, (await place.column("employees", "manager_id")).filter(Boolean)], [null, []]);
  });

  test(target, "a parent set to null where there must be one is refused", async (place) => {
    await place.save(author("Ann", { a: [1] }));
    await using session = place.session();
    const [review] = await session.query(Review).include(["book"]).all();
    review!.book = null as never;
    await refused(() => session.commit(), ValidationError, "Review.bookId", "null");
    await session.rollback();
    assert(review!.book !== null);
  });

  test(target, "both ends of a relation may say the same", async (place) => {
    await using session = place.session();
    const ann = new Author({ name: "Ann" });
    const book = Book.create({ title: "b", author: ann });
    ann.books = [book];
    session.add(ann);
    await session.commit();
    assertEquals([await place.rows("books"), book.authorId], [1, ann.id]);
  });

  test(target, "both ends of a many-to-many may say the same link", async (place) => {
    await using session = place.session();
    const book = Book.create({ title: "b", author: new Author({ name: "Ann" }), tags: [new Tag({ name: "t" })] });
    book.tags![0]!.books = [book];
    session.add(book);
    await session.commit();
    assertEquals(await place.rows("book_tags"), 1);
  });

  test(target, "a member that stands twice in a collection is one", async (place) => {
    await using session = place.session();
    const tag = new Tag({ name: "t" });
    session.add(Book.create({ title: "b", author: new Author({ name: "Ann" }), tags: [tag, tag] }));
    await session.commit();
    assertEquals([await place.rows("book_tags"), await place.rows("tags")], [1, 1]);
  });

  test(target, "add() that is refused half-way adds nothing", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    const book = Book.create({
      title: "b",
      author: new Author({ name: "Ann" }),
      tags: [new Tag({ id: tag.id, name: "x" })],
    });
    await refused(() => session.add(book), ValidationError, "merge()");
    assertEquals([session.new.size, inspect(book).state, inspect(book.author!).state], [0, "transient", "transient"]);
  });

  test(target, "addAll() adds each, and gives them back", async (place) => {
    await using session = place.session();
    const tags = [new Tag({ name: "a" }), new Tag({ name: "b" })];
    assertEquals(session.addAll(tags), tags);
    await session.commit();
    assertEquals(await place.column("tags", "name"), ["a", "b"]);
  });

  test(target, "what a member of a deleted owner reaches is not added for it", async (place) => {
    await place.save(author("Ann", { a: [] }));
    await using session = place.session();
    const [book] = await session.query(Book).include(["tags", "reviews"]).all();
    book!.tags.push(new Tag({ name: "new" }));
    await session.delete(book!);
    await session.commit();
    assertEquals([await place.rows("books"), await place.rows("tags")], [0, 0]);
  });
}
