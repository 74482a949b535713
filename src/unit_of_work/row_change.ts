/**
 * A row to write: an instance's change with its values encoded, and what the instance becomes when it is written.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import type { MappedColumn, Mapper } from "../model/mapper.ts";
import { columnName } from "../sql/codecs.ts";
import type { SqlValue } from "../sql/statement.ts";
import type { Cell, KeyRef } from "../sql/step.ts";
import type { ColumnInfo, TableInfo } from "../sql/table.ts";
import { type InstanceState, NONE } from "../state/instance_state.ts";
import type { Token } from "../state/snapshot.ts";

/** An arrow of the order: `to` runs after the change that holds it. */
export interface Dependency {
  readonly to: RowChange;
  /** Whether the two must be in different statements. */
  readonly strict: boolean;
  /** The foreign key that makes the arrow; null for a unique value that is freed. */
  readonly foreignKey: readonly ColumnInfo[] | null;
}

/** A value that an instance gets when its row is written. */
export interface Setting {
  readonly column: MappedColumn;
  readonly cell: Cell;
  /** What the property held then: another value by now is a newer change, which stays. */
  readonly was: unknown;
}

/** A row to write. All that is not said of it is empty. */
export class RowChange {
  kind: "insert" | "update" | "delete";
  readonly table: TableInfo;
  /** The instance, null for a link row and for the second half of a broken cycle. */
  readonly state: InstanceState | null;
  /** The key's cells: of an update or delete. */
  key: readonly Cell[];
  /** By column index; undefined leaves the column alone. */
  readonly cells: Cell[];
  /** The version that the row must be at. */
  version: SqlValue | undefined;
  /** What the row must still hold, by column of `compare`. */
  before: readonly SqlValue[] | undefined;
  /** Whether the version is counted up. */
  bump = false;
  /** Whether a row that is gone aborts the commit. */
  checked = false;
  /** The snapshot when it is written; UNKNOWN where the server has yet to say. */
  after: Token[] | null = null;
  /** What the row holds before: of an update or delete. */
  old: readonly Token[] | null = null;
  /** Values that the instance gets when it is written, with what it held when that was planned. */
  sets: readonly Setting[] = NONE;
  /** The columns that the server makes and the instance needs. */
  returning: readonly MappedColumn[] = NONE;
  /** The key that the server makes; others refer to it. */
  made: KeyRef | null = null;
  // The order's own bookkeeping.
  blockers = 0;
  next: Dependency[] | null = null;

  constructor(
    kind: RowChange["kind"],
    table: TableInfo,
    state: InstanceState | null,
    cells: Cell[],
    key: readonly Cell[] = NONE,
  ) {
    this.kind = kind;
    this.table = table;
    this.state = state;
    this.cells = cells;
    this.key = key;
  }
}

/** The columns that optimistic "all" compares; throws where a model has columns that cannot be compared exactly. */
export function comparedColumns(mapper: Mapper): readonly MappedColumn[] {
  return mapper.columns.filter((column) => {
    const { name: type } = column.type;
    if (type === "real" || type === "double" || column.kind === "json" || column.kind === "array") {
      throw new ValidationError(
        `optimistic "all" cannot compare ${columnName(column)} (${type}); give ${mapper.model} a version column`,
      );
    }
    return !column.primaryKey && column.generated === null;
  });
}

/** Whether a cell is a key that the server makes in this flush. */
export function isKeyRef(cell: Cell): cell is KeyRef {
  return typeof cell === "object" && cell !== null && "ordinal" in cell;
}
