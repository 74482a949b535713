/**
 * Models with a key of two columns, at both ends of every kind of relation.
 *
 * @module
 */
import { belongsTo, hasMany, hasOne, manyToMany, model, t } from "../../mod.ts";

/** Refers to itself, has one of something, many of itself, and many to many of something else. */
export class Cell extends model("cells", {
  x: t.integer("at_x").primaryKey(),
  y: t.integer("at_y").primaryKey(),
  name: t.text(),
  aboveX: t.integer("above_x").nullable().foreignKey(),
  aboveY: t.integer("above_y").nullable().foreignKey(),
  version: t.integer().version(),
}) {
  declare above?: Cell | null;
  declare below?: Cell[];
  declare lid?: Lid | null;
  declare marks?: Mark[];
  static relations = {
    above: belongsTo(() => Cell, ["aboveX", "aboveY"]),
    below: hasMany(() => Cell, ["aboveX", "aboveY"], { cascade: ["save", "delete", "deleteOrphan"] }),
    lid: hasOne(() => Lid, ["cellX", "cellY"], { cascade: ["save", "delete", "deleteOrphan"] }),
    marks: manyToMany(() => Mark, { through: "cell_marks", from: ["cell_x", "cell_y"], to: "mark_id" }),
  };
}

export class Lid extends model("lids", {
  id: t.uuid().primaryKey(),
  color: t.text(),
  cellX: t.integer("cell_x").foreignKey(),
  cellY: t.integer("cell_y").foreignKey(),
}) {
  declare cell?: Cell;
  static relations = { cell: belongsTo(() => Cell, ["cellX", "cellY"]) };
}

export class Mark extends model("marks", { id: t.uuid().primaryKey(), name: t.text() }) {
  declare cells?: Cell[];
  static relations = {
    cells: manyToMany(() => Cell, { through: "cell_marks", from: "mark_id", to: ["cell_x", "cell_y"] }),
  };
}
