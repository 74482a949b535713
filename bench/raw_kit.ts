/**
 * What the workloads written by hand have in common: the shape of a driver's file, and the objects that are made.
 *
 * @module
 */
import { type Run, SIZE } from "./workloads.ts";

/** A row as a driver gives it: numbers are numbers. */
export type Row = Readonly<Record<string, unknown>>;

/** A statement with its values. */
export interface Statement {
  readonly sql: string;
  readonly args: (string | number | null)[];
}

/** A driver as its file offers it. */
export interface Driver {
  /** The mark of the n-th parameter, from 1 on. */
  readonly mark: (n: number) => string;
  /** Runs reads together, as well as the driver can. */
  read(statements: readonly Statement[]): Promise<readonly (readonly Row[])[]>;
  readonly writes: Readonly<Record<"W1" | "W2" | "W3" | "W7" | "W8" | "W10", Run>>;
  close(): Promise<void>;
}

/** A row of `reviews`. */
export interface Review {
  id: number;
  body: string;
  stars: number;
  workId: number;
}

/** A row of `works` with its reviews. */
export interface Work {
  id: number;
  title: string;
  writerId: number;
  reviews: Review[];
}

/** A row of `writers` with its works. */
export interface Writer {
  id: number;
  name: string;
  works: Work[];
}

/** The rows of W2: values of all authors and of all books, one after the other. */
export function makeAuthors(): { authors: string[]; books: string[] } {
  const authors: string[] = [];
  const books: string[] = [];
  for (let i = 0; i < SIZE.authors; i++) {
    const id = crypto.randomUUID();
    const name = `Author ${i}`;
    authors.push(id, name);
    for (let j = 0; j < SIZE.booksEach; j++) books.push(crypto.randomUUID(), `${name}: book ${j}`, id);
  }
  return { authors, books };
}

/** The objects of W7, without keys, and all works in order. */
export function makeWriters(): { writers: Writer[]; works: Work[] } {
  const writers: Writer[] = [];
  const works: Work[] = [];
  for (let i = 0; i < SIZE.authors; i++) {
    const writer: Writer = { id: 0, name: `Author ${i}`, works: [] };
    writers.push(writer);
    for (let j = 0; j < SIZE.booksEach; j++) {
      const work: Work = { id: 0, title: `${writer.name}: book ${j}`, writerId: 0, reviews: [] };
      writer.works.push(work);
      works.push(work);
    }
  }
  return { writers, works };
}

/** How many objects of W7 have their keys. */
export function countKeyed(writers: readonly Writer[]): number {
  let keyed = 0;
  for (const { id, works } of writers) {
    if (id > 0) keyed++;
    for (const work of works) if (work.id > 0 && work.writerId === id) keyed++;
  }
  return keyed;
}

/** The VALUES of a multi-row INSERT, where parameters are question marks. */
export function values(rows: number, row: string): string {
  return `VALUES ${Array(rows).fill(row).join(", ")}`;
}
