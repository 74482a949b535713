/**
 * The types that queries and sessions take: conditions, orders, assignments. Types only.
 *
 * @module
 */
import type { Sql } from "../sql/tag.ts";
import type { AnyColumn, columnFlags } from "./column.ts";
import type { Columns, ColumnsOf, ValueOf } from "./types.ts";

/** What a column of any type can be asked. */
export interface Equality<P> {
  /** Equal; `null` finds NULL. */
  readonly eq?: P | Sql;
  /** Not equal; `null` finds what is not NULL. */
  readonly ne?: P | Sql;
  /** One of these. */
  readonly in?: readonly NonNullable<P>[];
  /** None of these. */
  readonly notIn?: readonly NonNullable<P>[];
  /** NULL, or not. */
  readonly isNull?: boolean;
}

/** What a column whose values have an order can be asked besides. */
export interface Ordering<P> {
  /** Greater. */
  readonly gt?: P | Sql;
  /** Greater or equal. */
  readonly gte?: P | Sql;
  /** Less. */
  readonly lt?: P | Sql;
  /** Less or equal. */
  readonly lte?: P | Sql;
  /** From the first to the second, both included. */
  readonly between?: readonly [P, P];
}

/** What a text column can be asked besides. */
export interface Matching {
  /** An SQL pattern: `%` is any text, `_` any character. */
  readonly like?: string;
  /** Starts with exactly this text. */
  readonly startsWith?: string;
  /** Ends with exactly this text. */
  readonly endsWith?: string;
  /** Contains exactly this text. */
  readonly contains?: string;
}

/** The operators on a column with values of type `P`. */
export type Op<P> =
  & Equality<P>
  & (NonNullable<P> extends string | number | bigint | Date ? Ordering<NonNullable<P>> : unknown)
  & (NonNullable<P> extends string ? Matching : unknown);

/**
 * A column's value or operators; of JSON and arrays, operators only, since an object could be either.
 *
 * @internal
 */
type Condition<C extends AnyColumn> = C[typeof columnFlags]["kind"] extends "json" | "array"
  ? Equality<ValueOf<C>> | (C[typeof columnFlags]["nullable"] extends true ? null : never)
  : ValueOf<C> | Op<ValueOf<C>>;

/** Conditions on columns, all of which must hold. */
export type WhereObject<T> =
  & { readonly [K in keyof ColumnsOf<T>]?: Condition<ColumnsOf<T>[K]> }
  & {
    /** All of these hold. */
    readonly and?: readonly Where<T>[];
    /** One of these holds. */
    readonly or?: readonly Where<T>[];
    /** This does not hold. */
    readonly not?: Where<T>;
  };

/**
 * A condition on rows: an object of values and operators, or SQL. What an object names must hold together.
 *
 * @example
 * ```ts
 * import { model, sql, t, type Where } from "@ledge/session";
 *
 * class Book extends model("books", { id: t.identity(), title: t.text(), pages: t.integer().nullable() }) {}
 * const short: Where<Book> = { title: { like: "The %" }, or: [{ pages: null }, { pages: { lt: 100 } }] };
 * const even: Where<Book> = { not: sql`pages % 2 = 1` };
 * ```
 */
export type Where<T> = Sql | WhereObject<T>;

/** The order of rows by columns, the first of them first. */
export type OrderByObject<T> = { readonly [K in keyof ColumnsOf<T>]?: "asc" | "desc" };

/**
 * The order of rows: an object of columns, SQL, or a list of both.
 *
 * @example
 * ```ts
 * import { model, type OrderBy, sql, t } from "@ledge/session";
 *
 * class Book extends model("books", { id: t.identity(), title: t.text() }) {}
 * const byTitle: OrderBy<Book> = { title: "asc", id: "desc" };
 * const byLength: OrderBy<Book> = [sql`length(title)`, { id: "asc" }];
 * ```
 */
export type OrderBy<T> = OrderByObject<T> | Sql | readonly (OrderByObject<T> | Sql)[];

/** @internal */
type WrittenKeys<C extends Columns> = {
  [K in keyof C]: C[K][typeof columnFlags]["generated"] extends true ? never : K;
}[keyof C];

/**
 * Values for properties, each of which may be SQL; generated columns are left out.
 *
 * @example
 * ```ts
 * import { type Assign, model, sql, t } from "@ledge/session";
 *
 * class Page extends model("pages", { id: t.identity(), visits: t.integer() }) {}
 * const visit: Assign<Page> = { visits: sql`visits + 1` };
 * ```
 */
export type Assign<T> = { readonly [K in WrittenKeys<ColumnsOf<T>>]?: ValueOf<ColumnsOf<T>[K]> | Sql };
