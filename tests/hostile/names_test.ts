/**
 * Hostile names: of tables, columns and values of enumerations in models, in `sql.id`, of savepoints and settings. Each is
 * quoted, bound, or refused.
 *
 * @module
 */
import { assertEquals, assertInstanceOf } from "@std/assert";
import fc from "fast-check";
import { createAll, insert, LedgeError, model, sql, t, update, ValidationError } from "../../mod.ts";
import { ATTACKS, errorOf, Note, type Place, refuses, runs, testEverywhere, text } from "./kit.ts";

/** A name as databases take one: without NUL, of at most 63 bytes. It ends in a mark, since MySQL's must not in a space. */
const name: fc.Arbitrary<string> = text.map((one) =>
  `${one.toWellFormed().replaceAll("\0", "").slice(0, 12).toWellFormed().trim()}!`
);

/** MySQL's names are in the Basic Multilingual Plane, and its tables are files. */
function takes(place: Place, one: string): boolean {
  return place.name !== "mysql" || Array.from(one, (point) => point.codePointAt(0)!).every((point) => {
    return point >= 0x20 && point < 0xfeff;
  });
}

testEverywhere("a model with hostile names is a model like any other", async (place) => {
  const own = name.filter((one) => takes(place, one));
  const names = fc.uniqueArray(own, {
    minLength: 4,
    maxLength: 4,
    selector: (one) => one.toLowerCase().normalize("NFKD"),
  });
  const kinds = fc.uniqueArray(own, { minLength: 2, maxLength: 3, selector: (one) => one.toLowerCase() });
  await fc.assert(
    fc.asyncProperty(names, kinds, async ([table, id, a, b], [first, second, ...more]) => {
      class Odd extends model(`t ${table}`, {
        id: t.identity(id),
        a: t.varchar(100, a),
        kind: t.enumeration([first!, second!, ...more], b),
      }) {}
      if (place.name === "mysql" && [first!, second!, ...more].some((kind) => kind.includes("\\"))) {
        return await refuses(place, () => createAll(place.db, [Odd]));
      }
      try {
        await createAll(place.db, [Odd]);
        await using session = place.session();
        const odd = session.add(new Odd({ a: table!, kind: first! }));
        await session.commit();
        odd.kind = second!;
        session.assign(odd, { a: sql`${sql.id(a!)}` });
        await session.commit();
        await session.execute(update(Odd).set({ a: id! }).where({ kind: second!, a: { ne: "x" } }));
        await session.execute(
          insert(Odd).values({ id: odd.id, a: "y", kind: first! }).onConflict({ target: ["id"], update: ["kind"] }),
        );
        await session.commit();
        await using other = place.session();
        const found = await other.query(Odd).where({ kind: first! }).orderBy({ a: "desc" }).one();
        assertEquals({ ...found }, { id: odd.id, a: id!, kind: first! });
        const raw = await other.execute(
          sql`SELECT ${sql.id(a!)} AS ${sql.id(`${table} of`)} FROM ${sql.id(`t ${table}`)} WHERE ${
            sql.id(b!)
          } = ${first}`,
        );
        assertEquals([raw.columns, raw.scalars().all()], [[`${table} of`], [id!]]);
        await other.delete(found);
        await other.commit();
        assertEquals(await other.query(Odd).count(), 0);
      } finally {
        await place.db.execute({ sql: `DROP TABLE IF EXISTS ${place.db.dialect.quote(`t ${table}`)}`, params: [] });
      }
    }),
    runs(15),
  );
});

testEverywhere("sql.id() makes a name of any text and nothing else of it, or refuses it", async (place) => {
  await using session = place.session();
  for (const one of ATTACKS) {
    for (const names of [[`${one}.`], ["notes", `${one}.`], [one, one, one]]) {
      const error = await errorOf(() => session.execute(sql`SELECT ${sql.id(...names)} FROM notes`));
      // SQLite takes an unknown name in double quotes for text.
      if (place.name !== "sqlite") assertInstanceOf(error, LedgeError, one);
      await session.rollback();
    }
  }
  for (const wrong of ["", "\0", "a\0", null, undefined, 1, {}, ["id"]]) {
    await refuses(place, () => session.execute(sql`SELECT ${sql.id(wrong as string)} FROM notes`));
  }
});

testEverywhere("a savepoint's name is any text; the database never sees it", async (place) => {
  const savepoint = text.filter((one) => one !== "");
  await fc.assert(
    fc.asyncProperty(savepoint, savepoint, async (outer, inner) => {
      await place.empty();
      await using session = place.session();
      await session.start();
      await session.beginNested(outer);
      await session.execute(insert(Note).values({ text: "kept" }));
      await session.savepoint(inner, async () => {
        await session.execute(insert(Note).values({ text: "kept too" }));
      });
      await session.beginNested(inner);
      await session.execute(insert(Note).values({ text: "gone" }));
      await session.rollback(inner);
      assertEquals((await session.query(Note).all()).map((note) => note.text).sort(), ["kept", "kept too"]);
      await session.rollback(outer);
      assertEquals(await session.query(Note).count(), 0);
      await session.commit();
    }),
    runs(15),
  );
  await using session = place.session();
  for (const wrong of ["", null, 1, {}, ["a"]]) await refuses(place, () => session.beginNested(wrong as string));
});

testEverywhere("a connection's own savepoints are quoted, or refused", async (place) => {
  const connection = await place.db.connect();
  try {
    for (const one of ATTACKS.filter((one) => one.isWellFormed() && takes(place, one)).map((one) => one.trim())) {
      if (one === "" || one.includes("\0")) continue;
      await connection.savepoint(one);
      await connection.rollbackTo(one);
      await connection.release(one);
    }
    const error = await errorOf(() => connection.savepoint("a\0b"));
    assertInstanceOf(error, ValidationError);
  } finally {
    await connection.rollback();
  }
});

testEverywhere("a setting's name and value are bound, or refused", async (place) => {
  await fc.assert(
    fc.asyncProperty(text, text, async (setting, value) => {
      await using session = place.session();
      const set = async (settings: Record<string, string>): Promise<unknown> => {
        await session.begin({ settings });
        return await session.scalar(sql`SELECT current_setting(${Object.keys(settings)[0]})`);
      };
      if (!place.keeps(value)) return await refuses(place, () => set({ "my.own": value }));
      assertEquals(await set({ "my.own": value }), value);
      await session.rollback();
      if (!place.keeps(setting) || setting === "") await refuses(place, () => set({ [setting]: value }));
      else await errorOf(() => set({ [setting]: value }));
      await session.rollback();
    }),
    runs(60),
  );
}, ["neon"]);
