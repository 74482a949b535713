/**
 * Cloudflare D1, over the binding of a Worker.
 *
 * @module
 */
import { ValidationError } from "../src/errors.ts";
import { type D1Binding, isBinding } from "./d1/binding.ts";
import { type D1Database, makeDatabase } from "./d1/database.ts";

export type { D1Binding, D1Meta, D1Result, D1Statement, D1Value } from "./d1/binding.ts";
export type { D1Database } from "./d1/database.ts";

/**
 * A database over a D1 binding (`env.DB`), or over a session of one (`env.DB.withSession()`), which may read from
 * replicas. It holds nothing open: make one in each request.
 *
 * Requests: `execute` 1, `batch` 1 whatever its length; a commit is one batch. There are no interactive transactions and
 * no savepoints: `connect` is refused, and so is SQL that begins or ends a transaction.
 *
 * What is other than in SQLite, since D1 speaks JSON: integers beyond 2^53 are refused on their way in, and in columns of
 * models on their way out (a raw result has them rounded); each number arrives as REAL (`'x' || ?` of 1 is `x1.0`), which
 * an INTEGER column makes an integer again. A statement takes 100 values, 100 KB of text and patterns of 50 bytes, a value
 * 2 MB. `rowsAffected` of an INSERT or UPDATE counts the rows that triggers wrote too. In a batch columns of the same name
 * are kept in reads, and refused after RETURNING.
 *
 * A call that is given up, by its `timeout` or its `signal`, rejects at once and runs on: whether a write was applied
 * cannot be known.
 *
 * @example
 * ```ts
 * import { d1, type D1Binding } from "@ledge/session/d1";
 * import { Session } from "@ledge/session";
 *
 * const worker = {
 *   async fetch(_request: Request, env: { DB: D1Binding }): Promise<Response> {
 *     await using session = new Session({ bind: d1(env.DB) });
 *     return Response.json((await session.execute("SELECT 1 AS one")).all());
 *   },
 * };
 *
 * if (typeof worker.fetch !== "function") throw new Error("No worker");
 * ```
 */
export function d1(binding: D1Binding): D1Database {
  if (!isBinding(binding)) {
    throw new ValidationError("d1() takes a D1 binding, such as env.DB, or a session of one; check the binding's name");
  }
  return makeDatabase(binding);
}
