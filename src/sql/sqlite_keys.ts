/**
 * Keys that SQLite makes in a batch, used by later statements of the same batch.
 *
 * Within a write transaction the rows of one INSERT … SELECT take consecutive keys, and later inserts go on from there:
 * the key of the k-th of n rows is `max(id) - n + 1 + k`. Seen right after deletes, with and without AUTOINCREMENT; not
 * with triggers that insert into the same table. No scratch table is needed (libSQL's server refuses temporary ones).
 *
 * @module
 */
import { UncarriedKeyError } from "./cell.ts";
import type { Dialect } from "./dialect.ts";
import { tableName } from "./sqlite_ddl.ts";
import type { Keys } from "./sqlite_source.ts";
import type { KeyRef } from "./step.ts";
import type { TableInfo } from "./table.ts";

/** Consecutive ordinals of one mapper that took consecutive places among the keys made for its table. */
interface Run {
  readonly first: number;
  readonly place: number;
  count: number;
}

/** What is known of one table of the database; several mappers may share it. */
interface Made {
  /** How many keys the batch has made so far. */
  count: number;
  /** Whether rows with keys of their own were inserted since, so that the greatest key may be one of theirs. */
  mixed: boolean;
}

/** Follows the keys that the statements of one batch make, in order. */
export class KeyLedger implements Keys {
  readonly #dialect: Dialect;
  readonly #made = new Map<string, Made>();
  readonly #runs = new Map<TableInfo, Run[]>();

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  /** Rows were inserted whose keys the database makes: ordinals from `first` on. */
  insertedRows(table: TableInfo, first: number, count: number): void {
    const made = this.#of(table);
    const runs = this.#runs.get(table) ?? [];
    this.#runs.set(table, runs);
    const last = runs.at(-1);
    if (last && last.first + last.count === first && last.place + last.count === made.count) last.count += count;
    else runs.push({ first, place: made.count, count });
    made.count += count;
  }

  /** Rows were inserted that bring their keys. */
  insertedKeys(table: TableInfo): void {
    const made = this.#of(table);
    if (made.count > 0) made.mixed = true;
  }

  last(ref: KeyRef): string {
    const { identity, model } = ref.table;
    if (!identity) {
      throw new UncarriedKeyError(
        `The key that the database makes for ${model} cannot be used in the same commit; flush first, or make the key in the client`,
      );
    }
    if (this.#of(ref.table).mixed) {
      throw new UncarriedKeyError(
        `Rows of ${model} with keys of their own were inserted between rows whose keys the database makes and rows that ` +
          "refer to them, which SQLite cannot follow in one batch; commit in between",
      );
    }
    return `(SELECT max(${this.#dialect.quote(identity.name)}) FROM ${tableName(ref.table, this.#dialect)})`;
  }

  offset(ref: KeyRef): number {
    const run = this.#run(ref);
    if (!run) throw new Error(`The plan refers to row ${ref.ordinal} of ${ref.table.model} before it is inserted`);
    return run.place + (ref.ordinal - run.first) - this.#of(ref.table).count + 1;
  }

  #run(ref: KeyRef): Run | undefined {
    return this.#runs.get(ref.table)?.find((run) => ref.ordinal >= run.first && ref.ordinal < run.first + run.count);
  }

  #of(table: TableInfo): Made {
    const name = table.table.toLowerCase();
    const made = this.#made.get(name) ?? { count: 0, mixed: false };
    this.#made.set(name, made);
    return made;
  }
}
