/** One half of a cycle of models over two files. */
import { t } from "../../src/model/columns.ts";
import { model } from "../../src/model/model.ts";
import { hasMany, hasOne } from "../../src/model/relations.ts";
import { sql } from "../../src/sql/tag.ts";
import { Book } from "./book.ts";

export class Author extends model("authors", {
  id: t.uuid().primaryKey(),
  name: t.text(),
  bio: t.text().nullable(),
  createdAt: t.timestamp("created_at").default(() => new Date()),
  version: t.integer().version(),
  upper: t.text().generated(sql`upper(name)`),
}) {
  declare books?: Book[];
  declare profile?: Profile | null;
  declare nicknames?: string[];
  declare seen?: Date;
  static relations = {
    books: hasMany(() => Book, "authorId", { cascade: ["save", "delete"] }),
    profile: hasOne(() => Profile, "authorId"),
  };
  rename(name: string): this {
    this.name = name;
    return this;
  }
  get shout(): string {
    return this.name.toUpperCase();
  }
}

export class Profile extends model("profiles", {
  id: t.identity(),
  text: t.text(),
  authorId: t.uuid("author_id").foreignKey(),
}) {}
