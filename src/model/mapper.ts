/**
 * The mapper: what the core knows of a model. Made once a model, on its first use, from the declaration; checked then,
 * so that a mistake is named before anything is sent.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import type { Codec, Dialect } from "../sql/dialect.ts";
import type { ColumnInfo, ColumnType, ForeignKeyInfo, OnDelete, TableInfo } from "../sql/table.ts";
import type { Sql } from "../sql/tag.ts";
import { Column } from "./columns.ts";
import type { RelationSpec } from "./spec.ts";

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
}

/** What the core knows of a model. */
export class Mapper implements TableInfo {
  readonly class: ModelStatics;
  readonly model: string;
  readonly table: string;
  readonly schema: string | null;
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
    this.columns = Object.entries(model.columns).map(([property, column], index) =>
      mapColumn(model.name, property, index, column)
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

  /** The relations, in declared order. Resolved on first use, when every model of a cycle is defined. */
  get relations(): readonly MappedRelation[] {
    if (this.#relations === null) {
      const entries = Object.entries(this.class.relations ?? {});
      this.#relations = entries.map(([name, relation]) => mapRelation(this, name, relation.spec));
    }
    return this.#relations;
  }

  /** The relation of a name, or undefined. */
  relation(name: string): MappedRelation | undefined {
    this.#byName ??= new Map(this.relations.map((relation) => [relation.name, relation]));
    return this.#byName.get(name);
  }

  get foreignKeys(): readonly ForeignKeyInfo[] {
    this.#foreignKeys ??= this.relations
      .filter((relation) => relation.kind === "belongsTo")
      .map(({ local, target, onDelete }) => ({ columns: local, target, onDelete }));
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
      `${this.model} has no column property ${JSON.stringify(property)} to ${doing}${relation}`,
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
  mappers.set(model, mapper);
  return mapper;
}

/** The mapper of an instance; throws a ValidationError when its class is no model. */
export function mapperOfInstance(instance: unknown, doing: string): Mapper {
  const mapper = typeof instance === "object" && instance !== null ? classMapper(instance) : null;
  if (mapper === null) {
    throw new ValidationError(`Cannot ${doing} ${describe(instance)}: it is not an instance of a model`);
  }
  return mapper;
}

/** Whether a value is an instance of a model. */
export function isInstance(value: unknown): value is object {
  return typeof value === "object" && value !== null && classMapper(value) !== null;
}

function classMapper(instance: object): Mapper | null {
  const constructor: unknown = Object.getPrototypeOf(instance)?.constructor;
  if (typeof constructor !== "function") return null;
  return mappers.get(constructor) ?? (isModel(constructor) ? mapperOf(constructor) : null);
}

function isModel(value: unknown): value is ModelStatics & ((...args: never) => unknown) {
  if (typeof value !== "function") return false;
  const { table, columns } = value as Partial<ModelStatics>;
  return typeof table === "string" && typeof columns === "object" && columns !== null &&
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

function mapColumn(model: string, property: string, index: number, column: Column<unknown, never>): MappedColumn {
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

function foreignKeyColumns(mapper: Mapper, spec: RelationSpec, target: Mapper, label: string): readonly MappedColumn[] {
  const columns = spec.foreignKey.map((property) => mapper.column(property, `be the foreign key of ${label}`));
  if (columns.length !== target.key.length) {
    throw new ValidationError(
      `${label} has ${columns.length} foreign key columns and ${target.model} has ${target.key.length} key columns; give one for each`,
    );
  }
  return columns;
}

function mapRelation(owner: Mapper, name: string, spec: RelationSpec): MappedRelation {
  const label = `${owner.model}.${name}`;
  if (owner.byProperty.has(name)) {
    throw new ValidationError(`${label} is declared as a column and as a relation; rename one`);
  }
  const resolved = spec.target();
  if (resolved === undefined) {
    throw new ValidationError(
      `${label} refers to a model that is not defined yet; use a model only after all are declared`,
    );
  }
  const target = mapperOf(resolved);
  const flags = {
    save: spec.cascade.includes("save"),
    delete: spec.cascade.includes("delete"),
    deleteOrphan: spec.cascade.includes("deleteOrphan"),
  };
  const common = { name, kind: spec.kind, owner, target, ...flags };
  if (spec.kind === "belongsTo") {
    const local = foreignKeyColumns(owner, spec, target, label);
    return { ...common, many: false, local, remote: target.key, onDelete: spec.onDelete, link: null };
  }
  if (spec.kind === "manyToMany") {
    const link = linkTable(owner, target, spec, label);
    return { ...common, many: true, local: owner.key, remote: target.key, onDelete: null, link };
  }
  const remote = foreignKeyColumns(target, spec, owner, label);
  // The database's ON DELETE stands on the belongsTo of the other side.
  const inverse = Object.values(target.class.relations ?? {}).find(({ spec: other }) =>
    other.kind === "belongsTo" && other.foreignKey.join() === spec.foreignKey.join() && other.target() === owner.class
  );
  const onDelete = inverse?.spec.onDelete ?? null;
  return { ...common, many: spec.kind === "hasMany", local: owner.key, remote, onDelete, link: null };
}

function linkTable(owner: Mapper, target: Mapper, spec: RelationSpec, label: string): LinkTable {
  const through = spec.through!;
  if (through.from.length !== owner.key.length || through.to.length !== target.key.length) {
    throw new ValidationError(
      `${label} needs one link column for each key column of ${owner.model} and of ${target.model}`,
    );
  }
  const column = (name: string, like: ColumnInfo, index: number): ColumnInfo => ({
    model: label,
    property: name,
    name,
    index,
    type: like.type.name === "identity" ? { name: "integer" } : like.type,
    nullable: false,
    primaryKey: true,
    unique: false,
    version: false,
    serverDefault: null as Sql | null,
    generated: null as Sql | null,
  });
  // In the order of their names, so that both sides of the relation see the same table.
  const names = [...through.from, ...through.to].sort();
  const from = through.from.map((name, i) => column(name, owner.key[i]!, names.indexOf(name)));
  const to = through.to.map((name, i) => column(name, target.key[i]!, names.indexOf(name)));
  const columns = [...from, ...to].sort((a, b) => a.index - b.index);
  return {
    model: label,
    table: through.table,
    schema: owner.schema,
    columns,
    key: columns,
    identity: null,
    version: null,
    foreignKeys: [
      { columns: from, target: owner, onDelete: null },
      { columns: to, target: target, onDelete: null },
    ],
    from,
    to,
  };
}
