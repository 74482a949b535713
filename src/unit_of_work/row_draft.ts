/**
 * One row in the making: its encoded values, what the instance's snapshot will be, and what the instance gets.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import type { MappedColumn } from "../model/mapper.ts";
import { columnName } from "../sql/codecs.ts";
import type { Codec, Dialect } from "../sql/dialect.ts";
import type { SqlValue } from "../sql/statement.ts";
import type { Cell } from "../sql/step.ts";
import { Sql } from "../sql/tag.ts";
import { type InstanceState, peek } from "../state/instance_state.ts";
import { type Token, tokenOf, tokenOfSent, UNKNOWN } from "../state/snapshot.ts";
import { label } from "../state/tracker.ts";
import { isKeyRef, RowChange } from "./row_change.ts";

/** A list with one more. The first one takes a literal, which has no room to grow: V8 gives what is pushed to 17 places. */
function and<T>(list: readonly T[], one: T): readonly T[] {
  return list.length === 0 ? [one] : [...list, one];
}

/** A row of an instance. */
export class RowDraft extends RowChange {
  declare readonly state: InstanceState;
  declare after: Token[];
  readonly #codecs: readonly Codec[];

  constructor(kind: RowChange["kind"], state: InstanceState, dialect: Dialect, after: Token[]) {
    super(kind, state.mapper, state, new Array(state.mapper.columns.length));
    this.after = after;
    this.#codecs = state.mapper.codecs(dialect);
  }

  /** Leaves a column to the database: by an expression, or by what it makes itself. */
  leave(column: MappedColumn, expression?: Sql): void {
    if (expression !== undefined) this.cells[column.index] = expression;
    this.returning = and(this.returning, column);
    this.after[column.index] = UNKNOWN;
  }

  /** Writes what the instance holds. */
  write(column: MappedColumn, value: unknown): void {
    const cell = this.#encode(column, value);
    this.cells[column.index] = cell;
    this.after[column.index] = tokenOfSent(column, cell, value);
  }

  /** Writes a value that the instance gets too. */
  give(column: MappedColumn, value: unknown): void {
    this.write(column, value);
    this.set(column, this.cells[column.index]);
  }

  /** Writes what a relation gives a foreign key; the instance gets it too. */
  giveKey(column: MappedColumn, cell: Cell): void {
    if (cell === null && !column.nullable) this.#refuseNull(column, ", and its relation was set to none");
    this.cells[column.index] = cell;
    this.after[column.index] = this.tokenOfKey(column, cell);
    this.set(column, cell);
  }

  /** Lets the instance have a value, written or not. */
  set(column: MappedColumn, cell: Cell): void {
    this.sets = and(this.sets, { column, cell, was: peek(this.state, column.property) });
  }

  /** The token of a foreign key cell: what the property will hold. */
  tokenOfKey(column: MappedColumn, cell: Cell): Token {
    if (cell === null) return null;
    return isKeyRef(cell) ? UNKNOWN : tokenOf(column.kind, this.#codecs[column.index]!.decode(cell as SqlValue));
  }

  #encode(column: MappedColumn, value: unknown): SqlValue {
    if (value === null && column.nullable) return null;
    if (value === null && column.type.name !== "json") this.#refuseNull(column, "");
    if (value instanceof Sql) {
      throw new ValidationError(
        `${
          columnName(column)
        } holds an SQL expression; set it with session.assign(instance, { ${column.property}: sql\`…\` })`,
      );
    }
    return this.#codecs[column.index]!.encode(value, column);
  }

  #refuseNull(column: MappedColumn, why: string): never {
    throw new ValidationError(`${columnName(column)} of ${label(this.state)} must not be null${why}`);
  }
}
