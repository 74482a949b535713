/**
 * Queries: conditions, order, limits, and the ways of taking what is found.
 *
 * @module
 */
import { assertEquals, assertStrictEquals } from "@std/assert";
import {
  MultipleResultsError,
  NoResultError,
  select,
  type Session,
  sql,
  UnsupportedError,
  ValidationError,
  type Where,
} from "../../mod.ts";
import { Author, Book, Page, Sample, Seat, Stock } from "./models.ts";
import { type Place, refused, sendsNothing, type Target, test } from "./setup.ts";

const bytes = (...values: number[]) => new Uint8Array(values);

const rows: ({ text: string } & { readonly [K in keyof Sample]?: Sample[K] })[] = [
  {
    text: "alpha",
    integer: -5,
    bigint: 9007199254740993n,
    double: 0.5,
    boolean: true,
    date: "2024-01-01",
    timestamp: new Date(1000),
    bytes: bytes(1),
    kind: "novel",
    uuid: "00000000-0000-4000-8000-000000000001",
    decimal: "1.50",
  },
  {
    text: "Beta_10%",
    integer: 0,
    bigint: 9007199254740992n,
    double: 1.5,
    boolean: false,
    date: "2024-06-30",
    timestamp: new Date(2000),
    bytes: bytes(1, 2),
    kind: "essay",
    uuid: "00000000-0000-4000-8000-000000000002",
    decimal: "10.00",
  },
  { text: "gamma's", integer: 10, double: 2.5, date: "2025-01-01", timestamp: new Date(3000), boolean: true },
  { text: "del\\ta", integer: 10 },
  { text: "none" },
];

async function fill(place: Place): Promise<Session> {
  await place.save(...rows.map((row) => new Sample(place.fit(row))));
  return place.session();
}

const found = async (session: Session, where: Where<Sample>) =>
  (await session.query(Sample).where(where).all()).map(({ text }) => text!).sort();

/** Registers the tests of queries. */
export function querySuite(target: Target): void {
  const cases: [string, Where<Sample> | ((place: Place) => Where<Sample>), string[]][] = [
    ["a value", { text: "alpha" }, ["alpha"]],
    ["a value with a quote", { text: "gamma's" }, ["gamma's"]],
    ["eq", { integer: { eq: 10 } }, ["del\\ta", "gamma's"]],
    ["ne, which NULL never is", { integer: { ne: 10 } }, ["Beta_10%", "alpha"]],
    ["null", { integer: null }, ["none"]],
    ["eq null", { integer: { eq: null } }, ["none"]],
    ["ne null", { integer: { ne: null } }, ["Beta_10%", "alpha", "del\\ta", "gamma's"]],
    ["isNull", { boolean: { isNull: true } }, ["del\\ta", "none"]],
    ["isNull false", { boolean: { isNull: false } }, ["Beta_10%", "alpha", "gamma's"]],
    ["in", { integer: { in: [-5, 0, 77] } }, ["Beta_10%", "alpha"]],
    ["in of nothing", { integer: { in: [] } }, []],
    ["notIn", { integer: { notIn: [10, -5] } }, ["Beta_10%"]],
    ["notIn of nothing", { text: { notIn: [] } }, ["Beta_10%", "alpha", "del\\ta", "gamma's", "none"]],
    ["in of text", { text: { in: ["alpha", "gamma's", "x' OR '1'='1"] } }, ["alpha", "gamma's"]],
    ["gt", { integer: { gt: 0 } }, ["del\\ta", "gamma's"]],
    ["gte and lt", { integer: { gte: -5, lt: 10 } }, ["Beta_10%", "alpha"]],
    ["lte", { double: { lte: 1.5 } }, ["Beta_10%", "alpha"]],
    ["between", { integer: { between: [-5, 0] } }, ["Beta_10%", "alpha"]],
    ["like", { text: { like: "%a" } }, ["alpha", "del\\ta"]],
    ["startsWith", { text: { startsWith: "Beta_" } }, ["Beta_10%"]],
    ["startsWith, where _ is no pattern", { text: { startsWith: "alph_" } }, []],
    ["endsWith, where % is no pattern", { text: { endsWith: "0%" } }, ["Beta_10%"]],
    ["contains with a backslash", { text: { contains: "l\\t" } }, ["del\\ta"]],
    ["contains with a quote", { text: { contains: "a's" } }, ["gamma's"]],
    ["bigints beyond 2^53", (place) => ({ bigint: { gt: place.big(9007199254740992n) } }), ["alpha"]],
    ["a bigint", (place) => ({ bigint: place.big(9007199254740993n) }), ["alpha"]],
    ["booleans", { boolean: true }, ["alpha", "gamma's"]],
    ["boolean ne", { boolean: { ne: true } }, ["Beta_10%"]],
    ["days", { date: { gte: "2024-06-30" } }, ["Beta_10%", "gamma's"]],
    ["moments", { timestamp: { gt: new Date(1000), lte: new Date(3000) } }, ["Beta_10%", "gamma's"]],
    ["a moment", { timestamp: new Date(2000) }, ["Beta_10%"]],
    ["moments in", { timestamp: { in: [new Date(1000), new Date(9)] } }, ["alpha"]],
    ["bytes", { bytes: bytes(1, 2) }, ["Beta_10%"]],
    ["bytes in", { bytes: { in: [bytes(1), bytes(7)] } }, ["alpha"]],
    ["an enumeration", { kind: { in: ["novel", "essay"] } }, ["Beta_10%", "alpha"]],
    ["a uuid", { uuid: "00000000-0000-4000-8000-000000000002" }, ["Beta_10%"]],
    ["two properties", { integer: 10, boolean: true }, ["gamma's"]],
    ["and", { and: [{ integer: 10 }, { boolean: true }] }, ["gamma's"]],
    ["or", { or: [{ integer: -5 }, { text: "none" }] }, ["alpha", "none"]],
    ["or of nothing", { or: [] }, []],
    ["and of nothing", { and: [], integer: 0 }, ["Beta_10%"]],
    ["not", { not: { text: { startsWith: "a" } } }, ["Beta_10%", "del\\ta", "gamma's", "none"]],
    ["not of a null, as in SQL", { not: { integer: 10 } }, ["Beta_10%", "alpha"]],
    ["not inside or", { or: [{ not: { integer: { gte: 0 } } }, { boolean: false }] }, ["Beta_10%", "alpha"]],
    ["sql", sql`${sql.id("integer")} + ${1} = ${11}`, ["del\\ta", "gamma's"]],
    ["sql inside or", { or: [sql`${sql.id("integer")} < ${0}`, { integer: 0 }] }, ["Beta_10%", "alpha"]],
    ["sql that has an OR of its own", { and: [sql`1 = 1 OR 1 = 1`, { integer: 0 }] }, ["Beta_10%"]],
    ["sql as an operand", { integer: { eq: sql`(SELECT max(${sql.id("integer")}) FROM samples)` } }, [
      "del\\ta",
      "gamma's",
    ]],
    ["a deep mixture", {
      and: [{ or: [{ integer: { gt: 0 } }, { not: { boolean: true } }] }, { not: { text: { endsWith: "a" } } }],
    }, ["Beta_10%", "gamma's"]],
  ];
  for (const [what, given, expected] of cases) {
    test(target, `query.where() finds by ${what}`, async (place) => {
      const where = typeof given === "function" ? given(place) : given;
      await using session = await fill(place);
      assertEquals(await found(session, where), expected);
      assertEquals(await session.query(Sample).where(where).count(), expected.length);
    });
  }

  test(target, "query.where() called again narrows", async (place) => {
    await using session = await fill(place);
    const base = session.query(Sample).where({ integer: { gte: 0 } });
    assertEquals([await base.where({ boolean: true }).count(), await base.count()], [1, 3]);
  });

  test(target, "query.where() refuses what is no condition, and nothing is sent", async (place) => {
    await using session = await fill(place);
    const wrong: [unknown, ...string[]][] = [
      [{ nope: 1 }, "Sample", '"nope"'],
      [{ integer: "1" }, "Sample.integer"],
      [{ integer: { gt: null } }, "Sample.integer", "isNull"],
      [{ integer: undefined }, "Sample.integer"],
      [{ integer: { like: "x", bigger: 1 } }, "Sample.integer"],
      [{ integer: { bigger: 1 } }, '"bigger"', "gte"],
      [{ integer: {} }, "Sample.integer", "empty object"],
      [{ integer: { in: 1 } }, "Sample.integer", "array"],
      [{ integer: { between: [1] } }, "Sample.integer", "two"],
      [{ text: { contains: 1 } }, "Sample.text", "text"],
      [{ text: { isNull: "yes" } }, "Sample.text", "isNull"],
      [{ or: { text: "a" } }, '"or"', "array"],
      [{ json: { eq: { a: 1 } } }, "Sample.json", "sql`"],
      ["text = 'alpha'", "sql`"],
      [null, "Sample"],
    ];
    await sendsNothing(place, async () => {
      for (const [where, ...words] of wrong) {
        await refused(() => session.query(Sample).where(where as never).all(), ValidationError, ...words);
      }
    });
  });

  test(target, "query.orderBy() orders by columns and sql, and limit() and offset() take a part", async (place) => {
    await using session = await fill(place);
    const texts = async (query: { all(): Promise<Sample[]> }) => (await query.all()).map(({ text }) => text);
    const query = session.query(Sample).where({ integer: { isNull: false } });
    const all = ["Beta_10%", "alpha", "del\\ta", "gamma's"];
    assertEquals(await texts(query.orderBy({ text: "asc" })), all);
    assertEquals(await texts(query.orderBy({ integer: "desc", text: "asc" })), [
      "del\\ta",
      "gamma's",
      "Beta_10%",
      "alpha",
    ]);
    assertEquals(await texts(query.orderBy({ integer: "desc" }).orderBy({ text: "desc" })), [
      "gamma's",
      "del\\ta",
      "Beta_10%",
      "alpha",
    ]);
    assertEquals(await texts(query.orderBy([sql`length(${sql.id("text")})`, { text: "asc" }])), [
      "alpha",
      "del\\ta",
      "gamma's",
      "Beta_10%",
    ]);
    const ordered = query.orderBy({ text: "asc" });
    assertEquals(await texts(ordered.limit(2)), all.slice(0, 2));
    assertEquals(await texts(ordered.limit(2).offset(1)), all.slice(1, 3));
    assertEquals(await texts(ordered.offset(3)), all.slice(3));
    assertEquals(await texts(ordered.limit(0)), []);
    assertEquals([await ordered.limit(2).count(), await ordered.offset(3).count(), await ordered.limit(9).count()], [
      2,
      1,
      4,
    ]);
    await refused(() => query.limit(-1), ValidationError, "limit()");
    await refused(() => query.offset(1.5), ValidationError, "offset()");
    await refused(() => query.orderBy({ nope: "asc" } as never), ValidationError, '"nope"');
    await refused(() => query.orderBy({ text: "up" } as never), ValidationError, "Sample.text");
  });

  test(
    target,
    "query.first(), one() and oneOrNull() take one, and exists() tells whether there is any",
    async (place) => {
      await using session = await fill(place);
      const query = session.query(Sample).orderBy({ text: "asc" });
      const [none, one, many] = [{ text: "nothing" }, { text: "alpha" }, { integer: 10 }];
      assertEquals((await query.first())?.text, "Beta_10%");
      assertEquals(await query.where(none).first(), null);
      assertStrictEquals(await query.where(one).one(), await query.where(one).oneOrNull());
      assertEquals(await query.where(none).oneOrNull(), null);
      await refused(() => query.where(none).one(), NoResultError, "Sample", "oneOrNull()");
      await refused(() => query.where(many).one(), MultipleResultsError, "Sample", "first()");
      await refused(() => query.where(many).oneOrNull(), MultipleResultsError);
      assertEquals([await query.where(many).exists(), await query.where(none).exists()], [true, false]);
      assertEquals(await query.limit(0).exists(), false);
    },
  );

  test(target, "query.where() refuses to order what the database does not order by value", async (place) => {
    await using session = await fill(place);
    if (!place.db.dialect.isOrdered({ name: "decimal" })) {
      await refused(
        () => session.query(Sample).where({ decimal: { gt: "2" } }).all(),
        UnsupportedError,
        "Sample.decimal",
        "sql`",
      );
      return;
    }
    assertEquals(await found(session, { decimal: { gt: "2" } }), ["Beta_10%"]);
  });

  test(target, "query methods leave the query that they are called on as it was", async (place) => {
    await using session = await fill(place);
    const base = select(Sample);
    base.where({ integer: 10 }).limit(1);
    assertEquals((await session.execute(base)).all().length, rows.length);
  });

  test(target, "session.getOne() throws where get() gives null", async (place) => {
    await using session = place.session();
    const id = crypto.randomUUID();
    await refused(() => session.getOne(Author, id), NoResultError, "Author", id);
    assertEquals(await session.get(Author, id), null);
  });

  test(target, "session.get() takes a key as a value, a tuple or an object", async (place) => {
    await place.save(
      new Seat({ row: 1, letter: "A" }),
      new Seat({ row: 1, letter: "B" }),
      new Seat({ row: 2, letter: "A" }),
    );
    await using session = place.session();
    const a = await session.getOne(Seat, [1, "A"]);
    assertStrictEquals(await session.getOne(Seat, { letter: "A", row: 1 }), a);
    const all = await session.getAll(Seat, [[2, "A"], [9, "A"], { row: 1, letter: "B" }]);
    assertEquals(all.map((seat) => seat && `${seat.row}${seat.letter}`), ["2A", null, "1B"]);
    await sendsNothing(place, async () => {
      for (
        const key of [1, [1], [1, "A", 2], { row: 1 }, { row: 1, letter: null }, null, undefined, { row: 1, seat: "A" }]
      ) {
        await refused(() => session.get(Seat, key as never), ValidationError, "Seat", "row, letter");
      }
      await refused(() => session.get(Author, 5 as never), ValidationError, "Author.id");
      await refused(() => session.get(Author, "x", { nope: 1 } as never), ValidationError, '"nope"');
    });
  });

  test(target, "queries quote names, so that any can be used", async (place) => {
    await using session = place.session();
    assertEquals(await session.query(Stock).where({ left: { gt: 0 }, day: null }).orderBy({ left: "asc" }).all(), []);
    assertEquals(await session.query(Seat).where({ row: 1 }).orderBy({ row: "desc" }).all(), []);
    assertEquals(await session.query(Page).where({ at: { lt: new Date() } }).all(), []);
    assertEquals(await session.query(Book).where({ authorId: crypto.randomUUID() }).exists(), false);
  });
}
