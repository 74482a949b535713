/**
 * Change tracking: plain properties, compared by value.
 *
 * @module
 */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { ExpiredPropertyError, type Session, sql, ValidationError } from "../../mod.ts";
import { Article, Author, Page, Sample } from "./models.ts";
import { type Place, refused, sendsNothing, type Target, test } from "./setup.ts";

const page = () =>
  new Page({
    meta: { tags: ["a", "b"], deep: { n: 1 } },
    body: new Uint8Array([1, 2, 3]),
    at: new Date("2024-02-29T12:34:56.789Z"),
  });

/** A page, changed by a function, as another session sees it afterwards. */
async function changed(place: Place, change: (page: Page, session: Session) => unknown): Promise<Page> {
  await place.save(page());
  await using session = place.session();
  const one = await session.query(Page).one();
  await change(one, session);
  assertEquals([...session.dirty], [one]);
  await session.commit();
  assertEquals([session.dirty.size, one.version], [0, 2]);
  await using reader = place.other();
  const read = await reader.query(Page).one();
  assertEquals({ ...read }, { ...one });
  return read;
}

/** Registers the tests of change tracking. */
export function trackingSuite(target: Target): void {
  test(target, "session.commit() writes a Date that was changed in place", async (place) => {
    const read = await changed(place, (one) => one.at.setUTCFullYear(1999, 0, 1));
    assertEquals(read.at, new Date("1999-01-01T12:34:56.789Z"));
  });

  test(target, "session.commit() writes JSON that was changed in place", async (place) => {
    const read = await changed(place, (one) => (one.meta!.deep as { n: number }).n++);
    assertEquals(read.meta, { tags: ["a", "b"], deep: { n: 2 } });
  });

  test(target, "session.commit() writes bytes that were changed in place", async (place) => {
    const read = await changed(place, (one) => one.body[1] = 200);
    assertEquals(read.body, new Uint8Array([1, 200, 3]));
  });

  test(target, "session.commit() writes nothing when values are replaced by equal ones", async (place) => {
    await place.save(page());
    await using session = place.session();
    const one = await session.query(Page).one();
    one.at = new Date(one.at);
    one.body = one.body.slice();
    one.meta = { deep: { n: 1 }, tags: ["a", "b"] };
    assertEquals([session.dirty.size, session.isModified(one)], [0, false]);
    await sendsNothing(place, () => session.commit());
  });

  test(target, "session.commit() notices changes to a value that it wrote before", async (place) => {
    await using session = place.session();
    const one = session.add(page());
    await session.commit();
    (one.meta!.tags as string[]).push("c");
    one.body[0] = 9;
    one.at.setTime(0);
    await session.commit();
    await using reader = place.other();
    const read = await reader.query(Page).one();
    assertEquals([read.meta!.tags, read.body[0], read.at.getTime(), read.version], [["a", "b", "c"], 9, 0, 2]);
  });

  test(target, "session.commit() writes JSON null as a value of a column that is not nullable", async (place) => {
    const read = await changed(place, (one) => one.meta = null);
    assertEquals(read.meta, null);
    await using session = place.session();
    assertEquals(await session.query(Page).where({ meta: { isNull: false } }).count(), 1);
  });

  test(target, "session.commit() refuses undefined and names the property", async (place) => {
    await place.save(new Author({ name: "Ann", bio: "x" }));
    await using session = place.session();
    const ann = await session.query(Author).one();
    (ann as { bio?: string }).bio = undefined;
    await sendsNothing(
      place,
      () => refused(() => session.commit(), ValidationError, "Author.bio", "undefined", "null"),
    );
    ann.bio = null;
    delete (ann as { name?: string }).name;
    await refused(() => session.commit(), ValidationError, "Author.name");
    ann.name = "Ann";
    await session.commit();
    assertEquals(await place.column("authors", "bio"), [null]);
  });

  test(target, "session.commit() refuses a changed primary key, version or generated value", async (place) => {
    await place.save(new Article({ price: 3 }));
    await using session = place.session();
    const one = await session.query(Article).one();
    const { id } = one;
    const refuses = (words: string) =>
      sendsNothing(place, () => refused(() => session.commit(), ValidationError, words));
    one.id = crypto.randomUUID();
    await refuses("Article.id");
    one.id = id;
    one.version = 7;
    await refuses("Article.version");
    one.version = 1;
    (one as { twice: number }).twice = 1;
    await refuses("Article.twice");
    (one as { twice: number }).twice = 6;
    await sendsNothing(place, () => session.commit());
  });

  test(target, "session.assign() lets the database compute a value in the commit", async (place) => {
    await place.save(page());
    await using session = place.session();
    const one = await session.query(Page).one();
    await place.run("UPDATE pages SET visits = 41");
    await sendsNothing(place, () => session.assign(one, { visits: sql`visits + ${1}`, meta: { n: 1 } }));
    await refused(() => one.visits, ExpiredPropertyError, "Page.visits");
    assert(session.isModified(one));
    assertEquals(await place.requests(() => session.commit()), place.commits(1, 1));
    assertEquals([one.visits, one.meta, one.version], [42, { n: 1 }, 2]);
    assertEquals((await place.column("pages", "visits")).map(Number), [42]);
    await sendsNothing(place, () => session.commit());
  });

  test(target, "session.assign() gives a new row a computed value", async (place) => {
    await using session = place.session();
    const one = session.add(page());
    session.assign(one, { visits: sql`40 + 2` });
    await session.commit();
    assertEquals([one.visits, one.version], [42, 1]);
  });

  test(target, "session.assign() is undone by a rollback and by a plain value", async (place) => {
    await place.save(page());
    await using session = place.session();
    const one = await session.query(Page).one();
    session.assign(one, { visits: sql`visits + 1` });
    await session.rollback();
    assertEquals([one.visits, session.isModified(one)], [0, false]);
    session.assign(one, { visits: sql`visits + 1` });
    one.visits = 7;
    assertEquals(one.visits, 7);
    await session.commit();
    assertEquals((await place.column("pages", "visits")).map(Number), [7]);
  });

  test(target, "session.assign() refuses what cannot be assigned", async (place) => {
    await place.save(page());
    await using session = place.session();
    const one = await session.query(Page).one();
    await refused(() => session.assign(one, { visits: undefined }), ValidationError, "Page.visits", "undefined");
    await refused(() => session.assign(one, { id: sql`1` }), ValidationError, "Page.id", "primary key");
    await refused(() => session.assign(one, { version: sql`1` }), ValidationError, "Page.version");
    await refused(() => session.assign(one, { nope: 1 } as never), ValidationError, '"nope"');
    const article = session.add(new Article({ price: 1 }));
    await refused(() => session.assign(article, { twice: 1 } as never), ValidationError, "Article.twice");
    (one as unknown as { visits: unknown }).visits = sql`1`;
    await refused(() => session.commit(), ValidationError, "assign");
  });

  const values: readonly { [K in keyof Sample]?: Sample[K] }[] = [
    {
      text: 'O\'Neil \\ "q" ? $1 :a 🦊 é\n\t%_',
      varchar: "ünïcode",
      integer: -3,
      bigint: 9223372036854775807n,
      real: 0.5,
      double: 0.1,
      decimal: "1234567890.12",
      boolean: true,
      uuid: "0190163d-8694-739b-aea5-966c26f8ad91",
      timestamp: new Date("1969-07-20T20:17:40.001Z"),
      date: "2024-02-29",
      json: { a: [1, null, "x", { "b'c": true }], "": 0.5 },
      bytes: new Uint8Array([0, 255, 39, 92]),
      kind: "essay",
    },
    {
      text: "",
      varchar: "x".repeat(20),
      integer: Number.MAX_SAFE_INTEGER,
      bigint: -9223372036854775808n,
      real: -1024.25,
      double: 1.7976931348623157e308,
      decimal: "-0.50",
      boolean: false,
      uuid: "ffffffff-ffff-4fff-bfff-ffffffffffff",
      timestamp: new Date("2038-01-19T03:14:08.999Z"),
      date: "1000-01-01",
      json: "text",
      bytes: new Uint8Array(0),
      kind: "novel",
    },
    { integer: 0, double: 5e-324, json: [], text: "null", boolean: null, timestamp: new Date(0), decimal: "0.00" },
    {},
  ];

  test(target, "session.commit() writes every column type so that it reads the same", async (place) => {
    const samples = values.map((value) => new Sample(place.fit(value)));
    const expected = new Map(samples.map((sample) => [sample.id, { ...sample }]));
    await place.save(...samples);
    await using reader = place.session();
    for (const read of await reader.query(Sample).all()) assertEquals({ ...read }, expected.get(read.id));
  });

  test(target, "session.commit() updates every column type so that it reads the same", async (place) => {
    const [rich, ...others] = values;
    await place.save(...values.map(() => new Sample(place.fit(rich!))));
    await using session = place.session();
    const samples = await session.query(Sample).orderBy({ id: "asc" }).all();
    const blank = { ...new Sample({}), id: undefined };
    samples.forEach((sample, i) =>
      Object.assign(sample, { ...blank, ...others[i] && place.fit(others[i]!), id: sample.id })
    );
    await session.commit();
    await using reader = place.other();
    const read = await reader.query(Sample).orderBy({ id: "asc" }).all();
    assertEquals(read.map((one) => ({ ...one })), samples.map((one) => ({ ...one })));
    assertNotEquals(read[0]!.text, rich!.text);
  });

  test(target, "session.commit() takes a value apart from the one that the instance holds", async (place) => {
    await using session = place.session();
    const meta = { n: 1 };
    const one = session.add(new Page({ meta, body: new Uint8Array(2), at: new Date(0) }));
    await session.commit();
    meta.n = 2;
    assert(session.isModified(one));
    await session.commit();
    assertEquals([one.meta, one.version], [{ n: 2 }, 2]);
  });
}
