/**
 * Finding the rows of a `bulk()`: one SELECT for each model, all of one turn. Flushes nothing, and makes no instance until
 * it is asked to.
 *
 * @module
 */
import type { CallOptions } from "../database.ts";
import { MultipleResultsError, ValidationError } from "../errors.ts";
import type { MappedColumn, Mapper } from "../model/mapper.ts";
import { readList } from "../query/select_node.ts";
import { columnList, tableName, writeWhere } from "../query/where.ts";
import { type Internals, internals } from "../session/internals.ts";
import type { Session } from "../session/session.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { SqlValue, Statement } from "../sql/statement.ts";
import { overwrite } from "../state/hydrate.ts";
import { isExpired, knownState } from "../state/instance_state.ts";
import { keyToken } from "../state/key.ts";
import { partialInstance, showReference } from "./reference.ts";
import type { Entry } from "./register.ts";

/** What makes the session's instance of each entry that has a row. */
export type Found = Map<Entry, () => object>;

/** What is read of a model. */
interface Lookup {
  readonly mapper: Mapper;
  readonly entries: readonly Entry[];
  /** The columns that are read; null for all. */
  readonly columns: readonly MappedColumn[] | null;
}

/** Finds the rows of entries. Throws a MultipleResultsError when one has several. */
export async function find(
  session: Session,
  entries: readonly Entry[],
  whole: boolean,
  options: CallOptions,
): Promise<Found> {
  const rooms = session[internals]();
  const { tracker, branches } = rooms.transactions;
  const found: Found = new Map();
  const lookups = new Map<Mapper, { entries: Entry[]; whole: boolean }>();
  for (const entry of entries) {
    const owned = entry.objects.find((object) => knownState(object)?.owner === tracker.owner);
    const loaded = entry.columns === entry.mapper.key
      ? tracker.identity.get(entry.mapper, keyToken(entry.values)!)
      : undefined;
    // What the session has already is not asked for, unless more of it is wanted than it holds.
    if (owned !== undefined) found.set(entry, () => owned);
    else if (loaded !== undefined && !(isExpired(loaded) && (whole || !entry.isReference))) {
      found.set(entry, () => loaded.instance);
    } else if (entry.columns.length > 0) {
      const lookup = lookups.get(entry.mapper) ?? { entries: [], whole };
      lookup.entries.push(entry);
      // A value is compared with its row, and only the whole row tells its class.
      lookup.whole ||= !entry.isReference || entry.mapper.discriminator !== null;
      lookups.set(entry.mapper, lookup);
    }
  }
  await rooms.transactions.run(
    "bulk.resolve",
    async () => {
      await Promise.all(
        [...lookups].map(([mapper, lookup]) =>
          rooms.reading.prepared("bulk.resolve", mapper, [], false, null, async () => {
            const all = {
              mapper,
              entries: lookup.entries,
              columns: lookup.whole ? null : boundColumns(mapper, lookup.entries),
            };
            const { database: { dialect }, reads } = branches.of(mapper, "read");
            const statement = toStatement(all, dialect);
            const [result] = await reads.read({ statements: () => [statement], safe: true }, options);
            match(all, result!.rows, rooms, found);
          })
        ),
      );
    },
  );
  return found;
}

/** The keys that the entries are known by, the primary key, and the version: without it the row could not be changed. */
function boundColumns(mapper: Mapper, entries: readonly Entry[]): readonly MappedColumn[] {
  return mapper.columns.filter((column) =>
    column.primaryKey || column.version || entries.some(({ columns }) => columns.includes(column))
  );
}

function toStatement({ mapper, entries, columns }: Lookup, dialect: Dialect): Statement {
  const params: SqlValue[] = [];
  const list = columns === null ? readList(dialect, mapper) : columnList(dialect, mapper, columns);
  const where = writeWhere([{ or: conditions(entries) }], { dialect, mapper, params });
  return { sql: `SELECT ${list} FROM ${tableName(dialect, mapper)}${where}`, params };
}

/** One condition for all entries that are known by the same single column, one for each of the others. */
function conditions(entries: readonly Entry[]): object[] {
  const single = new Map<MappedColumn, unknown[]>();
  const several: object[] = [];
  for (const { columns, values } of entries) {
    const [column] = columns;
    if (columns.length > 1) {
      several.push(Object.fromEntries(columns.map(({ property }, i) => [property, values[i]])));
    } else if (single.has(column!)) single.get(column!)!.push(values[0]);
    else single.set(column!, [values[0]]);
  }
  return [...[...single].map(([{ property }, values]) => ({ [property]: { in: values } })), ...several];
}

/** Gives each entry its row. */
function match(
  { mapper, entries, columns }: Lookup,
  rows: readonly (readonly SqlValue[])[],
  rooms: Internals,
  found: Found,
): void {
  const codecs = mapper.codecs(rooms.transactions.branches.of(mapper, "read").database.dialect);
  const place = (column: MappedColumn): number => columns === null ? column.index : columns.indexOf(column);
  const token = (row: readonly SqlValue[], some: readonly MappedColumn[]): unknown =>
    keyToken(some.map((column) => {
      const value = row[place(column)]!;
      return value === null ? null : codecs[column.index]!.decode(value);
    }));
  const indexes = new Map<string, Map<unknown, (readonly SqlValue[])[]>>();
  for (const entry of entries) {
    const id = entry.columns.map(({ index }) => index).join();
    let index = indexes.get(id);
    if (index === undefined) {
      indexes.set(id, index = new Map());
      for (const row of rows) {
        const key = token(row, entry.columns);
        index.set(key, [...index.get(key) ?? [], row]);
      }
    }
    const its = index.get(keyToken(entry.values)) ?? [];
    if (its.length > 1) {
      throw new MultipleResultsError(
        `${
          showReference(entry)
        } is meant to be one row, and there are ${its.length}; refer to it by a key that is unique`,
      );
    }
    const [row] = its;
    if (row !== undefined) found.set(entry, () => instanceOf(entry, row, columns, rooms));
  }
}

/** The session's instance of a row. */
function instanceOf(
  { mapper, objects }: Entry,
  row: readonly SqlValue[],
  columns: readonly MappedColumn[] | null,
  { transactions, reading }: Internals,
): object {
  const { tracker, branches } = transactions;
  const { database, wrote } = branches.of(mapper, "read");
  if (columns === null) {
    return reading.loader.instances(mapper, { columns: [], rows: [row], rowsAffected: 1 }, false)[0]!;
  }
  const codecs = mapper.codecs(database.dialect);
  const raw = (column: MappedColumn): SqlValue => row[columns.indexOf(column)]!;
  const values = mapper.key.map((column) => codecs[column.index]!.decode(raw(column)));
  const known = tracker.identity.get(mapper, keyToken(values)!);
  if (known !== undefined) return known.instance;
  // A reference by primary key is an instance already, and nobody's; it becomes the session's.
  const own = objects.map(knownState).find((state) => state?.status === "detached" && state.owner === null);
  const state = own ?? partialInstance({ mapper, columns: mapper.key, values });
  const rest = columns.filter((column) => !column.primaryKey);
  overwrite(state, rest, raw, codecs);
  tracker.add(state);
  if (state.status !== "persistent") {
    throw new ValidationError(`${showReference({ mapper, columns: mapper.key, values })} could not be bound`);
  }
  if (wrote) tracker.markUncertain(state);
  return state.instance;
}
