/**
 * The column types: what `t.` offers. Declarations only; what a dialect makes of a type is in sql/.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import type { ColumnType } from "../sql/table.ts";
import { Column, type ColumnFlags, type Plain, type With } from "./column.ts";

export {
  type AnyColumn,
  Column,
  type ColumnFlags,
  type columnFlags,
  type columnValue,
  type Plain,
  type With,
} from "./column.ts";

/** The digits of a decimal column. */
export interface DecimalOptions {
  /** All its digits. */
  readonly precision?: number;
  /** Those after the point. */
  readonly scale?: number;
}

/** What `t` offers: a function for each column type. Each takes the column's name in the database, where it differs. */
export interface ColumnTypes {
  /** Text of any length. */
  text(column?: string): Column<string, Plain<"text">>;
  /** Text of at most `length` characters. */
  varchar(length: number, column?: string): Column<string, Plain<"varchar">>;
  /** A whole number that JavaScript holds exactly (up to 2^53 - 1). */
  integer(column?: string): Column<number, Plain<"integer">>;
  /** A whole number of 64 bits, as a JavaScript bigint. */
  bigint(column?: string): Column<bigint, Plain<"bigint">>;
  /** A floating-point number of single precision, where the database has it. */
  real(column?: string): Column<number, Plain<"real">>;
  /** A floating-point number of double precision. */
  double(column?: string): Column<number, Plain<"double">>;
  /** An exact decimal number, as text. */
  decimal(options?: DecimalOptions, column?: string): Column<string, Plain<"decimal">>;
  /** An exact decimal number, as text. */
  decimal(column: string): Column<string, Plain<"decimal">>;
  /** True or false. */
  boolean(column?: string): Column<boolean, Plain<"boolean">>;
  /** A UUID; as a primary key it makes its own values. */
  uuid(column?: string): Column<string, Plain<"uuid">>;
  /** A moment, as a `Date`, to the millisecond. */
  timestamp(column?: string): Column<Date, Plain<"timestamp">>;
  /** A day, as `"YYYY-MM-DD"`. */
  date(column?: string): Column<string, Plain<"date">>;
  /** Anything that JSON can hold. */
  json<T>(column?: string): Column<T, Plain<"json">>;
  /** Bytes. */
  bytes(column?: string): Column<Uint8Array, Plain<"bytes">>;
  /** One of these texts. */
  enumeration<const E extends readonly [string, ...string[]]>(
    values: E,
    column?: string,
  ): Column<E[number], Plain<"enumeration">>;
  /** An array of another type's values (PostgreSQL). */
  array<T, F extends ColumnFlags>(of: Column<T, F>, column?: string): Column<T[], Plain<"array">>;
  /** A whole number made by the server, as the primary key. */
  identity(column?: string): Column<number, With<Plain<"identity">, { primaryKey: true; optional: true }>>;
}

function column<T, F extends ColumnFlags>(
  type: ColumnType,
  name: string | undefined,
  primaryKey = false,
): Column<T, F> {
  if (name !== undefined && (typeof name !== "string" || name === "" || name.includes("\0"))) {
    throw new ValidationError(`t.${type.name}() needs the column's name as text, not ${JSON.stringify(name)}`);
  }
  return new Column<T, F>({
    type: Object.freeze(type),
    column: name ?? null,
    nullable: false,
    primaryKey,
    unique: false,
    makeDefault: null,
    serverDefault: null,
    onUpdate: null,
    generated: null,
    foreignKey: false,
    version: false,
  });
}

function whole(call: string, what: string, value: unknown, least: number): void {
  if (!Number.isSafeInteger(value) || value as number < least) {
    throw new ValidationError(`${call} needs ${what} as a whole number from ${least} on, not ${String(value)}`);
  }
}

function decimal(options?: DecimalOptions | string, name?: string): Column<string, Plain<"decimal">> {
  if (typeof options === "string") return column({ name: "decimal" }, options);
  const { precision, scale } = options ?? {};
  if (precision !== undefined) whole("t.decimal()", "a precision", precision, 1);
  if (scale !== undefined) whole("t.decimal()", "a scale", scale, 0);
  if (scale !== undefined && (precision === undefined || scale > precision)) {
    throw new ValidationError(`t.decimal() needs a precision of at least the scale ${scale}, not ${precision}`);
  }
  return column({
    name: "decimal",
    ...precision === undefined ? {} : { precision },
    ...scale === undefined ? {} : { scale },
  }, name);
}

function enumeration<const E extends readonly [string, ...string[]]>(
  values: E,
  name?: string,
): Column<E[number], Plain<"enumeration">> {
  const list: readonly unknown[] = Array.isArray(values) ? values : [];
  if (list.length === 0 || list.some((v) => typeof v !== "string") || new Set(list).size < list.length) {
    throw new ValidationError(`t.enumeration() needs a list of different texts, not ${JSON.stringify(values)}`);
  }
  return column({ name: "enumeration", values: Object.freeze([...values]) }, name);
}

function array<T, F extends ColumnFlags>(of: Column<T, F>, name?: string): Column<T[], Plain<"array">> {
  if (!(of instanceof Column)) {
    throw new ValidationError("t.array() needs the type of its values, such as t.array(t.text())");
  }
  const { type, ...rest } = of.spec;
  if (Object.values(rest).some((value) => value !== null && value !== false)) {
    throw new ValidationError(`t.array() takes a type without a name or modifiers, such as t.array(t.${type.name}())`);
  }
  return column({ name: "array", of: type }, name);
}

/**
 * The column types. Each call makes a {@linkcode Column}; its modifiers say the rest. What cannot be declared (an
 * enumeration without values, a nullable primary key) is refused with a `ValidationError`.
 *
 * @example
 * ```ts
 * import { model, t } from "@ledge/session";
 * import { assertEquals } from "@std/assert";
 *
 * class Book extends model("books", {
 *   id: t.uuid().primaryKey(),
 *   title: t.varchar(200),
 *   kind: t.enumeration(["novel", "essay"]).default("novel"),
 *   createdAt: t.timestamp("created_at").default(() => new Date()),
 *   version: t.integer().version(),
 * }) {}
 *
 * const book = new Book({ title: "Edges" });
 * assertEquals(book.kind, "novel");
 * assertEquals(book.version, 1);
 * ```
 */
export const t: ColumnTypes = /* @__PURE__ */ Object.freeze({
  text: (name?: string) => column<string, Plain<"text">>({ name: "text" }, name),
  varchar: (length: number, name?: string) => {
    whole("t.varchar()", "a length", length, 1);
    return column<string, Plain<"varchar">>({ name: "varchar", length }, name);
  },
  integer: (name?: string) => column<number, Plain<"integer">>({ name: "integer" }, name),
  bigint: (name?: string) => column<bigint, Plain<"bigint">>({ name: "bigint" }, name),
  real: (name?: string) => column<number, Plain<"real">>({ name: "real" }, name),
  double: (name?: string) => column<number, Plain<"double">>({ name: "double" }, name),
  decimal,
  boolean: (name?: string) => column<boolean, Plain<"boolean">>({ name: "boolean" }, name),
  uuid: (name?: string) => column<string, Plain<"uuid">>({ name: "uuid" }, name),
  timestamp: (name?: string) => column<Date, Plain<"timestamp">>({ name: "timestamp" }, name),
  date: (name?: string) => column<string, Plain<"date">>({ name: "date" }, name),
  json: <T>(name?: string) => column<T, Plain<"json">>({ name: "json" }, name),
  bytes: (name?: string) => column<Uint8Array, Plain<"bytes">>({ name: "bytes" }, name),
  enumeration,
  array,
  identity: (name?: string) =>
    column<number, With<Plain<"identity">, { primaryKey: true; optional: true }>>({ name: "identity" }, name, true),
});
