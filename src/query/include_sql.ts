/**
 * The statements that load instances by key and relations by what is above them.
 *
 * @module
 */
import type { MappedColumn, MappedRelation, Mapper } from "../model/mapper.ts";
import type { Dialect, RowLock } from "../sql/dialect.ts";
import type { SqlValue, Statement } from "../sql/statement.ts";
import type { ColumnInfo } from "../sql/table.ts";
import { type KeyToken, keyToken } from "../state/key.ts";
import { heldValues, type Loading } from "./connect_rows.ts";
import type { Away } from "./loader.ts";
import { lockClause, readList, type SelectNode, writeSelect } from "./select_node.ts";
import { columnList, columnName, columnTuple, tableName, writeKind } from "./where.ts";

/** A relation to load: the condition on its target's rows, and what to load from those. */
export interface Level {
  readonly relation: MappedRelation;
  /** Writes the key of the rows above, as a list that IN takes: a subquery or values. */
  readonly above: (columns: readonly MappedColumn[], params: SqlValue[]) => string;
  readonly below: readonly Level[];
  /** What other loaders load of its rows. */
  readonly away: readonly Away[];
}

/** The rows of keys. */
export function selectByKeys(
  mapper: Mapper,
  keys: readonly (readonly SqlValue[])[],
  lock: RowLock | null,
  dialect: Dialect,
): Statement {
  const params: SqlValue[] = [];
  const test = `${columnTuple(dialect, mapper, mapper.key)} IN ${dialect.inList(mapper.key, keys, params)}`;
  const select = `SELECT ${readList(dialect, mapper)} FROM ${tableName(dialect, mapper)} WHERE ${test}`;
  return { sql: select + ofClass(mapper, dialect, params) + lockClause(lock, dialect), params };
}

/** What leaves rows of other classes of the same table out, after other conditions. */
function ofClass(mapper: Mapper, dialect: Dialect, params: SqlValue[]): string {
  const test = writeKind({ dialect, mapper, params });
  return test === "" ? "" : ` AND ${test}`;
}

/** Columns of the rows of a query, as a list that IN takes. */
export function writeKeys(
  node: SelectNode,
  columns: readonly MappedColumn[],
  dialect: Dialect,
  params: SqlValue[],
): string {
  const { mapper } = node;
  return `(${writeSelect(node, columnList(dialect, mapper, columns), { dialect, mapper, params }, false)})`;
}

/** Columns of the rows of a level, as a list that IN takes. */
export function writeLevelKeys(
  level: Level,
  columns: readonly MappedColumn[],
  dialect: Dialect,
  params: SqlValue[],
): string {
  const { target } = level.relation;
  const selected = columnList(dialect, target, columns);
  return `(SELECT ${selected} FROM ${tableName(dialect, target)} WHERE ${condition(level, dialect, params)})`;
}

/** The values that instances hold in some columns, as a list that IN takes. */
export function writeValues(
  roots: Loading,
  mapper: Mapper,
  columns: readonly MappedColumn[],
  dialect: Dialect,
  params: SqlValue[],
): string {
  const values = new Map<KeyToken, readonly SqlValue[]>();
  const codecs = mapper.codecs(dialect);
  const heldBy = heldValues(roots, mapper, columns);
  for (let i = 0; i < roots.states.length; i++) {
    const held = heldBy(i);
    const token = keyToken(held);
    if (token === null) continue;
    values.set(token, held.map((value, at) => codecs[columns[at]!.index]!.encode(value, columns[at]!)));
  }
  return dialect.inList(columns, [...values.values()], params);
}

/** One statement a level, the levels above first. */
export function levelStatements(levels: readonly Level[], dialect: Dialect): Statement[] {
  return levels.flatMap((level) => [levelStatement(level, dialect), ...levelStatements(level.below, dialect)]);
}

/** The rows of a level; of a many-to-many with the key of the row above, which its link holds. */
function levelStatement(level: Level, dialect: Dialect): Statement {
  const { target, link, local } = level.relation;
  const params: SqlValue[] = [];
  let columns = readList(dialect, target);
  let from = tableName(dialect, target);
  let test: string;
  if (link === null) test = condition(level, dialect, params);
  else {
    const between = tableName(dialect, link);
    const named = (column: ColumnInfo): string => `${between}.${dialect.quote(column.name)}`;
    const on = link.to.map((column, i) => `${named(column)} = ${columnName(dialect, target, target.key[i]!)}`);
    const owners = link.from.map(named).join(", ");
    columns += `, ${owners}`;
    from += ` JOIN ${between} ON ${on.join(" AND ")}`;
    test = `${link.from.length === 1 ? owners : `(${owners})`} IN ${level.above(local, params)}` +
      ofClass(target, dialect, params);
  }
  const order = columnList(dialect, target, target.key);
  return { sql: `SELECT ${columns} FROM ${from} WHERE ${test} ORDER BY ${order}`, params };
}

/** The condition on a relation's target rows: those that belong to a row above. */
function condition({ relation, above }: Level, dialect: Dialect, params: SqlValue[]): string {
  const { target, remote, local, link } = relation;
  let keys: string;
  if (link === null) keys = above(local, params);
  else {
    const list = (columns: readonly ColumnInfo[]): string => columns.map(({ name }) => dialect.quote(name)).join(", ");
    const from = link.from.length === 1 ? list(link.from) : `(${list(link.from)})`;
    keys = `(SELECT ${list(link.to)} FROM ${tableName(dialect, link)} WHERE ${from} IN ${above(local, params)})`;
  }
  return `${columnTuple(dialect, target, remote)} IN ${keys}${ofClass(target, dialect, params)}`;
}
