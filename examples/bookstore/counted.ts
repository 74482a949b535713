/**
 * A database that counts what is asked of it, for the demo's table.
 *
 * @module
 */
import type { Connection, Database } from "@ledge/session";

/** How much was asked of a database. */
export interface Counts {
  /** Calls of the database: over HTTP each is one request. */
  requests: number;
  /** SQL statements in them; BEGIN, COMMIT and savepoints are not counted. */
  statements: number;
}

/** The same database, and what it was asked so far. */
export function counted(db: Database): { readonly db: Database; readonly counts: Counts } {
  const counts: Counts = { requests: 0, statements: 0 };
  const count = (statements: number): void => {
    counts.requests++;
    counts.statements += statements;
  };
  const wrapped: Database = {
    dialect: db.dialect,
    capabilities: db.capabilities,
    description: db.description,
    execute(statement, options) {
      count(1);
      return db.execute(statement, options);
    },
    batch: db.batch && ((statements, options) => {
      count(statements.length);
      return db.batch!(statements, options);
    }),
    // Opening a connection sends nothing by itself over libSQL: BEGIN rides along with the first call.
    connect: async (options) => countedConnection(await db.connect(options), count),
    close: () => db.close(),
  };
  return { db: wrapped, counts };
}

function countedConnection(connection: Connection, count: (statements: number) => void): Connection {
  return {
    execute(statement, options) {
      count(1);
      return connection.execute(statement, options);
    },
    batch(statements, options) {
      count(statements.length);
      return connection.batch(statements, options);
    },
    savepoint(name, options) {
      count(0);
      return connection.savepoint(name, options);
    },
    release(name, options) {
      count(0);
      return connection.release(name, options);
    },
    rollbackTo(name, options) {
      count(0);
      return connection.rollbackTo(name, options);
    },
    commit(last, options) {
      count(last?.length ?? 0);
      return connection.commit(last, options);
    },
    rollback(options) {
      count(0);
      return connection.rollback(options);
    },
    get database() {
      return connection.database;
    },
    get native() {
      return connection.native;
    },
  };
}
