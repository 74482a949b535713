/**
 * What a session is told of rows that it wrote: their keys, what the database made of them, how many were there, and why
 * they could not be written. It is told no more than is so.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import {
  belongsTo,
  CommitOutcomeUnknownError,
  DataError,
  insert,
  type LedgeError,
  model,
  Session,
  sql,
  StaleDataError,
  t,
  UnsupportedError,
  ValidationError,
} from "../../mod.ts";
import { rejection } from "../adapters/planetscale_setups.ts";
import { refused } from "../conformance/setup.ts";
import { add, atOnce, closed, type Place, test, words } from "./kit.ts";

class Item extends model("items", { id: t.identity(), text: t.text(), n: t.integer().default(0) }) {}

class Part extends model("parts", {
  tenant: t.integer().primaryKey(),
  id: t.uuid().primaryKey().serverDefault(sql`UUID()`),
}) {}

class Name extends model("names", {
  id: t.integer().primaryKey(),
  name: t.varchar(50),
  upper: t.varchar(50).generated(sql`UPPER(name)`),
}) {}

class Folder extends model("folders", { id: t.integer().primaryKey(), parentId: t.integer().nullable().foreignKey() }) {
  declare parent?: Folder | null;
  static relations = { parent: belongsTo(() => Folder, "parentId", { onDelete: "cascade" }) };
}

class Versioned extends model("versioned", {
  id: t.integer().primaryKey(),
  parentId: t.integer().nullable().foreignKey(),
  version: t.integer().version(),
}) {
  declare parent?: Versioned | null;
  static relations = { parent: belongsTo(() => Versioned, "parentId", { onDelete: "cascade" }) };
}

test("a new row with the key 0 is refused before anything is sent, where the server counts", [Item], async (place) => {
  await using session = new Session({ bind: place.db });
  session.addAll([new Item({ id: 0, text: "zero" }), new Item({ id: 50, text: "fifty" })]);
  await refused(() => session.commit(), ValidationError, "Item.id of a new row is 0");
  assertEquals(place.front.requests, 0);
  await session.rollback();
  await refused(() => session.execute(insert(Item).values({ id: 0, text: "zero" })), ValidationError, "is 0");
  await session.rollback();
  await closed(place.front);
  assertEquals(await place.front.run("SELECT * FROM items"), []);
});

test("a made part of a key is refused, and written where it is given", [Part], async (place) => {
  await using session = new Session({ bind: place.db });
  session.add(new Part({ tenant: 1 }));
  await refused(() => session.commit(), UnsupportedError, "Part.id", "a part of a key");
  await session.rollback();
  await refused(() => session.execute(insert(Part).values({ tenant: 1 })), UnsupportedError, "a part of a key");
  assertEquals(place.front.requests, 0);
  await session.rollback();
  const id = crypto.randomUUID();
  await add(place, new Part({ tenant: 1, id }));
  assertEquals(await place.front.run("SELECT tenant, id FROM parts"), [{ tenant: 1, id }]);
});

test("what the database made is read back as it is, whatever the transaction saw before", [Name], async (place) => {
  await add(place, ...[1, 2, 3].map((id) => new Name({ id, name: "a" })));
  for (const ids of [[1], [2, 3]]) {
    await using session = new Session({ bind: place.db });
    await session.start();
    const all = await session.query(Name).orderBy({ id: "asc" }).all();
    await place.front.run(`UPDATE names SET name = 'b' WHERE id IN (${ids})`);
    const mine = all.filter(({ id }) => ids.includes(id));
    for (const one of mine) one.name = "b";
    await session.commit();
    assertEquals(mine.map(({ name, upper }) => [name, upper]), ids.map(() => ["b", "B"]));
  }
});

test("to read back what was made locks no row of others", [Name], async (place) => {
  await add(place, ...Array.from({ length: 40 }, (_, id) => new Name({ id, name: "a" })));
  await atOnce(4, async (i) => {
    await using session = new Session({ bind: place.db });
    await session.start();
    const mine = await session.query(Name).where({ id: { in: Array.from({ length: 10 }, (_, n) => n * 4 + i) } }).all();
    for (let round = 0; round < 3; round++) {
      for (const one of mine) one.name = `r${round}`;
      await session.flush();
      assertEquals(mine.map(({ upper }) => upper), mine.map(() => `R${round}`));
    }
    await session.commit();
  });
});

/** Deletes all folders, in a session of its own, of which some may be gone by then; gives what it warns of. */
async function deleteAll(place: Place, Model: typeof Folder, gone: readonly number[] = []): Promise<string[]> {
  await add(place, new Model({ id: 1 }));
  await add(place, new Model({ id: 2, parentId: 1 }), new Model({ id: 3, parentId: 1 }));
  await using session = new Session({ bind: place.db });
  const warnings: string[] = [];
  session.on("warning", ({ message }) => void warnings.push(message));
  for (const one of await session.query(Model).all()) session.delete(one);
  for (const id of gone) await place.front.run("DELETE FROM folders WHERE id = ?", [id]);
  await session.commit();
  return warnings;
}

test("rows that a cascade takes with others are not told as gone, those that are gone are", [Folder], async (place) => {
  assertEquals(await deleteAll(place, Folder), []);
  assertEquals(await place.front.run("SELECT * FROM folders"), []);
  const [warning, ...more] = await deleteAll(place, Folder, [2]);
  assertEquals([warning?.slice(0, 2), more], ["1 ", []]);
});

test("versioned rows that a cascade takes with others are not told as gone", [Versioned], async (place) => {
  assertEquals(await deleteAll(place, Versioned as unknown as typeof Folder), []);
  assertEquals(await place.front.run("SELECT * FROM versioned"), []);
});

for (
  const token of ["ledge:stale:0:0:3", "ledge:stale:1:0:3", "ledge:require:1", "ledge:conflict", "ledge:increment:7"]
) {
  test(`a value "${token}" that a staged statement fails on is told as that`, [Item], async (place) => {
    await add(place, new Item({ text: "x" }));
    for (const others of [false, true]) {
      await using session = new Session({ bind: place.db });
      const item = await session.query(Item).one();
      if (others) item.n++;
      session.stage(sql`UPDATE items SET n = ${token}`);
      const error = await rejection(session.commit());
      assertEquals((error as LedgeError).constructor, DataError, String(error));
      await session.rollback();
    }
    assertEquals(await place.front.run("SELECT n FROM items"), [{ n: 0 }]);
  });
}

for (const strict of [true, false]) {
  test(`a stale row is told whatever texts were to be written, strict mode: ${strict}`, [Item], async (place) => {
    await add(place, new Item({ text: "x" }), new Item({ text: "y" }));
    for (const text of ["ledge:conflict", "ledge:increment:7"]) {
      await using session = new Session({ bind: place.db, optimistic: "all" });
      for (const item of await session.query(Item).all()) item.text = text;
      await place.front.run("UPDATE items SET n = n + 1 WHERE id = 1");
      await refused(() => session.commit(), StaleDataError, "Item 1");
      await session.rollback();
    }
  }, { front: strict ? {} : { settings: { sql_mode: "" } } });
}

test("a gateway's own trouble after the work leaves the outcome open", [Item], async (place) => {
  const answer = () =>
    Response.json({ error: { code: "internal", message: "upstream: connection refused" } }, { status: 502 });
  for (const [word, items] of [["INSERT", 1], ["COMMIT", 2]] as const) {
    await using session = new Session({ bind: place.db });
    session.addAll(Array.from({ length: items }, () => new Item({ text: "x" })));
    if (items > 1) session.stage(sql`UPDATE items SET n = n + 1`);
    place.front.failNext("after", answer, (body) => body.startsWith(`{"query":"${word}`));
    const error = await rejection(session.commit());
    assert(error instanceof CommitOutcomeUnknownError, String(error));
    await session.rollback();
  }
  assertEquals((await place.front.run("SELECT * FROM items")).length, 3);
});

test("a COMMIT that certainly did nothing leaves no transaction behind", [Item], async (place) => {
  await using session = new Session({ bind: place.db });
  session.add(new Item({ text: "x" }));
  session.stage(sql`UPDATE items SET n = n + 1`);
  const slow = () => Response.json({ error: { code: "resource_exhausted", message: "slow down" } }, { status: 429 });
  place.front.failNext("before", slow, (body) => body.includes('"COMMIT"'));
  const error = await rejection(session.commit()) as LedgeError;
  assert(!(error instanceof CommitOutcomeUnknownError), String(error));
  await session.rollback();
  assertEquals([words(place.front).split(" ").at(-1), place.front.transactions], ["ROLLBACK", 0]);
});
