/**
 * From a session's changes to the rows to write: every value encoded, every foreign key resolved, nothing ordered yet.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import { checkKind } from "../model/family.ts";
import type { MappedColumn, Mapper } from "../model/mapper.ts";
import { columnName } from "../sql/codecs.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { SqlValue } from "../sql/statement.ts";
import { ByKey } from "../state/by_key.ts";
import type { InstanceState } from "../state/instance_state.ts";
import { instanceKey } from "../state/key.ts";
import { UNKNOWN } from "../state/snapshot.ts";
import { label } from "../state/tracker.ts";
import type { ChangedInstance, Changes } from "./changes.ts";
import { encodeToken, KeyCells } from "./key_cells.ts";
import { linkRows } from "./link_rows.ts";
import { comparedColumns, type RowChange, type Setting } from "./row_change.ts";
import { RowDraft } from "./row_draft.ts";

/** Makes the row changes of a flush. */
export class RowMaker {
  readonly #dialect: Dialect;
  readonly #changes: Changes;
  readonly #compareAll: boolean;
  readonly #keys: KeyCells;
  /** Instances whose deletion became an update of the same key. */
  readonly replaced: Map<InstanceState, RowChange> = new Map();
  /** Instances whose rows stay as they are, but whose foreign key columns lost against a relation. */
  readonly corrected: Map<InstanceState, readonly Setting[]> = new Map();

  constructor(dialect: Dialect, changes: Changes, compareAll: boolean) {
    this.#dialect = dialect;
    this.#changes = changes;
    this.#compareAll = compareAll;
    this.#keys = new KeyCells(dialect, changes);
  }

  /** Every row to write, in no particular order. Throws a ValidationError for the first value that cannot be written. */
  make(): RowChange[] {
    const { inserts, updates, deletes } = this.#changes;
    const doomed = new ByKey<Mapper, InstanceState>();
    for (const state of deletes) doomed.set(state.mapper.root, state.key!, state);
    const rows: RowChange[] = [];
    for (const state of inserts) {
      const { mapper } = state;
      const key = instanceKey(state);
      const old = key === null ? undefined : doomed.get(mapper.root, key);
      if (key !== null) {
        const holder = this.#changes.claim(state, key);
        if (holder?.status === "pending" && inserts.includes(holder)) {
          throw new ValidationError(
            `Two new instances have the same key: ${label(state)}; use merge() to copy one onto the other`,
          );
        }
        if (old === undefined && holder !== undefined && holder.status !== "pending") {
          throw new ValidationError(
            `Cannot insert ${label(state)}: the session has loaded a row with this key; use merge() to copy onto it`,
          );
        }
      }
      rows.push(old === undefined ? this.#insert(state) : this.#replace(state, old));
    }
    for (const changed of updates) {
      const row = this.#update(changed);
      if (row !== null) rows.push(row);
    }
    for (const state of deletes) if (!this.replaced.has(state)) rows.push(this.#delete(state));
    for (const row of linkRows(this.#changes, this.#keys)) rows.push(row);
    return rows;
  }

  #insert(state: InstanceState): RowDraft {
    const { mapper, instance, expressions } = state;
    const row = new RowDraft("insert", state, this.#dialect, new Array(mapper.columns.length));
    const parents = this.#keys.ofParents(state);
    row.made = this.#keys.made(state);
    checkDiscriminator(state);
    for (const column of mapper.columns) {
      const { property } = column;
      const expression = expressions?.get(property);
      const given = parents?.[column.index];
      if (row.made !== null && column.primaryKey) {
        requireMaker(column, state);
        row.after[column.index] = UNKNOWN;
      } else if (column.generated !== null || expression !== undefined) row.leave(column, expression);
      else if (given !== undefined) row.giveKey(column, given);
      else if (instance[property] !== undefined) row.write(column, instance[property]);
      else if (column.serverDefault !== null) row.leave(column);
      else row.give(column, initial(column, state));
    }
    return row;
  }

  /** A row that is deleted and added again: an update of every column, guarded by the deleted version. */
  #replace(state: InstanceState, old: InstanceState): RowDraft {
    const { mapper } = state;
    if (mapper !== old.mapper) {
      throw new ValidationError(
        `Cannot insert ${
          label(state)
        }: a ${old.mapper.model} of its key is to be deleted, and a row does not change its ` +
          "class; flush the deletion first",
      );
    }
    const row = this.#insert(state);
    const returning: MappedColumn[] = [];
    for (const column of mapper.columns) {
      const { index, serverDefault } = column;
      const isOpen = row.cells[index] === undefined && serverDefault !== null;
      if (column.primaryKey || column.version) row.cells[index] = undefined;
      else if (isOpen || row.returning.includes(column)) {
        if (isOpen) row.cells[index] = serverDefault;
        returning.push(column);
      }
    }
    row.kind = "update";
    row.returning = returning;
    this.#countUp(row, old);
    this.#expect(row, old);
    this.replaced.set(old, row);
    return row;
  }

  #update({ state, columns }: ChangedInstance): RowDraft | null {
    const { mapper, instance, expressions } = state;
    const row = new RowDraft("update", state, this.#dialect, [...state.snapshot!]);
    const parents = this.#keys.ofParents(state);
    let changed = state.forced;
    for (const column of columns) {
      if (parents?.[column.index] !== undefined) continue;
      changed = true;
      const expression = expressions?.get(column.property);
      if (expression !== undefined) row.leave(column, expression);
      else if (instance[column.property] !== undefined) row.write(column, instance[column.property]);
      else {
        throw new ValidationError(
          `${columnName(column)} of ${label(state)} is undefined; assign ${
            column.nullable ? "null to clear it" : "a value"
          }`,
        );
      }
    }
    for (const column of parents === null ? [] : mapper.columns) {
      const cell = parents![column.index];
      if (cell === undefined) continue;
      const token = row.tokenOfKey(column, cell);
      if (token === UNKNOWN || token !== state.snapshot![column.index]) {
        changed = true;
        row.giveKey(column, cell);
      } else if (instance[column.property] !== token) row.set(column, cell);
    }
    if (!changed) {
      if (row.sets.length > 0) this.corrected.set(state, row.sets);
      return null;
    }
    for (const column of mapper.columns) {
      if (column.onUpdate !== null && row.cells[column.index] === undefined) row.give(column, column.onUpdate());
      if (column.generated !== null) row.leave(column);
    }
    this.#countUp(row, state);
    this.#expect(row, state);
    return row;
  }

  #delete(state: InstanceState): RowDraft {
    const row = new RowDraft("delete", state, this.#dialect, []);
    this.#expect(row, state);
    row.bump = false;
    row.checked = row.version !== undefined || this.#compareAll;
    return row;
  }

  /** Counts the version up. */
  #countUp(row: RowDraft, old: InstanceState): void {
    const { version } = old.mapper;
    if (version === null) return;
    const next = (this.#versionOf(old) as number) + 1;
    row.after[version.index] = next;
    row.set(version, next);
  }

  /** What the row of an instance is found by and must be like. */
  #expect(row: RowDraft, old: InstanceState): void {
    row.version = this.#versionOf(old);
    row.before = this.#compared(old);
    row.key = this.#keys.of(old);
    row.bump = old.mapper.version !== null;
    row.checked = true;
    row.old = old.snapshot;
  }

  #versionOf(state: InstanceState): SqlValue | undefined {
    const { version } = state.mapper;
    if (version === null) return undefined;
    const token = state.snapshot![version.index];
    if (token === UNKNOWN) throw isExpired(state);
    return token as number;
  }

  /** What an unversioned row must still hold, with optimistic "all". */
  #compared(state: InstanceState): SqlValue[] | undefined {
    const { mapper } = state;
    if (!this.#compareAll || mapper.version !== null) return undefined;
    const codecs = mapper.codecs(this.#dialect);
    return comparedColumns(mapper).map((column) => {
      const token = state.snapshot![column.index];
      if (token === UNKNOWN) throw isExpired(state);
      return token === null || token === undefined ? null : encodeToken(column, token, codecs[column.index]!);
    });
  }
}

/** What a new row has in a column that its instance gives nothing. */
function initial(column: MappedColumn, state: InstanceState): unknown {
  const value = column.makeDefault !== null ? column.makeDefault() : column.version ? 1 : null;
  if (value !== null || column.nullable) return value;
  const relation = state.mapper.relations.find((r) => r.kind === "belongsTo" && r.local.includes(column));
  const how = relation === undefined ? "give it one" : `set ${relation.name} or ${column.property}`;
  throw new ValidationError(`${columnName(column)} of ${label(state)} has no value; ${how}`);
}

/** Refuses a new row that would not be read back as an instance of its class. */
function checkDiscriminator({ mapper, instance, expressions }: InstanceState): void {
  const { discriminator } = mapper;
  if (discriminator === null) return;
  if (expressions?.has(discriminator.property)) {
    throw new ValidationError(
      `${columnName(discriminator)} tells the class of a row; it cannot be an SQL expression`,
    );
  }
  checkKind(mapper.class, instance[discriminator.property], `Cannot insert: a new ${mapper.model}`);
}

function requireMaker(column: MappedColumn, state: InstanceState): void {
  if (column.type.name === "identity" || column.serverDefault !== null) return;
  throw new ValidationError(`${columnName(column)} of ${label(state)} has no value; give it one, or a default`);
}

function isExpired(state: InstanceState): ValidationError {
  return new ValidationError(`${label(state)} is expired; await session.refresh(instance) before changing it`);
}
