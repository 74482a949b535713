/**
 * Single-table inheritance: classes that share a table, told apart by a column.
 *
 * @module
 */
import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { identityKey, insert, StaleDataError, ValidationError } from "../../mod.ts";
import { Film, Media, MediaNote, Shelf, Short, Song, Studio } from "./inheritance_models.ts";
import { type Place, refused, sendsNothing, type Target, test } from "./setup.ts";

/** One of each class; gives their keys. */
async function fill(place: Place): Promise<{ other: number; film: number; short: number; song: number }> {
  const other = new Media({ title: "other" });
  const film = new Film({ title: "film", minutes: 130 });
  const short = new Short({ title: "short", minutes: 9, festival: "Oberhausen" });
  const song = new Song({ title: "song", minutes: 3, beats: 120 });
  await place.save(other, film, short, song);
  return { other: other.id, film: film.id, short: short.id, song: song.id };
}

const titles = (found: readonly Media[]) => found.map(({ title }) => title);

/** Registers the tests of single-table inheritance. */
export function inheritanceSuite(target: Target): void {
  test(target, "session.query() of a base gives instances of the right subclass", async (place) => {
    await fill(place);
    await using session = place.session();
    const all = await session.query(Media).orderBy({ id: "asc" }).all();
    assertEquals(all.map((one) => one.constructor), [Media, Film, Short, Song]);
    assertEquals(all.map((one) => one.describe()), ["other (other)", "film (film)", "short: short", "song (song)"]);
    const [, film, short, song] = all as [Media, Film, Short, Song];
    assertEquals([film.minutes, film.isLong, film.studioId], [130, true, null]);
    assertEquals([short.minutes, short.isLong, short.festival], [9, false, "Oberhausen"]);
    assertEquals([song.minutes, song.beats], [3, 120]);
  });

  test(target, "a loaded instance has the columns of its class, and not those of others", async (place) => {
    await fill(place);
    await using session = place.session();
    const all = await session.query(Media).orderBy({ id: "asc" }).all();
    assertEquals(Object.keys(all[0]!), ["id", "kind", "title", "version"]);
    assertEquals(Object.keys(all[2]!), ["id", "kind", "title", "version", "minutes", "studioId", "festival"]);
    assertEquals(Object.keys(all[3]!), ["id", "kind", "title", "version", "minutes", "beats"]);
  });

  test(target, "session.query() of a subclass leaves other rows out, and takes those below it in", async (place) => {
    await fill(place);
    await using session = place.session();
    assertEquals(titles(await session.query(Film).orderBy({ id: "asc" }).all()), ["film", "short"]);
    assertEquals(titles(await session.query(Short).all()), ["short"]);
    assertEquals(titles(await session.query(Song).where({ minutes: { lt: 100 } }).all()), ["song"]);
    assertEquals(await session.query(Film).where({ or: [{ title: "song" }, { minutes: 9 }] }).count(), 1);
    assertEquals([await session.query(Media).count(), await session.query(Film).count()], [4, 2]);
    assertEquals([await session.query(Song).exists(), await session.query(Song).where({ title: "film" }).exists()], [
      true,
      false,
    ]);
    assertEquals((await session.query(Film).orderBy({ minutes: "asc" }).limit(1).one()).title, "short");
  });

  test(target, "session.get() of a base gives the subclass's instance, and of another subclass null", async (place) => {
    const keys = await fill(place);
    await using session = place.session();
    assertInstanceOf(await session.get(Media, keys.song), Song);
    assertEquals(await session.get(Film, keys.song), null);
    assertInstanceOf(await session.get(Film, keys.short), Short);
    assertEquals(await session.get(Short, keys.film), null);
    assertEquals(await session.get(Film, keys.other), null);
    const all = await session.getAll(Media, [keys.song, keys.other, keys.film, keys.short]);
    assertEquals(all.map((one) => one?.constructor), [Song, Media, Film, Short]);
    assertEquals((await session.getAll(Film, [keys.song, keys.film])).map((one) => one?.title), [undefined, "film"]);
  });

  test(target, "one row is one instance, whichever class it is reached by", async (place) => {
    const keys = await fill(place);
    await using session = place.session();
    const short = await session.getOne(Short, keys.short);
    await sendsNothing(place, async () => {
      assertStrictEquals(await session.get(Film, keys.short), short);
      assertStrictEquals(await session.get(Media, keys.short), short);
      assertStrictEquals(session.identityMap.get(Media, keys.short), short);
      assertEquals(session.identityMap.get(Song, keys.short as never), null);
    });
    assertStrictEquals((await session.query(Media).where({ title: "short" }).all())[0], short);
    assertEquals(identityKey(short), identityKey(Media, keys.short));
    assertEquals(session.identityMap.size, 1);
  });

  test(target, "gets of several classes in one turn travel together", async (place) => {
    const keys = await fill(place);
    await using session = place.session();
    let found: unknown[] = [];
    const requests = await place.requests(async () => {
      found = await Promise.all([
        session.get(Media, keys.film),
        session.get(Film, keys.film),
        session.get(Song, keys.song),
      ]);
    });
    assertEquals(requests, place.reads(3));
    assert(found[0] === found[1] && found[2] instanceof Song);
  });

  test(target, "session.commit() writes the discriminator, and null for what other classes have", async (place) => {
    await fill(place);
    assertEquals(await place.column("media", "kind"), ["film", "other", "short", "song"]);
    const beats = (await place.column("media", "bpm")).filter((value) => value !== null);
    assertEquals([beats, (await place.column("media", "minutes")).filter((value) => value !== null)], [[120], [
      3,
      9,
      130,
    ]]);
  });

  test(target, "instances of several classes are written together, with keys that the server makes", async (place) => {
    await using session = place.session();
    const media = Array.from({ length: 12 }, (_, i) => {
      const notes = [new MediaNote({ text: `note ${i}` })];
      const title = `m${i}`;
      if (i % 4 === 0) return Media.create({ title, notes });
      if (i % 4 === 1) return Film.create({ title, minutes: i, notes });
      if (i % 4 === 2) return Short.create({ title, minutes: i, notes });
      return Song.create({ title, minutes: i, notes });
    });
    session.addAll(media);
    const requests = await place.requests(() => session.commit());
    if (target.expects.batches) assertEquals(requests, 1);
    assertEquals(new Set(media.map(({ id }) => id)).size, 12);
    await using reader = place.other();
    const notes = await reader.query(MediaNote).include(["media"]).all();
    for (const note of notes) assertEquals(note.text.slice(5), note.media.title.slice(1));
    assertEquals(notes.filter(({ media }) => media instanceof Film).length, 6);
  });

  test(target, "session.commit() updates and deletes rows of each class", async (place) => {
    const keys = await fill(place);
    await using session = place.session();
    const all = await session.query(Media).orderBy({ id: "asc" }).all() as [Media, Film, Short, Song];
    all[0].title = "a";
    all[1].minutes = 1;
    all[2].festival = null;
    all[3].beats = 90;
    await session.commit();
    assertEquals(all.map(({ version }) => version), [2, 2, 2, 2]);
    await session.delete(all[1]);
    await session.delete(all[3]);
    await session.commit();
    await using reader = place.other();
    const left = await reader.query(Media).orderBy({ id: "asc" }).all();
    assertEquals([titles(left), (left[1] as Short).festival], [["a", "short"], null]);
    assertEquals(await reader.get(Media, keys.film), null);
  });

  test(target, "a stale row of a subclass is found, and named", async (place) => {
    const keys = await fill(place);
    await using session = place.session();
    const song = await session.getOne(Song, keys.song);
    song.beats = 1;
    await place.run("UPDATE media SET version = 7 WHERE kind = 'song'");
    const error = await refused(() => session.commit(), StaleDataError, "Song");
    assertStrictEquals(error.instance, song);
    await session.rollback();
  });

  test(target, "a discriminator that is given or changed otherwise is refused", async (place) => {
    const keys = await fill(place);
    await refused(() => new Media({ title: "x", kind: "film" }), ValidationError, '"film"', "Film");
    await refused(() => new Film({ title: "x", minutes: 1, kind: "song" } as never), ValidationError, '"song"');
    assertEquals(new Film({ title: "x", minutes: 1, kind: "film" } as never).kind, "film");
    await using session = place.session();
    const film = await session.getOne(Film, keys.film);
    film.kind = "song";
    await refused(() => session.commit(), ValidationError, "kind", "class");
    await session.rollback();
    const added = session.add(new Song({ title: "x", minutes: 1 }));
    added.kind = "film";
    await refused(() => session.commit(), ValidationError, '"film"', "Song");
    session.expunge(added);
    const other = session.add(new Media({ title: "x" }));
    other.kind = "short";
    await refused(() => session.commit(), ValidationError, "short");
    await session.rollback();
    assertEquals(await place.rows("media"), 4);
  });

  test(
    target,
    "a value that a subclass needs is refused where it is missing, though the table takes null",
    async (place) => {
      await using session = place.session();
      const film = session.add(new Film({ title: "x", minutes: 1 }));
      film.minutes = null as never;
      await refused(() => session.commit(), ValidationError, "Film.minutes");
      await session.rollback();
      await place.save(new Media({ title: "without" }));
      assertEquals(await place.column("media", "minutes"), [null]);
    },
  );

  test(target, "relations to a base hold instances of its subclasses", async (place) => {
    await place.save(
      Film.create({ title: "film", minutes: 1, notes: [new MediaNote({ text: "a" }), new MediaNote({ text: "b" })] }),
      Song.create({ title: "song", minutes: 1, notes: [new MediaNote({ text: "c" })] }),
    );
    await using session = place.session();
    const notes = await session.query(MediaNote).include(["media"]).orderBy({ text: "asc" }).all();
    assertEquals(notes.map(({ media }) => media.constructor), [Film, Film, Song]);
    const films = await session.query(Film).include({ notes: { media: true } }).all();
    assertEquals(films[0]!.notes.map(({ text }) => text).sort(), ["a", "b"]);
    assertStrictEquals(films[0]!.notes[0]!.media, films[0]);
  });

  test(target, "session.load() loads relations of instances of several classes", async (place) => {
    await place.save(
      Film.create({
        title: "film",
        minutes: 1,
        notes: [new MediaNote({ text: "a" })],
        studio: new Studio({ name: "s" }),
      }),
      Song.create({ title: "song", minutes: 1, notes: [new MediaNote({ text: "c" })] }),
    );
    await using session = place.session();
    const [film, song] = await session.query(Media).orderBy({ title: "asc" }).all() as [Film, Song];
    await Promise.all([session.load(film, ["notes", "studio"]), session.load(song, ["notes"])]);
    assertEquals([film.notes!.length, film.studio!.name, song.notes!.length], [1, "s", 1]);
  });

  test(target, "a relation to a subclass holds its instances, and is written from either end", async (place) => {
    const studio = Studio.create({ name: "s", films: [new Film({ title: "a", minutes: 1 })] });
    await place.save(studio, new Song({ title: "song", minutes: 1 }));
    await using session = place.session();
    const [loaded] = await session.query(Studio).include(["films"]).all();
    loaded!.films.push(new Short({ title: "b", minutes: 2 }));
    session.add(Film.create({ title: "c", minutes: 3, studio: loaded! }));
    await session.commit();
    await using reader = place.other();
    const again = await reader.query(Studio).include(["films"]).one();
    assertEquals(titles(again.films).sort(), ["a", "b", "c"]);
    assertEquals([again.films.length, again.films.filter((film) => film instanceof Short).length], [3, 1]);
    loaded!.films.push(new Song({ title: "no", minutes: 1 }) as never);
    await refused(() => session.commit(), ValidationError, "Studio.films", "Song");
    await session.rollback();
  });

  test(target, "a many-to-many of the base links instances of any class", async (place) => {
    const film = new Film({ title: "film", minutes: 1 });
    await place.save(Shelf.create({ name: "top", media: [film, new Song({ title: "song", minutes: 1 })] }));
    await using session = place.session();
    const shelf = await session.query(Shelf).include(["media"]).one();
    assertEquals(new Set(shelf.media.map((one) => one.constructor)), new Set([Film, Song]));
    const [again] = await session.query(Film).include(["shelves"]).all();
    assertStrictEquals(again!.shelves[0], shelf);
    await session.delete(again!);
    await session.commit();
    assertEquals([await place.rows("shelf_media"), titles(shelf.media)], [1, ["song"]]);
  });

  test(target, "insert() of a subclass writes the discriminator", async (place) => {
    await using session = place.session();
    const result = await session.execute(insert(Song).values({ title: "x", minutes: 1 }));
    assertEquals([result.one().kind, result.one() instanceof Song], ["song", true]);
    const wrong = () => session.execute(insert(Song).values({ title: "x", minutes: 1, kind: "film" }));
    await refused(wrong, ValidationError, '"film"');
    await session.commit();
  }, "interactive");
}
