/**
 * Transactions: beginning, committing, rolling back; what upgrades to a connection and what a session refuses.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { InvalidStateError, select, sql, UniqueViolationError, UnsupportedError, ValidationError } from "../../mod.ts";
import { Account, Author, author, Book, Tag } from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

/** Registers the tests of transactions. */
export function transactionSuite(target: Target): void {
  test(target, "session begins by itself, and ends with commit() or rollback()", async (place) => {
    await using session = place.session();
    assertEquals([session.inTransaction(), session.getTransaction()], [false, null]);
    session.add(new Author({ name: "Ann" }));
    assertEquals([session.inTransaction(), session.inNestedTransaction()], [true, false]);
    await session.commit();
    assertEquals(session.inTransaction(), false);
    await session.query(Author).all();
    assert(session.inTransaction());
    await session.rollback();
    assertEquals(session.inTransaction(), false);
  });

  test(
    target,
    "session.begin() adopts a transaction that began by itself and refuses inside an explicit one",
    async (place) => {
      await using session = place.session();
      const ann = session.add(new Author({ name: "Ann" }));
      const transaction = await sendsNothing(place, () => session.begin());
      assertEquals([transaction.isActive, transaction.nested, transaction.name], [true, false, null]);
      assertStrictEquals(session.getTransaction(), transaction);
      await refused(() => session.begin(), InvalidStateError, "beginNested()");
      await transaction.rollback();
      assertEquals([session.inspect(ann).state, transaction.isActive], ["transient", false]);
      await refused(() => transaction.commit(), InvalidStateError, "ended");
      const next = await session.begin();
      session.add(ann);
      await next.commit();
      assertEquals([await place.rows("authors"), session.inTransaction()], [1, false]);
    },
  );

  test(target, "session.begin() costs nothing: reads, changes and commit are as without it", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session();
    assertEquals(
      await place.requests(async () => {
        await session.begin();
        (await session.query(Author).one()).name = "Anna";
        await session.commit();
      }),
      2,
    );
  });

  test(
    target,
    "session.transaction() commits when its function returns and rolls back when it throws",
    async (place) => {
      await using session = place.session();
      const ann = await session.transaction((tx) => tx.add(new Author({ name: "Ann" })));
      assertEquals(await place.column("authors", "name"), ["Ann"]);
      const failure = new Error("no");
      const error = await assertRejects(() =>
        session.transaction((tx) => {
          ann.name = "Anna";
          tx.add(new Author({ name: "Bob" }));
          throw failure;
        })
      );
      assertStrictEquals(error, failure);
      assertEquals([ann.name, session.new.size, session.state, session.inTransaction()], ["Ann", 0, "open", false]);
      assertEquals(await place.column("authors", "name"), ["Ann"]);
    },
  );

  test(target, "session.transaction() inside a transaction is a savepoint", async (place) => {
    await using session = place.session();
    await session.transaction(async () => {
      session.add(new Author({ name: "Ann" }));
      await assertRejects(() =>
        session.transaction(() => {
          assert(session.inNestedTransaction());
          session.add(new Author({ name: "Bob" }));
          throw new Error("no");
        })
      );
      await session.transaction(() => session.add(new Author({ name: "Carl" })));
      await refused(() => session.transaction(() => 1, { mode: "batch" }), InvalidStateError, "options");
      assertEquals(await place.rows("authors"), 0);
    });
    assertEquals(await place.column("authors", "name"), ["Ann", "Carl"]);
  });

  test(target, "await using rolls back what was not committed", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    const added = new Author({ name: "Bob" });
    let ann: Author;
    {
      await using session = place.session();
      ann = await session.query(Author).one();
      ann.name = "Anna";
      session.add(added);
      await session.flush();
    }
    assertEquals([ann.name, added.name, await place.column("authors", "name")], ["Ann", "Bob", ["Ann"]]);
    await using session = place.session();
    {
      await using transaction = await session.begin();
      session.add(added);
      assert(transaction.isActive);
    }
    assertEquals([session.inTransaction(), session.has(added)], [false, false]);
  }, "interactive");

  test(target, "a failed session refuses calls until rollback()", async (place) => {
    await place.save(new Account({ email: "a" }));
    await using session = place.session();
    const twin = session.add(new Account({ email: "a" }));
    await refused(() => session.commit(), UniqueViolationError);
    assertEquals([session.state, session.isActive, session.has(twin)], ["failed", false, true]);
    const calls: (() => unknown)[] = [
      () => session.add(new Author({ name: "x" })),
      () => session.get(Account, twin.id),
      () => session.query(Account).all(),
      () => session.execute("SELECT 1"),
      () => session.commit(),
      () => session.flush(),
      () => session.begin(),
      () => session.beginNested(),
      () => session.delete(twin),
      () => session.merge(twin),
      () => session.assign(twin, { email: "b" }),
      () => session.stage("SELECT 1"),
      () => session.require(sql`1`),
    ];
    await sendsNothing(place, async () => {
      for (const call of calls) await refused(call, InvalidStateError, "failed", "rollback()");
    });
    assertEquals(session.inspect(twin).state, "pending"); // looking is allowed
    await session.rollback();
    assertEquals([session.state, (await session.query(Account).all()).length], ["open", 1]);
  });

  test(target, "a closed session refuses calls, and may be closed again", async (place) => {
    const session = place.session();
    const ann = session.add(new Author({ name: "Ann" }));
    await session.close();
    await session.close();
    assertEquals([session.state, session.isActive], ["closed", false]);
    await sendsNothing(place, async () => {
      const calls: (() => unknown)[] = [
        () => session.add(ann),
        () => session.get(Author, ann.id),
        () => session.query(Author).all(),
        () => session.execute("SELECT 1"),
        () => session.commit(),
        () => session.rollback(),
        () => session.begin(),
        () => session.transaction(() => 1),
        () => session.savepoint(() => 1),
      ];
      for (const call of calls) await refused(call, InvalidStateError, "closed", "new one");
    });
  });

  test(target, "a call during a commit is refused, and the commit goes on", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    ann.name = "Anna";
    const commit = session.commit();
    // All at once: where nothing travels the commit is over after a few turns.
    const refusals = [
      () => session.add(new Author({ name: "x" })),
      () => session.query(Author).all(),
      () => session.get(Author, crypto.randomUUID()),
      () => session.commit(),
      () => session.rollback(),
      () => session.close(),
      () => session.delete(ann),
      () => session.execute("SELECT 1"),
    ].map((call) => refused(call, InvalidStateError, "commit", "await"));
    await Promise.all(refusals);
    await commit;
    assertEquals([session.has(ann), session.state], [true, "open"]);
    assertEquals([await place.column("authors", "name"), ann.version], [["Anna"], 2]);
    await session.query(Author).all();
  });

  test(target, "concurrent reads are fine, and those of one turn travel together", async (place) => {
    await place.save(author("Ann", { a: [1] }), new Tag({ name: "t" }));
    await using session = place.session();
    const count = await place.requests(async () => {
      const [authors, books, tags, one, counted] = await Promise.all([
        session.query(Author).all(),
        session.query(Book).include(["author"]).all(),
        session.query(Tag).count(),
        session.scalar("SELECT 1"),
        session.execute(select(Book)).then((result) => result.all().length),
      ]);
      assertStrictEquals(books[0]!.author, authors[0]);
      assertEquals([tags, Number(one), counted], [1, 1, 1]);
    });
    assertEquals(count, place.reads(6));
  });

  test(target, "a read that fails does not fail those that travel with it", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session();
    const requests = await place.requests(async () => {
      const results = await Promise.allSettled([
        session.query(Author).all(),
        session.execute("SELECT nope FROM nowhere"),
        session.scalar("SELECT 1"),
      ]);
      assertEquals(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
    });
    assertEquals(requests, target.expects.requests.failedRead);
    assertEquals(session.state, "open");
  });

  test(target, "session.commit() sends the reads of its turn first", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session();
    const read = session.query(Author).all();
    session.add(new Author({ name: "Bob" }));
    await session.commit();
    assertEquals((await read).map(({ name }) => name), ["Ann"]);
    assertEquals(await place.rows("authors"), 2);
  });

  test(target, "session.execute() of a statement that writes upgrades, and the commit makes it last", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session();
    const result = await session.execute(place.text("UPDATE authors SET bio = ?"), ["x"]);
    assertEquals(result.rowsAffected, 1);
    assertEquals((await session.query(Author).one()).bio, "x");
    if (target.expects.concurrent) assertEquals(await place.column("authors", "bio"), [null]);
    session.add(new Author({ name: "Bob" }));
    await session.commit();
    assertEquals([await place.column("authors", "name"), await place.rows("authors")], [["Ann", "Bob"], 2]);
    await session.execute(sql`DELETE FROM authors WHERE name = ${"Ann"}`);
    await session.rollback();
    assertEquals(await place.column("authors", "name"), ["Ann", "Bob"]);
  }, "interactive");

  test(target, 'mode "batch" refuses what needs a conversation, naming the call', async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session({ mode: "batch" });
    await sendsNothing(place, async () => {
      await refused(() => session.execute("DELETE FROM authors"), UnsupportedError, "execute()", "stage()", '"auto"');
      await refused(() => session.start(), UnsupportedError, "start()");
      session.add(new Author({ name: "Bob" }));
      await refused(() => session.flush(), UnsupportedError, "flush()");
      await refused(() => session.query(Author).all(), UnsupportedError, "query(Author).all", "autoflush");
      await refused(() => session.query(Author).count(), UnsupportedError, "query(Author).count");
      await refused(() => session.scalar("SELECT 1"), UnsupportedError, "execute()");
    });
    assertEquals([session.state, session.new.size], ["open", 1]);
    assertEquals((await session.noAutoflush(() => session.query(Author).all())).length, 1);
    await session.commit();
    assertEquals(await place.rows("authors"), 2);
    await session.begin({ mode: "auto" });
    await session.execute("DELETE FROM authors");
    await session.rollback();
    assertEquals(await place.rows("authors"), 2);
  }, "interactive");

  test(target, 'mode "interactive" begins on a connection at once', async (place) => {
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session({ mode: "interactive" });
    const ann = await session.query(Author).one();
    ann.name = "Anna";
    session.add(new Author({ name: "Bob" }));
    await session.commit();
    assertEquals(await place.column("authors", "name"), ["Anna", "Bob"]);
    await session.query(Author).all();
    await session.rollback();
  }, "interactive");

  test(
    target,
    "session.begin() refuses an option that the database or the transaction cannot honour",
    async (place) => {
      await using session = place.session();
      await sendsNothing(place, async () => {
        await refused(() => session.begin({ isolation: "snapshot" } as never), ValidationError, "isolation");
        await refused(() => session.begin({ nope: 1 } as never), ValidationError, '"nope"');
        const { deferrable, isolation } = place.db.capabilities;
        if (!deferrable) await refused(() => session.begin({ deferrable: true }), UnsupportedError, "deferrable");
        if (isolation.length > 0) await session.begin({ isolation: "read uncommitted" }); // a stronger one satisfies it
        await session.rollback();
      });
      if (!target.expects.interactive) return;
      await session.start();
      await refused(() => session.begin({ readOnly: true }), InvalidStateError, "begun");
    },
  );

  test(target, "session.begin() of a read-only transaction refuses writes", async (place) => {
    if (!place.db.capabilities.readOnly) return;
    await place.save(new Author({ name: "Ann" }));
    await using session = place.session();
    await session.begin({ readOnly: true });
    const ann = await session.query(Author).one();
    ann.name = "Anna";
    await refused(() => session.commit(), InvalidStateError, "read-only");
    await refused(() => session.execute("DELETE FROM authors"), InvalidStateError, "read-only");
    await session.rollback();
    assertEquals([ann.name, await place.column("authors", "name")], ["Ann", ["Ann"]]);
    ann.name = "Anna";
    await session.commit();
    assertEquals(await place.column("authors", "name"), ["Anna"]);
  });

  test(
    target,
    "a read-only session refuses writes in each of its transactions",
    async (place) => {
      if (!place.db.capabilities.readOnly) return;
      await place.save(new Author({ name: "Ann" }));
      await using session = place.session({ readOnly: true });
      for (const end of [() => session.commit(), () => session.rollback()]) {
        const ann = await session.query(Author).one();
        await sendsNothing(place, () => end()); // the next transaction is read-only too
        ann.name = "Anna";
        await sendsNothing(place, async () => {
          await refused(() => session.commit(), InvalidStateError, "read-only");
          await refused(() => session.execute("DELETE FROM authors"), InvalidStateError, "read-only");
          await session.rollback();
          await refused(() => session.begin({ readOnly: false }), InvalidStateError, "read-only");
          await session.begin();
          session.add(new Author({ name: "Ben" }));
          await refused(() => session.commit(), InvalidStateError, "read-only");
          await session.rollback();
          session.stage("DELETE FROM authors");
          await refused(() => session.commit(), InvalidStateError, "read-only");
          await session.rollback();
        });
      }
      assertEquals(await place.column("authors", "name"), ["Ann"]);
    },
  );

  test(
    target,
    "session.start() opens the transaction, which sees its own writes and no other does",
    async (place) => {
      await using session = place.session();
      await session.start();
      session.add(new Author({ name: "Ann" }));
      assertEquals(await session.query(Author).count(), 1);
      assertEquals(await place.rows("authors"), 0);
      await session.commit();
      assertEquals(await place.rows("authors"), 1);
    },
    "interactive",
    "concurrent",
  );
}
