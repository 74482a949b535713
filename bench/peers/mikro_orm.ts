/**
 * The workloads on MikroORM 7, over Kysely's dialects for the HTTP drivers: the way that it has to the edge. A fork of the
 * entity manager is what a request handler would have. Its unit of work needs a transaction, which Neon's driver has none of
 * over HTTP.
 *
 * @module
 */
import { defineEntity, MikroORM, type Options, p } from "@mikro-orm/core";
import { MySqlDriver } from "@mikro-orm/mysql";
import { PostgreSqlDriver } from "@mikro-orm/postgresql";
import { SqliteDriver } from "@mikro-orm/sql";
import { changeOf, FIND_KEYS, MIXED, type Open, type Run, SIZE, type WorkId } from "../workloads.ts";
import { dialectOf } from "./kysely.ts";

const Author = defineEntity({
  name: "Author",
  tableName: "authors",
  properties: {
    id: p.uuid().primary().onCreate(() => crypto.randomUUID()),
    name: p.text(),
    books: () => p.oneToMany(Book).mappedBy("author"),
  },
});
const Book = defineEntity({
  name: "Book",
  tableName: "books",
  properties: {
    id: p.uuid().primary().onCreate(() => crypto.randomUUID()),
    title: p.text(),
    author: () => p.manyToOne(Author).joinColumn("author_id"),
  },
});
const Item = defineEntity({
  name: "Item",
  tableName: "items",
  properties: {
    id: p.integer().primary().autoincrement(),
    name: p.text(),
    email: p.text().nullable(),
    quantity: p.integer(),
    version: p.integer().version(),
  },
});
const Writer = defineEntity({
  name: "Writer",
  tableName: "writers",
  properties: {
    id: p.integer().primary().autoincrement(),
    name: p.text(),
    works: () => p.oneToMany(Work).mappedBy("writer"),
  },
});
const Work = defineEntity({
  name: "Work",
  tableName: "works",
  properties: {
    id: p.integer().primary().autoincrement(),
    title: p.text(),
    writer: () => p.manyToOne(Writer).joinColumn("writer_id"),
    reviews: () => p.oneToMany(Review).mappedBy("work"),
  },
});
const Review = defineEntity({
  name: "Review",
  tableName: "reviews",
  properties: {
    id: p.integer().primary().autoincrement(),
    body: p.text(),
    stars: p.integer(),
    work: () => p.manyToOne(Work).joinColumn("work_id"),
  },
});

const DRIVERS = { libsql: SqliteDriver, postgres: PostgreSqlDriver, planetscale: MySqlDriver } as const;

export const open: Open = async (kind, url) => {
  const orm = await MikroORM.init({
    driver: DRIVERS[kind],
    driverOptions: dialectOf(kind, url),
    dbName: kind === "libsql" ? "main" : new URL(url).pathname.slice(1),
    ensureDatabase: false,
    entities: [Author, Book, Item, Writer, Work, Review],
    metadataCache: { enabled: false },
    discovery: { warnWhenNoEntities: false },
  } as unknown as Options);
  const reads: Partial<Record<WorkId, Run>> = {
    async W4() {
      const em = orm.em.fork();
      return (await Promise.all(FIND_KEYS.map((id) => em.findOne(Item, id)))).filter(Boolean).length;
    },
    async W5() {
      return (await orm.em.fork().find(Item, {})).length;
    },
    async W6() {
      const writers = await orm.em.fork().find(Writer, { id: { $lte: SIZE.graph } }, { populate: ["works.reviews"] });
      let loaded = 0;
      for (const { works } of writers) {
        loaded++;
        for (const { reviews } of works) loaded += 1 + reviews.length;
      }
      return loaded;
    },
    async W9() {
      const em = orm.em.fork();
      const [items, writers, lists, counts, works] = await Promise.all([
        Promise.all(MIXED.items.map((id) => em.findOne(Item, id))),
        Promise.all(MIXED.writers.map((id) => em.findOne(Writer, id))),
        Promise.all(
          MIXED.quantities.map((quantity) =>
            em.find(Item, { quantity }, { orderBy: { id: "asc" }, limit: MIXED.limit })
          ),
        ),
        Promise.all(MIXED.below.map((below) => em.count(Item, { quantity: { $lt: below } }))),
        Promise.all(MIXED.worksOf.map((id) => em.find(Work, { writer: id }))),
      ]);
      return items.filter(Boolean).length + writers.filter(Boolean).length + lists.flat().length + counts.length +
        works.flat().length;
    },
  };
  const writes: Partial<Record<WorkId, Run>> = {
    async W1(turn) {
      const em = orm.em.fork();
      em.create(Author, { name: `Author ${turn}` });
      await em.flush();
      return 1;
    },
    async W2() {
      const em = orm.em.fork();
      let made = 0;
      for (let i = 0; i < SIZE.authors; i++) {
        const author = em.create(Author, { name: `Author ${i}` });
        made++;
        for (let j = 0; j < SIZE.booksEach; j++, made++) em.create(Book, { title: `Author ${i}: book ${j}`, author });
      }
      await em.flush();
      return made;
    },
    async W3(turn) {
      const em = orm.em.fork();
      const items = await em.find(Item, { id: { $lte: SIZE.loaded } });
      for (let i = 0; i < items.length; i += SIZE.changeEvery) items[i]!.name = `Turn ${turn}`;
      await em.flush();
      return items.length;
    },
    async W7() {
      const em = orm.em.fork();
      const writers = Array.from({ length: SIZE.authors }, (_, i) => em.create(Writer, { name: `Author ${i}` }));
      const works = writers.flatMap((writer) =>
        Array.from(
          { length: SIZE.booksEach },
          (_, j) => em.create(Work, { title: `${writer.name}: book ${j}`, writer }),
        )
      );
      await em.flush();
      return writers.filter(({ id }) => id > 0).length +
        works.filter(({ id, writer }) => id > 0 && writer.id > 0).length;
    },
    async W8(turn) {
      const em = orm.em.fork();
      const items = await em.find(Item, { id: { $lte: SIZE.loaded } });
      items.forEach((item, i) => Object.assign(item, changeOf(i, turn)));
      await em.flush();
      return items.length;
    },
    async W10() {
      const em = orm.em.fork();
      for (let i = 0; i < SIZE.flushed; i++) em.create(Author, { name: `Author ${i}` });
      await em.flush();
      return SIZE.flushed;
    },
  };
  const close = () => orm.close();
  if (kind !== "postgres") return { runs: { ...reads, ...writes }, close };
  const why = "no transactions over Neon's HTTP";
  return { runs: reads, cannot: Object.fromEntries(Object.keys(writes).map((id) => [id, why])), close };
};
