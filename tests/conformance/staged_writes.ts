/**
 * Writes by builder that travel with the commit, limits of writes, and truncate().
 *
 * @module
 */
import { assertEquals, assertStrictEquals } from "@std/assert";
import {
  DatabaseError,
  deleteFrom,
  insert,
  InvalidStateError,
  RequirementError,
  sql,
  StaleDataError,
  UnsupportedError,
  update,
  ValidationError,
} from "../../mod.ts";
import { Author, Book, Crate, Seat, Stock, Tag } from "./models.ts";
import { refused, type Target, test } from "./setup.ts";
import { load } from "./writes.ts";

/** Registers the tests of staged writes and of truncate(). */
export function stagedWriteSuite(target: Target): void {
  test(
    target,
    "session.stage() lets builders travel with the commit, and brings loaded instances up to date",
    async (place) => {
      const { session, ann, bob } = await load(place);
      await using _ = session;
      await session.load(bob, { books: true });
      const updated = session.stage(update(Author).set({ bio: "staged" }).where({ name: "Ann" }));
      session.stage(deleteFrom(Book).where({ title: "b" }));
      const inserted = session.stage(insert(Tag).values({ name: "t" }).returning([]));
      await refused(() => updated.result, InvalidStateError, "once the commit has succeeded");
      const count = await place.requests(() => session.commit());
      if (target.expects.batches) assertEquals(count, 1);
      assertEquals([updated.result.rowsAffected, inserted.result.rowsAffected, inserted.result.all()], [1, 1, []]);
      if (!place.db.dialect.returning) await session.refresh(ann);
      assertEquals([ann.bio, ann.version], ["staged", 2]);
      if (place.db.dialect.returning) assertEquals(bob.books, []);
      assertEquals([await place.column("books", "title"), await place.rows("tags")], [["a", "c"], 1]);
      ann.bio = "later";
      await session.commit();
      assertEquals(ann.version, 3);
    },
  );

  test(target, "session.stage() of a builder that gives rows has them after the commit", async (place) => {
    const { session } = await load(place);
    await using _ = session;
    const statement = update(Author).set({ bio: "x" }).where({ name: "Cy" }).returning();
    const add = insert(Tag).values({ name: "t" });
    if (!place.db.dialect.returning) {
      await refused(() => session.stage(statement), UnsupportedError, "returning()");
      await refused(() => session.stage(add), UnsupportedError, "returning([])");
      return;
    }
    const [updated, added] = [session.stage(statement), session.stage(add)];
    const gone = session.stage(deleteFrom(Book).where({ title: "c" }).returning(["title"]));
    await session.commit();
    const cy = updated.result.one();
    assertEquals([cy.name, cy.bio, session.has(cy), gone.result.all()], ["Cy", "x", true, [{ title: "c" }]]);
    assertStrictEquals(await session.get(Tag, added.result.one().id), added.result.one());
  });

  test(target, "a failed commit applies nothing of a staged builder to what is loaded", async (place) => {
    const { session, ann, bob } = await load(place);
    await using _ = session;
    session.stage(update(Author).set({ bio: "staged" }));
    session.require(sql`1 = 0`);
    await refused(() => session.commit(), RequirementError);
    await session.rollback();
    assertEquals([ann.bio, bob.version, await place.column("authors", "bio")], [null, 1, [null, null, null]]);
  });

  test(target, "an update() from elsewhere is found by the version, one of the session's own is not", async (place) => {
    const { session, ann, bob } = await load(place);
    await using _ = session;
    await using other = place.other();
    other.stage(update(Author).set({ bio: "other" }).where({ name: "Ann" }));
    await other.commit();
    session.stage(update(Author).set({ bio: "own" }).where({ name: "Bob" }));
    await session.commit();
    if (!place.db.dialect.returning) return; // what is loaded was expired
    bob.name = "Bo";
    await session.commit();
    ann.name = "Anna";
    await refused(() => session.commit(), StaleDataError, "Author");
  });

  test(
    target,
    "limit() of update() and deleteFrom() takes the rows with the lowest keys, where there is one",
    async (place) => {
      if (!place.db.dialect.limitsWrites) {
        await using session = place.session();
        await refused(() => session.stage(deleteFrom(Seat).limit(1)), UnsupportedError, "DELETE", "where()");
        return;
      }
      await place.save(...["A", "B", "C"].map((letter) => new Seat({ row: 1, letter })));
      await using session = place.session();
      assertEquals((await session.execute(deleteFrom(Seat).limit(1))).rowsAffected, 1);
      const seats = await session.query(Seat).orderBy({ letter: "asc" }).all();
      const updated = await session.execute(update(Seat).set({ taken: true }).limit(1).returning(["letter"]));
      assertEquals([updated.all(), seats.map(({ taken }) => taken)], [[{ letter: "B" }], [true, false]]);
      await session.execute(deleteFrom(Seat).limit(1));
      assertEquals(seats.map((seat) => session.has(seat)), [false, true]);
      await session.commit();
      assertEquals(await place.column("seats", "letter"), ["C"]);
    },
  );

  test(target, "session.truncate() empties a table, in the transaction", async (place) => {
    await place.save(new Tag({ name: "a" }), new Stock({ left: 1 }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    session.add(new Tag({ name: "pending" }));
    const cascade = { cascade: place.db.dialect.truncate !== undefined };
    await session.truncate(Tag, cascade);
    assertEquals([session.inspect(tag).state, await session.query(Tag).count(), session.new.size], ["deleted", 0, 0]);
    await session.rollback();
    assertEquals([session.inspect(tag).state, await place.rows("tags")], ["persistent", 1]);
    await session.truncate(Tag, cascade);
    await session.commit();
    assertEquals([await place.rows("tags"), await place.rows("stocks")], [0, 1]);
  }, "interactive");

  test(
    target,
    "session.truncate() with cascade empties what refers to the table, where the database can",
    async (place) => {
      await place.save(Stock.create({ left: 1, crates: [new Crate({ name: "c" })] }), new Crate({ name: "loose" }));
      await using session = place.session();
      const crates = await session.query(Crate).all();
      if (place.db.dialect.truncate === undefined) {
        await refused(() => session.truncate(Stock, { cascade: true }), UnsupportedError, "truncate those first");
        await session.truncate(Crate);
      } else {
        await session.savepoint(() => refused(() => session.truncate(Stock), DatabaseError)).catch(() => {});
        await session.rollback();
        await session.truncate(Stock, { cascade: true });
      }
      assertEquals(crates.map((crate) => session.inspect(crate).state), ["deleted", "deleted"]);
      await session.rollback();
      await refused(() => session.truncate(Stock, { nope: 1 } as never), ValidationError, '"nope"');
      assertEquals(await place.rows("crates"), 2);
    },
    "interactive",
  );
}
