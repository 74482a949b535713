/**
 * `deno run -A bench/by_hand.ts [--runs N]`: W2 on libSQL as a program for its two classes alone, which does by hand what
 * a session does for any: what Ledge pays for not knowing the classes is the difference. Edge runtimes forbid what would
 * close it, code that is made of the models (`new Function`).
 *
 * It checks each value, keeps one instance a key, takes foreign keys from collections and refuses two parents, orders by
 * key, remembers what a rollback would put back, keeps snapshots of columns and collections, puts back at the end what was
 * changed since, and lets go of all.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { createClient } from "@libsql/client/web";
import { createAll, uuidv7 } from "@ledge/session";
import { connect, models, open as ledge } from "./ledge.ts";
import { open as raw } from "./raw.ts";
import { short, spread } from "./report.ts";
import { Server } from "./server.ts";
import { SIZE, WORKS } from "./workloads.ts";

class Author {
  readonly id: string = uuidv7();
  readonly name: string;
  readonly books: Book[];

  constructor(name: string, books: Book[]) {
    this.name = name;
    this.books = books;
  }
}

class Book {
  readonly id: string = uuidv7();
  title: string;
  authorId: string | undefined;

  constructor(title: string) {
    this.title = title;
  }
}

/** What is known of one instance. */
class State<T> {
  readonly instance: T;
  status: "pending" | "persistent" | "detached" = "pending";
  snapshot: string[] | null = null;
  members: readonly Book[] | null = null;

  constructor(instance: T) {
    this.instance = instance;
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function key(value: unknown): string {
  if (typeof value !== "string" || !UUID.test(value)) throw new TypeError("Not a UUID");
  return value;
}

function text(value: unknown): string {
  if (typeof value !== "string" || value.includes("\0") || !value.isWellFormed()) throw new TypeError("Not text");
  return value;
}

function claim<T extends { readonly id: string }>(map: Map<string, State<T>>, instance: T): State<T> {
  if (map.has(instance.id)) throw new Error("Two instances have the same key");
  const state = new State(instance);
  map.set(instance.id, state);
  return state;
}

const byKey = ([a]: readonly string[], [b]: readonly string[]): number => a! < b! ? -1 : a! > b! ? 1 : 0;

function byHand(url: string): () => Promise<number> {
  const client = createClient({ url });
  return async () => {
    const authors = new Map<string, State<Author>>();
    const books = new Map<string, State<Book>>();
    const states = new Map<object, State<Author> | State<Book>>();
    for (let i = 0; i < SIZE.authors; i++) {
      const name = `Author ${i}`;
      const own: Book[] = [];
      for (let j = 0; j < SIZE.booksEach; j++) own.push(new Book(`${name}: book ${j}`));
      const author = new Author(name, own);
      states.set(author, claim(authors, author));
      for (const book of own) {
        if (!(book instanceof Book)) throw new TypeError("Not a book");
        states.set(book, claim(books, book));
      }
    }
    const parents = new Map<Book, Author>();
    const authorRows: string[][] = [];
    for (const { instance } of authors.values()) {
      for (const book of new Set(instance.books)) {
        if (parents.has(book)) throw new Error("Two parents");
        parents.set(book, instance);
      }
      authorRows.push([key(instance.id), text(instance.name)]);
    }
    const bookRows: string[][] = [];
    for (const { instance } of books.values()) {
      bookRows.push([key(instance.id), text(instance.title), parents.get(instance)?.id ?? key(instance.authorId)]);
    }
    const into = (table: string, columns: string, rows: string[][]) => ({
      sql: `INSERT INTO ${table} (${columns}) SELECT ${rows[0]!.map((_, i) => `value ->> ${i}`)} FROM json_each(?)`,
      args: [JSON.stringify(rows.sort(byKey))],
    });
    const [first, second] = await client.batch([
      into("authors", "id, name", authorRows),
      into("books", "id, title, author_id", bookRows),
    ], "write");
    const before = new Map<object, { readonly status: string; readonly authorId?: string | undefined }>();
    for (const row of authorRows) {
      const state = authors.get(row[0]!)!;
      before.set(state, { status: state.status });
      state.status = "persistent";
      state.snapshot = row;
      state.members = state.instance.books.filter((book) => parents.get(book) === state.instance);
    }
    for (const row of bookRows) {
      const state = books.get(row[0]!)!;
      before.set(state, { status: state.status, authorId: state.instance.authorId });
      state.status = "persistent";
      state.snapshot = row;
      state.instance.authorId = row[2]!;
    }
    before.clear();
    for (const { instance: { books }, members } of authors.values()) {
      if (!members!.every((book, i) => book === books[i])) books.splice(0, Infinity, ...members!);
    }
    for (const { instance, snapshot } of books.values()) {
      if (instance.title !== snapshot![1]) instance.title = snapshot![1]!;
      if (instance.authorId !== snapshot![2]) instance.authorId = snapshot![2];
    }
    for (const state of states.values()) state.status = "detached";
    return first!.rowsAffected + second!.rowsAffected;
  };
}

const { values } = parseArgs({ options: { runs: { type: "string", default: "60" } } });
const runs = Number(values.runs);
const work = WORKS.find(({ id }) => id === "W2")!;
await using server = await Server.start("libsql");
const db = connect("libsql", server.url);
await createAll(db, models);
await db.close();
const [driver, session] = [await raw("libsql", server.url), await ledge("libsql", server.url)];
const contenders = { raw: driver.runs.W2!, "by hand": byHand(server.url), Ledge: session.runs.W2! };
const run = Object.values(contenders);
for (const latency of [0, 20]) {
  await server.latency(latency);
  const taken = run.map(() => ({ wall: [] as number[], cpu: [] as number[] }));
  for (let round = -runs; round < runs; round++) { // the first half while code is being compiled
    for (let at = 0; at < taken.length; at++) { // the first to run changes
      const i = (at + round + runs) % taken.length;
      for (const statement of work.reset(server.kind)) await server.query(statement);
      const [cpu, start] = [process.cpuUsage(), performance.now()];
      if (await run[i]!(round) !== work.entities) throw new Error("The work was not done");
      const wall = performance.now() - start;
      const { user, system } = process.cpuUsage(cpu);
      if (round < 0) continue;
      taken[i]!.wall.push(wall);
      taken[i]!.cpu.push((user + system) / work.entities);
    }
  }
  for (const [i, name] of Object.keys(contenders).entries()) {
    const [wall, cpu] = [spread(taken[i]!.wall).median, spread(taken[i]!.cpu).median];
    console.log(`${latency} ms added: ${name} ${short(wall)} ms, ${short(cpu)} µs of CPU an object`);
  }
}
await driver.close();
await session.close();
