/**
 * The `` sql`…` `` tag: text with bound values. A value never becomes SQL text.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import type { Dialect } from "./dialect.ts";
import type { SqlValue, Statement } from "./statement.ts";

/** A part of an {@linkcode Sql}: literal text, an identifier to be quoted, or a value to be bound. */
export type SqlPart =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "identifier"; readonly names: readonly string[] }
  | { readonly kind: "value"; readonly value: unknown };

declare const valueType: unique symbol;

/** SQL text with the values that are bound into it. @template T The type of the value, where it is an expression. */
export class Sql<T = unknown> {
  /**
   * The type of the value, for the compiler only.
   *
   * @internal
   */
  declare readonly [valueType]?: T;
  /** The parts, in order. */
  readonly parts: readonly SqlPart[];
  /** Makes SQL of its parts; the {@linkcode sql} tag is the way to call it. */
  constructor(parts: readonly SqlPart[]) {
    this.parts = parts;
  }
}

/** The `` sql`…` `` tag and its helpers. */
export interface SqlTag {
  /** SQL text; every `${value}` is bound, an {@linkcode Sql} is inserted as it is. */
  <T = unknown>(strings: TemplateStringsArray, ...values: readonly unknown[]): Sql<T>;
  /** An identifier, quoted by the dialect; several are joined by dots. */
  id(...names: readonly string[]): Sql;
  /** Values or fragments, joined by a separator (`, ` unless given). */
  join(items: readonly unknown[], separator?: Sql): Sql;
  /** Text that is taken as it is: never with anything that came from outside. */
  raw(text: string): Sql;
}

function parts(value: unknown): readonly SqlPart[] {
  return value instanceof Sql ? value.parts : [{ kind: "value", value }];
}

function tag<T = unknown>(strings: TemplateStringsArray, ...values: readonly unknown[]): Sql<T> {
  const all: SqlPart[] = [];
  strings.forEach((text, i) => {
    if (text !== "") all.push({ kind: "text", text });
    // One by one: as arguments of one call, as many as a join can have overflow the stack.
    if (i < values.length) { for (const part of parts(values[i])) all.push(part); }
  });
  return new Sql<T>(all);
}

/**
 * SQL with bound values.
 *
 * @example
 * ```ts
 * import { sql } from "@ledge/session";
 * const cheap = sql`price < ${10} AND ${sql.id("in stock")}`;
 * ```
 */
export const sql: SqlTag = /* @__PURE__ */ Object.assign(tag, {
  id(...names: readonly string[]): Sql {
    if (names.length === 0) throw new ValidationError("sql.id() needs at least one name");
    return new Sql([{ kind: "identifier", names }]);
  },
  join(items: readonly unknown[], separator: Sql = new Sql([{ kind: "text", text: ", " }])): Sql {
    return new Sql(items.flatMap((item, i) => i === 0 ? parts(item) : [...separator.parts, ...parts(item)]));
  },
  raw(text: string): Sql {
    return new Sql([{ kind: "text", text }]);
  },
});

/** Writes a fragment for a dialect, appending its values to `params`. */
export function writeSql(fragment: Sql, dialect: Dialect, params: SqlValue[]): string {
  let text = "";
  // Once, and not for each value: a join can have thousands of them.
  const what = `a value in sql\`${preview(fragment)}\``;
  for (const part of fragment.parts) {
    if (part.kind === "text") text += part.text;
    else if (part.kind === "identifier") text += part.names.map((name) => dialect.quote(name)).join(".");
    else {
      params.push(dialect.encodeParam(part.value, what));
      text += dialect.placeholder(params.length);
    }
  }
  return text;
}

/** The statement that a whole fragment is. */
export function toStatement(fragment: Sql, dialect: Dialect): Statement {
  const params: SqlValue[] = [];
  return { sql: writeSql(fragment, dialect, params), params };
}

/** The text of a fragment for a message: values are shown as `?`, never written out. */
export function preview(fragment: Sql): string {
  const text = fragment.parts.slice(0, 61).map((p) =>
    p.kind === "text" ? p.text : p.kind === "identifier" ? p.names.join(".") : "?"
  )
    .join("");
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
