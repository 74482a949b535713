/**
 * Statements and values on their way to D1. Refuses, before anything is sent, what D1 would refuse, or change without a
 * word.
 *
 * @module
 */
import { StatementError, UnsupportedError, ValidationError } from "../../src/errors.ts";
import { countPlaceholders, isMultiple, isRead, transactionControl } from "../../src/sql/scan.ts";
import type { SqlValue, Statement } from "../../src/sql/statement.ts";
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
  return statements.map(({ sql, params }, index) => {
    const which = statements.length === 1 ? "The statement" : `Statement ${index} of the batch`;
    const refuse = (message: string): never => {
      throw new StatementError(message, { statementIndex: index });
    };
    if (sql.includes(";") && isMultiple(sql)) {
      refuse(`${which} holds several statements; pass them to batch(), one each`);
    }
    const control = transactionControl(sql);
    if (control !== null) {
      refuse(`${which} is ${control}, and D1 has no transactions but its batches; use batch()`);
    }
    const read = outline(sql);
    // D1 leaves out what is no statement, and the results of a batch would then be those of others.
    if (read.verb === "") refuse(`${which} is empty; leave it out`);
    if (sql.length > maxText) refuse(`${which} has ${sql.length} characters, and D1 takes ${maxText} bytes`);
    const wanted = countPlaceholders(sql);
    if (wanted !== null && wanted !== params.length) {
      refuse(`${which} has ${wanted} placeholders and was given ${params.length} values`);
    }
    if (params.length > maxParameters) {
      refuse(`${which} has ${params.length} values, and D1 takes ${maxParameters} a statement; divide it`);
    }
    const reads = isRead(sql);
    if (readOnly && !reads) {
      throw new ValidationError(`${which} may write and the transaction is read-only; leave readOnly out to write`);
    }
    const values = params.map((value, position) => toValue(value, which, position));
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

function toValue(value: SqlValue, which: string, position: number): D1Value {
  const refuse = (what: string): never => {
    throw new ValidationError(`${which} cannot take ${what} as value ${position + 1}; nothing was sent`);
  };
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
      if (value.includes("\0")) return refuse("text with a NUL character, at which SQLite would cut it,");
      return isWellFormed(value) ? value : refuse("text with half a surrogate pair");
    case "object":
      if (value === null || value instanceof Uint8Array) return value;
  }
  return refuse(`${value === undefined ? "undefined" : "an object that is not a Uint8Array"}`);
}

/** Node 20 and D1's runtime have `isWellFormed`; this asks nothing of the engine. */
function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}
