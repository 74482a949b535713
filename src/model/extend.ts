/**
 * `extend()`: a subclass of a model, in the same table (single-table inheritance).
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import type { ColumnType } from "../sql/table.ts";
import { type AnyColumn, Column } from "./column.ts";
import { checkKind, extensionOf, type FamilyClass, familyOf } from "./family.ts";
import { expectColumns } from "./model.ts";
import { Extension, Family } from "./subclasses.ts";
import type { AnyModel, Columns, ColumnsOf, Entity, Insert, ModelOf, Props, RelationKeys } from "./types.ts";

/** The options of {@linkcode extend}. */
export interface ExtendOptions<K extends string = string> {
  /** The base's property whose value tells the class of a row; `"kind"` unless given. */
  readonly discriminator?: K;
}

/**
 * The discriminator of what a model was extended by; `"kind"` for a model of its own.
 *
 * @internal
 */
export type DiscriminatorOf<M> = M extends { readonly discriminator: infer K extends string } ? K : "kind";

/**
 * Columns without one of them.
 *
 * @internal
 */
export type Without<C extends Columns, K extends string> = { readonly [P in keyof C & string as Exclude<P, K>]: C[P] };

/** What {@linkcode extend} returns: the class to extend. */
export interface Extended<B extends Entity, D extends Columns, K extends string> {
  /** Makes a transient instance from the values of its columns; the discriminator gives itself its value. */
  new (values: Insert<Without<ColumnsOf<B> & D, K>>): B & Props<D> & Entity<ColumnsOf<B> & D>;
  /** The table's name in the database: the base's. */
  readonly table: string;
  /** The schema it is in, where it is not the database's default. */
  readonly schema: string | null;
  /** The columns, by property: the base's, and those of the subclass. */
  readonly columns: ColumnsOf<B> & D;
  /** The property whose value tells the class of a row. */
  readonly discriminator: K;
  /** Makes a transient instance from the values of its columns and relations, as the base's does. */
  create<T extends Entity>(
    this: ModelOf<T>,
    values: Insert<Without<ColumnsOf<T>, K>> & { [R in RelationKeys<T>]?: T[R] },
  ): T;
}

type Values = Record<string, unknown>;

/** The class as the code here sees it. */
interface RuntimeClass extends FamilyClass {
  new (values: Values): Values;
  readonly columns: Readonly<Record<string, AnyColumn>>;
}

/** The types of a column whose values can name a class. */
const NAMING: readonly ColumnType["name"][] = ["text", "varchar", "enumeration"];

/** The base's column that tells the class of a row. Throws a ValidationError where none can. */
function discriminatorOf(base: RuntimeClass, call: string, given: string | undefined): string {
  const inherited = (extensionOf(base)?.family ?? familyOf(base))?.discriminator;
  if (inherited !== undefined && given !== undefined && given !== inherited) {
    throw new ValidationError(
      `${call} was given the discriminator ${JSON.stringify(given)}, and ${base.name} is told apart by ${
        JSON.stringify(inherited)
      } already: leave it out`,
    );
  }
  const property = given ?? inherited ?? "kind";
  const column = Object.hasOwn(base.columns, property) ? base.columns[property] : undefined;
  if (column === undefined) {
    const fit = Object.keys(base.columns).filter((one) => isNaming(base.columns[one]!));
    throw new ValidationError(
      `${call} needs a column of ${base.name} that tells the class of a row, and there is no ${
        JSON.stringify(property)
      }: declare kind: t.text(), or name one with { discriminator }${
        fit.length === 0 ? "" : `, such as ${fit.join(", ")}`
      }`,
    );
  }
  if (!isNaming(column)) {
    throw new ValidationError(
      `${call} cannot tell the class of a row by ${base.name}.${property}: use a column of type text, varchar or ` +
        "enumeration that is not a key, not unique and not computed",
    );
  }
  return property;
}

function isNaming({ spec }: AnyColumn): boolean {
  return NAMING.includes(spec.type.name) && !spec.primaryKey && !spec.unique && spec.generated === null &&
    !spec.foreignKey && spec.onUpdate === null;
}

function expectKind(kind: unknown, { spec: { type } }: AnyColumn, call: string): void {
  const fits = typeof kind === "string" && kind !== "" &&
    (type.name !== "enumeration" || type.values.includes(kind)) &&
    (type.name !== "varchar" || kind.length <= type.length);
  if (!fits) throw new ValidationError(`${call} needs a kind that its discriminator can hold`);
}

/** The subclass's own columns: nothing that the table has already, and nothing that all its rows must have. */
function expectOwn(base: RuntimeClass, columns: Columns, call: string): void {
  const root = rootOf(base) as RuntimeClass;
  const taken = new Map<string, ColumnType | null>();
  for (const one of [root, ...(familyOf(root)?.extensions ?? []).map(({ shell }) => shell as RuntimeClass)]) {
    for (const [property, { spec }] of Object.entries(one.columns)) {
      const name = spec.column ?? property;
      // What a sibling has may be shared; what the base has is there already.
      if (!taken.has(name)) taken.set(name, Object.hasOwn(base.columns, property) ? null : spec.type);
    }
  }
  for (const [property, { spec }] of Object.entries(columns)) {
    const name = spec.column ?? property;
    if (Object.hasOwn(base.columns, property) || taken.get(name) === null) {
      throw new ValidationError(`${call} cannot declare ${JSON.stringify(property)}: ${base.name} has it already`);
    }
    if (spec.primaryKey || spec.version || spec.type.name === "identity") {
      throw new ValidationError(
        `${call} cannot declare a key or a version (${JSON.stringify(property)}): the base does`,
      );
    }
    const shared = taken.get(name);
    if (shared !== undefined && JSON.stringify(shared) !== JSON.stringify(spec.type)) {
      throw new ValidationError(
        `${call} declares the column ${
          JSON.stringify(name)
        }, which another subclass of ${root.name} has with another type`,
      );
    }
  }
}

function rootOf(base: FamilyClass): FamilyClass {
  return extensionOf(base)?.family.root ?? base;
}

/**
 * Declares a subclass of a model whose rows are in the same table, and returns the class to extend. A column of the base,
 * `kind` unless another is named, tells the class of a row; it is written by the session and does not change. The
 * columns of the subclass are nullable in the table, since other rows have none, and are what they were declared in the
 * class.
 *
 * Queries, gets and relations of the base give instances of the right subclass; those of a subclass leave other rows
 * out. A row with a kind that no subclass has is an instance of the base. Name the subclasses on the base, so that each
 * is known wherever the base is read: `static subclasses = () => [Film]`. One that is named nowhere is known once it was
 * used (`new Film`, `query(Film)`, `createAll(db, [Media, Film])`); a row of one that is not known yet throws a
 * `ValidationError`, and so does a base whose list leaves one out. A subclass can be extended further.
 *
 * @param base The model to extend
 * @param kind What the discriminator holds in the rows of this class
 * @param columns The columns of this class alone, by property
 *
 * @example
 * ```ts
 * import { createAll, extend, model, Session, t } from "@ledge/session";
 * import { libsql } from "@ledge/session/libsql/local";
 * import { assert, assertEquals } from "@std/assert";
 *
 * class Media extends model("media", { id: t.identity(), kind: t.text().default("other"), title: t.text() }) {
 *   static subclasses = () => [Film];
 * }
 * class Film extends extend(Media, "film", { minutes: t.integer() }) {
 *   get isLong(): boolean {
 *     return this.minutes > 120;
 *   }
 * }
 *
 * const db = libsql({ url: ":memory:" });
 * await createAll(db, [Media]); // one table
 * await using session = new Session({ bind: db });
 * session.addAll([new Film({ title: "Edges", minutes: 130 }), new Media({ title: "Notes" })]);
 * await session.commit();
 * session.expungeAll();
 * const [film] = await session.query(Media).where({ title: "Edges" }).all();
 * assert(film instanceof Film && film.isLong);
 * assertEquals(await session.query(Film).count(), 1);
 * ```
 */
export function extend<M extends AnyModel, D extends Columns, K extends string = DiscriminatorOf<M>>(
  base: M,
  kind: string,
  columns: D,
  options: ExtendOptions<K & keyof ColumnsOf<InstanceType<M>>> = {},
): Extended<InstanceType<M>, D, K> {
  const call = `extend(${JSON.stringify(kind)})`;
  if (typeof base !== "function" || typeof (base as Partial<RuntimeClass>).columns !== "object") {
    throw new ValidationError(`${call} needs the model to extend`);
  }
  const above = base as unknown as RuntimeClass;
  extensionOf(above)?.learn(above);
  const property = discriminatorOf(above, call, options.discriminator);
  const discriminator = above.columns[property]!;
  expectKind(kind, discriminator, call);
  expectColumns(call, columns);
  expectOwn(above, columns, call);
  const declared: Columns = Object.freeze({
    ...above.columns,
    [property]: new Column({ ...discriminator.spec, makeDefault: () => kind, serverDefault: null }),
    ...columns,
  });

  class Shell extends above {
    static override readonly columns: Columns = declared;
    static readonly discriminator: string = property;

    constructor(values: Values) {
      // Of a class further down, only the nearest extension is its own.
      if (Object.getPrototypeOf(new.target) === Shell) extension.learn(new.target);
      if (extensionOf(new.target) === extension && typeof values === "object" && values !== null) {
        checkKind(new.target, values[property], `new ${new.target.name}()`);
      }
      super(values);
    }
  }
  const root = rootOf(above);
  const extension: Extension = new Extension(familyOf(root) ?? new Family(root, property), above, kind, Shell);
  return Shell as unknown as Extended<InstanceType<M>, D, K>;
}
