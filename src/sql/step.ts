/**
 * The steps of a commit, as the unit of work plans them and a dialect compiles them: values are encoded, order is
 * final, nothing is SQL yet.
 *
 * @module
 */
import type { Statement } from "./statement.ts";
import type { SqlValue } from "./statement.ts";
import type { ColumnInfo, TableInfo } from "./table.ts";
import type { Sql } from "./tag.ts";

/**
 * A key that the database will make in this very batch: that of the `ordinal`-th row (from 0) inserted into `table`
 * with a server-made key. Once it is known (on a connection, after the insert ran) `value` holds it.
 */
export interface KeyRef {
  readonly table: TableInfo;
  /** Its place among the rows of the table; negative until the order of the rows is final. */
  ordinal: number;
  value?: SqlValue;
}

/** What a row gives for a column: a value, a key made earlier in the batch, an SQL expression, or nothing (undefined). */
export type Cell = SqlValue | KeyRef | Sql | undefined;

/** Rows for one table, inserted by as few statements as the dialect's limits allow, in the order given. */
export interface InsertStep {
  readonly kind: "insert";
  readonly table: TableInfo;
  /** The columns given, the same for each row. May be empty. */
  readonly columns: readonly ColumnInfo[];
  /** One cell a column; never undefined. */
  readonly rows: readonly (readonly Cell[])[];
  /**
   * The ordinal of the first row among the rows of this table that take a server-made key in this batch; null when
   * the rows bring their keys.
   */
  readonly firstOrdinal: number | null;
  /** The columns whose values the database makes and the instances need back; without the key. */
  readonly returning: readonly ColumnInfo[];
}

/** A row to update. */
export interface UpdateRow {
  /** The key's values. */
  readonly key: readonly Cell[];
  /** The version the row must be at; undefined where none is checked. */
  readonly version?: SqlValue;
  /** One cell a column of the step; undefined leaves the column as it is. */
  readonly cells: readonly Cell[];
  /** One value a column of the step's `compare`: what the row must still hold. */
  readonly before?: readonly SqlValue[];
}

/** Changed rows of one table. */
export interface UpdateStep {
  readonly kind: "update";
  readonly table: TableInfo;
  /** Every column that some row sets; never the version column. */
  readonly columns: readonly ColumnInfo[];
  readonly rows: readonly UpdateRow[];
  /** Whether the version column is counted up. */
  readonly bump: boolean;
  /** Columns compared with `before` of each row (optimistic "all"); empty otherwise. */
  readonly compare: readonly ColumnInfo[];
  /** The columns whose values the database makes and the instances need back; without the key. */
  readonly returning: readonly ColumnInfo[];
}

/** A row that must be there, unchanged. */
export interface CheckedRow {
  readonly key: readonly SqlValue[];
  readonly version?: SqlValue;
  readonly before?: readonly SqlValue[];
}

/** Rows of one table to delete. */
export interface DeleteStep {
  readonly kind: "delete";
  readonly table: TableInfo;
  readonly rows: readonly CheckedRow[];
  readonly compare: readonly ColumnInfo[];
  /** Whether a row that is gone already aborts the commit; otherwise its absence only shows in `rowsAffected`. */
  readonly checked: boolean;
  /** Whether one of the rows may refer to itself or to another of them, which a database may not let go together. */
  readonly refersWithin?: boolean;
}

/** Rows that must still be as they were read, locked where the database locks. */
export interface VerifyStep {
  readonly kind: "verify";
  readonly table: TableInfo;
  readonly rows: readonly CheckedRow[];
  readonly compare: readonly ColumnInfo[];
}

/** A statement of the user's that travels with the commit. */
export interface StagedStep {
  readonly kind: "staged";
  readonly statement: Statement;
}

/** A condition that must be true when the commit runs. */
export interface RequireStep {
  readonly kind: "require";
  readonly condition: Sql;
  /** What to say when it does not hold. */
  readonly message?: string;
}

/** One planned write or guard. */
export type Step = InsertStep | UpdateStep | DeleteStep | VerifyStep | StagedStep | RequireStep;

/** How the rows that a statement returns belong to the rows of its step. */
export type RowMatch =
  /** One row a row of the step's part: the key first, then `returning`; matched by the key. */
  | "key"
  /** The server-made key first, then `returning`; the keys in ascending order are the rows of the part in order. */
  | "ascending"
  /** The row's position in the step first, then the key, then `returning`. */
  | "position"
  /** No rows: the keys go up from the result's `lastInsertId` in steps of `increment`, in the order of the rows. */
  | "consecutive";

/** A statement of a compiled step. */
export interface CompiledStatement {
  readonly statement: Statement;
  /** The position of its step in the plan. */
  readonly step: number;
  /** The rows of the step that it covers: from (included), to (excluded). Both 0 for staged statements and requires. */
  readonly from: number;
  readonly to: number;
  /** Whether it only checks: it writes nothing and its result is of no interest. */
  readonly guard: boolean;
  /** How to read returned rows; null when there is nothing to read. */
  readonly match: RowMatch | null;
  /** With match "consecutive": what lies between two keys. */
  readonly increment?: number;
  /**
   * How many rows it must change, where the client has to check it. It is one statement a row then: one that changed
   * fewer has changed nothing.
   */
  readonly expectRows?: number;
  /**
   * A guard that cannot fail by itself: each row that it returns is a failure, with the ordinal of the stale row in its
   * step as the first value (any value for a condition that does not hold).
   */
  readonly failsOnRows?: boolean;
  /** What names the stale rows, like a statement that `failsOnRows`, once a guard has failed that cannot count them. */
  readonly check?: Statement;
}
