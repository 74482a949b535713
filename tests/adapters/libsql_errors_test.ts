/** The driver's errors as Ledge's, the same on every transport. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { createClient } from "@libsql/client/web";
import { libsql } from "../../adapters/libsql_local.ts";
import { translate } from "../../adapters/libsql/errors.ts";
import { redactor } from "../../adapters/shared/secrets.ts";
import {
  AuthenticationError,
  CheckViolationError,
  ConnectionError,
  DatabaseError,
  DataError,
  ForeignKeyViolationError,
  IntegrityError,
  InvalidStateError,
  type LedgeError,
  LockTimeoutError,
  NotNullViolationError,
  StatementError,
  TransactionLostError,
  UniqueViolationError,
} from "../../src/errors.ts";
import { cut, startHrana } from "../servers/hrana.ts";
import { rejection, stmt, testEverywhere } from "./libsql_transports.ts";

const schema = [
  stmt(`CREATE TABLE authors (id INTEGER PRIMARY KEY, email TEXT UNIQUE, first, last, age INT NOT NULL DEFAULT 1,
    CONSTRAINT grown CHECK (age > 0), UNIQUE (first, last))`),
  stmt("CREATE TABLE tags (name TEXT)"),
  stmt("CREATE UNIQUE INDEX lower_name ON tags (lower(name))"),
  stmt("INSERT INTO tags VALUES ('Sea')"),
  stmt(`CREATE TABLE books (id TEXT PRIMARY KEY, author INT REFERENCES authors (id),
    later INT REFERENCES authors (id) DEFERRABLE INITIALLY DEFERRED)`),
  stmt("CREATE TABLE strict (n INT) STRICT"),
  stmt("CREATE TRIGGER keep BEFORE DELETE ON authors BEGIN SELECT RAISE(ABORT, 'authors stay'); END"),
  stmt("INSERT INTO authors (id, email, first, last) VALUES (1, 'a@b', 'A', 'B')"),
  stmt("INSERT INTO books (id) VALUES ('x')"),
];

type Class = new (...args: never[]) => LedgeError;
const faults: readonly (readonly [string, Class, string, Partial<DatabaseError>?])[] = [
  ["INSERT INTO authors (email) VALUES ('a@b')", UniqueViolationError, "UNIQUE constraint failed: authors.email", {
    table: "authors",
    columns: ["email"],
  }],
  ["INSERT INTO authors (first, last) VALUES ('A', 'B')", UniqueViolationError, "authors.first, authors.last", {
    table: "authors",
    columns: ["first", "last"],
  }],
  ["INSERT INTO tags VALUES ('sea')", UniqueViolationError, "lower_name", { constraint: "lower_name" }],
  ["INSERT INTO authors (id) VALUES (1)", UniqueViolationError, "authors.id", { table: "authors", columns: ["id"] }],
  ["INSERT INTO books (id) VALUES ('x')", UniqueViolationError, "books.id", { table: "books", columns: ["id"] }],
  ["INSERT INTO books (author) VALUES (9)", ForeignKeyViolationError, "FOREIGN KEY constraint failed"],
  ["INSERT INTO books (later) VALUES (9)", ForeignKeyViolationError, "FOREIGN KEY constraint failed"],
  ["INSERT INTO authors (age) VALUES (NULL)", NotNullViolationError, "authors.age", {
    table: "authors",
    columns: ["age"],
  }],
  ["INSERT INTO authors (age) VALUES (0)", CheckViolationError, "grown", { constraint: "grown" }],
  ["DELETE FROM authors", IntegrityError, "authors stay"],
  ["INSERT INTO authors (id) VALUES ('one')", DataError, "datatype mismatch"],
  ["INSERT INTO strict VALUES ('one')", DataError, "cannot store TEXT value in INT column strict.n", {
    table: "strict",
    columns: ["n"],
  }],
  ["SELECT zeroblob(2000000000)", DataError, "string or blob too big"],
  ["SELECT abs(-9223372036854775807 - 1)", DataError, "integer overflow"],
  ["SELECT json('{')", DataError, "malformed JSON"],
  ["SELECT json_extract('{}', 'ledge:stale:0:5:1')", DataError, "ledge:stale:0:5:1"],
  ["SELECT * FROM nowhere", StatementError, "no such table: nowhere"],
  ["SELECT missing FROM authors", StatementError, "no such column: missing"],
  ["SELECT nofun(1)", StatementError, "no such function: nofun"],
  ["INSERT INTO authors (missing) VALUES (1)", StatementError, "has no column named missing"],
  ["SELEC 1", StatementError, "syntax error"],
  ["SELECT (1", StatementError, "incomplete input"],
  ["SELECT 'a", StatementError, "unrecognized token"],
  ["SELECT id FROM authors, books", StatementError, "ambiguous column name: id"],
  ["SELECT abs()", StatementError, "wrong number of arguments"],
  ["CREATE TABLE authors (id)", StatementError, "already exists"],
  ["INSERT INTO strict VALUES (1, 2)", StatementError, "2 values"],
  ["", StatementError, ""],
];

testEverywhere("a fault of a statement has its class, and the server's words in full", async ({ db }) => {
  await db.batch(schema);
  for (const [sql, type, words, details] of faults) {
    const alone = await rejection(db.execute(stmt(sql)));
    const inBatch = await rejection(db.batch([stmt("SELECT 1"), stmt(sql)]));
    const connection = await db.connect();
    // A deferred constraint fails when the transaction commits.
    const inTransaction = await rejection(connection.execute(stmt(sql)).then(() => connection.commit()));
    await connection.rollback();
    for (const error of [alone, inBatch, inTransaction]) {
      assertInstanceOf(error, type, sql);
      assert(error instanceof DatabaseError);
      assertEquals(error.constructor, type, sql);
      assertStringIncludes(error.message, words);
      const { table, columns, constraint } = error;
      assertEquals({ table, columns, constraint }, {
        table: undefined,
        columns: undefined,
        constraint: undefined,
        ...details,
      });
      assertEquals(error.notApplied, true);
      assertInstanceOf(error.cause, Error);
    }
    const isDeferred = sql.includes("later");
    assertEquals((inBatch as DatabaseError).statementIndex, isDeferred ? undefined : 1, sql);
    assertEquals((alone as DatabaseError).statementIndex, undefined);
  }
  assertEquals((await db.execute(stmt("SELECT count(*) FROM authors"))).rows, [[1]]);
});

testEverywhere("a constraint's message ends with its code, once", async ({ db }) => {
  await db.batch(schema);
  const error = await rejection(db.execute(stmt("INSERT INTO authors (email) VALUES ('a@b')"))) as DatabaseError;
  assert(error.message.endsWith(`UNIQUE constraint failed: authors.email (${error.driverCode})`), error.message);
  assert(/^SQLITE_CONSTRAINT/.test(error.driverCode ?? ""));
});

testEverywhere("a write beside a transaction that writes is a LockTimeoutError", async ({ db }) => {
  await db.batch(schema);
  const connection = await db.connect();
  await connection.execute(stmt("INSERT INTO strict VALUES (1)"));
  await assertRejects(() => db.execute(stmt("INSERT INTO strict VALUES (2)")), LockTimeoutError);
  await connection.rollback();
  await db.execute(stmt("INSERT INTO strict VALUES (3)"));
  assertEquals((await db.execute(stmt("SELECT n FROM strict"))).rows, [[3]]);
});

testEverywhere("a closed database is an InvalidStateError", async ({ db }) => {
  await db.close();
  await db.close();
  await assertRejects(() => db.execute(stmt("SELECT 1")), InvalidStateError, "closed");
  await assertRejects(() => db.batch([stmt("SELECT 1")]), InvalidStateError);
  await assertRejects(() => db.connect(), InvalidStateError);
});

/** A port where nothing listens. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

for (const scheme of ["http", "ws"]) {
  Deno.test(`a server that cannot be reached is a ConnectionError, nothing applied, ${scheme}`, async () => {
    for (const host of [`127.0.0.1:${freePort()}`, "nowhere.invalid"]) {
      await using db = libsql({ url: `${scheme}://${host}` });
      const error = await rejection(db.execute(stmt("SELECT 1")));
      assertInstanceOf(error, ConnectionError);
      assertEquals(error.notApplied, true);
      assertStringIncludes(error.message, `libsql ${scheme}://${host} cannot be reached`);
      const connection = await db.connect().catch((error) => error);
      if (scheme === "ws") {
        assertInstanceOf(connection, ConnectionError);
        continue;
      }
      await assertRejects(() => connection.execute(stmt("SELECT 1")), ConnectionError);
      await assertRejects(() => connection.execute(stmt("SELECT 1")), TransactionLostError);
      await connection.rollback();
    }
  });

  Deno.test(`a wrong token is an AuthenticationError without the token, ${scheme}`, async () => {
    await using server = await startHrana({ token: "right-token" });
    await using db = libsql({ url: scheme === "http" ? server.url : server.wsUrl, authToken: "wrong-token" });
    for (const call of [() => db.execute(stmt("SELECT 1")), () => db.batch([stmt("SELECT 1"), stmt("SELECT 2")])]) {
      const error = await rejection(call());
      assertInstanceOf(error, AuthenticationError);
      assertEquals(error.notApplied, true);
      assert(!Deno.inspect(error).includes("wrong-token"));
    }
    await using good = libsql({ url: scheme === "http" ? server.url : server.wsUrl, authToken: "right-token" });
    assertEquals((await good.execute(stmt("SELECT 1"))).rows, [[1]]);
  });
}

const answers: readonly (readonly [string, () => Response, Class, boolean])[] = [
  ["401", () => Response.json({ error: "no" }, { status: 401 }), AuthenticationError, true],
  ["403 with a message", () => Response.json({ message: "blocked" }, { status: 403 }), AuthenticationError, true],
  ["429", () => new Response("slow down", { status: 429 }), ConnectionError, true],
  ["500 with a message", () => Response.json({ message: "oops" }, { status: 500 }), ConnectionError, false],
  [
    "502",
    () => new Response("<html>", { status: 502, headers: { "content-type": "text/html" } }),
    ConnectionError,
    false,
  ],
  [
    "502 of a proxy with a refused connection",
    () => Response.json({ message: "upstream: connection refused" }, { status: 502 }),
    ConnectionError,
    false,
  ],
  ["503", () => new Response(null, { status: 503 }), ConnectionError, false],
  ["404", () => new Response("Not found", { status: 404 }), ConnectionError, false],
  ["a body that is cut", cut, ConnectionError, false],
  ["a body that is no JSON", () => new Response("{"), ConnectionError, false],
  ["a body that is no Hrana", () => Response.json({ results: 1 }), ConnectionError, false],
  ["an empty body", () => new Response(null), ConnectionError, false],
  [
    "an expired stream",
    () => Response.json({ message: "The stream has expired", code: "STREAM_EXPIRED" }, { status: 400 }),
    TransactionLostError,
    true,
  ],
];

for (const [name, answer, type, notApplied] of answers) {
  Deno.test(`execute() knows ${name} for what it is`, async () => {
    await using server = await startHrana();
    await using db = libsql({ url: server.url });
    server.failNext("after", answer);
    const error = await rejection(db.execute(stmt("CREATE TABLE t (id)")));
    assertInstanceOf(error, type);
    assertEquals((error as DatabaseError).notApplied, notApplied);
    assertEquals(server.requests, 1);
  });
}

Deno.test("a WebSocket that breaks is a ConnectionError, and the next call connects again", async () => {
  await using server = await startHrana();
  await using db = libsql({ url: server.wsUrl });
  await db.execute(stmt("CREATE TABLE t (id)"));
  server.afterMessage = () => "cut";
  const error = await rejection(db.execute(stmt("INSERT INTO t VALUES (1)")));
  assertInstanceOf(error, ConnectionError);
  assertEquals(error.notApplied, false);
  delete server.afterMessage;
  assertEquals((await db.execute(stmt("SELECT count(*) FROM t"))).rows, [[1]]);
});

Deno.test("translate() knows a refused connect in every runtime's words", () => {
  const coded = (code: string, message: string) => Object.assign(new Error(message), { code });
  const refused = [
    new TypeError("fetch failed", {
      cause: new Error("client error (Connect): tcp connect error: Connection refused"),
    }),
    new TypeError("fetch failed", { cause: coded("ECONNREFUSED", "connect ECONNREFUSED 127.0.0.1:1") }),
    new TypeError("fetch failed", { cause: coded("ENOTFOUND", "getaddrinfo ENOTFOUND nowhere.invalid") }),
    coded("ConnectionRefused", "Unable to connect. Is the computer able to access the url?"),
    new Error("connect(): Connection refused"),
  ];
  const broken = [
    new TypeError("fetch failed", { cause: coded("ECONNRESET", "read ECONNRESET") }),
    new TypeError("fetch failed", { cause: coded("UND_ERR_SOCKET", "other side closed") }),
    new Error("Network connection lost."),
    new TypeError("Failed to fetch"),
    "a string",
  ];
  for (const [errors, notApplied] of [[refused, true], [broken, false]] as const) {
    for (const thrown of errors) {
      const error = translate(thrown, { where: "libsql https://host", redact: redactor() });
      assertInstanceOf(error, ConnectionError);
      assertEquals(error.notApplied, notApplied, error.message);
    }
  }
});

Deno.test("what a client's own fetch may have sent twice may be applied, whatever became of the second one", async () => {
  const refused = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" });
  for (const [thrown, status] of [[refused, undefined], [new Error("Too many requests"), 429]] as const) {
    for (const maySendTwice of [false, true]) {
      const error = translate(thrown, { where: "libsql client (http)", redact: redactor(), status, maySendTwice });
      assertInstanceOf(error, ConnectionError);
      assertEquals(error.notApplied, !maySendTwice, error.message);
    }
  }
  const login = { where: "libsql client (http)", redact: redactor(), status: 401, maySendTwice: true };
  assertEquals((translate(new Error("Unauthorized"), login) as DatabaseError).notApplied, true);
  const url = `http://127.0.0.1:${freePort()}`;
  for (const [db, notApplied] of [[libsql({ url }), true], [libsql(createClient({ url })), false]] as const) {
    const error = await rejection(db.execute(stmt("CREATE TABLE t (id)")));
    assertInstanceOf(error, ConnectionError);
    assertEquals(error.notApplied, notApplied, error.message);
  }
});
