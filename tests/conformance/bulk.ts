/**
 * Bulk inserts and updates: how they travel, what they write, and what a rollback does with them.
 *
 * @module
 */
import { assertEquals, assertNotStrictEquals, assertRejects } from "@std/assert";
import { bulkInsert, bulkUpdate } from "../../src/bulk/mod.ts";
import { sql, StaleDataError, UniqueViolationError, UnsupportedError, ValidationError } from "../../mod.ts";
import { Article, Author, Book, Employee, Maker, Member, Product, Seat, Stock, Tag, Team } from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

export function bulkSuite(target: Target): void {
  test(target, "bulkInsert() travels with the commit, and takes no request of its own", async (place) => {
    await using session = place.session();
    await sendsNothing(place, async () => {
      await bulkInsert(session, Author, Array.from({ length: 1000 }, (_, i) => ({ name: `Author ${i}` })));
    });
    assertEquals([session.new.size, session.identityMap.size], [0, 0]);
    assertEquals(await place.requests(() => session.commit()), target.expects.requests.newRow);
    assertEquals(await place.rows("authors"), 1000);
    assertEquals(await sendsNothing(place, () => session.commit()), undefined);
  });

  test(target, "bulkInsert() is one with the session's own changes: both are written or none", async (place) => {
    await place.save(new Tag({ name: "sea" }));
    await using session = place.session();
    session.add(new Author({ name: "Ann" }));
    await bulkInsert(session, Tag, [{ name: "land" }, { name: "sea" }]);
    await assertRejects(() => session.commit(), UniqueViolationError);
    await session.rollback();
    assertEquals([await place.rows("authors"), await place.column("tags", "name")], [0, ["sea"]]);
    session.add(new Author({ name: "Ann" }));
    await session.commit(); // without what was rolled back
    assertEquals([await place.rows("authors"), await place.rows("tags")], [1, 1]);
  });

  test(
    target,
    "bulk rows with keys may stand between a row whose key the server makes and what refers to it",
    async (place) => {
      await using session = place.session();
      const maker = session.add(Maker.create({ name: "new", products: [new Product({ name: "p" })] }));
      await bulkInsert(session, Maker, [{ id: 1000, name: "a" }]);
      await bulkUpdate(session, Maker, [{ id: 1000, name: "b", version: 1 }]);
      await bulkInsert(session, Maker, [{ id: 5, name: "c" }]);
      // SQLite has to wait for the key, and so needs a conversation.
      if (place.db.dialect.name === "sqlite" && !target.expects.interactive) {
        return void await refused(() => session.commit(), UnsupportedError, "commit in between");
      }
      await session.commit();
      assertEquals(await place.column("makers", "name"), ["b", "c", "new"]);
      assertEquals(maker.products![0]!.makerId, maker.id);
      assertEquals((await place.column("products", "maker_id")).map(Number), [maker.id]);
    },
  );

  test(target, "bulk rows and the session's own may refer to each other in either direction", async (place) => {
    await using session = place.session();
    const [ann, bo] = [new Author({ name: "Ann" }), new Author({ name: "Bo" })];
    session.add(ann);
    await bulkInsert(session, Book, [{ title: "Edges", authorId: ann.id }]);
    await bulkInsert(session, Author, [{ id: bo.id, name: "Bo" }]);
    session.add(new Book({ title: "Shores", authorId: bo.id }));
    await bulkInsert(session, Maker, [{ name: "Given" }]);
    const maker = session.add(Maker.create({ name: "Own", products: [new Product({ name: "Lamp" })] }));
    const requests = await place.requests(() => session.commit());
    if (target.expects.batches) assertEquals(requests, 1);
    assertEquals(await place.column("books", "title"), ["Edges", "Shores"]);
    assertEquals(await place.column("products", "maker_id"), [maker.id]);
    assertEquals(await place.column("makers", "name"), ["Given", "Own"]);
  });

  test(target, "bulkInsert() takes the defaults of columns, and null as if it had not been given", async (place) => {
    await using session = place.session();
    await bulkInsert(session, Article, [
      { price: 1 },
      { price: 2, rank: null },
      { price: 3, rank: 9, state: "old" },
    ]);
    await bulkInsert(session, Article, [{ price: 4, rank: null }, { price: 5 }], { renderNulls: true });
    await session.commit();
    const articles = await session.query(Article).orderBy({ price: "asc" }).all();
    assertEquals(
      articles.map(({ price, rank, state, twice, change, version }) => [price, rank, state, twice, change, version]),
      [
        [1, 7, "new", 2, "none", 1],
        [2, 7, "new", 4, "none", 1],
        [3, 9, "old", 6, "none", 1],
        [4, null, "new", 8, "none", 1],
        [5, 7, "new", 10, "none", 1],
      ],
    );
  });

  test(target, "bulkInsert() with returnDefaults gives the rows with what the database made", async (place) => {
    await using session = place.session();
    const rows = await bulkInsert(session, Maker, [{ name: "Ann" }, { name: "Bo" }], { returnDefaults: true });
    assertEquals(rows.map(({ name, version }) => [name, version]), [["Ann", 1], ["Bo", 1]]);
    await bulkInsert(session, Product, rows.map(({ id, name }) => ({ name: `${name}'s`, makerId: id })));
    const articles = await bulkInsert(session, Article, [{ price: 2 }, { price: 3, rank: 1 }], {
      returnDefaults: true,
    });
    assertEquals(articles.map(({ price, rank, state, twice }) => [price, rank, state, twice]), [
      [2, 7, "new", 4],
      [3, 1, "new", 6],
    ]);
    await session.commit();
    const products = await session.query(Product).include(["maker"]).orderBy({ name: "asc" }).all();
    assertEquals(products.map(({ name, maker }) => [name, maker.name]), [["Ann's", "Ann"], ["Bo's", "Bo"]]);
  }, "interactive");

  test(target, "bulkInsert() with returnDefaults sends nothing where the client knows all of it", async (place) => {
    await using session = place.session();
    await sendsNothing(place, async () => {
      const rows = await bulkInsert(session, Author, [{ name: "Ann" }], { returnDefaults: true });
      assertEquals(rows.map(({ name, bio, version, id }) => [name, bio, version, typeof id]), [
        ["Ann", null, 1, "string"],
      ]);
    });
    await session.commit();
    assertEquals(await place.column("authors", "name"), ["Ann"]);
  });

  test(target, "bulkInsert() takes rows that refer to one another in any order", async (place) => {
    await using session = place.session();
    const [boss, clerk] = [new Employee({ name: "Boss" }), new Employee({ name: "Clerk" })];
    await bulkInsert(session, Employee, [
      { id: clerk.id, name: "Clerk", managerId: boss.id },
      { id: boss.id, name: "Boss" },
    ]);
    await session.commit();
    assertEquals(await place.column("employees", "name"), ["Boss", "Clerk"]);
  });

  test(target, "bulkUpdate() changes rows by key, each with columns of its own", async (place) => {
    const [ann, bo, cy] = [
      new Author({ name: "Ann" }),
      new Author({ name: "Bo" }),
      new Author({ name: "Cy", bio: "?" }),
    ];
    await place.save(ann, bo, cy);
    await using session = place.session();
    const loaded = await session.getOne(Author, ann.id);
    await sendsNothing(place, () =>
      bulkUpdate(session, Author, [
        { id: ann.id, name: "Anna" },
        { id: bo.id, bio: "short", version: 1 },
        { id: cy.id, name: "Cyrus", bio: null },
      ]));
    await session.commit();
    assertEquals(loaded.name, "Ann"); // instances are not looked at
    await session.refresh(loaded);
    assertEquals([loaded.name, loaded.version], ["Anna", 2]);
    const rows = await session.query(Author).orderBy({ name: "asc" }).all();
    assertEquals(rows.map(({ name, bio, version }) => [name, bio, version]), [
      ["Anna", null, 2],
      ["Bo", "short", 2],
      ["Cyrus", null, 2],
    ]);
  });

  test(target, "bulkUpdate() takes SQL, each row its own", async (place) => {
    const stocks = [1, 2, 3].map((left) => new Stock({ name: `${left}`, left }));
    await place.save(...stocks);
    await using session = place.session();
    await bulkUpdate(session, Stock, [
      { id: stocks[0]!.id, left: sql`pieces_left + ${10}` },
      { id: stocks[1]!.id, left: 5 },
      { id: stocks[2]!.id, left: sql`pieces_left * ${10}`, name: "many" },
    ]);
    await session.commit();
    assertEquals(await place.column("stocks", "pieces_left"), [5, 11, 30]);
    assertEquals(await place.column("stocks", "name"), ["1", "2", "many"]);
  });

  test(target, "bulkUpdate() sets what is set at each update, and finds rows by composite keys", async (place) => {
    const article = new Article({ price: 1 });
    await place.save(article, new Seat({ row: 1, letter: "A" }), new Seat({ row: 1, letter: "B" }));
    await using session = place.session();
    await bulkUpdate(session, Article, [{ id: article.id, price: 4 }]);
    await bulkUpdate(session, Seat, [{ row: 1, letter: "B", taken: true }]);
    await session.commit();
    const after = await session.getOne(Article, article.id);
    assertEquals([after.price, after.twice, /^change \d+$/.test(after.change)], [4, 8, true]);
    assertEquals((await session.getOne(Seat, [1, "A"])).taken, false);
    assertEquals((await session.getOne(Seat, [1, "B"])).taken, true);
  });

  test(
    target,
    "bulkUpdate() of a row that is gone or was changed fails the commit, and writes nothing",
    async (place) => {
      const [ann, bo] = [new Author({ name: "Ann" }), new Author({ name: "Bo" })];
      await place.save(ann);
      for (const row of [{ id: bo.id, name: "Bob" }, { id: ann.id, name: "Anna", version: 7 }]) {
        await using session = place.session();
        session.add(new Tag({ name: "sea" }));
        await bulkUpdate(session, Author, [row]);
        const error = await refused(() => session.commit(), StaleDataError, "changed or deleted");
        assertEquals(error.instance, null);
      }
      assertEquals([await place.column("authors", "name"), await place.rows("tags")], [["Ann"], 0]);
    },
  );

  test(target, "bulk writes run in the order of their calls", async (place) => {
    const { id } = new Stock({ left: 0 });
    await using session = place.session();
    await bulkInsert(session, Stock, [{ id, left: 1 }]);
    await bulkUpdate(session, Stock, [{ id, left: sql`pieces_left + ${2}` }]);
    await bulkUpdate(session, Stock, [{ id, left: sql`pieces_left * ${3}` }]);
    await session.commit();
    assertEquals(await place.column("stocks", "pieces_left"), [9]);
  });

  test(
    target,
    "bulk writes are pending for a savepoint: a rollback to it takes back what came after",
    async (place) => {
      await using session = place.session();
      await bulkInsert(session, Author, [{ name: "Ann" }]);
      const savepoint = await session.beginNested();
      await bulkInsert(session, Author, [{ name: "Bo" }]);
      await session.rollback(savepoint);
      await session.savepoint(() => bulkInsert(session, Author, [{ name: "Cy" }]));
      await session.commit();
      assertEquals(await place.column("authors", "name"), ["Ann", "Cy"]);
      await bulkInsert(session, Author, [{ name: "Dee" }]);
      await session.rollback();
      await session.commit();
      assertEquals(await place.rows("authors"), 2);
    },
  );

  test(
    target,
    "bulk writes that were flushed inside a savepoint are pending again after a rollback to it",
    async (place) => {
      await using session = place.session();
      await bulkInsert(session, Author, [{ name: "Ann" }]);
      const savepoint = await session.beginNested();
      await session.flush();
      await bulkInsert(session, Author, [{ name: "Bo" }]); // on the connection, at once
      await session.rollback(savepoint);
      await session.commit();
      assertEquals(await place.column("authors", "name"), ["Ann"]);
    },
    "interactive",
  );

  test(target, "a query of a table with bulk writes flushes them first", async (place) => {
    await using session = place.session();
    await bulkInsert(session, Author, [{ name: "Ann" }]);
    assertEquals((await session.query(Author).all()).map(({ name }) => name), ["Ann"]);
    await bulkUpdate(session, Author, [{ id: (await session.query(Author).one()).id, name: "Anna" }]);
    assertEquals(await session.scalar("SELECT name FROM authors"), "Anna");
    await session.rollback();
    assertEquals(await place.rows("authors"), 0);
  }, "interactive");

  test(target, "a session in mode interactive sends bulk writes at once", async (place) => {
    await using session = place.session({ mode: "interactive" });
    assertEquals(await place.requests(() => bulkInsert(session, Author, [{ name: "Ann" }])) > 0, true);
    await session.commit();
    assertEquals(await place.rows("authors"), 1);
  }, "interactive");

  test(target, "bulk writes are refused, naming row and column, and nothing is taken", async (place) => {
    await using session = place.session();
    const row = { name: "sea" };
    await sendsNothing(place, async () => {
      const insert = (rows: unknown, ...words: string[]) =>
        refused(() => bulkInsert(session, Tag, rows as never), ValidationError, "bulkInsert() of Tag", ...words);
      await insert([row, {}], "Tag.name of row 1", "has no value");
      await insert([row, { name: null }], "Tag.name of row 1", "has no value");
      await insert([{ nmae: "x" }], "nmae");
      await insert([row, "x"], "row 1");
      await insert([{ name: undefined }], "undefined");
      await insert(3, "an array of rows");
      await refused(() => bulkInsert(session, Tag, [{ name: 3 as never }]), ValidationError, "Tag.name");
      await refused(
        () => bulkInsert(session, Book, [{ title: "x" } as never]),
        ValidationError,
        "author does not give it",
      );
      await refused(
        () => bulkInsert(session, Article, [{ price: 1, twice: 2 } as never]),
        ValidationError,
        "computed by the database",
      );
      await refused(() => bulkInsert(session, Tag, [row], { returning: true } as never), ValidationError, "returning");
      const { id } = new Tag(row);
      const update = (rows: unknown, ...words: string[]) =>
        refused(() => bulkUpdate(session, Tag, rows as never), ValidationError, "bulkUpdate() of Tag", ...words);
      await update([row], "Tag.id of row 0", "has no value");
      await update([{ id, name: "x" }, { id, name: "y" }], "twice, in rows 0 and 1");
      await update([{ id: sql`1`, name: "x" }], "must be a value");
      await update([{ id, name: null }], "must not be null");
    });
    await sendsNothing(place, () => session.commit());
  });

  test(
    target,
    "bulk writes that need a conversation are refused in mode batch, and nothing is taken",
    async (place) => {
      await using session = place.session({ mode: "batch" });
      await bulkInsert(session, Tag, [{ name: "sea" }]);
      await sendsNothing(place, () =>
        refused(
          () => bulkInsert(session, Maker, [{ name: "Ann" }], { returnDefaults: true }),
          UnsupportedError,
          "bulkInsert() needs an interactive transaction",
          '"batch"',
        ));
      assertEquals(session.state, "open");
      await session.commit();
      assertEquals([await place.rows("tags"), await place.rows("makers")], [1, 0]);
    },
  );

  test(target, "bulk writes are refused in a session that cannot be used", async (place) => {
    const session = place.session();
    await session.begin(place.db.capabilities.readOnly ? { readOnly: true } : {});
    if (place.db.capabilities.readOnly) {
      await assertRejects(() => bulkInsert(session, Tag, [{ name: "sea" }]), Error, "read-only");
    }
    await session.close();
    await assertRejects(() => bulkInsert(session, Tag, [{ name: "sea" }]), Error, "closed");
    await assertRejects(() => bulkInsert(session, Tag, []), Error, "closed");
  });

  test(target, "rows of a cycle of foreign keys can be given in two calls", async (place) => {
    const [team, member] = [new Team({ name: "Blue" }), new Member({ name: "Ann", teamId: "" })];
    await using session = place.session();
    await bulkInsert(session, Team, [{ id: team.id, name: "Blue" }]);
    await bulkInsert(session, Member, [{ id: member.id, name: "Ann", teamId: team.id }]);
    await bulkUpdate(session, Team, [{ id: team.id, leadId: member.id }]);
    await session.commit();
    const read = await session.getOne(Team, team.id, { include: ["lead"] });
    assertEquals([read.lead?.name, read.version], ["Ann", 2]);
    assertNotStrictEquals(read, team);
  });
}
