/**
 * `model()`: the class that a declaration extends. It makes instances with own, plain data properties and nothing else:
 * what a session knows of an instance is kept beside it. The tables and keys behind it are the mapper's.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import { Bearer } from "./bearer.ts";
import { Column } from "./column.ts";
import { checkKind, familyOf, relationsOf } from "./family.ts";
import { nearest } from "./nearest.ts";
import { quoted } from "./quoted.ts";
import { Relation } from "./relations.ts";
import type { ColumnSpec } from "./spec.ts";
import type { Columns, ModelClass } from "./types.ts";
import { isObject } from "../sql/object.ts";

/** The options of {@linkcode model}. */
export interface ModelOptions {
  /** The schema that the table is in, where it is not the database's default. */
  readonly schema?: string;
}

type Values = Record<string, unknown>;

/** The class as the code here sees it; the user's types are in {@linkcode ModelClass}. */
interface RuntimeModel {
  new (values: Values): Values;
  readonly name: string;
  readonly columns: Columns;
  readonly relations?: Readonly<Record<string, unknown>>;
}

/** Names that a property cannot have: they mean something else on an instance or in a condition. */
const RESERVED: ReadonlySet<string> = /* @__PURE__ */ new Set(["__proto__", "constructor", "and", "or", "not"]);

function expectName(what: string, name: unknown): void {
  if (typeof name !== "string" || name === "" || name.includes("\0")) {
    throw new ValidationError(`model() needs ${what} as text, not ${JSON.stringify(name)}`);
  }
}

/** Refuses what are no columns. */
export function expectColumns(call: string, columns: Columns): void {
  if (!isObject(columns)) {
    throw new ValidationError(`${call} needs its columns, such as { id: t.uuid().primaryKey() }`);
  }
  for (const [property, column] of Object.entries(columns)) {
    if (RESERVED.has(property)) {
      throw new ValidationError(
        `${call} cannot have a property named ${
          JSON.stringify(property)
        }: give it another name and the column its own, ` +
          `as in title: t.text(${JSON.stringify(property)})`,
      );
    }
    if (!(column instanceof Column)) {
      throw new ValidationError(`${call} needs a column for ${JSON.stringify(property)}, such as t.text()`);
    }
  }
}

/** What a call is called in a message. Written out only there: each new instance makes one or two calls. */
type Call = (model: RuntimeModel) => string;
const byNew: Call = (model) => `new ${model.name}()`;
const byCreate: Call = (model) => `${model.name}.create()`;

function expectValues(call: Call, model: RuntimeModel, values: unknown): asserts values is Values {
  if (!isObject(values) || Array.isArray(values)) {
    throw new ValidationError(
      `${call(model)} needs an object of values, not ${
        values === null ? "null" : Array.isArray(values) ? "an array" : typeof values
      }`,
    );
  }
}

/** Refuses what a property cannot be given. Own properties only are looked at, so that `__proto__` is but a name. */
function expectValue(call: Call, model: RuntimeModel, property: string, value: unknown): void {
  const column = Object.hasOwn(model.columns, property) ? model.columns[property] : undefined;
  if (column !== undefined && value !== undefined && column.spec.generated === null) return;
  const name = quoted(property);
  if (column === undefined) {
    const relations = relationsOf(model);
    if (Object.hasOwn(relations, property)) {
      throw new ValidationError(
        `${call(model)} takes columns only: use ${model.name}.create() to give the relation ${name}`,
      );
    }
    const near = nearest(property, [...Object.keys(model.columns), ...Object.keys(relations)]);
    throw new ValidationError(
      `${call(model)} was given ${name}, which is no property of ${model.name}: ` +
        (near === null
          ? `its columns are ${Object.keys(model.columns).join(", ")}`
          : `did you mean ${JSON.stringify(near)}?`),
    );
  }
  if (value === undefined) {
    throw new ValidationError(`${call(model)} was given undefined for ${name}: leave it out, or use null`);
  }
  throw new ValidationError(`${call(model)} was given ${name}, which the database computes: leave it out`);
}

// By the columns of a class, since subclasses have more than the class that was declared first.
const specs: WeakMap<Columns, readonly (readonly [string, ColumnSpec])[]> = new WeakMap();

function specsOf(columns: Columns): readonly (readonly [string, ColumnSpec])[] {
  let known = specs.get(columns);
  if (known === undefined) {
    known = Object.entries(columns).map(([property, column]) => [property, column.spec] as const);
    specs.set(columns, known);
  }
  return known;
}

/** What constructors made up. */
class MadeUp extends Bearer {
  #values: Values;

  constructor(instance: object, values: Values) {
    super(instance);
    this.#values = values;
  }

  static of(instance: object): Values | undefined {
    return #values in instance ? instance.#values : undefined;
  }
}

/** What the constructor of an instance made up for a property, since it was given nothing; undefined where it did not. */
export function madeUp(instance: object, property: string): unknown {
  const values = MadeUp.of(instance);
  return values && Object.hasOwn(values, property) ? values[property] : undefined;
}

/** Whether an instance holds in a property what its constructor made up. */
export function isDefaulted(instance: object, property: string): boolean {
  const value = madeUp(instance, property);
  return value !== undefined && Object.is(value, (instance as Values)[property]);
}

/** The value of a property that was given none; undefined where it is to be absent. */
function initial(spec: ColumnSpec): unknown {
  if (spec.makeDefault !== null) return spec.makeDefault();
  if (spec.version) return 1;
  return spec.nullable && spec.serverDefault === null && spec.generated === null ? null : undefined;
}

/** The related instance or instances, once they are of the kind that the relation leads to. */
function related(call: string, property: string, relation: unknown, value: unknown): unknown {
  const name = JSON.stringify(property);
  if (!(relation instanceof Relation)) {
    throw new ValidationError(
      `${call} cannot set ${name}: declare the relation with belongsTo(), hasOne(), hasMany() or manyToMany()`,
    );
  }
  if (value === undefined) {
    throw new ValidationError(
      `${call} was given undefined for ${name}: leave it out${isMany(relation) ? "" : ", or use null"}`,
    );
  }
  const target = relation.spec.target();
  const wanted = typeof target === "function" ? target.name : "its model";
  const fits = (one: unknown) => typeof target === "function" ? one instanceof target : isObject(one);
  if (isMany(relation)) {
    if (!Array.isArray(value)) {
      throw new ValidationError(`${call} needs an array of ${wanted} for the relation ${name}`);
    }
    const wrong = value.findIndex((one) => !fits(one));
    if (wrong >= 0) {
      throw new ValidationError(`${call} needs an array of ${wanted} for the relation ${name}: item ${wrong} is none`);
    }
    return value.slice();
  }
  if (value !== null && !fits(value)) {
    throw new ValidationError(`${call} needs one instance of ${wanted}, or null, for the relation ${name}`);
  }
  return value;
}

function isMany(relation: Relation<unknown, boolean>): boolean {
  return relation.spec.kind === "hasMany" || relation.spec.kind === "manyToMany";
}

/**
 * Declares a table and returns the class to extend. Instances are plain: their columns are own data properties. The class
 * must have no constructor, `#private` or initialised field of its own, since loading runs no constructor.
 *
 * The constructor takes columns, `create()` columns and relations. Both refuse an unknown property, `undefined` and a
 * value for a generated column with a `ValidationError`; a value of the wrong type, or a missing one, is refused at the
 * flush.
 *
 * @param table The table's name in the database
 * @param columns The columns, by property
 *
 * @example
 * ```ts
 * import { model, t } from "@ledge/session";
 * import { assertEquals } from "@std/assert";
 *
 * class Author extends model("authors", {
 *   id: t.uuid().primaryKey(),
 *   name: t.text(),
 *   bio: t.text().nullable(),
 * }) {
 *   rename(name: string): this {
 *     this.name = name;
 *     return this;
 *   }
 * }
 *
 * const ann = new Author({ name: "Ann" }).rename("Anna");
 * assertEquals(ann.name, "Anna");
 * assertEquals(ann.bio, null);
 * ```
 */
export function model<C extends Columns>(table: string, columns: C, options: ModelOptions = {}): ModelClass<C> {
  expectName("a table's name", table);
  expectColumns(`model(${JSON.stringify(table)})`, columns);
  if (options.schema !== undefined) expectName("a schema's name", options.schema);
  const declared: C = Object.freeze({ ...columns });

  class Model {
    static readonly table: string = table;
    static readonly schema: string | null = options.schema ?? null;
    static readonly columns: C = declared;

    constructor(values: Values) {
      const model = new.target as unknown as RuntimeModel;
      expectValues(byNew, model, values);
      for (const property in values) {
        if (Object.hasOwn(values, property)) expectValue(byNew, model, property, values[property]);
      }
      const family = familyOf(model);
      if (family !== undefined) checkKind(model, values[family.discriminator], byNew(model));
      let madeUp: Values | null = null;
      for (const [property, spec] of specsOf(model.columns)) {
        const given = Object.hasOwn(values, property);
        const value = given ? values[property] : initial(spec);
        if (value === undefined) continue;
        (this as Values)[property] = value;
        if (!given) (madeUp ??= {})[property] = value;
      }
      if (madeUp !== null) new MadeUp(this, madeUp);
    }

    static create(this: RuntimeModel, values: Values): Values {
      expectValues(byCreate, this, values);
      const relations: Readonly<Record<string, unknown>> = relationsOf(this);
      let links: Values | null = null;
      for (const property in values) {
        if (!Object.hasOwn(values, property)) continue;
        const value = values[property];
        if (!Object.hasOwn(relations, property)) expectValue(byCreate, this, property, value);
        else (links ??= {})[property] = related(byCreate(this), property, relations[property], value);
      }
      if (links === null) return new this(values);
      const scalars: Values = {};
      for (const property of Object.keys(values)) {
        if (!Object.hasOwn(links, property)) scalars[property] = values[property];
      }
      return Object.assign(new this(scalars), links);
    }
  }
  return Model as unknown as ModelClass<C>;
}
