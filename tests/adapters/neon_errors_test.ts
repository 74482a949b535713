/** The driver's and the server's errors as Ledge's, the same over HTTP and WebSocket. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { Client, neon as createSql, Pool } from "@neondatabase/serverless";
import { neon } from "../../adapters/neon.ts";
import { translate } from "../../adapters/neon/errors.ts";
import { redactor } from "../../adapters/shared/secrets.ts";
import {
  AuthenticationError,
  CheckViolationError,
  ConnectionError,
  DatabaseError,
  DataError,
  DeadlockError,
  ForeignKeyViolationError,
  IntegrityError,
  InvalidStateError,
  LedgeError,
  LockTimeoutError,
  NotNullViolationError,
  SerializationError,
  StatementError,
  TimeoutError,
  TransactionLostError,
  UniqueViolationError,
} from "../../src/errors.ts";
import { cut, startNeon } from "../servers/neon.ts";
import { startPostgres } from "../servers/postgres.ts";
import { rejection, stmt, testEverywhere, withHttp, withSockets } from "./neon_setups.ts";

await startPostgres();

const schema = `
  CREATE TABLE authors (id int PRIMARY KEY, email text UNIQUE, "First, Name" text, last text, age int NOT NULL DEFAULT 1,
    CONSTRAINT grown CHECK (age > 0), CONSTRAINT names UNIQUE ("First, Name", last));
  CREATE TABLE tags (name text, during int4range, CONSTRAINT apart EXCLUDE USING gist (during WITH &&));
  CREATE UNIQUE INDEX lower_name ON tags (lower(name));
  INSERT INTO tags VALUES ('Sea', '[1,5)');
  CREATE TABLE books (id text PRIMARY KEY, author int REFERENCES authors (id),
    later int CONSTRAINT later REFERENCES authors (id) DEFERRABLE INITIALLY DEFERRED);
  CREATE TABLE kept_by (id int PRIMARY KEY);
  CREATE TABLE kept (by int CONSTRAINT kept REFERENCES kept_by ON DELETE RESTRICT);
  CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'tags stay'; END $$;
  CREATE TRIGGER stay BEFORE DELETE ON tags FOR EACH ROW EXECUTE FUNCTION stay();
  INSERT INTO authors VALUES (1, 'a@b', 'A', 'B');
  INSERT INTO books VALUES ('x', 1);
  INSERT INTO kept_by VALUES (1);
  INSERT INTO kept VALUES (1);
`;

type Class = new (...args: never[]) => LedgeError;
type Details = Partial<Pick<DatabaseError, "table" | "columns" | "constraint">>;
const faults: readonly (readonly [string, Class, code: string, words: string, Details?])[] = [
  ["INSERT INTO authors (id, email) VALUES (2, 'a@b')", UniqueViolationError, "23505", "authors_email_key", {
    table: "authors",
    columns: ["email"],
    constraint: "authors_email_key",
  }],
  [
    `INSERT INTO authors (id, "First, Name", last) VALUES (2, 'A', 'B')`,
    UniqueViolationError,
    "23505",
    "names",
    { table: "authors", columns: ["First, Name", "last"], constraint: "names" },
  ],
  ["INSERT INTO tags (name) VALUES ('sea')", UniqueViolationError, "23505", "lower_name", {
    table: "tags",
    constraint: "lower_name",
  }],
  ["INSERT INTO books (id, author) VALUES ('y', 9)", ForeignKeyViolationError, "23503", "books_author_fkey", {
    table: "books",
    columns: ["author"],
    constraint: "books_author_fkey",
  }],
  ["INSERT INTO books (id, later) VALUES ('y', 9)", ForeignKeyViolationError, "23503", "later", {
    table: "books",
    columns: ["later"],
    constraint: "later",
  }],
  ["UPDATE authors SET id = 7 WHERE id = 1", ForeignKeyViolationError, "23503", "books_author_fkey", {
    table: "books",
    columns: ["id"],
    constraint: "books_author_fkey",
  }],
  ["INSERT INTO authors (id, age) VALUES (2, NULL)", NotNullViolationError, "23502", '"age"', {
    table: "authors",
    columns: ["age"],
  }],
  ["INSERT INTO authors (id, age) VALUES (2, 0)", CheckViolationError, "23514", "grown", {
    table: "authors",
    constraint: "grown",
  }],
  ["INSERT INTO tags VALUES ('a', '[3,9)')", IntegrityError, "23P01", "apart", {
    table: "tags",
    columns: ["during"],
    constraint: "apart",
  }],
  ["DELETE FROM kept_by", ForeignKeyViolationError, "23001", "kept", {
    table: "kept",
    columns: ["id"],
    constraint: "kept",
  }],
  ["DELETE FROM tags", IntegrityError, "P0001", "tags stay"],
  ["SELECT 'one'::int", DataError, "22P02", "invalid input syntax"],
  ["SELECT 1 / 0", DataError, "22012", "division by zero"],
  ["SELECT 99999::int2", DataError, "22003", "out of range"],
  ["SELECT '{'::json", DataError, "22P02", "json"],
  ["SELECT CAST('ledge:stale:0:' || 5 || ':1' AS int)", DataError, "22P02", "ledge:stale:0:5:1"],
  ["SELECT * FROM nowhere", StatementError, "42P01", "nowhere"],
  ["SELECT missing FROM authors", StatementError, "42703", "missing"],
  ["SELECT nofun(1)", StatementError, "42883", "nofun"],
  ["SELEC 1", StatementError, "42601", "SELEC"],
  ["SELECT $1::int", StatementError, "08P01", "parameter"],
  ["CREATE TABLE authors (id int)", StatementError, "42P07", "already exists"],
  ["SELECT (SELECT generate_series(1, 2))", StatementError, "21000", "more than one row"],
  ["SELECT count(*) FROM authors FOR UPDATE", StatementError, "0A000", "FOR UPDATE"],
  ["DO $$ BEGIN RAISE SQLSTATE '40001'; END $$", SerializationError, "40001", ""],
  ["DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$", DeadlockError, "40P01", ""],
  ["DO $$ BEGIN RAISE SQLSTATE '55P03'; END $$", LockTimeoutError, "55P03", ""],
  ["DO $$ BEGIN RAISE SQLSTATE '57014'; END $$", TimeoutError, "57014", ""],
  ["DO $$ BEGIN RAISE SQLSTATE '42501'; END $$", AuthenticationError, "42501", ""],
  ["DO $$ BEGIN RAISE SQLSTATE '28000'; END $$", AuthenticationError, "28000", ""],
  ["DO $$ BEGIN RAISE SQLSTATE '44000'; END $$", CheckViolationError, "44000", ""],
  ["DO $$ BEGIN RAISE SQLSTATE '58030'; END $$", DatabaseError, "58030", ""],
];

testEverywhere("a fault of a statement has its class, and the server's words in full", async ({ db, server }) => {
  await server.db.query(schema);
  for (const [sql, type, code, words, details = {}] of faults) {
    const errors: unknown[] = [await assertRejects(() => db.execute(stmt(sql)), LedgeError, words, sql)];
    if (db.batch) errors.push(await rejection(db.batch([stmt("SELECT 1"), stmt(sql)])));
    if (db.capabilities.interactive) {
      const connection = await db.connect();
      const inBatch = connection.batch([stmt("SELECT 1"), stmt(sql)]).then(() => connection.commit());
      const error = await rejection(inBatch) as DatabaseError;
      assertEquals(error.statementIndex, sql.includes("later") ? undefined : 1, sql);
      await connection.rollback();
      errors.push(error);
    }
    for (const error of errors) {
      assertInstanceOf(error, type, sql);
      assert(error instanceof DatabaseError);
      assertEquals([error.constructor, error.driverCode], [type, code], sql);
      assertStringIncludes(error.message, words);
      assertStringIncludes(error.message, code);
      const { table, columns, constraint } = error;
      assertEquals({ table, columns, constraint }, {
        table: undefined,
        columns: undefined,
        constraint: undefined,
        ...details,
      }, sql);
      assertEquals(error.notApplied, true);
      assertInstanceOf(error.cause, Error);
    }
  }
  assertEquals(await server.db.query("SELECT id FROM authors"), [{ id: 1 }]);
});

testEverywhere("what row-level security refuses is an AuthenticationError", async ({ db, server }) => {
  const role = `reader_${crypto.randomUUID().replaceAll("-", "")}`;
  await server.db.query(`CREATE TABLE t (owner text); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE ROLE ${role};
    GRANT ALL ON t TO ${role}; CREATE TABLE u (id int);
    CREATE POLICY p ON t USING (owner = current_setting('request.owner', true))`);
  try {
    const as = [stmt(`SET LOCAL ROLE ${role}`), stmt("SELECT set_config('request.owner', 'ann', true)")];
    const good = await db.batch!([...as, stmt("INSERT INTO t VALUES ('ann')"), stmt("SELECT owner FROM t")]);
    assertEquals(good[3]?.rows, [["ann"]]);
    for (const sql of ["INSERT INTO t VALUES ('bob')", "SELECT * FROM u"]) {
      const error = await rejection(db.batch!([...as, stmt(sql)]));
      assertInstanceOf(error, AuthenticationError);
      assertEquals(error.driverCode, "42501");
    }
    const after = await db.execute(stmt("SELECT current_user, current_setting('request.owner', true)"));
    assert(["", null].includes(after.rows[0]![1] as string | null));
    assertEquals(after.rows[0]![0], "postgres");
  } finally {
    await server.db.query(`DROP TABLE t; DROP ROLE ${role}`);
  }
}, withHttp);

testEverywhere("no message, cause or log shows the values of a row", async ({ db, server }) => {
  await server.db.query("CREATE TABLE t (email text UNIQUE NOT NULL, n int CHECK (n > 0))");
  const secret = "ann@secret.example";
  await db.execute(stmt("INSERT INTO t VALUES ($1, 1)", secret));
  const insert = (email: string | null, n: number) => stmt("INSERT INTO t VALUES ($1, $2)", email, n);
  for (const one of [insert(secret, 2), insert(secret, -1)]) {
    const error = await rejection(db.execute(one));
    assertInstanceOf(error, IntegrityError);
    for (const shown of [Deno.inspect(error, { depth: 9 }), error.stack ?? "", JSON.stringify(error)]) {
      assert(!shown.includes(secret), shown);
    }
  }
});

testEverywhere("a closed database is an InvalidStateError", async ({ db }) => {
  await db.close();
  await db.close();
  await assertRejects(() => db.execute(stmt("SELECT 1")), InvalidStateError, "closed");
  if (db.batch) await assertRejects(() => db.batch!([stmt("SELECT 1")]), InvalidStateError);
  if (db.capabilities.interactive) await assertRejects(() => db.connect(), InvalidStateError);
});

/** The same database with another password. */
function withPassword(url: string, password: string): string {
  const changed = new URL(url);
  changed.password = password;
  return changed.href;
}

Deno.test("a wrong password is an AuthenticationError that does not show it", async () => {
  await using server = await startNeon();
  const password = "wr0ng p/assword";
  const url = withPassword(server.url, password);
  const pool = new Pool({ connectionString: url });
  pool.on("error", () => {});
  const client = new Client(url);
  client.on("error", () => {});
  const databases = [
    neon(url),
    neon({ connectionString: url, http: false }),
    neon(createSql(url)),
    neon(pool),
    neon(client),
  ];
  for (const db of databases) {
    const calls = [
      db.execute(stmt("SELECT 1")),
      ...(db.batch ? [db.batch([stmt("SELECT 1")])] : []),
      ...(db.capabilities.interactive ? [db.connect()] : []),
    ];
    for (const result of await Promise.allSettled(calls)) {
      const error = (result as PromiseRejectedResult).reason;
      assertInstanceOf(error, AuthenticationError, String(error));
      assertEquals([error.driverCode, error.notApplied], ["28P01", true]);
      for (const seen of [Deno.inspect(error, { depth: 9 }), Deno.inspect(db), JSON.stringify([error, db])]) {
        for (const hidden of [password, encodeURIComponent(password), url]) assert(!seen.includes(hidden), seen);
      }
    }
    await db.close();
  }
  await server.settled();
  assertEquals(server.sockets, 0);
});

Deno.test("a database that is not there is a ConnectionError", async () => {
  await using server = await startNeon();
  const url = new URL(server.url);
  url.pathname = "/nowhere";
  await using db = neon(url.href);
  for (const call of [() => db.execute(stmt("SELECT 1")), () => db.connect()]) {
    const error = await rejection(call());
    assertInstanceOf(error, ConnectionError);
    assertEquals([error.driverCode, error.notApplied], ["3D000", true]);
  }
});

/** A port where nothing listens. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test("a server that cannot be reached is a ConnectionError, nothing applied", async () => {
  for (const host of [`127.0.0.1:${freePort()}`, "nowhere.invalid:1"]) {
    for (const http of [true, false]) {
      await using db = neon({ connectionString: `postgresql://ann:secret@${host}/books`, http });
      const calls = [() => db.execute(stmt("SELECT 1")), () => db.batch?.([stmt("SELECT 1")]), () => db.connect()];
      for (const call of calls) {
        if (call === calls[1] && !http) continue;
        const error = await rejection(call()!);
        assertInstanceOf(error, ConnectionError, String(error));
        assertEquals(error.notApplied, true);
        assertStringIncludes(error.message, `neon ${host}/books`);
      }
    }
  }
});

const answers: readonly (readonly [string, () => Response, Class, boolean])[] = [
  ["401", () => Response.json({ message: "no" }, { status: 401 }), AuthenticationError, true],
  ["403", () => new Response("blocked", { status: 403 }), AuthenticationError, true],
  ["429", () => new Response("slow down", { status: 429 }), ConnectionError, true],
  ["500", () => Response.json({ message: "oops" }, { status: 500 }), ConnectionError, false],
  ["502", () => new Response("<html>", { status: 502 }), ConnectionError, false],
  [
    "502 of a proxy with a refused connection",
    () => new Response("upstream: connection refused", { status: 502 }),
    ConnectionError,
    false,
  ],
  ["503", () => new Response(null, { status: 503 }), ConnectionError, false],
  ["507", () => new Response("large", { status: 507 }), DataError, false],
  ["a body that is cut", cut, ConnectionError, false],
  ["a body that is no JSON", () => new Response("{"), ConnectionError, false],
  ["a body that is no result", () => Response.json({ fields: [], rows: 5 }), DatabaseError, false],
  ["an empty body", () => new Response(null), ConnectionError, false],
  ["a 400 without a code", () => Response.json({ message: "what" }, { status: 400 }), ConnectionError, false],
];

for (const [name, answer, type, notApplied] of answers) {
  Deno.test(`execute() and batch() know ${name} for what it is`, async () => {
    await using server = await startNeon();
    await using db = neon(server.url);
    for (const call of [() => db.execute(stmt("SELECT 1")), () => db.batch!([stmt("SELECT 1"), stmt("SELECT 2")])]) {
      server.reset();
      server.failNext("after", answer);
      const error = await rejection(call());
      assertInstanceOf(error, type);
      assertEquals((error as DatabaseError).notApplied, notApplied);
      assertEquals(server.requests, 1);
    }
  });
}

Deno.test("what is too large is a DataError that says what to do", async () => {
  await using server = await startNeon({ maxRequest: 2000, maxResponse: 1000 });
  await using db = neon(server.url);
  await db.execute(stmt("CREATE TABLE t (v text)"));
  const insert = stmt("INSERT INTO t VALUES ($1)", "x".repeat(1500));
  const request = await rejection(db.batch!([insert, insert]));
  assertInstanceOf(request, DataError);
  assertStringIncludes(request.message, "send fewer rows");
  assertEquals(request.notApplied, true);
  const answer = await rejection(db.batch!([insert, stmt("SELECT v, v FROM t")]));
  assertInstanceOf(answer, DataError);
  assertStringIncludes(answer.message, "ask for fewer rows");
  assertEquals(await server.db.query("SELECT * FROM t"), []);
});

testEverywhere("a server that ends the connection leaves the outcome open", async ({ db }) => {
  const error = await rejection(db.execute(stmt("SELECT pg_terminate_backend(pg_backend_pid())")));
  assertInstanceOf(error, ConnectionError);
  assertEquals(error.notApplied, false);
  const connection = await db.connect().catch(() => undefined); // A Client's one connection is gone.
  await connection?.rollback();
}, withSockets);

Deno.test("translate() knows a refused connect in every runtime's words", () => {
  const coded = (code: string, message: string) => Object.assign(new Error(message), { code });
  const refused = [
    new TypeError("fetch failed", { cause: coded("ECONNREFUSED", "connect ECONNREFUSED 127.0.0.1:1") }),
    Object.assign(new Error("Error connecting to database: TypeError: fetch failed"), {
      sourceError: new TypeError("fetch failed", {
        cause: coded("ENOTFOUND", "getaddrinfo ENOTFOUND nowhere.invalid"),
      }),
    }),
    coded("ConnectionRefused", "Unable to connect. Is the computer able to access the url?"),
  ];
  const broken = [
    new TypeError("fetch failed", { cause: coded("ECONNRESET", "read ECONNRESET") }),
    new TypeError("fetch failed", {
      cause: Object.assign(coded("EHOSTUNREACH", "read EHOSTUNREACH"), { syscall: "read" }),
    }),
    new Error("Network connection lost."),
    new Error("Connection terminated unexpectedly"),
    new Event("error"),
    "a string",
  ];
  for (const [errors, notApplied] of [[refused, true], [broken, false]] as const) {
    for (const thrown of errors) {
      const error = translate(thrown, { where: "neon host", redact: redactor() });
      assertInstanceOf(error, ConnectionError);
      assertEquals(error.notApplied, notApplied, error.message);
    }
  }
  const lost = translate(coded("57P01", "terminating connection"), { where: "neon host", redact: redactor() });
  assertInstanceOf(lost, ConnectionError);
  assertEquals(lost.notApplied, false);
  const idle = translate(coded("25P03", "terminating connection"), { where: "neon host", redact: redactor() });
  assertInstanceOf(idle, TransactionLostError);
});
