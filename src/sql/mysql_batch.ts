/**
 * What the statements of one MySQL batch share.
 *
 * @module
 */
import type { Dialect } from "./dialect.ts";
import type { Statement } from "./statement.ts";
import type { CompiledStatement } from "./step.ts";

/** How a server differs from what MySQL does unless told otherwise. */
export interface MysqlOptions {
  /** The server's `auto_increment_increment`: what lies between two keys that it makes. 1 unless given. */
  readonly autoIncrementIncrement?: number;
  /**
   * Where the check of written rows stands. `"statement"`, which is what is done unless told otherwise: in the statement
   * that writes, so that one that is alone in its commit needs no transaction. `"read"`: in a locking read before it, for a
   * server that refuses the former (a sharded Vitess); how it counts keys is then not checked either.
   */
  readonly guards?: "statement" | "read";
}

/** What the compiling of one batch shares. */
export interface Batch {
  readonly dialect: Dialect;
  readonly options: Required<MysqlOptions>;
  readonly out: CompiledStatement[];
}

/** Adds a statement to a batch. */
export function push(
  batch: Batch,
  step: number,
  statement: Statement,
  [from, to]: readonly [number, number],
  more: Partial<CompiledStatement> = {},
): void {
  batch.out.push({ statement, step, from, to, guard: false, match: null, ...more });
}

/** Adds a read that fails the commit by the rows that it returns. */
export function pushGuard(
  batch: Batch,
  step: number,
  statement: Statement,
  range: readonly [number, number],
): void {
  push(batch, step, statement, range, { guard: true, failsOnRows: true });
}
