/**
 * Hydration: from a row to the session's instance. No constructor runs; a row whose instance is loaded already leaves
 * it as it is, except for what is expired.
 *
 * @module
 */
import { StaleDataError, ValidationError } from "../errors.ts";
import type { MappedColumn, Mapper } from "../model/mapper.ts";
import { decode } from "../sql/codecs.ts";
import type { Codec } from "../sql/dialect.ts";
import type { SqlValue } from "../sql/statement.ts";
import {
  changedColumns,
  type InstanceState,
  isExpired,
  isHidden,
  newState,
  type Properties,
  show,
} from "./instance_state.ts";
import { type KeyToken, keyToken, valueToken } from "./key.ts";
import { type Token, tokenOfSent, UNKNOWN } from "./snapshot.ts";
import { label, type Tracker } from "./tracker.ts";

/** How to hydrate. */
export interface HydrateOptions {
  /** Overwrite what a loaded instance holds, changes included. */
  readonly populateExisting?: boolean;
  /** Refuse to overwrite an instance that has changes. */
  readonly keepChanges?: boolean;
  /** The rows may hold what a rollback undoes. */
  readonly uncertain?: boolean;
}

/** Makes instances of rows that hold every column of a model, in the model's order, first in the row. O(columns) a row. */
export class Hydrator {
  readonly #tracker: Tracker;
  readonly #mapper: Mapper;
  readonly #codecs: readonly Codec[];
  readonly #options: HydrateOptions;

  constructor(tracker: Tracker, mapper: Mapper, codecs: readonly Codec[], options: HydrateOptions) {
    this.#tracker = tracker;
    this.#mapper = mapper;
    this.#codecs = codecs;
    this.#options = options;
  }

  /** The session's instance of a row. */
  state(row: readonly SqlValue[]): InstanceState {
    const mapper = this.#mapper;
    const token = this.#token(row);
    const known = this.#tracker.identity.holder(mapper, token);
    if (known === undefined) return this.#load(row, token);
    if (known.mapper !== mapper) {
      throw new StaleDataError(
        `${label(known)} is the row of a ${mapper.model} in the database now; expunge it and read it again`,
        { instance: known.instance },
      );
    }
    if (this.#options.keepChanges && (known.forced || changedColumns(known).length > 0)) {
      throw new ValidationError(
        `Cannot lock ${
          label(known)
        }: it has pending changes, which reading it again would lose; flush or refresh it first`,
      );
    }
    if (this.#options.populateExisting) this.#overwrite(known, row, mapper.columns);
    else if (isExpired(known)) this.#fillIn(known, row);
    return known;
  }

  #token(row: readonly SqlValue[]): KeyToken {
    const value = ({ index }: MappedColumn): unknown => decode(this.#codecs[index]!, row[index]!);
    const { key } = this.#mapper;
    return (key.length === 1 ? valueToken(value(key[0]!)) : keyToken(key.map(value)))!;
  }

  /** Gives what is expired its value. What was given one since keeps it, as a change to what the row holds. */
  #fillIn(known: InstanceState, row: readonly SqlValue[]): void {
    const unknown = this.#mapper.columns.filter(({ index }) => known.snapshot![index] === UNKNOWN);
    const given = unknown.filter(({ property }) => !isHidden(known, property));
    const assigned = given.map(({ property }) => [property, known.instance[property]] as const);
    this.#overwrite(known, row, unknown.filter(({ property }) => !known.expressions?.has(property)));
    for (const [property, value] of assigned) show(known, property, value);
  }

  #load(row: readonly SqlValue[], token: KeyToken): InstanceState {
    const mapper = this.#mapper;
    const { columns } = mapper;
    const codecs = this.#codecs;
    const instance: Properties = Object.create(mapper.class.prototype);
    const snapshot: Token[] = new Array(columns.length);
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i]!;
      const raw = row[i] ?? null;
      const value = decode(codecs[i]!, raw);
      instance[column.property] = value;
      snapshot[i] = tokenOfSent(column, raw, value);
    }
    const state = newState(instance, mapper);
    this.#tracker.become(state, "persistent", null);
    state.owner = this.#tracker.owner;
    state.key = token;
    state.snapshot = snapshot;
    this.#tracker.identity.set(state);
    if (this.#options.uncertain) this.#tracker.markUncertain(state);
    this.#tracker.tell();
    return state;
  }

  #overwrite(state: InstanceState, row: readonly SqlValue[], columns: readonly MappedColumn[]): void {
    if (this.#options.uncertain || this.#tracker.isHeld(state)) this.#tracker.touch(state);
    overwrite(state, columns, (column) => row[column.index] ?? null, this.#codecs);
  }
}

/** Sets columns of an instance, and its snapshot, to what a row holds. */
export function overwrite(
  state: InstanceState,
  columns: readonly MappedColumn[],
  raw: (column: MappedColumn) => SqlValue,
  codecs: readonly Codec[],
): void {
  const snapshot = [...state.snapshot ?? []];
  for (const column of columns) {
    const sent = raw(column);
    const value = decode(codecs[column.index]!, sent);
    show(state, column.property, value);
    snapshot[column.index] = tokenOfSent(column, sent, value);
  }
  state.snapshot = snapshot;
}
