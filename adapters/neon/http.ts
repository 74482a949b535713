/**
 * Statements over HTTP: one request for one statement or for a batch, which is one transaction.
 *
 * @module
 */
import { DatabaseError } from "../../src/errors.ts";
import type { NeonSql, RawResult } from "./client.ts";
import type { HttpTransaction, TextStatement } from "./values.ts";

/** What the driver is asked for: results with their fields, rows as arrays, values as the text that the server wrote. */
const asText = {
  arrayMode: true,
  fullResults: true,
  types: { getTypeParser: () => (text: unknown) => text },
} as const;

/** One statement. One request. */
export async function query(
  sql: NeonSql,
  { sql: text, params }: TextStatement,
  signal: AbortSignal | undefined,
): Promise<RawResult> {
  const fetchOptions = fetchWith({ query: text, params }, signal);
  return checked(await sql.query(text, params as never, { ...asText, fetchOptions } as never));
}

/** Statements in one transaction. One request. */
export async function transaction(
  sql: NeonSql,
  statements: readonly TextStatement[],
  options: HttpTransaction,
  signal: AbortSignal | undefined,
): Promise<RawResult[]> {
  const fetchOptions = fetchWith({ queries: statements.map(({ sql, params }) => ({ query: sql, params })) }, signal);
  // Of the options of a query in a transaction the driver heeds only these; `types` it heeds nowhere else.
  const queries = statements.map(({ sql: text, params }) => sql.query(text, params as never, asText as never));
  const { arrayMode, fullResults } = asText;
  const results = await sql.transaction(
    queries as never,
    { ...options, arrayMode, fullResults, fetchOptions } as never,
  );
  if (!Array.isArray(results) || results.length !== statements.length) throw unexpected();
  return results.map(checked);
}

/**
 * The body that the driver sends anyway, as a Blob: Deno's `fetch` sends other bodies a second time when a connection
 * closes before the answer, so that one INSERT leaves two rows. The driver spreads these options over its own.
 */
function fetchWith(body: unknown, signal: AbortSignal | undefined): { body: Blob; signal?: AbortSignal } {
  const blob = new Blob([JSON.stringify(body)], { type: "application/json" });
  return signal === undefined ? { body: blob } : { body: blob, signal };
}

function checked(result: unknown): RawResult {
  const { fields, rows } = Object(result) as Partial<RawResult>;
  if (Array.isArray(fields) && Array.isArray(rows) && rows.every(Array.isArray)) return result as RawResult;
  throw unexpected();
}

function unexpected(): DatabaseError {
  return new DatabaseError("The driver gave no result with fields and rows; is the neon() function a wrapped one?", {
    notApplied: false,
  });
}
