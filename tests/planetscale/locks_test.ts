/**
 * Locks that are not had: a deadlock ends its transaction, a lock that takes too long ends its statement only, and what is
 * run again succeeds. The session's memory is always what the database holds.
 *
 * @module
 */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { DeadlockError, InvalidStateError, LockTimeoutError, model, Session, sessionFactory, t } from "../../mod.ts";
import { refused } from "../conformance/setup.ts";
import { add, atOnce, closed, copies, listed, meeting, type Place, test, words } from "./kit.ts";

class Counter extends model("counters", {
  id: t.integer().primaryKey(),
  value: t.integer(),
  version: t.integer().version(),
}) {}

class Note extends model("notes", { id: t.identity(), text: t.text() }) {}

const values = (place: Place) => place.front.run("SELECT value, version FROM counters ORDER BY id");
const lock = (session: Session, id: number) => session.query(Counter).where({ id }).forUpdate().one();
const two = () => [new Counter({ id: 1, value: 0 }), new Counter({ id: 2, value: 0 })];
const impatient = { front: { settings: { innodb_lock_wait_timeout: 1 } } };

test("locks that are crossed: one session gets a DeadlockError, and factory.run() does it again", [
  Counter,
], async (place) => {
  await add(place, ...two());
  const factory = sessionFactory({ bind: place.db });
  const failures: unknown[] = [];
  const bothHaveOne = meeting(2);
  const attempts = await atOnce(2, async (i) => {
    let attempt = 0;
    await factory.run(async (session) => {
      const first = await lock(session, 1 + i);
      if (attempt++ === 0) await bothHaveOne();
      try {
        const second = await lock(session, 2 - i);
        first.value++;
        second.value++;
      } catch (error) {
        failures.push(error);
        throw error;
      }
    });
    return attempt;
  });
  assertEquals([failures.length, attempts.toSorted()], [1, [1, 2]]);
  assertInstanceOf(failures[0], DeadlockError);
  assertEquals(await values(place), [{ value: 2, version: 3 }, { value: 2, version: 3 }]);
});

for (const crossing of ["a locking read", "a flush", "a commit"] as const) {
  test(`a session that loses a deadlock in ${crossing} has failed, and goes back to what it was`, [
    Counter,
    Note,
  ], async (place) => {
    await add(place, ...two());
    await using one = new Session({ bind: place.db });
    await using other = new Session({ bind: place.db });
    const sessions = [one, other];
    const loaded = await Promise.all(sessions.map((session) => session.getAll(Counter, [1, 2])));
    const before = loaded.map((rows) => copies(rows as Counter[]));
    const notes = sessions.map((session) => session.add(new Note({ text: "flushed" })));
    for (const [i, session] of sessions.entries()) {
      loaded[i]![i]!.value = 10 + i;
      await session.flush();
    }
    const results = await Promise.allSettled(sessions.map((session, i) => {
      if (crossing === "a locking read") return lock(session, 2 - i);
      loaded[i]![1 - i]!.value = 10 + i;
      return crossing === "a flush" ? session.flush() : session.commit();
    }));
    const losers = results.flatMap(({ status }, i) => status === "rejected" ? [i] : []);
    assertEquals(losers.length, 1);
    const [lost, won] = [losers[0]!, 1 - losers[0]!];
    const error = (results[lost] as PromiseRejectedResult).reason;
    if (crossing === "a locking read") assertInstanceOf(error, DeadlockError);
    else assert(error instanceof DeadlockError && error.notApplied, String(error));
    assertEquals(sessions[lost]!.state, "failed");
    await refused(() => sessions[lost]!.commit(), InvalidStateError, "rollback()");
    await sessions[lost]!.rollback();
    assertEquals([copies(loaded[lost]! as Counter[]), sessions[lost]!.state], [before[lost], "open"]);
    assertEquals([sessions[lost]!.inspect(notes[lost]!).state, Object.hasOwn(notes[lost]!, "id")], [
      "transient",
      false,
    ]);
    if (crossing !== "a commit") await sessions[won]!.commit();
    const expected = [0, 1].map((at) => {
      const isWritten = crossing !== "a locking read" || at === won;
      return { value: isWritten ? 10 + won : 0, version: isWritten ? 2 : 1 };
    });
    assertEquals(await values(place), expected);
    assertEquals(
      copies(loaded[won]! as Counter[]).map((one) => (one as Counter).version),
      expected.map((one) => one.version),
    );
    assertEquals(await place.front.run("SELECT text FROM notes"), [{ text: "flushed" }]);
  });
}

test(
  "a lock that takes too long in a locking read ends that read, and the transaction goes on",
  [Counter],
  async (place) => {
    await add(place, ...two());
    await using holder = new Session({ bind: place.db });
    await lock(holder, 1);
    await using session = new Session({ bind: place.db });
    const second = await session.getOne(Counter, 2);
    second.value = 7;
    await session.flush();
    const error = await refused(() => lock(session, 1), LockTimeoutError, "Lock wait timeout");
    assertEquals([error.notApplied, error.driverCode, session.state], [true, "1205", "open"]);
    assertEquals([place.front.transactions, second.value], [2, 7]); // What was flushed is still in it.
    const first = await holder.getOne(Counter, 1);
    first.value = 5;
    await holder.commit();
    assertEquals(await values(place), [{ value: 5, version: 2 }, { value: 0, version: 1 }]);
    (await lock(session, 1)).value++;
    await session.commit();
    assertEquals(await values(place), [{ value: 6, version: 3 }, { value: 7, version: 2 }]);
  },
  impatient,
);

test(
  "a lock that takes too long in a commit fails all of it, and nothing of it stays locked",
  [Counter, Note],
  async (place) => {
    await add(place, ...two());
    await using holder = new Session({ bind: place.db });
    await lock(holder, 1);
    // Side by side, since each waits a second: one statement, several rows in one, several in a transaction.
    await atOnce(3, async (i) => {
      await using session = new Session({ bind: place.db });
      const rows = await session.getAll(Counter, i === 0 ? [1] : [1, 2]) as Counter[];
      const before = copies(rows);
      for (const row of rows) row.value = 7;
      const notes = i < 2 ? [] : [session.add(new Note({ text: "new" }))];
      const error = await refused(() => session.commit(), LockTimeoutError);
      assertEquals([error.notApplied, session.state], [true, "failed"]);
      await session.rollback();
      assertEquals([copies(rows), notes.map((note) => session.inspect(note).state)], [
        before,
        notes.map(() => "transient"),
      ]);
    });
    await closed(place.front, 1);
    assertEquals(await values(place), [{ value: 0, version: 1 }, { value: 0, version: 1 }]);
    assertEquals(await place.front.run("SELECT * FROM notes"), []);
    // Row 2 was written by one of them, and is free.
    await place.front.run("SELECT * FROM counters WHERE id = 2 FOR UPDATE NOWAIT");
  },
  impatient,
);

test("a lock that takes too long is waited for again by factory.run()", [Counter], async (place) => {
  await add(place, ...two());
  await using holder = new Session({ bind: place.db });
  await lock(holder, 1);
  let attempts = 0;
  await sessionFactory({ bind: place.db }).run(async (session) => {
    if (++attempts === 2) await holder.rollback();
    (await session.getOne(Counter, 2)).value++;
    await session.flush();
    (await lock(session, 1)).value++;
  });
  assertEquals([attempts, await values(place)], [2, [{ value: 1, version: 2 }, { value: 1, version: 2 }]]);
}, impatient);

test("forUpdate({ noWait }) fails at once on a row that is locked, and costs the session nothing", [
  Counter,
], async (place) => {
  await add(place, ...two());
  await using holder = new Session({ bind: place.db });
  await lock(holder, 1);
  await using session = new Session({ bind: place.db });
  const ask = (id: number) => session.query(Counter).where({ id }).forUpdate({ noWait: true }).one();
  const second = await ask(2);
  second.value = 1;
  const started = performance.now();
  const error = await refused(() => ask(1), LockTimeoutError);
  assert(performance.now() - started < 5_000); // Or it would have waited.
  assertEquals([error.notApplied, session.state, second.value], [true, "open", 1]);
  await session.commit();
  assertEquals(await values(place), [{ value: 0, version: 1 }, { value: 1, version: 2 }]);
}, { front: { settings: { innodb_lock_wait_timeout: 10 } } });

test("FOR SHARE keeps what a decision rests on from changing, and a writer waits for it", [Counter], async (place) => {
  await add(place, ...two());
  await using reader = new Session({ bind: place.db });
  await reader.query(Counter).where({ id: 1 }).forUpdate({ share: true }).one();
  await using writer = new Session({ bind: place.db });
  const row = await writer.getOne(Counter, 1);
  row.value = 1;
  let isDone = false;
  const writing = writer.commit().then(() => isDone = true);
  await listed(place.front, 1, "LOCK WAIT");
  assertEquals(isDone, false);
  await reader.commit();
  await writing;
  assertEquals([(await values(place))[0], words(place.front).includes("ROLLBACK")], [{ value: 1, version: 2 }, false]);
});
