/**
 * Prints how many bytes of a session, and of the request that it was for, are left when only young garbage was collected.
 * For garbage_test.ts, which runs it with V8's `gc`.
 */
import process from "node:process";
import type { ResultSet } from "../../src/sql/statement.ts";
import { type Database, model, Session, t } from "../../mod.ts";
import { sqlite } from "../../src/sql/sqlite.ts";
import { lazySession } from "../../src/web/lazy_session.ts";

class Book extends model("books", { id: t.uuid().primaryKey(), title: t.text() }) {}

const answer = (): ResultSet => ({ columns: [], rows: [], rowsAffected: 0 });
const connection = {
  native: null,
  execute: () => Promise.resolve(answer()),
  batch: () => Promise.resolve([answer()]),
  commit: () => Promise.resolve([]),
  savepoint: () => Promise.resolve(),
  release: () => Promise.resolve(),
  rollbackTo: () => Promise.resolve(),
  rollback: () => Promise.resolve(),
};
const bind: Database = {
  dialect: sqlite,
  description: "nothing",
  capabilities: {
    batch: "atomic",
    interactive: true,
    savepoints: true,
    isolation: [],
    readOnly: true,
    deferrable: false,
  },
  execute: () => Promise.resolve(answer()),
  batch: (statements) => Promise.resolve(statements.map(answer)),
  connect: () => Promise.resolve({ database: bind, ...connection }),
  close: () => Promise.resolve(),
};

const WORKS: Readonly<Record<string, () => Promise<void>>> = {
  async commit() {
    await using session = new Session({ bind });
    session.add(new Book({ title: "Edges" }));
    await session.get(Book, "0190b6a0-0000-7000-8000-000000000000");
    await session.commit();
  },
  async conversation() {
    await using session = new Session({ bind });
    session.add(new Book({ title: "Edges" }));
    await session.flush();
    await session.commit();
  },
  async request() {
    const lazy = lazySession(() => new Session({ bind }));
    await lazy.session.query(Book).all();
    await lazy.end();
  },
};

const { gc } = globalThis as unknown as { gc(options?: { type: "minor" }): void };
const COUNT = 500;
const left: Record<string, number> = {};
for (const [name, work] of Object.entries(WORKS)) {
  for (let i = 0; i < COUNT; i++) await work(); // what is made once, and compiled, is there
  gc();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < COUNT; i++) await work();
  await new Promise((resolve) => setTimeout(resolve));
  gc({ type: "minor" });
  gc({ type: "minor" });
  left[name] = Math.round((process.memoryUsage().heapUsed - before) / COUNT);
}
console.log(JSON.stringify(left));
