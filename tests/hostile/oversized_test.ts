/**
 * Input that is too large or too deep: it is taken, refused with a typed error, or answered by the database's own error; it
 * never overflows the stack, and its cost does not grow with the square of its size. No time is asserted: what was
 * quadratic would take minutes here.
 *
 * @module
 */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import {
  belongsTo,
  DatabaseError,
  deleteFrom,
  hasMany,
  insert,
  model,
  sql,
  StatementError,
  t,
  update,
  ValidationError,
} from "../../mod.ts";
import { bulkInsert } from "../../src/bulk/mod.ts";
import { redactor } from "../../adapters/shared/secrets.ts";
import { errorOf, Note, refuses, Tag, testEverywhere, Writer } from "./kit.ts";

const MEGABYTE = 1_000_000;
const MANY = 100_000;

/** Texts of a megabyte, each the worst for some pattern that looks at one. */
const large: readonly string[] = [
  "x",
  "'",
  "\\",
  "%",
  '"',
  "a.",
  "eyJ-",
  "a://",
  "?",
  "://?",
  "Bearer ",
  "ledge:stale:",
  "é",
  "{",
  "\n",
]
  .map((one) => one.repeat(Math.ceil(MEGABYTE / one.length)));

function nested(depth: number, wrap: (inner: unknown) => unknown, leaf: unknown = 1): never {
  let value = leaf;
  for (let i = 0; i < depth; i++) value = wrap(value);
  return value as never;
}

const inArray = (inner: unknown) => [inner];
const inObject = (inner: unknown) => ({ a: inner });

testEverywhere("a text of a megabyte is kept and found as it is", async (place) => {
  for (const value of large) {
    await place.empty();
    await using session = place.session();
    const note = session.add(new Note({ text: value, data: { [value.slice(0, 1000)]: value } }));
    await session.commit();
    await using other = place.session();
    const found = await other.query(Note).where({ text: value }).one();
    assertEquals([found.id, found.text === value], [note.id, true]);
    assertEquals((found.data as Record<string, string>)[value.slice(0, 1000)] === value, true);
    for (const operator of ["startsWith", "contains", "endsWith"]) {
      assertEquals(await other.query(Note).where({ text: { [operator]: value } }).count(), 1, operator);
    }
    assertEquals((await other.execute("SELECT :value AS value", { value })).scalarOne() === value, true);
    const like = await errorOf(() => other.query(Note).where({ text: { like: value } }).all());
    if (like !== null) assertInstanceOf(like, StatementError);
  }
});

testEverywhere("a name of a megabyte is refused, in a message that one can read", async (place) => {
  await using session = place.session();
  await using other = place.session(); // a query would flush what is pending in its own session
  const note = other.add(new Note({ text: "x" }));
  for (const name of large) {
    for (
      const use of [
        () => session.query(Note).where({ [name]: 1 } as never).all(),
        () => session.query(Note).where({ text: { [name]: 1 } } as never).all(),
        () => session.query(Note).where({ text: { eq: name, n: 1 } } as never).all(),
        () => session.query(Note).orderBy({ [name]: "asc" } as never).all(),
        () => session.query(Note).orderBy({ text: name } as never).all(),
        () => session.query(Note).include([name] as never).all(),
        () => session.query(Note).include({ [name]: true } as never).all(),
        () => session.query(Note).page({ size: 1, after: name }),
        () => session.get(Note, { [name]: 1 } as never),
        () => new Note({ [name]: 1 } as never),
        () => Note.create({ [name]: 1 } as never),
        () => other.assign(note, { [name]: 1 } as never),
        () => session.execute(update(Note).set({ [name]: 1 } as never)),
        () => session.execute(insert(Note).values({ [name]: 1 } as never)),
        () => session.execute(insert(Tag).values({ name: "x" }).onConflict({ target: [name] as never })),
        () => bulkInsert(session, Note, [{ [name]: 1 } as never]),
        () => session.execute("SELECT :a", { [name]: 1 }),
        () => session.execute("SELECT 1", { [name]: 1 }),
        () => session.begin({ [name]: 1 } as never),
        () => session.on(name as never, () => {}),
        () => session.rollback(name),
      ]
    ) {
      place.sent = 0;
      const error = await errorOf(use);
      assertInstanceOf(error, ValidationError, `${use}`);
      assert(error.message.length < 1000, `${use} gives a message of ${error.message.length} characters`);
      assertEquals(place.sent, 0);
    }
  }
});

testEverywhere("what is nested too deep is refused before anything is sent", async (place) => {
  await using session = place.session();
  const note = new Note({ text: "x" });
  for (const depth of [33, 1000, 2000, 5000, MANY]) {
    for (
      const wrap of [
        (inner: unknown) => ({ and: [inner] }),
        (inner: unknown) => ({ or: [inner] }),
        (inner: unknown) => ({ not: inner }),
      ]
    ) {
      const where = nested(depth, wrap, { text: "x" });
      await refuses(place, () => session.query(Note).where(where).all());
      await refuses(place, () => session.query(Note).where(where).count());
      await refuses(place, () => session.query(Note).where(where).include(["writer"]).all());
      await refuses(place, () => session.execute(update(Note).set({ n: 1 }).where(where)));
      await refuses(place, () => session.stage(deleteFrom(Note).where(where)));
      await session.rollback();
    }
  }
  for (const depth of [11, 1000, 5001, MANY + 1]) {
    let turn = 0;
    const include = nested(depth, (inner) => ({ [turn++ % 2 === 0 ? "notes" : "writer"]: inner }), true);
    const model: typeof Note | typeof Writer = turn % 2 === 0 ? Note : Writer;
    await refuses(place, () => session.query(model as typeof Note).include(include).all());
    await refuses(place, () => session.get(model as typeof Note, note.id, { include }));
  }
  for (const wrap of [inArray, inObject, (inner: unknown) => ({ eq: inner }), (inner: unknown) => ({ text: inner })]) {
    for (const depth of [1000, 5000, MANY]) {
      const deep = nested(depth, wrap);
      for (
        const use of [
          () => session.query(Note).where({ text: deep }).all(),
          () => session.query(Note).where({ text: { eq: deep } }).all(),
          () => session.query(Note).where({ data: { eq: deep } }).all(),
          () => session.query(Note).where({ n: { in: [deep] } }).all(),
          () => session.query(Note).orderBy(deep).all(),
          () => session.query(Note).orderBy({ text: deep }).all(),
          () => session.get(Note, deep),
          () => session.get(Note, { id: deep }),
          () => session.getAll(Note, [deep]),
          () => session.add(new Note({ id: deep, text: "x" })),
          () => session.merge(new Note({ id: deep, text: "x" })),
          () => session.execute(insert(Note).values({ text: "x", data: deep })),
          () => session.execute(update(Note).set({ data: deep })),
          () => bulkInsert(session, Note, [{ text: "x", data: deep }]),
          () => session.execute(sql`SELECT ${deep}`),
          () => session.execute("SELECT :deep", { deep }),
          () =>
            session.query(Note).page({
              size: 1,
              after: btoa(JSON.stringify([1, "x"]).replace("1", "[".repeat(depth) + "]".repeat(depth))),
            }),
          async () => {
            session.add(new Note({ text: "x", data: deep }));
            await session.commit();
          },
        ]
      ) {
        if (place.name === "postgres" && wrap === inArray && /SELECT/.test(String(use))) continue; // an array is a value there
        await refuses(place, use);
        await session.rollback();
      }
    }
  }
});

testEverywhere("conditions and includes as deep as they may be work", async (place) => {
  await using session = place.session();
  for (
    const wrap of [
      (inner: unknown) => ({ and: [inner] }),
      (inner: unknown) => ({ or: [inner] }),
      (inner: unknown) => ({ not: inner }),
    ]
  ) {
    assertEquals(await session.query(Note).where(nested(32, wrap, { text: "x" })).count(), 0);
  }
  let turn = 0;
  const include = nested(10, (inner) => ({ [turn++ % 2 === 0 ? "writer" : "notes"]: inner }), true);
  assertEquals(await session.query(Writer).include(include).all(), []);
});

testEverywhere("JSON is kept as deep as it may be, and comes back", async (place) => {
  await using session = place.session();
  const deepest = place.name === "mysql" ? 30 : 500; // MySQL takes 100, the MariaDB of the tests 32
  for (const wrap of [inArray, inObject]) {
    const note = session.add(new Note({ text: "x", data: nested(deepest, wrap) }));
    await session.commit();
    await session.refresh(note);
    assertEquals(JSON.stringify(note.data), JSON.stringify(nested(deepest, wrap)));
  }
});

testEverywhere("a hundred thousand values are taken at once, or refused", async (place) => {
  await using session = place.session();
  const numbers = Array.from({ length: MANY }, (_, i) => i);
  const texts = numbers.map((i) => `x${i}'`);
  session.addAll([new Note({ text: "x7'", n: 7 }), new Tag({ name: "x7'" })]);
  await session.commit();
  assertEquals(await session.query(Note).where({ n: { in: numbers } }).count(), 1);
  assertEquals(await session.query(Note).where({ text: { in: texts } }).count(), 1);
  assertEquals(await session.query(Note).where({ text: { notIn: texts } }).count(), 0);
  await session.reset();
  assertEquals((await session.getAll(Tag, texts)).filter((tag) => tag !== null).length, 1);

  const wide = { or: texts.map((text) => ({ text })) };
  for (
    const [use, most] of [
      [() => session.query(Note).where(wide).count(), 1],
      [() => session.query(Note).where({ and: [{ or: [wide] }] }).count(), 1],
      [() => session.query(Note).where(sql`text IN (${sql.join(texts)})`).count(), 1],
      [() => session.execute(sql`SELECT count(*) FROM notes WHERE n IN (${sql.join(numbers)})`), 1],
    ] as const
  ) {
    const error = await errorOf(use);
    // MySQL's statements are bounded by their size alone.
    if (place.name === "mysql") assertEquals(error, null);
    else assertInstanceOf(error, StatementError, `${most}`);
  }
  await session.rollback();
  const rows = numbers.map((n) => ({ text: "x", n }));
  const all = await errorOf(() => session.execute(insert(Note).values(rows).returning([])));
  if (all !== null) assertInstanceOf(all, ValidationError);
  await session.rollback();
  assertEquals((await session.execute("SELECT count(*) FROM notes")).scalarOne(), 1);
});

/** More than V8's stack takes as the arguments of a call. */
const ROWS = 130_000;

/** Writers and notes again, which go together. */
class Owner extends model("writers", { id: t.identity() }) {
  declare items?: Item[];
  static relations = { items: hasMany(() => Item, "writerId", { cascade: ["delete"] }) };
}
class Item extends model("notes", {
  id: t.uuid().primaryKey(),
  writerId: t.integer("writer_id").nullable().foreignKey(),
}) {
  static relations = { owner: belongsTo(() => Owner, "writerId") };
}

testEverywhere(
  "more rows than a call can have arguments are committed, read, merged, flushed and deleted by a cascade",
  async (place) => {
    await using session = place.session();
    const writer = session.add(Writer.create({
      name: "Ann",
      notes: Array.from({ length: ROWS }, (_, n) => new Note({ text: "x", n })),
    }));
    await session.commit();
    assertEquals(await session.query(Note).count(), ROWS);
    await session.reset();
    const found = await session.getOne(Writer, writer.id, { include: ["notes"] });
    assertEquals(found.notes.length, ROWS);
    await using other = place.session();
    assertEquals((await other.merge(found)).notes!.length, ROWS);
    await other.reset();
    await other.delete(await other.getOne(Owner, writer.id));
    other.addAll(Array.from({ length: ROWS }, (_, i) => new Tag({ name: `${i}` })));
    await other.flush();
    assertEquals([await other.query(Note).count(), await other.query(Tag).count()], [0, ROWS]);
  },
  ["libsql"],
);

Deno.test("no pattern takes more than a few passes over a message that somebody else wrote", () => {
  const redact = redactor(["secret"]);
  for (const one of large) for (const around of [one, `${one}@`, `x://${one}`, `x://${one}@h?${one}`]) redact(around);
});

testEverywhere("an error of the database that repeats a megabyte of input is read at once", async (place) => {
  for (const value of large) {
    await using session = place.session();
    const text = place.name === "postgres"
      ? sql`SELECT ${value}::int`
      : sql`INSERT INTO notes (id, text, version) VALUES (uuid(), 'x', ${value})`;
    const error = await errorOf(() => session.execute(text));
    assertInstanceOf(error, DatabaseError);
    assert(error.message.length < 1000, error.message.slice(0, 300));
    assert(Deno.inspect(error, { depth: 9 }).length < 20_000);
  }
}, ["neon", "planetscale"]);

/** A protocol that counts to 65,535 must not be given more. */
testEverywhere("more values than a statement can have are refused before they wrap around", async (place) => {
  await using session = place.session();
  for (const count of [65_536, 65_537, 2 * 65_536 + 1]) {
    place.sent = 0;
    const error = await errorOf(() =>
      session.execute(sql`SELECT count(*) FROM notes WHERE n IN (${sql.join(Array(count).fill(7))})`)
    );
    assertInstanceOf(error, StatementError);
    assertEquals(error.message, `The statement has ${count} values, and PostgreSQL takes 65535`);
  }
  const values = Array.from({ length: 65_535 }, (_, i) => i);
  assertEquals(
    (await session.execute(sql`SELECT count(*) FROM notes WHERE n IN (${sql.join(values)})`)).scalarOne(),
    0,
  );
}, ["neon"]);
