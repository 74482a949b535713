/** Routing over several databases: where reads and writes go, and commits that would span two. */
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  type AnyModel,
  belongsTo,
  CommitOutcomeUnknownError,
  ConnectionError,
  type Database,
  deleteFrom,
  extend,
  hasMany,
  insert,
  InvalidStateError,
  manyToMany,
  model,
  select,
  Session,
  type SessionOptions,
  sql,
  t,
  UnsupportedError,
  update,
  ValidationError,
} from "../../mod.ts";
import { bulk, bulkInsert, bulkSave, bulkUpdate, reference } from "../../src/bulk/mod.ts";
import { embedded, type Noted, noting, taken } from "./routing_kit.ts";

class Author extends model("authors", { id: t.uuid().primaryKey(), name: t.text(), version: t.integer().version() }) {
  declare posts?: Post[];
  static relations = { posts: hasMany(() => Post, "authorId") };
}

class Post extends model("posts", {
  id: t.uuid().primaryKey(),
  title: t.text(),
  authorId: t.uuid("author_id").nullable().foreignKey(),
}) {
  declare author?: Author | null;
  declare comments?: Comment[];
  static relations = {
    author: belongsTo(() => Author, "authorId"),
    comments: hasMany(() => Comment, "postId"),
  };
}

class Comment extends model("comments", {
  id: t.uuid().primaryKey(),
  text: t.text(),
  postId: t.uuid("post_id").foreignKey(),
  authorId: t.uuid("author_id").nullable().foreignKey(),
}) {
  declare post?: Post;
  declare author?: Author | null;
  static relations = { post: belongsTo(() => Post, "postId"), author: belongsTo(() => Author, "authorId") };
}

const models: readonly AnyModel[] = [Author, Post, Comment];

/** Two databases: authors are in the first, posts and comments in the second. */
async function two(options: Partial<SessionOptions> = {}): Promise<{ a: Noted; b: Noted; session: Session }> {
  const [a, b] = [await embedded("first", models), await embedded("second", models)];
  const session = new Session({ bind: a.db, binds: [[Post, b.db], ["comments", b.db]], ...options });
  return { a, b, session };
}

async function run({ db }: Noted, sql: string, ...params: string[]): Promise<readonly (readonly unknown[])[]> {
  return (await db.execute({ sql, params })).rows;
}

/** A primary and a replica, which is never up to date. */
async function replicated(options: Partial<SessionOptions> = {}) {
  const [primary, replica] = [await embedded("primary", models), await embedded("replica", models)];
  for (const one of [primary, replica]) {
    await run(one, "INSERT INTO authors VALUES ('018f0000-0000-7000-8000-000000000001', 'Ann', 1)");
    taken(one);
  }
  const routing = { read: () => replica.db, write: () => primary.db };
  return { primary, replica, session: new Session({ bind: primary.db, routing, ...options }) };
}

const ANN = "018f0000-0000-7000-8000-000000000001";

Deno.test("a model is read and written at its bind, others at the session's", async () => {
  const { a, b, session } = await two();
  await using _ = session;
  session.add(new Author({ name: "Ann" }));
  await session.commit();
  assertEquals([taken(a), taken(b)], [["INSERT"], []]);
  const post = session.add(new Post({ title: "One" }));
  await session.commit();
  assertEquals([taken(a), taken(b)], [[], ["INSERT"]]);
  assertEquals([await session.query(Author).count(), await session.query(Post).count()], [1, 1]);
  assertEquals([taken(a), taken(b)], [["SELECT"], ["SELECT"]]);
  await session.get(Comment, post.id);
  await session.refresh(post);
  assertEquals([taken(a), taken(b)], [[], ["SELECT", "SELECT"]]);
  assertEquals((await session.query(Post).page({ size: 5 })).items, [post]);
  for await (const one of session.query(Post).stream({ size: 5 })) assertStrictEquals(one, post);
  assertEquals((await session.execute(select(Post))).scalars().all(), [post]);
  post.title = "Two";
  await session.commit();
  await session.delete(post);
  await session.commit();
  assertEquals([taken(a).length, await run(b, "SELECT count(*) FROM posts")], [0, [[0]]]);
});

Deno.test("builders, truncate and SQL text with a bind go where the model is", async () => {
  const { a, b, session } = await two();
  await using _ = session;
  const id = crypto.randomUUID();
  await session.execute(insert(Post).values([{ id, title: "One" }]));
  await session.execute(update(Post).set({ title: "Two" }).where({ id }));
  assertEquals(await session.scalar("SELECT title FROM posts", [], { bind: Post }), "Two");
  assertEquals(await session.scalar("SELECT count(*) FROM posts", [], { bind: b.db }), 1);
  assertEquals(await session.first("SELECT title FROM posts"), null);
  assertEquals(taken(a), ["SELECT"]);
  await session.execute("UPDATE posts SET title = 'Three'", [], { bind: Post });
  assertEquals(await session.scalars<string>("SELECT title FROM posts", [], { bind: Post }).then((s) => s.all()), [
    "Three",
  ]);
  await session.execute(deleteFrom(Post).where({ id }));
  await session.truncate(Post);
  await session.commit();
  assertEquals([taken(a), taken(b).at(-1)], [[], "COMMIT"]);
  const staged = session.stage(insert(Post).values([{ id, title: "Four" }]));
  session.stage("INSERT INTO posts (id, title) VALUES ('x', 'y')", [], { bind: Post });
  session.require(sql`(SELECT count(*) FROM posts) = 2`, "two posts", { bind: b.db });
  await session.commit();
  assertEquals([staged.result.rowsAffected, taken(a), await run(b, "SELECT count(*) FROM posts")], [1, [], [[2]]]);
  await assertRejects(
    () => session.execute(select(Post), undefined, { bind: a.db } as object),
    ValidationError,
    "bind",
  );
  await assertRejects(() => session.execute("SELECT 1", [], { bind: 1 as never }), ValidationError, "bind must be");
});

Deno.test("start(), connection() and native() take a bind", async () => {
  const { a, b, session } = await two();
  await using _ = session;
  await session.start({ bind: Post });
  assertEquals([taken(a), taken(b)], [[], ["BEGIN"]]);
  assertEquals((await session.connection({ bind: b.db })).database.description.slice(0, 6), "libsql");
  await session.native(() => {}, { bind: Post });
  assertEquals([taken(a), taken(b)], [[], []]);
});

Deno.test("relations of another database are loaded there by keys, in a request of their own", async () => {
  const { a, b, session } = await two();
  const ids = [1, 2, 3].map((i) => `018f0000-0000-7000-8000-00000000000${i}`);
  await run(a, "INSERT INTO authors VALUES (?, 'Ann', 1), (?, 'Ben', 1), (?, 'Cy', 1)", ...ids);
  await run(b, "PRAGMA foreign_keys = OFF");
  await run(
    b,
    "INSERT INTO posts VALUES (?, 'p1', ?), (?, 'p2', ?), (?, 'p3', NULL)",
    ids[0]!,
    ids[0]!,
    ids[1]!,
    ids[0]!,
    ids[2]!,
  );
  await run(
    b,
    "INSERT INTO comments VALUES (?, 'c1', ?, ?), (?, 'c2', ?, NULL)",
    ids[0]!,
    ids[0]!,
    ids[1]!,
    ids[1]!,
    ids[0]!,
  );
  taken(a), taken(b);
  await using _ = session;
  const authors = await session.query(Author).orderBy({ name: "asc" }).include({ posts: { comments: ["author"] } })
    .all();
  assertEquals(authors.map(({ posts }) => posts.map(({ title }) => title)), [["p1", "p2"], [], []]);
  assertEquals(authors[0]!.posts[0]!.comments.map(({ text, author }) => [text, author?.name]), [
    ["c1", "Ben"],
    ["c2", undefined],
  ]);
  assertStrictEquals(authors[0]!.posts[0]!.comments[0]!.author, authors[1]);
  assertEquals([taken(a), taken(b)], [["SELECT", "SELECT"], ["SELECT", "SELECT"]]);
  session.expungeAll();
  const post = await session.getOne(Post, ids[0]!, { include: ["author", "comments"] });
  assertEquals([post.author!.name, post.comments.length], ["Ann", 2]);
  assertEquals([taken(a), taken(b)], [["SELECT"], ["SELECT", "SELECT"]]);
  session.expungeAll();
  const ann = await session.getOne(Author, ids[0]!);
  await session.load(ann, ["posts"]);
  assertEquals([ann.posts!.length, taken(a), taken(b)], [2, ["SELECT"], ["SELECT"]]);
  assertEquals(session.dirty.size, 0);
});

Deno.test("a many-to-many relation from one database to another is refused", async () => {
  class Tag extends model("tags", { id: t.uuid().primaryKey() }) {}
  class Page extends model("pages", { id: t.uuid().primaryKey() }) {
    declare tags?: Tag[];
    static relations = { tags: manyToMany(() => Tag, { through: "page_tags", from: "page_id", to: "tag_id" }) };
  }
  const [a, b] = [await embedded("first", [Page, Tag]), await embedded("second", [Page, Tag])];
  await using session = new Session({ bind: a.db, binds: new Map([[Tag, b.db]]) });
  const page = session.add(new Page({}));
  page.tags = [new Tag({})];
  await assertRejects(() => session.commit(), UnsupportedError, "Page.tags");
  session.expunge(page.tags.pop()!);
  await session.commit();
  session.expungeAll();
  await assertRejects(() => session.query(Page).include(["tags"]).all(), UnsupportedError, "Page.tags");
});

Deno.test("a commit that would write to two databases is refused before anything is sent, naming both", async () => {
  const { a, b, session } = await two();
  await using _ = session;
  const author = session.add(new Author({ name: "Ann" }));
  const post = session.add(new Post({ title: "One" }));
  const error = await assertRejects(() => session.commit(), UnsupportedError) as Error;
  for (const word of [a.db.description, b.db.description, "@ledge/session/two_phase"]) {
    assert(error.message.includes(word));
  }
  assertEquals([taken(a), taken(b), session.state], [[], [], "open"]);
  session.expunge(post);
  await session.commit();
  assertEquals([session.has(author), taken(a), taken(b)], [true, ["INSERT"], []]);
});

Deno.test("what was flushed, staged, required, verified or bulk-inserted elsewhere counts as a write there", async () => {
  const elsewhere: Record<string, (session: Session, post: Post, b: Database) => unknown> = {
    flush: (session) => (session.add(new Post({ title: "x" })), session.flush()),
    execute: (session) => session.execute(update(Post).set({ title: "x" })),
    text: (session, _, b) => session.execute("UPDATE posts SET title = 'x'", [], { bind: b }),
    connection: (session, _, b) => session.connection({ bind: b }),
    stage: (session) => session.stage(update(Post).set({ title: "x" })),
    require: (session, _, b) => session.require(sql`1 = 1`, "never", { bind: b }),
    bulk: (session) => bulkInsert(session, Post, [{ title: "x" }]),
    update: (_, post) => post.title = "x",
    delete: (session, post) => session.delete(post),
  };
  for (const [name, write] of Object.entries(elsewhere)) {
    const { a, b, session } = await two();
    await using _ = session;
    const post = session.add(new Post({ title: "One" }));
    await session.commit();
    taken(b);
    await write(session, post, b.db);
    session.add(new Author({ name: "Ann" }));
    await assertRejects(() => session.commit(), UnsupportedError, "first (", name);
    assertEquals([taken(a), taken(b).includes("COMMIT"), session.state], [[], false, "open"], name);
    await session.rollback();
    assertEquals(await run(a, "SELECT count(*) FROM authors"), [[0]], name);
    assertEquals(await run(b, "SELECT count(*), max(title) FROM posts"), [[1, "One"]], name);
  }
});

Deno.test("a verified row of another database is one too, and so is every versioned one with verifyReads", async () => {
  for (const verifyReads of [false, true]) {
    const { a, b, session } = await two({ verifyReads });
    await run(a, "INSERT INTO authors VALUES (?, 'Ann', 1)", ANN);
    taken(a);
    await using _ = session;
    const author = await session.getOne(Author, ANN);
    if (!verifyReads) session.verify(author);
    session.add(new Post({ title: "x" }));
    await assertRejects(() => session.commit(), UnsupportedError, "second (");
    assertEquals([taken(a), taken(b)], [["SELECT"], []]);
  }
});

Deno.test("an update that finds its row as it is to be does not count", async () => {
  const { a, b, session } = await two();
  await run(b, "PRAGMA foreign_keys = OFF");
  await run(a, "INSERT INTO authors VALUES (?, 'Ann', 1)", ANN);
  await run(b, "INSERT INTO posts VALUES (?, 'One', ?)", ANN, ANN);
  taken(a), taken(b);
  await using _ = session;
  const [author, post] = [await session.getOne(Author, ANN), await session.getOne(Post, ANN)];
  post.author = author; // its foreign key says so already
  author.name = "Anna";
  await session.commit();
  assertEquals([taken(a), taken(b)], [["SELECT", "SELECT", "UPDATE"], ["SELECT"]]);
});

Deno.test("a transaction that only read elsewhere is ended after the commit", async () => {
  const { a, b, session } = await two();
  await using _ = session;
  await session.start({ bind: Post });
  await session.query(Post).all();
  session.add(new Author({ name: "Ann" }));
  await session.commit();
  assertEquals([taken(a), taken(b)], [["INSERT"], ["BEGIN", "SELECT", "ROLLBACK"]]);
  await session.start({ bind: Post });
  await session.commit();
  assertEquals([taken(a), taken(b)], [[], ["BEGIN", "COMMIT"]]);
});

Deno.test("a flush writes on each database, rows with made keys before those that take them; rollback() undoes all", async () => {
  class Maker extends model("makers", { id: t.identity(), name: t.text() }) {
    declare things?: Thing[];
    static relations = { things: hasMany(() => Thing, "makerId") };
  }
  class Thing extends model("things", { id: t.identity(), makerId: t.integer("maker_id").foreignKey() }) {
    declare maker?: Maker;
    static relations = { maker: belongsTo(() => Maker, "makerId") };
  }
  const [a, b] = [await embedded("first", [Maker, Thing]), await embedded("second", [Maker, Thing])];
  await run(a, "PRAGMA foreign_keys = OFF");
  await using session = new Session({ bind: a.db, binds: [[Maker, b.db]] });
  const maker = session.add(new Maker({ name: "x" }));
  const thing = new Thing({});
  maker.things = [thing];
  await session.savepoint(async () => {
    await session.flush();
    assertEquals([thing.makerId, maker.id, session.dirty.size], [1, 1, 0]);
    assertEquals(session.inspect(maker).loaded, ["things"]);
  });
  await session.rollback();
  assertEquals([taken(b).includes("ROLLBACK"), session.has(maker)], [true, false]);
  assertEquals([await run(a, "SELECT count(*) FROM things"), await run(b, "SELECT count(*) FROM makers")], [[[0]], [[
    0,
  ]]]);
});

Deno.test("savepoints are set on every database, also on one that is first used inside them", async () => {
  const { a, b, session } = await two();
  await using _ = session;
  session.add(new Author({ name: "Ann" }));
  await session.flush();
  const savepoint = await session.beginNested();
  const post = session.add(new Post({ title: "x" }));
  await session.flush();
  await savepoint.rollback();
  assertEquals(session.has(post), false);
  assertEquals(taken(b), ["BEGIN", "SAVEPOINT", "INSERT", "ROLLBACK TO", "RELEASE"]);
  assertEquals(taken(a), ["BEGIN", "INSERT", "SAVEPOINT", "ROLLBACK TO", "RELEASE"]);
  await session.commit(); // nothing is left that was written to the second
  assertEquals([taken(a), taken(b)], [["COMMIT"], ["ROLLBACK"]]);
});

Deno.test("a database that was written to before a savepoint, or whose connection is lent, stays so after a rollback to it", async () => {
  const { b, session } = await two();
  await using _ = session;
  await bulkInsert(session, Author, [{ name: "Ann" }]);
  await session.flush();
  const outer = await session.beginNested();
  await bulkInsert(session, Post, [{ title: "x" }]);
  await session.flush();
  const inner = await session.beginNested();
  await inner.rollback(); // what was written before it stays
  await assertRejects(() => session.commit(), UnsupportedError);
  await outer.rollback();
  const savepoint = await session.beginNested();
  const connection = await session.connection({ bind: Post });
  await savepoint.rollback();
  await connection.execute({ sql: "INSERT INTO posts VALUES ('1', 'y', NULL)", params: [] });
  await assertRejects(() => session.commit(), UnsupportedError);
  await session.rollback();
  assertEquals(await run(b, "SELECT count(*) FROM posts"), [[0]]);
});

Deno.test("options of a transaction hold on every database, and are refused where they cannot", async () => {
  const { b, session } = await two();
  await using _ = session;
  await session.transaction(async () => {
    await session.query(Post).all();
  }, { isolation: "serializable" });
  assertEquals(taken(b), ["BEGIN", "SELECT", "COMMIT"]);
  const poor = noting({ ...b.db, capabilities: { ...b.db.capabilities, isolation: [] } }, "poor");
  session.bindModel(Post, poor.db);
  await session.begin({ isolation: "serializable" });
  await assertRejects(() => session.query(Post).all(), UnsupportedError, "no isolation level");
  assertEquals(taken(poor), []);
});

Deno.test("reads go to the replica until the session writes, then to the primary until it is reset", async () => {
  const { primary, replica, session } = await replicated();
  await using _ = session;
  const ann = await session.getOne(Author, ANN);
  await session.query(Author).count();
  assertEquals([taken(primary), taken(replica)], [[], ["SELECT", "SELECT"]]);
  ann.name = "Anna";
  await session.commit();
  assertEquals(await session.query(Author).where({ name: "Anna" }).count(), 1);
  assertEquals([taken(primary), taken(replica)], [["SELECT", "UPDATE", "SELECT"], []]);
  assertStrictEquals(session.getBind({ model: Author }), primary.db);
  await session.reset();
  assertEquals(await session.query(Author).where({ name: "Anna" }).count(), 0);
  assertEquals([taken(primary), taken(replica)], [[], ["SELECT"]]);
});

Deno.test("a query that flushes first reads what it flushed, from the primary", async () => {
  for (const mode of ["auto", "interactive"] as const) {
    const { primary, replica, session } = await replicated({ mode });
    await using _ = session;
    session.add(new Author({ name: "Ben" }));
    assertEquals(await session.query(Author).count(), 2);
    assertEquals([taken(primary), taken(replica)], [["BEGIN", "INSERT", "SELECT"], []]);
  }
});

Deno.test("DML, locks and connections make a session read from the primary", async () => {
  const ways: ((session: Session) => unknown)[] = [
    (session) => session.execute(update(Author).set({ name: "x" })),
    (session) => session.execute("UPDATE authors SET name = 'x'"),
    (session) => session.start(),
    (session) => session.connection(),
    (session) => session.begin({ mode: "interactive" }),
    (session) => bulkUpdate(session, Author, [{ id: ANN, name: "x", version: 1 }]).then(() => session.flush()),
  ];
  for (const way of ways) {
    const { primary, replica, session } = await replicated();
    await using _ = session;
    await way(session);
    taken(primary);
    await session.query(Author).all();
    assertEquals([taken(primary), taken(replica)], [["SELECT"], []], String(way));
  }
});

Deno.test("a transaction that wrote nothing leaves the replica as where to read", async () => {
  const { primary, replica, session } = await replicated();
  await using _ = session;
  await session.transaction(async () => {
    await session.query(Author).all();
  }, { mode: "interactive" });
  taken(primary);
  await session.query(Author).all();
  assertEquals([taken(primary), taken(replica)], [[], ["SELECT"]]);
});

Deno.test("bulk reads from the replica and writes to the primary", async () => {
  const { primary, replica, session } = await replicated();
  await using _ = session;
  const post = Post.create({ title: "x", author: reference(Author, { id: ANN }) });
  await bulk(session, (b) => b.add(post));
  assertEquals([taken(primary), taken(replica).includes("SELECT")], [[], true]);
  await bulkSave(session, [new Author({ name: "Cy" })]);
  await session.commit();
  assertEquals([taken(primary).length > 0, taken(replica)], [true, []]);
});

Deno.test("after a commit of unknown outcome what may have been written is read where it was written", async () => {
  const { primary, replica, session } = await replicated();
  await using _ = session;
  const { execute } = primary.db;
  primary.db.execute = async (statement, options) => {
    await execute(statement, options);
    throw new ConnectionError("The connection broke", { notApplied: false });
  };
  const author = session.add(new Author({ name: "Bob" }));
  await assertRejects(() => session.commit(), CommitOutcomeUnknownError);
  primary.db.execute = execute;
  await session.rollback();
  assertEquals(await session.query(Author).where({ id: author.id }).count(), 1);
  assertEquals([taken(primary), taken(replica)], [["INSERT", "SELECT"], []]);
});

Deno.test("routing is asked once a transaction for a model, and goes before binds", async () => {
  const { primary, replica, session: __ } = await replicated();
  const asked: string[] = [];
  const routing = {
    read: (model: AnyModel) => (asked.push(`read ${model.name}`), model === Author ? replica.db : null),
    default: (model: AnyModel) => (asked.push(`default ${model.name}`), model === Post ? primary.db : undefined),
  };
  await using session = new Session({
    bind: primary.db,
    routing,
    binds: [[Author, primary.db], [Comment, replica.db]],
  });
  await session.query(Author).all();
  await session.query(Author).all();
  assertEquals(asked.sort(), ["default Author", "read Author"]);
  assertStrictEquals(session.getBind({ model: Author }), replica.db);
  assertStrictEquals(session.getBind({ model: Author, operation: "write" }), primary.db);
  assertStrictEquals(session.getBind({ model: Post }), primary.db);
  assertStrictEquals(session.getBind({ model: Comment }), replica.db);
  assertStrictEquals(session.getBind(), primary.db);
  asked.length = 0;
  await session.rollback();
  await session.query(Author).all();
  assertEquals(asked.sort(), ["default Author", "read Author"]);
  await __.close();
});

Deno.test("routing.default is asked once a transaction for a model, whether it is read or written", async () => {
  const places = [await embedded("1", models), await embedded("2", models), await embedded("3", models)];
  for (const one of places) {
    await run(one, "INSERT INTO authors VALUES (?, 'Ann', 1)", ANN);
    taken(one);
  }
  let turn = 0;
  await using session = new Session({ bind: places[0]!.db, routing: { default: () => places[++turn % 3]!.db } });
  const ann = await session.getOne(Author, ANN);
  session.bindModel(Post, places[0]!.db); // has nothing to do with it
  ann.name = "Anna";
  await session.commit();
  assertEquals([turn, taken(places[0]!).length, taken(places[1]!).length > 1, taken(places[2]!)], [1, 0, true, []]);
  assertEquals(await run(places[1]!, "SELECT name FROM authors"), [["Anna"]]);
});

Deno.test("bindModel() and bindTable() are refused where they would move rows of loaded instances", async () => {
  const { primary: a, replica: b } = await replicated();
  for (const bind of ["bindModel", "bindTable"] as const) {
    await using session = new Session({ bind: a.db });
    const [what] = bind === "bindModel" ? [Author] : ["authors"];
    const move = () => session[bind](what as never, b.db);
    const ann = await session.getOne(Author, ANN);
    assertStringIncludes(assertThrows(move, InvalidStateError).message, "Cannot bind Author to replica");
    assertStrictEquals(session.getBind({ model: Author }), a.db);
    session[bind](what as never, a.db); // where it is
    session.bindModel(Post, b.db);
    session.expunge(ann);
    move();
    assertStrictEquals(session.getBind({ model: Author }), b.db);
  }
});

Deno.test("getBind looks at the model, its bases, its table, and the session's bind, in this order", async () => {
  class Animal extends model("animals", { id: t.uuid().primaryKey(), kind: t.text() }) {}
  class Cat extends extend(Animal, "cat", { lives: t.integer() }) {}
  const [one, two, three] = [await embedded("1", []), await embedded("2", []), await embedded("3", [])];
  await using session = new Session({ bind: one!.db });
  assertStrictEquals(session.getBind({ model: Cat }), one!.db);
  session.bindTable("animals", two!.db);
  assertStrictEquals(session.getBind({ model: Cat }), two!.db);
  session.bindModel(Animal, three!.db);
  assertStrictEquals(session.getBind({ model: Cat }), three!.db);
  session.bindModel(Cat, one!.db);
  assertStrictEquals(session.getBind({ model: Cat }), one!.db);
  assertStrictEquals(session.getBind({ model: Animal }), three!.db);
  class Visit extends model("visits", { id: t.uuid().primaryKey() }, { schema: "stats" }) {}
  session.bindTable("visits", two!.db);
  session.bindTable("stats.visits", three!.db);
  assertStrictEquals(session.getBind({ model: Visit, operation: "write" }), three!.db);
});

Deno.test("bad binds and routings are refused", async () => {
  const { db } = await embedded("1", []);
  const bad: [Partial<Record<string, unknown>>, string][] = [
    [{ binds: 1 }, "binds must be"],
    [{ binds: [Author] }, "entry"],
    [{ binds: [[Author, {}]] }, "Author is not a database"],
    [{ binds: [["", db]] }, "needs a name"],
    [{ binds: [[class {}, db]] }, ""],
    [{ routing: 1 }, "routing must be"],
    [{ routing: { reads: () => db } }, "there are read, write and default"],
    [{ routing: { read: db } }, "routing.read must be a function"],
  ];
  for (const [options, words] of bad) {
    assertThrows(() => new Session({ bind: db, ...options } as SessionOptions), ValidationError, words);
  }
  await using session = new Session({ bind: db, routing: { read: () => ({}) as Database } });
  await assertRejects(
    () => session.query(Author).all(),
    ValidationError,
    "routing.read gave for Author is not a database",
  );
  assertThrows(() => session.bindModel(Author, null as never), ValidationError);
  assertThrows(() => session.getBind({ operation: "sideways" as never }), ValidationError, "operation");
});

Deno.test("two sessions of the same databases share no transaction", async () => {
  const { a, b, session } = await two();
  await using _ = session;
  await using other = new Session({ bind: a.db, binds: [[Post, b.db], ["comments", b.db]] });
  session.bindModel(Comment, a.db);
  assertStrictEquals(other.getBind({ model: Comment }), b.db);
  session.add(new Post({ title: "x" }));
  await other.query(Author).all();
  assertEquals([other.new.size, session.new.size, other.inTransaction()], [0, 1, true]);
  await session.commit();
  await other.rollback();
  assertEquals(await other.query(Post).count(), 1);
});

Deno.test("an error of one database does not cost the transaction that is open on another", async () => {
  const { b, session } = await two();
  await using _ = session;
  await session.start();
  const author = session.add(new Author({ name: "Ann" }));
  await session.flush();
  b.db.execute = () => Promise.reject(new ConnectionError("down"));
  b.db.batch = () => Promise.reject(new ConnectionError("down"));
  b.db.connect = () => Promise.reject(new ConnectionError("down"));
  await assertRejects(() => session.query(Post).all(), ConnectionError);
  await assertRejects(() => session.start({ bind: Post }), ConnectionError);
  assertEquals(session.state, "open");
  await session.commit();
  assertEquals([session.has(author), await session.query(Author).count()], [true, 1]);
});
