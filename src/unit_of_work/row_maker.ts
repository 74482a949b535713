/**
 * From a session's changes to the rows to write: every value encoded, every foreign key resolved, nothing ordered yet.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import { checkKind } from "../model/family.ts";
import type { MappedColumn, MappedRelation, Mapper } from "../model/mapper.ts";
import type { Codec, Dialect } from "../sql/dialect.ts";
import type { SqlValue } from "../sql/statement.ts";
import type { Cell, KeyRef } from "../sql/step.ts";
import type { ColumnInfo, TableInfo } from "../sql/table.ts";
import { Sql } from "../sql/tag.ts";
import { type InstanceState, isGone, peek } from "../state/instance_state.ts";
import { instanceKey, type KeyToken, keyToken } from "../state/key.ts";
import { type Token, tokenOf, UNKNOWN } from "../state/snapshot.ts";
import { label } from "../state/tracker.ts";
import type { ChangedInstance, Changes } from "./changes.ts";

import { comparedColumns, isKeyRef, type RowChange, type Setting } from "./row_change.ts";

/** Makes the row changes of a flush. */
export class RowMaker {
  readonly #dialect: Dialect;
  readonly #changes: Changes;
  readonly #compareAll: boolean;
  /** The keys that the server makes, by the instance that will have them. */
  readonly #refs: Map<InstanceState, KeyRef> = new Map();
  /** Instances whose deletion became an update of the same key. */
  readonly replaced: Map<InstanceState, RowChange> = new Map();
  /** Instances whose rows stay as they are, but whose foreign key columns lost against a relation. */
  readonly corrected: Map<InstanceState, readonly Setting[]> = new Map();

  constructor(dialect: Dialect, changes: Changes, compareAll: boolean) {
    this.#dialect = dialect;
    this.#changes = changes;
    this.#compareAll = compareAll;
  }

  /** Every row to write, in no particular order. Throws a ValidationError for the first value that cannot be written. */
  make(): RowChange[] {
    const { inserts, updates, deletes, links } = this.#changes;
    for (const state of inserts) {
      if (this.#isKeyMade(state)) this.#refs.set(state, { table: state.mapper, ordinal: -1 - this.#refs.size });
    }
    const doomed = new Map<Mapper, Map<KeyToken, InstanceState>>();
    for (const state of deletes) {
      const { root } = state.mapper;
      if (!doomed.has(root)) doomed.set(root, new Map());
      doomed.get(root)!.set(state.key!, state);
    }
    const rows: RowChange[] = [];
    const taken = new Map<Mapper, Map<KeyToken, InstanceState>>();
    for (const state of inserts) {
      const key = instanceKey(state.mapper, state.instance);
      if (key !== null) refuseTwice(taken, state, key);
      const old = key === null ? undefined : doomed.get(state.mapper.root)?.get(key);
      if (key !== null && old === undefined && this.#changes.taken(state.mapper, key)) refuseTaken(state);
      rows.push(old === undefined ? this.#insert(state) : this.#replace(state, old));
    }
    for (const changed of updates) {
      const row = this.#update(changed);
      if (row !== null) rows.push(row);
    }
    for (const state of deletes) if (!this.replaced.has(state)) rows.push(this.#delete(state));
    const seen = new Set<string>();
    for (const { relation, owner, target, kind } of links) {
      const row = this.#link(relation, owner, target, kind, seen);
      if (row !== null) rows.push(row);
    }
    for (const state of deletes) rows.push(...this.#unlink(state));
    return rows;
  }

  /** Whether the server makes the key of a new instance: it has none, and no relation gives it one. */
  #isKeyMade(state: InstanceState): boolean {
    const { key } = state.mapper;
    if (key.length > 1 || instanceKey(state.mapper, state.instance) !== null) return false;
    return this.#assigned(state, key[0]!) === undefined;
  }

  /** The parent whose key a column of a child takes, with the position of the column in its foreign key. */
  #assigned(
    state: InstanceState,
    column: MappedColumn,
  ): { parent: InstanceState | null; position: number } | undefined {
    for (const { columns, parent } of this.#changes.assignments.get(state)?.values() ?? []) {
      const position = columns.indexOf(column);
      if (position >= 0) return { parent, position };
    }
    return undefined;
  }

  #insert(state: InstanceState): RowChange {
    const { mapper, instance } = state;
    const cells: Cell[] = new Array(mapper.columns.length);
    const after: Token[] = new Array(mapper.columns.length);
    const sets: Setting[] = [];
    const give = (column: MappedColumn, cell: Cell): void => {
      sets.push({ column, cell, was: peek(state, column.property) });
    };
    const returning: MappedColumn[] = [];
    const parents = this.#parents(state);
    const made = this.#refs.get(state) ?? null;
    const codecs = mapper.codecs(this.#dialect);
    checkDiscriminator(state);
    for (const column of mapper.columns) {
      const { index, property } = column;
      if (made !== null && column.primaryKey) {
        requireMaker(column, state);
        after[index] = UNKNOWN;
        continue;
      }
      const expression = state.expressions?.get(property);
      if (column.generated !== null || expression !== undefined) {
        if (expression !== undefined) cells[index] = expression;
        returning.push(column);
        after[index] = UNKNOWN;
        continue;
      }
      const given = parents?.get(column);
      if (given !== undefined) {
        cells[index] = this.#checked(column, given, state);
        give(column, given);
        after[index] = tokenOfCell(given, column, codecs[index]!);
        continue;
      }
      let value = instance[property];
      if (value === undefined) {
        if (column.serverDefault !== null) {
          returning.push(column);
          after[index] = UNKNOWN;
          continue;
        }
        value = column.makeDefault !== null ? column.makeDefault() : column.version ? 1 : null;
        if (value === null && !column.nullable) refuseMissing(column, state);
        cells[index] = this.#encode(column, value, codecs[index]!, state);
        give(column, cells[index]);
      } else cells[index] = this.#encode(column, value, codecs[index]!, state);
      after[index] = afterToken(column, value, cells[index]);
    }
    const base = { kind: "insert", table: mapper, state, key: [], cells, bump: false, checked: false } as const;
    return { ...base, old: null, after, sets, returning, made, blockers: 0, next: null };
  }

  /** A row that is deleted and added again: an update of every column, guarded by the deleted version. */
  #replace(state: InstanceState, old: InstanceState): RowChange {
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
    const after = row.after!;
    const returning: MappedColumn[] = [];
    for (const column of mapper.columns) {
      if (column.primaryKey || column.version) row.cells[column.index] = undefined;
      else if (row.cells[column.index] === undefined && column.serverDefault !== null) {
        row.cells[column.index] = column.serverDefault;
        returning.push(column);
      } else if (row.returning.includes(column)) returning.push(column);
    }
    const sets = [...row.sets];
    const version = this.#versionOf(old);
    if (mapper.version !== null) {
      const next = (version as number) + 1;
      after[mapper.version.index] = next;
      sets.push({ column: mapper.version, cell: next, was: peek(state, mapper.version.property) });
    }
    const key = this.#keyOf(old);
    const update: RowChange = {
      ...row,
      kind: "update",
      old: old.snapshot,
      key,
      version,
      bump: mapper.version !== null,
      checked: true,
      sets,
      returning,
    };
    this.#compare(update, old);
    this.replaced.set(old, update);
    return update;
  }

  #update({ state, columns }: ChangedInstance): RowChange | null {
    const { mapper, instance } = state;
    const codecs = mapper.codecs(this.#dialect);
    const cells: Cell[] = new Array(mapper.columns.length);
    const after: Token[] = [...state.snapshot!];
    const sets: Setting[] = [];
    const give = (column: MappedColumn, cell: Cell): void => {
      sets.push({ column, cell, was: peek(state, column.property) });
    };
    const returning: MappedColumn[] = [];
    const parents = this.#parents(state);
    let changed = state.forced;
    for (const column of columns) {
      const { index, property } = column;
      if (parents?.has(column)) continue;
      changed = true;
      const expression = state.expressions?.get(property);
      if (expression !== undefined) {
        cells[index] = expression;
        after[index] = UNKNOWN;
        returning.push(column);
        continue;
      }
      const value = instance[property];
      if (value === undefined) {
        throw new ValidationError(
          `${name(column)} of ${label(state)} is undefined; assign ${column.nullable ? "null to clear it" : "a value"}`,
        );
      }
      cells[index] = this.#encode(column, value, codecs[index]!, state);
      after[index] = afterToken(column, value, cells[index]);
    }
    for (const [column, cell] of parents ?? []) {
      const token = tokenOfCell(cell, column, codecs[column.index]!);
      if (token !== UNKNOWN && token === state.snapshot![column.index]) {
        if (instance[column.property] !== token) give(column, cell);
        continue;
      }
      changed = true;
      cells[column.index] = this.#checked(column, cell, state);
      after[column.index] = token;
      give(column, cell);
    }
    if (!changed) {
      if (sets.length > 0) this.corrected.set(state, sets);
      return null;
    }
    for (const column of mapper.columns) {
      if (column.onUpdate !== null && cells[column.index] === undefined) {
        const value = column.onUpdate();
        const cell = this.#encode(column, value, codecs[column.index]!, state);
        cells[column.index] = cell;
        give(column, cell);
        after[column.index] = afterToken(column, value, cell);
      }
      if (column.generated !== null) {
        returning.push(column);
        after[column.index] = UNKNOWN;
      }
    }
    const version = this.#versionOf(state);
    if (mapper.version !== null) {
      const next = (version as number) + 1;
      after[mapper.version.index] = next;
      give(mapper.version, next);
    }
    const row: RowChange = {
      kind: "update",
      table: mapper,
      state,
      key: this.#keyOf(state),
      cells,
      version,
      bump: mapper.version !== null,
      checked: true,
      old: state.snapshot,
      after,
      sets,
      returning,
      made: null,
      blockers: 0,
      next: null,
    };
    this.#compare(row, state);
    return row;
  }

  #delete(state: InstanceState): RowChange {
    const { mapper } = state;
    const version = this.#versionOf(state);
    const row: RowChange = {
      kind: "delete",
      table: mapper,
      state,
      key: this.#keyOf(state),
      cells: [],
      version,
      bump: false,
      checked: version !== undefined || this.#compareAll,
      old: state.snapshot,
      after: null,
      sets: [],
      returning: [],
      made: null,
      blockers: 0,
      next: null,
    };
    this.#compare(row, state);
    return row;
  }

  #link(
    relation: MappedRelation,
    owner: InstanceState,
    target: InstanceState,
    kind: "insert" | "delete",
    seen: Set<string>,
  ): RowChange | null {
    const { deletes } = this.#changes;
    const link = relation.link!;
    for (const end of [owner, target]) {
      if (!deletes.has(end)) continue;
      if (kind === "insert") {
        throw new ValidationError(
          `${owner.mapper.model}.${relation.name} holds ${label(end)}, which is to be deleted; take it out`,
        );
      }
      // #unlink takes all rows of a deleted instance whose relations know the table.
      if (end.mapper.relations.some((one) => one.link?.table === link.table)) return null;
    }
    const byName = new Map<string, Cell>();
    link.from.forEach((column, i) => byName.set(column.name, this.#keyCell(owner, i)));
    link.to.forEach((column, i) => byName.set(column.name, this.#keyCell(target, i)));
    // Both ends of a relation may say the same: one row, whichever says it first.
    const names = [...byName.keys()].sort();
    const id = JSON.stringify([kind, link.table, ...names.map((n) => cellId(byName.get(n)))]);
    if (seen.has(id)) return null;
    seen.add(id);
    const cells = link.columns.map((column) => byName.get(column.name));
    return {
      ...linkRow(link, kind),
      key: kind === "delete" ? cells : [],
      cells: kind === "insert" ? cells : [],
    };
  }

  /** The link rows of a deleted instance, where its relations know a link table. */
  #unlink(state: InstanceState): RowChange[] {
    return state.mapper.relations.filter((relation) => relation.link !== null).map((relation) => {
      const link = relation.link!;
      return { ...linkRow({ ...link, key: link.from }, "delete"), key: this.#keyOf(state) };
    });
  }

  /** The foreign key cells that relations give a child; null when none does. */
  #parents(state: InstanceState): Map<MappedColumn, Cell> | null {
    const assignments = this.#changes.assignments.get(state);
    if (assignments === undefined) return null;
    const cells = new Map<MappedColumn, Cell>();
    for (const { columns, parent, source } of assignments.values()) {
      if (parent !== null && this.#changes.deletes.has(parent)) {
        throw new ValidationError(
          `${source} refers to ${label(parent)}, which is to be deleted; give it another parent`,
        );
      }
      if (parent !== null && isGone(parent)) {
        throw new ValidationError(`${source} refers to ${label(parent)}, which was deleted; give it another parent`);
      }
      columns.forEach((column, i) => {
        const cell = parent === null ? null : this.#keyCell(parent, i);
        // A column shared by two foreign keys must be given the same value by both.
        if (cells.has(column) && cellId(cells.get(column)) !== cellId(cell)) {
          throw new ValidationError(
            `${source} gives ${name(column)} another value than a relation that shares the column`,
          );
        }
        cells.set(column, cell);
      });
    }
    return cells;
  }

  #keyCell(state: InstanceState, position: number): Cell {
    const ref = this.#refs.get(state);
    if (ref !== undefined) return ref;
    const column = state.mapper.key[position]!;
    const token = state.snapshot?.[column.index];
    const value = token === undefined || token === UNKNOWN ? state.instance[column.property] : token;
    if (value === undefined) {
      const given = this.#assigned(state, column);
      if (given !== undefined && given.parent !== null) return this.#keyCell(given.parent, given.position);
      throw new ValidationError(`${name(column)} of ${label(state)} has no value, and another instance refers to it`);
    }
    return encodeKey(column, value, state.mapper.codecs(this.#dialect)[column.index]!);
  }

  #keyOf(state: InstanceState): SqlValue[] {
    return state.mapper.key.map((_, i) => this.#keyCell(state, i) as SqlValue);
  }

  #versionOf(state: InstanceState): SqlValue | undefined {
    const { version } = state.mapper;
    if (version === null) return undefined;
    const token = state.snapshot![version.index];
    if (token === UNKNOWN) {
      throw new ValidationError(`${label(state)} is expired; await session.refresh(instance) before changing it`);
    }
    return token as number;
  }

  /** Adds what an unversioned row must still hold, with optimistic "all". */
  #compare(row: RowChange, state: InstanceState): void {
    if (!this.#compareAll || state.mapper.version !== null) return;
    const codecs = state.mapper.codecs(this.#dialect);
    row.before = comparedColumns(state.mapper).map((column) => {
      const token = state.snapshot![column.index];
      if (token === UNKNOWN) {
        throw new ValidationError(`${label(state)} is expired; await session.refresh(instance) before changing it`);
      }
      if (token === null || token === undefined) return null;
      return encodeKey(column, token, codecs[column.index]!);
    });
  }

  #encode(column: MappedColumn, value: unknown, codec: Codec, state: InstanceState): SqlValue {
    if (value === null) {
      if (column.nullable) return null;
      if (column.type.name === "json") return codec.encode(null, column);
      throw new ValidationError(`${name(column)} of ${label(state)} must not be null`);
    }
    if (value instanceof Sql) {
      throw new ValidationError(
        `${
          name(column)
        } holds an SQL expression; set it with session.assign(instance, { ${column.property}: sql\`…\` })`,
      );
    }
    return codec.encode(value, column);
  }

  #checked(column: MappedColumn, cell: Cell, state: InstanceState): Cell {
    if (cell === null && !column.nullable) {
      throw new ValidationError(
        `${name(column)} of ${label(state)} must not be null, and its relation was set to none`,
      );
    }
    return cell;
  }
}

/** Refuses a new row that would not be read back as an instance of its class. */
function checkDiscriminator({ mapper, instance, expressions }: InstanceState): void {
  const { discriminator } = mapper;
  if (discriminator === null) return;
  if (expressions?.has(discriminator.property)) {
    throw new ValidationError(`${name(discriminator)} tells the class of a row; it cannot be an SQL expression`);
  }
  checkKind(mapper.class, instance[discriminator.property], `Cannot insert: a new ${mapper.model}`);
}

function linkRow(table: TableInfo, kind: "insert" | "delete"): RowChange {
  const base = { kind, table, state: null, key: [], cells: [], bump: false, checked: false, after: null };
  return { ...base, old: null, sets: [], returning: [], made: null, blockers: 0, next: null };
}

function name(column: ColumnInfo): string {
  return `${column.model}.${column.property}`;
}

function encodeKey(column: MappedColumn, token: unknown, codec: Codec): SqlValue {
  return codec.encode(column.kind === "date" && typeof token === "number" ? new Date(token) : token, column);
}

/** What tells two key cells apart. */
function cellId(cell: Cell): string {
  if (isKeyRef(cell)) return `${cell.table.table} ${cell.ordinal}`;
  return `${typeof cell} ${cell instanceof Uint8Array ? keyToken([cell]) : cell}`;
}

function afterToken(column: MappedColumn, value: unknown, cell: Cell): Token {
  return column.kind === "json" && value !== null ? cell as string : tokenOf(column.kind, value);
}

/** The token of a foreign key cell: what the property will hold. */
function tokenOfCell(cell: Cell, column: MappedColumn, codec: Codec): Token {
  if (cell === null) return null;
  return isKeyRef(cell) ? UNKNOWN : tokenOf(column.kind, codec.decode(cell as SqlValue));
}

function requireMaker(column: MappedColumn, state: InstanceState): void {
  if (column.type.name === "identity" || column.serverDefault !== null) return;
  throw new ValidationError(`${name(column)} of ${label(state)} has no value; give it one, or a default`);
}

function refuseMissing(column: MappedColumn, state: InstanceState): never {
  const { relations } = state.mapper;
  const relation = relations.find((r) => r.kind === "belongsTo" && r.local.includes(column));
  const how = relation === undefined ? "give it one" : `set ${relation.name} or ${column.property}`;
  throw new ValidationError(`${name(column)} of ${label(state)} has no value; ${how}`);
}

function refuseTaken(state: InstanceState): never {
  throw new ValidationError(
    `Cannot insert ${label(state)}: the session has loaded a row with this key; use merge() to copy onto it`,
  );
}

function refuseTwice(taken: Map<Mapper, Map<KeyToken, InstanceState>>, state: InstanceState, key: KeyToken): void {
  let keys = taken.get(state.mapper.root);
  if (keys === undefined) taken.set(state.mapper.root, keys = new Map());
  if (keys.has(key)) {
    throw new ValidationError(
      `Two new instances have the same key: ${label(state)}; use merge() to copy one onto the other`,
    );
  }
  keys.set(key, state);
}
