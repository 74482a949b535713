/**
 * Pairs of databases that can prepare transactions, and a way to fail or crash at any step of what is sent to them.
 *
 * @module
 */
import { neonConfig } from "@neondatabase/serverless";
import { neon } from "../../adapters/neon.ts";
import { planetscale } from "../../adapters/planetscale.ts";
import {
  belongsTo,
  type Connection,
  ConnectionError,
  createAll,
  type Database,
  hasMany,
  model,
  Session,
  type SessionOptions,
  t,
} from "../../mod.ts";
import type { PreparableConnection } from "../../src/database.ts";
import { createTwoPhaseTables } from "../../src/two_phase/mod.ts";
import { mariadbMissing, startMariadb } from "../servers/mariadb.ts";
import { startNeon, useFronts } from "../servers/neon.ts";
import { startFront } from "../servers/planetscale.ts";

useFronts(neonConfig);

export class Order extends model("orders", {
  id: t.uuid().primaryKey(),
  total: t.integer(),
  version: t.integer().version(),
}) {}

/** With keys that the server makes. */
export class Log extends model("logs", { id: t.identity(), text: t.text() }) {
  declare lines?: Line[];
  static relations = { lines: hasMany(() => Line, "logId") };
}

export class Line extends model("log_lines", { id: t.uuid().primaryKey(), logId: t.integer("log_id").foreignKey() }) {
  declare log?: Log;
  static relations = { log: belongsTo(() => Log, "logId") };
}

/** A kind of database. */
export type Kind = "postgres" | "mariadb";

/** Why a kind cannot be started here, if it cannot. */
export function missing(kinds: readonly Kind[]): string | null {
  return kinds.includes("mariadb") ? mariadbMissing() : null;
}

/** A running database; another client of it at each call of `open`. */
export interface Place extends AsyncDisposable {
  open(): Database;
  /** Closes every client, and what the server holds open for them: for many attempts at one database. */
  renew(): Promise<void>;
}

/** Starts a database with the tables of the models. */
export async function start(kind: Kind): Promise<Place> {
  const opened: Database[] = [];
  const close = async (): Promise<void> => {
    for (const db of opened.splice(0)) await db.close();
  };
  const place = kind === "postgres" ? await startPostgresPlace(opened, close) : await startMariadbPlace(opened, close);
  const db = place.open();
  await createAll(db, [Order, Log, Line]);
  await createTwoPhaseTables(db);
  return place;
}

async function startPostgresPlace(opened: Database[], close: () => Promise<void>): Promise<Place> {
  const server = await startNeon();
  return {
    open: () => opened[opened.push(neon(server.url)) - 1]!,
    renew: close,
    async [Symbol.asyncDispose]() {
      await close();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function startMariadbPlace(opened: Database[], close: () => Promise<void>): Promise<Place> {
  const database = await (await startMariadb()).createDatabase();
  let server = await startFront({ database, xa: true });
  return {
    open: () => opened[opened.push(planetscale({ url: server.url })) - 1]!,
    async renew() {
      await close();
      await server[Symbol.asyncDispose](); // it keeps a connection for each XA statement
      server = await startFront({ database, xa: true });
    },
    async [Symbol.asyncDispose]() {
      await close();
      await server[Symbol.asyncDispose]();
      await database.drop();
    },
  };
}

/** Where something is made to fail. */
export interface Fault {
  /** The number of the step, from 1; 0 for none. */
  readonly at: number;
  /** Before it is sent, or when it is done and its answer is lost. */
  readonly when: "before" | "after";
  /** Whether nothing at all works from then on, as in a process that is gone. */
  readonly isCrash: boolean;
}

/** Counts what is sent to databases, in order, and fails where it is told to. */
export class Steps {
  readonly log: string[] = [];
  readonly #fault: Fault;
  readonly #connections: Connection[] = [];
  /** Whether steps are counted, and fail, already. */
  isArmed = false;

  constructor(fault: Fault = { at: 0, when: "before", isCrash: false }) {
    this.#fault = fault;
  }

  async #step<T>(name: string, run: () => Promise<T>): Promise<T> {
    if (!this.isArmed) return await run();
    const { at, when, isCrash } = this.#fault;
    const number = this.log.push(name);
    if (isCrash && at > 0 && number > at) throw new ConnectionError("The process is gone", { notApplied: true });
    if (number !== at) return await run();
    if (when === "before") throw new ConnectionError("It was never sent", { notApplied: true });
    await run();
    throw new ConnectionError("Its answer was lost", { notApplied: false });
  }

  /** What the server does when it finds that the process is gone. */
  async disconnect(): Promise<void> {
    for (const connection of this.#connections) await connection.rollback();
  }

  /** A database whose calls are steps. */
  watch(inner: Database, name: string): Database {
    const step = <T>(what: string, run: () => Promise<T>): Promise<T> => this.#step(`${name}: ${what}`, run);
    const twoPhase = inner.twoPhase!;
    return {
      dialect: inner.dialect,
      capabilities: inner.capabilities,
      description: name,
      execute: (statement, options) => step(statement.sql.slice(0, 12), () => inner.execute(statement, options)),
      ...inner.batch &&
        { batch: (all, options) => step("batch", () => inner.batch!(all, options)) } as Partial<Database>,
      connect: (options) => step("connect", () => inner.connect(options)),
      twoPhase: {
        connect: (id, options) =>
          step("connect", async () => this.#connection(await twoPhase.connect(id, options), name)),
        commit: (id, options) => step("commit", () => twoPhase.commit(id, options)),
        rollback: (id, options) => step("rollback", () => twoPhase.rollback(id, options)),
        list: (options) => step("list", () => twoPhase.list(options)),
      },
      close: () => inner.close(),
    };
  }

  #connection(inner: PreparableConnection, name: string): PreparableConnection {
    this.#connections.push(inner);
    const step = <T>(what: string, run: () => Promise<T>): Promise<T> => this.#step(`${name}: ${what}`, run);
    return {
      database: inner.database,
      native: inner.native,
      execute: (statement, options) => step(statement.sql.slice(0, 12), () => inner.execute(statement, options)),
      batch: (all, options) => step("batch", () => inner.batch(all, options)),
      savepoint: (id, options) => inner.savepoint(id, options),
      release: (id, options) => inner.release(id, options),
      rollbackTo: (id, options) => inner.rollbackTo(id, options),
      commit: (last, options) => inner.commit(last, options),
      rollback: (options) => step("undo", () => inner.rollback(options)),
      prepare: (options) => step("prepare", () => inner.prepare(options)),
    };
  }
}

/** A session with orders in the first database, and the rest in the second. */
export function sessionOf(first: Database, second: Database, options: Partial<SessionOptions> = {}): Session {
  return new Session({ bind: first, binds: [[Log, second], [Line, second]], ...options });
}

/** How many rows a table has. */
export async function count(db: Database, table: string): Promise<number> {
  return Number((await db.execute({ sql: `SELECT count(*) FROM ${table}`, params: [] })).rows[0]![0]);
}
