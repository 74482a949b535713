/**
 * From a declared relation to a mapped one: its models looked up, its columns found, its link table made up.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import type { ColumnInfo } from "../sql/table.ts";
import type { Sql } from "../sql/tag.ts";
import { extensionOf, relationsOf } from "./family.ts";
import type { LinkTable, MappedColumn, MappedRelation, Mapper } from "./mapper.ts";
import type { RelationSpec } from "./spec.ts";

function foreignKeyColumns(mapper: Mapper, spec: RelationSpec, target: Mapper, label: string): readonly MappedColumn[] {
  const columns = spec.foreignKey.map((property) => mapper.column(property, `be the foreign key of ${label}`));
  if (columns.length !== target.key.length) {
    throw new ValidationError(
      `${label} has ${columns.length} foreign key columns and ${target.model} has ${target.key.length} key columns; give one for each`,
    );
  }
  return columns;
}

/** A declared relation with both ends resolved. Throws a ValidationError, naming the relation, for what cannot be one. */
export function mapRelation(
  owner: Mapper,
  name: string,
  spec: RelationSpec,
  mapperOf: (model: unknown) => Mapper,
): MappedRelation {
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
  const inverse = Object.values(relationsOf(target.class)).find(({ spec: other }) =>
    other.kind === "belongsTo" && other.foreignKey.join() === spec.foreignKey.join() && refersTo(other.target(), owner)
  );
  const onDelete = inverse?.spec.onDelete ?? null;
  return { ...common, many: spec.kind === "hasMany", local: owner.key, remote, onDelete, link: null };
}

/** Whether a model is the one of a mapper, or of its family: a foreign key to either is one to the same table. */
function refersTo(model: unknown, { root }: Mapper): boolean {
  return model === root.class || typeof model === "function" && extensionOf(model)?.family.root === root.class;
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
