/**
 * Running an `insert`, an `update` or a `deleteFrom`: at once on the connection, or with the commit. Where the database
 * has RETURNING it is one statement. Where it has not, the rows are found (and locked) before and read after it, in the same
 * transaction: one or two requests more, and only where something is loaded or asked for.
 *
 * @module
 */
import type { CallOptions, Connection } from "../database.ts";
import { UnsupportedError } from "../errors.ts";
import type { MappedColumn } from "../model/mapper.ts";
import type { Entity } from "../model/types.ts";
import { conflictColumns, type InsertNode, insertRows, type InsertStatement, toInsert } from "../query/insert.ts";
import type { Loader } from "../query/loader.ts";
import { Result } from "../query/result.ts";
import { places, plainRows, type Returning, union } from "../query/returning.ts";
import {
  type DeleteStatement,
  draftWrite,
  toTargets,
  toWrite,
  toWriteOf,
  type UpdateStatement,
  type WriteDraft,
  type WriteNode,
} from "../query/write.ts";
import { columnTuple, tableName } from "../query/where.ts";
import type { StagedWrite, WriteContext, Writing } from "../query/write_work.ts";
import { columnNames } from "../sql/ddl.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { ResultSet, SqlValue, Statement } from "../sql/statement.ts";
import { keyToken } from "../state/key.ts";
import { insertAndRead, insertReturning } from "./inserting.ts";
import { expireLoaded, isConcerned, isLoaded, synchroniseDeleted, synchroniseUpdated } from "./synchronise.ts";

/** A statement of a builder that writes. @template T The model's instances. @template R What it gives back. */
export type WriteStatement<T extends Entity, R> = InsertStatement<T, R> | UpdateStatement<T, R> | DeleteStatement<T, R>;

/** Prepares an update or a deletion for the connection; encodes its values and checks it. */
export function prepareWrite(node: WriteNode, context: WriteContext): Writing {
  const draft = draftWrite(node, context.dialect);
  const run = context.dialect.returning ? runReturning : runReading;
  return (connection, options) => run(node, draft, context, connection, options);
}

/** The same of an insert. */
export function prepareInsert(node: InsertNode, context: WriteContext): Writing {
  const { mapper, returning } = node;
  const { dialect, loader, tracker } = context;
  if (returning === "instances") {
    const insert = dialect.returning ? insertReturning(node, dialect) : insertAndRead(node, dialect);
    return async (connection, options) => instancesOf(node, await insert(connection, options), loader);
  }
  const written = conflictColumns(node);
  if (!dialect.returning && (returning.length > 0 || written.length > 0)) {
    const insert = insertAndRead(node, dialect);
    return async (connection, options) => {
      const set = await insert(connection, options);
      if (written.length > 0) synchroniseUpdated(tracker, dialect, mapper, written, mapper.readColumns, set.rows);
      return plainRows(returning, mapper.readColumns, set, set.rows.length, { mapper, dialect });
    };
  }
  const statement = toInsert(node, insertRows(node, dialect), dialect);
  return async (connection, options) => {
    const wanted = wantedOfInsert(node, written.length > 0 && isLoaded(tracker, mapper));
    const set = await connection.execute(withReturning(statement, wanted, dialect), options);
    return readInsert(node, wanted, set, context);
  };
}

/** The columns that come back of an insert that gives no instances; with those that a loaded instance needs, if wanted. */
function wantedOfInsert(node: InsertNode, synchronises: boolean): readonly MappedColumn[] {
  const { mapper, returning } = node;
  return union(
    returning === "instances" ? [] : returning,
    synchronises ? mapper.key : [],
    synchronises ? conflictColumns(node) : [],
  );
}

function readInsert(
  node: InsertNode,
  wanted: readonly MappedColumn[],
  set: ResultSet,
  { tracker, dialect }: WriteContext,
): Result<unknown> {
  const { mapper, returning } = node;
  if (wanted.length === 0) return new Result<unknown>({ ...set, columns: [], rows: [] });
  const written = conflictColumns(node).filter((column) => wanted.includes(column));
  if (written.length > 0 && mapper.key.every((column) => wanted.includes(column))) {
    synchroniseUpdated(tracker, dialect, mapper, written, wanted, set.rows);
  }
  return plainRows(returning as readonly MappedColumn[], wanted, set, set.rows.length, { mapper, dialect });
}

function withReturning({ sql, params }: Statement, columns: readonly MappedColumn[], dialect: Dialect): Statement {
  return { sql: columns.length === 0 ? sql : `${sql} RETURNING ${columnNames(columns, dialect)}`, params };
}

/** The session's instances of rows that hold every column. */
function instancesOf({ mapper }: InsertNode, set: ResultSet, loader: Loader): Result<unknown> {
  return new Result<unknown>({ ...set, rowsAffected: set.rows.length }, loader.instances(mapper, set));
}

/** The columns that come back: what was asked for, and what loaded instances need. */
function wantedOf(
  { kind, mapper, returning }: WriteNode,
  { written }: WriteDraft,
  synchronises: boolean,
): readonly MappedColumn[] {
  if (returning === "instances") return mapper.readColumns;
  const needed = synchronises ? [...mapper.key, ...(kind === "update" ? written : [])] : [];
  return union(returning ?? [], needed);
}

async function runReturning(
  node: WriteNode,
  draft: WriteDraft,
  context: WriteContext,
  connection: Connection,
  options: CallOptions,
): Promise<Result<unknown>> {
  const { tracker, dialect } = context;
  const concerns = node.kind === "update" ? isLoaded : isConcerned;
  const wanted = wantedOf(node, draft, concerns(tracker, node.mapper));
  const set = await connection.execute(toWrite(draft, node, wanted, dialect), options);
  return readWrite(node, draft, wanted, set, wanted.length > 0 ? set.rows.length : set.rowsAffected, context);
}

/** Brings what is loaded up to date, and gives back what was asked for. */
function readWrite(
  node: WriteNode,
  { written }: WriteDraft,
  wanted: readonly MappedColumn[],
  set: ResultSet,
  rowsAffected: number,
  { tracker, dialect, loader }: WriteContext,
): Result<unknown> {
  const { kind, mapper, returning } = node;
  if (mapper.key.every((column) => wanted.some(({ name }) => name === column.name))) {
    if (kind === "update") synchroniseUpdated(tracker, dialect, mapper, written, wanted, set.rows);
    else {
      const at = places(mapper.key, wanted);
      const codecs = mapper.codecs(dialect);
      const gone = new Set(
        set.rows.map((row) => keyToken(mapper.key.map(({ index }, i) => codecs[index]!.decode(row[at[i]!]!)))),
      );
      synchroniseDeleted(tracker, mapper, (key) => gone.has(key));
    }
  }
  // Loaded ones are up to date by now, with what is pending on them; the others are made.
  if (returning === "instances") return loaded(mapper.readColumns, set, loader.known(mapper, set));
  return plainRows(returning ?? [], wanted, set, rowsAffected, {
    mapper,
    dialect,
  });
}

function loaded(columns: readonly MappedColumn[], set: ResultSet, instances: readonly unknown[]): Result<unknown> {
  const names = columns.map(({ property }) => property);
  return new Result<unknown>({ columns: names, rows: set.rows, rowsAffected: set.rows.length }, instances);
}

/** Without RETURNING: finds and locks what concerns the session, writes, and reads what was written. */
async function runReading(
  node: WriteNode,
  draft: WriteDraft,
  context: WriteContext,
  connection: Connection,
  options: CallOptions,
): Promise<Result<unknown>> {
  const { kind, mapper, returning, limit } = node;
  const { tracker, dialect } = context;
  const synchronises = kind === "update" ? isLoaded(tracker, mapper) : isConcerned(tracker, mapper);
  if (!synchronises && (returning === null || returning.length === 0)) {
    const { rowsAffected } = await connection.execute(toWrite(draft, node, [], dialect), options);
    return new Result<unknown>({ columns: [], rows: [], rowsAffected });
  }
  const wanted = wantedOf(node, draft, synchronises);
  // Of an update that gives nothing back, the rows that are loaded are enough; their number is the session's.
  const some = kind === "update" && returning === null && limit === null ? loadedKeys(context, node) : null;
  const before = kind === "delete" ? union(mapper.key, wanted) : mapper.key;
  const targets = await connection.execute(toTargets(node, before, some, dialect), options);
  const keys = targets.rows.map((row) => row.slice(0, mapper.key.length));
  if (keys.length === 0 && some === null) {
    return plainRows(returning === "instances" || returning === null ? [] : returning, before, targets, 0, {
      mapper,
      dialect,
    });
  }
  const statement = some === null ? toWriteOf(draft, node, keys, dialect) : toWrite(draft, node, [], dialect);
  const { rowsAffected } = await connection.execute(statement, options);
  if (kind === "delete") return readWrite(node, draft, before, targets, rowsAffected, context);
  const set = keys.length === 0 ? targets : await connection.execute(readKeys(node, wanted, keys, dialect), options);
  return readWrite(node, draft, wanted, set, some === null ? set.rows.length : rowsAffected, context);
}

function loadedKeys({ tracker, dialect }: WriteContext, { mapper }: WriteNode): (readonly SqlValue[])[] {
  const codecs = mapper.codecs(dialect);
  return tracker.identity.of(mapper).map(({ instance }) =>
    mapper.key.map((column) => codecs[column.index]!.encode(instance[column.property], column))
  );
}

function readKeys(
  { mapper }: WriteNode,
  columns: readonly MappedColumn[],
  keys: readonly (readonly SqlValue[])[],
  dialect: Dialect,
): Statement {
  const params: SqlValue[] = [];
  const test = `${columnTuple(dialect, mapper, mapper.key)} IN ${dialect.inList(mapper.key, keys, params)}`;
  return { sql: `SELECT ${columnNames(columns, dialect)} FROM ${tableName(dialect, mapper)} WHERE ${test}`, params };
}

/**
 * Prepares an update or a deletion for the commit. Which instances will be loaded by then is not known: its rows come back
 * always, where they can; where they cannot, the instances of the model are expired, and what asks for rows is refused.
 */
export function stageWrite(node: WriteNode, context: WriteContext): StagedWrite {
  const { mapper } = node;
  const { dialect, tracker } = context;
  requireReturning(node, dialect, "leave returning() out");
  const draft = draftWrite(node, dialect);
  const wanted = dialect.returning ? wantedOf(node, draft, true) : [];
  const lost = () => expireLoaded(tracker, mapper);
  return {
    statement: toWrite(draft, node, wanted, dialect),
    lost,
    read(set) {
      if (wanted.length === 0) lost();
      return readWrite(node, draft, wanted, set, wanted.length > 0 ? set.rows.length : set.rowsAffected, context);
    },
  };
}

/** The same of an insert. */
export function stageInsert(node: InsertNode, context: WriteContext): StagedWrite {
  const { mapper, returning } = node;
  const { dialect, tracker, loader } = context;
  requireReturning(node, dialect, "say returning([])");
  const lost = () => expireLoaded(tracker, mapper);
  const statement = toInsert(node, insertRows(node, dialect), dialect);
  if (returning === "instances") {
    return {
      statement: withReturning(statement, mapper.readColumns, dialect),
      lost,
      read: (set) => instancesOf(node, set, loader),
    };
  }
  const updates = conflictColumns(node).length > 0;
  const wanted = wantedOfInsert(node, updates && dialect.returning);
  return {
    statement: withReturning(statement, wanted, dialect),
    lost,
    read(set) {
      if (updates && !dialect.returning) lost();
      return readInsert(node, wanted, set, context);
    },
  };
}

function requireReturning(
  { returning }: { readonly returning: Returning | null },
  dialect: Dialect,
  instead: string,
): void {
  if (dialect.returning || returning !== "instances" && (returning ?? []).length === 0) return;
  throw new UnsupportedError(
    `${dialect.name} gives no rows back from a write that travels with the commit; ${instead}, or use execute()`,
  );
}
