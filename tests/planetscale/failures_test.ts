/**
 * Answers that are lost: the outcome of a commit is unknown exactly where it is, nothing is sent twice, and what was not
 * committed leaves nothing behind. And a login that is refused, which shows no password.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import { planetscale } from "../../adapters/planetscale.ts";
import {
  AuthenticationError,
  belongsTo,
  CommitOutcomeUnknownError,
  ConnectionError,
  ExpiredPropertyError,
  hasMany,
  model,
  Session,
  sessionFactory,
  t,
  TransactionLostError,
} from "../../mod.ts";
import { refused } from "../conformance/setup.ts";
import { cut } from "../servers/planetscale.ts";
import { add, closed, type Place, showsNo, test, until, words } from "./kit.ts";

class Author extends model("authors", {
  id: t.identity(),
  name: t.text(),
  version: t.integer().version(),
}) {
  declare books?: Book[];
  static relations = { books: hasMany(() => Book, "authorId") };
}

class Book
  extends model("books", { id: t.identity(), title: t.text(), authorId: t.integer("author_id").foreignKey() }) {
  declare author?: Author;
  static relations = { author: belongsTo(() => Author, "authorId") };
}

const models = [Author, Book];

const answers: readonly [name: string, answer: () => Response][] = [
  ["cut off", cut],
  ["a 503", () => new Response("upstream connect error", { status: 503 })],
];

/** How many authors and books there are. */
async function rows(place: Place): Promise<unknown[]> {
  const [row] = await place.front.run("SELECT (SELECT count(*) FROM authors) a, (SELECT count(*) FROM books) b");
  return [row!.a, row!.b];
}

const starts = (word: string) => (body: string) => body.startsWith(`{"query":"${word}`);

for (const [how, answer] of answers) {
  for (const when of ["before", "after"] as const) {
    const where = `${how}, ${when} it was run`;

    test(`a commit of one statement whose answer is lost is in doubt: ${where}`, models, async (place) => {
      const { front } = place;
      await using session = new Session({ bind: place.db });
      const authors = session.addAll([new Author({ name: "one" }), new Author({ name: "two" })]);
      front.failNext(when, answer);
      const error = await refused(() => session.commit(), CommitOutcomeUnknownError, "rollback()");
      assertEquals([error.notApplied, front.requests, words(front)], [false, 1, when === "after" ? "INSERT" : ""]);
      await assertRejects(() => session.query(Author).all());
      await session.rollback();
      assertEquals([session.state, authors.map((one) => session.inspect(one).state)], ["open", [
        "transient",
        "transient",
      ]]);
      assertEquals([front.requests, await rows(place)], [1, [when === "after" ? 2 : 0, 0]]);
    });

    test(`an update of one statement whose answer is lost is in doubt: ${where}`, models, async (place) => {
      await add(place, new Author({ name: "Ann" }));
      await using session = new Session({ bind: place.db });
      const ann = await session.query(Author).one();
      ann.name = "Anna";
      place.front.reset();
      place.front.failNext(when, answer);
      await refused(() => session.commit(), CommitOutcomeUnknownError);
      await session.rollback();
      await refused(() => ann.name, ExpiredPropertyError);
      await session.refresh(ann);
      assertEquals([ann.name, ann.version], when === "after" ? ["Anna", 2] : ["Ann", 1]);
      assertEquals(place.front.requests, 2);
    });

    for (const word of ["BEGIN", "INSERT INTO `authors`", "INSERT INTO `books`"]) {
      test(
        `a commit that loses the answer to ${word} has written nothing, and knows it: ${where}`,
        models,
        async (place) => {
          const { front } = place;
          await using session = new Session({ bind: place.db });
          const author = session.add(Author.create({ name: "Ann", books: [new Book({ title: "Edges" })] }));
          front.failNext(when, answer, starts(word));
          const error = await refused(() => session.commit(), TransactionLostError);
          assertEquals([error.notApplied, session.state], [true, "failed"]);
          // The answer to the first statement is what names the transaction: without it only its age ends it.
          const isNameless = when === "after" && word.includes("authors");
          if (isNameless) {
            assertEquals(front.transactions, 1);
            await until("the server has ended it", () => front.transactions === 0);
          }
          await closed(front);
          assertEquals([await rows(place), new Set(front.sql).size], [[0, 0], front.sql.length]);
          assertEquals(words(front).includes("COMMIT"), false);
          await session.rollback();
          const states = [author, ...author.books!].map((
            one,
          ) => [session.inspect(one).state, Object.hasOwn(one, "id")]);
          assertEquals(states, [["transient", false], ["transient", false]]);
          session.add(author);
          await session.commit();
          assertEquals(await rows(place), [1, 1]);
        },
        { front: { transactionTimeout: 300 } },
      );
    }

    test(
      `a commit that loses the answer to COMMIT is in doubt, and all or nothing: ${where}`,
      models,
      async (place) => {
        const { front } = place;
        await using session = new Session({ bind: place.db });
        const author = session.add(Author.create({ name: "Ann", books: [new Book({ title: "Edges" })] }));
        front.failNext(when, answer, starts("COMMIT"));
        await refused(() => session.commit(), CommitOutcomeUnknownError, "rollback()");
        await session.rollback();
        // No ROLLBACK either: where COMMIT is on its way, it could meet a part of it.
        assertEquals(words(front), `BEGIN INSERT INSERT${when === "after" ? " COMMIT" : ""}`);
        assertEquals([front.requests, session.inspect(author).state], [4, "transient"]);
        await until("the server has ended it", () => front.transactions === 0);
        await closed(front);
        assertEquals(await rows(place), when === "after" ? [1, 1] : [0, 0]);
      },
      { front: { transactionTimeout: 300 } },
    );
  }
}

test("a read whose answer is lost fails by itself, and the session goes on", models, async (place) => {
  await add(place, new Author({ name: "Ann" }));
  await using session = new Session({ bind: place.db, resends: 0 });
  const ann = await session.query(Author).one();
  ann.name = "Anna";
  place.front.failNext("before");
  await refused(() => session.getAll(Author, [7, 8]), ConnectionError);
  assertEquals([session.state, ann.name], ["open", "Anna"]);
  await session.commit();
  assertEquals(await place.front.run("SELECT name FROM authors"), [{ name: "Anna" }]);
});

test("factory.run() does nothing again whose outcome is unknown", models, async (place) => {
  let attempts = 0;
  place.front.failNext("after");
  await refused(() =>
    sessionFactory({ bind: place.db }).run((session) => {
      attempts++;
      session.add(new Author({ name: "once" }));
    }), CommitOutcomeUnknownError);
  assertEquals([attempts, place.front.requests, await rows(place)], [1, 1, [1, 0]]);
});

test("a wrong password is an AuthenticationError everywhere, and is shown nowhere", models, async (place) => {
  const wrong = "wr0ng-s3cret-p@ss/word";
  const url = new URL(place.front.url);
  url.password = encodeURIComponent(wrong);
  await using db = planetscale({ url: url.href });
  await using session = new Session({ bind: db });
  const errors: unknown[] = [await refused(() => session.query(Author).all(), AuthenticationError, "password")];
  const ann = session.add(new Author({ name: "Ann" }));
  for (const related of [[], [new Book({ title: "Edges" })]]) {
    session.add(ann);
    ann.books = related;
    const error = await refused(() => session.commit(), AuthenticationError);
    assertEquals([error.notApplied, session.state], [true, "failed"]);
    await session.rollback();
    assertEquals([session.state, session.inspect(ann).state, ann.name], ["open", "transient", "Ann"]);
    errors.push(error);
  }
  errors.push(await refused(() => session.execute("DELETE FROM authors"), AuthenticationError));
  await session.rollback();
  let attempts = 0;
  const run = (work: (session: Session) => unknown) => {
    return refused(() =>
      sessionFactory({ bind: db }).run(async (session) => {
        attempts++;
        await work(session);
      }), AuthenticationError);
  };
  errors.push(
    await run((session) => session.query(Author).all()),
    await run((session) =>
      session.flush()
        .then(() => session.add(new Author({ name: "x" })))
    ),
  );
  assertEquals([attempts, place.front.statements, await rows(place)], [2, 0, [0, 0]]); // It is not tried again.
  const right = new URL(place.front.url).password;
  for (const one of [...errors, db, session]) for (const secret of [wrong, right]) showsNo(secret, one);
});
