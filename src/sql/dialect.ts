/**
 * The contract of a dialect: how one family of databases writes identifiers, values, queries and the steps of a
 * commit. A dialect is a constant without state; what differs between drivers of the same family is in the adapters.
 *
 * @module
 */
import type { SqlToken } from "./scan.ts";
import type { SqlValue, Statement } from "./statement.ts";
import type { CompiledStatement, InsertStep, Step, UpdateStep } from "./step.ts";
import type { ColumnInfo, ColumnType, TableInfo } from "./table.ts";

/** How the values of a column type travel. Made once a type, used for every value: no closure is made a call. */
export interface Codec {
  /**
   * The value as it travels. Throws a ValidationError naming `column.model` and `column.property` when the value is of
   * the wrong type or cannot be kept exactly. `null` and `undefined` never come here.
   */
  encode(value: unknown, column: ColumnInfo): SqlValue;
  /** The JavaScript value of what came back. `null` never comes here. */
  decode(value: SqlValue): unknown;
}

/** What a failed guard says: which row of which step, and how many. */
export type GuardFailure =
  | { readonly kind: "stale"; readonly step: number; readonly row: number; readonly count: number }
  | { readonly kind: "require"; readonly step: number }
  /** Some guard of the statement that failed; its `check` tells which rows. */
  | { readonly kind: "unnamed" };

/** How the rows of a SELECT are locked until the transaction ends. */
export interface RowLock {
  /** "update": against every other lock. "share": against changes. */
  readonly mode: "update" | "share";
  /** Leaves out rows that are locked already. */
  readonly skipLocked?: boolean;
  /** Fails at once on a row that is locked already. */
  readonly noWait?: boolean;
}

/** How a cursor of the server is used. */
export interface CursorSql {
  /** Opens it over a SELECT. */
  open(statement: Statement): Statement;
  /** The next rows, at most so many. */
  fetch(count: number): Statement;
  /** Closes it. */
  readonly close: Statement;
}

/** How one family of databases writes SQL. */
export interface Dialect {
  /** The family. */
  readonly name: "sqlite" | "postgres" | "mysql";
  /** An identifier in quotes. Throws a ValidationError for an empty one or one with NUL. */
  quote(identifier: string): string;
  /** The placeholder of the `position`-th value of a statement, from 1. */
  placeholder(position: number): string;
  /** Reads its text into tokens, where strings, names and comments are not those of SQLite and PostgreSQL. */
  tokens?(text: string): SqlToken[];
  /** The codec of a column type. Throws an UnsupportedError where the database has no such type. */
  codec(type: ColumnType): Codec;
  /** A value given for a raw placeholder, as it travels. Throws a ValidationError naming `what`. */
  encodeParam(value: unknown, what: string): SqlValue;
  /** A text comparison operator's SQL: `like` with a backslash as escape character. */
  like(left: string, right: string): string;
  /**
   * A condition that text starts with, ends with or contains exactly `text`, capital letters told from small ones; its
   * parameters are appended to `params`.
   */
  match(left: string, how: "startsWith" | "endsWith" | "contains", text: string, params: SqlValue[]): string;
  /** Whether a SELECT of the user's may write, by a function it calls: it then cannot travel in a read-only transaction. */
  readonly readsMayWrite: boolean;
  /** The most values that one statement takes. */
  readonly maxParameters: number;
  /** Whether INSERT, UPDATE and DELETE can return the rows that they wrote; what is made by the server is read back otherwise. */
  readonly returning: boolean;
  /**
   * What follows the values of an INSERT whose key may be taken: of quoted columns and written assignments, null to leave
   * the row as it is. A conflict with another unique key than the target's fails.
   */
  onConflict(target: readonly string[], sets: readonly string[] | null): string;
  /** Whether a 0 that is given for an identity key is taken for none. */
  readonly zeroMakesKey?: boolean;
  /** Whether an assignment sees the results of those before it, in an UPDATE of one table and in an upsert. */
  readonly assignsInOrder?: boolean;
  /** In such an assignment: the value of the row that was to be inserted, of a quoted column. */
  excluded(column: string): string;
  /** Whether a statement that fails takes its whole transaction with it, back to a savepoint at the least. */
  readonly failureAborts: boolean;
  /** Whether values of this type compare and sort in the database as they do in JavaScript. */
  isOrdered(type: ColumnType): boolean;
  /** Whether NULL sorts after every value; before them all unless it is so. */
  readonly nullsLast?: boolean;
  /** Whether UPDATE and DELETE take an ORDER BY and a LIMIT; not unless it is so. */
  readonly limitsWrites?: boolean;
  /**
   * What stands after IN: a list of keys or values in parentheses, each an array of one encoded value a column; its
   * parameters are appended to `params`. One parameter for any number of values where the database allows it, so that
   * the text stays the same. Of no values: a list that nothing is in.
   */
  inList(columns: readonly ColumnInfo[], values: readonly (readonly SqlValue[])[], params: SqlValue[]): string;
  /** A LIMIT / OFFSET clause with a leading space, its parameters appended to `params`; empty when both are null. */
  limit(limit: number | null, offset: number | null, params: SqlValue[]): string;
  /**
   * Turns the steps of a commit into statements, in order, guards included. Costs one pass over the rows. With `record`, the
   * id of the commit's record, they note there what they make: only where there is `readNoted`.
   *
   * @internal
   */
  compile(steps: readonly Step[], record?: string): CompiledStatement[];
  /**
   * A value that statements noted in the record of their commit. Absent where they note nothing.
   *
   * @internal
   */
  readNoted?(text: string): SqlValue;
  /**
   * What a database's error message says of a failed guard; null when it is about something else.
   *
   * @internal
   */
  guardFailure(message: string): GuardFailure | null;
  /**
   * Reads what the database made for written rows of a step (`step.returning`), given the rows' keys; in the transaction
   * that wrote them. Absent where `returning` is true.
   *
   * @internal
   */
  readBack?(step: InsertStep | UpdateStep, keys: readonly (readonly SqlValue[])[]): CompiledStatement[];
  /**
   * A statement that makes the keys of rows to insert, one row a key, where an expression makes them and the insert
   * could not return them; null where it can tell them. Absent where `returning` is true.
   *
   * @internal
   */
  drawKeys?(step: InsertStep): Statement | null;
  /** Whether keys of this table that the database makes can be used by later statements of the same batch. */
  carriesKeys(table: TableInfo): boolean;
  /**
   * What stands at the end of a SELECT to lock its rows, with a leading space. Absent where a transaction has the whole
   * database's write lock, and rows need none.
   */
  lock?(lock: RowLock): string;
  /** Empties a table (a quoted name) inside the transaction, with `cascade` those that refer to it too. Absent where DELETE must do. */
  truncate?(table: string, cascade: boolean): string;
  /** The statements of a cursor (a quoted name) that lives as long as its transaction. Absent where there are none. */
  cursor?(name: string): CursorSql;
  /** One statement that makes settings for the rest of the transaction. Absent where there are none. */
  settings?(settings: Readonly<Record<string, string>>): Statement;
}
