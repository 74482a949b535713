/** The other half of a cycle of models over two files. */
import { t } from "../../src/model/columns.ts";
import { model } from "../../src/model/model.ts";
import { belongsTo, hasMany, manyToMany } from "../../src/model/relations.ts";
import { Author } from "./author.ts";

export class Book extends model("books", {
  id: t.identity(),
  title: t.text(),
  kind: t.enumeration(["novel", "essay"]).default("novel"),
  meta: t.json<{ pages: number }>().nullable(),
  inPrint: t.boolean("in_print").default(true),
  authorId: t.uuid("author_id").foreignKey(),
}) {
  declare author?: Author;
  declare reviews?: Review[];
  declare tags?: Tag[];
  static relations = {
    author: belongsTo(() => Author, "authorId", { onDelete: "cascade" }),
    reviews: hasMany(() => Review, "bookId"),
    tags: manyToMany(() => Tag, { through: "book_tags", from: "book_id", to: "tag_id" }),
  };
}

export class Review extends model("reviews", {
  id: t.identity(),
  stars: t.integer(),
  bookId: t.integer("book_id").foreignKey(),
}) {
  declare book?: Book | null;
  static relations = { book: belongsTo(() => Book, "bookId") };
}

export class Tag extends model("tags", { id: t.identity(), name: t.text().unique() }) {
  declare books?: Book[];
  static relations = { books: manyToMany(() => Book, { through: "book_tags", from: "tag_id", to: "book_id" }) };
}
