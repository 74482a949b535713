/**
 * Keeps what is secret out of messages, causes and logs.
 *
 * @module
 */
import { type Cause, causes } from "./causes.ts";

/** What a guard says through an error (sql/guard.ts, sql/mysql_guard.ts): a password of a word of it must not garble it. */
const guard = /('?ledge:(?:stale|require|increment|conflict)(?::\d+)*'?|\(errno 1242\))/;

/**
 * A function that takes these secrets out of a text, as they are and as they are written in JSON and in a URL, and
 * whatever looks like one: a token after "Bearer", a JWT, the user and the query of a URL. The text may hold a value of
 * megabytes that somebody else chose: each pattern takes one pass over it.
 */
export function redactor(secrets: readonly (string | undefined)[] = []): (text: string) => string {
  const named = [...new Set(secrets.flatMap(forms))].sort((a, b) => b.length - a.length);
  const bare = (text: string): string => {
    for (const secret of named) text = text.replaceAll(secret, "***");
    return text;
  };
  return (text) => {
    const parts = named.length === 0 ? [text] : text.split(guard).map((part, i) => i % 2 === 0 ? bare(part) : part);
    return parts.join("")
      .replace(/\b(Bearer\s+)[^\s"',)]+/gi, "$1***")
      .replace(/\beyJ[\w.-]*/g, (word) => word.includes(".") ? "***" : word)
      .replace(/:\/\/[^\s/?#"']*@/g, "://***@")
      .replace(/:\/\/[^\s"'<>()]*/g, (url) => url.includes("?") ? `${url.slice(0, url.indexOf("?"))}?***` : url);
  };
}

/** The ways in which a secret may be written. */
function forms(secret: string | undefined): string[] {
  if (secret === undefined || secret === "") return [];
  const written = [secret, JSON.stringify(secret).slice(1, -1)];
  return secret.isWellFormed() ? [...written, encodeURIComponent(secret)] : written;
}

/** What copies keep of the drivers' own properties. */
const kept = /* @__PURE__ */ "code extendedCode severity schema table column dataType constraint position routine"
  .split(" ");

/**
 * The error itself when neither it nor a cause of its names a secret, otherwise a copy without. PostgreSQL's details hold
 * the values of a row ("Key (email)=(a@b) already exists."), as a copy does not.
 */
export function withoutSecrets(thrown: unknown, redact: (text: string) => string): unknown {
  const chain = [...causes(thrown)];
  if (chain.length === 0) return typeof thrown === "string" ? redact(thrown) : thrown;
  const isClean = (error: Error & Cause) => {
    const { detail, where, internalQuery } = error;
    const isBare = [detail, where, internalQuery].every((text) => typeof text !== "string");
    const { cause: _, sourceError: __, ...own } = { ...error };
    return isBare && [error.message, error.stack ?? "", ...Object.values(own)].every((value) => {
      const text = asText(value);
      return text !== null && redact(text) === text;
    });
  };
  if (chain.every(isClean)) return thrown;
  return chain.reduceRight<Error | undefined>((cause, error) => {
    const copy = new Error(redact(error.message), cause === undefined ? {} : { cause });
    copy.name = error.name;
    copy.stack = redact(error.stack ?? "");
    for (const name of kept) {
      const value = error[name];
      if (value === undefined || value === null) continue;
      Object.assign(copy, { [name]: typeof value === "string" ? redact(value) : value });
    }
    return copy;
  }, undefined);
}

/** What can be seen of a property; null when that is not known. */
function asText(value: unknown): string | null {
  if (typeof value === "string") return value;
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    return null;
  }
}
