/**
 * What travels in Hrana's JSON: values, statements, errors, and a scanner that cuts SQL text into statements. It runs
 * nothing: see hrana_stream.ts.
 *
 * @module
 */

/** A value as Hrana writes it. */
export type WireValue =
  | { type: "null" }
  | { type: "integer"; value: string }
  | { type: "float"; value: number }
  | { type: "text"; value: string }
  | { type: "blob"; base64: string };

/** A value as the engine takes and gives it; never a boolean, on which the native addon aborts. */
export type EngineValue = null | bigint | number | string | Uint8Array;

/** A statement as Hrana writes it. */
export interface WireStmt {
  sql?: string;
  sql_id?: number;
  args?: WireValue[];
  named_args?: { name: string; value: WireValue }[];
  want_rows?: boolean;
}

/** When a step of a batch runs. */
export type WireCond =
  | { type: "ok" | "error"; step: number }
  | { type: "not"; cond: WireCond }
  | { type: "and" | "or"; conds: WireCond[] }
  | { type: "is_autocommit" };

/** Steps, each with its condition. */
export interface WireBatch {
  steps: { condition?: WireCond | null; stmt: WireStmt }[];
}

/** A request on a stream, over HTTP or a WebSocket. */
export interface WireRequest {
  type: string;
  stream_id?: number;
  sql?: string;
  sql_id?: number;
  stmt?: WireStmt;
  batch?: WireBatch;
}

/** What a statement gave. */
export interface WireResult {
  cols: { name: string; decltype: string | null }[];
  rows: WireValue[][];
  affected_row_count: number;
  last_insert_rowid: string | null;
}

/** An error that is answered on the wire: of one statement, or (with a status) of the whole request. */
export class HranaError extends Error {
  override readonly name = "HranaError";
  constructor(message: string, readonly code: string, readonly status?: number) {
    super(message);
  }
  /** The error's JSON. */
  toWire(): { message: string; code: string } {
    return { message: this.message, code: this.code };
  }
}

/** The engine's value of a wire value. */
export function decodeValue(value: WireValue): EngineValue {
  switch (value.type) {
    case "null":
      return null;
    case "integer":
      return BigInt(value.value);
    case "float":
    case "text":
      return value.value;
    case "blob":
      return Uint8Array.from(atob(value.base64), (c) => c.charCodeAt(0));
    default:
      throw new HranaError("Unrecognized type of Value", "PROTOCOL_ERROR", 400);
  }
}

/** The wire value of an engine's value; base64 goes out without padding, as sqld sends it. */
export function encodeValue(value: EngineValue): WireValue {
  if (value === null) return { type: "null" };
  if (typeof value === "bigint") return { type: "integer", value: value.toString() };
  if (typeof value === "number") return { type: "float", value };
  if (typeof value === "string") return { type: "text", value };
  let binary = "";
  for (let i = 0; i < value.length; i += 0x8000) binary += String.fromCharCode(...value.subarray(i, i + 0x8000));
  return { type: "blob", base64: btoa(binary).replace(/=+$/, "") };
}

/** One statement of a text: its first word, and its parameters' names by position (null where a parameter has none). */
export interface Scanned {
  readonly sql: string;
  readonly verb: string;
  readonly params: readonly (string | null)[];
}

const TOKEN =
  /\s+|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|'(?:[^']+|'')*'|"(?:[^"]+|"")*"|`(?:[^`]+|``)*`|\[[^\]]*\]|\?\d*|[:@$][\w\u0080-\uffff]+|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|[\d.][\w.]*|[\s\S]/gy;

const scans = new Map<string, readonly Scanned[]>();

/** The statements of a SQL text; a trigger's body stays whole, empty statements fall out. */
export function scan(text: string): readonly Scanned[] {
  const known = scans.get(text);
  if (known) return known;
  const found: Scanned[] = [];
  let start = 0;
  let words: string[] = []; // the first four words, to know a trigger
  let params: (string | null)[] = [];
  let last = ""; // the last two tokens that mean something
  let beforeLast = "";
  const end = (at: number) => {
    if (last !== "") found.push({ sql: text.slice(start, at).trim(), verb: words[0] ?? "", params });
    [start, words, params, last, beforeLast] = [at + 1, [], [], "", ""];
  };
  for (const match of text.matchAll(TOKEN)) {
    const token = match[0];
    if (/^(?:\s|--|\/\*)/.test(token)) continue;
    const trigger = words[0] === "CREATE" && words.slice(1, 3).includes("TRIGGER");
    if (token === ";" && !(trigger && !(last === "END" && beforeLast === ";"))) {
      end(match.index);
      continue;
    }
    if (/^[A-Za-z_]/.test(token) && words.length < 4) words.push(token.toUpperCase());
    if (token === "?") params.push(null);
    else if (/^\?\d/.test(token)) {
      const index = Number(token.slice(1));
      while (params.length < index) params.push(null);
      params[index - 1] = token;
    } else if (/^[:@$]./.test(token) && !params.includes(token)) params.push(token);
    [beforeLast, last] = [last, token.toUpperCase()];
  }
  end(text.length);
  if (scans.size > 500) scans.clear();
  scans.set(text, found);
  return found;
}

/** The values to bind by position, of positional or named arguments. */
export function bindings(stmt: WireStmt, params: Scanned["params"]): EngineValue[] {
  const args = stmt.args ?? [];
  const named = stmt.named_args ?? [];
  if (args.length > 0 && named.length > 0) {
    throw new HranaError(
      "Specifying both positional and named arguments is not supported",
      "ARGS_BOTH_POSITIONAL_AND_NAMED",
    );
  }
  return params.map((name, i) => {
    const arg = named.length > 0 ? named.find((a) => a.name === name || a.name === name?.slice(1))?.value : args[i];
    if (arg === undefined) {
      const which = name ?? i + 1;
      const message = `Arguments do not match SQL parameters: value for parameter ${which} not found`;
      throw new HranaError(message, "ARGS_INVALID");
    }
    return decodeValue(arg);
  });
}
