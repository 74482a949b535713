/** Rows in plain maps: a database as the naive model sees it. */
import { type Kind, kinds, shapes } from "./models.ts";

/** A value in one comparable form: dates as ISO text, JSON as text. */
export type Value = string | number | null;

/** A key. */
export type Key = string | number;

/** A row by property. */
export type Row = Record<string, Value>;

/** A database: rows by table and key, and links as "book:tag". */
export class Rows {
  readonly tables: Readonly<Record<Kind, Map<Key, Row>>>;
  readonly links: Set<string>;

  constructor(from?: Rows) {
    this.tables = Object.fromEntries(
      kinds.map((kind) => [kind, new Map([...from?.tables[kind] ?? []].map(([key, row]) => [key, { ...row }]))]),
    ) as Record<Kind, Map<Key, Row>>;
    this.links = new Set(from?.links);
  }

  /** The row of a key. */
  get(kind: Kind, key: unknown): Row | undefined {
    return this.tables[kind].get(key as Key);
  }

  /** The keys of the rows that refer to a row by a foreign key, in their order. */
  referring(kind: Kind, fk: string, key: unknown): Key[] {
    return ordered([...this.tables[kind]].filter(([, row]) => row[fk] === key).map(([own]) => own));
  }

  /** The keys on the other end of a row's links, in their order. */
  linked(key: unknown, first: boolean): Key[] {
    const pairs = [...this.links].map((link) => link.split(":").map(Number));
    return ordered(pairs.filter((pair) => pair[first ? 0 : 1] === key).map((pair) => pair[first ? 1 : 0]!));
  }

  /** Which constraints the rows break. */
  broken(): string[] {
    const found: string[] = [];
    for (const kind of kinds) {
      for (const row of this.tables[kind].values()) {
        for (const { fk, target } of shapes[kind].parents) {
          if (row[fk] !== null && this.get(target, row[fk]) === undefined) found.push("ForeignKeyViolationError");
        }
      }
      for (const column of shapes[kind].unique) {
        const values = [...this.tables[kind].values()].map((row) => row[column]).filter((value) => value !== null);
        if (new Set(values).size < values.length) found.push("UniqueViolationError");
      }
    }
    for (const link of this.links) {
      const [book, tag] = link.split(":").map(Number);
      if (this.get("Book", book) === undefined || this.get("Tag", tag) === undefined) {
        found.push("ForeignKeyViolationError");
      }
    }
    return found;
  }

  /** Everything, in one order, for a comparison. */
  dump(): unknown {
    return {
      ...Object.fromEntries(
        kinds.map((kind) => [kind, ordered([...this.tables[kind].keys()]).map((key) => this.tables[kind].get(key))]),
      ),
      links: [...this.links].sort(),
    };
  }
}

/** Keys of one table in ascending order. */
export function ordered<K extends Key>(keys: K[]): K[] {
  return keys.sort((a, b) => a < b ? -1 : a > b ? 1 : 0);
}

/** A value of an instance or a row in its comparable form. */
export function plain(value: unknown): Value | undefined {
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "object" && value !== null) return JSON.stringify(value);
  return value as Value | undefined;
}
