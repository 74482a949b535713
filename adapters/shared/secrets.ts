/**
 * Keeps what is secret out of messages, causes and logs.
 *
 * @module
 */
import { causes } from "./causes.ts";

/**
 * A function that takes these secrets out of a text, and whatever looks like one: a token after "Bearer", a JWT, the
 * user and the query of a URL.
 */
export function redactor(secrets: readonly (string | undefined)[] = []): (text: string) => string {
  const named = secrets.filter((secret): secret is string => secret !== undefined && secret !== "");
  named.sort((a, b) => b.length - a.length);
  return (text) => {
    for (const secret of named) text = text.replaceAll(secret, "***");
    return text
      .replace(/\b(Bearer\s+)[^\s"',)]+/gi, "$1***")
      .replace(/\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?/g, "***")
      .replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/?#"'@]*@/gi, "$1***@")
      .replace(/\b([a-z][a-z0-9+.-]*:\/\/[^\s?"'<>()]*)\?[^\s"'<>()]*/gi, "$1?***");
  };
}

/** What copies keep of the drivers' own properties. */
const kept = /* @__PURE__ */ "code extendedCode severity schema table column dataType constraint position routine"
  .split(" ");

/**
 * The error itself when neither it nor a cause of its names a secret, otherwise a copy without. PostgreSQL's details hold
 * the values of a row ("Key (email)=(a@b) already exists."), as a copy does not.
 */
export function withoutSecrets(thrown: unknown, redact: (text: string) => string): unknown {
  const chain = [...causes(thrown)] as Error[];
  if (chain.length === 0) return typeof thrown === "string" ? redact(thrown) : thrown;
  const isClean = (error: Error) => {
    const { detail, where, internalQuery } = error as unknown as Record<string, unknown>;
    const isBare = [detail, where, internalQuery].every((text) => typeof text !== "string");
    return isBare && redact(error.message) === error.message && redact(error.stack ?? "") === (error.stack ?? "");
  };
  if (chain.every(isClean)) return thrown;
  return chain.reduceRight<Error | undefined>((cause, error) => {
    const copy = new Error(redact(error.message), cause === undefined ? {} : { cause });
    copy.name = error.name;
    copy.stack = redact(error.stack ?? "");
    for (const name of kept) {
      const value = (error as unknown as Record<string, unknown>)[name];
      if (value !== undefined && value !== null) Object.assign(copy, { [name]: value });
    }
    return copy;
  }, undefined);
}
