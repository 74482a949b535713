/**
 * What the compiler knows of single-table inheritance.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { t } from "../../src/model/columns.ts";
import { extend } from "../../src/model/extend.ts";
import { model } from "../../src/model/model.ts";
import { belongsTo, hasMany } from "../../src/model/relations.ts";
import type { Key, RelationKeys } from "../../src/model/types.ts";
import { type Same, type Session, sure } from "./session.ts";

class Media extends model("media", { id: t.identity(), kind: t.text().default("x"), title: t.text() }) {
  declare notes?: Note[];
  static relations = { notes: hasMany(() => Note, "mediaId") };
  static subclasses = () => [Film];
  shout(): string {
    return this.title;
  }
}
class Note extends model("notes", { id: t.identity(), mediaId: t.integer(), text: t.text() }) {
  declare media?: Media;
  static relations = { media: belongsTo(() => Media, "mediaId") };
}
class Film extends extend(Media, "film", { minutes: t.integer() }) {
  get long(): boolean {
    return this.minutes > 120;
  }
  override shout(): string {
    return `${super.shout()}!`;
  }
}
class Short extends extend(Film, "short", { festival: t.text().nullable() }) {}

Deno.test("a subclass has the base's properties, methods and relations when it is declared", () => {
  const film = new Film({ title: "x", minutes: 130 });
  const media: Media = film;
  sure<Same<RelationKeys<Short>, "notes">>();
  sure<Same<Short["minutes"], number>>();
  sure<Same<Short["festival"], string | null>>();
  sure<Same<Key<Short>, Key<Media>>>();
  assertEquals([film.long, media.shout()], [true, "x!"]);
});

Deno.test("a subclass's constructor needs its own columns and the base's, and takes no discriminator", () => {
  // @ts-expect-error minutes is missing
  new Film({ title: "x" });
  // @ts-expect-error title is missing
  new Short({ minutes: 1 });
  // @ts-expect-error the kind is the subclass's
  new Film({ title: "x", minutes: 1, kind: "film" });
  assertEquals(Short.create({ title: "x", minutes: 1, notes: [new Note({ mediaId: 1, text: "a" })] }).notes!.length, 1);
});

Deno.test("a discriminator without a default is left out, whatever it is called", () => {
  class Base extends model("base", { id: t.identity(), type: t.text(), name: t.text() }) {}
  class One extends extend(Base, "one", { a: t.text() }, { discriminator: "type" }) {}
  class Two extends extend(One, "two", { b: t.text() }) {}
  // @ts-expect-error b is missing
  new Two({ name: "x", a: "a" });
  // @ts-expect-error no such property
  ((): unknown => extend(Base, "three", {}, { discriminator: "nope" }));
  assertEquals([new One({ name: "x", a: "a" }).type, Two.create({ name: "x", a: "a", b: "b" }).type], ["one", "two"]);
});

/** Compiles; is not called. */
export async function queries(session: Session): Promise<unknown> {
  const film = await session.query(Film).where({ minutes: { gt: 3 }, title: "x" }).orderBy({ minutes: "asc" })
    .include({ notes: { media: true } }).one();
  // @ts-expect-error a base has no column of its subclass
  session.query(Media).where({ minutes: 3 });
  const short: Short | null = await session.get(Short, 1);
  return [film.notes[0]!.media.title, film.long, film.minutes, short];
}
