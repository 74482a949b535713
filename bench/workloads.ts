/**
 * What is measured: the workloads, what each leaves behind, and what a contender must offer to take part. Knows no
 * contender and takes no time.
 *
 * @module
 */
import type { Param, Server } from "./server.ts";

/** How much of everything there is; contenders and checks go by it. */
export const SIZE = {
  /** W2 and W7. */
  authors: 100,
  booksEach: 10,
  /** The rows of `items`, all of which W5 loads. */
  items: 10_000,
  /** W3 loads the first of them and changes every tenth. */
  loaded: 1000,
  changeEvery: 10,
  /** W4 finds this many by key, spread over all. */
  finds: 50,
  /** The writers that are stored; W6 loads the first of them with their works and the reviews of these. */
  writers: 200,
  graph: 50,
  worksEach: 10,
  reviewsEach: 3,
} as const;

/** The keys that W4 finds. */
export const FIND_KEYS: readonly number[] = Array.from(
  { length: SIZE.finds },
  (_, i) => 1 + i * (SIZE.items / SIZE.finds),
);

/** The name of a workload. */
export type WorkId = "W1" | "W2" | "W3" | "W4" | "W5" | "W6" | "W7";

/** One workload. */
export interface Work {
  readonly id: WorkId;
  readonly title: string;
  /** How many entities one run handles: a run says how many it did, and CPU time is told for each of them. */
  readonly entities: number;
  /** How often a sample runs it: more than once where one run is too short to be measured. */
  readonly repeat: number;
  /** Removes what samples have left; uncounted. */
  readonly reset: readonly string[];
  /** A statement whose `n` must be `want` for each run after a sample; `?1` is the turn. */
  readonly check?: { readonly sql: string; readonly params: (turn: number) => Param[]; readonly want: number };
}

/**
 * Does a workload once and gives back how many entities it handled. The turn is another one each time, so that what is
 * changed does change.
 */
export type Run = (turn: number) => Promise<number>;

/** One of those that are compared. What it cannot do it leaves out. */
export interface Contender {
  readonly name: string;
  readonly runs: Readonly<Partial<Record<WorkId, Run>>>;
  close(): Promise<void>;
}

const books = SIZE.authors * SIZE.booksEach;
const changed = SIZE.loaded / SIZE.changeEvery;

/** The workloads, in the order in which they run. */
export const WORKS: readonly Work[] = [
  {
    id: "W1",
    title: "insert one row",
    entities: 1,
    repeat: 10,
    reset: ["DELETE FROM books", "DELETE FROM authors"],
    check: { sql: "SELECT count(*) AS n FROM authors WHERE name = ?", params: (turn) => [`Author ${turn}`], want: 1 },
  },
  {
    id: "W2",
    title: "insert 100 authors, 1,000 books; client keys",
    entities: SIZE.authors + books,
    repeat: 1,
    reset: ["DELETE FROM books", "DELETE FROM authors"],
    check: {
      sql: "SELECT count(*) AS n FROM books b JOIN authors a ON a.id = b.author_id WHERE b.title LIKE a.name || ':%'",
      params: () => [],
      want: books,
    },
  },
  {
    id: "W3",
    title: "load 1,000, change 100, save; versioned",
    entities: SIZE.loaded,
    repeat: 1,
    reset: [],
    check: { sql: "SELECT count(*) AS n FROM items WHERE name = ?", params: (turn) => [`Turn ${turn}`], want: changed },
  },
  { id: "W4", title: "50 finds by key at once", entities: SIZE.finds, repeat: 5, reset: [] },
  { id: "W5", title: "load 10,000 rows", entities: SIZE.items, repeat: 1, reset: [] },
  {
    id: "W6",
    title: "load 50 authors with books and reviews",
    entities: SIZE.graph * (1 + SIZE.worksEach * (1 + SIZE.reviewsEach)),
    repeat: 1,
    reset: [],
  },
  {
    id: "W7",
    title: "insert 100 authors, 1,000 books; server keys",
    entities: SIZE.authors + books,
    repeat: 1,
    reset: [
      `DELETE FROM works WHERE id > ${SIZE.writers * SIZE.worksEach}`,
      `DELETE FROM writers WHERE id > ${SIZE.writers}`,
    ],
    check: {
      sql: `SELECT count(*) AS n FROM works b JOIN writers a ON a.id = b.writer_id
        WHERE a.id > ${SIZE.writers} AND b.title LIKE a.name || ':%'`,
      params: () => [],
      want: books,
    },
  },
];

/** Fills the tables that are read; they must be there. Uncounted. */
export async function seed(server: Server): Promise<void> {
  const works = SIZE.writers * SIZE.worksEach;
  const upTo = (n: number) => `WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < ${n})`;
  const statements = [
    `${upTo(SIZE.items)} INSERT INTO items (id, name, email, quantity, version)
      SELECT i, 'Item ' || i, CASE WHEN i % 4 THEN 'item' || i || '@example.org' END, i % 97, 1 FROM s`,
    `${upTo(SIZE.writers)} INSERT INTO writers (id, name) SELECT i, 'Writer ' || i FROM s`,
    `${upTo(works)} INSERT INTO works (id, title, writer_id)
      SELECT i, 'Work ' || i, (i - 1) / ${SIZE.worksEach} + 1 FROM s`,
    `${upTo(works * SIZE.reviewsEach)} INSERT INTO reviews (id, body, stars, work_id)
      SELECT i, 'Review ' || i, i % 5 + 1, (i - 1) / ${SIZE.reviewsEach} + 1 FROM s`,
    "ANALYZE",
  ];
  for (const statement of statements) await server.query(statement);
}
