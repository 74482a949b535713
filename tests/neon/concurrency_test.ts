/**
 * Sessions at once on a real PostgreSQL: no update is lost, no job is taken twice, and what the server breaks is run again.
 *
 * @module
 */
import { assertEquals, assertInstanceOf } from "@std/assert";
import { neonConfig } from "@neondatabase/serverless";
import { neon, type NeonDatabase } from "../../adapters/neon.ts";
import {
  createAll,
  DeadlockError,
  model,
  SerializationError,
  Session,
  sessionFactory,
  sql,
  StaleDataError,
  t,
} from "../../mod.ts";
import { type NeonServer, startNeon, useFronts } from "../servers/neon.ts";
import { startPostgres } from "../servers/postgres.ts";
import { refused } from "../conformance/setup.ts";

useFronts(neonConfig);
await startPostgres();

class Counter extends model("counters", {
  id: t.integer().primaryKey(),
  value: t.integer(),
  version: t.integer().version(),
}) {}

class Job extends model("jobs", { id: t.integer().primaryKey(), taker: t.integer().nullable() }) {}

class Doctor extends model("doctors", {
  id: t.integer().primaryKey(),
  onCall: t.boolean("on_call"),
  version: t.integer().version(),
}) {}

function test(name: string, body: (db: NeonDatabase, server: NeonServer) => Promise<void>): void {
  Deno.test(name, async () => {
    await using server = await startNeon();
    await using db = neon(server.url);
    await createAll(db, [Counter, Job, Doctor]);
    await body(db, server);
  });
}

/** Runs this many at once. */
function atOnce<T>(count: number, work: (i: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => work(i)));
}

/** Resolves, for all who call it, once so many have. */
function meeting(count: number): () => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  return () => {
    if (--count === 0) resolve();
    return promise;
  };
}

async function add(db: NeonDatabase, ...instances: object[]): Promise<void> {
  await using session = new Session({ bind: db });
  session.addAll(instances);
  await session.commit();
}

const onCall = async (server: NeonServer) =>
  (await server.db.query("SELECT id::int FROM doctors WHERE on_call ORDER BY id")).map(({ id }) => id);

test(
  "factory.run() of 16 sessions that increment one counter 50 times each ends at exactly 800",
  async (db, server) => {
    await add(db, new Counter({ id: 1, value: 0 }));
    const factory = sessionFactory({ bind: db });
    let attempts = 0;
    await atOnce(16, async () => {
      for (let i = 0; i < 50; i++) {
        await factory.run(async (session) => {
          attempts++;
          (await session.getOne(Counter, 1)).value++;
        }, { retries: 1000 });
      }
    });
    assertEquals(await server.db.query("SELECT value::int, version::int FROM counters"), [{
      value: 800,
      version: 801,
    }]);
    // Each attempt is a read and a commit, and not one of them a conversation.
    assertEquals([server.connections, attempts > 800], [0, true]);
  },
);

test(
  "two sessions that cross their locks: one gets a DeadlockError, and factory.run() does it again",
  async (db, server) => {
    await add(db, new Counter({ id: 1, value: 0 }), new Counter({ id: 2, value: 0 }));
    const factory = sessionFactory({ bind: db });
    const failures: unknown[] = [];
    const bothHaveOne = meeting(2);
    const lock = (session: Session, id: number) => session.query(Counter).where({ id }).forUpdate().one();
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
    assertEquals(failures.length, 1);
    assertInstanceOf(failures[0], DeadlockError);
    assertEquals(attempts.toSorted(), [1, 2]);
    assertEquals(await server.db.query("SELECT value::int, version::int FROM counters ORDER BY id"), [
      { value: 2, version: 3 },
      { value: 2, version: 3 },
    ]);
  },
);

/** Two doctors on call; each goes off call if the other is there. Gives the attempts each took. */
async function bothLeave(
  db: NeonDatabase,
  failures: unknown[],
  leave: (session: Session, id: number, together: () => Promise<void>) => Promise<void>,
  options: Parameters<ReturnType<typeof sessionFactory>["run"]>[1] = {},
): Promise<number[]> {
  await add(db, new Doctor({ id: 1, onCall: true }), new Doctor({ id: 2, onCall: true }));
  const factory = sessionFactory({ bind: db });
  const bothHaveRead = meeting(2);
  return await atOnce(2, async (i) => {
    let attempt = 0;
    await factory.run(async (session) => {
      const isFirst = attempt++ === 0;
      const together = () => isFirst ? bothHaveRead() : Promise.resolve();
      const commit = session.commit.bind(session);
      try {
        await leave(session, i + 1, together);
        await commit(); // Here, so that its error is seen.
      } catch (error) {
        failures.push(error);
        throw error;
      }
    }, options);
    return attempt;
  });
}

/** Goes off call if another stays. */
async function goIfAnotherStays(session: Session, id: number, together: () => Promise<void>): Promise<Doctor[]> {
  const all = await session.query(Doctor).where({ onCall: true }).orderBy({ id: "asc" }).all();
  await together();
  if (all.length > 1) all.find((one) => one.id === id)!.onCall = false;
  return all;
}

test("without a check both doctors leave: write skew is there to be caught", async (db, server) => {
  const failures: unknown[] = [];
  const attempts = await bothLeave(db, failures, async (session, id, together) => {
    await goIfAnotherStays(session, id, together);
  });
  assertEquals([attempts, failures, await onCall(server)], [[1, 1], [], []]);
});

test("write skew is caught as a SerializationError when it is serializable, and run again", async (db, server) => {
  const failures: unknown[] = [];
  const attempts = await bothLeave(db, failures, async (session, id, together) => {
    await goIfAnotherStays(session, id, together);
  }, { isolation: "serializable" });
  assertEquals([attempts.toSorted(), failures.length, (await onCall(server)).length], [[1, 2], 1, 1]);
  assertInstanceOf(failures[0], SerializationError);
});

test("session.begin() of a serializable transaction fails with a SerializationError by itself", async (db, server) => {
  await add(db, new Doctor({ id: 1, onCall: true }), new Doctor({ id: 2, onCall: true }));
  await using one = new Session({ bind: db });
  await using two = new Session({ bind: db });
  for (const [session, id] of [[one, 1], [two, 2]] as const) {
    await session.begin({ isolation: "serializable" });
    await goIfAnotherStays(session, id, () => Promise.resolve());
  }
  await one.commit();
  const error = await refused(() => two.commit(), SerializationError);
  assertEquals([error.notApplied, two.state], [true, "failed"]);
  await two.rollback();
  assertEquals([two.state, await onCall(server)], ["open", [2]]);
});

test("session.verify() locks what it checks, so that write skew is caught in the batch", async (db, server) => {
  for (let round = 0; round < 10; round++) {
    await server.db.query("DELETE FROM doctors");
    const failures: unknown[] = [];
    server.reset();
    await bothLeave(db, failures, async (session, id, together) => {
      for (const one of await goIfAnotherStays(session, id, together)) if (one.id !== id) session.verify(one);
    });
    assertEquals((await onCall(server)).length, 1, `round ${round}`);
    // The other was changed meanwhile, or each waits for the other's row.
    for (const error of failures) assertEquals(error instanceof StaleDataError || error instanceof DeadlockError, true);
    assertEquals([failures.length > 0, server.connections], [true, 0]);
  }
});

test("verifyReads does the same for all that was read", async (db, server) => {
  await add(db, new Doctor({ id: 1, onCall: true }), new Doctor({ id: 2, onCall: true }));
  const bothHaveRead = meeting(2);
  const settled = await Promise.allSettled([1, 2].map(async (id) => {
    await using session = new Session({ bind: db, verifyReads: true });
    await goIfAnotherStays(session, id, bothHaveRead);
    await session.commit();
  }));
  const failed = settled.filter((one) => one.status === "rejected");
  assertEquals([failed.length, (await onCall(server)).length], [1, 1]);
  const { reason } = failed[0]!;
  assertEquals(reason instanceof StaleDataError || reason instanceof DeadlockError, true);
});

test("FOR SHARE keeps what a decision rests on from changing", async (db, server) => {
  await add(db, new Doctor({ id: 1, onCall: true }), new Doctor({ id: 2, onCall: true }));
  const bothHaveRead = meeting(2);
  const settled = await Promise.allSettled([1, 2].map(async (id) => {
    await using session = new Session({ bind: db });
    const all = await session.query(Doctor).where({ onCall: true }).orderBy({ id: "asc" }).forUpdate({ share: true })
      .all();
    await bothHaveRead();
    if (all.length > 1) all[id - 1]!.onCall = false;
    await session.commit();
  }));
  const failed = settled.filter((one) => one.status === "rejected");
  assertEquals([failed.length, (await onCall(server)).length], [1, 1]);
  assertInstanceOf(failed[0]!.reason, DeadlockError);
});

test("FOR UPDATE SKIP LOCKED hands 100 jobs to 8 sessions, none of them twice", async (db, server) => {
  await server.db.query("INSERT INTO jobs (id) SELECT generate_series(1, 100)");
  const allHaveOne = meeting(8);
  let isOver = false;
  /** Throws when a session waits for another's row, which would be for ever. */
  const noneWaits = async () => {
    const waiting = `SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)
      WHERE NOT granted AND locktype IN ('transactionid', 'tuple') AND datname = current_database()`;
    while (!isOver) assertEquals(await server.db.query(waiting), []);
  };
  const taken = await atOnce(8, async (worker) => {
    const mine: number[] = [];
    while (true) {
      await using session = new Session({ bind: db });
      const job = await session.query(Job).where({ taker: null }).orderBy({ id: "asc" }).limit(1)
        .forUpdate({ skipLocked: true }).oneOrNull();
      if (job === null) return mine;
      mine.push(job.id);
      job.taker = worker;
      if (mine.length === 1) await Promise.race([allHaveOne().then(() => isOver = true), noneWaits()]);
      await session.commit();
    }
  });
  assertEquals(taken.flat().toSorted((a, b) => a - b), Array.from({ length: 100 }, (_, i) => i + 1));
  const rows = await server.db.query("SELECT id::int, taker::int FROM jobs ORDER BY id");
  for (const { id, taker } of rows) assertEquals(taken[taker as number]!.includes(id as number), true);
});

test("a commit in the middle of another's reads of a snapshot is not seen by it", async (db, server) => {
  await add(db, new Counter({ id: 1, value: 0 }));
  await using session = new Session({ bind: db });
  await session.begin({ isolation: "repeatable read" });
  const read = () => session.scalar(sql`SELECT value FROM counters`);
  const before = await read();
  await server.db.query("UPDATE counters SET value = 7, version = 2");
  assertEquals([before, await read()], [0, 0]);
  const counter = await session.getOne(Counter, 1);
  counter.value++;
  const error = await refused(() => session.commit(), SerializationError);
  assertEquals(error.notApplied, true);
  await session.rollback();
  assertEquals(await server.db.query("SELECT value::int FROM counters"), [{ value: 7 }]);
});
