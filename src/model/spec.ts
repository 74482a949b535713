/**
 * What a declaration leaves behind for the mapper: plain data, no types of the user's.
 *
 * @module
 */
import type { ColumnType, OnDelete } from "../sql/table.ts";
import type { Sql } from "../sql/tag.ts";

/** A declared column. */
export interface ColumnSpec {
  readonly type: ColumnType;
  /** The column's name in the database; the property's name unless given. */
  readonly column: string | null;
  readonly nullable: boolean;
  readonly primaryKey: boolean;
  readonly unique: boolean;
  /** Makes the value of a new instance that was given none; null where nothing does. */
  readonly makeDefault: (() => unknown) | null;
  readonly serverDefault: Sql | null;
  /** Makes the value of a changed instance at each flush. */
  readonly onUpdate: (() => unknown) | null;
  readonly generated: Sql | null;
  /** Whether a belongsTo gives it its value, so that the constructor can do without. */
  readonly foreignKey: boolean;
  readonly version: boolean;
}

/** What a change of the owner does to the related instances. */
export type Cascade = "save" | "delete" | "deleteOrphan";

/** A declared relation. */
export interface RelationSpec {
  readonly kind: "belongsTo" | "hasOne" | "hasMany" | "manyToMany";
  /** The other model; a function, since the models of a cycle are not all defined yet. */
  readonly target: () => unknown;
  /** The properties of the foreign key: own ones for belongsTo, the target's for hasOne and hasMany; empty for manyToMany. */
  readonly foreignKey: readonly string[];
  readonly cascade: readonly Cascade[];
  /** belongsTo: what the database does. */
  readonly onDelete: OnDelete | null;
  /** manyToMany: the table between, and its columns that refer to the owner and to the target. */
  readonly through: { readonly table: string; readonly from: readonly string[]; readonly to: readonly string[] } | null;
}
