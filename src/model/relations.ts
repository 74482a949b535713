/**
 * Relations between models, as they stand in `static relations`. A relation holds plain data (its
 * {@linkcode RelationSpec}); the mapper resolves the target once all models are defined.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import type { OnDelete } from "../sql/table.ts";
import type { Cascade, RelationSpec } from "./spec.ts";
import type { ColumnsOf, Entity, ModelOf } from "./types.ts";

export type { Cascade } from "./spec.ts";

/** Where a relation keeps its types; there is no such property at run time. */
export declare const /** @internal */ relationTypes: unique symbol;

/** The kinds of relations. */
export type RelationKind = "belongsTo" | "hasOne" | "hasMany" | "manyToMany";

/**
 * A declared relation, made by {@linkcode belongsTo}, {@linkcode hasOne}, {@linkcode hasMany} or
 * {@linkcode manyToMany}.
 *
 * @template T The instances it leads to
 * @template Many Whether it leads to many
 * @template K Its kind
 * @template Own The owner's properties that it uses, where the compiler knows them
 */
export class Relation<
  T,
  Many extends boolean,
  K extends RelationKind = RelationKind,
  Own extends string = string,
> {
  /** The types, for the compiler only. */
  declare readonly [relationTypes]: { readonly target: T; readonly many: Many; readonly kind: K; readonly own: Own };
  /**
   * What was declared.
   *
   * @internal
   */
  readonly spec: RelationSpec;

  /**
   * Makes a relation from what was declared; the functions of this module are the way to call it.
   *
   * @internal
   */
  constructor(spec: RelationSpec) {
    this.spec = Object.freeze(spec);
  }
}

/** One property, or several of a composite key. */
export type Names<N extends string = string> = N | readonly [N, ...N[]];

/**
 * The names in either form.
 *
 * @internal
 */
type NameIn<N extends Names> = N extends string ? N : N[number] & string;

/** The properties of a model that can be the foreign key of a relation to it. */
export type ForeignKeyIn<T> = Names<keyof ColumnsOf<T> & string>;

/** The options of {@linkcode belongsTo}. */
export interface BelongsToOptions {
  /** What the database does with these rows when the row they refer to is deleted. */
  readonly onDelete?: OnDelete;
  /** What a change of the owner does to the related instance; `["save"]` unless given. */
  readonly cascade?: readonly Exclude<Cascade, "deleteOrphan">[];
}

/** The options of {@linkcode hasOne} and {@linkcode hasMany}. */
export interface HasOptions {
  /** What a change of the owner does to the related instances; `["save"]` unless given. */
  readonly cascade?: readonly Cascade[];
}

/** The options of {@linkcode manyToMany}. */
export interface ManyToManyOptions {
  /** The table between. */
  readonly through: string;
  /** Its columns that refer to the owner's primary key. */
  readonly from: Names;
  /** Its columns that refer to the target's primary key. */
  readonly to: Names;
  /** What a change of the owner does to the related instances; `["save"]` unless given. */
  readonly cascade?: readonly Exclude<Cascade, "deleteOrphan">[];
}

const CASCADES: readonly Cascade[] = ["save", "delete", "deleteOrphan"];
const ON_DELETE: readonly OnDelete[] = ["cascade", "set null", "restrict", "no action"];

function quoted(names: readonly string[]): string {
  return names.map((name) => JSON.stringify(name)).join(", ");
}

function names(kind: string, what: string, given: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (list.length === 0 || list.some((name) => typeof name !== "string" || name === "")) {
    throw new ValidationError(`${kind}() needs ${what}: a name, or a list of names for a composite key`);
  }
  if (new Set(list).size < list.length) throw new ValidationError(`${kind}() was given a name twice in ${what}`);
  return Object.freeze([...list as readonly string[]]);
}

/** The cascades in a fixed order; deleteOrphan brings delete, as in SQLAlchemy: a child without parent is not kept. */
function cascades(kind: RelationKind, given: readonly Cascade[] = ["save"]): readonly Cascade[] {
  const unknown = Array.isArray(given) ? given.find((name) => !CASCADES.includes(name)) : given;
  if (unknown !== undefined) {
    throw new ValidationError(
      `${kind}() does not know the cascade ${JSON.stringify(unknown)}: use a list of ${quoted(CASCADES)}`,
    );
  }
  const orphans = given.includes("deleteOrphan");
  if (orphans && kind !== "hasOne" && kind !== "hasMany") {
    throw new ValidationError(
      `${kind}() cannot cascade deleteOrphan: the related instance may have other owners; declare it on hasOne() or hasMany()`,
    );
  }
  return Object.freeze(CASCADES.filter((name) => given.includes(name) || (orphans && name === "delete")));
}

function relation<T, Many extends boolean, K extends RelationKind, Own extends string>(
  kind: K,
  target: () => unknown,
  rest: Partial<RelationSpec>,
): Relation<T, Many, K, Own> {
  if (typeof target !== "function" || "columns" in target) {
    throw new ValidationError(`${kind}() needs a function that returns the model, such as () => Author`);
  }
  return new Relation({ kind, target, foreignKey: [], cascade: [], onDelete: null, through: null, ...rest });
}

/**
 * The owner refers to one instance of another model through a foreign key of its own. This is what declares the foreign
 * key. A foreign key that cannot be, or a cascade of `"deleteOrphan"`, is refused with a `ValidationError`.
 *
 * @param target A function that returns the other model
 * @param foreignKey The owner's property that holds the other's primary key; a list for a composite one
 *
 * @example
 * ```ts
 * import { belongsTo, model, t } from "@ledge/session";
 *
 * class Author extends model("authors", { id: t.uuid().primaryKey(), name: t.text() }) {}
 * class Book extends model("books", { id: t.identity(), authorId: t.uuid("author_id").foreignKey() }) {
 *   declare author?: Author;
 *   static relations = { author: belongsTo(() => Author, "authorId", { onDelete: "cascade" }) };
 * }
 * Book.create({ author: new Author({ name: "Ann" }) });
 * ```
 */
export function belongsTo<T extends Entity, const N extends Names>(
  target: () => ModelOf<T>,
  foreignKey: N,
  options: BelongsToOptions = {},
): Relation<T, false, "belongsTo", NameIn<N>> {
  const onDelete = options.onDelete ?? null;
  if (onDelete !== null && !ON_DELETE.includes(onDelete)) {
    throw new ValidationError(
      `belongsTo() does not know onDelete ${JSON.stringify(onDelete)}: use one of ${quoted(ON_DELETE)}`,
    );
  }
  return relation("belongsTo", target, {
    foreignKey: names("belongsTo", "the foreign key", foreignKey),
    cascade: cascades("belongsTo", options.cascade),
    onDelete,
  });
}

/**
 * One instance of another model refers to the owner, or none: declare the property with `| null`.
 *
 * @param target A function that returns the other model
 * @param foreignKey The other's property that holds the owner's primary key; a list for a composite one
 *
 * @example
 * ```ts
 * import { hasOne, model, t } from "@ledge/session";
 *
 * class Profile extends model("profiles", { id: t.identity(), userId: t.uuid("user_id").foreignKey() }) {}
 * class User extends model("users", { id: t.uuid().primaryKey() }) {
 *   declare profile?: Profile | null;
 *   static relations = { profile: hasOne(() => Profile, "userId", { cascade: ["save", "delete"] }) };
 * }
 * User.create({ profile: new Profile({}) });
 * ```
 */
export function hasOne<T extends Entity>(
  target: () => ModelOf<T>,
  foreignKey: ForeignKeyIn<T>,
  options: HasOptions = {},
): Relation<T, false, "hasOne"> {
  return relation("hasOne", target, {
    foreignKey: names("hasOne", "the foreign key", foreignKey),
    cascade: cascades("hasOne", options.cascade),
  });
}

/**
 * Many instances of another model refer to the owner. The cascade `"deleteOrphan"` deletes those that leave the
 * collection, and brings `"delete"` with it.
 *
 * @param target A function that returns the other model
 * @param foreignKey The other's property that holds the owner's primary key; a list for a composite one
 *
 * @example
 * ```ts
 * import { hasMany, model, t } from "@ledge/session";
 *
 * class Book extends model("books", { id: t.identity(), authorId: t.uuid("author_id").foreignKey() }) {}
 * class Author extends model("authors", { id: t.uuid().primaryKey() }) {
 *   declare books?: Book[];
 *   static relations = { books: hasMany(() => Book, "authorId", { cascade: ["save", "deleteOrphan"] }) };
 * }
 * Author.create({ books: [new Book({})] });
 * ```
 */
export function hasMany<T extends Entity>(
  target: () => ModelOf<T>,
  foreignKey: ForeignKeyIn<T>,
  options: HasOptions = {},
): Relation<T, true, "hasMany"> {
  return relation("hasMany", target, {
    foreignKey: names("hasMany", "the foreign key", foreignKey),
    cascade: cascades("hasMany", options.cascade),
  });
}

/**
 * Many instances of another model belong to many of this one, through a table between that is no model.
 *
 * @param target A function that returns the other model
 * @param options The table between and its columns
 *
 * @example
 * ```ts
 * import { manyToMany, model, t } from "@ledge/session";
 *
 * class Tag extends model("tags", { id: t.identity(), name: t.text() }) {}
 * class Book extends model("books", { id: t.identity() }) {
 *   declare tags?: Tag[];
 *   static relations = { tags: manyToMany(() => Tag, { through: "book_tags", from: "book_id", to: "tag_id" }) };
 * }
 * Book.create({ tags: [new Tag({ name: "edge" })] });
 * ```
 */
export function manyToMany<T extends Entity>(
  target: () => ModelOf<T>,
  options: ManyToManyOptions,
): Relation<T, true, "manyToMany"> {
  const { through, from, to, cascade } = options ?? {};
  if (typeof through !== "string" || through === "") {
    throw new ValidationError("manyToMany() needs the table between (through): its name");
  }
  return relation("manyToMany", target, {
    cascade: cascades("manyToMany", cascade),
    through: Object.freeze({
      table: through,
      from: names("manyToMany", "the columns of the owner (from)", from),
      to: names("manyToMany", "the columns of the target (to)", to),
    }),
  });
}
