/**
 * Statements as users give them: text with values (positional or named, one set or many), `` sql`…` ``, or a query of
 * another builder. Refused when they cannot be what they seem.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import { type Compilable, compiled, isCompilable } from "../query/compilable.ts";
import { capitalised, isBytes, isDate } from "../sql/codecs.ts";
import type { Dialect } from "../sql/dialect.ts";
import { isObject } from "../sql/object.ts";
import {
  countPlaceholders,
  isMultiple,
  isRead,
  type Placeholder,
  placeholders,
  transactionControl,
} from "../sql/scan.ts";
import type { SqlValue, Statement } from "../sql/statement.ts";
import { Sql, toStatement } from "../sql/tag.ts";

/** A statement that is no builder of Ledge's: text, `` sql`…` ``, or a query of Kysely's or Drizzle's. */
export type RawStatement = string | Sql | Compilable;

/**
 * The values of a statement: an array, one for each placeholder, or an object for named ones (`:name`; `@name` and
 * `$name` too, but in MySQL, which has variables of such names). An array of such sets runs the statement once for each; a single set of arrays alone is written as `[[…]]`.
 */
export type Params = readonly unknown[] | Readonly<Record<string, unknown>>;

/** A statement of the user's, once for each set of values, and whether it only reads. */
export interface UserStatements {
  readonly statements: readonly Statement[];
  readonly reads: boolean;
}

/** Checks and encodes a statement. Throws a ValidationError before anything is sent. */
export function userStatements(given: RawStatement, params: Params | undefined, dialect: Dialect): UserStatements {
  const statements = given instanceof Sql
    ? [taggedStatement(given, params, dialect)]
    : isCompilable(given)
    ? [compiledStatement(given, params, dialect)]
    : textStatements(given, params ?? [], dialect);
  const { sql } = statements[0]!;
  if (sql.trim() === "") throw new ValidationError("A statement must not be empty");
  if (isMultiple(sql, dialect)) {
    throw new ValidationError(
      "A statement must be one statement; run several one by one, or stage() them into one commit",
    );
  }
  const control = transactionControl(sql, dialect);
  if (control !== null) {
    throw new ValidationError(`${control} is the session's to send; use begin(), commit(), rollback() and savepoint()`);
  }
  return { statements, reads: isRead(sql, dialect) };
}

/** The same for what runs once. */
export function userStatement(given: RawStatement, params: Params | undefined, dialect: Dialect): Statement {
  const { statements: [first, ...more] } = userStatements(given, params, dialect);
  if (more.length === 0) return first!;
  throw new ValidationError(`One set of values was asked for and ${more.length + 1} were given; give each by itself`);
}

function taggedStatement(given: Sql, params: Params | undefined, dialect: Dialect): Statement {
  refuseValues(params, "A sql`…` statement");
  return toStatement(given, dialect);
}

function compiledStatement(given: Compilable, params: Params | undefined, dialect: Dialect): Statement {
  refuseValues(params, "A query of another builder");
  const { text, values } = compiled(given, dialect);
  return positional(text, values, dialect, "the query");
}

/** Refuses values beside what holds its own. */
export function refuseValues(params: Params | undefined, what: string): void {
  if (params !== undefined && Object.keys(params).length > 0) {
    throw new ValidationError(`${what} holds its values; give no others`);
  }
}

function textStatements(text: string, params: Params, dialect: Dialect): Statement[] {
  if (typeof text !== "string") throw new ValidationError("A statement must be text, sql`…` or a builder");
  if (!isObject(params) || isDate(params) || isBytes(params)) {
    throw new ValidationError(
      "The values of a statement must be an array, one for each placeholder, or an object by name",
    );
  }
  const named = namedPlaceholders(text, dialect);
  const isSet = named.length > 0 ? isNames : (one: unknown): one is readonly unknown[] => Array.isArray(one);
  const isMany = Array.isArray(params) && params.length > 0 && params.every(isSet);
  const sets: readonly Params[] = isMany ? params : [params];
  return sets.map((set, i) => {
    const what = isMany ? `run ${i + 1} of the statement` : "the statement";
    return named.length > 0 ? byName(text, named, set, dialect, what) : positional(text, set, dialect, what);
  });
}

/** Whether values are given by name. */
function isNames(values: unknown): values is Readonly<Record<string, unknown>> {
  return isObject(values) && !Array.isArray(values) && !isDate(values) && !isBytes(values);
}

function positional(text: string, values: Params, dialect: Dialect, what: string): Statement {
  const placeholder = dialect.placeholder(1);
  const needed = countPlaceholders(text, placeholder === "$1", dialect) ?? 0;
  if (!Array.isArray(values)) {
    const names = Object.keys(values);
    if (names.length === 0 && needed === 0) return { sql: text, params: [] };
    throw new ValidationError(
      needed > 0
        ? `The placeholders of ${what} are ${placeholder}; give their values as an array, in order`
        : `There is no placeholder :${names[0]!.slice(0, 60)} in ${what}`,
    );
  }
  if (needed !== values.length) {
    const isRun = what.startsWith("run ");
    const hint = isRun ? "; an array of arrays is many runs, and one run of arrays alone as values is [[…]]" : "";
    throw new ValidationError(
      `${capitalised(what)} has ${needed} placeholders (${placeholder}) and was given ${values.length} values${hint}`,
    );
  }
  return { sql: text, params: values.map((value, i) => dialect.encodeParam(value, `Value ${i + 1} of ${what}`)) };
}

/** The placeholders that have names. Throws where there are others besides. */
function namedPlaceholders(text: string, dialect: Dialect): Placeholder[] {
  const isNumbered = dialect.placeholder(1) === "$1"; // there `?` is an operator
  const all = placeholders(text, dialect).filter((one) => !(isNumbered && one.text.startsWith("?")));
  const named = all.filter((one) => !/^\?|^\$\d+$/.test(one.text));
  if (named.length > 0 && named.length < all.length) {
    const other = all.find((one) => !named.includes(one))!;
    throw new ValidationError(
      `A statement has ${named[0]!.text} and ${other.text}: give all placeholders names, or none`,
    );
  }
  return named;
}

/** Names become the dialect's placeholders; where those are numbered, a name that stands twice is bound once. */
function byName(
  text: string,
  named: readonly Placeholder[],
  values: Params,
  dialect: Dialect,
  what: string,
): Statement {
  if (!isNames(values)) {
    throw new ValidationError(
      `Named placeholders need named values; give ${what} an object like { ${named[0]!.text.slice(1)}: … }`,
    );
  }
  const isNumbered = dialect.placeholder(1) === "$1";
  const params: SqlValue[] = [];
  const positions = new Map<string, number>();
  let sql = "";
  let from = 0;
  for (const { text: written, at } of named) {
    const name = written.slice(1);
    let position = positions.get(name);
    if (position === undefined || !isNumbered) {
      if (!Object.hasOwn(values, name)) throw new ValidationError(`There is no value for ${written} of ${what}`);
      position = params.push(dialect.encodeParam(values[name], `The value of ${written} of ${what}`));
      positions.set(name, position);
    }
    sql += text.slice(from, at) + dialect.placeholder(position);
    from = at + written.length;
  }
  const unused = Object.keys(values).find((name) => !positions.has(name));
  if (unused !== undefined) throw new ValidationError(`There is no placeholder :${unused.slice(0, 60)} in ${what}`);
  return { sql: sql + text.slice(from), params };
}
