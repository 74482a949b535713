-- The tables of ../../bookstore/app.ts, as ddl(models, dialect) gives them.
CREATE TABLE IF NOT EXISTS "authors" (
  "id" TEXT NOT NULL,
  "name" TEXT NOT NULL,
  "email" TEXT NOT NULL UNIQUE,
  "version" INTEGER NOT NULL,
  PRIMARY KEY ("id")
);
CREATE TABLE IF NOT EXISTS "books" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT,
  "title" TEXT NOT NULL,
  "isbn" TEXT NOT NULL UNIQUE,
  "cents" INTEGER NOT NULL,
  "author_id" TEXT NOT NULL,
  FOREIGN KEY ("author_id") REFERENCES "authors" ("id") ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS "books_author_id_idx" ON "books" ("author_id");
CREATE TABLE IF NOT EXISTS "reviews" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT,
  "stars" INTEGER NOT NULL,
  "text" TEXT NOT NULL,
  "book_id" INTEGER NOT NULL,
  FOREIGN KEY ("book_id") REFERENCES "books" ("id") ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS "reviews_book_id_idx" ON "reviews" ("book_id");
