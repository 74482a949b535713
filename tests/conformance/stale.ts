/**
 * What stops a commit: rows that others changed, and conditions that do not hold.
 *
 * @module
 */
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  ExpiredPropertyError,
  InvalidStateError,
  RequirementError,
  sql,
  StaleDataError,
  ValidationError,
} from "../../mod.ts";
import { Author, Book, Gauge, Maker, Seat, Stock } from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

const authors = (count: number) =>
  Array.from({ length: count }, (_, i) => new Author({ name: `a${String(i).padStart(4, "0")}` }));

/** Registers the tests of stale data and conditions. */
export function staleSuite(target: Target): void {
  test(target, "session.commit() of a verified row, or of a condition, alone is one request", async (place) => {
    await place.save(...authors(1));
    await using session = place.session();
    const ann = await session.query(Author).one();
    session.verify(ann);
    assertEquals(await place.requests(() => session.commit()), 1);
    session.require(sql`(SELECT count(*) FROM authors) = 1`);
    assertEquals(await place.requests(() => session.commit()), 1);
    session.require(sql`(SELECT count(*) FROM authors) = 2`);
    await refused(() => session.commit(), RequirementError);
    await session.rollback();
    session.verify(ann);
    await place.run("UPDATE authors SET version = 2");
    await refused(() => session.commit(), StaleDataError);
  });

  for (const position of [0, 517, 999]) {
    test(target, `session.commit() of 1,000 rows writes nothing when row ${position} is stale`, async (place) => {
      await place.save(...authors(1000));
      await using session = place.session();
      const loaded = await session.query(Author).orderBy({ name: "asc" }).all();
      const [stale, before] = [loaded[position]!, loaded.map((one) => ({ ...one }))];
      for (const one of loaded) one.bio = `bio of ${one.name}`;
      const added = session.add(new Author({ name: "new" }));
      await place.run("UPDATE authors SET version = 2, name = 'theirs' WHERE name = ?", before[position]!.name);
      const error = await refused(() => session.commit(), StaleDataError, "Author", stale.id, "rollback()");
      assertStrictEquals(error.instance, stale);
      assertEquals(error.count, 1);
      assertEquals(session.state, "failed");
      assertEquals(loaded[(position + 1) % 1000]!.bio?.startsWith("bio of"), true);
      await session.rollback();
      assertEquals([await place.rows("authors"), new Set(await place.column("authors", "bio"))], [
        1000,
        new Set([null]),
      ]);
      await refused(() => stale.name, ExpiredPropertyError, "Author.name", "refresh");
      loaded.forEach((one, i) => i === position || assertEquals({ ...one }, before[i]));
      assertEquals([session.inspect(added).state, added.name, session.dirty.size], ["transient", "new", 0]);
      await session.refresh(stale);
      assertEquals([stale.name, stale.version], ["theirs", 2]);
      stale.bio = "agreed";
      await session.commit();
      assertEquals([stale.version, (await place.column("authors", "bio")).filter(Boolean)], [3, ["agreed"]]);
    });
  }

  test(target, "session.commit() counts the stale rows of a statement and names the first", async (place) => {
    await place.save(...authors(10));
    await using session = place.session();
    const loaded = await session.query(Author).orderBy({ id: "asc" }).all();
    for (const one of loaded) one.bio = "x";
    await place.run("UPDATE authors SET version = 2 WHERE name IN ('a0003', 'a0007')");
    const error = await refused(() => session.commit(), StaleDataError, "1 more");
    assertEquals([error.count, (error.instance as Author).name], [2, "a0003"]);
  });

  test(target, "session.commit() finds a stale row whose key is of two columns", async (place) => {
    await place.save(new Seat({ row: 1, letter: "A" }), new Seat({ row: 1, letter: "B" }));
    await using session = place.session();
    const seats = await session.query(Seat).orderBy({ letter: "asc" }).all();
    for (const seat of seats) seat.taken = true;
    await place.run("UPDATE seats SET version = 9 WHERE letter = 'B'");
    const error = await refused(() => session.commit(), StaleDataError, '(1, "…")');
    assertStrictEquals(error.instance, seats[1]);
    assertEquals(new Set((await place.column("seats", "taken")).map(Number)), new Set([0]));
  });

  test(
    target,
    "session.commit() finds a stale row behind server keys that are made in the same commit",
    async (place) => {
      await place.save(new Maker({ name: "old" }));
      await using session = place.session();
      const old = await session.query(Maker).one();
      old.name = "mine";
      const made = session.add(new Maker({ name: "made" }));
      await place.run("UPDATE makers SET version = 2");
      assertStrictEquals((await refused(() => session.commit(), StaleDataError)).instance, old);
      await session.rollback();
      assertEquals([await place.rows("makers"), made.id, made.name], [1, undefined as never, "made"]);
    },
  );

  test(target, "session.commit() takes a row that is gone as stale, versioned or not", async (place) => {
    await place.save(new Author({ name: "Ann" }), new Stock({ left: 3 }));
    for (const model of [Author, Stock] as const) {
      await using session = place.session();
      const [one] = await session.query(model as typeof Author).all();
      one!.name = "changed";
      await place.run(`DELETE FROM ${model.table}`);
      assertStrictEquals((await refused(() => session.commit(), StaleDataError, model.name)).instance, one);
    }
  });

  test(target, "session.commit() refuses to delete a versioned row that was changed or is gone", async (place) => {
    for (const interference of ["UPDATE authors SET version = 2", "DELETE FROM authors"]) {
      await place.save(new Author({ name: "Ann" }));
      await using session = place.session();
      const ann = await session.query(Author).one();
      await session.delete(ann);
      await place.run(interference);
      assertStrictEquals((await refused(() => session.commit(), StaleDataError)).instance, ann);
      await session.rollback();
      await place.run("DELETE FROM authors");
    }
  });

  test(target, "session.commit() does not mind deleting an unversioned row that is gone", async (place) => {
    await place.save(new Stock({ left: 3 }));
    await using session = place.session();
    const one = await session.query(Stock).one();
    await session.delete(one);
    await place.run("DELETE FROM stocks");
    await session.commit();
    assertEquals(session.inspect(one).state, "detached");
  });

  test(target, "session.commit() lets the last writer win without a version", async (place) => {
    await place.save(new Stock({ name: "a", left: 3 }));
    await using session = place.session();
    const one = await session.query(Stock).one();
    one.left = 1;
    await place.run("UPDATE stocks SET pieces_left = 2, name = 'b'");
    await session.commit();
    assertEquals([(await place.column("stocks", "pieces_left")).map(Number), await place.column("stocks", "name")], [
      [1],
      ["b"],
    ]);
  });

  for (const change of ["pieces_left = 2", "name = 'b'", "name = NULL", "at_day = NULL"]) {
    test(target, `optimistic "all" refuses a row in which another set ${change}`, async (place) => {
      await place.save(new Stock({ name: "a", left: 3, day: new Date(1234) }));
      await using session = place.session({ optimistic: "all" });
      const one = await session.query(Stock).one();
      one.left = 1;
      await place.run(`UPDATE stocks SET ${change}`);
      assertStrictEquals((await refused(() => session.commit(), StaleDataError, "Stock")).instance, one);
      await session.rollback();
      await session.refresh(one);
      await session.delete(one);
      await session.commit();
      assertEquals(await place.rows("stocks"), 0);
    });
  }

  test(target, 'optimistic "all" accepts a row that is as it was, nulls included', async (place) => {
    await place.save(new Stock({ left: 3 }), new Stock({ left: 4, name: "b", day: new Date(5) }));
    await using session = place.session({ optimistic: "all" });
    for (const one of await session.query(Stock).all()) one.left += 10;
    await session.commit();
    for (const one of session.identityMap) (one as Stock).name = "c"; // what was written is what is compared now
    await session.commit();
    assertEquals((await place.column("stocks", "pieces_left")).map(Number), [13, 14]);
  });

  test(target, 'optimistic "all" refuses a model whose values cannot be compared exactly', async (place) => {
    await place.save(new Gauge({ level: 0.5 }));
    await using session = place.session({ optimistic: "all" });
    const gauge = await session.query(Gauge).one();
    gauge.level = 1;
    await sendsNothing(place, () => refused(() => session.commit(), ValidationError, "Gauge.level", "version"));
  });

  test(target, "session.verify() makes the commit depend on a row that it does not write", async (place) => {
    await place.save(...authors(3));
    await using session = place.session();
    const [one, two, three] = await session.query(Author).orderBy({ name: "asc" }).all();
    session.verify(two!);
    one!.bio = "x";
    await session.commit();
    session.verify(two!);
    one!.bio = "y";
    await place.run("UPDATE authors SET version = version + 1 WHERE name <> 'a0000'");
    assertStrictEquals((await refused(() => session.commit(), StaleDataError)).instance, two);
    await session.rollback();
    assertEquals([one!.bio, three!.name], ["x", "a0002"]);
    one!.bio = "z";
    await session.commit(); // what was verified went with the rollback
    assertEquals(await place.column("authors", "bio").then((all) => all.filter(Boolean)), ["z"]);
  });

  test(target, "session.verify() throws at once when the version is not the expected one", async (place) => {
    await place.save(...authors(1), new Stock({ left: 1 }));
    await using session = place.session();
    const one = await session.query(Author).one();
    session.verify(one, 1);
    await sendsNothing(place, async () => {
      const error = await refused(() => session.verify(one, 2), StaleDataError, "version 1", "version 2");
      assertStrictEquals(error.instance, one);
    });
    assertEquals(session.state, "open");
    const stock = await session.query(Stock).one();
    await refused(() => session.verify(stock), ValidationError, "Stock", "version column");
    await refused(() => session.verify(session.add(new Author({ name: "b" }))), ValidationError, "pending");
  });

  test(target, "verifyReads makes the commit depend on every row that was read", async (place) => {
    await place.save(...authors(3));
    await using session = place.session({ verifyReads: true });
    const [one] = await session.query(Author).orderBy({ name: "asc" }).all();
    one!.bio = "x";
    await session.commit();
    one!.bio = "y";
    await place.run("UPDATE authors SET version = 5 WHERE name = 'a0002'");
    const error = await refused(() => session.commit(), StaleDataError);
    assertEquals((error.instance as Author).id, [...session.identityMap].map((a) => a as Author)[2]!.id);
    assertEquals(await place.column("authors", "bio").then((all) => all.filter(Boolean)), ["x"]);
  });

  test(target, "session.require() makes the commit depend on a condition, after the writes", async (place) => {
    await place.save(...authors(1), new Stock({ left: 3 }));
    await using session = place.session();
    const stock = await session.query(Stock).one();
    session.assign(stock, { left: sql`pieces_left - 2` });
    session.require(sql`(SELECT min(pieces_left) FROM stocks) >= ${0}`, "Not enough in stock");
    await session.commit();
    assertEquals(stock.left, 1);
    session.assign(stock, { left: sql`pieces_left - 2` });
    session.add(new Author({ name: "b" }));
    session.require(sql`(SELECT min(pieces_left) FROM stocks) >= ${0}`, "Not enough in stock");
    await refused(() => session.commit(), RequirementError, "Not enough in stock");
    assertEquals([session.state, await place.rows("authors")], ["failed", 1]);
    await refused(() => session.commit(), InvalidStateError, "rollback()");
    await session.rollback();
    assertEquals([stock.left, session.state], [1, "open"]);
    await session.commit();
  });

  test(target, "session.require() counts NULL as false and tells which of several did not hold", async (place) => {
    await using session = place.session();
    session.require(sql`1 = 1`, "the first");
    session.require(sql`NULL`, "the second");
    session.require(sql`1 = 2`, "the third");
    session.add(new Author({ name: "a" }));
    await refused(() => session.commit(), RequirementError, "the second");
    await session.rollback();
    session.require(sql`(SELECT count(*) FROM authors) = ${1}`);
    await refused(() => session.commit(), RequirementError, "SELECT count(*) FROM authors) = ?");
    await session.rollback();
    await refused(() => session.require("1 = 1" as never), ValidationError, "sql`");
    assertEquals(await place.rows("authors"), 0);
  });

  test(target, "session.stage() is undone with the commit that it travels with", async (place) => {
    await place.save(...authors(1));
    await using session = place.session();
    const staged = session.stage("UPDATE authors SET bio = 'staged'");
    await refused(() => staged.result, InvalidStateError, "commit");
    session.require(sql`1 = 0`);
    await refused(() => session.commit(), RequirementError);
    await refused(() => staged.result, InvalidStateError);
    await session.rollback();
    await sendsNothing(place, () => session.commit());
    assertEquals(await place.column("authors", "bio"), [null]);
    await refused(() => session.stage("UPDATE a SET b = 1; DELETE FROM a"), ValidationError, "one statement");
    await refused(() => session.stage("COMMIT"), ValidationError, "COMMIT");
  });

  test(target, "a deleted instance of a parent that was changed meanwhile keeps its children", async (place) => {
    const ann = Author.create({ name: "Ann", books: [new Book({ title: "a" })] });
    await place.save(ann);
    await using session = place.session();
    const one = await session.query(Author).one();
    await session.delete(one);
    await place.run("UPDATE authors SET version = 2");
    await refused(() => session.commit(), StaleDataError);
    assert(await place.rows("books") === 1);
  });

  test(target, "verifyReads leaves rows without a version alone", async (place) => {
    await place.save(...authors(1), new Stock({ left: 1 }));
    await using session = place.session({ verifyReads: true });
    await session.query(Stock).one();
    (await session.query(Author).one()).bio = "x";
    await session.commit();
    assertEquals(await place.column("authors", "bio"), ["x"]);
  });
}
