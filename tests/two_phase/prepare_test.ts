/** What a prepared session can do and says, and what recovery leaves alone. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import { libsql } from "../../adapters/libsql_local.ts";
import {
  CommitOutcomeUnknownError,
  createAll,
  type Database,
  insert,
  InvalidStateError,
  RequirementError,
  sql,
  StaleDataError,
  TransactionLostError,
  UniqueViolationError,
  UnsupportedError,
  uuidv7,
  ValidationError,
} from "../../mod.ts";
import { createTwoPhaseTables, prepare, recover, twoPhaseTables } from "../../src/two_phase/mod.ts";
import { count, Line, Log, Order, type Place, sessionOf, start, Steps } from "./kit.ts";

interface Pair {
  readonly a: Database;
  readonly b: Database;
  readonly places: readonly [Place, Place];
}

function test(name: string, body: (pair: Pair) => Promise<void>): void {
  Deno.test({
    name,
    sanitizeOps: false, // the fronts keep connections
    sanitizeResources: false,
    async fn() {
      await using first = await start("postgres");
      await using second = await start("postgres");
      await body({ a: first.open(), b: second.open(), places: [first, second] });
    },
  });
}

const nothing = { committed: [], rolledBack: [], waiting: [], unresolved: [] };
const now = { olderThan: 0 };

async function counts({ a, b }: Pair): Promise<number[]> {
  return [await count(a, "orders"), await count(b, "logs")];
}

test("settings under which the decision would stand in another table are refused, others travel", async (pair) => {
  const { a, b } = pair;
  for (const table of ["ledge_commit", "orders"]) {
    await a.execute({ sql: "CREATE SCHEMA IF NOT EXISTS tenant", params: [] });
    await a.execute({ sql: `CREATE TABLE tenant.${table} (LIKE public.${table} INCLUDING ALL)`, params: [] });
  }
  const others = { "app.tenant": "1" };
  await using session = sessionOf(a, b, { settings: others });
  await session.begin({ settings: { search_path: "tenant, public" } });
  session.add(new Order({ total: 5 }));
  session.add(new Log({ text: "new" }));
  await assertRejects(() => prepare(session), UnsupportedError, "is another table than without");
  assertEquals([await a.twoPhase!.list(), await b.twoPhase!.list(), await counts(pair)], [[], [], [0, 0]]);
  await session.rollback();
  session.add(new Order({ total: 5 }));
  session.add(new Log({ text: "new" }));
  await prepare(session);
  await session.commit();
  assertEquals(await counts(pair), [1, 1]);
});

test("a prepared session writes nothing until it is committed, then everything, and goes on", async (pair) => {
  const { a, b } = pair;
  await using session = sessionOf(a, b);
  const events: string[] = [];
  for (const name of ["beforeCommit", "beforeFlush", "afterFlush", "afterCommit"] as const) {
    session.on(name, () => void events.push(name));
  }
  const order = session.add(new Order({ total: 5 }));
  const log = session.add(new Log({ text: "new" }));
  log.lines = [new Line({})];
  const staged = session.stage(insert(Log).values([{ text: "staged" }]));
  session.require(sql`1 = 1`);
  const id = uuidv7();
  const prepared = await prepare(session, { id });
  assertEquals([prepared.id, await counts(pair)], [id, [0, 0]]);
  const names = [...await a.twoPhase!.list(), ...await b.twoPhase!.list()];
  assertEquals(names.map((name) => name.slice(0, 44)), [`ledge.${id}.0`, `ledge.${id}.1`]);
  for (const call of [() => session.query(Log).all(), () => session.flush(), () => session.begin()]) {
    await assertRejects(call, InvalidStateError, "the transaction is prepared");
  }
  await assertRejects(() => prepare(session), InvalidStateError, "the transaction is prepared");
  assertEquals(events, ["beforeCommit", "beforeFlush", "afterFlush"]);
  await prepared.commit();
  assertEquals(events.at(-1), "afterCommit");
  assertEquals([await counts(pair), staged.result.rowsAffected, log.id, log.lines[0]!.logId], [[1, 2], 1, 1, 1]);
  assertEquals([order.version, session.dirty.size, session.inTransaction()], [1, 0, false]);
  order.total = 6;
  await session.commit();
  assertEquals([order.version, await recover([a, b], now)], [2, nothing]);
});

test("rollback() of a prepared session puts everything back, in the databases and in memory; so does close()", async (pair) => {
  const { a, b } = pair;
  for (const end of ["rollback", "close", "dispose"] as const) {
    const session = sessionOf(a, b);
    const order = session.add(new Order({ total: 5 }));
    const log = session.add(new Log({ text: "new" }));
    const prepared = await prepare(session);
    if (end === "rollback") await prepared.rollback();
    else if (end === "close") await session.close();
    else await session[Symbol.asyncDispose]();
    assertEquals([await counts(pair), await recover([a, b], now)], [[0, 0], nothing]);
    if (end === "rollback") {
      assertEquals([session.has(order), log.id, session.state], [false, undefined, "open"]);
      session.addAll([order, log]);
      await (await prepare(session)).commit();
      assertEquals([await counts(pair), log.id! > 0], [[1, 1], true]);
      await a.execute({ sql: "DELETE FROM orders", params: [] });
      await b.execute({ sql: "DELETE FROM logs", params: [] });
    }
    await session.close();
  }
});

test("what a database refuses, a condition or a stale row, leaves nothing anywhere", async (pair) => {
  const { a, b } = pair;
  const old = new Order({ total: 1 });
  {
    await using session = sessionOf(a, b);
    session.add(old);
    await session.commit();
    session.expungeAll();
  }
  const ways: [(session: ReturnType<typeof sessionOf>) => unknown, new (...args: never[]) => Error][] = [
    [(session) => session.add(new Order({ id: old.id, total: 2 })), UniqueViolationError],
    [(session) => session.require(sql`1 = 2`, "never", { bind: Log }), RequirementError],
    [async (session) => {
      session.verify(await session.getOne(Order, old.id));
      await a.execute({ sql: "UPDATE orders SET version = version + 1", params: [] });
    }, StaleDataError],
  ];
  for (const [way, error] of ways) {
    await using session = sessionOf(a, b);
    await way(session);
    session.add(new Order({ total: 9 }));
    session.add(new Log({ text: "x" }));
    await assertRejects(() => prepare(session), error as typeof Error);
    assertEquals([session.state, await counts(pair), await recover([a, b], now)], ["failed", [1, 0], nothing]);
    await session.rollback();
    assertEquals(session.state, "open");
  }
});

test("what cannot be prepared is refused before anything is written", async (pair) => {
  const { a, b } = pair;
  const local = libsql({ url: ":memory:" });
  await createAll(local, [Log, Line]);
  await using mixed = sessionOf(a, local);
  mixed.addAll([new Order({ total: 1 }), new Log({ text: "x" })]);
  const error = await assertRejects(() => prepare(mixed), UnsupportedError, "has no two-phase commit") as Error;
  assert(error.message.startsWith(local.description) && mixed.state === "open");
  await assertRejects(() => recover([a, local]), UnsupportedError, local.description);
  await using flushed = sessionOf(a, b);
  flushed.add(new Order({ total: 1 }));
  await flushed.flush();
  await assertRejects(() => prepare(flushed), InvalidStateError, "has an open connection");
  assertEquals(flushed.state, "open");
  await a.execute({ sql: "DROP TABLE ledge_commit", params: [] });
  await using bare = sessionOf(a, b);
  bare.add(new Order({ total: 1 }));
  await assertRejects(() => prepare(bare), InvalidStateError, "createTwoPhaseTables");
  assertEquals([bare.state, await counts(pair)], ["open", [0, 0]]);
  for (const statement of twoPhaseTables(a.dialect)) await a.execute(statement);
  await createTwoPhaseTables(a); // it is there
  await (await prepare(bare)).commit();
  assertEquals(await counts(pair), [1, 0]);
  for (const id of ["x", crypto.randomUUID(), "'; DROP", uuidv7().toUpperCase()]) {
    await assertRejects(() => prepare(bare, { id }), ValidationError, "UUID of version 7");
  }
  await assertRejects(() => prepare(bare, { ids: 1 } as object), ValidationError);
  await assertRejects(() => recover([a], { olderThan: -1 }), ValidationError, "olderThan");
  await local.close();
});

test("a session with nothing to write is prepared and committed without a request", async ({ a, b }) => {
  const steps = new Steps();
  await using session = sessionOf(steps.watch(a, "a"), steps.watch(b, "b"));
  steps.isArmed = true;
  const prepared = await prepare(session);
  await prepared.commit();
  assertEquals([steps.log, session.inTransaction()], [[], false]);
});

test("recover() waits for what is young, and leaves alone what is others' or decided elsewhere", async (pair) => {
  const { a, b } = pair;
  const other = await b.twoPhase!.connect("not.ledges");
  await other.execute({ sql: "INSERT INTO logs (text) VALUES ('other')", params: [] });
  await other.prepare();
  const session = sessionOf(a, b);
  session.addAll([new Order({ total: 1 }), new Log({ text: "x" })]);
  const { id } = await prepare(session);
  await session.invalidate(); // as if its process were gone
  assertEquals(await recover([a, b]), { ...nothing, waiting: [id] });
  assertEquals(await recover([b], now), { ...nothing, unresolved: [{ id, error: null }] });
  assertEquals(await recover([a, b], now), { ...nothing, rolledBack: [id] });
  assertEquals(await recover([b, a], now), nothing);
  assertEquals([await counts(pair), await b.twoPhase!.list()], [[0, 0], ["not.ledges"]]);
  await b.twoPhase!.commit("not.ledges");
});

test("several recoveries at once, and a session that commits beside them, end all or nothing", async (pair) => {
  const { a, b } = pair;
  let before = 0;
  const outcomes: string[] = [];
  for (let i = 0; i < 8; i++) {
    const session = sessionOf(a, b);
    session.addAll([new Order({ total: 1 }), new Log({ text: "x" })]);
    const prepared = await prepare(session);
    const committing = (async () => {
      await new Promise((resolve) => setTimeout(resolve, i * i * 4));
      return await prepared.commit().then(() => "committed", (error) => {
        assertInstanceOf(error, TransactionLostError);
        return "lost";
      });
    })();
    const recoveries = [recover([a, b], now), recover([b, a], now)];
    const [outcome, ...found] = await Promise.all([committing, ...recoveries]);
    assertEquals(found.flatMap(({ unresolved }) => unresolved), []);
    const [orders, logs] = await counts(pair);
    assertEquals([orders, logs], [before + (outcome === "committed" ? 1 : 0), orders]);
    before = orders!;
    outcomes.push(outcome);
    if (outcome === "lost") assertEquals(session.state, "failed");
    await session.close();
    assertEquals(await recover([a, b], now), nothing);
  }
  assert(outcomes.includes("lost"), String(outcomes));
});

test("a commit that is decided and not confirmed is finished by another commit(), not by rollback()", async (pair) => {
  const { a, b } = pair;
  let isDown = true;
  const twoPhase = b.twoPhase!;
  const failing: Database = Object.assign(Object.create(b), {
    dialect: b.dialect,
    capabilities: b.capabilities,
    description: "the second",
    execute: (...given: Parameters<Database["execute"]>) => b.execute(...given),
    connect: (...given: Parameters<Database["connect"]>) => b.connect(...given),
    batch: (...given: Parameters<NonNullable<Database["batch"]>>) => b.batch!(...given),
    twoPhase: {
      ...twoPhase,
      commit: (name: string) => isDown ? Promise.reject(new Error("down")) : twoPhase.commit(name),
      list: () => isDown ? Promise.reject(new Error("down")) : twoPhase.list(),
    },
  });
  await using session = sessionOf(a, failing);
  const order = session.add(new Order({ total: 1 }));
  session.add(new Log({ text: "x" }));
  const prepared = await prepare(session);
  const error = await assertRejects(() => prepared.commit(), CommitOutcomeUnknownError) as Error;
  assert(error.message.includes("the second has not confirmed it"));
  await assertRejects(() => prepared.rollback(), InvalidStateError, "the commit is decided");
  assertEquals(await counts(pair), [1, 0]);
  isDown = false;
  await prepared.commit();
  assertEquals([await counts(pair), session.has(order), session.inTransaction()], [[1, 1], true, false]);
});

test("two sessions prepare side by side and end each their own", async (pair) => {
  const { a, b } = pair;
  await using one = sessionOf(a, b);
  await using two = sessionOf(a, b);
  for (const session of [one, two]) session.addAll([new Order({ total: 1 }), new Log({ text: "x" })]);
  const [first, second] = await Promise.all([prepare(one), prepare(two)]);
  await Promise.all([first.commit(), second.rollback()]);
  assertEquals([await counts(pair), await recover([a, b], now)], [[1, 1], nothing]);
  assertStrictEquals(two.inTransaction(), false);
});
