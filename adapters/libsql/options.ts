/**
 * The options of `libsql()`: checked, and kept where no message, log or JSON can show them.
 *
 * @module
 */
import { ValidationError } from "../../src/errors.ts";
import { checkCallOptions, refuseUnknown } from "../../src/execution/call_options.ts";
import { isObject } from "../../src/sql/object.ts";
import type { Fetch } from "../shared/fetch.ts";
import { redactor } from "../shared/secrets.ts";

/** What `libsql()` takes to make a client of its own. */
export interface LibsqlOptions {
  /** Where the database is: `libsql:`, `https:`, `http:`, `wss:` or `ws:`; with `/local` also `file:` and `:memory:`. */
  readonly url: string;
  /** The token that the server asks for. */
  readonly authToken?: string;
  /** Used in place of the global `fetch`, over HTTP; given a `Request` with a Blob as body. */
  readonly fetch?: Fetch;
  /** Milliseconds that each call may take, unless it brings its own. */
  readonly timeout?: number;
}

/** Options that were checked. */
export interface Target {
  readonly url: string;
  readonly authToken: string | undefined;
  readonly fetch: Fetch | undefined;
  readonly timeout: number | undefined;
  readonly transport: "http" | "ws" | "file";
  readonly description: string;
  readonly redact: (text: string) => string;
}

const known: readonly string[] = ["url", "authToken", "fetch", "timeout"];
const remote = /^(libsql|https?|wss?):\/\/([^/?#]*)/i;
const local = /^(?::memory:$|file:)/i;

/** Checks the options. Throws a ValidationError, without the URL in its message, for what cannot be honoured. */
export function checkOptions(options: LibsqlOptions, allowLocal: boolean): Target {
  if (!isObject(options)) {
    throw new ValidationError("libsql() takes { url, authToken } or a client made with createClient of @libsql/client");
  }
  refuseUnknown(options, known, "libsql()", "; pass a client made with createClient of @libsql/client for all else");
  const { url, authToken, fetch, timeout } = options;
  if (typeof url !== "string") throw new ValidationError(`libsql() needs a url as text, got ${typeof url}`);
  if (authToken !== undefined && typeof authToken !== "string") {
    throw new ValidationError(`libsql() needs authToken as text, got ${typeof authToken}`);
  }
  if (fetch !== undefined && typeof fetch !== "function") {
    throw new ValidationError(`libsql() needs fetch as a function, got ${typeof fetch}`);
  }
  checkCallOptions({ timeout });
  const common = { url, authToken, fetch, timeout };
  if (local.test(url)) {
    if (!allowLocal) {
      throw new ValidationError(
        "Local databases need a native addon; import libsql from @ledge/session/libsql/local for file: and :memory:",
      );
    }
    const name = url.replace(/\?.*$/s, "");
    return {
      ...common,
      transport: "file",
      description: `libsql ${name}`,
      redact: redactor([authToken, ...tokens(url)]),
    };
  }
  const match = remote.exec(url);
  if (match === null) {
    throw new ValidationError(
      `libsql() cannot use this url; it must begin with libsql://, https://, http://, wss:// or ws://` +
        (allowLocal ? ", or be file:… or :memory:" : ""),
    );
  }
  const [, scheme = "", authority = ""] = match;
  // Behind the authority too: a password with a mark that it should have had encoded would be shown as the host.
  if (url.replace(/\bauthToken=[^&#]*/gi, "").includes("@")) {
    throw new ValidationError("libsql() cannot use a url with a user name or password; pass a token as authToken");
  }
  const isPlain = /[?&]tls=0(?:&|$)/.test(url);
  const shown = scheme.toLowerCase() === "libsql" ? (isPlain ? "http" : "https") : scheme.toLowerCase();
  return {
    ...common,
    transport: shown.startsWith("ws") ? "ws" : "http",
    description: `libsql ${shown}://${authority}`,
    redact: redactor([authToken, ...tokens(url)]),
  };
}

/** The values in a URL's query, as written and decoded. */
function tokens(url: string): string[] {
  const query = /\?([^#]*)/.exec(url)?.[1];
  if (query === undefined) return [];
  const written = query.split("&").filter((pair) => /^authToken=/i.test(pair)).map((pair) => pair.slice(10));
  return [...written, ...new URLSearchParams(query).getAll("authToken")];
}
