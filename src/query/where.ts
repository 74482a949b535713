/**
 * From conditions and orders as users write them to SQL. Property names are looked up in the mapper and operators in a
 * fixed list, so that nothing of an object becomes SQL text; every value is bound, through its column's codec.
 *
 * @module
 */
import { UnsupportedError, ValidationError } from "../errors.ts";
import type { MappedColumn, Mapper } from "../model/mapper.ts";
import { columnName as propertyName, isBytes, isDate } from "../sql/codecs.ts";
import type { Dialect } from "../sql/dialect.ts";
import { quoted } from "../model/quoted.ts";
import { isObject } from "../sql/object.ts";
import type { SqlValue } from "../sql/statement.ts";
import { Sql, writeSql } from "../sql/tag.ts";

/** Where the SQL of a query is written: the dialect, the model and the values bound so far. */
export interface QueryContext {
  readonly dialect: Dialect;
  readonly mapper: Mapper;
  readonly params: SqlValue[];
}

/** A table's name, quoted, with its schema. */
export function tableName(dialect: Dialect, { schema, table }: { schema: string | null; table: string }): string {
  return schema === null ? dialect.quote(table) : `${dialect.quote(schema)}.${dialect.quote(table)}`;
}

/** A column with its table, quoted. */
export function columnName(dialect: Dialect, mapper: Mapper, column: MappedColumn): string {
  return `${tableName(dialect, mapper)}.${dialect.quote(column.name)}`;
}

/** Columns with their table, quoted, with commas between. */
export function columnList(dialect: Dialect, mapper: Mapper, columns: readonly MappedColumn[]): string {
  const table = tableName(dialect, mapper);
  return columns.map(({ name }) => `${table}.${dialect.quote(name)}`).join(", ");
}

/** The same as the left side of IN. */
export function columnTuple(dialect: Dialect, mapper: Mapper, columns: readonly MappedColumn[]): string {
  const list = columnList(dialect, mapper, columns);
  return columns.length === 1 ? list : `(${list})`;
}

/** The condition that a row is of the model's class; "" where the table has no others. */
export function writeKind({ dialect, mapper, params }: QueryContext): string {
  const { kinds, discriminator } = mapper;
  if (kinds === null || discriminator === null) return "";
  const codec = mapper.codecs(dialect)[discriminator.index]!;
  const values = kinds.map((kind) => [codec.encode(kind, discriminator)]);
  return `${columnName(dialect, mapper, discriminator)} IN ${dialect.inList([discriminator], values, params)}`;
}

/** Writes conditions, all of which must hold, and that a row is of the model's class; "" where there are none. */
export function writeWhere(conditions: readonly unknown[], context: QueryContext): string {
  const written = conditions.map((condition) => writeCondition(condition, context));
  written.push(writeKind(context));
  return joinConditions(written.filter((text) => text !== ""));
}

function joinConditions(written: readonly string[]): string {
  return written.length === 0 ? "" : ` WHERE ${written.join(" AND ")}`;
}

/** How deep conditions may be nested: deeper ones overflow SQLite's parser, and far deeper ones any stack. */
export const CONDITION_DEPTH = 32;

/** The refusal of conditions that are nested deeper. */
export function tooDeep({ model }: Mapper): ValidationError {
  return new ValidationError(`A condition on ${model} must be nested at most ${CONDITION_DEPTH} deep`);
}

function writeCondition(condition: unknown, context: QueryContext, depth = 0): string {
  if (depth > CONDITION_DEPTH) throw tooDeep(context.mapper);
  if (condition instanceof Sql) return `(${writeSql(condition, context.dialect, context.params)})`;
  if (!isObject(condition) || Array.isArray(condition)) {
    throw new ValidationError(`A condition on ${context.mapper.model} must be an object of properties or sql\`…\``);
  }
  const parts: string[] = [];
  for (const [property, value] of Object.entries(condition)) {
    if (property === "and" || property === "or") parts.push(writeList(property, value, context, depth));
    else if (property === "not") {
      const inner = writeCondition(value, context, depth + 1);
      // Of an empty condition, which always holds: never. NULL counts as not holding on both sides, as in SQL.
      parts.push(inner === "" ? "1 = 0" : `NOT ${inner}`);
    } else parts.push(writeColumn(context.mapper.column(property, "compare"), value, context));
  }
  return parts.length === 0 ? "" : `(${parts.join(" AND ")})`;
}

function writeList(word: "and" | "or", value: unknown, context: QueryContext, depth: number): string {
  if (!Array.isArray(value)) {
    throw new ValidationError(`"${word}" in a condition on ${context.mapper.model} must be an array`);
  }
  const parts = value.map((item) => writeCondition(item, context, depth + 1) || "1 = 1");
  if (parts.length === 0) return word === "and" ? "1 = 1" : "1 = 0";
  return `(${parts.join(word === "and" ? " AND " : " OR ")})`;
}

const COMPARISONS: ReadonlyMap<string, string> = new Map([["gt", ">"], ["gte", ">="], ["lt", "<"], ["lte", "<="]]);
const MATCHES: ReadonlySet<string> = new Set(["startsWith", "endsWith", "contains"]);

function isOperators(value: unknown): value is Record<string, unknown> {
  return isObject(value) && !isDate(value) && !isBytes(value) && !(value instanceof Sql) &&
    !Array.isArray(value);
}

function writeColumn(column: MappedColumn, value: unknown, context: QueryContext): string {
  if (!isOperators(value)) return writeEquality(column, "eq", value, context);
  const entries = Object.entries(value);
  if (entries.length === 0) {
    throw new ValidationError(
      `The condition on ${propertyName(column)} is an empty object; give it an operator or a value`,
    );
  }
  return entries.map(([operator, operand]) => writeOperator(column, operator, operand, context)).join(" AND ");
}

function writeOperator(column: MappedColumn, operator: string, operand: unknown, context: QueryContext): string {
  const { dialect, params, mapper } = context;
  const left = columnName(dialect, mapper, column);
  if (operator === "eq" || operator === "ne") return writeEquality(column, operator, operand, context);
  if (operator === "in" || operator === "notIn") return writeIn(column, operator, operand, context);
  if (operator === "isNull") {
    if (typeof operand !== "boolean") {
      throw new ValidationError(`isNull on ${propertyName(column)} must be true or false`);
    }
    return `${left} IS ${operand ? "" : "NOT "}NULL`;
  }
  const comparison = COMPARISONS.get(operator);
  if (comparison !== undefined) {
    requireOrder(column, operator, dialect);
    return `${left} ${comparison} ${writeOperand(column, operator, operand, context)}`;
  }
  if (operator === "between") {
    requireOrder(column, operator, dialect);
    if (!Array.isArray(operand) || operand.length !== 2) {
      throw new ValidationError(`between on ${propertyName(column)} must be an array of two values`);
    }
    const from = writeOperand(column, operator, operand[0], context);
    return `${left} BETWEEN ${from} AND ${writeOperand(column, operator, operand[1], context)}`;
  }
  if (operator === "like" || MATCHES.has(operator)) {
    const text = dialect.encodeParam(operand, `${operator} on ${propertyName(column)}`);
    if (typeof operand !== "string" || typeof text !== "string") {
      throw new ValidationError(`${operator} on ${propertyName(column)} must be text`);
    }
    if (operator !== "like") return dialect.match(left, operator as "contains", text, params);
    params.push(text);
    return dialect.like(left, dialect.placeholder(params.length));
  }
  throw new ValidationError(
    `${quoted(operator)} on ${propertyName(column)} is not an operator; ` +
      "there are eq, ne, in, notIn, isNull, gt, gte, lt, lte, between, like, startsWith, endsWith and contains",
  );
}

function writeEquality(column: MappedColumn, operator: "eq" | "ne", operand: unknown, context: QueryContext): string {
  const left = columnName(context.dialect, context.mapper, column);
  if (operand === null) return `${left} IS ${operator === "eq" ? "" : "NOT "}NULL`;
  if ((column.kind === "json" || column.kind === "array") && !(operand instanceof Sql)) {
    throw new ValidationError(
      `${propertyName(column)} is ${column.type.name} and cannot be compared as a whole; use sql\`…\``,
    );
  }
  return `${left} ${operator === "eq" ? "=" : "<>"} ${writeOperand(column, operator, operand, context)}`;
}

function writeIn(column: MappedColumn, operator: "in" | "notIn", operand: unknown, context: QueryContext): string {
  const { dialect, params, mapper } = context;
  if (!Array.isArray(operand)) {
    throw new ValidationError(`${operator} on ${propertyName(column)} must be an array of values`);
  }
  if (operand.length === 0) return operator === "in" ? "1 = 0" : "1 = 1";
  if (column.kind === "json" || column.kind === "array") {
    throw new ValidationError(
      `${propertyName(column)} is ${column.type.name} and cannot be compared as a whole; use sql\`…\``,
    );
  }
  const values = operand.map((value) => [encode(column, operator, value, context)]);
  return `${columnName(dialect, mapper, column)} ${operator === "in" ? "IN" : "NOT IN"} ${
    dialect.inList([column], values, params)
  }`;
}

function writeOperand(column: MappedColumn, operator: string, operand: unknown, context: QueryContext): string {
  const { dialect, params } = context;
  if (operand instanceof Sql) return `(${writeSql(operand, dialect, params)})`;
  params.push(encode(column, operator, operand, context));
  return dialect.placeholder(params.length);
}

function encode(column: MappedColumn, operator: string, value: unknown, { dialect, mapper }: QueryContext): SqlValue {
  if (value === undefined || value === null) {
    throw new ValidationError(
      `${operator} on ${propertyName(column)} is ${value}; use isNull, or leave the condition out`,
    );
  }
  return mapper.codecs(dialect)[column.index]!.encode(value, column);
}

function requireOrder(column: MappedColumn, what: string, dialect: Dialect): void {
  if (dialect.isOrdered(column.type)) return;
  throw new UnsupportedError(
    `${what} on ${
      propertyName(column)
    }: ${dialect.name} does not order ${column.type.name} columns by value; use sql\`…\` with a cast`,
  );
}

/** One item of an ORDER BY: a column with its direction, or SQL. */
export type OrderItem = { readonly column: MappedColumn; readonly descending: boolean } | Sql;

/** Reads an order as users write it. */
export function parseOrder(order: unknown, mapper: Mapper): OrderItem[] {
  return (Array.isArray(order) ? order : [order]).flatMap((item) => parseItem(item, mapper));
}

function parseItem(order: unknown, mapper: Mapper): OrderItem[] {
  if (order instanceof Sql) return [order];
  if (Array.isArray(order) || !isObject(order)) {
    throw new ValidationError(
      `An order of ${mapper.model} must be an object like { ${mapper.key[0]!.property}: "asc" } or sql\`…\``,
    );
  }
  return Object.entries(order).map(([property, direction]) => {
    const column = mapper.column(property, "order by");
    if (direction !== "asc" && direction !== "desc") {
      throw new ValidationError(`The order by ${propertyName(column)} must be "asc" or "desc"`);
    }
    return { column, descending: direction === "desc" };
  });
}

/** Writes an ORDER BY clause; "" for no items. */
export function writeOrder(items: readonly OrderItem[], { dialect, mapper, params }: QueryContext): string {
  const written = items.map((item) => {
    if (item instanceof Sql) return writeSql(item, dialect, params);
    requireOrder(item.column, "orderBy", dialect);
    return `${columnName(dialect, mapper, item.column)}${item.descending ? " DESC" : ""}`;
  });
  return written.length === 0 ? "" : ` ORDER BY ${written.join(", ")}`;
}
