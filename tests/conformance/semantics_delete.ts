/**
 * Semantics: cascades "delete" and "deleteOrphan" through every kind of relation, two levels deep.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { ForeignKeyViolationError, inspect, ValidationError } from "../../mod.ts";
import {
  Author,
  author,
  Book,
  Booking,
  Course,
  Crate,
  Employee,
  Line,
  Maker,
  Order,
  Part,
  Product,
  Profile,
  Review,
  Seat,
  Stock,
  Student,
  Tag,
  User,
} from "./models.ts";
import { refused, type Target, test } from "./setup.ts";

/** Registers the tests of deletion. */
export function deleteSemantics(target: Target): void {
  test(target, "delete() goes through a collection and the collections of its members", async (place) => {
    await place.save(author("Ann", { a: [1, 2], b: [3] }), author("Bob", { c: [4] }));
    await using session = place.session();
    const [ann] = await session.query(Author).where({ name: "Ann" }).include({ books: { reviews: true } }).all();
    await session.delete(ann!);
    assertEquals(session.deleted.size, 6);
    await session.commit();
    assertEquals([await place.column("books", "title"), (await place.column("reviews", "stars")).map(Number)], [["c"], [
      4,
    ]]);
    assertEquals(inspect(ann!.books[0]!.reviews[0]!).state, "detached");
  });

  test(target, "delete() goes through a hasOne, loaded or not", async (place) => {
    for (const loaded of [true, false]) {
      await place.save(User.create({ name: "u", profile: new Profile({ motto: "m" }) }));
      await using session = place.session();
      const user = await session.query(User).one();
      if (loaded) await session.load(user, ["profile"]);
      await session.delete(user);
      await session.commit();
      assertEquals([await place.rows("users"), await place.rows("profiles")], [0, 0]);
    }
  });

  test(target, "delete() of one end of a many-to-many takes the links, and leaves the other end", async (place) => {
    await place.save(Student.create({ name: "s", courses: [new Course({ name: "a" }), new Course({ name: "b" })] }));
    await using session = place.session();
    await session.delete(await session.query(Student).one());
    await session.commit();
    assertEquals([await place.rows("enrolments"), await place.rows("courses")], [0, 2]);
  });

  test(target, "delete() of the other end of a many-to-many leaves the loaded collection without it", async (place) => {
    await place.save(Student.create({ name: "s", courses: [new Course({ name: "a" }), new Course({ name: "b" })] }));
    await using session = place.session();
    const [student] = await session.query(Student).include(["courses"]).all();
    await session.delete(student!.courses.find(({ name }) => name === "a")!);
    await session.commit();
    assertEquals([student!.courses.map(({ name }) => name), await place.rows("enrolments")], [["b"], 1]);
  });

  test(target, "delete() of a self-referencing row leaves its children without a parent", async (place) => {
    const top = new Employee({ name: "top" });
    top.reports = [new Employee({ name: "a" }), new Employee({ name: "b" })];
    await place.save(top);
    await using session = place.session();
    await session.delete(await session.query(Employee).where({ name: "top" }).one());
    await session.commit();
    assertEquals([await place.column("employees", "name"), await place.column("employees", "manager_id")], [
      ["a", "b"],
      [
        null,
        null,
      ],
    ]);
  });

  test(target, "delete() of a whole tree that refers to itself goes in any order", async (place) => {
    const top = new Employee({ name: "top" });
    top.reports = [Employee.create({ name: "a", reports: [new Employee({ name: "b" })] })];
    await place.save(top);
    await using session = place.session();
    for (const one of await session.query(Employee).orderBy({ name: "desc" }).all()) await session.delete(one);
    await session.commit();
    assertEquals(await place.rows("employees"), 0);
  });

  test(target, "delete() goes by a key of several columns", async (place) => {
    await place.save(new Seat({ row: 1, letter: "A" }), new Seat({ row: 1, letter: "B" }));
    await using session = place.session();
    await session.delete(await session.getOne(Seat, [1, "A"]));
    await session.commit();
    assertEquals(await place.column("seats", "letter"), ["B"]);
  });

  test(
    target,
    "delete() of a parent with a key of several columns fails while a child must refer to it",
    async (place) => {
      await place.save(Booking.create({ guest: "g", seat: new Seat({ row: 1, letter: "A" }) }));
      await using session = place.session();
      const seat = await session.query(Seat).one();
      await session.delete(seat);
      await refused(() => session.commit(), ForeignKeyViolationError);
      await session.rollback();
      for (const booking of await session.query(Booking).all()) await session.delete(booking);
      await session.delete(seat);
      await session.commit();
      assertEquals([await place.rows("bookings"), await place.rows("seats")], [0, 0]);
    },
  );

  test(target, "delete() of a child leaves its parent", async (place) => {
    await place.save(author("Ann", { a: [1] }));
    await using session = place.session();
    await session.delete(await session.query(Review).one());
    await session.commit();
    assertEquals([await place.rows("reviews"), await place.rows("books")], [0, 1]);
  });

  test(target, "delete() of what was added in the same transaction leaves nothing to do", async (place) => {
    await using session = place.session();
    const ann = session.add(author("Ann", { a: [1] }));
    await session.delete(ann);
    assertEquals([inspect(ann).state, inspect(ann.books![0]!).state], ["transient", "transient"]);
    await session.commit();
    assertEquals([await place.rows("authors"), await place.rows("books")], [0, 0]);
  });

  test(target, "add() of a child takes its own deletion back, not that of its siblings", async (place) => {
    await place.save(author("Ann", { a: [1, 2] }));
    await using session = place.session();
    const [book] = await session.query(Book).include(["reviews"]).all();
    const [one, two] = book!.reviews;
    await session.delete(one!);
    await session.delete(two!);
    session.add(one!);
    await session.commit();
    assertEquals([inspect(one!).state, inspect(two!).state], ["persistent", "detached"]);
  });

  test(target, "deleteOrphan deletes a member that is taken out, and what it owns", async (place) => {
    await place.save(author("Ann", { a: [1, 2] }));
    await using session = place.session();
    const [ann] = await session.query(Author).include(["books"]).all();
    ann!.books.pop();
    await session.commit();
    assertEquals([await place.rows("books"), await place.rows("reviews")], [0, 0]);
  });

  test(target, "deleteOrphan deletes members of a collection that is replaced", async (place) => {
    await place.save(author("Ann", { a: [], b: [] }));
    await using session = place.session();
    const [ann] = await session.query(Author).include(["books"]).all();
    ann!.books = [new Book({ title: "c" })];
    await session.commit();
    assertEquals(await place.column("books", "title"), ["c"]);
  });

  test(target, "deleteOrphan of a hasOne deletes the child that is set to null", async (place) => {
    await place.save(User.create({ name: "u", profile: new Profile({ motto: "m" }) }));
    await using session = place.session();
    const [user] = await session.query(User).include(["profile"]).all();
    user!.profile = null;
    await session.commit();
    assertEquals(await place.rows("profiles"), 0);
  });

  test(target, "deleteOrphan works with keys of several columns", async (place) => {
    const lines = [1, 2, 3].map((number) => new Line({ number, what: `w${number}` }));
    await place.save(Order.create({ name: "o", lines }));
    await using session = place.session();
    const [order] = await session.query(Order).include(["lines"]).all();
    order!.lines = order!.lines.filter(({ number }) => number !== 2);
    await session.commit();
    assertEquals(await place.column("order_lines", "what"), ["w1", "w3"]);
  });

  test(target, "deleteOrphan spares a member that is given to another owner", async (place) => {
    await place.save(author("Ann", { a: [1] }), author("Bob"));
    await using session = place.session();
    const [ann, bob] = await session.query(Author).orderBy({ name: "asc" }).include({ books: { reviews: true } }).all();
    bob!.books.push(ann!.books.pop()!);
    await session.commit();
    assertEquals([await place.column("books", "author_id"), await place.rows("reviews")], [[bob!.id], 1]);
  });

  test(target, "deleteOrphan spares a member that is put back before the flush", async (place) => {
    await place.save(author("Ann", { a: [] }));
    await using session = place.session();
    const [ann] = await session.query(Author).include(["books"]).all();
    ann!.books.unshift(ann!.books.pop()!);
    await session.commit();
    assertEquals(await place.rows("books"), 1);
  });

  test(target, "deleteOrphan is undone by a rollback: the member is back in its collection", async (place) => {
    await place.save(author("Ann", { a: [] }));
    await using session = place.session();
    const [ann] = await session.query(Author).include(["books"]).all();
    const [book] = ann!.books;
    ann!.books.pop();
    await session.flush();
    assertEquals(inspect(book!).state, "deleted");
    await session.rollback();
    assertEquals([inspect(book!).state, ann!.books], ["persistent", [book]]);
  }, "interactive");

  test(target, "without deleteOrphan a member that is taken out loses its foreign key", async (place) => {
    await place.save(Stock.create({ left: 1, crates: [new Crate({ name: "c" })] }));
    await using session = place.session();
    const [stock] = await session.query(Stock).include(["crates"]).all();
    const crate = stock!.crates.pop()!;
    await session.commit();
    assertEquals([crate.stockId, inspect(crate).state, await place.rows("crates")], [null, "persistent", 1]);
  });

  test(target, "without deleteOrphan a member that must have an owner cannot be taken out", async (place) => {
    await place.save(Maker.create({ name: "m", products: [new Product({ name: "p" })] }));
    await using session = place.session();
    const [maker] = await session.query(Maker).include(["products"]).all();
    const [product] = maker!.products;
    maker!.products = [];
    await refused(() => session.commit(), ValidationError, "Maker.products", "deleteOrphan");
    await session.rollback();
    assertEquals([inspect(product!).state, maker!.products], ["persistent", [product]]);
  });

  test(target, "a member of a collection can be deleted by itself, and the collection follows", async (place) => {
    await place.save(Product.create({
      name: "p",
      maker: new Maker({ name: "m" }),
      parts: [new Part({ name: "a" }), new Part({ name: "b" })],
    }));
    await using session = place.session();
    const [product] = await session.query(Product).include(["parts"]).all();
    await session.delete(product!.parts[0]!);
    assertEquals(product!.parts.length, 2); // as in SQLAlchemy: the collection is brought up to date by the flush
    await session.commit();
    assertEquals(product!.parts.length, 1);
  });

  test(target, "delete() is refused for a parent that something new refers to", async (place) => {
    await place.save(author("Ann"));
    await using session = place.session();
    const ann = await session.query(Author).one();
    session.add(Book.create({ title: "b", author: ann }));
    await session.delete(ann);
    await refused(() => session.commit(), ValidationError, "Book.author", "to be deleted");
    await session.rollback();
  });

  test(target, "delete() and a new row of the same unique value go together", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    await session.delete(await session.query(Tag).one());
    const added = session.add(new Tag({ name: "t" }));
    await session.commit();
    assertEquals(await place.column("tags", "id"), [added.id]);
  });

  test(target, "delete() of a row that is gone is no error without a version", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    await place.run("DELETE FROM tags");
    await session.delete(tag);
    await session.commit();
    assert(inspect(tag).state === "detached");
  });
}
