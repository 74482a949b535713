/**
 * Semantics: the states of an instance, from SQLAlchemy's "Quickie Intro to Object States".
 *
 * @module
 */
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { DetachedInstanceError, inspect, objectSession, ValidationError } from "../../mod.ts";
import { Author, author, Book, Maker, Review, Tag } from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

/** Registers the tests of states. */
export function stateSemantics(target: Target): void {
  test(target, "a new instance is transient: it has no session and no row", async (place) => {
    await using session = place.session();
    const tag = new Tag({ name: "t" });
    assertEquals([inspect(tag).state, inspect(tag).session, objectSession(tag), session.has(tag)], [
      "transient",
      null,
      null,
      false,
    ]);
  });

  test(target, "an instance whose key the server makes has none until it is written", async (place) => {
    await using session = place.session();
    const maker = session.add(new Maker({ name: "m" }));
    assertEquals([inspect(maker).key, "id" in maker], [null, false]);
    await session.commit();
    assertEquals(inspect(maker).key, [maker.id]);
  });

  test(target, "add() makes a transient instance pending, and says whose it is", async (place) => {
    await using session = place.session();
    const tag = session.add(new Tag({ name: "t" }));
    assertEquals([inspect(tag).state, session.has(tag), session.new.has(tag)], ["pending", true, true]);
    assertStrictEquals(objectSession(tag), session);
    assertEquals(await place.rows("tags"), 0);
  });

  test(target, "add() of a pending instance changes nothing", async (place) => {
    await using session = place.session();
    const tag = session.add(new Tag({ name: "t" }));
    session.add(tag);
    assertEquals([session.new.size, inspect(tag).state], [1, "pending"]);
    await session.commit();
    assertEquals(await place.rows("tags"), 1);
  });

  test(target, "add() of a persistent instance changes nothing", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    session.add(tag);
    assertEquals([session.new.size, inspect(tag).state], [0, "persistent"]);
    await sendsNothing(place, () => session.commit());
  });

  test(target, "a loaded instance is persistent, and in the identity map", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    assertEquals([inspect(tag).state, session.has(tag), session.identityMap.has(Tag, tag.id)], [
      "persistent",
      true,
      true,
    ]);
  });

  test(target, "flush() makes a pending instance persistent before the commit", async (place) => {
    await using session = place.session();
    const tag = session.add(new Tag({ name: "t" }));
    await session.flush();
    assertEquals([inspect(tag).state, session.new.size, session.identityMap.size], ["persistent", 0, 1]);
    await session.rollback();
    assertEquals(inspect(tag).state, "transient");
  }, "interactive");

  test(target, "commit() makes a pending instance persistent, and it stays loaded", async (place) => {
    await using session = place.session();
    const tag = session.add(new Tag({ name: "t" }));
    await session.commit();
    assertEquals([inspect(tag).state, tag.name], ["persistent", "t"]);
    await sendsNothing(place, async () => assertStrictEquals(await session.get(Tag, tag.id), tag));
  });

  test(target, "delete() marks a persistent instance, which stays persistent until the flush", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    await session.delete(tag);
    assertEquals([inspect(tag).state, session.inspect(tag).markedDeleted, session.deleted.has(tag)], [
      "persistent",
      true,
      true,
    ]);
    assertEquals(session.has(tag), true);
  });

  test(target, "flush() makes an instance that was marked deleted", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    await session.delete(tag);
    await session.flush();
    assertEquals([inspect(tag).state, session.has(tag), session.deleted.size], ["deleted", false, 0]);
    assertStrictEquals(objectSession(tag), session);
    await session.rollback();
  }, "interactive");

  test(target, "commit() makes a deleted instance detached", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    await session.delete(tag);
    await session.commit();
    assertEquals([inspect(tag).state, objectSession(tag), tag.name], ["detached", null, "t"]);
  });

  test(target, "rollback() makes a deleted instance persistent again", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    await session.delete(tag);
    await session.flush();
    await session.rollback();
    assertEquals([inspect(tag).state, session.has(tag), await place.rows("tags")], ["persistent", true, 1]);
    await session.commit();
    assertEquals(await place.rows("tags"), 1);
  }, "interactive");

  test(target, "add() of a flushed deletion is refused until the transaction ends", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    await session.delete(tag);
    await session.flush();
    await refused(() => session.add(tag), ValidationError, "deleted in this transaction");
    await session.rollback();
  }, "interactive");

  test(target, "an instance whose deletion was committed can be added again, and is inserted", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    await session.delete(tag);
    await session.commit();
    session.add(tag);
    assertEquals(inspect(tag).state, "pending");
    await session.commit();
    assertEquals([await place.column("tags", "id"), inspect(tag).state], [[tag.id], "persistent"]);
  });

  test(target, "expunge() makes a persistent instance detached, and its values stay", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    session.expunge(tag);
    assertEquals([inspect(tag).state, objectSession(tag), tag.name], ["detached", null, "t"]);
  });

  test(target, "close() makes every instance detached, and pending ones transient", async (place) => {
    await place.save(new Tag({ name: "t" }));
    const session = place.session();
    const tag = await session.query(Tag).one();
    const added = session.add(new Tag({ name: "u" }));
    await session.close();
    assertEquals([inspect(tag).state, inspect(added).state, tag.name, added.name], ["detached", "transient", "t", "u"]);
  });

  test(target, "a detached instance can be added to another session", async (place) => {
    await place.save(new Tag({ name: "t" }));
    const first = place.session();
    const tag = await first.query(Tag).one();
    await first.close();
    tag.name = "u";
    await using session = place.session();
    session.add(tag);
    assertEquals([inspect(tag).state, session.dirty.has(tag)], ["persistent", true]);
    await session.commit();
    assertEquals(await place.column("tags", "name"), ["u"]);
  });

  test(target, "an instance belongs to one session at a time", async (place) => {
    await using first = place.session();
    await using second = place.session();
    const tag = first.add(new Tag({ name: "t" }));
    await refused(() => second.add(tag), DetachedInstanceError, "another session", "merge()");
    await refused(() => second.delete(tag), DetachedInstanceError, "another session");
    for (const call of ["expunge", "expire", "markDirty"] as const) {
      await refused(() => second[call](tag), DetachedInstanceError, "another session");
    }
    await refused(() => second.refresh(tag), DetachedInstanceError, "another session");
    first.expunge(tag);
    second.add(tag);
    assertStrictEquals(objectSession(tag), second);
  });

  test(target, "rollback() makes an instance that was added transient, with its values", async (place) => {
    await using session = place.session();
    const tag = session.add(new Tag({ name: "t" }));
    await session.rollback();
    assertEquals([inspect(tag).state, objectSession(tag), tag.name], ["transient", null, "t"]);
    session.add(tag);
    await session.commit();
    assertEquals(await place.column("tags", "name"), ["t"]);
  });

  test(target, "rollback() keeps what was persistent before, at its row's values", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    tag.name = "u";
    await session.rollback();
    assertEquals([inspect(tag).state, tag.name, session.dirty.size], ["persistent", "t", 0]);
  });

  test(target, "delete() of a transient instance is refused: it has no row", async (place) => {
    await using session = place.session();
    await refused(() => session.delete(new Tag({ name: "t" })), ValidationError, "no row");
  });

  test(target, "delete() of a detached instance makes it the session's, and deletes its row", async (place) => {
    await place.save(new Tag({ name: "t" }));
    const first = place.session();
    const tag = await first.query(Tag).one();
    await first.close();
    await using session = place.session();
    await session.delete(tag);
    await session.commit();
    assertEquals([await place.rows("tags"), inspect(tag).state], [0, "detached"]);
  });

  test(target, "delete() twice is as once", async (place) => {
    await place.save(new Tag({ name: "t" }));
    await using session = place.session();
    const tag = await session.query(Tag).one();
    await session.delete(tag);
    await session.delete(tag);
    assertEquals(session.deleted.size, 1);
    await session.commit();
    assertEquals(await place.rows("tags"), 0);
  });

  test(target, "session.new, dirty and deleted hold what the next flush writes, each once", async (place) => {
    await place.save(author("Ann", { a: [1] }));
    await using session = place.session();
    const [book] = await session.query(Book).include(["author", "reviews"]).all();
    book!.title = "b";
    const added = session.add(Review.create({ stars: 2, book: book! }));
    await session.delete(book!.reviews[0]!);
    assertEquals([[...session.new], [...session.dirty], [...session.deleted]], [[added], [book], [book!.reviews[0]]]);
    await session.commit();
    assertEquals([session.new.size, session.dirty.size, session.deleted.size], [0, 0, 0]);
  });

  test(target, "an instance changed and changed back is not dirty", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    ann.name = "Bob";
    assert(session.dirty.has(ann) && session.isModified(ann));
    ann.name = "Ann";
    assert(!session.dirty.has(ann) && !session.isModified(ann));
    await sendsNothing(place, () => session.commit());
    assertEquals(ann.version, 1);
  });

  test(target, "isModified() looks at collections unless it is told not to", async (place) => {
    await place.save(author("Ann", { a: [] }));
    await using session = place.session();
    const [ann] = await session.query(Author).include(["books"]).all();
    ann!.books.push(new Book({ title: "b" }));
    assertEquals([session.isModified(ann!), session.isModified(ann!, { collections: false })], [true, false]);
  });
}
