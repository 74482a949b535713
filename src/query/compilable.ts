/**
 * Queries of other builders: what Kysely's `compile()` and Drizzle's `toSQL()` give. They are told by their shape, so
 * that neither package is imported.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import type { Dialect } from "../sql/dialect.ts";
import { isObject } from "../sql/object.ts";
import { nameQuotes, placeholders } from "../sql/scan.ts";

/**
 * A query of another builder, which a session runs like text with values: Kysely's queries have `compile()`, Drizzle's
 * have `toSQL()`. Its rows are those of the driver, by column name: what the builder would make of them is not done.
 *
 * @example
 * ```ts
 * import { type Compilable, Session } from "@ledge/session";
 * import { libsql } from "@ledge/session/libsql/local";
 * import { assertEquals } from "@std/assert";
 *
 * const query: Compilable = { compile: () => ({ sql: "SELECT ? AS answer", parameters: [42] }) };
 * await using session = new Session({ bind: libsql({ url: ":memory:" }) });
 * assertEquals(await session.scalar(query), 42);
 * ```
 */
export type Compilable =
  | { compile(): { readonly sql: string; readonly parameters: readonly unknown[] } }
  | { toSQL(): { readonly sql: string; readonly params: readonly unknown[] } };

/** Whether a value is a query of another builder. */
export function isCompilable(value: unknown): value is Compilable {
  if (!isObject(value)) return false;
  const { compile, toSQL } = value as { compile?: unknown; toSQL?: unknown };
  return typeof compile === "function" || typeof toSQL === "function";
}

/**
 * The text and the values of a query of another builder. Throws a ValidationError when it gives neither, or was plainly
 * made for another family of databases: by the quotes of its names or by its placeholders.
 */
export function compiled(query: Compilable, dialect: Dialect): { readonly text: string; readonly values: unknown[] } {
  const { sql: text, values } = read(query);
  if (typeof text !== "string" || !Array.isArray(values)) {
    const wanted = "compile" in query ? "compile() must give { sql, parameters }" : "toSQL() must give { sql, params }";
    throw new ValidationError(`A statement's ${wanted}: text and an array of values`);
  }
  const own = dialect.quote("a").charAt(0);
  const quotes = nameQuotes(text);
  const numbered = dialect.placeholder(1) === "$1";
  const isForeign = placeholders(text).some((one) => /^\$\d+$/.test(one.text)) !== (numbered && values.length > 0);
  if (isForeign || quotes.size > 0 && !quotes.has(own)) {
    throw new ValidationError(
      `The query was made for another database than this ${dialect.name} one: ` +
        `names stand in ${own} here, and placeholders are ${
          dialect.placeholder(1)
        }; give its builder the dialect of the database`,
    );
  }
  return { text, values };
}

function read(query: Compilable): { readonly sql: unknown; readonly values: unknown } {
  if ("compile" in query) {
    const { sql, parameters } = query.compile();
    return { sql, values: parameters };
  }
  const { sql, params } = query.toSQL();
  return { sql, values: params };
}
