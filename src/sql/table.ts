/**
 * What SQL generation needs to know of a table: the part of a mapper that has nothing to do with classes. The mapper
 * in model/ implements it.
 *
 * @module
 */
import type { Sql } from "./tag.ts";

/** A column's type, as declared with `t`. */
export type ColumnType =
  | {
    readonly name:
      | "text"
      | "integer"
      | "bigint"
      | "real"
      | "double"
      | "boolean"
      | "uuid"
      | "timestamp"
      | "date"
      | "json"
      | "bytes"
      | "identity";
  }
  | { readonly name: "varchar"; readonly length: number }
  | { readonly name: "decimal"; readonly precision?: number; readonly scale?: number }
  | { readonly name: "enumeration"; readonly values: readonly string[] }
  | { readonly name: "array"; readonly of: ColumnType };

/** A column of a table. */
export interface ColumnInfo {
  /** The model's name, for messages. */
  readonly model: string;
  /** The property of the instance. */
  readonly property: string;
  /** The column's name in the database. */
  readonly name: string;
  /** Its position among the columns of its table. */
  readonly index: number;
  /** Its type, as declared. */
  readonly type: ColumnType;
  /** Whether it can be NULL. */
  readonly nullable: boolean;
  /** Whether it is the primary key, or a part of it. */
  readonly primaryKey: boolean;
  /** Whether no two rows have the same value. */
  readonly unique: boolean;
  /** Whether it counts the changes of its row. */
  readonly version: boolean;
  /** The expression with which the database makes a value when none is given. */
  readonly serverDefault: Sql | null;
  /** The expression that the database computes always; the column is never written. */
  readonly generated: Sql | null;
}

/** What the database does with referring rows when the row they refer to is deleted. */
export type OnDelete = "cascade" | "set null" | "restrict" | "no action";

/** A foreign key, declared by a `belongsTo`. */
export interface ForeignKeyInfo {
  /** The referring columns, in the order of the key they refer to. */
  readonly columns: readonly ColumnInfo[];
  /** The table referred to, by its primary key. */
  readonly target: TableInfo;
  /** What a deletion of the row referred to does; null where the database's default holds. */
  readonly onDelete: OnDelete | null;
}

/** A table. */
export interface TableInfo {
  /** The model's name, for messages. */
  readonly model: string;
  /** The table's name in the database. */
  readonly table: string;
  /** The schema it is in, where it is not the database's default. */
  readonly schema: string | null;
  /** The columns, in the order of their declaration. */
  readonly columns: readonly ColumnInfo[];
  /** The primary key's columns, in order. */
  readonly key: readonly ColumnInfo[];
  /** The primary key's column when the database makes its values (`t.identity()`). */
  readonly identity: ColumnInfo | null;
  /** The column that counts the row's changes. */
  readonly version: ColumnInfo | null;
  /** The foreign keys. */
  readonly foreignKeys: readonly ForeignKeyInfo[];
}
