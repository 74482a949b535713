/** What is sent again after trouble that passes, and what never is. */
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { libsql } from "../../adapters/libsql_local.ts";
import {
  CommitOutcomeUnknownError,
  ConnectionError,
  createAll,
  type Database,
  LockTimeoutError,
  model,
  SerializationError,
  Session,
  sessionFactory,
  type SessionOptions,
  sql,
  StatementError,
  t,
  TimeoutError,
  ValidationError,
} from "../../mod.ts";

class Note extends model("notes", { id: t.integer().primaryKey(), text: t.text() }) {}

const refused = () => new ConnectionError("refused");
const broken = () => new ConnectionError("broken", { notApplied: false });

/** A database whose next requests fail like this, each before it is sent; `sent` says what was tried. */
async function failing(options: Partial<SessionOptions> = {}, readsMayWrite = false) {
  const inner = libsql({ url: ":memory:" });
  await createAll(inner, [Note]);
  const errors: unknown[] = [];
  const sent: string[] = [];
  function meet<T>(what: string, send: () => Promise<T>): Promise<T> {
    sent.push(what);
    return errors.length > 0 ? Promise.reject(errors.shift()) : send();
  }
  const db: Database = {
    dialect: { ...inner.dialect, readsMayWrite },
    capabilities: inner.capabilities,
    description: inner.description,
    execute: (statement, options) => meet("execute", () => inner.execute(statement, options)),
    batch: (statements, options) => meet("batch", () => inner.batch(statements, options)),
    async connect(options) {
      const connection = await meet("connect", () => inner.connect(options));
      const execute = connection.execute.bind(connection);
      connection.execute = (statement, options) => meet("on it", () => execute(statement, options));
      return connection;
    },
    close: () => inner.close(),
  };
  return { session: new Session({ bind: db, ...options }), db, errors, sent };
}

for (
  const [name, error] of [["refused", refused], ["broken", broken], [
    "locked",
    () => new LockTimeoutError("busy"),
  ]] as const
) {
  Deno.test(`reads of one turn are sent again together when the request was ${name}, and no oftener than told`, async () => {
    const { session, errors, sent } = await failing();
    await using _ = session;
    errors.push(error(), error());
    const [one, all] = await Promise.all([session.get(Note, 1), session.query(Note).all()]);
    assertEquals([one, all, sent], [null, [], ["batch", "batch", "batch"]]);
    errors.push(error(), error(), error(), error());
    await assertRejects(() => session.query(Note).all());
    assertEquals([sent.splice(0).slice(3), session.state], [["execute", "execute", "execute"], "open"]);
    errors.length = 0;
    const { session: once, errors: more, sent: tried } = await failing({ resends: 0 });
    await using __ = once;
    more.push(error());
    await assertRejects(() => once.query(Note).all());
    assertEquals(tried, ["execute"]);
  });
}

Deno.test("a SELECT of the user's that may write by what it calls is sent again only where it was certainly not applied", async () => {
  const { session, errors, sent } = await failing({}, true);
  await using _ = session;
  errors.push(refused());
  await session.scalar("SELECT 1");
  errors.push(broken());
  await assertRejects(() => session.scalar("SELECT 1"), ConnectionError, "broken");
  assertEquals(sent.splice(0), ["execute", "execute", "execute"]);
  errors.push(broken());
  await session.query(Note).all(); // a builder's cannot write
  assertEquals(sent, ["execute", "execute"]);
});

Deno.test("a commit is sent again where it was certainly not applied, and only there", async () => {
  const { session, db, errors, sent } = await failing();
  await using _ = session;
  session.add(new Note({ id: 1, text: "a" }));
  errors.push(refused(), new LockTimeoutError("busy"));
  await session.commit();
  assertEquals(sent.splice(0), ["execute", "execute", "execute"]);
  session.add(new Note({ id: 2, text: "b" }));
  session.require(sql`1 = 1`);
  errors.push(broken());
  await assertRejects(() => session.commit(), CommitOutcomeUnknownError);
  assertEquals(sent.splice(0), ["batch"]);
  await session.rollback();
  for (const error of [new StatementError("no"), new TimeoutError("late"), new SerializationError("again")]) {
    session.add(new Note({ id: 2, text: "b" }));
    errors.push(error);
    assertStrictEquals(await assertRejects(() => session.commit()), error);
    await session.rollback();
  }
  assertEquals(sent.splice(0), ["execute", "execute", "execute"]);
  assertEquals((await db.execute({ sql: "SELECT id FROM notes", params: [] })).rows.length, 1);
});

Deno.test("a connection is asked for again, what is on it is not sent again", async () => {
  const { session, errors, sent } = await failing();
  await using _ = session;
  errors.push(broken(), refused());
  await session.execute("INSERT INTO notes VALUES (1, 'a')");
  assertEquals(sent.splice(0), ["connect", "connect", "connect", "on it"]);
  errors.push(broken());
  await assertRejects(() => session.execute("INSERT INTO notes VALUES (2, 'b')"), ConnectionError);
  await session.rollback();
  await session.start();
  errors.push(refused());
  await assertRejects(() => session.query(Note).all(), ConnectionError);
  assertEquals(sent, ["on it", "connect", "on it"]);
  await session.rollback();
});

Deno.test("a signal ends the pause before a request is sent again, and a timeout is for all of it", async () => {
  const { session, errors, sent } = await failing({ resends: 1000 });
  await using _ = session;
  const controller = new AbortController();
  const reason = new Error("enough");
  errors.push(...Array.from({ length: 1000 }, refused));
  setTimeout(() => controller.abort(reason), 30);
  const error = await assertRejects(() => session.execute("SELECT 1", [], { signal: controller.signal }));
  assertStrictEquals(error, reason);
  await assertRejects(() => session.execute("SELECT 1", [], { timeout: 30 }), TimeoutError);
  session.add(new Note({ id: 1, text: "a" }));
  await assertRejects(() => session.commit({ timeout: 30 }), ConnectionError, "refused");
  await session.rollback();
  assert(sent.length > 2 && sent.length < 100);
  for (const exactlyOnce of [false, true]) {
    session.add(new Note({ id: 1, text: "a" }));
    const leaving = new AbortController();
    setTimeout(() => leaving.abort(reason), 30);
    const error = await assertRejects(() => session.commit({ signal: leaving.signal, exactlyOnce }));
    assertStrictEquals(error, reason); // nothing is in doubt: each was refused
    await session.rollback();
  }
});

Deno.test("a commit that is given up for an error of Ledge's own is of unknown outcome, whatever that error says", async () => {
  for (const exactlyOnce of [false, true]) {
    const { session, db } = await failing({ exactlyOnce });
    await using _ = session;
    await createAll(db, [], { exactlyOnce });
    const controller = new AbortController();
    const reason = new StatementError("what runs beside it failed");
    const { execute, batch } = db;
    const givenUp = async (sent: Promise<unknown>): Promise<never> => {
      await sent;
      controller.abort(reason);
      throw reason;
    };
    Object.assign(db, {
      execute: (...call: Parameters<typeof execute>) => givenUp(execute(...call)),
      batch: (...call: Parameters<NonNullable<typeof batch>>) => givenUp(batch!(...call)),
    });
    session.add(new Note({ id: 1, text: "a" }));
    const error = await assertRejects(
      () => session.commit({ signal: controller.signal }),
      CommitOutcomeUnknownError,
    );
    assertEquals([error.cause, error.notApplied, session.state], [reason, false, "failed"]);
    Object.assign(db, { execute, batch });
    if (exactlyOnce) assertEquals(await error.resolve(), "committed");
    else await session.rollback();
    assertEquals(await session.query(Note).count(), 1);
  }
});

Deno.test("a session refuses resends that are no number of times, and a factory passes them on", async () => {
  const bind = libsql({ url: ":memory:" });
  for (const resends of [-1, 1.5, NaN, Infinity, "2", null]) {
    assertThrows(() => new Session({ bind, resends: resends as number }), ValidationError, "resends must be");
  }
  const { db, errors, sent } = await failing();
  const factory = sessionFactory({ bind: db, resends: 0 });
  errors.push(refused());
  await assertRejects(() => factory.run((session) => session.query(Note).all()), ConnectionError);
  assertEquals(sent, ["execute"]); // nor does run() take it for worth another try
  await bind.close();
});
