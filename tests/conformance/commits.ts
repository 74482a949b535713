/**
 * What a commit costs in requests, and that it writes what it should.
 *
 * @module
 */
import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { sql } from "../../mod.ts";
import { Author, author, Book, Maker, Part, Product, Review } from "./models.ts";
import { type Place, sendsNothing, type Target, test } from "./setup.ts";

const list = <T>(length: number, make: (i: number) => T): T[] => Array.from({ length }, (_, i) => make(i));

/** Registers the tests of commits. */
export function commitSuite(target: Target): void {
  const { requests } = target.expects;

  test(target, "session.commit() is one request for one new row", async (place) => {
    await using session = place.session();
    const ann = session.add(new Author({ name: "Ann" }));
    assertEquals(await place.requests(() => session.commit()), requests.newRow);
    assertEquals(await place.column("authors", "id"), [ann.id]);
    assertEquals(ann.version, 1);
  });

  test(target, "session.commit() writes 100 authors and 1,000 books with client keys together", async (place) => {
    await using session = place.session();
    session.addAll(list(100, (i) => author(`author ${i}`, Object.fromEntries(list(10, (k) => [`book ${k}`, []])))));
    assertEquals(await place.requests(() => session.commit()), requests.graph);
    assertEquals([await place.rows("authors"), await place.rows("books")], [100, 1000]);
    assertEquals(await orphans(place, "books", "author_id", "authors"), 0);
  });

  test(target, "session.commit() writes 100 authors and 1,000 books with server keys together", async (place) => {
    await place.save(new Maker({ name: "before" })); // so that keys do not begin at 1
    await using session = place.session();
    const makers = list(
      100,
      (i) => Maker.create({ name: `maker ${i}`, products: list(10, (k) => new Product({ name: `${i}/${k}` })) }),
    );
    session.addAll(makers);
    assertEquals(await place.requests(() => session.commit()), requests.graphWithServerKeys);
    assertEquals([await place.rows("makers"), await place.rows("products")], [101, 1000]);
    await using reader = place.other();
    const read = await reader.query(Maker).where({ name: { ne: "before" } }).include(["products"]).all();
    assertEquals(read.length, 100);
    for (const maker of read) {
      assertEquals(maker.products.map(({ name }) => name.split("/")[0]), list(10, () => maker.name.split(" ")[1]!));
    }
    const byId = new Map(read.map((maker) => [maker.id, maker]));
    for (const maker of makers) {
      assertEquals(byId.get(maker.id)?.name, maker.name, "the key that came back is the row's");
      for (const product of maker.products!) {
        assertEquals(product.makerId, maker.id);
        assertEquals(byId.get(maker.id)!.products.find(({ id }) => id === product.id)?.name, product.name);
      }
    }
  });

  test(target, "session.commit() carries server keys through three levels", async (place) => {
    await using session = place.session();
    const make = (name: string) =>
      Maker.create({
        name,
        products: list(3, (i) =>
          Product.create({ name: `${name}${i}`, parts: list(2, (k) => new Part({ name: `${name}${i}${k}` })) })),
      });
    const makers = session.addAll([make("a"), make("b")]);
    const loose = session.add(new Part({ name: "loose" }));
    await session.commit();
    await using reader = place.other();
    const read = await reader.query(Maker).orderBy({ name: "asc" }).include({ products: { parts: true } }).all();
    const names = read.map(({ products }) => products.map(({ name, parts }) => [name, parts.map((p) => p.name)]));
    const expected = (n: string) => list(3, (i) => [`${n}${i}`, [`${n}${i}0`, `${n}${i}1`]]);
    assertEquals(names, [expected("a"), expected("b")]);
    assertEquals((await reader.getOne(Part, loose.id)).productId, null);
    assertEquals(makers[1]!.products![2]!.parts![1]!.productId, makers[1]!.products![2]!.id);
  });

  test(target, "session.commit() saves 100 changed rows of 1,000 with two requests in all", async (place) => {
    await place.save(...list(1000, (i) => new Author({ name: `author ${i}` })));
    await using session = place.session();
    const count = await place.requests(async () => {
      const authors = await session.query(Author).all();
      assertEquals(authors.length, 1000);
      authors.slice(0, 100).forEach((one, i) => {
        one.name = `changed ${i}`;
        if (i % 3 === 0) one.bio = `bio ${i}`; // each row has its own columns
      });
      await session.commit();
    });
    assertEquals(count, requests.loadChangeSave);
    await using reader = place.other();
    const changed = await reader.query(Author).where({ name: { startsWith: "changed" } }).all();
    assertEquals(changed.length, 100);
    for (const { name, bio, version } of changed) {
      const i = Number(name.split(" ")[1]);
      assertEquals([bio, version], [i % 3 === 0 ? `bio ${i}` : null, 2]);
    }
    assertEquals(await reader.query(Author).where({ version: 1 }).count(), 900);
  });

  test(target, "session.get() of 50 keys in one turn is one request", async (place) => {
    const authors = list(50, (i) => new Author({ name: `author ${i}` }));
    const ids = authors.map(({ id }) => id);
    await place.save(...authors);
    await using session = place.session();
    const count = await place.requests(async () => {
      const found = await Promise.all(ids.map((id) => session.get(Author, id)));
      assertEquals(found.map((one) => one?.id), ids);
    });
    assertEquals(count, requests.gets);
    await sendsNothing(place, () => Promise.all(ids.map((id) => session.get(Author, id))));
  });

  test(target, "session.get() includes books and their reviews in one request", async (place) => {
    const ann = author("Ann", { a: [1, 2], b: [], c: [5] });
    const { id } = ann;
    await place.save(ann, author("Bob", { d: [3] }));
    await using session = place.session();
    const count = await place.requests(async () => {
      const read = await session.getOne(Author, id, { include: { books: { reviews: true } } });
      const stars = read.books.map((book) => [book.title, book.reviews.map((review) => review.stars).sort()]).sort();
      assertEquals(stars, [["a", [1, 2]], ["b", []], ["c", [5]]]);
    });
    assertEquals(count, requests.include);
  });

  test(
    target,
    "session.savepoint() sends nothing when changes inside it are not flushed and it throws",
    async (place) => {
      await place.save(new Author({ name: "Ann" }));
      await using session = place.session();
      const ann = await session.query(Author).one();
      await sendsNothing(place, () =>
        assertRejects(() =>
          session.savepoint(() => {
            ann.name = "Anna";
            session.add(new Author({ name: "Bob" }));
            throw new Error("no");
          })
        ));
      assertEquals([ann.name, session.new.size, session.dirty.size], ["Ann", 0, 0]);
    },
  );

  test(target, "session.commit() sends nothing when nothing changed", async (place) => {
    await place.save(author("Ann", { a: [1] }));
    await using session = place.session();
    await sendsNothing(place, () => session.commit());
    const [ann] = await session.query(Author).include({ books: { reviews: true } }).all();
    ann!.name = "Anna";
    ann!.name = "Ann"; // and back
    ann!.books.push(ann!.books.pop()!);
    await sendsNothing(place, () => session.commit());
    assertEquals(ann!.version, 1);
  });

  test(target, "session.commit() writes rows beyond the parameter limit in the same request", async (place) => {
    await using session = place.session();
    session.addAll(list(12_000, (i) => new Author({ name: `author ${i}` })));
    assertEquals(await place.requests(() => session.commit()), requests.newRow);
    assertEquals(await place.rows("authors"), 12_000);
  }, "batches");

  test(target, "session.commit() writes inserts, updates and deletes of several tables together", async (place) => {
    const [keep, gone] = [author("keep", { old: [1] }), author("gone", {})];
    await place.save(keep, gone);
    await using session = place.session();
    const authors = await session.query(Author).orderBy({ name: "asc" }).include({ books: { reviews: true } }).all();
    const [first, second] = [authors[0]!, authors[1]!];
    await session.delete(first);
    second.books[0]!.title = "older";
    second.books[0]!.reviews[0]!.stars = 4;
    (second.books as Book[]).push(Book.create({ title: "new", reviews: [new Review({ stars: 2 })] }));
    assertEquals(await place.requests(() => session.commit()), place.commits(5));
    assertEquals(await place.column("authors", "name"), ["keep"]);
    assertEquals(await place.column("books", "title"), ["new", "older"]);
    assertEquals((await place.column("reviews", "stars")).map(Number), [2, 4]);
    assertEquals([second.version, second.books.map(({ version }) => version)], [1, [2, 1]]);
  });

  test(target, "session.commit() can be called again and again, and each is one request", async (place) => {
    await using session = place.session();
    const ann = session.add(new Author({ name: "0" }));
    for (let i = 1; i < 4; i++) {
      ann.name = `${i}`;
      assertEquals(await place.requests(() => session.commit()), i === 1 ? requests.newRow : requests.changedRow);
      assertEquals(ann.version, i);
    }
    assertEquals(await place.column("authors", "name"), ["3"]);
  });

  test(target, "session.commit() is given up before anything is sent when its signal has aborted", async (place) => {
    await using session = place.session();
    session.add(new Author({ name: "Ann" }));
    const reason = new Error("enough");
    const error = await sendsNothing(
      place,
      () => assertRejects(() => session.commit({ signal: AbortSignal.abort(reason) })),
    );
    assertEquals(error, reason);
    assertEquals([session.state, session.new.size], ["open", 1]);
    await session.commit();
    assertEquals(await place.rows("authors"), 1);
  });

  test(target, "session.markDirty() counts the version of a row that did not change", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    session.markDirty(ann);
    assert(session.isModified(ann));
    assertEquals(await place.requests(() => session.commit()), requests.changedRow);
    assertEquals([ann.version, session.isModified(ann)], [2, false]);
    assertEquals(await place.column("authors", "version").then((v) => v.map(Number)), [2]);
  });

  test(target, "session.stage() travels with the commit and has its result afterwards", async (place) => {
    await place.save(new Author({ name: "Ann" }), new Author({ name: "Bob" }));
    await using session = place.session();
    const ann = await session.query(Author).where({ name: "Ann" }).one();
    const bob = await session.query(Author).where({ name: "Bob" }).one();
    ann.bio = "x";
    const staged = session.stage(place.text("UPDATE authors SET bio = ? WHERE name = ?"), ["staged", "Ann"]);
    const counted = session.stage(sql`SELECT count(*) FROM authors WHERE bio = ${"staged"}`);
    session.verify(bob);
    session.require(sql`(SELECT count(*) FROM authors) = 2`);
    assertNotEquals(ann.bio, "staged");
    assertEquals(await place.requests(() => session.commit()), requests.guarded);
    assertEquals(staged.result.rowsAffected, 1);
    assertEquals(Number(counted.result.scalar()), 1);
  });
}

async function orphans(place: Place, table: string, column: string, parent: string): Promise<number> {
  await using session = place.other();
  const text = `SELECT count(*) FROM ${table} WHERE ${column} NOT IN (SELECT id FROM ${parent})`;
  return Number(await session.scalar(text));
}
