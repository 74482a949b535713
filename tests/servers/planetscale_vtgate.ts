/**
 * What vtgate does with a text and the session that came with it. It keeps nothing: the session that it gives back, and that
 * the client sends again, says which connection of the tablet belongs to it. BEGIN alone reaches no tablet; the first
 * statement after it begins the transaction there, and the killer's clock.
 *
 * @module
 */
import { MysqlError } from "./planetscale_connection.ts";
import type { Tablet } from "./planetscale_tablet.ts";
import { type Answer, syntaxError, tabletError, VitessError } from "./planetscale_wire.ts";

/** The part of a session that is read; the client only echoes it. */
export interface VitessSession {
  autocommit: boolean;
  inTransaction?: boolean;
  /** How the transaction begins when its first statement comes. */
  begin?: string;
  shardSessions?: { target: Record<string, string>; transactionId?: string; reservedId?: string }[];
  /** What LAST_INSERT_ID() is in it. */
  lastInsertId?: string;
  SessionUUID: string;
  DDLStrategy: string;
  options: { includedFields: string; clientFoundRows: boolean };
}

/** A session is given back with an error, too. */
export interface Outcome {
  readonly session: VitessSession;
  readonly answer?: Answer;
  readonly error?: VitessError;
}

const none: Answer = { affected: 0n, insertId: 0n };
const comment = String.raw`(?:\s|--\s[^\n]*\n|#[^\n]*\n|\/\*(?!!)[\s\S]*?\*\/)*`;
const matching = (source: string) => new RegExp(`^${comment}(?:${source})${comment};?\\s*$`, "i");
const starting = (source: string) => new RegExp(`^${comment}(?:${source})`, "i");

const mode = String.raw`READ\s+ONLY|READ\s+WRITE|WITH\s+CONSISTENT\s+SNAPSHOT`;
const begin = matching(String.raw`BEGIN(?:\s+WORK)?|START\s+TRANSACTION(?:\s+(?:${mode})(?:\s*,\s*(?:${mode}))*)?`);
const commit = matching(String.raw`COMMIT(?:\s+WORK)?`);
const rollback = matching(String.raw`ROLLBACK(?:\s+WORK)?`);
/** Forms of these that vtgate's grammar has not, such as AND CHAIN. */
const otherControl = starting(String.raw`BEGIN\b|START\s+TRANSACTION\b|COMMIT\b|ROLLBACK\b(?!\s+(?:WORK\s+)?TO\b)`);
const xa = starting(String.raw`XA\b`);
const nextTransaction = starting(String.raw`SET\s+(?=TRANSACTION\b)`);
/** What needs a connection of the session's own. */
const reserving = starting(
  String.raw`SET\b|LOCK\s+TABLES?\b|CREATE\s+TEMPORARY\b|XA\b|SELECT\b[\s\S]*(?:\bGET_LOCK\s*\(|:=)`,
);

/** Whether a text only steers transactions. */
export function isControl(sql: string): boolean {
  return otherControl.test(sql) || xa.test(sql) ||
    starting(String.raw`SAVEPOINT\b|RELEASE\s+SAVEPOINT\b|ROLLBACK\b`).test(sql);
}

/** A session as vtgate makes one. */
export function newSession(clientFoundRows: boolean): VitessSession {
  return {
    autocommit: true,
    SessionUUID: crypto.randomUUID(),
    DDLStrategy: "direct",
    options: { includedFields: "ALL", clientFoundRows },
  };
}

export class Vtgate {
  readonly #tablet: Tablet;
  readonly #keyspace: string;
  readonly #xa: boolean;

  /** Vitess has no XA; `xa` passes it on all the same. */
  constructor(tablet: Tablet, keyspace: string, xa: boolean) {
    this.#tablet = tablet;
    this.#keyspace = keyspace;
    this.#xa = xa;
  }

  /** Runs one text within a session. */
  async execute(sql: string, session: VitessSession, onGone: (cancel: () => void) => void): Promise<Outcome> {
    const next = structuredClone(session);
    try {
      const answer = await this.#run(sql, next, onGone);
      if ("affected" in answer && answer.insertId !== 0n) next.lastInsertId = String(answer.insertId);
      return { session: next, answer };
    } catch (error) {
      if (error instanceof VitessError) return { session: next, error };
      if (!(error instanceof MysqlError)) throw error;
      const passed = error.errno === 1064 ? syntaxError(sql, error.message) : tabletError(this.#keyspace, error, sql);
      return { session: next, error: passed };
    }
  }

  /** Changes the session. */
  async #run(sql: string, session: VitessSession, onGone: (cancel: () => void) => void): Promise<Answer> {
    if (begin.test(sql)) {
      if (session.inTransaction) await this.#conclude("COMMIT", session);
      session.inTransaction = true;
      session.begin = sql;
      return none;
    }
    if (commit.test(sql)) return await this.#conclude("COMMIT", session);
    if (rollback.test(sql)) return await this.#conclude("ROLLBACK", session);
    if (otherControl.test(sql) || xa.test(sql) && !this.#xa) {
      throw new VitessError("INVALID_ARGUMENT", `syntax error at position ${sql.trim().split(/\s/, 1)[0]!.length + 1}`);
    }
    const id = await this.#connection(session, reserving.test(sql));
    // Vitess keeps it for the session, wherever the statement runs.
    const first = /\bLAST_INSERT_ID\s*\(\s*\)/i.test(sql)
      ? `SET @@last_insert_id = ${BigInt(session.lastInsertId ?? 0)}`
      : undefined;
    // The scope is the session's, not the next transaction's, as the planner of Vitess has it.
    const text = nextTransaction.test(sql) ? sql.replace(/SET\s+/i, "SET SESSION ") : sql;
    if (id === undefined) return await this.#tablet.single(text, first, onGone);
    return await this.#tablet.run(id, text, onGone);
  }

  /** The connection that is the session's own, if it has one or needs one now. */
  async #connection(session: VitessSession, reserve: boolean): Promise<string | undefined> {
    const [shard] = session.shardSessions ?? [];
    let id = shard?.transactionId ?? shard?.reservedId;
    if (id === undefined && !session.inTransaction && !reserve) return undefined;
    id ??= await this.#tablet.hold();
    const isReserved = reserve || shard?.reservedId !== undefined;
    if (reserve) this.#tablet.reserve(id);
    const begins = session.inTransaction === true && session.begin !== undefined;
    this.#point(session, session.inTransaction ? id : undefined, isReserved ? id : undefined);
    if (begins) {
      await this.#tablet.begin(id, session.begin!);
      delete session.begin;
    }
    return id;
  }

  /** Ends the session's transaction, which it has none of afterwards even if that fails. */
  async #conclude(how: "COMMIT" | "ROLLBACK", session: VitessSession): Promise<Answer> {
    const [shard] = session.shardSessions ?? [];
    // Before the first statement there is none at the tablet.
    const id = session.begin === undefined ? shard?.transactionId : undefined;
    delete session.inTransaction;
    delete session.begin;
    if (id === undefined) return none;
    this.#point(session, undefined, undefined);
    const reserved = await this.#tablet.conclude(id, how);
    this.#point(session, undefined, reserved);
    return none;
  }

  #point(session: VitessSession, transactionId: string | undefined, reservedId: string | undefined): void {
    if (transactionId === undefined && reservedId === undefined) {
      delete session.shardSessions;
      return;
    }
    session.shardSessions = [{
      target: { keyspace: this.#keyspace, shard: "-", tabletType: "PRIMARY" },
      ...transactionId === undefined ? {} : { transactionId },
      ...reservedId === undefined ? {} : { reservedId },
    }];
  }
}
