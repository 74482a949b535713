/**
 * A declared column and its modifiers. It holds plain data (its {@linkcode ColumnSpec}) and, for the compiler only, the
 * type of its values and what the constructor may do with it. It knows no table and no dialect.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import { isObject } from "../sql/object.ts";
import type { ColumnType } from "../sql/table.ts";
import { Sql } from "../sql/tag.ts";
import type { ColumnSpec } from "./spec.ts";
import { uuidv7 } from "./uuid.ts";

/** Where a column keeps the type of its values; there is no such property at run time. */
export declare const /** @internal */ columnValue: unique symbol;
/** Where a column keeps its {@linkcode ColumnFlags}; there is no such property at run time. */
export declare const /** @internal */ columnFlags: unique symbol;

/** What the compiler knows of a column besides the type of its values. */
export interface ColumnFlags {
  /** The name of the column's type: `"text"`, `"uuid"` and so on. */
  readonly kind: ColumnType["name"];
  /** Whether its values can be null. */
  readonly nullable: boolean;
  /** Whether the constructor can do without it. */
  readonly optional: boolean;
  /** Whether the database computes it always, so that the constructor takes none. */
  readonly generated: boolean;
  /** Whether it is the primary key, or a part of it. */
  readonly primaryKey: boolean;
}

/** The flags of a column of type `K` without modifiers. */
export interface Plain<K extends ColumnType["name"]> extends ColumnFlags {
  /** The name of the column's type. */
  readonly kind: K;
  /** Its values are never null. */
  readonly nullable: false;
  /** The constructor needs it. */
  readonly optional: false;
  /** It is written, not computed. */
  readonly generated: false;
  /** It is no part of the primary key. */
  readonly primaryKey: false;
}

/** The flags `F` with some of them changed to those of `G`. */
export type With<F extends ColumnFlags, G extends Partial<ColumnFlags>> = {
  readonly [K in keyof ColumnFlags]: K extends keyof G ? G[K] & ColumnFlags[K] : F[K];
};

/** Any column; what {@linkcode Column} is to the code that reads it. */
export interface AnyColumn {
  /**
   * What was declared.
   *
   * @internal
   */
  readonly spec: ColumnSpec;
  /** The type of the values, for the compiler only. */
  readonly [columnValue]: unknown;
  /** The flags, for the compiler only. */
  readonly [columnFlags]: ColumnFlags;
}

/** The modifiers that cannot go together, with the reason; each pair is looked up both ways. */
const CONFLICTS: readonly (readonly [Trait, Trait, string])[] = [
  ["primaryKey", "nullable", "a primary key is never null"],
  ["primaryKey", "generated", "a primary key cannot be computed from the row; use serverDefault()"],
  ["primaryKey", "onUpdate", "a primary key does not change"],
  ["primaryKey", "version", "a version changes and a primary key does not"],
  ["version", "nullable", "a version is never null"],
  ["version", "unique", "many rows have the same version"],
  ["version", "default", "a version starts at 1"],
  ["version", "serverDefault", "a version starts at 1"],
  ["version", "onUpdate", "the session counts the version"],
  ["version", "generated", "the session counts the version"],
  ["version", "foreignKey", "a version refers to nothing"],
  ["generated", "default", "the database computes it always"],
  ["generated", "serverDefault", "the database computes it always"],
  ["generated", "onUpdate", "the database computes it always"],
  ["generated", "foreignKey", "the database computes it always"],
  ["identity", "nullable", "a primary key is never null"],
  ["identity", "default", "the server makes it; use t.integer().primaryKey()"],
  ["identity", "serverDefault", "the server makes it already"],
  ["identity", "onUpdate", "a primary key does not change"],
  ["identity", "generated", "the server makes it already"],
  ["identity", "foreignKey", "the server makes it; use t.integer().primaryKey().foreignKey()"],
];

type Trait =
  | "nullable"
  | "primaryKey"
  | "unique"
  | "default"
  | "serverDefault"
  | "onUpdate"
  | "generated"
  | "foreignKey"
  | "version"
  | "identity";

/** Whether a column has had a modifier; a client-made UUID is not a default that the user asked for. */
function has(spec: ColumnSpec, trait: Trait): boolean {
  if (trait === "identity") return spec.type.name === "identity";
  if (trait === "default") return spec.makeDefault !== null && spec.makeDefault !== uuidv7;
  return Boolean(spec[trait]); // a flag, or what it was given
}

function refuse(spec: ColumnSpec, modifier: Trait, reason: string): never {
  throw new ValidationError(`${describe(spec)} cannot be given ${modifier}(): ${reason}`);
}

/** The column in a message: its type, and its name where it has one. */
function describe(spec: ColumnSpec): string {
  return `The column t.${spec.type.name}(${spec.column === null ? "" : JSON.stringify(spec.column)})`;
}

function expectSql(spec: ColumnSpec, modifier: Trait, expression: unknown): void {
  if (!(expression instanceof Sql)) refuse(spec, modifier, "an SQL expression is needed, such as sql`now()`");
}

function expectFunction(spec: ColumnSpec, modifier: Trait, make: unknown): void {
  if (typeof make !== "function") refuse(spec, modifier, "a function is needed, such as () => new Date()");
}

/** The function that makes a default; what instances would share and could change is refused. */
function defaultMaker(spec: ColumnSpec, value: unknown): () => unknown {
  if (typeof value === "function") return value as () => unknown;
  if (value instanceof Sql) refuse(spec, "default", "SQL is run by the database; use serverDefault()");
  if (isObject(value)) {
    refuse(spec, "default", "all instances would share this object; pass a function that makes a new one");
  }
  if (value === undefined) refuse(spec, "default", "undefined is no value; leave default() out, or use null");
  if (value === null && !spec.nullable && spec.type.name !== "json") {
    refuse(spec, "default", "null needs a nullable column; call nullable() before");
  }
  if (spec.type.name === "enumeration" && value !== null && !spec.type.values.includes(value as string)) {
    refuse(spec, "default", `${JSON.stringify(value)} is not one of ${JSON.stringify(spec.type.values)}`);
  }
  return () => value;
}

/**
 * A declared column, made by {@linkcode t}. Each modifier returns a new column and leaves the one it was called on as it
 * was. Modifiers that cannot go together (a primary key that is nullable, say) are refused with a `ValidationError` where
 * they are declared.
 *
 * @template T The type of its values
 * @template F What the constructor may do with it
 *
 * @example
 * ```ts
 * import { model, t } from "@ledge/session";
 * import { assertEquals } from "@std/assert";
 *
 * const name = t.varchar(100);
 * class User extends model("users", { id: t.identity(), name, nickname: name.nullable() }) {}
 * assertEquals({ ...new User({ name: "Ann" }) }, { name: "Ann", nickname: null });
 * ```
 */
export class Column<T, F extends ColumnFlags> implements AnyColumn {
  /** The type of the values, for the compiler only. */
  declare readonly [columnValue]: T;
  /** The flags, for the compiler only. */
  declare readonly [columnFlags]: F;
  /**
   * What was declared.
   *
   * @internal
   */
  readonly spec: ColumnSpec;

  /**
   * Makes a column from what was declared; `t` is the way to call it.
   *
   * @internal
   */
  constructor(spec: ColumnSpec) {
    this.spec = Object.freeze(spec);
  }

  /** Its values can be null; a new instance that is given none has null. */
  nullable(): Column<T | null, With<F, { nullable: true; optional: true }>> {
    return change(this.spec, "nullable", { nullable: true });
  }

  /**
   * It is the primary key, or one of its columns. `t.uuid().primaryKey()` makes its own values ({@linkcode uuidv7})
   * unless it has a default, a server default or is a foreign key.
   */
  primaryKey(): Column<T, With<F, { primaryKey: true; optional: F["kind"] extends "uuid" ? true : F["optional"] }>> {
    const { spec } = this;
    if (spec.type.name === "json" || spec.type.name === "array") {
      refuse(spec, "primaryKey", "such values do not name a row; use a scalar type");
    }
    const own = spec.type.name === "uuid" && spec.makeDefault === null && spec.serverDefault === null &&
      !spec.foreignKey;
    return change(spec, "primaryKey", { primaryKey: true, ...own ? { makeDefault: uuidv7 } : {} });
  }

  /** No two rows have the same value. */
  unique(): Column<T, F> {
    return change(this.spec, "unique", { unique: true });
  }

  /**
   * The value of a new instance that is given none. A function is called for each instance; an object, array, date or
   * bytes must come from a function, since all instances would share it.
   */
  default(value: (T extends object ? never : T) | (() => T)): Column<T, With<F, { optional: true }>> {
    return change(this.spec, "default", { makeDefault: defaultMaker(this.spec, value) });
  }

  /** The database makes the value of a new row that is given none; it is on the instance after the flush. */
  serverDefault(expression: Sql): Column<T, With<F, { optional: true }>> {
    expectSql(this.spec, "serverDefault", expression);
    return change(this.spec, "serverDefault", { serverDefault: expression, ...withoutOwnKey(this.spec) });
  }

  /** Makes the value of a changed instance at each flush, unless the change set it. */
  onUpdate(make: () => T): Column<T, F> {
    expectFunction(this.spec, "onUpdate", make);
    return change(this.spec, "onUpdate", { onUpdate: make });
  }

  /** The database computes the value always; it is never written. */
  generated(expression: Sql): Column<T, With<F, { optional: true; generated: true }>> {
    expectSql(this.spec, "generated", expression);
    return change(this.spec, "generated", { generated: expression });
  }

  /** A `belongsTo` gives it its value: the constructor can do without, and the flush checks that there is one. */
  foreignKey(): Column<T, With<F, { optional: true }>> {
    return change(this.spec, "foreignKey", { foreignKey: true, ...withoutOwnKey(this.spec) });
  }

  /** It counts the changes of its row, from 1, so that a change of a stale instance is refused. Only for `t.integer()`. */
  version(
    this: F["kind"] extends "integer" ? Column<T, F> : "only t.integer() can be a version",
  ): Column<T, With<F, { optional: true }>> {
    const { spec } = this as unknown as Column<T, F>;
    if (spec.type.name !== "integer") refuse(spec, "version", "only t.integer() can be a version");
    return change(spec, "version", { version: true });
  }
}

/** What takes the client-made UUID of a key back, once its value comes from elsewhere. */
function withoutOwnKey(spec: ColumnSpec): Partial<ColumnSpec> {
  return spec.makeDefault === uuidv7 ? { makeDefault: null } : {};
}

/** A copy with changes, once the modifier goes with the ones before it. The types are the caller's to say. */
function change<T, F extends ColumnFlags>(
  spec: ColumnSpec,
  modifier: Trait,
  changes: Partial<ColumnSpec>,
): Column<T, F> {
  for (const [a, b, reason] of CONFLICTS) {
    if ((a === modifier && has(spec, b)) || (b === modifier && has(spec, a))) refuse(spec, modifier, reason);
  }
  return new Column<T, F>({ ...spec, ...changes });
}
