/**
 * The checks of statements before anything is sent, each once and in the same words. Which of them there are, in which
 * order, and what a value becomes is the adapter's.
 *
 * @module
 */
import { StatementError, ValidationError } from "../../src/errors.ts";
import { isMultiple, transactionControl } from "../../src/sql/scan.ts";
import type { SqlValue, Statement } from "../../src/sql/statement.ts";

/** Refuses a value as what it is called here: "NaN, which SQLite cannot hold,". Throws a ValidationError. */
export type RefuseValue = (what: string) => never;

/** Makes something of each statement, with a {@linkcode Check} that knows which one it is. */
export function checkEach<T>(statements: readonly Statement[], make: (statement: Statement, check: Check) => T): T[] {
  return statements.map((statement, index) => {
    const name = statements.length === 1 ? "The statement" : `Statement ${index} of the batch`;
    return make(statement, new Check(name, index));
  });
}

/** The checks of one statement. */
export class Check {
  /** What messages call it: "The statement", "Statement 2 of the batch". */
  readonly name: string;
  readonly #index: number;

  constructor(name: string, index: number) {
    this.name = name;
    this.#index = index;
  }

  /** Throws a StatementError for the statement, which `why` says something of: "is empty; leave it out". */
  refuse(why: string): never {
    throw new StatementError(`${this.name} ${why}`, { statementIndex: this.#index });
  }

  /** Refuses several statements in one text: drivers run the first alone, or all and tell of the last. One pass at most. */
  single(sql: string): void {
    if (sql.includes(";") && isMultiple(sql)) this.refuse("holds several statements; pass them to batch(), one each");
  }

  /**
   * Refuses what begins or ends a transaction behind the adapter's back, but for savepoints and what `allowed` matches,
   * which must have ROLLBACK TO in it. The text is given from its first word on, and read whole only where that calls for
   * it. Not for MySQL.
   */
  noControl(text: string, allowed: RegExp): void {
    const words = mayControl.test(text) && !allowed.test(text) ? transactionControl(text) : null;
    if (words === null) return;
    this.refuse(`is ${words}, which would begin or end a transaction unseen; use batch() or connect()`);
  }

  /** Refuses too few and too many values, where it is known how many there must be. */
  count(wanted: number | null, given: number): void {
    if (wanted === null || wanted === given) return;
    this.refuse(`has ${wanted} placeholders and was given ${given} values`);
  }

  /** Throws the ValidationError for a write in a transaction that is read-only. */
  refuseWrite(): never {
    throw new ValidationError(
      `${this.name} may write and the transaction is read-only; leave readOnly out to write`,
    );
  }

  /** What each value becomes. */
  values<T>(params: readonly SqlValue[], convert: (value: SqlValue, refuse: RefuseValue) => T): T[] {
    return params.map((value, position) =>
      convert(value, (what) => {
        throw new ValidationError(`${this.name} cannot take ${what} as value ${position + 1}; nothing was sent`);
      })
    );
  }
}

/** A text that travels unchanged; `nul` says what is wrong with a NUL character. */
export function textValue(value: string, refuse: RefuseValue, nul: string): string {
  if (value.includes("\0")) return refuse(`text with a NUL character, ${nul},`);
  return value.isWellFormed() ? value : refuse("text with half a surrogate pair");
}

/** What is no scalar: NULL and bytes; all else, which types do not allow, is refused. */
export function bytesValue(value: SqlValue, refuse: RefuseValue): Uint8Array | null {
  if (value === null || value instanceof Uint8Array) return value;
  return refuse(value === undefined ? "undefined" : "an object that is not a Uint8Array");
}

const skipped = /^(?:\s|;|--[^\n]*(?:\n|$)|\/\*[\s\S]*?(?:\*\/|$))*/;
const mayControl = /^(?:begin|start|commit|end|abort|rollback|prepare)\b/i;

/** The text from its first word on, past semicolons and comments; in PostgreSQL comments nest, and this is not for it. */
export function fromFirstWord(sql: string): string {
  return sql.slice(skipped.exec(sql)![0].length);
}
