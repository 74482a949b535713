/**
 * What is measured: the workloads, what each leaves behind, and what a contender must offer to take part. Knows no
 * contender and takes no time. Imports nothing: the peers, which have dependencies of their own, read it too.
 *
 * @module
 */

/** How much of everything there is; contenders and checks go by it. */
export const SIZE = {
  /** W2 and W7. */
  authors: 100,
  booksEach: 10,
  /** The rows of `items`, all of which W5 loads. */
  items: 10_000,
  /** W3 and W8 load the first of them; W3 changes every tenth, W8 all. */
  loaded: 1000,
  changeEvery: 10,
  /** W4 finds this many by key, spread over all. */
  finds: 50,
  /** The writers that are stored; W6 loads the first of them with their works and the reviews of these. */
  writers: 200,
  graph: 50,
  worksEach: 10,
  reviewsEach: 3,
  /** W10. */
  flushed: 100_000,
} as const;

/** The keys that W4 finds. */
export const FIND_KEYS: readonly number[] = Array.from(
  { length: SIZE.finds },
  (_, i) => 1 + i * (SIZE.items / SIZE.finds),
);

/** What W9 reads in one turn, 50 reads: by key, by a condition, counts, the children of a row. */
export const MIXED = {
  /** Items by key. */
  items: FIND_KEYS.slice(0, 20),
  /** Writers by key. */
  writers: Array.from({ length: 10 }, (_, i) => 1 + i * 7),
  /** The first five items of each of these quantities, by id. */
  quantities: Array.from({ length: 10 }, (_, i) => 3 + i),
  limit: 5,
  /** How many items have less than each of these quantities: a number each. */
  below: [10, 20, 30, 40, 50],
  /** The works of each of these writers. */
  worksOf: [11, 12, 13, 14, 15],
} as const;

/** What W8 changes of the i-th item: each third of the rows has another column changed. */
export function changeOf(i: number, turn: number): { name: string } | { email: string } | { quantity: number } {
  if (i % 3 === 0) return { name: `Turn ${turn}` };
  if (i % 3 === 1) return { email: `turn${turn}@example.org` };
  return { quantity: 1000 + turn };
}

/** A kind of database, each over its HTTP driver. */
export type Kind = "libsql" | "postgres" | "planetscale";

/** The kinds, in the order in which they run. */
export const KINDS: Readonly<Record<Kind, string>> = {
  libsql: "libSQL over HTTP",
  postgres: "PostgreSQL over Neon's HTTP",
  planetscale: "MariaDB over PlanetScale's HTTP",
};

/** The name of a workload. */
export type WorkId = "W1" | "W2" | "W3" | "W4" | "W5" | "W6" | "W7" | "W8" | "W9" | "W10";

/** One workload. Its SQL is for every kind of database. */
export interface Work {
  readonly id: WorkId;
  readonly title: string;
  /** How many entities one run handles: a run says how many it did, and CPU time is told for each of them. */
  readonly entities: number;
  /** How often a sample runs it: more than once where one run is too short to be measured. */
  readonly repeat: number;
  /** At most so many samples, and none to warm up, where one takes seconds. */
  readonly most?: number;
  /** Removes what samples have left; uncounted. */
  readonly reset: (kind: Kind) => readonly string[];
  /** A statement whose `n` must be `want` after a sample, which ended with this turn. */
  readonly check?: { readonly sql: (turn: number) => string; readonly want: number };
}

/**
 * Does a workload once and gives back how many entities it handled. The turn is another one each time, so that what is
 * changed does change.
 */
export type Run = (turn: number) => Promise<number>;

/** One of those that are compared, on one database. */
export interface Contender {
  readonly runs: Readonly<Partial<Record<WorkId, Run>>>;
  /** Why a workload is not among the runs. */
  readonly cannot?: Readonly<Partial<Record<WorkId, string>>>;
  close(): Promise<void>;
}

/** What a contender's module exports: takes the URL of a server of this kind. */
export type Open = (kind: Kind, url: string) => Promise<Contender> | Contender;

const books = SIZE.authors * SIZE.booksEach;
const titled = (book: string, author: string) =>
  `substr(${book}.title, 1, length(${author}.name)) = ${author}.name AND length(${book}.title) > length(${author}.name)`;

/** PostgreSQL keeps what is deleted until it is vacuumed, and would look through all of it for each of 100,000 authors. */
const emptied = (kind: Kind) =>
  kind === "postgres" ? ["TRUNCATE books, authors"] : ["DELETE FROM books", "DELETE FROM authors"];

/** The workloads, in the order in which they run. */
export const WORKS: readonly Work[] = [
  {
    id: "W1",
    title: "insert one row",
    entities: 1,
    repeat: 10,
    reset: emptied,
    check: { sql: (turn) => `SELECT count(*) AS n FROM authors WHERE name = 'Author ${turn}'`, want: 1 },
  },
  {
    id: "W2",
    title: "insert 100 authors, 1,000 books; client keys",
    entities: SIZE.authors + books,
    repeat: 1,
    reset: emptied,
    check: {
      sql: () => `SELECT count(*) AS n FROM books b JOIN authors a ON a.id = b.author_id WHERE ${titled("b", "a")}`,
      want: books,
    },
  },
  {
    id: "W3",
    title: "load 1,000, change 100, save; versioned",
    entities: SIZE.loaded,
    repeat: 1,
    reset: () => [],
    check: {
      sql: (turn) => `SELECT count(*) AS n FROM items WHERE name = 'Turn ${turn}'`,
      want: SIZE.loaded / SIZE.changeEvery,
    },
  },
  { id: "W4", title: "50 finds by key at once", entities: SIZE.finds, repeat: 5, reset: () => [] },
  { id: "W5", title: "load 10,000 rows", entities: SIZE.items, repeat: 1, reset: () => [] },
  {
    id: "W6",
    title: "load 50 authors with books and reviews",
    entities: SIZE.graph * (1 + SIZE.worksEach * (1 + SIZE.reviewsEach)),
    repeat: 1,
    reset: () => [],
  },
  {
    id: "W7",
    title: "insert 100 authors, 1,000 books; server keys",
    entities: SIZE.authors + books,
    repeat: 1,
    reset: () => [
      `DELETE FROM works WHERE id > ${SIZE.writers * SIZE.worksEach}`,
      `DELETE FROM writers WHERE id > ${SIZE.writers}`,
    ],
    check: {
      sql: () =>
        `SELECT count(*) AS n FROM works b JOIN writers a ON a.id = b.writer_id
        WHERE a.id > ${SIZE.writers} AND ${titled("b", "a")}`,
      want: books,
    },
  },
  {
    id: "W8",
    title: "load 1,000, change different columns of all, save",
    entities: SIZE.loaded,
    repeat: 1,
    reset: () => [],
    check: {
      sql: (turn) =>
        `SELECT (SELECT count(*) FROM items WHERE name = 'Turn ${turn}') +
        (SELECT count(*) FROM items WHERE email = 'turn${turn}@example.org') +
        (SELECT count(*) FROM items WHERE quantity = ${1000 + turn}) AS n`,
      want: SIZE.loaded,
    },
  },
  {
    id: "W9",
    title: "50 mixed reads in one turn",
    entities: MIXED.items.length + MIXED.writers.length + MIXED.quantities.length * MIXED.limit + MIXED.below.length +
      MIXED.worksOf.length * SIZE.worksEach,
    repeat: 5,
    reset: () => [
      // W8 may have taken quantities away that are asked for here.
      `UPDATE items SET quantity = id % 97 WHERE quantity >= 1000`,
    ],
  },
  {
    id: "W10",
    title: "insert 100,000 rows",
    entities: SIZE.flushed,
    repeat: 1,
    most: 3,
    reset: emptied,
    check: { sql: () => "SELECT count(DISTINCT name) AS n FROM authors", want: SIZE.flushed },
  },
];
