/**
 * Row-level security with real policies: a session's settings hold for its reads, its commits and its transactions, and for
 * nothing else that goes over the same client.
 *
 * @module
 */
import { assertEquals, assertInstanceOf } from "@std/assert";
import {
  AuthenticationError,
  belongsTo,
  createAll,
  DatabaseError,
  hasMany,
  model,
  Session,
  type SessionOptions,
  sql,
  StaleDataError,
  t,
  UnsupportedError,
  ValidationError,
} from "../../mod.ts";
import { neon } from "../../adapters/neon.ts";
import { on, type Place, type Setup } from "../adapters/neon_setups.ts";
import { refused } from "../conformance/setup.ts";
import { startPostgres } from "../servers/postgres.ts";

await startPostgres();

/** HTTP with WebSockets for conversations, HTTP alone, and what is shared by all who ask: a Pool, a Client. */
const setups: readonly Setup[] = ["url", "url, HTTP only", "pool", "client"];
const withHttp: readonly Setup[] = ["url", "url, HTTP only"];
const withSockets: readonly Setup[] = ["url", "pool", "client"];
const withoutHttp: readonly Setup[] = ["pool", "client"];

class Note extends model("notes", {
  id: t.uuid().primaryKey(),
  owner: t.text(),
  body: t.text(),
  version: t.integer().version(),
}) {
  declare lines?: Line[];
  static relations = { lines: hasMany(() => Line, "noteId") };
}

class Line extends model("lines", {
  id: t.identity(),
  owner: t.text(),
  noteId: t.uuid("note_id").foreignKey(),
}) {
  declare note?: Note;
  static relations = { note: belongsTo(() => Note, "noteId", { onDelete: "cascade" }) };
}

/** What a test is given: a database whose tables have policies, and the role that they hold for. */
interface Guarded extends Place {
  readonly role: string;
  /** A session of somebody who has logged in. */
  as(sub: string, options?: Partial<SessionOptions>): Session;
  /** Who asks, what they claim, and whose notes they see, without settings. */
  nobody(): Promise<unknown[]>;
}

/** The truth of a database of which no setting has been left behind. */
const untouched = ["postgres", true, ["ann", "bob"]];

/** A test for each way to set a database up. Logged in as a superuser, who sees everything: what is not set shows. */
function test(name: string, body: (place: Guarded, setup: Setup) => Promise<void>, where: readonly Setup[] = setups) {
  for (const setup of where) {
    Deno.test(`${name}, ${setup}`, () =>
      on(setup, async ({ db, server }) => {
        const role = `app_${crypto.randomUUID().slice(0, 8)}`;
        await using admin = neon(server.url);
        await createAll(admin, [Note, Line]);
        await server.db.query(`CREATE ROLE ${role} NOLOGIN NOBYPASSRLS`);
        try {
          for (const table of ["notes", "lines"]) {
            await server.db.query(`ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY`);
            await server.db.query(`GRANT ALL ON ${table} TO ${role}`);
            await server.db.query(
              `CREATE POLICY own ON ${table} USING (owner = current_setting('request.jwt.claims', true)::json->>'sub')`,
            );
          }
          await server.db.query(`GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO ${role}`);
          await using first = new Session({ bind: admin });
          for (const owner of ["ann", "bob"]) {
            first.add(Note.create({ owner, body: `of ${owner}`, lines: [new Line({ owner })] }));
          }
          await first.commit();
          server.reset();
          await body({
            db,
            server,
            role,
            as: (sub, options = {}) =>
              new Session({ bind: db, settings: { "request.jwt.claims": JSON.stringify({ sub }), role }, ...options }),
            async nobody(): Promise<unknown[]> {
              await using session = new Session({ bind: db });
              const row = await session.first(
                sql`SELECT current_user::text AS me, coalesce(current_setting('request.jwt.claims', true), '') = '' AS bare`,
              );
              const notes = await session.query(Note).orderBy({ owner: "asc" }).all();
              return [row!.me, row!.bare, [...new Set(notes.map(({ owner }) => owner))]];
            },
          }, setup);
        } finally {
          await server.db.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
        }
      }));
  }
}

async function bodies(place: Guarded): Promise<unknown[]> {
  return (await place.server.db.query("SELECT body FROM notes ORDER BY body")).map(({ body }) => body);
}

test("reads see the rows of whoever asks, alone and together", async (place) => {
  assertEquals(await place.nobody(), untouched);
  for (const sub of ["ann", "bob"]) {
    await using session = place.as(sub);
    const [notes, count, raw, me, lines] = await Promise.all([
      session.query(Note).include(["lines"]).all(),
      session.query(Note).count(),
      session.scalars<string>("SELECT owner FROM notes").then((owners) => owners.all()),
      session.scalar<string>("SELECT current_user::text"),
      session.query(Line).all(),
    ]);
    assertEquals(notes.map(({ owner, lines }) => [owner, lines.length]), [[sub, 1]]);
    assertEquals([count, raw, me, lines.map(({ owner }) => owner)], [1, [sub], place.role, [sub]]);
    await session.refresh(notes[0]!);
    await session.rollback(); // Without a batch the reads have a transaction, and with it the only connection of a Client.
    assertEquals(await place.nobody(), untouched);
  }
  const [theirs] = await place.server.db.query("SELECT id FROM notes WHERE owner = 'bob'");
  await using ann = place.as("ann");
  assertEquals([await ann.get(Note, theirs!.id as string), await ann.query(Note).exists()], [null, true]);
  await ann.close();
  await using stranger = place.as("o'brien\" \\ $1 --");
  assertEquals(await stranger.query(Note).all(), []);
});

test("commits write the rows of whoever asks, and no other", async (place) => {
  await using session = place.as("ann");
  const note = await session.query(Note).one();
  note.body = "changed";
  session.add(Note.create({ owner: "ann", body: "new", lines: [new Line({ owner: "ann" })] }));
  await session.commit();
  assertEquals([note.version, await bodies(place), await place.nobody()], [2, ["changed", "new", "of bob"], untouched]);

  const forged = session.add(new Note({ owner: "bob", body: "forged" }));
  note.body = "with it";
  const error = await refused(() => session.commit(), AuthenticationError, "row-level security");
  assertEquals([error.driverCode, error.notApplied, session.state], ["42501", true, "failed"]);
  await session.rollback();
  assertEquals([session.inspect(forged).state, note.body], ["transient", "changed"]);
  assertEquals([await bodies(place), await place.nobody()], [["changed", "new", "of bob"], untouched]);

  // What was read with more rights is not there for a commit with fewer.
  await using admin = new Session({ bind: place.db });
  const theirs = await admin.query(Note).where({ owner: "bob" }).one();
  admin.expunge(theirs);
  session.add(theirs);
  theirs.body = "stolen";
  await refused(() => session.commit(), StaleDataError, "Note");
  await session.rollback();
  assertEquals([await bodies(place), await place.nobody()], [["changed", "new", "of bob"], untouched]);

  await session.delete(note);
  await session.commit();
  assertEquals([await bodies(place), await place.nobody()], [["new", "of bob"], untouched]);
});

test("session.stage() and require() run as whoever asks", async (place) => {
  await using session = place.as("bob");
  const staged = session.stage("UPDATE notes SET body = 'staged'");
  session.require(sql`(SELECT count(*) FROM notes) = 1`, "More than one's own");
  await session.commit();
  assertEquals([staged.result.rowsAffected, await bodies(place)], [1, ["of ann", "staged"]]);
  assertEquals(await place.nobody(), untouched);
});

test("a commit with settings is one request still", async (place) => {
  await using session = place.as("ann");
  session.add(new Note({ owner: "ann", body: "new" }));
  place.server.reset();
  await session.commit();
  assertEquals([place.server.requests, place.server.statements, place.server.connections], [1, 2, 0]);
  place.server.reset();
  await session.query(Note).include(["lines"]).all();
  assertEquals([place.server.requests, place.server.statements], [1, 3]);
  const { headers } = place.server.log[0]!;
  assertEquals([headers["neon-batch-read-only"], headers["neon-batch-isolation-level"]], ["true", "RepeatableRead"]);
}, withHttp);

test("interactive transactions run as whoever asks, savepoints and all", async (place) => {
  for (const end of ["commit", "rollback"] as const) {
    await using session = place.as("ann");
    await session.start();
    const note = await session.query(Note).where({ body: { startsWith: "of" } }).one();
    note.body = `of ann, ${end}`;
    await session.flush();
    await session.savepoint(async () => {
      session.add(new Note({ owner: "bob", body: "forged" }));
      await refused(() => session.flush(), AuthenticationError, "row-level security");
      throw new RangeError("back");
    }).catch((error) => assertInstanceOf(error, RangeError));
    assertEquals((await session.execute("UPDATE notes SET body = body || '!'")).rowsAffected, 1);
    assertEquals(await session.scalar("SELECT current_user::text"), place.role);
    assertEquals((await session.query(Note).forUpdate().populateExisting().all()).length, 1);
    await session[end]();
    assertEquals(await bodies(place), ["of ann, commit!", "of bob"]);
    // After it the session asks as before, and nobody else does.
    assertEquals(await session.query(Note).count(), 1);
    await session.rollback();
    assertEquals(await place.nobody(), untouched);
  }
}, withSockets);

test("a transaction that was left open or that failed leaves nothing behind", async (place) => {
  for (let i = 0; i < 3; i++) {
    await using session = place.as("ann");
    await session.start();
    await refused(() => session.execute("INSERT INTO notes VALUES ('no uuid')"), DatabaseError);
  }
  assertEquals(await place.nobody(), untouched);
  {
    await using session = place.as("ann");
    await session.start();
    await session.query(Note).all();
  }
  assertEquals([await place.nobody(), await bodies(place)], [untouched, ["of ann", "of bob"]]);
}, withSockets);

test("sessions at once on one client see their own rows, each of them", async (place) => {
  const counts = await Promise.all(
    Array.from({ length: 24 }, async (_, i) => {
      if (i % 4 === 3) return assertEquals(await place.nobody(), untouched);
      const sub = i % 2 === 0 ? "ann" : "bob";
      await using session = place.as(sub);
      if (i % 3 === 0 && place.db.capabilities.interactive) await session.start();
      const notes = await session.query(Note).all();
      assertEquals(new Set(notes.map(({ owner }) => owner)), new Set([sub]));
      return notes.length;
    }),
  );
  assertEquals(counts.filter((count) => count === 1).length, 18);
}, setups.filter((setup) => setup !== "client")); // Which has one connection: its transactions come one by one.

test("session.begin() adds settings for its transaction alone", async (place) => {
  await using session = new Session({ bind: place.db, settings: { role: place.role } });
  const read = () => session.query(Note).all().then((notes) => notes.map(({ owner }) => owner));
  // Without a claim no row is anybody's; an empty one is no JSON, where a connection has known it before.
  await session.begin({ settings: { "request.jwt.claims": '{"sub":"bob"}' } });
  assertEquals(await read(), ["bob"]);
  session.add(new Note({ owner: "bob", body: "new" }));
  await session.commit();
  await session.begin({ settings: { "request.jwt.claims": '{"sub":"ann"}' } });
  assertEquals(await read(), ["ann"]);
  session.add(new Note({ owner: "bob", body: "forged" }));
  await refused(() => session.commit(), AuthenticationError);
  await session.rollback();
  await session.begin({ settings: { "request.jwt.claims": "{}" } });
  assertEquals(await read(), []);
  await session.rollback();
  assertEquals([await bodies(place), await place.nobody()], [["new", "of ann", "of bob"], untouched]);
});

test("settings that cannot be are refused, and nothing is read or written", async (place) => {
  await using session = place.as("ann", { settings: { role: "nobody_of_this_name" } });
  await refused(() => session.query(Note).all(), DatabaseError, `role "…" does not exist`); // its name is a value
  assertEquals(session.state, place.db.batch === undefined ? "failed" : "open"); // A transaction of its own, or none.
  await session.rollback();
  session.add(new Note({ owner: "ann", body: "new" }));
  await refused(() => session.commit(), DatabaseError, `role "…" does not exist`); // its name is a value
  await session.rollback();
  place.server.reset();
  for (const settings of [{ "": "x" }, { a: 5 }, { a: "\0" }, { "request.jwt.claims": { sub: "ann" } }]) {
    await refused(() => place.as("ann", { settings: settings as never }), ValidationError, "setting");
  }
  assertEquals(place.server.requests, 0);
  assertEquals([await bodies(place), await place.nobody()], [["of ann", "of bob"], untouched]);
});

test("a claim is in no message, and in no log entry's text", async (place) => {
  await using session = place.as("s3cret-subject");
  await session.query(Note).all();
  session.add(new Note({ owner: "bob", body: "forged" }));
  const error = await refused(() => session.commit(), DatabaseError);
  await session.rollback();
  for (const text of [`${error.message} ${error.cause}`, ...place.server.log.flatMap(({ sql }) => sql)]) {
    assertEquals(text.includes("s3cret-subject"), false, text);
  }
});

test("what needs a conversation is refused with settings too, where there is none", async (place) => {
  await using session = place.as("ann");
  await refused(() => session.start(), UnsupportedError, "start()");
  await refused(() => session.execute("UPDATE notes SET body = 'x'"), UnsupportedError, "stage()");
  assertEquals(await bodies(place), ["of ann", "of bob"]);
}, ["url, HTTP only"]);

test("without a batch a read with settings takes a transaction, which ends with the session's", async (place) => {
  await using session = place.as("ann");
  assertEquals((await session.query(Note).all()).length, 1);
  const [, claims] = await Promise.all([
    session.query(Line).all(),
    session.scalar("SELECT current_setting('request.jwt.claims')"),
  ]);
  assertEquals(claims, '{"sub":"ann"}');
  await session.rollback();
  assertEquals(await place.nobody(), untouched);
}, withoutHttp);
