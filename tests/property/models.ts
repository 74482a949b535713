/** The models that the random operations work on, and the same told in plain data for the naive model. */
import { belongsTo, hasMany, manyToMany, model, t } from "../../mod.ts";

/** A key made by the client, a nullable unique value, a version, values that can change in place. */
export class Author extends model("authors", {
  id: t.uuid().primaryKey(),
  name: t.text(),
  email: t.text().nullable().unique(),
  born: t.timestamp().nullable(),
  meta: t.json<{ n: number; list: number[] }>().nullable(),
  visits: t.integer().default(0),
  version: t.integer().version(),
}) {
  declare books?: Book[];
  static relations = { books: hasMany(() => Book, "authorId") };
}

/** A key made by the server, a parent that may be none, children that go with it. */
export class Book extends model("books", {
  id: t.identity(),
  title: t.text(),
  pages: t.integer().default(1),
  authorId: t.uuid("author_id").nullable().foreignKey(),
  version: t.integer().version(),
}) {
  declare author?: Author | null;
  declare reviews?: Review[];
  declare tags?: Tag[];
  static relations = {
    author: belongsTo(() => Author, "authorId"),
    reviews: hasMany(() => Review, "bookId", { cascade: ["save", "delete", "deleteOrphan"] }),
    tags: manyToMany(() => Tag, { through: "book_tags", from: "book_id", to: "tag_id" }),
  };
}

/** No version; a parent that must be there. */
export class Review extends model("reviews", {
  id: t.identity(),
  stars: t.integer(),
  bookId: t.integer("book_id").foreignKey(),
}) {
  declare book?: Book;
  static relations = { book: belongsTo(() => Book, "bookId") };
}

/** The other end of a many-to-many. */
export class Tag extends model("tags", { id: t.identity(), name: t.text() }) {
  declare books?: Book[];
  static relations = { books: manyToMany(() => Book, { through: "book_tags", from: "tag_id", to: "book_id" }) };
}

/** A table that refers to itself. */
export class Employee extends model("employees", {
  id: t.identity(),
  name: t.text(),
  bossId: t.integer("boss_id").nullable().foreignKey(),
}) {
  declare boss?: Employee | null;
  declare reports?: Employee[];
  static relations = { boss: belongsTo(() => Employee, "bossId"), reports: hasMany(() => Employee, "bossId") };
}

/** The classes by name. */
export const classes = { Author, Book, Review, Tag, Employee } as const;

/** The name of a model. */
export type Kind = keyof typeof classes;

/** A foreign key and its relation. */
interface ParentRelation {
  readonly name: string;
  readonly fk: string;
  readonly target: Kind;
  readonly nullable: boolean;
}

/** A collection of rows that refer to the owner. */
interface ChildRelation {
  readonly name: string;
  readonly fk: string;
  readonly target: Kind;
  /** Whether children go with their parent, and when they leave its collection. */
  readonly cascade: boolean;
}

/** A collection through the link table. */
interface LinkRelation {
  readonly name: string;
  readonly target: Kind;
  /** Whether the owner's key is the first of a link. */
  readonly first: boolean;
}

/** A model in plain data. */
export interface Shape {
  readonly table: string;
  /** Column properties with their names in the database. */
  readonly columns: Readonly<Record<string, string>>;
  /** Whether the server makes the key. */
  readonly made: boolean;
  readonly versioned: boolean;
  readonly unique: readonly string[];
  readonly required: readonly string[];
  readonly parents: readonly ParentRelation[];
  readonly children: readonly ChildRelation[];
  readonly links: readonly LinkRelation[];
}

/** The models in plain data, parents first. Written out by hand: it must not come from what is tested. */
export const shapes: Readonly<Record<Kind, Shape>> = {
  Author: {
    table: "authors",
    columns: {
      id: "id",
      name: "name",
      email: "email",
      born: "born",
      meta: "meta",
      visits: "visits",
      version: "version",
    },
    made: false,
    versioned: true,
    unique: ["email"],
    required: [],
    parents: [],
    children: [{ name: "books", fk: "authorId", target: "Book", cascade: false }],
    links: [],
  },
  Book: {
    table: "books",
    columns: { id: "id", title: "title", pages: "pages", authorId: "author_id", version: "version" },
    made: true,
    versioned: true,
    unique: [],
    required: [],
    parents: [{ name: "author", fk: "authorId", target: "Author", nullable: true }],
    children: [{ name: "reviews", fk: "bookId", target: "Review", cascade: true }],
    links: [{ name: "tags", target: "Tag", first: true }],
  },
  Review: {
    table: "reviews",
    columns: { id: "id", stars: "stars", bookId: "book_id" },
    made: true,
    versioned: false,
    unique: [],
    required: ["bookId"],
    parents: [{ name: "book", fk: "bookId", target: "Book", nullable: false }],
    children: [],
    links: [],
  },
  Tag: {
    table: "tags",
    columns: { id: "id", name: "name" },
    made: true,
    versioned: false,
    unique: [],
    required: [],
    parents: [],
    children: [],
    links: [{ name: "books", target: "Book", first: false }],
  },
  Employee: {
    table: "employees",
    columns: { id: "id", name: "name", bossId: "boss_id" },
    made: true,
    versioned: false,
    unique: [],
    required: [],
    parents: [{ name: "boss", fk: "bossId", target: "Employee", nullable: true }],
    children: [{ name: "reports", fk: "bossId", target: "Employee", cascade: false }],
    links: [],
  },
};

/** Every model's name. */
export const kinds = Object.keys(shapes) as Kind[];
