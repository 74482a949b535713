/**
 * Results of D1 on their way back: rows as arrays, bytes as `Uint8Array`.
 *
 * @module
 */
import { DatabaseError, StatementError } from "../../src/errors.ts";
import type { ResultSet, SqlValue } from "../../src/sql/statement.ts";
import type { D1Result } from "./binding.ts";
import { movesToFront } from "./outline.ts";
import type { Prepared } from "./statements.ts";

/** What a statement gave that ran alone: the names of the columns, then the rows. */
export function fromRaw([columns = [], ...rows]: unknown[][]): ResultSet {
  return { columns: columns.map(String), rows: rows.map((row) => row.map(fromValue)), rowsAffected: rows.length };
}

/** What the statements of `toBatch` gave. Throws a DatabaseError when it is not one result each. */
export function fromBatch(results: readonly D1Result[], prepared: readonly Prepared[]): ResultSet[] {
  const written = prepared.some(({ reads }) => !reads);
  const sent = prepared.reduce((sum, { counted }) => sum + (counted ? 2 : 1), 0);
  if (results.length !== sent) {
    throw new DatabaseError(`D1 gave ${results.length} results for ${sent} statements`, { notApplied: !written });
  }
  let at = 0;
  return prepared.map((one) => {
    const set = fromObjects(results[at++]!, one, written);
    return one.counted ? { ...set, rowsAffected: Number(results[at++]!.results?.[0]?.["changes"]) } : set;
  });
}

/**
 * What a statement gave that tells rows by column name. Without rows D1 tells no columns. `written` says whether the
 * transaction wrote.
 */
function fromObjects({ results = [], meta }: D1Result, prepared: Prepared, written: boolean): ResultSet {
  const { outline: { items, verb }, returns, wrapped } = prepared;
  const first = results[0];
  if (first === undefined) {
    const { changes = 0, last_row_id: id } = meta;
    const empty = { columns: [], rows: [], rowsAffected: returns ? 0 : changes };
    const inserts = !returns && changes > 0 && (verb === "INSERT" || verb === "REPLACE");
    return inserts && Number.isSafeInteger(id) ? { ...empty, lastInsertId: id! } : empty;
  }
  const keys = Object.keys(first);
  const isListed = items !== null && !wrapped && !items.some((item) => item.endsWith("*"));
  if (keys.length > 1 && keys.some(movesToFront) || isListed && keys.length !== items.length) {
    const message = "D1 lost columns of a batch whose names are the same, or their order since a name is a number; " +
      "give each column a name with AS";
    throw new StatementError(message, { notApplied: !written });
  }
  const rows = results.map((row) => keys.map((key) => fromValue(row[key])));
  return { columns: wrapped ? restored(keys) : keys, rows, rowsAffected: rows.length };
}

/** The names that columns had before a subquery told them apart: `id:1` after `id` was another `id`, or `ID`. */
function restored(names: readonly string[]): string[] {
  const seen = new Set<string>();
  return names.map((name) => {
    const base = /^([\s\S]*):\d+$/.exec(name)?.[1];
    const isMade = base !== undefined && seen.has(base.toLowerCase());
    seen.add(name.toLowerCase());
    return isMade ? base : name;
  });
}

/** D1 gives bytes as arrays of numbers. A number beyond 2^53 may be a rounded integer: codecs of integers refuse it. */
function fromValue(value: unknown): SqlValue {
  if (value === null || typeof value === "string" || typeof value === "number") return value;
  if (Array.isArray(value)) return Uint8Array.from(value as number[]);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  throw new DatabaseError(`D1 gave a value of an unknown type: ${typeof value}`, { notApplied: false });
}
