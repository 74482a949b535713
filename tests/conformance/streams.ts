/**
 * Streams: by key, and through a cursor of the server.
 *
 * @module
 */
import { assertEquals, assertStrictEquals } from "@std/assert";
import { InvalidStateError, select, sql, UnsupportedError, ValidationError } from "../../mod.ts";
import { Author, author, Line, Order, Sample } from "./models.ts";
import { digits, fill, id } from "./pages.ts";
import { type Place, refused, sendsNothing, type Target, test } from "./setup.ts";

/** Registers the tests of streams. */
export function streamSuite(target: Target): void {
  test(target, "query.stream() honours limit and offset, and reads a page at a time", async (place) => {
    await using session = await fill(place);
    const query = session.query(Sample).orderBy({ id: "asc" });
    let seen = "";
    const count = await place.requests(async () => {
      for await (const sample of query.limit(5).offset(1).stream({ size: 2 })) seen += digits([sample]);
    });
    assertEquals([seen, count], ["23456", 3]);
    const half = await place.requests(async () => {
      for await (const _ of query.stream({ size: 3 })) break;
    });
    assertEquals(half, 1);
    await sendsNothing(place, async () => {
      for await (const _ of query.limit(0).stream()) throw new Error("there is none");
      await refused(() => query.stream({ size: 0 }), ValidationError, "size");
      await refused(() => query.orderBy(sql`id`).stream(), ValidationError, "sql`…`");
      await refused(() => session.stream(select(Sample), [1] as never), ValidationError, "no others");
      await refused(() => place.session({ verifyReads: true }).query(Sample).stream(), ValidationError, "verifyReads");
    });
  });

  test(target, "session.stream() and streamScalars() of a select() give instances", async (place) => {
    await using session = await fill(place);
    const ordered = select(Sample).orderBy({ integer: "asc" });
    const all = digits((await session.execute(ordered.orderBy({ id: "asc" }))).all());
    for (const stream of [session.stream(ordered, undefined, { size: 3 }), session.streamScalars(ordered)]) {
      let seen = "";
      for await (const sample of stream) seen += digits([sample]);
      assertEquals(seen, all);
    }
  });

  test(
    target,
    "what a stream loaded leaves the session page by page, but what was changed or there before",
    async (place) => {
      const authors = ["a", "b", "c", "d", "e", "f"].map((name) => author(name, { [`of ${name}`]: [] }));
      await place.save(...authors);
      await using session = place.session();
      const d = await session.query(Author).where({ name: "d" }).one();
      const names: string[] = [];
      const passed: Author[] = [];
      for await (
        const one of session.query(Author).orderBy({ name: "asc" }).include({ books: true }).stream({ size: 2 })
      ) {
        names.push(`${one.name}${one.books.length}`);
        assertEquals(session.has(one), true);
        if (one.name === "b") one.bio = "changed";
        if (one.name === "d") assertStrictEquals(one, d);
        if (one.name === "e") await session.delete(one);
        passed.push(one);
        if (names.length === 3) {
          assertEquals([...session].length, 6); // b and its book, and d; c and the books of both
          assertEquals(passed.map((seen) => session.has(seen)), [false, true, true]);
        }
      }
      assertEquals(names, ["a1", "b1", "c1", "d1", "e1", "f1"]);
      assertEquals(passed.map((one) => session.has(one)), [false, true, false, true, true, false]);
      assertEquals(passed.map((one) => session.has(one.books![0]!)), [false, true, false, true, true, false]);
      assertEquals(session.inspect(passed[0]!).state, "detached");
      session.add(passed[0]!).bio = "taken back";
      await session.commit();
      assertEquals(await place.column("authors", "bio"), placeNulls(place, ["changed", "taken back"], 3));
      assertEquals(await place.rows("books"), 5);
    },
  );

  test(target, "a stream that is left early leaves its page in the session", async (place) => {
    await using session = await fill(place);
    let found: Sample | null = null;
    for await (const sample of session.query(Sample).orderBy({ id: "asc" }).stream({ size: 3 })) {
      found = sample;
      if (sample.id === id(5)) break;
    }
    assertEquals([session.has(found!), session.identityMap.size], [true, 3]);
    found!.text = "found";
    await session.commit();
    assertEquals((await session.query(Sample).where({ text: "found" }).one()).id, id(5));
  });

  test(
    target,
    "query.stream() flushes what is pending before its first page, and not what changes on the way",
    async (place) => {
      await place.save(
        Order.create({ name: "o", lines: [1, 2, 3].map((number) => new Line({ number, what: "old" } as never)) }),
      );
      await using session = place.session();
      const order = await session.query(Order).one();
      session.add(new Line({ orderId: order.id, number: 4, what: "new" }));
      const seen: number[] = [];
      for await (const line of session.query(Line).stream({ size: 1 })) {
        seen.push(line.number);
        line.what = `seen ${line.number}`;
      }
      assertEquals([seen, session.dirty.size, session.new.size], [[1, 2, 3, 4], 4, 0]);
      await session.commit();
      assertEquals(await place.column("order_lines", "what"), ["seen 1", "seen 2", "seen 3", "seen 4"]);
    },
    "interactive",
  );

  test(target, "a stream ends with its session", async (place) => {
    await using session = await fill(place);
    const stream = session.query(Sample).stream({ size: 1 });
    await stream.next();
    await session.close();
    await refused(() => stream.next(), InvalidStateError, "closed");
    await refused(() => session.query(Sample).stream(), InvalidStateError, "closed");
  });

  test(target, "session.stream() of SQL goes through a cursor of the server, where it has one", async (place) => {
    await using session = await fill(place);
    const text = place.text("SELECT id, integer FROM samples WHERE id <> ? ORDER BY id");
    if (place.db.dialect.cursor === undefined || !target.expects.interactive) {
      const how = async () => {
        for await (const _ of session.stream(text, [id(2)])) break;
      };
      await sendsNothing(
        place,
        () => refused(how, UnsupportedError, place.db.dialect.cursor ? "interactive" : "select(Model)"),
      );
      return;
    }
    const rows: unknown[] = [];
    const count = await place.requests(async () => {
      for await (const row of session.stream(text, [id(2)], { size: 3 })) rows.push(row);
    });
    assertEquals(rows, (await session.execute(text, [id(2)])).all());
    assertEquals([rows.length, count], [7, 4]); // DECLARE with the first FETCH, two more, CLOSE
    const integers: unknown[] = [];
    const named = "SELECT integer FROM samples WHERE id > :id ORDER BY id";
    for await (const value of session.streamScalars(named, { id: id(6) }, { size: 10 })) integers.push(value);
    assertEquals(integers, [1, 3]);
    const two = [session.stream("SELECT 1 AS a"), session.stream(sql`SELECT ${2}::integer AS a`)];
    assertEquals((await Promise.all(two.map((one) => one.next()))).map(({ value }) => value), [{ a: 1 }, { a: 2 }]);
    for (const one of two) await one.return();
    await sendsNothing(place, async () => {
      await refused(() => session.stream("DELETE FROM samples").next(), ValidationError, "reads");
      await refused(() => session.stream("SELECT 1", [[], []]).next(), ValidationError, "reads");
      await refused(() => session.stream("SELECT 1", [], { size: 0 }), ValidationError, "size");
    });
    const late = session.stream("SELECT id FROM samples", [], { size: 1 });
    await late.next();
    await session.commit();
    await refused(() => late.next(), InvalidStateError, "has ended");
    assertEquals(session.state, "open");
  });
}

/** Values among NULLs, as the database sorts them. */
function placeNulls(place: Place, values: readonly string[], nulls: number): (string | null)[] {
  const none = Array.from({ length: nulls }, () => null);
  return place.db.dialect.nullsLast ? [...values, ...none] : [...none, ...values];
}
