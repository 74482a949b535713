/**
 * The options of `neon()`: checked, and kept where no message, log or JSON can show them.
 *
 * @module
 */
import { ValidationError } from "../../src/errors.ts";
import { checkCallOptions, refuseUnknown } from "../../src/execution/call_options.ts";
import { isObject } from "../../src/sql/object.ts";
import { redactor } from "../shared/secrets.ts";
import { isClient, isPool, isSql, type NeonClient, type NeonPool, type NeonSql } from "./client.ts";

/** How the driver opens a WebSocket; what it calls `neonConfig`, for the connections of one database. */
export interface WebSocketOptions {
  /** The constructor to use where the runtime has no global one, such as Node 20: that of npm's `ws`. */
  readonly webSocketConstructor?: new (url: string) => object;
  /** Where the proxy is: a host with its port and path, or a function of the database's host and port. */
  readonly wsProxy?: string | ((host: string, port: number | string) => string);
  /** `wss:` or `ws:`. */
  readonly useSecureWebSocket?: boolean;
  /** "password" sends the password along with the first message, in clear text within TLS; false waits to be asked. */
  readonly pipelineConnect?: "password" | false;
}

/** What `neon()` takes to make what it needs of the driver. */
export interface NeonOptions {
  /** Where the database is and who asks: `postgresql://user:password@host/database`. */
  readonly connectionString: string;
  /** A token in place of the password, or a function that gives one; over HTTP only. */
  readonly authToken?: string | (() => string | Promise<string>);
  /** False: all goes over WebSockets, also single statements and commits. */
  readonly http?: boolean;
  /** False: there is HTTP only, and nothing that needs a conversation. Otherwise how WebSockets are opened. */
  readonly webSocket?: boolean | WebSocketOptions;
  /** Milliseconds that each call may take, unless it brings its own. */
  readonly timeout?: number;
}

/** What `neon()` takes of what you made with the driver: an HTTP side, a WebSocket side, or both. */
export interface NeonParts {
  /** A query function made with `neon()`. */
  readonly sql?: NeonSql;
  /** A Pool. */
  readonly pool?: NeonPool;
  /** A Client, of which there is only one connection. */
  readonly client?: NeonClient;
  /** Milliseconds that each call may take, unless it brings its own. */
  readonly timeout?: number;
}

/** Options that were checked. */
export interface Target {
  readonly connectionString: string;
  readonly authToken: NeonOptions["authToken"];
  readonly http: boolean;
  readonly webSocket: false | WebSocketOptions;
  readonly timeout: number | undefined;
  readonly description: string;
  readonly redact: (text: string) => string;
}

const known: readonly string[] = ["connectionString", "authToken", "http", "webSocket", "timeout"];
const knownParts: readonly string[] = ["sql", "pool", "client", "timeout"];
const knownSocket: readonly string[] = ["webSocketConstructor", "wsProxy", "useSecureWebSocket", "pipelineConnect"];
const usage = "a connection string, { connectionString }, or what you made with @neondatabase/serverless: " +
  "a neon() function, a Pool, a Client, or { sql, pool }";

/** What was handed in, as parts; undefined when it is for Ledge to make. */
export function partsOf(source: unknown): NeonParts | undefined {
  if (isSql(source)) return { sql: source };
  if (isPool(source)) return { pool: source };
  if (isClient(source)) return { client: source };
  if (!isObject(source)) return undefined;
  if (!("sql" in source || "pool" in source || "client" in source)) return undefined;
  const parts = source as NeonParts;
  refuseUnknown(parts, knownParts, "neon() of what you made");
  const expect = (name: "sql" | "pool" | "client", isOne: (value: unknown) => boolean, what: string) => {
    if (parts[name] === undefined || isOne(parts[name])) return;
    throw new ValidationError(`neon() needs ${name} to be ${what} of @neondatabase/serverless`);
  };
  expect("sql", isSql, "a function made with neon()");
  expect("pool", isPool, "a Pool");
  expect("client", isClient, "a Client");
  if (parts.pool !== undefined && parts.client !== undefined) {
    throw new ValidationError("neon() takes a pool or a client, not both");
  }
  if (parts.sql === undefined && parts.pool === undefined && parts.client === undefined) {
    throw new ValidationError(`neon() takes ${usage}`);
  }
  checkCallOptions({ timeout: parts.timeout });
  return parts;
}

/** Checks the options. Throws a ValidationError, without the connection string, for what cannot be honoured. */
export function checkOptions(source: string | NeonOptions): Target {
  const options: NeonOptions = typeof source === "string" ? { connectionString: source } : source;
  if (!isObject(options)) throw new ValidationError(`neon() takes ${usage}`);
  const instead = "; pass what you made with the driver for all else";
  refuseUnknown(options, known, "neon()", instead);
  const { connectionString, authToken, http = true, webSocket = true, timeout } = options;
  if (typeof connectionString !== "string") {
    throw new ValidationError(`neon() needs connectionString as text, got ${typeof connectionString}`);
  }
  if (authToken !== undefined && typeof authToken !== "string" && typeof authToken !== "function") {
    throw new ValidationError(`neon() needs authToken as text or a function, got ${typeof authToken}`);
  }
  if (typeof http !== "boolean") throw new ValidationError(`neon() needs http as true or false, got ${typeof http}`);
  const sockets = webSocket === true ? {} : webSocket;
  if (sockets !== false && !isObject(sockets)) {
    throw new ValidationError(`neon() needs webSocket as true, false or options, got ${typeof webSocket}`);
  }
  if (sockets !== false) refuseUnknown(sockets, knownSocket, "neon()'s webSocket");
  if (!http && sockets === false) throw new ValidationError("neon() needs http or webSocket; both are false");
  if (authToken !== undefined && sockets !== false) {
    throw new ValidationError(
      "neon() sends authToken over HTTP only, and a WebSocket would log in as somebody else; add webSocket: false",
    );
  }
  checkCallOptions({ timeout });
  const { host, secrets, user, password, database } = parse(connectionString);
  if (host === "" || user === "" || database === "") {
    throw new ValidationError("neon() needs a user, a host and a database in its connection string");
  }
  if (password === "" && authToken === undefined) {
    throw new ValidationError("neon() needs a password in its connection string, or an authToken and webSocket: false");
  }
  return {
    connectionString,
    authToken,
    http,
    webSocket: sockets,
    timeout,
    description: `neon ${host}/${database}`,
    redact: redactor([connectionString, ...secrets, typeof authToken === "string" ? authToken : undefined]),
  };
}

function parse(connectionString: string) {
  // Only special schemes are parsed alike everywhere.
  const match = /^postgres(?:ql)?:(\/\/.*)$/s.exec(connectionString);
  let url: URL;
  try {
    if (match === null) throw new TypeError("Another scheme");
    url = new URL(`http:${match[1]}`);
    // A password with a mark that it should have had encoded would be shown as the host or the database.
    if (`${url.pathname}${url.search}${url.hash}`.includes("@")) throw new TypeError("A password in the path");
  } catch {
    throw new ValidationError(
      "neon() cannot use this connection string; it must be postgresql://user:password@host/database",
    );
  }
  const password = decode(url.password);
  return {
    host: url.host,
    user: url.username,
    password,
    database: decode(url.pathname.slice(1)),
    secrets: [password, url.password, /^postgres(?:ql)?:\/\/[^:@/]*:(.*)@/s.exec(connectionString)?.[1]],
  };
}

/** The password of a connection string that the driver took, in the ways in which it may be written. */
function secretsIn(connectionString: string): (string | undefined)[] {
  try {
    return parse(connectionString).secrets;
  } catch {
    return [];
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A function that takes the secrets of what was handed in out of a text, as far as they can be known. */
export function redactorOf({ pool, client }: NeonParts): (text: string) => string {
  const secrets = [pool && (pool as { options?: unknown }).options, client].flatMap((holder) => {
    const { password, connectionString } = Object(holder) as Record<string, unknown>;
    const own = [password, connectionString].filter((secret) => typeof secret === "string");
    return typeof connectionString === "string" ? [...own, ...secretsIn(connectionString)] : own;
  });
  return redactor(secrets);
}
