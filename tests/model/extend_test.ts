import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { ValidationError } from "../../src/errors.ts";
import { ddl, wholeTable } from "../../src/execution/schema.ts";
import { t } from "../../src/model/columns.ts";
import { extend } from "../../src/model/extend.ts";
import { mapperOf } from "../../src/model/mapper.ts";
import { model } from "../../src/model/model.ts";
import { belongsTo, hasMany } from "../../src/model/relations.ts";
import { postgres } from "../../src/sql/postgres.ts";
import { sqlite } from "../../src/sql/sqlite.ts";

function refuses(work: () => unknown, ...words: string[]): void {
  const { message } = assertThrows(work, ValidationError);
  for (const word of words) assert(message.includes(word), `${word} is not in: ${message}`);
}

/** A family of its own for each test, since what is extended stays so. */
function family() {
  class Base extends model("media", { id: t.identity(), kind: t.text().default("x"), title: t.text() }) {
    shout(): string {
      return this.title.toUpperCase();
    }
  }
  class Film extends extend(Base, "film", { minutes: t.integer() }) {
    get isLong(): boolean {
      return this.minutes > 120;
    }
  }
  class Short extends extend(Film, "short", { festival: t.text().nullable() }) {
    override shout(): string {
      return `${super.shout()}!`;
    }
  }
  return { Base, Film, Short };
}

Deno.test("extend() makes instances of the subclass and of its base when they are made", () => {
  const { Base, Film, Short } = family();
  const short = new Short({ title: "a", minutes: 130 });
  assert(short instanceof Film && short instanceof Base);
  assertEquals({ ...short }, { kind: "short", title: "a", minutes: 130, festival: null });
  assertEquals([short.shout(), short.isLong, new Film({ title: "b", minutes: 1 }).kind], ["A!", true, "film"]);
});

Deno.test("extend() refuses a missing or unknown property as a model does", () => {
  const { Film } = family();
  refuses(() => new Film({ title: "a", minutes: 1, minute: 2 } as never), '"minute"', '"minutes"');
  refuses(() => Film.create({ title: "a", minutes: 1, kind: "other" } as never), '"other"', '"film"');
});

Deno.test("extend() takes the discriminator that is named, and the base's further down", () => {
  class Base extends model("things", { id: t.identity(), type: t.enumeration(["a", "b"]), name: t.text() }) {}
  class A extends extend(Base, "a", {}, { discriminator: "type" }) {}
  class B extends extend(A, "b", {}) {}
  assertEquals([new A({ name: "x" }).type, new B({ name: "x" }).type], ["a", "b"]);
  refuses(() => extend(Base, "a", {}, { discriminator: "name" }), '"name"', '"type"');
  refuses(() => extend(Base, "c", {}), "kind");
});

Deno.test("extend() refuses a base without a column that can tell the class of a row", () => {
  class Plain extends model("plain", { id: t.uuid().primaryKey(), name: t.text() }) {}
  refuses(() => extend(Plain, "a", {}), '"kind"', "discriminator", "name");
  class Number extends model("numbers", { id: t.identity(), kind: t.integer() }) {}
  refuses(() => extend(Number, "a", {}), "Number.kind", "text");
  class Unique extends model("uniques", { id: t.identity(), kind: t.text().unique() }) {}
  refuses(() => extend(Unique, "a", {}), "Unique.kind", "unique");
  refuses(() => extend({} as never, "a", {}), "model");
});

Deno.test("extend() refuses a kind that is taken, empty, or too long", () => {
  class Base extends model("b", { id: t.identity(), kind: t.varchar(3).default("x") }) {}
  extend(Base, "abc", {});
  refuses(() => extend(Base, "abc", {}), '"abc"', "twice");
  refuses(() => extend(Base, "", {}), "kind");
  refuses(() => extend(Base, "abcd", {}), "kind");
});

Deno.test("extend() refuses columns that the table has already, keys and versions", () => {
  const { Base, Film } = family();
  refuses(() => extend(Base, "a", { title: t.text() }), '"title"', "Base");
  refuses(() => extend(Base, "a", { name: t.text("title") }), '"name"', "Base");
  refuses(() => extend(Film, "a", { minutes: t.integer() }), '"minutes"', "Film");
  refuses(() => extend(Base, "a", { key: t.uuid().primaryKey() }), '"key"', "key");
  refuses(() => extend(Base, "a", { v: t.integer().version() }), '"v"', "version");
  refuses(() => extend(Base, "a", { minutes: t.text() }), '"minutes"', "type");
  extend(Base, "a", { minutes: t.integer() }); // a sibling's column of the same type is shared
});

Deno.test("extend() makes one table, in which what only subclasses have can be null", () => {
  const { Base, Film, Short } = family();
  for (const models of [[Base, Film, Short], [Short, Base, Film]]) {
    const statements = ddl(models, sqlite);
    assertEquals(statements.length, 1);
    assert(statements[0]!.sql.includes('"title" TEXT NOT NULL'), statements[0]!.sql);
    assert(statements[0]!.sql.includes('"minutes" INTEGER,'), statements[0]!.sql);
    assert(statements[0]!.sql.includes('"festival" TEXT\n'), statements[0]!.sql);
  }
});

Deno.test("ddl() says what to do when a subclass was declared and is not known", () => {
  class Base extends model("media", { id: t.identity(), kind: t.text().default("x") }) {}
  extend(Base, "film", { minutes: t.integer() });
  refuses(() => ddl([Base], sqlite), '"film"', "static subclasses", "Base");
});

Deno.test("a base that names its subclasses knows them without another word, and must name all", () => {
  class Base extends model("media", { id: t.identity(), kind: t.text().default("x") }) {
    static subclasses = () => [Film];
  }
  class Film extends extend(Base, "film", { minutes: t.integer() }) {}
  assert(ddl([Base], sqlite)[0]!.sql.includes("minutes"));
  class Song extends extend(Base, "song", {}) {}
  refuses(() => mapperOf(Song).kinds, "Base.subclasses", "Song");
  class Other extends model("other", { id: t.identity(), kind: t.text() }) {
    static subclasses = () => [Film];
  }
  extend(Other, "o", {});
  refuses(() => mapperOf(Other).readColumns, "Other.subclasses", "Film");
});

Deno.test("a class that extends a subclass without a kind of its own is refused when it is used", () => {
  const { Film } = family();
  class Longer extends Film {}
  refuses(() => mapperOf(Longer), "Longer", "extend()");
});

Deno.test("a subclass has its base's relations, and adds its own", () => {
  class Note extends model("notes", { id: t.identity(), mediaId: t.integer().foreignKey() }) {
    declare media?: Base;
    static relations = { media: belongsTo(() => Base, "mediaId") };
  }
  class Base extends model("media", { id: t.identity(), kind: t.text().default("x") }) {
    declare notes?: Note[];
    static relations = { notes: hasMany(() => Note, "mediaId") };
  }
  class Film extends extend(Base, "film", { sequelOf: t.integer().nullable().foreignKey() }) {
    declare first?: Film | null;
    static relations = { first: belongsTo(() => Film, "sequelOf") };
  }
  const [base, film] = [mapperOf(Base), mapperOf(Film)];
  assertEquals(film.relations.map(({ name }) => name), ["notes", "first"]);
  assertStrictEquals(film.relation("notes"), base.relation("notes"));
  assertEquals([base.relation("first"), film.foreignKeys.length, wholeTable(base).foreignKeys.length], [
    undefined,
    1,
    1,
  ]);
  const one = Film.create({ notes: [new Note({})], first: null });
  assertEquals([one.notes!.length, one.first], [1, null]);
  class Wrong extends extend(Base, "wrong", {}) {
    static relations = { notes: hasMany(() => Note, "mediaId") };
  }
  refuses(() => mapperOf(Wrong).relations, "Wrong.notes", "Base");
});

Deno.test("ddl() follows a cycle of foreign keys through a family on PostgreSQL", () => {
  class Base extends model("media", { id: t.identity(), kind: t.text().default("x"), noteId: t.integer().nullable() }) {
    declare note?: Note | null;
    static relations = { note: belongsTo(() => Note, "noteId") };
    static subclasses = () => [Film];
  }
  class Film extends extend(Base, "film", {}) {}
  class Note extends model("notes", { id: t.identity(), filmId: t.integer() }) {
    declare film?: Film;
    static relations = { film: belongsTo(() => Film, "filmId") };
  }
  const statements = ddl([Base, Note], postgres).map(({ sql }) => sql);
  const creates = statements.filter((sql) => sql.startsWith("CREATE TABLE"));
  assert(creates.every((sql) => !sql.includes("REFERENCES")), creates.join("\n"));
  assertEquals(statements.filter((sql) => sql.includes("ADD CONSTRAINT")).length, 2);
});
