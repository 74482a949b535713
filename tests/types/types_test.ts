/**
 * What the compiler knows of models. `deno test` checks the types of this file before it runs it: a line that stops
 * compiling, or a `@ts-expect-error` that starts to, fails the run. What can also run, runs.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { t } from "../../src/model/columns.ts";
import type { Declared, ModelArgument } from "../../src/model/declared.ts";
import { model } from "../../src/model/model.ts";
import type { Op } from "../../src/model/query_types.ts";
import { belongsTo, hasMany, hasOne, manyToMany } from "../../src/model/relations.ts";
import type { AnyModel, Create, Insert, Key, KeyNames, Loaded, RelationKeys } from "../../src/model/types.ts";
import { type Sql, sql } from "../../src/sql/tag.ts";
import { Author, Profile } from "./author.ts";
import { Book, Review, Tag } from "./book.ts";
import { Employee, Left, Novel, Right, type Seat, Ticket } from "./self.ts";
import { type Same, type Session, sure } from "./session.ts";

/** Calls nothing: that the function compiles is the test. */
function compiles(name: string, _use: (session: Session) => unknown): void {
  Deno.test(name, () => {});
}

/** The instance of a promise to query or get. */
type Of<P extends Promise<unknown>> = NonNullable<Awaited<P>>;

// Columns

Deno.test("model() infers the type of each property when columns are declared", () => {
  class Everything extends model("everything", {
    id: t.uuid().primaryKey(),
    text: t.text(),
    varchar: t.varchar(10),
    integer: t.integer(),
    bigint: t.bigint(),
    real: t.real(),
    double: t.double(),
    decimal: t.decimal({ precision: 10, scale: 2 }),
    boolean: t.boolean(),
    timestamp: t.timestamp(),
    date: t.date(),
    json: t.json<{ a: number }>(),
    bytes: t.bytes(),
    enumeration: t.enumeration(["a", "b"]),
    array: t.array(t.integer()),
    nullable: t.text().nullable(),
  }) {}
  type Instance = { [K in keyof Everything & string]: Everything[K] };
  sure<
    Same<Instance, {
      id: string;
      text: string;
      varchar: string;
      integer: number;
      bigint: bigint;
      real: number;
      double: number;
      decimal: string;
      boolean: boolean;
      timestamp: Date;
      date: string;
      json: { a: number };
      bytes: Uint8Array;
      enumeration: "a" | "b";
      array: number[];
      nullable: string | null;
    }>
  >();
  assertEquals(Object.keys(Everything.columns).length, 16);
});

Deno.test("Insert leaves out what gives itself a value when modifiers say so", () => {
  const columns = {
    key: t.uuid().primaryKey(),
    plain: t.text(),
    plainKey: t.integer().primaryKey(),
    nullable: t.text().nullable(),
    withDefault: t.text().default("x"),
    server: t.text().serverDefault(sql`'x'`),
    computed: t.text().generated(sql`'x'`),
    owner: t.uuid().foreignKey(),
    version: t.integer().version(),
    identity: t.identity(),
    chained: t.uuid("chained_id").unique().primaryKey(),
  };
  sure<
    Same<Insert<typeof columns>, {
      plain: string;
      plainKey: number;
      key?: string;
      nullable?: string | null;
      withDefault?: string;
      server?: string;
      owner?: string;
      version?: number;
      identity?: number;
      chained?: string;
    }>
  >();
  assertEquals(columns.computed.spec.generated !== null, true);
});

compiles("t refuses what cannot be declared when it compiles", () => {
  // @ts-expect-error text counts nothing
  t.text().version();
  // @ts-expect-error neither does a floating-point number
  t.double().version();
  // @ts-expect-error nor a big one
  t.bigint().version();
  // @ts-expect-error all instances would share the date
  t.timestamp().default(new Date());
  // @ts-expect-error and the object
  t.json<{ a: number }>().default({ a: 1 });
  // @ts-expect-error and the array
  t.array(t.text()).default([]);
  t.json<{ a: number }>().default(() => ({ a: 1 }));
  // @ts-expect-error another type
  t.text().default(1);
  // @ts-expect-error another type from a function
  t.text().default(() => 1);
  // @ts-expect-error null without nullable
  t.text().default(null);
  t.text().nullable().default(null);
  // @ts-expect-error not one of them
  t.enumeration(["a", "b"]).default("c");
  // @ts-expect-error none to choose from
  t.enumeration([]);
  // @ts-expect-error a varchar has a length
  t.varchar();
  // @ts-expect-error text is no expression
  t.text().serverDefault("now()");
  // @ts-expect-error no column
  model("x", { a: 1 });
});

// Constructor and create

Deno.test("a constructor takes columns when they are of their types", () => {
  new Author({ name: "Ann" });
  new Author({ name: "Ann", bio: null, version: 3, id: "k", createdAt: new Date(0) });
  new Book({ title: "t" });
  new Book({ title: "t", authorId: "k", kind: "essay", meta: { pages: 3 } });
  const ann = new Author({ name: "Ann" });
  sure<Same<typeof ann, Author>>();
  const renamed = ann.rename("Anna");
  sure<Same<typeof renamed, Author>>();
  assertEquals(renamed.shout, "ANNA");
});

compiles("a constructor refuses what is no value of a column when it compiles", () => {
  // @ts-expect-error name is missing
  new Author({});
  // @ts-expect-error nothing at all
  new Author();
  // @ts-expect-error unknown property
  new Author({ name: "x", nmae: 1 });
  // @ts-expect-error generated
  new Author({ name: "x", upper: "X" });
  // @ts-expect-error wrong type
  new Author({ name: 1 });
  // @ts-expect-error null in a column that has none
  new Author({ name: null });
  // @ts-expect-error not one of the enumeration
  new Book({ title: "t", kind: "poem" });
  // @ts-expect-error a relation is for create()
  new Book({ title: "t", author: new Author({ name: "x" }) });
  // @ts-expect-error a generated property is only read
  new Author({ name: "x" }).upper = "X";
});

Deno.test("create() takes columns and relations when they are of their types", () => {
  const author = Author.create({ name: "Ann", books: [], profile: null });
  sure<Same<typeof author, Author>>();
  const book = Book.create({
    title: "t",
    author,
    reviews: [Review.create({ stars: 3 })],
    tags: [new Tag({ name: "x" })],
  });
  sure<Same<typeof book, Book>>();
  const profile: Create<Profile> = { text: "x" };
  sure<Same<typeof profile.authorId, string | undefined>>();
  const novel = Novel.create({ title: "long", author, chapters: [] });
  sure<Same<typeof novel, Novel>>();
  assertEquals(novel.long, false);
  assertEquals(book.author?.name, "Ann");
});

compiles("create() refuses what is neither column nor relation when it compiles", () => {
  // @ts-expect-error title is missing
  Book.create({ author: new Author({ name: "x" }) });
  // @ts-expect-error unknown relation
  Book.create({ title: "t", athor: new Author({ name: "x" }) });
  // @ts-expect-error another model
  Book.create({ title: "t", author: new Tag({ name: "x" }) });
  // @ts-expect-error an array is needed
  Author.create({ name: "x", books: new Book({ title: "t" }) });
  // @ts-expect-error one is needed
  Book.create({ title: "t", author: [new Author({ name: "x" })] });
  // @ts-expect-error a plain object is no instance
  Book.create({ title: "t", author: { name: "x" } });
  // @ts-expect-error null where the declaration has none
  Book.create({ title: "t", author: null });
  // @ts-expect-error no relation, though declared
  Author.create({ name: "x", nicknames: ["y"] });
  // @ts-expect-error generated
  Author.create({ name: "x", upper: "X" });
});

// Relations

Deno.test("RelationKeys finds relations only when properties of other kinds are declared", () => {
  sure<Same<RelationKeys<Author>, "books" | "profile">>();
  sure<Same<RelationKeys<Book>, "author" | "reviews" | "tags">>();
  sure<Same<RelationKeys<Novel>, "author" | "reviews" | "tags" | "chapters">>();
  sure<Same<RelationKeys<Profile>, never>>();
});

compiles("relations refuse a foreign key that the target does not have when they compile", () => {
  hasMany(() => Book, "authorId");
  // @ts-expect-error misspelt
  hasMany(() => Book, "autorId");
  // @ts-expect-error a relation is no column
  hasMany(() => Book, "author");
  // @ts-expect-error misspelt
  hasOne(() => Profile, "autorId");
  // @ts-expect-error misspelt in a composite key
  hasMany(() => Ticket, ["row", "leter"]);
  // @ts-expect-error no names
  hasMany(() => Ticket, []);
  // @ts-expect-error no model
  belongsTo(() => Date, "authorId");
  // @ts-expect-error the other may have other owners
  belongsTo(() => Author, "authorId", { cascade: ["deleteOrphan"] });
  // @ts-expect-error the other may have other owners
  manyToMany(() => Tag, { through: "x", from: "a", to: "b", cascade: ["deleteOrphan"] });
  // @ts-expect-error no such cascade
  hasMany(() => Book, "authorId", { cascade: ["all"] });
  // @ts-expect-error no table between
  manyToMany(() => Tag, { from: "a", to: "b" });
});

// Include

compiles("include() narrows what is loaded when it is given an object", async (s) => {
  const author = await s.query(Author).include({ books: { reviews: true, author: true }, profile: true }).one();
  const stars: number = author.books[0]!.reviews[0]!.stars;
  const name: string = author.books[0]!.author.name;
  author.rename("x");
  sure<Same<typeof author.profile, Profile | null>>();
  // @ts-expect-error not included: perhaps undefined
  author.books[0]!.tags.length;
  // @ts-expect-error perhaps null
  author.profile.text;
  return [stars, name];
});

compiles("include() narrows what is loaded when it is given a list", async (s) => {
  const author = await s.query(Author).include(["books"]).one();
  author.books[0]!.title;
  // @ts-expect-error not included
  author.books[0]!.reviews.length;
  const got = await s.get(Author, "k", { include: { books: ["reviews", "tags"] } });
  const name: string = got!.books[0]!.tags[0]!.name;
  return [name, got!.books[0]!.reviews[0]!.stars];
});

compiles("get() and query() leave relations undefined when they are not included", async (s) => {
  const got = await s.get(Author, "k");
  sure<Same<typeof got, Author | null>>();
  const books: Book[] | undefined = got!.books;
  // @ts-expect-error not loaded
  got!.books.length;
  sure<Same<Of<ReturnType<typeof one>>, Book>>();
  function one(): Promise<Book> {
    return s.query(Book).one();
  }
  const many = await s.getAll(Book, [1, 2]);
  sure<Same<typeof many, (Book | null)[]>>();
  return books;
});

compiles("include() keeps null when the declaration allows it", async (s) => {
  const review = await s.query(Review).include({ book: { author: true } }).one();
  // @ts-expect-error perhaps null
  review.book.title;
  return review.book?.author.name;
});

compiles("include() refuses what is no relation when it compiles", (s) => {
  // @ts-expect-error unknown relation
  s.query(Author).include({ boks: true });
  // @ts-expect-error unknown nested relation
  s.query(Author).include({ books: { reviws: true } });
  // @ts-expect-error unknown in a list
  s.query(Author).include(["boks"]);
  // @ts-expect-error unknown in a nested list
  s.query(Author).include({ books: ["reviws"] });
  // @ts-expect-error a column is no relation
  s.query(Author).include(["name"]);
  // @ts-expect-error a getter is no relation
  s.query(Author).include(["shout"]);
  // @ts-expect-error a method is no relation
  s.query(Author).include(["rename"]);
  // @ts-expect-error texts are no relation
  s.query(Author).include(["nicknames"]);
  // @ts-expect-error a date is no relation
  s.query(Author).include(["seen"]);
  // @ts-expect-error false is not how to leave one out
  s.query(Author).include({ books: false });
  // @ts-expect-error unknown in get()
  s.get(Author, "k", { include: { boks: true } });
});

compiles("include() narrows at every depth when a model refers to itself", async (s) => {
  const boss = await s.query(Employee).include({ reports: { reports: { boss: true } } }).one();
  const name: string | undefined = boss.reports[0]!.reports[0]!.boss?.name;
  const left = await s.query(Left).include({ right: { left: true } }).one();
  const id: number | undefined = left.right?.left.id;
  const right = await s.load(new Right({}), ["left"]);
  return [name, id, right.left.id];
});

compiles("a subclass is a model of its own when it is queried", async (s) => {
  const novel = await s.query(Novel).where({ title: "x" }).include({ author: { books: true }, chapters: true }).one();
  novel.long;
  novel.chapters.length;
  novel.author.books.length;
  const book: Book = novel;
  // @ts-expect-error the base class has no chapters
  s.query(Book).include(["chapters"]);
  return book;
});

Deno.test("Loaded is the instance when nothing is included", () => {
  sure<Same<Loaded<Author, true>, Author>>();
  const author: Loaded<Author, ["books"]> = Object.assign(new Author({ name: "x" }), { books: [] });
  assertEquals(author.books.length, 0);
});

// Where, order, assign

compiles("where() takes the operators of a column when they fit its type", (s) => {
  s.query(Author).where({ name: "x", bio: null, version: { gt: 1, lte: 3 } });
  s.query(Author).where({ name: { like: "A%", startsWith: "A", endsWith: "n", contains: "n" } });
  s.query(Author).where({ name: { in: ["a", "b"], notIn: ["c"], ne: "d", eq: "e" }, bio: { isNull: true } });
  s.query(Author).where({ createdAt: { between: [new Date(0), new Date(1)], gte: new Date(0) } });
  s.query(Author).where({ version: { eq: sql`1 + 1`, lt: sql`2` } });
  s.query(Author).where({ or: [{ name: "a" }, sql`1 = 1`], and: [{ bio: { ne: null } }], not: { name: "b" } });
  s.query(Author).where(sql`length(name) > ${3}`);
  s.query(Book).where({ inPrint: true, meta: { eq: { pages: 3 } }, kind: { in: ["novel"] } });
  s.query(Book).where({ meta: null });
  sure<Same<NonNullable<Op<number | null>["between"]>, readonly [number, number]>>();
});

compiles("where() refuses what does not fit a column when it compiles", (s) => {
  // @ts-expect-error JSON has no order
  s.query(Book).where({ meta: { gt: 1 } });
  // @ts-expect-error an object could be a value or operators
  s.query(Book).where({ meta: { pages: 1 } });
  // @ts-expect-error neither has a boolean
  s.query(Book).where({ inPrint: { gt: true } });
  // @ts-expect-error a number has no letters
  s.query(Author).where({ version: { like: "1%" } });
  // @ts-expect-error wrong type
  s.query(Author).where({ name: 3 });
  // @ts-expect-error null in a column that has none
  s.query(Author).where({ name: null });
  // @ts-expect-error unknown property
  s.query(Author).where({ nam: "x" });
  // @ts-expect-error unknown operator
  s.query(Author).where({ name: { gtt: "x" } });
  // @ts-expect-error unknown in or
  s.query(Author).where({ or: [{ nam: "x" }] });
  // @ts-expect-error a relation is no column
  s.query(Author).where({ books: [] });
  // @ts-expect-error not one of the enumeration
  s.query(Book).where({ kind: "poem" });
  // @ts-expect-error nothing is greater than null
  s.query(Author).where({ bio: { gt: null } });
  // @ts-expect-error text is not SQL
  s.query(Author).where("name = 'x'");
});

compiles("orderBy() takes columns and SQL when they are of the model", (s) => {
  s.query(Author).orderBy({ name: "asc", id: "desc" });
  s.query(Author).orderBy([{ name: "asc" }, sql`length(bio)`]);
  s.query(Author).orderBy(sql`length(bio)`);
  // @ts-expect-error unknown property
  s.query(Author).orderBy({ nam: "asc" });
  // @ts-expect-error unknown property in a list
  s.query(Author).orderBy([{ nam: "asc" }]);
  // @ts-expect-error no direction
  s.query(Author).orderBy({ name: "ascending" });
});

compiles("assign() takes a value or SQL for each property when it is written", (s) => {
  const author = new Author({ name: "x" });
  const assigned = s.assign(author, { name: "y", version: sql`version + 1`, bio: null });
  sure<Same<typeof assigned, Author>>();
  const expression: Sql<string> = sql<string>`upper(name)`;
  s.assign(author, { name: expression });
  // @ts-expect-error wrong type
  s.assign(author, { name: 3 });
  // @ts-expect-error unknown property
  s.assign(author, { nme: "x" });
  // @ts-expect-error generated
  s.assign(author, { upper: "X" });
  // @ts-expect-error a relation is set as a property
  s.assign(author, { books: [] });
});

// Keys

Deno.test("Key takes a value, a tuple or an object when the primary key is one column", () => {
  sure<Same<KeyNames<Author>, "id">>();
  const keys: readonly Key<Author>[] = ["k", ["k"], { id: "k" }];
  // @ts-expect-error wrong type
  const wrong: Key<Author> = 3;
  // @ts-expect-error one column too many
  const long: Key<Author> = ["k", "k"];
  // @ts-expect-error another property
  const other: Key<Author> = { name: "Ann" };
  // @ts-expect-error a unique column is no key
  const unique: Key<Tag> = { name: "x" };
  assertEquals([keys.length, wrong, long, other, unique].length, 5);
});

Deno.test("Key takes a tuple or an object when the primary key is composite", () => {
  sure<Same<KeyNames<Seat>, "row" | "letter">>();
  const keys: readonly Key<Seat>[] = [[12, "A"], { row: 12, letter: "A" }];
  // @ts-expect-error half of it
  const half: Key<Seat> = { row: 12 };
  // @ts-expect-error half of it
  const single: Key<Seat> = [12];
  // @ts-expect-error a value alone
  const value: Key<Seat> = 12;
  // @ts-expect-error neither number nor text
  const wrong: Key<Seat> = [12, true];
  assertEquals([keys.length, half, single, value, wrong].length, 5);
});

compiles("get() refuses a key of another type when it compiles", (s) => {
  s.get(Book, 1);
  // @ts-expect-error a number is needed
  s.get(Book, "1");
  // @ts-expect-error one of them is of another type
  s.getAll(Book, [1, "2"]);
  // @ts-expect-error undefined is no key
  s.get(Book, undefined);
});

// Declared

Deno.test("Declared refuses a model when a relation is not declared as it is", () => {
  const columns = { id: t.identity(), bookId: t.integer().foreignKey(), maybeId: t.integer().nullable().foreignKey() };
  class Missing extends model("r", columns) {
    static relations = { book: belongsTo(() => Book, "bookId") };
  }
  class Required extends model("r", columns) {
    declare book: Book;
    static relations = { book: belongsTo(() => Book, "bookId") };
  }
  class Many extends model("r", columns) {
    declare book?: Book[];
    static relations = { book: belongsTo(() => Book, "bookId") };
  }
  class One extends model("r", columns) {
    declare chapters?: Author;
    static relations = { chapters: hasMany(() => Book, "id") };
  }
  class Other extends model("r", columns) {
    declare book?: Author;
    static relations = { book: belongsTo(() => Book, "bookId") };
  }
  class NeverNull extends model("r", columns) {
    declare book?: Book;
    static relations = { book: belongsTo(() => Book, "maybeId") };
  }
  class HasNever extends model("r", columns) {
    declare book?: Book;
    static relations = { book: hasOne(() => Book, "id") };
  }
  class Misspelt extends model("r", columns) {
    declare book?: Book;
    static relations = { book: belongsTo(() => Book, "bokId") };
  }
  class NoRelation extends model("r", columns) {
    declare book?: Book;
    static relations = { book: "Book" };
  }
  sure<Same<Declared<typeof Missing>, "declare this relation: book">>();
  sure<Same<Declared<typeof Required>, unknown>>();
  sure<Same<Declared<typeof Many>, "declare this relation as one, not an array: book">>();
  sure<Same<Declared<typeof One>, "declare this relation as an array: chapters">>();
  sure<Same<Declared<typeof Other>, "the declared relation has another type: book">>();
  sure<Same<Declared<typeof NeverNull>, unknown>>();
  sure<Same<Declared<typeof HasNever>, unknown>>();
  sure<Same<Declared<typeof Misspelt>, "no such property for the foreign key of book: bokId">>();
  sure<Same<Declared<typeof NoRelation>, "not a relation: book">>();
  // What the types are made of is there at run time too.
  assertEquals(Missing.relations.book.spec.foreignKey, ["bookId"]);
  assertEquals(NoRelation.relations.book, "Book");
  assertEquals([Required, Many, One, Other, NeverNull, HasNever, Misspelt].every((m) => m.table === "r"), true);
});

Deno.test("Declared takes a model when its relations are declared as they are", () => {
  type All = [
    Declared<typeof Author>,
    Declared<typeof Book>,
    Declared<typeof Review>,
    Declared<typeof Tag>,
    Declared<typeof Employee>,
    Declared<typeof Left>,
    Declared<typeof Right>,
    Declared<typeof Seat>,
    Declared<typeof Ticket>,
    Declared<typeof Novel>,
    Declared<typeof Profile>,
  ];
  sure<Same<All[number], unknown>>();
});

compiles("query() refuses a model when a relation is not declared, or it is no model", (s) => {
  class Forgotten extends model("r", { id: t.identity(), bookId: t.integer() }) {
    static relations = { book: belongsTo(() => Book, "bookId") };
  }
  // @ts-expect-error declare book
  s.query(Forgotten);
  // @ts-expect-error declare book
  s.get(Forgotten, 1);
  // @ts-expect-error no model
  s.query(Date);
  // @ts-expect-error no model
  s.query("books");
  // @ts-expect-error no instance
  s.add({ id: 1 });
  // @ts-expect-error no instance
  s.add({});
});

compiles("ModelArgument infers the model when a generic function passes it on", async (s) => {
  class Repository<M extends AnyModel> {
    constructor(readonly model: ModelArgument<M>) {}
    all(): Promise<InstanceType<M>[]> {
      return s.query<M>(this.model).all();
    }
  }
  const books = await new Repository(Book).all();
  sure<Same<typeof books, Book[]>>();
  class Found extends Book {
    static find() {
      return s.query(this).one();
    }
  }
  const found = await Found.find();
  sure<Same<typeof found, Found>>();
});
