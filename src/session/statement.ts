/**
 * Statements as users give them: text with values, or `` sql`…` ``. Refused when they cannot be what they seem.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import type { Dialect } from "../sql/dialect.ts";
import { countPlaceholders, isMultiple, isRead, transactionControl } from "../sql/scan.ts";
import type { Statement } from "../sql/statement.ts";
import { Sql, toStatement } from "../sql/tag.ts";

/** A statement of the user's and whether it only reads. */
export interface UserStatement {
  readonly statement: Statement;
  readonly reads: boolean;
}

/** Checks and encodes a statement. Throws a ValidationError before anything is sent. */
export function userStatement(
  given: string | Sql,
  params: readonly unknown[] | undefined,
  dialect: Dialect,
): UserStatement {
  const statement = given instanceof Sql
    ? taggedStatement(given, params, dialect)
    : textStatement(given, params ?? [], dialect);
  if (statement.sql.trim() === "") throw new ValidationError("A statement must not be empty");
  if (isMultiple(statement.sql, dialect.name)) {
    throw new ValidationError(
      "A statement must be one statement; run several one by one, or stage() them into one commit",
    );
  }
  const control = transactionControl(statement.sql, dialect.name);
  if (control !== null) {
    throw new ValidationError(`${control} is the session's to send; use begin(), commit(), rollback() and savepoint()`);
  }
  return { statement, reads: isRead(statement.sql, dialect.name) };
}

function taggedStatement(given: Sql, params: readonly unknown[] | undefined, dialect: Dialect): Statement {
  if (params !== undefined && params.length > 0) {
    throw new ValidationError("A sql`…` statement holds its values; give no others");
  }
  return toStatement(given, dialect);
}

function textStatement(text: string, params: readonly unknown[], dialect: Dialect): Statement {
  if (typeof text !== "string") throw new ValidationError("A statement must be text, sql`…` or a builder");
  if (!Array.isArray(params)) {
    throw new ValidationError("The values of a statement must be an array, one for each placeholder");
  }
  const placeholder = dialect.placeholder(1);
  const needed = countPlaceholders(text, placeholder === "$1", dialect.name);
  if (needed === null) throw new ValidationError("Named placeholders need named values; use ? and an array, or sql`…`");
  if (needed !== params.length) {
    throw new ValidationError(
      `The statement has ${needed} placeholders (${placeholder}) and was given ${params.length} values`,
    );
  }
  return { sql: text, params: params.map((value, i) => dialect.encodeParam(value, `Value ${i + 1} of the statement`)) };
}
