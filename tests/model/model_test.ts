import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { ValidationError } from "../../src/errors.ts";
import { t } from "../../src/model/columns.ts";
import { model } from "../../src/model/model.ts";
import { belongsTo, hasMany } from "../../src/model/relations.ts";
import { sql } from "../../src/sql/tag.ts";

class Author extends model("authors", {
  id: t.uuid().primaryKey(),
  name: t.text(),
  bio: t.text().nullable(),
  joined: t.timestamp("joined_at").default(() => new Date(0)),
  rank: t.integer().nullable().serverDefault(sql`0`),
  upper: t.text().nullable().generated(sql`upper(name)`),
  version: t.integer().version(),
}) {
  declare books?: Book[];
  static relations = { books: hasMany(() => Book, "authorId") };
  rename(name: string): this {
    this.name = name;
    return this;
  }
}

class Book extends model("books", {
  id: t.identity(),
  title: t.text(),
  authorId: t.uuid("author_id").foreignKey(),
}, { schema: "shop" }) {
  declare author?: Author;
  static relations = { author: belongsTo(() => Author, "authorId") };
}

class Novel extends Book {
  get loud(): string {
    return this.title.toUpperCase();
  }
}

/** Calls that the compiler refuses, as a user without it could write them. */
// deno-lint-ignore no-explicit-any -- what is tested is what the types forbid
const [AnyAuthor, AnyBook, anyModel]: any[] = [Author, Book, model];

function refuses(call: () => unknown, says: string): void {
  assertThrows(call, ValidationError, says);
}

Deno.test("model() has table, schema and columns as statics when it is declared", () => {
  assertEquals([Author.table, Author.schema, Object.keys(Author.columns)], [
    "authors",
    null,
    ["id", "name", "bio", "joined", "rank", "upper", "version"],
  ]);
  assertEquals([Book.schema, Novel.table, Novel.name], ["shop", "books", "Novel"]);
  assertStrictEquals(Novel.relations, Book.relations);
});

Deno.test("model() keeps its columns when the object given to it changes", () => {
  const columns: { id: ReturnType<typeof t.identity>; late?: ReturnType<typeof t.identity> } = { id: t.identity() };
  const Kept = anyModel("kept", columns);
  columns.late = t.identity();
  assertEquals(Object.keys(Kept.columns), ["id"]);
  assertThrows(() => Kept.columns.late = columns.late, TypeError);
});

Deno.test("model() refuses a declaration when it cannot be right", () => {
  refuses(() => anyModel("", {}), "model() needs a table's name");
  refuses(() => anyModel(undefined, {}), "model() needs a table's name");
  refuses(() => anyModel("x", { id: t.identity() }, { schema: "" }), "model() needs a schema's name");
  refuses(() => anyModel("x"), 'model("x") needs its columns');
  refuses(() => anyModel("x", { id: "text" }), 'model("x") needs a column for "id", such as t.text()');
  for (const name of ["__proto__", "constructor", "and", "or", "not"]) {
    refuses(() => anyModel("x", { [name]: t.text() }), `model("x") cannot have a property named "${name}"`);
  }
});

Deno.test("a constructor sets own plain data properties in column order when it is given values", () => {
  const author = new Author({ version: 4, bio: "b", name: "Ann", id: "k", rank: 2, joined: new Date(5) });
  assertEquals(Object.entries(author), [
    ["id", "k"],
    ["name", "Ann"],
    ["bio", "b"],
    ["joined", new Date(5)],
    ["rank", 2],
    ["version", 4],
  ]);
  for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(author))) {
    assertEquals([descriptor.writable, descriptor.enumerable, descriptor.configurable], [true, true, true], name);
  }
  assertEquals(Reflect.ownKeys(author), Object.keys(author));
  assert(author instanceof Author);
  assertEquals(author.rename("Bo").name, "Bo");
});

Deno.test("a constructor fills in what it was not given when a column has a value for it", () => {
  const author = new Author({ name: "Ann" });
  assert(/^[0-9a-f-]{36}$/.test(author.id));
  assertEquals([author.bio, author.joined, author.version], [null, new Date(0), 1]);
  assertEquals(Object.keys(author), ["id", "name", "bio", "joined", "version"]);
  assertEquals("rank" in author, false, "the server makes it");
  assertEquals("upper" in author, false, "the database computes it");
});

Deno.test("a constructor leaves a property out when nothing gives it a value", () => {
  assertEquals({ ...new Book({ title: "t" }) }, { title: "t" });
  // What is missing is found at the flush, where a relation may have given it.
  assertEquals({ ...new AnyBook({}) }, {});
});

Deno.test("a constructor takes null when it is given for any column", () => {
  assertEquals(new Author({ name: "Ann", rank: null }).rank, null);
});

Deno.test("a constructor refuses a property when the model has none of its name", () => {
  refuses(
    () => new AnyAuthor({ nmae: "x" }),
    'new Author() was given "nmae", which is no property of Author: did you mean "name"?',
  );
  refuses(
    () => new AnyBook({ title: "x", somethingElse: 1 }),
    "which is no property of Book: its columns are id, title, authorId",
  );
  refuses(() => new AnyAuthor({ name: "x", ["__proto__"]: {} }), '"__proto__", which is no property of Author');
  refuses(() => new AnyAuthor(JSON.parse('{ "__proto__": {} }')), '"__proto__", which is no property of Author');
  refuses(() => new AnyAuthor({ toString: 1 }), '"toString", which is no property of Author');
  refuses(() => new Novel(Object.assign({ title: "x" }, { titel: "y" })), "which is no property of Novel");
});

Deno.test("a constructor and create() look at own properties only", () => {
  const inherited = Object.create({ title: "x", nope: 1, author: 1 });
  for (const book of [new AnyBook(inherited), AnyBook.create(inherited)]) assertEquals(Object.keys(book), []);
});

Deno.test("a constructor refuses a relation when create() is the way to give it", () => {
  refuses(
    () => new AnyBook({ title: "x", author: new Author({ name: "Ann" }) }),
    'new Book() takes columns only: use Book.create() to give the relation "author"',
  );
});

Deno.test("a constructor refuses undefined and generated values when they are given", () => {
  refuses(
    () => new Author({ name: "x", bio: undefined }),
    'new Author() was given undefined for "bio": leave it out, or use null',
  );
  refuses(() => new AnyAuthor({ name: "x", upper: "X" }), '"upper", which the database computes: leave it out');
});

Deno.test("a constructor refuses its argument when it is no object of values", () => {
  refuses(() => new AnyAuthor(), "new Author() needs an object of values, not undefined");
  refuses(() => new AnyAuthor(null), "new Author() needs an object of values, not null");
  refuses(() => new AnyAuthor([]), "new Author() needs an object of values, not an array");
  refuses(() => AnyAuthor.create("x"), "Author.create() needs an object of values, not string");
});

Deno.test("create() sets columns and relations when it is given both", () => {
  const ann = new Author({ name: "Ann" });
  const book = Book.create({ title: "t", author: ann });
  assert(book instanceof Book);
  assertEquals(Object.keys(book), ["title", "author"]);
  assertStrictEquals(book.author, ann);
  const books = [book];
  const bo = Author.create({ name: "Bo", books });
  assertStrictEquals(bo.books![0], book);
  assertNotStrictEquals(bo.books, books, "a later change of the caller's array is no change of the instance");
  assertEquals("author" in Book.create({ title: "t" }), false);
});

Deno.test("create() makes an instance of the subclass when it is called on one", () => {
  const novel = Novel.create({ title: "t", author: new Author({ name: "Ann" }) });
  assert(novel instanceof Novel);
  assertEquals(novel.loud, "T");
  assertEquals(Author.create({ name: "Bo", books: [novel] }).books?.length, 1);
});

Deno.test("create() takes columns only when the model has no relations", () => {
  class Alone extends model("alone", { id: t.identity(), name: t.text() }) {}
  assertEquals({ ...Alone.create({ name: "x" }) }, { name: "x" });
  const Bare = model("bare", { id: t.identity(), name: t.text() });
  assertEquals({ ...Bare.create({ name: "x" }) }, { name: "x" });
});

Deno.test("create() takes null for a relation to one when it is given", () => {
  assertEquals(AnyBook.create({ title: "t", author: null }).author, null);
});

Deno.test("create() refuses a relation when it is of another kind", () => {
  const [ann, book] = [new Author({ name: "Ann" }), new Book({ title: "t" })];
  refuses(
    () => AnyBook.create({ title: "t", author: [ann] }),
    'Book.create() needs one instance of Author, or null, for the relation "author"',
  );
  refuses(() => AnyBook.create({ title: "t", author: book }), "needs one instance of Author");
  refuses(() => AnyBook.create({ title: "t", author: { name: "Ann" } }), "needs one instance of Author");
  refuses(
    () => AnyAuthor.create({ name: "x", books: book }),
    'Author.create() needs an array of Book for the relation "books"',
  );
  refuses(() => AnyAuthor.create({ name: "x", books: null }), "needs an array of Book");
  refuses(() => AnyAuthor.create({ name: "x", books: [book, ann] }), 'for the relation "books": item 1 is none');
  refuses(
    () => Book.create({ title: "t", author: undefined }),
    'Book.create() was given undefined for "author": leave it out, or use null',
  );
  refuses(() => Author.create({ name: "t", books: undefined }), 'was given undefined for "books": leave it out');
});

Deno.test("create() refuses a property when it is neither column nor relation", () => {
  refuses(() => AnyBook.create({ title: "t", athor: null }), 'Book.create() was given "athor"');
  refuses(() => AnyBook.create({ title: "t", athor: null }), 'did you mean "author"?');
  refuses(() => AnyAuthor.create(JSON.parse('{ "__proto__": {} }')), '"__proto__", which is no property of Author');
  refuses(
    () => AnyAuthor.create({ name: "x", upper: "X" }),
    'Author.create() was given "upper", which the database computes',
  );
});

Deno.test("create() refuses a relation when it was declared by hand", () => {
  class Odd extends model("odd", { id: t.identity() }) {
    static relations = { other: "Author" };
  }
  refuses(
    () => Odd.create(Object.assign({}, { other: null })),
    'cannot set "other": declare the relation with belongsTo()',
  );
});
