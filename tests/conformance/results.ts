/**
 * Statements as users give them, and what they give.
 *
 * @module
 */
import { assertEquals, assertStrictEquals } from "@std/assert";
import {
  InvalidStateError,
  MultipleResultsError,
  NoResultError,
  select,
  sql,
  StatementError,
  ValidationError,
} from "../../mod.ts";
import { Author, Maker } from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

const TEXT = "SELECT name, bio FROM authors ORDER BY name";

/** Registers the tests of statements and results. */
export function resultSuite(target: Target): void {
  test(target, "session.execute() gives rows as objects, and every way of reading them", async (place) => {
    await place.save(new Author({ name: "Ann", bio: "x" }), new Author({ name: "Bob" }));
    await using session = place.session();
    const result = await session.execute(TEXT);
    const rows = [{ name: "Ann", bio: "x" }, { name: "Bob", bio: null }];
    assertEquals([result.columns, result.all(), [...result], result.mappings()], [["name", "bio"], rows, rows, rows]);
    assertEquals([result.first(), result.scalar()], [rows[0] as never, "Ann"]);
    assertEquals([result.scalars().all(), [...result.scalars()], result.scalars().first()], [["Ann", "Bob"], [
      "Ann",
      "Bob",
    ], "Ann"]);
    for (
      const read of [
        () => result.one(),
        () => result.oneOrNull(),
        () => result.scalarOne(),
        () => result.scalars().one(),
      ]
    ) {
      await refused(read, MultipleResultsError, "first()");
    }
    const none = await session.execute(place.text("SELECT name FROM authors WHERE name = ?"), ["nobody"]);
    assertEquals([none.all(), none.first(), none.oneOrNull(), none.scalar(), none.scalars().oneOrNull()], [
      [],
      null,
      null,
      null,
      null,
    ]);
    for (const read of [() => none.one(), () => none.scalarOne(), () => none.scalars().one()]) {
      await refused(read, NoResultError, "oneOrNull()");
    }
    const one = await session.execute(sql`SELECT name FROM authors WHERE name = ${"Bob"}`);
    assertEquals([one.one(), one.scalarOne(), one.oneOrNull()], [{ name: "Bob" }, "Bob", { name: "Bob" }]);
  });

  test(target, "session.scalar(), scalars() and first() are shorthands", async (place) => {
    await place.save(new Author({ name: "Ann" }), new Author({ name: "Bob" }));
    await using session = place.session();
    assertEquals(await session.scalar(TEXT), "Ann");
    assertEquals((await session.scalars(TEXT)).all(), ["Ann", "Bob"]);
    assertEquals(await session.first(TEXT), { name: "Ann", bio: null });
    assertEquals(await session.first("SELECT name FROM authors WHERE 1 = 0"), null);
    const ordered = select(Author).orderBy({ name: "desc" });
    const bob = await session.query(Author).where({ name: "Bob" }).one();
    assertStrictEquals(await session.first(ordered), bob);
    assertStrictEquals((await session.scalars(ordered)).first(), bob);
  });

  test(target, "session.execute() of a select() gives instances", async (place) => {
    await place.save(new Author({ name: "Ann" }), new Author({ name: "Bob" }));
    await using session = place.session();
    const result = await session.execute(select(Author).where({ name: "Ann" }));
    const ann = result.one();
    assertStrictEquals(ann, await session.query(Author).where({ name: "Ann" }).one());
    assertEquals([result.scalarOne(), result.all(), result.columns], [ann, [ann], ["id", "name", "bio", "version"]]);
    assertEquals(result.mappings().map(({ name }) => name), ["Ann"]);
  });

  test(target, "session.execute() tells how many rows were written, and the key that was made", async (place) => {
    await place.save(new Author({ name: "Ann" }), new Author({ name: "Bob" }));
    await using session = place.session();
    const updated = await session.execute(place.text("UPDATE authors SET bio = ?"), ["x"]);
    assertEquals([updated.rowsAffected, updated.all()], [2, []]);
    assertEquals((await session.execute(sql`DELETE FROM authors WHERE name = ${"Ann"}`)).rowsAffected, 1);
    const inserted = await session.execute(place.text("INSERT INTO makers (name, version) VALUES (?, 1)"), ["m"]);
    assertEquals(inserted.rowsAffected, 1);
    const { id } = await session.query(Maker).one();
    if (inserted.lastInsertId !== null) assertEquals(Number(inserted.lastInsertId), id);
    await session.commit();
    assertEquals([await place.rows("authors"), await place.rows("makers")], [1, 1]);
  }, "interactive");

  test(target, "session.execute() binds values of every type", async (place) => {
    await using session = place.session();
    const values = [
      "O'Neil; --",
      1,
      0.5,
      true,
      null,
      place.big(9007199254740993n),
      new Uint8Array([1, 0]),
      new Date(0),
    ];
    const [text, whole, real, flag, none, big, bytes, date] = values;
    // PostgreSQL takes a value for text unless it is told, MySQL a fraction for a decimal.
    const typed = (value: unknown, type: string) =>
      place.db.dialect.name === "postgres" || place.db.dialect.name === "mysql" && value === real
        ? sql`CAST(${value} AS ${sql.raw(type)})`
        : sql`${value}`;
    const [asReal, asFlag] = [
      typed(real, place.db.dialect.name === "mysql" ? "double" : "double precision"),
      typed(flag, "boolean"),
    ];
    const [asBig, asBytes, asDate] = [typed(big, "bigint"), typed(bytes, "bytea"), typed(date, "timestamptz")];
    const result = await session.execute(
      sql`SELECT ${text} AS a, ${whole} AS b, ${asReal} AS c, ${asFlag} AS d, ${none} AS e, ${asBig} AS f, ${asBytes} AS g, ${asDate} AS h`,
    );
    const row = result.one();
    assertEquals([row.a, Number(row.b), row.c, Number(row.d), row.e], ["O'Neil; --", 1, 0.5, 1, null]);
    assertEquals([BigInt(row.f as bigint), row.g], [big, new Uint8Array([1, 0])]);
    const raw = place.text(
      place.db.dialect.name === "mysql"
        ? "SELECT CAST(? AS char(9)) AS a, CAST(? AS signed) AS b"
        : "SELECT CAST(? AS varchar(9)) AS a, CAST(? AS integer) AS b",
    );
    assertEquals((await session.execute(raw, ["?", 2])).one(), { a: "?", b: 2 });
    assertEquals(
      await session.scalar(sql`SELECT ${sql.join([typed(1, "integer"), typed(2, "integer")], sql` + `)}`),
      3,
    );
    assertEquals(await session.scalar(sql`SELECT ${sql.raw("1 + 1")} AS ${sql.id('odd "name"')}`), 2);
  });

  test(target, "session.execute() refuses what cannot be what it seems, and sends nothing", async (place) => {
    await using session = place.session();
    await sendsNothing(place, async () => {
      await refused(() => session.execute(""), ValidationError, "empty");
      await refused(() => session.execute("SELECT 1; DELETE FROM authors"), ValidationError, "one statement");
      for (const word of ["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT"]) {
        await refused(() => session.execute(`${word} a`), ValidationError, word);
      }
      const text = place.text("SELECT ?");
      await refused(() => session.execute(text), ValidationError, "1 placeholder");
      await refused(() => session.execute(text, [1, 2]), ValidationError, "1 placeholder", "2 values");
      await refused(() => session.execute(text, [undefined]), ValidationError, "Value 1");
      await refused(() => session.execute(sql`SELECT ${undefined}`), ValidationError, "SELECT ?");
      await refused(() => session.execute(text, [{ a: 1 }]), ValidationError, "Value 1");
      if (!place.hasNaN) await refused(() => session.execute(text, [Number.NaN]), ValidationError, "Value 1");
      if (!place.hasNul) await refused(() => session.execute(text, ["a\0b"]), ValidationError, "NUL");
      await refused(() => session.execute(text, ["\ud800"]), ValidationError, "surrogate");
      await refused(() => session.execute(sql`SELECT ${1}`, [1]), ValidationError, "no others");
      await refused(() => session.execute(5 as never), ValidationError, "text");
      await refused(() => session.execute("SELECT 1", [], { nope: 1 } as never), ValidationError, '"nope"');
    });
    assertEquals(session.state, "open");
  });

  test(
    target,
    "session.execute() of a wrong statement throws a StatementError and leaves the session as it was",
    async (place) => {
      await using session = place.session();
      session.autoflush = false;
      session.add(new Author({ name: "Ann" }));
      await refused(() => session.execute("SELECT nope FROM nowhere"), StatementError, "nowhere");
      await refused(() => session.query(Author).where(sql`no_such_column = 1`).all(), StatementError, "no_such_column");
      assertEquals(session.state, "open");
      await session.commit();
      assertEquals(await place.rows("authors"), 1);
    },
  );

  test(
    target,
    "session.execute() of what is no statement fails what it takes with it, and nothing else",
    async (place) => {
      await using session = place.session({ autoflush: false });
      session.add(new Author({ name: "Ann" }));
      await refused(() => session.execute("SELEC 1"), StatementError);
      if (place.db.dialect.failureAborts) {
        await refused(() => session.query(Author).all(), InvalidStateError, "failed", "rollback()");
        await session.rollback();
        assertEquals([session.state, session.new.size], ["open", 0]);
        session.add(new Author({ name: "Bob" }));
      }
      assertEquals([session.state, await session.query(Author).count()], ["open", 0]);
      await session.commit();
      assertEquals(await place.column("authors", "name"), [place.db.dialect.failureAborts ? "Bob" : "Ann"]);
    },
    "interactive",
  );
}
