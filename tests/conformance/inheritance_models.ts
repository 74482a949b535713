/**
 * The models of single-table inheritance: one table, classes at three levels, relations at each.
 *
 * @module
 */
import { belongsTo, extend, hasMany, manyToMany, model, t } from "../../mod.ts";

/** The base. Its subclasses are named, so that each is known wherever a row is read. */
export class Media extends model("media", {
  id: t.identity(),
  kind: t.varchar(20).default("other"),
  title: t.text(),
  version: t.integer().version(),
}) {
  declare notes?: MediaNote[];
  declare shelves?: Shelf[];
  static relations = {
    notes: hasMany(() => MediaNote, "mediaId", { cascade: ["save", "delete", "deleteOrphan"] }),
    shelves: manyToMany(() => Shelf, { through: "shelf_media", from: "media_id", to: "shelf_id" }),
  };
  static subclasses = () => [Film, Short, Song];
  describe(): string {
    return `${this.title} (${this.kind})`;
  }
}

/** A column of its own, and a foreign key that only it has. */
export class Film extends extend(Media, "film", {
  minutes: t.integer(),
  studioId: t.uuid("studio_id").nullable().foreignKey(),
}) {
  declare studio?: Studio | null;
  static relations = { studio: belongsTo(() => Studio, "studioId") };
  get isLong(): boolean {
    return this.minutes > 120;
  }
}

/** A subclass of a subclass. */
export class Short extends extend(Film, "short", { festival: t.text().nullable() }) {
  override describe(): string {
    return `short: ${this.title}`;
  }
}

/** Shares a column with Film, and has one under another name. */
export class Song extends extend(Media, "song", { minutes: t.integer(), beats: t.integer("bpm").nullable() }) {}

/** Refers to rows of any class of the family. */
export class MediaNote extends model("media_notes", {
  id: t.identity(),
  text: t.text(),
  mediaId: t.integer("media_id").foreignKey(),
}) {
  declare media?: Media;
  static relations = { media: belongsTo(() => Media, "mediaId") };
}

/** Is referred to by one subclass. */
export class Studio extends model("studios", { id: t.uuid().primaryKey(), name: t.text() }) {
  declare films?: Film[];
  static relations = { films: hasMany(() => Film, "studioId") };
}

/** The other end of a many-to-many of the base. */
export class Shelf extends model("shelves", { id: t.uuid().primaryKey(), name: t.text() }) {
  declare media?: Media[];
  static relations = {
    media: manyToMany(() => Media, { through: "shelf_media", from: "shelf_id", to: "media_id" }),
  };
}
