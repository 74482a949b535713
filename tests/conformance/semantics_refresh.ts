/**
 * Semantics: refreshing, from SQLAlchemy's "Refreshing / Expiring".
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { inspect, ObjectDeletedError, sql, ValidationError } from "../../mod.ts";
import { Author, author, Book, Stock, Tag } from "./models.ts";
import { refused, type Target, test } from "./setup.ts";

/** Registers the tests of refresh. */
export function refreshSemantics(target: Target): void {
  test(target, "refresh() reads every column and drops every change", async (place) => {
    await place.save(new Author({ name: "Ann", bio: "b" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    [ann.name, ann.bio] = ["x", "y"];
    session.markDirty(ann);
    await session.refresh(ann);
    assertEquals([ann.name, ann.bio, session.dirty.size], ["Ann", "b", 0]);
  });

  test(target, "refresh() of some properties reads those and keeps the other changes", async (place) => {
    await place.save(new Author({ name: "Ann", bio: "b" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    [ann.name, ann.bio] = ["x", "y"];
    await place.run("UPDATE authors SET name = 'theirs', bio = 'theirs'");
    await session.refresh(ann, { properties: ["bio"] });
    assertEquals([ann.name, ann.bio, [...session.dirty].length], ["x", "theirs", 1]);
  });

  test(target, "refresh() of a relation reads it again, and drops what was put into it", async (place) => {
    await place.save(author("Ann", { a: [] }));
    await using session = place.session();
    const [ann] = await session.query(Author).include(["books"]).all();
    ann!.books.push(new Book({ title: "pending" }));
    await session.refresh(ann!, { properties: ["books"] });
    assertEquals(ann!.books.map(({ title }) => title), ["a"]);
  });

  test(target, "refresh() of a row that is gone throws, and names the instance", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    await place.run("DELETE FROM tags");
    await refused(() => session.refresh(tag), ObjectDeletedError, "Tag", "gone");
    await refused(() => session.refresh(tag, { properties: ["name"] }), ObjectDeletedError, "gone");
    assertEquals([session.state, inspect(tag).state], ["open", "persistent"]);
    session.expunge(tag);
  });

  test(target, "refresh() of an instance whose deletion is flushed is refused", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    await session.delete(tag);
    await session.flush();
    await refused(() => session.refresh(tag), ValidationError, "deleted");
    await session.rollback();
  }, "interactive");

  test(target, "refresh() of a pending instance is refused, and changes nothing", async (place) => {
    await using session = place.session();
    const tag = session.add(new Tag({ name: "t" }));
    await refused(() => session.refresh(tag), ValidationError, "pending");
    assertEquals([tag.name, session.new.has(tag)], ["t", true]);
  });

  test(target, "refresh() of an instance that is marked deleted reads it, and leaves the mark", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    await session.delete(tag);
    await place.run("UPDATE tags SET name = 'u'");
    await session.refresh(tag);
    assertEquals([tag.name, session.deleted.has(tag)], ["u", true]);
  });

  test(target, "refresh() of a stale instance lets it be written", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    await place.run("UPDATE authors SET version = 4");
    await session.refresh(ann);
    ann.name = "x";
    await session.commit();
    assertEquals(ann.version, 5);
  });

  test(target, "refresh() does not reach related instances", async (place) => {
    await place.save(author("Ann", { a: [] }));
    await using session = place.session();
    const [ann] = await session.query(Author).include(["books"]).all();
    ann!.books[0]!.title = "changed";
    await session.refresh(ann!);
    assertEquals([ann!.books.length, ann!.books[0]!.title], [1, "changed"]);
  });

  test(target, "refresh() drops an SQL expression that was assigned", async (place) => {
    await place.save(new Stock({ left: 3 }));
    await using session = place.session();
    const stock = await session.query(Stock).one();
    session.assign(stock, { left: 9 });
    await session.refresh(stock);
    assert(session.dirty.size === 0 && stock.left === 3);
  });

  test(target, "refresh() of one property drops the SQL expression that it was assigned", async (place) => {
    await place.save(new Stock({ left: 3 }));
    await using session = place.session();
    const stock = await session.query(Stock).one();
    session.assign(stock, { left: sql`pieces_left + 1` });
    await session.refresh(stock, { properties: ["left"] });
    assertEquals([stock.left, session.dirty.size], [3, 0]);
  });

  test(target, "expire() of one property drops the SQL expression that it was assigned", async (place) => {
    await place.save(new Stock({ left: 3 }));
    await using session = place.session();
    const stock = await session.query(Stock).one();
    session.assign(stock, { left: sql`pieces_left + 1` });
    session.expire(stock, ["left"]);
    await session.commit();
    await session.refresh(stock);
    assertEquals(stock.left, 3);
  });
}
