/**
 * Keys in hard places: made by the server and used by links, by keys of children and by rows that are there already;
 * statements that are too long for one.
 *
 * @module
 */
import { assertEquals, assertStrictEquals } from "@std/assert";
import { StaleDataError, UniqueViolationError, ValidationError } from "../../mod.ts";
import { Account, Author, Course, Folder, Line, Maker, Order, Product, Sample, Seat, Student } from "./models.ts";
import { refused, type Target, test } from "./setup.ts";

/** Registers the tests of keys. */
export function keySuite(target: Target): void {
  test(target, "session.commit() links rows whose keys the server makes at both ends", async (place) => {
    await place.save(new Course({ name: "before" }), new Student({ name: "before" }), new Student({ name: "too" }));
    await using session = place.session();
    const courses = ["x", "y", "z"].map((name) => new Course({ name }));
    const students = ["a", "b", "c", "d"].map((name, i) =>
      Student.create({ name, courses: courses.filter((_, k) => (i + k) % 2 === 0) })
    );
    courses[0]!.students = [students[0]!]; // said twice
    session.addAll(students);
    assertEquals(await place.requests(() => session.commit()), place.commits(3));
    await using reader = place.other();
    const read = await reader.query(Student).orderBy({ name: "asc" }).include(["courses"]).all();
    assertEquals(
      read.map(({ name, courses }) => name + courses.map((course) => course.name).sort().join("")),
      ["axz", "by", "before", "cxz", "dy", "too"],
    );
  });

  test(
    target,
    "session.commit() gives children a key that holds their parent's, which the server makes",
    async (place) => {
      await place.save(new Order({ name: "before" }));
      await using session = place.session();
      const orders = ["a", "b"].map((name) =>
        Order.create({
          name,
          lines: [1, 2, 3].map((number) => new Line({ number, what: `${name}${number}` } as never)),
        })
      );
      session.addAll(orders);
      await session.commit();
      for (const order of orders) {
        assertEquals(order.lines!.map(({ orderId }) => orderId), [
          order.id,
          order.id,
          order.id,
        ]);
      }
      const [order] = orders;
      assertStrictEquals(await session.get(Line, [order!.id, 2]), order!.lines![1]);
      order!.lines![1]!.what = "changed";
      order!.lines!.splice(0, 1);
      order!.lines!.push(new Line({ number: 4, what: "a4" } as never));
      await session.commit();
      await using reader = place.other();
      const read = await reader.getOne(Order, order!.id, { include: ["lines"] });
      assertEquals(read.lines.map(({ what, version }) => [what, version]), [["changed", 2], ["a3", 1], ["a4", 1]]);
    },
  );

  test(
    target,
    "session.commit() gives rows that are there already a parent whose key the server makes",
    async (place) => {
      await place.save(
        Maker.create({ name: "old", products: ["a", "b", "c"].map((name) => new Product({ name })) }),
        new Folder({ name: "f" }),
      );
      await using session = place.session();
      const products = await session.query(Product).orderBy({ name: "asc" }).all();
      const [one, two] = [new Maker({ name: "one" }), new Maker({ name: "two" })];
      products[0]!.maker = two;
      products[1]!.maker = one;
      products[2]!.name = "c2"; // of the same statement, without a parent
      const folder = await session.query(Folder).one();
      folder.parent = new Folder({ name: "above" });
      await session.commit();
      await using reader = place.other();
      const read = await reader.query(Product).orderBy({ name: "asc" }).include(["maker"]).all();
      assertEquals(read.map(({ name, maker }) => [name, maker.name]), [["a", "two"], ["b", "one"], ["c2", "old"]]);
      assertEquals([products[0]!.makerId, products[1]!.makerId, folder.parentId], [two.id, one.id, folder.parent.id]);
      assertEquals((await reader.query(Folder).where({ name: "f" }).include(["parent"]).one()).parent?.name, "above");
    },
  );

  test(target, "session.commit() inserts, updates and deletes more rows than one statement takes", async (place) => {
    await using session = place.session();
    const seats = Array.from({ length: 6000 }, (_, i) => new Seat({ row: i, letter: "A" }));
    const makers = Array.from({ length: 12_000 }, (_, i) => new Maker({ name: `m${i}` }));
    session.addAll([...seats, ...makers]);
    await session.commit();
    for (const [i, maker] of makers.entries()) assertEquals(maker.id - makers[0]!.id, i);
    for (const seat of seats) seat.taken = seat.row % 2 === 0;
    for (const maker of makers) maker.name += "!";
    await session.commit();
    assertEquals(new Set(makers.map(({ version }) => version)), new Set([2]));
    assertEquals(await session.query(Seat).where({ taken: true, version: 2 }).count(), 3000);
    assertEquals(await session.query(Maker).where({ name: { endsWith: "!" } }).count(), 12_000);
    await place.run(
      "UPDATE seats SET version = 7 WHERE row = 5999".replace("row =", `${place.db.dialect.quote("row")} =`),
    );
    for (const seat of seats) await session.delete(seat);
    assertStrictEquals((await refused(() => session.commit(), StaleDataError)).instance, seats[5999]);
    await session.rollback();
    await session.refresh(seats[5999]!);
    for (const one of [...seats, ...makers]) await session.delete(one);
    await session.commit();
    assertEquals([await place.rows("seats"), await place.rows("makers")], [0, 0]);
  });

  test(target, "session.commit() updates many rows of every type, each in its own columns", async (place) => {
    await place.save(...Array.from({ length: 400 }, (_, i) => new Sample({ integer: i, text: "before", double: 1.5 })));
    await using session = place.session();
    const samples = await session.query(Sample).orderBy({ integer: "asc" }).all();
    samples.forEach((sample, i) => {
      if (i % 2 === 0) sample.bytes = new Uint8Array([i % 256, 0, 255]);
      if (i % 3 === 0) sample.double = i / 7;
      if (i % 5 === 0) sample.json = { i, text: "'\"\\" };
      if (i % 7 === 0) sample.bigint = place.big(BigInt(i) * 10n ** 16n);
      if (i % 11 === 0) sample.text = null;
      if (i % 13 === 0) sample.timestamp = new Date(i * 1e10);
      if (i % 17 === 0) sample.boolean = i % 2 === 0;
    });
    await session.commit();
    await using reader = place.other();
    const read = await reader.query(Sample).orderBy({ integer: "asc" }).all();
    assertEquals(read.map((one) => ({ ...one })), samples.map((one) => ({ ...one })));
  });

  test(target, "session.commit() refuses a pending instance whose key turned out to be loaded", async (place) => {
    const ann = new Author({ name: "Ann" });
    const { id } = ann;
    await place.save(ann);
    await using session = place.session();
    session.add(new Author({ id, name: "twin" }));
    assertEquals((await session.get(Author, id))?.name, "Ann");
    await refused(() => session.commit(), ValidationError, "Author", id, "merge");
    await session.rollback();
    assertEquals(await place.column("authors", "name"), ["Ann"]);
  });

  test(
    target,
    "session.commit() refuses a rotation of unique values, and not one that ends at a free value",
    async (place) => {
      await place.save(...["a", "b", "c"].map((email) => new Account({ email })));
      await using session = place.session();
      const [a, b, c] = await session.query(Account).orderBy({ email: "asc" }).all();
      [a!.email, b!.email, c!.email] = ["b", "c", "a"];
      await refused(() => session.commit(), ValidationError, "swapped");
      c!.email = "d";
      await session.commit();
      assertEquals([await place.column("accounts", "email"), a!.email, b!.email], [["b", "c", "d"], "b", "c"]);
      session.add(new Account({ email: "x" }));
      session.add(new Account({ email: "x" }));
      await refused(() => session.commit(), UniqueViolationError);
      await session.rollback();
      await session.delete(a!);
      session.add(new Account({ id: crypto.randomUUID(), email: "b" }));
      await session.commit();
      assertEquals(await place.column("accounts", "email"), ["b", "c", "d"]);
    },
  );

  test(target, "session.commit() makes server keys after rows with larger given keys, in one commit", async (place) => {
    await using session = place.session();
    const [made, given] = session.addAll([
      Maker.create({ name: "made", products: [new Product({ name: "p" })] }),
      Maker.create({ id: 5000, name: "given", products: [new Product({ name: "q" })] }),
    ]);
    await session.commit();
    await using reader = place.other();
    const read = await reader.query(Product).orderBy({ name: "asc" }).include(["maker"]).all();
    assertEquals(read.map(({ maker }) => maker.name), ["made", "given"]);
    assertEquals([given!.id, read[0]!.makerId, read[1]!.makerId], [5000, made!.id, 5000]);
  });
}
