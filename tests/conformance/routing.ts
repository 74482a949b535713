/**
 * Routing over two databases of one kind: two clients here, which the session takes for two databases.
 *
 * @module
 */
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { type Database, select, type SessionOptions, UnsupportedError, update } from "../../mod.ts";
import { noting, taken } from "../session/routing_kit.ts";
import { Author, author, Book, Review, Tag } from "./models.ts";
import { type Place, refused, type Target, test } from "./setup.ts";

/** A session whose authors are on one client, and whose books are on the other. */
function two(place: Place, options: Partial<SessionOptions> = {}) {
  const [a, b] = [noting(place.db, "one"), noting(place.other().bind, "two")];
  const session = place.session({ bind: a.db, binds: [[Book, b.db], ["reviews", b.db], [Tag, b.db]], ...options });
  return { a, b, session };
}

/** Registers the tests of routing. */
export function routingSuite(target: Target): void {
  test(target, "each model is read and written at its own database, an include goes over by keys", async (place) => {
    await place.save(author("Ann", { a: [5, 4], b: [3] }), author("Ben", {}));
    const { a, b, session } = two(place);
    await using _ = session;
    const authors = await session.query(Author).orderBy({ name: "asc" }).include({ books: ["reviews"] }).all();
    assertEquals(authors.map(({ books }) => books.map(({ title }) => title).sort()), [["a", "b"], []]);
    assertEquals(authors[0]!.books.flatMap(({ reviews }) => reviews.map(({ stars }) => stars)).sort(), [3, 4, 5]);
    assertEquals([taken(a).length, taken(b).length > 0], [1, true]);
    const [book] = await session.query(Book).where({ title: "a" }).include(["author", "reviews"]).all();
    assertStrictEquals(book!.author, authors[0]);
    assertEquals(session.dirty.size, 0);
    taken(a), taken(b);
    book!.title = "A";
    await session.commit();
    assertEquals([taken(a), taken(b).length > 0], [[], true]);
    assertEquals(await place.column("books", "title"), ["A", "b"]);
    assertEquals(await session.query(Review).count(), 3);
    assertEquals([taken(a), taken(b)], [[], ["SELECT"]]);
  });

  test(
    target,
    "a commit that would write to two databases is refused, naming both, and can be divided",
    async (place) => {
      const { a, b, session } = two(place);
      await using _ = session;
      const ann = session.add(new Author({ name: "Ann" }));
      const tag = session.add(new Tag({ name: "x" }));
      await refused(
        () => session.commit(),
        UnsupportedError,
        a.db.description,
        b.db.description,
        "@ledge/session/two_phase",
      );
      assertEquals([taken(a), taken(b), session.state], [[], [], "open"]);
      session.expunge(tag);
      await session.commit();
      session.add(tag);
      await session.commit();
      assertEquals([session.has(ann), await place.rows("authors"), await place.rows("tags")], [true, 1, 1]);
    },
  );

  test(target, "reads go to the replica until the session writes", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    const [primary, replica] = [noting(place.db, "primary"), noting(place.other().bind, "replica")];
    const routing = { read: () => replica.db, write: () => primary.db };
    await using session = place.session({ bind: primary.db, routing });
    const [ann] = await session.query(Author).all();
    assertEquals([taken(primary), taken(replica)], [[], ["SELECT"]]);
    ann!.name = "Anna";
    await session.commit();
    taken(primary);
    assertEquals((await session.query(Author).where({ name: "Anna" }).all()).length, 1);
    await session.refresh(ann!);
    assertEquals([taken(primary), taken(replica)], [["SELECT", "SELECT"], []]);
  });

  test(target, "a statement that writes goes to the primary, and so do the reads of its transaction", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    const [primary, replica] = [noting(place.db, "primary"), noting(place.other().bind, "replica")];
    const routing = { read: () => replica.db, write: (): Database => primary.db };
    await using session = place.session({ bind: primary.db, routing });
    await session.execute(update(Author).set({ name: "Anna" }));
    assertEquals((await session.execute(select(Author))).scalars().one().name, "Anna");
    await session.rollback();
    assert(!taken(replica).includes("BEGIN"));
    assertEquals(await place.column("authors", "name"), ["Ann"]);
  }, "interactive");
}
