/**
 * The steps of a commit as MySQL statements. Each is all or nothing by itself, so that one that is alone needs no
 * transaction (over HTTP that saves two requests of three): a statement of one row says how many rows it must change, one
 * of several fails when a row is not as it was read.
 *
 * @module
 */
import { divide } from "./chunks.ts";
import type { Dialect } from "./dialect.ts";
import { type Batch, type MysqlOptions, push, pushGuard } from "./mysql_batch.ts";
import { staleRows } from "./mysql_check.ts";
import { compileDelete } from "./mysql_delete.ts";
import { compileInsert } from "./mysql_insert.ts";
import { MAX_ROWS } from "./mysql_source.ts";
import { compileUpdate } from "./mysql_update.ts";
import type { SqlValue } from "./statement.ts";
import type { Step, VerifyStep } from "./step.ts";
import { type Sql, writeSql } from "./tag.ts";

/** Turns steps into statements. Costs one pass over the rows. */
export function compileSteps(
  steps: readonly Step[],
  options: Required<MysqlOptions>,
  dialect: Dialect,
): Batch["out"] {
  const batch: Batch = { dialect, options, out: [] };
  for (const [i, step] of steps.entries()) {
    if (step.kind === "insert") compileInsert(step, i, batch);
    else if (step.kind === "update") compileUpdate(step, i, batch);
    else if (step.kind === "delete") compileDelete(step, i, batch);
    else if (step.kind === "verify") compileVerify(step, i, batch);
    else if (step.kind === "staged") push(batch, i, step.statement, [0, 0]);
    else compileRequire(step.condition, i, batch);
  }
  return batch.out;
}

/** The rows stay locked against writing until the transaction ends: an unlocked check lets write skew through. */
function compileVerify({ table, rows, compare }: VerifyStep, step: number, batch: Batch): void {
  for (const [from, to] of divide(rows.length, { rows: MAX_ROWS })) {
    const part = rows.slice(from, to);
    pushGuard(batch, step, staleRows(table, part, compare, from, "LOCK IN SHARE MODE", batch.dialect), [from, to]);
  }
}

/** NULL does not hold. */
function compileRequire(condition: Sql, step: number, batch: Batch): void {
  const params: SqlValue[] = [];
  const sql = `SELECT 1 FROM DUAL WHERE (${writeSql(condition, batch.dialect, params)}) IS NOT TRUE`;
  pushGuard(batch, step, { sql, params }, [0, 0]);
}
