/**
 * Keys that the server makes where it counts in steps of three, and what a table with several unique keys does with
 * `onConflict`: refused where it would be told wrong, right otherwise.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import {
  belongsTo,
  hasMany,
  insert,
  model,
  Session,
  sql,
  t,
  UniqueViolationError,
  UnsupportedError,
} from "../../mod.ts";
import { refused } from "../conformance/setup.ts";
import { add, atOnce, closed, type Place, test } from "./kit.ts";

class Author extends model("authors", { id: t.identity(), name: t.text() }) {
  declare books?: Book[];
  static relations = { books: hasMany(() => Book, "authorId") };
}

class Book
  extends model("books", { id: t.identity(), title: t.text(), authorId: t.integer("author_id").foreignKey() }) {
  declare author?: Author;
  static relations = { author: belongsTo(() => Author, "authorId") };
}

class User extends model("users", {
  id: t.integer().primaryKey(),
  email: t.varchar(100).unique(),
  name: t.varchar(100).unique(),
  visits: t.integer().default(1),
}) {}

const models = [Author, Book, User];
const steps = { settings: { auto_increment_increment: 3 } };

/** Three authors with two books each. */
function shelf(prefix = ""): Author[] {
  return ["a", "b", "c"].map((name) =>
    Author.create({
      name: prefix + name,
      books: [1, 2].map((i) => new Book({ title: `${prefix}${name}${i}` })),
    })
  );
}

/** Asserts that each instance has the key of its own row, and each book its author's. */
async function isRight({ front }: Place, authors: readonly Author[]): Promise<void> {
  for (const { id, name, books } of authors) {
    assertEquals(await front.run("SELECT name FROM authors WHERE id = ?", [id]), [{ name }]);
    for (const book of books!) {
      const row = await front.run("SELECT title, author_id FROM books WHERE id = ?", [book.id]);
      assertEquals(row, [{ title: book.title, author_id: id }]);
    }
  }
}

/** How a server is set up, and the words in which it is refused: how it counts is told in strict mode only. */
const undeclared = [
  ["strict mode", steps.settings, "autoIncrementIncrement: 3"],
  ["no strict mode", { ...steps.settings, sql_mode: "" }, "autoIncrementIncrement"],
] as const;

for (const [mode, settings, option] of undeclared) {
  test(
    `keys counted in steps that were not declared are refused before they can be told wrong, ${mode}`,
    models,
    async (place) => {
      await using session = new Session({ bind: place.db });
      const authors = shelf();
      for (let i = 0; i < 2; i++) {
        session.addAll(authors);
        const error = await refused(() => session.commit(), UnsupportedError, option, "planetscale()");
        assertEquals([error.code, session.state], ["LEDGE_UNSUPPORTED", "failed"]);
        await closed(place.front);
        await session.rollback();
        assertEquals([session.state, authors.map((one) => Object.hasOwn(one, "id"))], ["open", [false, false, false]]);
      }
      // As it is for a commit of one statement.
      session.addAll([new Author({ name: "x" }), new Author({ name: "y" })]);
      await refused(() => session.commit(), UnsupportedError, option);
      await session.rollback();
      assertEquals(await place.front.run("SELECT * FROM authors"), []);
      // One row has one key, whatever the steps are.
      const one = session.add(new Author({ name: "one" }));
      await session.commit();
      assertEquals(await place.front.run("SELECT name FROM authors WHERE id = ?", [one.id]), [{ name: "one" }]);
    },
    { front: { settings } },
  );
}

for (const guards of ["statement", "read"] as const) {
  test(`keys counted in steps that were declared are right, guards: "${guards}"`, models, async (place) => {
    await using session = new Session({ bind: place.db });
    const authors = session.addAll(shelf());
    place.front.reset();
    await session.commit();
    assertEquals(place.front.requests, 4); // BEGIN, two INSERTs, COMMIT
    assertEquals(authors.map(({ id }) => (id - authors[0]!.id) / 3), [0, 1, 2]);
    await isRight(place, authors);
    await session.execute("DELETE FROM books");
    await session.rollback();
    await isRight(place, authors);
  }, { front: steps, db: { autoIncrementIncrement: 3, guards } });
}

for (const increment of [1, 3]) {
  test(`keys are right in steps of ${increment} when 8 sessions insert at once`, models, async (place) => {
    await atOnce(8, async (i) => {
      await using session = new Session({ bind: place.db });
      for (let round = 0; round < 5; round++) {
        const authors = session.addAll(shelf(`${i}.${round}.`));
        await session.commit();
        await isRight(place, authors);
      }
    });
    const [row] = await place.front.run("SELECT (SELECT count(*) FROM authors) a, (SELECT count(*) FROM books) b");
    assertEquals(row, { a: 120, b: 240 });
  }, { front: { settings: { auto_increment_increment: increment } }, db: { autoIncrementIncrement: increment } });
}

test("an increment that was declared and is not the server's is refused likewise", models, async (place) => {
  await using session = new Session({ bind: place.db });
  session.addAll([new Author({ name: "x" }), new Author({ name: "y" })]);
  await refused(() => session.commit(), UnsupportedError, "autoIncrementIncrement: 1");
  assertEquals(await place.front.run("SELECT * FROM authors"), []);
}, { db: { autoIncrementIncrement: 3 } });

for (const [mode, front] of [["strict mode", {}], ["no strict mode", { settings: { sql_mode: "" } }]] as const) {
  test(`onConflict() takes a conflict with its own target only, ${mode}`, models, async (place) => {
    const users = () => place.front.run("SELECT id, email, name, visits FROM users ORDER BY id");
    await add(
      place,
      new User({ id: 1, email: "ann@x", name: "Ann" }),
      new User({ id: 2, email: "bob@x", name: "Bob" }),
    );
    const before = await users();
    await using session = new Session({ bind: place.db });
    const upsert = (email: string, name: string, id: number) =>
      insert(User).values({ id, email, name }).onConflict({
        target: ["email"],
        update: { visits: sql`users.visits + 1` },
      });
    // Its name, or its key, is another's.
    for (const one of [upsert("new@x", "Ann", 3), upsert("new@x", "New", 2)]) {
      const error = await refused(() => session.execute(one), UniqueViolationError, "onConflict()");
      assertEquals([error.notApplied, session.state], [true, "open"]);
    }
    // Several rows, of which the last one is another's: none of them is written.
    const several = insert(User).values([{ id: 4, email: "d@x", name: "D" }, { id: 5, email: "e@x", name: "Ann" }])
      .onConflict({ target: ["email"] });
    await refused(() => session.execute(several), UniqueViolationError, "onConflict()");
    await session.commit();
    assertEquals(await users(), before);

    const updated = (await session.execute(upsert("bob@x", "Bob", 7))).one();
    assertEquals([updated.id, updated.visits], [2, 2]);
    await session.execute(upsert("new@x", "New", 3));
    await session.commit();
    assertEquals(await users(), [before[0], { ...before[1], visits: 2 }, {
      id: 3,
      email: "new@x",
      name: "New",
      visits: 1,
    }]);
  }, { front });
}
