/**
 * Counts at the port, for targets that have no server whose requests could be counted.
 *
 * @module
 */
import type { Connection, Database } from "../../mod.ts";
import type { Counts } from "./setup.ts";

/**
 * The database with its calls counted: each counts as one request. For databases that batch; what it is given keeps its
 * dialect and capabilities, not what an adapter adds to the port.
 */
export function counting(db: Database): { db: Database; counts: Counts } {
  let counted = { requests: 0, statements: 0 };
  const counts: Counts = {
    read: () => Promise.resolve(counted),
    reset(): Promise<void> {
      counted = { requests: 0, statements: 0 };
      return Promise.resolve();
    },
  };
  const count = (statements: number): void => {
    counted.requests++;
    counted.statements += statements;
  };
  const connection = (inner: Connection): Connection => ({
    database: inner.database,
    native: inner.native,
    execute: (statement, options) => (count(1), inner.execute(statement, options)),
    batch: (statements, options) => (count(statements.length), inner.batch(statements, options)),
    savepoint: (name, options) => (count(0), inner.savepoint(name, options)),
    release: (name, options) => (count(0), inner.release(name, options)),
    rollbackTo: (name, options) => (count(0), inner.rollbackTo(name, options)),
    commit: (last, options) => (count(last?.length ?? 0), inner.commit(last, options)),
    rollback: (options) => (count(0), inner.rollback(options)),
  });
  return {
    counts,
    db: {
      dialect: db.dialect,
      capabilities: db.capabilities,
      description: db.description,
      execute: (statement, options) => (count(1), db.execute(statement, options)),
      batch: (statements, options) => (count(statements.length), db.batch!(statements, options)),
      connect: async (options) => connection(await db.connect(options)),
      close: () => db.close(),
    },
  };
}
