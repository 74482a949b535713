/**
 * The models of the conformance suite: each shows one thing that a database has to do.
 *
 * @module
 */
import { Cell, Lid, Mark } from "./composite_models.ts";
import { Media, MediaNote, Shelf, Studio } from "./inheritance_models.ts";
import { type AnyModel, belongsTo, hasMany, hasOne, manyToMany, model, sql, t } from "../../mod.ts";

/** Keys made by the client, versions, cascades of every kind. */
export class Author extends model("authors", {
  id: t.uuid().primaryKey(),
  name: t.text(),
  bio: t.text().nullable(),
  version: t.integer().version(),
}) {
  declare books?: Book[];
  static relations = { books: hasMany(() => Book, "authorId", { cascade: ["save", "delete", "deleteOrphan"] }) };
}

export class Book extends model("books", {
  id: t.uuid().primaryKey(),
  title: t.text(),
  pages: t.integer().nullable(),
  authorId: t.uuid("author_id").foreignKey(),
  version: t.integer().version(),
}) {
  declare author?: Author;
  declare reviews?: Review[];
  declare tags?: Tag[];
  static relations = {
    author: belongsTo(() => Author, "authorId", { onDelete: "cascade" }),
    reviews: hasMany(() => Review, "bookId", { cascade: ["save", "delete"] }),
    tags: manyToMany(() => Tag, { through: "book_tags", from: "book_id", to: "tag_id" }),
  };
}

/** Without a version, and deleted by the session alone: the database has no onDelete. */
export class Review extends model("reviews", {
  id: t.uuid().primaryKey(),
  stars: t.integer(),
  bookId: t.uuid("book_id").foreignKey(),
}) {
  declare book?: Book;
  static relations = { book: belongsTo(() => Book, "bookId") };
}

export class Tag extends model("tags", { id: t.uuid().primaryKey(), name: t.text().unique() }) {
  declare books?: Book[];
  static relations = {
    books: manyToMany(() => Book, { through: "book_tags", from: "tag_id", to: "book_id" }),
  };
}

/** Keys made by the server, three levels deep. */
export class Maker extends model("makers", { id: t.identity(), name: t.text(), version: t.integer().version() }) {
  declare products?: Product[];
  static relations = { products: hasMany(() => Product, "makerId") };
}

export class Product extends model("products", {
  id: t.identity(),
  name: t.text(),
  makerId: t.integer("maker_id").foreignKey(),
}) {
  declare maker?: Maker;
  declare parts?: Part[];
  static relations = { maker: belongsTo(() => Maker, "makerId"), parts: hasMany(() => Part, "productId") };
}

export class Part extends model("parts", {
  id: t.identity(),
  name: t.text(),
  productId: t.integer("product_id").nullable().foreignKey(),
}) {
  declare product?: Product | null;
  static relations = { product: belongsTo(() => Product, "productId") };
}

/** Refers to itself. */
export class Employee extends model("employees", {
  id: t.uuid().primaryKey(),
  name: t.text(),
  managerId: t.uuid("manager_id").nullable().foreignKey(),
  version: t.integer().version(),
}) {
  declare manager?: Employee | null;
  declare reports?: Employee[];
  static relations = {
    manager: belongsTo(() => Employee, "managerId"),
    reports: hasMany(() => Employee, "managerId"),
  };
}

/** Refers to itself by a key that the server makes. */
export class Folder extends model("folders", {
  id: t.identity(),
  name: t.text(),
  parentId: t.integer("parent_id").nullable().foreignKey(),
}) {
  declare parent?: Folder | null;
  declare folders?: Folder[];
  static relations = {
    parent: belongsTo(() => Folder, "parentId"),
    folders: hasMany(() => Folder, "parentId"),
  };
}

/** A cycle of foreign keys, one of them nullable. */
export class Team extends model("teams", {
  id: t.uuid().primaryKey(),
  name: t.text(),
  leadId: t.uuid("lead_id").nullable().foreignKey(),
  version: t.integer().version(),
}) {
  declare lead?: Member | null;
  declare members?: Member[];
  static relations = { lead: belongsTo(() => Member, "leadId"), members: hasMany(() => Member, "teamId") };
}

export class Member extends model("members", {
  id: t.uuid().primaryKey(),
  name: t.text(),
  teamId: t.uuid("team_id").foreignKey(),
}) {
  declare team?: Team;
  static relations = { team: belongsTo(() => Team, "teamId") };
}

/** A cycle that cannot be written: no table is made for it. */
export class Hen extends model("hens", { id: t.uuid().primaryKey(), eggId: t.uuid("egg_id").foreignKey() }) {
  declare egg?: Egg;
  static relations = { egg: belongsTo(() => Egg, "eggId") };
}

export class Egg extends model("eggs", { id: t.uuid().primaryKey(), henId: t.uuid("hen_id").foreignKey() }) {
  declare hen?: Hen;
  static relations = { hen: belongsTo(() => Hen, "henId") };
}

/** A key of two columns, and a foreign key to it. */
export class Seat extends model("seats", {
  row: t.integer().primaryKey(),
  letter: t.varchar(2).primaryKey(),
  taken: t.boolean().default(false),
  version: t.integer().version(),
}) {
  declare bookings?: Booking[];
  static relations = { bookings: hasMany(() => Booking, ["seatRow", "seatLetter"]) };
}

export class Booking extends model("bookings", {
  id: t.uuid().primaryKey(),
  guest: t.text(),
  seatRow: t.integer("seat_row").foreignKey(),
  seatLetter: t.varchar(2, "seat_letter").foreignKey(),
}) {
  declare seat?: Seat;
  static relations = { seat: belongsTo(() => Seat, ["seatRow", "seatLetter"]) };
}

/** Every type that every database has. */
export class Sample extends model("samples", {
  id: t.uuid().primaryKey(),
  text: t.text().nullable(),
  varchar: t.varchar(20).nullable(),
  integer: t.integer().nullable(),
  bigint: t.bigint().nullable(),
  real: t.real().nullable(),
  double: t.double().nullable(),
  decimal: t.decimal({ precision: 12, scale: 2 }).nullable(),
  boolean: t.boolean().nullable(),
  uuid: t.uuid().nullable(),
  timestamp: t.timestamp("at_time").nullable(),
  date: t.date("on_day").nullable(),
  json: t.json<unknown>("as_json").nullable(),
  bytes: t.bytes("as_bytes").nullable(),
  kind: t.enumeration(["novel", "essay"]).nullable(),
}) {}

/** Values that change in place. */
export class Page extends model("pages", {
  id: t.uuid().primaryKey(),
  meta: t.json<Record<string, unknown> | null>(),
  body: t.bytes(),
  at: t.timestamp("at_time"),
  visits: t.integer().default(0),
  version: t.integer().version(),
}) {}

/** Unique columns. */
export class Account extends model("accounts", {
  id: t.uuid().primaryKey(),
  email: t.varchar(100).unique(),
  nick: t.varchar(100).nullable().unique(),
  version: t.integer().version(),
}) {}

let updates = 0;

/** What the database makes, and what the client makes at each update. */
export class Article extends model("articles", {
  id: t.uuid().primaryKey(),
  price: t.integer(),
  state: t.varchar(20).serverDefault(sql`'new'`),
  rank: t.integer().nullable().serverDefault(sql`7`),
  twice: t.integer().generated(sql`price * 2`),
  change: t.varchar(20, "change_mark").default("none").onUpdate(() => `change ${++updates}`),
  version: t.integer().version(),
}) {}

/** One instance at the other end, or none. */
export class User extends model("users", { id: t.uuid().primaryKey(), name: t.text() }) {
  declare profile?: Profile | null;
  static relations = { profile: hasOne(() => Profile, "userId", { cascade: ["save", "delete", "deleteOrphan"] }) };
}

export class Profile extends model("profiles", {
  id: t.uuid().primaryKey(),
  motto: t.text(),
  userId: t.uuid("user_id").foreignKey().unique(),
}) {
  declare user?: User;
  static relations = { user: belongsTo(() => User, "userId") };
}

/** Without a version: the last writer wins, unless the session compares what it loaded. */
export class Stock extends model("stocks", {
  id: t.uuid().primaryKey(),
  name: t.text().nullable(),
  left: t.integer("pieces_left"),
  day: t.timestamp("at_day").nullable(),
}) {
  declare crates?: Crate[];
  static relations = { crates: hasMany(() => Crate, "stockId") };
}

/** May be without a parent. */
export class Crate extends model("crates", {
  id: t.uuid().primaryKey(),
  name: t.text(),
  stockId: t.uuid("stock_id").nullable().foreignKey(),
}) {
  declare stock?: Stock | null;
  static relations = { stock: belongsTo(() => Stock, "stockId", { cascade: [] }) };
}

/** A column that cannot be compared exactly, and no version. */
export class Gauge extends model("gauges", { id: t.uuid().primaryKey(), level: t.double() }) {}

/** Many to many, with keys made by the server at both ends. */
export class Student extends model("students", { id: t.identity(), name: t.text() }) {
  declare courses?: Course[];
  static relations = {
    courses: manyToMany(() => Course, { through: "enrolments", from: "student_id", to: "course_id" }),
  };
}

export class Course extends model("courses", { id: t.identity(), name: t.text() }) {
  declare students?: Student[];
  static relations = {
    students: manyToMany(() => Student, { through: "enrolments", from: "course_id", to: "student_id" }),
  };
}

/** A key that holds the key of a parent, which the server makes. */
export class Order extends model("orders", { id: t.identity(), name: t.text() }) {
  declare lines?: Line[];
  static relations = { lines: hasMany(() => Line, "orderId", { cascade: ["save", "deleteOrphan"] }) };
}

export class Line extends model("order_lines", {
  orderId: t.integer("order_id").primaryKey().foreignKey(),
  number: t.integer("line_number").primaryKey(),
  what: t.text(),
  version: t.integer().version(),
}) {
  declare order?: Order;
  static relations = { order: belongsTo(() => Order, "orderId") };
}

/** The database deletes through two levels. */
export class Site extends model("sites", { id: t.uuid().primaryKey(), name: t.text() }) {
  declare rooms?: Room[];
  static relations = { rooms: hasMany(() => Room, "siteId", { cascade: ["save", "delete"] }) };
}

export class Room extends model("rooms", { id: t.uuid().primaryKey(), siteId: t.uuid("site_id").foreignKey() }) {
  declare desks?: Desk[];
  static relations = {
    site: belongsTo(() => Site, "siteId", { onDelete: "cascade" }),
    desks: hasMany(() => Desk, "roomId", { cascade: ["save", "delete"] }),
  };
  declare site?: Site;
}

export class Desk extends model("desks", {
  id: t.uuid().primaryKey(),
  name: t.text(),
  roomId: t.uuid("room_id").foreignKey(),
}) {
  declare room?: Room;
  static relations = { room: belongsTo(() => Room, "roomId", { onDelete: "cascade" }) };
}

/** Every model that has a table. */
export const models: readonly AnyModel[] = [
  Author,
  Book,
  Review,
  Tag,
  Maker,
  Product,
  Part,
  Employee,
  Folder,
  Team,
  Member,
  Seat,
  Booking,
  Sample,
  Page,
  Account,
  Article,
  User,
  Profile,
  Stock,
  Crate,
  Gauge,
  Student,
  Course,
  Order,
  Line,
  Site,
  Room,
  Desk,
  Studio,
  Media,
  MediaNote,
  Shelf,
  Cell,
  Lid,
  Mark,
];

/** The tables of the models and of their links, those that refer before those that are referred to. */
export const tables: readonly string[] = [
  "book_tags",
  "reviews",
  "books",
  "authors",
  "tags",
  "parts",
  "products",
  "makers",
  "employees",
  "folders",
  "members",
  "teams",
  "bookings",
  "seats",
  "samples",
  "pages",
  "accounts",
  "articles",
  "profiles",
  "users",
  "crates",
  "stocks",
  "gauges",
  "enrolments",
  "students",
  "courses",
  "order_lines",
  "orders",
  "desks",
  "rooms",
  "sites",
  "shelf_media",
  "shelves",
  "media_notes",
  "media",
  "studios",
  "cell_marks",
  "lids",
  "marks",
  "cells",
];

/** An author with books, each with reviews of these many stars. */
export function author(name: string, books: Record<string, readonly number[]> = {}): Author {
  return Author.create({
    name,
    books: Object.entries(books).map(([title, stars]) =>
      Book.create({ title, reviews: stars.map((count) => new Review({ stars: count })) })
    ),
  });
}
