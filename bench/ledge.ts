/**
 * The workloads on Ledge, each a session as a request handler would have one, and the models of all tables.
 *
 * @module
 */
import { neonConfig } from "@neondatabase/serverless";
import { belongsTo, type Database, hasMany, model, Session, t } from "@ledge/session";
import { libsql } from "@ledge/session/libsql";
import { neon } from "@ledge/session/neon";
import { planetscale } from "@ledge/session/planetscale";
import { useFronts } from "../tests/servers/neon_config.ts";
import { changeOf, FIND_KEYS, type Kind, MIXED, type Open, SIZE } from "./workloads.ts";

class Author extends model("authors", { id: t.uuid().primaryKey(), name: t.text() }) {
  declare books?: Book[];
  static relations = { books: hasMany(() => Book, "authorId", { cascade: ["save"] }) };
}

class Book extends model("books", {
  id: t.uuid().primaryKey(),
  title: t.text(),
  authorId: t.uuid("author_id").foreignKey(),
}) {
  declare author?: Author;
  static relations = { author: belongsTo(() => Author, "authorId") };
}

/** The rows of `items`. */
export class Item extends model("items", {
  id: t.identity(),
  name: t.text(),
  email: t.text().nullable(),
  quantity: t.integer(),
  version: t.integer().version(),
}) {}

class Writer extends model("writers", { id: t.identity(), name: t.text() }) {
  declare works?: Work[];
  static relations = { works: hasMany(() => Work, "writerId", { cascade: ["save"] }) };
}

class Work extends model("works", {
  id: t.identity(),
  title: t.text(),
  writerId: t.integer("writer_id").foreignKey(),
}) {
  declare writer?: Writer;
  declare reviews?: Review[];
  static relations = {
    writer: belongsTo(() => Writer, "writerId"),
    reviews: hasMany(() => Review, "workId", { cascade: ["save"] }),
  };
}

class Review extends model("reviews", {
  id: t.identity(),
  body: t.text(),
  stars: t.integer(),
  workId: t.integer("work_id").foreignKey(),
}) {
  declare work?: Work;
  static relations = { work: belongsTo(() => Work, "workId") };
}

/** The models of all tables. */
export const models = [Author, Book, Item, Writer, Work, Review] as const;

/** New instances of all that is read: their keys, which the server makes, count from 1 on. */
export function stored(): (Item | Writer)[] {
  const items = Array.from({ length: SIZE.items }, (_, i) => {
    const email = (i + 1) % 4 === 0 ? null : `item${i + 1}@example.org`;
    return new Item({ name: `Item ${i + 1}`, email, quantity: (i + 1) % 97 });
  });
  const writers = Array.from({ length: SIZE.writers }, (_, i) => {
    const works = Array.from({ length: SIZE.worksEach }, (_, j) => {
      const reviews = Array.from({ length: SIZE.reviewsEach }, (_, k) => {
        return new Review({ body: `Review ${k} of ${j} of ${i}`, stars: k % 5 + 1 });
      });
      return Work.create({ title: `Work ${j} of ${i}`, reviews });
    });
    return Writer.create({ name: `Writer ${i + 1}`, works });
  });
  return [...items, ...writers];
}

/** A database of this kind. */
export function connect(kind: Kind, url: string): Database {
  if (kind === "libsql") return libsql({ url });
  if (kind === "planetscale") return planetscale({ url });
  useFronts(neonConfig);
  return neon(url);
}

/** Ledge on the server of this URL. */
export const open: Open = (kind, url) => {
  const db = connect(kind, url);
  return {
    close: () => db.close(),
    runs: {
      async W1(turn) {
        await using session = new Session({ bind: db });
        session.add(new Author({ name: `Author ${turn}` }));
        await session.commit();
        return 1;
      },
      async W2() {
        await using session = new Session({ bind: db });
        let made = 0;
        for (let i = 0; i < SIZE.authors; i++) {
          const name = `Author ${i}`;
          const books: Book[] = [];
          for (let j = 0; j < SIZE.booksEach; j++) books.push(Book.create({ title: `${name}: book ${j}` }));
          session.add(Author.create({ name, books }));
          made += 1 + books.length;
        }
        await session.commit();
        return made;
      },
      async W3(turn) {
        await using session = new Session({ bind: db });
        const items = await session.query(Item).where({ id: { lte: SIZE.loaded } }).all();
        for (let i = 0; i < items.length; i += SIZE.changeEvery) items[i]!.name = `Turn ${turn}`;
        await session.commit();
        return items.length;
      },
      async W4() {
        await using session = new Session({ bind: db });
        const items = await Promise.all(FIND_KEYS.map((id) => session.get(Item, id)));
        return items.filter((item, i) => item?.id === FIND_KEYS[i]).length;
      },
      async W5() {
        await using session = new Session({ bind: db });
        return (await session.query(Item).all()).length;
      },
      async W6() {
        await using session = new Session({ bind: db });
        const writers = await session.query(Writer)
          .where({ id: { lte: SIZE.graph } })
          .include({ works: { reviews: true } })
          .all();
        let loaded = 0;
        for (const { works } of writers) {
          loaded++;
          for (const { reviews } of works) loaded += 1 + reviews.length;
        }
        return loaded;
      },
      async W7() {
        await using session = new Session({ bind: db });
        const writers: Writer[] = [];
        for (let i = 0; i < SIZE.authors; i++) {
          const name = `Author ${i}`;
          const works: Work[] = [];
          for (let j = 0; j < SIZE.booksEach; j++) works.push(Work.create({ title: `${name}: book ${j}` }));
          writers.push(session.add(Writer.create({ name, works })));
        }
        await session.commit();
        let keyed = 0;
        for (const { id, works } of writers) {
          if (id > 0) keyed++;
          for (const work of works!) if (work.id > 0 && work.writerId === id) keyed++;
        }
        return keyed;
      },
      async W8(turn) {
        await using session = new Session({ bind: db });
        const items = await session.query(Item).where({ id: { lte: SIZE.loaded } }).all();
        items.forEach((item, i) => Object.assign(item, changeOf(i, turn)));
        await session.commit();
        return items.length;
      },
      async W9() {
        await using session = new Session({ bind: db });
        const counts = (values: readonly number[]) =>
          values.map((n) => session.query(Item).where({ quantity: { lt: n } }).count());
        const [items, writers, lists, numbers, works] = await Promise.all([
          Promise.all(MIXED.items.map((id) => session.get(Item, id))),
          Promise.all(MIXED.writers.map((id) => session.get(Writer, id))),
          Promise.all(
            MIXED.quantities.map((quantity) =>
              session.query(Item).where({ quantity }).orderBy({ id: "asc" }).limit(MIXED.limit).all()
            ),
          ),
          Promise.all(counts(MIXED.below)),
          Promise.all(MIXED.worksOf.map((writerId) => session.query(Work).where({ writerId }).all())),
        ]);
        return items.filter(Boolean).length + writers.filter(Boolean).length + lists.flat().length + numbers.length +
          works.flat().length;
      },
      async W10() {
        await using session = new Session({ bind: db });
        for (let i = 0; i < SIZE.flushed; i++) session.add(new Author({ name: `Author ${i}` }));
        await session.commit();
        return SIZE.flushed;
      },
    },
  };
};
