/**
 * References: what stands for a row that is known by its key and was not read.
 *
 * By its primary key a row can be stood for by an instance of its model, as if all its other columns were expired: that
 * instance is enough for a foreign key. By a unique key it cannot, since its primary key is what foreign keys are made of:
 * a proxy stands in for it until `resolve()` puts the session's instance in its place.
 *
 * @module
 */
import { ExpiredPropertyError, InvalidStateError, ValidationError } from "../errors.ts";
import type { ModelArgument } from "../model/declared.ts";
import { type MappedColumn, type Mapper, mapperOf } from "../model/mapper.ts";
import type { AnyModel, ColumnsOf, Key, ValueOf } from "../model/types.ts";
import { hide, type InstanceState, newState } from "../state/instance_state.ts";
import { keyToken, showKey } from "../state/key.ts";
import { type Token, tokenOf, UNKNOWN } from "../state/snapshot.ts";

/** The values of a unique key: one property that is declared `unique()`, or several that are unique together. */
export type UniqueKey<T> = { readonly [K in keyof ColumnsOf<T>]?: ValueOf<ColumnsOf<T>[K]> };

/** What a reference refers to. */
export interface Reference {
  readonly mapper: Mapper;
  /** The columns that it is known by. */
  readonly columns: readonly MappedColumn[];
  readonly values: readonly unknown[];
}

/** A stand-in, and what it leads to once that is known. */
interface StandIn extends Reference {
  /** The instance; null until it is known, and for good where it is not to be reached through the stand-in. */
  instance: object | null;
  /** Whether it is known, or is not to be waited for. */
  over: boolean;
}

// Beside the objects, as long as they live.
const references: WeakMap<object, Reference> = new WeakMap();
const standIns: WeakMap<object, StandIn> = new WeakMap();

/** What an object refers to; undefined for what `reference()` did not make. */
export function referenceOf(object: object): Reference | undefined {
  return references.get(object);
}

/**
 * Refers to a row that is there already, by its primary key or by a unique key, without reading it: to be put into
 * relations of what is given to `bulk()`. Sends nothing. Throws a `ValidationError` for what is no such key.
 *
 * By its primary key it is an instance whose other properties throw an `ExpiredPropertyError` until they are refreshed. By
 * a unique key it is a proxy that knows no more than that key, and must be resolved before a session can take it.
 *
 * @example
 * ```ts
 * import { belongsTo, model, t } from "@ledge/session";
 * import { reference } from "@ledge/session/bulk";
 * import { assertEquals } from "@std/assert";
 *
 * class Author extends model("authors", { id: t.uuid().primaryKey(), email: t.text().unique() }) {}
 * class Book extends model("books", { id: t.uuid().primaryKey(), authorId: t.uuid().foreignKey() }) {
 *   declare author?: Author;
 *   static relations = { author: belongsTo(() => Author, "authorId") };
 * }
 * const book = Book.create({ author: reference(Author, { email: "ann@example.org" }) });
 * assertEquals(book.author?.email, "ann@example.org");
 * ```
 */
export function reference<M extends AnyModel>(
  model: ModelArgument<M>,
  key: Key<InstanceType<M>> | UniqueKey<InstanceType<M>>,
): InstanceType<M> {
  const given = parseReference(mapperOf(model), key);
  const { mapper, columns } = given;
  // Of which class of a family a row is, only the row can tell.
  const isWhole = columns === mapper.key && mapper.discriminator === null;
  const object = isWhole ? partialInstance(given).instance : standIn(given);
  references.set(object, given);
  return object as InstanceType<M>;
}

/** Reads a key: a primary key in any of its forms, or an object of other columns. */
function parseReference(mapper: Mapper, key: unknown): Reference {
  const { model } = mapper;
  const isPlain = typeof key === "object" && key !== null && Object.getPrototypeOf(key) === Object.prototype;
  const properties = isPlain ? Object.keys(key) : [];
  const isPrimary = !isPlain || properties.length === mapper.key.length &&
      mapper.key.every(({ property }) => properties.includes(property));
  const columns = isPrimary ? mapper.key : properties.map((property) => mapper.column(property, "refer to a row by"));
  const values = isPlain
    ? columns.map(({ property }) => (key as Record<string, unknown>)[property])
    : Array.isArray(key)
    ? key
    : [key];
  if (columns.length === 0 || values.length !== columns.length || keyToken(values) === null) {
    throw new ValidationError(`reference() to ${model} needs a value for each column of its key`);
  }
  if (columns.length === 1 && !columns[0]!.primaryKey && !columns[0]!.unique) {
    throw new ValidationError(
      `reference() to ${model} by ${columns[0]!.property} could mean several rows; mark the column with unique()`,
    );
  }
  return { mapper, columns, values };
}

/** An instance of a row of which some columns are known, among them the primary key; detached until it is bound. */
export function partialInstance({ mapper, columns, values }: Reference): InstanceState {
  const instance: Record<string, unknown> = Object.create(mapper.class.prototype);
  const state = newState(instance, mapper);
  const snapshot: Token[] = mapper.columns.map((column) => {
    const { property, kind } = column;
    const at = columns.indexOf(column);
    if (at < 0) {
      hide(state, property, "is that of a reference, and was not read; await session.refresh(instance) first");
      return UNKNOWN;
    }
    instance[property] = values[at];
    return tokenOf(kind, values[at]);
  });
  state.snapshot = snapshot;
  state.key = keyToken(mapper.key.map(({ property }) => instance[property]));
  state.status = "detached";
  return state;
}

/** What a reference is called in a message. */
export function showReference({ mapper, columns, values }: Reference): string {
  if (columns === mapper.key) return `${mapper.model} ${showKey(values)}`;
  return `${mapper.model} by ${columns.map(({ property }, i) => `${property} ${showKey([values[i]])}`).join(", ")}`;
}

/** Lets a stand-in lead to an instance from now on, or to nothing any more. */
export function settle(object: object, instance: object, forwards: boolean): void {
  const known = standIns.get(object);
  if (known === undefined) return;
  known.over = true;
  known.instance = forwards ? instance : null;
}

function standIn(given: Reference): object {
  const { mapper } = given;
  const known: StandIn = { ...given, instance: null, over: false };
  const label = showReference(given);
  const refuse = (doing: string): never => {
    throw new InvalidStateError(
      known.over
        ? `Cannot ${doing} through a reference to ${label}, which is resolved: use the instance that get() gives`
        : `Cannot ${doing} a reference to ${label} that is not resolved; await bulk.resolve() first`,
    );
  };
  // Whoever takes it for an instance asks for its class first: no session can take it for a new row.
  const prototype = Object.create(mapper.class.prototype, {
    constructor: {
      get: () => {
        throw new ValidationError(
          known.over
            ? `A reference to ${label} only stands in for its instance, which get() gives: use that`
            : `A reference to ${label} is not resolved: give what holds it to bulk() and await resolve()`,
        );
      },
    },
  });
  const target: Record<string, unknown> = Object.create(prototype);
  given.columns.forEach(({ property }, i) => target[property] = given.values[i]);
  const proxy: object = new Proxy(target, {
    get(_, property, receiver) {
      if (known.instance !== null && property !== "constructor") {
        const value: unknown = Reflect.get(known.instance, property);
        return typeof value === "function" ? value.bind(known.instance) : value;
      }
      if (typeof property === "string" && !Object.hasOwn(target, property) && isMember(mapper, property)) {
        if (known.over) refuse(`read ${property}`);
        throw new ExpiredPropertyError(
          `${mapper.model}.${property} is not known of a reference to ${label}; await bulk.resolve() first`,
        );
      }
      return Reflect.get(target, property, receiver);
    },
    set(_, property, value) {
      if (known.instance === null) refuse(`set ${String(property)} of`);
      return Reflect.set(known.instance!, property, value);
    },
    defineProperty: () => refuse("change"),
    deleteProperty: () => refuse("change"),
  });
  standIns.set(proxy, known);
  return proxy;
}

function isMember(mapper: Mapper, property: string): boolean {
  return mapper.byProperty.has(property) || mapper.relation(property) !== undefined;
}
