/**
 * Bad input: each its typed error with a message that says what to do, and nothing written.
 *
 * @module
 */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import {
  CheckViolationError,
  IntegrityError,
  LedgeError,
  NotNullViolationError,
  Session,
  UniqueViolationError,
  ValidationError,
} from "../../mod.ts";
import { Account, Author, author, Book, Page, Sample, Seat, Tag } from "./models.ts";
import { type Place, refused, sendsNothing, type Target, test } from "./setup.ts";

const ID = "01890a5d-ac96-774b-bcce-b302099a8057";

/** Asserts that a commit is refused before anything is sent, that memory is as it was, and that the session goes on. */
async function refusesValue(place: Place, sample: Record<string, unknown>, ...words: string[]): Promise<void> {
  await using session = place.session();
  const one = session.add(Object.assign(new Sample({}), sample));
  session.add(new Author({ name: "with it" }));
  await sendsNothing(place, async () => {
    const error = await refused(() => session.commit(), ValidationError, ...words);
    assertEquals(error.code, "LEDGE_VALIDATION");
  });
  assertEquals([session.state, session.inspect(one).state, session.new.size], ["open", "pending", 2]);
  await session.rollback();
  assertEquals([await place.rows("samples"), await place.rows("authors")], [0, 0]);
}

/** Asserts that a commit writes a value that reads the same: it is none to refuse here. */
async function keepsValue(place: Place, sample: Record<string, unknown>): Promise<void> {
  await using session = place.session();
  session.add(Object.assign(new Sample({}), sample));
  await session.commit();
  await using reader = place.other();
  const read = await reader.query(Sample).one();
  for (const [property, value] of Object.entries(sample)) assertEquals(read[property as keyof Sample], value);
}

/** Registers the tests of bad input. */
export function errorSuite(target: Target): void {
  const wrong: [string, unknown, ...string[]][] = [
    ["text", 5, "number 5"],
    ["text", new Date(0), "text"],
    ["text", "a\0b", "NUL"],
    ["text", "\udc00", "surrogate"],
    ["varchar", "x".repeat(21), "20"],
    ["integer", "5", "integer"],
    ["integer", 1.5, "integer"],
    ["integer", 2 ** 53, "bigint"],
    ["integer", Number.NaN, "integer"],
    ["integer", 5n, "integer"],
    ["integer", true, "integer"],
    ["bigint", 5, "bigint"],
    ["bigint", 2n ** 63n, "64 bits"],
    ["real", Number.POSITIVE_INFINITY, "finite"],
    ["double", Number.NaN, "finite"],
    ["double", "1", "number"],
    ["decimal", 1.5, "text"],
    ["decimal", "1.234", "2 digits"],
    ["decimal", "abc", "decimal"],
    ["decimal", "12345678901.00", "10 digits"],
    ["boolean", 1, "boolean"],
    ["boolean", "true", "boolean"],
    ["uuid", "not-a-uuid", "UUID"],
    ["timestamp", "2024-01-01", "Date"],
    ["timestamp", new Date(Number.NaN), "Date"],
    ["date", new Date(0), "day as text"],
    ["date", "2024-02-30"],
    ["json", { f: () => 1 }, "JSON"],
    ["json", new Map(), "JSON"],
    ["json", 5n, "JSON"],
    ["bytes", [1, 2], "Uint8Array"],
    ["bytes", new ArrayBuffer(2), "Uint8Array"],
    ["bytes", "text", "Uint8Array"],
    ["kind", "poem", "novel", "essay"],
  ];
  wrong.forEach(([property, value, ...words], i) => {
    test(target, `session.commit() refuses a wrong value ${i} of ${property}`, async (place) => {
      if (words[0] === "finite" && place.hasNaN || words[0] === "NUL" && place.hasNul) {
        return await keepsValue(place, { [property]: value });
      }
      await refusesValue(place, { [property]: value }, `Sample.${property}`, ...words);
    });
  });

  test(target, "session.commit() refuses a wrong value of a changed row, and of a circular JSON", async (place) => {
    await place.save(new Page({ meta: {}, body: new Uint8Array(1), at: new Date(0) }));
    await using session = place.session();
    const page = await session.query(Page).one();
    page.meta!.self = page.meta;
    await sendsNothing(place, () => refused(() => session.commit(), ValidationError, "Page.meta"));
    page.meta = {};
    (page as { at: unknown }).at = "yesterday";
    await sendsNothing(place, () => refused(() => session.commit(), ValidationError, "Page.at", "Date"));
    await session.rollback();
    assertEquals([page.at, page.meta, session.isModified(page)], [new Date(0), {}, false]);
  });

  test(
    target,
    "session.commit() refuses null where a column cannot be, and a missing required value",
    async (place) => {
      await using session = place.session();
      const ann = session.add(new Author({ name: "Ann" }));
      (ann as { name: unknown }).name = null;
      await sendsNothing(place, () => refused(() => session.commit(), ValidationError, "Author.name", "null", ann.id));
      delete (ann as { name?: unknown }).name;
      await sendsNothing(place, () => refused(() => session.commit(), ValidationError, "Author.name", "no value"));
      await session.rollback();
      const book = session.add(new Book({ title: "lost" }));
      await sendsNothing(place, () => refused(() => session.commit(), ValidationError, "Book.authorId", "author"));
      await session.rollback();
      assertEquals([await place.rows("authors"), session.inspect(book).state], [0, "transient"]);
    },
  );

  test(target, "a session refuses what is no instance of a model, naming what it is", async (place) => {
    await using session = place.session();
    class Plain {}
    await sendsNothing(place, async () => {
      for (
        const [value, word] of [[{ name: "x" }, "plain object"], [new Plain(), "Plain"], [null, "null"], [
          "x",
          "string",
        ]] as const
      ) {
        const calls: ((value: never) => unknown)[] = [
          (one) => session.add(one),
          (one) => session.delete(one),
          (one) => session.refresh(one),
          (one) => session.merge(one),
          (one) => session.inspect(one),
          (one) => session.verify(one),
          (one) => session.expunge(one),
          (one) => session.isModified(one),
        ];
        for (const call of calls) {
          await refused(() => call(value as never), ValidationError, word, "instance of a model");
        }
      }
      await refused(() => session.get(Plain as never, "1" as never), ValidationError, "Plain", "model(");
      await refused(() => session.query({} as never), ValidationError, "not a model");
    });
    assertEquals([session.state, session.new.size], ["open", 0]);
  });

  test(target, "constraints of the database give the same error classes everywhere", async (place) => {
    await place.save(new Account({ email: "a" }), author("Ann", { a: [1] }));
    await using session = place.session({ mode: "auto" });
    const attempts: [string, unknown][] = [
      [`INSERT INTO accounts (id, email, version) VALUES ('${ID}', 'a', 1)`, UniqueViolationError],
      [`INSERT INTO accounts (id, version) VALUES ('${ID}', 1)`, NotNullViolationError],
    ];
    // An ENUM of MySQL is a type, not a constraint.
    const wrongKind = `INSERT INTO samples (id, kind) VALUES ('${ID}', 'poem')`;
    if (place.db.dialect.name !== "mysql") attempts.push([wrongKind, CheckViolationError]);
    for (const [text, errorClass] of attempts) {
      session.stage(text);
      session.add(new Tag({ name: "with it" }));
      const error = await refused(() => session.commit(), IntegrityError);
      assertInstanceOf(error, errorClass as typeof IntegrityError);
      assert(error.notApplied && error.cause !== undefined && error instanceof LedgeError);
      assertEquals(session.state, "failed");
      await session.rollback();
      assertEquals(await place.rows("tags"), 0);
    }
    session.add(new Account({ email: "A", nick: null }));
    await session.commit();
    assertEquals(await place.rows("accounts"), 2);
  });

  test(
    target,
    "a key that another client has taken is a UniqueViolationError, and nothing is written",
    async (place) => {
      await place.save(new Seat({ row: 1, letter: "A" }));
      await using session = place.session();
      session.addAll([new Seat({ row: 1, letter: "A", taken: true }), new Tag({ name: "with it" })]);
      const error = await refused(() => session.commit(), UniqueViolationError);
      assertEquals(error.table, "seats");
      await session.rollback();
      assertEquals([(await place.column("seats", "taken")).map(Number), await place.rows("tags")], [[0], 0]);
    },
  );

  test(target, "session options that are not there are refused", async (place) => {
    await refused(() => new Session({ bind: place.db, flush: true } as never), ValidationError, '"flush"', "autoflush");
    await using session = place.session();
    await refused(() => session.commit({ nope: 1 } as never), ValidationError, '"nope"', "signal");
    await refused(() => session.commit({ timeout: -1 }), ValidationError, "timeout");
    await refused(() => session.query(Author).all({ timeout: Number.NaN }), ValidationError, "timeout");
  });
}
