/**
 * Semantics: merge, from SQLAlchemy's "Merging", "Merge Tips" and the merge cascade.
 *
 * @module
 */
import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { inspect } from "../../mod.ts";
import { Author, Book, Maker, Tag } from "./models.ts";
import { sendsNothing, type Target, test } from "./setup.ts";

/** Registers the tests of merge. */
export function mergeSemantics(target: Target): void {
  test(target, "merge() gives the session's instance and leaves the given one alone", async (place) => {
    const tag = new Tag({ name: "t" });
    await place.save(tag);
    const given = new Tag({ id: tag.id, name: "u" });
    await using session = place.session();
    const merged = await session.merge(given);
    assertNotStrictEquals(merged, given);
    assertEquals([inspect(given).state, session.has(given), session.has(merged)], ["transient", false, true]);
  });

  test(target, "merge() of an instance of the session gives itself and sends nothing", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    const added = session.add(new Tag({ name: "u" }));
    await sendsNothing(place, async () => {
      assertStrictEquals(await session.merge(tag), tag);
      assertStrictEquals(await session.merge(added), added);
    });
  });

  test(target, "merge() onto a loaded instance sends nothing", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    await sendsNothing(place, () => session.merge(new Tag({ id: tag.id, name: "u" })));
    assertEquals([tag.name, session.dirty.has(tag)], ["u", true]);
  });

  test(target, "merge() of equal values changes nothing", async (place) => {
    await place.save(new Author({ name: "Ann", bio: "b" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    await session.merge(new Author({ id: ann.id, name: "Ann", bio: "b" }));
    assertEquals([session.dirty.size, session.isModified(ann)], [0, false]);
    await sendsNothing(place, () => session.commit());
  });

  test(target, "merge() into a dirty instance overwrites what it gives and keeps the other changes", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    ann.name = "mine";
    ann.bio = "mine";
    await session.merge(new Author({ id: ann.id, name: "given" }));
    assertEquals([ann.name, ann.bio], ["given", "mine"]);
    await session.commit();
    assertEquals([await place.column("authors", "name"), await place.column("authors", "bio")], [["given"], ["mine"]]);
  });

  test(target, "merge() into an instance that is marked deleted takes the deletion back", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    await session.delete(tag);
    assertStrictEquals(await session.merge(new Tag({ id: tag.id, name: "u" })), tag);
    assertEquals([session.deleted.size, session.inspect(tag).markedDeleted], [0, false]);
    await session.commit();
    assertEquals(await place.column("tags", "name"), ["u"]);
  });

  test(target, "merge() of a row whose deletion is flushed adds it anew", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    await session.delete(tag);
    await session.flush();
    const merged = await session.merge(new Tag({ id: tag.id, name: "u" }));
    assertEquals([inspect(merged).state, inspect(tag).state, merged === tag], ["pending", "deleted", false]);
    await session.commit();
    assertEquals(await place.column("tags", "name"), ["u"]);
  }, "interactive");

  test(target, "merge() of an instance that was deleted in this transaction adds a new one", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    await session.delete(tag);
    await session.commit();
    const merged = await session.merge(tag);
    assertEquals([inspect(merged).state, inspect(tag).state], ["pending", "detached"]);
    await session.commit();
    assertEquals(await place.column("tags", "name"), ["t"]);
  });

  test(target, "merge() into a pending instance of the key copies onto it", async (place) => {
    await using session = place.session();
    const tag = session.add(new Tag({ name: "t" }));
    assertStrictEquals(await sendsNothing(place, () => session.merge(new Tag({ id: tag.id, name: "u" }))), tag);
    assertEquals([tag.name, session.new.size], ["u", 1]);
  });

  test(target, "merge() of an instance without a key adds a copy each time", async (place) => {
    await using session = place.session();
    const given = new Maker({ name: "m" });
    const [one, two] = [await session.merge(given), await session.merge(given)];
    assert(one !== two && one !== given);
    await session.commit();
    assertEquals([await place.rows("makers"), "id" in given], [2, false]);
  });

  test(target, "merge() of one of several twins in one graph makes one instance", async (place) => {
    const id = crypto.randomUUID();
    await using session = place.session();
    const merged = await session.merge(Book.create({
      title: "a",
      author: new Author({ name: "Ann" }),
      tags: [new Tag({ id, name: "t" }), new Tag({ id, name: "t" })],
    }));
    await session.commit();
    assertEquals([await place.rows("tags"), await place.rows("book_tags")], [1, 1]);
    assertEquals(new Set(merged.tags).size, 1);
  });

  test(target, "merge() into an expired instance reads it first, and keeps what was not given", async (place) => {
    await place.save(new Author({ name: "Ann", bio: "old" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    session.expire(ann);
    assertEquals(await place.requests(() => session.merge(new Author({ id: ann.id, name: "given" }))), 1);
    assertEquals([ann.name, ann.bio, session.inspect(ann).expired], ["given", "old", []]);
  });

  test(target, "merge() of an expired instance copies what it holds, and not what it does not know", async (place) => {
    await place.save(new Author({ name: "Ann", bio: "old" }));
    await using other = place.other();
    const given = await other.query(Author).one();
    other.expire(given, ["bio"]);
    given.name = "given";
    await using session = place.session();
    const merged = await session.merge(given);
    assertEquals([merged.name, merged.bio], ["given", "old"]);
  });
}
