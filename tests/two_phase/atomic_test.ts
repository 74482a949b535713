/**
 * A failure, or a crash, at every step of a two-phase commit: in the end both databases have everything or neither has
 * anything, what the session said was true, and nothing is left prepared.
 */
import { assert, assertEquals } from "@std/assert";
import { CommitOutcomeUnknownError, type Database, type Session } from "../../mod.ts";
import { prepare, recover } from "../../src/two_phase/mod.ts";
import { count, type Fault, type Kind, Line, Log, missing, Order, sessionOf, start, Steps } from "./kit.ts";

/** What a session does: an insert and an update on each, rows with made keys and rows that refer to them. */
async function work(session: Session, order: string, log: number): Promise<void> {
  session.add(new Order({ total: 1 }));
  (await session.getOne(Order, order)).total += 1;
  const added = session.add(new Log({ text: "new" }));
  added.lines = [new Line({})];
  (await session.getOne(Log, log)).text += "x";
}

/** What the databases hold: one number each that tells whether everything of so many commits is there. */
async function state(a: Database, b: Database): Promise<unknown> {
  const one = async (db: Database, sql: string) => (await db.execute({ sql, params: [] })).rows[0]!.map(Number);
  return [
    ...await one(a, "SELECT count(*) - 1, max(total) - 1 FROM orders"),
    ...await one(b, "SELECT count(*) - 1, max(CHAR_LENGTH(text)) - 3 FROM logs"),
    await count(b, "log_lines"),
  ];
}

/** Runs it all with one fault; returns what was sent, and what the session said. */
async function attempt(
  a: Database,
  b: Database,
  fault: Fault,
  ids: { order: string; log: number },
): Promise<{ log: string[]; said: "committed" | "failed" | "unknown" }> {
  const steps = new Steps(fault);
  const session = sessionOf(steps.watch(a, "first"), steps.watch(b, "second"));
  let said: "committed" | "failed" | "unknown" = "failed";
  try {
    await work(session, ids.order, ids.log);
    steps.isArmed = true;
    await prepare(session);
    await session.commit();
    said = "committed";
  } catch (error) {
    if (error instanceof CommitOutcomeUnknownError) said = "unknown";
    // What is left open by a commit that failed is still the session's to end.
    else if (!fault.isCrash) await session.rollback();
  }
  if (fault.isCrash) await steps.disconnect();
  else if (said !== "unknown") await session.close();
  else await session.invalidate();
  return { log: steps.log, said };
}

const pairs: readonly (readonly [Kind, Kind])[] = [
  ["postgres", "postgres"],
  ["postgres", "mariadb"],
  ["mariadb", "mariadb"],
];

for (const [one, two] of pairs) {
  for (const isCrash of [false, true]) {
    const why = missing([one, two]);
    Deno.test({
      name: `${one} and ${two}: ${isCrash ? "a crash" : "a failure"} at every step leaves all or nothing` +
        (why === null ? "" : ` (skipped: ${why})`),
      ignore: why !== null,
      sanitizeOps: false, // the fronts keep connections
      sanitizeResources: false,
      async fn() {
        await using first = await start(one);
        await using second = await start(two);
        let [a, b] = [first.open(), second.open()];
        const order = new Order({ total: 1 });
        const log = new Log({ text: "log" });
        for (const [db, instance] of [[a, order], [b, log]] as const) {
          await using session = sessionOf(a, b);
          session.add(instance);
          await session.commit();
          session.expungeAll();
          assert(db);
        }
        const ids = { order: order.id, log: log.id };
        // The first one makes the coordinator's name as well.
        const once = await attempt(a, b, { at: 0, when: "before", isCrash: false }, ids);
        const all = await attempt(a, b, { at: 0, when: "before", isCrash: false }, ids);
        assertEquals([once.said, all.said], ["committed", "committed"]);
        let commits = 2;
        assertEquals(await state(a, b), [commits, commits, commits, commits, commits]);
        const outcomes = new Set<string>();
        for (let at = 1; at <= all.log.length; at++) {
          for (const when of ["before", "after"] as const) {
            await first.renew();
            await second.renew();
            [a, b] = [first.open(), second.open()];
            const where = `${when} ${all.log[at - 1]} (${at} of ${all.log.length})`;
            const { said } = await attempt(a, b, { at, when, isCrash }, ids);
            const recovery = await recover([a, b], { olderThan: 0 });
            assertEquals(recovery.unresolved, [], where);
            const [now] = await state(a, b) as number[];
            assert(now === commits || now === commits + 1, where);
            if (said === "committed") assertEquals(now, commits + 1, where);
            if (said === "failed" && !isCrash) assertEquals(now, commits, where);
            commits = now;
            assertEquals(await state(a, b), [commits, commits, commits, commits, commits], where);
            const again = await recover([a, b], { olderThan: 0 });
            assertEquals(again, { committed: [], rolledBack: [], waiting: [], unresolved: [] }, where);
            outcomes.add(said);
          }
        }
        assert(outcomes.has("failed"));
        assert(commits > 2, "some faults come after the decision");
      },
    });
  }
}
