/** SQLite's dialect as D1 allows it: the limits hold on a real D1, in commits of a session. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createAll, DataError, model, Session, t, ValidationError } from "../../mod.ts";
import { onD1, stmt } from "./d1_kit.ts";

const test = onD1();

class Blob extends model("blobs", {
  id: t.identity(),
  name: t.text(),
  data: t.bytes(),
  weight: t.double(),
  count: t.bigint().nullable(),
  version: t.integer().version(),
}) {}

test("rows that cannot travel as JSON are divided by 100 values a statement", async ({ db, server }) => {
  await createAll(db, [Blob]);
  await using session = new Session({ bind: db });
  const blobs = Array.from(
    { length: 150 },
    (_, i) => new Blob({ name: `b${i}`, data: new Uint8Array([i]), weight: i / 7 }),
  );
  session.addAll(blobs);
  server.reset();
  await session.commit();
  assertEquals(server.requests, 1);
  for (const blob of blobs) blob.data = new Uint8Array([1, ...blob.data]);
  await session.commit();
  assertEquals(server.requests, 2);
  const { rows } = await db.execute(stmt("SELECT name, data, weight, version FROM blobs ORDER BY id"));
  assertEquals(rows, blobs.map((_, i) => [`b${i}`, new Uint8Array([1, i]), i / 7, 2]));
});

class Note extends model("notes", { id: t.identity(), text: t.text() }) {}

test("rows that travel as JSON are divided by the size of a value", async ({ db, server }) => {
  await createAll(db, [Note]);
  const text = 'é"\u0001漢'.repeat(5_000); // 13 bytes each as JSON
  server.reset();
  await using session = new Session({ bind: db });
  session.addAll(Array.from({ length: 60 }, () => new Note({ text })));
  await session.commit();
  assertEquals(server.requests, 1);
  // 65 KB a row: 15 rows stay below 1 MB, and 60 rows need at least four statements.
  assert(server.statements >= 4 && server.statements <= 6, String(server.statements));
  assertEquals((await db.execute(stmt("SELECT count(*), min(text = ?) FROM notes", text))).rows, [[60, 1]]);
});

test("a text of any length can be searched for", async ({ db }) => {
  await createAll(db, [Note]);
  await using session = new Session({ bind: db });
  const long = `A*?[%_${"漢".repeat(40)}z`;
  session.addAll([long, long.toLowerCase(), `x${long}`, `${long}x`, "other"].map((text) => new Note({ text })));
  await session.commit();
  const found = async (how: string) =>
    (await session.query(Note).where({ text: { [how]: long } }).orderBy({ id: "asc" }).all()).map(({ id }) => id);
  assertEquals(await found("startsWith"), [1, 4]);
  assertEquals(await found("endsWith"), [1, 3]);
  assertEquals(await found("contains"), [1, 3, 4]);
});

test("a bigint beyond 2^53 is refused before anything is sent, and one that others wrote when it is read", async ({ db, server }) => {
  await createAll(db, [Blob]);
  server.reset();
  await using session = new Session({ bind: db });
  const blob = new Blob({ name: "n", data: new Uint8Array(), weight: 0, count: 2n ** 53n });
  session.add(blob);
  await assertRejects(() => session.commit(), ValidationError, "Blob.count must be a bigint of up to 53 bits");
  await session.rollback();
  await assertRejects(() => session.query(Blob).where({ count: 2n ** 60n }).all(), ValidationError, "53 bits");
  assertEquals(server.requests, 0);
  await server.run("INSERT INTO blobs (name, data, weight, count, version) VALUES ('n', x'', 0, 9007199254740993, 1)");
  await assertRejects(() => session.query(Blob).all(), DataError, "where a bigint was declared");
  await server.run("UPDATE blobs SET count = -9007199254740991");
  assertEquals((await session.query(Blob).one()).count, -9007199254740991n);
});

class Bin extends model("bins", { id: t.bytes().primaryKey(), n: t.integer() }) {}

test("more binary keys than a statement takes values are read in one request", async ({ db, server }) => {
  await createAll(db, [Bin]);
  await using session = new Session({ bind: db });
  const key = (i: number): Uint8Array => new Uint8Array([i, 0, 255 - i]);
  session.addAll(Array.from({ length: 150 }, (_, n) => new Bin({ id: key(n), n })));
  await session.commit();
  server.reset();
  await using reader = new Session({ bind: db });
  const found = await Promise.all(Array.from({ length: 150 }, (_, n) => reader.get(Bin, key(n))));
  assertEquals(found.map((bin) => bin?.n), Array.from({ length: 150 }, (_, n) => n));
  assertEquals(server.requests, 1);
});

class Wide extends model("wides", {
  id: t.identity(),
  ...Object.fromEntries(Array.from({ length: 98 }, (_, i) => [`c${i}`, t.double()])) as Record<"c0", never>,
}) {}

test("a row of a hundred columns, the most that a table has, is written", async ({ db }) => {
  await createAll(db, [Wide]);
  await using session = new Session({ bind: db });
  session.add(new Wide(Object.fromEntries(Array.from({ length: 98 }, (_, i) => [`c${i}`, i / 3])) as never));
  await session.commit();
  assertEquals((await db.execute(stmt("SELECT c97 FROM wides"))).rows, [[97 / 3]]);
});
