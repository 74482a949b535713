/** Commits with `exactlyOnce` under faults in any order: each came to what it was reported as. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { libsql } from "../../adapters/libsql_local.ts";
import {
  CommitOutcomeUnknownError,
  ConnectionError,
  createAll,
  type Database,
  ddl,
  dropAll,
  LedgeError,
  LockTimeoutError,
  model,
  pruneCommits,
  Session,
  t,
  TimeoutError,
  ValidationError,
} from "../../mod.ts";
import { type Fault, faulty } from "../conformance/faulty.ts";

class Counter extends model("counters", {
  id: t.integer().primaryKey(),
  value: t.integer(),
  version: t.integer().version(),
}) {}
class Entry extends model("entries", { id: t.identity(), counter: t.integer(), amount: t.integer() }) {}

const fault = fc.constantFrom<Fault>("ok", "ok", "ok", "before", "after", "twice", "late", "refused");

/** A commit of one entry and the new value of its counter, on a connection or by batch. */
const work = fc.record({
  counter: fc.integer({ min: 1, max: 2 }),
  amount: fc.integer({ min: 1, max: 9 }),
  flushes: fc.boolean(),
  faults: fc.array(fault, { maxLength: 3 }),
  deliver: fc.boolean(),
  cut: fc.boolean(),
});
type Work = typeof work extends fc.Arbitrary<infer W> ? W : never;

/** Does the works one after another, and gives what was reported as committed. */
async function run(works: readonly Work[]) {
  await using inner = libsql({ url: ":memory:" });
  await createAll(inner, [Counter, Entry], { exactlyOnce: true });
  await inner.execute({ sql: "INSERT INTO counters VALUES (1, 0, 1), (2, 0, 1)", params: [] });
  const network = faulty(inner);
  const done: number[] = [];
  for (const { counter: id, amount, flushes, faults, deliver, cut } of works) {
    await using session = new Session({ bind: network.db, exactlyOnce: true });
    const counter = await session.getOne(Counter, id);
    const [entry, late] = [new Entry({ counter: id, amount: 0 }), new Entry({ counter: id, amount })];
    session.add(entry);
    if (flushes) await session.flush();
    session.add(late);
    counter.value += amount;
    network.faults.push(...faults, ...cut ? new Array<Fault>(40).fill("before") : []);
    let isDone: boolean;
    try {
      await session.commit(cut ? { timeout: 20 } : {});
      isDone = true;
    } catch (error) {
      network.faults.length = 0;
      assertInstanceOf(error, LedgeError);
      if (deliver) await network.deliver();
      isDone = error instanceof CommitOutcomeUnknownError && await error.resolve() === "committed";
      assertEquals(session.state, isDone ? "open" : "failed");
      if (!isDone) await session.rollback();
    }
    network.faults.length = 0;
    if (deliver) await network.deliver();
    if (isDone) {
      done.push(amount);
      const { rows } = await inner.execute({
        sql: "SELECT id FROM entries ORDER BY id DESC LIMIT 2",
        params: [],
      });
      assertEquals([late.id, entry.id], rows.map(([id]) => Number(id)));
      assertEquals(session.dirty.size, 0);
    }
  }
  await network.deliver();
  const { rows } = await inner.execute({ sql: "SELECT amount FROM entries WHERE amount > 0 ORDER BY id", params: [] });
  const counters = await inner.execute({ sql: "SELECT sum(value) FROM counters", params: [] });
  return { done, entries: rows.map(([amount]) => Number(amount)), sum: Number(counters.rows[0]![0]) };
}

Deno.test("commits with exactlyOnce come to what they are reported as, whatever happens to their requests", async () => {
  let resolved = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(work, { minLength: 1, maxLength: 8 }), async (works) => {
      const { done, entries, sum } = await run(works);
      assertEquals(entries, done);
      assertEquals(sum, done.reduce((all, one) => all + one, 0));
      resolved += done.length;
    }),
    { numRuns: Number(Deno.env.get("LEDGE_RUNS") ?? 100) },
  );
  assert(resolved > 0);
});

Deno.test("the time of a commit bounds the search for what became of it", async () => {
  await using inner = libsql({ url: ":memory:" });
  await createAll(inner, [Entry], { exactlyOnce: true });
  const network = faulty(inner);
  network.faults.push(...new Array<Fault>(1000).fill("before"));
  const limits: (number | undefined)[] = [];
  const { batch } = network.db;
  Object.assign(network.db, {
    batch: (...given: Parameters<NonNullable<typeof batch>>) => (limits.push(given[1]?.timeout), batch!(...given)),
  });
  await using session = new Session({ bind: network.db, exactlyOnce: true });
  session.add(new Entry({ counter: 1, amount: 1 }));
  const error = await session.commit({ timeout: 60 }).catch((error) => error);
  assertInstanceOf(error, CommitOutcomeUnknownError);
  assert(!(error instanceof TimeoutError) && limits.length > 1 && limits.every((limit) => limit! <= 60));
});

Deno.test("a commit that has used up its time is not sent once more", async () => {
  await using inner = libsql({ url: ":memory:" });
  await createAll(inner, [Entry], { exactlyOnce: true });
  let sent = 0;
  const slow: Database = {
    dialect: inner.dialect,
    capabilities: inner.capabilities,
    description: inner.description,
    execute: (statement, options) => inner.execute(statement, options),
    async batch() {
      sent++;
      await new Promise((resolve) => setTimeout(resolve, 30));
      throw new ConnectionError("broken", { notApplied: false });
    },
    connect: (options) => inner.connect(options),
    close: () => inner.close(),
  };
  await using session = new Session({ bind: slow, exactlyOnce: true });
  session.add(new Entry({ counter: 1, amount: 1 }));
  await assertRejects(() => session.commit({ timeout: 20 }), CommitOutcomeUnknownError);
  assertEquals(sent, 1);
});

/** A commit whose requests end like this one after the other; one that came "twice" is applied all the same. */
async function committed(
  resends: number,
  ...ends: readonly (readonly [delivery: "not" | "twice", error: LedgeError])[]
) {
  const inner = libsql({ url: ":memory:" });
  await createAll(inner, [Entry], { exactlyOnce: true });
  const { batch } = inner;
  let requests = 0;
  const db = Object.assign(inner, {
    capabilities: { ...inner.capabilities, deliversOnce: false }, // as over HTTP
    async batch(...given: Parameters<typeof batch>) {
      const [delivery, error] = ends[requests++] ?? [];
      if (error === undefined) return await batch.apply(inner, given);
      if (delivery === "twice") await batch.apply(inner, given);
      throw error;
    },
  });
  await using session = new Session({ bind: db, exactlyOnce: true, resends });
  const entry = session.add(new Entry({ counter: 1, amount: 1 }));
  const error: unknown = await session.commit().catch((error) => error);
  const { rows } = await inner.execute({ sql: "SELECT id FROM entries", params: [] });
  await inner.close();
  return { error, requests, made: error === undefined ? [entry.id] : [], rows: rows.map(([id]) => Number(id)) };
}

const busy = new LockTimeoutError("database is locked");
const refused = new ConnectionError("429");

Deno.test("a commit that was told of a lock is asked for: its request may have been delivered twice", async () => {
  assertEquals(await committed(0, ["twice", busy]), { error: undefined, requests: 2, made: [1], rows: [1] });
  assertEquals(await committed(0, ["not", busy]), { error: busy, requests: 2, made: [], rows: [] });
});

Deno.test("a commit that was told of a lock by a file has failed: no network doubled its request", async () => {
  const folder = await Deno.makeTempDir();
  const url = `file:${folder}/entries.db`;
  const [db, other] = [libsql({ url }), libsql({ url })];
  await createAll(db, [Entry], { exactlyOnce: true });
  const holder = await other.connect();
  await holder.execute({ sql: "INSERT INTO entries (counter, amount) VALUES (1, 1)", params: [] });
  await using session = new Session({ bind: db, exactlyOnce: true, resends: 0 });
  session.add(new Entry({ counter: 1, amount: 2 }));
  await assertRejects(() => session.commit({ timeout: 60_000 }), LockTimeoutError);
  await holder.rollback();
  await session.close();
  for (const each of [db, other]) await each.close();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a commit that was told of a lock, and then was refused, is asked for too", async () => {
  const { error, made, rows } = await committed(1, ["twice", busy], ["not", refused]);
  assertEquals([error, made, rows], [undefined, [1], [1]]);
  assertEquals(await committed(1, ["not", refused], ["not", refused]), {
    error: refused,
    requests: 2,
    made: [],
    rows: [],
  });
});

Deno.test("a commit whose answer was lost stays in doubt when what is sent after it is refused", async () => {
  await using inner = libsql({ url: ":memory:" });
  await createAll(inner, [Entry], { exactlyOnce: true });
  const network = faulty(inner);
  network.faults.push("after", ...new Array<Fault>(1000).fill("refused"));
  await using session = new Session({ bind: network.db, exactlyOnce: true, resends: 1000 });
  const entry = session.add(new Entry({ counter: 1, amount: 1 }));
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 60);
  const error = await session.commit({ signal: controller.signal }).catch((error) => error);
  assertInstanceOf(error, CommitOutcomeUnknownError);
  network.faults.length = 0;
  assertEquals([await error.resolve(), entry.id], ["committed", 1]);
});

Deno.test("where a trigger inserts into the same table no instance is given the key of its row", async () => {
  await using inner = libsql({ url: ":memory:" });
  await createAll(inner, [Entry], { exactlyOnce: true });
  const trigger = "CREATE TRIGGER log AFTER INSERT ON entries WHEN new.amount > 0 " +
    "BEGIN INSERT INTO entries (counter, amount) VALUES (new.counter, 0); END";
  await inner.execute({ sql: trigger, params: [] });
  const network = faulty(inner);
  await using session = new Session({ bind: network.db, exactlyOnce: true });
  for (const id of [1, 3]) {
    const entry = session.add(new Entry({ counter: 1, amount: 1 }));
    network.faults.push("after");
    await session.commit();
    assertEquals(entry.id, id);
  }
  const several = [new Entry({ counter: 1, amount: 1 }), new Entry({ counter: 1, amount: 1 })];
  session.addAll(several);
  network.faults.push("after");
  const error = await assertRejects(() => session.commit(), CommitOutcomeUnknownError);
  assertStringIncludes((error.cause as Error).message, "was applied, but its record does not tell");
  await session.rollback();
  assertEquals(several.map((entry) => Object.hasOwn(entry, "id")), [false, false]);
});

Deno.test("an option of the tables' functions that is not there is refused, before anything is sent", async () => {
  await using db = libsql({ url: ":memory:" });
  const options = { exactlyonce: true } as object;
  for (
    const call of [
      () => createAll(db, [Entry], options),
      () => dropAll(db, [Entry], options),
      () => Promise.try(() => ddl([Entry], db.dialect, options)),
      () => pruneCommits(db, 1, options),
      () => createAll(db, [Entry], { timeout: -1 }),
    ]
  ) await assertRejects(call, ValidationError);
  assertEquals((await db.execute({ sql: "SELECT name FROM sqlite_schema", params: [] })).rows, []);
});
