/** The bookstore: its API against a Hrana server that counts requests, its demo and its server as programs. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createAll } from "@ledge/session";
import { libsql } from "@ledge/session/libsql";
import { type Author, createApp, models } from "../../examples/bookstore/app.ts";
import { counted } from "../../examples/bookstore/counted.ts";
import { startHrana } from "../servers/hrana.ts";
import { mariadbMissing } from "../servers/mariadb.ts";

const ann = {
  name: "Ann",
  email: "ann@example.org",
  books: [{ title: "Edges", isbn: "978-1", cents: 1900 }, { title: "More", isbn: "978-2", cents: 2100 }],
};

interface Answer {
  readonly status: number;
  // deno-lint-ignore no-explicit-any
  readonly body: any;
  readonly headers: Headers;
  /** Requests that it took at the database. */
  readonly requests: number;
}

/** The app over an empty database; `send` tells how many requests each answer took. */
async function setUp() {
  const server = await startHrana();
  const { db, counts } = counted(libsql({ url: server.url }));
  await createAll(db, models);
  const app = createApp(db);
  async function send(method: string, path: string, body?: unknown, headers: HeadersInit = {}): Promise<Answer> {
    server.reset();
    const response = await app.request(path, { method, headers, ...body === undefined ? {} : { body: text(body) } });
    const answer = await response.text();
    const { status } = response;
    return {
      status,
      body: answer === "" ? null : JSON.parse(answer),
      headers: response.headers,
      requests: server.requests,
    };
  }
  const rows = (table: string) => server.db.query(`SELECT count(*) AS n FROM ${table}`)[0]!.n;
  return { server, db, counts, send, rows, [Symbol.asyncDispose]: () => server.stop() };
}

function text(body: unknown): string {
  return typeof body === "string" ? body : JSON.stringify(body);
}

Deno.test("POST /authors saves an author with books in one request", async () => {
  await using env = await setUp();
  const { status, body, headers, requests } = await env.send("POST", "/authors", ann);
  assertEquals([status, requests], [201, 1]);
  const { id, books, ...rest } = body;
  assertEquals(rest, { name: "Ann", email: "ann@example.org", version: 1 });
  assertEquals(books, [
    { id: 1, title: "Edges", isbn: "978-1", cents: 1900, authorId: id },
    { id: 2, title: "More", isbn: "978-2", cents: 2100, authorId: id },
  ]);
  assertEquals([headers.get("location"), headers.get("etag")], [`/authors/${id}`, '"1"']);
  assertEquals([env.rows("authors"), env.rows("books")], [1, 2]);
});

Deno.test("GET /authors lists authors by name when there are some", async () => {
  await using env = await setUp();
  for (const name of ["Zoe", "Ann"]) await env.send("POST", "/authors", { name, email: `${name}@example.org` });
  const { status, body, requests } = await env.send("GET", "/authors");
  assertEquals([status, requests], [200, 1]);
  assertEquals(body.map(({ name }: Author) => name), ["Ann", "Zoe"]);
});

Deno.test("GET /authors/:id reads the whole graph in one request", async () => {
  await using env = await setUp();
  const { id } = (await env.send("POST", "/authors", ann)).body;
  const review = await env.send("POST", "/books/2/reviews", { stars: 5, text: "Sharp" });
  assertEquals([review.status, review.requests], [201, 2]);
  const { status, body, requests, headers } = await env.send("GET", `/authors/${id}`);
  assertEquals([status, requests, headers.get("etag")], [200, 1, '"1"']);
  assertEquals(body.books.map(({ title, reviews }: { title: string; reviews: unknown }) => [title, reviews]), [
    ["Edges", []],
    ["More", [{ id: 1, stars: 5, text: "Sharp", bookId: 2 }]],
  ]);
});

Deno.test("PATCH /authors/:id saves when the version is in the body or in If-Match", async () => {
  await using env = await setUp();
  const { id } = (await env.send("POST", "/authors", ann)).body;
  const first = await env.send("PATCH", `/authors/${id}`, { name: "Ann Lee", version: 1 });
  assertEquals([first.status, first.requests, first.body.version, first.headers.get("etag")], [200, 2, 2, '"2"']);
  const second = await env.send("PATCH", `/authors/${id}`, { email: "lee@example.org" }, { "if-match": '"2"' });
  assertEquals([second.status, second.body.name, second.body.email], [200, "Ann Lee", "lee@example.org"]);
});

Deno.test("PATCH /authors/:id writes nothing when the version is stale or missing", async () => {
  await using env = await setUp();
  const { id } = (await env.send("POST", "/authors", ann)).body;
  await env.send("PATCH", `/authors/${id}`, { name: "Ann Lee", version: 1 });
  const attempts: [body: unknown, headers: HeadersInit][] = [
    [{ name: "Bo", version: 1 }, {}],
    [{ name: "Bo" }, { "if-match": '"1"' }],
  ];
  for (const [body, headers] of attempts) {
    const stale = await env.send("PATCH", `/authors/${id}`, body, headers);
    assertEquals([stale.status, stale.body.error, stale.requests], [409, "LEDGE_STALE_DATA", 1]);
  }
  const without = await env.send("PATCH", `/authors/${id}`, { name: "Bo" });
  assertEquals([without.status, without.requests], [400, 0]);
  assertStringIncludes(without.body.message, "If-Match");
  assertEquals(env.server.db.query("SELECT name, version FROM authors"), [{ name: "Ann Lee", version: 2 }]);
});

Deno.test("PATCH /authors/:id answers 409 when the row changed between its read and its write", async () => {
  await using env = await setUp();
  const { id } = (await env.send("POST", "/authors", ann)).body;
  let seen = 0;
  env.server.after = () => {
    if (++seen === 1) env.server.db.query("UPDATE authors SET version = 7");
    return undefined;
  };
  const late = await env.send("PATCH", `/authors/${id}`, { name: "Bo", version: 1 });
  assertEquals([late.status, late.body.error, late.requests], [409, "LEDGE_STALE_DATA", 2]);
  assertEquals(env.server.db.query("SELECT name FROM authors"), [{ name: "Ann" }]);
});

Deno.test("PATCH /books/:id saves what the handler changed", async () => {
  await using env = await setUp();
  await env.send("POST", "/authors", ann);
  const { status, requests } = await env.send("PATCH", "/books/1", { cents: 990 });
  assertEquals([status, requests], [200, 2]);
  assertEquals(env.server.db.query("SELECT title, cents FROM books WHERE id = 1"), [{ title: "Edges", cents: 990 }]);
});

Deno.test("PATCH /books/:id answers 409 when the commit after the handler finds the ISBN taken", async () => {
  await using env = await setUp();
  await env.send("POST", "/authors", ann);
  const { status, body, requests } = await env.send("PATCH", "/books/1", { isbn: "978-2" });
  assertEquals([status, body.error, requests], [409, "LEDGE_UNIQUE_VIOLATION", 2]);
  assertEquals(body.message, "isbn is taken already");
});

Deno.test("POST /authors writes nothing when the e-mail is taken", async () => {
  await using env = await setUp();
  await env.send("POST", "/authors", ann);
  const { status, body, requests } = await env.send("POST", "/authors", {
    ...ann,
    books: [{ title: "Other", isbn: "978-3", cents: 1 }],
  });
  assertEquals([status, body.error, requests], [409, "LEDGE_UNIQUE_VIOLATION", 1]);
  assertEquals([env.rows("authors"), env.rows("books")], [1, 2]);
});

Deno.test("DELETE /authors/:id takes the books and reviews along", async () => {
  await using env = await setUp();
  const { id } = (await env.send("POST", "/authors", ann)).body;
  await env.send("POST", "/books/1/reviews", { stars: 1, text: "Blunt" });
  const { status, body, requests } = await env.send("DELETE", `/authors/${id}`);
  assertEquals([status, body, requests], [204, null, 2]);
  assertEquals(["authors", "books", "reviews"].map(env.rows), [0, 0, 0]);
});

Deno.test("createApp() answers 400 and sends nothing when a body is wrong", async () => {
  await using env = await setUp();
  const { id } = (await env.send("POST", "/authors", ann)).body;
  const book = ann.books[0]!;
  const wrong: [method: string, path: string, body: unknown, message: string][] = [
    ["POST", "/authors", "{", "JSON object"],
    ["POST", "/authors", [], "JSON object"],
    ["POST", "/authors", "", "JSON object"],
    ["POST", "/authors", { ...ann, name: " " }, "name must be"],
    ["POST", "/authors", { ...ann, name: "x".repeat(101) }, "name must be a text of 1 to 100 characters"],
    ["POST", "/authors", { name: "Ann" }, "email must be an e-mail address"],
    ["POST", "/authors", { ...ann, id: "mine" }, 'has no "id"'],
    ["POST", "/authors", { ...ann, books: {} }, "books must be a list"],
    ["POST", "/authors", { ...ann, books: [book, { ...book, cents: "1" }] }, "books[1]: cents must be"],
    ["POST", "/authors", { ...ann, books: [null] }, "books[0] must be an object"],
    ["PATCH", `/authors/${id}`, { version: 0 }, "version must be"],
    ["PATCH", "/books/1", { cents: 1.5 }, "cents must be a whole number"],
    ["PATCH", "/books/1", { authorId: id }, 'has no "authorId"'],
    ["POST", "/books/1/reviews", { stars: 6, text: "!" }, "stars must be a whole number from 1 to 5"],
    ["POST", "/books/1/reviews", { stars: 5 }, "text must be"],
    ["POST", "/books/1/reviews", { stars: 5, text: "!", __proto__: null, constructor: 1 }, 'has no "constructor"'],
  ];
  for (const [method, path, body, message] of wrong) {
    const answer = await env.send(method, path, body);
    assertEquals([answer.status, answer.body.error, answer.requests], [400, "LEDGE_VALIDATION", 0], message);
    assertStringIncludes(answer.body.message, message);
  }
});

Deno.test("createApp() answers 404 when there is no such thing", async () => {
  await using env = await setUp();
  const id = crypto.randomUUID();
  const absent: [method: string, path: string, body: unknown, requests: number][] = [
    ["GET", `/authors/${id}`, undefined, 1],
    ["PATCH", `/authors/${id}`, { name: "Bo", version: 1 }, 1],
    ["DELETE", `/authors/${id}`, undefined, 1],
    ["PATCH", "/books/9", { cents: 1 }, 1],
    ["POST", "/books/9/reviews", { stars: 5, text: "!" }, 1],
    ["GET", "/authors/none", undefined, 0],
    ["PATCH", "/books/none", { cents: 1 }, 0],
    ["GET", "/", undefined, 0],
    ["DELETE", "/authors", undefined, 0],
  ];
  for (const [method, path, body, requests] of absent) {
    const answer = await env.send(method, path, body);
    assertEquals([answer.status, answer.requests], [404, requests], `${method} ${path}`);
    assertMatch(answer.body.message, /There is no /);
  }
});

Deno.test("counted() counts what the server counts", async () => {
  await using env = await setUp();
  env.server.reset();
  Object.assign(env.counts, { requests: 0, statements: 0 });
  const { db } = env;
  const one = (value: number) => ({ sql: "SELECT ?", params: [value] });
  await db.execute(one(1));
  assertEquals(env.counts, { requests: 1, statements: 1 });
  await db.batch!([one(1), one(2), one(3)]);
  assertEquals(env.counts, { requests: 2, statements: 4 });
  const connection = await db.connect();
  await connection.execute(one(1));
  await connection.savepoint("a");
  await connection.batch([one(1), one(2)]);
  await connection.rollbackTo("a");
  await connection.release("a");
  await connection.commit([one(1)]);
  await (await db.connect()).rollback();
  const other = await db.connect();
  await other.execute(one(1));
  await other.rollback();
  assertEquals(env.counts.statements, env.server.statements);
  assertEquals(env.counts.statements, 9);
  assertEquals(env.server.requests, 10);
});

// ---- the programs

const root = new URL("../../", import.meta.url);

/** Runs a program of the bookstore with a temporary folder of its own, and tells what it left there. */
async function run(program: string, args: string[]) {
  const folder = await Deno.makeTempDir();
  await Deno.chmod(folder, 0o777); // PostgreSQL does not run as root: it is started as another user
  try {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--unstable-no-legacy-abort", `examples/bookstore/${program}`, ...args],
      cwd: root,
      env: { TMPDIR: folder, NO_COLOR: "1" },
    }).output();
    const entries = () => [...Deno.readDirSync(folder)].map(({ name }) => name);
    // A PostgreSQL that the program started ends right after it.
    for (let i = 0; i < 100 && entries().length > 0; i++) await new Promise((resolve) => setTimeout(resolve, 50));
    const left = entries();
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, out: decode(stdout), err: decode(stderr), left };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("demo.ts prints what each request took and leaves nothing behind", async () => {
  const { code, out, err, left } = await run("demo.ts", []);
  const table = [...out.matchAll(/^(\S.*?) {2,}(GET|POST|PATCH|DELETE) +(\d{3}) +(\d+) +(\d+)/gm)];
  assertEquals(table.map(([, , ...cells]) => cells.join(" ")), [
    "POST 201 1 2",
    "POST 201 2 2",
    "GET 200 1 3",
    "PATCH 200 2 3",
    "PATCH 409 1 1",
    "PATCH 200 2 3",
    "PATCH 400 0 0",
    "POST 400 0 0",
    "POST 409 1 1",
    "GET 404 0 0",
    "DELETE 204 2 3",
    "GET 404 1 3",
  ]);
  assertEquals(err, "");
  assertEquals(code, 0);
  assertEquals(left, []);
});

Deno.test("demo.ts prints the same on Neon, over a real PostgreSQL", async () => {
  const { code, out, err, left } = await run("demo.ts", ["--adapter", "neon"]);
  const table = [...out.matchAll(/^(\S.*?) {2,}(GET|POST|PATCH|DELETE) +(\d{3}) +(\d+) +(\d+)/gm)];
  assertEquals(table.map(([, , method, status, requests]) => [method, status, requests].join(" ")), [
    "POST 201 1",
    "POST 201 2",
    "GET 200 1",
    "PATCH 200 2",
    "PATCH 409 1",
    "PATCH 200 2",
    "PATCH 400 0",
    "POST 400 0",
    "POST 409 1",
    "GET 404 0",
    "DELETE 204 2",
    "GET 404 1",
  ]);
  assertEquals(err, "");
  assertEquals(code, 0);
  assertEquals(left, []);
});

const noMariadb = mariadbMissing();
Deno.test({
  name: `demo.ts does the same on PlanetScale, over a real MariaDB, at its own price${noMariadb ?? ""}`,
  ignore: noMariadb !== null,
  async fn() {
    const { code, out, err, left } = await run("demo.ts", ["--adapter", "planetscale"]);
    const table = [...out.matchAll(/^(\S.*?) {2,}(GET|POST|PATCH|DELETE) +(\d{3}) +(\d+) +(\d+)/gm)];
    assertEquals(table.map(([, , method, status, requests]) => [method, status, requests].join(" ")), [
      "POST 201 4",
      "POST 201 2",
      "GET 200 3",
      "PATCH 200 2",
      "PATCH 409 1",
      "PATCH 200 2",
      "PATCH 400 0",
      "POST 400 0",
      "POST 409 1",
      "GET 404 0",
      "DELETE 204 2",
      "GET 404 1",
    ]);
    assertEquals(err, "");
    assertEquals(code, 0);
    assertEquals(left, []);
  },
});

Deno.test("demo.ts ends with 2 and says what there is when the adapter is not known", async () => {
  for (const adapter of ["oracle", "constructor"]) {
    const { code, err, left } = await run("demo.ts", ["--adapter", adapter]);
    assertEquals(code, 2);
    assertStringIncludes(err, adapter);
    assertStringIncludes(err, "libsql");
    assertEquals(left, []);
  }
});

Deno.test("main.ts serves the bookstore until SIGINT and keeps what was saved", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const serve = async (use: (url: string) => Promise<void>) => {
      const program = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--unstable-no-legacy-abort", "examples/bookstore/main.ts", "--port=0"],
        cwd: root,
        env: { BOOKSTORE_DB: `${folder}/books.db`, NO_COLOR: "1" },
        stdout: "piped",
      }).spawn();
      const out = program.stdout.pipeThrough(new TextDecoderStream()).getReader();
      let printed = "";
      for (let part = await out.read(); !part.done; part = await out.read()) {
        printed += part.value;
        const url = /open at (http:\S+\d)/.exec(printed)?.[1];
        if (url !== undefined && /curl .*\n.*curl .*\n/.test(printed)) {
          await use(url);
          program.kill("SIGINT");
          break;
        }
      }
      for (let part = await out.read(); !part.done; part = await out.read()) printed += part.value;
      assertStringIncludes(printed, "is closed");
      assertEquals((await program.status).code, 0);
    };
    await serve(async (url) => {
      const response = await fetch(`${url}/authors`, { method: "POST", body: JSON.stringify(ann) });
      assertEquals(response.status, 201);
      await response.body?.cancel();
    });
    await serve(async (url) => {
      const [author] = await (await fetch(`${url}/authors`)).json();
      assertEquals(author.name, "Ann");
    });
    assert([...Deno.readDirSync(folder)].some(({ name }) => name === "books.db"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("main.ts ends with 2 and its usage when an option is not known", async () => {
  for (const arg of ["--prot=1", "--port=many", "--db="]) {
    const { code, err } = await run("main.ts", [arg]);
    assertEquals(code, 2);
    assertStringIncludes(err, "Usage: ");
  }
});
