/**
 * Hostile values, by every way a value can come in: each comes back exactly as it went, or is refused with a ValidationError
 * before anything is sent; what is searched for finds what was meant and nothing else.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { insert, type Session, sql, update, uuidv7 } from "../../mod.ts";
import { bulkInsert, bulkSave, bulkUpdate } from "../../src/bulk/mod.ts";
import { body, Note, type Place, refuses, runs, Tag, testEverywhere, text } from "./kit.ts";

/** A row to change, in the database. */
async function given(place: Place, id: string): Promise<void> {
  await using session = place.session();
  session.add(new Note({ id, text: "before" }));
  await session.commit();
}

/** With the placeholders of the database. */
function numbered(place: Place, sql: string): string {
  let position = 0;
  return sql.replaceAll("?", () => place.db.dialect.placeholder(++position));
}

/** Each puts a text into `notes.text` of the row with this id; `changes` are those that need the row to be there. */
type Way = (session: Session, id: string, value: string, place: Place) => unknown;

const makes: Readonly<Record<string, Way>> = {
  add: (session, id, value) => session.add(new Note({ id, text: value })),
  create: (session, id, value) => session.add(Note.create({ id, text: value, writer: null })),
  merge: (session, id, value) => session.merge(new Note({ id, text: value })),
  insertNow: (session, id, value) => session.insertNow(new Note({ id, text: value })),
  insert: (session, id, value) => session.execute(insert(Note).values({ id, text: value })),
  "insert, staged": (session, id, value) => session.stage(insert(Note).values({ id, text: value }).returning([])),
  bulkInsert: (session, id, value) => bulkInsert(session, Note, [{ id, text: value }, { text: value }]),
  bulkSave: (session, id, value) => bulkSave(session, [new Note({ id, text: value })]),
  "sql``": (session, id, value) =>
    session.execute(sql`INSERT INTO notes (id, text, version) VALUES (${id}, ${value}, ${1})`),
  "sql.join": (session, id, value) =>
    session.execute(sql`INSERT INTO notes (id, text, version) VALUES (${sql.join([id, value, 1])})`),
  "text with values": (session, id, value, place) =>
    session.execute(numbered(place, "INSERT INTO notes (id, text, version) VALUES (?, ?, ?)"), [id, value, 1]),
  "text with named values": (session, id, value) =>
    session.execute("INSERT INTO notes (id, text, version) VALUES (:id, :value, :one)", { id, value, one: 1 }),
  "many runs": (session, id, value) =>
    session.execute("INSERT INTO notes (id, text, version) VALUES (:id, :value, 1)", [
      { id: uuidv7(), value },
      { id, value },
    ]),
};

const changes: Readonly<Record<string, Way>> = {
  async "assigned property"(session, id, value) {
    (await session.getOne(Note, id)).text = value;
  },
  async assign(session, id, value) {
    session.assign(await session.getOne(Note, id), { text: value });
  },
  async "assigned SQL"(session, id, value) {
    session.assign(await session.getOne(Note, id), { text: sql`${value}` });
  },
  async updateNow(session, id, value) {
    const note = await session.getOne(Note, id);
    note.text = value;
    await session.updateNow(note);
  },
  "merge onto a row": (session, id, value) => session.merge(new Note({ id, text: value })),
  "update().set()": (session, id, value) => session.execute(update(Note).set({ text: value }).where({ id })),
  "update().set() with SQL": (session, id, value) =>
    session.execute(update(Note).set({ text: sql`${value}` }).where({ id })),
  "update, staged": (session, id, value) => session.stage(update(Note).set({ text: value }).where({ id })),
  bulkUpdate: (session, id, value) => bulkUpdate(session, Note, [{ id, text: value }]),
  "onConflict() with the row's values": (session, id, value) =>
    session.execute(insert(Note).values({ id, text: value }).onConflict({ target: ["id"], update: ["text"] })),
  "onConflict() with values": (session, id, value) =>
    session.execute(insert(Note).values({ id, text: "x" }).onConflict({ target: ["id"], update: { text: value } })),
};

for (const [ways, isThere] of [[makes, false], [changes, true]] as const) {
  testEverywhere(`a text comes back as it went, or is refused, by ${Object.keys(ways).join(", ")}`, async (place) => {
    const one = fc.tuple(fc.constantFrom(...Object.keys(ways)), text);
    await fc.assert(
      fc.asyncProperty(one, async ([way, value]) => {
        const id = uuidv7();
        if (isThere) await given(place, id);
        await using session = place.session();
        const put = async () => {
          await ways[way]!(session, id, value, place);
          await session.commit();
        };
        if (!place.keeps(value)) {
          // What reads a row first has sent that, and no more.
          place.sent = 0;
          if (isThere) await session.get(Note, id);
          await refuses(place, put);
          return;
        }
        await put();
        const { rows } = await place.db.execute({
          sql: numbered(place, "SELECT text FROM notes WHERE id = ?"),
          params: [id],
        });
        assertEquals(rows, [[value]], way);
        await using other = place.session();
        assertEquals((await other.getOne(Note, id)).text, value, way);
      }),
      runs(150),
    );
  });
}

/** Each finds the ids of the rows with this text. */
const finds: Readonly<Record<string, Way>> = {
  value: (session, _, value) => session.query(Note).where({ text: value }).all(),
  eq: (session, _, value) => session.query(Note).where({ text: { eq: value } }).all(),
  in: (session, _, value) => session.query(Note).where({ text: { in: [value, "nothing else"] } }).all(),
  between: (session, _, value) => session.query(Note).where({ text: { between: [value, value] } }).all(),
  "gte and lte": (session, _, value) => session.query(Note).where({ text: { gte: value, lte: value } }).all(),
  and: (session, _, value) => session.query(Note).where({ and: [{ text: value }, { or: [{ text: value }] }] }).all(),
  not: (session, _, value) => session.query(Note).where({ not: { text: { ne: value } } }).all(),
  "sql``": (session, _, value) => session.query(Note).where(sql`text = ${value}`).all(),
  "a value of SQL": (session, _, value) => session.query(Note).where({ text: { eq: sql`${value}` } }).all(),
  startsWith: (session, _, value) => session.query(Note).where({ text: { startsWith: value, eq: value } }).all(),
  endsWith: (session, _, value) => session.query(Note).where({ text: { endsWith: value, eq: value } }).all(),
  contains: (session, _, value) => session.query(Note).where({ text: { contains: value, eq: value } }).all(),
  async count(session, _, value) {
    assertEquals(await session.query(Note).where({ text: value }).count(), 1);
    return await session.query(Note).where({ text: value }).all();
  },
  async "named values"(session, _, value) {
    return (await session.execute("SELECT id FROM notes WHERE text = :value", { value })).all();
  },
  async "values in order"(session, _, value, place) {
    return (await session.execute(numbered(place, "SELECT id FROM notes WHERE text = ?"), [value])).all();
  },
  async page(session, _, value) {
    const query = session.query(Note).where({ text: { in: [value, "nothing"] } }).orderBy({ text: "asc" });
    const before = await query.page({ size: 1 });
    assertEquals(before.cursor, null);
    return before.items;
  },
};

testEverywhere(`a text finds its row and no other, by ${Object.keys(finds).join(", ")}`, async (place) => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...Object.keys(finds)), text, async (way, value) => {
      await using session = place.session();
      const find = () => finds[way]!(session, "", value, place);
      if (!place.keeps(value)) return await refuses(place, find);
      await place.empty();
      const id = uuidv7();
      const others = ["nobody's", "%", "1", "zz"].filter((other) => other.trim() !== value.trim());
      session.addAll([new Note({ id, text: value }), ...others.map((other) => new Note({ text: other }))]);
      await session.commit();
      const found = await find() as { id: string }[];
      assertEquals(found.map((note) => note.id), [id], way);
    }),
    runs(200),
  );
});

testEverywhere("the end of a page leads to the next, whatever the text that it ends with", async (place) => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(text.filter((one) => place.keeps(one)), { minLength: 2, maxLength: 6 }),
      async (texts) => {
        await place.empty();
        await using session = place.session();
        session.addAll(texts.map((value) => new Note({ text: value })));
        await session.commit();
        const seen: string[] = [];
        let after: string | null = null;
        do {
          const page: { items: Note[]; cursor: string | null } = await session.query(Note).orderBy({ text: "desc" })
            .page({ size: 1, after });
          seen.push(...page.items.map((note) => note.text));
          after = page.cursor;
        } while (after !== null);
        assertEquals(seen.toSorted(), texts.toSorted());
      },
    ),
    runs(25),
  );
});

testEverywhere("a key is any text, and leads to its row alone", async (place) => {
  await fc.assert(
    fc.asyncProperty(text.map((one) => one.trimEnd().slice(0, 100).toWellFormed()), async (name) => {
      await using session = place.session();
      const add = async () => {
        session.addAll([new Tag({ name, label: `${name}!` }), new Tag({ name: `${name}x` })]);
        await session.commit();
      };
      if (!place.keeps(name)) {
        await refuses(place, add);
        await refuses(place, () => session.get(Tag, name));
        return;
      }
      await place.empty();
      await add();
      await using other = place.session();
      assertEquals({ ...await other.get(Tag, name) }, { name, label: `${name}!`, uses: 0 });
      await other.reset();
      assertEquals((await other.getAll(Tag, [name, `${name}?`])).map((tag) => tag?.name), [name, undefined]);
      await other.reset();
      assertEquals((await other.get(Tag, { name }))?.name, name);
      await other.execute(
        insert(Tag).values({ name, uses: 1 }).onConflict({ target: ["name"], update: { uses: sql`tags.uses + 1` } }),
      );
      await other.delete(await other.getOne(Tag, name));
      await other.commit();
      assertEquals((await other.query(Tag).all()).map((tag) => tag.name), [`${name}x`]);
    }),
    runs(60),
  );
});

testEverywhere("JSON comes back as it went, with keys of any name, or is refused", async (place) => {
  await fc.assert(
    fc.asyncProperty(body, async (data) => {
      await using session = place.session();
      const id = uuidv7();
      const put = async () => {
        session.add(new Note({ id, text: "x", data }));
        await session.commit();
      };
      const written = JSON.stringify(data);
      const kept = place.name === "sqlite" || (JSON.stringify(data) ?? "").isWellFormed() &&
          !/\\ud[89a-f]/i.test(written) && (place.name === "mysql" || !written.includes("\\u0000"));
      if (!kept) return await refuses(place, put);
      await put();
      await using other = place.session();
      const found = await other.getOne(Note, id);
      assertEquals(sorted(found.data), sorted(data));
      // Seen as it is: nothing is written again, and a change inside is.
      assertEquals(other.isModified(found), false);
      found.data = objectAround(found.data);
      await other.commit();
      await using third = place.session();
      assertEquals(sorted((await third.getOne(Note, id)).data), sorted(objectAround(data)));
    }),
    runs(150),
  );
});

function objectAround(inner: unknown): unknown {
  return JSON.parse(`{"__proto__":{"polluted":true},"inner":${JSON.stringify(inner)}}`);
}

/** As text with sorted keys, since a database may order them: unlike `assertEquals`, it sees an own `__proto__`. */
function sorted(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value === 0 ? 0 : value);
  if (Array.isArray(value)) return `[${value.map(sorted).join()}]`;
  const keys = Object.keys(value).sort();
  return `{${
    keys.map((name) => `${JSON.stringify(name)}:${sorted((value as Record<string, unknown>)[name])}`).join()
  }}`;
}

testEverywhere(
  "a value of a wrong type is refused before anything is sent, and text is never a number",
  async (place) => {
    const wrong: readonly unknown[] = [
      "1; DROP TABLE vault",
      "1 OR 1=1",
      " 1",
      "0x10",
      "NaN",
      "",
      "novel' OR ''='",
      ["1"],
      { eq: 1 },
      {
        toString: 1,
      },
    ];
    for (const property of ["n", "wide", "price", "flag", "at", "day", "raw", "kind", "short", "writerId"] as const) {
      for (const value of wrong) {
        if (property === "short" && typeof value === "string") continue;
        await using session = place.session();
        const bad = { text: "x", [property]: value } as unknown as { text: string };
        await refuses(place, async () => {
          session.add(new Note(bad));
          await session.commit();
        });
        await session.rollback();
        await refuses(place, () => bulkInsert(session, Note, [bad]).then(() => session.commit()));
        await session.rollback();
        await refuses(place, () => session.query(Note).where({ [property]: { eq: value } } as never).all());
        await refuses(place, () => session.query(Note).where({ [property]: { in: [value] } } as never).all());
      }
    }
    assert(true);
  },
);
