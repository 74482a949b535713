/**
 * The order of a flush: rows that depend on each other in sequence, rows that do not together, so that a table takes
 * as few statements as its dependencies allow.
 *
 * A topological sort (Kahn, "Topological sorting of large networks", 1962) over the rows, taken group by group: of the
 * groups that have rows ready, the first in the order inserts, updates, deletes and then by table. O(rows + dependencies).
 * Where all rows are new and refer to tables before their own, the order of the tables is one of the rows, and no
 * dependency of a row is looked for.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import { Mapper } from "../model/mapper.ts";
import type { ColumnInfo, TableInfo } from "../sql/table.ts";
import { ByKey } from "../state/by_key.ts";
import { type KeyToken, keyToken, tokenIn, valueToken } from "../state/key.ts";
import { UNKNOWN } from "../state/snapshot.ts";
import { label } from "../state/tracker.ts";
import { comparedColumns, type Dependency, isKeyRef, RowChange } from "./row_change.ts";

/** Rows of one table that go together. */
export interface RowGroup {
  readonly kind: RowChange["kind"];
  readonly table: TableInfo;
  readonly rows: RowChange[];
}

/** Puts rows in an order that the database accepts. May add rows: the second halves of broken cycles. */
export function orderRows(rows: RowChange[]): RowGroup[] {
  const ranks = tableRanks(rows);
  const waiting = new Map<string, Bucket>();
  let last: Bucket | undefined;
  const push = (row: RowChange): void => {
    if (last === undefined || !isLike(last.rows[0], row)) {
      const id = bucketId(row);
      last = waiting.get(id);
      if (last === undefined) waiting.set(id, last = { id, rank: rankOf(row, ranks), rows: [] });
    }
    last.rows.push(row);
  };
  if (isOrderOfRows(ranks, rows)) {
    for (const row of rows) push(row);
    return [...waiting.values()].sort((a, b) => a.rank - b.rank).map((bucket) => groupOf(bucket.rows, true));
  }
  for (const row of [...rows]) {
    const later = splitSelfReference(row);
    if (later !== null) rows.push(later);
  }
  connect(rows);
  let open = rows.length;
  for (const row of rows) if (row.blockers === 0) push(row);
  const groups: RowGroup[] = [];
  const blocked = new Set(rows.filter((row) => row.blockers > 0));
  while (open > 0) {
    const bucket = firstBucket(waiting);
    if (bucket === null) {
      const added = breakCycles(blocked);
      open += added.length;
      for (const row of added) blocked.add(row);
      for (const row of blocked) {
        if (row.blockers > 0) continue;
        blocked.delete(row);
        push(row);
      }
      continue;
    }
    const group = takeGroup(bucket, push, blocked);
    open -= group.rows.length;
    groups.push(group);
  }
  return groups;
}

interface Bucket {
  readonly id: string;
  readonly rank: number;
  rows: RowChange[];
}

/** Takes all ready rows of a bucket, and those that become ready by them and may stand in the same statement. */
function takeGroup(bucket: Bucket, push: (row: RowChange) => void, blocked: Set<RowChange>): RowGroup {
  const rows = bucket.rows;
  bucket.rows = [];
  const apart = new Set<RowChange>();
  let chained = false;
  for (let i = 0; i < rows.length; i++) { // grows while it is walked
    for (const { to, strict } of rows[i]!.next ?? []) {
      if (strict) apart.add(to);
      if (--to.blockers > 0) continue;
      blocked.delete(to);
      if (bucketId(to) === bucket.id && !apart.has(to)) {
        rows.push(to);
        chained = true;
      } else push(to);
    }
  }
  return groupOf(rows, !chained);
}

/** A group; one whose rows may be in any order is sorted by key, so that two commits lock the same rows in the same order. */
function groupOf(rows: RowChange[], anyOrder: boolean): RowGroup {
  const { kind, table, made } = rows[0]!;
  if (anyOrder && !made) sortByKey(rows);
  return { kind, table, rows };
}

function sortByKey(rows: RowChange[]): void {
  const { kind, table: { key } } = rows[0]!;
  const cell = (row: RowChange, i: number) => kind === "insert" ? row.cells[key[i]!.index]! : row.key[i]!;
  rows.sort((a, b) => {
    for (let i = 0; i < key.length; i++) {
      const x = cell(a, i);
      const y = cell(b, i);
      if (x < y) return -1;
      if (x > y) return 1;
    }
    return 0;
  });
}

function firstBucket(waiting: Map<string, Bucket>): Bucket | null {
  let first: Bucket | null = null;
  for (const bucket of waiting.values()) {
    if (bucket.rows.length > 0 && (first === null || bucket.rank < first.rank)) first = bucket;
  }
  return first;
}

/** What must be equal for two rows to share a statement. */
export function bucketId(row: RowChange): string {
  const { table, kind } = row;
  // Of link rows, some name both ends and some one: the columns of their key tell.
  const key = table instanceof Mapper ? "" : JSON.stringify(table.key.map((column) => column.name));
  // Classes of a family have other columns each, under the same indexes.
  const own = table instanceof Mapper ? table.extension?.kind ?? "" : "";
  const base = `${kind} ${table.schema ?? ""}.${table.table} ${key} ${own}`;
  if (row.kind === "update") return `${base} ${row.bump} ${row.before !== undefined} ${row.made !== null}`;
  if (row.kind === "delete") return `${base} ${row.checked}`;
  let missing = "";
  for (let i = 0; i < row.cells.length; i++) if (row.cells[i] === undefined) missing += `${i},`;
  return `${base} ${missing} ${row.made === null ? "given" : "made"}`;
}

/** Whether two new rows have the same bucket, as neighbours mostly do: cheaper than an id for each. */
function isLike(one: RowChange | undefined, row: RowChange): boolean {
  if (one?.table !== row.table || one.kind !== "insert" || row.kind !== "insert" || !one.made !== !row.made) {
    return false;
  }
  for (let i = 0; i < row.cells.length; i++) {
    if ((one.cells[i] === undefined) !== (row.cells[i] === undefined)) return false;
  }
  return true;
}

const PHASES = { insert: 0, update: 1, delete: 2 } as const;

function rankOf(row: RowChange, ranks: Map<string, number>): number {
  const table = ranks.get(row.table.table)!;
  const place = row.kind === "delete" ? ranks.size - table : table;
  // Rows that bring their keys before rows whose keys the server makes: a dialect may count back from the largest key.
  return (PHASES[row.kind] * (ranks.size + 1) + place) * 2 + (row.kind === "insert" && row.made !== null ? 1 : 0);
}

/** Whether rows can go table by table: all are new, and each refers to tables before its own. Classes may share a table. */
function isOrderOfRows(ranks: ReadonlyMap<string, number>, rows: readonly RowChange[]): boolean {
  let last: TableInfo | null = null;
  for (const { kind, table } of rows) {
    if (kind !== "insert") return false;
    if (table === last) continue;
    last = table;
    if (!table.foreignKeys.every(({ target }) => ranks.get(target.table)! < ranks.get(table.table)!)) return false;
  }
  return true;
}

/** Tables numbered so that a referenced one comes before those that refer to it; the order within a cycle is any. */
function tableRanks(rows: readonly RowChange[]): Map<string, number> {
  const ranks = new Map<string, number>();
  const visiting = new Set<string>();
  const visit = (table: TableInfo): void => {
    if (ranks.has(table.table) || visiting.has(table.table)) return;
    visiting.add(table.table);
    for (const { target } of table.foreignKeys) visit(target);
    ranks.set(table.table, ranks.size);
  };
  let last: TableInfo | null = null;
  for (const { table } of rows) {
    if (table !== last) visit(table);
    last = table;
  }
  return ranks;
}

function depend(before: RowChange, after: RowChange, strict: boolean, foreignKey: readonly ColumnInfo[] | null): void {
  if (before === after) return;
  (before.next ??= []).push({ to: after, strict, foreignKey });
  after.blockers++;
}

/** By table: of models that were extended from one another, by the first one, since they share a table. */
type RowsByKey = ByKey<TableInfo, RowChange>;

function sharedTable(table: TableInfo): TableInfo {
  return table instanceof Mapper ? table.root : table;
}

/** Draws every dependency between rows. One lookup a foreign key and a unique value. */
function connect(rows: readonly RowChange[]): void {
  const inserted: RowsByKey = new ByKey();
  const made = new Map<unknown, RowChange>();
  const deleted: RowsByKey = new ByKey();
  for (const row of rows) {
    if (row.made !== null) made.set(row.made, row);
    else if (row.kind === "insert" && row.table instanceof Mapper) index(inserted, row, insertKey(row));
    if (row.kind === "delete" && row.state !== null) index(deleted, row, row.state.key);
  }
  for (const row of rows) {
    if (row.kind !== "delete") afterParents(row, inserted, made);
    if (deleted.size > 0 && row.kind !== "insert") beforeParents(row, deleted);
  }
  connectUnique(rows);
}

function index(rows: RowsByKey, row: RowChange, key: KeyToken | null): void {
  if (key !== null) rows.set(sharedTable(row.table), key, row);
}

function insertKey(row: RowChange): KeyToken | null {
  const { table: { key }, cells } = row;
  return key.some(({ index }) => isKeyRef(cells[index])) ? null : tokenIn(cells, key);
}

/** A row is written after the rows that its foreign keys refer to. */
function afterParents(row: RowChange, inserted: RowsByKey, made: Map<unknown, RowChange>): void {
  for (const { columns, target } of row.table.foreignKeys) {
    const cell = row.cells[columns[0]!.index];
    if (cell === undefined || cell === null) continue;
    if (isKeyRef(cell)) {
      const parent = made.get(cell);
      if (parent !== undefined) depend(parent, row, true, columns);
      continue;
    }
    const parents = inserted.of(sharedTable(target));
    if (parents === undefined) continue;
    const token = tokenIn(row.cells, columns);
    const parent = token === null ? undefined : parents.get(token);
    if (parent !== undefined) depend(parent, row, parent.table !== row.table, columns);
  }
}

/** A row that is deleted goes after the rows that referred to it: those deleted too, and those that now refer elsewhere. */
function beforeParents(row: RowChange, deleted: RowsByKey): void {
  for (const { columns, target } of row.table.foreignKeys) {
    const parents = deleted.of(sharedTable(target));
    if (parents === undefined) continue;
    const token = row.old === null
      ? keyToken(columns.map((column) => row.key[row.table.key.indexOf(column)])) // none where it is no part of the key
      : tokenIn(row.old, columns);
    const parent = token === null ? undefined : parents.get(token);
    if (parent !== undefined) depend(row, parent, parent.table !== row.table || row.kind !== "delete", columns);
  }
}

/** A unique value is freed before it is taken. */
function connectUnique(rows: readonly RowChange[]): void {
  const taking = new ByKey<ColumnInfo, RowChange>();
  const freeing: [ColumnInfo, KeyToken, RowChange][] = [];
  const unknown: [ColumnInfo, RowChange][] = [];
  for (const row of rows) {
    if (!(row.table instanceof Mapper) || row.state === null) continue;
    for (const column of row.table.unique) {
      const cell = row.cells[column.index];
      const before = row.old?.[column.index];
      if (row.kind !== "insert" && (row.kind === "delete" || cell !== undefined)) {
        const held = before === UNKNOWN ? null : valueToken(before);
        if (held !== null) freeing.push([column, held, row]);
        else if (before === UNKNOWN) unknown.push([column, row]);
      }
      if (cell === undefined || cell === null || isKeyRef(cell) || typeof cell === "object" && "parts" in cell) {
        continue;
      }
      const after = row.after?.[column.index];
      const token = after === UNKNOWN ? null : valueToken(after);
      if (token !== null) taking.set(column, token, row);
    }
  }
  for (const [column, token, row] of freeing) {
    const taker = taking.get(column, token);
    if (taker !== undefined) depend(row, taker, true, null);
  }
  // What an expired instance gives up is not known: it may be what any other row takes, so it goes first where it can.
  for (const [column, row] of unknown) {
    for (const taker of taking.of(column)?.values() ?? []) if (!leadsTo(taker, row)) depend(row, taker, true, null);
  }
}

/** Whether a row goes before another. O(rows + dependencies); asked for expired unique values only. */
function leadsTo(from: RowChange, to: RowChange): boolean {
  const seen = new Set([from]);
  for (const row of seen) { // grows while it is walked
    if (row === to) return true;
    for (const dependency of row.next ?? []) seen.add(dependency.to);
  }
  return false;
}

/** A row that refers to itself by a key that the server makes: the insert writes NULL, and an update sets it afterwards. */
function splitSelfReference(row: RowChange): RowChange | null {
  if (row.made === null) return null;
  const own = row.table.foreignKeys.find(({ columns }) => row.cells[columns[0]!.index] === row.made)?.columns;
  if (own === undefined) return null;
  if (!own.every((column) => column.nullable)) {
    throw new ValidationError(
      `A new ${row.table.model} refers to itself by a foreign key that cannot be null, and the database makes its key; ` +
        "make the foreign key nullable, or the key on the client",
    );
  }
  return postpone(row, own);
}

/** Takes foreign key columns out of a row and makes the update that sets them once the row is there. */
function postpone(row: RowChange, foreignKey: readonly ColumnInfo[]): RowChange {
  const cells = row.table.columns.map((column) => foreignKey.includes(column) ? row.cells[column.index] : undefined);
  const inserted = row.kind === "insert";
  const nullable = foreignKey.every((column) => column.nullable);
  const ownKey = row.made === null ? row.table.key.map((column) => row.cells[column.index]!) : [row.made];
  for (const column of foreignKey) row.cells[column.index] = inserted || nullable ? null : undefined;
  const later = fixUp(row, inserted ? ownKey : row.key, cells);
  depend(row, later, true, null);
  if (inserted || nullable) return later;
  // The row goes on referring to its former parent until then, so that one waits as well.
  const waits = (dependency: Dependency): boolean =>
    dependency.foreignKey === foreignKey && dependency.to.kind === "delete";
  later.next = (row.next ?? []).filter(waits);
  row.next = (row.next ?? []).filter((dependency) => !waits(dependency));
  return later;
}

/**
 * Breaks cycles among rows that all wait for one another, as many as one pass finds: from each row backwards, until a row
 * comes again. Returns the rows added. O(rows + dependencies).
 */
function breakCycles(blocked: ReadonlySet<RowChange>): RowChange[] {
  const incoming = new Map<RowChange, Edge>();
  for (const from of blocked) {
    for (const { to, foreignKey } of from.next ?? []) {
      if (blocked.has(to) && !incoming.has(to)) incoming.set(to, { from, to, foreignKey });
    }
  }
  const added: RowChange[] = [];
  const seen = new Set<RowChange>();
  for (const start of blocked) {
    const path: Edge[] = [];
    const places = new Map<RowChange, number>();
    let row = start;
    while (!seen.has(row)) {
      seen.add(row);
      places.set(row, path.length);
      const edge = incoming.get(row)!;
      path.push(edge);
      row = edge.from;
    }
    const place = places.get(row);
    if (place !== undefined) added.push(breakCycle(path.slice(place)));
  }
  return added;
}

/**
 * Breaks one cycle. At a foreign key that can be null, an insert writes NULL and an update sets it afterwards, a delete
 * is preceded by an update that sets it to NULL; an update is split in two. Returns the row added. Throws where the
 * cycle cannot be broken.
 */
function breakCycle(cycle: readonly Edge[]): RowChange {
  for (const { from, to, foreignKey } of cycle) {
    if (foreignKey === null) continue;
    const nullable = foreignKey.every((column) => column.nullable);
    const edge = from.next!.findIndex((dependency) => dependency.to === to && dependency.foreignKey === foreignKey);
    if (to.kind === "update" || to.kind === "insert" && nullable) {
      from.next!.splice(edge, 1);
      to.blockers--;
      const later = postpone(to, foreignKey);
      depend(from, later, true, null);
      return later;
    }
    if (from.kind === "delete" && to.kind === "delete" && nullable) {
      const cells = from.table.columns.map((column) => foreignKey.includes(column) ? null : undefined);
      const sooner = fixUp(from, from.key, cells);
      from.next!.splice(edge, 1);
      to.blockers--;
      depend(sooner, to, true, null);
      if (from.before !== undefined) {
        const compared = comparedColumns(from.table as Mapper);
        from.before = from.before.map((value, i) => foreignKey.includes(compared[i]!) ? null : value);
      }
      return sooner;
    }
  }
  const names = [...new Set(cycle.map(({ from }) => from.state === null ? from.table.model : label(from.state)))].join(
    ", ",
  );
  if (cycle.some(({ foreignKey }) => foreignKey === null)) {
    throw new ValidationError(
      `Unique values are swapped between ${names}; flush a value in between, or set one to null first`,
    );
  }
  throw new ValidationError(
    `${names} refer to each other by foreign keys that cannot be null, so none can be written first; make one nullable`,
  );
}

/** The second half of a broken cycle: an update of the foreign key alone, which counts no version. */
function fixUp(row: RowChange, key: RowChange["key"], cells: RowChange["cells"]): RowChange {
  const update = new RowChange("update", row.table, null, cells, key);
  update.checked = true;
  return update;
}

interface Edge {
  readonly from: RowChange;
  readonly to: RowChange;
  readonly foreignKey: readonly ColumnInfo[] | null;
}
