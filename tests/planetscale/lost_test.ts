/**
 * Transactions that are lost while the session lives: killed for their age or by hand, or given up by an AbortSignal. The
 * session fails with a typed error, memory goes back, and `factory.run()` does the work again.
 *
 * @module
 */
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  CommitOutcomeUnknownError,
  InvalidStateError,
  model,
  Session,
  sessionFactory,
  t,
  TimeoutError,
  TransactionLostError,
} from "../../mod.ts";
import { rejection } from "../adapters/planetscale_setups.ts";
import { refused } from "../conformance/setup.ts";
import { add, closed, listed, type Place, test, until } from "./kit.ts";

class Author extends model("authors", {
  id: t.identity(),
  name: t.text(),
  version: t.integer().version(),
}) {}

class Note extends model("notes", { id: t.identity(), text: t.text() }) {}

const models = [Author, Note];
const names = async ({ front }: Place) =>
  (await front.run("SELECT name FROM authors ORDER BY name")).map(({ name }) => name);

const KILLED = "a killed connection";

/** How a transaction is lost. */
const ways: Record<string, (place: Place) => Promise<void>> = {
  async "the killer of long transactions"({ front }) {
    await until("it was killed", () => front.transactions === 0);
    await closed(front);
  },
  async [KILLED]({ front }) {
    const [id] = await listed(front, 1);
    await front.run(`KILL ${id}`);
    await listed(front, 0);
  },
};

/** What the session does next. */
const calls: Record<string, (session: Session, ann: Author) => Promise<unknown>> = {
  "a read": (session) => session.query(Author).all(),
  "a flush": (session, ann) => {
    ann.name = "again";
    return session.flush();
  },
  "a raw write": (session) => session.execute("UPDATE authors SET name = 'raw'"),
  "a savepoint": (session) => session.savepoint(() => {}),
  "a commit": (session, ann) => {
    ann.name = "again";
    return session.commit();
  },
};

for (const [way, lose] of Object.entries(ways)) {
  const setup = { front: { transactionTimeout: way === KILLED ? 20_000 : 200 } };

  for (const [what, call] of Object.entries(calls)) {
    test(`${what} after ${way} is a TransactionLostError, and the session has failed`, models, async (place) => {
      await add(place, new Author({ name: "Ann" }));
      await using session = new Session({ bind: place.db });
      const ann = await session.query(Author).one();
      ann.name = "Anna";
      const note = session.add(new Note({ text: "flushed" }));
      await session.flush();
      await lose(place);
      const error = await refused(() => call(session, ann), TransactionLostError);
      assertEquals([error.notApplied, session.state], [true, "failed"]);
      await refused(() => session.commit(), InvalidStateError, "rollback()");
      await session.rollback();
      assertEquals([session.state, ann.name, ann.version], ["open", "Ann", 1]);
      assertEquals([session.inspect(note).state, Object.hasOwn(note, "id")], ["transient", false]);
      assertEquals([await names(place), await place.front.run("SELECT * FROM notes")], [["Ann"], []]);
      ann.name = "Anna";
      session.add(note);
      await session.commit();
      assertEquals([await names(place), ann.version], [["Anna"], 2]);
    }, setup);
  }

  test(
    `COMMIT alone after ${way} is a ${way === KILLED ? "CommitOutcomeUnknown" : "TransactionLost"}Error`,
    models,
    async (place) => {
      await using session = new Session({ bind: place.db });
      const ann = session.add(new Author({ name: "Ann" }));
      await session.flush();
      await lose(place);
      // Vitess says what became of a transaction that it killed; of a connection that broke nobody knows.
      const error = await refused(
        () => session.commit(),
        way === KILLED ? CommitOutcomeUnknownError : TransactionLostError,
      );
      assertEquals(error.notApplied, way !== KILLED);
      await session.rollback();
      assertEquals([session.inspect(ann).state, await names(place)], ["transient", []]);
    },
    setup,
  );

  test(`factory.run() does the work again after ${way}`, models, async (place) => {
    const errors: unknown[] = [];
    let attempts = 0;
    await sessionFactory({ bind: place.db }).run(async (session) => {
      attempts++;
      session.add(new Author({ name: `attempt ${attempts}` }));
      await session.flush();
      if (attempts < 3) await lose(place);
      await session.query(Author).all().catch((error) => {
        errors.push(error);
        throw error;
      });
    });
    assertEquals([attempts, errors.map((error) => error instanceof TransactionLostError), await names(place)], [
      3,
      [true, true],
      ["attempt 3"],
    ]);
  }, setup);
}

const starts = (word: string) => (body: string) => body.startsWith(`{"query":"${word}`);

for (const why of ["signal", "timeout"] as const) {
  /** Commits, and gives up once a request is held; gives the error. */
  const giveUp = async (place: Place, session: Session, when: "before" | "after", word: string): Promise<unknown> => {
    const controller = new AbortController();
    const hold = place.front.holdNext(when, starts(word));
    const rejected = rejection(
      session.commit(why === "signal" ? { signal: controller.signal } : { timeout: 200 }),
    );
    await hold.reached;
    controller.abort(new RangeError("enough"));
    const error = await rejected;
    hold.release();
    await place.front.settled();
    return error;
  };

  for (const word of ["INSERT INTO `authors`", "INSERT INTO `notes`"]) {
    test(`a commit given up by its ${why} at ${word}, in a transaction, has written nothing`, models, async (place) => {
      await using session = new Session({ bind: place.db });
      const both = session.addAll([new Author({ name: "Ann" }), new Note({ text: "n" })]);
      const error = await giveUp(place, session, "after", word);
      assert(!(error instanceof CommitOutcomeUnknownError), String(error));
      if (why === "timeout") assert(error instanceof TimeoutError && error.notApplied, String(error));
      else assert(error instanceof RangeError, String(error));
      assertEquals(session.state, "failed");
      await session.rollback();
      // The answer to the first statement, which was not waited for, is what names the transaction.
      await until("the server has ended it", () => place.front.transactions === 0);
      await closed(place.front);
      assertEquals([await names(place), await place.front.run("SELECT * FROM notes")], [[], []]);
      assertEquals(both.map((one) => session.inspect(one).state), ["transient", "transient"]);
      session.addAll(both);
      await session.commit();
      assertEquals(await names(place), ["Ann"]);
    }, { front: { transactionTimeout: 500 } });
  }

  for (const when of ["before", "after"] as const) {
    test(`a commit of one statement given up by its ${why} ${when} it was run is in doubt`, models, async (place) => {
      await using session = new Session({ bind: place.db });
      const ann = session.add(new Author({ name: "Ann" }));
      const error = await giveUp(place, session, when, "INSERT");
      assert(error instanceof CommitOutcomeUnknownError, String(error));
      if (why === "signal") assert(error.cause instanceof RangeError);
      await session.rollback();
      assertEquals([session.state, session.inspect(ann).state], ["open", "transient"]);
      // Let go on, a request that was held runs all the same: that it could not be told is the point.
      if (when === "after") assertEquals(await names(place), ["Ann"]);
      assertEquals(place.front.sql.filter((text) => text.startsWith("INSERT")).length, 1);
    });
  }

  test(`a commit given up by its ${why} at COMMIT is in doubt`, models, async (place) => {
    await using session = new Session({ bind: place.db });
    session.addAll([new Author({ name: "Ann" }), new Note({ text: "n" })]);
    const error = await giveUp(place, session, "after", "COMMIT");
    assert(error instanceof CommitOutcomeUnknownError, String(error));
    await session.rollback();
    assertEquals([await names(place), (await place.front.run("SELECT * FROM notes")).length], [["Ann"], 1]);
  });
}

test("a commit whose signal has aborted already sends nothing, and can be done again", models, async (place) => {
  const reason = new RangeError("enough");
  for (const notes of [[], [new Note({ text: "n" })]]) {
    await using session = new Session({ bind: place.db });
    session.addAll([new Author({ name: "Ann" }), ...notes]);
    place.front.reset();
    assertStrictEquals(await rejection(session.commit({ signal: AbortSignal.abort(reason) })), reason);
    assertEquals([place.front.requests, session.state, session.new.size], [0, "open", 1 + notes.length]);
    await session.commit();
  }
  assertEquals([await names(place), (await place.front.run("SELECT * FROM notes")).length], [["Ann", "Ann"], 1]);
});
