/**
 * Rows over HTTP are taken out of the answer before the driver reads it. What they must be is what the driver makes of
 * them, so that each answer here is read by both: by a database made from a URL, and by one over a client of the user's.
 * The answers are written by hand: no server would give most of them when asked.
 */
import { assertEquals, assertInstanceOf } from "@std/assert";
import { createClient } from "@libsql/client/web";
import { libsql, type LibsqlDatabase } from "../../adapters/libsql.ts";
import { Wire } from "../../adapters/libsql/fetch.ts";
import { safeFetch } from "../../adapters/shared/fetch.ts";
import { type DatabaseError, LedgeError, UniqueViolationError } from "../../src/errors.ts";
import { Session } from "../../src/session/session.ts";
import type { ResultSet } from "../../src/sql/statement.ts";
import { startHrana } from "../servers/hrana.ts";
import { rejection, stmt } from "./kit.ts";

const url = "http://localhost:1";
const cell = (type: string, value?: unknown) => type === "blob" ? { type, base64: value } : { type, value };
const text = (value: string) => cell("text", value);

/** A statement's result. */
function result(columns: readonly string[], rows: unknown, fields: Record<string, unknown> = {}) {
  const cols = columns.map((name) => ({ name, decltype: null }));
  return { cols, rows, affected_row_count: 0, last_insert_rowid: null, ...fields };
}

const ok = (response: unknown) => ({ type: "ok", response });
const closed = ok({ type: "close" });
const answering = (...results: unknown[]) => ({ baton: null, base_url: null, results });
const executed = (one: unknown) => answering(ok({ type: "execute", result: one }), closed);
const failed = { message: "UNIQUE constraint failed: t.id", code: "SQLITE_CONSTRAINT" };

/** An answer to a batch of texts, which are stored first: BEGIN, its statements, COMMIT, ROLLBACK. */
function batched(steps: readonly unknown[], errors: readonly unknown[] = steps.map(() => null)) {
  const nothing = result([], []);
  const all = { step_results: [nothing, ...steps, nothing, null], step_errors: [null, ...errors, null, null] };
  return answering(...steps.map(() => ok({ type: "store_sql" })), ok({ type: "batch", result: all }), closed);
}

function json(body: unknown, init: ResponseInit = {}): Response {
  const headers = { "content-type": "application/json" };
  return new Response(typeof body === "string" ? body : JSON.stringify(body), { headers, ...init });
}

/** What a call gives on a database made from a URL, which must be what it gives over a client of the user's. */
async function read(answer: () => Response, call: (db: LibsqlDatabase) => Promise<unknown>): Promise<unknown> {
  const fetch = () => Promise.resolve(answer());
  const told = async (db: LibsqlDatabase) => {
    try {
      return await call(db);
    } catch (error) {
      assertInstanceOf(error, LedgeError);
      const { name, message, notApplied, statementIndex, driverCode } = error as DatabaseError;
      return { name, message: message.replace(db.description, "…"), notApplied, statementIndex, driverCode };
    }
  };
  const own = await told(libsql({ url, fetch }));
  const client = createClient({ url, intMode: "bigint", fetch });
  assertEquals(own, await told(libsql(client)));
  client.close();
  return own;
}

const execute = (answer: unknown) => read(() => json(answer), (db) => db.execute(stmt("SELECT 1")));
const rowsOf = async (answer: unknown) => (await execute(answer) as ResultSet).rows;

Deno.test("rows over HTTP have exact values", async () => {
  const max = "9223372036854775807", min = "-9223372036854775808";
  const integers = ["0", "-1", "9007199254740991", "9007199254740992", "-9007199254740993", max, min];
  const floats = [0, -0, 0.1, 5e-324, 1.7976931348623157e308, 2 ** 53, 9007199254740993];
  const texts = ["", "null", "Zoë 漢字 🌒", "a\0b", "x".repeat(100_000), "9223372036854775807"];
  const blobs = ["", "AA", "AA==", "AAE", "AAEC", "/+8"];
  const rows = await rowsOf(executed(result(["v"], [
    ...integers.map((value) => [cell("integer", value)]),
    ...floats.map((value) => [cell("float", value)]),
    ...texts.map((value) => [text(value)]),
    ...blobs.map((value) => [cell("blob", value)]),
    [cell("null")],
  ])));
  assertEquals(rows, [
    [0],
    [-1],
    [Number.MAX_SAFE_INTEGER],
    [2n ** 53n],
    [-(2n ** 53n) - 1n],
    [2n ** 63n - 1n],
    [-(2n ** 63n)],
    ...floats.map((value) => [value]),
    ...texts.map((value) => [value]),
    [new Uint8Array()],
    [new Uint8Array([0])],
    [new Uint8Array([0])],
    [new Uint8Array([0, 1])],
    [new Uint8Array([0, 1, 2])],
    [new Uint8Array([255, 239])],
    [null],
  ]);
});

Deno.test("results over HTTP keep columns, counts and keys, with rows and without", async () => {
  const two = result(["a", "a"], [[text("x"), text("y")], [text("z"), cell("null")]]);
  assertEquals(await execute(executed(two)), {
    columns: ["a", "a"],
    rows: [["x", "y"], ["z", null]],
    rowsAffected: 2,
  });
  assertEquals(await execute(executed(result(["a"], []))), { columns: ["a"], rows: [], rowsAffected: 0 });
  const written = result([], [], { affected_row_count: 3, last_insert_rowid: "9007199254740993" });
  assertEquals(await execute(executed(written)), {
    columns: [],
    rows: [],
    rowsAffected: 3,
    lastInsertId: 2n ** 53n + 1n,
  });
  const returned = result(["id"], [[cell("integer", "7")]], { affected_row_count: 1, last_insert_rowid: "7" });
  assertEquals(await execute(executed(returned)), { columns: ["id"], rows: [[7]], rowsAffected: 1 });
  const nameless = { ...result([], [[text("x")]]), cols: [{ name: null, decltype: null }] };
  assertEquals(await execute(executed(nameless)), { columns: [""], rows: [["x"]], rowsAffected: 1 });
});

Deno.test("each result of a batch over HTTP has its own rows", async () => {
  const answer = batched([
    result(["v"], [[text("same")], [text("first")]]),
    result(["v"], []),
    result([], [], { affected_row_count: 1, last_insert_rowid: "4" }),
    result(["v"], [[text("same")], [text("last")]]),
    result(["v"], [[text("same")], [text("last")]]),
  ]);
  const statements = Array.from({ length: 5 }, (_, i) => stmt(`SELECT ${i}`));
  const results = await read(() => json(answer), (db) => db.batch(statements)) as ResultSet[];
  const last = [["same"], ["last"]];
  assertEquals(results.map(({ rows }) => rows), [[["same"], ["first"]], [], [], last, last]);
});

Deno.test("an error inside an answer over HTTP is the driver's, whatever rows stand beside it", async () => {
  const some = result(["v"], [[text("x")]]);
  const error = { results: [{ type: "error", error: failed }, closed] };
  const { name } = await execute(error) as Error;
  assertEquals(name, "UniqueViolationError");
  const steps = batched([some, null, null], [null, failed, null]);
  const three = [stmt("SELECT 1"), stmt("SELECT 2"), stmt("SELECT 3")];
  const found = await read(() => json(steps), (db) => db.batch(three)) as UniqueViolationError;
  assertEquals([found.name, found.statementIndex], ["UniqueViolationError", 1]);
  const skipped = batched([some, null, some]);
  assertEquals((await read(() => json(skipped), (db) => db.batch(three)) as DatabaseError).statementIndex, 1);
});

Deno.test("an answer over HTTP that is not as expected is left to the driver, and fails as it does there", async () => {
  const value = (one: unknown) => executed(result(["a", "b"], [[text("x"), one], [text("y"), text("z")]]));
  const answers: unknown[] = [
    ...[cell("float", null), cell("float", "1"), cell("integer", 1), cell("integer", "one"), cell("integer", "1.5")],
    ...[cell("text", 1), cell("text"), cell("blob", 1), cell("date", "x"), null, "x", 1],
  ].map(value);
  answers.push(executed(result(["a"], "rows")), executed(result(["a"], [1])), executed(result(["a"], { length: 1 })));
  answers.push(executed({ ...result(["a"], [[text("x")]]), affected_row_count: "1" }), executed(null));
  answers.push(
    {},
    null,
    1,
    [],
    { results: 1 },
    answering(),
    answering(null),
    answering(closed),
    "",
    "{",
    '{"results":',
  );
  for (const answer of answers) {
    const error = await execute(answer) as Error;
    assertEquals(typeof error.message, "string", JSON.stringify(answer));
  }
  // The driver reads more than what a server sends.
  assertEquals(await rowsOf(value(cell("blob", "-_8"))), [["x", new Uint8Array([251, 255])], ["y", "z"]]);
  assertEquals(await rowsOf(value(cell("blob", "%"))), [["x", new Uint8Array()], ["y", "z"]]);
});

Deno.test("an answer over HTTP that is no JSON, or none of success, is left to the driver", async () => {
  const answer = executed(result(["v"], [[text("x")]]));
  const types = ["text/plain", "application/x-protobuf", "application/json; charset=utf-8"];
  for (const type of types) {
    const given = () => json(answer, { headers: { "content-type": type } });
    assertEquals((await read(given, (db) => db.execute(stmt("SELECT 1"))) as ResultSet).rows, [["x"]]);
  }
  for (const status of [202, 400, 500]) {
    const wire = new Wire(() => Promise.resolve(json(answer, { status })));
    const given = await wire.fetch(url);
    assertEquals([given.status, await given.json()], [status, answer]);
  }
  const bytes = new Uint8Array([8, 255, 0, 254]);
  const protobuf = () => new Response(bytes, { headers: { "content-type": "application/x-protobuf" } });
  assertEquals(await (await new Wire(() => Promise.resolve(protobuf())).fetch(url)).bytes(), bytes);
  const empty = await new Wire(() => Promise.resolve(new Response(null, { status: 204 }))).fetch(url);
  assertEquals([empty.status, empty.body], [204, null]);
});

Deno.test("each request on a wire gets its own rows, in whichever order they are answered", async () => {
  const first = Promise.withResolvers<Response>();
  const second = Promise.withResolvers<Response>();
  const answers = [first.promise, second.promise];
  const wire = new Wire(() => answers.shift()!);
  const both = [wire.fetch(url), wire.fetch(url)];
  second.resolve(json(executed(result(["v"], [[text("second")]]))));
  first.resolve(json(executed(result(["v"], [[text("first")], [text("one more")]]))));
  const [one, two] = await Promise.all(both.map(async (answer) => {
    const { results } = await (await answer).json();
    const { rows } = results[0].response.result;
    return { columns: ["v"], rowsAffected: 0, rows: rows.map((row: { value: unknown }[]) => row.map((c) => c.value)) };
  }));
  assertEquals([one!.rows.length, two!.rows.length], [1, 1]);
  assertEquals(wire.rows.of(two!), [["second"]]);
  assertEquals(wire.rows.of(one!), [["first"], ["one more"]]);
  assertEquals(wire.rows.of({ columns: ["v"], rows: [["first"]], rowsAffected: 0 }), undefined);
});

Deno.test("a driver that reads an answer as text, or as bytes when no rows are taken, finds them there", async () => {
  const answer = JSON.stringify(executed(result(["v"], [[text("x")], [text("y")]])));
  const wire = new Wire(() => Promise.resolve(json(answer)));
  const given = await wire.fetch(url);
  assertEquals([given.ok, given.headers.get("content-type")], [true, "application/json"]);
  assertEquals(await given.text(), answer);
  assertEquals(wire.rows.of({ columns: ["v"], rows: [["x"], ["y"]], rowsAffected: 0 }), undefined);
  wire.rows.end();
  const whole = await wire.fetch(url);
  assertEquals(await whole.clone().json(), JSON.parse(answer));
  assertEquals(new Uint8Array(await whole.arrayBuffer()), new TextEncoder().encode(answer));
});

Deno.test("a transaction over HTTP reads the rows of each of its requests", async () => {
  await using server = await startHrana();
  await using db = libsql({ url: server.url });
  await db.execute(stmt("CREATE TABLE t (id INTEGER PRIMARY KEY, v)"));
  server.reset();
  const connection = await db.connect();
  const insert = stmt("INSERT INTO t VALUES (1, ?), (2, ?) RETURNING *", 2n ** 60n, new Uint8Array([1, 2, 3, 4]));
  const rows = [[1, 2n ** 60n], [2, new Uint8Array([1, 2, 3, 4])]];
  assertEquals((await connection.execute(insert)).rows, rows); // BEGIN is in this request.
  const select = stmt("SELECT * FROM t ORDER BY id");
  const results = await connection.batch([select, stmt("DELETE FROM t WHERE id = 9"), select]);
  assertEquals(results.map((one) => one.rows), [rows, [], rows]);
  // What ran before the one that failed has rows that nobody asks for.
  assertInstanceOf(
    await rejection(connection.batch([select, stmt("INSERT INTO t VALUES (1, 0)")])),
    UniqueViolationError,
  );
  assertEquals((await connection.commit([select]))[0]?.rows, rows);
  assertEquals(server.requests, 4);
});

Deno.test("the driver's own transaction gives real rows to who asks for it, and so does Ledge's from then on", async () => {
  await using server = await startHrana();
  await using db = libsql({ url: server.url });
  const connection = await db.connect();
  const select = stmt("SELECT 1 AS a UNION SELECT 2");
  assertEquals((await connection.execute(select)).rows, [[1], [2]]);
  const driver = connection.native as { execute(sql: string): Promise<{ rows: { a: bigint }[] }> };
  const both = await Promise.all([connection.execute(select), driver.execute(select.sql)]);
  assertEquals(both[0].rows, [[1], [2]]);
  assertEquals(both[1].rows.map(({ a }) => a), [1n, 2n]);
  await connection.rollback();

  await using session = new Session({ bind: db });
  const counted = await session.native((transaction: typeof driver) => transaction.execute("SELECT 7 AS a"));
  assertEquals(counted.rows[0]?.a, 7n);
});

Deno.test("a fetch of the user's is given the driver's request, with a Blob as its body", async () => {
  await using server = await startHrana();
  const seen: Request[] = [];
  const fetch = (input: Request | URL | string) => {
    assertInstanceOf(input, Request);
    seen.push(input.clone());
    return globalThis.fetch(input);
  };
  await using db = libsql({ url: server.url, authToken: "abc", fetch });
  assertEquals((await db.execute(stmt("SELECT ?", "é"))).rows, [["é"]]);
  const [request] = seen;
  assertEquals([request!.method, request!.url, seen.length], ["POST", `${server.url}/v2/pipeline`, 1]);
  assertEquals(request!.headers.get("authorization"), "Bearer abc");
  assertEquals(request!.headers.get("content-type"), "application/json");
  assertEquals((await request!.json()).requests[0].stmt.sql, "SELECT ?");
});

Deno.test("an answer that is cut off in the middle of its rows gives none", async () => {
  const body = () =>
    new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('{"results":[{"type":"ok"'));
        controller.error(new TypeError("connection reset"));
      },
    });
  const given = () => new Response(body(), { headers: { "content-type": "application/json" } });
  const fetch = safeFetch(() => Promise.resolve(given()));
  await using db = libsql({ url, fetch });
  const error = await rejection(db.execute(stmt("SELECT 1")));
  assertInstanceOf(error, LedgeError);
  assertEquals((error as DatabaseError).notApplied, false);
});
