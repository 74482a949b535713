/**
 * The options of `planetscale()`: checked, and kept where no message, log or JSON can show them.
 *
 * @module
 */
import { ValidationError } from "../../src/errors.ts";
import { checkCallOptions, refuseUnknown } from "../../src/execution/call_options.ts";
import { isObject } from "../../src/sql/object.ts";
import type { Fetch } from "../shared/fetch.ts";
import { redactor } from "../shared/secrets.ts";
import { isClient, type PlanetScaleClient } from "./client.ts";

/** How the server is set up, where it is not as PlanetScale sets it up. */
export interface ServerOptions {
  /** The server's `auto_increment_increment`; 1 unless given. A wrong one is found before it can do harm. */
  readonly autoIncrementIncrement?: number;
  /**
   * How updates of many rows are checked: "statement", in the one statement that writes them, which is what works
   * everywhere it was tried, or "read", by a locking read before, for a server that refuses that form. "statement"
   * unless given.
   */
  readonly guards?: "statement" | "read";
  /** Milliseconds that each call may take, unless it brings its own. */
  readonly timeout?: number;
}

/** What `planetscale()` takes to make a client of its own. */
export interface PlanetScaleOptions extends ServerOptions {
  /**
   * Where the database is and who asks: `https://user:password@host`, or `mysql://…` likewise. A path and a query are left
   * out: over HTTP the password tells which database it is.
   */
  readonly url?: string;
  /** The host in place of a url, as in `aws.connect.psdb.cloud`. */
  readonly host?: string;
  /** The user, where the url names none. */
  readonly username?: string;
  /** The password, where the url has none. */
  readonly password?: string;
  /** Used in place of the global `fetch`; called with an address and options, with a Blob as body. */
  readonly fetch?: Fetch;
}

/** What `planetscale()` takes of what you made with the driver, where more than the client is to be said. */
export interface PlanetScaleParts extends ServerOptions {
  /** A Client. */
  readonly client: PlanetScaleClient;
}

/** What was checked, of options and of parts. */
export interface Setup {
  readonly description: string;
  readonly redact: (text: string) => string;
  readonly timeout: number | undefined;
  readonly autoIncrementIncrement: number;
  readonly guards: "statement" | "read";
}

/** Options that were checked. */
export interface Target extends Setup {
  /** Where requests go, without a user. */
  readonly url: string;
  readonly authorization: string;
  readonly fetch: Fetch | undefined;
}

const server: readonly string[] = ["autoIncrementIncrement", "guards", "timeout"];
const login: readonly string[] = ["url", "host", "username", "password", "fetch"];
const usage = "{ host, username, password }, { url }, or a Client made with @planetscale/database";

/** What was handed in, as parts; undefined when it is for Ledge to make. */
export function partsOf(source: unknown): PlanetScaleParts | undefined {
  if (isClient(source)) return { client: source };
  if (!isObject(source) || !("client" in source)) return undefined;
  const parts = source as PlanetScaleParts;
  refuseUnknown(parts, ["client", ...server], "planetscale() with a client");
  if (!isClient(parts.client)) {
    throw new ValidationError("planetscale() needs client to be a Client made with @planetscale/database");
  }
  return parts;
}

/** Checks what was handed in beside the client. */
export function setupOf(parts: PlanetScaleParts): Setup {
  const { url, host, username, password } = parts.client.config as Record<string, unknown>;
  const found = typeof url === "string" ? parse(url) : undefined;
  const shown = found?.host ?? (typeof host === "string" ? host : undefined);
  const secrets = [password, found?.password, found?.written, url].filter((text) => {
    return typeof text === "string" && text.isWellFormed();
  }) as string[];
  const user = found?.username ?? username;
  return {
    ...checkServer(parts),
    description: shown === undefined ? "planetscale over a Client" : `planetscale ${shown} over a Client`,
    redact: redactor(secrets.flatMap((secret) => [secret, encodeURIComponent(secret), basic(String(user), secret)])),
  };
}

/** Checks the options. Throws a ValidationError, without the url or the password, for what cannot be honoured. */
export function checkOptions(options: PlanetScaleOptions): Target {
  if (!isObject(options)) throw new ValidationError(`planetscale() takes ${usage}`);
  const instead = "; pass a Client made with @planetscale/database for all else";
  refuseUnknown(options, [...login, ...server], "planetscale()", instead);
  const { url, host, fetch } = options;
  for (const name of ["url", "host", "username", "password"] as const) {
    const value = options[name];
    if (value === undefined || typeof value === "string") continue;
    throw new ValidationError(`planetscale() needs ${name} as text, got ${typeof value}`);
  }
  if (fetch !== undefined && typeof fetch !== "function") {
    throw new ValidationError(`planetscale() needs fetch as a function, got ${typeof fetch}`);
  }
  if ((url === undefined) === (host === undefined)) {
    throw new ValidationError(`planetscale() takes either url or host; it takes ${usage}`);
  }
  const found = host === undefined || /^[^\s/?#@\\]+$/.test(host) ? parse(url ?? `https://${host}`) : undefined;
  if (found === undefined || found.host === "") {
    throw new ValidationError(
      url === undefined
        ? "planetscale() cannot use this host; it must be a name, as in aws.connect.psdb.cloud"
        : "planetscale() cannot use this url; it must be https://user:password@host",
    );
  }
  const username = pick("username", options.username, found.username);
  const password = pick("password", options.password, found.password);
  const authorization = basic(username, password);
  return {
    ...checkServer(options),
    url: `${found.scheme}//${found.host}`,
    authorization: `Basic ${authorization}`,
    fetch,
    description: `planetscale ${found.scheme === "http:" ? "http://" : ""}${found.host}`,
    redact: redactor([url, password, found.written, encodeURIComponent(password), authorization]),
  };
}

function pick(name: string, given: string | undefined, found: string): string {
  if (given !== undefined && found !== "") {
    throw new ValidationError(`planetscale() takes the ${name} in the url or as an option, not both`);
  }
  const value = given ?? found;
  if (value === "" || !value.isWellFormed()) throw new ValidationError(`planetscale() needs a ${name}`);
  if (name === "username" && value.includes(":")) {
    throw new ValidationError("planetscale() cannot send a username with a colon: basic authentication ends it there");
  }
  return value;
}

function checkServer({ autoIncrementIncrement = 1, guards = "statement", timeout }: ServerOptions) {
  if (!Number.isInteger(autoIncrementIncrement) || autoIncrementIncrement < 1 || autoIncrementIncrement > 65_535) {
    throw new ValidationError(
      `planetscale() needs autoIncrementIncrement as an integer from 1 to 65535, got ${String(autoIncrementIncrement)}`,
    );
  }
  if (guards !== "statement" && guards !== "read") {
    throw new ValidationError(`planetscale() needs guards as "statement" or "read", got ${JSON.stringify(guards)}`);
  }
  checkCallOptions({ timeout });
  return { autoIncrementIncrement, guards, timeout };
}

/** The parts of a url; undefined where it is none. Only special schemes are parsed alike everywhere. */
function parse(text: string) {
  const match = /^(https?|mysql):(\/\/.*)$/is.exec(text);
  const scheme = match?.[1]?.toLowerCase() === "http" ? "http:" : "https:";
  try {
    const url = new URL(`${scheme}${match![2]}`);
    // A password with a mark that it should have had encoded would be shown as the host.
    if (`${url.pathname}${url.search}${url.hash}`.includes("@")) return undefined;
    return {
      scheme,
      host: url.host,
      username: decode(url.username),
      password: decode(url.password),
      /** As it stands in the text. */
      written: /^[a-z]+:\/\/[^:@/]*:?([^@/]*)@/i.exec(text)?.[1] ?? url.password,
    };
  } catch {
    return undefined;
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Of UTF-8, as RFC 7617 has it; the driver's own throws for what Latin-1 lacks. */
function basic(username: string, password: string): string {
  const bytes = new TextEncoder().encode(`${username}:${password}`);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}
