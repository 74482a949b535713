/**
 * What a session does when its Neon database refuses it, breaks off, or answers too much: typed errors that show no password,
 * memory as it was, nothing half written.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Client, neonConfig, Pool, type PoolClient } from "@neondatabase/serverless";
import { neon, type NeonDatabase } from "../../adapters/neon.ts";
import {
  AuthenticationError,
  CommitOutcomeUnknownError,
  ConnectionError,
  createAll,
  DatabaseError,
  DataError,
  ExpiredPropertyError,
  model,
  Session,
  sessionFactory,
  StatementError,
  t,
  TimeoutError,
  TransactionLostError,
} from "../../mod.ts";
import { type NeonOptions, type NeonServer, startNeon, useFronts } from "../servers/neon.ts";
import { FaultProxy, type Script } from "../servers/fault_proxy.ts";
import { startPostgres } from "../servers/postgres.ts";
import { refused } from "../conformance/setup.ts";

useFronts(neonConfig);
await startPostgres();

class Author extends model("authors", {
  id: t.identity(),
  name: t.text(),
  bio: t.text().nullable(),
  version: t.integer().version(),
}) {}

class Ghost extends model("ghosts", { id: t.integer().primaryKey(), name: t.text() }) {}

const transports = ["http", "WebSocket"] as const;
type Transport = typeof transports[number];

/** What a test is given. */
interface Place {
  readonly db: NeonDatabase;
  readonly server: NeonServer;
  readonly password: string;
}

/** A test over HTTP, with WebSockets for conversations, or over WebSockets alone; the errors it returns show no password. */
function test(
  name: string,
  body: (place: Place, transport: Transport) => Promise<readonly unknown[]>,
  on: readonly Transport[] = transports,
  options: NeonOptions = {},
): void {
  for (const transport of on) {
    Deno.test(`${name}, ${transport}`, async () => {
      await using server = await startNeon(options);
      await using db = neon({ connectionString: server.url, http: transport === "http" });
      await createAll(db, [Author]);
      server.reset();
      const { password } = new URL(server.url);
      const errors = await body({ db, server, password }, transport);
      assert(errors.length > 0);
      for (const error of errors) showsNo(password, error);
      await db.close();
      await server.settled();
    });
  }
}

/** A secret is not in an error, however it is shown, nor in what caused it. */
function showsNo(secret: string, error: unknown): void {
  for (const shown of [Deno.inspect(error, { depth: 12 }), String(error), JSON.stringify(error)]) {
    assert(!shown.includes(secret) && !shown.includes(encodeURIComponent(secret)), "A secret is shown");
  }
}

async function names(server: NeonServer): Promise<unknown[]> {
  return (await server.db.query("SELECT name FROM authors ORDER BY name")).map(({ name }) => name);
}

test(
  "a wrong password is an AuthenticationError for reads, commits and transactions alike",
  async (place, transport) => {
    const { server } = place;
    const wrong = "wr0ng-s3cret-p@ss/word";
    const url = new URL(server.url);
    url.password = encodeURIComponent(wrong);
    await using db = neon({ connectionString: url.href, http: transport === "http" });
    await using session = new Session({ bind: db });
    const errors: unknown[] = [await refused(() => session.query(Author).all(), AuthenticationError)];
    await session.rollback();
    const ann = session.add(new Author({ name: "Ann" }));
    const error = await refused(() => session.commit(), AuthenticationError);
    assertEquals([error.notApplied, session.state, session.inspect(ann).state], [true, "failed", "pending"]);
    await session.rollback();
    assertEquals([session.state, session.inspect(ann).state, ann.name], ["open", "transient", "Ann"]);
    errors.push(error, await refused(() => session.start(), AuthenticationError));
    await session.rollback();
    let attempts = 0;
    errors.push(
      await refused(() =>
        sessionFactory({ bind: db }).run((session) => {
          attempts++;
          return session.query(Author).all();
        }), AuthenticationError),
    );
    assertEquals([attempts, server.statements, await names(server)], [1, 0, []]); // It is not tried again.
    for (const one of [...errors, db]) showsNo(wrong, one);
    return errors;
  },
);

test("a missing table is a StatementError, and nothing is written beside it", async ({ db, server }) => {
  await using session = new Session({ bind: db });
  const errors: DatabaseError[] = [await refused(() => session.query(Ghost).all(), StatementError, "ghosts")];
  assertEquals(session.state, "open");
  const [ann, ghost] = session.addAll([new Author({ name: "Ann" }), new Ghost({ id: 1, name: "g" })]);
  errors.push(await refused(() => session.commit(), StatementError, "ghosts"));
  assertEquals([session.state, session.inspect(ann!).state], ["failed", "pending"]);
  await session.rollback();
  assertEquals([await names(server), Object.hasOwn(ann!, "id")], [[], false]);
  session.addAll([ann!, ghost!]);
  errors.push(await refused(() => session.flush(), StatementError, "ghosts"));
  await session.rollback();
  session.add(ann!);
  await session.commit();
  assertEquals(await names(server), ["Ann"]);
  assertEquals(errors.map(({ driverCode }) => driverCode), ["42P01", "42P01", "42P01"]);
  assertEquals(errors.map(({ notApplied }) => notApplied), [true, true, true]);
  return errors;
});

Deno.test("a transaction that is given up while its socket opens ends in a TimeoutError, and the process goes on", async () => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connectionString = `postgresql://ann:secret@127.0.0.1:${silent.addr.port}/library`;
  await using db = neon({ connectionString, http: false, timeout: 20 });
  const error = await refused(() => db.execute({ sql: "SELECT 1", params: [] }), TimeoutError);
  showsNo("secret", error);
  (await silent.accept()).close();
  await new Promise((resolve) => setTimeout(resolve, 100)); // The driver takes its leave in timers.
});

Deno.test("a connection that is given up while its socket opens does not stay open when it opens later", async () => {
  await using server = await startNeon();
  const script: Script = ({ ordinal }) => ordinal === 0 ? "late" : "none";
  await using proxy = new FaultProxy({ to: server.port, late: 100, script });
  const url = new URL(server.url);
  url.port = String(proxy.port);
  await using db = neon({ connectionString: url.href, http: false });
  await refused(() => db.execute({ sql: "SELECT 1", params: [] }, { timeout: 20 }), TimeoutError);
  await proxy.settled();
  assertEquals((await db.execute({ sql: "SELECT 1", params: [] })).rows.length, 1); // It has had the time to open.
  for (const end = Date.now() + 5000; server.sockets > 0; await new Promise((resolve) => setTimeout(resolve, 10))) {
    assert(Date.now() < end, "The connection is open still");
  }
});

/** What a server that ends says to each connection. An "error" of a client that nobody listens for ends the process. */
const farewell = () => new Error("terminating connection due to unexpected postmaster exit");

Deno.test("a connection that ends as a Pool lends it fails its transaction, not the process", async () => {
  await using server = await startNeon();
  const pool = new Pool({ connectionString: server.url });
  pool.on("error", () => {});
  type Callback = (error: Error | undefined, client: PoolClient | undefined) => void;
  const lend = pool.connect.bind(pool) as (callback: Callback) => void;
  // In the same message from the server: that it is ready, and that it ends.
  const connect = (callback?: Callback): Promise<unknown> | void => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    lend((error, client) => {
      if (callback) callback(error, client);
      else resolve(client);
      client!.emit("error", farewell());
    });
    if (callback === undefined) return promise;
  };
  Object.assign(pool, { connect });
  await using db = neon(pool);
  const error = await refused(async () => {
    const connection = await db.connect();
    await connection.execute({ sql: "SELECT 1", params: [] }).finally(() => connection.rollback());
  }, DatabaseError);
  assert(error instanceof TransactionLostError || error instanceof ConnectionError, String(error));
  await pool.end();
  await server.settled();
});

Deno.test("what the server says to a Client that was given up does not end the process", async () => {
  await using server = await startNeon();
  const client = new Client(server.url);
  await using db = neon(client);
  const connection = await db.connect();
  await refused(() => connection.execute({ sql: "SELECT pg_sleep(10)", params: [] }, { timeout: 20 }), DatabaseError);
  await connection.rollback();
  client.emit("error", farewell());
  await server.settled();
});

for (const when of ["beforeTrip", "afterTrip"] as const) {
  test(`a socket that drops in the middle of a transaction loses all of it, ${when}`, async ({ db, server }) => {
    await using session = new Session({ bind: db });
    const kept = session.add(new Author({ name: "kept" }));
    await session.commit();
    kept.name = "changed";
    const added = session.add(new Author({ name: "added" }));
    await session.flush();
    server[when] = (sql) => sql.some((text) => text.includes("late")) ? "cut" : undefined;
    const late = session.add(new Author({ name: "later" }));
    const errors: unknown[] = [
      await refused(() => session.execute("UPDATE authors SET bio = 'late'", [], { autoflush: false }), DatabaseError),
    ];
    const [lost] = errors;
    assert(lost instanceof TransactionLostError && lost.notApplied, String(lost));
    assertEquals(session.state, "failed");
    await session.rollback();
    server[when] = undefined;
    assertEquals([session.state, kept.name, kept.version], ["open", "kept", 1]);
    assertEquals([added, late].map((one) => [session.inspect(one).state, Object.hasOwn(one, "id")]), [
      ["transient", false],
      ["transient", false],
    ]);
    assertEquals(await names(server), ["kept"]);
    kept.name = "again";
    session.add(added);
    await session.commit();
    assertEquals([await names(server), kept.version], [["added", "again"], 2]);
    return errors;
  });

  test(`factory.run() does a transaction again whose socket dropped, ${when}`, async ({ db, server }) => {
    const factory = sessionFactory({ bind: db });
    const errors: unknown[] = [];
    let attempts = 0;
    await factory.run(async (session) => {
      attempts++;
      session.add(new Author({ name: `attempt ${attempts}` }));
      await session.flush();
      server[when] = attempts < 3 ? (sql) => sql[0]?.startsWith("SELECT") ? "cut" : undefined : undefined;
      try {
        await session.query(Author).all();
      } catch (error) {
        errors.push(error);
        throw error;
      }
    });
    assertEquals([attempts, await names(server)], [3, ["attempt 3"]]);
    return errors;
  });

  test(`a socket that drops at COMMIT leaves the outcome unknown, ${when}`, async ({ db, server }) => {
    await using session = new Session({ bind: db });
    const ann = session.add(new Author({ name: "Ann" }));
    await session.commit();
    ann.name = "Anna";
    await session.flush();
    server[when] = (sql) => sql.includes("COMMIT") ? "cut" : undefined;
    const error = await refused(() => session.commit(), CommitOutcomeUnknownError, "rollback()");
    server[when] = undefined;
    await session.rollback();
    await refused(() => ann.name, ExpiredPropertyError);
    // Of the connection that was cut off nothing is under way.
    while ((await server.db.query("SELECT 1 FROM pg_locks WHERE relation = 'authors'::regclass")).length > 0);
    await session.refresh(ann);
    assertEquals([ann.name], when === "beforeTrip" ? ["Ann"] : ["Anna"]);
    return [error];
  }, ["http"]);
}

test("a commit whose answer is lost is in doubt, and is not sent twice", async ({ db, server }) => {
  const errors: unknown[] = [];
  for (const when of ["before", "after"] as const) {
    await using session = new Session({ bind: db });
    session.addAll([new Author({ name: `one ${when}` }), new Author({ name: `two ${when}` })]);
    server.reset();
    server.failNext(when);
    const error = await refused(() => session.commit(), CommitOutcomeUnknownError, "rollback()");
    assertEquals([error.notApplied, session.state, server.requests], [false, "failed", 1]);
    await session.rollback();
    errors.push(error);
  }
  assertEquals(await names(server), ["one after", "two after"]); // All of a commit, or nothing.
  return errors;
}, ["http"]);

test("a read that breaks off fails by itself, and the session goes on", async ({ db, server }) => {
  await using session = new Session({ bind: db, resends: 0 });
  const ann = session.add(new Author({ name: "Ann" }));
  await session.commit();
  ann.name = "Anna";
  server.failNext("before");
  const error = await refused(() => session.getAll(Author, [7, 8]), ConnectionError);
  assertEquals([session.state, ann.name], ["open", "Anna"]);
  await session.commit();
  assertEquals(await names(server), ["Anna"]);
  return [error];
}, ["http"]);

test(
  "an answer above the size limit is a DataError that says what to do",
  async ({ db, server }) => {
    await server.db.query(
      "INSERT INTO authors (name, bio, version) SELECT n, repeat('x', 100), 1 FROM generate_series(1, 100) n",
    );
    await using session = new Session({ bind: db });
    const errors: unknown[] = [await refused(() => session.query(Author).all(), DataError, "ask for fewer rows")];
    assertEquals(session.state, "open");
    assertEquals((await session.query(Author).limit(3).all()).length, 3);
    // A commit that answers too much is none: the proxy drops its transaction.
    const added = session.add(new Author({ name: "added" }));
    session.stage("UPDATE authors SET bio = bio || 'y' RETURNING *");
    const error = await refused(() => session.commit(), DatabaseError);
    errors.push(error);
    await session.rollback();
    assertEquals(session.inspect(added).state, "transient");
    assertEquals(await server.db.query("SELECT count(*)::int AS n, max(length(bio)) AS bio FROM authors"), [
      { n: 100, bio: 100 },
    ]);
    return errors;
  },
  ["http"],
  { maxResponse: 4000 },
);

test(
  "a request above the size limit is a DataError, and nothing is written",
  async ({ db, server }) => {
    await using session = new Session({ bind: db });
    session.addAll(Array.from({ length: 100 }, (_, i) => new Author({ name: `${i}`, bio: "x".repeat(100) })));
    const error = await refused(() => session.commit(), DataError, "fewer rows");
    assertEquals([error.notApplied, session.state, session.new.size], [true, "failed", 100]);
    await session.rollback();
    assertEquals(await names(server), []);
    return [error];
  },
  ["http"],
  { maxRequest: 4000 },
);

test("a commit that fails in its last statement writes nothing of the first", async ({ db, server }) => {
  await using session = new Session({ bind: db });
  const [ann] = session.addAll([new Author({ name: "Ann" }), new Author({ name: "Bob" })]);
  session.stage("INSERT INTO authors (id, name, version) VALUES (NULL, NULL, NULL)");
  const error = await refused(() => session.commit(), DatabaseError);
  assertEquals([error.notApplied, Object.hasOwn(ann!, "id")], [true, false]);
  await session.rollback();
  assertEquals(await names(server), []);
  return [error];
});
