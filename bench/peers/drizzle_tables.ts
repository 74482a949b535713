/**
 * The tables for Drizzle, once for each of its dialects, with the same names.
 *
 * @module
 */
import { relations } from "drizzle-orm";
import * as my from "drizzle-orm/mysql-core";
import * as pg from "drizzle-orm/pg-core";
import * as lite from "drizzle-orm/sqlite-core";

const sqliteId = () => lite.integer().primaryKey({ autoIncrement: true });
const writers = lite.sqliteTable("writers", { id: sqliteId(), name: lite.text().notNull() });
const works = lite.sqliteTable("works", {
  id: sqliteId(),
  title: lite.text().notNull(),
  writerId: lite.integer("writer_id").notNull(),
});
const reviews = lite.sqliteTable("reviews", {
  id: sqliteId(),
  body: lite.text().notNull(),
  stars: lite.integer().notNull(),
  workId: lite.integer("work_id").notNull(),
});

/** libSQL. */
export const sqlite = {
  authors: lite.sqliteTable("authors", { id: lite.text().primaryKey(), name: lite.text().notNull() }),
  books: lite.sqliteTable("books", {
    id: lite.text().primaryKey(),
    title: lite.text().notNull(),
    authorId: lite.text("author_id").notNull(),
  }),
  items: lite.sqliteTable("items", {
    id: sqliteId(),
    name: lite.text().notNull(),
    email: lite.text(),
    quantity: lite.integer().notNull(),
    version: lite.integer().notNull(),
  }),
  writers,
  works,
  reviews,
  writersRelations: relations(writers, ({ many }) => ({ works: many(works) })),
  worksRelations: relations(works, ({ one, many }) => ({
    writer: one(writers, { fields: [works.writerId], references: [writers.id] }),
    reviews: many(reviews),
  })),
  reviewsRelations: relations(reviews, ({ one }) => ({
    work: one(works, { fields: [reviews.workId], references: [works.id] }),
  })),
};

const pgNumber = (name = "") => pg.bigint(name, { mode: "number" });
const pgId = () => pg.bigint({ mode: "number" }).primaryKey().generatedByDefaultAsIdentity();
const pgWriters = pg.pgTable("writers", { id: pgId(), name: pg.text().notNull() });
const pgWorks = pg.pgTable("works", {
  id: pgId(),
  title: pg.text().notNull(),
  writerId: pgNumber("writer_id").notNull(),
});
const pgReviews = pg.pgTable("reviews", {
  id: pgId(),
  body: pg.text().notNull(),
  stars: pgNumber("stars").notNull(),
  workId: pgNumber("work_id").notNull(),
});

/** PostgreSQL. */
export const postgres = {
  authors: pg.pgTable("authors", { id: pg.uuid().primaryKey(), name: pg.text().notNull() }),
  books: pg.pgTable("books", {
    id: pg.uuid().primaryKey(),
    title: pg.text().notNull(),
    authorId: pg.uuid("author_id").notNull(),
  }),
  items: pg.pgTable("items", {
    id: pgId(),
    name: pg.text().notNull(),
    email: pg.text(),
    quantity: pgNumber("quantity").notNull(),
    version: pgNumber("version").notNull(),
  }),
  writers: pgWriters,
  works: pgWorks,
  reviews: pgReviews,
  writersRelations: relations(pgWriters, ({ many }) => ({ works: many(pgWorks) })),
  worksRelations: relations(pgWorks, ({ one, many }) => ({
    writer: one(pgWriters, { fields: [pgWorks.writerId], references: [pgWriters.id] }),
    reviews: many(pgReviews),
  })),
  reviewsRelations: relations(pgReviews, ({ one }) => ({
    work: one(pgWorks, { fields: [pgReviews.workId], references: [pgWorks.id] }),
  })),
};

const myNumber = (name: string) => my.bigint(name, { mode: "number" });
const myId = () => my.bigint({ mode: "number" }).primaryKey().autoincrement();
const myWriters = my.mysqlTable("writers", { id: myId(), name: my.longtext().notNull() });
const myWorks = my.mysqlTable("works", {
  id: myId(),
  title: my.longtext().notNull(),
  writerId: myNumber("writer_id").notNull(),
});
const myReviews = my.mysqlTable("reviews", {
  id: myId(),
  body: my.longtext().notNull(),
  stars: myNumber("stars").notNull(),
  workId: myNumber("work_id").notNull(),
});

/** PlanetScale. */
export const mysql = {
  authors: my.mysqlTable("authors", { id: my.char({ length: 36 }).primaryKey(), name: my.longtext().notNull() }),
  books: my.mysqlTable("books", {
    id: my.char({ length: 36 }).primaryKey(),
    title: my.longtext().notNull(),
    authorId: my.char("author_id", { length: 36 }).notNull(),
  }),
  items: my.mysqlTable("items", {
    id: myId(),
    name: my.longtext().notNull(),
    email: my.longtext(),
    quantity: myNumber("quantity").notNull(),
    version: myNumber("version").notNull(),
  }),
  writers: myWriters,
  works: myWorks,
  reviews: myReviews,
  writersRelations: relations(myWriters, ({ many }) => ({ works: many(myWorks) })),
  worksRelations: relations(myWorks, ({ one, many }) => ({
    writer: one(myWriters, { fields: [myWorks.writerId], references: [myWriters.id] }),
    reviews: many(myReviews),
  })),
  reviewsRelations: relations(myReviews, ({ one }) => ({
    work: one(myWorks, { fields: [myReviews.workId], references: [myWorks.id] }),
  })),
};
