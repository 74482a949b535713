/**
 * What the tests of handlers and of middleware share: a table, a server that counts, databases and contexts that tell.
 *
 * @module
 */
import { libsql } from "../../adapters/libsql.ts";
import { createAll, type Database, model, t } from "../../mod.ts";
import { type HranaServer, startHrana } from "../servers/hrana.ts";

/** A table in which every book has a title of its own. */
export class Book extends model("books", {
  id: t.uuid().primaryKey(),
  title: t.text().unique(),
  version: t.integer().version(),
}) {}

/** A server with the table, counting from zero. */
export interface Place extends AsyncDisposable {
  readonly server: HranaServer;
  readonly db: Database;
  /** What is in the table, as the server has it. */
  titles(): unknown[];
}

/** Starts a server with the table. */
export async function setUp(): Promise<Place> {
  const server = await startHrana();
  const db = libsql({ url: server.url });
  await createAll(db, [Book]);
  server.reset();
  const titles = () => server.db.query("SELECT title FROM books ORDER BY title").map(({ title }) => title);
  return { server, db, titles, [Symbol.asyncDispose]: () => server.stop() };
}

/** A database like another one that tells when it is closed. */
export function watched(db: Database, onClose: () => void): Database {
  return {
    dialect: db.dialect,
    capabilities: db.capabilities,
    description: db.description,
    execute: (statement, options) => db.execute(statement, options),
    batch: (statements, options) => db.batch!(statements, options),
    connect: (options) => db.connect(options),
    close() {
      onClose();
      return db.close();
    },
  };
}

/** A context as Workers and Vercel have one: keeps what it is to wait for. Its method needs its `this`, as theirs does. */
export class Waiting {
  readonly #works: Promise<unknown>[] = [];

  waitUntil(work: Promise<unknown>): void {
    this.#works.push(work);
  }

  passThroughOnException(): void {}

  /** How much there is to wait for. */
  get size(): number {
    return this.#works.length;
  }

  /** Waits for all of it; throws what one of them throws. */
  async all(): Promise<void> {
    await Promise.all(this.#works);
  }

  readonly props: unknown = undefined;
}

/** Resolves when something was reached; for tests in which two things take turns. */
export function gate(): { readonly reached: Promise<void>; pass(): void } {
  let pass = (): void => {};
  const reached = new Promise<void>((resolve) => pass = resolve);
  return { reached, pass };
}
