/**
 * Sending bulk rows: into the session's transaction, as groups that its next flush or commit writes, or at once.
 *
 * @module
 */
import type { CallOptions } from "../database.ts";
import type { MappedColumn, Mapper } from "../model/mapper.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { SqlValue } from "../sql/statement.ts";
import type { Session } from "../session/session.ts";
import { internals } from "../session/internals.ts";
import { bucketId, orderRows, type RowGroup } from "../unit_of_work/order.ts";
import type { MadeValues } from "../unit_of_work/results.ts";
import type { RowChange } from "../unit_of_work/row_change.ts";
import type { BulkRow } from "./rows.ts";

/** Rows as they were given: each statement has neighbours only. */
export function inOrder(rows: readonly RowChange[]): RowGroup[] {
  const groups: RowGroup[] = [];
  let last = "";
  for (const row of rows) {
    const id = bucketId(row);
    if (id === last) groups.at(-1)!.rows.push(row);
    else groups.push({ kind: row.kind, table: row.table, rows: [row] });
    last = id;
  }
  return groups;
}

/** Rows in as few statements as there can be, those that are referred to first. */
export function fewest(rows: readonly RowChange[]): RowGroup[] {
  return orderRows([...rows]);
}

/** Gives groups to the session's transaction; at once where some row is to come back with what the database makes. */
export async function write(
  session: Session,
  method: string,
  rows: readonly BulkRow[],
  groups: readonly RowGroup[],
  returnDefaults: boolean,
  options: CallOptions,
): Promise<MadeValues> {
  const { transactions } = session[internals]();
  const now = returnDefaults && rows.some(({ change }) => change.made !== null || change.returning.length > 0);
  if (rows.length === 0) {
    transactions.use(method);
    return new Map();
  }
  return await transactions.bulk(groups, method, now, options);
}

/** Adds to a row's values what the database made for it. */
export function complete(row: BulkRow, made: MadeValues, dialect: Dialect): Record<string, unknown> {
  const { change, values } = row;
  const mapper = change.table as Mapper;
  const codecs = mapper.codecs(dialect);
  const set = (column: MappedColumn, value: SqlValue): void => {
    values[column.property] = value === null ? null : codecs[column.index]!.decode(value);
  };
  if (change.made !== null) set(mapper.key[0]!, change.made.value!);
  const returned = made.get(change);
  change.returning.forEach((column, i) => set(column, returned![i]!));
  return values;
}
