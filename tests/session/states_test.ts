/**
 * The state machine of a session: every method in every state, checked against the tables of src/session/lifecycle.ts.
 *
 * A new method needs a row in `CALLS` there, and a call here.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { libsql } from "../../adapters/libsql_local.ts";
import {
  CommitOutcomeUnknownError,
  ConnectionError,
  createAll,
  type Database,
  InvalidStateError,
  model,
  select,
  Session,
  sql,
  t,
} from "../../mod.ts";
import { internals } from "../../src/session/internals.ts";
import { ALLOWED, CALLS, type Condition } from "../../src/session/lifecycle.ts";

class Book extends model("books", {
  id: t.uuid().primaryKey(),
  title: t.text(),
  version: t.integer().version(),
}) {}

/** What a call is made with: a loaded book, and others. */
interface Given {
  readonly session: Session;
  readonly book: Book;
}

const fresh = () => new Book({ title: "b" });

/** A call of each member, with which it does something; members that only look at memory or set something there have none. */
const calls: Readonly<Record<PropertyKey, (given: Given) => unknown>> = {
  add: ({ session }) => session.add(fresh()),
  addAll: ({ session }) => session.addAll([fresh()]),
  markDirty: ({ session, book }) => session.markDirty(book),
  delete: ({ session, book }) => session.delete(book),
  remove: ({ session, book }) => session.remove(book),
  get: ({ session, book }) => session.get(Book, book.id),
  getOne: ({ session, book }) => session.getOne(Book, book.id),
  getAll: ({ session, book }) => session.getAll(Book, [book.id]),
  merge: ({ session, book }) => session.merge(book),
  refresh: ({ session, book }) => session.refresh(book),
  expire: ({ session, book }) => session.expire(book),
  expireAll: ({ session }) => session.expireAll(),
  expunge: ({ session, book }) => session.expunge(book),
  expungeAll: ({ session }) => session.expungeAll(),
  load: ({ session, book }) => session.load(book, {}),
  bindModel: ({ session }) => session.bindModel(Book, session.bind),
  bindTable: ({ session }) => session.bindTable("books", session.bind),
  assign: ({ session, book }) => session.assign(book, { title: "c" }),
  query: ({ session }) => session.query(Book).all(),
  execute: ({ session }) => session.execute(select(Book)),
  scalar: ({ session }) => session.scalar("SELECT 1"),
  scalars: ({ session }) => session.scalars("SELECT 1"),
  first: ({ session }) => session.first("SELECT 1"),
  stage: ({ session }) => session.stage("SELECT 1"),
  require: ({ session }) => session.require(sql`1 = 1`),
  verify: ({ session, book }) => session.verify(book),
  start: ({ session }) => session.start(),
  insertNow: ({ session }) => session.insertNow(fresh()),
  updateNow: ({ session, book }) => session.updateNow(book),
  deleteNow: ({ session, book }) => session.deleteNow(book),
  truncate: ({ session }) => session.truncate(Book),
  stream: async ({ session }) => {
    for await (const _ of session.stream(select(Book))) break;
  },
  streamScalars: async ({ session }) => {
    for await (const _ of session.streamScalars("SELECT 1")) break;
  },
  connection: ({ session }) => session.connection(),
  native: ({ session }) => session.native(() => 1),
  runSync: ({ session }) => session.runSync(() => 1),
  begin: ({ session }) => session.begin(),
  beginNested: ({ session }) => session.beginNested(),
  savepoint: ({ session }) => session.savepoint(() => 1),
  transaction: ({ session }) => session.transaction(() => 1),
  flush: ({ session }) => session.flush(),
  commit: ({ session }) => session.commit(),
  rollback: ({ session }) => session.rollback(),
  reset: ({ session }) => session.reset(),
  close: ({ session }) => session.close(),
  invalidate: ({ session }) => session.invalidate(),
  [Symbol.asyncDispose]: ({ session }) => session[Symbol.asyncDispose](),
};

/** What each member that only looks is looked at with. */
const looks: Readonly<Record<PropertyKey, (given: Given) => unknown>> = {
  info: ({ session }) => session.info,
  autoflush: ({ session }) => session.autoflush = true,
  state: ({ session }) => session.state,
  isActive: ({ session }) => session.isActive,
  bind: ({ session }) => session.bind,
  getBind: ({ session }) => session.getBind({ model: Book }),
  new: ({ session }) => session.new,
  dirty: ({ session }) => session.dirty,
  deleted: ({ session }) => session.deleted,
  identityMap: ({ session }) => session.identityMap.size,
  has: ({ session, book }) => session.has(book),
  [Symbol.iterator]: ({ session }) => [...session],
  isModified: ({ session, book }) => session.isModified(book),
  inspect: ({ session, book }) => session.inspect(book),
  inTransaction: ({ session }) => session.inTransaction(),
  inNestedTransaction: ({ session }) => session.inNestedTransaction(),
  getTransaction: ({ session }) => session.getTransaction(),
  getNestedTransaction: ({ session }) => session.getNestedTransaction(),
  on: ({ session }) => session.on("warning", () => {}),
  off: ({ session }) => session.off("warning", () => {}),
  noAutoflush: ({ session }) => session.noAutoflush(() => 1),
};

/** A database whose commits can be held up, fail, or lose their answer. */
async function open() {
  const inner = libsql({ url: ":memory:" });
  await createAll(inner, [Book]);
  let before: () => Promise<unknown> = () => Promise.resolve();
  const db: Database = {
    dialect: inner.dialect,
    capabilities: inner.capabilities,
    description: "a database that can fail",
    execute: async (statement, options) => {
      if (!statement.sql.startsWith("SELECT")) await before();
      return await inner.execute(statement, options);
    },
    batch: async (statements, options) => (await before(), await inner.batch(statements, options)),
    connect: (options) => inner.connect(options),
    close: () => inner.close(),
  };
  const session = new Session({ bind: db });
  const book = session.add(fresh());
  await session.commit();
  return { session, book, hold: (run: () => Promise<unknown>) => before = run };
}

/** Brings a session into a state, calls, and lets what was held up go on. */
/** Waits for something that may never be done, for a moment. */
async function soon(done: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([done, new Promise((resolve) => timer = setTimeout(resolve, 5))]);
  clearTimeout(timer);
}

const states: Readonly<Record<Condition, (call: (given: Given) => Promise<void>) => Promise<void>>> = {
  async open(call) {
    const { session, book } = await open();
    await call({ session, book });
  },
  async preparing(call) {
    const { session, book } = await open();
    let isHandled = false;
    session.on("beforeCommit", async () => {
      if (isHandled) return;
      isHandled = true;
      const { done } = begun(call({ session, book }));
      // The end of `await using` waits for the commit that waits for this handler.
      await soon(done);
    });
    await session.commit().catch(() => {});
    assert(isHandled);
  },
  async busy(call) {
    const { session, book, hold } = await open();
    let release!: () => void;
    const gate = new Promise<void>((resolve) => release = resolve);
    hold(() => gate);
    book.title = "held up";
    const commit = session.commit();
    const { done } = begun(call({ session, book }));
    await soon(done);
    release();
    await commit;
    await done;
  },
  async failed(call) {
    const { session, book, hold } = await open();
    hold(() => Promise.reject(new ConnectionError("no")));
    book.title = "not written";
    await assertRejects(() => session.commit(), ConnectionError);
    hold(() => Promise.resolve());
    await call({ session, book });
  },
  async unknown(call) {
    const { session, book, hold } = await open();
    hold(() => Promise.reject(new ConnectionError("lost", { notApplied: false })));
    book.title = "perhaps written";
    await assertRejects(() => session.commit(), CommitOutcomeUnknownError);
    hold(() => Promise.resolve());
    await call({ session, book });
  },
  async prepared(call) {
    const { session, book } = await open();
    const ending = { isOpen: true, commit: () => Promise.resolve(), rollback: () => Promise.resolve() };
    await session[internals]().transactions.prepare(() => Promise.resolve(ending), {});
    await call({ session, book });
  },
  async closed(call) {
    const { session, book } = await open();
    await session.close();
    await call({ session, book });
  },
};

/** A promise that is not awaited here, and not left unhandled either. */
function begun<T>(done: Promise<T>): { readonly done: Promise<T> } {
  done.catch(() => {});
  return { done };
}

/** What a refusal must say in each state: what to do. */
const advice: Readonly<Record<Condition, string>> = {
  open: "",
  preparing: "commit() is under way and waits for its handlers",
  busy: "commit() is under way; await it first",
  failed: "the session has failed (ConnectionError); call rollback() first",
  unknown: "it is not known whether the last commit was applied; call rollback() or close()",
  prepared: "the transaction is prepared; commit() or rollback() ends it",
  closed: "the session is closed; make a new one",
};

const members = Object.entries(calls).concat(Object.entries(looks)).map(([name]) => name as PropertyKey)
  .concat([Symbol.iterator, Symbol.asyncDispose]);

for (const condition of Object.keys(states) as Condition[]) {
  for (const member of members) {
    const kind = CALLS[member];
    if (kind === undefined) continue; // the test below says so
    const allowed = ALLOWED[condition].includes(kind);
    Deno.test(`session.${String(member)} is ${allowed ? "allowed" : "refused"} when the session is ${condition}`, async () => {
      let called = false;
      await states[condition](async (given) => {
        let error: unknown;
        try {
          await (calls[member] ?? looks[member]!)(given);
        } catch (thrown) {
          error = thrown;
        }
        called = true;
        const isRefused = error instanceof InvalidStateError &&
          /is under way|has failed|not known|is closed|is prepared/.test(error.message);
        // What is allowed may still fail for a reason of its own: an instance that close() let go of has no session.
        assertEquals(isRefused, !allowed, String(error));
        if (!allowed) {
          assertStringIncludes((error as Error).message, advice[condition]);
          assertStringIncludes((error as Error).message, "Cannot ");
        }
      });
      if (member !== Symbol.asyncDispose) assert(called);
    });
  }
}

Deno.test("every public member of Session is in the table of calls, and tested here", () => {
  const session = new Session({ bind: libsql({ url: ":memory:" }) });
  const found = [...Reflect.ownKeys(Session.prototype), ...Reflect.ownKeys(session)]
    .filter((key) => key !== "constructor" && !String(key).includes("ledge."));
  const missing = found.filter((key) => !Object.hasOwn(CALLS, key) || !(key in calls || key in looks)).map(String);
  assertEquals(missing, [], "Add them to CALLS in src/session/lifecycle.ts, and to the calls of this test");
  const gone = Reflect.ownKeys(CALLS).filter((key) => key !== "release" && !found.includes(key)).map(String);
  assertEquals(gone, [], "These are in CALLS and no member of Session");
  assertEquals(Reflect.ownKeys(calls).filter((key) => CALLS[key] === "look"), []);
  assertEquals(Reflect.ownKeys(looks).filter((key) => CALLS[key] !== "look"), []);
});

Deno.test("what is allowed in each state is what the documentation says", () => {
  const failed = ["look", "recover", "close", "dispose"];
  assertEquals<unknown>(ALLOWED, {
    open: ["look", "use", "transact", "finish", "recover", "close", "dispose"],
    preparing: ["look", "use", "dispose"],
    busy: ["look", "dispose"],
    failed,
    unknown: failed,
    prepared: ["look", "finish", "recover", "close", "dispose"],
    closed: ["look", "close", "dispose"],
  });
});
