/**
 * References to rows that are there, resolved together.
 *
 * @module
 */
import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { bulk, bulkInsert, reference, type UnresolvedReference, UnresolvedReferenceError } from "../../src/bulk/mod.ts";
import {
  DetachedInstanceError,
  ExpiredPropertyError,
  InvalidStateError,
  MultipleResultsError,
  NoResultError,
  type Session,
  ValidationError,
} from "../../mod.ts";
import { Film, Media, MediaNote, Song } from "./inheritance_models.ts";
import { Account, Author, Book, Booking, Maker, Product, Seat, Tag } from "./models.ts";
import { refused, sendsNothing, type Target, test } from "./setup.ts";

export function bulkReferenceSuite(target: Target): void {
  test(
    target,
    "bulk() resolves references by primary and by unique keys, in one request for all models",
    async (place) => {
      const [ann, sea, land] = [new Author({ name: "Ann" }), new Tag({ name: "sea" }), new Tag({ name: "land" })];
      const { id } = ann;
      await place.save(ann, sea, land);
      await using session = place.session();
      const titles = ["Edges", "Shores", "Tides"];
      const books = titles.map((title) =>
        Book.create({
          title,
          author: reference(Author, id),
          tags: [reference(Tag, { name: "sea" }), reference(Tag, { name: "land" })],
        })
      );
      const requests = await place.requests(() => bulk(session, (b) => books.forEach((book) => b.add(book))));
      assertEquals(requests, place.reads(2));
      const [first, second] = books;
      assertStrictEquals(first!.author, second!.author);
      assertStrictEquals(first!.tags![0], second!.tags![0]);
      assert(first!.author instanceof Author && first!.tags![1] instanceof Tag);
      assertEquals(first!.author.id, id);
      assertEquals([session.new.size, session.dirty.size], [3, 0]);
      await session.commit();
      assertEquals(await place.column("books", "author_id"), [id, id, id]);
      assertEquals([await place.rows("book_tags"), await place.rows("tags"), await place.rows("authors")], [6, 2, 1]);
    },
  );

  test(target, "references bind to what the session has loaded, without a request", async (place) => {
    const ann = new Author({ name: "Ann" });
    const { id } = ann;
    await place.save(ann);
    await using session = place.session();
    const loaded = await session.getOne(Author, id);
    const book = Book.create({ title: "Edges", author: reference(Author, id) });
    await sendsNothing(place, () => bulk(session, (b) => b.add(book)));
    assertStrictEquals(book.author, loaded);
    loaded.name = "Anna"; // a change that resolving must not lose
    const account = new Account({ email: "ann@example.org" });
    await place.save(account);
    const mine = await session.getOne(Account, account.id);
    mine.email = "anna@example.org";
    await bulk(session, async (b) => {
      b.add(reference(Account, { email: "ann@example.org" }));
      await b.resolve({ strategy: "hydrate" });
      assertStrictEquals(b.get(Account)[0], mine);
    });
    assertEquals([mine.email, loaded.name], ["anna@example.org", "Anna"]);
  });

  test(target, "strategy bind reads the keys and the version, hydrate the whole row", async (place) => {
    const ann = new Account({ email: "ann@example.org", nick: "ann" });
    await place.save(ann);
    await using session = place.session();
    await bulk(session, async (b) => {
      b.add(reference(Account, { email: "ann@example.org" }));
      await b.resolve();
      const [bound] = b.get(Account);
      assertEquals([bound!.id, bound!.email, bound!.version], [ann.id, "ann@example.org", 1]);
      assertThrows(() => bound!.nick, ExpiredPropertyError, "refresh");
      bound!.nick = "anna"; // enough to change the row, guarded by its version
    });
    await session.commit();
    assertEquals(await place.column("accounts", "nick"), ["anna"]);
    session.expungeAll();
    await bulk(session, async (b) => {
      b.add(reference(Account, ann.id));
      await b.resolve({ strategy: "hydrate" });
      assertEquals(b.get(Account).map(({ nick, version }) => [nick, version]), [["anna", 2]]);
    });
  });

  test(target, "an error lists every reference that found no row, and nothing is replaced", async (place) => {
    const sea = new Tag({ name: "sea" });
    await place.save(sea);
    await using session = place.session();
    const nobody = new Author({ name: "" }).id;
    const book = Book.create({
      title: "Edges",
      author: reference(Author, nobody),
      tags: [reference(Tag, { name: "sea" }), reference(Tag, { name: "land" })],
    });
    const before = [...book.tags!];
    const error = await refused(
      () => bulk(session, (b) => b.add(book)),
      UnresolvedReferenceError,
      "2 references have no row",
      `Author "${nobody}"`,
      'Tag by name "…"',
    );
    assert(error instanceof NoResultError);
    assertEquals(error.references, [{ model: "Author", key: { id: nobody } }, { model: "Tag", key: { name: "land" } }]);
    assertEquals([session.new.size, book.tags![0] === before[0]], [0, true]);
  });

  test(
    target,
    "without raiseErrors the references without a row are returned, and what holds them waits",
    async (place) => {
      await place.save(new Author({ name: "Ann" }), new Tag({ name: "sea" }));
      await using session = place.session();
      const author = await session.query(Author).one();
      const [whole, partial] = ["sea", "land"].map((name) =>
        Book.create({ title: name, author, tags: [reference(Tag, { name })] })
      );
      const missing = await bulk(session, async (b) => {
        b.add(whole!);
        b.add(partial!);
        const missing = await b.resolve({ raiseErrors: false });
        assertEquals(b.get(Tag, { resolved: true }).length, 1);
        assertEquals(b.get(Tag, { resolved: false }).map(({ name }) => name), ["land"]);
        assertEquals(b.get(Book, { resolved: false }), [partial]);
        assertEquals(session.has(partial!), false);
        await place.save(new Tag({ name: "land" }));
        assertEquals(await b.resolve(), []); // looked for again
        assertEquals(b.get(Book, { resolved: true }).length, 2);
        return missing;
      });
      assertEquals(missing, [{ model: "Tag", key: { name: "land" } }] as UnresolvedReference[]);
      await session.commit();
      assertEquals([await place.rows("books"), await place.rows("book_tags")], [2, 2]);
    },
  );

  test(target, "scope references resolves what is referred to, scope values what is new", async (place) => {
    const [ann, account] = [new Author({ name: "Ann" }), new Account({ email: "ann@example.org" })];
    await place.save(ann, account);
    await using session = place.session();
    const book = Book.create({ title: "Edges", author: reference(Author, ann.id) });
    await bulk(session, async (b) => {
      b.add(book);
      b.add(new Account({ email: "ann@example.org", nick: "ann" }));
      assertEquals([b.get(Author).length, b.get(Account).length, b.get(Book).length], [1, 1, 1]);
      assertEquals([b.get(Author, { scope: "values" }).length, b.get(Book, { scope: "references" }).length], [0, 0]);
      await b.resolve({ scope: "references" });
      assertEquals([b.get(Author, { resolved: true }).length, b.get(Account, { resolved: true }).length], [1, 0]);
      assertEquals([session.has(book.author!), session.has(book)], [true, false]);
      b.add(reference(Tag, { name: "nobody's" })); // is not looked for yet
      await b.resolve({ scope: "values" });
      assertEquals(b.get(Account, { resolved: true }).length, 1);
      assert(session.has(book));
      assertEquals((await b.resolve({ raiseErrors: false })).length, 1);
    });
    await session.commit();
    assertEquals(await place.column("accounts", "nick"), ["ann"]);
    assertEquals(await place.rows("books"), 1);
  });

  test(target, "a value whose row is there is merged onto it, any other is added", async (place) => {
    const old = new Account({ email: "ann@example.org", nick: "old" });
    const byKey = new Account({ email: "bo@example.org" });
    await place.save(old, byKey);
    await using session = place.session();
    const given = [
      new Account({ email: "ann@example.org", nick: "new" }),
      new Account({ id: byKey.id, email: "bob@example.org" }),
      new Account({ email: "cy@example.org" }),
    ];
    const requests = await place.requests(() =>
      bulk(session, async (b) => {
        for (const account of given) b.add(account);
        await b.resolve();
        const [ann, bo, cy] = b.get(Account);
        assertEquals([ann!.id, ann!.nick, bo!.id, bo!.email], [old.id, "new", byKey.id, "bob@example.org"]);
        assertStrictEquals(cy, given[2]);
        assertNotStrictEquals(ann, given[0]);
      })
    );
    assertEquals(requests, 1);
    assertEquals([session.new.size, session.dirty.size], [1, 2]);
    await session.commit();
    assertEquals(await place.column("accounts", "email"), ["ann@example.org", "bob@example.org", "cy@example.org"]);
    assertEquals((await session.getOne(Account, old.id)).version, 2);
  });

  test(target, "an instance that is added with isReference stands for the row of its key", async (place) => {
    const [sea, maker] = [new Tag({ name: "sea" }), new Maker({ name: "Ann" })];
    await place.save(sea, maker);
    await using session = place.session();
    const [tag, by] = [new Tag({ name: "sea" }), new Maker({ id: maker.id, name: "?" })];
    const lamp = Product.create({ name: "Lamp", maker: by });
    const book = Book.create({ title: "Edges", author: new Author({ name: "Bo" }), tags: [tag] });
    await bulk(session, (b) => {
      b.add(tag, { isReference: true });
      b.add(by, { isReference: true });
      b.add(lamp);
      b.add(book);
    });
    assertEquals([lamp.maker!.id, book.tags![0]!.id], [maker.id, sea.id]);
    assertNotStrictEquals(lamp.maker, by);
    await session.commit();
    assertEquals([await place.column("makers", "name"), await place.rows("tags")], [["Ann"], 1]);
    await bulk(session, async (b) => {
      await refused(
        () => b.add(new Author({ name: "x" }), { isReference: true }),
        ValidationError,
        "neither a primary key",
      );
      await refused(
        () => b.add(reference(Tag, { name: "sea" }), { isReference: false }),
        ValidationError,
        "as a value",
      );
    });
  });

  test(target, "references by composite keys and to one row by different keys become one instance", async (place) => {
    const account = new Account({ email: "ann@example.org", nick: "ann" });
    await place.save(account, new Seat({ row: 1, letter: "A" }), new Seat({ row: 1, letter: "B" }));
    await using session = place.session();
    const bookings = [[1, "A"], { row: 1, letter: "A" }, { letter: "B", row: 1 }].map((key) =>
      Booking.create({ guest: "Ann", seat: reference(Seat, key as { row: number; letter: string }) })
    );
    await bulk(session, async (b) => {
      for (const booking of bookings) b.add(booking);
      b.add(reference(Account, { email: "ann@example.org" }));
      b.add(reference(Account, { nick: "ann" }));
      b.add(reference(Account, account.id));
      await b.resolve();
      assertEquals(b.get(Account).length, 1);
    });
    assertStrictEquals(bookings[0]!.seat, bookings[1]!.seat);
    assertNotStrictEquals(bookings[0]!.seat, bookings[2]!.seat);
    await session.commit();
    assertEquals(await place.column("bookings", "seat_letter"), ["A", "A", "B"]);
  });

  test(target, "bulk writes and references know the classes of a family", async (place) => {
    await using session = place.session();
    await bulkInsert(session, Film, [{ title: "Tides", minutes: 130 }]);
    await bulkInsert(session, Song, [{ title: "Shores", minutes: 3 }]);
    await refused(
      () => bulkInsert(session, Film, [{ title: "x", minutes: 1, kind: "song" } as never]),
      ValidationError,
      "Row 0 of bulkInsert() of Film",
    );
    await session.commit();
    const ids = new Map((await session.query(Media).all()).map(({ title, id }) => [title, id]));
    session.expungeAll();
    const notes = ["Tides", "Shores", "Tides"].map((title) =>
      MediaNote.create({ text: title, media: reference(Media, ids.get(title)!) })
    );
    await bulk(session, (b) => notes.forEach((note) => b.add(note)));
    assert(notes[0]!.media instanceof Film && notes[1]!.media instanceof Song);
    assertStrictEquals(notes[0]!.media, notes[2]!.media);
    await session.commit();
    assertEquals(await place.rows("media_notes"), 3);
    const wrong = () => bulk(session, (b) => b.add(reference(Song, ids.get("Tides")!)));
    await refused(wrong, UnresolvedReferenceError, "A reference has no row: Song");
  });

  test(target, "a proxy leads to the instance once it is resolved, unless it is not to", async (place) => {
    const ann = new Account({ email: "ann@example.org", nick: "ann" });
    await place.save(ann);
    await using session = place.session();
    const [kept, cut] = [{ email: "ann@example.org" }, { nick: "ann" }].map((key) => reference(Account, key));
    assertThrows(() => kept!.nick, ExpiredPropertyError, "await bulk.resolve() first");
    assertThrows(() => kept!.nick = "x", InvalidStateError, "not resolved");
    await bulk(session, async (b) => {
      b.add(kept!);
      await b.resolve({ strategy: "hydrate" });
    });
    assertEquals([kept!.nick, kept!.id], ["ann", ann.id]);
    kept!.nick = "anna";
    assertEquals((await session.getOne(Account, ann.id)).nick, "anna");
    await session.rollback();
    await bulk(session, (b) => b.add(cut!), { proxyReference: false });
    assertThrows(() => cut!.email, InvalidStateError, "get() gives");
  });

  test(target, "a session takes no proxy for an instance", async (place) => {
    await place.save(new Tag({ name: "sea" }));
    await using session = place.session();
    const stand = reference(Tag, { name: "sea" });
    assert(stand instanceof Tag);
    await refused(() => session.add(stand), ValidationError, "not resolved");
    const author = new Author({ name: "Ann" });
    await refused(
      () => session.add(Book.create({ title: "Edges", author, tags: [stand] })),
      ValidationError,
      'Tag by name "…"',
    );
    await bulk(session, (b) => b.add(stand));
    await refused(() => session.add(stand), ValidationError, "only stands in for its instance");
    await session.commit();
    assertEquals([await place.rows("tags"), await place.rows("books")], [1, 0]);
  });

  test(target, "a reference by primary key is enough for a foreign key, without any read", async (place) => {
    const ann = new Author({ name: "Ann" });
    await place.save(ann);
    await using session = place.session();
    const author = reference(Author, ann.id);
    assertThrows(() => author.name, ExpiredPropertyError, "refresh");
    session.add(Book.create({ title: "Edges", author }));
    await session.commit();
    assertEquals(await place.column("books", "author_id"), [ann.id]);
    await session.refresh(author);
    assertEquals(author.name, "Ann");
  });

  test(target, "bulk() reaches the references of what its values hold, and of what joins them later", async (place) => {
    await place.save(new Tag({ name: "sea" }));
    await using session = place.session();
    const author = Author.create({ name: "Ann", books: [Book.create({ title: "Edges", tags: [] })] });
    await bulk(session, async (b) => {
      b.add(author);
      author.books![0]!.tags!.push(reference(Tag, { name: "sea" }), reference(Tag, { name: "sea" }));
      assertEquals(b.get(Tag, { resolved: false }).length, 1);
      await b.resolve();
      assertEquals(author.books![0]!.tags!.length, 1);
    });
    await session.commit();
    assertEquals(await place.rows("book_tags"), 1);
  });

  test(target, "bulk() is refused what it cannot take, and after its function", async (place) => {
    await place.save(new Seat({ row: 1, letter: "A" }), new Seat({ row: 1, letter: "B" }));
    await using session = place.session();
    await sendsNothing(place, async () => {
      await refused(() => reference(Author, { name: "Ann" }), ValidationError, "unique()");
      await refused(() => reference(Author, { nmae: "Ann" } as never), ValidationError, "nmae");
      await refused(() => reference(Seat, [1] as never), ValidationError, "each column of its key");
      await refused(() => reference(Author, undefined as never), ValidationError, "Author");
      await refused(() => reference(Tag, { name: null } as never), ValidationError, "Tag");
      await refused(() => reference(Tag, {} as never), ValidationError, "Tag");
      await refused(() => bulk(session, undefined as never), ValidationError, "needs a function");
      await refused(() => bulk(session, () => {}, { proxy: true } as never), ValidationError, '"proxy"');
      await bulk(session, async (b) => {
        await refused(() => b.add({} as never), ValidationError, "not an instance");
        await refused(() => b.resolve({ scope: "some" as never }), ValidationError, "scope must be");
        await refused(() => b.resolve({ strategy: "lazy" as never }), ValidationError, "strategy must be");
        await refused(() => b.get(Tag, { all: true } as never), ValidationError, '"all"');
      });
      const over = await bulk(session, (b) => b);
      await refused(() => over.add(new Tag({ name: "x" })), InvalidStateError, "its function has ended");
      await refused(() => over.resolve(), InvalidStateError, "its function has ended");
    });
    await refused(
      () => bulk(session, (b) => b.add(reference(Seat, { row: 1, taken: false }))),
      MultipleResultsError,
      "there are 2",
    );
    await using other: Session = place.other();
    const foreign = other.add(new Tag({ name: "foreign" }));
    await refused(() => bulk(session, (b) => b.add(foreign)), DetachedInstanceError, "another session");
    await session.close();
    await refused(() => bulk(session, (b) => b.add(reference(Tag, { name: "sea" }))), InvalidStateError, "closed");
  });

  test(target, "what was resolved is let go when the transaction is rolled back", async (place) => {
    const ann = new Author({ name: "Ann" });
    await place.save(ann);
    await using session = place.session();
    const book = Book.create({ title: "Edges", author: reference(Author, ann.id) });
    await bulk(session, (b) => b.add(book));
    await session.rollback();
    assertEquals([session.has(book), session.new.size], [false, 0]);
    session.add(book); // with the reference that it now holds
    await session.commit();
    assertEquals(await place.column("books", "author_id"), [ann.id]);
  });
}
