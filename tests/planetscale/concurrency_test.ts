/**
 * Sessions at once on a real MariaDB: no update is lost, none is done in part, no job is taken twice. A commit of one
 * statement needs no transaction for that.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { DeadlockError, model, Session, sessionFactory, StaleDataError, t } from "../../mod.ts";
import { add, atOnce, meeting, test } from "./kit.ts";

class Counter extends model("counters", {
  id: t.integer().primaryKey(),
  value: t.integer(),
  version: t.integer().version(),
}) {}

class Job extends model("jobs", { id: t.integer().primaryKey(), taker: t.integer().nullable() }) {}

test(
  "factory.run() of 16 sessions that increment one counter 50 times each ends at exactly 800",
  [Counter],
  async ({ db, front }) => {
    await add({ db }, new Counter({ id: 1, value: 0 }));
    front.reset();
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
    assertEquals(await front.run("SELECT value, version FROM counters"), [{ value: 800, version: 801 }]);
    // Each attempt is a read and an update, and no transaction is around either.
    assertEquals([front.requests, front.control, attempts > 800], [2 * attempts, 0, true]);
  },
);

const ROWS = 40;
const AT_ONCE = 20;
const SESSIONS = 16;
const COMMITS = 5;

/** Some of the rows, in an order by chance. */
function sample(): number[] {
  const ids = Array.from({ length: ROWS }, (_, id) => id);
  for (let i = ids.length - 1; i > 0; i--) {
    const other = Math.floor(Math.random() * (i + 1));
    [ids[i], ids[other]] = [ids[other]!, ids[i]!];
  }
  return ids.slice(0, AT_ONCE);
}

for (const isolation of ["REPEATABLE-READ", "READ-COMMITTED"]) {
  for (const guards of ["statement", "read"] as const) {
    test(
      `16 sessions commit overlapping changes of 20 rows: all of a commit or nothing, ${isolation}, guards: "${guards}"`,
      [Counter],
      async ({ db, front }) => {
        await add({ db }, ...Array.from({ length: ROWS }, (_, id) => new Counter({ id, value: 0 })));
        front.reset();
        const expected = new Array<number>(ROWS).fill(0);
        let stale = 0;
        let deadlocks = 0;
        await atOnce(SESSIONS, async () => {
          await using session = new Session({ bind: db });
          for (let done = 0; done < COMMITS;) {
            session.expungeAll();
            const ids = sample();
            const rows = await session.getAll(Counter, ids);
            const read = rows.map((row) => row!.value);
            for (const row of rows) row!.value++;
            try {
              await session.commit();
              done++;
              for (const id of ids) expected[id]!++;
            } catch (error) {
              assert(error instanceof StaleDataError || error instanceof DeadlockError, String(error));
              if (error instanceof DeadlockError) deadlocks++;
              else {
                stale++;
                assert(error.count >= 1 && error.count <= AT_ONCE);
                assert(rows.includes(error.instance as Counter), "The error names a row of this commit");
              }
              await session.rollback();
              // What others changed is not known any more; the rest is as it was read.
              rows.forEach((row, i) => row === (error as StaleDataError).instance || assertEquals(row!.value, read[i]));
            }
          }
        });
        const rows = await front.run("SELECT value, version FROM counters ORDER BY id");
        assertEquals(rows, expected.map((value) => ({ value, version: value + 1 })));
        assertEquals(expected.reduce((sum, value) => sum + value, 0), SESSIONS * COMMITS * AT_ONCE);
        // It has tested something, and rows that are locked in the same order lead to no deadlock.
        assert(stale > SESSIONS, `${stale} stale`);
        assertEquals(deadlocks, 0);
        const attempts = SESSIONS * COMMITS + stale;
        // A read and the update; one more to say which rows were stale. No transaction is around any of it.
        if (guards === "statement") assertEquals([front.requests, front.control], [2 * attempts + stale, 0]);
        else assertEquals(front.control, 2 * attempts); // BEGIN, and COMMIT or ROLLBACK
      },
      { front: { settings: { tx_isolation: isolation } }, db: { guards } },
    );
  }
}

test(
  "FOR UPDATE SKIP LOCKED hands 100 jobs to 8 sessions, none of them twice",
  [Job],
  async ({ db, front }) => {
    await add({ db }, ...Array.from({ length: 100 }, (_, i) => new Job({ id: i + 1 })));
    const allHaveOne = meeting(8);
    const taken = await atOnce(8, async (worker) => {
      const mine: number[] = [];
      while (true) {
        await using session = new Session({ bind: db });
        const job = await session.query(Job).where({ taker: null }).orderBy({ id: "asc" }).limit(1)
          .forUpdate({ skipLocked: true }).oneOrNull();
        if (job === null) return mine;
        mine.push(job.id);
        job.taker = worker;
        // All hold one at once: a session that waited for another's would do so until the server gives up.
        if (mine.length === 1) await allHaveOne();
        await session.commit();
      }
    });
    assertEquals(taken.flat().toSorted((a, b) => a - b), Array.from({ length: 100 }, (_, i) => i + 1));
    const rows = await front.run("SELECT id, taker FROM jobs ORDER BY id");
    for (const { id, taker } of rows) assert(taken[taker as number]!.includes(id as number));
  },
  { front: { settings: { innodb_lock_wait_timeout: 2 } } },
);
