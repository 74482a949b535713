/**
 * What Ledge takes of a platform's limits: Workers allow a request 6 connections that are open at once and 50 subrequests
 * (free) or some thousands. Counted where the database is reached, exactly; the README's table says the same.
 */
import { assert, assertEquals } from "@std/assert";
import { belongsTo, createAll, type Database, model, Session, t, UnsupportedError } from "../../mod.ts";
import { type Place, places } from "./places.ts";

/** The connections that Workers let a request have open at once. */
const OPEN = 6;
/** The subrequests of a request to a Worker that is not paid for; as many statements it may run on D1. */
const SUBREQUESTS = 50;

class Person extends model("people", { id: t.uuid().primaryKey(), name: t.text() }) {}
const by = () => t.uuid().foreignKey();
class Book extends model("books", {
  id: t.uuid().primaryKey(),
  authorId: by(),
  editorId: by(),
  translatorId: by(),
  illustratorId: by(),
  readerId: by(),
}) {
  declare author?: Person;
  declare editor?: Person;
  declare translator?: Person;
  declare illustrator?: Person;
  declare reader?: Person;
  static relations = {
    author: belongsTo(() => Person, "authorId"),
    editor: belongsTo(() => Person, "editorId"),
    translator: belongsTo(() => Person, "translatorId"),
    illustrator: belongsTo(() => Person, "illustratorId"),
    reader: belongsTo(() => Person, "readerId"),
  };
}

const ROWS = 10_000;
const KEYS = 5_000;

/** Work, in the words of the README, on a database with the rows that the first of it writes. */
const works: Readonly<Record<string, (session: Session, keys: string[]) => Promise<void>>> = {
  async "commit 10,000 new rows"(session, keys) {
    for (let i = 0; i < ROWS; i++) keys.push(session.add(Person.create({ name: `Person ${i}` })).id);
    await session.commit();
  },
  async "`getAll` of 5,000 keys"(session, keys) {
    const people = await session.getAll(Person, keys.slice(0, KEYS));
    assertEquals(people.filter((person) => person !== null).length, KEYS);
  },
  async "5,000 `get`s in one turn"(session, keys) {
    const people = await Promise.all(keys.slice(0, KEYS).map((key) => session.get(Person, key)));
    assertEquals(people.filter((person) => person !== null).length, KEYS);
  },
  async "load 1,000 rows, change them all, commit"(session, keys) {
    for (const person of await session.getAll(Person, keys.slice(0, 1000))) person!.name += "!";
    await session.commit();
  },
  async "`stream` 10,000 rows, 1,000 a page"(session) {
    let count = 0;
    for await (const _ of session.query(Person).orderBy({ name: "asc" }).stream({ size: 1000 })) count++;
    assertEquals(count, ROWS);
  },
  async "a transaction with a `flush` and a savepoint"(session, keys) {
    await session.transaction(async () => {
      const person = await session.getOne(Person, keys[0]!);
      person.name = "Flushed";
      await session.flush();
      await session.savepoint(async () => {
        person.name = "Flushed again";
        await session.flush();
      });
    });
  },
  async "`include` of 5 relations"(session, keys) {
    const book = await session.query(Book)
      .include({ author: true, editor: true, translator: true, illustrator: true, reader: true }).one();
    assertEquals(book.reader.id, keys[4]);
  },
  async "50 queries in one turn"(session, keys) {
    const found = await Promise.all(keys.slice(0, 50).map((id) => session.query(Person).where({ id }).all()));
    assert(found.every(({ length }) => length === 1));
  },
};

/** What each of the works takes: requests, and in brackets how many are open at once where it is more than one. */
async function measure({ db, meter }: Place): Promise<string[]> {
  await createAll(db, [Person, Book]);
  const keys: string[] = [];
  const cells: string[] = [];
  for (const work of Object.values(works)) {
    await using session = new Session({ bind: db });
    meter.reset();
    try {
      await work(session, keys);
      assert(meter.statements <= SUBREQUESTS, `${meter.statements} statements on D1`);
      cells.push(meter.most > 1 ? `${meter.requests} (${meter.most})` : `${meter.requests}`);
    } catch (error) {
      if (!(error instanceof UnsupportedError)) throw error;
      cells.push("refused");
    }
    if (cells.length === 1) await saveBook(db, keys);
  }
  return cells;
}

async function saveBook(db: Database, keys: readonly string[]): Promise<void> {
  const [authorId, editorId, translatorId, illustratorId, readerId] = keys as [string, string, string, string, string];
  await using session = new Session({ bind: db });
  session.add(Book.create({ authorId, editorId, translatorId, illustratorId, readerId }));
  await session.commit();
}

/** The README's table: for each place its column. */
async function readTable(): Promise<ReadonlyMap<string, string[]>> {
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  const table = /<!-- limits: .*?-->([\s\S]*?)<!-- end of limits -->/.exec(readme)?.[1] ?? "";
  const lines = table.split("\n").filter((line) => line.startsWith("|") && !/^[|\s-]+$/.test(line));
  const rows = lines.map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  const [head = [], ...body] = rows;
  assertEquals(body.map(([work]) => work), Object.keys(works));
  return new Map(head.slice(1).map((name, i) => [name, body.map((row) => row[i + 1]!)]));
}

for (const { name, missing = null, start } of places) {
  Deno.test({
    name: `${name} takes as many requests, and as many at once, as the README says${missing ?? ""}`,
    ignore: missing !== null,
    async fn() {
      await using place = await start();
      const cells = await measure(place);
      assertEquals(cells, (await readTable()).get(name));
      for (const cell of cells) {
        const [requests = 0, open = 1] = cell.match(/\d+/g)?.map(Number) ?? [];
        assert(requests <= SUBREQUESTS && open <= OPEN, cell);
      }
    },
  });
}
