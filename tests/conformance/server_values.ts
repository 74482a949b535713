/**
 * Values that the database or the client makes at a flush: they come back to the instances.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { ExpiredPropertyError, sql, ValidationError } from "../../mod.ts";
import { Article, Author, Folder, Maker } from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

/** Registers the tests of values that are made at a flush. */
export function serverValueSuite(target: Target): void {
  test(target, "session.commit() brings server defaults and generated values back", async (place) => {
    await using session = place.session();
    const [plain, given] = session.addAll([
      new Article({ price: 3 }),
      new Article({ price: 4, state: "own", rank: null }),
    ]);
    assertEquals([plain!.state, plain!.twice], [undefined as never, undefined as never]);
    assertEquals(await place.requests(() => session.commit()), place.commits(2, 2));
    assertEquals([plain!.state, plain!.rank, plain!.twice, plain!.change], ["new", 7, 6, "none"]);
    assertEquals([given!.state, given!.rank, given!.twice], ["own", null, 8]);
    await sendsNothing(place, () => session.commit());
    await using reader = place.other();
    assertEquals({ ...await reader.getOne(Article, plain!.id) }, { ...plain });
  });

  test(
    target,
    "session.commit() of one row with values that the server makes costs what the table says",
    async (place) => {
      await using session = place.session();
      const article = session.add(new Article({ price: 3 }));
      assertEquals(await place.requests(() => session.commit()), target.expects.requests.newRowWithServerValues);
      assertEquals([article.twice, article.rank], [6, 7]);
    },
  );

  test(target, "session.commit() brings generated and onUpdate values of an update back", async (place) => {
    await place.save(new Article({ price: 1 }), new Article({ price: 2 }));
    await using session = place.session();
    const [one, two] = await session.query(Article).orderBy({ price: "asc" }).all();
    one!.price = 10;
    two!.price = 20;
    two!.change = "mine";
    assertEquals(await place.requests(() => session.commit()), place.commits(1, 1));
    assertEquals([one!.twice, two!.twice, one!.version], [20, 40, 2]);
    assertMatch(one!.change, /^change \d+$/);
    assertEquals(two!.change, "mine");
    const { change } = one!;
    await sendsNothing(place, () => session.commit());
    session.assign(one!, { price: sql`price + 1` });
    await session.commit();
    assertEquals([one!.price, one!.twice, one!.version], [11, 22, 3]);
    assert(one!.change !== change);
    await using reader = place.other();
    assertEquals({ ...await reader.getOne(Article, one!.id) }, { ...one });
  });

  test(target, "session.commit() brings the key that the server made back, and it may be given too", async (place) => {
    await using session = place.session();
    const made = session.add(new Maker({ name: "made" }));
    assertEquals(Object.hasOwn(made, "id"), false);
    await session.commit();
    assert(Number.isSafeInteger(made.id));
    const given = session.add(new Maker({ id: made.id + 100, name: "given" }));
    const next = session.add(new Maker({ name: "next" }));
    await session.commit();
    assertEquals(given.id, made.id + 100);
    assertEquals(await place.column("makers", "id").then((ids) => ids.length), 3);
    await using reader = place.other();
    assertEquals((await reader.getOne(Maker, next.id)).name, "next");
  });

  test(target, "session.rollback() takes what the server made away from an added instance", async (place) => {
    await using session = place.session();
    const maker = session.add(new Maker({ name: "m" }));
    const article = session.add(new Article({ price: 3 }));
    await session.flush();
    assertEquals([typeof maker.id, article.state, maker.version], ["number", "new", 1]);
    maker.name = "later";
    await session.rollback();
    assertEquals([Object.hasOwn(maker, "id"), Object.hasOwn(article, "state"), Object.hasOwn(article, "twice")], [
      false,
      false,
      false,
    ]);
    assertEquals([maker.name, article.price, session.inspect(maker).state], ["later", 3, "transient"]);
    session.addAll([maker, article]);
    await session.commit();
    assertEquals([await place.column("makers", "name"), article.state], [["later"], "new"]);
  }, "interactive");

  test(target, "session.commit() writes rows with and without given values of one table together", async (place) => {
    await using session = place.session();
    const articles = Array.from(
      { length: 30 },
      (_, i) => new Article({ price: i, ...i % 2 === 0 ? { state: `s${i}` } : {}, ...i % 3 === 0 ? { rank: i } : {} }),
    );
    session.addAll(articles);
    await session.commit();
    articles.forEach(({ state, rank, twice }, i) =>
      assertEquals([state, rank, twice], [i % 2 === 0 ? `s${i}` : "new", i % 3 === 0 ? i : 7, 2 * i])
    );
  });

  test(target, "expireOnCommit expires every instance, and session.refresh() reads it again", async (place) => {
    await using session = place.session({ expireOnCommit: true });
    const ann = session.add(new Author({ name: "Ann" }));
    await session.commit();
    await refused(() => ann.name, ExpiredPropertyError, "Author.name");
    await place.run("UPDATE authors SET name = 'Anna', version = 2");
    await session.refresh(ann);
    ann.bio = "x";
    await session.commit();
    assertEquals(await place.column("authors", "name"), ["Anna"]);
  });

  test(target, "session.commit() needs a value for a key that no one makes", async (place) => {
    await using session = place.session();
    const ann = session.add(new Author({ name: "Ann" }));
    delete (ann as { id?: string }).id;
    await sendsNothing(place, () => refused(() => session.commit(), ValidationError, "Author"));
  });

  test(target, "session.commit() makes different keys for rows that are equal", async (place) => {
    await using session = place.session();
    const folders = session.addAll(Array.from({ length: 50 }, () => new Folder({ name: "same" })));
    await session.commit();
    assertEquals(new Set(folders.map(({ id }) => id)).size, 50);
    folders.forEach((folder, i) => folder.name = `renamed ${i}`);
    await session.commit();
    await using reader = place.other();
    for (const [i, { id }] of folders.entries()) {
      if (i % 10 === 0) assertEquals((await reader.getOne(Folder, id)).name, `renamed ${i}`);
    }
  });
}
