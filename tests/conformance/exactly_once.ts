/**
 * Commits with `exactlyOnce`: whatever the network does to them, they are reported as what they came to.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  CommitOutcomeUnknownError,
  ConnectionError,
  createAll,
  dropAll,
  InvalidStateError,
  model,
  pruneCommits,
  RequirementError,
  type SessionOptions,
  sql,
  StaleDataError,
  StatementError,
  t,
  TransactionLostError,
  UnsupportedError,
  update,
  ValidationError,
} from "../../mod.ts";
import { type Fault, type Faulty, faulty } from "./faulty.ts";
import { Article, Author, Folder, Maker, Part, Product } from "./models.ts";
import { type Place, refused, sendsNothing, type Target, test } from "./setup.ts";

/** A session that commits once, over a network with these faults. */
async function once(place: Place, faults: readonly Fault[] = [], options: Partial<SessionOptions> = {}) {
  await createAll(place.db, [], { exactlyOnce: true });
  await pruneCommits(place.db, 0);
  await new Promise((resolve) => setTimeout(resolve, 2)); // what was written in this millisecond is left
  await pruneCommits(place.db, 0);
  const network: Faulty = faulty(place.db);
  network.faults.push(...faults);
  const session = place.session({ bind: network.db, exactlyOnce: true, ...options });
  return { session, network };
}

const records = (place: Place) => place.column("ledge_commit", "state");

/** Registers the tests of commits with `exactlyOnce`. */
export function exactlyOnceSuite(target: Target): void {
  /** Whether there are batches, and not only commits in one request. */
  const isBatched = typeof target.missing !== "string" && target.sample().batch !== undefined;

  for (const fault of ["before", "after", "twice"] as const) {
    const name = `a commit with exactlyOnce whose request is ${
      fault === "twice" ? "delivered twice" : `lost ${fault}`
    }`;
    const isUndone = !isBatched && fault === "before"; // what is on a connection cannot be sent again

    test(target, `${name} brings keys, versions and defaults to its instances, or is reported`, async (place) => {
      await place.save(new Author({ name: "Ann" }), new Article({ price: 1 }));
      const { session, network } = await once(place);
      await using _ = session;
      const [ann, article] = [await session.query(Author).one(), await session.query(Article).one()];
      ann.name = "Anna";
      article.price = 2;
      const made = Maker.create({
        name: "Ford",
        products: [
          Product.create({ name: "T", parts: [new Part({ name: "wheel" }), new Part({ name: "door" })] }),
          Product.create({ name: "A" }),
        ],
      });
      const top = Folder.create({ name: "top", folders: [Folder.create({ name: "inner" })] });
      const fresh = [new Article({ price: 7 }), new Article({ price: 8, state: "it's", rank: null })];
      session.addAll([made, top, ...fresh, new Part({ name: "loose" })]);
      network.faults.push(fault);
      if (isUndone) {
        const error = await assertRejects(() => session.commit(), TransactionLostError);
        assertEquals([error.notApplied, session.state], [true, "failed"]);
        await session.rollback();
        assertEquals([ann.name, made.id, await place.rows("makers")], ["Ann", undefined as never, 0]);
        session.addAll([made, top, ...fresh]);
        session.assign(ann, { name: "Anna" });
        session.assign(article, { price: 2 });
      }
      await session.commit();
      assertEquals([session.state, session.dirty.size, session.new.size], ["open", 0, 0]);
      await using reader = place.other();
      for (const one of [ann, article, made, top, ...made.products!, ...top.folders!, ...fresh]) {
        const columns = Object.entries(one).filter(([, value]) => typeof value !== "object");
        const { key } = session.inspect(one);
        const found = await reader.getOne(one.constructor as typeof Author, key as never);
        for (const [property, value] of columns) {
          assertEquals(
            (found as never as Record<string, unknown>)[property],
            value,
            `${one.constructor.name}.${property}`,
          );
        }
      }
      assertEquals([await place.rows("makers"), await place.rows("products"), await place.rows("folders")], [1, 2, 2]);
      const wasAborted = isUndone ? ["aborted"] : [];
      assertEquals(await records(place), [...wasAborted, "committed"]);
      ann.name = "Anne"; // the version is what the row has
      await session.commit();
      assertEquals(await place.column("authors", "name"), ["Anne"]);
    });

    if (fault === "twice") continue;
    test(target, `${name} on a connection is found out`, async (place) => {
      const { session, network } = await once(place);
      await using _ = session;
      const maker = session.add(new Maker({ name: "Ford" }));
      await session.flush();
      const other = session.add(new Maker({ name: "Fiat" }));
      network.faults.push(fault);
      if (fault === "before") {
        const error = await assertRejects(() => session.commit(), TransactionLostError);
        assertEquals([error.notApplied, session.state], [true, "failed"]);
        await session.rollback();
        assertEquals([await place.rows("makers"), Object.hasOwn(maker, "id")], [0, false]);
        session.addAll([maker, other]);
      }
      await session.commit();
      assertEquals(await place.column("makers", "id"), [maker.id, other.id].sort((a, b) => a - b));
      assertEquals(session.state, "open");
      maker.name = "Audi";
      await session.commit();
    }, "interactive");
  }

  test(target, "a commit with exactlyOnce takes no request more where commits are one", async (place) => {
    const { session } = await once(place, [], { bind: place.db });
    await using _ = session;
    const { requests } = target.expects;
    const ann = session.add(new Author({ name: "Ann" }));
    const more = (statements: number, before: number) => target.expects.batches ? before : statements + 3;
    assertEquals(await place.requests(() => session.commit()), more(1, requests.newRow));
    ann.name = "Anna";
    assertEquals(await place.requests(() => session.commit()), more(1, requests.changedRow));
    ann.name = "Anne";
    session.add(Maker.create({ name: "Ford", products: [new Product({ name: "T" } as never)] }));
    assertEquals(await place.requests(() => session.commit()), more(3, 1));
    await sendsNothing(place, () => session.commit());
    assertEquals((await records(place)).length, 3);
    await session.commit({ exactlyOnce: false });
  });

  test(target, "a commit on a connection takes one request with its record", async (place) => {
    const { session } = await once(place, [], { bind: place.db });
    await using _ = session;
    session.add(new Author({ name: "Ann" }));
    await session.flush();
    const without = target.expects.batches ? 1 : 2;
    assertEquals(await place.requests(() => session.commit()), without);
    await session.query(Author).all();
    await session.start();
    await session.query(Author).all();
    await session.commit(); // nothing was written, and nothing is recorded
    assertEquals(await records(place), ["committed"]);
  }, "interactive");

  test(
    target,
    "what is certainly not applied is reported at once, and each commit has an id of its own",
    async (place) => {
      const { session, network } = await once(place, ["refused"], { resends: 0 });
      await using _ = session;
      const ann = session.add(new Author({ name: "Ann" }));
      await assertRejects(() => session.commit(), ConnectionError, "refused");
      assertEquals([session.state, network.sent.length], ["failed", target.expects.batches ? 1 : 1]);
      await session.rollback();
      session.add(ann);
      await session.commit();
      ann.name = "Anna";
      session.require(sql`1 = 0`);
      await assertRejects(() => session.commit(), RequirementError);
      await session.rollback();
      ann.name = "Anne";
      await session.commit();
      assertEquals(await records(place), ["committed", "committed"]);
      assertEquals(await place.column("authors", "name"), ["Anne"]);
    },
  );

  // Only a batch can be sent again.
  if (isBatched) resending(target);

  for (const fault of ["before", "after"] as const) {
    test(target, `error.resolve() finds out later, of a commit that was lost ${fault}`, async (place) => {
      const network = faulty(place.db);
      const { session } = await once(place, [], { bind: network.db });
      await using _ = session;
      const told: string[] = [];
      session.on("afterCommit", () => void told.push("committed"));
      const maker = session.add(new Maker({ name: "Ford" }));
      const staged = session.stage(update(Maker).set({ name: sql`name` }));
      network.faults.push(fault, ...new Array(1000).fill("before"));
      const error = await refused(() => session.commit({ timeout: 500 }), CommitOutcomeUnknownError, "resolve()");
      assertEquals([session.state, told], ["failed", []]);
      assert(network.sent.length > 2);
      await assertRejects(() => error.resolve({ timeout: 20 }), ConnectionError);
      assertEquals(session.inspect(maker).state, "pending");
      await assertRejects(() => error.resolve({ retries: 1 } as never), ValidationError, "retries");
      network.faults.length = 0;
      const decision = fault === "after" ? "committed" : "aborted";
      assertEquals(await error.resolve(), decision);
      assertEquals([await place.rows("makers"), told.length], fault === "after" ? [1, 1] : [0, 0]);
      if (fault === "after") {
        assertEquals([session.state, await place.column("makers", "id")], ["open", [maker.id]]);
        if (isBatched) assertThrowsLost(() => staged.result);
      } else {
        assertEquals(session.state, "failed");
        await session.rollback();
        assertEquals(session.inspect(maker).state, "transient");
        session.add(maker);
      }
      session.add(new Maker({ name: "Fiat" }));
      await session.commit();
      assertEquals(await place.rows("makers"), 2);
      assertEquals(await error.resolve(), decision); // and says the same of a session that went on
      assertEquals(session.state, "open");
    });
  }

  test(
    target,
    "error.resolve() after a rollback, or of a closed session, tells what became of the commit",
    async (place) => {
      const { session, network } = await once(place);
      session.add(new Author({ name: "Ann" }));
      network.faults.push("after", ...new Array(1000).fill("before"));
      const error = await refused(() => session.commit({ timeout: 500 }), CommitOutcomeUnknownError);
      network.faults.length = 0;
      await session.rollback();
      assertEquals([await error.resolve(), session.state], ["committed", "open"]);
      await session.close();
      assertEquals([await error.resolve(), session.state], ["committed", "closed"]);
    },
  );

  test(
    target,
    "a signal that aborts a commit on its way leaves the outcome open, and resolve() finds out",
    async (place) => {
      const { session, network } = await once(place);
      await using _ = session;
      session.add(new Author({ name: "Ann" }));
      network.faults.push("before", "before");
      const controller = new AbortController();
      const reason = new Error("enough");
      const { faults } = network;
      const shift = faults.shift.bind(faults);
      faults.shift = () => (controller.abort(reason), shift());
      const error = await refused(() => session.commit({ signal: controller.signal }), CommitOutcomeUnknownError);
      assertEquals(network.sent.length, 1);
      faults.length = 0;
      assertEquals(await error.resolve(), "aborted");
    },
  );

  test(target, "the result of a staged statement whose answer was lost is not there, and says so", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    const { session } = await once(place, ["after"]);
    await using _ = session;
    const ann = await session.query(Author).one();
    const staged = session.stage(update(Author).set({ name: "Anna" }));
    const raw = session.stage("UPDATE authors SET bio = 'x'");
    session.add(new Maker({ name: "Ford" }));
    await session.commit();
    if (!target.expects.batches) {
      assertEquals(raw.result.rowsAffected, 1); // it was seen before COMMIT went out
    } else {
      for (const one of [staged, raw]) assertThrowsLost(() => one.result);
      await session.refresh(ann);
    }
    await session.refresh(ann);
    assertEquals([ann.name, ann.bio], ["Anna", "x"]);
  });

  test(target, "a commit with exactlyOnce where the table is missing says what makes it", async (place) => {
    await dropAll(place.db, [], { exactlyOnce: true });
    await using session = place.session();
    const ann = session.add(new Author({ name: "Ann" }));
    const error = await refused(
      () => session.commit({ exactlyOnce: true }),
      StatementError,
      "createAll(",
      "exactlyOnce",
    );
    assertEquals([error.notApplied, session.state], [true, "failed"]);
    await session.rollback();
    assertEquals(await place.rows("authors"), 0);
    await createAll(place.db, [], { exactlyOnce: true });
    session.add(ann);
    await session.commit({ exactlyOnce: true });
    assertEquals(await place.rows("authors"), 1);
  });

  test(target, "without exactlyOnce a commit is sent once, and there is nothing to ask for", async (place) => {
    const { session, network } = await once(place, ["after"], { exactlyOnce: undefined });
    await using _ = session;
    session.addAll([new Author({ name: "Ann" }), new Maker({ name: "Ford" })]);
    const error = await refused(() => session.commit(), CommitOutcomeUnknownError, "rollback()");
    await refused(() => error.resolve(), UnsupportedError, "exactlyOnce: true");
    assertEquals([network.sent.length, await records(place)], [1, []]);
    await session.rollback();
  });

  test(target, "exactlyOnce is refused where it cannot be had, and where it is none", async (place) => {
    await refused(() => place.session({ exactlyOnce: 1 as never }), ValidationError, "exactlyOnce must be");
    await using session = place.session();
    await refused(() => session.commit({ exactlyOnce: "yes" as never }), ValidationError, "exactlyOnce must be");
    const bind = await session.connection();
    await refused(() => place.session({ bind, exactlyOnce: true }), ValidationError, "joins an open connection");
    await using inner = place.session({ bind });
    await refused(() => inner.commit({ exactlyOnce: true }), ValidationError, "joins an open connection");
  }, "interactive");

  test(target, "pruneCommits() deletes the records that are old enough", async (place) => {
    const { session } = await once(place);
    await using _ = session;
    session.add(new Author({ name: "Ann" }));
    await session.commit();
    assertEquals([await pruneCommits(place.db, 60_000), (await records(place)).length], [0, 1]);
    await new Promise((resolve) => setTimeout(resolve, 5));
    assertEquals([await pruneCommits(place.db, 0), await records(place)], [1, []]);
    for (const bad of [-1, NaN, Infinity, "1", undefined]) {
      await refused(() => pruneCommits(place.db, bad as number), ValidationError, "olderThan");
    }
  });
}

/** Registers the tests of batches that are sent again. */
function resending(target: Target): void {
  test(target, "a commit that fails when it is sent again is decided, and nothing late is applied", async (place) => {
    await place.save(new Author({ name: "Ann" }));
    const { session, network } = await once(place, ["late"]);
    await using _ = session;
    const ann = await session.query(Author).one();
    ann.name = "Anna";
    await place.run("UPDATE authors SET version = 9");
    await refused(() => session.commit(), StaleDataError, "Author");
    await place.run("UPDATE authors SET version = 1");
    assertEquals(await network.deliver(), [false]);
    assertEquals([await place.column("authors", "name"), await records(place)], [["Ann"], ["aborted"]]);
    await session.rollback();
    await session.refresh(ann);
    ann.name = "Anne";
    await session.commit();
    assertEquals(await place.column("authors", "name"), ["Anne"]);
  });

  test(target, "a commit that arrives late loses against the one that was sent again", async (place) => {
    const { session, network } = await once(place, ["late", "late"]);
    await using _ = session;
    session.add(new Maker({ name: "Ford" }));
    await session.commit();
    assertEquals(await network.deliver(), [false, false]);
    assertEquals([await place.rows("makers"), network.sent.length], [1, 3]);
  });

  test(
    target,
    "what the server made comes back from the record as it is, of every type and of many rows",
    async (place) => {
      const isPostgres = place.db.dialect.name === "postgres";
      const big = place.big(9007199254740993n);
      class Made extends model("made_values", {
        id: t.identity(),
        name: t.text(),
        text: t.text().serverDefault(sql`'it''s [1,"ü😀"]'`),
        double: t.double().serverDefault(isPostgres ? sql`'0.30000000000000004'` : sql`0.30000000000000004`),
        big: t.bigint().serverDefault(sql.raw(String(big))),
        decimal: t.decimal({ precision: 12, scale: 2 }).serverDefault(sql`'12.50'`),
        boolean: t.boolean().serverDefault(isPostgres ? sql`true` : sql`1`),
        at: t.timestamp("at_time").serverDefault(sql`'2024-01-02T03:04:05.678Z'`),
        json: t.json<unknown>().serverDefault(sql`'{"a": [1, null, "x"]}'`),
        bytes: t.bytes().serverDefault(isPostgres ? sql`decode('00ff2722', 'hex')` : sql`x'00ff2722'`),
        nothing: t.text().nullable().serverDefault(sql`NULL`),
      }) {}
      class Keyed extends model("made_keys", {
        key: t.text().primaryKey().serverDefault(isPostgres ? sql`md5(random()::text)` : sql`(hex(randomblob(8)))`),
        name: t.text(),
      }) {}
      const { session } = await once(place, ["after"]);
      await using _ = session;
      await createAll(place.db, [Made, Keyed]);
      try {
        const rows = Array.from({ length: 60 }, (_, i) => new Made({ name: `row ${i}` }));
        const keyed = [new Keyed({ name: "a" }), new Keyed({ name: "b" })];
        session.addAll([...rows, ...keyed]);
        await session.commit();
        await using reader = place.other();
        for (const row of rows) assertEquals({ ...await reader.getOne(Made, row.id) }, { ...row });
        for (const row of keyed) assertEquals({ ...await reader.getOne(Keyed, row.key) }, { ...row });
        assertEquals(session.dirty.size, 0);
      } finally {
        await dropAll(place.db, [Made, Keyed]);
      }
    },
  );
}

function assertThrowsLost(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    assert(error instanceof InvalidStateError && error.message.includes("was lost"), String(error));
    return;
  }
  throw new Error("It had a result");
}
