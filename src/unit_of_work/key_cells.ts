/**
 * The key cells of a flush: what rows refer to each other by, and what is known of the keys that the server makes.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import type { MappedColumn } from "../model/mapper.ts";
import { columnName } from "../sql/codecs.ts";
import type { Codec, Dialect } from "../sql/dialect.ts";
import type { SqlValue } from "../sql/statement.ts";
import type { Cell, KeyRef } from "../sql/step.ts";
import { type InstanceState, isGone } from "../state/instance_state.ts";
import { instanceKey, keyToken } from "../state/key.ts";
import { UNKNOWN } from "../state/snapshot.ts";
import { label } from "../state/tracker.ts";
import type { Changes } from "./changes.ts";
import type { Assignment } from "./relations.ts";
import { isKeyRef } from "./row_change.ts";

/** The keys of the instances of a flush, and what their relations give to foreign keys. */
export class KeyCells {
  readonly #dialect: Dialect;
  readonly #changes: Changes;
  /** The keys that the server makes, by the instance that will have them. */
  readonly #refs: Map<InstanceState, KeyRef> = new Map();
  /** Children of one parent mostly come together, so what the last one was given is kept. */
  #last: (Assignment & { readonly cells: readonly Cell[] }) | null = null;

  constructor(dialect: Dialect, changes: Changes) {
    this.#dialect = dialect;
    this.#changes = changes;
    for (const state of changes.inserts) {
      if (this.#isMade(state)) this.#refs.set(state, { table: state.mapper, ordinal: -1 - this.#refs.size });
    }
  }

  /** Whether the server makes the key of a new instance: it has none, and no relation gives it one. */
  #isMade(state: InstanceState): boolean {
    const { key } = state.mapper;
    if (key.length > 1 || instanceKey(state) !== null) return false;
    return this.#assigned(state, key[0]!) === undefined;
  }

  /** The parent whose key a column of a child takes, with the position of the column in its foreign key. */
  #assigned(
    state: InstanceState,
    column: MappedColumn,
  ): { parent: InstanceState | null; position: number } | undefined {
    for (const { columns, parent } of this.#changes.assignments.get(state) ?? []) {
      const position = columns.indexOf(column);
      if (position >= 0) return { parent, position };
    }
    return undefined;
  }

  /** The key that the server makes for a new instance; null where it has one. */
  made(state: InstanceState): KeyRef | null {
    return this.#refs.get(state) ?? null;
  }

  /** A column of an instance's key, by its position there. */
  at(state: InstanceState, position: number): Cell {
    const ref = this.#refs.get(state);
    if (ref !== undefined) return ref;
    const column = state.mapper.key[position]!;
    const token = state.snapshot?.[column.index];
    const value = token === undefined || token === UNKNOWN ? state.instance[column.property] : token;
    if (value === undefined) {
      const given = this.#assigned(state, column);
      if (given !== undefined && given.parent !== null) return this.at(given.parent, given.position);
      throw new ValidationError(
        `${columnName(column)} of ${label(state)} has no value, and another instance refers to it`,
      );
    }
    return encodeToken(column, value, state.mapper.codecs(this.#dialect)[column.index]!);
  }

  /** The key of an instance. */
  of(state: InstanceState): SqlValue[] {
    return state.mapper.key.map((_, i) => this.at(state, i) as SqlValue);
  }

  /** The foreign key cells that relations give a child, by column index; null when none does. */
  ofParents(state: InstanceState): readonly Cell[] | null {
    const assignments = this.#changes.assignments.get(state);
    if (assignments === undefined) return null;
    const only = assignments.length === 1 ? assignments[0]! : null;
    const last = this.#last;
    if (last !== null && last.parent === only?.parent && last.columns === only.columns) return last.cells;
    const cells: Cell[] = new Array(state.mapper.columns.length);
    for (const { columns, parent, source } of assignments) {
      const key = parent === null ? null : this.#ofParent(parent, source);
      for (let i = 0; i < columns.length; i++) {
        const column = columns[i]!;
        const cell = key === null ? null : key[i]!;
        const other = cells[column.index];
        // A column shared by two foreign keys must be given the same value by both.
        if (other !== undefined && cellId(other) !== cellId(cell)) {
          throw new ValidationError(
            `${source} gives ${columnName(column)} another value than a relation that shares the column`,
          );
        }
        cells[column.index] = cell;
      }
    }
    this.#last = only && { ...only, cells };
    return cells;
  }

  /** The key of a parent. */
  #ofParent(parent: InstanceState, source: string): readonly Cell[] {
    const going = this.#changes.deletes.has(parent);
    if (going || isGone(parent)) {
      const why = going ? "is to be deleted" : "was deleted";
      throw new ValidationError(`${source} refers to ${label(parent)}, which ${why}; give it another parent`);
    }
    return parent.mapper.key.map((_, i) => this.at(parent, i));
  }
}

/** A value that a column is known to hold, encoded. */
export function encodeToken(column: MappedColumn, token: unknown, codec: Codec): SqlValue {
  return codec.encode(column.kind === "date" && typeof token === "number" ? new Date(token) : token, column);
}

/** What tells two key cells apart. */
export function cellId(cell: Cell): string {
  if (isKeyRef(cell)) return `${cell.table.table} ${cell.ordinal}`;
  return `${typeof cell} ${cell instanceof Uint8Array ? keyToken([cell]) : cell}`;
}
