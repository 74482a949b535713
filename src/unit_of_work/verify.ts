/**
 * Rows that a commit rests on without writing them.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { SqlValue } from "../sql/statement.ts";
import type { InstanceState } from "../state/instance_state.ts";
import { valueOf } from "../state/snapshot.ts";
import { UNKNOWN } from "../state/snapshot.ts";
import { label } from "../state/tracker.ts";
import type { VerifiedRow } from "./plan.ts";
import { comparedColumns } from "./row_change.ts";

/** Throws a ValidationError when nothing tells whether a row has changed. */
export function requireVerifiable(state: InstanceState, compareAll: boolean): void {
  if (state.mapper.version !== null || compareAll) return;
  throw new ValidationError(
    `${
      label(state)
    } cannot be verified: ${state.mapper.model} has no version column; add one, or use optimistic: "all"`,
  );
}

/**
 * The rows as the plan takes them. Of everything that was read (`all`), what cannot be verified is left out: rows without
 * a version, and what is expired, since that counts as not read.
 */
export function verifiedRows(
  states: Iterable<InstanceState>,
  dialect: Dialect,
  compareAll: boolean,
  all: boolean,
): VerifiedRow[] {
  const rows: VerifiedRow[] = [];
  for (const state of states) {
    const { mapper, snapshot } = state;
    if (all && mapper.version === null && !compareAll) continue;
    requireVerifiable(state, compareAll);
    const codecs = mapper.codecs(dialect);
    const columns = mapper.version === null ? comparedColumns(mapper) : [mapper.version];
    if (columns.some((column) => snapshot![column.index] === UNKNOWN)) {
      if (all) continue;
      throw new ValidationError(`${label(state)} is expired; await session.refresh(instance) before verifying it`);
    }
    const encode = (column: typeof columns[number]): SqlValue => {
      const value = valueOf(column.kind, snapshot![column.index]!);
      return value === null ? null : codecs[column.index]!.encode(value, column);
    };
    const key = mapper.key.map(encode);
    if (mapper.version !== null) rows.push({ state, key, version: encode(mapper.version) });
    else rows.push({ state, key, before: columns.map(encode) });
  }
  return rows;
}
