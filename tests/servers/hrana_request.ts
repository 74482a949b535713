/**
 * The requests on a stream, alike over HTTP and a WebSocket.
 *
 * @module
 */
import type { HranaStream } from "./hrana_stream.ts";
import { HranaError, type WireRequest, type WireStmt } from "./hrana_value.ts";

type Resolve = (stmt: WireStmt) => WireStmt & { sql: string };

/** Puts the stored text into a statement that names it by id. */
export function resolver(sqls: ReadonlyMap<number, string>): Resolve {
  return (stmt) => {
    const sql = stmt.sql ?? sqls.get(stmt.sql_id ?? -1);
    if (sql === undefined) throw new HranaError(`SQL text ${stmt.sql_id} not found`, "SQL_NOT_FOUND", 400);
    return { ...stmt, sql };
  };
}

/** The request with every stored text put in. */
export function resolveAll(request: WireRequest, resolve: Resolve): WireRequest {
  if (request.stmt) return { ...request, stmt: resolve(request.stmt) };
  if (request.batch) {
    const steps = request.batch.steps.map((s) => ({ ...s, stmt: resolve(s.stmt) }));
    return { ...request, batch: { steps } };
  }
  return /^(?:sequence|describe)$/.test(request.type) ? { ...request, ...resolve(request) } : request;
}

/** Remembers a text, or forgets one. */
export function storage(request: WireRequest, sqls: Map<number, string>): { type: string } {
  if (request.type === "store_sql") sqls.set(request.sql_id!, request.sql!);
  else sqls.delete(request.sql_id!);
  return { type: request.type };
}

/** Runs one request of a stream. */
export async function answer(
  stream: HranaStream,
  request: WireRequest,
  resolve: Resolve,
  sqls: Map<number, string>,
): Promise<unknown> {
  const { type } = request;
  switch (type) {
    case "execute":
      return { type, result: await stream.execute(resolve(request.stmt!)) };
    case "batch":
      return { type, result: await stream.batch(request.batch!, resolve) };
    case "sequence":
      await stream.sequence(resolve(request).sql);
      return { type };
    case "describe":
      return { type, result: stream.describe(resolve(request).sql) };
    case "get_autocommit":
      return { type, is_autocommit: stream.autocommit };
    case "store_sql":
    case "close_sql":
      return storage(request, sqls);
    default:
      throw new HranaError(`Unrecognized request ${JSON.stringify(type)}`, "PROTOCOL_ERROR", 400);
  }
}
