/**
 * The dialect of MySQL 8 and MariaDB (10.6 and later), over whatever transport; Vitess speaks it too.
 *
 * @module
 */
import { UnsupportedError, ValidationError } from "../errors.ts";
import type { Dialect, RowLock } from "./dialect.ts";
import type { MysqlOptions } from "./mysql_batch.ts";
import { mysqlCodec, mysqlParam } from "./mysql_codecs.ts";
import { mysqlGuardFailure, onConflict } from "./mysql_guard.ts";
import { drawKeys } from "./mysql_insert.ts";
import { quote } from "./mysql_names.ts";
import { inList, readBack } from "./mysql_read.ts";
import { mysqlTokens } from "./mysql_tokens.ts";
import { compileSteps } from "./mysql_write.ts";

export type { MysqlOptions } from "./mysql_batch.ts";

/** What MySQL takes for no limit, which an OFFSET cannot do without. */
const NO_LIMIT = "18446744073709551615";

/** The dialect of a server. Throws a ValidationError for options that no server has. */
export function mysql({ autoIncrementIncrement = 1, guards = "statement" }: MysqlOptions = {}): Dialect {
  if (!Number.isInteger(autoIncrementIncrement) || autoIncrementIncrement < 1 || autoIncrementIncrement > 65_535) {
    throw new ValidationError("autoIncrementIncrement must be an integer from 1 to 65535");
  }
  if (guards !== "statement" && guards !== "read") {
    throw new ValidationError('guards must be "statement" or "read"');
  }
  const options = { autoIncrementIncrement, guards };
  const dialect: Dialect = {
    name: "mysql",
    quote,
    placeholder: () => "?",
    tokens: mysqlTokens,
    codec: mysqlCodec,
    encodeParam: mysqlParam,
    // A backslash escapes unless something else is said.
    like: (left, right) => `${left} LIKE ${right}`,
    match(left, how, text, params) {
      const exact = text.replace(/[\\%_]/g, "\\$&");
      params.push(`${how === "startsWith" ? "" : "%"}${exact}${how === "endsWith" ? "" : "%"}`);
      // The pattern's collation goes before the column's, whatever that is.
      return `${left} LIKE ? COLLATE utf8mb4_bin`;
    },
    // A stored function may write.
    readsMayWrite: true,
    failureAborts: false,
    returning: false,
    limitsWrites: true,
    // The driver writes the values into the text; the statements of a commit are bounded by their size.
    maxParameters: Infinity,
    onConflict,
    assignsInOrder: true,
    zeroMakesKey: true,
    excluded: (column) => `VALUES(${column})`,
    // Text sorts by the collation of its column, an ENUM by the place of its value in the declaration.
    isOrdered: (type) => type.name !== "enumeration" && type.name !== "json" && type.name !== "array",
    inList,
    limit(limit, offset, params) {
      if (limit === null && offset === null) return "";
      if (limit !== null) params.push(limit);
      if (offset !== null) params.push(offset);
      return ` LIMIT ${limit === null ? NO_LIMIT : "?"}${offset === null ? "" : " OFFSET ?"}`;
    },
    compile: (steps) => compileSteps(steps, options, dialect),
    guardFailure: mysqlGuardFailure,
    readBack: (step, keys) => readBack(step, keys, dialect),
    drawKeys: (step) => drawKeys(step, dialect),
    // A key is known once its statement has run, to the client only.
    carriesKeys: () => false,
    lock: lockClause,
  };
  return dialect;
}

/** ` FOR UPDATE SKIP LOCKED` and the like. MySQL and MariaDB share one way only to lock for reading, without more. */
function lockClause({ mode, skipLocked = false, noWait = false }: RowLock): string {
  if (skipLocked && noWait) {
    throw new ValidationError("A lock cannot both skip locked rows and fail on them; give skipLocked or noWait");
  }
  if (mode === "update") return ` FOR UPDATE${skipLocked ? " SKIP LOCKED" : noWait ? " NOWAIT" : ""}`;
  if (skipLocked || noWait) {
    throw new UnsupportedError(
      "MySQL and MariaDB do not share a way to write a shared lock with skipLocked or noWait; lock for update, or wait",
    );
  }
  return " LOCK IN SHARE MODE";
}
