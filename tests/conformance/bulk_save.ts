/**
 * Objects saved in bulk, past the identity map.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import { bulkSave } from "../../src/bulk/mod.ts";
import { ForeignKeyViolationError, RequirementError, sql, ValidationError } from "../../mod.ts";
import { Account, Article, Author, Book, Maker, Part, Tag } from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

export function bulkSaveSuite(target: Target): void {
  test(target, "bulkSave() inserts new objects and updates loaded ones, and keeps none of them", async (place) => {
    const kept = new Author({ name: "Ann" });
    await place.save(kept);
    await using session = place.session();
    kept.name = "Anna";
    const [book, author] = [new Book({ title: "Edges", authorId: "" }), new Author({ name: "Bo" })];
    book.authorId = author.id;
    await sendsNothing(place, () => bulkSave(session, [book, kept, author]));
    await session.commit();
    assertEquals([session.has(kept), session.has(author), session.identityMap.size], [false, false, 0]);
    assertEquals(await place.column("authors", "name"), ["Anna", "Bo"]);
    assertEquals(await place.column("books", "title"), ["Edges"]);
    assertEquals([session.inspect(author).state, session.inspect(kept).state], ["transient", "detached"]);
  });

  test(target, "bulkSave() writes only what changed, unless it is told to write all", async (place) => {
    const part = new Part({ name: "Wheel" });
    await place.save(part);
    await place.run("UPDATE parts SET name = ?", "Tyre");
    await using session = place.session();
    await bulkSave(session, [part]);
    await sendsNothing(place, () => session.commit());
    assertEquals(await place.column("parts", "name"), ["Tyre"]);
    await bulkSave(session, [part], { updateChangedOnly: false });
    await session.commit();
    assertEquals(await place.column("parts", "name"), ["Wheel"]);
  });

  test(target, "bulkSave() with returnDefaults gives objects their keys and what the database made", async (place) => {
    const old = new Article({ price: 1 });
    await place.save(old);
    await using session = place.session();
    old.price = 5;
    const [maker, article] = [new Maker({ name: "Ann" }), new Article({ price: 2 })];
    await bulkSave(session, [maker, article, old], { returnDefaults: true });
    assertEquals(await place.requests(() => session.commit()) > 0, true);
    assertEquals(await place.column("makers", "id"), [maker.id]);
    assertEquals([article.state, article.rank, article.twice], ["new", 7, 4]);
    assertEquals([old.version, old.twice, old.price], [2, 10, 5]);
    old.price = 6;
    await bulkSave(session, [old]); // at the version that it was given
    await session.commit();
    const again = new Article({ price: 1 });
    await place.save(again);
    again.price = 7;
    await bulkSave(session, [again], { returnDefaults: true });
    session.add(again);
    assertEquals(session.isModified(again), false); // it holds what its row holds
    await session.commit();
    assertEquals((await session.getOne(Article, old.id)).price, 6);
  }, "interactive");

  test(target, "what bulkSave() gave is taken back with the row: saved again it is written", async (place) => {
    const author = new Author({ name: "Ann" });
    await place.save(author);
    author.name = "Anna";
    await using session = place.session();
    const given = (): unknown[] => [author.name, author.version];
    const save = () => bulkSave(session, [author], { returnDefaults: true });
    await save();
    assertEquals(given(), ["Anna", 2]);
    author.name = "Anne";
    await save(); // twice in one transaction: the later one is taken back first
    assertEquals(given(), ["Anne", 3]);
    author.name = "Anna";
    await session.rollback();
    assertEquals(given(), ["Anna", 1]);
    await save();
    session.require(sql`1 = 0`);
    await assertRejects(() => session.commit(), RequirementError);
    await session.rollback();
    assertEquals(given(), ["Anna", 1]);
    await save();
    author.name = "Anne"; // what was changed since stays
    await session.reset();
    assertEquals(given(), ["Anne", 1]);
    await save();
    await session.commit();
    await session.rollback();
    assertEquals(given(), ["Anne", 2]);
    assertEquals(await place.column("authors", "name"), ["Anne"]);
  });

  test(target, "what bulkSave() gave inside a savepoint is taken back with it", async (place) => {
    const part = new Part({ name: "Wheel" });
    await place.save(part);
    part.name = "Tyre";
    const made = new Maker({ name: "Ann" });
    await using session = place.session();
    await bulkSave(session, [made], { returnDefaults: true });
    const { id } = made;
    const inner = await session.beginNested();
    await bulkSave(session, [part], { returnDefaults: true });
    await inner.commit();
    const outer = await session.beginNested();
    await bulkSave(session, [part], { returnDefaults: true }); // holds nothing to write any more
    await outer.rollback();
    assertEquals([part.name, made.id], ["Tyre", id]);
    await session.rollback();
    assertEquals([part.name, Object.hasOwn(made, "id")], ["Tyre", false]);
    await bulkSave(session, [part, made], { returnDefaults: true });
    await session.commit();
    assertEquals(await place.column("parts", "name"), ["Tyre"]);
    assertEquals(await place.column("makers", "id"), [made.id]);
  }, "interactive");

  test(target, "bulkSave() puts what is referred to first, unless the order is to be kept", async (place) => {
    await using session = place.session();
    const statements = async (preserveOrder: boolean): Promise<number> => {
      const [one, other] = [new Author({ name: "Ann" }), new Author({ name: "Bo" })];
      const book = new Book({ title: "Edges", authorId: one.id });
      await bulkSave(session, preserveOrder ? [one, book, other] : [book, one, other], { preserveOrder });
      return await place.statements(() => session.commit());
    };
    assertEquals(await statements(true), await statements(false) + 1);
    assertEquals([await place.rows("authors"), await place.rows("books")], [4, 2]);
    const author = new Author({ name: "Cy" });
    await bulkSave(session, [new Book({ title: "Shores", authorId: author.id }), author], { preserveOrder: true });
    await assertRejects(() => session.commit(), ForeignKeyViolationError);
  });

  test(target, "bulkSave() refuses objects of a session, and changed keys", async (place) => {
    const account = new Account({ email: "ann@example.org" });
    await place.save(account);
    await using session = place.session();
    const pending = session.add(new Tag({ name: "sea" }));
    await refused(() => bulkSave(session, [new Tag({ name: "land" }), pending]), ValidationError, "expunge it first");
    account.id = new Account({ email: "" }).id;
    await refused(() => bulkSave(session, [account]), ValidationError, "primary keys do not change");
    await refused(() => bulkSave(session, [{} as never]), ValidationError, "not an instance");
    await session.commit();
    assertEquals([await place.column("tags", "name"), await place.rows("accounts")], [["sea"], 1]);
  });
}
