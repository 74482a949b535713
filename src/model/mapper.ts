/**
 * The mapper: what the core knows of a model. Made once a model, on its first use, from the declaration; checked then,
 * so that a mistake is named before anything is sent.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import type { Codec, Dialect } from "../sql/dialect.ts";
import { isObject } from "../sql/object.ts";
import type { ColumnInfo, ColumnType, ForeignKeyInfo, OnDelete, TableInfo } from "../sql/table.ts";
import { Column } from "./columns.ts";
import { extensionOf, familyOf, relationsOf } from "./family.ts";
import { mapRelation } from "./map_relation.ts";
import { quoted } from "./quoted.ts";
import type { RelationSpec } from "./spec.ts";
import type { Extension, Family } from "./subclasses.ts";

/** How the values of a column are kept and compared in a snapshot. */
export type ValueKind = "scalar" | "date" | "json" | "bytes" | "array";

/** A column of a model. */
export interface MappedColumn extends ColumnInfo {
  readonly kind: ValueKind;
  readonly makeDefault: (() => unknown) | null;
  readonly onUpdate: (() => unknown) | null;
}

/** A relation of a model, with both ends resolved. */
export interface MappedRelation {
  readonly name: string;
  readonly kind: RelationSpec["kind"];
  readonly many: boolean;
  readonly owner: Mapper;
  readonly target: Mapper;
  /** The owner's columns of the join: its foreign key for belongsTo, its primary key otherwise. */
  readonly local: readonly MappedColumn[];
  /** The target's columns of the join: its primary key for belongsTo and manyToMany, its foreign key otherwise. */
  readonly remote: readonly MappedColumn[];
  readonly save: boolean;
  readonly delete: boolean;
  readonly deleteOrphan: boolean;
  /** What the database does when the referenced row goes; null where nothing was declared. */
  readonly onDelete: OnDelete | null;
  /** The table between, for manyToMany. */
  readonly link: LinkTable | null;
}

/** The table between the two ends of a manyToMany. */
export interface LinkTable extends TableInfo {
  readonly from: readonly ColumnInfo[];
  readonly to: readonly ColumnInfo[];
}

/** A model's class, as far as the core looks at it. */
export interface ModelStatics {
  readonly name: string;
  readonly prototype: object;
  readonly table: string;
  readonly schema?: string | null;
  readonly columns: Readonly<Record<string, Column<unknown, never>>>;
  readonly relations?: Readonly<Record<string, { readonly spec: RelationSpec }>>;
  readonly subclasses?: () => readonly unknown[];
}

/** What the core knows of a model. */
export class Mapper implements TableInfo {
  readonly class: ModelStatics;
  readonly model: string;
  readonly table: string;
  readonly schema: string | null;
  /** What it was extended by; null for a model of its own. */
  readonly extension: Extension | null;
  /** The mapper of the model that it was extended from. */
  readonly parent: Mapper | null;
  /** The mapper of the model whose table this is: of the first of the family. */
  readonly root: Mapper;
  /** The base's columns, the very same, and then its own. */
  readonly columns: readonly MappedColumn[];
  readonly byProperty: ReadonlyMap<string, MappedColumn>;
  readonly key: readonly MappedColumn[];
  readonly identity: MappedColumn | null;
  readonly version: MappedColumn | null;
  /** Columns that the database alone computes. */
  readonly generated: readonly MappedColumn[];
  /** Columns whose values are unique, the key aside. */
  readonly unique: readonly MappedColumn[];
  #relations: readonly MappedRelation[] | null = null;
  #byName: Map<string, MappedRelation> | null = null;
  #foreignKeys: readonly ForeignKeyInfo[] | null = null;
  #flushed: readonly MappedColumn[] | null = null;
  readonly #codecs: Map<Dialect, readonly Codec[]> = new Map();

  constructor(model: ModelStatics) {
    this.class = model;
    this.model = model.name;
    this.table = model.table;
    this.schema = model.schema ?? null;
    this.extension = extensionOf(model);
    this.parent = this.extension === null ? null : mapperOf(this.extension.base);
    this.root = this.parent?.root ?? this;
    this.columns = Object.entries(model.columns).map(([property, column], index) =>
      this.#inherited(property) ?? mapColumn(model.name, property, index, column)
    );
    this.byProperty = new Map(this.columns.map((column) => [column.property, column]));
    this.key = this.columns.filter((column) => column.primaryKey);
    if (this.key.length === 0) {
      throw new ValidationError(
        `${this.model} has no primary key; mark a column with primaryKey() or use t.identity()`,
      );
    }
    this.identity = this.key.find((column) => column.type.name === "identity") ?? null;
    if (this.identity !== null && this.key.length > 1) {
      throw new ValidationError(
        `${this.model} has a t.identity() in a composite primary key; make it the only key column`,
      );
    }
    const versions = this.columns.filter((column) => column.version);
    if (versions.length > 1) {
      throw new ValidationError(`${this.model} has ${versions.length} version columns; one is enough`);
    }
    this.version = versions[0] ?? null;
    this.generated = this.columns.filter((column) => column.generated !== null);
    this.unique = this.columns.filter((column) => column.unique && !column.primaryKey);
    const names = new Set(this.columns.map((column) => column.name));
    if (names.size < this.columns.length) {
      throw new ValidationError(`${this.model} maps two properties to the same column; give each its own`);
    }
  }

  /** The base's column of a property, but the discriminator, to which each class gives its own default. */
  #inherited(property: string): MappedColumn | undefined {
    return property === this.extension?.family.discriminator ? undefined : this.parent?.byProperty.get(property);
  }

  /** The relations, the base's first, in declared order. Resolved on first use, when every model of a cycle is defined. */
  get relations(): readonly MappedRelation[] {
    if (this.#relations === null) {
      const above = this.parent === null ? {} : relationsOf(this.parent.class);
      const own = Object.entries(relationsOf(this.class)).filter(([name, relation]) => {
        if (!Object.hasOwn(above, name)) return true;
        if (above[name] === relation) return false;
        throw new ValidationError(`${this.model}.${name} is a relation of ${this.parent!.model} already; rename one`);
      });
      const mapped = own.map(([name, relation]) => mapRelation(this, name, relation.spec, mapperOf));
      this.#relations = [...this.parent?.relations ?? [], ...mapped];
    }
    return this.#relations;
  }

  /** Whether this is a model, or was extended from it. One comparison for a model itself. */
  is(other: Mapper): boolean {
    return this === other || this.parent?.is(other) === true;
  }

  /** The models that share its table; undefined where it is alone. */
  get #family(): Family | undefined {
    return familyOf(this.root.class);
  }

  /** The column that tells the class of a row; null where no class was extended from this one, nor it from another. */
  get discriminator(): MappedColumn | null {
    const family = this.#family;
    return family === undefined ? null : this.byProperty.get(family.discriminator)!;
  }

  /** The kinds of the rows that are this class's; null where they all are. */
  get kinds(): readonly string[] | null {
    return this.parent === null ? null : this.#family!.read(this).kinds;
  }

  /** The columns to read of a row: its own, and those of the classes that were extended from it. */
  get readColumns(): readonly MappedColumn[] {
    return this.#family?.read(this).columns ?? this.columns;
  }

  /**
   * The class of a row of `readColumns`, and the row as that class has its columns. Throws a ValidationError when the class
   * is not known yet. A kind that no class has is the base's.
   */
  ofRow<V>(row: readonly V[]): { readonly mapper: Mapper; readonly row: readonly V[] } {
    return this.#family?.ofRow(this, row) ?? { mapper: this, row };
  }

  /** The mappers of this class and of those that were extended from it. Throws a ValidationError when one is not known yet. */
  get family(): readonly Mapper[] {
    return this.#family?.mappers(this) ?? [this];
  }

  /** The relation of a name, or undefined. */
  relation(name: string): MappedRelation | undefined {
    this.#byName ??= new Map(this.relations.map((relation) => [relation.name, relation]));
    return this.#byName.get(name);
  }

  get foreignKeys(): readonly ForeignKeyInfo[] {
    if (this.#foreignKeys === null) {
      const inherited = this.parent?.relations.length ?? 0;
      const own = this.relations.slice(inherited).filter((relation) => relation.kind === "belongsTo")
        .map(({ local, target, onDelete }) => ({ columns: local, target, onDelete }));
      this.#foreignKeys = [...this.parent?.foreignKeys ?? [], ...own];
    }
    return this.#foreignKeys;
  }

  /** The columns that a flush may set on an instance that holds a value there: foreign keys and the version. */
  get flushed(): readonly MappedColumn[] {
    this.#flushed ??= this.columns.filter((column) =>
      column.version || this.foreignKeys.some(({ columns }) => columns.includes(column))
    );
    return this.#flushed;
  }

  /** The codecs of the columns, by column index. */
  codecs(dialect: Dialect): readonly Codec[] {
    let codecs = this.#codecs.get(dialect);
    if (codecs === undefined) {
      codecs = this.columns.map((column) => dialect.codec(column.type));
      this.#codecs.set(dialect, codecs);
    }
    return codecs;
  }

  /** The column of a property; throws a ValidationError naming what was asked for. */
  column(property: string, doing: string): MappedColumn {
    const column = this.byProperty.get(property);
    if (column !== undefined) return column;
    const relation = this.relation(property) !== undefined ? "; it is a relation, and a column is needed" : "";
    throw new ValidationError(
      `${this.model} has no column property ${quoted(property)} to ${doing}${relation}`,
    );
  }
}

// Metadata of the classes themselves, not of any request: a model is mapped once an isolate.
const mappers: WeakMap<object, Mapper> = new WeakMap();

/** The mapper of a model class; throws a ValidationError when it is none. */
export function mapperOf(model: unknown): Mapper {
  const known = typeof model === "function" ? mappers.get(model) : undefined;
  if (known !== undefined) return known;
  if (!isModel(model)) {
    throw new ValidationError(`${describe(model)} is not a model; make one with class … extends model(table, columns)`);
  }
  const mapper = new Mapper(model);
  mapper.extension?.learn(model);
  mappers.set(model, mapper);
  return mapper;
}

/** The mapper of an instance; throws a ValidationError when its class is no model. */
export function mapperOfInstance(instance: unknown, doing: string): Mapper {
  const mapper = isObject(instance) ? classMapper(instance) : null;
  if (mapper === null) {
    throw new ValidationError(`Cannot ${doing} ${describe(instance)}: it is not an instance of a model`);
  }
  return mapper;
}

/** Whether a value is an instance of a model. */
export function isInstance(value: unknown): value is object {
  return isObject(value) && classMapper(value) !== null;
}

function classMapper(instance: object): Mapper | null {
  const constructor: unknown = Object.getPrototypeOf(instance)?.constructor;
  if (typeof constructor !== "function") return null;
  return mappers.get(constructor) ?? (isModel(constructor) ? mapperOf(constructor) : null);
}

function isModel(value: unknown): value is ModelStatics & ((...args: never) => unknown) {
  if (typeof value !== "function") return false;
  const { table, columns } = value as Partial<ModelStatics>;
  return typeof table === "string" && isObject(columns) &&
    Object.values(columns).every((column) => column instanceof Column);
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "function") return value.name === "" ? "a function" : value.name;
  if (typeof value !== "object") return `a ${typeof value}`;
  const name: unknown = Object.getPrototypeOf(value)?.constructor?.name;
  return Array.isArray(value)
    ? "an array"
    : typeof name === "string" && name !== "Object"
    ? `a ${name}`
    : "a plain object";
}

function kindOf(type: ColumnType): ValueKind {
  if (type.name === "timestamp") return "date";
  return type.name === "json" || type.name === "bytes" || type.name === "array" ? type.name : "scalar";
}

/** A column of a model, at its place among the others. */
export function mapColumn(
  model: string,
  property: string,
  index: number,
  column: Column<unknown, never>,
): MappedColumn {
  const { spec } = column;
  return {
    model,
    property,
    name: spec.column ?? property,
    index,
    type: spec.type,
    kind: kindOf(spec.type),
    nullable: spec.nullable,
    primaryKey: spec.primaryKey,
    unique: spec.unique,
    version: spec.version,
    serverDefault: spec.serverDefault,
    generated: spec.generated,
    makeDefault: spec.makeDefault,
    onUpdate: spec.onUpdate,
  };
}
