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
import { isKeyRef, type RowChange, rowChange, type Setting } from "./row_change.ts";

/** A row of an instance. */
export class RowDraft {
  readonly cells: Cell[];
  readonly after: Token[];
  /** What the instance gets; none where that is nothing, as for most rows. */
  sets: Setting[] | undefined;
  #returning: MappedColumn[] | undefined;
  readonly #state: InstanceState;
  readonly #codecs: readonly Codec[];

  constructor(state: InstanceState, dialect: Dialect, after: Token[]) {
    this.#state = state;
    this.#codecs = state.mapper.codecs(dialect);
    this.cells = new Array(state.mapper.columns.length);
    this.after = after;
  }

  /** Leaves a column to the database: by an expression, or by what it makes itself. */
  leave(column: MappedColumn, expression?: Sql): void {
    if (expression !== undefined) this.cells[column.index] = expression;
    (this.#returning ??= []).push(column);
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
    (this.sets ??= []).push({ column, cell, was: peek(this.#state, column.property) });
  }

  /** The token of a foreign key cell: what the property will hold. */
  tokenOfKey(column: MappedColumn, cell: Cell): Token {
    if (cell === null) return null;
    return isKeyRef(cell) ? UNKNOWN : tokenOf(column.kind, this.#codecs[column.index]!.decode(cell as SqlValue));
  }

  /** The row; `more` is what it is found by and must be like, or the key that the server makes. */
  row(kind: "insert" | "update", more: Partial<RowChange>): RowChange {
    return rowChange(kind, this.#state.mapper, {
      ...more,
      state: this.#state,
      cells: this.cells,
      after: this.after,
      sets: this.sets,
      returning: this.#returning,
    });
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
    throw new ValidationError(`${columnName(column)} of ${label(this.#state)} must not be null${why}`);
  }
}
