/**
 * Single-table inheritance and the session: cascades, merging, refreshing, savepoints, and rows that are not what they were.
 *
 * @module
 */
import { assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import { deleteFrom, ObjectDeletedError, StaleDataError, update, ValidationError } from "../../mod.ts";
import { Film, Media, MediaNote, Short, Song, Studio } from "./inheritance_models.ts";
import { refused, type Target, test } from "./setup.ts";

/** Registers the tests. */
export function inheritanceSessionSuite(target: Target): void {
  test(target, "session.delete() of a subclass cascades through the base's relations", async (place) => {
    await place.save(
      Short.create({ title: "short", minutes: 1, notes: [new MediaNote({ text: "a" }), new MediaNote({ text: "b" })] }),
      Song.create({ title: "song", minutes: 1, notes: [new MediaNote({ text: "c" })] }),
    );
    await using session = place.session();
    await session.delete(await session.query(Media).where({ title: "short" }).one());
    await session.commit();
    assertEquals([await place.rows("media"), await place.column("media_notes", "text")], [1, ["c"]]);
  });

  test(
    target,
    "a subclass's row goes after the new row that only its class refers to, also beside rows of its base",
    async (place) => {
      await using session = place.session();
      const studio = new Studio({ name: "s" });
      session.addAll([new Media({ title: "plain" }), studio, Film.create({ title: "film", minutes: 1, studio })]);
      await session.commit();
      assertEquals(new Set(await place.column("media", "studio_id")), new Set([null, studio.id]));
    },
  );

  test(target, "an orphan of a subclass is deleted with cascade deleteOrphan", async (place) => {
    await place.save(Film.create({ title: "f", minutes: 1, notes: [new MediaNote({ text: "a" })] }));
    await using session = place.session();
    const [film] = await session.query(Film).include(["notes"]).all();
    film!.notes = [];
    await session.commit();
    assertEquals(await place.rows("media_notes"), 0);
  });

  test(target, "a deleted child leaves the loaded collection of its parent, of whatever class", async (place) => {
    await place.save(
      Song.create({ title: "s", minutes: 1, notes: [new MediaNote({ text: "a" }), new MediaNote({ text: "b" })] }),
    );
    await using session = place.session();
    const [song] = await session.query(Song).include(["notes"]).all();
    await session.delete(song!.notes.find(({ text }) => text === "a")!);
    await session.commit();
    assertEquals(song!.notes.map(({ text }) => text), ["b"]);
  });

  test(target, "session.merge() copies a subclass's instance onto the row's, in one request", async (place) => {
    const film = new Film({ title: "film", minutes: 1 });
    await place.save(film);
    await using session = place.session();
    let merged: Film | null = null;
    const requests = await place.requests(async () => {
      merged = await session.merge(new Film({ id: film.id, title: "merged", minutes: 2 }));
    });
    assertEquals(requests, place.reads(2));
    assertInstanceOf(merged, Film);
    await session.commit();
    assertEquals([await place.column("media", "title"), await place.column("media", "minutes")], [["merged"], [2]]);
  });

  test(
    target,
    "session.merge() of a base's instance copies the base's columns onto a subclass's row",
    async (place) => {
      const film = new Film({ title: "film", minutes: 1 });
      await place.save(film);
      await using session = place.session();
      const merged = await session.merge(new Media({ id: film.id, title: "merged" }));
      assertInstanceOf(merged, Film);
      await session.commit();
      assertEquals([merged.title, merged.minutes, await place.column("media", "kind")], ["merged", 1, ["film"]]);
      const wrong = new Media({ id: film.id, title: "x", kind: "else" });
      await refused(() => session.merge(wrong), ValidationError, "kind");
    },
  );

  test(target, "session.merge() refuses an instance whose row is of another class", async (place) => {
    const film = new Film({ title: "film", minutes: 1 });
    await place.save(film);
    await using session = place.session();
    await refused(
      () => session.merge(new Song({ id: film.id, title: "x", minutes: 1 })),
      ValidationError,
      "Film",
      "class",
    );
    await refused(() => session.merge(new Short({ id: film.id, title: "x", minutes: 1 })), ValidationError, "Film");
  });

  test(target, "session.merge() adds a subclass's instance that has no row", async (place) => {
    await using session = place.session();
    const merged = await session.merge(new Short({ title: "new", minutes: 1 }));
    await session.commit();
    assertEquals([merged instanceof Short, await place.column("media", "kind")], [true, ["short"]]);
  });

  test(target, "session.refresh() and expire() read a subclass's columns again", async (place) => {
    await place.save(new Short({ title: "short", minutes: 1, festival: "a" }));
    await using session = place.session();
    const short = await session.query(Media).one() as Short;
    await place.run("UPDATE media SET festival = 'b', minutes = 2");
    await session.refresh(short);
    assertEquals([short.festival, short.minutes], ["b", 2]);
    session.expire(short, ["festival"]);
    await place.run("UPDATE media SET festival = 'c'");
    assertStrictEquals(await session.get(Film, short.id), short);
    assertEquals(short.festival, "c");
    session.expire(short);
    await session.query(Media).all();
    assertEquals([short.festival, short.kind], ["c", "short"]);
  });

  test(
    target,
    "a row whose class was changed behind the session's back is refused, and gone for refresh()",
    async (place) => {
      await place.save(new Film({ title: "film", minutes: 1 }));
      await using session = place.session();
      const film = await session.query(Film).one();
      await place.run("UPDATE media SET kind = 'song'");
      const error = await refused(() => session.query(Song).all(), StaleDataError, "Song", "expunge");
      assertStrictEquals(error.instance, film);
      await refused(() => session.refresh(film), ObjectDeletedError);
      session.expunge(film);
      assertInstanceOf(await session.query(Media).one(), Song);
    },
  );

  test(target, "a kind that no subclass has is the base's", async (place) => {
    await place.save(new Media({ title: "x", kind: "poster" }));
    await using session = place.session();
    const [one] = await session.query(Media).all();
    assertEquals([one!.constructor, one!.kind, await session.query(Film).count()], [Media, "poster", 0]);
  });

  test(target, "session.query() of a subclass flushes pending instances of any class of its table", async (place) => {
    await using session = place.session();
    session.addAll([new Short({ title: "a", minutes: 1 }), new Song({ title: "b", minutes: 1 })]);
    assertEquals([await session.query(Film).count(), await session.query(Media).count()], [1, 2]);
    await session.rollback();
  }, "interactive");

  test(target, "session.add() refuses a second instance of a key, of whatever class", async (place) => {
    const film = new Film({ title: "film", minutes: 1 });
    await place.save(film);
    await using session = place.session();
    await session.get(Media, film.id);
    await refused(() => session.add(new Song({ id: film.id, title: "x", minutes: 1 })), ValidationError, "merge()");
    session.expungeAll();
    session.add(new Song({ id: 900, title: "x", minutes: 1 }));
    await refused(() => session.add(new Film({ id: 900, title: "y", minutes: 1 })), ValidationError, "merge()");
    session.expungeAll();
  });

  test(target, "a deleted row is not made one of another class in the same flush", async (place) => {
    const film = new Film({ title: "film", minutes: 1 });
    await place.save(film);
    await using session = place.session();
    await session.delete(await session.getOne(Film, film.id));
    session.add(new Song({ id: film.id, title: "x", minutes: 1 }));
    await refused(() => session.commit(), ValidationError, "class", "flush");
    await session.rollback();
    await session.delete(await session.getOne(Film, film.id));
    session.add(new Film({ id: film.id, title: "again", minutes: 5 }));
    await session.commit();
    assertEquals([await place.column("media", "title"), await place.column("media", "minutes")], [["again"], [5]]);
  });

  test(target, "a savepoint puts a subclass's columns back", async (place) => {
    await place.save(new Song({ title: "song", minutes: 1, beats: 60 }));
    await using session = place.session();
    const song = await session.query(Song).one();
    song.beats = 61;
    await assertRejects(() =>
      session.savepoint(() => {
        song.beats = 62;
        session.add(new Short({ title: "x", minutes: 1 }));
        throw new Error("no");
      })
    );
    assertEquals([song.beats, session.new.size], [61, 0]);
    await session.rollback();
    assertEquals(song.beats, 60);
  });

  test(target, "update() and deleteFrom() of a subclass leave rows of other classes alone", async (place) => {
    await place.save(
      new Film({ title: "film", minutes: 1 }),
      new Short({ title: "short", minutes: 1 }),
      new Song({ title: "song", minutes: 1 }),
    );
    await using session = place.session();
    await session.execute(update(Film).set({ title: "changed" }).where({ minutes: 1 }));
    await session.execute(deleteFrom(Short));
    await refused(() => session.execute(update(Film).set({ kind: "song" })), ValidationError, "kind");
    await session.commit();
    assertEquals(await place.column("media", "title"), ["changed", "song"]);
  }, "interactive");
}
