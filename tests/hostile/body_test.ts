/**
 * Parsed request bodies in every place where Ledge takes an object, an array or a name: what is no such thing is refused by
 * an error of Ledge's, whatever its properties are called; and a value that must not be an operator cannot be one.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { deleteFrom, insert, type Session, sql, update, ValidationError } from "../../mod.ts";
import { bulk, bulkInsert, bulkSave, bulkUpdate, reference } from "../../src/bulk/mod.ts";
import { body, errorOf, Note, objectOf, type Place, refuses, runs, Tag, testEverywhere, Writer } from "./kit.ts";

const id = "01890a5d-ac96-774b-bcce-b302099a8057";

/** One row that a condition should not reach unasked, and its writer. */
async function fill(place: Place): Promise<void> {
  await place.empty();
  await using session = place.session();
  session.add(Note.create({ id, text: "theirs", data: { a: 1 }, writer: new Writer({ name: "Ann" }) }));
  session.add(new Tag({ name: "theirs" }));
  await session.commit();
}

testEverywhere("{ eq: value } takes a value of the column and no operators, whatever a body holds", async (place) => {
  await fill(place);
  await fc.assert(
    fc.asyncProperty(body, fc.constantFrom("text", "short", "kind", "n", "flag", "day"), async (given, property) => {
      await using session = place.session();
      const find = () => session.query(Note).where({ [property]: { eq: given } } as never).all();
      if (typeof given === "object" && given !== null) return await refuses(place, find);
      const error = await errorOf(find);
      if (error !== null) assert(error instanceof ValidationError, Deno.inspect(error));
      else {
        const isTheirs = property === "text" ? given === "theirs" : given === null;
        assertEquals((await find()).map((note) => note.id), isTheirs ? [id] : []);
      }
      // The same with in, which takes no null besides.
      const among = () => session.query(Note).where({ [property]: { in: [given] } } as never).all();
      if (given === null) await refuses(place, among);
      else if (error === null) assertEquals((await among()).length, given === "theirs" && property === "text" ? 1 : 0);
    }),
    runs(200),
  );
  // What the guard is for: as a value, an object is taken for operators.
  const smuggled = JSON.parse('{ "text": { "ne": "" } }');
  await using session = place.session();
  assertEquals((await session.query(Note).where(smuggled).all()).length, 1);
  await refuses(place, () => session.query(Note).where({ text: { eq: smuggled.text } }).all());
});

/** What can be asked of a session with something out of a body. None may throw but an error of Ledge's. */
type Use = (session: Session, given: never) => unknown;

const uses: Readonly<Record<string, Use>> = {
  where: (session, given) => session.query(Note).where(given).all(),
  "where, a property": (session, given) => session.query(Note).where({ text: given, n: given, data: given }).all(),
  "where, an operator": (session, given) => session.query(Note).where({ text: { ne: given, like: given } }).all(),
  "where, in": (session, given) => session.query(Note).where({ text: { in: given } }).count(),
  "where, between": (session, given) => session.query(Note).where({ n: { between: given } }).exists(),
  "where, and": (session, given) => session.query(Note).where({ and: given }).first(),
  "where, or": (session, given) => session.query(Note).where({ or: [given], not: given }).first(),
  orderBy: (session, given) => session.query(Note).orderBy(given).all(),
  "orderBy, a direction": (session, given) => session.query(Note).orderBy({ text: given }).all(),
  limit: (session, given) => session.query(Note).limit(given).offset(given).all(),
  include: (session, given) => session.query(Note).include(given).all(),
  "include, from there": (session, given) => session.query(Note).include({ writer: given }).all(),
  forUpdate: (session, given) => session.query(Note).forUpdate(given).all(),
  page: (session, given) => session.query(Note).orderBy({ text: "asc" }).page(given),
  "page, after": (session, given) =>
    session.query(Note).orderBy({ text: "asc", n: "desc" }).page({ size: 2, after: given }),
  "page, size": (session, given) => session.query(Note).page({ size: given }),
  get: (session, given) => session.get(Note, given),
  "get, a property": (session, given) => session.get(Note, { id: given }),
  "get, text": (session, given) => session.get(Tag, given),
  "get, options": (session, given) => session.get(Note, id, given),
  getAll: (session, given) => session.getAll(Tag, given),
  "getAll, one": (session, given) => session.getAll(Tag, [given, given]),
  async load(session, given) {
    await session.load(await session.getOne(Note, id), given);
  },
  async refresh(session, given) {
    await session.refresh(await session.getOne(Note, id), given);
  },
  async expire(session, given) {
    session.expire(await session.getOne(Note, id), given);
  },
  execute: (session, given) => session.execute(sql`SELECT id FROM notes WHERE text = ${given}`),
  "execute, by name": (session, given) => session.execute("SELECT id FROM notes WHERE text = :text", given),
  "execute, a name": (session, given) => session.execute("SELECT id FROM notes WHERE text = :text", { text: given }),
  "execute, in order": (session, given) => session.execute("SELECT id FROM notes", given),
  "sql.join": (session, given) =>
    session.execute(sql`SELECT id FROM notes WHERE text IN (${sql.join([given, given])})`),
  "sql.id": (session, given) => session.execute(sql`SELECT 1 AS ${sql.id(given)}`),
  async assign(session, given) {
    session.assign(await session.getOne(Note, id), given);
    await session.commit();
  },
  async "assign, a property"(session, given) {
    session.assign(await session.getOne(Note, id), { short: given, data: given });
    await session.commit();
  },
  async "Object.assign"(session, given) {
    Object.assign(await session.getOne(Note, id), { short: given, n: given });
    await session.commit();
  },
  new: (session, given) => commit(session, () => session.add(new Note(given))),
  "new, a property": (session, given) => commit(session, () => session.add(new Note({ text: given, data: given }))),
  create: (session, given) => commit(session, () => session.add(Note.create(given))),
  "create, a relation": (session, given) =>
    commit(session, () => session.add(Note.create({ text: "x", writer: given }))),
  "a relation": async (session, given) => {
    (await session.getOne(Note, id)).writer = given;
    await session.commit();
  },
  "a collection": async (session, given) => {
    (await session.query(Writer).include(["notes"]).one()).notes = given;
    await session.commit();
  },
  add: (session, given) => commit(session, () => session.add(given)),
  addAll: (session, given) => commit(session, () => session.addAll([given, given])),
  merge: (session, given) => commit(session, () => session.merge(given)),
  "merge, a key": (session, given) => commit(session, () => session.merge(new Note({ id: given, text: "x" }))),
  delete: (session, given) => session.delete(given),
  "update().set()": (session, given) => session.execute(update(Note).set(given).where({ n: 99 })),
  "update().set(), a property": (session, given) =>
    session.execute(update(Note).set({ text: given, data: given }).where({ n: 99 })),
  "update().where()": (session, given) => session.execute(update(Note).set({ n: 1 }).where({ text: { eq: given } })),
  "update().returning()": (session, given) => session.execute(update(Note).set({ n: 1 }).returning(given)),
  "deleteFrom().where()": (session, given) => session.execute(deleteFrom(Tag).where({ label: { in: [given] } })),
  "insert().values()": (session, given) => session.execute(insert(Note).values(given)),
  "insert().values(), a property": (session, given) =>
    session.execute(insert(Note).values([{ text: given, data: given }])),
  "onConflict()": (session, given) => session.execute(insert(Tag).values({ name: "x" }).onConflict(given)),
  "onConflict(), its target": (session, given) =>
    session.execute(insert(Tag).values({ name: "x" }).onConflict({ target: given, update: ["uses"] })),
  "onConflict(), its update": (session, given) =>
    session.execute(insert(Tag).values({ name: "x" }).onConflict({ target: ["name"], update: given })),
  bulkInsert: (session, given) => commit(session, () => bulkInsert(session, Note, given)),
  "bulkInsert, a row": (session, given) => commit(session, () => bulkInsert(session, Note, [given, given])),
  bulkUpdate: (session, given) => commit(session, () => bulkUpdate(session, Note, [given])),
  "bulkUpdate, a key": (session, given) => commit(session, () => bulkUpdate(session, Note, [{ id: given, text: "x" }])),
  bulkSave: (session, given) => commit(session, () => bulkSave(session, [given])),
  reference: (session, given) =>
    bulk(session, (all) => void all.add(Note.create({ text: "x", writer: reference(Writer, given) }))),
  "reference, by a unique value": (session, given) =>
    bulk(session, (all) => void all.add(reference(Tag, { label: given }), { isReference: true })),
  begin: (session, given) => session.begin(given),
  beginNested: (session, given) => session.beginNested(given),
  async "rollback()"(session, given) {
    await session.beginNested("mine");
    await session.rollback(given);
  },
  settings: (session, given) => session.begin({ settings: given }),
  "a setting": (session, given) => session.begin({ settings: { "my.own": given } }),
  stage: (session, given) => commit(session, () => session.stage(given)),
  on: (session, given) => session.on(given, () => {}),
  async verify(session, given) {
    session.verify(await session.getOne(Note, id), given);
  },
};

async function commit(session: Session, work: () => unknown): Promise<void> {
  await work();
  await session.commit();
}

testEverywhere(
  "a body in any place is taken as what is meant there, or refused by an error of Ledge's",
  async (place) => {
    await fill(place);
    const names = Object.keys(uses);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), body, async (name, given) => {
        await using session = place.session();
        const error = await errorOf(() => uses[name]!(session, given as never));
        await session.rollback();
        // Nobody can write an UPDATE or a DELETE of all rows by a body.
        if (error === null && /update\(\)\.returning/.test(name)) await fill(place);
        const { rows } = await place.db.execute({ sql: "SELECT count(*) FROM notes", params: [] });
        assert(Number(rows[0]![0]) > 0, `${name} emptied a table`);
      }),
      runs(1500),
    );
  },
);

testEverywhere("properties that JavaScript has names for are refused by name, and pollute nothing", async (place) => {
  await fill(place);
  for (
    const name of ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf", "__defineGetter__"]
  ) {
    for (const value of [{ polluted: true }, "x", null, ["x"]]) {
      const given = objectOf([[name, value]]) as never;
      await using session = place.session();
      for (
        const use of [
          "where",
          "orderBy",
          "include",
          "new",
          "create",
          "update().set()",
          "insert().values()",
          "bulkInsert, a row",
          "onConflict(), its update",
          "execute, by name",
          "get",
        ]
      ) {
        await refuses(place, () => uses[use]!(session, given));
        await session.rollback();
      }
      const note = await session.getOne(Note, id);
      await refuses(place, () => session.assign(note, given));
      assertEquals(({} as { polluted?: boolean }).polluted, undefined);
    }
  }
});

testEverywhere("columns of a result may have any name", async (place) => {
  await using session = place.session();
  // The front's own driver refuses it.
  const proto = place.name === "mysql" ? [] : ["__proto__"];
  const names = [...proto, "constructor", "toString", "a;b", "'", "ü"];
  const list = sql.join(names.map((name, i) => sql`${sql.raw(String(i))} AS ${sql.id(name)}`));
  const row = (await session.execute(sql`SELECT ${list}`)).one();
  assertEquals(Object.entries(row), names.map((name, i): [string, number] => [name, i]));
  assertEquals(Object.getPrototypeOf(row), Object.prototype);
  assertEquals(Object.hasOwn(row, "__proto__"), proto.length > 0);
});
