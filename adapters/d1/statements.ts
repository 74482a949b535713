/**
 * Statements and values on their way to D1. Refuses, before anything is sent, what D1 would refuse, or change without a
 * word.
 *
 * @module
 */
import { StatementError, UnsupportedError } from "../../src/errors.ts";
import { countPlaceholders, isRead, transactionControl } from "../../src/sql/scan.ts";
import type { SqlValue, Statement } from "../../src/sql/statement.ts";
import { bytesValue, checkEach, type RefuseValue, textValue } from "../shared/statements.ts";
import type { D1Binding, D1Statement, D1Value } from "./binding.ts";
import { maxParameters, maxText } from "./dialect.ts";
import { judgeNames, type Outline, outline } from "./outline.ts";

/** A statement that was checked. */
export interface Prepared {
  /** The text, without what follows a semicolon at its end: D1 looks for a statement there. */
  readonly sql: string;
  readonly values: readonly D1Value[];
  readonly outline: Outline;
  /** Whether it only reads. */
  readonly reads: boolean;
  /** Whether it may give rows: it is then told how many they are, not how many were written. */
  readonly returns: boolean;
  /** Whether the statement stands inside another, which tells its columns apart. */
  readonly wrapped: boolean;
  /** Whether a statement behind it tells how many rows it wrote: D1 itself counts what cascades deleted too. */
  readonly counted: boolean;
}

/**
 * Checks statements. Throws a StatementError for text with several statements (of which D1 gives the last one's rows),
 * for too many values, and for whatever begins or ends a transaction or a savepoint; with `readOnly` a ValidationError
 * for whatever is not a read. Costs a few passes over the text.
 */
export function prepare(statements: readonly Statement[], readOnly: boolean): Prepared[] {
  return checkEach(statements, ({ sql, params }, check) => {
    check.single(sql);
    const control = transactionControl(sql);
    if (control !== null) check.refuse(`is ${control}, and D1 has no transactions but its batches; use batch()`);
    const read = outline(sql);
    // D1 leaves out what is no statement, and the results of a batch would then be those of others.
    if (read.verb === "") check.refuse("is empty; leave it out");
    if (sql.length > maxText) check.refuse(`has ${sql.length} characters, and D1 takes ${maxText} bytes`);
    check.count(countPlaceholders(sql), params.length);
    if (params.length > maxParameters) {
      check.refuse(`has ${params.length} values, and D1 takes ${maxParameters} a statement; divide it`);
    }
    const reads = isRead(sql);
    if (readOnly && !reads) check.refuseWrite();
    const values = check.values(params, toValue);
    const returns = reads || read.items !== null || read.verb === "PRAGMA" || read.verb === "EXPLAIN";
    const counted = read.verb === "DELETE" && !returns;
    return { sql: read.text, values, outline: read, reads, returns, wrapped: false, counted };
  });
}

/**
 * A checked statement as it goes into a batch, where rows come as objects. A read whose columns may have the same name
 * goes inside another, since SQLite gives the columns of a subquery names of their own: `id`, `id:1`. What cannot be
 * told apart otherwise is refused.
 */
export function forBatch(prepared: Prepared, index: number): Prepared {
  const { outline, reads } = prepared;
  const { moves, unclear } = judgeNames(outline.items ?? []);
  if (moves) {
    // Without a statementIndex: reads that were sent together are then tried one by one, where it can be done.
    throw new StatementError(
      `Statement ${index} of the batch returns a column whose name is a number, and D1 then loses the order of its ` +
        "columns; give each column a name with AS",
    );
  }
  if (unclear && !reads && outline.items!.length > 1) {
    throw new UnsupportedError(
      `Statement ${index} of the batch returns columns whose names may be the same, of which D1 gives the last only in a ` +
        "batch; give each column after RETURNING a name with AS",
    );
  }
  if (!unclear || !reads) return prepared;
  return { ...prepared, sql: `SELECT * FROM (\n${outline.text}\n)`, wrapped: true };
}

/** The statement of D1. */
export function toDriver(binding: D1Binding, { sql, values }: Prepared): D1Statement {
  const statement = binding.prepare(sql);
  return values.length === 0 ? statement : statement.bind(...values);
}

/** The statements of D1 for a batch: one each, and one more behind each that is counted. */
export function toBatch(binding: D1Binding, prepared: readonly Prepared[]): D1Statement[] {
  return prepared.flatMap((one) =>
    one.counted ? [toDriver(binding, one), binding.prepare("SELECT changes() AS changes")] : [toDriver(binding, one)]
  );
}

function toValue(value: SqlValue, refuse: RefuseValue): D1Value {
  switch (typeof value) {
    case "number":
      // -0 is 0 on the wire, which is JSON.
      return Number.isFinite(value) ? value + 0 : refuse(`${value}, which SQLite cannot hold,`);
    case "bigint":
      return Number.isSafeInteger(Number(value))
        ? Number(value)
        : refuse("an integer beyond 2^53, which D1 takes as a rounded number,");
    case "boolean":
      return value ? 1 : 0;
    case "string":
      return textValue(value, refuse, "at which SQLite would cut it");
    default:
      return bytesValue(value, refuse);
  }
}
