/**
 * Emptying a table.
 *
 * @module
 */
import { UnsupportedError, ValidationError } from "../errors.ts";
import type { Mapper } from "../model/mapper.ts";
import { tableName } from "../query/where.ts";
import type { Dialect } from "../sql/dialect.ts";
import type { Statement } from "../sql/statement.ts";
import type { Tracker } from "../state/tracker.ts";
import { synchroniseDeleted } from "./synchronise.ts";

/** Options of `truncate`. */
export interface TruncateOptions {
  /** Empty the tables that refer to it as well, and those that refer to them; false unless given. */
  readonly cascade?: boolean;
}

/** The statement that empties a model's table inside a transaction. Throws before anything is sent where it cannot be as asked. */
export function truncateStatement(mapper: Mapper, cascade: boolean, dialect: Dialect): Statement {
  if (mapper.parent !== null) {
    throw new ValidationError(
      `truncate() empties the whole table, and ${mapper.model} shares its with ${mapper.root.model}; use deleteFrom(${mapper.model})`,
    );
  }
  const table = tableName(dialect, mapper);
  if (dialect.truncate !== undefined) return { sql: dialect.truncate(table, cascade), params: [] };
  if (!cascade) return { sql: `DELETE FROM ${table}`, params: [] };
  throw new UnsupportedError(
    `${dialect.name} cannot empty the tables that refer to ${mapper.table} along with it; ` +
      "truncate those first, or declare onDelete on the foreign keys",
  );
}

/** Makes the loaded instances of an emptied table deleted; with `cascade` those of the tables that refer to it too. */
export function synchroniseTruncated(tracker: Tracker, mapper: Mapper, cascade: boolean): void {
  const emptied = new Set<Mapper>([mapper.root]);
  for (const root of emptied) { // grows while it is walked
    synchroniseDeleted(tracker, root, () => true);
    if (!cascade) return;
    for (const { mapper: { root: other, foreignKeys } } of tracker.identity) {
      if (foreignKeys.some(({ target }) => (target as Mapper).root === root)) emptied.add(other);
    }
  }
}
