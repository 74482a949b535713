/** Models that refer to themselves and to each other, with composite keys and a subclass. */
import { t } from "../../src/model/columns.ts";
import { model } from "../../src/model/model.ts";
import { belongsTo, hasMany } from "../../src/model/relations.ts";
import { Book } from "./book.ts";

export class Employee extends model("employees", {
  id: t.identity(),
  name: t.text(),
  bossId: t.integer("boss_id").nullable().foreignKey(),
}) {
  declare boss?: Employee | null;
  declare reports?: Employee[];
  static relations = { boss: belongsTo(() => Employee, "bossId"), reports: hasMany(() => Employee, "bossId") };
}

/** Each refers to the other: a cycle of foreign keys. */
export class Left extends model("lefts", { id: t.identity(), rightId: t.integer("right_id").nullable().foreignKey() }) {
  declare right?: Right | null;
  static relations = { right: belongsTo(() => Right, "rightId") };
}
export class Right extends model("rights", { id: t.identity(), leftId: t.integer("left_id").foreignKey() }) {
  declare left?: Left;
  static relations = { left: belongsTo(() => Left, "leftId") };
}

export class Seat extends model("seats", { row: t.integer().primaryKey(), letter: t.text().primaryKey() }) {
  declare tickets?: Ticket[];
  static relations = { tickets: hasMany(() => Ticket, ["row", "letter"]) };
}
export class Ticket extends model("tickets", {
  id: t.uuid().primaryKey(),
  row: t.integer().foreignKey(),
  letter: t.text().foreignKey(),
}) {
  declare seat?: Seat;
  static relations = { seat: belongsTo(() => Seat, ["row", "letter"]) };
}

export class Novel extends Book {
  declare chapters?: Chapter[];
  static override relations = { ...Book.relations, chapters: hasMany(() => Chapter, "novelId") };
  get long(): boolean {
    return (this.meta?.pages ?? 0) > 500;
  }
}
export class Chapter extends model("chapters", { id: t.identity(), novelId: t.integer("novel_id").foreignKey() }) {}
