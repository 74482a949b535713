/** What update() and deleteFrom() do where the database returns no rows of a write, as MySQL: here SQLite plays one. */
import { assertEquals, assertStrictEquals } from "@std/assert";
import { libsql } from "../../adapters/libsql_local.ts";
import {
  belongsTo,
  createAll,
  type Database,
  deleteFrom,
  hasMany,
  insert,
  model,
  Session,
  sql,
  t,
  update,
} from "../../mod.ts";
import type { Dialect } from "../../src/sql/dialect.ts";
import { mapperOf } from "../../src/model/mapper.ts";
import { draftWrite, toTargets, toWrite } from "../../src/query/write.ts";
import { sqlite } from "../../src/sql/sqlite.ts";

class Shelf extends model("shelves", { id: t.integer().primaryKey(), name: t.text(), version: t.integer().version() }) {
  declare books?: Book[];
  static relations = { books: hasMany(() => Book, "shelfId") };
}
class Book extends model("books", { id: t.integer().primaryKey(), shelfId: t.integer().foreignKey() }) {
  declare shelf?: Shelf;
  static relations = { shelf: belongsTo(() => Shelf, "shelfId", { onDelete: "cascade" }) };
}

const dialect: Dialect = { ...sqlite, returning: false, limitsWrites: true };

/** Three shelves with a book each; the statements that a test sends are noted. */
async function start(): Promise<{ session: Session; sent: string[]; rows: () => Promise<unknown[]> }> {
  const db = libsql({ url: ":memory:" });
  await createAll(db, [Shelf, Book]);
  await using first = new Session({ bind: db });
  for (const id of [1, 2, 3]) first.add(Shelf.create({ id, name: `s${id}`, books: [new Book({ id, shelfId: id })] }));
  await first.commit();
  const plain: Database = {
    dialect,
    capabilities: db.capabilities,
    description: "a database without RETURNING",
    execute: (statement, options) => db.execute(statement, options),
    batch: (statements, options) => db.batch(statements, options),
    connect: (options) => db.connect(options),
    close: () => db.close(),
  };
  const sent: string[] = [];
  const session = new Session({ bind: plain });
  session.on("beforeExecute", ({ statement }) => void sent.push(statement.split(" ")[0]!));
  const rows = async () => (await session.execute("SELECT name, version FROM shelves ORDER BY id")).all();
  return { session, sent, rows };
}

Deno.test("update() without RETURNING is one statement while nothing is loaded", async () => {
  const { session, sent, rows } = await start();
  await using _ = session;
  assertEquals((await session.execute(update(Shelf).set({ name: "x" }).where({ id: { gt: 1 } }))).rowsAffected, 2);
  assertEquals(sent, ["UPDATE"]);
  assertEquals(await rows(), [{ name: "s1", version: 1 }, { name: "x", version: 2 }, { name: "x", version: 2 }]);
});

Deno.test("update() without RETURNING reads the loaded rows that it is about before and after", async () => {
  const { session, sent } = await start();
  await using _ = session;
  const [one, two] = await session.getAll(Shelf, [1, 2]);
  sent.length = 0;
  const result = await session.execute(update(Shelf).set({ name: sql`name || 'x'` }).where({ id: { gt: 1 } }));
  assertEquals([result.rowsAffected, sent], [2, ["SELECT", "UPDATE", "SELECT"]]);
  assertEquals([one!.name, one!.version, two!.name, two!.version], ["s1", 1, "s2x", 2]);
  await session.rollback();
  assertEquals([two!.name, two!.version], ["s2", 1]);
  await session.execute(update(Shelf).set({ name: "y" }).where({ id: 3 }));
  assertEquals([one!.name, two!.name], ["s1", "s2"]);
});

Deno.test("update().returning() without RETURNING gives the rows that it locked before", async () => {
  const { session } = await start();
  await using _ = session;
  const two = await session.getOne(Shelf, 2);
  const statement = update(Shelf).set({ name: "x" }).where({ name: { startsWith: "s" }, id: { gt: 1 } });
  const found = await session.execute(statement.returning());
  assertEquals([found.all().map(({ id, name, version }) => [id, name, version]), found.rowsAffected], [
    [[2, "x", 2], [3, "x", 2]],
    2,
  ]);
  assertStrictEquals(found.first(), two);
  const none = await session.execute(statement.returning(["id"]));
  assertEquals([none.all(), none.rowsAffected], [[], 0]);
});

Deno.test("deleteFrom() without RETURNING makes loaded instances deleted, and what goes with them", async () => {
  const { session, sent } = await start();
  await using _ = session;
  const shelves = await session.query(Shelf).include({ books: true }).orderBy({ id: "asc" }).all();
  sent.length = 0;
  const result = await session.execute(deleteFrom(Shelf).where({ id: { lt: 3 } }).returning(["name"]));
  assertEquals([result.all(), result.rowsAffected, sent], [[{ name: "s1" }, { name: "s2" }], 2, ["SELECT", "DELETE"]]);
  assertEquals(shelves.map((shelf) => session.has(shelf)), [false, false, true]);
  assertEquals(shelves.map(({ books }) => session.has(books[0]!)), [false, false, true]);
});

Deno.test("deleteFrom().limit() without RETURNING deletes the rows that it locked", async () => {
  const { session } = await start();
  await using _ = session;
  const shelves = await session.query(Shelf).orderBy({ id: "asc" }).all();
  assertEquals((await session.execute(deleteFrom(Shelf).limit(2))).rowsAffected, 2);
  assertEquals(shelves.map((shelf) => session.has(shelf)), [false, false, true]);
});

Deno.test("a staged builder without RETURNING expires what is loaded of its model", async () => {
  const { session } = await start();
  await using _ = session;
  const one = await session.getOne(Shelf, 1);
  const staged = session.stage(update(Shelf).set({ name: "x" }));
  session.stage(insert(Shelf).values({ id: 4, name: "new" }).returning([]));
  await session.commit();
  assertEquals([staged.result.rowsAffected, session.inspect(one).expired.includes("name")], [3, true]);
  await session.refresh(one);
  assertEquals([one.name, one.version], ["x", 2]);
});

Deno.test("limit() is by primary key, in the write and in what is locked before it", () => {
  const { node } = update(Shelf).set({ name: "x" }).where({ id: { gt: 1 } }).limit(2);
  const write = toWrite(draftWrite(node, dialect), node, [], dialect);
  assertEquals(write, {
    sql:
      'UPDATE "shelves" SET "name" = ?, "version" = "version" + 1 WHERE ("shelves"."id" > ?) ORDER BY "shelves"."id" LIMIT ?',
    params: ["x", 1, 2],
  });
  const locking: Dialect = { ...dialect, lock: () => " FOR UPDATE" };
  assertEquals(toTargets(node, mapperOf(Shelf).key, null, locking), {
    sql: 'SELECT "shelves"."id" FROM "shelves" WHERE ("shelves"."id" > ?) ORDER BY "shelves"."id" LIMIT ? FOR UPDATE',
    params: [1, 2],
  });
});
