/**
 * The types of models and their instances: what `model()` infers from the columns, and what the constructor, `create()`,
 * `include` and keys are typed by. Types only. What queries are typed by is in query_types.ts.
 *
 * Relations are read off the properties that an instance declares (`declare books?: Book[]`), never off `static
 * relations`: those of a cycle of models would be circular in the inference. {@linkcode Declared} checks, where a model is
 * used, that the two agree.
 *
 * @module
 */
import type { AnyColumn, columnFlags, columnValue } from "./column.ts";

/** Where an instance keeps the type of its columns; there is no such property at run time. */
export declare const /** @internal */ entityColumns: unique symbol;

/** The columns of a model, by property. */
export type Columns = { readonly [property: string]: AnyColumn };

/** What every instance of a model is. */
export interface Entity<C extends Columns = Columns> {
  /** The type of the columns, for the compiler only. */
  readonly [entityColumns]: C;
}

/** The columns of an instance's model. */
export type ColumnsOf<T> = T extends Entity<infer C> ? C : never;

/** The value of a column. */
export type ValueOf<C extends AnyColumn> = C[typeof columnValue];

/** The properties that the columns give an instance; generated ones are only read. */
export type Props<C extends Columns> =
  & { -readonly [K in keyof C as C[K][typeof columnFlags]["generated"] extends true ? never : K]: ValueOf<C[K]> }
  & { readonly [K in keyof C as C[K][typeof columnFlags]["generated"] extends true ? K : never]: ValueOf<C[K]> };

/**
 * Whether the constructor needs a column, can do without, or takes none.
 *
 * @internal
 */
type Need<C extends AnyColumn> = C[typeof columnFlags]["generated"] extends true ? "none"
  : C[typeof columnFlags]["optional"] extends true ? "optional"
  : "required";

/**
 * One object type instead of an intersection, so that messages name properties.
 *
 * @internal
 */
type Flat<T> = T extends infer O ? { [K in keyof O]: O[K] } : never;

/**
 * What the constructor takes: every column that nothing else gives a value; the rest if wanted.
 *
 * @example
 * ```ts
 * import { type ColumnsOf, type Insert, model, t } from "@ledge/session";
 *
 * class Book extends model("books", { id: t.identity(), title: t.text() }) {}
 * const values: Insert<ColumnsOf<Book>> = { title: "Edges" };
 * new Book(values);
 * ```
 */
export type Insert<C extends Columns> = Flat<
  & { [K in keyof C as Need<C[K]> extends "required" ? K : never]: ValueOf<C[K]> }
  & { [K in keyof C as Need<C[K]> extends "optional" ? K : never]?: ValueOf<C[K]> }
>;

/** A class whose instances are `T`, whatever its constructor takes. */
export type ModelOf<T> = new (values: never) => T;

/** What {@linkcode model} returns: the class to extend. */
export interface ModelClass<C extends Columns> {
  /** Makes a transient instance from the values of its columns. */
  new (values: Insert<C>): Props<C> & Entity<C>;
  /** The table's name in the database. */
  readonly table: string;
  /** The schema it is in, where it is not the database's default. */
  readonly schema: string | null;
  /** The columns, by property, in the order they were declared. */
  readonly columns: C;
  /**
   * Makes a transient instance from the values of its columns and relations. A relation to many takes an array, a
   * relation to one an instance or null; anything else is refused with a `ValidationError`.
   */
  create<T extends Entity>(this: ModelOf<T>, values: Create<T>): T;
}

/** Any model. */
export interface AnyModel {
  /** Makes a transient instance. */
  new (values: never): Entity;
  /** The class's name. */
  readonly name: string;
  /** The table's name in the database. */
  readonly table: string;
  /** The schema it is in, where it is not the database's default. */
  readonly schema: string | null;
  /** The columns, by property. */
  readonly columns: Columns;
}

/** The instance or instances that a declared relation leads to. */
export type Target<P> = NonNullable<P> extends readonly (infer E)[] ? E : NonNullable<P>;

/** @internal */
type IsEntity<E> = [E] extends [never] ? false : typeof entityColumns extends keyof E ? true : false;

/** The properties of an instance that are relations: those declared with a model or an array of one. */
export type RelationKeys<T> = {
  [K in keyof T & string]-?: K extends keyof ColumnsOf<T> ? never : IsEntity<Target<T[K]>> extends true ? K : never;
}[keyof T & string];

/**
 * What `create()` takes: what the constructor takes, and relations.
 *
 * @example
 * ```ts
 * import { type Create, model, t } from "@ledge/session";
 *
 * class Book extends model("books", { id: t.identity(), title: t.text() }) {}
 * const values: Create<Book> = { title: "Edges" };
 * Book.create(values);
 * ```
 */
export type Create<T> = Insert<ColumnsOf<T>> & { [K in RelationKeys<T>]?: T[K] };

/**
 * The relations to load with an instance: their names, or an object that says how to go on from each.
 *
 * @example
 * ```ts
 * import { hasMany, type Include, model, t } from "@ledge/session";
 *
 * class Book extends model("books", { id: t.identity(), authorId: t.integer().foreignKey() }) {}
 * class Author extends model("authors", { id: t.identity() }) {
 *   declare books?: Book[];
 *   static relations = { books: hasMany(() => Book, "authorId") };
 * }
 * const asObject: Include<Author> = { books: true };
 * const asList: Include<Author> = ["books"];
 * ```
 */
export type Include<T> =
  | { readonly [K in RelationKeys<T>]?: true | Include<Target<T[K]>> }
  | readonly RelationKeys<T>[];

/**
 * A loaded relation: the array, or the one instance, null where the declaration allows it.
 *
 * @internal
 */
type Filled<P, E> = NonNullable<P> extends readonly (infer B)[] ? Collection<E, B> : null extends P ? E | null : E;

/**
 * A loaded collection: its members are known to be loaded further, and others can be put into it all the same.
 *
 * @internal
 */
type Collection<E, B> = [B] extends [E] ? E[]
  : E[] & { push(...members: B[]): number; unshift(...members: B[]): number };

/**
 * An instance whose included relations are known to be loaded.
 *
 * @example
 * ```ts
 * import { hasMany, type Loaded, model, t } from "@ledge/session";
 *
 * class Book extends model("books", { id: t.identity(), authorId: t.integer().foreignKey() }) {}
 * class Author extends model("authors", { id: t.identity() }) {
 *   declare books?: Book[];
 *   static relations = { books: hasMany(() => Book, "authorId") };
 * }
 * function count(author: Loaded<Author, ["books"]>): number {
 *   return author.books.length; // not undefined
 * }
 * ```
 */
export type Loaded<T, I> = I extends true ? T
  : [keyof I] extends [never] ? T
  : I extends readonly (infer K)[] ? Replaced<T, { [P in K & keyof T]-?: Filled<T[P], Target<T[P]>> }>
  : Replaced<T, { [P in keyof I & keyof T]-?: Filled<T[P], Loaded<Target<T[P]>, I[P]>> }>;

/**
 * An instance with some properties of another type. Not `T & F`: of an intersection of two array types, iteration and
 * methods like `map` see the members of the first only.
 *
 * @internal
 */
type Replaced<T, F> = { [P in keyof T as P extends keyof F ? never : P]: T[P] } & F;

/** The names of the primary key's properties. */
export type KeyNames<T> = KeyNamesOf<ColumnsOf<T>>;
/** @internal */
type KeyNamesOf<C extends Columns> = {
  [K in keyof C & string]: C[K][typeof columnFlags]["primaryKey"] extends true ? K : never;
}[keyof C & string];

type UnionToFunctions<U> = U extends unknown ? (f: () => U) => void : never;
type LastOf<U> = UnionToFunctions<U> extends (f: infer F) => void ? F extends () => infer L ? L : never : never;
/** A tuple with as many values as there are names. TypeScript keeps no order of properties, so each can be any value. */
type TupleOf<Names, Value, T extends readonly unknown[] = []> = [Names] extends [never] ? Readonly<T>
  : TupleOf<Exclude<Names, LastOf<Names>>, Value, [...T, Value]>;
type IsUnion<U> = [U] extends [LastOf<U>] ? false : true;

/**
 * A primary key: its value, a tuple of its values in the order they were declared, or `{ property: value }`. Of a key of
 * several columns, a tuple or an object.
 *
 * @example
 * ```ts
 * import { type Key, model, t } from "@ledge/session";
 *
 * class Seat extends model("seats", { row: t.integer().primaryKey(), letter: t.text().primaryKey() }) {}
 * const asTuple: Key<Seat> = [12, "A"];
 * const asObject: Key<Seat> = { row: 12, letter: "A" };
 * ```
 */
export type Key<T> = KeyOf<ColumnsOf<T>, KeyNames<T>>;
/** @internal */
type KeyOf<C extends Columns, N extends keyof C> =
  | { readonly [K in N]: ValueOf<C[K]> }
  | TupleOf<N, ValueOf<C[N]>>
  | (IsUnion<N> extends true ? never : ValueOf<C[N]>);
