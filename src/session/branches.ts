/**
 * The branches of a session's transaction: one for each database that it touches, made on first use. Savepoints and the
 * options of the transaction are those of every branch.
 *
 * @module
 */
import type { CallOptions, Database } from "../database.ts";
import { ValidationError } from "../errors.ts";
import { type Mapper, mapperOf } from "../model/mapper.ts";
import type { AnyModel } from "../model/types.ts";
import { Branch } from "./branch.ts";
import type { Events } from "./events.ts";
import type { Failures } from "./failures.ts";
import { type BeginOptions, checkBeginOptions, checkSettings, type SessionOptions } from "./options.ts";
import { isDatabase, type Operation, Routes } from "./routing.ts";
import { WatchedDatabase } from "./watched.ts";

/** Where SQL text goes: a database, or where a model is. */
export type BindArgument = Database | AnyModel;

/** Options of what names no model: SQL text, a connection. */
export interface BindOptions {
  /**
   * The database, or a model: where that is read, or written if the text writes. The session's own `bind` unless given.
   * (SQLAlchemy's `bind_arguments`.)
   */
  readonly bind?: BindArgument;
}

/** The branches of one session. */
export class Branches {
  readonly routes: Routes;
  /** That of the session's bind: of SQL text, and of every model that has no other. */
  readonly main: Branch;
  readonly #options: SessionOptions;
  readonly #events: Events;
  readonly #failures: Failures;
  /** By the database as it was given. */
  readonly #all: Map<Database, Branch> = new Map();
  /** The options of a transaction that was begun without any. */
  readonly #unasked: BeginOptions;
  #begin: BeginOptions;
  #savepoints: string[] = [];
  #hasWritten = false;
  /** Errors that no open connection threw. */
  readonly #apart: WeakSet<object> = new WeakSet();

  constructor(bind: Database, options: SessionOptions, events: Events, failures: Failures) {
    this.#options = options;
    this.#begin = this.#unasked = options.readOnly ? { readOnly: true } : {};
    this.#events = events;
    this.#failures = failures;
    this.routes = new Routes(bind, options.binds, options.routing);
    const asked: SessionOptions = bind === options.bind ? options : { ...options, mode: "interactive" };
    this.main = this.#make(bind, asked);
  }

  #make(database: Database, options: SessionOptions): Branch {
    const branch = new Branch(
      new WatchedDatabase(database, this.#events, this.#apart),
      options,
      this.#failures,
      this.#savepoints,
      () => this.noteWrite(),
    );
    branch.begin = this.#begin;
    this.#all.set(database, branch);
    return branch;
  }

  [Symbol.iterator](): Iterator<Branch> {
    return this.#all.values();
  }

  /** Those with an open connection. */
  get connected(): Branch[] {
    return [...this.#all.values()].filter(({ connection }) => connection !== null);
  }

  /** Whether an error may have cost a transaction that is open: not if it came from beside every connection. */
  mayHaveLost(error: Error): boolean {
    return this.connected.length > 0 && !this.#apart.has(error);
  }

  /** The branch of a database as it was given. Throws where the transaction's options cannot be honoured there. */
  at(database: Database): Branch {
    const known = this.#all.get(database);
    if (known === undefined) checkSettings(this.#options.settings, database);
    else if (known.begin === this.#begin) return known;
    checkBeginOptions(this.#begin, database);
    if (known === undefined) return this.#make(database, this.#options);
    known.begin = this.#begin;
    return known;
  }

  /** The branch where a model is read or written. */
  of(mapper: Mapper, operation: Operation): Branch {
    return this.routes.isSingle ? this.main : this.at(this.databaseOf(mapper, operation));
  }

  /** The same as the database that was given: a model is read where it is written as soon as a write may be missed elsewhere. */
  databaseOf(mapper: Mapper, operation: Operation): Database {
    const writing = this.routes.find(mapper, "write");
    if (operation === "write" || this.#hasWritten || this.#all.get(writing)?.connection) return writing;
    const reading = this.routes.find(mapper, "read");
    if (reading.dialect.name !== writing.dialect.name) {
      throw new ValidationError(
        `${mapper.model} is read at ${reading.description} and written at ${writing.description}: ` +
          "both must be of one kind",
      );
    }
    return reading;
  }

  /** The branch of SQL text. */
  ofText(bind: BindArgument | undefined, operation: Operation): Branch {
    if (bind === undefined) return this.main;
    if (typeof bind === "function") return this.of(mapperOf(bind), operation);
    if (isDatabase(bind)) return this.at(bind);
    throw new ValidationError("bind must be a database, as libsql(…) makes one, or a model");
  }

  /** Begins with these options, and the session's own: each branch is checked when it is used. */
  set begin(options: BeginOptions) {
    this.#begin = this.main.begin = { ...options, ...this.#unasked };
  }

  get begin(): BeginOptions {
    return this.#begin;
  }

  /** The session has written, or may have, without a connection. */
  noteWrite(): void {
    this.#hasWritten = true;
  }

  /** Resolves when no read is queued or under way. */
  async settled(): Promise<void> {
    for (const branch of this) await branch.reads.settled();
  }

  async savepoint(name: string): Promise<void> {
    for (const branch of this) await branch.savepoint(name);
    this.#savepoints = [...this.#savepoints, name];
  }

  async release(name: string): Promise<void> {
    for (const branch of this) await branch.release(name);
    this.#leave(name);
  }

  async rollbackTo(name: string): Promise<void> {
    for (const branch of this) await branch.rollbackTo(name);
    this.#leave(name);
  }

  #leave(name: string): void {
    this.#savepoints = this.#savepoints.slice(0, this.#savepoints.indexOf(name));
  }

  /** Rolls every branch back; when one throws the others are rolled back all the same. */
  async rollback(options?: CallOptions): Promise<void> {
    const { connected } = this;
    if (connected.length === 0) return;
    const results = await Promise.allSettled(connected.map((branch) => branch.rollback(options)));
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  /** Forgets the transaction, which is over. */
  end(): void {
    this.#begin = this.#unasked;
    this.#savepoints = [];
    for (const branch of this) {
      branch.end();
      branch.begin = this.#begin;
    }
    this.routes.forget();
  }

  /** Forgets what the session wrote, as it begins anew. */
  reset(): void {
    this.#hasWritten = false;
  }
}
