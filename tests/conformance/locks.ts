/**
 * Locks: forUpdate(), get and refresh with a lock; and settings, where there are none.
 *
 * @module
 */
import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { UnsupportedError, ValidationError } from "../../mod.ts";
import { Author, Book } from "./models.ts";
import { type Target, test } from "./setup.ts";

export function lockSuite(target: Target): void {
  test(target, "query.forUpdate() opens a transaction and reads the rows afresh", async (place) => {
    await place.save(Author.create({ name: "Ann", books: [new Book({ title: "Edges" })] }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    await place.run("UPDATE authors SET name = ?", "Anna");
    const locked = await session.query(Author).include({ books: true }).forUpdate().one();
    assertStrictEquals(locked, ann);
    assertEquals([ann.name, locked.books.map(({ title }) => title)], ["Anna", ["Edges"]]);
    ann.name = "An";
    await session.commit();
    assertEquals(await place.column("authors", "name"), ["An"]);
  }, "interactive");

  test(target, "session.get() and refresh() with a lock read afresh what is loaded", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    await place.run("UPDATE authors SET name = ?", "Anna");
    assertStrictEquals(await session.get(Author, ann.id, { lock: true }), ann);
    assertEquals(ann.name, "Anna");
    await session.refresh(ann, { lock: { share: true } });
    await session.rollback();
  }, "interactive");

  test(target, "a lock is refused for an instance with pending changes", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session({ autoflush: false });
    const ann = await session.query(Author).one();
    ann.name = "Anna";
    const locks = [() => session.get(Author, ann.id, { lock: true }), () => session.query(Author).forUpdate().all()];
    for (const lock of locks) {
      const refusal = await lock().then(() => null, (error: unknown) => error);
      if (refusal instanceof UnsupportedError) throw refusal;
      assertInstanceOf(refusal, ValidationError);
      assertStringIncludes(refusal.message, "pending changes");
    }
    assertEquals(ann.name, "Anna");
    await session.rollback();
  }, "interactive");

  test(target, "query.forUpdate() refuses options that do not go together", async (place) => {
    await using session = place.session();
    assertThrows(() => session.query(Author).forUpdate({ skipLocked: true, noWait: true }), ValidationError, "both");
  });

  test(
    target,
    "query.forUpdate() refuses what a database without row locks cannot do, and so do settings",
    async (place) => {
      const { dialect } = place.db;
      await using session = place.session();
      if (dialect.lock !== undefined) {
        return assertEquals(
          await session.query(Author).forUpdate({ skipLocked: true }).all(),
          [],
        );
      }
      if (!place.target.expects.interactive) await session.query(Author).forUpdate().all();
      await assertRejects(
        () => session.query(Author).forUpdate({ skipLocked: true }).all(),
        UnsupportedError,
        "locks no single rows",
      );
      assertThrows(() => place.session({ settings: { role: "x" } }), UnsupportedError, "settings");
      await assertRejects(() => session.begin({ settings: { role: "x" } }), UnsupportedError, "settings");
    },
    "interactive",
  );
}
