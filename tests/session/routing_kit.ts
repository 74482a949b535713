/**
 * Databases for tests of routing: embedded ones, with notes of what each was asked.
 *
 * @module
 */
import { libsql } from "../../adapters/libsql_local.ts";
import { type AnyModel, type Connection, createAll, type Database } from "../../mod.ts";

/** A database that notes what it is sent. */
export interface Noted {
  readonly db: { -readonly [K in keyof Database]: Database[K] };
  /** The first words of each statement; "BEGIN", "COMMIT" and "ROLLBACK" of connections. */
  readonly sent: string[];
}

const first = (sql: string): string => sql.slice(0, 6).trim();

/** Notes what a database is sent. */
export function noting(inner: Database, name: string, sent: string[] = []): Noted {
  const connection = (one: Connection): Connection => ({
    ...one,
    database: inner,
    native: one.native,
    execute: (statement, options) => (sent.push(first(statement.sql)), one.execute(statement, options)),
    batch(statements, options) {
      sent.push(...statements.map(({ sql }) => first(sql)));
      return one.batch(statements, options);
    },
    savepoint: (id, options) => (sent.push("SAVEPOINT"), one.savepoint(id, options)),
    release: (id, options) => (sent.push("RELEASE"), one.release(id, options)),
    rollbackTo: (id, options) => (sent.push("ROLLBACK TO"), one.rollbackTo(id, options)),
    commit(last = [], options) {
      sent.push(...last.map(({ sql }) => first(sql)), "COMMIT");
      return one.commit(last, options);
    },
    rollback: (options) => (sent.push("ROLLBACK"), one.rollback(options)),
  });
  const db: Database = {
    dialect: inner.dialect,
    capabilities: inner.capabilities,
    description: `${name} (${inner.description})`,
    execute: (statement, options) => (sent.push(first(statement.sql)), inner.execute(statement, options)),
    connect: async (options) => (sent.push("BEGIN"), connection(await inner.connect(options))),
    close: () => inner.close(),
  };
  if (inner.batch !== undefined) {
    Object.assign(db, {
      batch: (statements: Parameters<NonNullable<Database["batch"]>>[0], options: object) => {
        sent.push(...statements.map(({ sql }) => first(sql)));
        return inner.batch!(statements, options);
      },
    });
  }
  return { db, sent };
}

/** An embedded database with the tables of these models, its notes empty. */
export async function embedded(name: string, models: readonly AnyModel[]): Promise<Noted> {
  const inner = libsql({ url: ":memory:" });
  if (models.length > 0) await createAll(inner, models);
  return noting(inner, name);
}

/** What was sent since the last time. */
export function taken({ sent }: Noted): string[] {
  return sent.splice(0);
}
