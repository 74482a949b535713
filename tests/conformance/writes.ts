/**
 * update(Model), deleteFrom(Model) and truncate(): what they write, and what they do to instances that are loaded.
 *
 * @module
 */
import { assertEquals, assertNotEquals, assertStrictEquals } from "@std/assert";
import { deleteFrom, insert, type Session, sql, UnsupportedError, update, ValidationError } from "../../mod.ts";
import { Article, Author, author, Book, Desk, Review, Room, Seat, Site, Stock, Tag } from "./models.ts";
import { type Place, refused, sendsNothing, type Target, test } from "./setup.ts";

/** Three authors, the first two of them loaded, by name. */
export async function load(place: Place): Promise<{ session: Session; ann: Author; bob: Author }> {
  await place.save(author("Ann", { a: [1] }), author("Bob", { b: [] }), author("Cy", { c: [] }));
  const session = place.session();
  const [ann, bob] = await session.query(Author).where({ name: { in: ["Ann", "Bob"] } }).orderBy({ name: "asc" }).all();
  return { session, ann: ann!, bob: bob! };
}

/** The name with something at its end. */
const longer = (place: Place, end: string) =>
  place.db.dialect.name === "mysql" ? sql`CONCAT(name, ${end})` : sql`name || ${end}`;

/** Registers the tests of writes by builder. */
export function writeSuite(target: Target): void {
  test(target, "update() writes rows by condition, and brings loaded instances up to date", async (place) => {
    const { session, ann, bob } = await load(place);
    await using _ = session;
    const statement = update(Author).set({ bio: "new" }).set({ name: longer(place, "!") }).where({
      name: { ne: "Bob" },
    });
    const result = await session.execute(statement);
    assertEquals([result.rowsAffected, result.all(), result.columns], [2, [], []]);
    assertEquals([ann.name, ann.bio, ann.version, bob.name, bob.version], ["Ann!", "new", 2, "Bob", 1]);
    assertEquals(session.dirty.size, 0);
    ann.bio = "newer";
    await session.commit();
    assertEquals([await place.column("authors", "name"), ann.version], [["Ann!", "Bob", "Cy!"], 3]);
    assertEquals(session.identityMap.size, 2);
  }, "interactive");

  test(target, "the expressions of an update() see the row as it was, whatever their order", async (place) => {
    await place.save(new Article({ price: 3, rank: 10 }));
    await using session = place.session();
    await session.execute(update(Article).set({ price: sql`price + 1`, rank: sql`price` }));
    await session.execute(update(Article).set({ price: 100, rank: sql`rank + price` }));
    await session.commit();
    assertEquals((await place.column("articles", "rank")).map(Number), [7]);
    const swap = update(Article).set({ price: sql`rank`, rank: sql`price` });
    if (place.db.dialect.assignsInOrder) {
      await refused(() => session.execute(swap), UnsupportedError, "left to right", "price and rank");
    } else {
      await session.execute(swap);
      await session.commit();
      assertEquals((await place.column("articles", "price")).map(Number), [7]);
    }
  }, "interactive");

  test(target, "the expressions of an onConflict() see the row as it was, or are refused", async (place) => {
    const article = new Article({ price: 1, rank: 2 });
    const { id } = article;
    await place.save(article);
    await using session = place.session();
    const upsert = (values: Parameters<ReturnType<typeof insert<typeof Article>>["onConflict"]>[0]["update"]) =>
      insert(Article).values({ id, price: 0 }).onConflict({ target: ["id"], update: values });
    const column = (name: string) => sql`${sql.id("articles", name)}`;
    await session.execute(upsert({ price: sql`${column("price")} + 4`, rank: sql`${column("price")}` }));
    await session.commit();
    assertEquals((await place.column("articles", "rank")).map(Number), [1]);
    const swap = upsert({ price: column("rank"), rank: column("price") });
    if (place.db.dialect.assignsInOrder) await refused(() => session.execute(swap), UnsupportedError, "left to right");
    else await session.execute(swap);
  }, "interactive");

  test(target, "a rollback puts back what update() did to loaded instances", async (place) => {
    const { session, ann } = await load(place);
    await using _ = session;
    await session.savepoint(async () => {
      await session.execute(update(Author).set({ bio: "x" }));
      throw new Error("undo");
    }).catch(() => {});
    assertEquals([ann.bio, ann.version], [null, 1]);
    await session.execute(update(Author).set({ bio: "x" }).where({ id: ann.id }));
    assertEquals([ann.bio, ann.version], ["x", 2]);
    await session.rollback();
    assertEquals([ann.bio, ann.version, session.isModified(ann)], [null, 1, false]);
    ann.bio = "y";
    await session.commit();
    assertEquals(ann.version, 2);
  }, "interactive");

  test(target, "update() flushes first, and without autoflush keeps what is pending as a change", async (place) => {
    const { session, ann, bob } = await load(place);
    await using _ = session;
    ann.name = "Anna";
    await session.execute(update(Author).set({ bio: "found" }).where({ name: "Anna" }));
    assertEquals([ann.bio, ann.version], ["found", 3]);
    bob.bio = "mine";
    await session.execute(update(Author).set({ bio: "theirs", name: "Bo" }).where({ id: bob.id }), undefined, {
      autoflush: false,
    });
    assertEquals([bob.bio, bob.name, bob.version], ["mine", "Bo", 2]);
    assertEquals(session.inspect(bob).history, { bio: { before: "theirs", after: "mine" } });
    await session.commit();
    assertEquals([await session.query(Author).where({ bio: "mine" }).count(), bob.version], [1, 3]);
  }, "interactive");

  test(target, "update() sets foreign keys, and loaded relations follow", async (place) => {
    const { session, ann, bob } = await load(place);
    await using _ = session;
    await session.load(ann, { books: true });
    const [book] = ann.books!;
    await session.load(book!, { author: true });
    await session.execute(update(Book).set({ authorId: bob.id }).where({ title: "a" }));
    assertEquals([book!.authorId, ann.books], [bob.id, []]);
    assertStrictEquals(book!.author, bob);
    assertEquals([session.dirty.size, session.isModified(ann)], [0, false]);
    await session.commit();
    assertEquals(ann.version, 1);
  }, "interactive");

  test(target, "update() gives onUpdate columns their value, and generated ones follow", async (place) => {
    await place.save(new Article({ price: 2 }));
    await using session = place.session();
    const article = await session.query(Article).one();
    const mark = article.change;
    await session.execute(update(Article).set({ price: sql`price + 1` }));
    assertEquals([article.price, article.twice, article.version], [3, 6, 2]);
    assertNotEquals(article.change, mark);
    assertEquals(session.dirty.size, 0);
    await session.refresh(article);
    assertEquals([article.price, article.twice], [3, 6]);
  }, "interactive");

  test(target, "update().returning() gives instances, or plain objects of some properties", async (place) => {
    const { session, ann } = await load(place);
    await using _ = session;
    const statement = update(Author).set({ bio: "x" }).where({ name: { in: ["Ann", "Cy"] } });
    const all = (await session.execute(statement.returning())).all().sort((a, b) => a.name < b.name ? -1 : 1);
    assertEquals(all.map(({ name, bio, version }) => [name, bio, version]), [["Ann", "x", 2], ["Cy", "x", 2]]);
    assertStrictEquals(all[0], ann);
    assertStrictEquals(await session.get(Author, all[1]!.id), all[1]);
    const rows = (await session.execute(statement.where({ name: "Cy" }).returning(["name", "version"]))).all();
    assertEquals([rows, all[1]!.version], [[{ name: "Cy", version: 3 }], 3]);
    const none = await session.execute(statement.where({ name: "nobody" }).returning(["id"]));
    assertEquals([none.all(), none.rowsAffected], [[], 0]);
    const samples = await session.execute(
      insert(Stock).values({ name: "s", left: 1, day: new Date(5) }).returning(["day", "left"]),
    );
    assertEquals(samples.all(), [{ day: new Date(5), left: 1 }]);
  }, "interactive");

  test(target, "update() sends one statement, and asks for rows back only where something is loaded", async (place) => {
    await place.save(new Tag({ name: "a" }));
    await using session = place.session();
    await session.start();
    const statement = update(Tag).set({ name: longer(place, "x") });
    const texts: string[] = [];
    session.on("beforeExecute", ({ statement }) => void texts.push(statement));
    await session.execute(statement);
    await session.query(Tag).all();
    await session.execute(statement);
    if (!place.db.dialect.returning) return;
    assertEquals(texts.map((text) => text.includes("RETURNING")), [false, false, true]);
  }, "interactive");

  test(target, "deleteFrom() deletes rows by condition, and their loaded instances become deleted", async (place) => {
    const { session, ann, bob } = await load(place);
    await using _ = session;
    await session.execute(deleteFrom(Review));
    const result = await session.execute(deleteFrom(Author).where({ name: { ne: "Bob" } }));
    assertEquals([result.rowsAffected, session.has(ann), session.has(bob)], [2, false, true]);
    assertEquals(session.inspect(ann).state, "deleted");
    assertEquals(await session.get(Author, ann.id), null);
    await session.rollback();
    assertEquals([session.inspect(ann).state, await place.rows("authors")], ["persistent", 3]);
    await session.execute(deleteFrom(Review));
    await session.execute(deleteFrom(Author).where({ name: "Ann" }));
    await session.commit();
    assertEquals([session.inspect(ann).state, await place.column("authors", "name")], ["detached", ["Bob", "Cy"]]);
  }, "interactive");

  test(target, "deleteFrom() tells what the database deletes with its rows", async (place) => {
    const desk = Desk.create({ name: "d" } as never);
    await place.save(Site.create({ name: "s", rooms: [Room.create({ desks: [desk] } as never)] }));
    const { session, bob } = await load(place);
    await using _ = session;
    const withBooks = await session.load(bob, { books: true });
    const [book] = withBooks.books;
    await session.execute(deleteFrom(Author).where({ name: "Bob" }));
    assertEquals([session.inspect(bob).state, session.inspect(book!).state], ["deleted", "deleted"]);
    const loaded = await session.query(Desk).include({ room: true }).one();
    await session.execute(deleteFrom(Site));
    assertEquals([loaded, loaded.room].map((one) => session.inspect(one).state), ["deleted", "deleted"]);
    await session.commit();
    assertEquals(await place.column("books", "title"), ["a", "c"]);
  }, "interactive");

  test(target, "deleteFrom() takes deleted instances out of loaded collections", async (place) => {
    const { session, ann } = await load(place);
    await using _ = session;
    const { books } = await session.load(ann, { books: { reviews: true, tags: true } });
    await session.execute(deleteFrom(Review).where({ stars: 1 }));
    assertEquals([books[0]!.reviews, session.dirty.size], [[], 0]);
    await session.execute(deleteFrom(Book).where({ title: "a" }));
    assertEquals([ann.books, session.isModified(ann)], [[], false]);
    await session.commit();
    assertEquals(await place.column("books", "title"), ["b", "c"]);
  }, "interactive");

  test(target, "deleteFrom().returning() gives what the rows held", async (place) => {
    await place.save(new Stock({ left: 1, day: new Date(7) }), new Stock({ left: 2 }));
    await using session = place.session();
    const result = await session.execute(deleteFrom(Stock).where({ left: { lt: 2 } }).returning(["left", "day"]));
    assertEquals([result.all(), result.rowsAffected], [[{ left: 1, day: new Date(7) }], 1]);
    await session.commit();
    assertEquals(await place.rows("stocks"), 1);
  }, "interactive");

  test(
    target,
    "update() and deleteFrom() without a condition are about every row, keys of several columns too",
    async (place) => {
      await place.save(new Seat({ row: 1, letter: "A" }), new Seat({ row: 1, letter: "B" }));
      await using session = place.session();
      const seats = await session.query(Seat).orderBy({ letter: "asc" }).all();
      await session.execute(update(Seat).set({ taken: true }));
      assertEquals(seats.map(({ taken, version }) => [taken, version]), [[true, 2], [true, 2]]);
      await session.execute(deleteFrom(Seat).where({ letter: "B" }));
      assertEquals(seats.map((seat) => session.has(seat)), [true, false]);
      assertEquals((await session.execute(deleteFrom(Seat))).rowsAffected, 1);
    },
    "interactive",
  );

  test(target, "update() and deleteFrom() refuse what they cannot write, and send nothing", async (place) => {
    await using session = place.session();
    await sendsNothing(place, async () => {
      const wrong: [unknown, ...string[]][] = [
        [update(Author), "nothing to set", "set()"],
        [update(Author).set({ id: crypto.randomUUID() }), "Author.id", "keys"],
        [update(Author).set({ version: 3 }), "Author.version"],
        [update(Author).set({ name: null as never }), "Author.name", "null"],
        [update(Author).set({ name: undefined }), "Author.name", "undefined"],
        [update(Author).set({ name: 5 as never }), "Author.name", "text"],
        [update(Author).set({ nmae: "x" } as never), "nmae"],
        [update(Article).set({ twice: 4 } as never), "Article.twice"],
        [update(Author).set({ bio: "x" }).where({ nmae: "x" } as never), "nmae"],
        [update(Author).set({ bio: "x" }).where({ id: undefined }), "Author.id"],
        [deleteFrom(Author).where("1 = 1" as never), "sql`"],
      ];
      for (const [statement, ...words] of wrong) {
        await refused(() => session.execute(statement as never), ValidationError, ...words);
        await refused(() => session.stage(statement as never), ValidationError, ...words);
      }
      await refused(() => update(Author).returning(["nope"] as never), ValidationError, "nope");
      await refused(() => deleteFrom(Author).limit(-1), ValidationError, "limit()");
      if (!place.db.dialect.limitsWrites) {
        await refused(() => session.execute(deleteFrom(Author).limit(1)), UnsupportedError, "DELETE", "where()");
        await refused(() => session.stage(update(Author).set({ bio: "x" }).limit(1)), UnsupportedError, "UPDATE");
      }
    });
    assertEquals(session.state, "open");
  });

  test(
    target,
    "insert().returning() of properties loads nothing, and an upsert updates what is loaded",
    async (place) => {
      const { session, ann } = await load(place);
      await using _ = session;
      const rows = await session.execute(insert(Tag).values([{ name: "a" }, { name: "b" }]).returning(["name"]));
      assertEquals([rows.all(), rows.rowsAffected, session.identityMap.size], [[{ name: "a" }, { name: "b" }], 2, 2]);
      const upsert = insert(Author).values({ id: ann.id, name: "Anna" }).onConflict({
        target: ["id"],
        update: ["name"],
      });
      assertEquals((await session.execute(upsert.returning([]))).all(), []);
      assertEquals([ann.name, ann.version, session.identityMap.size], ["Anna", 2, 2]);
      assertEquals((await session.execute(upsert.returning(["version"]))).scalarOne(), 3);
      assertEquals(ann.version, 3);
      await session.commit();
      assertEquals(await place.column("tags", "name"), ["a", "b"]);
    },
    "interactive",
  );
}
