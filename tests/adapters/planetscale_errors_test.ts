/** The driver's and the server's errors as Ledge's. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { Client, format } from "@planetscale/database";
import { planetscale } from "../../adapters/planetscale.ts";
import { translate } from "../../adapters/planetscale/errors.ts";
import { redactor } from "../../adapters/shared/secrets.ts";
import { isLoss } from "../../src/session/failures.ts";
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
  UnsupportedError,
} from "../../src/errors.ts";
import { CONFLICT, INCREMENT, incrementGuard, onConflict } from "../../src/sql/mysql_guard.ts";
import { cut, startFront } from "../servers/planetscale.ts";
import { rejection, stmt, test, testEverywhere } from "./planetscale_setups.ts";

const schema = `
  CREATE TABLE authors (id INT PRIMARY KEY, email VARCHAR(30), first VARCHAR(30), last VARCHAR(30), age INT NOT NULL DEFAULT 1,
    must INT NOT NULL, small VARCHAR(2), size TINYINT, kind ENUM('a','b'), CONSTRAINT grown CHECK (age > 0),
    UNIQUE KEY email_key (email), UNIQUE KEY names (first, last));
  CREATE TABLE books (id VARCHAR(10) PRIMARY KEY, author INT, CONSTRAINT of_author FOREIGN KEY (author) REFERENCES authors (id));
  CREATE TABLE tags (name VARCHAR(10));
  CREATE TRIGGER stay BEFORE DELETE ON tags FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'tags stay';
  INSERT INTO tags VALUES ('sea');
  INSERT INTO authors (id, email, first, last, must) VALUES (1, 'a@b', 'A', 'B', 1);
  INSERT INTO books VALUES ('x', 1);
`;

type Class = new (...args: never[]) => LedgeError;
type Details = Partial<Pick<DatabaseError, "table" | "columns" | "constraint">>;
const foreign = { table: "books", columns: ["author"], constraint: "of_author" };
const stale = "SELECT CAST(CONCAT('ledge:stale:0:', 5, ':1') AS SIGNED) UNION ALL SELECT 1";
const faults: readonly (readonly [string, Class, code: string, words: string, Details?])[] = [
  ["INSERT INTO authors (id, must, email) VALUES (2, 1, 'a@b')", UniqueViolationError, "1062", "email_key", {
    constraint: "email_key",
  }],
  ["INSERT INTO authors (id, must) VALUES (1, 1)", UniqueViolationError, "1062", "PRIMARY", { constraint: "PRIMARY" }],
  ["INSERT INTO authors (id, must, first, last) VALUES (2, 1, 'A', 'B')", UniqueViolationError, "1062", "names", {
    constraint: "names",
  }],
  ["INSERT INTO books VALUES ('y', 9)", ForeignKeyViolationError, "1452", "of_author", foreign],
  ["DELETE FROM authors", ForeignKeyViolationError, "1451", "of_author", foreign],
  ["INSERT INTO authors (id, must, age) VALUES (2, 1, NULL)", NotNullViolationError, "1048", "age", {
    columns: ["age"],
  }],
  ["INSERT INTO authors (id) VALUES (2)", NotNullViolationError, "1364", "must", { columns: ["must"] }],
  ["INSERT INTO authors (id, must, age) VALUES (2, 1, 0)", CheckViolationError, "4025", "grown", {
    table: "authors",
    constraint: "grown",
  }],
  ["DELETE FROM tags", IntegrityError, "1644", "tags stay"],
  ["UPDATE authors SET small = 'abc'", DataError, "1406", "too long", { columns: ["small"] }],
  ["UPDATE authors SET size = 300", DataError, "1264", "Out of range", { columns: ["size"] }],
  ["UPDATE authors SET kind = 'c'", DataError, "1265", "truncated", { columns: ["kind"] }],
  ["UPDATE authors SET size = 'x'", DataError, "1366", "Incorrect", { table: "authors", columns: ["size"] }],
  ["SELECT 9223372036854775807 + 1", DataError, "1690", "out of range"],
  [`UPDATE authors SET age = IF(age < 1, 1, (${stale}))`, DataError, "1292", "'ledge:stale:0:5:1'"],
  ["UPDATE authors SET age = (SELECT 1 UNION ALL SELECT 2)", StatementError, "1242", "more than 1 row"],
  ["SELECT * FROM nowhere", StatementError, "1146", "nowhere"],
  ["SELECT missing FROM authors", StatementError, "1054", "missing"],
  ["SELECT nofun(1)", StatementError, "1305", "nofun"],
  ["SELECT * FROM nodb_ledge.t", StatementError, "1146", "nodb_ledge"],
  ["SELEC 1", StatementError, "INVALIDARGUMENT", "syntax error at position"],
  ["CREATE TABLE authors (id INT)", StatementError, "1050", "already exists"],
];

testEverywhere("a fault of a statement has its class, and says the server's words", async ({ db, server }) => {
  await server.run(schema);
  for (const [sql, type, code, words, details = {}] of faults) {
    const errors: unknown[] = [await assertRejects(() => db.execute(stmt(sql)), LedgeError, words, sql)];
    if (!sql.startsWith("CREATE")) {
      const connection = await db.connect();
      const error = await rejection(connection.batch([stmt("SELECT 1"), stmt(sql)])) as DatabaseError;
      assertEquals(error.statementIndex, 1, sql);
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
      const none = { table: undefined, columns: undefined, constraint: undefined };
      assertEquals({ table, columns, constraint }, { ...none, ...details }, sql);
      assertEquals(error.notApplied, true);
      assertInstanceOf(error.cause, Error);
    }
  }
  assertEquals(await server.run("SELECT id FROM authors"), [{ id: 1 }]);
});

testEverywhere("no message, cause or log shows the values of a row", async ({ db, server }) => {
  await server.run("CREATE TABLE t (email VARCHAR(60) PRIMARY KEY, n TINYINT, d DATE)");
  const secret = "ann' for key 'x' (errno 1213) (sqlstate 40001)";
  const insert = (email: string, n: unknown, d: string | null = null) =>
    stmt("INSERT INTO t VALUES (?, ?, ?)", email, n as string, d);
  await db.execute(insert(secret, 1));
  const all: readonly (readonly [ReturnType<typeof stmt>, Class])[] = [
    [insert(secret, 2), UniqueViolationError],
    [insert("b", secret), DataError],
    [insert("c", 1, secret), DataError],
    [insert(secret.repeat(3), 1), DataError],
    [stmt("INSERT INTO t VALUES (?) VALUES", secret), StatementError],
    [stmt("SELECT * FROM nowhere WHERE a = ?", secret), StatementError],
  ];
  for (const [one, type] of all) {
    const connection = await db.connect();
    for (const error of [await rejection(db.execute(one)), await rejection(connection.execute(one))]) {
      assertInstanceOf(error, type);
      for (const shown of [Deno.inspect(error, { depth: 9 }), error.stack ?? "", JSON.stringify(error)]) {
        assert(!shown.includes("ann"), shown);
      }
    }
    await connection.rollback();
  }
});

const where = "planetscale host";
/** An error as the driver throws it. */
function thrown(message: string, code = "UNKNOWN", status = 400): Error {
  return Object.assign(new Error(message), { name: "DatabaseError", status, body: { code, message } });
}
const fromTablet = (code: string, words: string) =>
  `target: books.-.primary: vttablet: rpc error: code = ${code} desc = ${words} (CallerID: x): Sql: "select 's3cret' from t where a = :a", BindVars: {a: "type:VARCHAR value:\\"s3cret\\""}`;
const numbered = (errno: number, state = "HY000") =>
  fromTablet("Unknown", `words (errno ${errno}) (sqlstate ${state})`);

const said: readonly (readonly [message: string, code: string, Class, notApplied: boolean | "open"])[] = [
  [
    fromTablet("Aborted", "transaction 17: ended at 2024-01-02 03:04:05.678 UTC (exceeded timeout: 20s)"),
    "ABORTED",
    TransactionLostError,
    true,
  ],
  [
    fromTablet("Aborted", "transaction 17: not found (potential transaction timeout)"),
    "UNKNOWN",
    TransactionLostError,
    true,
  ],
  [
    fromTablet("Aborted", "transaction 17: ended at 2024-01-02 03:04:05.678 UTC (transaction committed)"),
    "ABORTED",
    ConnectionError,
    "open",
  ],
  [numbered(1216, "23000"), "UNKNOWN", ForeignKeyViolationError, true],
  [numbered(1263, "22004"), "UNKNOWN", NotNullViolationError, true],
  ["Check constraint 'grown' is violated. (errno 3819) (sqlstate HY000)", "UNKNOWN", CheckViolationError, true],
  [numbered(1213, "40001"), "UNKNOWN", DeadlockError, true],
  [numbered(1205), "UNKNOWN", LockTimeoutError, true],
  [numbered(3572), "UNKNOWN", LockTimeoutError, true],
  [numbered(1020), "UNKNOWN", SerializationError, true],
  [numbered(3024), "UNKNOWN", TimeoutError, true],
  [numbered(1969, "70100"), "UNKNOWN", TimeoutError, true],
  [numbered(1317, "70100"), "UNKNOWN", TimeoutError, true],
  [numbered(1045, "28000"), "UNKNOWN", AuthenticationError, true],
  [numbered(1044, "42000"), "UNKNOWN", AuthenticationError, true],
  [numbered(1142, "42000"), "UNKNOWN", AuthenticationError, true],
  [numbered(1049, "42000"), "UNKNOWN", StatementError, true],
  [numbered(1064, "42000"), "UNKNOWN", StatementError, true],
  [numbered(4242, "22001"), "UNKNOWN", DataError, true],
  [numbered(4242, "42S99"), "UNKNOWN", StatementError, true],
  [numbered(4242, "HY000"), "UNKNOWN", DatabaseError, true],
  [numbered(1040, "08004"), "UNKNOWN", ConnectionError, true],
  [numbered(2013), "UNKNOWN", ConnectionError, "open"],
  [numbered(2006), "UNKNOWN", ConnectionError, "open"],
  [numbered(1927, "70100"), "UNKNOWN", ConnectionError, "open"],
  [fromTablet("DeadlineExceeded", "context deadline exceeded"), "DEADLINE_EXCEEDED", TimeoutError, "open"],
  [fromTablet("Unavailable", "primary is not serving"), "UNKNOWN", ConnectionError, "open"],
  [
    fromTablet("ResourceExhausted", "transaction pool connection limit exceeded"),
    "RESOURCE_EXHAUSTED",
    ConnectionError,
    true,
  ],
  [fromTablet("ResourceExhausted", "grpc: received message larger than max (17 vs. 16)"), "UNKNOWN", DataError, "open"],
  ["Row count exceeded 100000 (errno 10001) (sqlstate HY000)", "RESOURCE_EXHAUSTED", DataError, "open"],
  ["syntax error at position 3 near 's3cret'", "INVALID_ARGUMENT", StatementError, true],
  ["VT12001: unsupported: in scatter query", "UNIMPLEMENTED", StatementError, true],
  ["table nowhere not found", "NOT_FOUND", StatementError, true],
  ["not allowed", "PERMISSION_DENIED", AuthenticationError, true],
  ["what", "INTERNAL", DatabaseError, "open"],
  ["what", "", ConnectionError, "open"],
];

Deno.test("translate() knows what Vitess says, and what is certain of it", () => {
  for (const [message, code, type, certain] of said) {
    for (const uncommitted of [false, true]) {
      const error = translate(thrown(message, code), { where, redact: redactor(), uncommitted });
      assertEquals(error.constructor, type, message);
      assert(error instanceof DatabaseError);
      assertEquals(error.notApplied, certain === true || uncommitted, message);
      for (const shown of [Deno.inspect(error, { depth: 9 }), error.stack ?? "", JSON.stringify(error)]) {
        assert(!shown.includes("s3cret"), shown);
      }
    }
  }
});

Deno.test("translate() keeps what the server says and takes out the values that it says it with", () => {
  const shown: readonly (readonly [string, string])[] = [
    ["Duplicate entry 's3cret' for key 't.k' (errno 1062) (sqlstate 23000)", "Duplicate entry '…' for key 't.k'"],
    [
      "Incorrect integer value: 's3cret' for column `d`.`t`.`n` at row 1 (errno 1366) (sqlstate 22007)",
      "Incorrect integer value: '…' for column `d`.`t`.`n`",
    ],
    ["Incorrect DATE value: 's3cret' (errno 1525) (sqlstate HY000)", "Incorrect DATE value: '…' (errno"],
    [
      "Incorrect datetime value: 's3cret' for function str_to_date (errno 1411) (sqlstate HY000)",
      "for function str_to_date",
    ],
    [
      "Truncated incorrect DOUBLE value: 's3cret' (errno 1292) (sqlstate 22007)",
      "Truncated incorrect DOUBLE value: '…'",
    ],
    [
      "BIGINT value is out of range in '(`t`.`n` + s3cret)' (errno 1690) (sqlstate 22003)",
      "BIGINT value is out of range in '…'",
    ],
    [
      "Foreign key constraint for table 't', record 's3cret' would lead to a duplicate entry in table 'u', key 'k' (errno 1761) (sqlstate 23000)",
      "would lead to a duplicate entry in table 'u'",
    ],
    ["Table has no partition for value s3cret (errno 1526) (sqlstate HY000)", "no partition for value …"],
    [
      "You have an error in your SQL syntax; check the manual to use near 'FROM t WHERE a = 's3cret'' at line 1 (errno 1064) (sqlstate 42000)",
      "near 'FROM t WHERE a = …' at line 1",
    ],
    [
      "Data too long for column 'v' at row 1 (errno 1406) (sqlstate 22001) (CallerID: s3cret): Sql: [s3cret], BindVars: {}",
      "Data too long for column 'v' at row 1 (errno 1406)",
    ],
  ];
  for (const [message, words] of shown) {
    const error = translate(thrown(message), { where, redact: redactor() });
    assertStringIncludes(error.message, words);
    assert(!Deno.inspect(error, { depth: 9 }).includes("s3cret"), error.message);
  }
});

Deno.test("an error that the transaction did not outlive is one for the session too", () => {
  for (const [message, code, type] of said) {
    const error = translate(thrown(message, code), { where, redact: redactor(), uncommitted: true });
    const ends = ([TransactionLostError, DeadlockError, ConnectionError, TimeoutError] as Class[]).includes(type);
    assertEquals(isLoss(error), ends, message);
  }
});

Deno.test("translate() names the table, the key and the columns in MySQL's words as in MariaDB's", () => {
  const duplicate = translate(thrown("Duplicate entry 'x' for key 'authors.names' (errno 1062) (sqlstate 23000)"), {
    where,
    redact: redactor(),
  }) as DatabaseError;
  assertEquals([duplicate.table, duplicate.constraint], ["authors", "names"]);
  const check = translate(thrown("Check constraint 'grown' is violated. (errno 3819) (sqlstate HY000)"), {
    where,
    redact: redactor(),
  }) as DatabaseError;
  assertEquals([check.table, check.constraint], [undefined, "grown"]);
});

const failed = (value: string) => `Truncated incorrect INTEGER value: '${value}' (errno 1292) (sqlstate 22007)`;
const upserting = `INSERT INTO t (a, b) VALUES (1, 'SELECT')${onConflict(["`a`"], ["`b` = VALUES(`b`)"])}`;
const counting = `INSERT INTO t (id, b) VALUES (${incrementGuard(1)}, 'SELECT'), (NULL, 'b')`;
const several = "Subquery returns more than 1 row (errno 1242) (sqlstate 21000)";

Deno.test("what guards say is understood", () => {
  const told = (message: string, sql: string) => translate(thrown(message), { where, redact: redactor(), sql });
  const increment = told(failed("ledge:increment:3"), counting);
  assertInstanceOf(increment, UnsupportedError);
  assertStringIncludes(increment.message, "autoIncrementIncrement: 3");
  const conflict = told(failed("ledge:conflict"), upserting);
  assertInstanceOf(conflict, UniqueViolationError);
  assertStringIncludes(conflict.message, "A row was in conflict with another unique key");
  // Without strict mode the text alone tells.
  assertInstanceOf(told(several, counting), UnsupportedError);
  assertInstanceOf(told(several, upserting), UniqueViolationError);
  for (const token of ["ledge:stale:3:17:2", "ledge:require:4"]) {
    assertStringIncludes(translate(thrown(failed(token)), { where, redact: redactor() }).message, `'${token}'`);
  }
});

Deno.test("what a value says is not taken for what a guard says", () => {
  for (
    const value of ["ledge:increment:7", "ledge:conflict", "CAST('ledge:conflict' AS SIGNED)", CONFLICT, INCREMENT]
  ) {
    const sql = format("UPDATE t SET b = ?, n = (SELECT n FROM u)", [value]);
    for (const message of [failed(value), several]) {
      const error = translate(thrown(message), { where, redact: redactor(), sql });
      assertEquals(error.constructor, message === several ? StatementError : DataError, `${value}: ${message}`);
    }
  }
});

Deno.test("a subquery of the statement's own that could have failed in place of a guard is told with it", () => {
  const own = "(SELECT 1 UNION ALL SELECT 2)";
  const all = [[upserting.replace("VALUES(`b`)", own), "onConflict()"], [
    counting.replace("'b'", own),
    "auto_increment_increment",
  ]];
  for (const [sql, words] of all as [string, string][]) {
    const error = translate(thrown(several), { where, redact: redactor(), sql });
    assertEquals(error.constructor, StatementError, sql);
    assertStringIncludes(error.message, "a subquery of the statement gave several rows");
    assertStringIncludes(error.message, words);
  }
});

Deno.test("a transaction that vtgate undid is lost; of a single statement the reason counts", () => {
  const reason = fromTablet("AlreadyExists", "Duplicate entry '1' for key 't.PRIMARY' (errno 1062) (sqlstate 23000)");
  const message = `transaction rolled back to reverse changes of partial DML execution: ${reason}`;
  const tell = (uncommitted: boolean) => translate(thrown(message), { where, redact: redactor(), uncommitted });
  assertEquals([tell(true).constructor, tell(false).constructor], [TransactionLostError, UniqueViolationError]);
});

testEverywhere("a closed database is an InvalidStateError", async ({ db }) => {
  await db.close();
  await db.close();
  await assertRejects(() => db.execute(stmt("SELECT 1")), InvalidStateError, "closed");
  await assertRejects(() => db.connect(), InvalidStateError);
  await assertRejects(() => db.check(), InvalidStateError);
  await assertRejects(() => db.twoPhase.list(), InvalidStateError);
});

test("a wrong password is an AuthenticationError that does not show it", async () => {
  await using server = await startFront();
  const password = "wr0ng p/assword";
  const url = new URL(server.url);
  url.password = password;
  for (const db of [planetscale({ url: url.href }), planetscale(new Client({ url: url.href }))]) {
    const connection = await db.connect();
    for (const call of [() => db.execute(stmt("SELECT 1")), () => connection.execute(stmt("SELECT 1"))]) {
      const error = await rejection(call());
      assertInstanceOf(error, AuthenticationError);
      assertEquals(error.notApplied, true);
      for (const seen of [Deno.inspect(error, { depth: 9 }), Deno.inspect(db), JSON.stringify([error, db])]) {
        for (const hidden of [password, encodeURIComponent(password), url.href]) assert(!seen.includes(hidden), seen);
      }
    }
    await connection.rollback();
  }
});

/** A port where nothing listens. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test("a server that cannot be reached is a ConnectionError, nothing applied", async () => {
  for (const host of [`127.0.0.1:${freePort()}`, "nowhere.invalid"]) {
    await using db = planetscale({ url: `http://ann:secret@${host}` });
    const error = await rejection(db.execute(stmt("SELECT 1")));
    assertInstanceOf(error, ConnectionError, String(error));
    assertEquals(error.notApplied, true);
    assertStringIncludes(error.message, `planetscale http://${host} cannot be reached`);
    const connection = await db.connect();
    await assertRejects(() => connection.commit([stmt("SELECT 1")]), TransactionLostError);
    await connection.rollback();
  }
});

const json = (code: string, status: number) => () => Response.json({ error: { code, message: "no" } }, { status });
const answers: readonly (readonly [string, () => Response, Class, boolean])[] = [
  ["401", json("unauthenticated", 401), AuthenticationError, true],
  ["403", () => new Response("blocked", { status: 403 }), AuthenticationError, true],
  ["429", () => new Response("slow down", { status: 429 }), ConnectionError, true],
  ["413", () => new Response("large", { status: 413 }), DataError, true],
  ["500", json("internal", 500), ConnectionError, false],
  ["502", () => new Response("<html>", { status: 502 }), ConnectionError, false],
  [
    "502 of a proxy with a refused connection",
    () => Response.json({ error: { code: "internal", message: "upstream: connection refused" } }, { status: 502 }),
    ConnectionError,
    false,
  ],
  ["503", () => new Response(null, { status: 503 }), ConnectionError, false],
  ["520", () => new Response("cloudflare", { status: 520 }), ConnectionError, false],
  ["a body that is cut", cut, ConnectionError, false],
  ["a body that is no JSON", () => new Response("{"), ConnectionError, false],
  ["a body that is no object", () => Response.json(null), ConnectionError, false],
  ["a body that is no result", () => Response.json({ result: { fields: 5 } }), ConnectionError, false],
  [
    "a row that is too short",
    () => {
      const result = {
        fields: [{ name: "a", type: "INT8" }, { name: "b", type: "INT8" }],
        rows: [{ lengths: ["1"], values: btoa("1") }],
      };
      return Response.json({ session: {}, result });
    },
    DatabaseError,
    false,
  ],
  ["an empty body", () => new Response(null), ConnectionError, false],
];

for (const [name, answer, type, notApplied] of answers) {
  test(`execute() knows ${name} for what it is`, async () => {
    await using server = await startFront();
    await using db = planetscale({ url: server.url });
    server.failNext("after", answer);
    const error = await rejection(db.execute(stmt("SELECT 1")));
    assertInstanceOf(error, type, String(error));
    assertEquals((error as DatabaseError).notApplied, notApplied);
    assertEquals(server.requests, 1);
  });
}

testEverywhere("a result with too many rows is a DataError that says so", async ({ db }) => {
  await assertRejects(() => db.execute(stmt("SELECT * FROM seq_1_to_20")), DataError, "Row count exceeded 10");
}, { maxRows: 10 });

testEverywhere("a server that ends the connection leaves the outcome open, or loses a transaction", async (place) => {
  const { db, server } = place;
  const gone = new Set<unknown>();
  const killed = async (call: Promise<unknown>) => {
    const error = rejection(call);
    for (let ids: unknown[] = []; ids.length === 0;) {
      const sql = "SELECT id FROM information_schema.processlist WHERE db = database() AND state = 'User sleep'";
      // One that was killed before may be listed for a while.
      ids = (await server.run(sql)).map(({ id }) => id).filter((id) => !gone.has(id));
      for (const id of ids) {
        gone.add(id);
        await server.run(`KILL ${id}`);
      }
    }
    return await error;
  };
  const sleep = stmt("SELECT SLEEP(60)");
  const alone = await killed(db.execute(sleep));
  assertInstanceOf(alone, ConnectionError);
  assertEquals(alone.notApplied, false);
  const connection = await db.connect();
  const lost = await killed(connection.execute(sleep));
  assertInstanceOf(lost, TransactionLostError);
  assertEquals(lost.notApplied, true);
  await assertRejects(() => connection.execute(stmt("SELECT 1")), TransactionLostError);
  await connection.rollback();
});

Deno.test("translate() knows a refused connect in every runtime's words", () => {
  const coded = (code: string, message: string) => Object.assign(new Error(message), { code });
  const refused = [
    new TypeError("fetch failed", { cause: coded("ECONNREFUSED", "connect ECONNREFUSED 127.0.0.1:1") }),
    coded("ConnectionRefused", "Unable to connect. Is the computer able to access the url?"),
  ];
  const broken = [
    new TypeError("fetch failed", { cause: coded("ECONNRESET", "read ECONNRESET") }),
    new Error("Network connection lost."),
    "a string",
  ];
  for (const [errors, notApplied] of [[refused, true], [broken, false]] as const) {
    for (const one of errors) {
      const error = translate(one, { where, redact: redactor() });
      assertInstanceOf(error, ConnectionError);
      assertEquals(error.notApplied, notApplied, error.message);
    }
  }
});
