/**
 * Statements on their way to the driver. It sends text only, so the values are written into it here, each one exactly
 * once and by the driver's own formatter, after what that would change without a word was refused.
 *
 * @module
 */
import { format } from "@planetscale/database";
import { StatementError, ValidationError } from "../../src/errors.ts";
import { isMysqlInteger } from "../../src/sql/mysql_codecs.ts";
import { mysqlText, mysqlTokens, splitPlaceholders } from "../../src/sql/mysql_tokens.ts";
import { isMultiple, isRead, transactionControl } from "../../src/sql/scan.ts";
import type { SqlValue, Statement } from "../../src/sql/statement.ts";

/** Where statements are to run. */
export interface Place {
  readonly readOnly: boolean;
  readonly inTransaction: boolean;
}

/**
 * Statements as text. Throws a StatementError for several statements in one, for what begins or ends a transaction, which
 * would do so behind the adapter's back, for too few or too many values, and in a transaction for what commits it
 * unasked; with `readOnly` a ValidationError for what is not a read. Costs a few passes over the text.
 */
export function toTexts(statements: readonly Statement[], place: Place): string[] {
  return statements.map(({ sql, params }, index) => {
    const which = statements.length === 1 ? "The statement" : `Statement ${index} of the batch`;
    const refuse = (message: string): never => {
      throw new StatementError(`${which} ${message}`, { statementIndex: index });
    };
    if (!sql.isWellFormed()) throw new ValidationError(`${which} holds half a surrogate pair; nothing was sent`);
    if (sql.includes(";") && isMultiple(sql, mysqlText)) refuse("holds several statements; run them one by one");
    const control = ending(sql);
    if (control !== null) {
      refuse(`is ${control}, which would begin or end a transaction unseen; use connect()`);
    }
    if (place.inTransaction) {
      const committing = committed.exec(sql)?.[1];
      if (committing !== undefined) {
        refuse(`is ${committing.toUpperCase()}, with which MySQL commits the open transaction; run it outside of one`);
      }
    }
    if (place.readOnly && writing.test(sql) && !isRead(sql, mysqlText)) {
      throw new ValidationError(`${which} may write and the transaction is read-only; leave readOnly out to write`);
    }
    return written(sql, params, which, refuse);
  });
}

const first = /* @__PURE__ */ opening("([a-z]+)");
const mayControl = /^(?:begin|start|commit|end|abort|rollback|savepoint|release|prepare|xa|set)$/i;
const savepoint = /* @__PURE__ */ opening("(?:savepoint\\b|release\\b|rollback(?:\\s+work)?\\s+to\\b)");
const writing = /* @__PURE__ */ opening(
  "(?:insert|update|delete|replace|truncate|create|drop|alter|rename|with|select|load|grant|revoke|lock)\\b",
);
/** What MySQL's manual lists as causing an implicit commit, as far as it can be sent here at all. */
const committed = /* @__PURE__ */ opening(
  "((?:create|drop)(?!\\s+temporary\\b)|alter|rename|truncate|lock|unlock|grant|revoke|cache|flush|reset|install|" +
    "uninstall|load\\s+index|(?:analyze|optimize|repair|check)\\s+(?:local\\s+|no_write_to_binlog\\s+)?table|" +
    "set\\s+password)\\b",
);

/** A pattern of a text's first words. Of a comment that is executed, `/*!50000 …`, only its opening stands before them. */
function opening(words: string): RegExp {
  const before = String.raw`^(?:\s|;|\(|--[^\n]*(?:\n|$)|#[^\n]*(?:\n|$)|/\*M?!\d*|/\*(?!M?!)(?:[^*]|\*(?!/))*\*/)*`;
  return new RegExp(before + words, "i");
}

/** The words with which the text begins or ends a transaction; null for savepoints and all else. */
function ending(sql: string): string | null {
  const word = first.exec(sql)?.[1];
  if (word !== undefined && !mayControl.test(word)) return null;
  return savepoint.test(sql) ? null : transactionControl(sql, mysqlText);
}

/** The text with its values. A `?` in a string, a name or a comment is none, which the driver's own search could miss. */
function written(
  sql: string,
  params: readonly SqlValue[],
  which: string,
  refuse: (message: string) => never,
): string {
  const pieces = splitPlaceholders(sql);
  if (pieces.length !== params.length + 1) {
    refuse(`has ${pieces.length - 1} placeholders and was given ${params.length} values`);
  }
  if (params.length === 0) return sql;
  let text = pieces[0]!;
  let before = edge(text, -1);
  for (const [i, value] of params.entries()) {
    const literal = toLiteral(value, which, i);
    const next = pieces[i + 1]!;
    // MySQL reads quoted texts side by side as one.
    if (literal.endsWith("'") && (isQuote(before) || isQuote(edge(next, 0)))) {
      refuse(`has a quoted text beside value ${i + 1}; write AS before an alias, an operator between values`);
    }
    text += ` ${literal} ${next}`;
    before = edge(next, -1) ?? literal.at(-1);
  }
  return text;
}

/** The character with which a piece of the text begins (0) or ends (-1), comments left out; undefined where nothing else is. */
function edge(piece: string, at: 0 | -1): string | undefined {
  if (!mayComment.test(piece)) return piece.trim().at(at);
  const token = mysqlTokens(piece).at(at);
  // A token of a text does not hold its quotes.
  return token?.kind === "string" ? "'" : token?.text;
}

const mayComment = /\/\*|--|#|\/\//;

function isQuote(character: string | undefined): boolean {
  return character === "'" || character === '"';
}

/** One value. -0 becomes 0, as the server would make it. */
function toLiteral(value: SqlValue, which: string, position: number): string {
  const refuse = (what: string): never => {
    throw new ValidationError(`${which} cannot take ${what} as value ${position + 1}; nothing was sent`);
  };
  switch (typeof value) {
    case "number":
      if (!Number.isFinite(value)) refuse(`${value}, which MySQL cannot hold,`);
      break;
    case "bigint":
      if (!isMysqlInteger(value)) refuse("an integer of more than 64 bits");
      break;
    case "string":
      if (!value.isWellFormed()) refuse("text with half a surrogate pair");
      break;
    case "boolean":
      break;
    default:
      if (value !== null && !(value instanceof Uint8Array)) {
        refuse(value === undefined ? "undefined" : "an object that is not a Uint8Array");
      }
  }
  return format("?", [value]);
}
