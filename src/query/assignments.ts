/**
 * Assignments: the SET of an UPDATE and of an upsert, out of values and SQL expressions by property.
 *
 * @module
 */
import { UnsupportedError, ValidationError } from "../errors.ts";
import type { MappedColumn, Mapper } from "../model/mapper.ts";
import { columnName as propertyName } from "../sql/codecs.ts";
import type { Dialect } from "../sql/dialect.ts";
import { Sql, writeSql } from "../sql/tag.ts";
import type { SqlValue } from "../sql/statement.ts";
import type { QueryContext } from "./where.ts";

/** The column of a property that may be set. Throws a ValidationError naming the call for any other. */
export function settable(mapper: Mapper, property: string, doing: string): MappedColumn {
  const column = mapper.column(property, "update");
  const fixed = column.version || column.primaryKey || property === mapper.discriminator?.property;
  if (column.generated === null && !fixed) return column;
  throw new ValidationError(
    `${doing} cannot set ${mapper.model}.${property}: keys, versions, discriminators and generated columns are not set`,
  );
}

/** Writes one assignment, `"name" = value`; the value is bound, or is the SQL that was given. */
export function writeSet(column: MappedColumn, value: unknown, context: QueryContext): string {
  const { dialect, params } = context;
  const name = dialect.quote(column.name);
  if (value instanceof Sql) return `${name} = (${writeSql(value, dialect, params)})`;
  params.push(encodeCell(column, value, context));
  return `${name} = ${dialect.placeholder(params.length)}`;
}

/** A value for a column, encoded; null only where the column can hold it. */
export function encodeCell(
  column: MappedColumn,
  value: unknown,
  { mapper, dialect }: Omit<QueryContext, "params">,
): SqlValue {
  const name = propertyName(column);
  if (value === undefined) throw new ValidationError(`Cannot write undefined to ${name}; leave it out, or use null`);
  if (value !== null || column.type.name === "json" && !column.nullable) {
    return mapper.codecs(dialect)[column.index]!.encode(value, column);
  }
  if (column.nullable) return null;
  throw new ValidationError(`${name} must not be null`);
}

/**
 * The assignments of a statement in an order in which no expression sees what was assigned before it: MySQL assigns from left
 * to right. Throws an UnsupportedError where there is none, as for two columns that take each other's values.
 */
export function inOrder(
  assignments: readonly (readonly [column: MappedColumn, value: unknown])[],
  dialect: Dialect,
): (readonly [column: MappedColumn, value: unknown])[] {
  const rest = assignments.filter(([, value]) => value instanceof Sql);
  if (dialect.assignsInOrder !== true || rest.length === 0) return [...assignments];
  const ordered: (readonly [MappedColumn, unknown])[] = [];
  while (rest.length > 0) {
    const at = rest.findIndex(([column]) =>
      rest.every(([other, value]) => other === column || !mentions(value as Sql, column.name))
    );
    if (at < 0) {
      throw new UnsupportedError(
        `MySQL assigns from left to right, so that the expressions for ${
          rest.map(([{ property }]) => property).join(" and ")
        } would see each other's results; set them in statements of their own, or by assign() and a commit`,
      );
    }
    ordered.push(...rest.splice(at, 1));
  }
  return [...ordered, ...assignments.filter(([, value]) => !(value instanceof Sql))];
}

/** Whether an expression may name a column. */
function mentions(expression: Sql, column: string): boolean {
  return expression.parts.some((part) =>
    part.kind === "text"
      ? part.text.toLowerCase().includes(column.toLowerCase())
      : part.kind === "identifier" && part.names.at(-1)!.toLowerCase() === column.toLowerCase()
  );
}
