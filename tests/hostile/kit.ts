/**
 * What the hostile tests share: three real databases, texts that were made to do harm, and the proof after each test that
 * none was done.
 *
 * @module
 */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { neonConfig } from "@neondatabase/serverless";
import fc from "fast-check";
import { libsql } from "../../adapters/libsql_local.ts";
import { neon } from "../../adapters/neon.ts";
import { planetscale } from "../../adapters/planetscale.ts";
import {
  belongsTo,
  type Connection,
  createAll,
  type Database,
  hasMany,
  LedgeError,
  model,
  Session,
  t,
  ValidationError,
} from "../../mod.ts";
import { mariadbMissing } from "../servers/mariadb.ts";
import { startNeon, useFronts } from "../servers/neon.ts";
import { startFront } from "../servers/planetscale.ts";

useFronts(neonConfig);

/** `LEDGE_SEED` says which sequences, `LEDGE_RUNS` by how much there are more than usual. */
const SEED = Number(Deno.env.get("LEDGE_SEED") ?? 20_261_121);
const FACTOR = Number(Deno.env.get("LEDGE_RUNS") ?? 1000) / 1000;

/** How fast-check is to run a property. */
export function runs(numRuns: number): fc.Parameters<unknown> {
  return { seed: SEED, numRuns: Math.max(1, Math.round(numRuns * FACTOR)), endOnFailure: FACTOR > 10 };
}

export class Writer extends model("writers", { id: t.identity(), name: t.text() }) {
  declare notes?: Note[];
  static relations = { notes: hasMany(() => Note, "writerId") };
}

/** Something of every type that every database has. */
export class Note extends model("notes", {
  id: t.uuid().primaryKey(),
  text: t.text(),
  short: t.varchar(40).nullable(),
  kind: t.enumeration(["novel", "essay"]).nullable(),
  n: t.integer().nullable(),
  wide: t.bigint().nullable(),
  price: t.decimal({ precision: 12, scale: 2 }).nullable(),
  flag: t.boolean().nullable(),
  at: t.timestamp("at_time").nullable(),
  day: t.date("on_day").nullable(),
  data: t.json<unknown>("as_json").nullable(),
  raw: t.bytes("as_bytes").nullable(),
  writerId: t.integer("writer_id").nullable().foreignKey(),
  version: t.integer().version(),
}) {
  declare writer?: Writer | null;
  static relations = { writer: belongsTo(() => Writer, "writerId") };
}

/** A key and a unique value that somebody else chooses. */
export class Tag extends model("tags", {
  name: t.varchar(200).primaryKey(),
  label: t.varchar(200).nullable().unique(),
  uses: t.integer().default(0),
}) {}

/** What must be there in the end as it was in the beginning. */
export class Vault extends model("vault", { id: t.identity(), secret: t.text() }) {}

/** Reads, changes or destroys more than it was meant to, where a value becomes SQL text or a name of JavaScript. */
export const ATTACKS: readonly string[] = [
  ..."' \" ` \\ \\' '' '; ; -- # /* */ /*! % _ * ? ?1 [ ] { } ( ) $1 $$ $tag$ : :a @a @@version 0x27 %27 \\u0027".split(
    " ",
  ),
  "'; DROP TABLE vault; --",
  '"; DROP TABLE vault; --',
  "`; DROP TABLE vault; -- ",
  "\\'; DROP TABLE vault; -- ",
  "\\\\'; DROP TABLE vault; -- ",
  "x' OR '1'='1",
  "x') OR ('1'='1",
  "' UNION SELECT secret FROM vault --",
  "1; UPDATE vault SET secret = 'gone'",
  "*/ DROP TABLE vault /*",
  "/*!50000 DROP TABLE vault */",
  "$$; DROP TABLE vault; $$",
  "\u02bc; DROP TABLE vault; --",
  "\uff07; DROP TABLE vault; --",
  "\u00bf\u0027; DROP TABLE vault; --",
  "\u8a98\\' OR 1=1 -- ",
  '{"$ne":null}',
  "{NULL}",
  "NULL",
  "ledge:stale:0:0:1",
  "ledge:require:0",
  "ledge:conflict",
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "and",
  "or",
  "not",
  "",
  " ",
  "a ",
  "\n\r\t\b\v\f\x1a\x1b",
  "\0",
  "a\0b",
  "\ud800",
  "a\udc00b",
  "\ufeffbom",
  "\u2028\u2029",
  "e\u0301\u{1f600}\u{10ffff}",
];

/** Text that an attacker could send: the known attacks, whole, in pieces and in random company. */
export const text: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...ATTACKS),
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.array(fc.oneof(fc.constantFrom(...ATTACKS), fc.string({ unit: "grapheme", maxLength: 4 })), { maxLength: 5 })
    .map((parts) => parts.join("")),
);

/** Names of properties that mean something to JavaScript or to Ledge, and others. */
const key: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(..."__proto__ constructor prototype toString valueOf toJSON then length and or not".split(" ")),
  fc.constantFrom(..."eq ne in notIn isNull gt gte lt lte between like startsWith endsWith contains".split(" ")),
  fc.constantFrom(..."id text short kind n wide price flag at day data raw writerId version writer notes".split(" ")),
  fc.constantFrom(..."target update size after sql params parts compile toSQL ordinal step n f b".split(" ")),
  text,
);

/** What `JSON.parse` can make of a body: own properties of any name, `__proto__` too. */
export const body: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  any: fc.oneof({ maxDepth: 4, depthSize: "small" }, tie("leaf"), tie("list"), tie("object")),
  leaf: fc.oneof(
    text,
    fc.constantFrom(null, true, false, 0, -0, 1, -1, 2 ** 53, 1e308, "asc", "desc", "a", "novel", "2024-02-30", "1e3"),
    fc.double(),
  ).map((value) => typeof value === "number" && !Number.isFinite(value) ? null : value),
  list: fc.array(tie("any"), { maxLength: 3 }),
  object: fc.array(fc.tuple(key, tie("any")), { maxLength: 3 }).map(objectOf),
})).any.map((value) => JSON.parse(JSON.stringify(value)));

/** An object as `JSON.parse` makes it: `__proto__` is a property like any other. */
export function objectOf(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (const [name, value] of entries) {
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  }
  return object;
}

/** A database under attack: what it is asked for is counted. */
export class Place {
  readonly db: Database;
  /** Calls of the port that reach the driver. */
  sent = 0;

  constructor(db: Database) {
    this.db = this.#counted(db);
  }

  #counted<T extends Database | Connection>(target: T): T {
    const counted = "execute batch savepoint release rollbackTo commit".split(" ");
    return new Proxy(target, {
      get: (_, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]): unknown => {
          if (counted.includes(String(name))) this.sent++;
          const result: unknown = value.apply(target, args);
          return name === "connect" ? (result as Promise<Connection>).then((one) => this.#counted(one)) : result;
        };
      },
    });
  }

  session(): Session {
    return new Session({ bind: this.db });
  }
  get name(): Database["dialect"]["name"] {
    return this.db.dialect.name;
  }
  /** Whether the database keeps this text as it is; it is refused otherwise. */
  keeps(value: string): boolean {
    return value.isWellFormed() && (this.name === "mysql" || !value.includes("\0"));
  }
  /** Empties what tests fill. */
  async empty(): Promise<void> {
    for (const table of ["notes", "tags", "writers"]) {
      await this.db.execute({ sql: `DELETE FROM ${table}`, params: [] });
    }
    this.sent = 0;
  }
}

const databases = {
  libsql: async (body) => {
    await using db = libsql({ url: ":memory:" });
    await body(db);
  },
  neon: async (body) => {
    await using server = await startNeon();
    await using db = neon(server.url);
    await body(db);
    await db.close();
    await server.settled();
  },
  planetscale: async (body) => {
    await using server = await startFront();
    await using db = planetscale({ url: server.url });
    await body(db);
  },
} satisfies Record<string, (body: (db: Database) => Promise<void>) => Promise<void>>;

const secrets = ["one", "two", "three"];

/** What somebody who pollutes a prototype changes. */
function prototypes(): string {
  const shared = [Object.prototype, Array.prototype, String.prototype, Function.prototype, Promise.prototype];
  return shared.map((one) => Reflect.ownKeys(one).map(String).join()).join(";");
}

async function tables(db: Database): Promise<unknown> {
  const sql = db.dialect.name === "sqlite"
    ? "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
    : db.dialect.name === "postgres"
    ? "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY relname"
    : "SELECT table_name FROM information_schema.tables WHERE table_schema = database() ORDER BY table_name";
  return (await db.execute({ sql, params: [] })).rows;
}

/** A test on each database, after which its tables, what is in the vault, and JavaScript's prototypes are as before. */
export function testEverywhere(
  name: string,
  body: (place: Place) => Promise<void>,
  on: readonly (keyof typeof databases)[] = ["libsql", "neon", "planetscale"],
): void {
  for (const database of on) {
    const open = databases[database];
    const missing = database === "planetscale" ? mariadbMissing() : null;
    Deno.test({
      name: `[${database}] ${name}${missing ?? ""}`,
      ignore: missing !== null,
      fn: () =>
        open(async (db) => {
          await createAll(db, [Writer, Note, Tag, Vault]);
          await using session = new Session({ bind: db });
          session.addAll(secrets.map((secret) => new Vault({ secret })));
          await session.commit();
          const before = [prototypes(), await tables(db)];
          const place = new Place(db);
          await body(place);
          assertEquals([prototypes(), await tables(db)], before, "Something was changed that was not meant to be");
          const { rows } = await db.execute({ sql: "SELECT secret FROM vault ORDER BY id", params: [] });
          assertEquals(rows, secrets.map((secret) => [secret]), "The vault was touched");
        }),
    });
  }
}

/** The error of a call; null where it succeeded. What is thrown must be Ledge's own. */
export async function errorOf(work: () => unknown): Promise<LedgeError | null> {
  try {
    await work();
    return null;
  } catch (error) {
    assertInstanceOf(error, LedgeError, `Not an error of Ledge's: ${Deno.inspect(error)}`);
    return error;
  }
}

/** Asserts that a call is refused with a ValidationError before anything is sent. */
export async function refuses(place: Place, work: () => unknown): Promise<void> {
  place.sent = 0;
  const error = await errorOf(work);
  assert(error instanceof ValidationError, `Expected a refusal, got ${Deno.inspect(error)}`);
  assertEquals(place.sent, 0, `Sent before it was refused: ${error.message.slice(0, 200)}`);
}
