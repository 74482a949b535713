/**
 * A SELECT as plain data, and the SQL that it is. Immutable: a builder makes a new node for each call.
 *
 * @module
 */
import { UnsupportedError, ValidationError } from "../errors.ts";
import type { MappedRelation, Mapper } from "../model/mapper.ts";
import type { Dialect, RowLock } from "../sql/dialect.ts";
import { isBytes } from "../sql/codecs.ts";
import { quoted } from "../model/quoted.ts";
import { isObject } from "../sql/object.ts";
import { isVolatile } from "../sql/scan.ts";
import type { SqlValue, Statement } from "../sql/statement.ts";
import { Sql } from "../sql/tag.ts";
import { totalOrder, writeAfter } from "./keyset.ts";
import {
  columnList,
  CONDITION_DEPTH,
  type OrderItem,
  type QueryContext,
  tableName,
  tooDeep,
  writeOrder,
  writeWhere,
} from "./where.ts";

/** Relations to load, by name, each with those to load from there. */
export type IncludeTree = ReadonlyMap<string, IncludeTree>;

/** A SELECT of the instances of one model. */
export interface SelectNode {
  readonly mapper: Mapper;
  readonly where: readonly unknown[];
  readonly order: readonly OrderItem[];
  readonly limit: number | null;
  readonly offset: number | null;
  readonly include: IncludeTree;
  readonly populateExisting: boolean;
  /** Only what comes after these values, of the columns of `order`: a page by key. */
  readonly after: readonly SqlValue[] | null;
  /** How its rows are locked until the transaction ends. */
  readonly lock: RowLock | null;
}

/** The node that selects every row of a model. */
export function selectAll(mapper: Mapper): SelectNode {
  return {
    mapper,
    where: [],
    order: [],
    limit: null,
    offset: null,
    include: new Map(),
    populateExisting: false,
    after: null,
    lock: null,
  };
}

/** Every column of the model, in the model's order, and those of its subclasses: what hydration reads. */
export function readList(dialect: Dialect, mapper: Mapper): string {
  return columnList(dialect, mapper, mapper.readColumns);
}

/**
 * The statement of a node. With `include` or a limit, the primary key is appended to the order, so that the rows that
 * the related statements see are the same.
 */
export function toSelect(node: SelectNode, dialect: Dialect): Statement {
  const params: SqlValue[] = [];
  const sql = writeSelect(node, readList(dialect, node.mapper), { dialect, mapper: node.mapper, params }, true);
  return { sql: sql + lockClause(node.lock, dialect), params };
}

/** What locks the rows of a SELECT. Throws an UnsupportedError where the database cannot do it as asked. */
export function lockClause(lock: RowLock | null, dialect: Dialect): string {
  if (lock === null) return "";
  if (dialect.lock !== undefined) return dialect.lock(lock);
  if (lock.skipLocked || lock.noWait) {
    throw new UnsupportedError(
      `${dialect.name} locks no single rows, so it cannot skip locked ones or fail on them; lock without`,
    );
  }
  return "";
}

/** Options of a lock, as users give them. */
export interface LockOptions {
  /** Lock against changes only, so that others may read and lock likewise. */
  readonly share?: boolean;
  /** Leave out rows that are locked already. */
  readonly skipLocked?: boolean;
  /** Fail at once, with a `LockTimeoutError`, on a row that is locked already. */
  readonly noWait?: boolean;
}

/** Reads a lock as users give it: `true` locks for an update. */
export function parseLock(lock: boolean | LockOptions | undefined): RowLock | null {
  if (lock === undefined || lock === false) return null;
  const { share, ...rest }: LockOptions = lock === true ? {} : Object(lock);
  if (rest.skipLocked && rest.noWait) {
    throw new ValidationError("A lock cannot both skip locked rows and fail on them; give skipLocked or noWait");
  }
  return { mode: share ? "share" : "update", ...rest };
}

/** A SELECT of some expressions over the rows of a node. */
export function writeSelect(node: SelectNode, selected: string, context: QueryContext, ordered: boolean): string {
  const { dialect, params } = context;
  let where = writeWhere(node.where, context);
  if (node.after !== null) {
    where += `${where === "" ? " WHERE" : " AND"} ${writeAfter(totalOrder(node, "page()"), node.after, context)}`;
  }
  const limited = node.limit !== null || node.offset !== null;
  const order = ordered || limited ? writeOrder(orderOf(node, limited), context) : "";
  const limit = dialect.limit(node.limit, node.offset, params);
  return `SELECT ${selected} FROM ${tableName(dialect, node.mapper)}${where}${order}${limit}`;
}

function orderOf({ mapper, order, include }: SelectNode, limited: boolean): readonly OrderItem[] {
  if (!limited && (include.size === 0 || order.length === 0)) return order;
  const rest = mapper.key.filter((column) => !order.some((item) => !(item instanceof Sql) && item.column === column));
  return [...order, ...rest.map((column) => ({ column, descending: false }))];
}

/** The statement that counts the rows of a node. */
export function toCount(node: SelectNode, dialect: Dialect): Statement {
  const params: SqlValue[] = [];
  const context = { dialect, mapper: node.mapper, params };
  const sql = `SELECT count(*) FROM (${writeSelect(node, "1", context, false)}) AS ${dialect.quote("counted")}`;
  return { sql, params };
}

/** Whether the SQL of a node's own may give other rows each time it is run. */
export function isVolatileNode(node: SelectNode): boolean {
  return mentions(userSql(node), isVolatile, node.mapper);
}

/** Where SQL of the user's can stand in a query. */
function userSql({ where, order }: SelectNode): unknown {
  return [where, order.filter((item) => item instanceof Sql)];
}

/** Whether some text of the user's SQL in a value passes a test. Throws a ValidationError for conditions that are too deep. */
function mentions(value: unknown, test: (text: string) => boolean, mapper: Mapper, depth = 0): boolean {
  // A condition in a list is two levels, and around them all are those of userSql, an operator and its values.
  if (depth > 2 * CONDITION_DEPTH + 8) throw tooDeep(mapper);
  if (value instanceof Sql) {
    return value.parts.some((part) =>
      part.kind === "text" ? test(part.text) : part.kind === "value" && mentions(part.value, test, mapper, depth + 1)
    );
  }
  if (!isObject(value) || isBytes(value)) return false;
  return Object.values(value).some((item) => mentions(item, test, mapper, depth + 1));
}

/**
 * How many relations may follow each other in an include: the statement of each level holds those before it, and from some
 * level on SQLite's parser overflows, while PostgreSQL plans for seconds.
 */
const INCLUDE_DEPTH = 10;

/** Reads what to include, as users write it. Throws a ValidationError for what is no relation, and for too many in a row. */
export function parseInclude(mapper: Mapper, include: unknown, depth = 0): IncludeTree {
  if (depth > INCLUDE_DEPTH) {
    throw new ValidationError(`An include must be at most ${INCLUDE_DEPTH} relations deep; load() goes on from there`);
  }
  if (include === undefined || include === true) return new Map();
  if (Array.isArray(include)) {
    return new Map(include.map((name) => [requireRelation(mapper, name).name, new Map()]));
  }
  if (!isObject(include)) {
    throw new ValidationError(
      `include of ${mapper.model} must be an array of relations or an object like { name: true }`,
    );
  }
  return new Map(
    Object.entries(include).map(([name, deeper]) => {
      const relation = requireRelation(mapper, name);
      if (deeper === undefined || deeper === false || deeper === null) {
        throw new ValidationError(`include.${name} of ${mapper.model} must be true or what to include from there`);
      }
      return [name, parseInclude(relation.target, deeper, depth + 1)];
    }),
  );
}

function requireRelation(mapper: Mapper, name: unknown): MappedRelation {
  const relation = typeof name === "string" ? mapper.relation(name) : undefined;
  if (relation !== undefined) return relation;
  const known = mapper.relations.map((r) => r.name).join(", ");
  throw new ValidationError(
    `${mapper.model} has no relation ${quoted(name)} to include; ${known === "" ? "it has none" : `it has ${known}`}`,
  );
}

/** Both trees together. */
export function mergeIncludes(a: IncludeTree, b: IncludeTree): IncludeTree {
  const merged = new Map(a);
  for (const [name, deeper] of b) merged.set(name, mergeIncludes(a.get(name) ?? new Map(), deeper));
  return merged;
}

/** The tables that a query reads, with what it includes; "all" where SQL of the user's has a SELECT of its own. */
export function tablesOf(node: SelectNode): Set<string> | "all" {
  return mentions(userSql(node), hasSelect, node.mapper) ? "all" : includedTables(node, new Set());
}

function hasSelect(text: string): boolean {
  return /\bselect\b/i.test(text);
}

function includedTables(node: { mapper: Mapper; include: IncludeTree }, tables: Set<string>): Set<string> {
  tables.add(node.mapper.table);
  for (const [name, include] of node.include) {
    const relation = node.mapper.relation(name)!;
    if (relation.link !== null) tables.add(relation.link.table);
    includedTables({ mapper: relation.target, include }, tables);
  }
  return tables;
}

/** Throws a ValidationError for what cannot count rows. */
export function requireCount(what: string, count: number): number {
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw new ValidationError(`${what}() needs a whole number that is not negative`);
}
