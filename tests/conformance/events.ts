/**
 * Events: their order, what they tell, what a handler may do and what becomes of one that throws.
 *
 * @module
 */
import { assert, assertEquals, assertFalse, assertRejects, assertStrictEquals } from "@std/assert";
import {
  type ExecutedEvent,
  InvalidStateError,
  type Session,
  type SessionEvents,
  sessionFactory,
  UniqueViolationError,
} from "../../mod.ts";
import { Account, Author, author, Book, Review } from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

const ACTIONS = ["Begin", "Flush", "Commit", "Rollback", "Savepoint", "ReleaseSavepoint", "RollbackToSavepoint"];

/** Notes the names of what happens in a session; those with an error end in "!". */
function noting(session: Session): string[] {
  const seen: string[] = [];
  for (const name of ACTIONS.flatMap((action) => [`before${action}`, `after${action}`])) {
    session.on(name as "afterFlush", ({ error }) => void seen.push((error ?? null) === null ? name : `${name}!`));
  }
  return seen;
}

/** The events of these actions, each with its before and its after. */
function both(...actions: string[]): string[] {
  return actions.flatMap((action) => [`before${action}`, `after${action}`]);
}

/** What is in a list since the last look. */
function take<T>(list: T[]): T[] {
  return list.splice(0, list.length);
}

const failure = new Error("no");
const fail = () => {
  throw failure;
};

/** Registers the tests of events. */
export function eventSuite(target: Target): void {
  test(target, "events of a commit in one request come in order", async (place) => {
    await using session = place.session();
    const seen = noting(session);
    session.add(new Author({ name: "Ann" }));
    assertEquals(seen, []); // nothing is awaited, so nothing is told
    await session.commit();
    const commit = ["beforeCommit", ...both("Flush"), "afterCommit"];
    assertEquals(take(seen), [...both("Begin"), ...commit]);
    await session.commit();
    assertEquals(take(seen), [...both("Begin"), "beforeCommit", "afterCommit"]); // nothing to flush
    await session.query(Author).all();
    await session.query(Author).all();
    assertEquals(take(seen), both("Begin"));
    await session.rollback();
    assertEquals(take(seen), both("Rollback"));
    await session.rollback();
    assertEquals(take(seen), []); // nothing had begun
    await session.begin();
    assertEquals(take(seen), both("Begin"));
    await session.query(Author).all();
    assertEquals(take(seen), []);
  });

  test(target, "events of savepoints come in order, with their names", async (place) => {
    await using session = place.session();
    const seen = noting(session);
    const names: string[] = [];
    for (const name of ["beforeSavepoint", "afterReleaseSavepoint", "beforeRollbackToSavepoint"] as const) {
      session.on(name, ({ name }) => void names.push(name));
    }
    await session.savepoint("one", () => session.add(new Author({ name: "Ann" })));
    assertEquals(take(seen), [...both("Begin"), ...both("Savepoint"), ...both("ReleaseSavepoint")]);
    await assertRejects(() => session.savepoint(fail), Error, "no");
    assertEquals(take(seen), [...both("Savepoint"), ...both("RollbackToSavepoint")]);
    assertEquals(names, ["one", "one", "", ""]);
    await session.commit();
    assertEquals(await place.rows("authors"), 1);
  });

  test(target, "events of a flush on a connection come in order, an autoflush's too", async (place) => {
    await using session = place.session();
    const seen = noting(session);
    await session.begin();
    session.add(new Author({ name: "Ann" }));
    await session.flush();
    await session.flush(); // nothing is pending
    session.add(new Author({ name: "Bob" }));
    assertEquals(await session.query(Author).count(), 2);
    await session.beginNested();
    await session.commit();
    assertEquals(seen, [...both("Begin", "Flush", "Flush", "Savepoint", "Commit")]);
  }, "interactive");

  test(target, "handlers are awaited, one after the other, those of a factory first", async (place) => {
    const factory = sessionFactory({ bind: place.db });
    const seen: string[] = [];
    const slow = (name: string) => async ({ session }: { session: Session }) => {
      seen.push(`${name} begins`);
      await new Promise((resolve) => setTimeout(resolve, 2));
      seen.push(`${name} ends ${session.inTransaction()}`);
    };
    const gone = slow("gone");
    factory.on("beforeCommit", slow("factory"));
    factory.on("beforeCommit", gone);
    factory.off("beforeCommit", gone);
    await using session = factory();
    const [first, second] = [slow("first"), slow("second")];
    for (const handler of [first, second, first]) session.on("beforeCommit", handler);
    session.off("beforeCommit", second);
    session.on("afterCommit", slow("after"));
    await session.commit();
    assertEquals(seen, [
      ...["factory begins", "factory ends true", "first begins", "first ends true"],
      ...["after begins", "after ends false"],
    ]);
  });

  for (const name of ["beforeCommit", "beforeFlush", "beforeExecute"] as const) {
    test(target, `a handler of ${name} that throws stops the commit, and nothing is written`, async (place) => {
      await place.save(new Author({ name: "Ann" }));
      await using session = place.session();
      const ann = await session.query(Author).one();
      const seen = noting(session);
      session.on(name, fail);
      ann.name = "Anna";
      const bob = session.add(new Author({ name: "Bob" }));
      const error = await sendsNothing(place, () => assertRejects(() => session.commit()));
      assertStrictEquals(error, failure);
      assertEquals([session.state, session.inspect(bob).state, ann.name], ["failed", "pending", "Anna"]);
      assertFalse(seen.includes("afterCommit"));
      await refused(() => session.commit(), InvalidStateError, "failed", "rollback()");
      await session.rollback();
      assertEquals([session.state, ann.name, session.inspect(bob).state], ["open", "Ann", "transient"]);
      session.off(name, fail);
      ann.name = "Anne";
      await session.commit();
      assertEquals(await place.column("authors", "name"), ["Anne"]);
    });

    test(target, `a handler of ${name} that throws rolls back what was flushed before`, async (place) => {
      await using session = place.session();
      session.add(new Author({ name: "Ann" }));
      await session.flush();
      session.on(name, fail);
      await assertRejects(
        () =>
          session.transaction(async () => {
            session.add(new Author({ name: "Bob" }));
            await session.commit();
          }),
        Error,
        "no",
      );
      assertEquals([session.state, session.new.size, await place.rows("authors")], ["open", 0, 0]);
      session.add(new Author({ name: "Carl" }));
      session.off(name, fail);
      await session.commit();
      assertEquals(await place.column("authors", "name"), ["Carl"]);
    }, "interactive");
  }

  test(target, "a handler of beforeFlush that throws fails a flush and an autoflush", async (place) => {
    await using session = place.session();
    session.on("beforeFlush", fail);
    for (const flush of [() => session.flush(), () => session.query(Author).all()]) {
      const ann = session.add(new Author({ name: "Ann" }));
      assertStrictEquals(await assertRejects(flush), failure);
      assertEquals([session.state, session.inspect(ann).state], ["failed", "pending"]);
      await session.rollback();
    }
    assertEquals(await place.rows("authors"), 0);
  });

  test(target, "a handler of beforeExecute that throws stops a read, and that alone", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session();
    session.add(new Author({ name: "Bob" }));
    session.on("beforeExecute", fail);
    await sendsNothing(place, async () => {
      assertStrictEquals(await assertRejects(() => session.noAutoflush(() => session.query(Author).all())), failure);
    });
    assertEquals([session.state, session.new.size], ["open", 1]);
    session.off("beforeExecute", fail);
    await session.commit();
    assertEquals(await place.rows("authors"), 2);
  });

  test(target, "a handler of beforeBegin that throws lets nothing begin", async (place) => {
    await using session = place.session();
    session.on("beforeBegin", fail);
    for (const call of [() => session.begin(), () => session.query(Author).all(), () => session.transaction(() => 1)]) {
      assertStrictEquals(await sendsNothing(place, () => assertRejects(call)), failure);
      assertEquals(session.state, "open");
    }
    await session.rollback();
    await assertRejects(() => session.begin(), Error, "no");
    assertEquals(session.inTransaction(), false);
    session.off("beforeBegin", fail);
    session.add(new Author({ name: "Ann" }));
    await session.commit();
    assertEquals(await place.rows("authors"), 1);
  });

  for (const name of ["beforeSavepoint", "beforeReleaseSavepoint"] as const) {
    test(target, `a handler of ${name} that throws fails the session`, async (place) => {
      await using session = place.session();
      session.on(name, fail);
      const work = () => session.transaction(() => session.savepoint(() => session.add(new Author({ name: "Ann" }))));
      assertStrictEquals(await assertRejects(work), failure);
      assertEquals([session.state, session.new.size, session.inTransaction()], ["open", 0, false]);
      assertEquals(await place.rows("authors"), 0);
    });
  }

  for (const name of ["beforeRollback", "beforeRollbackToSavepoint"] as const) {
    test(target, `a handler of ${name} that throws does not keep what was to be undone`, async (place) => {
      await using session = place.session();
      const seen = noting(session);
      session.on(name, fail);
      const savepoint = await session.beginNested();
      const ann = session.add(new Author({ name: "Ann" }));
      const undo = () => name === "beforeRollback" ? session.rollback() : savepoint.rollback();
      assertStrictEquals(await assertRejects(undo), failure);
      assertEquals(seen.at(-1), `${name.replace("before", "after")}!`);
      assertEquals([session.state, session.inspect(ann).state, savepoint.isActive], ["open", "transient", false]);
      session.off(name, fail);
    });
  }

  const done = ["afterBegin", "afterFlush", "afterCommit", "afterExecute", "stateChange", "warning"] as const;
  for (const name of done) {
    test(target, `a handler of ${name} that throws is reported, and the commit stands`, async (place) => {
      await using session = place.session();
      const warnings: SessionEvents["warning"][] = [];
      let calls = 0;
      session.on("warning", (warning) => void warnings.push(warning));
      session.on(name, fail);
      session.on(name, () => void calls++);
      const told: unknown[][] = [];
      const { error } = console;
      if (name === "warning") console.error = (...values) => void told.push(values);
      try {
        if (name === "warning") session.on("afterCommit", fail);
        session.add(new Author({ name: "Ann" }));
        await session.commit();
      } finally {
        console.error = error;
      }
      assert(calls > 0, "The handlers after it run too");
      assertEquals([session.state, await place.rows("authors")], ["open", 1]);
      assert(warnings.length > 0);
      for (const warning of warnings) assertStrictEquals(warning.error, failure);
      const thrower = name === "warning" ? "afterCommit" : name;
      assertEquals(warnings[0]!.message, `A handler of ${thrower} threw; what it was told of stands`);
      assertEquals(told.length > 0, name === "warning");
    });
  }

  test(target, "what a handler throws too late is on the console where nobody listens to warnings", async (place) => {
    await using session = place.session();
    session.on("afterCommit", async () => {
      await Promise.resolve();
      throw failure;
    });
    const told: unknown[][] = [];
    const { error } = console;
    console.error = (...values) => void told.push(values);
    try {
      await session.commit();
    } finally {
      console.error = error;
    }
    assertEquals(told, [["A handler of afterCommit threw; what it was told of stands", failure]]);
  });

  test(target, "afterCommit has no part in a commit that failed; afterFlush tells why", async (place) => {
    await place.save(new Account({ email: "a" }));
    await using session = place.session();
    const seen = noting(session);
    let told: unknown;
    session.on("afterFlush", ({ error }) => void (told = error));
    session.add(new Account({ email: "a" }));
    const error = await refused(() => session.commit(), UniqueViolationError);
    assertStrictEquals(told, error);
    await session.rollback();
    assertEquals(seen, [
      ...both("Begin"),
      ...["beforeCommit", "beforeFlush", "afterFlush!"],
      ...both("Rollback"),
    ]);
  });

  test(
    target,
    "handlers of beforeCommit and beforeFlush may read and change objects, which are written",
    async (place) => {
      await place.save(new Author({ name: "Ann" }));
      await using session = place.session();
      session.on("beforeCommit", async ({ session }) => {
        const ann = await session.noAutoflush(() => session.query(Author).where({ name: "Ann" }).one());
        ann.bio = `${session.new.size} new`;
      });
      session.on("beforeFlush", async ({ session }) => {
        // Its own queries do not flush: they would wait for themselves.
        if ((await session.query(Author).all()).length === 1) session.add(new Author({ name: "audit" }));
      });
      session.add(new Author({ name: "Bob" }));
      await session.commit();
      assertEquals(await place.column("authors", "name"), ["Ann", "Bob", "audit"].sort());
      assertEquals((await place.column("authors", "bio")).filter(Boolean), ["1 new"]);
    },
  );

  test(target, "a handler of beforeCommit cannot begin or end anything", async (place) => {
    await using session = place.session();
    const ends = [
      (session: Session) => session.commit(),
      (session: Session) => session.flush(),
      (session: Session) => session.rollback(),
      (session: Session) => session.begin(),
      (session: Session) => session.savepoint(() => 1),
      (session: Session) => session.close(),
    ];
    let refusals = 0;
    session.on("beforeCommit", async ({ session }) => {
      for (const end of ends) {
        await refused(() => end(session), InvalidStateError, "commit() is under way and waits for its handlers");
        refusals++;
      }
    });
    session.add(new Author({ name: "Ann" }));
    await session.commit();
    assertEquals([refusals, await place.rows("authors")], [ends.length, 1]);
  });

  test(target, "a handler of afterCommit may use the session again", async (place) => {
    await using session = place.session();
    let names: string[] = [];
    session.on("afterCommit", async ({ session, error }) => {
      assertEquals([error, session.inTransaction()], [null, false]);
      names = (await session.query(Author).all()).map(({ name }) => name);
      session.add(new Author({ name: "next" }));
    });
    session.add(new Author({ name: "Ann" }));
    await session.commit();
    assertEquals([names, session.new.size], [["Ann"], 1]);
  });

  test(target, "beforeExecute and afterExecute see every statement, and what it took", async (place) => {
    await place.save(author("Ann", { a: [1, 2] }));
    await using session = place.session();
    const asked: string[] = [];
    const answered: ExecutedEvent[] = [];
    session.on("beforeExecute", ({ statement }) => void asked.push(statement));
    session.on("afterExecute", (event) => void answered.push(event));
    let ann: Author | undefined;
    const sent = await place.requests(async () => {
      [ann] = await session.query(Author).include({ books: ["reviews"] }).all();
    });
    assertEquals(
      answered.map(({ statement }) => /authors|books|reviews/.exec(statement)![0]).sort(),
      [
        "authors",
        "books",
        "reviews",
      ].sort(),
    );
    assertEquals(answered.reduce((sum, { rows }) => sum + rows, 0), 1 + 1 + 2);
    assertEquals(answered.reduce((sum, { requests }) => sum + requests, 0), sent);
    assertEquals(asked, answered.map(({ statement }) => statement));
    take(answered);
    ann!.name = "Anna";
    session.add(Book.create({ title: "b", author: ann! }));
    session.stage("SELECT 1");
    await session.commit();
    for (const part of [/update/i, /insert/i, /select 1/i]) {
      assert(answered.some(({ statement }) => part.test(statement)), `Nothing of ${part}`);
    }
    for (const event of take(answered)) {
      assertEquals([event.database, event.error, "parameters" in event], [place.db.description, null, false]);
      assert(event.duration >= 0);
    }
    await refused(() => session.execute("SELECT nope FROM nowhere"), Error);
    const [wrong] = take(answered);
    assertEquals([wrong!.statement, wrong!.rows, wrong!.requests], ["SELECT nope FROM nowhere", 0, 1]);
    assert(wrong!.error instanceof Error);
  });

  test(target, "beforeExecute and afterExecute see what goes over a connection", async (place) => {
    await using session = place.session();
    const seen: string[] = [];
    session.on("beforeExecute", ({ statement }) => void seen.push(statement.trim().split(" ")[0]!.toUpperCase()));
    session.on("afterExecute", ({ error, rowsAffected }) => void seen.push(`${error === null} ${rowsAffected}`));
    await session.start();
    await session.execute(place.text("INSERT INTO tags (id, name) VALUES (?, ?)"), [crypto.randomUUID(), "t"]);
    assertEquals(take(seen), ["INSERT", "true 1"]);
    const connection = await session.connection();
    await connection.execute({ sql: "DELETE FROM tags", params: [] });
    assertEquals(take(seen), ["DELETE", "true 1"]);
    session.stage("SELECT 2");
    await session.commit();
    assertEquals(seen[0], "SELECT"); // it travels with the COMMIT
  }, "interactive");

  test(target, "parameters are told to those alone who ask for them", async (place) => {
    await using session = place.session();
    const told: (readonly unknown[] | undefined)[] = [];
    const quiet: boolean[] = [];
    session.on("beforeExecute", (event) => void quiet.push("parameters" in event));
    session.on("afterExecute", ({ parameters }) => void told.push(parameters), { parameters: true });
    session.on("afterExecute", (event) => void quiet.push("parameters" in event));
    await session.execute(place.text("SELECT name FROM authors WHERE name = ?"), ["secret"]);
    assertEquals([told, quiet], [[["secret"]], [false, false]]);
  });

  test(target, "stateChange tells of every change of state, at once", async (place) => {
    await using session = place.session();
    const seen: string[] = [];
    session.on("stateChange", ({ instance, from, to }) => {
      seen.push(`${(instance as Author).name} ${from} ${to}`);
      assertEquals(session.inspect(instance).state, to);
    });
    const ann = session.add(new Author({ name: "Ann" }));
    assertEquals(take(seen), ["Ann transient pending"]);
    await session.commit();
    assertEquals(take(seen), ["Ann pending persistent"]);
    session.expunge(ann);
    assertEquals(take(seen), ["Ann persistent detached"]);
    session.add(ann);
    assertEquals(take(seen), ["Ann detached persistent"]);
    await session.delete(ann);
    assertEquals(take(seen), []);
    await session.commit();
    assertEquals(take(seen), ["Ann persistent deleted", "Ann deleted detached"]);
    const bob = session.add(new Author({ name: "Bob" }));
    session.expunge(bob);
    session.add(bob);
    await session.rollback();
    assertEquals(take(seen), [
      "Bob transient pending",
      "Bob pending transient",
      "Bob transient pending",
      "Bob pending transient",
    ]);
    await place.save(author("Carl", { c: [] }));
    const [carl] = await session.query(Author).all();
    assertEquals(take(seen), ["Carl null persistent"]);
    assertStrictEquals(await session.query(Author).one(), carl);
    assertEquals(take(seen), []);
    await session.close();
    assertEquals(take(seen), ["Carl persistent detached"]);
  });

  test(target, "stateChange tells where a rollback leads, not the ways it takes", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    const seen: string[] = [];
    session.on("stateChange", ({ instance, from, to }) => void seen.push(`${(instance as Author).name} ${from} ${to}`));
    await session.beginNested();
    session.add(new Author({ name: "Bob" }));
    await session.delete(ann);
    await session.flush();
    assertEquals(take(seen).sort(), [
      "Ann persistent deleted",
      "Bob pending persistent",
      "Bob transient pending",
    ]);
    await session.rollback();
    assertEquals(take(seen).sort(), ["Ann deleted persistent", "Bob persistent transient"]);
  }, "interactive");

  test(target, "warning tells of rows that were gone already", async (place) => {
    await place.save(author("Ann", { a: [1] }));
    await using session = place.session();
    const warnings: string[] = [];
    session.on("warning", ({ message }) => void warnings.push(message));
    const review = await session.query(Review).one();
    await session.delete(review);
    await place.run("DELETE FROM reviews");
    await session.commit();
    assertEquals([warnings.length, warnings[0]?.includes("gone already")], [1, true]);
  });

  test(target, "nothing more is sent because somebody listens", async (place) => {
    await place.save(author("Ann", { a: [1] }));
    const work = async (listens: boolean) => {
      await using session = place.session();
      if (listens) {
        noting(session);
        for (const name of ["beforeExecute", "afterExecute", "stateChange"] as const) session.on(name, () => {});
      }
      return await place.requests(async () => {
        await Promise.all([session.query(Author).all(), session.query(Book).all(), session.query(Review).count()]);
        for (const { instance } of [...session].map((instance) => ({ instance }))) session.markDirty(instance);
        await session.commit();
      });
    };
    assertEquals(await work(true), await work(false));
  });
}
