/**
 * No secret in anything that Ledge shows: passwords, tokens and connection strings are planted in every set-up of every
 * adapter, the server sends them back in every way it can fail, and all output is searched for them. Values of statements
 * are planted too, in what SQL engines repeat.
 *
 * @module
 */
import { createClient } from "@libsql/client";
import { neonConfig, Pool } from "@neondatabase/serverless";
import { Client } from "@planetscale/database";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { inspect } from "node:util";
import { d1 } from "../../adapters/d1.ts";
import { libsql } from "../../adapters/libsql_local.ts";
import { neon } from "../../adapters/neon.ts";
import { translate as translateNeon } from "../../adapters/neon/errors.ts";
import { planetscale } from "../../adapters/planetscale.ts";
import { translate as translatePlanetScale } from "../../adapters/planetscale/errors.ts";
import { redactor } from "../../adapters/shared/secrets.ts";
import {
  type Database,
  DatabaseError,
  DataError,
  LedgeError,
  model,
  NoResultError,
  Session,
  sessionFactory,
  sql,
  StaleDataError,
  t,
  transaction,
  ValidationError,
} from "../../mod.ts";
import { INCREMENT, mysqlGuardFailure } from "../../src/sql/mysql_guard.ts";
import { useFronts } from "../servers/neon.ts";
import { Note, runs, Tag, testEverywhere } from "./kit.ts";

useFronts(neonConfig);

class Item extends model("items", { id: t.uuid().primaryKey(), name: t.text(), version: t.integer().version() }) {}

const USER = "us3r-Zq9";
/** With what is written differently in JSON, in a URL and in a header. */
const PASSWORD = 'pw-Zq7:/?#@"\\%+= é';
const TOKEN = "tok-Zq7.+/=~w";
/** A value of a statement. */
const VALUE = "val-Zq7-hunter2";

const encoded = encodeURIComponent;

/** A secret as it may be written. */
function forms(secret: string): string[] {
  const bytes = new TextEncoder().encode(`${USER}:${secret}`);
  const basic = btoa(String.fromCharCode(...bytes));
  return [secret, encoded(secret), JSON.stringify(secret).slice(1, -1), basic];
}

/** All that one can see of a thing. */
function shown(thing: unknown): string {
  const seen = [
    Deno.inspect(thing, { depth: 20, strAbbreviateSize: Infinity }),
    Deno.inspect(thing, { depth: 20, showHidden: true, strAbbreviateSize: Infinity }),
    inspect(thing, { depth: 20, maxStringLength: Infinity }),
    String(thing),
    JSON.stringify(thing) ?? "",
  ];
  for (let at = thing, i = 0; at instanceof Error && i < 9; at = at.cause, i++) {
    seen.push(at.message, at.stack ?? "", JSON.stringify(at), JSON.stringify(Object.getOwnPropertyDescriptors(at)));
  }
  return seen.join("\n");
}

function showsNone(things: readonly unknown[], secrets: readonly string[]): void {
  for (const thing of things) {
    const output = shown(thing);
    for (const secret of secrets.flatMap(forms)) {
      const at = output.indexOf(secret);
      assert(at < 0, `A secret is shown: …${output.slice(Math.max(0, at - 200), at + 60)}…`);
    }
  }
}

/** How the server answers. */
type Fault = (request: Request) => Response | Promise<Response>;

/** What the server knows of who asks, in the ways in which it may be repeated. */
function echo(request: Request): string {
  const headers = [...request.headers].map(([name, value]) => `${name}: ${value}`);
  return [`No: ${request.method} ${request.url}`, ...headers, USER, PASSWORD, TOKEN, encoded(PASSWORD), encoded(TOKEN)]
    .join("\n");
}

function answer(status: number, make: (text: string) => unknown, type = "application/json"): Fault {
  return (request) => {
    const body = make(echo(request));
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return new Response(text, { status, headers: { "content-type": type } });
  };
}

const shapes: Readonly<Record<string, (text: string) => unknown>> = {
  text: (text) => text,
  message: (message) => ({ message }),
  "an error": (message) => ({ error: { message, code: "UNKNOWN" }, code: "internal", message }),
  "a code of SQL": (message) => ({ message, code: "22P02", detail: message, where: message, hint: message }),
  "a code": (message) => ({ message: `${message} (errno 1062) (sqlstate 23000)`, code: message }),
  "a result": (message) => ({
    results: [{ type: "error", error: { message, code: message } }],
    baton: null,
    rows: message,
  }),
};

const faults: Readonly<Record<string, Fault>> = {
  ...Object.fromEntries(
    [200, 400, 401, 403, 404, 413, 429, 500, 502, 503, 507].flatMap((status) =>
      Object.entries(shapes).map(([name, make]) => [`${status} with ${name}`, answer(status, make)])
    ),
  ),
  "a body cut short": (request) =>
    new Response(echo(request), { headers: { "content-type": "application/json", "content-length": "99999" } }),
  "a redirection": () =>
    new Response(null, { status: 302, headers: { location: `http://${USER}:${encoded(PASSWORD)}@127.0.0.1:1/` } }),
  "no answer": () => new Promise((resolve) => setTimeout(() => resolve(new Response("late")), 300)),
};

/** A server that fails as told, over HTTP and over WebSockets, where it repeats what it was sent. */
function startEvil() {
  let fault: Fault = faults["500 with text"]!;
  const sockets = new Set<WebSocket>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    if (request.headers.get("upgrade") !== "websocket" || Math.abs(fault.length) > 1) {
      await request.text();
      return await fault(request);
    }
    const { socket, response } = Deno.upgradeWebSocket(request, {
      ...request.headers.has("sec-websocket-protocol")
        ? { protocol: request.headers.get("sec-websocket-protocol")!.split(",")[0]! }
        : {},
    });
    sockets.add(socket);
    socket.onclose = () => sockets.delete(socket);
    socket.onmessage = ({ data }) => {
      const text = typeof data === "string" ? data : "";
      const message = `${text} ${PASSWORD} ${TOKEN} ${encoded(TOKEN)}`;
      if (text !== "") socket.send(JSON.stringify({ type: "hello_error", error: { message, code: message } }));
      else socket.send(postgresError(message));
      socket.close(3000, TOKEN);
    };
    return response;
  });
  return {
    address: `127.0.0.1:${server.addr.port}`,
    set fault(next: Fault) {
      fault = next;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      for (const socket of sockets) socket.close();
      await server.shutdown();
    },
  };
}

/** An ErrorResponse of PostgreSQL's protocol. */
function postgresError(message: string): Uint8Array<ArrayBuffer> {
  const fields = `SFATAL\0C28P01\0M${message}\0D${message}\0\0`;
  const bytes = new TextEncoder().encode(fields);
  const frame = new Uint8Array(bytes.length + 5);
  frame[0] = "E".charCodeAt(0);
  new DataView(frame.buffer).setUint32(1, bytes.length + 4);
  frame.set(bytes, 5);
  return frame;
}

interface SetUp {
  readonly db: Database;
  close?(): Promise<unknown> | unknown;
}

const signs = `${USER}:${encoded(PASSWORD)}`;

/** Every way to set an adapter up, with secrets, at an address. */
const setUps: Readonly<Record<string, (address: string) => SetUp>> = {
  "libsql http": (at) => ({ db: libsql({ url: `http://${at}`, authToken: TOKEN }) }),
  "libsql http, token in the url": (at) => ({ db: libsql({ url: `http://${at}?authToken=${encoded(TOKEN)}` }) }),
  "libsql ws": (at) => ({ db: libsql({ url: `ws://${at}`, authToken: TOKEN }) }),
  "libsql client": (at) => ({ db: libsql(createClient({ url: `http://${at}`, authToken: TOKEN })) }),
  "neon http": (at) => ({ db: neon(`postgresql://${signs}@${at}/books`) }),
  "neon token": (at) => ({
    db: neon({ connectionString: `postgresql://${signs}@${at}/books`, authToken: TOKEN, webSocket: false }),
  }),
  "neon WebSocket": (at) => ({ db: neon({ connectionString: `postgresql://${signs}@${at}/books`, http: false }) }),
  "neon pool": (at) => {
    const pool = new Pool({ connectionString: `postgresql://${signs}@${at}/books` });
    pool.on("error", () => {});
    return { db: neon(pool), close: () => pool.end() };
  },
  "planetscale url": (at) => ({ db: planetscale({ url: `http://${signs}@${at}` }) }),
  "planetscale client": (at) => ({ db: planetscale(new Client({ url: `http://${signs}@${at}` })) }),
};

/** The secrets of a set-up that Ledge knows: of a client of the user's no token is. */
function secretsOf(name: string): string[] {
  if (name === "libsql client") return [TOKEN];
  return name.startsWith("libsql") ? [TOKEN] : name === "neon token" ? [PASSWORD, TOKEN] : [PASSWORD];
}

/** Everything that is thrown, told and shown while one works with a database. */
async function workWith(db: Database, timeout?: number): Promise<unknown[]> {
  const seen: unknown[] = [db, db.capabilities, db.description];
  const attempt = async (work: () => unknown): Promise<void> => {
    try {
      seen.push(await work());
    } catch (error) {
      seen.push(error);
    }
  };
  const limits = timeout === undefined ? {} : { timeout };
  const one = { sql: "SELECT 1", params: [] };
  await attempt(() => db.execute(one, limits));
  if (db.batch !== undefined) await attempt(() => db.batch!([one, one], limits));
  await attempt(async () => {
    const connection = await db.connect(limits);
    seen.push(connection);
    await attempt(() => connection.execute(one, limits));
    await attempt(() => connection.commit([], limits));
    await attempt(() => connection.rollback({ timeout: 1000 }));
  });
  await attempt(() => transaction(db, (tx) => tx.execute("SELECT 1")));
  const factory = sessionFactory({ bind: db });
  factory.on("afterExecute", (event) => void seen.push({ ...event, session: null }));
  factory.on("afterCommit", (event) => void seen.push({ ...event, session: null }));
  factory.on("afterRollback", (event) => void seen.push({ ...event, session: null }));
  factory.on("warning", (event) => void seen.push({ ...event, session: null }));
  seen.push(factory);
  const session = factory();
  await attempt(() => session.query(Item).all());
  await attempt(() => session.rollback());
  session.add(new Item({ name: "x" }));
  await attempt(() => session.commit(limits));
  seen.push(session, session.state);
  await attempt(() => session.rollback());
  await attempt(() => session.start());
  await attempt(() => session.rollback());
  await session.close();
  await attempt(() => db.close());
  await attempt(() => db.execute(one));
  return seen;
}

for (const [name, setUp] of Object.entries(setUps)) {
  Deno.test({
    name: `[${name}] a server that repeats secrets in whatever it fails with is not repeated`,
    // Drivers leave what they were reading to the server, which is gone by then.
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using server = startEvil();
      const some = fc.subarray(Object.keys(faults), { minLength: 8, maxLength: 8 });
      await fc.assert(
        fc.asyncProperty(some, async (chosen) => {
          for (const fault of chosen) {
            server.fault = faults[fault]!;
            const { db, close } = setUp(server.address);
            const seen = await workWith(db, fault === "no answer" ? 30 : 2000);
            const errors = seen.filter((one) => one instanceof Error);
            assert(errors.length > 3 && errors.some((error) => error instanceof DatabaseError), `${fault} is no fault`);
            for (const error of errors) assert(error instanceof LedgeError, Deno.inspect(error));
            const known = name === "libsql client" ? [] : secretsOf(name);
            showsNone(seen, known);
            await close?.();
          }
        }),
        runs(name.includes("http") || name.includes("url") ? 5 : 1),
      );
    },
  });

  Deno.test(`[${name}] a refused connect, an aborted and a timed-out call show no secret`, async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    const { db, close } = setUp(`127.0.0.1:${port}`);
    const seen = await workWith(db, 1000);
    const { db: second, close: closeSecond } = setUp(`127.0.0.1:${port}`);
    try {
      await second.execute({ sql: "SELECT 1", params: [] }, { signal: AbortSignal.abort(new Error("enough")) });
    } catch (error) {
      seen.push(error);
    }
    await second.close();
    assert(seen.some((one) => one instanceof DatabaseError));
    showsNone(seen, [PASSWORD, TOKEN]);
    await close?.();
    await closeSecond?.();
  });
}

Deno.test("a url that is broken in any place is refused without being shown", () => {
  const whole: readonly (readonly [string, (url: string) => unknown])[] = [
    [`postgresql://${USER}:${encoded(PASSWORD)}@ep.example.org/books`, (url) => neon(url)],
    [`postgresql://${USER}:${TOKEN}@ep.example.org/books`, (url) => neon({ connectionString: url, webSocket: false })],
    [`https://${USER}:${encoded(PASSWORD)}@aws.example.org/books`, (url) => planetscale({ url })],
    [`mysql://${USER}:${TOKEN}@aws.example.org/books`, (url) => planetscale({ url })],
    [`libsql://db.example.org?authToken=${encoded(TOKEN)}`, (url) => libsql({ url })],
    [`wss://${USER}:${encoded(PASSWORD)}@db.example.org`, (url) => libsql({ url })],
    [`https://${USER}:${TOKEN}@db.example.org?authToken=${encoded(TOKEN)}`, (url) => libsql({ url, authToken: TOKEN })],
    [`file:nowhere.db?authToken=${encoded(TOKEN)}`, (url) => libsql({ url: url.replace(/^file:/, "fil:") })],
  ];
  const change = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    cut: fc.nat(3),
    put: fc.constantFrom("", "", "@", ":", "/", "//", "?", "#", " ", "[", "\\", "%", "\n", "::", "\0"),
  });
  fc.assert(
    fc.property(fc.constantFrom(...whole), fc.array(change, { minLength: 1, maxLength: 3 }), ([url, open], changes) => {
      let broken = url;
      for (const { at, cut, put } of changes) {
        // Around the secret, not in it: half of one is not found.
        const place = Math.round(at * broken.length);
        const next = broken.slice(0, place) + put + broken.slice(place + cut);
        if (secrets.some((secret) => next.includes(secret))) broken = next;
      }
      let seen: unknown;
      try {
        seen = open(broken);
      } catch (error) {
        assert(error instanceof LedgeError, Deno.inspect(error));
        seen = error;
      }
      showsNone([seen], [PASSWORD, TOKEN]);
    }),
    runs(2000) as never,
  );
});

Deno.test("a url whose password was not encoded is refused without being shown", () => {
  for (const mark of "/?#") {
    const password = `s3cret${mark}Zq7`;
    for (
      const open of [
        () => libsql({ url: `wss://${USER}:${password}@db.example.org` }),
        () => libsql({ url: `libsql://${password}@db.example.org?authToken=${encoded(TOKEN)}` }),
        () => neon(`postgresql://${USER}:${password}@ep.example.org/books`),
        () => neon(`postgresql://${USER}:x@${password}@ep.example.org/books`),
        () => planetscale({ url: `https://${USER}:${password}@aws.example.org` }),
        () => planetscale({ url: `https://${password}@aws.example.org`, username: USER, password: PASSWORD }),
      ]
    ) {
      const error = assertThrows(open, ValidationError);
      assert(!/s3cret|Zq7/.test(Deno.inspect(error).replaceAll(import.meta.url, "")), `${open}`);
    }
  }
});

const secrets = [PASSWORD, TOKEN].flatMap((secret) => [secret, encoded(secret)]);

Deno.test("classes of errors do not depend on the password: words of messages may be one", async () => {
  for (
    const word of ["UNIQUE", "constraint", "failed", "ledge", "stale", "0", ":", "syntax", "a", "SQLITE_CONSTRAINT"]
  ) {
    assert(redactor([word])("bad JSON path: 'ledge:stale:0:1:2'").includes("ledge:stale:0:1:2"), word);
    await using db = libsql({ url: ":memory:", authToken: word });
    await db.execute({ sql: "CREATE TABLE a (b INTEGER PRIMARY KEY)", params: [] });
    const insert = { sql: "INSERT INTO a VALUES (1)", params: [] };
    await db.execute(insert);
    const error = await db.execute(insert).catch((thrown) => thrown);
    assertEquals(error.code, "LEDGE_UNIQUE_VIOLATION", word);
  }
});

Deno.test("what fails a commit on MySQL is found whatever the password is", () => {
  const said = {
    stale: "target: shop.-.primary: vttablet: Subquery returns more than 1 row (errno 1242) (sqlstate 21000)",
    steps: "target: shop.-.primary: vttablet: Truncated incorrect INTEGER value: 'ledge:increment:2' (errno 1292)",
  };
  const thrown = (message: string) => Object.assign(new Error(message), { status: 400, body: { message } });
  for (const word of ["1", "row", "errno", "12", "'", "ledge"]) {
    const failure = { where: "planetscale host", redact: redactor([word]) };
    const stale = translatePlanetScale(thrown(said.stale), failure);
    assertEquals(mysqlGuardFailure(stale.message), { kind: "unnamed" }, word);
    const steps = translatePlanetScale(thrown(said.steps), { ...failure, sql: `SELECT ${INCREMENT}` });
    assertEquals(steps.code, "LEDGE_UNSUPPORTED", word);
  }
});

Deno.test("a client that was closed is told from one that is lost whatever the password is", () => {
  for (const word of ["Client", "closed", "a"]) {
    const closed = new Error("Client was closed and is not queryable");
    const error = translateNeon(closed, { where: "neon host", redact: redactor([word]) });
    assertEquals(error.code, "LEDGE_INVALID_STATE", word);
  }
});

testEverywhere("what an SQL engine repeats of a value, a key or a row is not in an error", async (place) => {
  const { db, name } = place;
  await using session = place.session();
  const told: unknown[] = [];
  for (
    const event of ["beforeExecute", "afterExecute", "afterCommit", "afterRollback", "warning", "afterFlush"] as const
  ) {
    session.on(event, (details) => void told.push({ ...details, session: null }));
  }
  session.addAll([new Tag({ name: VALUE, label: VALUE }), new Note({ text: VALUE, short: VALUE })]);
  await session.commit();
  const note = await session.query(Note).one();
  const attempts: (() => unknown)[] = [
    () => session.execute(sql`INSERT INTO tags (name, uses) VALUES (${VALUE}, 0)`),
    () => session.execute(sql`INSERT INTO tags (name, label, uses) VALUES ('x', ${VALUE}, 0)`),
    () => session.execute(sql`INSERT INTO notes (id, text, n, version) VALUES ('x', 'x', ${VALUE}, 1)`),
    () => session.execute(sql`INSERT INTO notes (id, text, kind, version) VALUES (${note.id}, 'x', ${VALUE}, 1)`),
    () =>
      session.execute(sql`INSERT INTO notes (id, text, at_time, version) VALUES (${note.id}, ${VALUE}, ${VALUE}, 1)`),
    () =>
      session.execute(
        sql`INSERT INTO notes (id, text, short, version) VALUES (${note.id}, 'x', ${VALUE.repeat(9)}, 1)`,
      ),
    () => session.execute(sql`INSERT INTO notes (id, text, writer_id, version) VALUES (${note.id}, ${VALUE}, 99, 1)`),
    () => session.execute(sql`SELECT * FROM nowhere WHERE a = ${VALUE}`),
    () => session.execute("SELECT nothing FROM notes WHERE text = :value", { value: VALUE }),
    () => session.getOne(Tag, `${VALUE}!`),
    () => session.merge(new Note({ id: note.id, text: VALUE, version: 9 })),
    () => session.query(Note).where({ n: VALUE } as never).all(),
    () => session.query(Note).where({ kind: { eq: VALUE } } as never).all(),
    () => session.query(Note).page({ size: 1, after: VALUE }),
    async () => {
      session.add(new Tag({ name: VALUE }));
      await session.commit();
    },
    async () => {
      await db.execute({ sql: "UPDATE notes SET version = 7", params: [] });
      note.text = `${VALUE} changed`;
      await session.commit();
    },
    async () => {
      session.require(sql`${VALUE} = 'x'`);
      await session.commit();
    },
    ...name === "postgres"
      ? [
        () => session.execute(sql`SELECT ${VALUE}::int`),
        () => session.execute(sql`SELECT ${VALUE}::uuid`),
        () => session.execute(sql`SELECT ${VALUE}::timestamptz`),
        () => session.execute(sql`SELECT ${`{"${VALUE}`}::jsonb`),
        () => session.execute(sql`SELECT ${`{${VALUE}`}::int[]`),
        () => session.execute(sql`SELECT to_tsquery(${`${VALUE} & & (`})`),
        () => session.execute(sql`SELECT 'a' ~ ${`(${VALUE}`}`),
        () => session.execute(sql`SELECT 1 / length(${VALUE}) / 0`),
      ]
      : name === "mysql"
      ? [
        () =>
          session.execute(
            sql`INSERT INTO notes (id, text, n, version) VALUES (uuid(), 'x', CAST(${VALUE} AS SIGNED), 1)`,
          ),
        () => session.execute(sql`SELECT 'a' REGEXP ${`(${VALUE}`}`),
      ]
      : [
        () => session.execute(sql`SELECT json_extract('{}', ${VALUE})`),
        () => session.execute(sql`SELECT json(${VALUE})`),
      ],
  ];
  let failed = 0;
  for (const attempt of attempts) {
    const seen: unknown[] = [];
    try {
      await attempt();
    } catch (error) {
      assert(error instanceof LedgeError, Deno.inspect(error));
      failed++;
      seen.push(error);
    }
    for (const thing of [...seen, ...told.splice(0)]) {
      // The instance of a StaleDataError is there for who asks.
      const output = [
        Deno.inspect(thing, { depth: 20 }),
        inspect(thing, { depth: 20 }),
        String(thing),
        JSON.stringify(thing),
      ];
      for (const one of output) assert(!one.includes(VALUE), `${attempt}\n${one}`);
    }
    await session.rollback();
  }
  assert(failed >= attempts.length - 4, `${failed} of ${attempts.length} failed`);
});

testEverywhere("the values of statements are told to a handler that asks for them, and to no other", async (place) => {
  await using session = place.session();
  const [asked, other]: [unknown[], unknown[]] = [[], []];
  session.on("afterExecute", (event) => void asked.push({ ...event, session: null }), { parameters: true });
  session.on("afterExecute", (event) => void other.push({ ...event, session: null }));
  session.add(new Tag({ name: VALUE, label: VALUE }));
  await session.commit();
  await session.query(Tag).where({ name: VALUE }).all();
  await session.execute("SELECT :value AS v", { value: VALUE });
  assert(Deno.inspect(asked, { depth: 9 }).includes(VALUE));
  assert(asked.length > 0 && asked.length === other.length);
  for (const one of [Deno.inspect(other, { depth: 20 }), JSON.stringify(other)]) assert(!one.includes(VALUE), one);
});

Deno.test("an error shows neither the instance nor the key that it is about, and has them for who asks", () => {
  const instance = new Item({ name: VALUE });
  const error = new StaleDataError("stale", { instance });
  assertEquals(error.instance, instance);
  showsNoValue(error);
  assert(new NoResultError("x") instanceof LedgeError && new DataError("x") instanceof DatabaseError);
});

function showsNoValue(error: Error): void {
  for (const one of [Deno.inspect(error), inspect(error), JSON.stringify(error), JSON.stringify({ ...error })]) {
    assert(!one.includes(VALUE), one);
  }
}

Deno.test("[d1] an error shows no value that it repeats", async () => {
  const statement: { bind(): unknown; raw(): Promise<never> } = {
    bind: () => statement,
    raw: () => Promise.reject(new Error(`D1_ERROR: JSON path error near '${VALUE}': SQLITE_ERROR`)),
  };
  await using db = d1({ prepare: () => statement, batch: () => statement.raw() } as never);
  const error = await db.execute({ sql: "SELECT ?", params: [VALUE] }).catch((thrown: Error) => thrown) as Error;
  assert(error instanceof DataError, Deno.inspect(error));
  showsNoValue(error);
  await new Session({ bind: db }).close();
});
