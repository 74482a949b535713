/**
 * Reading request bodies: what is there must be right, what is not known is refused. A schema library would do as well.
 *
 * @module
 */
import { ValidationError } from "@ledge/session";
import type { Context } from "hono";

/** What one field takes. */
export interface Field<T> {
  /** What to call it: "must be …". */
  readonly wanted: string;
  readonly accepts: (value: unknown) => boolean;
  /** Whether it can be left out. */
  readonly isOptional?: true;
  readonly type?: T; // for the compiler only
}

/** The values of fields. */
export type Values<F extends Record<string, Field<unknown>>> =
  & { [K in keyof F as F[K] extends { isOptional: true } ? never : K]: TypeOf<F[K]> }
  & { [K in keyof F as F[K] extends { isOptional: true } ? K : never]?: TypeOf<F[K]> };
type TypeOf<F> = F extends Field<infer T> ? T : never;

/** A text that is not blank. */
export const text: Field<string> = {
  wanted: "a text that is not blank",
  accepts: (value) => typeof value === "string" && value.trim() !== "",
};

/** The same, of at most this many characters. */
export function textUpTo(length: number): Field<string> {
  return {
    wanted: `a text of 1 to ${length} characters`,
    accepts: (value) => text.accepts(value) && (value as string).length <= length,
  };
}

/** A text of this form. */
export function matches(pattern: RegExp, wanted: string): Field<string> {
  return { wanted, accepts: (value) => typeof value === "string" && pattern.test(value) };
}

/** A whole number from 1 on. */
export const positive: Field<number> = {
  wanted: "a whole number from 1 on",
  accepts: (value) => Number.isSafeInteger(value) && value as number >= 1,
};

/** One to five. */
export const stars: Field<number> = {
  wanted: "a whole number from 1 to 5",
  accepts: (value) => positive.accepts(value) && value as number <= 5,
};

/** A field that can be left out. */
export function optional<T>(field: Field<T>): Field<T> & { isOptional: true } {
  return { ...field, isOptional: true };
}

/** The body, which must be a JSON object. */
export async function readBody(c: Context): Promise<Record<string, unknown>> {
  const body: unknown = await c.req.json().catch(() => undefined);
  if (isObject(body)) return body;
  throw new ValidationError("The body must be a JSON object");
}

/** The values of these fields and no others. Throws a `ValidationError` that names the first wrong one. */
export function parse<F extends Record<string, Field<unknown>>>(what: string, given: unknown, fields: F): Values<F> {
  if (!isObject(given)) throw new ValidationError(`${what} must be an object`);
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(fields, name));
  if (unknown !== undefined) {
    throw new ValidationError(`${what} has no ${JSON.stringify(unknown)}; it has ${Object.keys(fields).join(", ")}`);
  }
  for (const [name, field] of Object.entries(fields)) {
    if (Object.hasOwn(given, name) ? !field.accepts(given[name]) : !field.isOptional) {
      throw new ValidationError(`${what}: ${name} must be ${field.wanted}`);
    }
  }
  return given as Values<F>;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
